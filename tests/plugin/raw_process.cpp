#include "tests/plugin/raw_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "chain/base/check.hpp"
#include "tests/plugin/plugin_host.hpp"

namespace blobvm::test {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

RawProcess::RawProcess(std::vector<std::string> arguments, std::vector<std::string> environment) {
    const std::string path = std::string{BLOBVM_BIN_DIR} + "/blobvm";
    arguments.insert(arguments.begin(), path);
    int out[2];
    int err[2];
    CHECK(::pipe2(out, O_CLOEXEC) == 0 && ::pipe2(err, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    CHECK(::posix_spawn(&pid_, path.c_str(), &actions, nullptr, pointers(arguments).data(),
                        pointers(environment).data()) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    ::close(err[1]);
    out_ = out[0];
    err_ = err[0];
}

RawProcess::~RawProcess() {
    if (!ended_) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    close_readers();
}

std::optional<int> RawProcess::wait(std::chrono::milliseconds limit) {
    becomes_true(limit, [this] {
        int status = 0;
        if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
            ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1'000 + WTERMSIG(status);
        }
        return ended_.has_value();
    });
    return ended_;
}

void RawProcess::close_readers() {
    for (int* fd : {&out_, &err_}) {
        if (*fd >= 0) ::close(std::exchange(*fd, -1));
    }
}

std::string RawProcess::drain(int fd) {
    std::string text;
    char buffer[4096];
    for (ssize_t size = 0; (size = ::read(fd, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(size));
    }
    return text;
}

}  // namespace blobvm::test
