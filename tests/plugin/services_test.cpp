// Items 56 to 68: HTTP, app messages, metrics, health, and that there is no state sync.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "chain/base/hex.hpp"
#include "cmd/blob-devnet/chain_node.hpp"
#include "cmd/blob-devnet/http_exchange.hpp"
#include "proto/jsonrpc/json.hpp"
#include "tests/plugin/model_chain.hpp"
#include "tests/plugin/plugin_host.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPing = R"({"jsonrpc":"2.0","id":1,"method":"blobvm.ping"})";

using Headers = google::protobuf::RepeatedPtrField<::http::Element>;

std::optional<std::string> header(const Headers& headers, std::string_view name) {
    for (const ::http::Element& element : headers) {
        if (element.key() == name) return element.values_size() > 0 ? element.values(0) : "";
    }
    return std::nullopt;
}

class ServicesConformance : public ::testing::Test {
  protected:
    void SetUp() override { host_.run(); }

    ::http::HandleSimpleHTTPResponse simple(const ::http::HandleSimpleHTTPRequest& request) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + allowed(6s));
        ::http::HandleSimpleHTTPResponse response;
        const grpc::Status status = host_.http().HandleSimple(&context, request, &response);
        EXPECT_TRUE(status.ok()) << status.error_message();
        return response;
    }

    ::http::HTTPRequest streamed_request(std::size_t body_bytes) {
        ::http::HTTPRequest request;
        auto& inner = *request.mutable_request();
        inner.set_method("POST");
        inner.set_proto("HTTP/2.0");
        inner.set_proto_major(2);
        inner.mutable_url()->set_path("/ext/bc/blobvm/public");
        inner.set_request_uri("/ext/bc/blobvm/public");
        inner.set_content_length(static_cast<std::int64_t>(body_bytes));
        auto& type = *inner.add_header();
        type.set_key("Content-Type");
        type.add_values("application/json");
        return request;
    }

    PluginHost host_;
};

TEST_F(ServicesConformance, Item56HandlersAreReachable) {
    const auto answer = host_.call(&::vm::VM::Stub::CreateHandlers);
    ASSERT_TRUE(answer.ok());
    ASSERT_GT(answer.reply.handlers_size(), 0);
    for (const ::vm::Handler& handler : answer.reply.handlers()) {
        EXPECT_TRUE(handler.prefix().empty() || handler.prefix().starts_with('/'));
        const auto channel = devnet::dial(handler.server_addr());
        EXPECT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + 20s));
    }
}

