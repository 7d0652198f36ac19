#include "vm/service/json_rpc.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "chain/base/base64.hpp"
#include "chain/base/cb58.hpp"
#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "proto/jsonrpc/messages.hpp"
#include "tests/support/corpus.hpp"
#include "tests/vm/rpc_chain.hpp"

namespace blobvm::vm::service {
namespace {

using test::Json;
using test::RpcChain;

std::string ok(const std::string& result) {
    return R"({"jsonrpc":"2.0","result":)" + result + R"(,"id":1})" + "\n";
}

std::string request(const std::string& method, const std::string& params, const std::string& id) {
    return R"({"jsonrpc":"2.0","method":"blobvm.)" + method + R"(","params":)" + params +
           (id.empty() ? "" : R"(,"id":)" + id) + "}";
}

std::string raw_params(const chain::TransactionPtr& tx) {
    return R"({"tx":")" + to_base64(chain::standalone_bytes(tx->raw)) + R"("})";
}

chain::TransactionPtr transfer(RpcChain& chain, std::uint64_t units, std::uint64_t signer = 1) {
    const chain::Genesis& rules = chain.node->vm().genesis();
    return test::transfer_tx(test::account(9), Amount{units},
                             {.signer = signer,
                              .block_id = chain.node->vm().snapshot()->tip().id,
                              .magic = rules.magic,
                              .price = chain.node->vm().suggested_fee().price});
}

std::string id_json(const TxId& id) { return R"({"txId":")" + to_cb58(id.view()) + R"("})"; }

HttpResponse post(RpcChain& chain, std::string_view body) {
    return chain.rpc.handle({"POST", "/public", {{"Content-Type", "application/json"}}, body});
}

// --- batches ---

TEST(JsonRpcBatchTest, AnswersInOrderAndLeavesNotificationsOut) {
    RpcChain chain;
    const std::string batch = "[" + request("ping", "null", "\"a\"") + "," +
                              request("ping", "null", "") + "," + request("nope", "null", "2") +
                              "," + request("ping", "[]", "[3 ]") + "] rest";
    EXPECT_EQ(chain.post(batch),
              R"([{"jsonrpc":"2.0","result":{"success":true},"id":"a"},)"
              R"({"jsonrpc":"2.0","error":{"code":-32000,"message":"rpc: can't find method )"
              R"(\"blobvm.Nope\"","data":null},"id":2},)"
              R"({"jsonrpc":"2.0","result":{"success":true},"id":[3]}])"
              "\n");
}

TEST(JsonRpcBatchTest, OfNotificationsOnlyHasNoBody) {
    RpcChain chain;
    const HttpResponse response =
        post(chain, "[" + request("ping", "null", "") + "," + request("x", "1", "null") + "]");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "");
}

TEST(JsonRpcBatchTest, WhatIsNoBatchIsRefusedAsByTheOriginal) {
    RpcChain chain;
    const std::string refusal =
        R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"json: cannot unmarshal array into )"
        R"(Go value of type json2.serverRequest","data":{"jsonrpc":"","method":"","params":null,)"
        R"("id":null}},"id":null})"
        "\n";
    EXPECT_EQ(chain.post("[]"), refusal);
    EXPECT_EQ(chain.post("[1," + request("ping", "null", "1") + "]"), refusal);
    EXPECT_EQ(chain.post("[[]]"), refusal);
}

TEST(JsonRpcBatchTest, AnElementThatIsNoRequestIsRefusedAlone) {
    RpcChain chain;
    EXPECT_EQ(chain.post("[" + request("ping", "null", "1") + ",5]"),
              R"([{"jsonrpc":"2.0","result":{"success":true},"id":1},)"
              R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"json: cannot unmarshal number )"
              R"(into Go value of type json2.serverRequest","data":{"jsonrpc":"","method":"",)"
              R"("params":null,"id":null}},"id":null}])"
              "\n");
}

TEST(JsonRpcBatchTest, HasALimitOfRequests) {
    RpcChain chain;
    const auto batch = [](std::size_t size) {
        std::string text = "[";
        for (std::size_t i = 0; i < size; ++i) {
            if (i > 0) text += ',';
            text += request("ping", "null", std::to_string(i));
        }
        return text + "]";
    };
    EXPECT_EQ(Json::parse(chain.post(batch(1024))).size(), 1024U);
    EXPECT_EQ(chain.post(batch(1025)),
              R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"batch of 1025 requests, limit )"
              R"(1024","data":null},"id":null})"
              "\n");
}

