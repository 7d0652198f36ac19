#include "vm/gossip_loop.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <vector>

#include "tests/support/transactions.hpp"
#include "tests/support/vm_harness.hpp"

namespace blobvm::vm {
namespace {

using namespace std::chrono_literals;
using test::VmHarness;

constexpr NodeId kPeer{{std::byte{7}}};

/// A node whose gossip runs when told to: the thread has ended before the test begins.
struct GossipingNode : VmHarness {
    explicit GossipingNode(const chain::Genesis& rules = test::test_genesis())
        : VmHarness{rules}, gossip{*vm, node, clock, metrics} {
        gossip.stop();
    }

    /// What the node was asked to push since the last call, one second later.
    std::vector<Bytes> pushed_after(std::chrono::nanoseconds time = 1s) {
        clock.advance(time);
        gossip.tick();
        return std::exchange(node.gossip, {});
    }

    GossipLoop gossip;
};

std::vector<TxId> ids_in(const Bytes& message) {
    std::vector<TxId> ids;
    const auto raws = chain::decode_gossip(SharedBytes::copy_of(message)).value();
    for (const chain::TxHashes& hashes : chain::hash_transactions(raws)) ids.push_back(hashes.id);
    return ids;
}

SharedBytes message_of(const std::vector<chain::TransactionPtr>& transactions) {
    std::vector<chain::RawTransaction> raws;
    for (const auto& transaction : transactions) raws.push_back(transaction->raw);
    return SharedBytes{chain::encode_gossip(raws).value()};
}

/// `count` sets, each of another value.
std::vector<chain::TransactionPtr> make_sets(VmHarness& node, std::size_t count,
                                             std::size_t value_bytes = 8) {
    std::vector<chain::TransactionPtr> sets;
    for (std::size_t i = 0; i < count; ++i) {
        std::string value = std::to_string(i);
        value.resize(value_bytes, '.');
        sets.push_back(node.set(value, Price{100}));
    }
    return sets;
}

TEST(GossipLoopTest, NewTransactionsArePushedOnceAndAtOnce) {
    GossipingNode node;
    const auto first = node.set("first");
    const auto second = node.set("second");
    ASSERT_TRUE(node.submit(first));
    ASSERT_TRUE(node.submit(second));

    const std::vector<Bytes> messages = node.pushed_after(0s);
    ASSERT_EQ(messages.size(), 1);
    EXPECT_EQ(ids_in(messages.front()), (std::vector{first->id, second->id}));
    EXPECT_TRUE(node.pushed_after().empty());
    EXPECT_EQ(node.vm->mempool().size(), 2);
    EXPECT_EQ(node.metrics.gossip_sent.value(), 2);
}

TEST(GossipLoopTest, NextTransactionsWaitForTheInterval) {
    GossipingNode node;
    ASSERT_TRUE(node.submit(node.set("first")));
    ASSERT_EQ(node.pushed_after(0s).size(), 1);

    const auto second = node.set("second");
    ASSERT_TRUE(node.submit(second));
    EXPECT_TRUE(node.pushed_after(999ms).empty());
    const std::vector<Bytes> messages = node.pushed_after(1ms);
    ASSERT_EQ(messages.size(), 1);
    EXPECT_EQ(ids_in(messages.front()), std::vector{second->id});
}

TEST(GossipLoopTest, QuietTimeDelaysNothing) {
    GossipingNode node;
    EXPECT_TRUE(node.pushed_after(100s).empty());
    ASSERT_TRUE(node.submit(node.set("first after a while")));
    EXPECT_EQ(node.pushed_after(0s).size(), 1);
}

TEST(GossipLoopTest, WakesForTheFirstTransaction) {
    VmHarness node;
    std::latch pushed{1};
    node.node.on_gossip = [&pushed] { pushed.count_down(); };
    GossipLoop gossip{*node.vm, node.node, node.clock, node.metrics};
    node.vm->on_change([&gossip] { gossip.wake(); });
    ASSERT_TRUE(node.submit(node.set("value")));
    pushed.wait();
    gossip.stop();
    EXPECT_EQ(node.node.gossip.size(), 1U);
    node.vm->on_change([] {});
}

TEST(GossipLoopTest, EmptyPoolSendsNothing) {
    GossipingNode node;

    EXPECT_TRUE(node.pushed_after(1s).empty());
    EXPECT_TRUE(node.pushed_after(30s).empty());
}

TEST(GossipLoopTest, BestAreSentAgainAndStay) {
    GossipingNode node;
    const auto cheap = node.set("cheap", Price{5});
    const auto dear = node.set("dear", Price{9});
    ASSERT_TRUE(node.submit(cheap));
    ASSERT_TRUE(node.submit(dear));
    ASSERT_EQ(node.pushed_after().size(), 1);

    for (int round = 0; round < 3; ++round) {
        const std::vector<Bytes> messages = node.pushed_after(30s);
        ASSERT_EQ(messages.size(), 1);
        EXPECT_EQ(ids_in(messages.front()), (std::vector{dear->id, cheap->id}));
    }
    EXPECT_EQ(node.vm->mempool().size(), 2);
}

TEST(GossipLoopTest, WhatComesInIsAdmittedAndPassedOn) {
    GossipingNode node;
    const auto transaction = node.set("value");

    node.gossip.receive(kPeer, message_of({transaction}));
    EXPECT_TRUE(node.vm->mempool().contains(transaction->id));
    const std::vector<Bytes> messages = node.pushed_after();
    ASSERT_EQ(messages.size(), 1);
    EXPECT_EQ(ids_in(messages.front()), std::vector{transaction->id});
}

TEST(GossipLoopTest, TwoNodesDoNotEchoForEver) {
    GossipingNode one;
    GossipingNode other;
    ASSERT_TRUE(one.submit(one.set("value")));
    std::size_t messages = 0;
    for (int round = 0; round < 10; ++round) {
        for (const Bytes& message : one.pushed_after()) {
            ++messages;
            other.gossip.receive(kPeer, SharedBytes::copy_of(message));
        }
        for (const Bytes& message : other.pushed_after()) {
            ++messages;
            one.gossip.receive(kPeer, SharedBytes::copy_of(message));
        }
    }

    EXPECT_EQ(messages, 2);
    EXPECT_EQ(other.vm->mempool().size(), 1);
}

TEST(GossipLoopTest, SeenTransactionIsNotCheckedAgain) {
    GossipingNode node;
    const auto refused = node.set("value", Price{0});
    node.gossip.receive(kPeer, message_of({refused, refused}));
    const std::uint64_t submitted = node.metrics.transactions_submitted.value();
    EXPECT_EQ(submitted, 1);

    node.gossip.receive(kPeer, message_of({refused}));
    EXPECT_EQ(node.metrics.transactions_submitted.value(), submitted);
    node.clock.advance(15s);
    node.gossip.receive(kPeer, message_of({refused}));
    EXPECT_EQ(node.metrics.transactions_submitted.value(), submitted + 1)
        << "after half a regossip interval it may try again";
}

TEST(GossipLoopTest, RoundIsBoundedByUnitsAndTheRestFollows) {
    chain::Genesis rules = test::test_genesis();
    rules.max_value_size = 1024;
    rules.target_block_size = 20;
    GossipingNode node{rules};
    for (const auto& set : make_sets(node, 15)) ASSERT_TRUE(node.submit(set));

    EXPECT_EQ(ids_in(node.pushed_after().at(0)).size(), 10) << "2 units each";
    EXPECT_EQ(ids_in(node.pushed_after().at(0)).size(), 5);
    EXPECT_EQ(ids_in(node.pushed_after(30s).at(0)).size(), 10);
}

TEST(GossipLoopTest, RoundIsBoundedByBytesAndEachTransactionTravels) {
    chain::Genesis rules = test::test_genesis();
    rules.target_block_size = 100'000;
    rules.max_block_size = 1'638;
    GossipingNode node{rules};
    for (const auto& set : make_sets(node, 8, 200'000)) ASSERT_TRUE(node.submit(set));

    for (const std::size_t expected : {5u, 3u}) {
        const std::vector<Bytes> messages = node.pushed_after();
        ASSERT_EQ(messages.size(), 1);
        EXPECT_LE(messages.front().size(), GossipLoop::kMaxMessageBytes);
        EXPECT_EQ(ids_in(messages.front()).size(), expected);
    }
}

TEST(GossipLoopTest, MessageHoldsABoundedCount) {
    chain::Genesis rules = test::test_genesis();
    rules.target_block_size = 100'000;
    GossipingNode node{rules};
    for (const auto& set : make_sets(node, 600)) ASSERT_TRUE(node.submit(set));

    const std::vector<Bytes> messages = node.pushed_after();
    ASSERT_EQ(messages.size(), 2);
    EXPECT_EQ(ids_in(messages[0]).size(), GossipLoop::kMaxTransactions);
    EXPECT_EQ(ids_in(messages[1]).size(), 600 - GossipLoop::kMaxTransactions);
}

TEST(GossipLoopTest, BadMessagesChangeNothing) {
    GossipingNode node;
    const auto transaction = node.set("value");
    const SharedBytes good = message_of({transaction});

    Bytes trailing = to_bytes(good.view());
    trailing.push_back(std::byte{0});
    node.gossip.receive(kPeer, SharedBytes{std::move(trailing)});
    node.gossip.receive(kPeer, SharedBytes{});
    node.gossip.receive(kPeer, good.part(0, good.size() - 1));
    node.gossip.receive(kPeer, SharedBytes{Bytes(GossipLoop::kMaxReceivedBytes + 1)});
    node.gossip.receive(kPeer, message_of(std::vector(GossipLoop::kMaxTransactions + 1,  //
                                                      transaction)));

    EXPECT_EQ(node.vm->mempool().size(), 0);
    EXPECT_EQ(node.metrics.gossip_refused.value(), 5);
    EXPECT_EQ(node.metrics.transactions_submitted.value(), 0);
    node.gossip.receive(kPeer, good);
    EXPECT_EQ(node.vm->mempool().size(), 1);
}

TEST(GossipLoopTest, OneBadTransactionDoesNotSpoilTheOthers) {
    GossipingNode node;
    const auto good = node.set("good");
    const auto bad = node.set("bad", Price{0});

    node.gossip.receive(kPeer, message_of({bad, good}));
    EXPECT_EQ(node.vm->mempool().size(), 1);
    EXPECT_TRUE(node.vm->mempool().contains(good->id));
    EXPECT_EQ(node.metrics.gossip_refused.value(), 1);
}

TEST(GossipLoopTest, PeerHasABudgetOfSignatureChecks) {
    GossipingNode node;
    const auto sets = make_sets(node, 600);
    const std::vector<chain::TransactionPtr> first(sets.begin(), sets.begin() + 300);
    const std::vector<chain::TransactionPtr> second(sets.begin() + 300, sets.end());

    node.gossip.receive(kPeer, message_of(first));
    node.gossip.receive(kPeer, message_of(second));
    EXPECT_EQ(node.vm->mempool().size(), 512);
    EXPECT_EQ(node.metrics.gossip_refused.value(), 88);

    node.gossip.receive(NodeId{{std::byte{8}}}, message_of(second));
    EXPECT_EQ(node.vm->mempool().size(), 600) << "what one peer had no budget for, another brings";
}

TEST(GossipLoopTest, BeforeNormalOperationNothingGoesInOrOut) {
    GossipingNode node;
    ASSERT_TRUE(node.submit(node.set("mine")));
    ASSERT_TRUE(node.vm->set_state(EngineState::kBootstrapping));

    node.gossip.receive(kPeer, message_of({node.set("theirs")}));
    EXPECT_EQ(node.vm->mempool().size(), 1);
    EXPECT_TRUE(node.pushed_after(30s).empty());

    ASSERT_TRUE(node.vm->set_state(EngineState::kNormalOp));
    EXPECT_EQ(node.pushed_after().size(), 1) << "what came before is not forgotten";
}

TEST(GossipLoopTest, ThreadPushesWhatWaitedBeforeItsStart) {
    VmHarness node;
    ASSERT_TRUE(node.submit(node.set("value")));
    std::latch pushed{1};
    node.node.on_gossip = [&pushed] { pushed.count_down(); };
    GossipLoop gossip{*node.vm, node.node, node.clock, node.metrics};
    pushed.wait();
    gossip.stop();
    EXPECT_EQ(node.node.gossip.size(), 1U);
}

}  // namespace
}  // namespace blobvm::vm
