#include <gtest/gtest.h>

#include <chrono>
#include <latch>

#include <fmt/format.h>

#include "chain/base/base64.hpp"
#include "chain/base/cb58.hpp"
#include "chain/base/hashing.hpp"
#include "client/client.hpp"
#include "client/detail/http_transport.hpp"
#include "tests/client/raw_server.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::client {
namespace {

using test::RawServer;

std::unique_ptr<Client> open(const RawServer& server, HttpOptions options = {}) {
    options.endpoint = server.endpoint();
    return open_http(options).value();
}

std::string result(std::string_view json, std::uint64_t id = 1) {
    return RawServer::ok(fmt::format(R"({{"jsonrpc":"2.0","result":{},"id":{}}})", json, id));
}

std::string error(std::string_view message) {
    return RawServer::ok(fmt::format(
        R"({{"jsonrpc":"2.0","error":{{"code":-32000,"message":"{}","data":null}},"id":1}})",
        message));
}

const std::string kPong = result(R"({"success":true})");

/// What ping says to a server that answers `bytes`.
Result<void> ping_answered_by(const std::string& bytes, HttpOptions options = {}) {
    const RawServer server{[&](const std::string&) { return bytes; }};
    return open(server, options)->ping();
}

TEST(HttpClientTest, SendsWhatTheOriginalsClientSends) {
    std::string body;
    const RawServer server{[&](const std::string& request) {
        body = request;
        return kPong;
    }};
    ASSERT_TRUE(open(server)->ping());
    EXPECT_EQ(body, R"({"jsonrpc":"2.0","method":"blobvm.ping","params":null,"id":1})");
    EXPECT_TRUE(server.head().starts_with("POST /ext/bc/blobvm/public HTTP/1.1\r\n"))
        << server.head();
    EXPECT_NE(server.head().find("Content-Type: application/json"), std::string::npos);
    EXPECT_NE(server.head().find("Host: 127.0.0.1:"), std::string::npos);
}

TEST(HttpClientTest, ReadsEveryReply) {
    const std::string id = to_cb58(test::block_id(7).view());
    const RawServer server{[&](const std::string& request) {
        const auto asks = [&](std::string_view method) {
            return request.find("blobvm." + std::string{method} + "\"") != std::string::npos;
        };
        if (asks("network")) {
            return result(
                fmt::format(R"({{"networkId":1337,"subnetId":"{}","chainId":"{}"}})", id, id));
        }
        if (asks("lastAccepted")) {
            return result(fmt::format(R"({{"height":18446744073709551615,"blockId":"{}"}})", id));
        }
        if (asks("balance")) return result(R"({"balance":42})");
        if (asks("suggestedRawFee")) return result(R"({"price":3,"cost":9})");
        if (asks("hasTx")) return result(R"({"accepted":true})");
        if (asks("issueRawTx")) return result(fmt::format(R"({{"txId":"{}"}})", id));
        if (asks("genesis")) return result(R"({"genesis":{"magic":5,"maxValueSize":300}})");
        return result(fmt::format(
            R"({{"activity":[{{"timestamp":7,"txId":"{}","type":"transfer","sender":"{}","to":"{}","units":5}}]}})",
            id, "0xF9370fa73846393798C2d23aa2a4aBA7489d9810",
            "0x8Db3219F3f59b504BCF132EfB4B87Bf08c771d83"));
    }};
    const auto client = open(server);
    EXPECT_EQ(client->network()->network_id, 1337U);
    EXPECT_EQ(client->last_accepted()->height, UINT64_MAX);
    EXPECT_EQ(client->last_accepted()->id, test::block_id(7));
    EXPECT_EQ(client->balance(test::account(1)).value(), Amount{42});
    EXPECT_EQ(client->suggested_raw_fee()->price, Price{3});
    EXPECT_EQ(client->suggested_raw_fee()->cost, BlockCost{9});
    EXPECT_TRUE(client->has_transaction(TxId{}).value());
    EXPECT_EQ(client->issue_raw(as_bytes("tx")).value(), retag<TxId>(test::block_id(7)));
    EXPECT_EQ(client->genesis()->magic, 5U);
    const auto activity = client->recent_activity();
    ASSERT_EQ(activity->size(), 1U);
    EXPECT_EQ(activity->front().units, Amount{5});
}

TEST(HttpClientTest, AsksForGenesisOnce) {
    std::atomic<int> asked = 0;
    const RawServer server{[&](const std::string&) {
        ++asked;
        return result(R"({"genesis":{"magic":5}})");
    }};
    const auto client = open(server);
    EXPECT_TRUE(client->genesis());
    EXPECT_TRUE(client->genesis());
    EXPECT_EQ(asked, 1);
}

TEST(HttpClientTest, ChecksAResolvedValueAgainstItsKey) {
    const RawServer server{[&](const std::string&) {
        return result(fmt::format(
            R"({{"exists":true,"value":"{}","valueMeta":{{"size":5,"txId":"{}","created":7}}}})",
            to_base64(as_bytes("hello")), to_cb58(TxId{}.view())));
    }};
    const auto client = open(server);
    const auto right = client->resolve(retag<BlobKey>(keccak256(as_bytes("hello"))));
    ASSERT_TRUE(right) << right.error().message();
    EXPECT_EQ(as_chars((*right)->value), "hello");
    EXPECT_EQ((*right)->meta.created_s, 7U);
    const auto wrong = client->resolve(retag<BlobKey>(keccak256(as_bytes("other"))));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::kHashMismatch);
}

