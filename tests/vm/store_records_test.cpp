#include "vm/store/detail/records.hpp"

#include <gtest/gtest.h>

#include "chain/base/hex.hpp"
#include "vm/store/detail/balance_cache.hpp"
#include "vm/store/detail/value_cache.hpp"

namespace blobvm::vm::store::detail {
namespace {

std::string hex(const RecordKey& key) { return to_hex(as_bytes(key.view())); }

template <class Id>
Id filled(int with) {
    Id id;
    id.bytes.fill(std::byte(with));
    return id;
}

std::string repeated(const char* digits, int count) {
    std::string text;
    while (count-- > 0) text += digits;
    return text;
}

TEST(StoreRecordsTest, KeysAreThoseOfTheOriginal) {
    EXPECT_EQ(hex(block_key(filled<BlockId>(0xab))), "002f" + repeated("ab", 32));
    EXPECT_EQ(hex(transaction_key(filled<TxId>(0xab))), "012f" + repeated("ab", 32));
    EXPECT_EQ(hex(blob_key(filled<BlobKey>(0xab))), "032f" + repeated("ab", 32));
    EXPECT_EQ(hex(balance_key(filled<Address>(0xab))), "042f" + repeated("ab", 20));
    EXPECT_EQ(last_accepted_key().view(), "last_accepted");
}

TEST(StoreRecordsTest, KeysOfOursLieBehindTheOriginalsInOrderOfHeight) {
    EXPECT_EQ(hex(genesis_key()), "052f67");
    EXPECT_EQ(hex(index_key(0x1234)), "052f680000000000001234");
    EXPECT_EQ(hex(transactions_key(0x1234)), "052f740000000000001234");
    EXPECT_EQ(hex(undo_key(0x1234)), "052f750000000000001234");
    EXPECT_LT(undo_key(255).view(), undo_key(256).view());
    EXPECT_EQ(height_of_undo_key(undo_key(77).view()), 77U);
    EXPECT_EQ(height_of_undo_key(index_key(77).view()), std::nullopt);
    EXPECT_EQ(height_of_undo_key("last_accepted"), std::nullopt);
}

TEST(StoreRecordsTest, BalanceIsEightBytesBigEndian) {
    EXPECT_EQ(to_hex(as_bytes(encode_balance(Amount{0x0102030405060708}))), "0102030405060708");
    EXPECT_EQ(decode_balance(encode_balance(Amount{~0ULL})).value(), Amount{~0ULL});
    EXPECT_EQ(decode_balance("1234567").error().code, ErrorCode::kCorruption);
    EXPECT_EQ(decode_balance("123456789").error().code, ErrorCode::kCorruption);
}

TEST(StoreRecordsTest, IndexAndUndoReadBackAsWritten) {
    const IndexRecord index{.summary = {.id = filled<BlockId>(3),
                                        .parent = filled<BlockId>(4),
                                        .timestamp_s = -5,
                                        .price = Price{6},
                                        .cost = BlockCost{7},
                                        .units = FeeUnits{1ULL << 40},
                                        .transactions = {}},
                            .place = {.file = 8, .offset = 0xfedcba98},
                            .size_bytes = 9,
                            .synced_height = 10};
    const IndexRecord read = decode_index(encode_index(index)).value();
    EXPECT_EQ(read.summary.id, index.summary.id);
    EXPECT_EQ(read.summary.parent, index.summary.parent);
    EXPECT_EQ(read.summary.timestamp_s, -5);
    EXPECT_EQ(read.summary.price, Price{6});
    EXPECT_EQ(read.summary.cost, BlockCost{7});
    EXPECT_EQ(read.summary.units, index.summary.units);
    EXPECT_EQ(read.place, index.place);
    EXPECT_EQ(read.size_bytes, 9U);
    EXPECT_EQ(read.synced_height, 10U);

    const std::vector<TxId> ids{filled<TxId>(1), filled<TxId>(2)};
    EXPECT_EQ(decode_ids(encode_ids(ids)).value(), ids);
    EXPECT_EQ(decode_height(encode_height(1ULL << 50)).value(), 1ULL << 50);
    const UndoRecord undo{.balances = {{filled<Address>(1), Amount{7}},
                                       {filled<Address>(2), std::nullopt},
                                       {filled<Address>(3), Amount{0}}},
                          .blobs = {filled<BlobKey>(9), filled<BlobKey>(8)}};
    EXPECT_EQ(decode_undo(encode_undo(undo)).value(), undo);
    EXPECT_EQ(decode_undo(encode_undo({})).value(), UndoRecord{});
}

TEST(StoreRecordsTest, BlobRecordBeginsWithWhatNodesAgreeOn) {
    const BlobRecord blob{.meta = {.size_bytes = 5, .tx = filled<TxId>(1), .created_s = 6},
                          .value = {.file = 1, .offset = 0x02030405}};
    const std::string bytes = encode_blob(blob);
    EXPECT_EQ(bytes.substr(0, kBlobMetaBytes), as_chars(chain::encode_blob_meta(blob.meta)));
    EXPECT_EQ(to_hex(as_bytes(bytes.substr(kBlobMetaBytes))), "0000000102030405");
    EXPECT_EQ(decode_blob(bytes).value(), blob);
    EXPECT_EQ(decode_blob(bytes + "x").error().code, ErrorCode::kCorruption);
}

TEST(StoreRecordsTest, EveryDamagedLengthIsCorruption) {
    const std::string undo =
        encode_undo({.balances = {{filled<Address>(1), Amount{7}}}, .blobs = {filled<BlobKey>(9)}});
    for (std::size_t size = 0; size < undo.size(); ++size) {
        EXPECT_EQ(decode_undo(undo.substr(0, size)).error().code, ErrorCode::kCorruption) << size;
    }
    EXPECT_EQ(decode_undo(undo + "x").error().code, ErrorCode::kCorruption);
    EXPECT_EQ(decode_undo(std::string(8, '\xff')).error().code, ErrorCode::kCorruption);
    EXPECT_EQ(decode_index("short").error().code, ErrorCode::kCorruption);
    EXPECT_EQ(decode_id<Hash256>("short").error().code, ErrorCode::kCorruption);
    EXPECT_EQ(decode_ids("short").error().code, ErrorCode::kCorruption);
    EXPECT_EQ(decode_height("short").error().code, ErrorCode::kCorruption);
    EXPECT_FALSE(decode_blob("short"));
}

SharedBytes value_of_size(std::size_t size) { return SharedBytes{Bytes(size)}; }

TEST(ValueCacheTest, OldestUseLeavesFirst) {
    ValueCache cache{/*capacity_bytes=*/100};
    cache.add(filled<BlobKey>(1), value_of_size(40));
    cache.add(filled<BlobKey>(2), value_of_size(40));
    EXPECT_EQ(cache.find(filled<BlobKey>(1)).size(), 40U);
    cache.add(filled<BlobKey>(3), value_of_size(40));

    EXPECT_TRUE(cache.find(filled<BlobKey>(2)).empty());
    EXPECT_EQ(cache.find(filled<BlobKey>(1)).size(), 40U);
    EXPECT_EQ(cache.find(filled<BlobKey>(3)).size(), 40U);
    EXPECT_EQ(cache.stats().bytes, 80U);
    EXPECT_EQ(cache.stats().hits, 3U);
    EXPECT_EQ(cache.stats().misses, 1U);
}

TEST(ValueCacheTest, WhatIsLargerThanTheCacheIsNotKept) {
    ValueCache cache{/*capacity_bytes=*/100};
    cache.add(filled<BlobKey>(1), value_of_size(100));
    cache.add(filled<BlobKey>(2), value_of_size(101));
    EXPECT_EQ(cache.find(filled<BlobKey>(1)).size(), 100U);
    EXPECT_TRUE(cache.find(filled<BlobKey>(2)).empty());
}

TEST(ValueCacheTest, SameValueTwiceCountsOnce) {
    ValueCache cache{/*capacity_bytes=*/100};
    cache.add(filled<BlobKey>(1), value_of_size(60));
    cache.add(filled<BlobKey>(1), value_of_size(60));
    EXPECT_EQ(cache.stats().bytes, 60U);
}

using Balance = BalanceCache::Balance;

Balance recorded(std::uint64_t amount) { return {.amount = Amount{amount}, .recorded = true}; }

TEST(BalanceCacheTest, WhatWasReadBetweenWritesIsKnownAgain) {
    BalanceCache cache;
    EXPECT_EQ(cache.find(filled<Address>(1)), std::nullopt);
    cache.keep(filled<Address>(1), recorded(7), cache.now());
    cache.keep(filled<Address>(2), Balance{}, cache.now());
    EXPECT_EQ(cache.find(filled<Address>(1)), recorded(7));
    EXPECT_EQ(cache.find(filled<Address>(2)), Balance{}) << "that there is no record is known";
    EXPECT_EQ(cache.find(filled<Address>(3)), std::nullopt);
}

TEST(BalanceCacheTest, WriteTellsTheNewBalance) {
    BalanceCache cache;
    cache.keep(filled<Address>(1), recorded(7), cache.now());
    cache.begin_write();
    cache.end_write({{filled<Address>(1), Amount{8}}, {filled<Address>(2), Amount{9}}});
    EXPECT_EQ(cache.find(filled<Address>(1)), recorded(8));
    EXPECT_EQ(cache.find(filled<Address>(2)), recorded(9));
}

TEST(BalanceCacheTest, WhatWasReadBesideAWriteIsNotKept) {
    BalanceCache cache;
    const auto before = cache.now();
    cache.begin_write();
    const auto during = cache.now();
    cache.keep(filled<Address>(1), recorded(7), before);
    cache.keep(filled<Address>(1), recorded(7), during);
    cache.end_write({{filled<Address>(1), Amount{8}}});
    cache.keep(filled<Address>(1), recorded(7), before);
    cache.keep(filled<Address>(1), recorded(7), during);
    EXPECT_EQ(cache.find(filled<Address>(1)), recorded(8));
}

TEST(BalanceCacheTest, NothingIsKnownAfterARollback) {
    BalanceCache cache;
    cache.keep(filled<Address>(1), recorded(7), cache.now());
    cache.begin_write();
    cache.forget_all();
    EXPECT_EQ(cache.find(filled<Address>(1)), std::nullopt);
    cache.keep(filled<Address>(1), recorded(6), cache.now());
    EXPECT_EQ(cache.find(filled<Address>(1)), recorded(6));
}

TEST(BalanceCacheTest, AddressesOnOneSeatNeverAnswerForEachOther) {
    BalanceCache cache;
    for (int round = 0; round < 2; ++round) {
        for (unsigned n = 0; n < 200'000; ++n) {
            Address address;
            for (std::size_t i = 0; i < 4; ++i) address.bytes[i] = std::byte(n >> (8 * i));
            const auto found = cache.find(address);
            EXPECT_TRUE(!found || *found == recorded(n));
            cache.keep(address, recorded(n), cache.now());
            EXPECT_EQ(cache.find(address), recorded(n));
        }
    }
}

}  // namespace
}  // namespace blobvm::vm::store::detail
