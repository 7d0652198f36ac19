#include "vm/plugin/parent.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <system_error>

namespace blobvm::vm::plugin {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxAnswerBytes = 64 * 1024;

/// What the child prints until it has told the protocol, or ends, or `end`.
std::string read_until(int descriptor, Clock::time_point end) {
    std::string text;
    while (text.size() < kMaxAnswerBytes && !text.ends_with("}\n")) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
        if (left <= 0 || ::poll(&wanted, 1, static_cast<int>(left)) <= 0) break;
        std::array<char, 4096> piece{};
        const ssize_t count = ::read(descriptor, piece.data(), piece.size());
        if (count <= 0) break;
        text.append(piece.data(), static_cast<std::size_t>(count));
    }
    return text;
}

/// The output of `program --version-json`; empty on any trouble. The child inherits nothing but the
/// pipe: least of all our stdout and stderr, whose end tells the node that we are gone.
std::string ask_version(const std::string& program, Clock::time_point end) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return {};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::string name = "avalanchego";
    std::string question = "--version-json";
    std::array<char*, 3> arguments{name.data(), question.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    pid_t child = 0;
    const int error = posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(),
                                  environment.data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    std::string answer;
    if (error == 0) {
        answer = read_until(pipe[0], end);
        ::kill(child, SIGKILL);  // if it has not ended by itself
        ::waitpid(child, nullptr, 0);
    }
    ::close(pipe[0]);
    return answer;
}

}  // namespace

std::optional<std::uint32_t> protocol_of_parent(Clock::time_point end) {
    const std::string program = fmt::format("/proc/{}/exe", getppid());
    std::error_code error;
    const std::filesystem::path file = std::filesystem::read_symlink(program, error);
    if (error || !file.filename().string().starts_with("avalanchego")) return std::nullopt;
    return read_protocol(ask_version(program, end));
}

std::optional<std::uint32_t> read_protocol(std::string_view version_json) {
    constexpr std::string_view kKey = "\"rpcchainvm\"";
    const std::size_t key = version_json.find(kKey);
    if (key == std::string_view::npos) return std::nullopt;
    const std::string_view rest = version_json.substr(key + kKey.size());
    const std::size_t digit = rest.find_first_not_of(" \t\r\n:");
    if (digit == std::string_view::npos) return std::nullopt;
    std::uint32_t protocol = 0;
    const auto [end, error] =
        std::from_chars(rest.data() + digit, rest.data() + rest.size(), protocol);
    if (error != std::errc{} || protocol == 0) return std::nullopt;
    return protocol;
}

}  // namespace blobvm::vm::plugin
