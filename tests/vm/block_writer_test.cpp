#include "vm/store/detail/block_writer.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "chain/base/check.hpp"
#include "tests/vm/store_support.hpp"

namespace blobvm::vm::store::detail {
namespace {

namespace fs = std::filesystem;

SharedBytes block_of(char letter, std::size_t size = 100) {
    return SharedBytes{std::string(size, letter)};
}

class BlockWriterTest : public ::testing::Test {
  protected:
    std::uintmax_t written() const {
        std::error_code none_yet;
        const auto size = fs::file_size(folder_.path() / "blocks" / "000001.blocks", none_yet);
        return none_yet ? 0 : size;
    }

    /// Until the thread has done so much; a test that waits too long is ended from outside.
    void await_written(std::uintmax_t bytes) const {
        while (written() < bytes) std::this_thread::yield();
    }

    std::string read(Place place, std::size_t size = 100) const {
        return log_->read(place, size).value();
    }

    test::TempFolder folder_;
    const std::shared_ptr<BlockLog> log_ = BlockLog::open(folder_.string() + "/blocks").value();
    BlockWriter writer_{log_};
};

TEST_F(BlockWriterTest, StagedBlockIsWrittenBeforeItIsAcceptedAndOnlyOnce) {
    const SharedBytes block = block_of('a');
    writer_.stage(block, 1);
    await_written(100);
    writer_.stage(block, 1);
    const Place place = writer_.write(block, 1).value();
    EXPECT_EQ(read(place), std::string(100, 'a'));
    ASSERT_TRUE(writer_.sync());
    EXPECT_EQ(written(), 100U);
}

TEST_F(BlockWriterTest, BlockIsWrittenOnceWhoeverComesFirst) {
    for (std::uint64_t height = 1; height <= 200; ++height) {
        const SharedBytes block = block_of(static_cast<char>('a' + height % 26));
        writer_.stage(block, height);
        const Place place = writer_.write(block, height).value();
        EXPECT_EQ(place.offset, 100 * (height - 1));
        EXPECT_EQ(as_bytes(read(place))[50], block.view()[50]);
    }
    EXPECT_EQ(written(), 20'000U);
}

TEST_F(BlockWriterTest, BlockThatWasNeverStagedIsWrittenWhenItIsAccepted) {
    EXPECT_EQ(read(writer_.write(block_of('n'), 1).value()), std::string(100, 'n'));
}

TEST_F(BlockWriterTest, EqualBytesAreNotTheSameBlock) {
    writer_.stage(block_of('a'), 2);
    await_written(100);
    EXPECT_EQ(writer_.write(block_of('a'), 1).value().offset, 100U);
}

TEST_F(BlockWriterTest, ThoseThatLoseGiveTheirRoomBack) {
    const std::size_t size = 1 << 20;
    const SharedBytes winner = block_of('w', size);
    writer_.stage(block_of('l', size), 5);
    writer_.stage(winner, 5);
    writer_.stage(block_of('n', size), 6);
    await_written(3 * size);
    const Place place = writer_.write(winner, 5).value();
    EXPECT_EQ(place.offset, size);
    EXPECT_EQ(read({1, 0}, size), std::string(size, '\0'));
    EXPECT_EQ(read(place, size), std::string(size, 'w'));
    EXPECT_EQ(read({1, 2 * size}, size), std::string(size, 'n')) << "its height is still open";
}

TEST_F(BlockWriterTest, FateOfSoManyBlocksIsAwaitedAndNoMore) {
    std::vector<SharedBytes> blocks;
    for (std::size_t i = 0; i < BlockWriter::kMostStaged + 2; ++i) {
        blocks.push_back(block_of(static_cast<char>('a' + i)));
        writer_.stage(blocks.back(), i);
    }
    await_written(100 * BlockWriter::kMostStaged);
    writer_.stop();
    EXPECT_EQ(written(), 100 * BlockWriter::kMostStaged);
    std::set<std::uint32_t> offsets;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        offsets.insert(writer_.write(blocks[i], i).value().offset);
    }
    EXPECT_EQ(offsets.size(), blocks.size()) << "the last two were written when accepted";
    EXPECT_EQ(written(), 100 * blocks.size());
}

TEST_F(BlockWriterTest, NothingIsStagedAfterTheStopAndWritingGoesOn) {
    writer_.stop();
    const SharedBytes block = block_of('a');
    writer_.stage(block, 1);
    EXPECT_EQ(written(), 0U);
    EXPECT_EQ(read(writer_.write(block, 1).value()), std::string(100, 'a'));
    writer_.stop();
}

}  // namespace
}  // namespace blobvm::vm::store::detail
