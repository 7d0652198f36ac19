// What compatibility.json and the README promise to operators, against each other, against what
// the plugin says of itself, and against the node versions that tests/node is made for.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "vm/plugin/identity.hpp"

namespace blobvm::vm::plugin {
namespace {

namespace fs = std::filesystem;

using nlohmann::json;

std::string content(const fs::path& file) {
    std::ifstream stream{fs::path{BLOBVM_SOURCE_DIR} / file};
    EXPECT_TRUE(stream) << file;
    return {std::istreambuf_iterator<char>{stream}, {}};
}

json compatibility() { return json::parse(content("compatibility.json")); }

const json& nodes_of_this_release(const json& all) { return all.at("nodes").at(version()); }

TEST(CompatibilityTest, ToolsFindTheProtocolThatThisReleaseStatesByItself) {
    const json own = json::parse(version_json());
    EXPECT_EQ(own.at("version"), version());
    EXPECT_EQ(compatibility().at("rpcChainVMProtocolVersion").at(version()), own.at("rpcchainvm"));
}

TEST(CompatibilityTest, EachProtocolThatIsSpokenIsListedOnceAndNoOther) {
    const json all = compatibility();
    std::vector<std::uint32_t> spoken;
    for (std::uint32_t protocol = kProtocol; protocol >= kOldestProtocol; --protocol) {
        spoken.push_back(protocol);
    }
    std::vector<std::uint32_t> listed;
    for (const json& row : nodes_of_this_release(all)) listed.push_back(row.at("protocol"));
    EXPECT_EQ(listed, spoken);
}

TEST(CompatibilityTest, EveryReleaseTellsBothToolsAndOperators) {
    const json all = compatibility();
    std::vector<std::string> to_tools;
    std::vector<std::string> to_operators;
    for (const auto& [release, protocol] : all.at("rpcChainVMProtocolVersion").items()) {
        to_tools.push_back(release);
    }
    for (const auto& [release, rows] : all.at("nodes").items()) to_operators.push_back(release);
    EXPECT_EQ(to_tools, to_operators);
}

/// The version of the node that a module file of tests/node asks for.
std::string node_version_in(const std::string& module_file) {
    const std::string text = content("tests/node/" + module_file);
    std::smatch found;
    const std::regex line{R"(github\.com/ava-labs/avalanchego (v[0-9.]+)\n)"};
    return std::regex_search(text, found, line) ? found[1].str() : std::string{};
}

TEST(CompatibilityTest, TestedMeansThatTestsNodeRunsThisPluginUnderThatVersion) {
    const json all = compatibility();
    for (const json& row : nodes_of_this_release(all)) {
        const std::uint32_t protocol = row.at("protocol");
        const std::string module_file =
            protocol == kProtocol ? "go.mod" : fmt::format("protocol{}.mod", protocol);
        EXPECT_EQ(row.at("tested"), json::array({node_version_in(module_file)})) << module_file;
        for (const json& version : row.at("tested")) {
            EXPECT_THAT(row.at("avalanchego").get<std::vector<std::string>>(),
                        testing::Contains(version.get<std::string>()));
        }
    }
}

TEST(CompatibilityTest, ReadmeHasTheSameTable) {
    const json all = compatibility();
    std::vector<std::string> rows;
    for (const auto& [release, nodes] : all.at("nodes").items()) {
        for (const json& row : nodes) {
            const std::vector<std::string> known = row.at("avalanchego");
            const std::vector<std::string> tested = row.at("tested");
            rows.push_back(fmt::format("| {} | {} | {} | {} |", release,
                                       row.at("protocol").get<std::uint32_t>(),
                                       fmt::join(known, ", "), fmt::join(tested, ", ")));
        }
    }

    std::istringstream readme{content("README.md")};
    std::vector<std::string> found;
    for (std::string line; std::getline(readme, line);) {
        const std::size_t start = line.find("| v");
        if (start != std::string::npos) found.push_back(line.substr(start));
    }
    EXPECT_EQ(found, rows);
}

}  // namespace
}  // namespace blobvm::vm::plugin