TEST(HttpClientTest, AnAbsentValueIsEmptyAndNotAnError) {
    const RawServer server{[&](const std::string&) {
        return result(R"({"exists":false,"value":null,"valueMeta":null})");
    }};
    const auto found = open(server)->resolve(BlobKey{});
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->has_value());
}

TEST(HttpClientTest, HandsUpTheNodesMessage) {
    const auto answer = ping_answered_by(error("key already exists"));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kRpc);
    EXPECT_EQ(answer.error().message(), "key already exists");
}

TEST(HttpClientTest, AStatusOtherThanSuccessIsAnError) {
    const auto answer = ping_answered_by(RawServer::status(500, "oops"));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kHttpStatus);
    EXPECT_EQ(answer.error().message(), "received status code: 500");
}

TEST(HttpClientTest, GarbageIsAnErrorWhateverItsForm) {
    for (const std::string& bytes :
         {std::string{"HELLO\r\n\r\n"}, RawServer::ok("not json"), RawServer::ok("[]"),
          RawServer::ok("{}"), RawServer::ok(""), RawServer::ok(R"({"result":7})"),
          RawServer::ok(R"({"result":{"success":"yes"}})"), result(R"({"success":false})"),
          std::string{"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nshort"}}) {
        EXPECT_FALSE(ping_answered_by(bytes)) << bytes;
    }
}

TEST(HttpClientTest, AnAnswerLargerThanAllowedIsRefused) {
    const std::string padded = RawServer::ok(std::string(2'000, ' ') + R"({"result":{}})");
    const auto answer = ping_answered_by(padded, {.max_response_bytes = 1'000});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kTooLarge);
}

TEST(HttpClientTest, WaitsNoLongerThanAllowed) {
    std::latch release{1};
    const RawServer server{[&](const std::string&) {
        release.wait();
        return kPong;
    }};
    const auto answer = open(server, {.timeout_ms = 50})->ping();
    release.count_down();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kTimeout);
}

TEST(HttpClientTest, ASlowTrickleDoesNotOutwaitTheLimit) {
    const auto answer =
        ping_answered_by("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", {.timeout_ms = 50});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kTimeout);
}

TEST(HttpClientTest, NobodyThereIsAConnectionError) {
    std::string endpoint;
    {
        const RawServer gone{[](const std::string&) { return kPong; }};
        endpoint = gone.endpoint();
    }
    const auto client = open_http({.endpoint = endpoint}).value();
    const auto answer = client->ping();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kConnection);
}

TEST(HttpClientTest, KeepsItsConnection) {
    const RawServer server{[](const std::string&) { return kPong; }};
    const auto client = open(server);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(client->ping());
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClientTest, ConnectsAnewWhenTheServerHungUpMeanwhile) {
    std::atomic<int> requests = 0;
    const RawServer server{[&](const std::string&) {
        return ++requests == 2 ? std::string{} : kPong;  // hangs up on the kept connection
    }};
    const auto client = open(server);
    EXPECT_TRUE(client->ping());
    EXPECT_TRUE(client->ping());
    EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClientTest, AServerThatAlwaysHangsUpIsAnError) {
    const auto answer = ping_answered_by("");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kConnection);
}

