#include "vm/store/rocks_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "chain/base/hashing.hpp"
#include "tests/support/memory_chain_store.hpp"
#include "tests/vm/store_support.hpp"

namespace blobvm::vm::store {
namespace {

namespace fs = std::filesystem;
using test::chain_id;
using test::ChainMaker;
using test::Commit;
using test::MemoryChainStore;

class StoreTest : public ::testing::Test {
  protected:
    Result<std::unique_ptr<ChainStore>> try_open(const ChainId& id = chain_id(1)) {
        return open_rocks_store({.directory = folder_.string(),
                                 .chain_id = id,
                                 .cache_bytes = 8 * 1024 * 1024,
                                 .undo_depth = undo_depth_});
    }

    std::unique_ptr<ChainStore> open() {
        auto store = try_open();
        if (!store) {
            ADD_FAILURE() << store.error().message();
            std::abort();
        }
        return std::move(*store);
    }

    ErrorCode refusal(const ChainId& id = chain_id(1)) {
        auto store = try_open(id);
        return store ? ErrorCode::kInvalidState : store.error().code;
    }

    fs::path database() const { return folder_.path() / "db"; }

    test::TempFolder folder_;
    ChainMaker maker_{42};
    std::uint64_t undo_depth_ = 4096;
};

/// The digest that the same chain has in memory, at `height`.
Hash256 digest_in_memory(const ChainMaker& maker, std::uint64_t height) {
    MemoryChainStore memory;
    EXPECT_TRUE(maker.extend(memory, height));
    return memory.consensus_digest().value();
}

void expect_all_there(const ChainStore& store, const Commit& commit) {
    const auto bytes = store.block_bytes(commit.block->id);
    ASSERT_TRUE(bytes) << bytes.error().message();
    EXPECT_TRUE(same_bytes(bytes->view(), commit.block->bytes.view()));
    EXPECT_EQ(store.block_id_at(commit.block->header.height).value(), commit.block->id);
    const auto snapshot = store.snapshot();
    for (const auto& tx : commit.block->transactions) {
        EXPECT_TRUE(snapshot->has_transaction(tx->id).value());
        if (const auto* set = tx->fields().set()) {
            const auto value = snapshot->blob(tx->key);
            ASSERT_TRUE(value) << value.error().message();
            EXPECT_TRUE(same_bytes(value->view(), set->value));
        }
    }
    for (const auto& [key, meta] : commit.changes.blobs) {
        EXPECT_EQ(store.blob_meta(key).value(), meta);
        EXPECT_EQ(snapshot->blob_meta(key).value(), meta);
    }
}

void expect_nothing_there(const ChainStore& store, const Commit& commit) {
    EXPECT_EQ(store.block_bytes(commit.block->id).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store.block_id_at(commit.block->header.height).error().code, ErrorCode::kNotFound);
    const auto snapshot = store.snapshot();
    for (const auto& tx : commit.block->transactions) {
        EXPECT_FALSE(snapshot->has_transaction(tx->id).value());
    }
    for (const auto& [key, meta] : commit.changes.blobs) {
        EXPECT_EQ(store.blob_meta(key).value(), std::nullopt);
        EXPECT_EQ(snapshot->blob(key).error().code, ErrorCode::kNotFound);
    }
}

TEST_F(StoreTest, NewDatabaseHoldsNoChainUntilItIsCreated) {
    const auto store = open();
    EXPECT_FALSE(store->has_chain());
    EXPECT_EQ(store->recent_summaries(60).error().code, ErrorCode::kNotFound);

    ASSERT_TRUE(store->create(maker_.genesis(), *maker_.genesis_block(), maker_.allocations()));
    EXPECT_TRUE(store->has_chain());
    EXPECT_EQ(store->tip(), (Tip{0, maker_.genesis_block()->id}));
    EXPECT_EQ(store->block_id_at(0).value(), maker_.genesis_block()->id);
    EXPECT_TRUE(same_bytes(store->block_bytes(maker_.genesis_block()->id)->view(),
                           maker_.genesis_block()->bytes.view()));
    for (const auto& [address, balance] : maker_.allocations()) {
        EXPECT_EQ(store->balance(address).value(), balance);
    }
    EXPECT_EQ(store->recent_summaries(60)->size(), 1U);
    EXPECT_EQ(store->consensus_digest().value(), digest_in_memory(maker_, 0));
}

TEST_F(StoreTest, SecondCreateIsRefused) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 1));
    const auto again =
        store->create(maker_.genesis(), *maker_.genesis_block(), maker_.allocations());
    EXPECT_EQ(again.error().code, ErrorCode::kInvalidState);
    EXPECT_EQ(store->tip().height, 1U);
}

