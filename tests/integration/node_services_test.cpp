#include "cmd/blob-devnet/node_services.hpp"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include "chain/base/cb58.hpp"
#include "chain/base/mutex.hpp"
#include "cmd/blob-devnet/plugin_process.hpp"
#include "proto/plugin/aliasreader.grpc.pb.h"
#include "proto/plugin/appsender.grpc.pb.h"
#include "proto/plugin/health.grpc.pb.h"
#include "proto/plugin/rpcdb.grpc.pb.h"
#include "proto/plugin/validatorstate.grpc.pb.h"
#include "proto/plugin/warp.grpc.pb.h"
#include "tests/support/process.hpp"

namespace blobvm::devnet {
namespace {

std::string text_of(ByteView bytes) { return std::string{as_chars(bytes)}; }

class RecordingRouter final : public AppRouter {
  public:
    void gossip(const NodeId&, Audience to, std::string message) override {
        const Lock lock{mutex_};
        audience_ = std::move(to);
        gossiped_ = std::move(message);
    }
    void request(const NodeId&, const NodeId&, std::uint32_t, std::string) override {}
    void response(const NodeId&, const NodeId&, std::uint32_t, std::string) override {}
    void error(const NodeId&, const NodeId&, std::uint32_t, std::int32_t, std::string) override {}

    Audience audience() const {
        const Lock lock{mutex_};
        return audience_;
    }
    std::string gossiped() const {
        const Lock lock{mutex_};
        return gossiped_;
    }

  private:
    mutable Mutex mutex_;
    Audience audience_ GUARDED_BY(mutex_);
    std::string gossiped_ GUARDED_BY(mutex_);
};

class NodeServicesTest : public ::testing::Test {
  protected:
    void SetUp() override {
        chain_.bytes[0] = std::byte{7};
        subnet_.bytes[0] = std::byte{8};
        node_.bytes[0] = std::byte{9};
        ledger_ = *Ledger::open({folder_.file("ledger.log"), chain_, false, 0});
        services_ = *NodeServices::start({12'345, chain_, subnet_, node_, "blobvm", {node_}},
                                         *ledger_, router_);
        channel_ = dial(services_->address());
        database_ = rpcdb::Database::NewStub(channel_);
    }

    /// Calls, and expects status OK.
    template <class Reply, class Stub, class Request>
    Reply call(Stub& stub,
               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
               const Request& request) {
        Reply reply;
        const grpc::Status status = try_call(stub, method, request, reply);
        EXPECT_TRUE(status.ok()) << status.error_message();
        return reply;
    }
    template <class Reply, class Stub, class Request>
    grpc::Status try_call(Stub& stub,
                          grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                       Reply*),
                          const Request& request, Reply& reply) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{30});
        return (stub.*method)(&context, request, &reply);
    }

    void put(const std::string& key, const std::string& value) {
        rpcdb::PutRequest request;
        request.set_key(key);
        request.set_value(value);
        call(*database_, &rpcdb::Database::Stub::Put, request);
    }
    rpcdb::GetResponse get(const std::string& key) {
        rpcdb::GetRequest request;
        request.set_key(key);
        return call(*database_, &rpcdb::Database::Stub::Get, request);
    }

    blobvm::testing::TemporaryFolder folder_;
    ChainId chain_;
    SubnetId subnet_;
    NodeId node_;
    RecordingRouter router_;
    std::unique_ptr<Ledger> ledger_;
    std::unique_ptr<NodeServices> services_;
    std::shared_ptr<grpc::Channel> channel_;
    std::unique_ptr<rpcdb::Database::Stub> database_;
};

TEST_F(NodeServicesTest, MissingKeyIsToldInTheReplyWithStatusOk) {
    EXPECT_EQ(get("nothing").err(), rpcdb::ERROR_NOT_FOUND);
    rpcdb::HasRequest request;
    request.set_key("nothing");
    EXPECT_FALSE(call(*database_, &rpcdb::Database::Stub::Has, request).has());
}

TEST_F(NodeServicesTest, PutValueIsReadBackAndKept) {
    put("key", "value");
    EXPECT_EQ(get("key").value(), "value");
    EXPECT_EQ(get("key").err(), rpcdb::ERROR_UNSPECIFIED);
    EXPECT_EQ(ledger_->get("key"), "value");
}

TEST_F(NodeServicesTest, BatchPutsThenDeletes) {
    put("old", "1");
    rpcdb::WriteBatchRequest batch;
    auto& first = *batch.add_puts();
    first.set_key("new");
    first.set_value("2");
    *batch.add_puts() = first;
    batch.mutable_puts(1)->set_key("both");
    batch.add_deletes()->set_key("old");
    batch.add_deletes()->set_key("both");
    call(*database_, &rpcdb::Database::Stub::WriteBatch, batch);
    EXPECT_EQ(get("old").err(), rpcdb::ERROR_NOT_FOUND);
    EXPECT_EQ(get("both").err(), rpcdb::ERROR_NOT_FOUND);
    EXPECT_EQ(get("new").value(), "2");
}

