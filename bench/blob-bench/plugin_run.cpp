#include "bench/blob-bench/plugin_run.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <span>
#include <thread>
#include <unordered_map>

#include "bench/blob-bench/child.hpp"
#include "bench/blob-bench/echo.hpp"
#include "bench/blob-bench/event.hpp"
#include "bench/blob-bench/plugin_rig.hpp"
#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "chain/base/mutex.hpp"

namespace blobvm::bench {
namespace {

using Goal = Target::Goal;

constexpr double kRound_s = 30;  ///< shorter than the window that the transactions name
constexpr double kFloorSeconds = 0.25;
constexpr std::size_t kBlocksWaiting = 4;
constexpr std::size_t kMaxBody = 4 * 1024 * 1024;  ///< of our requests; the plugin takes 8 MiB
constexpr std::size_t kSenders = 64;
constexpr std::size_t kOutstanding = 16;
constexpr double kMiB = 1024 * 1024;
constexpr Shape kTransfers{.value_bytes = 0};

double ms_since(SteadyClock::time_point start) { return seconds_since(start) * 1e3; }

std::string per_s(double rate) { return fmt::format("{:.0f}/s", rate); }

/// Load against a plugin: several threads hand in, the caller's makes blocks.
class Drive {
  public:
    Drive(PluginRig& rig, const Load& load, const RunOptions& options, Way way, RunResult& result)
        : rig_{rig}, load_{load}, options_{options}, way_{way}, result_{result} {}

    /// Returns when `seconds` are over or everything is accepted. What is left in the mempool then
    /// is accepted, too, but does not count.
    void run(double seconds) {
        const double own_start_s = process_cpu_s();
        const double plugin_start_s = cpu_seconds_of(rig_.pid());
        const std::uint64_t disk_start = written_bytes(rig_.pid());
        const ForeignLoad others{{rig_.pid()}};
        start_ = SteadyClock::now();
        {
            std::vector<std::jthread> submitters;
            submitting_ = options_.submitters;
            for (std::size_t n = 0; n < options_.submitters; ++n) {
                submitters.emplace_back([this] { hand_in(); });
            }
            make_blocks(seconds);
            over_ = true;
            step_.happened();
        }
        result_.foreign_s += others.cpu_s();
        result_.disk_bytes += written_bytes(rig_.pid()) - disk_start;
        result_.cpu_s["plugin"] += cpu_seconds_of(rig_.pid()) - plugin_start_s;
        result_.cpu_s["node and client"] += process_cpu_s() - own_start_s;
        while (accepted_ < taken_) accept(rig_.make_block());
    }

  private:
    void hand_in() {
        Samples times;
        while (!over_) {
            const std::size_t begin = next_.fetch_add(options_.batch);
            if (begin >= load_.size()) break;
            const std::size_t end = std::min(begin + options_.batch, load_.size());
            step_.wait_until(
                [&] { return over_ || taken_ - accepted_ <= kBlocksWaiting * result_.per_block; });
            if (over_) break;
            std::string body = issue_body(load_, begin, end);
            const auto start = SteadyClock::now();
            const std::string answer =
                way_ == Way::kRpc ? rig_.post(std::move(body)) : rig_.call(std::move(body));
            check_issued(answer);
            taken_ += end - begin;
            times.add(ms_since(start));
            const Bytes first = load_.bytes(begin);
            const Lock lock{mutex_};
            // A signature names a transaction as well as its id does, and costs no hash.
            departures_.emplace(signature_of(first), start);
            step_.happened();
        }
        {
            const Lock lock{mutex_};
            result_.submit.add_all(times);
        }
        --submitting_;
        step_.happened();
    }

    static Signature signature_of(ByteView standalone) {
        return Signature::from(standalone.last(Signature::kSize));
    }