TEST_F(StoreTest, CommittedBlockReadsBackWholeNowAndAfterReopening) {
    auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 4));
    const Commit next = maker_.after(store->tip());
    ASSERT_TRUE(store->commit(*next.block, next.summary, next.changes, Durability::kSynced));
    EXPECT_EQ(store->tip(), (Tip{5, next.block->id}));
    expect_all_there(*store, next);
    for (const auto& [address, balance] : next.changes.balances) {
        EXPECT_EQ(store->balance(address).value(), balance);
        EXPECT_EQ(store->snapshot()->balance(address).value(), balance);
    }
    store->close();

    store = open();
    EXPECT_EQ(store->tip(), (Tip{5, next.block->id}));
    expect_all_there(*store, next);
}

TEST_F(StoreTest, UnknownThingsAreNotFoundAndUnknownAccountsAreEmpty) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 1));
    EXPECT_EQ(store->block_bytes(BlockId{}).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store->block_id_at(2).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store->blob_meta(BlobKey{}).value(), std::nullopt);
    EXPECT_EQ(store->snapshot()->blob(BlobKey{}).error().code, ErrorCode::kNotFound);
    Address nobody;
    nobody.bytes.fill(std::byte{0xee});
    EXPECT_EQ(store->balance(nobody).value(), Amount{});
}

TEST_F(StoreTest, BlockThatIsNoChildOfTheTipIsRefusedAndChangesNothing) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 3));
    const Hash256 before = store->consensus_digest().value();
    const Commit sibling = maker_.after({.height = 2, .id = store->block_id_at(2).value()});
    const Commit orphan = maker_.after({.height = 3, .id = store->block_id_at(2).value()});
    const Commit gap = maker_.after({.height = 4, .id = store->tip().id});
    for (const Commit& wrong : {sibling, orphan, gap}) {
        const auto refused =
            store->commit(*wrong.block, wrong.summary, wrong.changes, Durability::kBuffered);
        EXPECT_EQ(refused.error().code, ErrorCode::kInvalidState);
    }
    EXPECT_EQ(store->tip().height, 3U);
    EXPECT_EQ(store->consensus_digest().value(), before);
    EXPECT_FALSE(store->stats().failed);
    EXPECT_TRUE(maker_.extend(*store, 4));
}

TEST_F(StoreTest, StateDigestEqualsThatOfMemoryAtEveryHeight) {
    const auto store = open();
    MemoryChainStore memory;
    for (std::uint64_t height = 0; height <= 60; ++height) {
        ASSERT_TRUE(maker_.extend(*store, height));
        ASSERT_TRUE(maker_.extend(memory, height));
        ASSERT_EQ(store->consensus_digest().value(), memory.consensus_digest().value()) << height;
    }
}

TEST_F(StoreTest, FirstBlobFromFindsTheSmallestKeyNotBelow) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 5));
    MemoryChainStore memory;
    ASSERT_TRUE(maker_.extend(memory, 5));
    for (int i = 0; i < 256; ++i) {
        BlobKey start;
        start.bytes[0] = std::byte(i);
        EXPECT_EQ(store->first_blob_from(start).value(), memory.first_blob_from(start).value());
    }
    const auto first = store->first_blob_from(BlobKey{}).value();
    ASSERT_TRUE(first);
    EXPECT_EQ(store->first_blob_from(first->first).value(), first);
    BlobKey last;
    last.bytes.fill(std::byte{0xff});
    EXPECT_EQ(store->first_blob_from(last).value(), std::nullopt);
}

