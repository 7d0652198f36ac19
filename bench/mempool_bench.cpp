#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "mempool/mempool.hpp"
#include "tests/mempool/offers.hpp"

namespace blobvm::mempool {
namespace {

using test::make_transaction;
using test::offer_of;

constexpr std::size_t kUnbounded = std::size_t{1} << 40;

/// Offers of `senders` accounts at random prices, with ids as random as hashes are.
std::vector<Offer> make_offers(std::size_t count, std::size_t senders = 100,
                               std::size_t size_bytes = 200) {
    std::mt19937_64 random{1};
    std::vector<Offer> offers;
    for (std::size_t i = 0; i < count; ++i) {
        auto transaction = make_transaction(random(), {.price = Price{1 + random() % 10'000},
                                                       .sender = 1 + i % senders,
                                                       .block = 1 + i % 60,
                                                       .size_bytes = size_bytes,
                                                       .signature = random()});
        offers.push_back(offer_of(std::move(transaction), FeeUnits{2}));
    }
    return offers;
}

Limits room_for(std::size_t count) {
    return {.count = count, .bytes = kUnbounded, .sender_count = count, .sender_bytes = kUnbounded};
}

/// One add and one take on a pool that holds `range(0)` transactions: what a busy node pays for
/// every transaction. Offers are made beforehand, and outlive the timing: only the pool is timed.
void BM_MempoolAddTake(benchmark::State& state) {
    const auto size = static_cast<std::size_t>(state.range(0));
    const std::vector<Offer> offers = make_offers(2 * size);
    Mempool pool{room_for(size + 1)};
    for (std::size_t i = 0; i < size; ++i) {
        if (!pool.add(offers[i])) return state.SkipWithError("the pool refused an offer");
    }

    // One in, the best out: what went out is offered again when its turn comes.
    std::size_t next = size;
    for (auto _ : state) {
        benchmark::DoNotOptimize(pool.add(offers[next]));
        benchmark::DoNotOptimize(pool.take_best());
        next = (next + 1) % offers.size();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MempoolAddTake)->RangeMultiplier(10)->Range(1'000, 100'000);

/// One add to a full pool of `range(0)`, where the worst must give way: what a flood costs.
void BM_MempoolEvict(benchmark::State& state) {
    const auto size = static_cast<std::size_t>(state.range(0));
    const std::vector<Offer> offers = make_offers(2 * size);
    Mempool pool{room_for(size)};
    std::size_t next = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(pool.add(offers[next]));
        next = (next + 1) % offers.size();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MempoolEvict)->RangeMultiplier(10)->Range(1'000, 100'000);

/// A walk over the best thousand of `range(0)`: what a builder pays to see what it could take.
void BM_MempoolWalk(benchmark::State& state) {
    const auto size = static_cast<std::size_t>(state.range(0));
    Mempool pool{room_for(size)};
    for (const Offer& offer : make_offers(size)) {
        if (!pool.add(offer)) return state.SkipWithError("the pool refused an offer");
    }
    for (auto _ : state) {
        Mempool::Position position;
        for (int i = 0; i < 1000; ++i) benchmark::DoNotOptimize(pool.next_best(position));
    }
    state.SetItemsProcessed(1000 * state.iterations());
}
BENCHMARK(BM_MempoolWalk)->RangeMultiplier(10)->Range(1'000, 100'000);

/// An add and a take of values of `range(0)` bytes: flat, since no value is copied.
void BM_MempoolValueSize(benchmark::State& state) {
    const std::vector<Offer> offers =
        make_offers(64, /*senders=*/8, static_cast<std::size_t>(state.range(0)));
    Mempool pool{room_for(64)};
    std::size_t next = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(pool.add(offers[next]));
        benchmark::DoNotOptimize(pool.take_best());
        next = (next + 1) % offers.size();
    }
}
BENCHMARK(BM_MempoolValueSize)->Arg(200)->Arg(204'800);

}  // namespace
}  // namespace blobvm::mempool
