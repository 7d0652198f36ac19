#include "vm/build_loop.hpp"

#include <algorithm>
#include <utility>

namespace blobvm::vm {
namespace {

/// Block cost and price change with time alone, so a waiter's question is asked again this often.
constexpr std::chrono::nanoseconds kPollInterval{1'000'000'000};

/// What is due in less waits this long, so that a clock that stands still is no busy loop.
constexpr std::chrono::nanoseconds kShortestSleep{1'000'000};

}  // namespace

BuildLoop::BuildLoop(const Clock& clock, std::chrono::nanoseconds build_interval,
                     std::function<bool()> has_work)
    : clock_{clock},
      build_interval_{build_interval},
      has_work_{std::move(has_work)},
      thread_{[this] { run(); }} {}

BuildLoop::~BuildLoop() { stop(); }

BuildLoop::WaiterId BuildLoop::wait(std::function<void(bool)> answer) {
    WaiterId waiter = 0;
    {
        const Lock lock{mutex_};
        waiter = next_waiter_++;
        if (!stopped_) {
            waiters_.emplace(waiter, std::move(answer));
            if (std::exchange(preference_is_new_, false)) spaced_until_ = {};
            dirty_ = true;
            woken_.notify_all();
            return waiter;
        }
    }
    answer(false);
    return waiter;
}

bool BuildLoop::cancel(WaiterId waiter) {
    const Lock lock{mutex_};
    return waiters_.erase(waiter) == 1;
}

void BuildLoop::wake() {
    const Lock lock{mutex_};
    if (state_ != State::kDontBuild && waiters_.empty()) return;  // known, and nobody asks
    if (std::exchange(dirty_, true)) return;  // the thread has been called already
    woken_.notify_all();
}

void BuildLoop::built(bool success, Time begun) {
    const Time now = clock_.now_steady();
    const Lock lock{mutex_};
    const bool on_time = begun >= due_ && begun - due_ < kMostLate;
    if (success) due_ = (on_time ? due_ : begun) + build_interval_;
    spaced_until_ = now + kMinSpacing;
    state_ = State::kDontBuild;  // until asked
    dirty_ = true;
    woken_.notify_all();
}

void BuildLoop::preferred() {
    const Lock lock{mutex_};
    preference_is_new_ = true;
}

BuildLoop::State BuildLoop::state() const {
    const Lock lock{mutex_};
    return state_;
}

void BuildLoop::stop() {
    std::jthread thread;  // joins where this function ends
    const Lock lock{mutex_};
    stopped_ = true;
    woken_.notify_all();
    thread = std::move(thread_);
}

void BuildLoop::run() {
    while (sleep()) {
        if (!should_ask()) continue;
        const bool work = has_work_();
        for (const auto& [waiter, answer] : decide(work)) answer(true);
    }
    for (const auto& [waiter, answer] : take_waiters()) answer(false);
}

bool BuildLoop::sleep() {
    Lock lock{mutex_};
    const auto roused = [this]() NO_THREAD_SAFETY_ANALYSIS { return dirty_ || stopped_; };
    if (waiters_.empty()) {
        woken_.wait(lock, roused);
    } else {
        const auto until_due = not_before() - clock_.now_steady();
        woken_.wait_for(
            lock,
            until_due > until_due.zero() ? std::max(until_due, kShortestSleep) : kPollInterval,
            roused);
    }
    dirty_ = false;
    return !stopped_;
}

bool BuildLoop::should_ask() const {
    const Lock lock{mutex_};
    if (state_ == State::kDontBuild) return true;
    return !waiters_.empty() && clock_.now_steady() >= not_before();
}

BuildLoop::Waiters BuildLoop::decide(bool work) {
    const Lock lock{mutex_};
    if (!work) {
        state_ = State::kDontBuild;
        return {};
    }
    const Time now = clock_.now_steady();
    if (now < not_before() || waiters_.empty()) {
        if (state_ == State::kDontBuild) state_ = State::kMayBuild;
        return {};
    }
    state_ = State::kBuilding;
    spaced_until_ = now + kMinSpacing;
    return std::exchange(waiters_, {});
}

BuildLoop::Waiters BuildLoop::take_waiters() {
    const Lock lock{mutex_};
    return std::exchange(waiters_, {});
}

BuildLoop::Time BuildLoop::not_before() const { return std::max(due_, spaced_until_); }

}  // namespace blobvm::vm