TEST_F(StoreTest, RecentSummariesReachBackOneBlockBeyondTheWindow) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 30));  // a block each second
    const auto recent = store->recent_summaries(10).value();
    ASSERT_EQ(recent.size(), 12U);  // ages 10 to 0, and the first that is older
    EXPECT_EQ(recent.front().height, 19U);
    EXPECT_EQ(recent.back().height, 30U);
    for (const chain::BlockSummary& summary : recent) {
        const Commit made = maker_.after(
            {.height = summary.height - 1, .id = store->block_id_at(summary.height - 1).value()});
        EXPECT_EQ(summary.id, made.summary.id);
        EXPECT_EQ(summary.parent, made.summary.parent);
        EXPECT_EQ(summary.timestamp_s, made.summary.timestamp_s);
        EXPECT_EQ(summary.price, made.summary.price);
        EXPECT_EQ(summary.cost, made.summary.cost);
        EXPECT_EQ(summary.units, made.summary.units);
        EXPECT_EQ(summary.transactions, made.summary.transactions);
    }
    EXPECT_EQ(store->recent_summaries(1'000'000'000'000)->size(), 31U);
    EXPECT_EQ(store->recent_summaries(0)->size(), 2U);
}

class RollbackTest : public StoreTest, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(RollbackTest, UndoneBlocksReadAsIfTheyHadNeverBeen) {
    constexpr std::uint64_t kHeight = 80;
    const std::uint64_t back_to = kHeight - GetParam();
    auto store = open();
    ASSERT_TRUE(maker_.extend(*store, back_to));
    const Tip kept = store->tip();
    const auto summaries = store->recent_summaries(1000).value();
    const Commit first_gone = maker_.after(kept);
    ASSERT_TRUE(maker_.extend(*store, kHeight - 1));
    const Commit last_gone = maker_.after(store->tip());
    ASSERT_TRUE(maker_.extend(*store, kHeight));

    ASSERT_TRUE(store->roll_back_to(back_to));
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(store->tip(), kept);
        EXPECT_EQ(store->snapshot()->tip(), kept);
        EXPECT_EQ(store->consensus_digest().value(), digest_in_memory(maker_, back_to));
        expect_nothing_there(*store, first_gone);
        expect_nothing_there(*store, last_gone);
        EXPECT_EQ(store->recent_summaries(1000)->size(), summaries.size());
        EXPECT_EQ(store->oldest_reachable_height(), 0U);
        store->close();
        store = open();
    }
    ASSERT_TRUE(maker_.extend(*store, kHeight));
    EXPECT_EQ(store->consensus_digest().value(), digest_in_memory(maker_, kHeight));
}

INSTANTIATE_TEST_SUITE_P(ByBlocks, RollbackTest, ::testing::Values(1, 3, 64, 80));

TEST_F(StoreTest, RollbackIsBoundedByTheUndoDepth) {
    undo_depth_ = 8;
    auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 20));
    EXPECT_EQ(store->oldest_reachable_height(), 12U);
    EXPECT_EQ(store->roll_back_to(11).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store->tip().height, 20U);
    store->close();

    store = open();
    EXPECT_EQ(store->oldest_reachable_height(), 12U);
    EXPECT_EQ(store->roll_back_to(11).error().code, ErrorCode::kNotFound);
    ASSERT_TRUE(store->roll_back_to(12));
    EXPECT_EQ(store->oldest_reachable_height(), 12U);
    EXPECT_EQ(store->consensus_digest().value(), digest_in_memory(maker_, 12));
    store->close();

    store = open();
    EXPECT_EQ(store->oldest_reachable_height(), 12U);
    ASSERT_TRUE(maker_.extend(*store, 30));
    EXPECT_EQ(store->oldest_reachable_height(), 22U);
}

TEST_F(StoreTest, LowerUndoDepthTakesEffectWithTheNextBlock) {
    undo_depth_ = 20;
    auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 20));
    EXPECT_EQ(store->oldest_reachable_height(), 0U);
    store->close();

    undo_depth_ = 3;
    store = open();
    ASSERT_TRUE(maker_.extend(*store, 21));
    EXPECT_EQ(store->oldest_reachable_height(), 18U);
    store->close();
    store = open();
    EXPECT_EQ(store->oldest_reachable_height(), 18U);
}

