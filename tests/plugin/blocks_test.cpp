// Items 21 to 41: blocks.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <future>
#include <random>
#include <set>

#include "tests/plugin/model_chain.hpp"
#include "tests/plugin/plugin_host.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::test {
namespace {

using namespace std::chrono_literals;

std::string_view bytes_of(const chain::BlockPtr& block) { return as_chars(block->bytes.view()); }

std::int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void expect_parsed_as(const chain::BlockPtr& block, const ::vm::ParseBlockResponse& reply) {
    EXPECT_EQ(reply.id(), field_of(block->id));
    EXPECT_EQ(reply.parent_id(), field_of(block->header.parent));
    EXPECT_EQ(reply.height(), block->header.height);
    EXPECT_EQ(reply.timestamp().seconds(), block->header.timestamp_s);
}

/// A running plugin and the rules beside it.
class BlocksConformance : public ::testing::Test {
  protected:
    void SetUp() override { host_.run(); }

    chain::BlockPtr committed() {
        const chain::BlockPtr block = model_.next();
        host_.commit(block);
        model_.accept(block);
        return block;
    }

    /// What the plugin builds, checked by the rules.
    chain::BlockPtr built() {
        const Described block = host_.build();
        const chain::BlockPtr known = model_.learn(as_bytes(block.bytes));
        EXPECT_EQ(known->id, block.id);
        EXPECT_EQ(known->header.parent, block.parent);
        EXPECT_EQ(known->header.height, block.height);
        EXPECT_EQ(known->header.timestamp_s, block.timestamp_s);
        return known;
    }

