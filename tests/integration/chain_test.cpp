// Whole programs: blob-devnet, the plugin and blob-cli, as a user runs them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "chain/base/hex.hpp"
#include "tests/integration/local_chain.hpp"

namespace blobvm::testing {
namespace {

using ::testing::HasSubstr;

class ChainTest : public ::testing::Test {
  protected:
    std::unique_ptr<LocalChain> start(std::vector<std::string> arguments = {}) {
        return LocalChain::start(data_dir_, std::move(arguments));
    }
    /// Fetches `root` into a new file and compares it with `original`.
    void expect_stored(const LocalChain& chain, const std::string& root,
                       const std::string& original, std::size_t node = 0) {
        const std::string copy = folder_.file("copy-" + std::to_string(++copies_));
        const Finished fetched =
            wallet_.cli(chain.nodes.at(node).endpoint, {"resolve-file", root, copy});
        ASSERT_EQ(fetched.code, 0) << fetched.err;
        EXPECT_TRUE(same_files(original, copy));
    }
    std::string random_file(std::uint64_t size, std::uint64_t seed = 1) {
        const std::string path = folder_.file("file-" + std::to_string(size));
        write_random_file(path, size, seed);
        return path;
    }

    TemporaryFolder folder_;
    Wallet wallet_{folder_};
    std::string data_dir_ = folder_.file("chain");
    int copies_ = 0;
};

class FileSizeTest : public ChainTest, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(FileSizeTest, ComesBackEqual) {
    const auto chain = start(wallet_.fund());
    ASSERT_NE(chain, nullptr);
    const std::string file = random_file(GetParam());
    const std::string root = wallet_.store(chain->nodes[0].endpoint, file);
    expect_stored(*chain, root, file);

