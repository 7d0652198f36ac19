#include <gtest/gtest.h>

#include <map>

#include "proto/jsonrpc/genesis.hpp"
#include "tests/support/corpus.hpp"
#include "tests/support/vm_harness.hpp"
#include "tests/vm/store_support.hpp"
#include "vm/store/rocks_store.hpp"

namespace blobvm::vm {
namespace {

/// The original's chains through the whole VM and its database: every block it made is taken, and
/// after each accept the records that consensus rests on are the same, byte for byte. Now and then
/// the VM is closed and opened again, which must not show.
class ChainsCorpusTest : public ::testing::Test {
  protected:
    void start(const chain::Genesis& genesis) {
        genesis_ = genesis;
        store_ = store::open_rocks_store(options()).value();
        const auto balances = chain::initial_balances(genesis, std::nullopt).value();
        ASSERT_TRUE(store_->create(genesis, *chain::genesis_block(genesis), balances));
        open_vm();
    }

    void restart() {
        vm_.reset();
        store_ = store::open_rocks_store(options()).value();
        open_vm();
        restarts_ += 1;
    }

    store::OpenOptions options() const {
        return {.directory = folder_->string(), .chain_id = test::chain_id(1)};
    }

    void open_vm() {
        vm_ = VirtualMachine::open({.clock = clock_,
                                    .executor = executor_,
                                    .node = node_,
                                    .metrics = metrics_,
                                    .store = *store_,
                                    .genesis = genesis_,
                                    .config = {}})
                  .value();
        ASSERT_TRUE(vm_->set_state(EngineState::kNormalOp));
        vm_->set_preference(vm_->last_accepted().id);
    }

    /// What is remembered of a chain must not meet the next one.
    void finish() {
        vm_.reset();
        store_.reset();
        folder_ = std::make_unique<test::TempFolder>();
    }

    void replay(const test::Json& chain);

    std::unique_ptr<test::TempFolder> folder_ = std::make_unique<test::TempFolder>();
    test::ManualClock clock_{0};
    InlineExecutor executor_;
    test::RecordingNode node_;
    Metrics metrics_;
    chain::Genesis genesis_;
    std::unique_ptr<ChainStore> store_;
    std::unique_ptr<VirtualMachine> vm_;
    int restarts_ = 0;
    int refused_ = 0;
};

void ChainsCorpusTest::replay(const test::Json& chain) {
    start(jsonrpc::parse_genesis(chain.at("genesis").get<std::string>()).value());
    ASSERT_EQ(store_->consensus_digest().value(),
              test::fixed<Hash256>(chain.at("genesisConsensusDigest")));

    const auto hardened = chain.value("hardenedRejectsAtOp", std::size_t(-1));
    std::map<std::string, Bytes> blocks;
    std::size_t accepts = 0;
    for (std::size_t i = 0; i < chain.at("ops").size(); ++i) {
        const test::Json& op = chain.at("ops").at(i);
        const auto kind = op.at("op").get<std::string>();
        SCOPED_TRACE(kind + " at op " + std::to_string(i));
        if (op.contains("now")) clock_.set(test::signed_number(op.at("now")));
        const auto id = [&] { return test::fixed<BlockId>(op.at("id")); };

        if (kind == "submit") {
            // Policy: what the pool takes is not compared, only that its blocks are known then.
            (void)vm_->submit(SharedBytes{test::hex(op.at("tx"))}).has_value();
        } else if ((kind == "build" && op.at("err").is_null()) || kind == "block") {
            blocks[op.at("id").get<std::string>()] = test::hex(op.at("bytes"));
        } else if (kind == "verify") {
            const Bytes& bytes = blocks.at(op.at("id").get<std::string>());
            const auto verified = vm_->verify_block(SharedBytes::copy_of(bytes));
            if (i >= hardened) {
                EXPECT_FALSE(verified);
                refused_ += 1;
                return finish();
            }
            ASSERT_EQ(verified.has_value(), op.at("err").is_null());
            if (!verified) {
                ASSERT_EQ(verified.error().message(), op.at("err").get<std::string>());
            }
        } else if (kind == "prefer") {
            vm_->set_preference(id());
        } else if (kind == "reject") {
            ASSERT_TRUE(vm_->reject(id()));
        } else if (kind == "accept") {
            ASSERT_TRUE(vm_->accept(id()));
            ASSERT_EQ(store_->consensus_digest().value(),
                      test::fixed<Hash256>(op.at("consensusDigest")));
            for (const test::Json& entry : op.at("balances")) {
                ASSERT_EQ(store_->balance(test::fixed<Address>(entry.at(0))).value(),
                          Amount{test::number(entry.at(1))});
            }
            if (++accepts % 20 == 0 && vm_->status().processing == 0) restart();
        }
    }
    EXPECT_EQ(store_->tip().height, test::number(chain.at("end").at("height")));
    EXPECT_EQ(store_->tip().id, test::fixed<BlockId>(chain.at("end").at("lastAccepted")));
    finish();
}

TEST_F(ChainsCorpusTest, EveryChainOfTheOriginalLeavesTheSameState) {
    std::size_t tagged = 0;
    for (const test::Json& chain : test::corpus_cases("chains")) {
        SCOPED_TRACE("chain of genesis " + chain.at("genesis").get<std::string>().substr(0, 80));
        if (test::has_tag(chain, "reference-only")) ++tagged;
        ASSERT_NO_FATAL_FAILURE(replay(chain));
    }
    EXPECT_GT(restarts_, 10);
    EXPECT_EQ(static_cast<std::size_t>(refused_), tagged);
}

}  // namespace
}  // namespace blobvm::vm