TEST(HttpClientTest, ServesManyThreads) {
    const RawServer server{[](const std::string&) { return kPong; }};
    const auto client = open(server);
    std::atomic<int> answered = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] {
                for (int j = 0; j < 20; ++j) answered += client->ping().has_value();
            });
        }
    }
    EXPECT_EQ(answered, 160);
}

// ---- batches

std::vector<TxId> three_ids() {
    return {retag<TxId>(test::block_id(1)), retag<TxId>(test::block_id(2)),
            retag<TxId>(test::block_id(3))};
}

TEST(BatchTest, AnswersInAnyOrderFindTheirQuestion) {
    std::atomic<int> requests = 0;
    const RawServer server{[&](const std::string& request) {
        ++requests;
        EXPECT_TRUE(request.starts_with("["));
        return RawServer::ok(R"([{"jsonrpc":"2.0","result":{"accepted":true},"id":3},)"
                             R"({"jsonrpc":"2.0","result":{"accepted":false},"id":1},)"
                             R"({"jsonrpc":"2.0","result":{"accepted":false},"id":2}])");
    }};
    const auto answers = open(server)->have_transactions(three_ids());
    ASSERT_TRUE(answers) << answers.error().message();
    EXPECT_EQ(*answers, (std::vector{false, false, true}));
    EXPECT_EQ(requests, 1);
}

TEST(BatchTest, ANodeWithoutBatchesIsAskedOneByOneAndRemembered) {
    std::atomic<int> batches = 0;
    const RawServer server{[&](const std::string& request) {
        if (!request.starts_with("[")) return result(R"({"accepted":true})");
        ++batches;
        return RawServer::ok(
            R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"json: cannot unmarshal array into Go value of type json2.serverRequest","data":null},"id":null})");
    }};
    const auto client = open(server);
    for (int i = 0; i < 2; ++i) {
        const auto answers = client->have_transactions(three_ids());
        ASSERT_TRUE(answers);
        EXPECT_EQ(*answers, (std::vector{true, true, true}));
    }
    EXPECT_EQ(batches, 1);
}

std::vector<SharedBytes> two_transactions() {
    return {SharedBytes::copy_of(as_bytes("one")), SharedBytes::copy_of(as_bytes("two"))};
}

TEST(BatchTest, EachTransactionOfARequestHasItsOwnAnswer) {
    const std::string id = to_cb58(test::block_id(7).view());
    const RawServer server{[&](const std::string& request) {
        EXPECT_NE(request.find(R"("params":{"tx":"b25l"})"), std::string::npos);
        EXPECT_NE(request.find(R"("params":{"tx":"dHdv"})"), std::string::npos);
        return RawServer::ok(fmt::format(
            R"([{{"error":{{"code":-32000,"message":"key already exists","data":null}},"id":1}},)"
            R"({{"result":{{"txId":"{}"}},"id":2}}])",
            id));
    }};
    const auto issued = open(server)->issue_raw_many(two_transactions()).get();
    ASSERT_EQ(issued.size(), 2U);
    ASSERT_FALSE(issued[0]);
    EXPECT_EQ(issued[0].error().detail, "key already exists");
    EXPECT_EQ(issued[1].value(), retag<TxId>(test::block_id(7)));
}

TEST(BatchTest, TransactionsThatAreTooLongTogetherAreSentOneByOne) {
    const std::string id = to_cb58(test::block_id(7).view());
    const RawServer server{[&](const std::string& request) {
        if (!request.starts_with("[")) return result(fmt::format(R"({{"txId":"{}"}})", id));
        return std::string{"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n"};
    }};
    for (const auto& issued : open(server)->issue_raw_many(two_transactions()).get()) {
        EXPECT_TRUE(issued) << issued.error().message();
    }
}

