// The store among other processes, kills and full disks.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <random>

#include "chain/base/check.hpp"
#include "tests/support/memory_chain_store.hpp"
#include "tests/vm/store_support.hpp"
#include "vm/store/rocks_store.hpp"

namespace blobvm::vm::store {
namespace {

namespace fs = std::filesystem;
using test::chain_id;
using test::ChainMaker;
using test::Commit;
using test::TempFolder;

Result<std::unique_ptr<ChainStore>> open_in(const fs::path& folder) {
    return open_rocks_store({.directory = folder.string(), .chain_id = chain_id(1)});
}

/// A store_child, killed at the end if it still lives.
class Child {
  public:
    explicit Child(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), std::string{BLOBVM_BIN_DIR} + "/store_child");
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        int from_child[2];
        int to_child[2];
        CHECK(::pipe2(from_child, O_CLOEXEC) == 0 && ::pipe2(to_child, O_CLOEXEC) == 0);
        pid_ = ::fork();
        CHECK(pid_ >= 0);
        if (pid_ == 0) {
            ::dup2(to_child[0], STDIN_FILENO);
            ::dup2(from_child[1], STDOUT_FILENO);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        ::close(to_child[0]);
        ::close(from_child[1]);
        stdin_ = to_child[1];
        stdout_ = ::fdopen(from_child[0], "r");
    }

