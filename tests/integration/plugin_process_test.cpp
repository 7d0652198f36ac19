#include "cmd/blob-devnet/plugin_process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/support/process.hpp"

// What a node does with files that are no plugins. Real ones: tests/plugin.

namespace blobvm::devnet {
namespace {

using ::testing::HasSubstr;

class PluginProcessTest : public ::testing::Test {
  protected:
    std::filesystem::path script(const std::string& text, bool executable = true) {
        const std::filesystem::path file = folder_.file("plugin");
        std::ofstream{file} << "#!/bin/sh\n" << text << "\n";
        std::filesystem::permissions(file, executable ? std::filesystem::perms::owner_all
                                                      : std::filesystem::perms::owner_read);
        return file;
    }
    static Error start(const std::filesystem::path& path,
                       std::chrono::milliseconds limit = std::chrono::seconds{30}) {
        PluginOptions options;
        options.path = path;
        options.handshake_timeout = limit;
        options.kill_after = std::chrono::milliseconds{200};
        const auto started = PluginProcess::start(std::move(options));
        EXPECT_FALSE(started);
        return started ? Error{} : started.error();
    }

    blobvm::testing::TemporaryFolder folder_;
};

TEST_F(PluginProcessTest, NoFileThere) {
    const Error error = start(folder_.file("nothing"));
    EXPECT_EQ(error.code, ErrorCode::kIo);
    EXPECT_THAT(error.message(), HasSubstr("no plugin at " + folder_.file("nothing")));
}

TEST_F(PluginProcessTest, FileThatIsNotExecutable) {
    EXPECT_THAT(start(script("exit 0", false)).message(), HasSubstr("is not executable"));
    EXPECT_THAT(start(folder_.path()).message(), HasSubstr("is not executable"));
}

TEST_F(PluginProcessTest, FileThatIsNoProgram) {
    const std::filesystem::path file = folder_.file("noise");
    std::ofstream{file} << std::string(100, '\1');
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    EXPECT_THAT(start(file).message(), HasSubstr("is not executable"));
}

TEST_F(PluginProcessTest, ProcessThatEndsIsToldWithItsLastWords) {
    const Error error = start(script("echo I cannot do it >&2; exit 3"));
    EXPECT_THAT(error.message(), HasSubstr("ended before its handshake: exit code 3"));
    EXPECT_THAT(error.message(), HasSubstr("I cannot do it"));
}

TEST_F(PluginProcessTest, SilentProcessIsGivenUpAndKilled) {
    const std::string pid_file = folder_.file("pid");
    const Error error = start(script("trap '' TERM; echo $$ > " + pid_file + "; exec sleep 1000"),
                              std::chrono::milliseconds{1'000});
    EXPECT_EQ(error.code, ErrorCode::kTimeout);
    EXPECT_THAT(error.message(), HasSubstr("no handshake within 1000 ms"));
    pid_t pid = 0;
    std::ifstream{pid_file} >> pid;
    ASSERT_GT(pid, 0);
    EXPECT_FALSE(blobvm::testing::is_running(pid));
}

TEST_F(PluginProcessTest, EnvironmentHasTheOneVariableAndGrpcsOwn) {
    setenv("GRPC_TEST_ONLY", "passed", 1);
    setenv("BLOBVM_TEST_ONLY", "kept back", 1);
    const Error error =
        start(script("/usr/bin/env; echo stdin: $(/bin/cat | /usr/bin/wc -c); exit 1"));
    EXPECT_THAT(error.message(), HasSubstr("AVALANCHE_VM_RUNTIME_ENGINE_ADDR=127.0.0.1:"));
    EXPECT_THAT(error.message(), HasSubstr("GRPC_TEST_ONLY=passed"));
    EXPECT_THAT(error.message(), HasSubstr("stdin: 0"));
    EXPECT_THAT(error.message(), ::testing::Not(HasSubstr("BLOBVM_TEST_ONLY")));
    EXPECT_THAT(error.message(), ::testing::Not(HasSubstr("HOME=")));
}

TEST_F(PluginProcessTest, ClosedStdoutMeansDeath) {
    const Error error = start(script("exec >&-; sleep 1000"));
    EXPECT_THAT(error.message(), HasSubstr("signal 15"));
}

}  // namespace
}  // namespace blobvm::devnet
