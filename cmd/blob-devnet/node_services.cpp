#include "cmd/blob-devnet/node_services.hpp"

#include <fmt/format.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <map>
#include <optional>

#include "chain/base/cb58.hpp"
#include "chain/base/mutex.hpp"
#include "proto/plugin/aliasreader.grpc.pb.h"
#include "proto/plugin/appsender.grpc.pb.h"
#include "proto/plugin/rpcdb.grpc.pb.h"
#include "proto/plugin/sharedmemory.grpc.pb.h"
#include "proto/plugin/validatorstate.grpc.pb.h"
#include "proto/plugin/warp.grpc.pb.h"

namespace blobvm::devnet {
namespace {

using google::protobuf::Empty;
using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

constexpr std::size_t kIteratorBatchBytes = 128 * 1024;
constexpr std::size_t kMaxIterators = 1'024;
constexpr std::uint64_t kPChainHeight = 1;
constexpr std::uint64_t kWeight = 100;

Status bad_id(std::string_view what) {
    return {StatusCode::INVALID_ARGUMENT, fmt::format("{} has a wrong length", what)};
}

template <class Id>
std::optional<Id> id_of(const std::string& bytes) {
    if (bytes.size() != Id::kSize) return std::nullopt;
    return Id::from(as_bytes(bytes));
}

std::string text_of(ByteView bytes) { return std::string{as_chars(bytes)}; }

Status status_of(const Result<void>& result) {
    return result ? Status::OK : Status{StatusCode::INTERNAL, result.error().message()};
}

/// rpcdb: a missing key is told in the reply, with status OK.
class Database final : public rpcdb::Database::Service {
  public:
    explicit Database(Ledger& ledger) : ledger_{ledger} {}

    Status Has(ServerContext*, const rpcdb::HasRequest* request,
               rpcdb::HasResponse* reply) override {
        reply->set_has(ledger_.get(request->key()).has_value());
        return Status::OK;
    }
    Status Get(ServerContext*, const rpcdb::GetRequest* request,
               rpcdb::GetResponse* reply) override {
        std::optional<std::string> value = ledger_.get(request->key());
        if (value) {
            reply->set_value(std::move(*value));
        } else {
            reply->set_err(rpcdb::ERROR_NOT_FOUND);
        }
        return Status::OK;
    }
    Status Put(ServerContext*, const rpcdb::PutRequest* request, rpcdb::PutResponse*) override {
        return status_of(ledger_.write({{request->key(), request->value()}}, {}));
    }
    Status Delete(ServerContext*, const rpcdb::DeleteRequest* request,
                  rpcdb::DeleteResponse*) override {
        return status_of(ledger_.write({}, {request->key()}));
    }
    Status WriteBatch(ServerContext*, const rpcdb::WriteBatchRequest* request,
                      rpcdb::WriteBatchResponse*) override {
        std::vector<KeyValue> puts;
        for (const auto& put : request->puts()) puts.emplace_back(put.key(), put.value());
        std::vector<std::string> deletes;
        for (const auto& deletion : request->deletes()) deletes.push_back(deletion.key());
        return status_of(ledger_.write(puts, deletes));
    }
    Status Compact(ServerContext*, const rpcdb::CompactRequest*, rpcdb::CompactResponse*) override {
        return Status::OK;
    }
    Status Close(ServerContext*, const rpcdb::CloseRequest*, rpcdb::CloseResponse*) override {
        return Status::OK;
    }
    Status HealthCheck(ServerContext*, const Empty*, rpcdb::HealthCheckResponse* reply) override {
        reply->set_details("{}");
        return Status::OK;
    }

