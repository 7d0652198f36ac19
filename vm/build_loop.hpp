#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>

#include "chain/base/mutex.hpp"
#include "vm/clock.hpp"

namespace blobvm::vm {

/// Tells the engine when to build: the tutorial's two stages and three states, asked anew from
/// the present each time, so that no lost wake-up can stall the chain (decisions.md 4).
///
///   kDontBuild  nothing worth building
///   kMayBuild   something is, but the last build is less than the interval ago
///   kBuilding   the engine is told: every waiter is answered
///
/// An answer comes at least kMinSpacing after the one before it, and after a build, unless the
/// engine has come to prefer another block meanwhile: so a build that keeps failing is asked for
/// ten times a second at most, and nobody is told to build beside what has just been built.
class BuildLoop {
  public:
    enum class State { kDontBuild, kMayBuild, kBuilding };
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::milliseconds kMinSpacing{100};

    /// A build so much too late leaves the next one where it was due: under load there is one block
    /// for each interval, not for each interval and the way of the answer to the engine and back.
    static constexpr std::chrono::milliseconds kMostLate{10};

    /// \param has_work  see VirtualMachine::has_work; called without this object's lock
    BuildLoop(const Clock& clock, std::chrono::nanoseconds build_interval,
              std::function<bool()> has_work);
    ~BuildLoop();

    using WaiterId = std::uint64_t;

    /// Calls `answer(true)` once there is something to build, or `answer(false)` when the loop
    /// stops, from this object's thread; if it has stopped already, `answer(false)` from the
    /// caller's before this returns. Each waiter is answered once, or cancelled. An answer may call
    /// anything here but stop().
    WaiterId wait(std::function<void(bool build)> answer) EXCLUDES(mutex_);

    /// The waiter will not be answered any more. False if it already was (or is being).
    bool cancel(WaiterId waiter) EXCLUDES(mutex_);

    /// Something may have changed. Never blocks.
    void wake() EXCLUDES(mutex_);

    /// A build that began at `begun` has ended. After a success the interval runs from there.
    void built(bool success, Time begun) EXCLUDES(mutex_);

    /// The engine builds on another block from now on. It asks anew then, and drops what those who
    /// wait already are told: so the spacing ends for the one who asks next.
    void preferred() EXCLUDES(mutex_);

    State state() const EXCLUDES(mutex_);

    /// Answers all waiters with false and ends the thread. Idempotent.
    void stop() EXCLUDES(mutex_);

  private:
    using Waiters = std::map<WaiterId, std::function<void(bool)>>;

    /// Sleeps, asks, answers, until stopped: the thread.
    void run() EXCLUDES(mutex_);
    /// Until there is a reason to look again; false once stopped.
    bool sleep() EXCLUDES(mutex_);
    /// Whether the answer of has_work could change anything now.
    bool should_ask() const EXCLUDES(mutex_);
    /// The state that follows from has_work's answer, and whom to tell.
    Waiters decide(bool work) EXCLUDES(mutex_);
    Waiters take_waiters() EXCLUDES(mutex_);
    /// When the next answer may come.
    Time not_before() const REQUIRES(mutex_);

    const Clock& clock_;
    const std::chrono::nanoseconds build_interval_;
    const std::function<bool()> has_work_;
    mutable Mutex mutex_;
    std::condition_variable_any woken_;
    Waiters waiters_ GUARDED_BY(mutex_);
    WaiterId next_waiter_ GUARDED_BY(mutex_) = 1;
    Time due_ GUARDED_BY(mutex_){};           ///< when the interval after the last block ends
    Time spaced_until_ GUARDED_BY(mutex_){};  ///< by kMinSpacing
    bool preference_is_new_ GUARDED_BY(mutex_) = false;  ///< since the last wait()
    State state_ GUARDED_BY(mutex_) = State::kDontBuild;
    bool dirty_ GUARDED_BY(mutex_) = false;
    bool stopped_ GUARDED_BY(mutex_) = false;
    std::jthread thread_;  // last: stops and joins before what it uses goes
};

}  // namespace blobvm::vm
