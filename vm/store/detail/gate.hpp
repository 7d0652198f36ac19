#pragma once

#include <atomic>
#include <cstdint>

namespace blobvm::vm::store::detail {

/// Lets many in until it is shut; shutting waits for those inside. Safe from any thread.
class Gate {
  public:
    /// A stay inside; false if the gate was shut already.
    class Visit {
      public:
        explicit Visit(Gate& gate) : gate_{gate} {
            inside_ = (gate_.state_.fetch_add(1) & kShut) == 0;
            if (!inside_) gate_.leave();
        }
        ~Visit() {
            if (inside_) gate_.leave();
        }
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;
        explicit operator bool() const { return inside_; }

      private:
        Gate& gate_;
        bool inside_;
    };

    /// Returns when nobody is inside any more, to one caller with true. Not from inside.
    bool shut() {
        const bool first = (state_.fetch_or(kShut) & kShut) == 0;
        for (std::uint64_t now = state_.load(); now != kShut; now = state_.load()) {
            state_.wait(now);
        }
        return first;
    }

  private:
    static constexpr std::uint64_t kShut = std::uint64_t{1} << 63;

    void leave() {
        if (state_.fetch_sub(1) == kShut + 1) state_.notify_all();
    }

    std::atomic<std::uint64_t> state_{0};
};

}  // namespace blobvm::vm::store::detail