TEST_F(StoreTest, RollbackToTheTipOrAboveDoesNothing) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 3));
    EXPECT_TRUE(store->roll_back_to(3));
    EXPECT_TRUE(store->roll_back_to(9));
    EXPECT_EQ(store->tip().height, 3U);
}

TEST_F(StoreTest, SnapshotStaysAtItsHeightWhateverHappens) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 5));
    const Commit sixth = maker_.after(store->tip());
    const auto at_five = store->snapshot();
    ASSERT_TRUE(maker_.extend(*store, 6));
    const auto at_six = store->snapshot();
    const auto [address, balance] = sixth.changes.balances.front();
    const BlobKey key = sixth.changes.blobs.front().first;
    ASSERT_TRUE(store->roll_back_to(2));

    EXPECT_EQ(at_five->tip().height, 5U);
    EXPECT_EQ(at_five->blob(key).error().code, ErrorCode::kNotFound);
    EXPECT_FALSE(at_five->has_transaction(sixth.block->transactions[0]->id).value());
    EXPECT_EQ(at_six->tip().height, 6U);
    EXPECT_TRUE(at_six->blob(key));
    EXPECT_EQ(at_six->balance(address).value(), balance);
    EXPECT_EQ(store->snapshot()->tip().height, 2U);
    EXPECT_EQ(store->snapshot()->blob(key).error().code, ErrorCode::kNotFound);
}

TEST_F(StoreTest, SecondReadOfABlobComesFromMemory) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 2));
    const Commit third = maker_.after(store->tip());
    ASSERT_TRUE(maker_.extend(*store, 3));
    const BlobKey key = third.changes.blobs.front().first;

    const SharedBytes first = store->snapshot()->blob(key).value();
    const SharedBytes second = store->snapshot()->blob(key).value();
    EXPECT_EQ(first.view().data(), second.view().data());
    EXPECT_EQ(store->stats().cache_hits, 1U);
    EXPECT_EQ(store->stats().cache_misses, 1U);
}

TEST_F(StoreTest, ReadersSeeOneHeightEachWhileBlocksComeAndGo) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 20));
    std::vector<Commit> commits;
    for (std::uint64_t height = 0; height < 20; ++height) {
        commits.push_back(maker_.after({height, store->block_id_at(height).value()}));
    }
    std::atomic<bool> stop{false};
    std::atomic<int> reads{0};
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            while (!stop) {
                const auto snapshot = store->snapshot();
                const Tip tip = snapshot->tip();
                const Commit& last = commits[tip.height - 1];
                EXPECT_EQ(tip.id, last.block->id);
                EXPECT_TRUE(snapshot->blob(last.changes.blobs.front().first));
                const auto& [address, balance] = last.changes.balances.front();
                EXPECT_EQ(snapshot->balance(address).value(), balance);
                if (tip.height < 20) {
                    EXPECT_FALSE(
                        snapshot->has_transaction(commits[tip.height].block->transactions[0]->id)
                            .value());
                }
                ++reads;
            }
        });
    }
    for (int round = 0; round < 10; ++round) {
        ASSERT_TRUE(store->roll_back_to(10));
        ASSERT_TRUE(maker_.extend(*store, 20));
    }
    while (reads == 0) std::this_thread::yield();
    stop = true;
}

TEST_F(StoreTest, ClosedStoreAnswersNothingButDoesNoHarm) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 3));
    const auto snapshot = store->snapshot();
    const Commit next = maker_.after(store->tip());
    EXPECT_TRUE(store->balance(Address{}));
    store->close();
    store->close();

    EXPECT_EQ(store->balance(Address{}).error().code, ErrorCode::kClosed);
    EXPECT_EQ(store->block_bytes(BlockId{}).error().code, ErrorCode::kClosed);
    EXPECT_EQ(store->recent_summaries(1).error().code, ErrorCode::kClosed);
    EXPECT_EQ(store->roll_back_to(1).error().code, ErrorCode::kClosed);
    EXPECT_EQ(store->sync().error().code, ErrorCode::kClosed);
    EXPECT_EQ(store->consensus_digest().error().code, ErrorCode::kClosed);
    EXPECT_EQ(
        store->commit(*next.block, next.summary, next.changes, Durability::kSynced).error().code,
        ErrorCode::kClosed);
    EXPECT_EQ(snapshot->balance(Address{}).error().code, ErrorCode::kClosed);
    EXPECT_EQ(store->snapshot()->blob(BlobKey{}).error().code, ErrorCode::kClosed);
}

