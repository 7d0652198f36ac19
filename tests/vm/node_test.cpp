#include "vm/node.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "tests/support/vm_harness.hpp"
#include "tests/vm/store_support.hpp"

namespace blobvm::vm {
namespace {

using test::account;
using test::test_genesis;
using test::VmHarness;

/// A node over a real database in a folder that outlives it.
class NodeTest : public ::testing::Test {
  protected:
    Result<std::unique_ptr<Node>> open(const std::string& config = "",
                                       const chain::Genesis& genesis = test_genesis()) {
        return Node::open({.network_id = 1337,
                           .subnet_id = {},
                           .chain_id = test::chain_id(1),
                           .node_id = {},
                           .chain_data_dir = folder_.string(),
                           .genesis_json = jsonrpc::write_genesis(genesis),
                           .config_json = config},
                          clock_, executor_, services_);
    }

    /// Accepts blocks `from` to `to` of `reference_` into `node`.
    void follow(Node& node, std::uint64_t from, std::uint64_t to) {
        ASSERT_TRUE(node.vm().set_state(EngineState::kBootstrapping));
        while (blocks_.size() < to) {
            const auto count = std::to_string(blocks_.size());
            ASSERT_TRUE(reference_.submit(reference_.set("value " + count)));
            blocks_.push_back(reference_.make_accepted_block());
        }
        for (std::uint64_t height = from; height <= to; ++height) {
            const chain::BlockPtr& block = blocks_[height - 1];
            ASSERT_TRUE(node.vm().verify_block(SharedBytes::copy_of(block->bytes.view())));
            ASSERT_TRUE(node.vm().accept(block->id));
        }
    }

