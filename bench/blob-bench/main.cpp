// Whole-engine and whole-node benchmarks: how fast blocks are made, against what this machine could
// do at most, measured in the same run.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "bench/blob-bench/calibration.hpp"
#include "bench/blob-bench/echo.hpp"
#include "bench/blob-bench/engine_run.hpp"
#include "bench/blob-bench/findings.hpp"
#include "bench/blob-bench/parts.hpp"
#include "bench/blob-bench/plugin_run.hpp"
#include "bench/blob-bench/report.hpp"

namespace {

using namespace blobvm::bench;

constexpr std::string_view kExamples = R"(
Examples:
  # sets of 1 KiB through the VM core in this process, for 30 s
  blob-bench engine

  # values of 200 KiB, ten seconds, everything measured as JSON
  blob-bench engine --value-size 204800 --seconds 10 --json out.json

  # transfers, blocks of about 1,600 of them
  blob-bench engine --transfers --block-bytes 240000

  # through the real plugin, and through HTTP one transaction at a time, 16 outstanding
  blob-bench plugin
  blob-bench rpc --batch 1 --submitters 16

  # everything, as one table
  blob-bench suite --quick

The plugin is the blobvm beside this program. The data goes to a fresh folder under TMPDIR (or /tmp), which is removed: what that stands on
decides what a synced write costs.
)";

struct Options {
    RunOptions run;
    bool transfers = false;
    bool quick = false;
    double soak_s = 0;
    std::vector<std::string> only;
    std::string commit = "unknown";
    std::string findings;
    std::string page;
    std::vector<std::string> modules;
    std::string fill_folder;
    std::size_t fill_bytes = 0;
    std::string json;
};

void print_run(const RunResult& run) {
    fmt::print("{}: {}, {} in a block, {} blocks in {:.1f} s\n", run.mode, run.shape.name(),
               run.per_block, run.blocks, run.seconds);
    fmt::print("  accepted        {:>10.0f} tx/s  {:>8.2f} MB/s of values\n", run.rate(),
               run.megabytes_per_s());
    fmt::print("  undisturbed     {:>10.0f} tx/s  (other programs had {:.0f} % of the cores)\n",
               run.undisturbed_rate(), 100 * run.foreign_share());
    fmt::print("  bound here      {:>10.0f} tx/s  ratio {:.2f}\n", run.floor.bound(),
               run.undisturbed_rate() / run.floor.bound());
    fmt::print("  generator alone {:>10.0f} tx/s  {:.0f} times what was accepted\n",
               run.generator_alone, run.generator_alone / run.rate());
    const auto line = [](const char* name, const Samples& samples) {
        if (samples.size() == 0) return;
        fmt::print("  {:<15} p50 {:>9.3f}  p99 {:>9.3f}  max {:>9.3f} ms  ({} samples)\n", name,
                   samples.median(), samples.quantile(0.99), samples.max(), samples.size());
    };
    line("submit a batch", run.submit);
    line("build", run.build);
    line("verify", run.verify);
    line("accept", run.accept);
    line("tx, in to final", run.latency);
    double total_s = 0;
    for (const auto& [name, spent_s] : run.cpu_s) total_s += spent_s;
    for (const auto& [name, spent_s] : run.cpu_s) {
        fmt::print("  cpu {:<10} {:>8.2f} us/tx  {:>5.1f} %\n", name,
                   spent_s * 1e6 / static_cast<double>(run.transactions), 100 * spent_s / total_s);
    }
    fmt::print(
        "  written to disk {:.2f} bytes for each byte of values; resident {:.0f} MiB at most\n",
        run.value_bytes == 0
            ? 0
            : static_cast<double>(run.disk_bytes) / static_cast<double>(run.value_bytes),
        run.resident.max() / (1024 * 1024));
    fmt::print("  synced: {}\n  left out: {}\n", run.synced, run.left_out);
}

void write_json(const Options& options, const Json& json) {
    if (options.json.empty()) return;
    std::ofstream file{options.json};
    file << json.dump(1) << '\n';
    if (!file.flush()) give_up("cannot write " + options.json);
}

