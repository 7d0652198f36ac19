#include "chain/state.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/support/memory_store.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::chain {
namespace {

using test::MemoryStore;

BlobKey blob_key(std::uint64_t number) { return retag<BlobKey>(test::block_id(number)); }
TxId tx_id(std::uint64_t number) { return retag<TxId>(test::block_id(number)); }
BlobMeta meta_of(std::uint64_t size_bytes) {
    return {.size_bytes = size_bytes, .tx = tx_id(1), .created_s = 1};
}
Address address(std::uint64_t number) {
    return Address::from(test::block_id(number).view().subspan(12));
}

TEST(StateTest, ReadsThroughToTheStoreUntilAChangeShadowsIt) {
    MemoryStore store;
    store.set_balance(address(1), Amount{10});
    store.put_blob(blob_key(1), {.size_bytes = 1, .tx = tx_id(1), .created_s = 5});
    const State accepted{store};
    const State after = accepted.with(
        {.balances = {{address(1), Amount{7}}, {address(2), Amount{3}}},
         .blobs = {{blob_key(2), {.size_bytes = 2, .tx = tx_id(2), .created_s = 6}}}});

    EXPECT_EQ(accepted.balance(address(1))->value, 10u);
    EXPECT_EQ(accepted.balance(address(2))->value, 0u);
    EXPECT_FALSE(accepted.blob_meta(blob_key(2))->has_value());
    EXPECT_EQ(after.balance(address(1))->value, 7u);
    EXPECT_EQ(after.balance(address(2))->value, 3u);
    EXPECT_TRUE(after.blob_meta(blob_key(1))->has_value());
    EXPECT_EQ(after.blob_meta(blob_key(2)).value()->size_bytes, 2u);
    EXPECT_EQ(after.shadow_size(), 3u);
}

TEST(StateTest, FirstBlobIsTheSmallerOfStoreAndShadow) {
    MemoryStore store;
    store.put_blob(blob_key(20), meta_of(20));
    store.put_blob(blob_key(40), meta_of(40));
    const State state = State{store}.with(
        {.balances = {}, .blobs = {{blob_key(10), meta_of(10)}, {blob_key(30), meta_of(30)}}});
    for (const std::uint64_t n : {10u, 20u, 30u, 40u}) {
        EXPECT_EQ(state.first_blob_from(blob_key(n)).value()->first, blob_key(n));
        EXPECT_EQ(state.first_blob_from(blob_key(n - 9)).value()->second.size_bytes, n);
    }
    EXPECT_FALSE(state.first_blob_from(blob_key(41))->has_value());
}

/// 512 blocks deep, with a side branch at every eighth, each compared with a plain map.
TEST(StateTest, DeepChainsEqualTheirModel) {
    struct Model {
        std::map<Address, Amount> balances;
        std::map<BlobKey, BlobMeta> blobs;
    };
    constexpr std::uint64_t kKeys = 2000;
    std::mt19937_64 random{3};
    MemoryStore store;
    Model model;
    const auto change = [&](Model& target) {
        Changes changes;
        for (int i = 0; i < 8; ++i) {
            const std::pair entry{address(8 * (random() % 40) + static_cast<unsigned>(i)),
                                  Amount{random()}};
            changes.balances.push_back(entry);
            target.balances.insert_or_assign(entry.first, entry.second);
        }
        const BlobKey key = blob_key(random() % kKeys);
        if (!target.blobs.contains(key)) {
            const BlobMeta meta{.size_bytes = random(), .tx = tx_id(random()), .created_s = 1};
            changes.blobs.emplace_back(key, meta);
            target.blobs.emplace(key, meta);
        }
        return changes;
    };
    const auto expect_equal = [&](const State& state, const Model& expected) {
        for (std::uint64_t n = 0; n < 320; ++n) {
            const auto found = expected.balances.find(address(n));
            const Amount balance = found == expected.balances.end() ? Amount{} : found->second;
            ASSERT_EQ(state.balance(address(n)).value(), balance);
        }
        for (int i = 0; i < 50; ++i) {
            const BlobKey start = blob_key(random() % (kKeys + 10));
            const auto found = expected.blobs.lower_bound(start);
            const auto first = state.first_blob_from(start).value();
            ASSERT_EQ(first.has_value(), found != expected.blobs.end());
            if (first) {
                ASSERT_EQ(*first, (std::pair{found->first, found->second}));
            }
            ASSERT_EQ(state.blob_meta(start).value().has_value(), expected.blobs.contains(start));
        }
    };

    for (int i = 0; i < 30; ++i) store.apply(change(model));
    State state{store};
    std::vector<std::pair<State, Model>> versions;
    for (int depth = 0; depth < 512; ++depth) {
        if (depth % 8 == 0) {
            Model branch = model;
            const State side = state.with(change(branch));
            versions.emplace_back(side, std::move(branch));
        }
        state = state.with(change(model));
        if (depth % 16 == 0) versions.emplace_back(state, model);
    }
    versions.emplace_back(state, model);
    for (const auto& [version, expected] : versions) expect_equal(version, expected);
}

TEST(StateTest, StaysTrueWhenAnAncestorIsAccepted) {
    MemoryStore store;
    const Changes first{.balances = {{address(1), Amount{1}}}, .blobs = {{blob_key(1), {}}}};
    const Changes second{.balances = {{address(1), Amount{2}}}, .blobs = {{blob_key(2), {}}}};
    const State state = State{store}.with(first).with(second);
    store.apply(first);
    EXPECT_EQ(state.balance(address(1))->value, 2u);
    EXPECT_EQ(state.first_blob_from(blob_key(0)).value()->first, blob_key(1));
    EXPECT_EQ(state.first_blob_from(blob_key(2)).value()->first, blob_key(2));
}

TEST(StateTest, TenThousandBalancesInOneBlock) {
    MemoryStore store;
    Changes changes;
    for (std::uint64_t n = 0; n < 10'000; ++n) changes.balances.emplace_back(address(n), Amount{n});
    State state{store};
    for (int block = 0; block < 5; ++block) state = state.with(changes);
    EXPECT_EQ(state.shadow_size(), 10'000u);
    EXPECT_EQ(state.balance(address(9'999))->value, 9'999u);
}

TEST(OverlayTest, CollectsWritesInOrderOfTheFirst) {
    MemoryStore store;
    store.set_balance(address(3), Amount{30});
    Overlay overlay{State{store}};
    overlay.set_balance(address(2), Amount{1});
    overlay.set_balance(address(1), Amount{2});
    overlay.set_balance(address(2), Amount{3});
    overlay.put_blob(blob_key(9), meta_of(9));
    overlay.put_blob(blob_key(8), meta_of(8));

    EXPECT_EQ(overlay.balance(address(2))->value, 3u);
    EXPECT_EQ(overlay.balance(address(3))->value, 30u);
    EXPECT_TRUE(overlay.has_blob(blob_key(8)).value());
    EXPECT_FALSE(overlay.has_blob(blob_key(7)).value());
    const Changes changes = overlay.changes();
    EXPECT_EQ(changes.balances, (std::vector<std::pair<Address, Amount>>{{address(2), Amount{3}},
                                                                         {address(1), Amount{2}}}));
    ASSERT_EQ(changes.blobs.size(), 2u);
    EXPECT_EQ(changes.blobs[0].first, blob_key(9));
    EXPECT_EQ(store.balances().size(), 1u);
}

TEST(AccessProofTest, CountsBlobsOfProcessingAncestors) {
    MemoryStore store;
    const BlockId parent = test::block_id(77);
    const State empty{store};
    EXPECT_TRUE(access_proof(empty, parent, 1)->is_zero());

    BlobKey last;
    last.bytes.fill(std::byte{0xff});
    const BlobMeta meta{.size_bytes = 5, .tx = tx_id(1), .created_s = 9};
    const State processing = empty.with({.balances = {}, .blobs = {{last, meta}}});
    const Hash256 proof = access_proof(processing, parent, 1).value();
    EXPECT_FALSE(proof.is_zero());
    store.put_blob(last, meta);
    EXPECT_EQ(access_proof(empty, parent, 1).value(), proof);
}

TEST(AccessProofTest, ReadErrorIsNotTakenForAbsence) {
    MemoryStore store;
    store.failing = true;
    const auto proof = access_proof(State{store}, test::block_id(1), 1);
    ASSERT_FALSE(proof);
    EXPECT_EQ(proof.error().code, ErrorCode::kStoreFailed);
}

TEST(BlobMetaTest, DecodingRefusesEveryOtherLength) {
    const BlobMeta meta{.size_bytes = 5, .tx = tx_id(3), .created_s = ~0ULL};
    Bytes bytes = encode_blob_meta(meta);
    ASSERT_EQ(bytes.size(), 50u);
    EXPECT_EQ(decode_blob_meta(bytes).value(), meta);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_blob_meta(ByteView{bytes}.first(size))) << size;
    }
    EXPECT_EQ(decode_blob_meta(ByteView{bytes}.first(1)).error().code, ErrorCode::kCodecNoVersion);
    EXPECT_EQ(decode_blob_meta(ByteView{bytes}.first(49)).error().code, ErrorCode::kCodecMalformed);
    bytes.push_back({});
    EXPECT_EQ(decode_blob_meta(bytes).error().code, ErrorCode::kCodecTrailingBytes);
    bytes[1] = std::byte{1};
    EXPECT_EQ(decode_blob_meta(bytes).error().code, ErrorCode::kCodecUnknownVersion);
}

}  // namespace
}  // namespace blobvm::chain
