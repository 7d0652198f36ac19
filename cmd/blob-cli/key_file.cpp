#include "cmd/blob-cli/key_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "chain/base/hex.hpp"

namespace blobvm::cli {

namespace {

constexpr std::size_t kDigits = 64;
constexpr std::size_t kMostLineEnds = 2;

Failure io_failed(const std::string& path) {
    return fail(ErrorCode::kIo, path + ": " + std::strerror(errno));
}

Result<chain::PrivateKey> random_key() {
    for (;;) {
        std::array<std::byte, 32> secret{};
        if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) {
            return fail(ErrorCode::kIo, "no random numbers");
        }
        auto key = chain::PrivateKey::from(secret);
        ::explicit_bzero(secret.data(), secret.size());
        if (key) return key;  // all but one in 2^128
    }
}

Result<void> write_new(const std::string& path, std::string_view text) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        if (errno == EEXIST) return fail(ErrorCode::kIo, "file already exists");
        return io_failed(path);
    }
    const bool written =
        ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::fsync(file) == 0;
    const int why = errno;
    if (::close(file) == 0 && written) return {};
    ::unlink(path.c_str());
    errno = written ? errno : why;
    return io_failed(path);
}

}  // namespace

Result<chain::PrivateKey> create_key_file(const std::string& path) {
    BLOBVM_TRY(chain::PrivateKey key, random_key());
    std::string digits = to_hex(key.secret());
    auto written = write_new(path, digits);
    ::explicit_bzero(digits.data(), digits.size());
    if (!written) return fail(std::move(written).error());
    return key;
}

Result<chain::PrivateKey> read_key_file(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        if (errno == ENOENT) return fail(ErrorCode::kInvalidPrivateKey, "no key file " + path);
        return io_failed(path);
    }
    std::array<char, kDigits + kMostLineEnds + 1> buffer{};
    const ssize_t count = ::read(file, buffer.data(), buffer.size());
    const int why = errno;
    ::close(file);
    if (count < 0) {
        errno = why;
        return io_failed(path);
    }

    const std::string_view text{buffer.data(), static_cast<std::size_t>(count)};
    const auto bad = [&](std::string_view what) {
        return fail(ErrorCode::kInvalidPrivateKey, fmt::format("{} in {}", what, path));
    };
    if (text.size() < kDigits) return bad("key file too short, want 64 hex characters");
    for (const char c : text.substr(kDigits)) {
        if (c != '\r' && c != '\n') return bad("invalid character at end of key file");
    }
    if (text.size() == buffer.size()) return bad("key file too long, want 64 hex characters");
    auto secret = from_hex(text.substr(0, kDigits));
    if (!secret) return bad("a character that is no hex digit");
    auto key = chain::PrivateKey::from(*secret);
    ::explicit_bzero(secret->data(), secret->size());
    ::explicit_bzero(buffer.data(), buffer.size());
    if (!key) return bad("a number that is no key");
    return key;
}

bool is_exposed(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

}  // namespace blobvm::cli
