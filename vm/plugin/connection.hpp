#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

#include "chain/base/result.hpp"

namespace blobvm::vm::plugin {

/// How every server of ours is set up (spec/rpcchainvm.md 6.1): no size limit, and the node's pings
/// every 30 s are welcome.
void apply_settings(grpc::ServerBuilder& builder);

/// A connection to a service of the node; nothing is sent yet. `address` is a numeric host and a
/// port, as the node hands out: no name is ever looked up. kNodeUnavailable for anything else.
Result<std::shared_ptr<grpc::Channel>> connect(const std::string& address);

}  // namespace blobvm::vm::plugin
