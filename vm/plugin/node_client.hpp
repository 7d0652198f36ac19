#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "chain/base/mutex.hpp"
#include "proto/plugin/appsender.grpc.pb.h"
#include "proto/plugin/rpcdb.grpc.pb.h"
#include "vm/node_services.hpp"

namespace blobvm::vm::plugin {

/// The node's own services, over gRPC: the witness in its database, gossip to peers.
class NodeClient final : public NodeServices {
  public:
    static constexpr std::chrono::seconds kDatabaseDeadline{5};
    static constexpr std::chrono::seconds kGossipDeadline{2};
    static constexpr std::uint64_t kGossipPeers =
        10;  ///< validators; and as many peers of any kind

    /// Connects at the first call. kNodeUnavailable for an address that cannot be one.
    static Result<std::unique_ptr<NodeClient>> create(const ChainId& chain,
                                                      const std::string& database_address,
                                                      const std::string& services_address);

    Result<std::optional<Witness>> read_witness() override;
    Result<void> write_witness(const Witness& witness) override;
    Result<void> send_gossip(ByteView message) override;

    /// The node is gone: ends the calls that run, and every later one at once.
    void abandon() EXCLUDES(mutex_);

  private:
    NodeClient(const ChainId& chain, std::shared_ptr<grpc::Channel> database,
               std::shared_ptr<grpc::Channel> services);

    /// One call with a deadline that abandon() can end.
    Result<void> call(const char* what, std::chrono::seconds deadline,
                      const std::function<grpc::Status(grpc::ClientContext*)>& method)
        EXCLUDES(mutex_);

    const ChainId chain_;
    const std::unique_ptr<rpcdb::Database::Stub> database_;
    const std::unique_ptr<appsender::AppSender::Stub> sender_;
    Mutex mutex_;
    std::set<grpc::ClientContext*> running_ GUARDED_BY(mutex_);
    bool abandoned_ GUARDED_BY(mutex_) = false;
};

}  // namespace blobvm::vm::plugin
