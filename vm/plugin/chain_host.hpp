#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chain/base/mutex.hpp"
#include "vm/clock.hpp"
#include "vm/executor.hpp"
#include "vm/node.hpp"
#include "vm/plugin/node_client.hpp"
#include "vm/service/json_rpc.hpp"

namespace blobvm::vm::plugin {

/// The one chain of this process: none yet, then running, then closed for good.
///
/// open() and close() come one at a time; everything else is safe from any thread. What running()
/// hands out stays valid as long as this object: a closed chain refuses, it does not vanish.
class ChainHost {
  public:
    ChainHost(const Clock& clock, Executor& executor) : clock_{clock}, executor_{executor} {}

    /// Connects to the node's services and opens the chain. kInvalidState if there is one already,
    /// kClosed if there was; after another failure it can be tried again.
    Result<void> open(const ChainSetup& setup, const std::string& database_address,
                      const std::string& services_address) EXCLUDES(mutex_);

    struct Chain {
        std::unique_ptr<Node> node;
        std::unique_ptr<service::JsonRpc> rpc;
    };

    /// Null unless a chain is open.
    Chain* running() { return closed() ? nullptr : chain_.load(std::memory_order_acquire); }
    bool closed() const { return closed_.load(std::memory_order_acquire); }

    /// Stops the chain's threads and closes its store. Idempotent.
    void close();

    /// The node is gone: nothing waits for it any more.
    void abandon_node() EXCLUDES(mutex_);

  private:
    const Clock& clock_;
    Executor& executor_;
    Mutex mutex_;
    std::vector<std::unique_ptr<NodeClient>> clients_ GUARDED_BY(mutex_);  ///< of every attempt
    std::unique_ptr<Chain> owned_;
    std::atomic<Chain*> chain_{nullptr};  ///< what owned_ holds, once it is whole
    std::atomic<bool> closed_{false};
};

}  // namespace blobvm::vm::plugin
