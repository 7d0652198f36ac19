#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vm/build_loop.hpp"
#include "vm/chain_store.hpp"
#include "vm/gossip_loop.hpp"
#include "vm/virtual_machine.hpp"

namespace blobvm::vm {

/// What the node says when it starts a chain (spec/rpcchainvm.md 3.11).
struct ChainSetup {
    std::uint32_t network_id = 0;
    SubnetId subnet_id;
    ChainId chain_id;
    NodeId node_id;
    std::string chain_data_dir;  ///< exists, private to the chain, survives restarts
    std::string genesis_json;
    std::string config_json;  ///< empty: defaults
};

/// One running chain: reads genesis and config, opens the store, brings it in line with the
/// witness, and wires VirtualMachine, BuildLoop and GossipLoop. Parts start in the order in which
/// they are declared and stop in the other.
class Node {
  public:
    /// `clock`, `executor` and `services` must outlive the result.
    static Result<std::unique_ptr<Node>> open(const ChainSetup& setup, const Clock& clock,
                                              Executor& executor, NodeServices& services);
    ~Node();

    const ChainSetup& setup() const;
    VirtualMachine& vm();
    BuildLoop& build_loop();
    GossipLoop& gossip();
    Metrics& metrics();

    /// vm().build_block(), told to the build loop.
    Result<chain::BlockPtr> build_block();

    /// vm().set_preference(), told to the build loop where it changes anything.
    void set_preference(const BlockId& id);

    /// {"healthy":..., ...} from memory; kStoreFailed with the reason when the store has failed.
    Result<std::string> health() const;

    /// Everything there is to scrape: Metrics, mempool, store, process.
    std::vector<Sample> samples() const;

    /// Stops threads, writes and closes the store. Idempotent.
    void shutdown();

  private:
    struct Impl;
    explicit Node(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace blobvm::vm