    PluginHost host_;
    ModelChain model_{host_.genesis()};
};

TEST_F(BlocksConformance, Item21BlockIsParsedBeforeItsParentIsKnown) {
    const chain::BlockPtr first = model_.next();
    const chain::BlockPtr second = model_.child(first, {model_.transfer_on(first)});
    const auto answer = host_.parse(bytes_of(second));
    ASSERT_TRUE(answer.ok()) << answer.status.error_message();
    expect_parsed_as(second, answer.reply);
}

TEST_F(BlocksConformance, Item22GarbageIsAnErrorAndNoCrash) {
    const std::string good{bytes_of(model_.next())};
    std::mt19937 random{1};
    EXPECT_FALSE(host_.parse("").ok());
    for (std::size_t size = 0; size < good.size(); size += 7) {
        EXPECT_FALSE(host_.parse(std::string_view{good}.substr(0, size)).ok()) << size;
    }
    EXPECT_FALSE(host_.parse(good + '\0').ok());
    EXPECT_FALSE(host_.parse(good + good).ok());
    for (int i = 0; i < 100; ++i) {
        std::string noise(random() % 3'000, '\0');
        for (char& c : noise) c = static_cast<char>(random());
        EXPECT_FALSE(host_.parse(noise).ok());
    }
    // Another codec version, and a signature in its other form: the same block by other bytes.
    std::string other = good;
    other[1] = '\1';
    EXPECT_FALSE(host_.parse(other).ok());
    other = good;
    other.back() = static_cast<char>(other.back() - 27);
    EXPECT_FALSE(host_.parse(other).ok());

    // An outer block of proposervm: version 0, type 0, parent, time, P-chain height, certificate,
    // and ours inside.
    std::string outer(6, '\0');
    outer += std::string(32, '\x11') + std::string(16, '\0') + std::string(4, '\0');
    outer += std::string{"\0\0", 2} + static_cast<char>(good.size() >> 8) +
             static_cast<char>(good.size()) + good + std::string(4, '\0');
    EXPECT_FALSE(host_.parse(outer).ok());
    EXPECT_TRUE(host_.parse(good).ok());
}

TEST_F(BlocksConformance, Item23ParsingSaysTheSameBeforeAndAfterAndElsewhere) {
    const chain::BlockPtr block = model_.next();
    const std::string before = host_.parse(bytes_of(block)).reply.SerializeAsString();
    host_.commit(block);
    EXPECT_EQ(host_.parse(bytes_of(block)).reply.SerializeAsString(), before);
    PluginHost other{{.node = 2}};
    other.launch();
    other.initialize();
    EXPECT_EQ(other.parse(bytes_of(block)).reply.SerializeAsString(), before);
    const auto genesis = host_.parse(bytes_of(model_.tip()));
    ASSERT_TRUE(genesis.ok());
    expect_parsed_as(model_.tip(), genesis.reply);
}

TEST_F(BlocksConformance, Item24BatchIsAnsweredInOrderAndOneBadBlockFailsIt) {
    ::vm::BatchedParseBlockRequest request;
    std::vector<chain::BlockPtr> blocks{model_.tip()};
    for (int i = 0; i < 50; ++i) {
        blocks.push_back(model_.child(blocks.back(), {model_.transfer_on(blocks.back())}));
    }
    std::shuffle(blocks.begin(), blocks.end(), std::mt19937{2});
    for (const chain::BlockPtr& block : blocks) request.add_request(std::string{bytes_of(block)});
    const auto answer = host_.call(&::vm::VM::Stub::BatchedParseBlock, request);
    ASSERT_TRUE(answer.ok()) << answer.status.error_message();
    ASSERT_EQ(answer.reply.response_size(), 51);
    for (int i = 0; i < 51; ++i) {
        expect_parsed_as(blocks[static_cast<std::size_t>(i)], answer.reply.response(i));
    }
    request.mutable_request(25)->pop_back();
    EXPECT_FALSE(host_.call(&::vm::VM::Stub::BatchedParseBlock, request).ok());
    const auto none = host_.call(&::vm::VM::Stub::BatchedParseBlock);
    EXPECT_TRUE(none.ok());
    EXPECT_EQ(none.reply.response_size(), 0);
}

TEST_F(BlocksConformance, Item25UnknownBlockIsNotFoundWithStatusOk) {
    BlockId unknown;
    unknown.bytes.fill(std::byte{0xaa});
    const auto answer = host_.get(unknown);
    EXPECT_TRUE(answer.ok());
    EXPECT_EQ(answer.reply.err(), ::vm::ERROR_NOT_FOUND);
    EXPECT_TRUE(answer.reply.bytes().empty());
}

TEST_F(BlocksConformance, Item26ProcessingBlockIsFoundAndARejectedOneMayBeForgotten) {
    const chain::BlockPtr block = model_.next();
    const chain::BlockPtr rival = model_.next();
    ASSERT_TRUE(host_.verify(block).ok());
    ASSERT_TRUE(host_.verify(rival).ok());
    const auto answer = host_.get(block->id);
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer.reply.err(), ::vm::ERROR_UNSPECIFIED);
    EXPECT_EQ(answer.reply.bytes(), bytes_of(block));
    EXPECT_EQ(answer.reply.parent_id(), field_of(block->header.parent));
    EXPECT_EQ(answer.reply.height(), 1U);
    EXPECT_EQ(answer.reply.timestamp().seconds(), block->header.timestamp_s);

    ASSERT_TRUE(host_.accept(block).ok());
    ASSERT_TRUE(host_.reject(rival->id).ok());
    EXPECT_EQ(host_.get(block->id).reply.bytes(), bytes_of(block));
    const auto rejected = host_.get(rival->id);
    EXPECT_TRUE(rejected.ok());
    EXPECT_EQ(rejected.reply.err(), ::vm::ERROR_NOT_FOUND);
}

TEST_F(BlocksConformance, Item27OnlyAcceptedHeightsHaveIds) {
    EXPECT_EQ(host_.id_at(0).reply.blk_id(), field_of(model_.tip()->id));
    const chain::BlockPtr first = committed();
    const chain::BlockPtr processing = model_.next();
    ASSERT_TRUE(host_.verify(processing).ok());
    EXPECT_EQ(host_.id_at(1).reply.blk_id(), field_of(first->id));
    for (const std::uint64_t height : {2ULL, 3ULL, ~0ULL}) {
        const auto answer = host_.id_at(height);
        EXPECT_TRUE(answer.ok());
        EXPECT_EQ(answer.reply.err(), ::vm::ERROR_NOT_FOUND) << height;
    }
}

TEST_F(BlocksConformance, Item28NothingToBuildIsAnError) {
    const auto answer = host_.try_build();
    EXPECT_FALSE(answer.ok());
    EXPECT_FALSE(answer.status.error_message().empty());
}

TEST_F(BlocksConformance, Item29BuiltBlockIsAChildOfThePreferenceAndKeepsItsTransactions) {
    const chain::BlockPtr first = committed();
    const auto tx = model_.transfer_on(first);
    host_.issue(tx);
    const chain::BlockPtr block = built();
    EXPECT_EQ(block->header.parent, first->id);
    EXPECT_EQ(block->header.height, 2U);
    ASSERT_EQ(block->transactions.size(), 1U);
    EXPECT_EQ(block->transactions[0]->id, tx->id);
    EXPECT_EQ(built()->transactions[0]->id, tx->id) << "still there";

    host_.commit(block);
    EXPECT_FALSE(host_.try_build().ok()) << "accepted: not there any more";
}

TEST_F(BlocksConformance, Item30BuildingAgainAndAgainLeaksNothing) {
    for (int i = 0; i < 5; ++i) host_.issue(model_.transfer_on(model_.tip()));
    const chain::BlockPtr first = built();
    const chain::BlockPtr second = built();
    const chain::BlockPtr third = built();
    EXPECT_EQ(first->transactions.size(), 5U);
    EXPECT_EQ(second->transactions.size(), 5U);
    EXPECT_EQ(third->transactions.size(), 5U);
    host_.commit(third);
    model_.accept(third);
    host_.stop();
    EXPECT_EQ(host_.digest_on_disk(), model_.digest());
}

TEST_F(BlocksConformance, Item31PChainHeightMakesNoDifference) {
    host_.issue(model_.transfer_on(model_.tip()));
    const auto with = host_.try_build(12);
    const auto without = host_.try_build(std::nullopt);
    ASSERT_TRUE(with.ok() && without.ok());
    EXPECT_EQ(with.reply.parent_id(), without.reply.parent_id());
    EXPECT_EQ(with.reply.height(), without.reply.height());
    const auto one = model_.learn(as_bytes(with.reply.bytes()));
    const auto two = model_.learn(as_bytes(without.reply.bytes()));
    EXPECT_EQ(one->transactions[0]->id, two->transactions[0]->id);
}

TEST_F(BlocksConformance, Item32ChildAndGrandchildAreVerifiedOneOnTheOther) {
    const chain::BlockPtr child = model_.next();
    const chain::BlockPtr grandchild = model_.child(child, {model_.transfer_on(child)});
    EXPECT_FALSE(host_.verify(grandchild).ok()) << "its parent is not verified yet";
    EXPECT_TRUE(host_.verify(child).ok());
    EXPECT_TRUE(host_.verify(grandchild).ok());
    EXPECT_TRUE(host_.verify(child).ok()) << "a repeat does no harm";
    for (const auto& block : {child, grandchild}) {
        EXPECT_TRUE(host_.accept(block).ok());
        model_.accept(block);
    }
    host_.stop();
    EXPECT_EQ(host_.digest_on_disk(), model_.digest());
}

TEST_F(BlocksConformance, Item33InvalidBlockIsRefusedAndItsValidSiblingTaken) {
    const chain::BlockPtr good = model_.next();
    for (int wrong = 0; wrong < 6; ++wrong) {
        chain::BlockHeader header = good->header;
        std::vector<chain::TransactionPtr> transactions = good->transactions;
        if (wrong == 0) header.price = Price{99};
        if (wrong == 1) header.access_proof.bytes[0] ^= std::byte{1};
        if (wrong == 2) header.height = 7;
        if (wrong == 3) header.parent.bytes[0] ^= std::byte{1};
        if (wrong == 4) transactions.push_back(transactions[0]);
        if (wrong == 5) transactions.clear();
        const auto bad = chain::make_block(header, transactions);
        ASSERT_TRUE(bad);
        EXPECT_FALSE(host_.verify(*bad).ok()) << wrong;
    }
    EXPECT_TRUE(host_.verify(good).ok());
    EXPECT_TRUE(host_.accept(good).ok());
}

TEST_F(BlocksConformance, Item34OfTwoSiblingsTheAcceptedOneCountsAndTheOthersOffersReturn) {
    const auto parent = committed();
    const auto in_one = model_.transfer_on(parent);
    const auto in_two = model_.transfer_on(parent);
    host_.issue(in_one);
    host_.issue(in_two);
    const chain::BlockPtr one = model_.child(parent, {in_one});
    const chain::BlockPtr two = model_.child(parent, {in_two});
    ASSERT_TRUE(host_.verify(one).ok());
    ASSERT_TRUE(host_.verify(two).ok());
    ASSERT_TRUE(host_.prefer(one->id).ok());
    ASSERT_TRUE(host_.accept(one).ok());
    ASSERT_TRUE(host_.reject(two->id).ok());
    model_.accept(one);

    const chain::BlockPtr next = built();
    EXPECT_EQ(next->header.parent, one->id);
    ASSERT_EQ(next->transactions.size(), 1U);
    EXPECT_EQ(next->transactions[0]->id, in_two->id);
    host_.stop();
    EXPECT_EQ(host_.digest_on_disk(), model_.digest());
}

TEST_F(BlocksConformance, Item35RejectedSubtreeIsForgotten) {
    const chain::BlockPtr winner = model_.next();
    std::vector<chain::BlockPtr> losers{model_.next()};
    for (int i = 0; i < 20; ++i) {
        losers.push_back(model_.child(losers.back(), {model_.transfer_on(losers.back())}));
    }
    losers.push_back(model_.child(losers[0], {model_.transfer_on(losers[0])}));
    ASSERT_TRUE(host_.verify(winner).ok());
    for (const auto& block : losers) ASSERT_TRUE(host_.verify(block).ok());
    ASSERT_TRUE(host_.accept(winner).ok());
    for (const auto& block : losers) EXPECT_TRUE(host_.reject(block->id).ok());
    for (const auto& block : losers) {
        EXPECT_EQ(host_.get(block->id).reply.err(), ::vm::ERROR_NOT_FOUND);
        EXPECT_TRUE(host_.reject(block->id).ok()) << "unknown: no error";
    }
    EXPECT_EQ(host_.get(winner->id).reply.err(), ::vm::ERROR_UNSPECIFIED);
}

TEST_F(BlocksConformance, Item36FarFutureIsRefusedInNormalOperation) {
    const chain::BlockPtr future = model_.next(now_s() + 3'600);
    EXPECT_FALSE(host_.verify(future).ok());
    EXPECT_TRUE(host_.verify(model_.next()).ok());
}

TEST(BootstrapConformance, Item36FarFutureIsTakenWhileBootstrapping) {
    PluginHost host;
    ModelChain model{host.genesis()};
    host.launch();
    host.initialize();
    host.set_state(::vm::STATE_BOOTSTRAPPING);
    const chain::BlockPtr future = model.next(now_s() + 3'600);
    const auto answer = host.verify(future);
    EXPECT_TRUE(answer.ok()) << answer.status.error_message();
    EXPECT_TRUE(host.accept(future).ok());
}

TEST(BootstrapConformance, Item37TenThousandBlocksGiveTheBuildersState) {
    constexpr int kBlocks = 10'000;
    PluginHost host;
    ModelChain model{host.genesis()};
    model.digests_each_block = false;
    host.launch();
    host.initialize();
    host.set_state(::vm::STATE_BOOTSTRAPPING);
    const std::int64_t start_s = now_s() - kBlocks;
    for (int i = 0; i < kBlocks; ++i) {
        std::vector<chain::TransactionPtr> transactions{model.transfer_on(model.tip())};
        if (i % 10 == 0) {
            transactions.push_back(
                set_tx(fmt::format("value {}", i),
                       {.signer = 3, .block_id = model.tip()->id, .magic = host.genesis().magic}));
        }
        const chain::BlockPtr block = model.child(model.tip(), transactions, start_s + i);
        const auto verified = host.verify(block);
        ASSERT_TRUE(verified.ok()) << i << ": " << verified.status.error_message();
        ASSERT_TRUE(host.accept(block).ok()) << i;
        model.digests_each_block = i == kBlocks - 1;
        model.accept(block);
    }
    EXPECT_EQ(host.set_state(::vm::STATE_NORMAL_OP).id, model.tip()->id);
    host.stop();
    EXPECT_EQ(host.height_on_disk(), std::uint64_t{kBlocks});
    EXPECT_EQ(host.digest_on_disk(), model.digest());
}

TEST_F(BlocksConformance, Item38KillAtAcceptLeavesTheBlockOrItsParent) {
    std::mt19937 random{std::random_device{}()};
    for (int round = 0; round < 15; ++round) {
        const chain::BlockPtr block = model_.next();
        ASSERT_TRUE(host_.verify(block).ok());
        auto accepting = std::async(std::launch::async, [&] { return host_.accept(block); });
        accepting.wait_for(std::chrono::microseconds{random() % 8'000});
        ::kill(host_.process().pid(), SIGKILL);
        ASSERT_TRUE(host_.process().wait(20s));
        const bool said_done = accepting.get().ok();

        const std::uint64_t height = host_.height_on_disk();
        const std::uint64_t parent = block->header.height - 1;
        ASSERT_TRUE(height == parent || height == parent + 1) << height << ", not " << parent;
        if (said_done) {
            EXPECT_EQ(height, parent + 1);
        }
        if (height > parent) model_.accept(block);
        ASSERT_EQ(host_.digest_on_disk(), model_.digest());
        const Described last = host_.run();
        ASSERT_EQ(last.id, model_.tip()->id);
    }
}

TEST_F(BlocksConformance, Item39BuildsOnThePreferredBranch) {
    const chain::BlockPtr root = committed();
    const chain::BlockPtr left = model_.child(root, {model_.transfer_on(root)});
    const chain::BlockPtr right = model_.child(root, {model_.transfer_on(root)});
    const chain::BlockPtr deep = model_.child(right, {model_.transfer_on(right)});
    for (const auto& block : {left, right, deep}) ASSERT_TRUE(host_.verify(block).ok());
    host_.issue(model_.transfer_on(root));
    for (const auto& preferred : {deep, left, right, root, deep}) {
        ASSERT_TRUE(host_.prefer(preferred->id).ok());
        const Described block = host_.build();
        EXPECT_EQ(block.parent, preferred->id);
        EXPECT_EQ(block.height, preferred->header.height + 1);
    }
    BlockId unknown;
    unknown.bytes.fill(std::byte{0xbb});
    EXPECT_TRUE(host_.prefer(unknown).ok()) << "an error would stop the chain";
    EXPECT_TRUE(host_.prefer(deep->id).ok());
    EXPECT_EQ(host_.build().parent, deep->id);
}

TEST_F(BlocksConformance, Item40AncestorsComeNewestFirstWithinTheLimits) {
    for (int i = 0; i < 10; ++i) committed();
    const auto ask = [&](const BlockId& id, std::int32_t count, std::int32_t size,
                         std::int64_t time_ns = 10'000'000'000) {
        ::vm::GetAncestorsRequest request;
        request.set_blk_id(field_of(id));
        request.set_max_blocks_num(count);
        request.set_max_blocks_size(size);
        request.set_max_blocks_retrival_time(time_ns);
        const auto answer = host_.call(&::vm::VM::Stub::GetAncestors, request);
        EXPECT_TRUE(answer.ok()) << answer.status.error_message();
        const auto& blocks = answer.reply.blks_bytes();
        for (int i = 0; i < blocks.size(); ++i) {
            const auto height = model_.tip()->header.height - static_cast<std::uint64_t>(i);
            EXPECT_EQ(blocks[i], bytes_of(model_.at(height)));
        }
        return blocks.size();
    };
    constexpr std::int32_t kAny = 1 << 20;
    EXPECT_EQ(ask(BlockId{}, 100, kAny), 0);
    EXPECT_EQ(ask(model_.tip()->id, 100, kAny), 11);
    EXPECT_EQ(ask(model_.tip()->id, 4, kAny), 4);
    EXPECT_EQ(ask(model_.tip()->id, 1, kAny), 1);
    EXPECT_EQ(ask(model_.tip()->id, 0, kAny), 1);
    EXPECT_EQ(ask(model_.tip()->id, -1, kAny), 1);
    EXPECT_EQ(ask(model_.tip()->id, 100, 0), 1);
    EXPECT_EQ(ask(model_.tip()->id, 100, -1), 1);
    EXPECT_EQ(ask(model_.tip()->id, 100, kAny, 0), 1);
    EXPECT_EQ(ask(model_.tip()->id, 100, kAny, -1), 1);
    const auto size = static_cast<std::int32_t>(model_.tip()->bytes.size());
    EXPECT_EQ(ask(model_.tip()->id, 100, 3 * (size + 4)), 3);
    EXPECT_EQ(ask(model_.tip()->id, 100, 3 * (size + 4) - 1), 2);

    // A processing block is served too, and what it stands on.
    const chain::BlockPtr processing = model_.next();
    ASSERT_TRUE(host_.verify(processing).ok());
    ::vm::GetAncestorsRequest request;
    request.set_blk_id(field_of(processing->id));
    request.set_max_blocks_num(2);
    request.set_max_blocks_size(kAny);
    request.set_max_blocks_retrival_time(10'000'000'000);
    const auto answer = host_.call(&::vm::VM::Stub::GetAncestors, request);
    ASSERT_EQ(answer.reply.blks_bytes_size(), 2);
    EXPECT_EQ(answer.reply.blks_bytes(0), bytes_of(processing));
    EXPECT_EQ(answer.reply.blks_bytes(1), bytes_of(model_.tip()));
}

/// Blocks of up to 10,000 units: more bytes than a message can carry.
chain::Genesis genesis_of_huge_blocks() {
    chain::Genesis genesis = rich_genesis();
    genesis.max_block_size = 10'000;
    return genesis;
}

TEST(BlockSizeConformance, Item41TwoMebibytesAreRefusedAndNeverBuilt) {
    PluginHost host{{.genesis = json_of(genesis_of_huge_blocks())}};
    ModelChain model{host.genesis()};
    host.run();
    const chain::BlockPtr parent = model.next();
    host.commit(parent);
    model.accept(parent);
    std::vector<chain::TransactionPtr> sets;
    for (int i = 0; i < 12; ++i) {
        sets.push_back(set_tx(std::string(204'800, static_cast<char>('a' + i)),
                              {.block_id = model.tip()->id, .magic = host.genesis().magic}));
        host.issue(sets.back());
    }
    const chain::BlockPtr first = model.learn(as_bytes(host.build().bytes));
    EXPECT_LE(first->bytes.size(), chain::kMaxBlockBytes);
    EXPECT_GE(first->transactions.size(), 9U);

    const auto huge = chain::make_block(first->header, sets);
    ASSERT_TRUE(huge);
    ASSERT_GT((*huge)->bytes.size(), 2U * 1024 * 1024);
    EXPECT_FALSE(host.parse(bytes_of(*huge)).ok() && host.verify(*huge).ok());
    EXPECT_FALSE(host.verify(*huge).ok());
    host.commit(first);
    EXPECT_EQ(host.build().height, 3U) << "the rest comes with the next block";
}

}  // namespace
}  // namespace blobvm::test
