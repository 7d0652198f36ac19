#include "chain/verification.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/playground.hpp"

namespace blobvm::chain {
namespace {

using test::account;
using test::Playground;
using test::set_tx;
using test::transfer_tx;

constexpr std::int64_t kNow_s = Playground::kStart_s;

template <class T>
std::string verdict(const Result<T>& result) {
    return result ? "ok" : std::string{name(result.error().code)};
}

/// The block that the rules want after the tip of `chain`, but for `change`.
BlockPtr child(const Playground& chain, std::vector<TransactionPtr> transactions,
               const std::function<void(BlockHeader&)>& change = {}, std::int64_t time_s = kNow_s) {
    const Window window = chain.window(time_s);
    BlockHeader header{.parent = chain.tip().id,
                       .timestamp_s = time_s,
                       .height = chain.tip().header.height + 1,
                       .price = window.next_price(),
                       .cost = window.next_cost(),
                       .access_proof = {}};
    header.access_proof = access_proof(chain.state(), header.parent, header.height).value();
    if (change) change(header);
    return make_block(header, std::move(transactions)).value();
}

// ---- shape ----

TEST(CheckShapeTest, BlockHasTransactions) {
    const Playground chain;
    const Genesis rules;
    EXPECT_EQ(verdict(check_shape(*child(chain, {}), rules, kNow_s)), "kNoTransactions");
    EXPECT_EQ(verdict(check_shape(*child(chain, {set_tx("x")}), rules, kNow_s)), "ok");
}

TEST(CheckShapeTest, BlockIsLessThanTenSecondsAhead) {
    const Playground chain;
    const Genesis rules;
    const BlockPtr block = child(chain, {set_tx("x")});
    EXPECT_EQ(verdict(check_shape(*block, rules, kNow_s - 9)), "ok");
    EXPECT_EQ(verdict(check_shape(*block, rules, kNow_s - 10)), "kTimestampTooLate");
    EXPECT_EQ(verdict(check_shape(*block, rules, std::nullopt)), "ok") << "bootstrapping";
    EXPECT_EQ(verdict(check_shape(*block, rules, std::numeric_limits<std::int64_t>::max())), "ok");
    EXPECT_EQ(verdict(check_shape(*block, rules, std::numeric_limits<std::int64_t>::min())),
              "kTimestampTooLate");
}

TEST(CheckShapeTest, UnitsStayWithinTheLimit) {
    const Playground chain;
    Genesis rules;
    rules.max_block_size = 5;
    const TransactionPtr two_units = set_tx("x");
    const TransactionPtr one_unit = transfer_tx(account(2), Amount{1});
    EXPECT_EQ(verdict(check_shape(*child(chain, {two_units, two_units, one_unit}), rules, kNow_s)),
              "ok");
    EXPECT_EQ(verdict(check_shape(*child(chain, {two_units, two_units, two_units}), rules, kNow_s)),
              "kBlockTooBig");
    rules.base_tx_units = std::numeric_limits<std::uint64_t>::max() / 2 + 1;
    rules.max_block_size = std::numeric_limits<std::uint64_t>::max();
    EXPECT_EQ(verdict(check_shape(*child(chain, {one_unit, one_unit}), rules, kNow_s)),
              "kBlockTooBig")
        << "the sum wraps to zero";
}

TEST(CheckShapeTest, BytesStayWithinTheNodesMessage) {
    const Playground chain;
    Genesis rules;
    rules.max_block_size = 1'000'000;
    // A header of 102 bytes; a set is its value and 125.
    const std::string big(262'144, 'x');
    const std::size_t rest = kMaxBlockBytes - 102 - 7 * (big.size() + 125) - 125;
    std::vector<TransactionPtr> transactions(7, set_tx(big));
    transactions.push_back(set_tx(std::string(rest, 'x')));
    const BlockPtr fits = child(chain, transactions);
    ASSERT_EQ(fits->bytes.size(), kMaxBlockBytes);
    EXPECT_EQ(verdict(check_shape(*fits, rules, kNow_s)), "ok");
    transactions.back() = set_tx(std::string(rest + 1, 'x'));
    EXPECT_EQ(verdict(check_shape(*child(chain, transactions), rules, kNow_s)),
              "kBlockBytesTooBig");
}

// ---- the rest ----

TEST(VerifyBlockTest, TellsWhatTheBlockDoes) {
    const Playground chain;
    const TransactionPtr set = set_tx("hello", chain.options());
    const TransactionPtr transfer = transfer_tx(account(9), Amount{10}, chain.options(2));
    const auto outcome = chain.verify(*child(chain, {set, transfer}));
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->state.balance(account(1))->value, 1'000'000u - 2);
    EXPECT_EQ(outcome->state.balance(account(9))->value, 10u);
    EXPECT_EQ(outcome->state.blob_meta(set->key).value()->tx, set->id);
    EXPECT_EQ(outcome->changes.balances.size(), 3u);
    EXPECT_EQ(outcome->changes.blobs.size(), 1u);
    EXPECT_FALSE(chain.state().blob_meta(set->key)->has_value()) << "nothing was touched";
}

TEST(VerifyBlockTest, TimeDoesNotRunBackwards) {
    Playground chain;
    chain.advance({set_tx("first", chain.options())});
    const TransactionPtr tx = set_tx("x", chain.options());
    EXPECT_EQ(verdict(chain.verify(*child(chain, {tx}, {}, kNow_s))), "ok");
    EXPECT_EQ(verdict(chain.verify(*child(chain, {tx}, {}, kNow_s - 1))), "kTimestampTooEarly");
    EXPECT_EQ(
        verdict(chain.verify(*child(chain, {tx}, {}, std::numeric_limits<std::int64_t>::min()))),
        "kTimestampTooEarly");
}

TEST(VerifyBlockTest, CostPriceProofAndHeightAreWhatTheRulesSay) {
    Playground chain{Playground::rules_with([](Genesis& g) { g.min_price = {5}; })};
    const auto with = [&](const std::function<void(BlockHeader&)>& change) {
        return verdict(chain.verify(*child(chain, {set_tx("x", chain.options())}, change)));
    };
    EXPECT_EQ(with({}), "ok");
    EXPECT_EQ(with([](BlockHeader& h) { h.cost.value += 1; }), "kInvalidBlockCost");
    EXPECT_EQ(with([](BlockHeader& h) { h.price.value += 1; }), "kInvalidPrice");
    EXPECT_EQ(with([](BlockHeader& h) { h.price.value -= 1; }), "kInvalidPrice");
    EXPECT_EQ(with([](BlockHeader& h) { h.access_proof.bytes[0] = std::byte{1}; }),
              "kInvalidAccessProof");
    // No blob, so that every height has the same proof.
    for (const std::uint64_t height : {0ULL, 2ULL, 7ULL, ~0ULL}) {
        EXPECT_EQ(with([=](BlockHeader& h) { h.height = height; }), "kInvalidHeight");
    }
}

TEST(VerifyBlockTest, OneTransactionCountsOnceInABlock) {
    const Playground chain;
    const TransactionPtr tx = transfer_tx(account(2), Amount{1'000}, chain.options());
    const TransactionPtr other = transfer_tx(account(2), Amount{1'001}, chain.options());
    EXPECT_EQ(verdict(chain.verify(*child(chain, {tx, other}))), "ok");
    EXPECT_EQ(verdict(chain.verify(*child(chain, {tx, other, tx}))), "kDuplicateTransaction");
}

TEST(VerifyBlockTest, FirstBadTransactionDecides) {
    const Playground chain;
    EXPECT_EQ(verdict(chain.verify(
                  *child(chain, {set_tx("x", chain.options()), set_tx("x", chain.options(2)),
                                 set_tx("", chain.options())}))),
              "kKeyExists");
}

TEST(VerifyBlockTest, SurplusPaysThePriceTimesTheCost) {
    // Genesis is far past, so the first block costs nothing; the second, at once, costs 3.
    Playground chain{Playground::rules_with([](Genesis& g) {
        g.block_cost_enabled = true;
        g.target_block_rate_s = 3;
        g.min_price = {2};
    })};
    chain.advance({set_tx("first", chain.options())});
    ASSERT_EQ(chain.window().next_cost(), BlockCost{3});
    auto options = chain.options();
    options.price = {4};  // 2 above the block's price, for 2 units
    const auto short_by_two = chain.verify(*child(chain, {set_tx("x", options)}));
    ASSERT_FALSE(short_by_two);
    EXPECT_EQ(short_by_two.error().message(), "insufficient surplus fee: required=6 found=4");
    options.price = {5};
    EXPECT_EQ(verdict(chain.verify(*child(chain, {set_tx("x", options)}))), "ok");
}

TEST(VerifyBlockTest, RequiredSurplusFitsSixtyFourBits) {
    const auto with_price = [](Price price) {
        Playground chain{Playground::rules_with([=](Genesis& g) {
            g.block_cost_enabled = true;
            g.target_block_rate_s = 1LL << 31;
            g.min_price = price;
        })};
        // Genesis is so recent that the first block costs 2^31 - 1600000000.
        return verdict(chain.verify(*child(chain, {set_tx("x", chain.options())})));
    };
    const std::uint64_t cost = (1ULL << 31) - 1'600'000'000;
    const std::uint64_t limit = ~0ULL / cost;
    EXPECT_EQ(with_price({limit}), "kInvalidBalance") << "nobody is that rich";
    EXPECT_EQ(with_price({limit + 1}), "kSurplusOverflow");
}

TEST(VerifyBlockTest, GatheredSurplusFitsSixtyFourBits) {
    // Two accounts hold more together than 64 bits count.
    const Playground chain{Playground::rules_with([](Genesis& g) {
        g.custom_allocation = {{account(1), Amount{~0ULL}}, {account(2), Amount{~0ULL}}};
    })};
    auto rich = chain.options(1);
    rich.price = {1ULL << 63};
    auto other = chain.options(2);
    const auto both = [&](Price price) {
        other.price = price;
        return verdict(chain.verify(*child(chain, {transfer_tx(account(3), Amount{1}, rich),
                                                   transfer_tx(account(3), Amount{2}, other)})));
    };
    EXPECT_EQ(both({(1ULL << 63) + 1}), "ok") << "each 1 less than the price";
    EXPECT_EQ(both({(1ULL << 63) + 2}), "kSurplusOverflow");
}

TEST(VerifyBlockTest, StoreErrorIsHandedUp) {
    Playground chain;
    const BlockPtr block = child(chain, {set_tx("x", chain.options())});
    chain.chain().store().failing = true;
    EXPECT_EQ(verdict(chain.verify(*block)), "kStoreFailed");
}

}  // namespace
}  // namespace blobvm::chain