TEST(JsonRpcBatchTest, IssuesTransactionsTogetherAndTellsEachItsFate) {
    RpcChain chain;
    const auto good = transfer(chain, 1);
    const auto poor = transfer(chain, 5, 100);  // an account that has nothing
    const auto late = transfer(chain, 2, 2);
    const std::string batch = "[" + request("issueRawTx", raw_params(good), "1") + "," +
                              request("issueRawTx", R"({"tx":"AAE="})", "2") + "," +
                              request("issueRawTx", R"({"tx":5})", "3") + "," +
                              request("issueRawTx", raw_params(poor), "4") + "," +
                              request("txStatus", id_json(late->id), "5") + "," +
                              request("issueRawTx", raw_params(late), "6") + "]";
    const Json answers = Json::parse(chain.post(batch));
    ASSERT_EQ(answers.size(), 6U);
    EXPECT_EQ(answers[0]["result"]["txId"], to_cb58(good->id.view()));
    EXPECT_EQ(answers[1]["error"]["message"], "unknown codec version");
    EXPECT_TRUE(
        answers[2]["error"]["message"].get<std::string>().starts_with("couldn't unmarshal"));
    EXPECT_TRUE(answers[3]["error"]["message"].get<std::string>().starts_with("invalid balance"));
    EXPECT_EQ(answers[4]["result"]["status"], "pending");
    EXPECT_EQ(answers[5]["result"]["txId"], to_cb58(late->id.view()));
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(answers[i]["id"], i + 1);
}

TEST(JsonRpcBatchTest, ItsResponseIsBounded) {
    RpcChain chain;
    const std::string value(200'000, 'x');
    const auto tx = test::set_tx(value, {.block_id = chain.node->vm().snapshot()->tip().id,
                                         .magic = chain.node->vm().genesis().magic});
    ASSERT_EQ(chain.call("issueRawTx", raw_params(tx)), ok(id_json(tx->id)));
    chain.clock.advance(std::chrono::seconds{1});
    chain.accept_next();

    const std::string resolve =
        request("resolve", R"({"key":")" + to_hex_0x(tx->key.view()) + R"("})", "1");
    std::string batch = "[" + resolve;
    for (int i = 1; i < 300; ++i) batch += "," + resolve;
    const std::string answer = chain.post(batch + "]");
    EXPECT_LT(answer.size(), 34U * 1024 * 1024);
    EXPECT_NE(answer.find("the batch's response is too large"), std::string::npos);
}

// --- bounds and oddities ---

TEST(JsonRpcTest, ABodyBeyondTheLimitIsRefusedUnread) {
    RpcChain chain{{.config_json = R"({"maxRequestBytes":65536})"}};
    const std::string ping = request("ping", "null", "1");
    EXPECT_EQ(post(chain, ping + std::string(65536 - ping.size(), ' ')).status, 200);
    const HttpResponse response = post(chain, ping + std::string(65537 - ping.size(), ' '));
    EXPECT_EQ(response.status, 413);
    EXPECT_EQ(response.body, "request body of 65537 bytes, limit 65536");
}

TEST(JsonRpcTest, DeepNestingIsAParseError) {
    RpcChain chain;
    const Json answer = Json::parse(chain.post(std::string(1'000'000, '[')));
    EXPECT_EQ(answer["error"]["code"], -32700);
    EXPECT_EQ(answer["error"]["message"], "exceeded max depth");
}

TEST(JsonRpcTest, AnOddIdComesBackAsItWas) {
    RpcChain chain;
    const auto echoed = [&chain](const std::string& id) {
        return chain.post(request("ping", "null", id));
    };
    const auto expected = [](const std::string& id) {
        return R"({"jsonrpc":"2.0","result":{"success":true},"id":)" + id + "}\n";
    };
    EXPECT_EQ(echoed(R"("\ud800\u0000")"), expected(R"("\ud800\u0000")"));
    EXPECT_EQ(echoed("\"\xff\""), expected("\"\xff\""));
    EXPECT_EQ(echoed("1e400"), expected("1e400"));
    EXPECT_EQ(echoed("{\"a\" : [ 1 ] }"), expected(R"({"a":[1]})"));
}

TEST(JsonRpcTest, MethodNamesAreQuotedInRefusals) {
    RpcChain chain;
    const auto message = [&chain](const std::string& method) -> std::string {
        const std::string body = R"({"jsonrpc":"2.0","method":")" + method + R"(","id":1})";
        return Json::parse(chain.post(body))["error"]["message"];
    };
    EXPECT_EQ(message(R"(blobvm.a\"b\n\u0000)"), R"(rpc: can't find method "blobvm.A\"b\n\x00")");
    EXPECT_EQ(message(""), R"(rpc: service/method request ill-formed: "")");
    EXPECT_LT(message(std::string(100'000, 'x')).size(), 400U);
}

TEST(JsonRpcTest, AFullPoolIsToldAndNotHidden) {
    RpcChain chain{{.config_json = R"({"mempoolSize":1})"}};
    const auto first = transfer(chain, 1, 1);
    ASSERT_EQ(chain.call("issueRawTx", raw_params(first)), ok(id_json(first->id)));
    const Json answer = Json::parse(chain.call("issueRawTx", raw_params(transfer(chain, 1, 2))));
    EXPECT_TRUE(answer["error"]["message"].get<std::string>().starts_with("mempool full"))
        << answer;
}

TEST(JsonRpcTest, WithoutActivityCacheThereIsNull) {
    RpcChain chain{{.config_json = R"({"activityCacheSize":0})"}};
    EXPECT_EQ(chain.call("recentActivity", "null"), ok(R"({"activity":null})"));
}

TEST(JsonRpcTest, HasBlobTellsWhatResolveWouldFind) {
    RpcChain chain;
    const auto set = test::set_tx("there", {.block_id = chain.node->vm().snapshot()->tip().id,
                                            .magic = chain.node->vm().genesis().magic,
                                            .price = chain.node->vm().suggested_fee().price});
    ASSERT_EQ(chain.call("issueRawTx", raw_params(set)), ok(id_json(set->id)));
    const auto has = [&chain](std::string_view value) {
        return chain.call("hasBlob",
                          R"({"key":")" + to_hex_0x(keccak256(as_bytes(value)).view()) + R"("})");
    };
    EXPECT_EQ(has("there"), ok(R"({"exists":false})")) << "not accepted yet";
    chain.clock.advance(std::chrono::seconds{1});
    chain.accept_next();
    EXPECT_EQ(has("there"), ok(R"({"exists":true})"));
    EXPECT_EQ(has("elsewhere"), ok(R"({"exists":false})"));
}

TEST(JsonRpcTest, TxStatusFollowsATransaction) {
    RpcChain chain;
    const auto tx = transfer(chain, 1);
    const auto status = [&chain](const TxId& id) { return chain.call("txStatus", id_json(id)); };
    EXPECT_EQ(status(tx->id), ok(R"({"status":"unknown","reason":""})"));
    ASSERT_EQ(chain.call("issueRawTx", raw_params(tx)), ok(id_json(tx->id)));
    EXPECT_EQ(status(tx->id), ok(R"({"status":"pending","reason":""})"));
    chain.clock.advance(std::chrono::seconds{1});
    chain.accept_next();
    EXPECT_EQ(status(tx->id), ok(R"({"status":"accepted","reason":""})"));
}

/// A wallet's round: price it, sign what came back, hand it in; twice, with either form of v.
TEST(JsonRpcTest, SuggestedFeeAndIssueTxServeAWallet) {
    RpcChain chain;
    const Json suggested =
        Json::parse(chain.call("suggestedFee", R"({"input":{"type":"set","value":")" +
                                                   to_base64(as_bytes("hello")) + R"("}})"));
    const std::string typed = suggested["result"]["typedData"].dump();
    const auto data = jsonrpc::TypedData::read(json::Document::parse(typed).value().root()).value();
    const auto transaction = jsonrpc::parse_typed_data(data).value();
    const Hash256 digest =
        chain::signing_digest(transaction.fields, retag<BlobKey>(keccak256(as_bytes("hello"))));
    Signature signature = test::key(1).sign(digest);
    const auto issue = [&] {
        return chain.call("issueTx", R"({"typedData":)" + typed + R"(,"signature":")" +
                                         to_hex_0x(signature.view()) + R"("})");
    };
    const std::string first = issue();
    EXPECT_TRUE(Json::parse(first).contains("result")) << first;
    signature.bytes[64] = static_cast<std::byte>(static_cast<int>(signature.bytes[64]) - 27);
    EXPECT_EQ(issue(), first);
}

