#include "vm/plugin/node_client.hpp"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <utility>

#include "vm/plugin/connection.hpp"
#include "vm/plugin/witness_record.hpp"

namespace blobvm::vm::plugin {
namespace {

Result<void> check(const char* what, rpcdb::Error error) {
    if (error == rpcdb::ERROR_UNSPECIFIED) return {};
    return fail(ErrorCode::kNodeUnavailable,
                fmt::format("{}: database error {}", what, static_cast<int>(error)));
}

}  // namespace

Result<std::unique_ptr<NodeClient>> NodeClient::create(const ChainId& chain,
                                                       const std::string& database_address,
                                                       const std::string& services_address) {
    BLOBVM_TRY(auto database, connect(database_address));
    BLOBVM_TRY(auto services, connect(services_address));
    return std::unique_ptr<NodeClient>{
        new NodeClient{chain, std::move(database), std::move(services)}};
}

NodeClient::NodeClient(const ChainId& chain, std::shared_ptr<grpc::Channel> database,
                       std::shared_ptr<grpc::Channel> services)
    : chain_{chain},
      database_{rpcdb::Database::NewStub(database)},
      sender_{appsender::AppSender::NewStub(services)} {}

Result<std::optional<Witness>> NodeClient::read_witness() {
    rpcdb::GetRequest request;
    request.set_key(kWitnessKey.data(), kWitnessKey.size());
    rpcdb::GetResponse response;
    BLOBVM_TRY(call("read witness", kDatabaseDeadline, [&](grpc::ClientContext* context) {
        return database_->Get(context, request, &response);
    }));
    if (response.err() == rpcdb::ERROR_NOT_FOUND) return std::optional<Witness>{};
    BLOBVM_TRY(check("read witness", response.err()));
    BLOBVM_TRY(const Witness witness, decode_witness(chain_, response.value()));
    return std::optional{witness};
}

Result<void> NodeClient::write_witness(const Witness& witness) {
    rpcdb::PutRequest request;
    request.set_key(kWitnessKey.data(), kWitnessKey.size());
    request.set_value(encode_witness(chain_, witness));
    rpcdb::PutResponse response;
    BLOBVM_TRY(call("write witness", kDatabaseDeadline, [&](grpc::ClientContext* context) {
        return database_->Put(context, request, &response);
    }));
    return check("write witness", response.err());
}

Result<void> NodeClient::send_gossip(ByteView message) {
    appsender::SendAppGossipMsg request;
    request.set_validators(kGossipPeers);
    request.set_peers(kGossipPeers);
    request.set_msg(message.data(), message.size());
    google::protobuf::Empty response;
    return call("send gossip", kGossipDeadline, [&](grpc::ClientContext* context) {
        return sender_->SendAppGossip(context, request, &response);
    });
}

void NodeClient::abandon() {
    const Lock lock{mutex_};
    abandoned_ = true;
    for (grpc::ClientContext* context : running_) context->TryCancel();
}

Result<void> NodeClient::call(const char* what, std::chrono::seconds deadline,
                              const std::function<grpc::Status(grpc::ClientContext*)>& method) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    context.set_wait_for_ready(true);
    {
        const Lock lock{mutex_};
        if (abandoned_) return fail(ErrorCode::kNodeUnavailable, "the node is gone");
        running_.insert(&context);
    }
    const grpc::Status status = method(&context);
    {
        const Lock lock{mutex_};
        running_.erase(&context);
    }
    if (status.ok()) return {};
    return fail(ErrorCode::kNodeUnavailable, fmt::format("{}: {}", what, status.error_message()));
}

}  // namespace blobvm::vm::plugin