    Status NewIteratorWithStartAndPrefix(
        ServerContext*, const rpcdb::NewIteratorWithStartAndPrefixRequest* request,
        rpcdb::NewIteratorWithStartAndPrefixResponse* reply) override {
        std::vector<KeyValue> pairs = ledger_.scan(request->start(), request->prefix());
        const Lock lock{mutex_};
        if (iterators_.size() >= kMaxIterators) {
            return {StatusCode::RESOURCE_EXHAUSTED, "too many iterators are open"};
        }
        iterators_[++last_id_] = {std::move(pairs), 0};
        reply->set_id(last_id_);
        return Status::OK;
    }
    Status IteratorNext(ServerContext*, const rpcdb::IteratorNextRequest* request,
                        rpcdb::IteratorNextResponse* reply) override {
        const Lock lock{mutex_};
        const auto found = iterators_.find(request->id());
        if (found == iterators_.end()) return {StatusCode::UNKNOWN, "unknown iterator"};
        Iterator& iterator = found->second;
        std::size_t bytes = 0;
        while (iterator.next < iterator.pairs.size() && bytes < kIteratorBatchBytes) {
            auto& [key, value] = iterator.pairs[iterator.next++];
            bytes += key.size() + value.size();
            rpcdb::PutRequest& pair = *reply->add_data();
            pair.set_key(std::move(key));
            pair.set_value(std::move(value));
        }
        return Status::OK;
    }
    Status IteratorError(ServerContext*, const rpcdb::IteratorErrorRequest* request,
                         rpcdb::IteratorErrorResponse*) override {
        const Lock lock{mutex_};
        if (!iterators_.contains(request->id())) return {StatusCode::UNKNOWN, "unknown iterator"};
        return Status::OK;
    }
    Status IteratorRelease(ServerContext*, const rpcdb::IteratorReleaseRequest* request,
                           rpcdb::IteratorReleaseResponse*) override {
        const Lock lock{mutex_};
        iterators_.erase(request->id());
        return Status::OK;
    }

  private:
    struct Iterator {
        std::vector<KeyValue> pairs;
        std::size_t next = 0;
    };

    Ledger& ledger_;
    Mutex mutex_;
    std::uint64_t last_id_ GUARDED_BY(mutex_) = 0;
    std::map<std::uint64_t, Iterator> iterators_ GUARDED_BY(mutex_);
};

class AppSender final : public appsender::AppSender::Service {
  public:
    AppSender(const NodeId& self, AppRouter& router) : self_{self}, router_{router} {}

    Status SendAppRequest(ServerContext*, const appsender::SendAppRequestMsg* message,
                          Empty*) override {
        std::vector<NodeId> nodes;
        for (const std::string& bytes : message->node_ids()) {
            const auto node = id_of<NodeId>(bytes);
            if (!node) return bad_id("node_ids");
            nodes.push_back(*node);
        }
        for (const NodeId& node : nodes) {
            router_.request(self_, node, message->request_id(), message->request());
        }
        return Status::OK;
    }
    Status SendAppResponse(ServerContext*, const appsender::SendAppResponseMsg* message,
                           Empty*) override {
        const auto node = id_of<NodeId>(message->node_id());
        if (!node) return bad_id("node_id");
        router_.response(self_, *node, message->request_id(), message->response());
        return Status::OK;
    }
    Status SendAppError(ServerContext*, const appsender::SendAppErrorMsg* message,
                        Empty*) override {
        const auto node = id_of<NodeId>(message->node_id());
        if (!node) return bad_id("node_id");
        router_.error(self_, *node, message->request_id(), message->error_code(),
                      message->error_message());
        return Status::OK;
    }
    Status SendAppGossip(ServerContext*, const appsender::SendAppGossipMsg* message,
                         Empty*) override {
        AppRouter::Audience audience{
            {}, message->validators(), message->non_validators(), message->peers()};
        for (const std::string& bytes : message->node_ids()) {
            const auto node = id_of<NodeId>(bytes);
            if (!node) return bad_id("node_ids");
            audience.nodes.push_back(*node);
        }
        router_.gossip(self_, std::move(audience), message->msg());
        return Status::OK;
    }

  private:
    const NodeId self_;
    AppRouter& router_;
};

class ValidatorState final : public validatorstate::ValidatorState::Service {
  public:
    explicit ValidatorState(const NodeServices::Options& options) : options_{options} {}

