// Whole-engine and whole-node benchmarks: how fast blocks are made, against what this machine could
// do at most, measured in the same run.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <string>

#include "bench/blob-bench/calibration.hpp"
#include "bench/blob-bench/engine_run.hpp"

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

The data goes to a fresh folder under TMPDIR (or /tmp), which is removed: what that stands on
decides what a synced write costs.
)";

struct Options {
    RunOptions run;
    bool transfers = false;
    bool quick = false;
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
    fmt::print("  written to disk {:.2f} bytes for each byte of values; resident {:.0f} MiB\n",
               run.value_bytes == 0
                   ? 0
                   : static_cast<double>(run.disk_bytes) / static_cast<double>(run.value_bytes),
               static_cast<double>(run.resident_end) / (1024 * 1024));
    fmt::print("  synced: {}\n  left out: {}\n", run.synced, run.left_out);
}

int run_engine_mode(const Options& options) {
    const RunResult result = run_engine(options.run);
    print_run(result);
    if (!options.json.empty()) {
        std::ofstream file{options.json};
        file << Json{{"runs", {result.json()}}}.dump(1) << '\n';
        if (!file.flush()) give_up("cannot write " + options.json);
    }
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

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"How fast blocks are made here, and how much faster they could be."};
    app.footer(std::string{kExamples});
    app.require_subcommand(1);
    CLI::App* const engine = app.add_subcommand("engine", "The VM core in this process");
    add_run_options(*engine, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (options.transfers) options.run.shape.value_bytes = 0;
    if (options.quick) options.run.seconds = 2;
    if (engine->parsed()) return run_engine_mode(options);
    return 2;
}
