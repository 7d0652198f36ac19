#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "chain/base/mutex.hpp"
#include "cmd/blob-devnet/plugin_process.hpp"

namespace blobvm::devnet {

/// The node's loop around WaitForEvent (spec/rpcchainvm.md 3.12): calls; after an error waits
/// 100 ms and calls again; after a message delivers it and waits for a trigger. A trigger also
/// cancels a call in progress.
class EventWatch {
  public:
    /// Called from the loop's thread. `generation` counts triggers: while generation() is still the
    /// same, no later trigger has made the message stale.
    using Deliver = std::function<void(::vm::Message message, std::uint64_t generation)>;

    EventWatch(std::shared_ptr<PluginProcess> process, Deliver deliver);
    ~EventWatch();  ///< cancels, and waits for the loop's end

    /// The preference changed, or SetState or BuildBlock returned.
    void trigger() EXCLUDES(mutex_);
    std::uint64_t generation() const EXCLUDES(mutex_);

  private:
    void run(std::stop_token stop) EXCLUDES(mutex_);

    const std::shared_ptr<PluginProcess> process_;
    const Deliver deliver_;
    mutable Mutex mutex_;
    std::condition_variable_any changed_;
    std::uint64_t generation_ GUARDED_BY(mutex_) = 0;
    grpc::ClientContext* current_ GUARDED_BY(mutex_) = nullptr;
    std::jthread thread_;
};

}  // namespace blobvm::devnet