TEST_F(ServicesConformance, Item57AnswerKeepsTheHeadersThatTheNodeHasSet) {
    auto request = host_.rpc_request(kPing);
    for (const auto& [name, value] :
         {std::pair{"Node-Id", "NodeID-abc"}, std::pair{"Access-Control-Allow-Origin", "*"},
          std::pair{"Vary", "Origin"}}) {
        auto& element = *request.add_response_headers();
        element.set_key(name);
        element.add_values(value);
    }
    request.mutable_response_headers(2)->add_values("Accept");
    const auto response = simple(request);
    EXPECT_EQ(response.code(), 200);
    EXPECT_EQ(header(response.headers(), "Content-Type"), "application/json; charset=utf-8");
    EXPECT_EQ(header(response.headers(), "Node-Id"), "NodeID-abc");
    EXPECT_EQ(header(response.headers(), "Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(header(response.headers(), "Vary"), "Origin");
    for (const ::http::Element& element : response.headers()) {
        bool upper = true;
        for (const char c : element.key()) {
            EXPECT_FALSE(upper ? std::islower(c) : std::isupper(c)) << element.key();
            upper = c == '-';
        }
        if (element.key() == "Vary") {
            EXPECT_EQ(element.values_size(), 2);
        }
    }
    EXPECT_NE(response.body().find("\"success\":true"), std::string::npos);
}

TEST_F(ServicesConformance, Item58WrongRequestsAreAnswersWithACode) {
    auto request = host_.rpc_request(kPing);
    request.set_method("GET");
    EXPECT_EQ(simple(request).code(), 405);
    request = host_.rpc_request(kPing);
    request.mutable_request_headers(0)->set_values(0, "text/html");
    EXPECT_EQ(simple(request).code(), 415);
    request.clear_request_headers();
    EXPECT_EQ(simple(request).code(), 415);
    for (const char* body : {"", "{", "[]", "7", "\xff\xfe", "{\"method\":1}"}) {
        const auto response = simple(host_.rpc_request(body));
        EXPECT_EQ(response.code(), 200) << body;
        EXPECT_NE(response.body().find("\"error\""), std::string::npos) << body;
    }
    ::http::HandleSimpleHTTPRequest nothing;
    const auto response = simple(nothing);
    EXPECT_GE(response.code(), 400);
    EXPECT_LT(response.code(), 600);
}

TEST_F(ServicesConformance, Item59BodyAboveTheCapIsTooLarge) {
    const std::size_t cap = 8 * 1024 * 1024;
    EXPECT_EQ(simple(host_.rpc_request(std::string(cap, ' '))).code(), 200);
    EXPECT_EQ(simple(host_.rpc_request(std::string(cap + 1, ' '))).code(), 413);
    EXPECT_EQ(simple(host_.rpc_request(std::string(8 * cap, ' '))).code(), 413);
    EXPECT_EQ(simple(host_.rpc_request(kPing)).code(), 200) << "and it goes on";
}

TEST_F(ServicesConformance, Item60BodyInPiecesGetsTheSameAnswer) {
    // 1 MiB of spaces before the request is JSON as well.
    const std::string body = std::string(1024 * 1024, ' ') + kPing;
    const auto whole = simple(host_.rpc_request(body));
    const auto pieces = devnet::handle(host_.http(), streamed_request(body.size()), body, 60s);
    EXPECT_EQ(pieces.code(), 200) << pieces.body();
    EXPECT_EQ(pieces.body(), whole.body());
    EXPECT_EQ(header(pieces.headers(), "Content-Type"), header(whole.headers(), "Content-Type"));

    const auto empty = devnet::handle(host_.http(), streamed_request(0), "", 60s);
    EXPECT_EQ(empty.body(), simple(host_.rpc_request("")).body());
}

TEST_F(ServicesConformance, Item60StreamedBodyAboveTheCapIsTooLarge) {
    const std::string body(64 * 1024 * 1024, ' ');
    EXPECT_EQ(devnet::handle(host_.http(), streamed_request(body.size()), body, 60s).code(), 413);
}

TEST_F(ServicesConformance, Item60LargeAnswerComesWhole) {
    ModelChain model{host_.genesis()};
    const std::string value(200 * 1024, 'v');
    const auto set = set_tx(value, {.block_id = model.tip()->id, .magic = host_.genesis().magic});
    const auto block = model.child(model.tip(), {set});
    host_.commit(block);
    const std::string request = fmt::format(
        R"({{"jsonrpc":"2.0","id":1,"method":"blobvm.resolve","params":{{"key":"{}"}}}})",
        to_hex_0x(set->key.view()));
    const auto whole = simple(host_.rpc_request(request));
    EXPECT_GT(whole.body().size(), value.size());
    EXPECT_EQ(devnet::handle(host_.http(), streamed_request(request.size()), request, 60s).body(),
              whole.body());
}

TEST_F(ServicesConformance, Item61UpgradeIsDeclined) {
    auto request = streamed_request(0);
    auto& upgrade = *request.mutable_request()->add_header();
    upgrade.set_key("Upgrade");
    upgrade.add_values("websocket");
    const auto response = devnet::handle(host_.http(), request, "", 60s);
    EXPECT_TRUE(response.code() == 426 || response.code() == 501) << response.code();
}

TEST_F(ServicesConformance, Item62NoHandlerByHeader) {
    const auto answer = host_.call(&::vm::VM::Stub::NewHTTPHandler);
    EXPECT_TRUE(answer.ok());
    EXPECT_EQ(answer.reply.server_addr(), "");
}

TEST_F(ServicesConformance, Item63GarbageFromPeersIsNeverAnError) {
    for (const std::string& content :
         {std::string{}, std::string{"garbage"}, std::string(2'000'000, '\xff'),
          std::string{"\0\0\xff\xff\xff\xff", 6}, std::string{"\0\0\0\0\0\1", 6}}) {
        for (const std::string& peer :
             {std::string(20, '\2'), std::string{}, std::string(19, '\1')}) {
            ::vm::AppGossipMsg gossip;
            gossip.set_node_id(peer);
            gossip.set_msg(content);
            EXPECT_TRUE(host_.call(&::vm::VM::Stub::AppGossip, gossip).ok());
            ::vm::AppRequestMsg request;
            request.set_node_id(peer);
            request.set_request_id(12'345);
            request.set_request(content);
            EXPECT_TRUE(host_.call(&::vm::VM::Stub::AppRequest, request).ok());
            ::vm::AppResponseMsg response;
            response.set_node_id(peer);
            response.set_request_id(999);
            response.set_response(content);
            EXPECT_TRUE(host_.call(&::vm::VM::Stub::AppResponse, response).ok());
        }
    }
    EXPECT_TRUE(host_.call(&::vm::VM::Stub::Health).ok());
}

TEST_F(ServicesConformance, Item64FailedRequestIsTaken) {
    ::vm::AppRequestFailedMsg failed;
    failed.set_node_id(std::string(20, '\2'));
    failed.set_request_id(7);
    failed.set_error_code(-1);
    failed.set_error_message("timed out");
    EXPECT_TRUE(host_.call(&::vm::VM::Stub::AppRequestFailed, failed).ok());
}

TEST_F(ServicesConformance, Item65PeersMayComeAndGoInAnyOrder) {
    ::vm::ConnectedRequest connected;
    connected.set_node_id(std::string(20, '\1'));
    connected.set_name("avalanchego");
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(host_.call(&::vm::VM::Stub::Connected, connected).ok());
    }
    ::vm::DisconnectedRequest disconnected;
    disconnected.set_node_id(std::string(20, '\x55'));
    EXPECT_TRUE(host_.call(&::vm::VM::Stub::Disconnected, disconnected).ok());
}

void expect_good(const ::vm::GatherResponse& gathered) {
    const auto text = devnet::metrics_text(gathered, "avalanche_x_", "chain-id");
    EXPECT_TRUE(text) << text.error().message();
    std::set<std::string> names;
    for (const auto& family : gathered.metric_families()) {
        EXPECT_TRUE(names.insert(family.name()).second) << family.name();
        EXPECT_FALSE(family.help().empty()) << family.name();
        for (const auto& metric : family.metric()) {
            for (const auto& label : metric.label()) EXPECT_NE(label.name(), "chain");
        }
    }
}

TEST_F(ServicesConformance, Item66MetricsPassTheRulesOfANode) {
    PluginHost fresh;
    fresh.launch();
    const auto before = fresh.call(&::vm::VM::Stub::Gather);
    ASSERT_TRUE(before.ok());
    expect_good(before.reply);

    ModelChain model{host_.genesis()};
    for (int i = 0; i < 5; ++i) {
        const auto block = model.next();
        host_.issue(block->transactions[0]);
        host_.commit(block);
        model.accept(block);
        const auto gathered = host_.call(&::vm::VM::Stub::Gather);
        ASSERT_TRUE(gathered.ok()) << gathered.status.error_message();
        EXPECT_GT(gathered.reply.metric_families_size(), 10);
        expect_good(gathered.reply);
    }
}

TEST_F(ServicesConformance, Item67HealthIsJson) {
    const auto answer = host_.call(&::vm::VM::Stub::Health);
    ASSERT_TRUE(answer.ok()) << answer.status.error_message();
    EXPECT_TRUE(json::Document::parse(answer.reply.details())) << answer.reply.details();
}

TEST(HealthConformance, Item67FailedDatabaseIsAnErrorOfHealth) {
    const TempFolder folder;
    std::filesystem::create_directories(folder.path() / "chain");
    const std::string small = (folder.path() / "chain").string();
    if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=8m") != 0) {
        GTEST_SKIP() << "cannot mount a small filesystem: " << std::strerror(errno);
    }
    {
        PluginHost host{{.folder = folder.path()}};
        ModelChain model{host.genesis()};
        host.run();
        EXPECT_TRUE(host.call(&::vm::VM::Stub::Health).ok());
        bool failed = false;
        for (int i = 0; i < 100 && !failed; ++i) {
            std::vector<chain::TransactionPtr> sets;
            for (int j = 0; j < 8; ++j) {
                sets.push_back(
                    set_tx(fmt::format("{}-{}-{}", i, j, std::string(100'000, 'x')),
                           {.block_id = model.tip()->id, .magic = host.genesis().magic}));
            }
            const auto block = model.child(model.tip(), sets);
            ASSERT_TRUE(host.verify(block).ok());
            failed = !host.accept(block).ok();
            if (!failed) model.accept(block);
        }
        EXPECT_TRUE(failed) << "8 MiB were enough";
        const auto health = host.call(&::vm::VM::Stub::Health);
        EXPECT_FALSE(health.ok());
        EXPECT_FALSE(health.status.error_message().empty());
        EXPECT_TRUE(host.process().alive());
        EXPECT_TRUE(host.call(&::vm::VM::Stub::Gather).ok());
        EXPECT_EQ(host.get(model.tip()->id).reply.err(), ::vm::ERROR_UNSPECIFIED) << "reads go on";
        host.stop();
    }
    EXPECT_EQ(::umount(small.c_str()), 0);
}

TEST_F(ServicesConformance, Item68StateSyncIsNotImplementedWhichIsAValidAnswer) {
    const auto enabled = host_.call(&::vm::VM::Stub::StateSyncEnabled);
    EXPECT_TRUE(enabled.ok());
    EXPECT_FALSE(enabled.reply.enabled());
    const auto expect_not_implemented = [](const auto& answer) {
        EXPECT_TRUE(answer.ok()) << answer.status.error_message();
        EXPECT_EQ(answer.reply.err(), ::vm::ERROR_STATE_SYNC_NOT_IMPLEMENTED);
    };
    expect_not_implemented(host_.call(&::vm::VM::Stub::GetOngoingSyncStateSummary));
    expect_not_implemented(host_.call(&::vm::VM::Stub::GetLastStateSummary));
    expect_not_implemented(host_.call(&::vm::VM::Stub::ParseStateSummary));
    expect_not_implemented(host_.call(&::vm::VM::Stub::GetStateSummary));
    expect_not_implemented(host_.call(&::vm::VM::Stub::StateSummaryAccept));
}

}  // namespace
}  // namespace blobvm::test
