#include "chain/window.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/support/chain_replay.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::chain {
namespace {

TxId tx_id(std::uint64_t number) { return retag<TxId>(test::block_id(number)); }

BlockSummary block(std::uint64_t number, std::uint64_t parent, std::uint64_t height,
                   std::int64_t timestamp_s) {
    return {.id = test::block_id(number),
            .parent = test::block_id(parent),
            .height = height,
            .timestamp_s = timestamp_s,
            .price = {10},
            .cost = {},
            .units = {},
            .transactions = {}};
}

/// spec/blobvm.md 6.3 as it is written down: a walk, and nothing remembered.
class NaiveHistory {
  public:
    explicit NaiveHistory(const Genesis& rules) : rules_{rules} {}

    void add(const BlockSummary& block) { blocks_.emplace(block.id, block); }

    std::vector<const BlockSummary*> walk(const BlockId& parent, std::int64_t time_s) const {
        std::vector<const BlockSummary*> found;
        auto at = blocks_.find(parent);
        while (at != blocks_.end()) {
            const BlockSummary& block = at->second;
            const bool included = time_s - block.timestamp_s <= rules_.lookback_window_s;
            if (!included && !found.empty()) break;
            found.push_back(&block);
            if (block.height == 0) break;
            at = blocks_.find(block.parent);
        }
        return found;
    }

    void expect_equal(const Window& window, const BlockId& parent, std::int64_t time_s,
                      const std::vector<BlockId>& some_blocks,
                      const std::vector<TxId>& some_transactions) const {
        std::uint64_t units = 0;
        std::set<BlockId> ids;
        std::set<TxId> transactions;
        std::vector<Price> prices;
        for (const BlockSummary* block : walk(parent, time_s)) {
            units += block->units.value;
            ids.insert(block->id);
            transactions.insert(block->transactions.begin(), block->transactions.end());
            prices.push_back(block->price);
        }
        ASSERT_EQ(window.block_count(), ids.size());
        ASSERT_EQ(window.transaction_count(), transactions.size());
        ASSERT_EQ(window.recent_units(), units);
        ASSERT_EQ(window.prices(), prices);
        for (const BlockId& id : some_blocks) ASSERT_EQ(window.has_block(id), ids.contains(id));
        for (const TxId& id : some_transactions) {
            ASSERT_EQ(window.has_transaction(id), transactions.contains(id));
        }
    }

  private:
    Genesis rules_;
    std::map<BlockId, BlockSummary> blocks_;
};

/// A random tree that grows at its tips while blocks are accepted and their rivals rejected, as an
/// engine does; every window that can be asked for is compared with the walk.
class RandomTree {
  public:
    RandomTree(std::uint64_t seed, const Genesis& rules)
        : random_{seed}, rules_{rules}, history_{rules}, naive_{rules} {
        const BlockSummary genesis = block(next_++, 0, 0, 0);
        last_accepted_ = genesis;
        naive_.add(genesis);
        all_.push_back(genesis.id);
        history_.reset({genesis});
    }

    void grow() {
        const BlockSummary parent = any_tip();
        BlockSummary child = block(next_++, 0, parent.height + 1, parent.timestamp_s + gap());
        if (parent.height == 0) child.timestamp_s += 1'600'000'000;
        child.parent = parent.id;
        child.price = {random_() % 50};
        child.cost = {random_() % 500};
        child.units = {random_() % 300};
        for (std::uint64_t i = random_() % 4; i > 0; --i) {
            child.transactions.push_back(tx_id(random_() % 400));
        }
        history_.add(child);
        history_.add(child);  // no effect
        naive_.add(child);
        all_.push_back(child.id);
        processing_.push_back(child);
    }

    void decide() {
        const auto chosen = std::find_if(
            processing_.begin(), processing_.end(),
            [&](const BlockSummary& each) { return each.parent == last_accepted_.id; });
        if (chosen == processing_.end()) return;
        last_accepted_ = *chosen;
        processing_.erase(chosen);
        history_.accept(last_accepted_.id);
        reject_all_but_descendants();
    }

