#include "tests/support/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

extern char** environ;

namespace blobvm::testing {
namespace {

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& string : strings) result.push_back(string.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

std::unique_ptr<Process> Process::start(std::vector<std::string> command) {
    return start(Options{.command = std::move(command)});
}

std::unique_ptr<Process> Process::start(Options options) {
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) {
        ADD_FAILURE() << "pipe: " << std::strerror(errno);
        return nullptr;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    if (!options.working_dir.empty()) {
        posix_spawn_file_actions_addchdir_np(&actions, options.working_dir.c_str());
    }
    std::vector<std::string> variables = options.environment.value_or(std::vector<std::string>{});
    const std::vector<char*> argv = pointers(options.command);
    const std::vector<char*> given = pointers(variables);

    std::unique_ptr<Process> process{new Process};
    const int error = posix_spawn(&process->pid_, options.command.at(0).c_str(), &actions, nullptr,
                                  argv.data(), options.environment ? given.data() : environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    if (error != 0) {
        close(out[0]);
        close(err[0]);
        ADD_FAILURE() << "cannot start " << options.command[0] << ": " << std::strerror(error);
        return nullptr;
    }
    Process* const self = process.get();
    process->keeper_ = std::jthread{[self, out, err] { self->keep(out[0], err[0]); }};
    return process;
}

void Process::keep(int out, int err) {
    std::array<pollfd, 2> pipes{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
    std::vector<char> buffer(64 * 1024);
    int status = 0;
    bool ended = false;
    // Its children may hold the pipes for longer than it lives.
    while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
        const int ready = poll(pipes.data(), pipes.size(), ended ? 0 : 20);
        for (std::size_t i = 0; ready > 0 && i < pipes.size(); ++i) {
            if (pipes[i].fd < 0 || pipes[i].revents == 0) continue;
            const ssize_t count = read(pipes[i].fd, buffer.data(), buffer.size());
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) {
                pipes[i].fd = -1;
                continue;
            }
            const Lock lock{mutex_};
            (i == 0 ? out_ : err_).append(buffer.data(), static_cast<std::size_t>(count));
            changed_.notify_all();
        }
        if (ready == 0 && ended) break;
        if (!ended) ended = waitpid(pid_, &status, WNOHANG) == pid_;
    }
    if (!ended) waitpid(pid_, &status, 0);
    close(out);
    close(err);
    const Lock lock{mutex_};
    code_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    changed_.notify_all();
}

Process::~Process() {
    signal(SIGKILL);
    if (keeper_.joinable()) keeper_.join();
}

void Process::signal(int number) const {
    const Lock lock{mutex_};
    if (!code_ && pid_ > 0) ::kill(pid_, number);
}

std::optional<int> Process::wait(std::chrono::milliseconds limit) const {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    Lock lock{mutex_};
    while (!code_) {
        if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) break;
    }
    return code_;
}

std::string Process::out() const {
    const Lock lock{mutex_};
    return out_;
}

std::string Process::err() const {
    const Lock lock{mutex_};
    return err_;
}

std::optional<std::string> Process::wait_for_line(
    const std::function<bool(std::string_view)>& wanted, std::chrono::milliseconds limit) const {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    std::size_t start = 0;
    Lock lock{mutex_};
    while (true) {
        for (std::size_t end; (end = out_.find('\n', start)) != std::string::npos;
             start = end + 1) {
            const std::string line = out_.substr(start, end - start);
            if (wanted(line)) return line;
        }
        if (code_ || std::chrono::steady_clock::now() >= deadline) return std::nullopt;
        changed_.wait_until(lock, deadline);
    }
}

Finished run(std::vector<std::string> command, std::chrono::milliseconds limit) {
    const auto process = Process::start(std::move(command));
    if (process == nullptr) return {};
    const std::optional<int> code = process->wait(limit);
    return {code.value_or(-1000), process->out(), process->err()};
}

bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
}

bool is_running(pid_t pid) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    std::string stat;
    if (!std::getline(file, stat)) return false;
    const std::size_t end = stat.rfind(')');
    return end != std::string::npos && stat.size() > end + 2 && stat[end + 2] != 'Z';
}

TemporaryFolder::TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "blobvm-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
        ADD_FAILURE() << "cannot make a temporary folder: " << std::strerror(errno);
    }
    path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace blobvm::testing
