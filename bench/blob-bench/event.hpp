#pragma once

#include <atomic>
#include <cstdint>

namespace blobvm::bench {

/// Something that happens again and again, and can be waited for. Safe from any thread.
class Event {
  public:
    void happened() {
        ++times_;
        times_.notify_all();
    }
    /// Returns once `condition` holds, which can only change when the event happens.
    template <class Condition>
    void wait_until(const Condition& condition) const {
        for (;;) {
            const std::uint32_t seen = times_.load();
            if (condition()) return;
            times_.wait(seen);
        }
    }

  private:
    std::atomic<std::uint32_t> times_{0};
};

}  // namespace blobvm::bench
