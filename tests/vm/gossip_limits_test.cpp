#include "vm/detail/gossip_limits.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/mempool/offers.hpp"

namespace blobvm::vm::detail {
namespace {

using namespace std::chrono_literals;
using mempool::test::make_transaction;
using mempool::test::numbered;

constexpr SteadyTime kStart{1h};

TxId tx_id(std::uint64_t number) { return numbered<TxId>(number); }
NodeId peer(std::uint64_t number) { return numbered<NodeId>(number); }

TEST(SeenCacheTest, IdIsNewOnce) {
    SeenCache seen{/*capacity=*/8, /*lifetime=*/10s};

    EXPECT_FALSE(seen.contains(tx_id(1), kStart));
    EXPECT_TRUE(seen.insert(tx_id(1), kStart));
    EXPECT_TRUE(seen.contains(tx_id(1), kStart));
    EXPECT_FALSE(seen.insert(tx_id(1), kStart));
}

TEST(SeenCacheTest, IdIsNewAgainAfterItsLifetime) {
    SeenCache seen{/*capacity=*/8, /*lifetime=*/10s};
    ASSERT_TRUE(seen.insert(tx_id(1), kStart));

    EXPECT_FALSE(seen.insert(tx_id(1), kStart + 10s - 1ns));
    EXPECT_FALSE(seen.contains(tx_id(1), kStart + 10s)) << "the second sighting renewed it";
    EXPECT_TRUE(seen.insert(tx_id(1), kStart + 10s));
    EXPECT_TRUE(seen.contains(tx_id(1), kStart + 15s));
    EXPECT_EQ(seen.size(), 1);
}

TEST(SeenCacheTest, OldestGivesWayWhenFull) {
    SeenCache seen{/*capacity=*/3, /*lifetime=*/10s};
    for (std::uint64_t number = 1; number <= 4; ++number) {
        ASSERT_TRUE(seen.insert(tx_id(number), kStart));
    }

    EXPECT_EQ(seen.size(), 3);
    EXPECT_FALSE(seen.contains(tx_id(1), kStart));
    EXPECT_TRUE(seen.contains(tx_id(2), kStart));
    EXPECT_TRUE(seen.contains(tx_id(4), kStart));
}

TEST(PeerBudgetsTest, PeerGetsItsBurstAndThenItsRate) {
    PeerBudgets budgets{/*per_second=*/50, /*burst=*/512, /*max_peers=*/8};

    EXPECT_EQ(budgets.take(peer(1), 500, kStart), 500);
    EXPECT_EQ(budgets.take(peer(1), 500, kStart), 12);
    EXPECT_EQ(budgets.take(peer(1), 500, kStart), 0);
    EXPECT_EQ(budgets.take(peer(1), 500, kStart + 1s), 50);
    EXPECT_EQ(budgets.take(peer(1), 10, kStart + 2s), 10);
    EXPECT_EQ(budgets.take(peer(1), 500, kStart + 2s), 40);
}

TEST(PeerBudgetsTest, SilenceSavesNoMoreThanTheBurst) {
    PeerBudgets budgets{/*per_second=*/50, /*burst=*/512, /*max_peers=*/8};
    ASSERT_EQ(budgets.take(peer(1), 512, kStart), 512);

    EXPECT_EQ(budgets.take(peer(1), 1000, kStart + 1h), 512);
}

TEST(PeerBudgetsTest, OnePeerDoesNotSpendAnothersBudget) {
    PeerBudgets budgets{/*per_second=*/50, /*burst=*/512, /*max_peers=*/8};
    ASSERT_EQ(budgets.take(peer(1), 1000, kStart), 512);

    EXPECT_EQ(budgets.take(peer(2), 1000, kStart), 512);
}

TEST(PeerBudgetsTest, LongestSilentPeerIsForgottenWhenThereAreTooMany) {
    PeerBudgets budgets{/*per_second=*/1, /*burst=*/10, /*max_peers=*/2};
    ASSERT_EQ(budgets.take(peer(1), 10, kStart), 10);
    ASSERT_EQ(budgets.take(peer(2), 10, kStart + 1ms), 10);
    ASSERT_EQ(budgets.take(peer(1), 10, kStart + 2ms), 0);

    EXPECT_EQ(budgets.take(peer(3), 10, kStart + 3ms), 10);
    EXPECT_EQ(budgets.peers(), 2);
    EXPECT_EQ(budgets.take(peer(1), 10, kStart + 4ms), 0) << "who spoke last is still known";
}

TEST(RoundTest, TakesWhatFitsAndLeavesTheRest) {
    Round round{{.units = FeeUnits{10}, .bytes = 500, .count = 10}};

    EXPECT_TRUE(round.add(make_transaction(1, {}), FeeUnits{4}));
    EXPECT_FALSE(round.add(make_transaction(2, {}), FeeUnits{7}));
    EXPECT_FALSE(round.add(make_transaction(3, {.size_bytes = 450}), FeeUnits{1}));
    EXPECT_TRUE(round.add(make_transaction(4, {}), FeeUnits{5}));
    EXPECT_FALSE(round.is_full());
    EXPECT_TRUE(round.add(make_transaction(5, {}), FeeUnits{1}));
    EXPECT_TRUE(round.is_full());
    EXPECT_EQ(round.taken().size(), 3);
}

TEST(RoundTest, BytesAreThoseOfTheEncodedMessage) {
    const auto transaction = make_transaction(1, {.size_bytes = 200});
    const auto bytes =
        chain::encode_gossip(std::vector<chain::RawTransaction>{transaction->raw}).value().size();

    Round exact{{.units = FeeUnits{10}, .bytes = bytes, .count = 10}};
    EXPECT_TRUE(exact.add(transaction, FeeUnits{1}));
    Round smaller{{.units = FeeUnits{10}, .bytes = bytes - 1, .count = 10}};
    EXPECT_FALSE(smaller.add(transaction, FeeUnits{1}));
}

TEST(RoundTest, CountIsBounded) {
    Round round{{.units = FeeUnits{1000}, .bytes = 10'000, .count = 2}};

    EXPECT_TRUE(round.add(make_transaction(1, {}), FeeUnits{1}));
    EXPECT_TRUE(round.add(make_transaction(2, {}), FeeUnits{1}));
    EXPECT_FALSE(round.add(make_transaction(3, {}), FeeUnits{1}));
}

}  // namespace
}  // namespace blobvm::vm::detail
