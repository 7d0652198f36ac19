#pragma once

#include <chrono>
#include <cstdint>

namespace blobvm::vm {

/// Time, as it comes in from outside (decisions.md 5). Safe from any thread.
class Clock {
  public:
    virtual ~Clock() = default;

    /// Unix time, whole seconds.
    virtual std::int64_t now_s() const = 0;

    /// Time that never goes back, for intervals.
    virtual std::chrono::steady_clock::time_point now_steady() const = 0;
};

class SystemClock final : public Clock {
  public:
    std::int64_t now_s() const override {
        return std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
    std::chrono::steady_clock::time_point now_steady() const override {
        return std::chrono::steady_clock::now();
    }
};

}  // namespace blobvm::vm
