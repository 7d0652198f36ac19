#include "vm/store/detail/stamp.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "chain/base/hex.hpp"

namespace blobvm::vm::store::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kName = "BLOBVM";
constexpr std::string_view kFormatLine = "blobvm store ";
constexpr std::string_view kChain = "chain ";
constexpr std::size_t kMaxBytes = 256;

Failure io_failure(std::string_view what, const std::string& path, int error) {
    return fail(ErrorCode::kStoreFailed,
                fmt::format("{} {}: {}", what, path, std::generic_category().message(error)));
}

/// Closes a file descriptor at the end of a scope.
struct File {
    int fd;
    explicit File(int open_fd) : fd{open_fd} {}
    ~File() {
        if (fd >= 0) ::close(fd);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
};

std::string chain_line(const ChainId& chain) {
    return fmt::format("{}{}\n", kChain, to_hex(chain.view()));
}

std::string stamp_text(const ChainId& chain) {
    return fmt::format("{}{}\n{}", kFormatLine, kFormat, chain_line(chain));
}

/// Small by nature: one byte more than allowed is read, so that what is too long is seen.
Result<std::string> read_stamp(const std::string& path) {
    const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0) return io_failure("open", path, errno);
    std::string text(kMaxBytes + 1, '\0');
    const ssize_t size = ::read(file.fd, text.data(), text.size());
    if (size < 0) return io_failure("read", path, errno);
    text.resize(static_cast<std::size_t>(size));
    return text;
}

Result<void> write_stamp(const std::string& path, std::string_view text) {
    const File file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (file.fd < 0) return io_failure("create", path, errno);
    if (::write(file.fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return io_failure("write", path, errno);
    }
    if (::fsync(file.fd) != 0) return io_failure("sync", path, errno);
    return {};
}

/// What follows the first line, which names the format.
Result<std::string> read_second_line(const std::string& folder) {
    BLOBVM_TRY(const std::string text, read_stamp(fmt::format("{}/{}", folder, kName)));
    const std::string ours = fmt::format("{}{}\n", kFormatLine, kFormat);
    if (!text.starts_with(ours)) {
        return fail(ErrorCode::kStoreFormat,
                    fmt::format("{}: want \"{}\", found \"{}\"", folder,
                                std::string_view{ours}.substr(0, ours.size() - 1),
                                text.substr(0, text.find('\n'))));
    }
    return text.substr(ours.size());
}

Result<void> check_stamp(const std::string& folder, const ChainId& chain) {
    BLOBVM_TRY(const std::string line, read_second_line(folder));
    if (line == chain_line(chain)) return {};
    return fail(ErrorCode::kStoreForeign,
                fmt::format("{}: want chain {}, found \"{}\"", folder, to_hex(chain.view()),
                            line.substr(0, line.find('\n'))));
}

/// Makes the folder under another name first, so that it is there stamped or not at all.
Result<void> create_stamped(const std::string& folder, const ChainId& chain) {
    const std::string fresh = folder + ".new";
    std::error_code error;
    fs::remove_all(fresh, error);
    if (!error) fs::create_directory(fresh, error);
    if (error) return io_failure("create", fresh, error.value());
    BLOBVM_TRY(write_stamp(fmt::format("{}/{}", fresh, kName), stamp_text(chain)));
    BLOBVM_TRY(sync_folder(fresh));
    fs::rename(fresh, folder, error);  // replaces an empty folder, refuses any other
    if (error) return io_failure("create", folder, error.value());
    return sync_folder(fs::path{folder}.parent_path().string());
}

}  // namespace

Result<void> ensure_stamped(const std::string& folder, const ChainId& chain) {
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (status.type() == fs::file_type::not_found) return create_stamped(folder, chain);
    if (error) return io_failure("look at", folder, error.value());
    if (!fs::is_directory(status)) {
        return fail(ErrorCode::kStoreForeign, folder + " is not a folder");
    }
    const bool empty = fs::is_empty(folder, error);
    if (error) return io_failure("list", folder, error.value());
    if (empty) return create_stamped(folder, chain);

    const bool stamped = fs::exists(fs::path{folder} / kName, error);
    if (error) return io_failure("look at", folder, error.value());
    if (!stamped) return fail(ErrorCode::kStoreForeign, folder + " holds other files");
    return check_stamp(folder, chain);
}

Result<ChainId> stamped_chain(const std::string& folder) {
    std::error_code error;
    const bool stamped = fs::exists(fs::path{folder} / kName, error);
    if (error) return io_failure("look at", folder, error.value());
    if (!stamped) return fail(ErrorCode::kNotFound, folder + " holds no BlobVM database");
    BLOBVM_TRY(const std::string line, read_second_line(folder));
    if (line.starts_with(kChain) && line.ends_with('\n')) {
        const auto hex = std::string_view{line}.substr(kChain.size());
        if (const auto bytes = from_hex(hex.substr(0, hex.size() - 1));
            bytes && bytes->size() == ChainId::kSize) {
            return ChainId::from(*bytes);
        }
    }
    return fail(ErrorCode::kStoreFormat, folder + ": the stamp names no chain");
}

Result<void> sync_folder(const std::string& folder) {
    const File file{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (file.fd < 0) return io_failure("open", folder, errno);
    if (::fsync(file.fd) != 0) return io_failure("sync", folder, errno);
    return {};
}

}  // namespace blobvm::vm::store::detail
