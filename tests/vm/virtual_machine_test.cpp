#include "vm/virtual_machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "chain/building.hpp"
#include "tests/support/vm_harness.hpp"

namespace blobvm::vm {
namespace {

using test::key;
using test::test_genesis;
using test::VmHarness;

SharedBytes copy(const chain::BlockPtr& block) { return SharedBytes::copy_of(block->bytes.view()); }

TEST(VirtualMachineTest, ATransactionGoesFromSubmissionToAcceptedState) {
    VmHarness chain;
    const chain::TransactionPtr tx = chain.set("hello");
    ASSERT_TRUE(chain.submit(tx));
    EXPECT_TRUE(chain.vm->has_work());

    const chain::BlockPtr block = chain.make_accepted_block();

    EXPECT_EQ(block->header.height, 1u);
    const auto snapshot = chain.vm->snapshot();
    EXPECT_EQ(snapshot->tip(), (Tip{1, block->id}));
    EXPECT_TRUE(snapshot->has_transaction(tx->id).value());
    EXPECT_EQ(as_chars(snapshot->blob(tx->key).value().view()), "hello");
    EXPECT_EQ(chain.vm->mempool().size(), 0u);
    EXPECT_FALSE(chain.vm->has_work());
}

TEST(VirtualMachineTest, SubmittingAKnownTransactionAgainIsNoError) {
    VmHarness chain;
    const chain::TransactionPtr tx = chain.set("hello");
    ASSERT_TRUE(chain.submit(tx));
    const auto again = chain.submit(tx);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, tx->id);
    EXPECT_EQ(chain.metrics.signatures_recovered.value(), 1u);
}

TEST(VirtualMachineTest, AnAcceptedTransactionCannotBeSubmittedAgain) {
    VmHarness chain;
    const chain::TransactionPtr tx = chain.transfer(key(2).address(), 10);
    ASSERT_TRUE(chain.submit(tx));
    chain.make_accepted_block();
    const auto again = chain.submit(tx);
    ASSERT_FALSE(again);
    // The genesis block that it names is in the window only while it is the parent.
    EXPECT_EQ(again.error().code, ErrorCode::kInvalidBlockId);
}

TEST(VirtualMachineTest, NothingIsTakenInBeforeNormalOperation) {
    VmHarness chain;
    ASSERT_TRUE(chain.vm->set_state(EngineState::kBootstrapping));
    const auto refused = chain.submit(chain.set("hello"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kNotReady);
    EXPECT_FALSE(chain.vm->build_block());
}

TEST(VirtualMachineTest, CheapChecksComeBeforeTheSignature) {
    VmHarness chain;
    const chain::TransactionPtr other_chain =
        chain::sign_transaction({.block_id = chain.vm->status().preferred,
                                 .magic = chain.genesis.magic + 1,
                                 .price = Price{1},
                                 .body = chain::SetFields{as_bytes("x")}},
                                key(1))
            .value();
    const auto refused = chain.submit(other_chain);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kWrongMagic);
    EXPECT_EQ(chain.metrics.signatures_recovered.value(), 0u);
}

TEST(VirtualMachineTest, BuildingLeavesTheMempoolAsItIs) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    const chain::BlockPtr first = chain.vm->build_block().value();
    const chain::BlockPtr second = chain.vm->build_block().value();
    EXPECT_EQ(chain.vm->mempool().size(), 1u);
    EXPECT_EQ(first->transactions.size(), 1u);
    EXPECT_EQ(second->transactions.size(), 1u);
    EXPECT_EQ(chain.vm->status().processing, 0u);
    EXPECT_EQ(chain.vm->get_block(first->id).error().code, ErrorCode::kNotFound);
}

/// Sorted.
std::vector<TxId> ids_of(const chain::BlockPtr& block) {
    std::vector<TxId> ids;
    for (const chain::TransactionPtr& tx : block->transactions) ids.push_back(tx->id);
    std::ranges::sort(ids);
    return ids;
}

