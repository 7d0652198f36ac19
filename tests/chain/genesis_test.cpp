#include "chain/genesis.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "chain/execution.hpp"
#include "chain/presets.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::chain {
namespace {

/// The verdict on the default genesis with one change.
std::string verdict(const std::function<void(Genesis&)>& change) {
    Genesis genesis = classic_genesis(1);
    change(genesis);
    const auto valid = validate(genesis);
    return valid ? "ok" : std::string{name(valid.error().code)};
}

TEST(GenesisTest, PresetsAreValid) {
    EXPECT_TRUE(validate(classic_genesis(1)));
    EXPECT_TRUE(validate(fast_genesis(1)));
}

TEST(GenesisTest, MagicIsNotZero) {
    EXPECT_EQ(verdict([](Genesis& g) { g.magic = 0; }), "kInvalidMagic");
    EXPECT_EQ(verdict([](Genesis& g) { g.magic = ~0ULL; }), "ok");
}

TEST(GenesisTest, BlockRateIsAtLeastOne) {
    EXPECT_EQ(verdict([](Genesis& g) { g.target_block_rate_s = 0; }), "kInvalidBlockRate");
    EXPECT_EQ(verdict([](Genesis& g) { g.target_block_rate_s = -1; }), "kInvalidBlockRate");
    EXPECT_EQ(verdict([](Genesis& g) { g.target_block_rate_s = 1; }), "ok");
}

TEST(GenesisTest, MagicAndBlockRateAreJudgedFirst) {
    const auto all_wrong = [](Genesis& g) {
        g.base_tx_units = 0;
        g.target_block_rate_s = 0;
    };
    EXPECT_EQ(verdict(all_wrong), "kInvalidBlockRate");
    EXPECT_EQ(verdict([&](Genesis& g) {
                  all_wrong(g);
                  g.magic = 0;
              }),
              "kInvalidMagic");
}

TEST(GenesisTest, EveryTransactionWeighsSomething) {
    EXPECT_EQ(verdict([](Genesis& g) { g.base_tx_units = 0; }), "kGenesisBaseTxUnits");
    EXPECT_EQ(verdict([](Genesis& g) { g.base_tx_units = 1; }), "ok");
}

TEST(GenesisTest, ValueUnitIsAtLeastOneByte) {
    EXPECT_EQ(verdict([](Genesis& g) { g.value_unit_size = 0; }), "kGenesisValueUnitSize");
    EXPECT_EQ(verdict([](Genesis& g) {
                  g.value_unit_size = 1;
                  g.max_value_size = 10;
              }),
              "ok");
}

TEST(GenesisTest, MaxValueSizeFitsTheCodec) {
    EXPECT_EQ(verdict([](Genesis& g) { g.max_value_size = 0; }), "kGenesisMaxValueSize");
    EXPECT_EQ(verdict([](Genesis& g) { g.max_value_size = 1; }), "ok");
    const auto of_size = [](std::uint64_t size) {
        return verdict([=](Genesis& g) {
            g.max_value_size = size;
            g.max_block_size = 1'000;
        });
    };
    EXPECT_EQ(of_size(262'144), "ok");
    EXPECT_EQ(of_size(262'145), "kGenesisMaxValueSize");
}

TEST(GenesisTest, LookbackWindowIsNotNegative) {
    EXPECT_EQ(verdict([](Genesis& g) { g.lookback_window_s = -1; }), "kGenesisLookbackWindow");
    EXPECT_EQ(verdict([](Genesis& g) { g.lookback_window_s = 0; }), "ok");
}

TEST(GenesisTest, TargetOfAWindowFits) {
    const auto target = [](std::uint64_t size, std::int64_t window_s) {
        return verdict([=](Genesis& g) {
            g.target_block_size = size;
            g.lookback_window_s = window_s;
        });
    };
    EXPECT_EQ(target(~0ULL, 1), "ok");
    EXPECT_EQ(target(~0ULL, 2), "kGenesisTargetBlockSize");
    EXPECT_EQ(target(~0ULL / 2, 2), "ok");
}

TEST(GenesisTest, BiggestSetFitsABlock) {
    // 204,800 bytes at 1,024 a unit: 201 units and the transaction's own.
    EXPECT_EQ(verdict([](Genesis& g) { g.max_block_size = 201; }), "kGenesisMaxBlockSize");
    EXPECT_EQ(verdict([](Genesis& g) { g.max_block_size = 202; }), "ok");
    EXPECT_EQ(verdict([](Genesis& g) {
                  g.base_tx_units = ~0ULL - 200;  // and 201 more do not fit 64 bits
                  g.max_block_size = ~0ULL;
              }),
              "kGenesisMaxBlockSize");
    EXPECT_EQ(verdict([](Genesis& g) {
                  g.base_tx_units = ~0ULL - 201;
                  g.max_block_size = ~0ULL;
              }),
              "ok");
}

TEST(GenesisTest, AllocationsFitTheCodec) {
    EXPECT_EQ(verdict([](Genesis& g) { g.custom_allocation.emplace(262'144); }), "ok");
    EXPECT_EQ(verdict([](Genesis& g) { g.custom_allocation.emplace(262'145); }),
              "kGenesisAllocation");
}

TEST(GenesisTest, AirdropGivesSomething) {
    EXPECT_EQ(verdict([](Genesis& g) { g.airdrop_hash = "0x00"; }), "kGenesisAirdropUnits");
    EXPECT_EQ(verdict([](Genesis& g) {
                  g.airdrop_hash = "0x00";
                  g.airdrop_units = {1};
              }),
              "ok");
    EXPECT_EQ(verdict([](Genesis& g) { g.airdrop_hash.assign(65'536, '0'); }), "kAirdropMismatch");
}

Genesis with_airdrop(const Airdrop& airdrop, Amount units) {
    Genesis genesis = classic_genesis(1);
    genesis.airdrop_hash = to_hex_0x(airdrop.file_hash.view());
    genesis.airdrop_units = units;
    return genesis;
}

TEST(InitialBalancesTest, CustomAllocationReplacesTheAirdropAndLaterEntriesEarlierOnes) {
    const Airdrop airdrop{keccak256(as_bytes("file")), {test::account(1), test::account(2)}};
    Genesis genesis = with_airdrop(airdrop, Amount{7});
    genesis.custom_allocation = {{test::account(2), Amount{9}},
                                 {test::account(3), Amount{1}},
                                 {test::account(3), Amount{5}}};
    const auto balances = initial_balances(genesis, airdrop).value();
    ASSERT_EQ(balances.size(), 3u);
    EXPECT_EQ(balances[0].address, test::account(1));
    EXPECT_EQ(balances[0].balance, Amount{7});
    EXPECT_EQ(balances[1].balance, Amount{9});
    EXPECT_EQ(balances[2].address, test::account(3));
    EXPECT_EQ(balances[2].balance, Amount{5});
}

TEST(InitialBalancesTest, AirdropMustBeTheFileThatGenesisNames) {
    const Airdrop airdrop{keccak256(as_bytes("file")), {test::account(1)}};
    const Genesis genesis = with_airdrop(airdrop, Amount{7});
    EXPECT_TRUE(initial_balances(genesis, airdrop));

    const Airdrop other{keccak256(as_bytes("other")), {}};
    const auto wrong = initial_balances(genesis, other);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::kAirdropMismatch);
    EXPECT_EQ(wrong.error().message(), "expected standard allocation " + genesis.airdrop_hash +
                                           " but got " + to_hex_0x(other.file_hash.view()));
    const auto missing = initial_balances(genesis, std::nullopt);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::kAirdropMismatch);
}

TEST(InitialBalancesTest, AirdropsNobodyAskedForAreLeftAlone) {
    const Airdrop airdrop{keccak256(as_bytes("file")), {test::account(1)}};
    EXPECT_TRUE(initial_balances(classic_genesis(1), airdrop)->empty());
}

TEST(InitialBalancesTest, AirdropFitsSixtyFourBits) {
    const Airdrop airdrop{keccak256(as_bytes("file")), {test::account(1), test::account(2)}};
    EXPECT_TRUE(initial_balances(with_airdrop(airdrop, Amount{~0ULL / 2}), airdrop));
    const auto over = initial_balances(with_airdrop(airdrop, Amount{~0ULL / 2 + 1}), airdrop);
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().code, ErrorCode::kGenesisSupplyOverflow);
}

TEST(GenesisTest, TwoGenesisDifferInTheirCodecForm) {
    Genesis genesis = classic_genesis(1);
    const Bytes plain = encode_genesis(genesis);
    genesis.airdrop_hash = "0xab";
    EXPECT_NE(encode_genesis(genesis), plain);
}

}  // namespace
}  // namespace blobvm::chain