    void compare() {
        const BlockSummary parent = any_tip();
        const std::int64_t time_s = parent.timestamp_s + gap();
        std::vector<BlockId> ids;
        std::vector<TxId> transactions;
        for (int i = 0; i < 30; ++i) {
            const std::size_t back = std::min<std::size_t>(all_.size(), 60);
            ids.push_back(all_[all_.size() - 1 - random_() % back]);
            transactions.push_back(tx_id(random_() % 400));
        }
        ids.push_back(parent.id);
        const Window window = history_.window(parent.id, time_s);
        naive_.expect_equal(window, parent.id, time_s, ids, transactions);
        const SuggestedFee kept = fees_.suggest(window, rules_);
        const SuggestedFee afresh = suggested_fee(window, rules_);
        ASSERT_EQ(kept.price, afresh.price);
        ASSERT_EQ(kept.cost, afresh.cost);
    }

    std::uint64_t height() const { return last_accepted_.height; }
    std::size_t processing() const { return processing_.size(); }

  private:
    BlockSummary any_tip() {
        const std::size_t choice = random_() % (processing_.size() + 1);
        return choice == processing_.size() ? last_accepted_ : processing_[choice];
    }
    std::int64_t gap() { return random_() % 3 == 0 ? static_cast<std::int64_t>(random_() % 9) : 0; }

    void reject_all_but_descendants() {
        std::set<BlockId> alive{last_accepted_.id};
        std::vector<BlockSummary> kept;
        std::vector<BlockId> rejected;
        for (const BlockSummary& each : processing_) {  // parents come before their children
            if (alive.contains(each.parent)) {
                alive.insert(each.id);
                kept.push_back(each);
            } else {
                rejected.push_back(each.id);
            }
        }
        std::shuffle(rejected.begin(), rejected.end(), random_);
        for (const BlockId& id : rejected) history_.reject(id);
        for (const BlockId& id : rejected) EXPECT_FALSE(history_.contains(id));
        processing_ = std::move(kept);
    }

    std::mt19937_64 random_;
    Genesis rules_;
    History history_;
    NaiveHistory naive_;
    FeeSuggester fees_;  ///< sees windows of all branches, that move on and back
    std::uint64_t next_ = 1;
    BlockSummary last_accepted_;
    std::vector<BlockSummary> processing_;
    std::vector<BlockId> all_;
};

TEST(HistoryTest, RandomTreesEqualTheNaiveWalk) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE(seed);
        Genesis rules;
        rules.lookback_window_s = static_cast<std::int64_t>(seed * seed % 40);
        RandomTree tree{seed, rules};
        std::mt19937_64 random{seed};
        for (int step = 0; step < 1500; ++step) {
            tree.grow();
            if (random() % 100 < 60 || tree.processing() > 200) tree.decide();
            tree.compare();
            if (HasFatalFailure()) return;
        }
        EXPECT_GT(tree.height(), 100u);
    }
}

TEST(HistoryTest, DeepProcessingBranchesEqualTheNaiveWalk) {
    Genesis rules;
    rules.lookback_window_s = 300;
    RandomTree tree{99, rules};
    for (int i = 0; i < 600; ++i) tree.grow();
    for (int i = 0; i < 300; ++i) tree.compare();
}