TEST(VirtualMachineTest, BlocksBuiltOnProcessingOnesTakeTheOffersThatAreLeft) {
    VmHarness chain;
    std::vector<chain::BlockPtr> path;
    for (const char* value : {"a", "b", "c"}) {
        const chain::TransactionPtr tx = chain.set(value);
        ASSERT_TRUE(chain.submit(tx));
        path.push_back(chain.vm->build_block().value());
        EXPECT_EQ(ids_of(path.back()), std::vector{tx->id});
        ASSERT_TRUE(chain.verify(path.back()));
        chain.vm->set_preference(path.back()->id);
    }
    EXPECT_EQ(chain.vm->mempool().size(), 3u);
    EXPECT_FALSE(chain.vm->build_block());
    for (const chain::BlockPtr& block : path) ASSERT_TRUE(chain.vm->accept(block->id));
    EXPECT_EQ(chain.vm->mempool().size(), 0u);
}

TEST(VirtualMachineTest, OffersOfABranchThatIsLeftAreTakenIntoTheNextBlock) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("base")));
    const chain::BlockPtr base = chain.make_accepted_block();  // stays recent, unlike genesis
    const chain::TransactionPtr first = chain.set("a");
    const chain::TransactionPtr second = chain.set("b");
    ASSERT_TRUE(chain.submit(first));
    const chain::BlockPtr left = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(left));
    chain.vm->set_preference(left->id);
    ASSERT_TRUE(chain.submit(second));
    const chain::BlockPtr child = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(child));
    chain.vm->set_preference(child->id);
    EXPECT_FALSE(chain.vm->build_block());  // both are held now
    EXPECT_FALSE(chain.vm->has_work());

    std::vector<TxId> both{first->id, second->id};
    std::ranges::sort(both);
    // The engine prefers the parent again, with nothing rejected ...
    chain.vm->set_preference(chain.vm->last_accepted().id);
    EXPECT_TRUE(chain.vm->has_work());
    EXPECT_EQ(ids_of(chain.vm->build_block().value()), both);
    chain.vm->set_preference(child->id);
    EXPECT_FALSE(chain.vm->build_block());
    // ... or a rival wins.
    VmHarness rival;
    ASSERT_TRUE(rival.verify(base));
    rival.vm->set_preference(base->id);
    ASSERT_TRUE(rival.vm->accept(base->id));
    ASSERT_TRUE(rival.submit(rival.set("c")));
    const chain::BlockPtr theirs = rival.vm->build_block().value();
    ASSERT_TRUE(chain.verify(theirs));
    ASSERT_TRUE(chain.vm->accept(theirs->id));
    ASSERT_TRUE(chain.vm->reject(child->id));
    ASSERT_TRUE(chain.vm->reject(left->id));
    chain.vm->set_preference(theirs->id);
    EXPECT_TRUE(chain.vm->has_work());
    EXPECT_EQ(ids_of(chain.vm->build_block().value()), both);
}

TEST(VirtualMachineTest, OffersOfARejectedBlockAreOfferedAtOnce) {
    VmHarness chain;
    const chain::TransactionPtr tx = chain.set("a");
    ASSERT_TRUE(chain.submit(tx));
    const chain::BlockPtr block = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(block));
    chain.vm->set_preference(block->id);
    EXPECT_FALSE(chain.vm->build_block());
    ASSERT_TRUE(chain.vm->reject(block->id));
    EXPECT_TRUE(chain.vm->has_work());
    EXPECT_EQ(ids_of(chain.vm->build_block().value()), std::vector{tx->id});
}

TEST(VirtualMachineTest, ABuiltBlockIsVerifiedWithoutRecoveringOrExecutingAgain) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    const chain::BlockPtr block = chain.vm->build_block().value();
    const auto recovered = chain.metrics.signatures_recovered.value();
    ASSERT_TRUE(chain.verify(block));
    EXPECT_EQ(chain.metrics.signatures_recovered.value(), recovered);
    EXPECT_EQ(chain.metrics.execute.snapshot().count, 0u);
    EXPECT_EQ(chain.vm->status().processing, 1u);
}

TEST(VirtualMachineTest, ABlockOfAnotherNodeWhoseTransactionsAreKnownRecoversNothing) {
    VmHarness builder;
    VmHarness other;
    const chain::TransactionPtr tx = builder.set("a");
    ASSERT_TRUE(builder.submit(tx));
    ASSERT_TRUE(other.submit(tx));
    const chain::BlockPtr block = builder.vm->build_block().value();
    ASSERT_TRUE(other.vm->verify_block(copy(block)));
    EXPECT_EQ(other.metrics.signatures_recovered.value(), 1u);  // at submission
    EXPECT_EQ(other.metrics.execute.snapshot().count, 1u);      // not proven here before
}

