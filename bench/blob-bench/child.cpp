#include "bench/blob-bench/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "bench/blob-bench/measure.hpp"

namespace blobvm::bench {

Child::Child(std::vector<std::string> command, Errors errors) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) give_up("cannot make a pipe");
    std::vector<char*> arguments;
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_ = ::vfork();
    if (pid_ < 0) give_up("cannot start " + command.front());
    if (pid_ == 0) {
        ::dup2(pipe[1], STDOUT_FILENO);
        if (errors == Errors::kDropped) ::dup2(nowhere, STDERR_FILENO);
        ::execv(arguments.front(), arguments.data());
        ::_exit(127);
    }
    ::close(nowhere);
    ::close(pipe[1]);
    out_ = pipe[0];
}

Child::~Child() {
    if (pid_ > 0) kill();
    ::close(out_);
}

std::string Child::line() {
    while (true) {
        if (const std::size_t end = buffered_.find('\n'); end != std::string::npos) {
            std::string line = buffered_.substr(0, end);
            buffered_.erase(0, end + 1);
            return line;
        }
        std::array<char, 4096> piece{};
        const ssize_t size = ::read(out_, piece.data(), piece.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return std::exchange(buffered_, {});
        buffered_.append(piece.data(), static_cast<std::size_t>(size));
    }
}

int Child::wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void Child::kill() {
    ::kill(pid_, SIGKILL);
    wait();
}

std::string own_path() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

std::string program_beside(const std::string& name) {
    const std::filesystem::path found = std::filesystem::path{own_path()}.parent_path() / name;
    if (!std::filesystem::exists(found)) give_up("there is no " + found.string());
    return found.string();
}

}  // namespace blobvm::bench