    void make_blocks(double seconds) {
        std::size_t second_transactions = 0;
        double second_end_s = 1;
        while (seconds_since(start_) < seconds) {
            step_.wait_until(
                [&] { return taken_ - accepted_ >= result_.per_block || submitting_ == 0; });
            if (taken_ == accepted_) break;
            const PluginRig::Made made = rig_.make_block();
            result_.build.add(made.build_s * 1e3);
            result_.verify.add(made.verify_s * 1e3);
            result_.accept.add(made.accept_s * 1e3);
            const std::size_t count = accept(made);
            result_.blocks += 1;
            result_.transactions += count;
            result_.value_bytes += count * load_.shape().value_bytes;
            result_.block_bytes += made.bytes.size();
            second_transactions += count;
            if (seconds_since(start_) >= second_end_s) {
                result_.per_second.add(static_cast<double>(second_transactions));
                result_.resident.add(static_cast<double>(resident_bytes(rig_.pid())));
                second_transactions = 0;
                second_end_s += 1;
            }
        }
        result_.seconds += seconds_since(start_);
    }

    /// Counts the block's transactions out; returns how many there are.
    std::size_t accept(const PluginRig::Made& made) {
        const chain::RawBlock block = must(chain::decode_block(SharedBytes::copy_of(made.bytes)));
        accepted_ += block.transactions.size();
        arrive(block);
        step_.happened();
        return block.transactions.size();
    }

    void arrive(const chain::RawBlock& block) {
        const Lock lock{mutex_};
        for (const chain::RawTransaction& tx : block.transactions) {
            const auto found = departures_.find(Signature::from(tx.signature));
            if (found == departures_.end()) continue;
            result_.latency.add(ms_since(found->second));
            departures_.erase(found);
        }
    }