TEST_F(NodeServicesTest, IteratorGivesPairsInOrderInPiecesAndThenNothing) {
    const std::string large(50'000, 'v');
    for (int i = 9; i >= 0; --i) put("p" + std::to_string(i), large);
    put("q", "other prefix");
    rpcdb::NewIteratorWithStartAndPrefixRequest open;
    open.set_start("p2");
    open.set_prefix("p");
    const auto id =
        call(*database_, &rpcdb::Database::Stub::NewIteratorWithStartAndPrefix, open).id();
    put("p5x", "written after the iterator was opened");

    rpcdb::IteratorNextRequest next;
    next.set_id(id);
    std::vector<std::string> keys;
    std::size_t pieces = 0;
    while (true) {
        const auto piece = call(*database_, &rpcdb::Database::Stub::IteratorNext, next);
        if (piece.data().empty()) break;
        ++pieces;
        for (const auto& pair : piece.data()) keys.push_back(pair.key());
    }
    EXPECT_THAT(keys, ::testing::ElementsAre("p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"));
    EXPECT_GE(pieces, 3U);

    rpcdb::IteratorReleaseRequest release;
    release.set_id(id);
    call(*database_, &rpcdb::Database::Stub::IteratorRelease, release);
    rpcdb::IteratorNextResponse reply;
    EXPECT_FALSE(try_call(*database_, &rpcdb::Database::Stub::IteratorNext, next, reply).ok());
}

TEST_F(NodeServicesTest, GossipReachesTheRouterWithItsAudience) {
    const auto sender = appsender::AppSender::NewStub(channel_);
    appsender::SendAppGossipMsg message;
    message.add_node_ids(text_of(node_.view()));
    message.set_validators(3);
    message.set_peers(5);
    message.set_msg("hello");
    call(*sender, &appsender::AppSender::Stub::SendAppGossip, message);
    EXPECT_EQ(router_.gossiped(), "hello");
    EXPECT_EQ(router_.audience().nodes.at(0), node_);
    EXPECT_EQ(router_.audience().validators, 3U);
    EXPECT_EQ(router_.audience().peers, 5U);

    message.set_node_ids(0, "short");
    google::protobuf::Empty reply;
    EXPECT_FALSE(
        try_call(*sender, &appsender::AppSender::Stub::SendAppGossip, message, reply).ok());
}

TEST_F(NodeServicesTest, ChainIsFoundByIdAndByAlias) {
    const auto aliases = aliasreader::AliasReader::NewStub(channel_);
    for (const std::string& name : {std::string{"blobvm"}, to_cb58(chain_.view())}) {
        aliasreader::Alias alias;
        alias.set_alias(name);
        EXPECT_EQ(call(*aliases, &aliasreader::AliasReader::Stub::Lookup, alias).id(),
                  text_of(chain_.view()));
    }
}

TEST_F(NodeServicesTest, ValidatorsOfTheSubnetAreTheNodes) {
    const auto state = validatorstate::ValidatorState::NewStub(channel_);
    validatorstate::GetValidatorSetRequest request;
    request.set_subnet_id(text_of(subnet_.view()));
    request.set_height(1);
    const auto reply =
        call(*state, &validatorstate::ValidatorState::Stub::GetValidatorSet, request);
    ASSERT_EQ(reply.validators_size(), 1);
    EXPECT_EQ(reply.validators(0).node_id(), text_of(node_.view()));
    EXPECT_GT(reply.validators(0).weight(), 0U);

    request.set_height(1'000);
    validatorstate::GetValidatorSetResponse refused;
    EXPECT_FALSE(
        try_call(*state, &validatorstate::ValidatorState::Stub::GetValidatorSet, request, refused)
            .ok());
}

TEST_F(NodeServicesTest, NothingIsSignedForAnotherChain) {
    const auto signer = warp::Signer::NewStub(channel_);
    warp::SignRequest request;
    request.set_network_id(12'345);
    request.set_source_chain_id(std::string(32, '\0'));
    warp::SignResponse reply;
    const grpc::Status status = try_call(*signer, &warp::Signer::Stub::Sign, request, reply);
    EXPECT_THAT(status.error_message(), ::testing::HasSubstr("wrong source chain ID"));
}

TEST_F(NodeServicesTest, HealthIsServing) {
    const auto health = grpc::health::v1::Health::NewStub(channel_);
    const auto reply = call(*health, &grpc::health::v1::Health::Stub::Check,
                            grpc::health::v1::HealthCheckRequest{});
    EXPECT_EQ(reply.status(), grpc::health::v1::HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace blobvm::devnet
