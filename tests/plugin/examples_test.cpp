// The files of cmd/blobvm/examples and the names in VALIDATOR.md, each given to what reads it.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "tests/plugin/plugin_host.hpp"
#include "tests/support/process.hpp"
#include "vm/config.hpp"

namespace blobvm::test {
namespace {

namespace fs = std::filesystem;

using nlohmann::json;

const fs::path kBlobvm = fs::path{BLOBVM_SOURCE_DIR} / "cmd/blobvm";
const fs::path kExamples = kBlobvm / "examples";

std::string content(const fs::path& file) {
    std::ifstream stream{file, std::ios::binary};
    EXPECT_TRUE(stream) << file;
    return {std::istreambuf_iterator<char>{stream}, {}};
}

std::string example(const std::string& name) { return content(kExamples / name); }

TEST(ExamplesTest, GenesisIsWhatTheCommandMakesOfTheAllocations) {
    const testing::TemporaryFolder folder;
    const std::string made = folder.file("genesis.json");
    const testing::Finished done =
        testing::run({std::string{BLOBVM_BIN_DIR} + "/blob-cli", "genesis", "1337",
                      kExamples / "allocations.json", "--genesis-file", made});
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(content(made), example("genesis.json"));
}

TEST(ExamplesTest, PluginStartsAChainWithAllOfThem) {
    PluginHost host{{.genesis = example("genesis.json"),
                     .config = example("chain-config.json"),
                     .upgrade = example("upgrade.json")}};
    EXPECT_EQ(host.run().height, 0U);
    const json allocations = json::parse(example("allocations.json"));
    ASSERT_FALSE(allocations.empty());
    for (const json& allocation : allocations) {
        const json answer = json::parse(host.rpc(
            "balance",
            fmt::format(R"({{"address":"{}"}})", allocation.at("address").get<std::string>())));
        EXPECT_EQ(answer.at("result").at("balance"), allocation.at("balance"));
    }
    EXPECT_THAT(host.process().last_words(), ::testing::HasSubstr("upgrade file ignored"));
    host.stop();
}

TEST(ExamplesTest, UpgradeFileOfAnyContentIsPassedOver) {
    PluginHost host{{.upgrade = "not even JSON"}};
    EXPECT_EQ(host.run().height, 0U);
    host.stop();
}

TEST(ExamplesTest, ChainConfigHasTheDefaultsButForTheBuildInterval) {
    const auto config = vm::parse_config(example("chain-config.json"));
    ASSERT_TRUE(config) << config.error().message();
    vm::Config expected;
    expected.build_interval = std::chrono::milliseconds{100};
    EXPECT_EQ(config->build_interval, expected.build_interval);
    expected.gossip_interval = std::chrono::milliseconds{100};
    EXPECT_EQ(config->gossip_interval, expected.gossip_interval);
    EXPECT_EQ(config->regossip_interval, expected.regossip_interval);
    EXPECT_EQ(config->mempool_size, expected.mempool_size);
    EXPECT_EQ(config->mempool_bytes, expected.mempool_bytes);
    EXPECT_EQ(config->activity_cache_size, expected.activity_cache_size);
    EXPECT_EQ(config->log_level, expected.log_level);
    EXPECT_EQ(config->max_request_bytes, expected.max_request_bytes);
    EXPECT_EQ(config->block_cache_bytes, expected.block_cache_bytes);
}

// A key that nobody knows would be passed over, and the example would promise what is not there.
TEST(ExamplesTest, ChainConfigHasNoKeyThatIsNotRead) {
    const json config = json::parse(example("chain-config.json"));
    for (const auto& [key, value] : config.items()) {
        const json wrong{{key, json::array()}};
        EXPECT_FALSE(vm::parse_config(wrong.dump())) << key;
    }
}

TEST(ExamplesTest, NodeLooksForPluginsWhereThePackagePutsOurs) {
    const json flags = json::parse(example("node.json"));
    const std::string folder = flags.at("plugin-dir");
    EXPECT_THAT(content(fs::path{BLOBVM_SOURCE_DIR} / "scripts/package.sh"),
                ::testing::HasSubstr("\nPLUGIN_FOLDER=" + folder + "\n"));
    EXPECT_EQ(flags.at("track-subnets"), "SUBNET_ID") << "VALIDATOR.md replaces this word";
}

TEST(ExamplesTest, EachExampleIsTold) {
    const std::string told = example("README.md");
    const std::string page = content(kBlobvm / "VALIDATOR.md");
    for (const fs::directory_entry& entry : fs::directory_iterator{kExamples}) {
        const std::string name = entry.path().filename().string();
        if (name == "README.md") continue;
        EXPECT_THAT(told, ::testing::HasSubstr("| `" + name + "` |"));
        EXPECT_THAT(page, ::testing::HasSubstr(name));
    }
}

TEST(ExamplesTest, EveryMetricThatThePageNamesExists) {
    PluginHost host;
    host.run();
    const auto gathered = host.call(&::vm::VM::Stub::Gather);
    ASSERT_TRUE(gathered.ok());
    std::set<std::string> known;
    for (const auto& family : gathered.reply.metric_families()) known.insert(family.name());
    host.stop();

    const std::string page = content(kBlobvm / "VALIDATOR.md");
    const std::regex name{"`((?:vm|process)_[a-z_]+)`"};
    std::set<std::string> named;
    for (std::sregex_iterator at{page.begin(), page.end(), name}, end; at != end; ++at) {
        named.insert((*at)[1]);
    }
    EXPECT_FALSE(named.empty());
    for (const std::string& metric : named) EXPECT_TRUE(known.contains(metric)) << metric;
}

}  // namespace
}  // namespace blobvm::test
