// Reads every source file against the table "Who may know whom" of the style page. There is no list
// of exceptions: what needs something from above takes it as an argument.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace blobvm {
namespace {

namespace fs = std::filesystem;

/// What the files of a folder may include of ours. A name that ends in '/' is a whole folder.
struct Row {
    std::string_view folder;
    std::vector<std::string_view> may_include;
};

/// The most particular row counts: it comes before that of the folder around it.
const std::vector<Row>& table() {
    static const std::vector<Row> rows{
        {"chain/base/", {"chain/base/"}},
        {"chain/", {"chain/"}},
        {"mempool/", {"mempool/", "chain/transaction.hpp", "chain/base/"}},
        {"proto/jsonrpc/", {"proto/jsonrpc/", "chain/"}},
        {"client/", {"client/", "proto/jsonrpc/", "chain/"}},
        {"tree/",
         {"tree/", "client/client.hpp", "client/sign_and_issue.hpp", "proto/jsonrpc/json.hpp",
          "chain/"}},
        {"vm/store/", {"vm/store/", "vm/chain_store.hpp", "chain/"}},
        {"vm/service/", {"vm/", "mempool/", "proto/jsonrpc/", "chain/"}},
        {"vm/plugin/", {"vm/", "mempool/", "proto/", "chain/"}},
        {"vm/", {"vm/", "mempool/", "proto/jsonrpc/", "chain/"}},
        {"cmd/blobvm/", {"cmd/blobvm/", "vm/"}},
        {"cmd/blob-cli/", {"cmd/blob-cli/", "client/", "tree/", "proto/jsonrpc/", "chain/"}},
        {"cmd/blob-devnet/", {"cmd/blob-devnet/", "proto/", "chain/"}},
        {"bench/",
         {"bench/", "tests/", "cmd/", "vm/", "client/", "tree/", "mempool/", "proto/", "chain/"}},
        {"tests/", {"tests/", "cmd/", "vm/", "client/", "tree/", "mempool/", "proto/", "chain/"}},
    };
    return rows;
}

/// Headers of others that only some may know: no file outside `only_in` includes them.
const std::vector<std::pair<std::string_view, std::vector<std::string_view>>>& kept_in() {
    static const std::vector<std::pair<std::string_view, std::vector<std::string_view>>> rules{
        {"rocksdb/", {"vm/store/", "tests/", "bench/"}},
        {"grpc/",
         {"vm/plugin/", "cmd/blob-devnet/", "tests/", "bench/", "scripts/cmake/sanitizers.cpp"}},
        {"grpcpp/", {"vm/plugin/", "cmd/blob-devnet/", "tests/", "bench/"}},
        {"google/protobuf/", {"vm/plugin/", "cmd/blob-devnet/", "tests/", "bench/"}},
        {"spdlog/", {"vm/log.cpp"}},
        {"boost/beast/", {"client/", "cmd/blob-devnet/", "tests/", "bench/"}},
        {"boost/asio/", {"client/", "cmd/blob-devnet/", "tests/", "bench/"}},
        {"CLI/", {"cmd/", "bench/"}},
        {"nlohmann/", {"tests/", "bench/"}},
        {"gtest/", {"tests/"}},
        {"gmock/", {"tests/"}},
        {"benchmark/", {"bench/"}},
        {"secp256k1", {"chain/", "tests/", "bench/"}},
    };
    return rules;
}

/// The rules know no thread, time of day, file or stream.
constexpr std::array<std::string_view, 7> kNotInTheRules{
    "thread", "chrono", "fstream", "iostream", "filesystem", "random", "future"};

bool matches(std::string_view path, std::string_view pattern) {
    return pattern.ends_with('/') ? path.starts_with(pattern) : path == pattern;
}

bool any_matches(std::string_view path, std::span<const std::string_view> patterns) {
    return std::ranges::any_of(patterns, [&](auto pattern) { return matches(path, pattern); });
}

struct Include {
    std::string name;
    bool ours;  ///< in quotes
};

/// Everything that is wrong with one include of the file at `path`; empty if nothing is.
std::string verdict(std::string_view path, const Include& include) {
    if (include.ours) {
        const auto row = std::ranges::find_if(
            table(), [&](const Row& candidate) { return path.starts_with(candidate.folder); });
        if (row == table().end()) return fmt::format("{}: no row of the table covers it", path);
        if (!any_matches(include.name, row->may_include)) {
            return fmt::format("{}: {} must not know {}", path, row->folder, include.name);
        }
        // A generated header is a protocol detail, whatever folder it stands in.
        if (include.name.ends_with(".pb.h") && !path.starts_with("vm/plugin/") &&
            !path.starts_with("cmd/blob-devnet/") && !path.starts_with("tests/") &&
            !path.starts_with("bench/")) {
            return fmt::format("{}: only vm/plugin knows generated headers", path);
        }
        return {};
    }
    for (const auto& [prefix, folders] : kept_in()) {
        if (include.name.starts_with(prefix) && !any_matches(path, folders)) {
            return fmt::format("{}: must not include <{}>", path, include.name);
        }
    }
    const bool is_rule = path.starts_with("chain/") || path.starts_with("mempool/");
    if (is_rule && std::ranges::find(kNotInTheRules, include.name) != kNotInTheRules.end()) {
        return fmt::format("{}: the rules know no <{}>", path, include.name);
    }
    return {};
}

std::vector<Include> includes_in(std::string_view text) {
    std::vector<Include> found;
    std::istringstream lines{std::string{text}};
    for (std::string line; std::getline(lines, line);) {
        std::size_t at = line.find_first_not_of(" \t");
        if (at == std::string::npos || line[at] != '#') continue;
        at = line.find_first_not_of(" \t", at + 1);
        constexpr std::string_view kWord = "include";
        if (at == std::string::npos || line.compare(at, kWord.size(), kWord) != 0) continue;
        at = line.find_first_of("\"<", at);
        if (at == std::string::npos) continue;
        const bool ours = line[at] == '"';
        const std::size_t end = line.find(ours ? '"' : '>', at + 1);
        if (end == std::string::npos) continue;
        found.push_back({line.substr(at + 1, end - at - 1), ours});
    }
    return found;
}

std::string content_of(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// All files of the sources, by their path from the root; nothing that was built, nothing hidden
/// but the checks of the project.
std::vector<std::string> source_files() {
    const fs::path root{BLOBVM_SOURCE_DIR};
    std::vector<std::string> found;
    for (auto at = fs::recursive_directory_iterator{root}; at != fs::recursive_directory_iterator{};
         ++at) {
        const std::string path = at->path().lexically_relative(root).generic_string();
        if (at->is_directory()) {
            if (path == "build" || (path.starts_with('.') && path != ".ci")) {
                at.disable_recursion_pending();
            }
        } else if (at->is_regular_file()) {
            found.push_back(path);
        }
    }
    std::ranges::sort(found);
    return found;
}

bool is_code(std::string_view path) { return path.ends_with(".hpp") || path.ends_with(".cpp"); }

TEST(LayersTest, EveryIncludeStandsInTheTable) {
    std::size_t files = 0;
    for (const std::string& path : source_files()) {
        if (!is_code(path)) continue;
        ++files;
        for (const Include& include : includes_in(content_of(fs::path{BLOBVM_SOURCE_DIR} / path))) {
            const std::string wrong = verdict(path, include);
            EXPECT_TRUE(wrong.empty()) << wrong;
        }
    }
    EXPECT_GT(files, 50) << "the sources were not found";
}

TEST(LayersTest, NoFileHoldsAPathOfSomebodysMachine) {
    // Put together here, so that this file does not hold them.
    const std::array<std::string, 4> private_folders{
        std::string{"/ro"} + "ot/", std::string{"/wo"} + "rk/", std::string{"/ho"} + "me/",
        std::string{"/Us"} + "ers/"};
    for (const std::string& path : source_files()) {
        const std::string text = content_of(fs::path{BLOBVM_SOURCE_DIR} / path);
        for (const std::string& folder : private_folders) {
            EXPECT_EQ(text.find(folder), std::string::npos) << path << " holds " << folder;
        }
    }
}

TEST(LayersTest, UpwardIncludeIsFound) {
    const auto refused = [](std::string_view path, std::string_view line) {
        const auto includes = includes_in(line);
        EXPECT_EQ(includes.size(), 1) << line;
        return !verdict(path, includes.at(0)).empty();
    };

    EXPECT_TRUE(refused("chain/block.cpp", "#include \"vm/node.hpp\""));
    EXPECT_TRUE(refused("chain/base/hex.cpp", "#include \"chain/block.hpp\""));
    EXPECT_TRUE(refused("mempool/mempool.cpp", "#include \"chain/block.hpp\""));
    EXPECT_TRUE(refused("tree/upload.cpp", "  #  include \"client/http_client.hpp\""));
    EXPECT_TRUE(refused("vm/node.cpp", "#include \"client/client.hpp\""));
    EXPECT_TRUE(refused("vm/node.cpp", "#include \"proto/plugin/vm.pb.h\""));
    EXPECT_TRUE(refused("vm/node.cpp", "#include <rocksdb/db.h>"));
    EXPECT_TRUE(refused("vm/node.cpp", "#include <spdlog/spdlog.h>"));
    EXPECT_TRUE(refused("chain/block.cpp", "#include <chrono>"));
    EXPECT_TRUE(refused("chain/block.cpp", "#include \"block.hpp\"")) << "not from the root";
    EXPECT_TRUE(refused("elsewhere/file.cpp", "#include \"chain/block.hpp\""));

    EXPECT_FALSE(refused("chain/block.cpp", "#include \"chain/base/hex.hpp\""));
    EXPECT_FALSE(refused("mempool/mempool.cpp", "#include \"chain/transaction.hpp\""));
    EXPECT_FALSE(refused("vm/store/database.cpp", "#include <rocksdb/db.h>"));
    EXPECT_FALSE(refused("vm/plugin/vm_server.cpp", "#include \"proto/plugin/vm.grpc.pb.h\""));
}

}  // namespace
}  // namespace blobvm