TEST_F(StoreTest, SnapshotMayOutliveItsStore) {
    std::shared_ptr<const ChainSnapshot> snapshot;
    {
        const auto store = open();
        ASSERT_TRUE(maker_.extend(*store, 1));
        snapshot = store->snapshot();
    }
    EXPECT_EQ(snapshot->balance(Address{}).error().code, ErrorCode::kClosed);
    snapshot.reset();
    EXPECT_EQ(open()->tip().height, 1U);
}

TEST_F(StoreTest, AnotherChainsDatabaseIsRefusedAndLeftAsItWas) {
    {
        const auto store = open();
        ASSERT_TRUE(maker_.extend(*store, 3));
    }
    const auto before = test::contents_of(folder_.path());
    EXPECT_EQ(refusal(chain_id(2)), ErrorCode::kStoreForeign);
    EXPECT_EQ(test::contents_of(folder_.path()), before);
    EXPECT_EQ(open()->tip().height, 3U);
}

TEST_F(StoreTest, AnotherFormatIsRefusedAndLeftAsItWas) {
    ASSERT_TRUE(maker_.extend(*open(), 3));
    std::string stamp = test::read_file(database() / "BLOBVM");
    ASSERT_TRUE(stamp.starts_with("blobvm store 2\n")) << stamp;
    stamp[13] = '1';
    test::write_file(database() / "BLOBVM", stamp);
    const auto before = test::contents_of(folder_.path());
    EXPECT_EQ(refusal(), ErrorCode::kStoreFormat);
    EXPECT_EQ(test::contents_of(folder_.path()), before);

    test::write_file(database() / "BLOBVM", std::string(100'000, 'x'));
    EXPECT_EQ(refusal(), ErrorCode::kStoreFormat);
    test::write_file(database() / "BLOBVM", "");
    EXPECT_EQ(refusal(), ErrorCode::kStoreFormat);
}

TEST_F(StoreTest, FolderWithSomebodyElsesFilesIsRefusedAndLeftAsItWas) {
    fs::create_directory(database());
    test::write_file(database() / "thesis.txt", "all my work");
    EXPECT_EQ(refusal(), ErrorCode::kStoreForeign);
    EXPECT_EQ(test::contents_of(database()).size(), 1U);

    fs::remove_all(database());
    test::write_file(database(), "a file");
    EXPECT_EQ(refusal(), ErrorCode::kStoreForeign);
    EXPECT_EQ(test::read_file(database()), "a file");
}

TEST_F(StoreTest, EmptyFolderAndLeftoversOfAnInterruptedStartAreTaken) {
    fs::create_directory(database());
    fs::create_directory(folder_.path() / "db.new");
    test::write_file(folder_.path() / "db.new" / "BLOBVM", "half a st");
    ASSERT_TRUE(maker_.extend(*open(), 1));
    EXPECT_EQ(open()->tip().height, 1U);
}

TEST_F(StoreTest, MissingDataFolderIsAClearError) {
    const auto store =
        open_rocks_store({.directory = folder_.string() + "/missing", .chain_id = chain_id(1)});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::kStoreFailed);
    EXPECT_NE(store.error().detail.find("No such file or directory"), std::string::npos)
        << store.error().detail;
}

TEST_F(StoreTest, GenesisOfTheChainIsKnownAgain) {
    const auto store = open();
    EXPECT_EQ(check_genesis(*store, maker_.genesis()).error().code, ErrorCode::kNotFound);
    ASSERT_TRUE(maker_.extend(*store, 1));
    EXPECT_TRUE(check_genesis(*store, maker_.genesis()));
    chain::Genesis other = maker_.genesis();
    other.max_block_size += 1;
    EXPECT_EQ(check_genesis(*store, other).error().code, ErrorCode::kStoreForeign);
}

TEST_F(StoreTest, DatabaseSetAsideMakesRoomForAFreshOne) {
    for (int n = 1; n <= 2; ++n) {
        {
            const auto store = open();
            EXPECT_FALSE(store->has_chain());
            ASSERT_TRUE(maker_.extend(*store, 2));
        }
        const auto aside = set_aside(folder_.string());
        ASSERT_TRUE(aside) << aside.error().message();
        EXPECT_EQ(*aside, database().string() + ".aside-" + std::to_string(n));
        EXPECT_TRUE(fs::exists(fs::path{*aside} / "CURRENT"));
        EXPECT_FALSE(fs::exists(database()));
    }
    EXPECT_FALSE(open()->has_chain());
}

TEST_F(StoreTest, SettingAsideNothingIsAnError) {
    EXPECT_EQ(set_aside(folder_.string()).error().code, ErrorCode::kStoreFailed);
}

/// Everything that a reader can ask, with each answer either right or an error.
void expect_no_wrong_bytes(const ChainStore& store, const ChainMaker& maker, std::uint64_t up_to,
                           std::size_t& errors) {
    Tip at{0, maker.genesis_block()->id};
    const auto snapshot = store.snapshot();
    for (; at.height < up_to;) {
        const Commit made = maker.after(at);
        const auto bytes = store.block_bytes(made.block->id);
        if (bytes) {
            EXPECT_TRUE(same_bytes(bytes->view(), made.block->bytes.view()));
        } else {
            ++errors;
        }
        for (const auto& tx : made.block->transactions) {
            const auto* set = tx->fields().set();
            if (set == nullptr) continue;
            const auto value = snapshot->blob(tx->key);
            if (value) {
                EXPECT_TRUE(same_bytes(value->view(), set->value));
            } else {
                EXPECT_EQ(value.error().code, ErrorCode::kCorruption);
                ++errors;
            }
        }
        at = {at.height + 1, made.block->id};
    }
}

class DamageTest : public StoreTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(DamageTest, FlippedByteIsAnErrorAndNeverWrongBytes) {
    constexpr std::uint64_t kHeight = 12;
    ASSERT_TRUE(maker_.extend(*open(), kHeight));
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator{database()}) {
        if (entry.path().extension() == GetParam()) files.push_back(entry.path());
    }
    ASSERT_FALSE(files.empty());
    std::size_t noticed = 0;
    for (const fs::path& file : files) {
        const std::string whole = test::read_file(file);
        for (int part = 1; part < 8; ++part) {
            std::string damaged = whole;
            damaged[whole.size() * static_cast<std::size_t>(part) / 8] ^= 0x10;
            test::write_file(file, damaged);
            std::size_t errors = 0;
            auto store = try_open();
            if (store) {
                expect_no_wrong_bytes(**store, maker_, kHeight, errors);
            } else {
                EXPECT_EQ(store.error().code, ErrorCode::kCorruption) << store.error().message();
                ++errors;
            }
            if (errors > 0) ++noticed;
            if (store) (*store)->close();
        }
        test::write_file(file, whole);
    }
    EXPECT_GT(noticed, 0U);
    std::size_t errors = 0;
    expect_no_wrong_bytes(*open(), maker_, kHeight, errors);
    EXPECT_EQ(errors, 0U);
}

