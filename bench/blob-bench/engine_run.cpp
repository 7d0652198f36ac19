#include "bench/blob-bench/engine_run.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <unordered_map>

#include "bench/blob-bench/event.hpp"
#include "bench/blob-bench/rig.hpp"
#include "chain/base/mutex.hpp"

namespace blobvm::bench {
namespace {

constexpr double kRound_s = 30;            ///< shorter than the window that the transactions name
constexpr double kFloorSeconds = 0.5;      ///< for each piece, before and after a run
constexpr std::size_t kBlocksWaiting = 4;  ///< in the mempool, before handing in pauses

double ms_since(SteadyClock::time_point start) { return seconds_since(start) * 1e3; }

/// When some of the transactions under way were handed in. Safe from any thread.
class Departures {
  public:
    void note(const TxId& id, SteadyClock::time_point when) EXCLUDES(mutex_) {
        const Lock lock{mutex_};
        under_way_.emplace(id, when);
    }
    /// Adds the time of each of `transactions` that was noted, in ms.
    void arrive(const std::vector<chain::TransactionPtr>& transactions, Samples& latency)
        EXCLUDES(mutex_) {
        const Lock lock{mutex_};
        for (const chain::TransactionPtr& tx : transactions) {
            const auto found = under_way_.find(tx->id);
            if (found == under_way_.end()) continue;
            latency.add(ms_since(found->second));
            under_way_.erase(found);
        }
    }

  private:
    Mutex mutex_;
    std::unordered_map<TxId, SteadyClock::time_point, IdHash> under_way_ GUARDED_BY(mutex_);
};

/// Processor time of the calling thread that goes to one thing.
class Spent {
  public:
    explicit Spent(double& sum_s) : sum_s_{sum_s}, start_s_{thread_cpu_s()} {}
    ~Spent() { sum_s_ += thread_cpu_s() - start_s_; }
    Spent(const Spent&) = delete;
    Spent& operator=(const Spent&) = delete;

  private:
    double& sum_s_;
    double start_s_;
};

/// One stretch of load against a rig whose clock runs.
class Round {
  public:
    Round(Rig& rig, const Load& load, const RunOptions& options, RunResult& result)
        : rig_{rig}, load_{load}, options_{options}, result_{result} {}

    /// Returns when `seconds` are over or everything is accepted.
    void run(double seconds) {
        const double process_start_s = process_cpu_s();
        const double loops_start_s = rig_.executor().cpu_s();
        const std::uint64_t disk_start = written_bytes();
        const ForeignLoad others;
        start_ = SteadyClock::now();
        rig_.clock().run();
        {
            std::vector<std::jthread> submitters;
            submitting_ = options_.submitters;
            for (std::size_t n = 0; n < options_.submitters; ++n) {
                submitters.emplace_back([this] { hand_in(); });
            }
            // So that a profiler can tell what belongs to the run.
            ::pthread_setname_np(::pthread_self(), "engine");
            make_blocks(seconds);
            ::pthread_setname_np(::pthread_self(), "blob-bench");
            over_ = true;
            accepted_.happened();
        }
        rig_.clock().stop();
        result_.foreign_s += others.cpu_s();
        result_.disk_bytes += written_bytes() - disk_start;
        const double loops_s = rig_.executor().cpu_s() - loops_start_s;
        double known_s = loops_s - engine_loops_s_;
        {
            const Lock lock{mutex_};
            engine_cpu_s_["generate"] = generate_s_;
            engine_cpu_s_["submit"] = submit_s_;
        }
        for (const auto& [name, spent_s] : engine_cpu_s_) {
            result_.cpu_s[name] += spent_s;
            known_s += spent_s;
        }
        result_.cpu_s["recover"] += loops_s - engine_loops_s_;
        result_.cpu_s["other"] += std::max(process_cpu_s() - process_start_s - known_s, 0.0);
    }

