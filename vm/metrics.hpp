#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace blobvm::vm {

/// Counts up. Safe from any thread.
class Counter {
  public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

/// How long things took: buckets from 10 microseconds to 10 seconds. Safe from any thread.
class Histogram {
  public:
    static constexpr std::array<double, 13> kBoundsS{1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2,
                                                     3e-2, 1e-1, 3e-1, 1.0,  3.0,  10.0};

    void observe(std::chrono::nanoseconds duration);

    struct Snapshot {
        std::array<std::uint64_t, kBoundsS.size()> cumulative;  ///< by bound
        std::uint64_t count;
        double sum_s;
    };
    Snapshot snapshot() const;

  private:
    std::array<std::atomic<std::uint64_t>, kBoundsS.size() + 1> buckets_{};
    std::atomic<std::uint64_t> sum_ns_{0};
};

/// Observes the time from its making to its end.
class Timer {
  public:
    explicit Timer(Histogram& histogram)
        : histogram_{histogram}, start_{std::chrono::steady_clock::now()} {}
    ~Timer() { histogram_.observe(std::chrono::steady_clock::now() - start_); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

  private:
    Histogram& histogram_;
    std::chrono::steady_clock::time_point start_;
};

/// Everything that one plugin process counts by itself. What is asked from its parts (mempool,
/// store) is added by collect().
struct Metrics {
    Histogram parse;
    Histogram recover;
    Histogram execute;
    Histogram build;
    Histogram verify;
    Histogram accept;
    Histogram rpc;

    Counter transactions_submitted;
    Counter transactions_refused;
    Counter transactions_accepted;
    Counter signatures_recovered;
    Counter known_transactions;  ///< found without recovering: the cache's hits
    Counter blocks_built;
    Counter builds_failed;
    Counter blocks_verified;
    Counter blocks_refused;
    Counter blocks_accepted;
    Counter blocks_rejected;
    Counter bytes_accepted;  ///< of blocks
    Counter gossip_sent;     ///< transactions
    Counter gossip_received;
    Counter gossip_refused;
    Counter rpc_errors;
    Counter log_lines_dropped;
};

/// One metric as a scraper reads it.
struct Sample {
    enum class Kind { kCounter, kGauge, kHistogram };
    std::string name;  ///< Prometheus name, no prefix
    std::string help;
    Kind kind;
    double value = 0;  ///< counter or gauge
    Histogram::Snapshot histogram{};
};

/// The metrics' own samples, each name once.
std::vector<Sample> collect(const Metrics& metrics);

}  // namespace blobvm::vm