    Status GetMinimumHeight(ServerContext*, const Empty*,
                            validatorstate::GetMinimumHeightResponse* reply) override {
        reply->set_height(kPChainHeight);
        return Status::OK;
    }
    Status GetCurrentHeight(ServerContext*, const Empty*,
                            validatorstate::GetCurrentHeightResponse* reply) override {
        reply->set_height(kPChainHeight);
        return Status::OK;
    }
    Status GetSubnetID(ServerContext*, const validatorstate::GetSubnetIDRequest* request,
                       validatorstate::GetSubnetIDResponse* reply) override {
        const auto chain = id_of<ChainId>(request->chain_id());
        if (!chain) return bad_id("chain_id");
        if (*chain != options_.chain) return {StatusCode::UNKNOWN, "not found"};
        reply->set_subnet_id(text_of(options_.subnet.view()));
        return Status::OK;
    }
    Status GetWarpValidatorSets(ServerContext*,
                                const validatorstate::GetWarpValidatorSetsRequest* request,
                                validatorstate::GetWarpValidatorSetsResponse*) override {
        return height_status(request->height());  // nobody here has a BLS key
    }
    Status GetValidatorSet(ServerContext*, const validatorstate::GetValidatorSetRequest* request,
                           validatorstate::GetValidatorSetResponse* reply) override {
        const auto subnet = id_of<SubnetId>(request->subnet_id());
        if (!subnet) return bad_id("subnet_id");
        if (const Status status = height_status(request->height()); !status.ok()) return status;
        if (*subnet == options_.subnet) add_validators(*reply->mutable_validators());
        return Status::OK;
    }
    Status GetCurrentValidatorSet(ServerContext*,
                                  const validatorstate::GetCurrentValidatorSetRequest* request,
                                  validatorstate::GetCurrentValidatorSetResponse* reply) override {
        const auto subnet = id_of<SubnetId>(request->subnet_id());
        if (!subnet) return bad_id("subnet_id");
        if (*subnet == options_.subnet) add_validators(*reply->mutable_validators());
        reply->set_current_height(kPChainHeight);
        return Status::OK;
    }

  private:
    static Status height_status(std::uint64_t height) {
        if (height <= kPChainHeight) return Status::OK;
        return {StatusCode::UNKNOWN, "height is above the P-chain's"};
    }
    void add_validators(
        google::protobuf::RepeatedPtrField<validatorstate::Validator>& validators) const {
        for (const NodeId& node : options_.validators) {
            validatorstate::Validator& validator = *validators.Add();
            validator.set_node_id(text_of(node.view()));
            validator.set_weight(kWeight);
            validator.set_is_active(true);
        }
    }

    const NodeServices::Options& options_;
};

class AliasReader final : public aliasreader::AliasReader::Service {
  public:
    explicit AliasReader(const NodeServices::Options& options) : options_{options} {}

    Status Lookup(ServerContext*, const aliasreader::Alias* request,
                  aliasreader::ID* reply) override {
        if (request->alias() != options_.alias &&
            request->alias() != to_cb58(options_.chain.view())) {
            return {StatusCode::UNKNOWN, "there is no ID with this alias"};
        }
        reply->set_id(text_of(options_.chain.view()));
        return Status::OK;
    }
    Status PrimaryAlias(ServerContext*, const aliasreader::ID* request,
                        aliasreader::Alias* reply) override {
        const auto id = id_of<ChainId>(request->id());
        if (!id) return bad_id("id");
        if (*id != options_.chain) return {StatusCode::UNKNOWN, "there is no alias for this ID"};
        reply->set_alias(options_.alias);
        return Status::OK;
    }
    Status Aliases(ServerContext*, const aliasreader::ID* request,
                   aliasreader::AliasList* reply) override {
        const auto id = id_of<ChainId>(request->id());
        if (!id) return bad_id("id");
        if (*id == options_.chain) {
            reply->add_aliases(options_.alias);
            reply->add_aliases(to_cb58(options_.chain.view()));
        }
        return Status::OK;
    }

