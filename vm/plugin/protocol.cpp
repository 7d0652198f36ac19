#include "vm/plugin/protocol.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>

#include "vm/plugin/identity.hpp"
#include "vm/plugin/parent.hpp"

namespace blobvm::vm::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 16;

bool is_spoken(std::uint32_t protocol) {
    return protocol >= kOldestProtocol && protocol <= kProtocol;
}

/// A number that we speak, in digits alone and without a leading zero.
std::optional<std::uint32_t> parse(std::string_view text) {
    std::uint32_t protocol = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, protocol);
    if (error != std::errc{} || end != last || text.starts_with('0')) return std::nullopt;
    if (!is_spoken(protocol)) return std::nullopt;
    return protocol;
}

Failure not_a_protocol(const fs::path& file, std::string_view what) {
    return fail(ErrorCode::kConfigInvalid,
                fmt::format("{} {}; allowed: one number from {} to {}, and a line end",
                            file.string(), what, kOldestProtocol, kProtocol));
}

}  // namespace

fs::path side_file_of(const fs::path& program) {
    // What is not known (no /proc) is not looked for in the node's working folder.
    if (!program.is_absolute()) return fs::path{"/"} / kSideFileName;
    return program.parent_path().parent_path() / kSideFileName;
}

Result<std::optional<std::uint32_t>> read_side_file(const fs::path& file) {
    // Without waiting: a pipe of that name must not keep the node.
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0 && errno == ENOENT) return std::optional<std::uint32_t>{};
    std::array<char, kMostBytes + 1> bytes{};
    struct stat status {};
    const bool opened = descriptor >= 0 && ::fstat(descriptor, &status) == 0;
    const bool is_file = opened && S_ISREG(status.st_mode);
    const ssize_t count = is_file ? ::read(descriptor, bytes.data(), bytes.size()) : -1;
    const int error = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (opened && !is_file) return not_a_protocol(file, "is no file");
    if (count < 0) {
        return fail(ErrorCode::kIo,
                    fmt::format("cannot read {}: {}", file.string(), strerror(error)));
    }

    std::string_view text{bytes.data(), static_cast<std::size_t>(count)};
    if (text.size() > kMostBytes) return not_a_protocol(file, "is too long");
    if (text.ends_with('\n')) text.remove_suffix(1);
    const std::optional<std::uint32_t> protocol = parse(text);
    if (!protocol) return not_a_protocol(file, fmt::format("holds \"{}\"", text));
    return protocol;
}

StatedProtocol choose_protocol(std::optional<std::uint32_t> parents, const fs::path& side_file) {
    if (parents && is_spoken(*parents)) {
        return {.number = *parents,
                .because = "as the node's program says of itself",
                .advice = {},
                .warning = {}};
    }
    if (parents) {
        return {.number = kProtocol,
                .because = fmt::format("while the node's program says {} of itself", *parents),
                .advice = {},
                .warning = fmt::format("the node's program speaks {}, this plugin {} to {}",
                                       *parents, kOldestProtocol, kProtocol)};
    }
    const auto written = read_side_file(side_file);
    if (written && *written) {
        return {.number = **written,
                .because = fmt::format("as {} says", side_file.string()),
                .advice = fmt::format("; correct that file, or remove it for {}", kProtocol),
                .warning = {}};
    }
    return {.number = kProtocol,
            .because = "by default, as the node's program does not tell",
            .advice = fmt::format("; for a node of {} to {}, write its number into {}",
                                  kOldestProtocol, kProtocol - 1, side_file.string()),
            .warning = written ? std::string{} : written.error().detail};
}

StatedProtocol protocol_to_state(std::chrono::steady_clock::time_point end) {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    return choose_protocol(protocol_of_parent(end), side_file_of(program));
}

}  // namespace blobvm::vm::plugin
