#include "tests/plugin/plugin_host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "chain/base/base64.hpp"
#include "chain/base/check.hpp"
#include "chain/presets.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "tests/support/transactions.hpp"
#include "tests/vm/store_support.hpp"
#include "vm/store/rocks_store.hpp"

namespace blobvm::test {
namespace {

namespace fs = std::filesystem;

const std::string kPluginPath = std::string{BLOBVM_BIN_DIR} + "/blobvm";

NodeId node_id(std::uint8_t number) {
    NodeId id;
    id.bytes.fill(std::byte{number});
    return id;
}

SubnetId subnet_id() {
    SubnetId id;
    id.bytes.fill(std::byte{0x77});
    return id;
}

template <class Reply>
void expect_timestamp(const Reply& reply) {
    EXPECT_TRUE(reply.has_timestamp());
    EXPECT_GE(reply.timestamp().nanos(), 0);
    EXPECT_LT(reply.timestamp().nanos(), 1'000'000'000);
}

template <class Reply>
Described described(const Reply& reply) {
    expect_timestamp(reply);
    return {.id = id_of<BlockId>(reply.last_accepted_id()),
            .parent = id_of<BlockId>(reply.last_accepted_parent_id()),
            .height = reply.height(),
            .timestamp_s = reply.timestamp().seconds(),
            .bytes = reply.bytes()};
}

}  // namespace

std::chrono::milliseconds allowed(std::chrono::milliseconds limit) {
    const char* const slack = std::getenv("BLOBVM_TEST_SLACK");
    return limit * (slack == nullptr ? 10 : std::max(std::atoi(slack), 1));
}

bool becomes_true(std::chrono::milliseconds limit, const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= deadline) return done();
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
}

chain::Genesis rich_genesis() {
    chain::Genesis genesis = chain::fast_genesis(/*magic=*/77);
    genesis.custom_allocation.emplace();
    for (std::uint64_t number = 1; number < 10; ++number) {
        genesis.custom_allocation->push_back({account(number), Amount{1'000'000'000'000}});
    }
    return genesis;
}

std::string json_of(const chain::Genesis& genesis) { return jsonrpc::write_genesis(genesis); }

void Mailbox::gossip(const NodeId&, Audience, std::string message) {
    const Lock lock{mutex_};
    gossiped_.push_back(std::move(message));
}

std::vector<std::string> Mailbox::gossiped() const {
    const Lock lock{mutex_};
    return gossiped_;
}

PluginHost::PluginHost(Options options) : options_{std::move(options)}, genesis_{rich_genesis()} {
    if (options_.genesis.empty()) {
        options_.genesis = jsonrpc::write_genesis(genesis_);
    } else if (auto parsed = jsonrpc::parse_genesis(options_.genesis)) {
        genesis_ = std::move(*parsed);
    }
    folder_ = options_.folder;
    if (folder_.empty()) {
        std::string pattern = (fs::temp_directory_path() / "plugin-test-XXXXXX").string();
        CHECK(::mkdtemp(pattern.data()) != nullptr);
        folder_ = pattern;
        own_folder_ = true;
    }
    fs::create_directories(chain_data());
    auto ledger = devnet::Ledger::open(
        {.path = folder_ / "ledger", .chain = chain_id(9), .roll_back = options_.forget});
    CHECK(ledger.has_value());
    ledger_ = std::move(*ledger);
    auto services = devnet::NodeServices::start({.network_id = 12'345,
                                                 .chain = chain_id(9),
                                                 .subnet = subnet_id(),
                                                 .node = node_id(options_.node),
                                                 .alias = "blobvm",
                                                 .validators = {node_id(1), node_id(2)}},
                                                *ledger_, mailbox_);
    CHECK(services.has_value());
    services_ = std::move(*services);
}

PluginHost::~PluginHost() {
    process_.reset();
    services_.reset();
    std::error_code ignored;
    if (own_folder_) fs::remove_all(folder_, ignored);
}

void PluginHost::launch() {
    auto process = devnet::PluginProcess::start(
        {.path = kPluginPath, .handshake_timeout = allowed(std::chrono::seconds{5})});
    if (!process) FAIL() << process.error().message();
    http_.reset();
    process_ = std::move(*process);
}

Answer<::vm::InitializeResponse> PluginHost::try_initialize() {
    ::vm::InitializeRequest request;
    request.set_network_id(12'345);
    request.set_subnet_id(field_of(subnet_id()));
    request.set_chain_id(field_of(chain_id(9)));
    request.set_node_id(field_of(node_id(options_.node)));
    request.set_public_key(std::string(48, '\1'));
    request.set_x_chain_id(std::string(32, '\1'));
    request.set_c_chain_id(std::string(32, '\2'));
    request.set_avax_asset_id(std::string(32, '\3'));
    request.set_chain_data_dir(chain_data().string());
    request.set_genesis_bytes(options_.genesis);
    request.set_config_bytes(options_.config);
    request.set_upgrade_bytes(options_.upgrade);
    request.set_db_server_addr(services_->address());
    request.set_server_addr(services_->address());
    return call(&::vm::VM::Stub::Initialize, request, std::chrono::seconds{120});
}

Described PluginHost::initialize() {
    const auto answer = try_initialize();
    EXPECT_TRUE(answer.ok()) << answer.status.error_message();
    const Described last = described(answer.reply);
    // What proposervm does on its first start, and its repair afterwards (3.13).
    if (const auto outer = ledger_->accepted(); !outer) {
        EXPECT_TRUE(ledger_->accept({last.height, last.id}, as_bytes(last.bytes)));
    } else {
        EXPECT_LE(last.height, outer->height) << "the chain would be dead";
        if (last.height < outer->height) {
            EXPECT_TRUE(ledger_->go_back_to(last.height));
        }
    }
    return last;
}

Described PluginHost::set_state(::vm::State state) {
    ::vm::SetStateRequest request;
    request.set_state(state);
    const auto answer = call(&::vm::VM::Stub::SetState, request);
    EXPECT_TRUE(answer.ok()) << answer.status.error_message();
    return described(answer.reply);
}

Described PluginHost::run() {
    launch();
    initialize();
    set_state(::vm::STATE_BOOTSTRAPPING);
    return set_state(::vm::STATE_NORMAL_OP);
}

void PluginHost::stop() {
    const auto stopped = process_->stop(std::chrono::seconds{60});
    EXPECT_TRUE(stopped) << stopped.error().message();
}

void PluginHost::kill() { process_->kill(); }

Answer<::vm::ParseBlockResponse> PluginHost::parse(std::string_view bytes) {
    ::vm::ParseBlockRequest request;
    request.set_bytes(std::string{bytes});
    auto answer = call(&::vm::VM::Stub::ParseBlock, request);
    if (answer.ok()) {
        id_of<BlockId>(answer.reply.id());
        id_of<BlockId>(answer.reply.parent_id());
        expect_timestamp(answer.reply);
        EXPECT_FALSE(answer.reply.verify_with_context());
    }
    return answer;
}

Answer<::vm::BlockVerifyResponse> PluginHost::verify(std::string_view bytes) {
    ::vm::BlockVerifyRequest request;
    request.set_bytes(std::string{bytes});
    auto answer = call(&::vm::VM::Stub::BlockVerify, request);
    if (answer.ok()) expect_timestamp(answer.reply);
    return answer;
}

grpc::Status PluginHost::accept(const BlockId& id, std::uint64_t height, std::string_view bytes) {
    EXPECT_TRUE(ledger_->accept({height, id}, as_bytes(bytes)));
    ::vm::BlockAcceptRequest request;
    request.set_id(field_of(id));
    return call(&::vm::VM::Stub::BlockAccept, request).status;
}

grpc::Status PluginHost::reject(const BlockId& id) {
    ::vm::BlockRejectRequest request;
    request.set_id(field_of(id));
    return call(&::vm::VM::Stub::BlockReject, request).status;
}

grpc::Status PluginHost::prefer(const BlockId& id) {
    ::vm::SetPreferenceRequest request;
    request.set_id(field_of(id));
    return call(&::vm::VM::Stub::SetPreference, request).status;
}

Answer<::vm::BuildBlockResponse> PluginHost::try_build(
    std::optional<std::uint64_t> p_chain_height) {
    ::vm::BuildBlockRequest request;
    if (p_chain_height) request.set_p_chain_height(*p_chain_height);
    return call(&::vm::VM::Stub::BuildBlock, request);
}

Described PluginHost::build() {
    const auto answer = try_build();
    EXPECT_TRUE(answer.ok()) << answer.status.error_message();
    if (!answer.ok()) return {};
    expect_timestamp(answer.reply);
    EXPECT_FALSE(answer.reply.verify_with_context());
    return {.id = id_of<BlockId>(answer.reply.id()),
            .parent = id_of<BlockId>(answer.reply.parent_id()),
            .height = answer.reply.height(),
            .timestamp_s = answer.reply.timestamp().seconds(),
            .bytes = answer.reply.bytes()};
}

Answer<::vm::GetBlockResponse> PluginHost::get(const BlockId& id) {
    ::vm::GetBlockRequest request;
    request.set_id(field_of(id));
    auto answer = call(&::vm::VM::Stub::GetBlock, request);
    if (answer.ok() && answer.reply.err() == ::vm::ERROR_UNSPECIFIED) {
        id_of<BlockId>(answer.reply.parent_id());
        expect_timestamp(answer.reply);
        EXPECT_FALSE(answer.reply.bytes().empty());
    }
    return answer;
}

Answer<::vm::GetBlockIDAtHeightResponse> PluginHost::id_at(std::uint64_t height) {
    ::vm::GetBlockIDAtHeightRequest request;
    request.set_height(height);
    return call(&::vm::VM::Stub::GetBlockIDAtHeight, request);
}

void PluginHost::commit(const chain::BlockPtr& block) {
    const auto verified = verify(block);
    ASSERT_TRUE(verified.ok()) << verified.status.error_message();
    ASSERT_TRUE(prefer(block->id).ok());
    const grpc::Status accepted = accept(block);
    ASSERT_TRUE(accepted.ok()) << accepted.error_message();
}

::http::HTTP::Stub& PluginHost::http() {
    if (!http_) {
        const auto handlers = call(&::vm::VM::Stub::CreateHandlers);
        EXPECT_EQ(handlers.reply.handlers_size(), 1);
        http_ = ::http::HTTP::NewStub(devnet::dial(handlers.reply.handlers(0).server_addr()));
    }
    return *http_;
}

::http::HandleSimpleHTTPRequest PluginHost::rpc_request(std::string body) {
    ::http::HandleSimpleHTTPRequest request;
    request.set_method("POST");
    request.set_url("/ext/bc/blobvm/public");
    auto& type = *request.add_request_headers();
    type.set_key("Content-Type");
    type.add_values("application/json");
    request.set_body(std::move(body));
    return request;
}

std::string PluginHost::rpc(std::string_view method, std::string_view params) {
    const auto request = rpc_request(fmt::format(
        R"({{"jsonrpc":"2.0","id":1,"method":"blobvm.{}","params":{}}})", method, params));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + allowed(std::chrono::seconds{6}));
    ::http::HandleSimpleHTTPResponse response;
    const grpc::Status status = http().HandleSimple(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.code(), 200);
    return response.body();
}

void PluginHost::issue(const chain::TransactionPtr& tx) {
    const Bytes bytes = chain::standalone_bytes(tx->raw);
    const std::string answer = rpc("issueRawTx", fmt::format(R"({{"tx":"{}"}})", to_base64(bytes)));
    EXPECT_NE(answer.find("\"result\""), std::string::npos) << answer;
}

PluginHost::Event::Event(PluginHost& host) {
    future_ = std::async(std::launch::async, [this, &host] {
        Answer<::vm::WaitForEventResponse> answer;
        answer.status = host.process().vm().WaitForEvent(&context_, {}, &answer.reply);
        return answer;
    });
}

Hash256 PluginHost::digest_on_disk() const {
    const auto store =
        vm::store::open_rocks_store({.directory = chain_data().string(), .chain_id = chain_id(9)});
    CHECK(store.has_value());
    return (*store)->consensus_digest().value();
}

std::uint64_t PluginHost::height_on_disk() const {
    const auto store =
        vm::store::open_rocks_store({.directory = chain_data().string(), .chain_id = chain_id(9)});
    CHECK(store.has_value());
    return (*store)->tip().height;
}

}  // namespace blobvm::test