TEST(BatchTest, ARequestThatFailsIsTheErrorOfAllItsTransactions) {
    const RawServer server{[&](const std::string&) {
        return std::string{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"};
    }};
    const auto issued = open(server)->issue_raw_many(two_transactions()).get();
    ASSERT_EQ(issued.size(), 2U);
    EXPECT_EQ(issued[0].error().code, ErrorCode::kHttpStatus);
    EXPECT_EQ(issued[1].error().code, ErrorCode::kHttpStatus);
}

TEST(BatchTest, AnIncompleteOrForeignBatchIsAnError) {
    for (
        const char* body :
        {"[]", R"([{"result":{"accepted":true},"id":1}])",
         R"([{"result":{"accepted":true},"id":99},{"result":{"accepted":true},"id":98},{"result":{"accepted":true},"id":97}])",
         R"([{"result":{"accepted":true}}])"}) {
        const RawServer server{[&](const std::string&) { return RawServer::ok(body); }};
        EXPECT_FALSE(open(server)->have_transactions(three_ids())) << body;
    }
}

TEST(BatchTest, ANodeWithoutStatusesIsNotAskedAgain) {
    std::atomic<int> requests = 0;
    const RawServer server{[&](const std::string&) {
        ++requests;
        return error(R"(rpc: can't find method \"blobvm.TxStatus\")");
    }};
    const auto client = open(server);
    const std::vector<TxId> one{TxId{}};
    for (int i = 0; i < 3; ++i) {
        const auto statuses = client->transaction_statuses(one);
        ASSERT_TRUE(statuses) << statuses.error().message();
        EXPECT_FALSE(statuses->has_value());
    }
    EXPECT_EQ(requests, 1);
}

TEST(BatchTest, StatusesSayWhatBecameOfEach) {
    const RawServer server{[&](const std::string&) {
        return RawServer::ok(R"([{"result":{"status":"pending","reason":""},"id":1},)"
                             R"({"result":{"status":"expired","reason":"invalid blockID"},"id":2},)"
                             R"({"result":{"status":"unknown","reason":""},"id":3}])");
    }};
    const auto statuses = open(server)->transaction_statuses(three_ids());
    ASSERT_TRUE(statuses) << statuses.error().message();
    ASSERT_TRUE(statuses->has_value());
    EXPECT_EQ((**statuses)[0].kind, TxStatus::Kind::kPending);
    EXPECT_EQ((**statuses)[1].kind, TxStatus::Kind::kDropped);
    EXPECT_EQ((**statuses)[1].reason, "invalid blockID");
    EXPECT_EQ((**statuses)[2].kind, TxStatus::Kind::kUnknown);
}

// ---- endpoints

TEST(EndpointTest, HasHostPortAndTarget) {
    const auto parsed = detail::parse_endpoint("http://127.0.0.1:9650/ext/bc/blobvm");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->host, "127.0.0.1");
    EXPECT_EQ(parsed->port, "9650");
    EXPECT_EQ(parsed->target, "/ext/bc/blobvm/public");
}

TEST(EndpointTest, TakesPublicAsItIsAndForgivesASlash) {
    EXPECT_EQ(detail::parse_endpoint("http://a:1/x/public")->target, "/x/public");
    EXPECT_EQ(detail::parse_endpoint("http://a:1/x/")->target, "/x/public");
    EXPECT_EQ(detail::parse_endpoint("http://a:1")->target, "/public");
}

TEST(EndpointTest, KnowsIpv6AndTheUsualPort) {
    EXPECT_EQ(detail::parse_endpoint("http://[::1]:9650/x")->host, "::1");
    EXPECT_EQ(detail::parse_endpoint("http://[::1]/x")->port, "80");
    EXPECT_EQ(detail::parse_endpoint("http://localhost/x")->port, "80");
}

TEST(EndpointTest, AnythingElseIsAnErrorThatSaysWhy) {
    for (const char* url : {"", "127.0.0.1:9650", "https://a/x", "http://", "http://:80/x",
                            "http://a:b/x", "http://a:0/x", "http://a:65536/x", "http://a:/x",
                            "http://a/x y", "http://a/x\r\nHost: b", "ftp://a"}) {
        const auto parsed = detail::parse_endpoint(url);
        ASSERT_FALSE(parsed) << url;
        EXPECT_EQ(parsed.error().code, ErrorCode::kConnection);
    }
}

}  // namespace
}  // namespace blobvm::client