/// 6,500 blocks in one minute, at heights where skip links are at their worst.
TEST(HistoryTest, LongWindowsEqualTheNaiveWalk) {
    const Genesis rules;
    NaiveHistory naive{rules};
    std::vector<BlockSummary> blocks;
    for (std::uint64_t n = 1; n <= 8'000; ++n) {
        blocks.push_back(
            block(n, n - 1, (1ULL << 40) + n, 1'000 + static_cast<std::int64_t>(n / 107)));
        blocks.back().units = {n};
        blocks.back().transactions = {tx_id(n)};
        naive.add(blocks.back());
    }
    History history{rules};
    const std::vector<BlockSummary> first(blocks.begin(), blocks.begin() + 7'000);
    history.reset(first);
    for (std::size_t n = 7'000; n < 8'000; ++n) history.add(blocks[n]);
    for (std::size_t n = 7'000; n < 7'500; ++n) history.accept(blocks[n].id);

    for (const std::uint64_t parent : {7'500u, 7'501u, 7'999u, 8'000u}) {
        for (const std::int64_t later_s : {0, 1, 59, 60, 61, 1000}) {
            const std::int64_t time_s = blocks[parent - 1].timestamp_s + later_s;
            std::vector<BlockId> ids;
            std::vector<TxId> transactions;
            for (std::uint64_t n = 1; n <= 8'000; n += 13) {
                ids.push_back(test::block_id(n));
                transactions.push_back(tx_id(n));
            }
            naive.expect_equal(history.window(test::block_id(parent), time_s),
                               test::block_id(parent), time_s, ids, transactions);
            if (HasFatalFailure()) return;
        }
    }
    EXPECT_GT(history.window(test::block_id(8'000), 1'074).block_count(), 6'000u);
}

TEST(HistoryTest, ForgetsWhatNoWindowCanReach) {
    Genesis rules;
    rules.lookback_window_s = 60;
    History history{rules};
    history.reset({block(1, 0, 0, 0)});
    std::int64_t time_s = 1'000;
    for (std::uint64_t n = 2; n <= 500; ++n) {
        history.add(block(n, n - 1, n - 1, time_s += 10));
        history.accept(test::block_id(n));
    }
    // 60 s of window and 10 s for a clock that is behind: the last one and 7 before it.
    EXPECT_TRUE(history.contains(test::block_id(493)));
    EXPECT_FALSE(history.contains(test::block_id(492)));
    EXPECT_EQ(history.window(test::block_id(500), time_s).block_count(), 7u);
    EXPECT_EQ(history.window(test::block_id(500), time_s - 10).block_count(), 8u);
}

TEST(HistoryTest, GenesisLeavesTheWindowWithTheFirstBlock) {
    const Genesis rules;
    History history{rules};
    history.reset({block(1, 0, 0, 0)});
    history.add(block(2, 1, 1, 1'600'000'000));
    EXPECT_TRUE(history.window(test::block_id(1), 1'600'000'000).has_block(test::block_id(1)));
    EXPECT_FALSE(history.window(test::block_id(2), 1'600'000'001).has_block(test::block_id(1)));
}

TEST(HistoryTest, RejectedParentKeepsItsChildrenAnswerable) {
    const Genesis rules;
    History history{rules};
    history.reset({block(1, 0, 0, 100)});
    history.add(block(2, 1, 1, 101));
    history.add(block(3, 2, 2, 102));
    history.add(block(4, 3, 3, 103));
    history.reject(test::block_id(2));
    EXPECT_FALSE(history.contains(test::block_id(2)));
    EXPECT_EQ(history.window(test::block_id(4), 104).block_count(), 4u);
    history.reject(test::block_id(4));
    history.reject(test::block_id(4));
    EXPECT_EQ(history.window(test::block_id(3), 104).block_count(), 3u);
    history.reject(test::block_id(3));
    EXPECT_FALSE(history.contains(test::block_id(3)));

    history.add(block(2, 1, 1, 101));  // the engine may ask for it again
    EXPECT_TRUE(history.contains(test::block_id(2)));
    history.accept(test::block_id(2));
    history.reject(test::block_id(2));  // no effect on what is final
    EXPECT_TRUE(history.contains(test::block_id(2)));
}

TEST(HistoryTest, TransactionsOfASiblingAreNotInTheWindow) {
    const Genesis rules;
    History history{rules};
    history.reset({block(1, 0, 0, 100)});
    BlockSummary left = block(2, 1, 1, 101);
    BlockSummary right = block(3, 1, 1, 101);
    left.transactions = {tx_id(1), tx_id(2)};
    right.transactions = {tx_id(2), tx_id(3)};
    history.add(left);
    history.add(right);
    const Window window = history.window(left.id, 102);
    EXPECT_TRUE(window.has_transaction(tx_id(1)));
    EXPECT_TRUE(window.has_transaction(tx_id(2)));
    EXPECT_FALSE(window.has_transaction(tx_id(3)));
    EXPECT_FALSE(window.has_block(right.id));
    EXPECT_EQ(window.transaction_count(), 2u);
}

TEST(HistoryTest, ResetStartsOver) {
    const Genesis rules;
    History history{rules};
    history.reset({block(1, 0, 0, 100), block(2, 1, 1, 101)});
    history.reset({block(7, 6, 9, 100)});
    EXPECT_FALSE(history.contains(test::block_id(1)));
    EXPECT_EQ(history.window(test::block_id(7), 101).block_count(), 1u);
}

// ---- price and cost ----

struct Next {
    Price price;
    BlockCost cost;
};
Next next_after(std::uint64_t units, std::int64_t elapsed_s, const Genesis& rules, Price price,
                BlockCost cost = {}) {
    History history{rules};
    BlockSummary parent = block(1, 0, 5, 1'000);
    parent.units = {units};
    parent.price = price;
    parent.cost = cost;
    history.reset({parent});
    const Window window = history.window(parent.id, 1'000 + elapsed_s);
    return {window.next_price(), window.next_cost()};
}

TEST(PriceTest, RisesAboveTheTargetHoldsAtItFallsBelow) {
    const Genesis rules;
    const std::uint64_t target = rules.target_range_units();
    ASSERT_EQ(target, 13'500u);
    EXPECT_EQ(next_after(target + 1, 1, rules, {9}).price, Price{10});
    EXPECT_EQ(next_after(target, 1, rules, {9}).price, Price{9});
    EXPECT_EQ(next_after(target - 1, 1, rules, {9}).price, Price{8});
}

TEST(PriceTest, FallsOnceMoreForEachWindowGoneAndNotBelowTheMinimum) {
    Genesis rules;
    rules.min_price = {5};
    EXPECT_EQ(next_after(0, 59, rules, {9}).price, Price{8});
    EXPECT_EQ(next_after(0, 60, rules, {9}).price, Price{7});
    EXPECT_EQ(next_after(0, 120, rules, {9}).price, Price{6});
    EXPECT_EQ(next_after(0, 180, rules, {9}).price, Price{5});
    EXPECT_EQ(next_after(0, 1'000'000, rules, {9}).price, Price{5});
}

TEST(CostTest, RisesWhenEarlyFallsWhenLate) {
    Genesis rules;
    rules.target_block_rate_s = 3;
    EXPECT_EQ(next_after(0, 0, rules, {1}, {10}).cost, BlockCost{13});
    EXPECT_EQ(next_after(0, 3, rules, {1}, {10}).cost, BlockCost{10});
    EXPECT_EQ(next_after(0, 12, rules, {1}, {10}).cost, BlockCost{1});
    EXPECT_EQ(next_after(0, 13, rules, {1}, {10}).cost, BlockCost{0});
    EXPECT_EQ(next_after(0, 500, rules, {1}, {10}).cost, BlockCost{0});
    rules.block_cost_enabled = false;
    EXPECT_EQ(next_after(0, 0, rules, {1}, {0}).cost, BlockCost{0});
}

TEST(SummaryTest, AddsUpUnitsAndNamesTransactions) {
    const Genesis rules;
    const std::string value(2'000, 'x');
    const TransactionPtr set = test::set_tx(value);
    const TransactionPtr transfer = test::transfer_tx(test::account(2), Amount{1});
    const BlockPtr made = make_block({.parent = test::block_id(1),
                                      .timestamp_s = 7,
                                      .height = 3,
                                      .price = {4},
                                      .cost = {5},
                                      .access_proof = {}},
                                     {set, transfer})
                              .value();
    const BlockSummary summary = summarise(*made, rules);
    EXPECT_EQ(summary.id, made->id);
    EXPECT_EQ(summary.parent, test::block_id(1));
    EXPECT_EQ(summary.height, 3u);
    EXPECT_EQ(summary.timestamp_s, 7);
    EXPECT_EQ(summary.price, Price{4});
    EXPECT_EQ(summary.cost, BlockCost{5});
    EXPECT_EQ(summary.units, FeeUnits{1 + 2 + 1});
    EXPECT_EQ(summary.transactions, (std::vector<TxId>{set->id, transfer->id}));
}

}  // namespace
}  // namespace blobvm::chain