    const auto balance = [&] {
        return chain->client()->balance(*parse_address_strict(wallet_.address())).value().value;
    };
    const std::uint64_t before = balance();
    EXPECT_EQ(wallet_.store(chain->nodes[0].endpoint, file), root) << "storing it twice";
    EXPECT_EQ(balance(), before);
    chain->stop();
}

INSTANTIATE_TEST_SUITE_P(Sizes, FileSizeTest,
                         ::testing::Values(0, 1, 150 * 1024, 200 * 1024, 204'799, 204'801, 409'600,
                                           5 * 1024 * 1024, 64 * 1024 * 1024),
                         [](const auto& size) { return std::to_string(size.param) + "Bytes"; });

TEST_F(ChainTest, RestartContinuesTheChainAndTheFileIsStillThere) {
    const std::string file = random_file(700'000);
    std::string root;
    client::LastAccepted before;
    {
        const auto chain = start(wallet_.fund());
        ASSERT_NE(chain, nullptr);
        root = wallet_.store(chain->nodes[0].endpoint, file);
        before = *chain->client()->last_accepted();
        chain->stop();
    }
    const auto chain = start(wallet_.fund());  // the same money is no contradiction
    ASSERT_NE(chain, nullptr);
    const auto after = chain->client()->last_accepted();
    EXPECT_EQ(after->height, before.height);
    EXPECT_EQ(after->id, before.id);
    expect_stored(*chain, root, file);
    const std::string second = random_file(300'000, 2);
    expect_stored(*chain, wallet_.store(chain->nodes[0].endpoint, second), second);
    EXPECT_GT(chain->client()->last_accepted()->height, before.height);
    chain->stop();
}

TEST_F(ChainTest, GossipBringsATransactionToTheBuilderOfAnotherNode) {
    const std::string config = folder_.file("config.json");
    std::ofstream{config} << R"({"buildInterval":100000000,"gossipInterval":100000000})";
    auto arguments = wallet_.fund();
    arguments.insert(arguments.end(), {"--nodes", "3", "--builder", "0", "--chain-config", config});
    const auto chain = start(arguments);
    ASSERT_NE(chain, nullptr);
    ASSERT_EQ(chain->nodes.size(), 3U);

    const std::string file = random_file(500'000);
    const std::string root = wallet_.store(chain->nodes[2].endpoint, file);
    for (std::size_t node = 0; node < 3; ++node) expect_stored(*chain, root, file, node);
    const auto height = chain->client(2)->last_accepted()->height;
    for (std::size_t node = 0; node < 3; ++node) {
        EXPECT_TRUE(
            wait_until([&] { return chain->client(node)->last_accepted()->height >= height; }));
    }
    const auto first = chain->client(0)->last_accepted();
    for (std::size_t node = 1; node < 3; ++node) {
        EXPECT_EQ(chain->client(node)->last_accepted()->id, first->id);
    }
    chain->stop();
}

TEST_F(ChainTest, HealthAndMetricsAreServedAtTheNodesPaths) {
    const auto chain = start();
    ASSERT_NE(chain, nullptr);
    const HttpReply health = http_get(chain->nodes[0].health);
    EXPECT_EQ(health.status, 200U);
    EXPECT_EQ(json_field(health.body, "healthy"), "true");
    const HttpReply metrics = http_get(chain->nodes[0].metrics);
    EXPECT_EQ(metrics.status, 200U);
    EXPECT_THAT(metrics.body,
                HasSubstr("avalanche_kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8_"));
    EXPECT_THAT(metrics.body, HasSubstr("chain=\"blobvm\""));
    chain->stop();
}

TEST_F(ChainTest, OthersGoOnWhenOnePluginDiesAndItCatchesUpAfterARestart) {
    auto arguments = wallet_.fund();
    arguments.insert(arguments.end(), {"--nodes", "3"});
    const std::string file = random_file(700'000);
    std::string root;
    client::LastAccepted before;
    {
        const auto chain = start(arguments);
        ASSERT_NE(chain, nullptr);
        chain->kill_plugin(1);
        ASSERT_TRUE(wait_until([&] { return http_get(chain->nodes[1].health).status == 503; }));
        EXPECT_THAT(http_get(chain->nodes[1].health).body, HasSubstr("signal 9"));
        EXPECT_EQ(http_get(chain->nodes[1].endpoint + "/public").status, 503U);
        root = wallet_.store(chain->nodes[0].endpoint, file);
        expect_stored(*chain, root, file, 2);
        before = *chain->client(0)->last_accepted();
        chain->stop();
    }
    const auto chain = start(arguments);
    ASSERT_NE(chain, nullptr);
    EXPECT_EQ(chain->client(1)->last_accepted()->id, before.id);
    expect_stored(*chain, root, file, 1);
    chain->stop();
}

TEST_F(ChainTest, PluginIsStartedAgainWhereThatIsAskedFor) {
    auto arguments = wallet_.fund();
    arguments.push_back("--restart-plugin");
    const auto chain = start(arguments);
    ASSERT_NE(chain, nullptr);
    const std::string first = random_file(300'000);
    const std::string root = wallet_.store(chain->nodes[0].endpoint, first);
    chain->kill_plugin();
    ASSERT_TRUE(wait_until([&] {
        return chain->process->err().find("starting its plugin again") != std::string::npos &&
               http_get(chain->nodes[0].health).status == 200;
    }));
    expect_stored(*chain, root, first);
    const std::string second = random_file(400'000, 2);
    expect_stored(*chain, wallet_.store(chain->nodes[0].endpoint, second), second);
    chain->stop();
}

// Only the node's own file lost its end, as its database may after a power cut.
class LedgerRollbackTest : public ChainTest, public ::testing::WithParamInterface<int> {};

TEST_P(LedgerRollbackTest, ChainStartsAgainAndGoesOn) {
    const std::uint64_t lost = static_cast<std::uint64_t>(GetParam());
    std::uint64_t height = 0;
    {
        const auto chain = start(wallet_.fund());
        ASSERT_NE(chain, nullptr);
        for (std::uint64_t i = 0; height < lost + 2; ++i) {  // one block or more for each
            const Finished set =
                wallet_.cli(chain->nodes[0].endpoint, {"set", "value " + std::to_string(i)});
            ASSERT_EQ(set.code, 0) << set.err;
            height = chain->client()->last_accepted()->height;
        }
        chain->stop();
    }
    const auto chain = start({"--rollback-ledger", std::to_string(lost)});
    ASSERT_NE(chain, nullptr);
    EXPECT_EQ(chain->client()->last_accepted()->height, height - lost);
    const std::string file = random_file(300'000);
    expect_stored(*chain, wallet_.store(chain->nodes[0].endpoint, file), file);
    chain->stop();
}

INSTANTIATE_TEST_SUITE_P(Blocks, LedgerRollbackTest, ::testing::Values(1, 3, 64),
                         [](const auto& blocks) { return std::to_string(blocks.param); });

TEST_F(ChainTest, WipedPluginDataIsReplayedFromTheLedger) {
    const std::string file = random_file(500'000);
    std::string root;
    client::LastAccepted before;
    {
        const auto chain = start(wallet_.fund());
        ASSERT_NE(chain, nullptr);
        root = wallet_.store(chain->nodes[0].endpoint, file);
        before = *chain->client()->last_accepted();
        chain->stop();
    }
    std::filesystem::remove_all(data_dir_ + "/node-0/chainData");
    const auto chain = start();
    ASSERT_NE(chain, nullptr);
    EXPECT_EQ(chain->client()->last_accepted()->id, before.id);
    expect_stored(*chain, root, file);
    chain->stop();
}

// What goes wrong, each with its own words and exit code 1.
class RefusalTest : public ChainTest {
  protected:
    Finished devnet(std::vector<std::string> arguments) {
        std::vector<std::string> command{program("blob-devnet"), "--data-dir", data_dir_};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return run(std::move(command));
    }
    Finished devnet_with_plugin(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"--plugin", program("blobvm"), "--port", "0"});
        return devnet(std::move(arguments));
    }
    static void expect_refused(const Finished& finished, std::string_view words) {
        EXPECT_EQ(finished.code, 1);
        EXPECT_THAT(finished.err, HasSubstr(std::string{words}));
        EXPECT_EQ(finished.out, "");
    }
};

TEST_F(RefusalTest, PortInUse) {
    const auto chain = start();
    ASSERT_NE(chain, nullptr);
    const std::string& endpoint = chain->nodes[0].endpoint;
    const std::size_t colon = endpoint.rfind(':');
    const std::string port = endpoint.substr(colon + 1, endpoint.find('/', colon) - colon - 1);
    const std::string other = folder_.file("other");
    const Finished finished = run({program("blob-devnet"), "--data-dir", other, "--plugin",
                                   program("blobvm"), "--port", port});
    expect_refused(finished, "127.0.0.1:" + port);
    EXPECT_THAT(finished.err, HasSubstr("in use"));
    EXPECT_FALSE(std::filesystem::exists(other)) << "nothing is created";
    chain->stop();
}

TEST_F(RefusalTest, DataDirInUse) {
    const auto chain = start();
    ASSERT_NE(chain, nullptr);
    expect_refused(devnet_with_plugin({}), "another blob-devnet runs in");
    chain->stop();
}

TEST_F(RefusalTest, NoPlugin) {
    expect_refused(devnet({"--plugin", folder_.file("nothing"), "--port", "0"}), "no plugin at");
    EXPECT_FALSE(std::filesystem::exists(data_dir_));
}

TEST_F(RefusalTest, PluginThatIsNone) {
    expect_refused(devnet({"--plugin", "/bin/true", "--port", "0"}),
                   "ended before its handshake: exit code 0");
    EXPECT_FALSE(std::filesystem::exists(data_dir_));
}

TEST_F(RefusalTest, DamagedGenesis) {
    const std::string genesis = folder_.file("genesis.json");
    std::ofstream{genesis} << "{\"magic\":";
    expect_refused(devnet_with_plugin({"--genesis", genesis}), genesis);
    std::ofstream{genesis} << "{\"magic\":0}";
    expect_refused(devnet_with_plugin({"--genesis", genesis}), "invalid magic");
    EXPECT_FALSE(std::filesystem::exists(data_dir_ + "/chain.json"));
}

TEST_F(RefusalTest, DamagedGenesisOfAnExistingChain) {
    start()->stop();
    std::ofstream{data_dir_ + "/genesis.json"} << "{}";
    expect_refused(devnet_with_plugin({}), "invalid magic");
}

TEST_F(RefusalTest, DamagedChainConfig) {
    const std::string config = folder_.file("config.json");
    std::ofstream{config} << "{\"buildInterval\":\"soon\"}";
    expect_refused(devnet_with_plugin({"--chain-config", config}), "buildInterval");
}

TEST_F(RefusalTest, TypoInAnAddressFundsNobody) {
    expect_refused(devnet_with_plugin({"--fund", "0x8db97C7cEcE249c2b98bDC0226Cc4C2A57BF52Fc=5"}),
                   "checksum");
    expect_refused(devnet_with_plugin({"--fund", wallet_.address() + "=lots"}), "amount");
    EXPECT_FALSE(std::filesystem::exists(data_dir_ + "/chain.json"));
}

TEST_F(RefusalTest, FundsThatTheExistingChainHasNot) {
    start()->stop();
    expect_refused(devnet_with_plugin(wallet_.fund()), "was not created with --fund");
}

TEST_F(RefusalTest, DatabaseOfAnotherChain) {
    namespace fs = std::filesystem;
    const auto first = start();
    ASSERT_NE(first, nullptr);
    const std::string first_id = first->chain_id;
    first->stop();
    const std::string first_data = data_dir_ + "/node-0/chainData/" + first_id;

    data_dir_ = folder_.file("second");
    const auto second = start();
    ASSERT_NE(second, nullptr);
    const std::string second_data = data_dir_ + "/node-0/chainData/" + second->chain_id;
    second->stop();
    fs::remove_all(second_data);
    fs::copy(first_data, second_data, fs::copy_options::recursive);
    expect_refused(devnet_with_plugin({}), "another chain");
}

TEST_F(RefusalTest, LedgerOfAnotherChain) {
    start()->stop();
    const std::string ledger = data_dir_ + "/node-0/ledger.log";
    data_dir_ = folder_.file("second");
    start()->stop();
    std::filesystem::copy(ledger, data_dir_ + "/node-0/ledger.log",
                          std::filesystem::copy_options::overwrite_existing);
    expect_refused(devnet_with_plugin({}), "belongs to another chain");
}

TEST_F(RefusalTest, CtrlCEndsAStartThatHangsAndLeavesNothingBehind) {
    const std::string plugin = folder_.file("silent");
    const std::string pid_file = folder_.file("pid");
    std::ofstream{plugin} << "#!/bin/sh\necho $$ > " << pid_file << "\nexec /bin/sleep 1000\n";
    std::filesystem::permissions(plugin, std::filesystem::perms::owner_all);
    const auto devnet = Process::start(
        {program("blob-devnet"), "--data-dir", data_dir_, "--port", "0", "--plugin", plugin});
    ASSERT_NE(devnet, nullptr);
    pid_t pid = 0;
    ASSERT_TRUE(wait_until([&] { return (std::ifstream{pid_file} >> pid) && pid > 0; }));
    devnet->signal(SIGINT);
    EXPECT_EQ(devnet->wait(), 130);
    EXPECT_TRUE(wait_until([&] { return !is_running(pid); }));
}

TEST_F(RefusalTest, UnknownFlagIsUsage) {
    EXPECT_EQ(devnet({"--no-such-flag"}).code, 2);
    EXPECT_EQ(devnet({"--nodes", "17"}).code, 2);
    EXPECT_EQ(devnet({"--nodes", "2", "--builder", "2"}).code, 2);
    EXPECT_EQ(devnet({"--nodes", "3", "--port", "65533"}).code, 2);
}

TEST_F(ChainTest, FullDiskStopsTheChainWithItsReasonAndNothingAcceptedIsLost) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can mount a small disk";
    const std::string disk = folder_.file("disk");
    std::filesystem::create_directory(disk);
    if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=24m") != 0) {
        GTEST_SKIP() << "cannot mount a small disk here";
    }
    struct Unmount {
        const std::string& path;
        ~Unmount() { umount2(path.c_str(), MNT_DETACH); }
    } unmount{disk};
    data_dir_ = disk + "/chain";
    const auto chain = start(wallet_.fund());
    ASSERT_NE(chain, nullptr);
    const std::string small = random_file(300'000);
    const std::string root = wallet_.store(chain->nodes[0].endpoint, small);

    const std::string large = random_file(40'000'000, 2);
    const auto upload = wallet_.start_cli(chain->nodes[0].endpoint, {"set-file", large});
    ASSERT_NE(upload, nullptr);
    const auto code = chain->process->wait(std::chrono::minutes{2});
    EXPECT_EQ(code, 1) << chain->process->err();
    EXPECT_THAT(chain->process->err(), HasSubstr("No space left on device"));
    upload->signal(SIGKILL);

    ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=200m"), 0);
    const auto again = start();
    ASSERT_NE(again, nullptr);
    expect_stored(*again, root, small);
    expect_stored(*again, wallet_.store(again->nodes[0].endpoint, large), large);
    again->stop();
}

}  // namespace
}  // namespace blobvm::testing
