#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "chain/genesis.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "tests/support/corpus.hpp"

namespace blobvm::jsonrpc {
namespace {

using test::Json;

/// What the original checks when it starts: two values and the hash of the airdrop file, which was
/// empty when the corpus was made. (Ours checks more, see chain::validate.)
std::string start_error(const std::string& text) {
    const Result<chain::Genesis> genesis = parse_genesis(text);
    if (!genesis) return genesis.error().message();
    if (genesis->magic == 0) return "invalid magic";
    if (genesis->target_block_rate_s == 0) return "invalid block rate";
    if (genesis->airdrop_hash.empty()) return {};
    const std::string empty_file = to_hex_0x(keccak256({}).view());
    if (genesis->airdrop_hash == empty_file) return {};
    return "expected standard allocation " + genesis->airdrop_hash + " but got " + empty_file;
}

TEST(GenesisCorpus, EveryTextIsReadOrRefusedAsByTheOriginal) {
    for (const Json& test_case : test::corpus_cases("genesis-json")) {
        const std::string text = test_case.at("in");
        EXPECT_EQ(start_error(text), test::text_or_empty(test_case, "err")) << text;
    }
}

TEST(GenesisCorpus, WritesTheOriginalsCanonicalForm) {
    std::size_t written = 0;
    for (const Json& test_case : test::corpus_cases("genesis-json")) {
        if (!test_case.contains("out")) continue;
        const Result<chain::Genesis> genesis = parse_genesis(test_case.at("in").get<std::string>());
        ASSERT_TRUE(genesis);
        EXPECT_EQ(write_genesis(*genesis), test_case.at("out").get<std::string>());
        ++written;
    }
    EXPECT_EQ(written, 48U);
}

TEST(GenesisCorpus, TheErrorsOfTheHardenedRulesComeAfterTheOriginals) {
    for (const Json& test_case : test::corpus_cases("genesis-json")) {
        const std::string expected = test::text_or_empty(test_case, "err");
        if (expected != "invalid magic" && expected != "invalid block rate") continue;
        const Result<chain::Genesis> genesis = parse_genesis(test_case.at("in").get<std::string>());
        ASSERT_TRUE(genesis);
        const Result<void> valid = chain::validate(*genesis);
        ASSERT_FALSE(valid);
        EXPECT_EQ(valid.error().message().substr(0, expected.size()), expected);
    }
}

TEST(GenesisTest, NestedErrorsNameTheWholePath) {
    const auto error = [](const std::string& allocation) {
        return parse_genesis("{\"customAllocation\":" + allocation + "}").error().message();
    };
    EXPECT_EQ(error("5"),
              "json: cannot unmarshal number into Go struct field "
              "Genesis.customAllocation of type []*chain.CustomAllocation");
    EXPECT_EQ(error("[5]"),
              "json: cannot unmarshal number into Go struct field "
              "Genesis.customAllocation of type chain.CustomAllocation");
    EXPECT_EQ(error(R"([{"balance":"1"}])"),
              "json: cannot unmarshal string into Go struct field "
              "CustomAllocation.customAllocation.balance of type uint64");
    EXPECT_EQ(error(R"([{"balance":-1}])"),
              "json: cannot unmarshal number -1 into Go struct field "
              "CustomAllocation.customAllocation.balance of type uint64");
    EXPECT_EQ(error(R"([{"address":5}])"),
              "json: cannot unmarshal non-string into Go struct field "
              "CustomAllocation.customAllocation.address of type common.Address");
    EXPECT_EQ(error(R"([{"address":"f9"}])"),
              "json: cannot unmarshal hex string without 0x prefix into Go struct field "
              "CustomAllocation.customAllocation.address of type common.Address");
    EXPECT_EQ(error("[null]"),
              "json: cannot unmarshal null into Go struct field "
              "Genesis.customAllocation of type chain.CustomAllocation");
}

TEST(GenesisTest, NullKeepsWhatADuplicateHasSet) {
    EXPECT_EQ(parse_genesis(R"({"magic":7,"MAGIC":null})")->magic, 7U);
    EXPECT_FALSE(parse_genesis(R"({"customAllocation":[],"customAllocation":null})")
                     ->custom_allocation.has_value());
}

}  // namespace
}  // namespace blobvm::jsonrpc
