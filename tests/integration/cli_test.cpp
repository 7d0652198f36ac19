// blob-cli as people and scripts use it: what it prints, and the exit codes to act on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "chain/base/hex.hpp"
#include "chain/presets.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "tests/integration/local_chain.hpp"

namespace blobvm::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr const char* kSomebody = "0x8Db3219F3f59b504BCF132EfB4B87Bf08c771d83";

std::string text_of(const std::string& path) {
    std::ifstream stream{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

void write(const std::string& path, std::string_view text) {
    std::ofstream{path, std::ios::binary} << text;
}

class CliTest : public ::testing::Test {
  protected:
    /// Runs blob-cli with a key file of the test's own and an endpoint where nobody listens.
    Finished cli(std::vector<std::string> arguments) const {
        std::vector<std::string> command{program("blob-cli"), "--private-key-file", key_file_,
                                         "--endpoint", "http://127.0.0.1:1/ext/bc/blobvm"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return run(std::move(command));
    }
    Finished plain(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), program("blob-cli"));
        return run(std::move(arguments));
    }

    TemporaryFolder folder_;
    std::string key_file_ = folder_.file("key");
};

// ---- usage

TEST_F(CliTest, HelpOfEachVerbHasExamples) {
    for (const char* verb : {"create", "genesis", "set", "resolve", "set-file", "resolve-file",
                             "transfer", "activity", "network", "balance", "completion"}) {
        const Finished help = plain({verb, "--help"});
        EXPECT_EQ(help.code, 0) << verb;
        EXPECT_THAT(help.out, HasSubstr("Usage: blob-cli " + std::string{verb}));
        EXPECT_THAT(help.out, HasSubstr("Examples:"));
        EXPECT_THAT(help.err, IsEmpty());
    }
}

TEST_F(CliTest, TellsItsVersion) {
    EXPECT_THAT(plain({"--version"}).out, MatchesRegex("blob-cli [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(CliTest, WrongUsageExitsWithTwoAndAReason) {
    const std::string key(64, '0');
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{}, "subcommand"},
        {{"bogus"}, "unknown verb \"bogus\""},
        {{"c"}, "may mean create, completion"},
        {{"set-file"}, "expected exactly 1 argument(s), got 0"},
        {{"set", "a", "b"}, "expected exactly 1 argument(s), got 2"},
        {{"transfer", kSomebody}, "expected exactly 2 argument(s), got 1"},
        {{"transfer", "0x8Db3219F3f59b504BCF132EfB4B87Bf08c771d8", "1"}, "40 hex digits"},
        {{"transfer", "0x8db3219F3f59b504BCF132EfB4B87Bf08c771d83", "1"}, "checksum"},
        {{"transfer", kSomebody, "1.5"}, "not a number of units"},
        {{"transfer", kSomebody, "18446744073709551616"}, "not a number of units"},
        {{"resolve", "0x12"}, "64 hex digits"},
        {{"resolve-file", key + "0", "x"}, "64 hex digits"},
        {{"balance", "0x12"}, "40 hex digits"},
        {{"genesis"}, "invalid args"},
        {{"genesis", "x"}, "not a number"},
        {{"genesis", "5", "--preset", "slow"}, "preset"},
        {{"genesis", "5", "--airdrop-hash", "0x00"}, "non-zero airdrop units required"},
        {{"completion", "tcsh"}, "tcsh"},
        {{"network", "--no-such-flag"}, "--no-such-flag"},
        {{"network", "--endpoint", "127.0.0.1:9650"}, "must begin with http://"},
    };
    for (const auto& [arguments, reason] : cases) {
        const Finished finished = cli(arguments);
        EXPECT_EQ(finished.code, 2) << reason;
        EXPECT_THAT(finished.err, StartsWith("Error: "));
        EXPECT_THAT(finished.err, HasSubstr(reason));
        EXPECT_THAT(finished.out, IsEmpty()) << reason;
    }
}

TEST_F(CliTest, AnUnambiguousPrefixIsEnough) {
    EXPECT_EQ(cli({"cr"}).code, 0);
    EXPECT_THAT(cli({"set-f", "none"}).err, HasSubstr("none: No such file"));
}

TEST_F(CliTest, FailuresAreOneJsonObjectToo) {
    const Finished finished = cli({"balance", kSomebody, "--json"});
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(json_field(finished.out, "error"), HasSubstr("connection failed"));
    EXPECT_EQ(json_field(finished.out, "exitCode"), "1");
}

TEST_F(CliTest, NobodyAtTheEndpointIsExplained) {
    const Finished finished = cli({"network"});
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(finished.err, HasSubstr("Connection refused"));
    EXPECT_THAT(finished.err, HasSubstr("blob-devnet"));
}

TEST_F(CliTest, PrintsCompletionScripts) {
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const Finished finished = plain({"completion", shell});
        EXPECT_EQ(finished.code, 0);
        EXPECT_THAT(finished.out, HasSubstr("resolve-file"));
    }
}

