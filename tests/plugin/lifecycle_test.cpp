// Items 15 to 20: Initialize and state. (20, ids of 32 bytes and timestamps, is checked in every
// reply by PluginHost.)

#include <gtest/gtest.h>

#include "tests/plugin/model_chain.hpp"
#include "tests/plugin/plugin_host.hpp"

namespace blobvm::test {
namespace {

TEST(LifecycleConformance, Item15FirstInitializeAnswersWithGenesis) {
    PluginHost host;
    host.launch();
    const Described genesis = host.initialize();
    EXPECT_EQ(genesis.height, 0U);
    EXPECT_TRUE(genesis.parent.is_zero());
    EXPECT_EQ(genesis.id, chain::genesis_block(host.genesis())->id);
    const auto parsed = host.parse(genesis.bytes);
    ASSERT_TRUE(parsed.ok()) << parsed.status.error_message();
    EXPECT_EQ(parsed.reply.id(), field_of(genesis.id));
    EXPECT_EQ(parsed.reply.height(), 0U);
}

TEST(LifecycleConformance, Item16SameGenesisOnTwoNodesHasOneId) {
    PluginHost one{{.node = 1}};
    PluginHost two{{.node = 2}};
    one.launch();
    two.launch();
    EXPECT_EQ(one.initialize().id, two.initialize().id);
}

class MalformedTest : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(MalformedTest, Item17MalformedGenesisOrConfigIsAnErrorAndTheProcessLives) {
    const auto& [genesis, config] = GetParam();
    PluginHost host{{.genesis = genesis, .config = config}};
    host.launch();
    const auto answer = host.try_initialize();
    EXPECT_FALSE(answer.ok());
    EXPECT_FALSE(answer.status.error_message().empty());
    EXPECT_LT(answer.status.error_message().size(), 4096U);
    EXPECT_TRUE(host.process().alive());
    EXPECT_TRUE(host.call(&::vm::VM::Stub::Version).ok());
    EXPECT_TRUE(host.call(&::vm::VM::Stub::Shutdown).ok());
    host.stop();
    EXPECT_EQ(host.process().wait_status(), 0);
}

INSTANTIATE_TEST_SUITE_P(LifecycleConformance, MalformedTest,
                         ::testing::Values(std::pair{"{", ""}, std::pair{"[]", ""},
                                           std::pair{"{\"magic\":0}", ""},
                                           std::pair{"{\"magic\":-1}", ""},
                                           std::pair{"\xff\xfe", ""}, std::pair{"", "{"},
                                           std::pair{"", "{\"buildInterval\":\"soon\"}"}));

TEST(LifecycleConformance, Item17AfterARefusedGenesisNothingIsLeftBehind) {
    const TempFolder folder;
    {
        PluginHost host{{.genesis = "{}", .folder = folder.path()}};
        host.launch();
        EXPECT_FALSE(host.try_initialize().ok());
        host.stop();
    }
    PluginHost host{{.folder = folder.path()}};
    EXPECT_EQ(host.run().height, 0U);
}

TEST(LifecycleConformance, Item18LastAcceptedBlockIsTheSameAfterARestart) {
    PluginHost host;
    ModelChain model{host.genesis()};
    host.run();
    for (int i = 0; i < 3; ++i) {
        const chain::BlockPtr block = model.next();
        host.commit(block);
        model.accept(block);
    }
    host.stop();
    const Described last = host.run();
    EXPECT_EQ(last.id, model.tip()->id);
    EXPECT_EQ(last.parent, model.tip()->header.parent);
    EXPECT_EQ(last.height, 3U);
    EXPECT_EQ(last.timestamp_s, model.tip()->header.timestamp_s);
    EXPECT_EQ(last.bytes, as_chars(model.tip()->bytes.view()));
    host.stop();
    EXPECT_EQ(host.digest_on_disk(), model.digest());
}

TEST(LifecycleConformance, Item19EachStateIsAnsweredWithTheLastAcceptedBlock) {
    PluginHost host;
    ModelChain model{host.genesis()};
    host.launch();
    const BlockId genesis = host.initialize().id;
    EXPECT_EQ(host.set_state(::vm::STATE_BOOTSTRAPPING).id, genesis);
    const chain::BlockPtr block = model.next();
    host.commit(block);
    const Described last = host.set_state(::vm::STATE_NORMAL_OP);
    EXPECT_EQ(last.id, block->id);
    EXPECT_EQ(last.height, 1U);
    EXPECT_EQ(last.bytes, as_chars(block->bytes.view()));

    for (const int unknown : {7, 0, -1}) {
        ::vm::SetStateRequest request;
        request.set_state(static_cast<::vm::State>(unknown));
        EXPECT_FALSE(host.call(&::vm::VM::Stub::SetState, request).ok()) << unknown;
    }
    EXPECT_EQ(host.set_state(::vm::STATE_NORMAL_OP).id, block->id);
}

}  // namespace
}  // namespace blobvm::test
