#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>

#include "bench/blob-bench/measure.hpp"
#include "bench/blob-bench/workload.hpp"
#include "vm/node.hpp"
#include "vm/thread_pool.hpp"

namespace blobvm::bench {

/// Time that can be stopped, so that what is not to be measured (signing) ages no transaction.
class StoppableClock final : public vm::Clock {
  public:
    std::int64_t now_s() const override {
        return kStart_s + std::chrono::duration_cast<std::chrono::seconds>(passed()).count();
    }
    SteadyClock::time_point now_steady() const override { return SteadyClock::now(); }

    void run() { since_ = SteadyClock::now().time_since_epoch(); }
    void stop() {
        before_ = passed();
        since_ = std::chrono::nanoseconds{-1};
    }
    void advance(std::chrono::seconds by) { before_ = before_.load() + by; }

  private:
    static constexpr std::int64_t kStart_s = 1'700'000'000;

    std::chrono::nanoseconds passed() const {
        const std::chrono::nanoseconds since = since_;
        if (since.count() < 0) return before_;
        return before_.load() + (SteadyClock::now().time_since_epoch() - since);
    }

    std::atomic<std::chrono::nanoseconds> before_{std::chrono::nanoseconds{0}};
    std::atomic<std::chrono::nanoseconds> since_{std::chrono::nanoseconds{-1}};  ///< -1: stopped
};

/// The plugin's own thread pool; what its loops cost in processor time is counted.
class CountingExecutor final : public vm::Executor {
  public:
    CountingExecutor();
    bool post(std::function<void()> task) override { return pool_.post(std::move(task)); }
    void for_each(std::size_t count, const std::function<void(std::size_t)>& body) override;

    /// Of all loop bodies so far, whatever thread ran them.
    double cpu_s() const { return static_cast<double>(cpu_ns_.load()) * 1e-9; }
    /// Of those that the calling thread has run.
    static double own_cpu_s();

  private:
    std::atomic<std::int64_t> cpu_ns_{0};
    vm::ThreadPoolExecutor pool_;
};

/// A node that takes everything and tells nobody. It has accepted whatever a chain on disk has.
class SilentNode final : public vm::NodeServices {
  public:
    Result<std::optional<vm::Witness>> read_witness() override {
        return std::optional{vm::Witness{~std::uint64_t{0}, {}}};
    }
    Result<void> write_witness(const vm::Witness&) override { return {}; }
    Result<void> send_gossip(ByteView) override { return {}; }
};

/// One chain in this process: the very object that the plugin runs (vm::Node), on disk with the
/// same options, but without the plugin's gRPC around it. In normal operation from the start.
class Rig {
  public:
    struct Options {
        Shape shape = {};
        std::size_t per_block = 1;
        std::size_t mempool_size = 100'000;
        std::uint64_t mempool_bytes = 1'000'000'000;
        std::filesystem::path folder = {};  ///< with a chain in it, or empty: a fresh one
    };
    Rig(const Options& options, const Accounts& accounts);
    ~Rig();

    vm::Node& node() { return *node_; }
    vm::VirtualMachine& vm() { return node_->vm(); }
    StoppableClock& clock() { return clock_; }
    CountingExecutor& executor() { return executor_; }
    const std::filesystem::path& folder() const { return folder_; }

    /// Transactions that name the last accepted block.
    Load load(std::size_t count) { return load(count, shape_); }
    Load load(std::size_t count, const Shape& shape);

    /// A small block, so that there is a recent one to name.
    void start_window();

    /// Hands them in, as a batch; all must be taken.
    void submit(const Load& load, std::size_t begin, std::size_t end);

    /// Makes the block processing, prefers and accepts it.
    void adopt(const chain::BlockPtr& block);

    /// Closes the chain; the time until a plugin that starts then has opened it again.
    double reopen();
    double opened_in_s() const { return opened_in_s_; }  ///< the last time

  private:
    void open();

    const Accounts& accounts_;
    const Shape shape_;
    const std::size_t per_block_;
    const std::string config_;
    chain::Genesis genesis_;
    std::uint64_t next_number_ = 1;
    double opened_in_s_ = 0;
    std::optional<Folder> own_folder_;
    std::filesystem::path folder_;
    StoppableClock clock_;
    CountingExecutor executor_;
    SilentNode silent_;
    std::unique_ptr<vm::Node> node_;
};

}  // namespace blobvm::bench
