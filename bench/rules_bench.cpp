// What the rules cost a node once signatures are known: per transaction, per block, per window.
//
// Signing, hashing and recovery happen beforehand; the store is a map in memory, so that only the
// rules are timed.

#include <benchmark/benchmark.h>

#include <map>

#include "chain/base/check.hpp"
#include "chain/presets.hpp"
#include "tests/support/playground.hpp"

namespace blobvm::chain {
namespace {

using test::account;
using test::Playground;

constexpr std::int64_t kNow_s = Playground::kStart_s;

Genesis big_blocks() {
    return Playground::rules_with([](Genesis& g) { g.max_block_size = 1'000'000; });
}

/// Transfers of 8 senders to as many recipients as there are transfers.
std::vector<TransactionPtr> transfers(const Playground& chain, std::size_t count) {
    std::vector<TransactionPtr> all;
    all.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const Address to = Address::from(test::block_id(1'000 + i).view().subspan(12));
        all.push_back(test::transfer_tx(to, Amount{1}, chain.options(1 + i % 8)));
    }
    return all;
}

std::vector<TransactionPtr> sets(const Playground& chain, std::size_t count) {
    std::vector<TransactionPtr> all;
    for (std::size_t i = 0; i < count; ++i) {
        std::string value(1'024, 'x');
        value += std::to_string(i);
        all.push_back(test::set_tx(value, chain.options(1 + i % 8)));
    }
    return all;
}

void execute_all(benchmark::State& state, const std::vector<TransactionPtr>& transactions,
                 Playground& chain) {
    const Window window = chain.window();
    const Scene scene{.rules = chain.chain().rules(), .window = window, .block_time_s = kNow_s};
    for (auto _ : state) {
        Overlay overlay{chain.state()};
        for (const TransactionPtr& tx : transactions) CHECK(execute(*tx, scene, overlay));
        benchmark::DoNotOptimize(overlay);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(transactions.size()));
}

/// A block's worth of transfers, one after another: what each submit, build and verify pays.
void BM_ExecuteTransfers(benchmark::State& state) {
    Playground chain{big_blocks()};
    execute_all(state, transfers(chain, 1'000), chain);
}
BENCHMARK(BM_ExecuteTransfers);

void BM_ExecuteSets(benchmark::State& state) {
    Playground chain{big_blocks()};
    execute_all(state, sets(chain, 1'000), chain);
}
BENCHMARK(BM_ExecuteSets);

/// A block of known transactions: what every validator pays for transfers that gossip has brought
/// already. 1,600 fill a block of the fast preset.
void BM_VerifyTransfers(benchmark::State& state) {
    Playground chain{big_blocks()};
    const auto count = static_cast<std::size_t>(state.range(0));
    const BuiltBlock built = chain.build(transfers(chain, count)).value();
    for (auto _ : state) {
        CHECK(check_shape(*built.block, chain.chain().rules(), kNow_s));
        CHECK(chain.verify(*built.block));
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_VerifyTransfers)->Arg(160)->Arg(1'600)->Arg(10'000);

/// A block from 10,000 offers, encoded and hashed: all of them fit, or only range(0) do.
void BM_BuildFromTenThousandOffers(benchmark::State& state) {
    Playground chain{Playground::rules_with([&](Genesis& g) {
        g.max_value_size = 1'024;
        g.max_block_size = static_cast<std::uint64_t>(state.range(0));
    })};
    const std::vector<TransactionPtr> offers = transfers(chain, 10'000);
    for (auto _ : state) benchmark::DoNotOptimize(chain.build(offers).value());
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_BuildFromTenThousandOffers)->Arg(1'600)->Arg(10'000);

/// The context of one child with range(0) blocks in the window, the last range(1) of them still
/// processing: what each submit, build and verify begins with.
void BM_Window(benchmark::State& state) {
    const Genesis rules = fast_genesis(1);
    const auto blocks = static_cast<std::uint64_t>(state.range(0));
    const auto processing = static_cast<std::uint64_t>(state.range(1));
    const auto summary = [&](std::uint64_t n) {
        BlockSummary block;
        block.id = retag<BlockId>(keccak256(test::block_id(n).view()));
        block.parent = retag<BlockId>(keccak256(test::block_id(n - 1).view()));
        block.height = 1'000'000 + n;
        block.timestamp_s = kNow_s + static_cast<std::int64_t>(n * 60 / blocks);
        block.transactions = {retag<TxId>(block.id)};
        return block;
    };
    History history{rules};
    std::vector<BlockSummary> accepted;
    for (std::uint64_t n = 1; n <= 2 * blocks - processing; ++n) accepted.push_back(summary(n));
    history.reset(std::move(accepted));
    for (std::uint64_t n = 2 * blocks - processing + 1; n <= 2 * blocks; ++n) {
        history.add(summary(n));
    }
    const BlockSummary parent = summary(2 * blocks);
    const BlockSummary recent = summary(2 * blocks - blocks / 2);
    for (auto _ : state) {
        const Window window = history.window(parent.id, parent.timestamp_s);
        benchmark::DoNotOptimize(window.next_price());
        CHECK(window.has_block(recent.id));
        CHECK(!window.has_transaction(TxId{}));
    }
}
BENCHMARK(BM_Window)
    ->ArgsProduct({{60, 600, 6'000}, {0}})
    ->Args({6'000, 1})
    ->Args({6'000, 500})
    ->Args({6'000, 5'000});

/// The post-state of a block that changes range(0) balances, on a shadow of range(1).
void BM_StateWith(benchmark::State& state) {
    const test::MemoryStore store;
    const auto changes = [](std::uint64_t from, std::uint64_t count) {
        Changes made;
        for (std::uint64_t n = from; n < from + count; ++n) {
            const Hash256 hash = keccak256(test::block_id(n).view());
            made.balances.emplace_back(Address::from(hash.view()), Amount{n});
        }
        return made;
    };
    const State base =
        State{store}.with(changes(1'000'000, static_cast<std::uint64_t>(state.range(1))));
    const Changes made = changes(1, static_cast<std::uint64_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(base.with(made));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_StateWith)
    ->Args({100, 0})
    ->Args({10'000, 0})
    ->Args({100, 100'000})
    ->Args({10'000, 100'000});

}  // namespace
}  // namespace blobvm::chain
