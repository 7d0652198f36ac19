#include "chain/building.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/playground.hpp"

namespace blobvm::chain {
namespace {

using test::account;
using test::Playground;
using test::set_tx;
using test::transfer_tx;
using Skipped = std::vector<std::pair<TxId, ErrorCode>>;

constexpr std::int64_t kNow_s = Playground::kStart_s;

std::string verdict(const Result<BuiltBlock>& result) {
    return result ? "ok" : std::string{name(result.error().code)};
}

TEST(BuildBlockTest, TakesOffersInTheirOrder) {
    Playground chain;
    const TransactionPtr first = set_tx("hello", chain.options());
    const TransactionPtr second = transfer_tx(account(9), Amount{5}, chain.options());
    const BuiltBlock built = chain.build({first, second}).value();
    EXPECT_EQ(built.block->transactions, (std::vector<TransactionPtr>{first, second}));
    EXPECT_EQ(built.block->header.parent, chain.tip().id);
    EXPECT_EQ(built.block->header.height, 1u);
    EXPECT_EQ(built.block->header.timestamp_s, kNow_s);
    EXPECT_EQ(built.outcome.state.balance(account(9))->value, 5u);
    EXPECT_TRUE(chain.skipped().empty());
}

TEST(BuildBlockTest, NothingToTakeIsNoBlock) {
    Playground chain;
    EXPECT_EQ(verdict(chain.build({})), "kNoTransactions");
    EXPECT_EQ(verdict(chain.build({set_tx("", chain.options())})), "kNoTransactions");
}

TEST(BuildBlockTest, TimeIsNotBelowTheParents) {
    Playground chain;
    chain.advance({set_tx("first", chain.options())});
    const TransactionPtr tx = set_tx("x", chain.options());
    EXPECT_EQ(verdict(chain.build({tx}, kNow_s - 1)), "kTimestampTooEarly");
    EXPECT_EQ(verdict(chain.build({tx}, kNow_s)), "ok");
}

TEST(BuildBlockTest, SaysWhyAnOfferWasSkippedAndGoesOn) {
    Playground chain;
    auto foreign = chain.options();
    foreign.magic = 1;
    const TransactionPtr wrong_magic = set_tx("a", foreign);
    const TransactionPtr poor = set_tx("b", chain.options(77));
    const TransactionPtr good = set_tx("c", chain.options());
    const TransactionPtr same_key = set_tx("c", chain.options(2));
    const BuiltBlock built = chain.build({wrong_magic, poor, good, good, same_key}).value();
    EXPECT_EQ(built.block->transactions, (std::vector<TransactionPtr>{good}));
    EXPECT_EQ(chain.skipped(), (Skipped{{wrong_magic->id, ErrorCode::kWrongMagic},
                                        {poor->id, ErrorCode::kInvalidBalance},
                                        {good->id, ErrorCode::kDuplicateTransaction},
                                        {same_key->id, ErrorCode::kKeyExists}}));
}

TEST(BuildBlockTest, StopsAtTheFirstOfferBelowThePrice) {
    Playground chain{Playground::rules_with([](Genesis& g) { g.target_block_size = 0; })};
    chain.advance({set_tx("first", chain.options())});
    ASSERT_EQ(chain.window().next_price(), Price{2});
    auto options = chain.options();
    const TransactionPtr cheap = set_tx("cheap", options);
    options.price = {2};
    const TransactionPtr worth = set_tx("worth", options);
    const TransactionPtr late = set_tx("late", options);
    EXPECT_EQ(chain.build({worth, cheap, late})->block->transactions,
              (std::vector<TransactionPtr>{worth}));
    EXPECT_TRUE(chain.skipped().empty());
}

TEST(BuildBlockTest, LooksPastWhatDoesNotFit) {
    Playground chain{Playground::rules_with([](Genesis& g) {
        g.max_value_size = 2'000;
        g.max_block_size = 4;
    })};
    const TransactionPtr two = set_tx("two", chain.options());
    const TransactionPtr three = set_tx(std::string(1'024, 'x'), chain.options());
    const TransactionPtr one = transfer_tx(account(2), Amount{1}, chain.options());
    const TransactionPtr another = transfer_tx(account(2), Amount{2}, chain.options());
    EXPECT_EQ(chain.build({two, three, one, another})->block->transactions,
              (std::vector<TransactionPtr>{two, one, another}));
    EXPECT_TRUE(chain.skipped().empty());
}

TEST(BuildBlockTest, AsksForNoOfferOnceNothingFits) {
    Playground chain{Playground::rules_with([](Genesis& g) {
        g.max_value_size = 10;
        g.max_block_size = 2;
    })};
    int asked = 0;
    const auto endless = [&]() -> TransactionPtr {
        asked += 1;
        return transfer_tx(account(2), Amount{static_cast<std::uint64_t>(asked)}, chain.options());
    };
    const auto built = build_block(chain.tip(), chain.window(), chain.chain().rules(),
                                   chain.state(), kNow_s, endless, [](const auto&, const auto&) {});
    EXPECT_EQ(built->block->transactions.size(), 2u);
    EXPECT_EQ(asked, 2);
}

TEST(BuildBlockTest, GivesUpAfterManyMisfitsInARow) {
    Playground chain{Playground::rules_with([](Genesis& g) {
        g.max_value_size = 10;
        g.max_block_size = 3;
    })};
    int asked = 0;
    const auto endless = [&]() -> TransactionPtr {
        asked += 1;
        return set_tx(std::to_string(asked), chain.options());  // 2 units each
    };
    const auto built = build_block(chain.tip(), chain.window(), chain.chain().rules(),
                                   chain.state(), kNow_s, endless, [](const auto&, const auto&) {});
    EXPECT_EQ(built->block->transactions.size(), 1u);
    EXPECT_EQ(asked, 1 + 256);
}

TEST(BuildBlockTest, NeverMakesABlockThatTheNetworkCannotCarry) {
    Playground chain{Playground::rules_with([](Genesis& g) {
        g.max_value_size = 262'144;
        g.max_block_size = 1'000'000;
    })};
    std::vector<TransactionPtr> offers;
    for (char c = 'a'; c < 'k'; ++c) {
        offers.push_back(set_tx(std::string(262'144, c), chain.options()));
    }
    const BuiltBlock built = chain.build(offers).value();
    EXPECT_EQ(built.block->transactions.size(), 7u);
    EXPECT_LE(built.block->bytes.size(), kMaxBlockBytes);
    EXPECT_TRUE(check_shape(*built.block, chain.chain().rules(), kNow_s));
}

TEST(BuildBlockTest, WaitsWhereTheSurplusIsTooSmall) {
    Playground chain{Playground::rules_with([](Genesis& g) {
        g.block_cost_enabled = true;
        g.target_block_rate_s = 3;
    })};
    chain.advance({set_tx("first", chain.options())});
    auto options = chain.options();
    options.price = {2};
    const TransactionPtr tx = set_tx("x", options);
    const auto poor = chain.build({tx});
    ASSERT_FALSE(poor);
    EXPECT_EQ(poor.error().message(), "insufficient surplus fee: required=3 found=2");
    EXPECT_EQ(verdict(chain.build({tx}, kNow_s + 1)), "ok") << "a second later it costs 2";
}

TEST(BuildBlockTest, FailingStoreIsNotTheOffersFault) {
    Playground chain;
    const TransactionPtr tx = set_tx("x", chain.options());
    chain.chain().store().failing = true;
    EXPECT_EQ(verdict(chain.build({tx})), "kStoreFailed");
    EXPECT_TRUE(chain.skipped().empty());
}

/// Offers of every kind, best price first as the mempool hands them out.
std::vector<TransactionPtr> random_offers(std::mt19937_64& random, const Playground& chain) {
    std::vector<TransactionPtr> offers;
    for (int i = 0; i < 40; ++i) {
        auto options = chain.options(1 + random() % 9);  // 9 is poor
        options.price = {1 + random() % 12};
        if (random() % 15 == 0) options.price = {300'000};
        if (random() % 15 == 0) options.magic = 1;
        if (random() % 15 == 0) options.block_id = test::block_id(3);
        if (random() % 2 == 0) {
            const std::string value(random() % 3'500, static_cast<char>('a' + random() % 3));
            offers.push_back(set_tx(value, options));
        } else {
            offers.push_back(
                transfer_tx(account(1 + random() % 12), Amount{random() % 400'000}, options));
        }
        if (random() % 10 == 0) offers.push_back(offers.back());
    }
    std::stable_sort(offers.begin(), offers.end(),
                     [](const auto& a, const auto& b) { return a->price() > b->price(); });
    return offers;
}

TEST(BuildBlockTest, WhateverItBuildsPassesVerification) {
    std::mt19937_64 random{11};
    int built_blocks = 0;
    for (int chain_number = 0; chain_number < 12; ++chain_number) {
        Playground chain{Playground::rules_with([&](Genesis& g) {
            g.block_cost_enabled = random() % 2 == 0;
            g.target_block_rate_s = 1 + static_cast<std::int64_t>(random() % 4);
            g.max_value_size = 3'000;
            g.max_block_size = 4 + random() % 60;
            g.target_block_size = random() % 40;
            g.lookback_window_s = static_cast<std::int64_t>(random() % 20);
        })};
        std::int64_t time_s = kNow_s;
        for (int i = 0; i < 12; ++i) {
            time_s += static_cast<std::int64_t>(random() % 6);
            const auto built = chain.build(random_offers(random, chain), time_s);
            if (!built) {
                ASSERT_TRUE(verdict(built) == "kInsufficientSurplus" ||
                            verdict(built) == "kNoTransactions")
                    << verdict(built);
                continue;
            }
            built_blocks += 1;
            const Block& block = *built->block;
            ASSERT_TRUE(check_shape(block, chain.chain().rules(), time_s));
            const auto parsed = test::ChainReplay::parse(block.bytes.view());
            ASSERT_TRUE(parsed);
            ASSERT_EQ((*parsed)->id, block.id);
            const auto outcome = chain.verify(**parsed);
            ASSERT_TRUE(outcome) << outcome.error().message();
            ASSERT_EQ(outcome->changes.balances, built->outcome.changes.balances);
            ASSERT_EQ(outcome->changes.blobs, built->outcome.changes.blobs);
            chain.chain().adopt(built->block, built->outcome);
            chain.chain().accept(block.id);
        }
    }
    EXPECT_GT(built_blocks, 60);
}

}  // namespace
}  // namespace blobvm::chain