    PluginRig& rig_;
    const Load& load_;
    const RunOptions& options_;
    const Way way_;
    RunResult& result_;
    SteadyClock::time_point start_;
    std::atomic<bool> over_{false};
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> submitting_{0};
    Event step_;  ///< transactions taken or accepted, or the end of a submitter or of the time
    std::atomic<std::size_t> taken_{0};
    std::atomic<std::size_t> accepted_{0};
    Mutex mutex_;
    std::unordered_map<Signature, SteadyClock::time_point, IdHash> departures_ GUARDED_BY(mutex_);
};

/// Requests that are ready to be sent, one transaction each.
std::vector<std::string> ready_bodies(const Load& load) {
    std::vector<std::string> bodies;
    for (std::size_t i = 0; i < load.size(); ++i) bodies.push_back(issue_body(load, i, i + 1));
    return bodies;
}

/// Hands all of `bodies` in, kOutstanding at a time; how many a second, less what other programs
/// took.
double issue_rate(PluginRig& rig, std::span<const std::string> bodies, double& foreign_share) {
    std::atomic<std::size_t> next{0};
    const ForeignLoad others{{rig.pid()}};
    const auto start = SteadyClock::now();
    {
        std::vector<std::jthread> threads;
        for (std::size_t n = 0; n < kOutstanding; ++n) {
            threads.emplace_back([&] {
                for (std::size_t i = next++; i < bodies.size(); i = next++) {
                    check_issued(rig.call(bodies[i]));
                }
            });
        }
    }
    const double wall_s = seconds_since(start);
    foreign_share = others.cpu_s() / (wall_s * static_cast<double>(cores()));
    return static_cast<double>(bodies.size()) / (wall_s * std::max(1 - foreign_share, 0.01));
}

/// In turns with what it is compared to, since a shared machine is not as quick in every second.
void measure_single_issues(Findings& findings, bool quick, PluginRig& rig, Echo& echo) {
    constexpr std::size_t kEach = 5'000;
    const std::size_t rounds = quick ? 3 : 9;
    const std::vector<std::string> bodies = ready_bodies(rig.load(rounds * kEach));
    Samples rates, ceilings, ratios, foreign;
    for (std::size_t round = 0; round < rounds; ++round) {
        const double bare = echo.rate(kOutstanding, bodies.front().size(), 120, 0.4);
        const double recover = measure_recover(cores(), 0.1) * static_cast<double>(cores());
        double foreign_share = 0;
        rates.add(issue_rate(rig, std::span{bodies}.subspan(round * kEach, kEach), foreign_share));
        foreign.add(foreign_share);
        ceilings.add(1 / (1 / bare + 1 / recover));
        ratios.add(rates.values().back() / ceilings.values().back());
    }
    findings.targets.push_back(
        {.what = "issueRawTx of 1 KiB, one by one",
         .measured = per_s(rates.median()),
         .reference = fmt::format("a bare call and a recovery, {}", per_s(ceilings.median())),
         .ratio = ratios.median(),
         .goal = Goal::kAtLeast,
         .limit = 0.7,
         .note = fmt::format("{} outstanding, straight to the plugin, no blocks meanwhile; medians "
                             "of {} rounds, ratios {:.2f} to {:.2f}",
                             kOutstanding, rounds, ratios.quantile(0), ratios.max()),
         .raw = {{"issuesPerSecond", rates.json()},
                 {"ceilingPerSecond", ceilings.json()},
                 {"ratio", ratios.json()}},
         .foreign = foreign.median()});
}

std::string resolve_body(const BlobKey& key) {
    return fmt::format(
        R"({{"jsonrpc":"2.0","id":1,"method":"blobvm.resolve","params":{{"key":"0x{}"}}}})",
        to_hex(key.view()));
}

/// The keys of values that are accepted by then.
std::vector<BlobKey> store_values(PluginRig& rig, const Shape& shape, std::size_t count) {
    const Load load = rig.load(count, shape);
    std::vector<BlobKey> keys;
    for (std::size_t i = 0; i < load.size(); ++i) {
        check_issued(rig.call(issue_body(load, i, i + 1)));
        const Bytes bytes = load.bytes(i);
        const auto raw = must(chain::decode_transaction(SharedBytes::copy_of(bytes)));
        keys.push_back(retag<BlobKey>(keccak256(raw.fields.set()->value)));
    }
    rig.make_block();
    return keys;
}

void measure_reads(Findings& findings, bool quick, PluginRig& rig, Echo& echo) {
    const auto keys_of = [&](std::size_t bytes, std::size_t count) {
        return store_values(rig, Shape{.value_bytes = bytes}, count);
    };
    const std::vector<BlobKey> large = keys_of(200 * 1024, 4);
    std::size_t next = 0;
    std::size_t answer_bytes = 0;
    const auto read_large = [&] {
        answer_bytes = rig.call(resolve_body(large[next++ % large.size()])).size();
    };
    for (std::size_t i = 0; i < large.size(); ++i) read_large();
    const Samples large_s = time_each(quick ? 0.5 : 2, 50, read_large);
    const Samples bare_s = time_each(quick ? 0.5 : 2, 50, [&] { echo.call(130, answer_bytes); });
    findings.targets.push_back(
        {.what = "resolve 200 KiB, HTTP over gRPC",
         .measured = fmt::format("{:.2f} ms", large_s.median() * 1e3),
         .reference = "1.2 ms",
         .ratio = large_s.median() * 1e3 / 1.2,
         .goal = Goal::kAtMost,
         .limit = 1,
         .note = fmt::format("the median of one at a time; a bare call that answers as much takes "
                             "{:.2f} ms",
                             bare_s.median() * 1e3),
         .raw = large_s.json()});

    const std::vector<BlobKey> small = keys_of(1024, 64);
    std::vector<std::string> bodies;
    for (const BlobKey& key : small) bodies.push_back(resolve_body(key));
    for (const std::string& body : bodies) answer_bytes = rig.call(body).size();
    const double seconds = quick ? 1 : 3;
    const double rate =
        calls_per_second(kOutstanding, seconds, {rig.pid()}, [&](std::size_t thread) {
            if (rig.call(bodies[thread % bodies.size()]).empty()) give_up("an empty answer");
            return 1.0;
        });
    const double bare = echo.rate(kOutstanding, bodies.front().size(), answer_bytes, seconds);
    findings.targets.push_back(
        {.what = "resolve 1 KiB, HTTP over gRPC",
         .measured = per_s(rate),
         .reference = fmt::format("bare calls of that size, {}", per_s(bare)),
         .ratio = rate / bare,
         .goal = Goal::kAtLeast,
         .limit = 0.6,
         .note = fmt::format("{} outstanding", kOutstanding),
         .raw = nullptr});
}

/// Blocks of one transfer, one after another: what the boundary itself costs.
void measure_small_blocks(Findings& findings, bool quick, PluginRig& rig, Echo& echo,
                          double small_sync_s) {
    Samples block_s, build_s, verify_s, accept_s, call_s;
    for (std::size_t i = 0; i < (quick ? 60U : 300U); ++i) {
        const Load one = rig.load(1, kTransfers);
        check_issued(rig.call(issue_body(one, 0, 1)));
        const PluginRig::Made made = rig.make_block();
        block_s.add(made.build_s + made.verify_s + made.accept_s);
        build_s.add(made.build_s);
        verify_s.add(made.verify_s);
        accept_s.add(made.accept_s);
        const auto start = SteadyClock::now();
        echo.call(400, 400);
        call_s.add(seconds_since(start));
    }
    // Build, verify, prefer, accept, and the plugin's own call that writes the witness.
    constexpr double kCalls = 5;
    const double ceiling_s = kCalls * call_s.median() + small_sync_s;
    findings.targets.push_back(
        {.what = "blocks of one transfer through the plugin",
         .measured = fmt::format("{:.2f} ms", block_s.median() * 1e3),
         .reference = fmt::format("5 bare calls and one synced write, {:.2f} ms", ceiling_s * 1e3),
         .ratio = ceiling_s / block_s.median(),
         .goal = Goal::kAtLeast,
         .limit = 0.9,
         .note = fmt::format(
             "build {:.2f}, verify and prefer {:.2f}, accept {:.2f}; a bare call {:.2f} ms",
             build_s.median() * 1e3, verify_s.median() * 1e3, accept_s.median() * 1e3,
             call_s.median() * 1e3),
         .raw = {{"blockS", block_s.json()},
                 {"buildS", build_s.json()},
                 {"verifyAndPreferS", verify_s.json()},
                 {"acceptS", accept_s.json()},
                 {"callS", call_s.json()}}});
}

/// Transactions per second that the load generator makes with nothing else to do.
double generator_alone(const Load& load, const RunOptions& options) {
    std::atomic<std::size_t> next{0};
    return static_cast<double>(std::min(options.submitters, cores()) * options.batch) *
           rate_per_thread(options.submitters, kFloorSeconds, [&](std::size_t) {
               const std::size_t at = next++ * options.batch % load.size();
               issue_body(load, at, std::min(at + options.batch, load.size()));
               return 1.0;
           });
}

}  // namespace

RunResult run_plugin(const RunOptions& chosen, Way way) {
    RunOptions options = chosen;
    if (options.submitters == 0) options.submitters = 2 * cores();
    const std::size_t text_bytes = options.shape.nested_bytes() * 4 / 3 + 100;
    options.batch = std::clamp<std::size_t>(kMaxBody / text_bytes, 1, options.batch);

    RunResult result;
    result.mode = way == Way::kRpc ? "rpc" : "plugin";
    if (options.batch == 1) result.mode += ", one by one";
    result.shape = options.shape;
    result.per_block = per_block(options.shape, options.block_bytes);
    result.synced =
        "each block is synced by the plugin before its BlockAccept returns; the node's own records "
        "(witness, heights, block bytes) are written, not synced";
    result.left_out = "a node's consensus and network";

    const Accounts accounts{options.senders};
    const Floor before = measure_floor(options.shape, result.per_block, kFloorSeconds);
    {
        const std::size_t room =
            kBlocksWaiting * result.per_block + (options.submitters + 1) * options.batch;
        PluginRig rig{{.shape = options.shape,
                       .per_block = result.per_block,
                       .mempool_size = room,
                       .mempool_bytes = 1'000'000'000},
                      accounts};
        std::size_t left = options.count;
        for (double left_s = options.seconds; left_s > 0; left_s -= kRound_s) {
            const double round_s = std::min(left_s, kRound_s);
            // Signing takes as long as recovery: no more than may be needed.
            const double most = result.seconds > 0 ? 1.3 * result.rate() : before.bound();
            auto count = static_cast<std::size_t>(most * round_s) + 1;
            if (options.count > 0) count = std::min(count, left);
            const Load load = rig.load(count);
            if (result.generator_alone == 0) {
                result.generator_alone = generator_alone(load, options);
            }
            Drive{rig, load, options, way, result}.run(round_s);
            if (options.count > 0 && (left -= count) == 0) break;
        }
    }
    result.floor = mean_of(before, measure_floor(options.shape, result.per_block, kFloorSeconds));
    return result;
}

void measure_boundary(Findings& findings, bool quick, double engine_small) {
    Echo echo;
    echo.call(100, 100);
    // One at a time leaves the cores idle: the usual call is the measure, not the time left.
    findings.calibration.grpc_one =
        1 / time_each(quick ? 0.5 : 2, 100, [&] { echo.call(100, 100); }).median();
    findings.calibration.grpc_many = echo.rate(kOutstanding, 100, 100, quick ? 0.5 : 2);
    {
        const Accounts accounts{kSenders};
        PluginRig rig{{.shape = {.value_bytes = 200 * 1024}, .per_block = 8}, accounts};
        measure_small_blocks(findings, quick, rig, echo, findings.calibration.small_sync_ms * 1e-3);
        measure_reads(findings, quick, rig, echo);
    }
    {
        const Accounts accounts{kSenders};
        const Shape shape{.value_bytes = 1024};
        PluginRig rig{{.shape = shape, .per_block = per_block(shape, 1638 * 1024)}, accounts};
        measure_single_issues(findings, quick, rig, echo);
    }
    RunOptions batches;
    batches.seconds = quick ? 4 : 30;
    findings.runs.push_back(run_plugin(batches, Way::kPlugin));
    const RunResult& run = findings.runs.back();
    if (engine_small > 0) {
        findings.targets.push_back(
            {.what = "issueRawTx of 1 KiB in batches of 100, with blocks",
             .measured = per_s(run.undisturbed_rate()),
             .reference = fmt::format("the engine alone, {}", per_s(engine_small)),
             .ratio = run.undisturbed_rate() / engine_small,
             .goal = Goal::kAtLeast,
             .limit = 0.75,
             .note = "through the plugin's gRPC; client, node and plugin share the cores",
             .raw = nullptr,
             .foreign = run.foreign_share()});
    }
}

void measure_memory(Findings& findings) {
    const Accounts accounts{kSenders};
    constexpr std::uint64_t bound = 64 * 1024 * 1024;
    const Shape shape{.value_bytes = 16 * 1024};
    PluginRig rig{{.shape = shape, .per_block = 100, .mempool_bytes = bound}, accounts};
    const auto idle = static_cast<double>(resident_bytes(rig.pid()));
    findings.targets.push_back({.what = "memory, idle",
                                .measured = fmt::format("{:.1f} MiB", idle / kMiB),
                                .reference = "64 MiB",
                                .ratio = idle / kMiB / 64,
                                .goal = Goal::kAtMost,
                                .limit = 1,
                                .note = "resident, of the plugin process after its start",
                                .raw = nullptr});
    const std::size_t fits = bound / (shape.nested_bytes() + chain::kVersionBytes);
    const Load load = rig.load(fits);
    for (std::size_t at = 0; at < fits; at += 20) {
        check_issued(rig.call(issue_body(load, at, std::min(at + 20, fits))));
    }
    const double full = static_cast<double>(resident_bytes(rig.pid())) - idle;
    findings.targets.push_back(
        {.what = "memory, mempool full",
         .measured = fmt::format("{:.1f} MiB more", full / kMiB),
         .reference = fmt::format("its bound, {} MiB", bound >> 20),
         .ratio = full / static_cast<double>(bound),
         .goal = Goal::kAtMost,
         .limit = 1.15,
         .note = "sets of 16 KiB in batches of 20; buffers that requests leave behind included",
         .raw = nullptr});
}

void measure_soak(Findings& findings, double seconds) {
    RunOptions options;
    options.shape.value_bytes = 64;  // small: an hour of larger ones would fill the disk
    options.seconds = seconds;
    const RunResult run = run_plugin(options, Way::kPlugin);
    // Caches and tables of bounded size fill up at first.
    const std::vector<double>& all = run.resident.values();
    const auto third = [&all](std::size_t n) {
        Samples part;
        for (std::size_t i = all.size() * n / 3; i < all.size() * (n + 1) / 3; ++i)
            part.add(all[i]);
        return part.median();
    };
    findings.targets.push_back(
        {.what = fmt::format("memory, {:.0f} min of load", seconds / 60),
         .measured = fmt::format("{:.1f} MiB", third(2) / kMiB),
         .reference = fmt::format("in the second third, {:.1f} MiB", third(1) / kMiB),
         .ratio = third(2) / third(1),
         .goal = Goal::kAtMost,
         .limit = 1.05,
         .note = fmt::format("sets of 64 B, {} transactions, {} blocks; medians of the last and "
                             "the second third; at most {:.1f} MiB",
                             run.transactions, run.blocks, run.resident.max() / kMiB),
         .raw = {{"residentBytes", run.resident.json()},
                 {"acceptedInSecond", run.per_second.json()}}});
}

void measure_upload(Findings& findings, bool quick, double engine_large) {
    struct Case {
        const char* interval;
        std::size_t bytes;
    };
    // So long that beginning and end (a block each, and waiting for it) weigh little.
    const std::size_t size = (quick ? 128U : 256U) * 1'000'000U;
    for (const Case& one : {Case{"100ms", size}, Case{"0s", size}}) {
        const Folder folder;
        const std::string cli = program_beside("blob-cli");
        const std::string key = (folder.path() / "key").string();
        const std::string file = (folder.path() / "file").string();
        const std::string config = (folder.path() / "config").string();
        {
            const Bytes content = random_bytes(one.bytes, 9);
            std::ofstream{file, std::ios::binary}.write(as_chars(content).data(),
                                                        static_cast<std::streamsize>(one.bytes));
            std::ofstream{config} << fmt::format(R"({{"buildInterval":"{}"}})", one.interval);
        }
        Child create{{cli, "--private-key-file", key, "create", "--json"}};
        const std::string address = Json::parse(create.line()).at("address");
        create.wait();
        Child devnet{
            {program_beside("blob-devnet"), "--data-dir", (folder.path() / "chain").string(),
             "--port", "0", "--chain-config", config, "--fund", address + "=1000000000000"},
            Child::Errors::kDropped};
        const std::string ready = devnet.line();
        if (ready.empty()) give_up("blob-devnet did not start");
        const Json node = Json::parse(ready).at("nodes").at(0);
        const int plugin = node.at("pid");
        const double cpu_start_s = cpu_seconds_of(plugin);
        const ForeignLoad others{{plugin, devnet.pid()}};
        const auto start = SteadyClock::now();
        Child upload{{cli, "--private-key-file", key, "--endpoint",
                      node.at("endpoint").get<std::string>(), "set-file", "--json", file}};
        const std::string stored = upload.line();
        const int code = upload.wait();
        const double wall_s = seconds_since(start);
        if (code != 0) give_up("blob-cli could not store the file");
        const double cpu_s = cpu_seconds_of(plugin) - cpu_start_s;
        const double rate = static_cast<double>(one.bytes) / wall_s / 1e6;
        const double foreign = others.cpu_s() / (wall_s * static_cast<double>(cores()));
        const std::string shared = fmt::format(
            "{} MB, all programs on this machine; by the clock {:.1f} MB/s, while other programs "
            "had {:.0f} % of the cores",
            one.bytes / 1'000'000, rate, 100 * foreign);
        if (std::string_view{one.interval} == "100ms") {
            findings.targets.push_back({.what = "upload by blob-cli, blocks every 100 ms",
                                        .measured = fmt::format("{:.1f} MB/s", rate),
                                        .reference = "16 MB/s",
                                        .ratio = rate / 16,
                                        .goal = Goal::kAtLeast,
                                        .limit = 1,
                                        .note = shared,
                                        .raw = nullptr,
                                        .foreign = foreign});
            findings.targets.push_back({.what = "upload: the plugin's share of one core",
                                        .measured = fmt::format("{:.0f} %", 100 * cpu_s / wall_s),
                                        .reference = "one core",
                                        .ratio = cpu_s / wall_s,
                                        .goal = Goal::kAtMost,
                                        .limit = 0.5,
                                        .note = {},
                                        .raw = nullptr});
        } else if (engine_large > 0) {
            const double engine = engine_large * 204'800 / 1e6;
            const double undisturbed = rate / std::max(1 - foreign, 0.01);
            findings.targets.push_back(
                {.what = "upload by blob-cli, no interval",
                 .measured = fmt::format("{:.1f} MB/s", undisturbed),
                 .reference = fmt::format("the engine alone, {:.1f} MB/s", engine),
                 .ratio = undisturbed / engine,
                 .goal = Goal::kAtLeast,
                 .limit = 0.5,
                 .note = shared,
                 .raw = nullptr,
                 .foreign = foreign});
        }
        ::kill(devnet.pid(), SIGINT);
        devnet.wait();
    }
}

}  // namespace blobvm::bench