TEST(VirtualMachineTest, AKnownTransactionWithOneOtherByteIsNotKnown) {
    VmHarness chain;
    const chain::TransactionPtr tx = chain.transfer(key(2).address(), 10);
    ASSERT_TRUE(chain.submit(tx));
    Bytes changed = chain::standalone_bytes(tx->raw);
    changed[81] ^= std::byte{1};  // the last byte of the units, under the same signature
    const auto result = chain.vm->submit(SharedBytes{std::move(changed)});
    // Another message has another signer, who owns nothing.
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidBalance);
    EXPECT_EQ(chain.metrics.signatures_recovered.value(), 2u);
}

TEST(VirtualMachineTest, VerifyingTwiceIsHarmless) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    const chain::BlockPtr block = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(block));
    ASSERT_TRUE(chain.verify(block));
    EXPECT_EQ(chain.vm->status().processing, 1u);
}

TEST(VirtualMachineTest, AGrandchildIsVerifiedOnItsProcessingParent) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.transfer(key(9).address(), 100)));
    const chain::BlockPtr parent = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(parent));
    chain.vm->set_preference(parent->id);

    // Key 9 owns something only in the parent's state.
    ASSERT_TRUE(chain.submit(chain.transfer(key(2).address(), 50, Price{1}, 9)));
    const chain::BlockPtr child = chain.vm->build_block().value();
    ASSERT_EQ(child->transactions.size(), 1u);
    ASSERT_TRUE(chain.verify(child));

    ASSERT_TRUE(chain.vm->accept(parent->id));
    ASSERT_TRUE(chain.vm->accept(child->id));
    EXPECT_EQ(chain.vm->snapshot()->balance(key(9).address()).value(), Amount{49});
}

TEST(VirtualMachineTest, OfTwoSiblingsTheAcceptedOneIsTheState) {
    VmHarness chain;
    const chain::TransactionPtr left = chain.transfer(key(9).address(), 100);
    const chain::TransactionPtr right = chain.transfer(key(10).address(), 100, Price{1}, 2);
    VmHarness rival;
    ASSERT_TRUE(chain.submit(left));
    ASSERT_TRUE(rival.submit(right));
    const chain::BlockPtr ours = chain.vm->build_block().value();
    const chain::BlockPtr theirs = rival.vm->build_block().value();
    ASSERT_TRUE(chain.verify(ours));
    ASSERT_TRUE(chain.verify(theirs));
    chain.vm->set_preference(ours->id);

    ASSERT_TRUE(chain.vm->accept(theirs->id));
    ASSERT_TRUE(chain.vm->reject(ours->id));

    EXPECT_EQ(chain.vm->snapshot()->balance(key(10).address()).value(), Amount{100});
    EXPECT_EQ(chain.vm->snapshot()->balance(key(9).address()).value(), Amount{0});
    EXPECT_EQ(chain.vm->status().processing, 0u);
    EXPECT_EQ(chain.vm->status().preferred, theirs->id);
    EXPECT_EQ(chain.vm->get_block(ours->id).error().code, ErrorCode::kNotFound);
}

TEST(VirtualMachineTest, TransactionsOfARejectedBlockComeBackIfTheyStillCan) {
    VmHarness chain;
    VmHarness rival;
    const chain::TransactionPtr only_in_block = rival.set("theirs", Price{1}, 2);
    ASSERT_TRUE(rival.submit(only_in_block));
    ASSERT_TRUE(chain.submit(chain.set("ours")));
    const chain::BlockPtr theirs = rival.vm->build_block().value();
    const chain::BlockPtr ours = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(theirs));
    ASSERT_TRUE(chain.verify(ours));

    ASSERT_TRUE(chain.vm->reject(theirs->id));
    EXPECT_TRUE(chain.vm->mempool().contains(only_in_block->id));

    VmHarness late;
    ASSERT_TRUE(late.verify(theirs));
    ASSERT_TRUE(late.verify(ours));
    late.vm->set_preference(ours->id);
    ASSERT_TRUE(late.vm->accept(ours->id));
    // It names genesis, which is out of the window now: the pool says why it is not there.
    ASSERT_TRUE(late.vm->reject(theirs->id));
    EXPECT_FALSE(late.vm->mempool().contains(only_in_block->id));
    ASSERT_TRUE(late.vm->mempool().why(only_in_block->id));
    EXPECT_EQ(late.vm->mempool().why(only_in_block->id)->reason.code, ErrorCode::kInvalidBlockId);
}

