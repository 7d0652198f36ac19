// What the store costs a node: one commit for each accepted block, one read for each resolve.
//
// Blocks are made beforehand and only the call is timed. The raw write is the floor: the block's
// bytes appended to a file, and synced where the commit is. All files lie under TMPDIR; what it
// stands on decides the synced figures.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>

#include "chain/base/check.hpp"
#include "tests/vm/store_support.hpp"
#include "vm/store/rocks_store.hpp"

namespace blobvm {
namespace {

using Clock = std::chrono::steady_clock;

/// The two ends of what fills a block of the fast preset.
test::BlockShape shape(std::int64_t value_bytes) {
    if (value_bytes == 1024) return {.sets = 1'600, .value_bytes = 1024, .transfers = 0};
    return {.sets = 8, .value_bytes = 204'800, .transfers = 0};
}

std::unique_ptr<vm::ChainStore> open(const test::TempFolder& folder, std::uint64_t cache_bytes) {
    auto store = vm::store::open_rocks_store(
        {.directory = folder.string(), .chain_id = test::chain_id(1), .cache_bytes = cache_bytes});
    CHECK(store.has_value());
    return std::move(*store);
}

/// Of this thread: what a commit costs on a machine that does other things as well.
double cpu_s() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void time_in(benchmark::State& state, Clock::time_point start) {
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
}

/// range(0): value size; range(1): 1 if synced.
void BM_StoreCommit(benchmark::State& state) {
    const test::TempFolder folder;
    const auto store = open(folder, 64 << 20);
    const test::ChainMaker maker{1, shape(state.range(0))};
    CHECK(maker.extend(*store, 0).has_value());
    const auto durability =
        state.range(1) == 1 ? vm::Durability::kSynced : vm::Durability::kBuffered;
    std::size_t bytes = 0;
    double spent_s = 0;
    for (auto _ : state) {
        const test::Commit next = maker.after(store->tip());
        bytes += next.block->bytes.size();
        const auto start = Clock::now();
        const double cpu_start_s = cpu_s();
        CHECK(store->commit(*next.block, next.summary, next.changes, durability).has_value());
        spent_s += cpu_s() - cpu_start_s;
        time_in(state, start);
    }
    state.counters["cpu per commit"] =
        benchmark::Counter(spent_s, benchmark::Counter::kAvgIterations);
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
    const auto disk_bytes = static_cast<double>(store->stats().disk_bytes);
    state.counters["disk/block bytes"] = disk_bytes / static_cast<double>(bytes);
}

void BM_RawLogWrite(benchmark::State& state) {
    const test::TempFolder folder;
    const int fd = ::open((folder.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    CHECK(fd >= 0);
    const test::ChainMaker maker{1, shape(state.range(0))};
    const test::Commit one = maker.after({0, maker.genesis_block()->id});
    const ByteView block = one.block->bytes.view();
    for (auto _ : state) {
        const auto start = Clock::now();
        CHECK(::write(fd, block.data(), block.size()) == static_cast<ssize_t>(block.size()));
        if (state.range(1) == 1) CHECK(::fdatasync(fd) == 0);
        time_in(state, start);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block.size()));
    ::close(fd);
}

void commit_shapes(benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"value", "synced"})->UseManualTime()->Iterations(200);
    for (const int value : {1024, 204'800}) {
        for (const int synced : {0, 1}) bench->Args({value, synced});
    }
}
BENCHMARK(BM_StoreCommit)->Apply(commit_shapes)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_RawLogWrite)->Apply(commit_shapes)->Unit(benchmark::kMicrosecond);

/// range(0): value size; range(1): 1 if it is in our cache already. Otherwise it comes from the
/// operating system's, and is hashed again.
void BM_StoreBlob(benchmark::State& state) {
    const test::TempFolder folder;
    const bool warm = state.range(1) == 1;
    const test::ChainMaker maker{1, shape(state.range(0))};
    CHECK(maker.extend(*open(folder, 0), 10).has_value());
    const auto store = open(folder, warm ? 64 << 20 : 0);
    std::vector<BlobKey> keys;
    for (std::uint64_t height = 0; height < 10; ++height) {
        const test::Commit made = maker.after({height, store->block_id_at(height).value()});
        for (const auto& [key, meta] : made.changes.blobs) keys.push_back(key);
    }
    const auto snapshot = store->snapshot();
    if (warm) {
        for (const BlobKey& key : keys) CHECK(snapshot->blob(key).has_value());
    }
    std::size_t next = 0;
    for (auto _ : state) {
        auto blob = snapshot->blob(keys[next++ % keys.size()]);
        benchmark::DoNotOptimize(blob);
        CHECK(blob.has_value());
    }
}
BENCHMARK(BM_StoreBlob)
    ->ArgNames({"value", "warm"})
    ->ArgsProduct({{1024, 204'800}, {0, 1}})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace blobvm