    ~Child() {
        kill_and_wait();
        std::fclose(stdout_);
        ::close(stdin_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// The next line without its end; empty at the end of output.
    std::string line() {
        char buffer[512];
        if (std::fgets(buffer, sizeof buffer, stdout_) == nullptr) return "";
        std::string text{buffer};
        if (text.ends_with('\n')) text.pop_back();
        return text;
    }

    void kill_and_wait() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

    void let_go() { CHECK(::write(stdin_, "\n", 1) == 1); }

  private:
    pid_t pid_ = -1;
    int stdin_ = -1;
    FILE* stdout_ = nullptr;
};

class KilledTest : public ::testing::TestWithParam<const char*> {};

TEST_P(KilledTest, LosesNothingThatItSaidWasCommitted) {
    constexpr std::uint64_t kSeed = 7;
    const TempFolder folder;
    const ChainMaker maker{kSeed};
    test::MemoryChainStore memory;
    std::mt19937 random{std::random_device{}()};
    std::uint64_t height = 0;
    for (int round = 0; round < 20; ++round) {
        {
            Child child{{"commit", folder.string(), std::to_string(kSeed), GetParam()}};
            for (auto acks = random() % 12; acks > 0; --acks) {
                const std::string line = child.line();
                ASSERT_EQ(line, std::to_string(height + 1));
                ++height;
            }
            child.kill_and_wait();
            for (std::string line = child.line(); !line.empty(); line = child.line()) {
                ASSERT_EQ(line, std::to_string(++height));  // said before the kill reached it
            }
        }
        auto store = open_in(folder.path());
        ASSERT_TRUE(store) << store.error().message();
        if (!(*store)->has_chain()) {
            ASSERT_EQ(height, 0U);
            continue;
        }
        ASSERT_GE((*store)->tip().height, height) << "round " << round;
        ASSERT_LE((*store)->tip().height, height + 1);
        height = (*store)->tip().height;
        ASSERT_TRUE(maker.extend(memory, height));
        ASSERT_EQ((*store)->tip(), memory.tip());
        ASSERT_EQ((*store)->consensus_digest().value(), memory.consensus_digest().value());
    }
    EXPECT_GT(height, 0U);
}

INSTANTIATE_TEST_SUITE_P(Durability, KilledTest, ::testing::Values("synced", "buffered"));

TEST(StoreLockTest, SecondProcessIsRefusedWhileTheFirstLives) {
    const TempFolder folder;
    Child first{{"hold", folder.string()}};
    ASSERT_EQ(first.line(), "ok");
    auto second = open_in(folder.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kStoreLocked);
    first.kill_and_wait();
    EXPECT_TRUE(open_in(folder.path()));
}

TEST(StoreLockTest, SecondStoreOfOneProcessIsRefusedToo) {
    const TempFolder folder;
    auto first = open_in(folder.path());
    ASSERT_TRUE(first);
    auto second = open_in(folder.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kStoreLocked);

    Child other{{"hold", folder.string()}};  // the refused attempt has not let go of the lock
    EXPECT_EQ(other.line(), "kStoreLocked");
}

TEST(StoreLockTest, SuccessorWaitsForOneThatIsAboutToEnd) {
    const TempFolder folder;
    Child first{{"hold", folder.string()}};
    ASSERT_EQ(first.line(), "ok");
    Child second{{"hold", folder.string()}};
    first.let_go();
    EXPECT_EQ(second.line(), "ok");
}

TEST(StoreDiskTest, ReadOnlyFolderIsAClearError) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give up its rights in a child";
    const TempFolder folder;
    fs::permissions(folder.path(), fs::perms{0755});
    ASSERT_TRUE(ChainMaker{1}.extend(**open_in(folder.path()), 2));
    Child child{{"hold-as-nobody", folder.string()}};
    EXPECT_EQ(child.line(), "kStoreFailed");
    EXPECT_EQ((*open_in(folder.path()))->tip().height, 2U);
}

/// Commits until the store refuses; then it must refuse for good, say why, and still read.
void expect_latched_once_it_fails(ChainStore& store, const ChainMaker& maker) {
    Result<void> done;
    while ((done = maker.extend(store, store.tip().height + 1, Durability::kSynced))) {
        ASSERT_LT(store.tip().height, 2'000U) << "the disk never filled";
    }
    EXPECT_EQ(done.error().code, ErrorCode::kStoreFailed);
    EXPECT_FALSE(done.error().detail.empty());

    const Tip tip = store.tip();
    const auto again = maker.extend(store, tip.height + 1, Durability::kSynced);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kStoreFailed);
    EXPECT_TRUE(store.stats().failed);
    EXPECT_EQ(store.stats().failure, done.error().detail);
    EXPECT_EQ(store.sync().error().code, ErrorCode::kStoreFailed);
    EXPECT_EQ(store.roll_back_to(1).error().code, ErrorCode::kStoreFailed);

    test::MemoryChainStore memory;
    ASSERT_TRUE(maker.extend(memory, tip.height));
    EXPECT_EQ(store.tip(), tip);
    EXPECT_EQ(store.consensus_digest().value(), memory.consensus_digest().value());
    EXPECT_TRUE(store.block_bytes(tip.id));
}

TEST(StoreDiskTest, BlocksThatCannotBeSyncedStopCommitsAndKeepWhatWasThere) {
    const TempFolder folder;
    const ChainMaker maker{1};
    ASSERT_TRUE(maker.extend(**open_in(folder.path()), 3));
    // The log's next file takes what is written, and cannot be synced.
    fs::create_symlink("/dev/null", folder.path() / "db/blocks/000002.blocks");
    const auto store = open_in(folder.path());
    ASSERT_TRUE(store);
    expect_latched_once_it_fails(**store, maker);
    EXPECT_EQ((*store)->tip().height, 3U);
}

TEST(StoreDiskTest, FullFilesystemStopsCommitsAndKeepsWhatWasThere) {
    const TempFolder folder;
    if (::mount("tmpfs", folder.string().c_str(), "tmpfs", 0, "size=16m") != 0) {
        GTEST_SKIP() << "cannot mount a small filesystem: " << std::strerror(errno);
    }
    const ChainMaker maker{3, {.sets = 8, .value_bytes = 100'000, .transfers = 4}};
    Tip tip;
    {
        auto store = open_in(folder.path());
        ASSERT_TRUE(store) << store.error().message();
        expect_latched_once_it_fails(**store, maker);
        tip = (*store)->tip();
    }
    // More room, as an operator would make it: everything is there, and it goes on.
    ASSERT_EQ(::mount("tmpfs", folder.string().c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
    {
        auto store = open_in(folder.path());
        ASSERT_TRUE(store) << store.error().message();
        EXPECT_GE((*store)->tip().height, tip.height);
        EXPECT_LE((*store)->tip().height, tip.height + 1);
        EXPECT_TRUE(maker.extend(**store, tip.height + 3, Durability::kSynced));
    }
    EXPECT_EQ(::umount(folder.string().c_str()), 0);
}

TEST(StoreDiskTest, FileSizeLimitStopsCommitsAndKeepsWhatWasThere) {
    const TempFolder folder;
    const ChainMaker maker{4, {.sets = 8, .value_bytes = 100'000, .transfers = 4}};
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, SIG_IGN);
    auto store = open_in(folder.path());
    ASSERT_TRUE(store);
    struct rlimit limit = before;
    limit.rlim_cur = 6 * 1024 * 1024;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect_latched_once_it_fails(**store, maker);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);

    const Tip tip = (*store)->tip();
    (*store)->close();
    store = open_in(folder.path());
    ASSERT_TRUE(store) << store.error().message();
    EXPECT_GE((*store)->tip().height, tip.height);
    EXPECT_TRUE(maker.extend(**store, tip.height + 3, Durability::kSynced));
}

}  // namespace
}  // namespace blobvm::vm::store