TEST(VirtualMachineTest, TheWitnessIsWrittenBeforeTheBlock) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    std::optional<Tip> tip_at_witness;
    chain.node.on_witness = [&](const Witness&) { tip_at_witness = chain.store.tip(); };
    const chain::BlockPtr block = chain.make_accepted_block();
    ASSERT_EQ(chain.node.witnesses.size(), 1u);
    EXPECT_EQ(chain.node.witnesses[0].height, 1u);
    EXPECT_EQ(chain.node.witnesses[0].id, block->id);
    EXPECT_EQ(tip_at_witness->height, 0u);
}

TEST(VirtualMachineTest, WithoutAWitnessNothingIsAccepted) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    const chain::BlockPtr block = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(block));
    chain.node.unavailable = true;
    EXPECT_EQ(chain.vm->accept(block->id).error().code, ErrorCode::kNodeUnavailable);
    EXPECT_EQ(chain.store.tip().height, 0u);
    EXPECT_EQ(chain.vm->last_accepted().height, 0u);
}

TEST(VirtualMachineTest, AFailedWriteLeavesTheBlockProcessing) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    chain.make_accepted_block();
    ASSERT_TRUE(chain.submit(chain.set("b")));
    chain.store.fail_after_commits(0);
    const chain::BlockPtr block = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(block));
    EXPECT_EQ(chain.vm->accept(block->id).error().code, ErrorCode::kStoreFailed);
    EXPECT_EQ(chain.vm->last_accepted().height, 1u);
    EXPECT_EQ(chain.vm->status().processing, 1u);
}

TEST(VirtualMachineTest, AcceptedBlocksAreSyncedInNormalOperation) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    chain.make_accepted_block();
    EXPECT_EQ(chain.store.durabilities(), std::vector{Durability::kSynced});
}

TEST(VirtualMachineTest, BlocksGoToTheDiskOnceBuiltOrVerified) {
    VmHarness builder;
    ASSERT_TRUE(builder.submit(builder.set("a")));
    const chain::BlockPtr block = builder.vm->build_block().value();
    EXPECT_EQ(builder.store.staged(), std::vector<std::uint64_t>{1});

    VmHarness other;
    ASSERT_TRUE(other.vm->parse_block(copy(block)));
    EXPECT_TRUE(other.store.staged().empty());
    ASSERT_TRUE(other.vm->verify_block(copy(block)));
    EXPECT_EQ(other.store.staged(), std::vector<std::uint64_t>{1});

    VmHarness late;
    ASSERT_TRUE(late.vm->set_state(EngineState::kBootstrapping));
    ASSERT_TRUE(late.vm->verify_block(copy(block)));
    EXPECT_TRUE(late.store.staged().empty()) << "catching up waits for no disk";
}

TEST(VirtualMachineTest, WhileBootstrappingEvery64thBlockIsSyncedAndTheLastOne) {
    VmHarness builder;
    VmHarness late;
    ASSERT_TRUE(late.vm->set_state(EngineState::kBootstrapping));
    for (int i = 0; i < 65; ++i) {
        ASSERT_TRUE(builder.submit(builder.set("value " + std::to_string(i))));
        const chain::BlockPtr block = builder.make_accepted_block();
        ASSERT_TRUE(late.vm->verify_block(copy(block)));
        ASSERT_TRUE(late.vm->accept(block->id));
    }
    EXPECT_EQ(late.store.syncs(), 1u);
    ASSERT_TRUE(late.vm->set_state(EngineState::kNormalOp));
    EXPECT_EQ(late.store.syncs(), 2u);
    const auto written = late.store.durabilities();
    EXPECT_TRUE(std::all_of(written.begin(), written.end(),
                            [](Durability d) { return d == Durability::kBuffered; }));
    EXPECT_EQ(late.store.consensus_digest().value(), builder.store.consensus_digest().value());
}