INSTANTIATE_TEST_SUITE_P(Files, DamageTest, ::testing::Values(".blocks", ".sst"));

/// A chain whose machine went down: up to height 6 it was synced, blocks 7 to 9 were not.
class LostLogTest : public StoreTest {
  protected:
    LostLogTest() {
        const test::TempFolder running;
        const auto store =
            open_rocks_store({.directory = running.string(), .chain_id = chain_id(1)});
        EXPECT_TRUE(maker_.extend(**store, 6, Durability::kSynced));
        whole_to_six_ = fs::file_size(running.path() / "db" / "blocks" / "000001.blocks");
        EXPECT_TRUE(maker_.extend(**store, 9, Durability::kBuffered));
        fs::copy(running.path() / "db", database(), fs::copy_options::recursive);
    }

    fs::path log() const { return database() / "blocks" / "000001.blocks"; }

    /// What a machine leaves that goes down before it has written this part.
    void lose_from(std::uintmax_t offset) {
        std::string bytes = test::read_file(log());
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(offset), bytes.end(), '\0');
        test::write_file(log(), bytes);
    }

    void expect_height(std::uint64_t height) {
        const auto store = open();
        EXPECT_EQ(store->tip().height, height);
        EXPECT_EQ(store->stats().lost_blocks, height_before_ - height);
        EXPECT_EQ(store->consensus_digest().value(), digest_in_memory(maker_, height));
        EXPECT_TRUE(store->block_bytes(store->tip().id));
        EXPECT_TRUE(maker_.extend(*store, 12));
        EXPECT_EQ(store->consensus_digest().value(), digest_in_memory(maker_, 12));
    }

    std::uintmax_t whole_to_six_ = 0;
    std::uint64_t height_before_ = 9;
};