// ---- keys

TEST_F(CliTest, ANewKeyIsForItsOwnersEyes) {
    const Finished created = cli({"create", "--json"});
    ASSERT_EQ(created.code, 0) << created.err;
    struct stat about {};
    ASSERT_EQ(::stat(key_file_.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600U);
    EXPECT_THAT(text_of(key_file_), MatchesRegex("[0-9a-f]+"));
    EXPECT_EQ(text_of(key_file_).size(), 64U);
    EXPECT_TRUE(parse_address_strict(json_field(created.out, "address")));
}

TEST_F(CliTest, AKeyIsNeverOverwritten) {
    ASSERT_EQ(cli({"create"}).code, 0);
    const std::string before = text_of(key_file_);
    const Finished again = cli({"create"});
    EXPECT_EQ(again.code, 1);
    EXPECT_THAT(again.out, StartsWith("ABORTING!!! key for 0x"));
    EXPECT_THAT(again.err, HasSubstr("file already exists"));
    EXPECT_EQ(text_of(key_file_), before);
}

TEST_F(CliTest, ADamagedKeyFileIsRefusedWithItsReason) {
    const std::string good = std::string(63, '0') + "1";
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "key file too short, want 64 hex characters"},
        {good.substr(1), "key file too short, want 64 hex characters"},
        {good + "x", "invalid character at end of key file"},
        {good + "\r\n\n", "key file too long, want 64 hex characters"},
        {std::string(63, '0') + "g", "no hex digit"},
        {std::string(64, '0'), "no key"},
        {std::string(64, 'f'), "no key"},
    };
    for (const auto& [text, reason] : cases) {
        write(key_file_, text);
        const Finished finished = cli({"balance"});
        EXPECT_EQ(finished.code, 1);
        EXPECT_THAT(finished.err, HasSubstr(reason));
        EXPECT_THAT(finished.err, HasSubstr("blob-cli create"));
    }
    for (const std::string end : {"", "\n", "\r\n"}) {
        write(key_file_, good + end);
        EXPECT_THAT(cli({"balance"}).err, HasSubstr("Connection refused"));
    }
}

TEST_F(CliTest, NoKeyFileIsExplained) {
    const Finished finished = cli({"set", "x"});
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(finished.err, HasSubstr("no key file"));
    EXPECT_THAT(finished.err, HasSubstr("blob-cli create"));
}

// ---- genesis

TEST_F(CliTest, WritesTheFastPresetUnlessToldOtherwise) {
    const std::string file = folder_.file("genesis.json");
    const Finished finished = cli({"genesis", "7", "--genesis-file", file});
    ASSERT_EQ(finished.code, 0) << finished.err;
    EXPECT_EQ(finished.out, "created genesis and saved to " + file + "\n");
    EXPECT_EQ(text_of(file), jsonrpc::write_genesis(chain::fast_genesis(7)));
    ASSERT_EQ(cli({"genesis", "7", "--preset", "classic", "--genesis-file", file}).code, 0);
    EXPECT_EQ(text_of(file), jsonrpc::write_genesis(chain::classic_genesis(7)));
}

