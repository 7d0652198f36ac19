// Items 42 to 47: what the plugin's database and the node's have in common after losses of either
// (spec/rpcchainvm.md 3.13). PluginHost keeps the node's own height as proposervm does, and fails
// where the plugin comes up above it, for that chain would be dead.

#include <gtest/gtest.h>

#include <chrono>

#include "tests/plugin/model_chain.hpp"
#include "tests/plugin/plugin_host.hpp"

namespace blobvm::test {
namespace {

namespace fs = std::filesystem;

/// A chain of so many blocks in a folder, its plugin stopped in order.
class GrownChain {
  public:
    explicit GrownChain(std::uint64_t height) {
        PluginHost host{{.folder = folder_.path()}};
        model_.emplace(host.genesis());
        host.launch();
        host.initialize();
        host.set_state(::vm::STATE_BOOTSTRAPPING);
        const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count();
        const std::int64_t start_s = now - static_cast<std::int64_t>(height) - 1;
        for (std::uint64_t i = 0; i < height; ++i) {
            const chain::BlockPtr block = model_->next(start_s + static_cast<std::int64_t>(i));
            host.commit(block);
            model_->accept(block);
        }
        host.set_state(::vm::STATE_NORMAL_OP);
        host.stop();
    }

    const fs::path& folder() const { return folder_.path(); }
    ModelChain& model() { return *model_; }

    /// Feeds `host` the blocks above its tip again.
    void replay(PluginHost& host, std::uint64_t from) {
        for (std::uint64_t height = from + 1; height <= model_->tip()->header.height; ++height) {
            host.commit(model_->at(height));
        }
    }

  private:
    TempFolder folder_;
    std::optional<ModelChain> model_;
};

std::pair<std::string, std::string> witness_of(devnet::Ledger& ledger) {
    const auto all = ledger.scan("", "");
    EXPECT_EQ(all.size(), 1U) << "the witness is all that the plugin keeps at the node";
    return all.empty() ? std::pair<std::string, std::string>{} : all[0];
}

TEST(DivergenceConformance, Item42WitnessAtTheTipReportsTheTip) {
    GrownChain chain{6};
    PluginHost host{{.folder = chain.folder()}};
    const Described last = host.run();
    EXPECT_EQ(last.id, chain.model().tip()->id);
    EXPECT_EQ(last.height, 6U);
}

TEST(DivergenceConformance, Item43WitnessBelowTheTipRollsBackAndTheChainGoesOn) {
    for (const bool same_blocks : {true, false}) {
        GrownChain chain{10};
        PluginHost host{{.folder = chain.folder(), .forget = 4}};
        host.launch();
        const Described last = host.initialize();
        EXPECT_EQ(last.height, 6U);
        EXPECT_EQ(last.id, chain.model().at(6)->id);
        host.set_state(::vm::STATE_BOOTSTRAPPING);
        if (same_blocks) {
            chain.replay(host, 6);
            host.stop();
            EXPECT_EQ(host.digest_on_disk(), chain.model().digest());
            continue;
        }
        host.stop();
        EXPECT_EQ(host.digest_on_disk(), chain.model().digest_at(6));

        ModelChain other{host.genesis()};
        for (std::uint64_t height = 1; height <= 6; ++height) {
            other.accept(other.learn(chain.model().at(height)->bytes.view()));
        }
        host.run();
        for (int i = 0; i < 3; ++i) {
            const chain::BlockPtr block = other.next();
            host.commit(block);
            other.accept(block);
        }
        host.stop();
        EXPECT_EQ(host.digest_on_disk(), other.digest());
    }
}

TEST(DivergenceConformance, Item44WithoutAWitnessTheChainStartsAtGenesis) {
    GrownChain chain{5};
    fs::remove(chain.folder() / "ledger");
    PluginHost host{{.folder = chain.folder()}};
    const Described last = host.run();
    EXPECT_EQ(last.height, 0U);
    EXPECT_EQ(last.id, chain.model().at(0)->id);
    chain.replay(host, 0);
    host.stop();
    EXPECT_EQ(host.digest_on_disk(), chain.model().digest());
}

TEST(DivergenceConformance, Item45WitnessOfAnotherBlockIsNeverReportedOver) {
    GrownChain chain{5};
    PluginHost host{{.folder = chain.folder()}};
    auto [key, record] = witness_of(host.ledger());
    ASSERT_FALSE(record.empty());
    record.back() = static_cast<char>(record.back() ^ 1);  // the last byte of the block's id
    ASSERT_TRUE(host.ledger().write({{key, record}}, {}));
    const Described last = host.run();
    EXPECT_LT(last.height, 5U);
    EXPECT_EQ(last.id, chain.model().at(last.height)->id);
    chain.replay(host, last.height);
    host.stop();
    EXPECT_EQ(host.digest_on_disk(), chain.model().digest());
}

TEST(DivergenceConformance, Item46WipedChainDataStartsAtGenesisAndRunsEveryBlockAgain) {
    GrownChain chain{8};
    fs::remove_all(chain.folder() / "chain");
    PluginHost host{{.folder = chain.folder()}};
    host.launch();
    EXPECT_EQ(host.initialize().height, 0U);
    host.set_state(::vm::STATE_BOOTSTRAPPING);
    chain.replay(host, 0);
    EXPECT_EQ(host.set_state(::vm::STATE_NORMAL_OP).id, chain.model().tip()->id);
    host.stop();
    EXPECT_EQ(host.digest_on_disk(), chain.model().digest());
}

TEST(DivergenceConformance, Item47LossAtTheEndOfTheNodesDatabaseNeverLeavesUsAhead) {
    constexpr std::uint64_t kHeight = 2'100;
    GrownChain chain{kHeight};
    for (const std::uint64_t lost : {1U, 2U, 3U, 10U, 64U, 100U, 500U, 1'000U, 2'000U}) {
        const TempFolder copy;
        fs::copy(chain.folder(), copy.path(), fs::copy_options::recursive);
        PluginHost host{{.folder = copy.path(), .forget = lost}};
        ASSERT_EQ(host.ledger().accepted()->height, kHeight - lost);
        const Described last = host.run();  // fails where it is above the ledger's height
        EXPECT_EQ(last.height, kHeight - lost) << "all of it could be undone";
        EXPECT_EQ(last.id, chain.model().at(kHeight - lost)->id);
        host.stop();
        EXPECT_EQ(host.digest_on_disk(), chain.model().digest_at(kHeight - lost));
    }
}

}  // namespace
}  // namespace blobvm::test