TEST_F(LostLogTest, NothingIsDroppedWhereTheLogIsWhole) { expect_height(9); }

TEST_F(LostLogTest, BlocksThatNeverReachedTheDiskAreDropped) {
    lose_from(whole_to_six_ + 100);
    expect_height(6);
}

TEST_F(LostLogTest, BlocksBehindAHoleAreDroppedWithIt) {
    std::string bytes = test::read_file(log());
    bytes[whole_to_six_ + (bytes.size() - whole_to_six_) / 2] ^= 1;  // in the second of three
    test::write_file(log(), bytes);
    expect_height(7);
}

TEST_F(LostLogTest, CutFileCostsNoMoreThanItsUnsyncedBlocks) {
    fs::resize_file(log(), whole_to_six_ + 1);
    expect_height(6);
}

TEST_F(LostLogTest, LastBlockIsDroppedWhoseRecordsReachedTheDiskBeforeItDid) {
    ASSERT_TRUE(maker_.extend(*open(), 10, Durability::kSynced));
    const auto whole_to_ten = fs::file_size(log());
    ASSERT_TRUE(maker_.extend(*open(), 11, Durability::kSynced));
    height_before_ = 11;
    lose_from(whole_to_ten);
    expect_height(10);
}

TEST_F(LostLogTest, NothingIsDroppedThatWasSynced) {
    ASSERT_TRUE(open()->sync());
    lose_from(whole_to_six_ + 100);
    const auto store = open();
    EXPECT_EQ(store->tip().height, 9U);
    EXPECT_EQ(store->block_bytes(store->tip().id).error().code, ErrorCode::kCorruption);
}

TEST_F(LostLogTest, MissingFileOfSyncedBlocksIsAnErrorOfTheirBlocksAlone) {
    ASSERT_TRUE(maker_.extend(*open(), 11, Durability::kSynced));
    fs::remove(log());
    const auto store = open();
    EXPECT_EQ(store->tip().height, 10U);
    EXPECT_EQ(store->block_bytes(store->tip().id).error().code, ErrorCode::kCorruption);
    EXPECT_TRUE(maker_.extend(*store, 11));
    EXPECT_TRUE(store->block_bytes(store->tip().id));
}

std::uintmax_t log_bytes(const fs::path& database) {
    return fs::file_size(database / "blocks" / "000001.blocks");
}

TEST_F(StoreTest, StagedBlockIsWrittenOnceAndNoPartOfTheChainBeforeItsCommit) {
    auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 2));
    const std::uintmax_t before = log_bytes(database());
    const Commit next = maker_.after(store->tip());
    store->stage(next.block->bytes, 3);
    EXPECT_EQ(store->tip().height, 2U);
    EXPECT_EQ(store->block_bytes(next.block->id).error().code, ErrorCode::kNotFound);

    ASSERT_TRUE(store->commit(*next.block, next.summary, next.changes, Durability::kSynced));
    EXPECT_EQ(log_bytes(database()), before + next.block->bytes.size());
    expect_all_there(*store, next);
    store->close();
    expect_all_there(*open(), next);
}

