#include "vm/store/detail/block_log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "chain/base/check.hpp"
#include "tests/vm/store_support.hpp"

namespace blobvm::vm::store::detail {
namespace {

namespace fs = std::filesystem;

class BlockLogTest : public ::testing::Test {
  protected:
    std::unique_ptr<BlockLog> open(std::uint64_t file_bytes = BlockLog::kFileBytes) {
        auto log = BlockLog::open(folder_.string() + "/blocks", file_bytes);
        CHECK(log.has_value());
        return std::move(*log);
    }

    static Place put(BlockLog& log, std::string_view text) {
        return log.append(as_bytes(text)).value();
    }

    /// No two stretches of it are alike.
    static std::string text_of(std::size_t size) {
        std::string text;
        while (text.size() < size) text += std::to_string(text.size()) + ' ';
        text.resize(size);
        return text;
    }

    fs::path file(const char* name) const { return folder_.path() / "blocks" / name; }

    test::TempFolder folder_;
};

TEST_F(BlockLogTest, WhatWasAppendedReadsBackNowAndAfterReopening) {
    auto log = open();
    const Place first = put(*log, "first");
    const Place second = put(*log, "second");
    EXPECT_EQ(log->read(first, 5).value(), "first");
    log = open();
    const Place third = put(*log, "third");
    EXPECT_EQ(log->read(first, 5).value(), "first");
    EXPECT_EQ(log->read(second, 6).value(), "second");
    EXPECT_EQ(log->read(third, 5).value(), "third");
    EXPECT_EQ(log->read({second.file, second.offset + 3}, 3).value(), "ond");
    EXPECT_TRUE(log->sync());
}

TEST_F(BlockLogTest, NothingButTheBytesIsWritten) {
    const auto log = open();
    put(*log, "one");
    put(*log, "two");
    EXPECT_EQ(test::read_file(file("000001.blocks")), "onetwo");
}

TEST_F(BlockLogTest, FullFileIsFollowedByTheNext) {
    auto log = open(/*file_bytes=*/10);
    const Place first = put(*log, "12345678");
    const Place second = put(*log, "abc");
    EXPECT_EQ(second, (Place{.file = 2, .offset = 0}));
    log = open(10);
    const Place third = put(*log, "1234567");
    EXPECT_EQ(third, (Place{.file = 2, .offset = 3}));
    const Place longer = put(*log, "longer than a file should be");
    EXPECT_EQ(longer, (Place{.file = 3, .offset = 0}));
    EXPECT_EQ(log->read(first, 8).value(), "12345678");
    EXPECT_EQ(log->read(second, 3).value(), "abc");
    EXPECT_EQ(log->read(longer, 28).value(), "longer than a file should be");
}

TEST_F(BlockLogTest, HalfABlockLeftByACrashIsNeverOverwritten) {
    put(*open(), "cut of");
    const auto log = open();
    const Place next = put(*log, "next");
    EXPECT_EQ(next, (Place{.file = 1, .offset = 6}));
    EXPECT_EQ(log->read(next, 4).value(), "next");
}

TEST_F(BlockLogTest, WhatIsDiscardedGivesItsRoomBackAndNothingElseMoves) {
    const auto log = open();
    const std::string unwanted(1 << 20, 'u');
    const Place before = put(*log, "before");
    const Place gone = put(*log, unwanted);
    const Place after = put(*log, "after");
    ASSERT_TRUE(log->sync());
    struct stat status {};
    ASSERT_EQ(::stat(file("000001.blocks").c_str(), &status), 0);
    const auto blocks = status.st_blocks;
    log->discard(gone, unwanted.size());
    ASSERT_TRUE(log->sync());
    ASSERT_EQ(::stat(file("000001.blocks").c_str(), &status), 0);
    EXPECT_LT(status.st_blocks, blocks / 4);
    EXPECT_EQ(log->read(before, 6).value(), "before");
    EXPECT_EQ(log->read(after, 5).value(), "after");
}

TEST_F(BlockLogTest, WhatIsAppendedDirectlyReadsBackAmongTheRest) {
    // The second folder is in memory, where not every system can write directly.
    const test::TempFolder in_memory{"/dev/shm"};
    for (const fs::path& folder : {folder_.path(), in_memory.path()}) {
        auto log = BlockLog::open(folder.string() + "/blocks").value();
        const std::string large = text_of(3 * BlockLog::kDirectLeast + 17);
        const std::string huge = text_of((std::size_t{5} << 20) + 1);
        const Place before = put(*log, "before");
        const Place first = log->append_directly(as_bytes(large)).value();
        const Place between = put(*log, "between");
        const Place second = log->append_directly(as_bytes(huge)).value();
        ASSERT_TRUE(log->sync());
        log = BlockLog::open(folder.string() + "/blocks").value();
        const Place after = put(*log, "after");
        EXPECT_EQ(log->read(before, 6).value(), "before");
        EXPECT_EQ(log->read(first, large.size()).value(), large);
        EXPECT_EQ(log->read(between, 7).value(), "between");
        EXPECT_EQ(log->read(second, huge.size()).value(), huge);
        EXPECT_EQ(log->read(after, 5).value(), "after");
        const std::size_t bytes = 18 + large.size() + huge.size();
        EXPECT_LE(after.offset, bytes + 4 * BlockLog::kDirectUnit);
    }
}

TEST_F(BlockLogTest, LittleIsNotPaddedForWritingItDirectly) {
    const auto log = open();
    put(*log, "one");
    ASSERT_TRUE(log->append_directly(as_bytes("two")));
    EXPECT_EQ(test::read_file(file("000001.blocks")), "onetwo");
}

TEST_F(BlockLogTest, DirectWritingGoesOnToTheNextFileToo) {
    const auto log = open(/*file_bytes=*/1024 * 1024);
    const std::string large = text_of(700 * 1024);
    const Place first = log->append_directly(as_bytes(large)).value();
    const Place second = log->append_directly(as_bytes(large)).value();
    EXPECT_EQ(first.file, 1U);
    EXPECT_EQ(second, (Place{.file = 2, .offset = 0}));
    EXPECT_EQ(log->read(first, large.size()).value(), large);
    EXPECT_EQ(log->read(second, large.size()).value(), large);
}

TEST_F(BlockLogTest, SyncThatFailedFailsForEverAndNothingFollows) {
    // It takes what is written, and cannot be synced.
    fs::create_directories(folder_.path() / "blocks");
    fs::create_symlink("/dev/null", file("000001.blocks"));
    const auto log = open();
    put(*log, "lost");
    const auto failed = log->sync();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::kStoreFailed);
    EXPECT_NE(failed.error().detail.find("000001.blocks"), std::string::npos);
    EXPECT_EQ(log->sync().error().detail, failed.error().detail);
    EXPECT_EQ(log->append(as_bytes("more")).error().detail, failed.error().detail);
    const Bytes large(BlockLog::kDirectLeast);
    EXPECT_EQ(log->append_directly(large).error().detail, failed.error().detail);
}

TEST_F(BlockLogTest, ReadingBeyondTheEndOrFromNoFileIsCorruption) {
    const auto log = open();
    const Place place = put(*log, "12345");
    EXPECT_EQ(log->read(place, 6).error().code, ErrorCode::kCorruption);
    EXPECT_EQ(log->read({place.file, 100}, 1).error().code, ErrorCode::kCorruption);
    const auto missing = log->read({7, 0}, 1);
    EXPECT_EQ(missing.error().code, ErrorCode::kCorruption);
    EXPECT_NE(missing.error().detail.find("000007.blocks is missing"), std::string::npos);
}

TEST_F(BlockLogTest, FilesOfOtherNamesAreLeftAlone) {
    fs::create_directory(folder_.path() / "blocks");
    test::write_file(file("notes.txt"), "mine");
    test::write_file(file("12x.blocks"), "not a number");
    EXPECT_EQ(put(*open(), "x"), (Place{.file = 1, .offset = 0}));
    EXPECT_EQ(test::read_file(file("notes.txt")), "mine");
}

TEST_F(BlockLogTest, FolderThatCannotBeMadeIsAClearError) {
    const auto log = BlockLog::open(folder_.string() + "/missing/blocks");
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, ErrorCode::kStoreFailed);
    EXPECT_NE(log.error().detail.find("No such file"), std::string::npos) << log.error().detail;
}

}  // namespace
}  // namespace blobvm::vm::store::detail
