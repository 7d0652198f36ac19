#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

namespace blobvm {
namespace {

using Json = nlohmann::json;
using testing::Finished;
using testing::TemporaryFolder;

Finished blob_bench(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), std::string{BLOBVM_BIN_DIR} + "/blob-bench");
    return testing::run(std::move(arguments));
}

std::string content_of(const std::string& path) {
    std::ifstream file{path};
    std::stringstream content;
    content << file.rdbuf();
    return content.str();
}

/// A run of a few blocks, as it has written itself down.
Json engine_run(const TemporaryFolder& folder, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "engine");
    arguments.insert(arguments.end(), {"--seconds", "30", "--json", folder.file("found.json")});
    const Finished finished = blob_bench(std::move(arguments));
    EXPECT_EQ(finished.code, 0) << finished.err;
    return Json::parse(content_of(folder.file("found.json")));
}

TEST(BlobBenchTest, EngineAcceptsEverythingThatItIsAskedFor) {
    const TemporaryFolder folder;
    const Json found =
        engine_run(folder, {"--count", "300", "--block-bytes", "60000", "--batch", "50"});

    const Json& run = found.at("runs").at(0);
    EXPECT_EQ(run.at("mode"), "engine");
    EXPECT_EQ(run.at("transactions"), 300);
    EXPECT_EQ(run.at("valueBytes"), 1024);
    // 1,149 bytes make one of these, 52 of them a block.
    EXPECT_EQ(run.at("transactionsPerBlock"), 52);
    EXPECT_GE(run.at("blocks"), 6);
    EXPECT_GT(run.at("blockBytes"), 300 * 1024);
    EXPECT_EQ(run.at("acceptMs").at("samples").size(), run.at("blocks"));
    EXPECT_EQ(run.at("submitMs").at("samples").size(), 6) << "batches of 50";
}

TEST(BlobBenchTest, FiguresAreNumbersAboveZero) {
    const TemporaryFolder folder;
    const Json found = engine_run(folder, {"--transfers", "--count", "100"});

    const Json& run = found.at("runs").at(0);
    for (const char* name : {"seconds", "transactionsPerSecond", "transactionsPerUndisturbedSecond",
                             "generatorAlonePerSecond"}) {
        ASSERT_TRUE(run.at(name).is_number()) << name;
        EXPECT_GT(run.at(name).get<double>(), 0) << name;
    }
    for (const char* name : {"recoverUs", "keysAndIdsUs", "blockIdUs", "boundPerSecond"}) {
        EXPECT_GT(run.at("floor").at(name).get<double>(), 0) << name;
    }
    EXPECT_FALSE(run.at("synced").get<std::string>().empty());
    EXPECT_FALSE(run.at("leftOut").get<std::string>().empty());
    for (const char* name : {"cpu", "cores", "kernel", "compiler", "commit"}) {
        EXPECT_TRUE(found.at("machine").contains(name)) << name;
    }
}

TEST(BlobBenchTest, ReportPageNeedsNothingElse) {
    const TemporaryFolder folder;
    engine_run(folder, {"--count", "100"});
    const Finished finished =
        blob_bench({"report", folder.file("found.json"), folder.file("page.html")});
    ASSERT_EQ(finished.code, 0) << finished.err;

    const std::string page = content_of(folder.file("page.html"));
    EXPECT_NE(page.find("<svg"), std::string::npos);
    EXPECT_NE(page.find("recovery + hashing on all cores"), std::string::npos) << "the target";
    EXPECT_NE(page.find("engine, sets of 1 KiB"), std::string::npos);
    for (const char* elsewhere : {"src=", "href=", "http:", "https:", "@import", "url("}) {
        EXPECT_EQ(page.find(elsewhere), std::string::npos) << elsewhere;
    }
}

TEST(BlobBenchTest, WrongFlagsAreRefusedWithCodeTwo) {
    EXPECT_EQ(blob_bench({"engine", "--value-size", "204801"}).code, 2) << "above the limit";
    EXPECT_EQ(blob_bench({"engine", "--value-size", "7"}).code, 2) << "no room for a number";
    EXPECT_EQ(blob_bench({"engine", "--no-such-flag"}).code, 2);
    EXPECT_EQ(blob_bench({}).code, 2) << "no mode";
}

TEST(BlobBenchTest, HelpShowsExamples) {
    const Finished finished = blob_bench({"--help"});
    EXPECT_EQ(finished.code, 0);
    EXPECT_NE(finished.out.find("blob-bench engine --value-size 204800"), std::string::npos);
}

}  // namespace
}  // namespace blobvm
