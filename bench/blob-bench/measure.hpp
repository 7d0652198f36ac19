#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "chain/base/result.hpp"

namespace blobvm::bench {

using Json = nlohmann::ordered_json;
using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point start);

double thread_cpu_s();   ///< of the calling thread, user and system
double process_cpu_s();  ///< of all threads

/// What a process has handed to its disk in its life, whatever the cache still holds; 0 where
/// /proc does not tell. `pid` 0: this process.
std::uint64_t written_bytes(int pid = 0);
std::uint64_t resident_bytes(int pid = 0);
double cpu_seconds_of(int pid);

/// The value of something that must not fail: prints why it did, and ends the program.
[[noreturn]] void give_up(const std::string& why);
template <class T>
T must(Result<T> result) {
    if (!result) give_up(result.error().message());
    return std::move(result).value();
}
inline void must(Result<void> result) {
    if (!result) give_up(result.error().message());
}

/// Measured values in the order in which they came; all of them are kept.
class Samples {
  public:
    void add(double value) { values_.push_back(value); }
    void add_all(const Samples& other);

    std::size_t size() const { return values_.size(); }
    double sum() const;
    double mean() const;
    /// The value that a share of `q` does not exceed, between neighbours in proportion; 0 if empty.
    double quantile(double q) const;
    double median() const { return quantile(0.5); }
    double max() const { return quantile(1); }
    const std::vector<double>& values() const { return values_; }

    /// {"p50":..., "p99":..., "max":..., "samples":[...]}
    Json json() const;

  private:
    std::vector<double> values_;
};

/// A fresh folder under the system's temporary one (TMPDIR), removed at the end.
class Folder {
  public:
    explicit Folder(const std::filesystem::path& under = {});
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

std::size_t cores();

/// Processor time that other programs (and the machine under this one) take from its making on.
class ForeignLoad {
  public:
    /// `children`: processes whose time counts as ours, as does that of those that are started and
    /// waited for meanwhile.
    explicit ForeignLoad(std::vector<int> children = {});
    double cpu_s() const;

  private:
    double ours_s() const;

    std::vector<int> children_;
    double all_start_s_;
    double ours_start_s_;
};

/// Runs `work` on `threads` threads at once, again and again for `seconds` of wall time. Each call
/// returns how much it has done; the result is the amount done per thread and second of processor
/// time, so that programs beside this one do not count.
double rate_per_thread(std::size_t threads, double seconds,
                       const std::function<double(std::size_t thread)>& work);

/// The same for work that waits for other processes: how much all `threads` together have done per
/// second of the time that programs other than this one and its `children` left.
double calls_per_second(std::size_t threads, double seconds, const std::vector<int>& children,
                        const std::function<double(std::size_t thread)>& work);

/// Calls `work` until `seconds` have passed and at least `least` times; the time of each.
Samples time_each(double seconds, std::size_t least, const std::function<void()>& work);

}  // namespace blobvm::bench