Target engine_target(const RunResult& run, double limit) {
    const bool large = run.shape.value_bytes > 64 * 1024;
    const double bound = large ? run.floor.hashing_bound() : run.floor.bound();
    const char* const what = large ? "hashing" : run.shape.is_set() ? "recovery + hashing" : "R";
    const double reference =
        run.shape.is_set() ? bound : static_cast<double>(run.floor.cores) / run.floor.recover_s;
    return {
        .what = "engine, " + run.shape.name(),
        .measured = fmt::format("{:.0f} tx/s", run.undisturbed_rate()),
        .reference = fmt::format("{} on all cores, {:.0f}/s", what, reference),
        .ratio = run.undisturbed_rate() / reference,
        .goal = Target::Goal::kAtLeast,
        .limit = limit,
        .note = fmt::format("sustained {:.1f} s; by the clock {:.0f} tx/s, while other programs "
                            "had {:.0f} % of the cores",
                            run.seconds, run.rate(), 100 * run.foreign_share()),
        .raw = nullptr,
        .foreign = run.foreign_share()};
}

int run_one(const Options& options, const std::function<RunResult(const RunOptions&)>& run) {
    Findings findings;
    findings.machine = machine_fingerprint(options.commit);
    findings.runs.push_back(run(options.run));
    const RunResult& result = findings.runs.back();
    print_run(result);
    if (result.mode == "engine") {
        findings.targets.push_back(engine_target(result, result.shape.is_set() ? 0.80 : 0.85));
        print_targets(findings.targets);
    }
    write_json(options, findings.json());
    return 0;
}

/// Says what comes next: a whole suite takes minutes.
void announce(std::string_view what) {
    fmt::print(stderr, "blob-bench: {}\n", what);
    std::fflush(stderr);
}

/// What the engine has come to with values of this size; 0 if it was not asked.
double engine_rate(const Findings& findings, std::size_t value_bytes) {
    for (const RunResult& run : findings.runs) {
        if (run.mode == "engine" && run.shape.value_bytes == value_bytes) {
            return run.undisturbed_rate();
        }
    }
    return 0;
}

