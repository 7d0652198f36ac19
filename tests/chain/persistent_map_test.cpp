#include "chain/detail/persistent_map.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "tests/support/transactions.hpp"

namespace blobvm::chain::detail {
namespace {

using Map = PersistentMap<BlockId, int>;
using Model = std::map<BlockId, int>;

void expect_equal(const Map& map, const Model& model, std::uint64_t max_key) {
    ASSERT_EQ(map.size(), model.size());
    for (std::uint64_t n = 0; n <= max_key + 1; ++n) {
        const BlockId key = test::block_id(n);
        const auto expected = model.find(key);
        const int* found = map.find(key);
        ASSERT_EQ(found != nullptr, expected != model.end()) << n;
        if (found != nullptr) {
            ASSERT_EQ(*found, expected->second) << n;
        }

        const auto expected_bound = model.lower_bound(key);
        const auto [bound_key, bound_value] = map.lower_bound(key);
        ASSERT_EQ(bound_key != nullptr, expected_bound != model.end()) << n;
        if (bound_key == nullptr) continue;
        ASSERT_EQ(*bound_key, expected_bound->first) << n;
        ASSERT_EQ(*bound_value, expected_bound->second) << n;
    }
}

TEST(PersistentMapTest, EmptyMapHasNothing) {
    const Map map;
    EXPECT_EQ(map.size(), 0u);
    EXPECT_EQ(map.find(test::block_id(1)), nullptr);
    EXPECT_EQ(map.lower_bound(test::block_id(0)).first, nullptr);
    EXPECT_EQ(map.with({}).size(), 0u);
}

TEST(PersistentMapTest, LastOfEqualKeysCounts) {
    const Map::Entry entries[] = {
        {test::block_id(1), 10}, {test::block_id(2), 20}, {test::block_id(1), 30}};
    const Map map = Map{}.with(entries);
    EXPECT_EQ(map.size(), 2u);
    EXPECT_EQ(*map.find(test::block_id(1)), 30);
}

TEST(PersistentMapTest, EveryVersionEqualsItsModelForGood) {
    constexpr std::uint64_t kMaxKey = 300;
    std::mt19937_64 random{7};
    std::vector<std::pair<Map, Model>> versions(1);
    for (int round = 0; round < 200; ++round) {
        auto [map, model] = versions[random() % versions.size()];
        std::vector<Map::Entry> entries(random() % 60);
        for (auto& entry : entries) {
            entry = {test::block_id(random() % kMaxKey), static_cast<int>(random() % 1000)};
        }
        for (const auto& [key, value] : entries) model[key] = value;
        versions.emplace_back(map.with(entries), std::move(model));
    }
    for (const auto& [map, model] : versions) expect_equal(map, model, kMaxKey);
}

TEST(PersistentMapTest, KeysInOrderMakeNoDeepTree) {
    Map map;
    std::vector<Map::Entry> entries;
    for (std::uint64_t n = 0; n < 100'000; ++n) entries.emplace_back(test::block_id(n), 1);
    map = map.with(entries);
    for (std::uint64_t n = 100'000; n < 101'000; ++n) {
        const Map::Entry entry{test::block_id(n), 1};
        map = map.with({&entry, 1});
    }
    EXPECT_EQ(map.size(), 101'000u);
    EXPECT_EQ(*map.lower_bound(test::block_id(100'500)).first, test::block_id(100'500));
}

/// A sender chooses whom a transfer goes to: 20 bytes, of which 16 may well be the same.
TEST(PersistentMapTest, ChosenAddressesDoNotFallTogether) {
    std::set<std::size_t> hashes;
    std::vector<std::pair<Address, int>> entries;
    for (std::uint64_t n = 0; n < 50'000; ++n) {
        const Address address = Address::from(test::block_id(n).view().subspan(12));
        hashes.insert(IdHash{}(address));
        entries.emplace_back(address, 1);
    }
    EXPECT_GT(hashes.size(), 49'990u);
    EXPECT_EQ((PersistentMap<Address, int>{}.with(entries).size()), 50'000u);
}

}  // namespace
}  // namespace blobvm::chain::detail