/// The hand-made transcript, up to where the time of its recording begins to matter; less a batch,
/// which is answered here, and a call whose body is elided.
TEST(JsonRpcTest, TheTranscriptsFixedCallsAreAnsweredAlike) {
    const Json vectors = test::vectors();
    RpcChain chain{
        {.genesis_json = R"({"magic":5,"baseTxUnits":1,"valueUnitSize":1024,"maxValueSize":204800,)"
                         R"("minPrice":1,"lookbackWindow":60,"targetBlockRate":1,)"
                         R"("targetBlockSize":225,"maxBlockSize":246,"blockCostEnabled":true,)"
                         R"("customAllocation":[{"address":)"
                         R"("0xf9370fa73846393798c2d23aa2a4aba7489d9810","balance":10000000}],)"
                         R"("airdropHash":"","airdropUnits":0})",
         .subnet_id =
             id_from_cb58<SubnetId>("SkB92YpWm4Q2ijQHH34cqbKkCZWszsiQgHVjtNeFF2HdvDQU").value(),
         .chain_id =
             id_from_cb58<ChainId>("SkB92YpWm4Q2ijQHH34cqbKkCZWszsiQgHVjtNeFF2HdvDQU").value()}};
    std::size_t compared = 0;
    for (const Json& call : vectors.at("rpcTranscript").at("calls")) {
        const std::string body = call.at("request");
        if (body.find("issueRawTx") != std::string::npos &&
            call.at("response").get<std::string>().find("txId") != std::string::npos) {
            break;  // here the chain begins to move
        }
        if (body.starts_with("[{") || body.starts_with("(")) continue;
        HttpRequest http{call.at("httpMethod"), "/public", {}, body};
        http.headers.emplace_back("Content-Type", call.at("contentType"));
        EXPECT_EQ(chain.rpc.handle(http).body, call.at("response").get<std::string>()) << body;
        ++compared;
    }
    EXPECT_EQ(compared, 83U);
}

}  // namespace
}  // namespace blobvm::vm::service