    /// What the reference's balance of account 1 was after `height` blocks.
    static Amount balance_at(std::uint64_t height) {
        return Amount{1'000'000'000'000'000 - 2 * height};  // two units a set, at price 1
    }

    bool is_aside() const {
        for (const auto& entry : std::filesystem::directory_iterator{folder_.path()}) {
            if (entry.path().filename().string().starts_with("db.aside")) return true;
        }
        return false;
    }

    test::TempFolder folder_;
    test::ManualClock clock_{VmHarness::kStart};
    InlineExecutor executor_;
    test::RecordingNode services_;
    VmHarness reference_;
    std::vector<chain::BlockPtr> blocks_;
};

TEST_F(NodeTest, AFreshChainStandsAtGenesis) {
    const auto node = open();
    ASSERT_TRUE(node) << node.error().message();
    EXPECT_EQ((*node)->vm().last_accepted().height, 0u);
    EXPECT_EQ((*node)->vm().last_accepted().id, chain::genesis_block(test_genesis())->id);
}

TEST_F(NodeTest, ARestartGoesOnWhereItStopped) {
    {
        const auto node = open();
        follow(**node, 1, 5);
    }
    const auto node = open();
    ASSERT_TRUE(node) << node.error().message();
    EXPECT_EQ((*node)->vm().last_accepted().height, 5u);
    follow(**node, 6, 7);
    EXPECT_EQ((*node)->vm().snapshot()->balance(account(1)).value(), balance_at(7));
}

TEST_F(NodeTest, AWitnessAboveOurHeightLeavesTheChainAsItIs) {
    {
        const auto node = open();
        follow(**node, 1, 5);
    }
    services_.witnesses.push_back({9, BlockId{{std::byte{1}}}});
    const auto node = open();
    EXPECT_EQ((*node)->vm().last_accepted().height, 5u);
}

TEST_F(NodeTest, WhatTheNodeHasForgottenIsRolledBack) {
    {
        const auto node = open();
        follow(**node, 1, 40);
    }
    for (const std::uint64_t lost : {1u, 3u, 30u}) {
        const std::uint64_t height = services_.witnesses.back().height - lost;
        services_.witnesses.resize(height);
        const auto node = open();
        ASSERT_TRUE(node) << node.error().message();
        EXPECT_EQ((*node)->vm().last_accepted().height, height);
        EXPECT_EQ((*node)->vm().last_accepted().id, blocks_[height - 1]->id);
        EXPECT_EQ((*node)->vm().snapshot()->balance(account(1)).value(), balance_at(height));
        EXPECT_EQ((*node)->vm().block_id_at(height + 1).error().code, ErrorCode::kNotFound);
    }
    const auto node = open();
    follow(**node, 7, 40);
    EXPECT_EQ((*node)->vm().last_accepted().id, blocks_[39]->id);
    EXPECT_FALSE(is_aside());
}

TEST_F(NodeTest, FurtherBackThanUndoReachesTheChainIsRebuiltFromItsBlocks) {
    constexpr std::uint64_t kBlocks = 4100;  // undo records reach 4096 blocks back
    {
        const auto node = open();
        follow(**node, 1, kBlocks);
    }
    services_.witnesses.resize(2);
    const auto node = open();
    ASSERT_TRUE(node) << node.error().message();
    EXPECT_EQ((*node)->vm().last_accepted().id, blocks_[1]->id);
    EXPECT_EQ((*node)->vm().snapshot()->balance(account(1)).value(), balance_at(2));
    follow(**node, 3, 10);
    EXPECT_TRUE(is_aside());
}

TEST_F(NodeTest, ANodeThatKnowsNothingOfTheChainGetsGenesis) {
    {
        const auto node = open();
        follow(**node, 1, 3);
    }
    services_.witnesses.clear();
    const auto node = open();
    ASSERT_TRUE(node) << node.error().message();
    EXPECT_EQ((*node)->vm().last_accepted().height, 0u);
    EXPECT_TRUE(is_aside());
    follow(**node, 1, 4);
    EXPECT_EQ((*node)->vm().last_accepted().height, 4u);
}

TEST_F(NodeTest, AnotherBlockAtTheWitnessHeightMeansGenesis) {
    {
        const auto node = open();
        follow(**node, 1, 3);
    }
    services_.witnesses = {{2, BlockId{{std::byte{1}}}}};
    const auto node = open();
    EXPECT_EQ((*node)->vm().last_accepted().height, 0u);
    EXPECT_TRUE(is_aside());
}

TEST_F(NodeTest, AnOperatorCanRollBack) {
    {
        const auto node = open();
        follow(**node, 1, 5);
    }
    const auto node = open(R"({"rollBackTo":2})");
    ASSERT_TRUE(node) << node.error().message();
    EXPECT_EQ((*node)->vm().last_accepted().height, 2u);
}

TEST_F(NodeTest, AnotherGenesisIsRefusedAndTheChainUntouched) {
    {
        const auto node = open();
        follow(**node, 1, 2);
    }
    chain::Genesis other = test_genesis();
    other.magic = 6;
    const auto refused = open("", other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kStoreForeign);
    EXPECT_EQ((*open())->vm().last_accepted().height, 2u);
}

TEST_F(NodeTest, BadGenesisAndConfigAreRefusedBeforeAnythingIsWritten) {
    chain::Genesis bad = test_genesis();
    bad.value_unit_size = 0;
    EXPECT_EQ(open("", bad).error().code, ErrorCode::kGenesisValueUnitSize);
    EXPECT_EQ(open("{").error().code, ErrorCode::kConfigInvalid);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(NodeTest, AnAirdropComesFromTheNamedFileAndNoOther) {
    const std::string file = R"([{"address":"0x00000000000000000000000000000000000000aa"}])";
    chain::Genesis genesis = test_genesis();
    genesis.airdrop_hash = "0x" + std::string(64, '1');
    genesis.airdrop_units = Amount{7};
    const std::string path = (folder_.path() / "airdrop.json").string();
    const std::string config = R"({"airdropFile":")" + path + R"("})";

    EXPECT_EQ(open("", genesis).error().code, ErrorCode::kAirdropMismatch);
    EXPECT_EQ(open(config, genesis).error().code, ErrorCode::kIo);
    test::write_file(path, file);
    EXPECT_EQ(open(config, genesis).error().code, ErrorCode::kAirdropMismatch);

    genesis.airdrop_hash = to_hex_0x(keccak256(as_bytes(file)).view());
    const auto node = open(config, genesis);
    ASSERT_TRUE(node) << node.error().message();
    Address lucky{};
    lucky.bytes.back() = std::byte{0xaa};
    EXPECT_EQ((*node)->vm().snapshot()->balance(lucky).value(), Amount{7});
}

TEST_F(NodeTest, HealthIsAJsonObjectAndSamplesAreNamedOnce) {
    const auto node = open();
    const std::string health = (*node)->health().value();
    EXPECT_TRUE(json::Document::parse(health)) << health;
    std::set<std::string> names;
    for (const Sample& sample : (*node)->samples()) {
        EXPECT_TRUE(names.insert(sample.name).second) << sample.name;
        EXPECT_FALSE(sample.help.empty()) << sample.name;
    }
    EXPECT_TRUE(names.contains("vm_last_accepted_height"));
}

TEST_F(NodeTest, ShutdownIsIdempotentAndClosesTheStore) {
    const auto node = open();
    (*node)->shutdown();
    (*node)->shutdown();
    EXPECT_EQ((*node)->vm().snapshot()->balance(account(1)).error().code, ErrorCode::kClosed);
}

}  // namespace
}  // namespace blobvm::vm
