#pragma once

#include <cstddef>
#include <functional>

namespace blobvm::vm {

/// Where work runs that may run beside its caller: signature recovery, HTTP, gossip. Comes in from
/// outside, so that a simulator can run everything in one thread.
class Executor {
  public:
    virtual ~Executor() = default;

    /// Runs `task` some time. False if the queue is full or the executor has stopped: the task
    /// will not run.
    virtual bool post(std::function<void()> task) = 0;

    /// Runs body(0) .. body(count - 1), in any order and place, the caller's thread among them;
    /// returns when all are done. Must not be called from within `body`.
    virtual void for_each(std::size_t count, const std::function<void(std::size_t)>& body) = 0;
};

/// Everything in the caller's thread, at once.
class InlineExecutor final : public Executor {
  public:
    bool post(std::function<void()> task) override {
        task();
        return true;
    }
    void for_each(std::size_t count, const std::function<void(std::size_t)>& body) override {
        for (std::size_t i = 0; i < count; ++i) body(i);
    }
};

}  // namespace blobvm::vm
