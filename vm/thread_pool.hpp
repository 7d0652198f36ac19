#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

#include "chain/base/mutex.hpp"
#include "vm/executor.hpp"

namespace blobvm::vm {

/// Threads that share one bounded queue of tasks and help with loops. Safe from any thread; a loop
/// goes before queued tasks, since its caller waits. A task or body must not throw.
class ThreadPoolExecutor final : public Executor {
  public:
    /// \param threads         at least 1
    /// \param queue_capacity  most tasks that wait for a thread
    ThreadPoolExecutor(std::size_t threads, std::size_t queue_capacity);
    ~ThreadPoolExecutor() override;

    bool post(std::function<void()> task) override EXCLUDES(mutex_);

    /// The caller works too, so the loop ends even when every thread is busy or has stopped; with
    /// it no more work than there are threads (two if there is one). Nobody is woken while as many
    /// are at work already, in loops of other callers or tasks; who is done comes to help.
    void for_each(std::size_t count, const std::function<void(std::size_t)>& body) override
        EXCLUDES(mutex_);

    /// Takes no more tasks, runs those that wait, ends the threads. Idempotent; not from a task.
    void stop() EXCLUDES(mutex_);

  private:
    struct Loop;

    void work(const std::stop_token& stop) EXCLUDES(mutex_);

    /// Waits for a loop to help with, or else a task. False when there will be no more.
    bool next_job(const std::stop_token& stop, Loop*& loop, std::function<void()>& task)
        EXCLUDES(mutex_);

    const std::size_t queue_capacity_;
    Mutex mutex_;
    std::condition_variable_any woken_;   ///< for threads: there is work
    std::condition_variable_any helped_;  ///< for callers of for_each: somebody has counted out
    std::deque<std::function<void()>> tasks_ GUARDED_BY(mutex_);
    std::vector<Loop*> loops_ GUARDED_BY(mutex_);  ///< with indexes left to hand out
    std::size_t busy_ GUARDED_BY(mutex_) = 0;      ///< threads with a job, and callers of for_each
    bool stopped_ GUARDED_BY(mutex_) = false;
    std::vector<std::jthread> threads_;  // last: stop and join before what they use goes
};

}  // namespace blobvm::vm
