// blobvm as an operator uses it by hand: into a plugin folder, while a node runs from there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/integration/local_chain.hpp"

namespace blobvm::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kVmId = "kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8";

class InstallByHandTest : public ::testing::Test {
  protected:
    InstallByHandTest() { fs::create_directory(plugins_); }

    Finished install(const std::string& blobvm = program("blobvm")) const {
        return run({blobvm, "install", plugins_});
    }
    std::size_t entries() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator{plugins_}, fs::directory_iterator{}));
    }

    TemporaryFolder folder_;
    std::string plugins_ = folder_.file("plugins");
    std::string placed_ = plugins_ + "/" + kVmId;
};

std::string content(const std::string& path) {
    std::ifstream stream{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

TEST_F(InstallByHandTest, PlacesTheVeryFileThatRunsUnderItsVmId) {
    const Finished done = install();
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(done.out, "Installed " + placed_ + "\n");
    EXPECT_TRUE(content(placed_) == content(program("blobvm")));
    EXPECT_EQ(run({placed_, "vm-id"}).out, std::string{kVmId} + "\n");
    EXPECT_EQ(entries(), 1U);
}

TEST_F(InstallByHandTest, ReplacesAFileThatRunsWithoutStoppingIt) {
    ASSERT_EQ(install().code, 0);
    struct stat before {};
    ASSERT_EQ(::stat(placed_.c_str(), &before), 0);
    // Without a node behind this address it tries for five seconds.
    const auto running = Process::start(
        {.command = {placed_}, .environment = {{"AVALANCHE_VM_RUNTIME_ENGINE_ADDR=127.0.0.1:1"}}});
    ASSERT_NE(running, nullptr);

    EXPECT_EQ(install(placed_).code, 0) << "from the very file that is replaced";
    struct stat after {};
    ASSERT_EQ(::stat(placed_.c_str(), &after), 0);
    EXPECT_NE(before.st_ino, after.st_ino);
    EXPECT_TRUE(is_running(running->pid()));
    EXPECT_EQ(entries(), 1U);
}

TEST_F(InstallByHandTest, FullDiskLeavesTheOldFileAndNothingElse) {
    std::ofstream{placed_} << "an older plugin";
    // Files of this process's children end after a megabyte, as on a disk with no more room.
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
    const rlimit small{.rlim_cur = 1 << 20, .rlim_max = old.rlim_max};
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const Finished failed = install();
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
    std::signal(SIGXFSZ, old_handler);

    EXPECT_EQ(failed.code, 1);
    EXPECT_THAT(failed.err, HasSubstr("cannot write " + placed_));
    EXPECT_EQ(content(placed_), "an older plugin");
    EXPECT_EQ(entries(), 1U);
}

TEST_F(InstallByHandTest, TellsWhatIsWrong) {
    const Finished missing = run({program("blobvm"), "install", folder_.file("nowhere")});
    EXPECT_EQ(missing.code, 1);
    EXPECT_EQ(missing.err, "blobvm: " + folder_.file("nowhere") + " is not a folder\n");
    for (const std::vector<std::string>& wrong :
         std::vector<std::vector<std::string>>{{}, {"--json"}, {"a", "b"}, {"--force"}}) {
        std::vector<std::string> command{program("blobvm"), "install"};
        command.insert(command.end(), wrong.begin(), wrong.end());
        const Finished refused = run(command);
        EXPECT_EQ(refused.code, 2);
        EXPECT_THAT(refused.err, HasSubstr("install needs one folder"));
        EXPECT_THAT(refused.out, IsEmpty());
    }
}

}  // namespace
}  // namespace blobvm::testing