  private:
    void hand_in() {
        ::pthread_setname_np(::pthread_self(), "submitter");
        double generate_s = 0;
        double submit_s = 0;
        double loops_s = 0;
        Samples times;
        while (!over_) {
            const std::size_t begin = next_.fetch_add(options_.batch);
            if (begin >= load_.size()) break;
            const std::size_t end = std::min(begin + options_.batch, load_.size());
            accepted_.wait_until([&] {
                return over_ || rig_.vm().mempool().size() <= kBlocksWaiting * result_.per_block;
            });
            if (over_) break;
            std::vector<SharedBytes> bytes;
            {
                const Spent spent{generate_s};
                for (std::size_t i = begin; i < end; ++i) bytes.emplace_back(load_.bytes(i));
            }
            const auto start = SteadyClock::now();
            const double loops_start_s = CountingExecutor::own_cpu_s();
            {
                const Spent spent{submit_s};
                submit(std::move(bytes), start);
            }
            loops_s += CountingExecutor::own_cpu_s() - loops_start_s;
            times.add(ms_since(start));
            handed_in_.happened();
        }
        {
            const Lock lock{mutex_};
            generate_s_ += generate_s;
            submit_s_ += submit_s - loops_s;
            result_.submit.add_all(times);
        }
        --submitting_;
        handed_in_.happened();
    }

    void submit(std::vector<SharedBytes> bytes, SteadyClock::time_point start) {
        std::vector<chain::RawTransaction> raws;
        raws.reserve(bytes.size());
        for (SharedBytes& one : bytes) {
            raws.push_back(must(chain::decode_transaction(std::move(one))));
        }
        const std::vector<Result<TxId>> taken = rig_.vm().submit_all(std::move(raws));
        for (const Result<TxId>& one : taken) {
            if (!one) give_up("a transaction was refused: " + one.error().message());
        }
        departures_.note(taken.front().value(), start);
    }

    void make_blocks(double seconds) {
        std::size_t second_transactions = 0;
        double second_end_s = 1;
        while (seconds_since(start_) < seconds) {
            handed_in_.wait_until([&] {
                return rig_.vm().mempool().size() >= result_.per_block || submitting_ == 0;
            });
            if (rig_.vm().mempool().size() == 0) break;
            const chain::BlockPtr block = make_block();
            accepted_.happened();
            result_.blocks += 1;
            result_.transactions += block->transactions.size();
            result_.value_bytes += block->transactions.size() * load_.shape().value_bytes;
            result_.block_bytes += block->bytes.size();
            departures_.arrive(block->transactions, result_.latency);
            second_transactions += block->transactions.size();
            if (seconds_since(start_) >= second_end_s) {
                result_.per_second.add(static_cast<double>(second_transactions));
                result_.resident.add(static_cast<double>(resident_bytes()));
                second_transactions = 0;
                second_end_s += 1;
            }
        }
        result_.seconds += seconds_since(start_);
    }

    chain::BlockPtr make_block() {
        vm::VirtualMachine& vm = rig_.vm();
        const auto begin = SteadyClock::now();
        const double loops_start_s = CountingExecutor::own_cpu_s();
        chain::BlockPtr block;
        {
            const Spent spent{engine_cpu_s_["build"]};
            block = must(rig_.node().build_block());
        }
        result_.build.add(ms_since(begin));
        const auto built = SteadyClock::now();
        {
            const Spent spent{engine_cpu_s_["verify"]};
            must(vm.verify_block(block->bytes));
            vm.set_preference(block->id);
        }
        result_.verify.add(ms_since(built));
        const auto verified = SteadyClock::now();
        {
            const Spent spent{engine_cpu_s_["accept"]};
            must(vm.accept(block->id));
        }
        result_.accept.add(ms_since(verified));
        engine_loops_s_ += CountingExecutor::own_cpu_s() - loops_start_s;
        return block;
    }

    Rig& rig_;
    const Load& load_;
    const RunOptions& options_;
    RunResult& result_;
    SteadyClock::time_point start_;
    std::atomic<bool> over_{false};
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> submitting_{0};
    Event handed_in_;  ///< a batch, or the last one of a submitter
    Event accepted_;   ///< a block; or the time is over
    Departures departures_;
    std::map<std::string, double> engine_cpu_s_;  ///< of the thread that makes blocks
    double engine_loops_s_ = 0;                   ///< of it, what it did in loops of the executor