  private:
    const NodeServices::Options& options_;
};

/// No other chain shares memory with this one: nothing is found and nothing can be sent.
class SharedMemory final : public sharedmemory::SharedMemory::Service {
  public:
    explicit SharedMemory(Ledger& ledger) : ledger_{ledger} {}

    Status Get(ServerContext*, const sharedmemory::GetRequest* request,
               sharedmemory::GetResponse*) override {
        if (!id_of<ChainId>(request->peer_chain_id())) return bad_id("peer_chain_id");
        return request->keys().empty() ? Status::OK : Status{StatusCode::UNKNOWN, "not found"};
    }
    Status Indexed(ServerContext*, const sharedmemory::IndexedRequest* request,
                   sharedmemory::IndexedResponse*) override {
        if (!id_of<ChainId>(request->peer_chain_id())) return bad_id("peer_chain_id");
        return Status::OK;
    }
    Status Apply(ServerContext*, const sharedmemory::ApplyRequest* request,
                 sharedmemory::ApplyResponse*) override {
        if (!request->requests().empty()) {
            return {StatusCode::UNKNOWN, "no other chain shares memory with this one"};
        }
        std::vector<KeyValue> puts;
        std::vector<std::string> deletes;
        for (const auto& batch : request->batches()) {
            for (const auto& put : batch.puts()) puts.emplace_back(put.key(), put.value());
            for (const auto& deletion : batch.deletes()) deletes.push_back(deletion.key());
        }
        return status_of(ledger_.write(puts, deletes));
    }

  private:
    Ledger& ledger_;
};

class Signer final : public warp::Signer::Service {
  public:
    explicit Signer(const NodeServices::Options& options) : options_{options} {}

    Status Sign(ServerContext*, const warp::SignRequest* request, warp::SignResponse*) override {
        if (request->network_id() != options_.network_id) {
            return {StatusCode::UNKNOWN, "wrong network ID"};
        }
        if (request->source_chain_id() != as_chars(options_.chain.view())) {
            return {StatusCode::UNKNOWN, "wrong source chain ID"};
        }
        return {StatusCode::UNIMPLEMENTED, "the local chain has no BLS key"};
    }

  private:
    const NodeServices::Options& options_;
};

}  // namespace

struct NodeServices::Impl {
    Impl(Options chosen, Ledger& ledger, AppRouter& router)
        : options{std::move(chosen)},
          database{ledger},
          app_sender{options.node, router},
          validator_state{options},
          alias_reader{options},
          shared_memory{ledger},
          signer{options} {}

    const Options options;
    Database database;
    AppSender app_sender;
    ValidatorState validator_state;
    AliasReader alias_reader;
    SharedMemory shared_memory;
    Signer signer;
    std::unique_ptr<grpc::Server> server;
};

NodeServices::NodeServices(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}

NodeServices::~NodeServices() { impl_->server->Shutdown(std::chrono::system_clock::now()); }

Result<std::unique_ptr<NodeServices>> NodeServices::start(Options options, Ledger& ledger,
                                                          AppRouter& router) {
    auto impl = std::make_unique<Impl>(std::move(options), ledger, router);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(-1);
    builder.SetMaxSendMessageSize(-1);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // A node's own rule for its clients: at most one ping in 5 s (spec/rpcchainvm.md 6.1).
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &impl->database, &impl->app_sender, &impl->validator_state, &impl->alias_reader,
             &impl->shared_memory, &impl->signer}) {
        builder.RegisterService(service);
    }
    impl->server = builder.BuildAndStart();
    if (impl->server == nullptr) {
        return fail(ErrorCode::kIo, "cannot listen for the plugin's calls");
    }
    std::unique_ptr<NodeServices> services{new NodeServices{std::move(impl)}};
    services->address_ = fmt::format("127.0.0.1:{}", port);
    return services;
}

}  // namespace blobvm::devnet
