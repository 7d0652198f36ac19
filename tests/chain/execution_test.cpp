#include "chain/execution.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "chain/base/hex.hpp"
#include "tests/support/playground.hpp"

namespace blobvm::chain {
namespace {

using test::account;
using test::Playground;
using test::set_tx;
using test::transfer_tx;

constexpr std::int64_t kNow_s = Playground::kStart_s;

/// Runs `tx` on the tip. A refusal must leave no trace.
Result<Changes> run(const Playground& chain, const Transaction& tx) {
    Playground& mutable_chain = const_cast<Playground&>(chain);
    const Window window = chain.window();
    Overlay overlay{chain.state()};
    const auto done = execute(
        tx, {.rules = mutable_chain.chain().rules(), .window = window, .block_time_s = kNow_s},
        overlay);
    const Changes changes = overlay.changes();
    if (done) return changes;
    EXPECT_TRUE(changes.balances.empty());
    EXPECT_TRUE(changes.blobs.empty());
    return fail(done.error());
}

std::string verdict(const Playground& chain, const TransactionPtr& tx) {
    const auto done = run(chain, *tx);
    return done ? "ok" : std::string{name(done.error().code)};
}

TEST(UnitsTest, FollowTheSizeOfTheValue) {
    const Genesis rules;
    EXPECT_EQ(value_units(rules, 0), 1u);
    EXPECT_EQ(value_units(rules, 1023), 1u);
    EXPECT_EQ(value_units(rules, 1024), 2u);
    EXPECT_EQ(fee_units(rules, set_tx("hello")->fields()), FeeUnits{2});
    EXPECT_EQ(fee_units(rules, set_tx(std::string(204'800, 'x'))->fields()), FeeUnits{202});
    EXPECT_EQ(fee_units(rules, transfer_tx(account(2), Amount{1})->fields()), FeeUnits{1});
}

TEST(UnitsTest, DoNotWrap) {
    Genesis rules;
    rules.base_tx_units = std::numeric_limits<std::uint64_t>::max();
    EXPECT_EQ(fee_units(rules, set_tx("hello")->fields()),
              FeeUnits{std::numeric_limits<std::uint64_t>::max()});
}

TEST(ExecuteTest, SetTakesTheFeeAndKeepsWhatTheBlobIs) {
    const Playground chain;
    const TransactionPtr tx = set_tx("hello", chain.options());
    const Changes changes = run(chain, *tx).value();
    ASSERT_EQ(changes.balances.size(), 1u);
    EXPECT_EQ(changes.balances[0], (std::pair{account(1), Amount{1'000'000 - 2}}));
    ASSERT_EQ(changes.blobs.size(), 1u);
    EXPECT_EQ(changes.blobs[0].first, tx->key);
    EXPECT_EQ(changes.blobs[0].second,
              (BlobMeta{.size_bytes = 5, .tx = tx->id, .created_s = kNow_s}));
}

TEST(ExecuteTest, TransferMovesUnitsAndBurnsTheFee) {
    const Playground chain;
    const Changes changes =
        run(chain, *transfer_tx(account(2), Amount{1'000}, chain.options())).value();
    EXPECT_EQ(changes.balances,
              (std::vector<std::pair<Address, Amount>>{{account(1), Amount{1'000'000 - 1'001}},
                                                       {account(2), Amount{1'001'000}}}));
    EXPECT_TRUE(changes.blobs.empty());
}

TEST(ExecuteTest, TransferReachesAccountsThatNobodyHasHeardOf) {
    const Playground chain;
    const Changes changes =
        run(chain, *transfer_tx(account(99), Amount{5}, chain.options())).value();
    EXPECT_EQ(changes.balances[1], (std::pair{account(99), Amount{5}}));
}

TEST(ExecuteTest, BlockIdMustBeThereAndRecent) {
    Playground chain;
    auto options = chain.options();
    options.block_id = {};
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kInvalidBlockId");
    options.block_id = test::block_id(12345);
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kInvalidBlockId");
    options = chain.options();
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "ok");
    chain.advance({set_tx("first", options)});
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kInvalidBlockId") << "genesis is out of reach";
}

TEST(ExecuteTest, MagicIsTheChains) {
    const Playground chain;
    auto options = chain.options();
    options.magic += 1;
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kWrongMagic");
}

TEST(ExecuteTest, PriceIsAtLeastTheMinimum) {
    const Playground chain{Playground::rules_with([](Genesis& g) { g.min_price = {7}; })};
    auto options = chain.options();
    options.price = {6};
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kPriceBelowMinimum");
    options.price = {7};
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "ok");
}

TEST(ExecuteTest, TransactionOfAnEarlierBlockIsRefused) {
    Playground chain;
    chain.advance({set_tx("first", chain.options())});
    const TransactionPtr tx = transfer_tx(account(2), Amount{1}, chain.options());
    chain.advance({tx});
    EXPECT_EQ(verdict(chain, tx), "kDuplicateTransaction");
}

TEST(ExecuteTest, FeeFitsSixtyFourBits) {
    const Playground chain;
    auto options = chain.options();
    options.price = {1ULL << 63};
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kFeeOverflow");
    EXPECT_EQ(verdict(chain, transfer_tx(account(2), Amount{1}, options)), "kInvalidBalance");
    options.price = {(1ULL << 63) - 1};
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kInvalidBalance");
}

TEST(ExecuteTest, SenderPaysTheWholeFee) {
    const Playground chain;
    auto options = chain.options();
    options.price = {500'000};
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "ok");
    options.price = {500'001};
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kInvalidBalance");
}

TEST(ExecuteTest, PriceIsAtLeastTheBlocks) {
    Playground chain{Playground::rules_with([](Genesis& g) { g.target_block_size = 0; })};
    chain.advance({set_tx("first", chain.options())});
    ASSERT_EQ(chain.window().next_price(), Price{2});
    auto options = chain.options();
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "kInsufficientPrice");
    options.price = {2};
    EXPECT_EQ(verdict(chain, set_tx("x", options)), "ok");
}

TEST(ExecuteTest, ValueIsNeitherEmptyNorTooBig) {
    const Playground chain{Playground::rules_with([](Genesis& g) { g.max_value_size = 100; })};
    EXPECT_EQ(verdict(chain, set_tx("", chain.options())), "kValueEmpty");
    EXPECT_EQ(verdict(chain, set_tx("1", chain.options())), "ok");
    EXPECT_EQ(verdict(chain, set_tx(std::string(100, 'x'), chain.options())), "ok");
    EXPECT_EQ(verdict(chain, set_tx(std::string(101, 'x'), chain.options())), "kValueTooBig");
}

TEST(ExecuteTest, KeyIsSetOnce) {
    Playground chain;
    chain.advance({set_tx("hello", chain.options())});
    EXPECT_EQ(verdict(chain, set_tx("hello", chain.options(2))), "kKeyExists");
    EXPECT_EQ(verdict(chain, set_tx("hello!", chain.options(2))), "ok");
}

TEST(ExecuteTest, TransferToNobodyToOneselfOrOfNothingIsRefused) {
    const Playground chain;
    EXPECT_EQ(verdict(chain, transfer_tx({}, Amount{1}, chain.options())), "kNonActionable");
    EXPECT_EQ(verdict(chain, transfer_tx(account(1), Amount{1}, chain.options())),
              "kNonActionable");
    EXPECT_EQ(verdict(chain, transfer_tx(account(2), Amount{0}, chain.options())),
              "kNonActionable");
    EXPECT_EQ(verdict(chain, transfer_tx(account(2), Amount{1}, chain.options())), "ok");
}

TEST(ExecuteTest, BalanceErrorsNameTheBalanceTheAddressAndTheChange) {
    const Playground chain{Playground::rules_with([](Genesis& g) {
        g.custom_allocation->push_back({account(50), Amount{~0ULL - 4}});
    })};
    const auto message = [&](const TransactionPtr& tx) {
        return run(chain, *tx).error().message();
    };
    auto options = chain.options(60);
    EXPECT_EQ(message(set_tx("x", options)),
              "invalid balance: bal=0, addr=" + to_checksummed(account(60)) +
                  ", add=false, prev=0, change=2");
    // The fee has been taken when the units are.
    options = chain.options(1);
    EXPECT_EQ(verdict(chain, transfer_tx(account(2), Amount{999'999}, options)), "ok");
    EXPECT_EQ(message(transfer_tx(account(2), Amount{1'000'000}, options)),
              "invalid balance: bal=999999, addr=" + to_checksummed(account(1)) +
                  ", add=false, prev=999999, change=1000000");
    EXPECT_EQ(verdict(chain, transfer_tx(account(50), Amount{4}, options)), "ok");
    EXPECT_EQ(message(transfer_tx(account(50), Amount{5}, options)),
              "invalid balance: bal=18446744073709551611, addr=" + to_checksummed(account(50)) +
                  ", add=true, prev=18446744073709551611, change=5");
}

TEST(ExecuteTest, ChecksComeInTheOriginalsOrder) {
    Playground chain{Playground::rules_with([](Genesis& g) { g.min_price = {2}; })};
    auto options = chain.options(70);  // has no money
    options.block_id = {};
    options.magic = 1;
    options.price = {1};
    EXPECT_EQ(verdict(chain, set_tx("", options)), "kInvalidBlockId");
    options.block_id = test::block_id(9);
    EXPECT_EQ(verdict(chain, set_tx("", options)), "kWrongMagic");
    options.magic = 5;
    EXPECT_EQ(verdict(chain, set_tx("", options)), "kPriceBelowMinimum");
    options.price = {~0ULL};
    EXPECT_EQ(verdict(chain, set_tx("", options)), "kInvalidBlockId");
    options.block_id = chain.tip().id;
    EXPECT_EQ(verdict(chain, set_tx("", options)), "kFeeOverflow");
    options.price = {2};
    EXPECT_EQ(verdict(chain, set_tx("", options)), "kInvalidBalance");
    options.signer = 1;
    EXPECT_EQ(verdict(chain, set_tx("", options)), "kValueEmpty");
}

TEST(ExecuteTest, StoreErrorIsHandedUp) {
    Playground chain;
    const TransactionPtr tx = set_tx("x", chain.options());
    chain.chain().store().failing = true;
    EXPECT_EQ(verdict(chain, tx), "kStoreFailed");
}

}  // namespace
}  // namespace blobvm::chain