TEST(VirtualMachineTest, ABlockFromTheFutureIsRefusedOnlyOnceTheClockMatters) {
    VmHarness ahead;
    ahead.clock.set(VmHarness::kStart + 10);
    ASSERT_TRUE(ahead.submit(ahead.set("a")));
    const chain::BlockPtr block = ahead.vm->build_block().value();

    VmHarness chain;
    EXPECT_EQ(chain.verify(block).error().code, ErrorCode::kTimestampTooLate);
    ASSERT_TRUE(chain.vm->set_state(EngineState::kBootstrapping));
    EXPECT_TRUE(chain.verify(block));
}

TEST(VirtualMachineTest, ABlockOnAnUnknownParentIsNotFoundAndLaterFine) {
    VmHarness builder;
    ASSERT_TRUE(builder.submit(builder.set("a")));
    const chain::BlockPtr parent = builder.make_accepted_block();
    ASSERT_TRUE(builder.submit(builder.set("b")));
    const chain::BlockPtr child = builder.make_accepted_block();

    VmHarness chain;
    EXPECT_EQ(chain.verify(child).error().code, ErrorCode::kNotFound);
    ASSERT_TRUE(chain.verify(parent));
    EXPECT_TRUE(chain.verify(child));
}

TEST(VirtualMachineTest, ParsingNeedsNeitherParentNorState) {
    VmHarness builder;
    ASSERT_TRUE(builder.submit(builder.set("a")));
    builder.make_accepted_block();
    ASSERT_TRUE(builder.submit(builder.set("b")));
    const chain::BlockPtr block = builder.make_accepted_block();

    VmHarness chain;
    const auto parsed = chain.vm->parse_block(copy(block));
    ASSERT_TRUE(parsed);
    EXPECT_EQ((*parsed)->id, block->id);
    EXPECT_EQ((*parsed)->header.height, 2u);
}

TEST(VirtualMachineTest, GenesisCanBeParsed) {
    VmHarness chain;
    const BlockInfo genesis = chain.vm->last_accepted();
    const auto parsed = chain.vm->parse_block(SharedBytes::copy_of(genesis.bytes.view()));
    ASSERT_TRUE(parsed);
    EXPECT_EQ((*parsed)->id, genesis.id);
}

TEST(VirtualMachineTest, AnUnbuildablePoolDoesNotSpinAndDoesNotSleep) {
    chain::Genesis rules = test_genesis();
    rules.block_cost_enabled = true;
    VmHarness chain{rules};
    chain.clock.set(VmHarness::kStart);
    ASSERT_TRUE(chain.submit(chain.set("a", Price{1})));
    // The first block after genesis comes long after it and costs nothing.
    chain.make_accepted_block();
    // A second one in the same second costs 1 unit, which a price of 1 leaves no surplus for.
    ASSERT_TRUE(chain.submit(chain.set("b", Price{1})));
    EXPECT_TRUE(chain.vm->has_work());
    EXPECT_EQ(chain.vm->build_block().error().code, ErrorCode::kInsufficientSurplus);
    EXPECT_EQ(chain.vm->mempool().size(), 1u);
    EXPECT_FALSE(chain.vm->has_work());  // the same question has the same answer

    chain.clock.advance(std::chrono::seconds{2});  // the cost has fallen
    EXPECT_TRUE(chain.vm->has_work());
    EXPECT_TRUE(chain.vm->build_block());
}

TEST(VirtualMachineTest, AnOfferThatPaysTheBlocksCostMakesAPoolBuildable) {
    chain::Genesis rules = test_genesis();
    rules.block_cost_enabled = true;
    VmHarness chain{rules};
    ASSERT_TRUE(chain.submit(chain.set("a")));
    chain.make_accepted_block();
    ASSERT_TRUE(chain.submit(chain.set("b", Price{1})));
    ASSERT_FALSE(chain.vm->build_block());
    ASSERT_TRUE(chain.submit(chain.set("c", Price{100}, 2)));
    EXPECT_TRUE(chain.vm->has_work());
    EXPECT_EQ(chain.vm->build_block().value()->transactions.size(), 2u);
}

