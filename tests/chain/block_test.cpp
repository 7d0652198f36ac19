#include "chain/block.hpp"

#include <gtest/gtest.h>

#include <map>

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

/// Hands out the values of a block's sets, as the store does.
class Values {
  public:
    explicit Values(const Block& block) {
        for (const TransactionPtr& tx : block.transactions) {
            if (const SetFields* set = tx->fields().set()) values_[tx->id] = to_bytes(set->value);
        }
    }
    Bytes& operator[](const TxId& id) { return values_[id]; }
    void forget(const TxId& id) { values_.erase(id); }

    auto reader() const {
        return [this](const TxId& id) -> Result<Bytes> {
            const auto found = values_.find(id);
            if (found == values_.end()) return fail(ErrorCode::kNotFound);
            return found->second;
        };
    }

  private:
    std::map<TxId, Bytes> values_;
};

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

TEST(StoredFormTest, ValuesBecomeIdsAndComeBack) {
    const std::string long_value(5000, 'v');
    const BlockPtr block = make_block(some_header(), {set_tx("x"), set_tx(long_value),
                                                      transfer_tx(account(2), Amount{3})})
                               .value();
    Bytes stored = stored_form(*block);
    EXPECT_EQ(stored.size(), block->bytes.size() - 1 - 5000 + 2 * TxId::kSize);
    const RawBlock raw = decode_block(SharedBytes{Bytes{stored}}).value();
    EXPECT_TRUE(
        same_bytes(raw.transactions[0].fields.set()->value, block->transactions[0]->id.view()));

    const Values values{*block};
    const SharedBytes full =
        full_form(block->id, SharedBytes{std::move(stored)}, values.reader()).value();
    EXPECT_TRUE(same_bytes(full.view(), block->bytes.view()));
}

TEST(StoredFormTest, EmptyValueIsKeptAsItIs) {
    const BlockPtr block = make_block(some_header(), {set_tx("")}).value();
    Bytes stored = stored_form(*block);
    EXPECT_TRUE(same_bytes(stored, block->bytes.view()));
    const auto no_values = [](const TxId&) -> Result<Bytes> { return fail(ErrorCode::kNotFound); };
    EXPECT_TRUE(full_form(block->id, SharedBytes{std::move(stored)}, no_values).has_value());
}

class DamagedStoreTest : public testing::Test {
  protected:
    ErrorCode refusal() const {
        return full_form(block_->id, SharedBytes::copy_of(stored_), values_.reader()).error().code;
    }

    const BlockPtr block_ = make_block(some_header(), {set_tx("hello")}).value();
    Bytes stored_ = stored_form(*block_);
    Values values_{*block_};
};

TEST_F(DamagedStoreTest, AnotherValueIsNoticed) {
    values_[block_->transactions[0]->id] = to_bytes(as_bytes("hullo"));
    EXPECT_EQ(refusal(), ErrorCode::kCorruption);
}

TEST_F(DamagedStoreTest, MissingValueIsReportedAsTheReaderSaysIt) {
    values_.forget(block_->transactions[0]->id);
    EXPECT_EQ(refusal(), ErrorCode::kNotFound);
}

TEST_F(DamagedStoreTest, ChangedHeaderIsNoticed) {
    stored_[40] ^= std::byte{1};
    EXPECT_EQ(refusal(), ErrorCode::kCorruption);
}

TEST_F(DamagedStoreTest, CutBytesAreNoticed) {
    stored_.pop_back();
    EXPECT_EQ(refusal(), ErrorCode::kCorruption);
}

TEST_F(DamagedStoreTest, LinkThatIsNoIdIsNoticed) {
    // The full form, where the stored one should be: its value has five bytes.
    stored_ = to_bytes(block_->bytes.view());
    EXPECT_EQ(refusal(), ErrorCode::kCorruption);
}

}  // namespace
}  // namespace blobvm::chain
