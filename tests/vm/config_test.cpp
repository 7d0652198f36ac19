#include "vm/config.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace blobvm::vm {
namespace {

using std::chrono::nanoseconds;

TEST(ConfigTest, EmptyTextAndEmptyObjectMeanTheDefaults) {
    for (const std::string text : {"", "{}", "null", " { \"unknown\" : [1] } "}) {
        const Result<Config> config = parse_config(text);
        ASSERT_TRUE(config) << text;
        EXPECT_EQ(config->build_interval, nanoseconds{500'000'000});
        EXPECT_EQ(config->gossip_interval, nanoseconds{1'000'000'000});
        EXPECT_EQ(config->regossip_interval, nanoseconds{30'000'000'000});
        EXPECT_EQ(config->mempool_size, 1024U);
        EXPECT_EQ(config->activity_cache_size, 128U);
        EXPECT_EQ(config->roll_back_to, -1);
    }
}

TEST(ConfigTest, ReadsEveryKey) {
    const std::string text = R"({
        "buildInterval": 250000000, "gossipInterval": "500ms", "regossipInterval": "2m",
        "mempoolSize": 64, "mempoolBytes": 1048576, "activityCacheSize": 0, "logLevel": "debug",
        "airdropFile": "/a/b.json", "maxRequestBytes": 65536, "blockCacheBytes": 2097152,
        "rollBackTo": 12})";
    const Result<Config> config = parse_config(text);
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->build_interval, nanoseconds{250'000'000});
    EXPECT_EQ(config->gossip_interval, nanoseconds{500'000'000});
    EXPECT_EQ(config->regossip_interval, nanoseconds{120'000'000'000});
    EXPECT_EQ(config->mempool_size, 64U);
    EXPECT_EQ(config->mempool_bytes, 1048576U);
    EXPECT_EQ(config->activity_cache_size, 0U);
    EXPECT_EQ(config->log_level, "debug");
    EXPECT_EQ(config->airdrop_file, "/a/b.json");
    EXPECT_EQ(config->max_request_bytes, 65536U);
    EXPECT_EQ(config->block_cache_bytes, 2097152U);
    EXPECT_EQ(config->roll_back_to, 12);
}

TEST(ConfigTest, KeysMatchWithoutCaseTheLastWinsAndNullKeepsTheDefault) {
    const Result<Config> config =
        parse_config(R"({"MEMPOOLSIZE":1,"mempoolSize":2,"mempoolSize":null})");
    ASSERT_TRUE(config);
    EXPECT_EQ(config->mempool_size, 2U);
}

struct Duration {
    std::string text;
    std::int64_t expected_ns;
};

TEST(ConfigTest, DurationsAreNanosecondsOrANumberWithAUnit) {
    const std::vector<Duration> durations{{"0", 0},
                                          {"7", 7},
                                          {"\"0s\"", 0},
                                          {"\"100us\"", 100'000},
                                          {"\"9ns\"", 9},
                                          {"\"1s\"", 1'000'000'000},
                                          {"\"1h\"", 3'600'000'000'000}};
    for (const Duration& duration : durations) {
        const Result<Config> config = parse_config("{\"buildInterval\":" + duration.text + "}");
        ASSERT_TRUE(config) << duration.text;
        EXPECT_EQ(config->build_interval, nanoseconds{duration.expected_ns}) << duration.text;
    }
}

struct Refusal {
    std::string text;
    std::string says;
};

TEST(ConfigTest, BadValuesAreRefusedByKeyValueAndRange) {
    const std::vector<Refusal> refusals{
        {R"({"mempoolSize":-1})", "mempoolSize is -1; allowed: a whole number from 0 to 1000000"},
        {R"({"mempoolSize":1000001})", "mempoolSize is 1000001"},
        {R"({"mempoolSize":"5"})", "mempoolSize is \"5\""},
        {R"({"mempoolSize":1.5})", "mempoolSize is 1.5"},
        {R"({"mempoolBytes":0})", "mempoolBytes is 0; allowed: a whole number from 1048576"},
        {R"({"activityCacheSize":-1})", "activityCacheSize is -1"},
        {R"({"buildInterval":-1})", "buildInterval is -1; allowed: 0 to 1h"},
        {R"({"buildInterval":"2h"})", "buildInterval is \"2h\""},
        {R"({"buildInterval":"5"})", "buildInterval is \"5\""},
        {R"({"buildInterval":"ms"})", "buildInterval is \"ms\""},
        {R"({"buildInterval":"1.5s"})", "buildInterval is \"1.5s\""},
        {R"({"buildInterval":"9223372036854775807h"})", "buildInterval is"},
        {R"({"buildInterval":true})", "buildInterval is true"},
        {R"({"gossipInterval":0})", "gossipInterval is 0; allowed: 1ms to 24h"},
        {R"({"regossipInterval":999999})", "regossipInterval is 999999"},
        {R"({"logLevel":"loud"})", "logLevel is \"loud\"; allowed: \"trace\""},
        {R"({"logLevel":3})", "logLevel is 3"},
        {R"({"airdropFile":3})", "airdropFile is 3; allowed: a path"},
        {R"({"airdropFile":"a\u0000b"})", "airdropFile is"},
        {R"({"maxRequestBytes":65535})", "maxRequestBytes is 65535"},
        {R"({"blockCacheBytes":1})", "blockCacheBytes is 1"},
        {R"({"rollBackTo":-2})", "rollBackTo is -2; allowed: a whole number from -1"},
        {R"([])", "[]: json: cannot unmarshal array into Go value of type vm.Config"},
        {R"({"mempoolSize":)", "{\"mempoolSize\":: unexpected end of JSON input"},
        {" ", " : unexpected end of JSON input"},
    };
    for (const Refusal& refusal : refusals) {
        const Result<Config> config = parse_config(refusal.text);
        ASSERT_FALSE(config) << refusal.text;
        EXPECT_EQ(config.error().code, ErrorCode::kConfigInvalid);
        const std::string message = config.error().message();
        EXPECT_TRUE(message.starts_with("failed to unmarshal config: " + refusal.says)) << message;
    }
}

TEST(ConfigTest, AnErrorRepeatsOnlyTheBeginningOfTheText) {
    const std::string text = "{\"logLevel\":\"" + std::string(100'000, 'x');
    const Result<Config> whole = parse_config(text);
    ASSERT_FALSE(whole);
    EXPECT_LT(whole.error().message().size(), 400U);
    const Result<Config> value = parse_config(text + "\"}");
    ASSERT_FALSE(value);
    EXPECT_LT(value.error().message().size(), 400U);
}

}  // namespace
}  // namespace blobvm::vm