TEST(VirtualMachineTest, TransactionsInAProcessingBlockAreNoWorkForItsChild) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    const chain::BlockPtr block = chain.vm->build_block().value();
    ASSERT_TRUE(chain.verify(block));
    chain.vm->set_preference(block->id);
    EXPECT_FALSE(chain.vm->has_work());
    EXPECT_EQ(chain.vm->build_block().error().code, ErrorCode::kNoTransactions);
    EXPECT_EQ(chain.vm->mempool().size(), 1u);
}

TEST(VirtualMachineTest, AnOfferOutlivesAPreferenceThatTurnsBack) {
    VmHarness chain;
    VmHarness rival;
    const chain::TransactionPtr waiting = chain.set("waits for genesis' child");
    ASSERT_TRUE(chain.submit(waiting));
    ASSERT_TRUE(rival.submit(rival.set("another", Price{1}, 2)));
    const chain::BlockPtr block = rival.vm->build_block().value();
    ASSERT_TRUE(chain.verify(block));
    // On this block genesis is out of the window, and with it what the offer names.
    chain.vm->set_preference(block->id);
    EXPECT_FALSE(chain.vm->has_work());
    EXPECT_FALSE(chain.vm->build_block());
    EXPECT_TRUE(chain.vm->mempool().contains(waiting->id));

    ASSERT_TRUE(chain.vm->reject(block->id));
    EXPECT_TRUE(chain.vm->has_work());
    EXPECT_EQ(chain.vm->build_block().value()->transactions.size(), 2u);
}

TEST(VirtualMachineTest, AnOfferExpiresOnceItsBlockIsBehindTheWindow) {
    VmHarness chain;
    const chain::TransactionPtr waiting = chain.set("names genesis");
    VmHarness rival;
    ASSERT_TRUE(rival.submit(rival.set("another", Price{1}, 2)));
    const chain::BlockPtr block = rival.vm->build_block().value();
    ASSERT_TRUE(chain.submit(waiting));
    ASSERT_TRUE(chain.verify(block));
    ASSERT_TRUE(chain.vm->accept(block->id));
    EXPECT_FALSE(chain.vm->mempool().contains(waiting->id));
    ASSERT_TRUE(chain.vm->mempool().why(waiting->id));
    EXPECT_EQ(chain.vm->mempool().why(waiting->id)->fate, mempool::Fate::kExpired);
}

TEST(VirtualMachineTest, AnOfferStaysWhileItsBlockIsInTheWindow) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    chain.make_accepted_block();
    const chain::TransactionPtr late = chain.set("b");
    ASSERT_TRUE(chain.submit(late));
    ASSERT_TRUE(chain.submit(chain.set("c", Price{1}, 2)));
    const chain::BlockPtr block = [&] {
        chain.clock.advance(std::chrono::seconds{30});
        return chain.make_accepted_block();
    }();
    ASSERT_EQ(block->transactions.size(), 2u);

    const chain::TransactionPtr old = chain.set("d");
    ASSERT_TRUE(chain.submit(old));
    chain.clock.advance(std::chrono::seconds{61});
    // Its block is the parent of the next one and so stays in the window: still good.
    EXPECT_TRUE(chain.vm->has_work());
    EXPECT_TRUE(chain.vm->build_block());
}

TEST(VirtualMachineTest, ActivityIsNewestFirstAndBounded) {
    Config config;
    config.activity_cache_size = 2;
    VmHarness chain{test_genesis(), config};
    for (const char* value : {"a", "b", "c"}) {
        ASSERT_TRUE(chain.submit(chain.set(value)));
        chain.make_accepted_block();
    }
    const auto activity = chain.vm->recent_activity();
    ASSERT_EQ(activity.size(), 2u);
    EXPECT_EQ(activity[0].key, chain.set("c")->key);
    EXPECT_EQ(activity[1].key, chain.set("b")->key);
}

