#pragma once

#include <cstdint>
#include <optional>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

namespace blobvm::vm {

/// The last accepted block, as written into the node's own database before ours
/// (spec/rpcchainvm.md 3.13): whatever the node's log keeps, its height is not above the node's.
struct Witness {
    std::uint64_t height = 0;
    BlockId id;
};

/// What the node does for us. Calls may block on it: no lock is held while one is made.
/// Safe from any thread.
class NodeServices {
  public:
    virtual ~NodeServices() = default;

    /// Empty if nothing was ever written. kNodeUnavailable, or kCorruption for a foreign record.
    virtual Result<std::optional<Witness>> read_witness() = 0;
    virtual Result<void> write_witness(const Witness& witness) = 0;

    /// Hands `message` to the node, to be pushed to some peers. Delivery is never reported.
    virtual Result<void> send_gossip(ByteView message) = 0;
};

}  // namespace blobvm::vm
