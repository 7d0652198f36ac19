// blobvm inspect, as an operator compares nodes with it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/integration/local_chain.hpp"

namespace blobvm::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

class InspectTest : public ::testing::Test {
  protected:
    std::string chain_data(const LocalChain& chain, int node = 0) const {
        return data_dir_ + "/node-" + std::to_string(node) + "/chainData/" + chain.chain_id;
    }
    static Finished inspect(const std::string& chain_data) {
        return run({program("blobvm"), "inspect", chain_data, "--json"});
    }
    /// A chain of `nodes` with a file of 500,000 bytes, running.
    std::unique_ptr<LocalChain> chain_with_file(int nodes) {
        auto arguments = wallet_.fund();
        arguments.insert(arguments.end(), {"--nodes", std::to_string(nodes)});
        auto chain = LocalChain::start(data_dir_, arguments);
        if (chain == nullptr) return chain;
        const std::string file = folder_.file("stored");
        write_random_file(file, 500'000, 7);
        EXPECT_NE(wallet_.store(chain->nodes[0].endpoint, file), "");
        return chain;
    }
    static std::map<std::string, std::string> files_of(const std::string& folder) {
        std::map<std::string, std::string> files;
        for (const auto& entry : fs::recursive_directory_iterator{folder}) {
            if (!entry.is_regular_file()) continue;
            std::ifstream stream{entry.path(), std::ios::binary};
            files[entry.path().string()] = {std::istreambuf_iterator<char>{stream}, {}};
        }
        return files;
    }

    TemporaryFolder folder_;
    Wallet wallet_{folder_};
    std::string data_dir_ = folder_.file("chain");
};

TEST_F(InspectTest, NodesOfOneChainHaveOneDigest) {
    const auto chain = chain_with_file(3);
    ASSERT_NE(chain, nullptr);
    chain->stop();
    const Finished first = inspect(chain_data(*chain));
    ASSERT_EQ(first.code, 0) << first.err;
    EXPECT_EQ(json_field(first.out, "chainId"), chain->chain_id);
    EXPECT_EQ(json_field(first.out, "blobs"), "4") << "three chunks and their root";
    EXPECT_GT(std::stoull(json_field(first.out, "blobBytes")), 500'000U);
    EXPECT_EQ(json_field(first.out, "digest").size(), 66U);
    for (int node = 1; node < 3; ++node) {
        EXPECT_EQ(inspect(chain_data(*chain, node)).out, first.out) << node;
    }
    EXPECT_EQ(inspect(chain_data(*chain)).out, first.out) << "looking changes nothing";
}

TEST_F(InspectTest, RunningNodesDataIsRefused) {
    const auto chain = chain_with_file(1);
    ASSERT_NE(chain, nullptr);
    const Finished refused = inspect(chain_data(*chain));
    EXPECT_EQ(refused.code, 1);
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(refused.err, HasSubstr("in use"));
    chain->stop();
}

TEST_F(InspectTest, FolderWithoutAChainIsRefusedAndLeftAsItWas) {
    const std::string empty = folder_.file("empty");
    fs::create_directory(empty);
    for (const std::string& folder : {empty, folder_.file("missing")}) {
        const Finished refused = inspect(folder);
        EXPECT_EQ(refused.code, 1);
        EXPECT_THAT(refused.err, HasSubstr("no BlobVM database"));
    }
    EXPECT_TRUE(fs::is_empty(empty));
    EXPECT_FALSE(fs::exists(folder_.file("missing")));
    EXPECT_EQ(run({program("blobvm"), "inspect"}).code, 2);
}

TEST_F(InspectTest, DamagedBlobIsNamed) {
    const auto chain = chain_with_file(1);
    ASSERT_NE(chain, nullptr);
    chain->stop();
    ASSERT_EQ(inspect(chain_data(*chain)).code, 0);
    int hit = 0;
    for (auto& [path, content] : files_of(chain_data(*chain))) {
        if (!path.ends_with(".blocks") || content.size() < 100'000) continue;
        content[content.size() / 2] = static_cast<char>(~content[content.size() / 2]);
        std::ofstream{path, std::ios::binary} << content;
        ++hit;
    }
    ASSERT_GT(hit, 0);
    const Finished found = inspect(chain_data(*chain));
    EXPECT_EQ(found.code, 1);
    EXPECT_THAT(found.out, HasSubstr("\"damaged\":[\"0x"));
}

}  // namespace
}  // namespace blobvm::testing
