// kill -9 in the middle of uploads. No accepted block may be lost, the upload resumes, the chain
// goes on. BLOBVM_KILL_ROUNDS (default 100) is the number of kills in all.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/integration/local_chain.hpp"

namespace blobvm::testing {
namespace {

enum class Victim { kPlugin, kDevnet, kBoth };

/// A third of all rounds, at least one.
int rounds_of_each() {
    const char* text = std::getenv("BLOBVM_KILL_ROUNDS");
    const int all = text == nullptr ? 100 : std::atoi(text);
    return std::max(1, (all + 2) / 3);
}

/// What a client has been told about the chain before the kill.
struct Witnessed {
    client::LastAccepted last;
    std::vector<TxId> transactions;
    bool amid_upload = false;  ///< blob-cli was still at work
};

class KillTest : public ::testing::TestWithParam<Victim> {
  protected:
    void SetUp() override {
        const auto chain = LocalChain::start(data_dir_, wallet_.fund());
        ASSERT_NE(chain, nullptr);
        chain->stop();
    }

    static void kill(LocalChain& chain) {
        switch (GetParam()) {
            case Victim::kPlugin:
                return chain.kill_plugin();
            case Victim::kDevnet:
                return chain.kill_devnet();
            case Victim::kBoth:
                chain.kill_plugin();
                chain.kill_devnet();
        }
    }

    /// Starts an upload of `file`, follows it for `blocks` accepted blocks, then kills.
    Witnessed upload_and_kill(LocalChain& chain, const std::string& file, std::uint64_t blocks) {
        const auto client = chain.client();
        Witnessed seen;
        seen.last = *client->last_accepted();
        const std::uint64_t start = seen.last.height;
        const auto upload = wallet_.start_cli(chain.nodes[0].endpoint, {"set-file", file});
        wait_until([&] {
            if (const auto last = client->last_accepted()) seen.last = *last;
            return seen.last.height >= start + blocks || upload->wait({}).has_value();
        });
        if (const auto activity = client->recent_activity()) {
            for (const auto& entry : *activity) seen.transactions.push_back(entry.id);
        }
        if (const auto last = client->last_accepted()) seen.last = *last;
        seen.amid_upload = !upload->wait({}).has_value();
        kill(chain);
        const auto code = chain.process->wait();
        if (GetParam() == Victim::kPlugin) {
            EXPECT_EQ(code, 1);
            EXPECT_THAT(chain.process->err(), ::testing::HasSubstr("the plugin has ended with"));
        } else {
            EXPECT_EQ(code, -SIGKILL);
        }
        EXPECT_TRUE(wait_until([&] { return !is_running(chain.nodes[0].plugin); }))
            << "an orphan would hold the database";
        return seen;
    }

    TemporaryFolder folder_;
    Wallet wallet_{folder_};
    std::string data_dir_ = folder_.file("chain");
};

TEST_P(KillTest, NothingAcceptedIsLostAndTheUploadResumes) {
    std::mt19937_64 random{static_cast<std::uint64_t>(GetParam()) + 1};
    const int rounds = rounds_of_each();
    const std::string file = folder_.file("file");
    const std::string copy = folder_.file("copy");
    Witnessed seen;
    int amid_upload = 0;
    for (int round = 0; round < rounds; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        const auto chain = LocalChain::start(data_dir_);
        ASSERT_NE(chain, nullptr);
        const auto client = chain->client();
        const auto now = client->last_accepted();
        ASSERT_TRUE(now) << now.error().message();
        EXPECT_GE(now->height, seen.last.height);
        if (now->height == seen.last.height && round > 0) {
            EXPECT_EQ(now->id, seen.last.id);
        }
        if (!seen.transactions.empty()) {
            const auto known = client->have_transactions(seen.transactions);
            ASSERT_TRUE(known) << known.error().message();
            EXPECT_EQ(std::count(known->begin(), known->end(), false), 0);
        }
        if (round > 0) {  // what was interrupted is finished now
            const std::string root = wallet_.store(chain->nodes[0].endpoint, file);
            ASSERT_FALSE(root.empty()) << chain->process->err();
            std::remove(copy.c_str());
            const Finished fetched =
                wallet_.cli(chain->nodes[0].endpoint, {"resolve-file", root, copy});
            ASSERT_EQ(fetched.code, 0) << fetched.err;
            ASSERT_TRUE(same_files(file, copy));
        }
        write_random_file(file, 3'000'000 + random() % 1'000'000, random());
        seen = upload_and_kill(*chain, file, random() % 3);
        if (seen.amid_upload) ++amid_upload;
        if (HasFailure()) return;
    }
    EXPECT_GE(amid_upload, rounds * 9 / 10) << "of " << rounds;
    const auto chain = LocalChain::start(data_dir_);
    ASSERT_NE(chain, nullptr);
    EXPECT_FALSE(wallet_.store(chain->nodes[0].endpoint, file).empty());
    chain->stop();
}

INSTANTIATE_TEST_SUITE_P(Victims, KillTest,
                         ::testing::Values(Victim::kPlugin, Victim::kDevnet, Victim::kBoth),
                         [](const auto& victim) {
                             switch (victim.param) {
                                 case Victim::kPlugin:
                                     return "Plugin";
                                 case Victim::kDevnet:
                                     return "Devnet";
                                 case Victim::kBoth:
                                     return "Both";
                             }
                             return "";
                         });

}  // namespace
}  // namespace blobvm::testing