    Mutex mutex_;
    double generate_s_ GUARDED_BY(mutex_) = 0;
    double submit_s_ GUARDED_BY(mutex_) = 0;
};

}  // namespace

double generator_rate(const Load& load, std::size_t threads, double seconds) {
    std::atomic<std::size_t> next{0};
    return static_cast<double>(std::min(threads, cores())) *
           rate_per_thread(threads, seconds, [&](std::size_t) {
               static_cast<void>(load.bytes(next.fetch_add(1) % load.size()));
               return 1.0;
           });
}

RunResult run_engine(const RunOptions& chosen) {
    RunOptions options = chosen;
    if (options.submitters == 0) options.submitters = cores();
    RunResult result;
    result.mode = "engine";
    result.shape = options.shape;
    result.per_block = per_block(options.shape, options.block_bytes);
    // A batch is never more than a block: it would come in bursts that blocks wait for.
    options.batch = std::min(options.batch, result.per_block);
    result.synced =
        "each block is synced to disk before its accept returns (its bytes, then the log of "
        "records)";
    result.left_out =
        "gRPC, JSON-RPC, gossip, the witness in the node's database, and a node's consensus";

    const Accounts accounts{options.senders};
    const Floor before = measure_floor(options.shape, result.per_block, kFloorSeconds);
    {
        const std::size_t room =
            kBlocksWaiting * result.per_block + (options.submitters + 1) * options.batch;
        Rig rig{{.shape = options.shape, .per_block = result.per_block, .mempool_size = room},
                accounts};
        double left_s = options.seconds;
        std::size_t left = options.count;
        while (left_s > 0) {
            const double round_s = std::min(left_s, kRound_s);
            // More than the bound cannot be accepted.
            auto count = static_cast<std::size_t>(before.bound() * round_s * 1.1) + 1;
            if (options.count > 0) count = std::min(count, left);
            rig.start_window();
            const Load load = rig.load(count);
            if (result.generator_alone == 0) {
                result.generator_alone = generator_rate(load, options.submitters, kFloorSeconds);
            }
            const double done_s = result.seconds;
            Round{rig, load, options, result}.run(round_s);
            left_s -= std::max(result.seconds - done_s, round_s);
            if (options.count > 0) {
                left -= std::min(left, count);
                if (left == 0) break;
            }
            // What did not get in before the time was over must not fill the next round's window.
            rig.clock().advance(std::chrono::minutes{2});
        }
    }
    const Floor after = measure_floor(options.shape, result.per_block, kFloorSeconds);
    result.floor = mean_of(before, after);
    return result;
}

double RunResult::foreign_share() const {
    return foreign_s / (seconds * static_cast<double>(cores()));
}

double RunResult::undisturbed_rate() const {
    double spent_s = 0;
    for (const auto& [name, part_s] : cpu_s) spent_s += part_s;
    const double left_s = seconds * std::max(1 - foreign_share(), 0.01);
    const double least_s = spent_s / static_cast<double>(cores());
    return static_cast<double>(transactions) / std::max(left_s, least_s);
}

Json RunResult::json() const {
    Json cpu = Json::object();
    for (const auto& [name, spent_s] : cpu_s) cpu[name] = spent_s;
    return {{"mode", mode},
            {"shape", shape.name()},
            {"valueBytes", shape.value_bytes},
            {"transactionsPerBlock", per_block},
            {"seconds", seconds},
            {"blocks", blocks},
            {"transactions", transactions},
            {"transactionsPerSecond", rate()},
            {"transactionsPerUndisturbedSecond", undisturbed_rate()},
            {"valueMBps", megabytes_per_s()},
            {"blockBytes", block_bytes},
            {"diskBytes", disk_bytes},
            {"submitMs", submit.json()},
            {"buildMs", build.json()},
            {"verifyMs", verify.json()},
            {"acceptMs", accept.json()},
            {"latencyMs", latency.json()},
            {"acceptedInSecond", per_second.json()},
            {"cpuSeconds", cpu},
            {"foreignCpuSeconds", foreign_s},
            {"generatorAlonePerSecond", generator_alone},
            {"residentBytes", resident.json()},
            {"synced", synced},
            {"leftOut", left_out},
            {"floor", floor.json()}};
}

}  // namespace blobvm::bench