TEST(VirtualMachineTest, AncestorsKeepTheirBounds) {
    VmHarness chain;
    std::vector<chain::BlockPtr> blocks;
    for (const char* value : {"a", "b", "c"}) {
        ASSERT_TRUE(chain.submit(chain.set(value)));
        blocks.push_back(chain.make_accepted_block());
    }
    const auto all = chain.vm->ancestors(blocks[2]->id, 10, 1'000'000, std::chrono::seconds{1});
    ASSERT_EQ(all.value().size(), 4u);
    EXPECT_TRUE(same_bytes((*all)[0].view(), blocks[2]->bytes.view()));
    EXPECT_TRUE(same_bytes((*all)[2].view(), blocks[0]->bytes.view()));

    const auto size = static_cast<std::int32_t>(blocks[2]->bytes.size() + 4);
    const auto count = [&](std::int32_t max_blocks, std::int32_t max_bytes,
                           std::chrono::nanoseconds time) {
        return chain.vm->ancestors(blocks[2]->id, max_blocks, max_bytes, time).value().size();
    };
    EXPECT_EQ(count(0, 1'000'000, std::chrono::seconds{1}), 1u);
    EXPECT_EQ(count(2, 1'000'000, std::chrono::seconds{1}), 2u);
    EXPECT_EQ(count(10, 2 * size, std::chrono::seconds{1}), 2u);
    EXPECT_EQ(count(10, 2 * size - 1, std::chrono::seconds{1}), 1u);
    EXPECT_EQ(count(10, 0, std::chrono::seconds{1}), 1u);
    EXPECT_EQ(count(10, 1'000'000, std::chrono::nanoseconds{0}), 1u);
    EXPECT_TRUE(chain.vm->ancestors(BlockId{}, 10, 100, std::chrono::seconds{1}).value().empty());
}

TEST(VirtualMachineTest, ASmallTransactionDoesNotHoldALargeMessage) {
    VmHarness chain;
    const chain::TransactionPtr small = chain.transfer(key(2).address(), 1);
    const std::string large(200'000, 'x');
    const chain::TransactionPtr big = chain.set(large);
    const std::vector<chain::RawTransaction> both{small->raw, big->raw};
    auto message = chain::decode_gossip(SharedBytes{chain::encode_gossip(both).value()}).value();
    for (const auto& result : chain.vm->submit_all(std::move(message))) ASSERT_TRUE(result);
    EXPECT_LT(chain.vm->mempool().find(small->id)->raw.nested.owner_size(), 5'000u);
}

TEST(VirtualMachineTest, AcceptOfTheLastAcceptedBlockIsANoOp) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    const chain::BlockPtr block = chain.make_accepted_block();
    EXPECT_TRUE(chain.vm->accept(block->id));
    EXPECT_EQ(chain.node.witnesses.size(), 1u);
    EXPECT_EQ(chain.vm->accept(BlockId{}).error().code, ErrorCode::kInvalidState);
}

TEST(VirtualMachineTest, AnUnknownPreferenceFailsTheBuildNotTheCall) {
    VmHarness chain;
    ASSERT_TRUE(chain.submit(chain.set("a")));
    const BlockId nowhere{{std::byte{7}}};
    chain.vm->set_preference(nowhere);
    EXPECT_FALSE(chain.vm->has_work());
    EXPECT_EQ(chain.vm->build_block().error().code, ErrorCode::kNotFound);
    chain.vm->set_preference(chain.vm->last_accepted().id);
    EXPECT_TRUE(chain.vm->build_block());
}

TEST(VirtualMachineTest, ALongChainOfProcessingBlocksKeepsItsState) {
    VmHarness chain;
    std::vector<BlockId> ids;
    for (int i = 0; i < 200; ++i) {
        chain.clock.advance(std::chrono::seconds{1});
        ASSERT_TRUE(chain.submit(chain.transfer(key(9).address(), 1)));
        const chain::BlockPtr block = chain.vm->build_block().value();
        ASSERT_EQ(block->transactions.size(), 1u) << i;
        ASSERT_TRUE(chain.verify(block));
        chain.vm->set_preference(block->id);
        ids.push_back(block->id);
    }
    for (const BlockId& id : ids) ASSERT_TRUE(chain.vm->accept(id));
    EXPECT_EQ(chain.vm->snapshot()->balance(key(9).address()).value(), Amount{200});
    EXPECT_EQ(chain.vm->status().processing, 0u);
}

}  // namespace
}  // namespace blobvm::vm