TEST_F(StoreTest, StagedBlocksThatLoseCostNothingLater) {
    auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 2));
    for (std::uint64_t height = 3; height <= 20; ++height) {
        const Commit rival = ChainMaker{44}.after(store->tip());
        const Commit next = maker_.after(store->tip());
        store->stage(rival.block->bytes, height);
        store->stage(next.block->bytes, height);
        ASSERT_TRUE(store->commit(*next.block, next.summary, next.changes, Durability::kBuffered));
    }
    EXPECT_EQ(store->consensus_digest().value(), digest_in_memory(maker_, 20));
    store->close();
    store = open();
    std::size_t errors = 0;
    expect_no_wrong_bytes(*store, maker_, 20, errors);
    EXPECT_EQ(errors, 0U);
}

TEST_F(StoreTest, LargeBlocksAreStoredWholeStagedOrNot) {
    const ChainMaker maker{7, {.sets = 8, .value_bytes = 200 * 1024, .transfers = 1}};
    auto store = open();
    ASSERT_TRUE(maker.extend(*store, 1));
    std::vector<Commit> all;
    for (std::uint64_t height = 2; height <= 9; ++height) {
        all.push_back(maker.after(store->tip()));
        const Commit& next = all.back();
        if (height % 2 == 0) store->stage(next.block->bytes, height);
        ASSERT_TRUE(store->commit(*next.block, next.summary, next.changes, Durability::kSynced));
    }
    store->close();
    store = open();
    for (const Commit& commit : all) expect_all_there(*store, commit);
}

TEST_F(StoreTest, DatabaseWithoutItsCurrentFileIsNotTakenForANewOne) {
    ASSERT_TRUE(maker_.extend(*open(), 5));
    const std::string current = test::read_file(database() / "CURRENT");
    fs::remove(database() / "CURRENT");
    EXPECT_EQ(refusal(), ErrorCode::kCorruption);
    test::write_file(database() / "CURRENT", current);
    EXPECT_EQ(open()->tip().height, 5U);
}

TEST_F(StoreTest, OptionsThatGuardTheDataAreAsDecided) {
    ASSERT_TRUE(maker_.extend(*open(), 1));
    std::string options;
    for (const auto& entry : fs::directory_iterator{database()}) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("OPTIONS-")) options = test::read_file(entry.path());
    }
    for (const char* line : {"paranoid_checks=true",
                             "wal_recovery_mode=kPointInTimeRecovery",
                             "track_and_verify_wals_in_manifest=true",
                             "verify_sst_unique_id_in_manifest=true",
                             "flush_verify_memtable_count=true",
                             "recycle_log_file_num=0",
                             "manual_wal_flush=false",
                             "unordered_write=false",
                             "two_write_queues=false",
                             "best_efforts_recovery=false",
                             "avoid_flush_during_shutdown=false",
                             "allow_mmap_writes=false",
                             "max_bgerror_resume_count=0",
                             "max_total_wal_size=67108864",
                             "max_open_files=512",
                             "max_background_jobs=2",
                             "info_log_level=WARN_LEVEL",
                             "max_log_file_size=1048576",
                             "keep_log_file_num=4",
                             "paranoid_file_checks=true",
                             "force_consistency_checks=true",
                             "compression=kNoCompression",
                             "cache_index_and_filter_blocks=true",
                             "partition_filters=true",
                             "index_type=kTwoLevelIndexSearch",
                             "checksum=kXXH3"}) {
        EXPECT_NE(options.find(std::string{line} + "\n"), std::string::npos) << line;
    }
}

TEST_F(StoreTest, SizesAreToldInStats) {
    const auto store = open();
    ASSERT_TRUE(maker_.extend(*store, 20));
    const ChainStore::Stats stats = store->stats();
    EXPECT_GT(stats.disk_bytes, 20U * 13'000);
    EXPECT_GT(stats.memory_bytes, 0U);
    EXPECT_FALSE(stats.failed);
}

}  // namespace
}  // namespace blobvm::vm::store