TEST_F(CliTest, TakesAllocationsPriceAndAirdrop) {
    const std::string file = folder_.file("genesis.json");
    const std::string allocations = folder_.file("allocations.json");
    write(allocations, std::string{"[{\"address\":\""} + kSomebody + "\",\"balance\":12}]");
    const std::string hash = "0x" + std::string(64, 'a');
    ASSERT_EQ(cli({"genesis", "7", allocations, "--genesis-file", file, "--min-price", "3",
                   "--airdrop-hash", hash, "--airdrop-units", "9"})
                  .code,
              0);
    const auto rules = jsonrpc::parse_genesis(text_of(file));
    ASSERT_TRUE(rules);
    EXPECT_EQ(rules->min_price, Price{3});
    EXPECT_EQ(rules->airdrop_hash, hash);
    EXPECT_EQ(rules->airdrop_units, Amount{9});
    ASSERT_EQ(rules->custom_allocation->size(), 1U);
    EXPECT_EQ(rules->custom_allocation->front().balance, Amount{12});
}

TEST_F(CliTest, ABadGenesisIsNotWritten) {
    const std::string file = folder_.file("genesis.json");
    const std::string allocations = folder_.file("allocations.json");
    for (const std::string text :
         {"", "{}", "[1]", "[null]", "[{\"balance\":1}]", "[{\"address\":\"0x12\",\"balance\":1}]",
          "[{\"address\":\"0x8db3219F3f59b504BCF132EfB4B87Bf08c771d83\",\"balance\":1}]",
          "[{\"address\":\"0x8db3219f3f59b504bcf132efb4b87bf08c771d83\",\"balance\":-1}]",
          "[{\"address\":\"0x8db3219f3f59b504bcf132efb4b87bf08c771d83\"}]"}) {
        write(allocations, text);
        EXPECT_EQ(cli({"genesis", "7", allocations, "--genesis-file", file}).code, 1) << text;
    }
    const Finished no_magic = cli({"genesis", "0", "--genesis-file", file});
    EXPECT_EQ(no_magic.code, 1);
    EXPECT_THAT(no_magic.err, HasSubstr("invalid magic"));
    EXPECT_FALSE(std::filesystem::exists(file));
}

// ---- with a chain

class CliChainTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder_ = std::make_unique<TemporaryFolder>();
        wallet_ = std::make_unique<Wallet>(*folder_);
        chain_ = LocalChain::start(folder_->file("chain"), wallet_->fund());
    }
    static void TearDownTestSuite() {
        if (chain_) chain_->stop();
        chain_.reset();
        wallet_.reset();
        folder_.reset();
    }
    void SetUp() override { ASSERT_NE(chain_, nullptr); }

    static std::vector<std::string> command(std::vector<std::string> arguments) {
        std::vector<std::string> words{program("blob-cli"), "--private-key-file",
                                       wallet_->key_file(), "--endpoint",
                                       chain_->nodes[0].endpoint};
        words.insert(words.end(), arguments.begin(), arguments.end());
        return words;
    }
    static Finished cli(std::vector<std::string> arguments) {
        return run(command(std::move(arguments)));
    }

    static inline std::unique_ptr<TemporaryFolder> folder_;
    static inline std::unique_ptr<Wallet> wallet_;
    static inline std::unique_ptr<LocalChain> chain_;
};

TEST_F(CliChainTest, SetPrintsTheOriginalsLines) {
    const Finished finished = cli({"set", "lines"});
    ASSERT_EQ(finished.code, 0) << finished.err;
    EXPECT_THAT(finished.out,
                MatchesRegex("issuing tx [A-Za-z0-9]+ \\(fee units=2, load units=2, price=[0-9]+, "
                             "blkID=[A-Za-z0-9]+\\)\n"
                             "issued transaction [A-Za-z0-9]+ \\(now polling\\)\n"
                             "confirmed transaction [A-Za-z0-9]+\n"
                             "transaction [A-Za-z0-9]+ confirmed\n"
                             "set 0x[0-9a-f]+\n"));
}

TEST_F(CliChainTest, AValueComesBackQuoted) {
    const std::string key = json_field(cli({"set", "a \"b\"\n\x01", "--json"}).out, "key");
    const Finished resolved = cli({"resolve", key});
    ASSERT_EQ(resolved.code, 0) << resolved.err;
    EXPECT_THAT(resolved.out,
                StartsWith(key + "=>\"a \\\"b\\\"\\n\\x01\"\nMetadata: {\"size\":7,"));
    EXPECT_THAT(resolved.out, HasSubstr("\nresolved " + key + "\n"));
}

