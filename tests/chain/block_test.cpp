#include "chain/block.hpp"

#include <gtest/gtest.h>

#include "chain/base/hashing.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::chain {
namespace {

using test::account;
using test::set_tx;
using test::transfer_tx;

constexpr std::size_t kEmptyBlockBytes = 102;

BlockHeader some_header() {
    return {.parent = test::block_id(1),
            .timestamp_s = 1'600'000'000,
            .height = 9,
            .price = Price{3},
            .cost = BlockCost{2},
            .access_proof = keccak256(as_bytes("proof"))};
}

TEST(BlockTest, PartsPointIntoTheBlocksBytes) {
    const BlockPtr block =
        make_block(some_header(), {set_tx("hello"), transfer_tx(account(2), Amount{3})}).value();
    const RawBlock raw = decode_block(block->bytes).value();
    ASSERT_EQ(raw.transactions.size(), 2);
    EXPECT_EQ(raw.bytes.view().data(), block->bytes.view().data());
    EXPECT_EQ(raw.transactions[0].nested.view().data(),
              block->bytes.view().data() + kEmptyBlockBytes);
    EXPECT_EQ(raw.transactions[0].nested.size(), 125 + 5);
    EXPECT_EQ(raw.transactions[1].nested.size(), 149);
}

TEST(BlockTest, LoadedBlockIsTheOneThatWasMade) {
    const BlockPtr made =
        make_block(some_header(), {set_tx("hello"), transfer_tx(account(2), Amount{3})}).value();
    PlainTransactionLoader loader;
    const BlockPtr loaded = load_block(decode_block(made->bytes).value(), loader).value();
    EXPECT_EQ(loaded->id, made->id);
    EXPECT_EQ(loaded->id, retag<BlockId>(keccak256(made->bytes.view())));
    EXPECT_EQ(loaded->header.timestamp_s, made->header.timestamp_s);
    ASSERT_EQ(loaded->transactions.size(), 2);
    EXPECT_EQ(loaded->transactions[1]->id, made->transactions[1]->id);
}

TEST(BlockTest, TimeBeforeTheEpochSurvives) {
    BlockHeader header = some_header();
    header.timestamp_s = -1;
    const BlockPtr block = make_block(header, {}).value();
    EXPECT_EQ(block->bytes.size(), kEmptyBlockBytes);
    EXPECT_EQ(decode_block(block->bytes).value().header.timestamp_s, -1);
}

TEST(BlockTest, BadSignatureInsideIsFoundOnLoading) {
    const TransactionPtr good = set_tx("hello");
    const Bytes unsigned_tx = encode_transaction(good->fields(), {}).value();
    const RawTransaction raw = decode_transaction(SharedBytes::copy_of(unsigned_tx)).value();
    Bytes bytes = encode_block(some_header(), std::vector{good->raw, raw}).value();
    PlainTransactionLoader loader;
    const Result<BlockPtr> loaded =
        load_block(decode_block(SharedBytes{std::move(bytes)}).value(), loader);
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidSignature);
}

TEST(BlockTest, BlockBeyondTheMessageLimitIsNotMade) {
    const TransactionPtr big = set_tx(std::string(200'000, 'x'));
    EXPECT_TRUE(make_block(some_header(), std::vector(20, big)).has_value());
    EXPECT_EQ(make_block(some_header(), std::vector(21, big)).error().code,
              ErrorCode::kCodecTooLong);
}

TEST(BlockTest, ValuesLieInTheBytesWhereItsOffsetsSay) {
    const BlockPtr made =
        make_block(some_header(), {set_tx("x"), transfer_tx(account(2), Amount{3}),
                                   set_tx(std::string(5000, 'v')), set_tx("")})
            .value();
    PlainTransactionLoader loader;
    const BlockPtr loaded = load_block(decode_block(made->bytes).value(), loader).value();
    for (const BlockPtr& block : {made, loaded}) {
        const std::vector<std::size_t> offsets = value_offsets(*block);
        ASSERT_EQ(offsets.size(), 4);
        EXPECT_EQ(as_chars(block->bytes.view().subspan(offsets[0], 1)), "x");
        EXPECT_EQ(offsets[1], 0);
        EXPECT_EQ(as_chars(block->bytes.view().subspan(offsets[2], 5000)), std::string(5000, 'v'));
        EXPECT_EQ(offsets[3], 0);
    }
}

}  // namespace
}  // namespace blobvm::chain
