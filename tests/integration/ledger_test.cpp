#include "cmd/blob-devnet/ledger.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process.hpp"

namespace blobvm::devnet {
namespace {

ChainId chain(int number) {
    ChainId id;
    id.bytes[0] = static_cast<std::byte>(number);
    return id;
}

BlockId block_id(std::uint64_t height, int fork = 0) {
    BlockId id;
    id.bytes[0] = static_cast<std::byte>(height);
    id.bytes[1] = static_cast<std::byte>(fork + 1);
    return id;
}

std::string bytes_of(std::uint64_t height) {
    return "block " + std::to_string(height) + std::string(1'000, 'x');
}

class LedgerTest : public ::testing::Test {
  protected:
    Result<std::unique_ptr<Ledger>> open(std::uint64_t roll_back = 0, int number = 1) {
        return Ledger::open({file_, chain(number), false, roll_back});
    }
    std::unique_ptr<Ledger> must_open(std::uint64_t roll_back = 0) {
        auto opened = open(roll_back);
        EXPECT_TRUE(opened) << opened.error().message();
        return opened ? std::move(*opened) : nullptr;
    }
    /// Accepts blocks up to `last`, and behind each the witness, as a chain does.
    static void accept_up_to(Ledger& ledger, std::uint64_t last) {
        const auto accepted = ledger.accepted();
        for (std::uint64_t height = accepted ? accepted->height + 1 : 0; height <= last; ++height) {
            ASSERT_TRUE(ledger.accept({height, block_id(height)}, as_bytes(bytes_of(height))));
            ASSERT_TRUE(ledger.write({{"witness", std::to_string(height)}}, {}));
        }
    }

    blobvm::testing::TemporaryFolder folder_;
    std::filesystem::path file_ = folder_.file("ledger.log");
};

TEST_F(LedgerTest, NewLedgerHasNothing) {
    const auto ledger = must_open();
    EXPECT_FALSE(ledger->accepted());
    EXPECT_FALSE(ledger->top());
    EXPECT_FALSE(ledger->get("witness"));
}

TEST_F(LedgerTest, EverythingIsThereAfterReopening) {
    accept_up_to(*must_open(), 5);
    const auto ledger = must_open();
    EXPECT_EQ(ledger->accepted()->height, 5U);
    EXPECT_EQ(ledger->accepted()->id, block_id(5));
    EXPECT_EQ(ledger->get("witness"), "5");
    EXPECT_EQ(as_chars(*ledger->block_at(3)), bytes_of(3));
    EXPECT_EQ(ledger->block_at(6).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(ledger->cut_bytes(), 0U);
}

TEST_F(LedgerTest, BatchAppliesPutsThenDeletes) {
    const auto ledger = must_open();
    ASSERT_TRUE(ledger->write({{"a", "1"}, {"b", "2"}}, {"a"}));
    EXPECT_FALSE(ledger->get("a"));
    EXPECT_EQ(must_open()->get("b"), "2");
}

TEST_F(LedgerTest, ScanStartsAtTheLaterOfStartAndPrefix) {
    const auto ledger = must_open();
    ASSERT_TRUE(ledger->write({{"a1", ""}, {"b1", ""}, {"b2", ""}, {"c1", ""}}, {}));
    EXPECT_EQ(ledger->scan("", "b").size(), 2U);
    EXPECT_EQ(ledger->scan("b2", "b").size(), 1U);
    EXPECT_EQ(ledger->scan("c", "b").size(), 0U);
    EXPECT_EQ(ledger->scan("b2", "").size(), 2U);
}

TEST_F(LedgerTest, EveryTornEndIsCutToAWholeRecord) {
    accept_up_to(*must_open(), 2);
    const auto whole = std::filesystem::file_size(file_);
    accept_up_to(*must_open(), 3);
    const auto full = std::filesystem::file_size(file_);
    for (auto size = full - 1; size > whole; size -= 7) {
        std::filesystem::resize_file(file_, size);
        const auto ledger = must_open();
        const bool has_block = ledger->accepted()->height == 3;
        EXPECT_TRUE(has_block || ledger->accepted()->height == 2) << size;
        EXPECT_EQ(ledger->get("witness"), "2") << "the witness lies behind the block";
        if (!has_block) break;
    }
    std::filesystem::resize_file(file_, whole + 5);
    const auto ledger = must_open();
    EXPECT_EQ(ledger->cut_bytes(), 5U);
    accept_up_to(*ledger, 4);
    EXPECT_EQ(must_open()->accepted()->height, 4U);
}

TEST_F(LedgerTest, DamagedByteInTheLastRecordCutsIt) {
    accept_up_to(*must_open(), 2);
    {
        std::fstream file{file_, std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(-1, std::ios::end);
        file.put('?');
    }
    const auto ledger = must_open();
    EXPECT_EQ(ledger->accepted()->height, 2U);
    EXPECT_EQ(ledger->get("witness"), "1");
}

TEST_F(LedgerTest, RollingBackTakesTheWitnessAlong) {
    for (const std::uint64_t blocks : {1U, 3U, 7U}) {
        accept_up_to(*must_open(), 10);
        const auto ledger = must_open(blocks);
        EXPECT_EQ(ledger->accepted()->height, 10 - blocks);
        EXPECT_EQ(ledger->top()->height, 10 - blocks);
        EXPECT_EQ(ledger->get("witness"), std::to_string(10 - blocks));
    }
}

TEST_F(LedgerTest, RollingBackMoreThanThereIsLeavesGenesis) {
    accept_up_to(*must_open(), 3);
    EXPECT_EQ(must_open(64)->accepted()->height, 0U);
}

TEST_F(LedgerTest, GoingBackKeepsTheBlocksForReplay) {
    const auto ledger = must_open();
    accept_up_to(*ledger, 5);
    ASSERT_TRUE(ledger->go_back_to(2));
    EXPECT_EQ(ledger->accepted()->height, 2U);
    EXPECT_EQ(ledger->top()->height, 5U);
    const auto size = std::filesystem::file_size(file_);
    ASSERT_TRUE(ledger->accept({3, block_id(3)}, as_bytes(bytes_of(3))));
    EXPECT_LT(std::filesystem::file_size(file_) - size, 100U) << "bytes are not written twice";
    const auto again = must_open();
    EXPECT_EQ(again->accepted()->height, 3U);
    EXPECT_EQ(as_chars(*again->block_at(5)), bytes_of(5));
    EXPECT_EQ(ledger->go_back_to(9).error().code, ErrorCode::kNotFound);
}

TEST_F(LedgerTest, AnotherBlockAtTheSameHeightReplacesTheFirst) {
    const auto ledger = must_open();
    accept_up_to(*ledger, 3);
    ASSERT_TRUE(ledger->go_back_to(2));
    ASSERT_TRUE(ledger->accept({3, block_id(3, 1)}, as_bytes("other")));
    EXPECT_EQ(must_open()->id_at(3), block_id(3, 1));
    EXPECT_EQ(as_chars(*must_open()->block_at(3)), "other");
}

TEST_F(LedgerTest, AnotherChainsLedgerIsRefusedAndLeftAlone) {
    accept_up_to(*must_open(), 1);
    const auto other = open(0, /*number=*/2);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::kStoreForeign);
    EXPECT_EQ(must_open()->accepted()->height, 1U);
}

TEST_F(LedgerTest, FileOfSomethingElseIsRefused) {
    std::ofstream{file_} << std::string(100, 'z');
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kCorruption);
    EXPECT_EQ(std::filesystem::file_size(file_), 100U);
}

}  // namespace
}  // namespace blobvm::devnet