TEST_F(CliChainTest, AValueThatIsThereIsAnErrorOfSet) {
    ASSERT_EQ(cli({"set", "twice"}).code, 0);
    const Finished again = cli({"set", "twice"});
    EXPECT_EQ(again.code, 1);
    EXPECT_THAT(again.err, HasSubstr("key already exists"));
}

TEST_F(CliChainTest, AnAbsentKeyExitsWithThree) {
    const Finished finished = cli({"resolve", std::string(64, '7')});
    EXPECT_EQ(finished.code, 3);
    EXPECT_THAT(finished.err, HasSubstr("not found"));
    EXPECT_EQ(cli({"resolve-file", std::string(64, '7'), folder_->file("absent")}).code, 3);
    EXPECT_FALSE(std::filesystem::exists(folder_->file("absent")));
}

TEST_F(CliChainTest, TransfersArriveAndShowInActivity) {
    const Finished sent = cli({"transfer", kSomebody, "1000"});
    ASSERT_EQ(sent.code, 0) << sent.err;
    EXPECT_THAT(sent.out, HasSubstr(std::string{"transferred 1000 to "} + kSomebody));
    EXPECT_EQ(cli({"balance", kSomebody}).out,
              std::string{"Address="} + kSomebody + " Balance=1000\n");
    EXPECT_THAT(cli({"activity"}).out, HasSubstr("\"type\":\"transfer\""));
}

TEST_F(CliChainTest, NetworkIsOneLine) {
    EXPECT_THAT(cli({"network"}).out,
                MatchesRegex("networkID=[0-9]+ subnetID=[A-Za-z0-9]+ chainID=[A-Za-z0-9]+\n"));
}

TEST_F(CliChainTest, AnEmptyPurseIsExplained) {
    const std::string poor = folder_->file("poor");
    ASSERT_EQ(run({program("blob-cli"), "create", "--private-key-file", poor}).code, 0);
    const Finished finished = run({program("blob-cli"), "--private-key-file", poor, "--endpoint",
                                   chain_->nodes[0].endpoint, "set", "no money"});
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(finished.err, HasSubstr("invalid balance"));
    EXPECT_THAT(finished.err, HasSubstr("--fund"));
}

TEST_F(CliChainTest, ChunksOfAFileAreNamedOnceAndThenSkipped) {
    const std::string file = folder_->file("chunks");
    write_random_file(file, 500'000, 77);
    const Finished first = cli({"set-file", file});
    ASSERT_EQ(first.code, 0) << first.err;
    EXPECT_THAT(first.out, HasSubstr("uploaded k=0x"));
    EXPECT_THAT(first.out, HasSubstr("uploaded root=0x"));
    EXPECT_THAT(first.out, HasSubstr(" from " + file));
    const Finished second = cli({"set-file", file});
    EXPECT_EQ(second.code, 0) << second.err;
    EXPECT_THAT(second.out, HasSubstr("already on-chain k=0x"));
    EXPECT_EQ(json_field(cli({"set-file", file, "--json"}).out, "cost"), "0");
}

TEST_F(CliChainTest, AFileThatIsThereIsNotReplaced) {
    const std::string file = folder_->file("mine");
    write(file, "mine");
    const std::string root = json_field(cli({"set-file", file, "--json"}).out, "root");
    const Finished finished = cli({"resolve-file", root, file});
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(finished.err, HasSubstr("file " + file + " already exists"));
}

TEST_F(CliChainTest, AValueThatIsNoFileIsExplained) {
    const std::string key = json_field(cli({"set", "no file", "--json"}).out, "key");
    const Finished finished = cli({"resolve-file", key, folder_->file("nothing")});
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(finished.err, HasSubstr("invalid file root"));
}

TEST_F(CliChainTest, CtrlCStopsAnUploadAndALaterOneGoesOn) {
    const std::string file = folder_->file("long");
    write_random_file(file, 30'000'000, 99);
    const auto upload = Process::start(command({"set-file", file}));
    ASSERT_TRUE(upload->wait_for_line(
        [](std::string_view line) { return line.starts_with("uploaded k="); }));
    upload->signal(SIGINT);
    EXPECT_EQ(upload->wait(), 130);
    EXPECT_THAT(upload->err(), HasSubstr("cancelled"));
    const Finished resumed = cli({"set-file", file, "--json"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_NE(json_field(resumed.out, "knownBlobs"), "0");
}

}  // namespace
}  // namespace blobvm::testing