int run_suite(const Options& options) {
    const bool quick = options.quick;
    Findings findings;
    findings.machine = machine_fingerprint(options.commit);
    {
        announce("calibration");
        const Folder folder;
        findings.calibration = calibrate(quick ? 0.3 : 2, folder.path());
    }
    struct Wanted {
        std::size_t value_bytes;
        double limit;  ///< of the ratio; 0: the table of targets has none
    };
    std::vector<Wanted> shapes{{1'024, 0.80}, {0, 0.85}, {204'800, 0.80}};
    for (const std::size_t size : {64U, 4'096U, 16'384U, 65'536U}) shapes.push_back({size, 0});
    const auto wanted_part = [&](std::string_view name) {
        return options.only.empty() || std::ranges::find(options.only, name) != options.only.end();
    };
    for (const Wanted& wanted : shapes) {
        if (!wanted_part("engine")) break;
        RunOptions run = options.run;
        run.shape.value_bytes = wanted.value_bytes;
        run.seconds = wanted.limit == 0 ? (quick ? 2 : 10) : (quick ? 4 : 30);
        announce("engine, " + run.shape.name());
        findings.runs.push_back(run_engine(run));
        if (wanted.limit > 0)
            findings.targets.push_back(engine_target(findings.runs.back(), wanted.limit));
    }
    const auto part = [&](std::string_view name, void (*measure)(Findings&, bool)) {
        if (!wanted_part(name)) return;
        announce(name);
        measure(findings, quick);
    };
    part("verify", measure_verify);
    part("build", measure_build);
    part("processing", measure_processing);
    part("tree", measure_tree);
    part("mempool", measure_mempool);
    part("window", measure_window);
    part("accept", measure_accept);
    part("read", measure_read);
    part("state", measure_state);
    if (wanted_part("start")) {
        announce("start");
        measure_start(findings, quick ? std::size_t{256} << 20 : std::size_t{4} << 30);
    }
    if (wanted_part("boundary")) {
        announce("boundary");
        measure_boundary(findings, quick, engine_rate(findings, 1'024));
        RunOptions run;
        run.seconds = quick ? 3 : 30;
        announce("rpc, batches");
        findings.runs.push_back(run_plugin(run, Way::kRpc));
        run.batch = 1;
        run.submitters = 16;
        announce("rpc, one by one");
        findings.runs.push_back(run_plugin(run, Way::kRpc));
    }
    part("memory", [](Findings& all, bool) { measure_memory(all); });
    if (options.soak_s > 0) {
        announce("soak");
        measure_soak(findings, options.soak_s);
    }
    if (wanted_part("upload")) {
        announce("upload");
        measure_upload(findings, quick, engine_rate(findings, 204'800));
    }
    print_targets(findings.targets);
    write_json(options, findings.json());
    return 0;
}

void add_run_options(CLI::App& app, Options& options) {
    app.add_option("--value-size", options.run.shape.value_bytes, "Bytes of each value")
        ->check(CLI::Range(8, 204'800))
        ->capture_default_str();
    app.add_flag("--transfers", options.transfers, "Transfers instead of sets");
    app.add_option("--seconds", options.run.seconds, "How long the load lasts")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--count", options.run.count,
                   "Most transactions (default: as many as the seconds allow)");
    app.add_option("--senders", options.run.senders, "Accounts that sign")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    app.add_option("--recipients", options.run.recipients, "Accounts that transfers go to")
        ->check(CLI::Range(1, 100'000'000))
        ->capture_default_str();
    app.add_option("--block-bytes", options.run.block_bytes,
                   "Genesis has a limit that so many bytes of transactions reach")
        ->check(CLI::Range(1'000, 2'000'000))
        ->capture_default_str();
    app.add_option("--batch", options.run.batch, "Transactions handed in at once")
        ->check(CLI::Range(1, 1'024))
        ->capture_default_str();
    app.add_option("--submitters", options.run.submitters,
                   "Threads that hand in (default: one for each core)")
        ->check(CLI::Range(1, 64));
    app.add_flag("--quick", options.quick, "Two seconds, for a look");
    app.add_option("--json", options.json, "Write everything measured to this file");
}

void add_suite_options(CLI::App& app, Options& options) {
    app.add_flag("--quick", options.quick, "Less of everything: about two minutes");
    app.add_option("--json", options.json, "Write everything measured to this file");
    app.add_option("--soak", options.soak_s, "And so many seconds of load, to see memory grow")
        ->check(CLI::Range(30, 100'000));
    app.add_option("--only", options.only, "Only these parts, by the names that a run tells");
    app.add_option("--commit", options.commit, "What is measured, for the record");
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"How fast blocks are made here, and how much faster they could be."};
    app.footer(std::string{kExamples});
    app.require_subcommand(1);
    CLI::App* const engine = app.add_subcommand("engine", "The VM core in this process");
    add_run_options(*engine, options);
    CLI::App* const plugin =
        app.add_subcommand("plugin", "The real plugin process, through its gRPC");
    add_run_options(*plugin, options);
    CLI::App* const rpc =
        app.add_subcommand("rpc", "The real plugin process, through a node's HTTP port");
    add_run_options(*rpc, options);
    CLI::App* const echo = app.add_subcommand("echo", "")->group("");  // a child, too
    CLI::App* const suite = app.add_subcommand("suite", "Everything, as one table of targets");
    add_suite_options(*suite, options);
    CLI::App* const report =
        app.add_subcommand("report", "A page with plots, of what a suite has written");
    report->add_option("FINDINGS", options.findings, "JSON of a suite")->required();
    report->add_option("PAGE", options.page, "HTML to write")->required();
    report->add_option("MODULES", options.modules, "JSON of Google Benchmark");
    CLI::App* const fill = app.add_subcommand("fill", "")->group("");  // a child of suite's
    fill->add_option("folder", options.fill_folder)->required();
    fill->add_option("bytes", options.fill_bytes)->required();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (options.transfers) options.run.shape.value_bytes = 0;
    if (suite->parsed()) return run_suite(options);
    if (report->parsed()) return write_report(options.findings, options.page, options.modules);
    if (echo->parsed()) return run_echo();
    if (fill->parsed()) return fill_chain(options.fill_folder, options.fill_bytes);
    if (options.quick) options.run.seconds = 2;
    if (engine->parsed()) return run_one(options, run_engine);
    for (const auto& [mode, way] : {std::pair{plugin, Way::kPlugin}, std::pair{rpc, Way::kRpc}}) {
        if (!mode->parsed()) continue;
        return run_one(options,
                       [way = way](const RunOptions& run) { return run_plugin(run, way); });
    }
    return 2;
}
