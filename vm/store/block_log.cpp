#include "vm/store/detail/block_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "chain/base/check.hpp"
#include "vm/store/detail/stamp.hpp"

namespace blobvm::vm::store::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".blocks";
constexpr std::uint64_t kMaxFileBytes = 2ULL * 1024 * 1024 * 1024;
constexpr std::size_t kMaxAppend = 1024 * 1024 * 1024;
constexpr std::size_t kDirectPiece = 2 * 1024 * 1024;  ///< a whole block, as a rule

std::uint64_t round_up(std::uint64_t size) {
    return (size + BlockLog::kDirectUnit - 1) / BlockLog::kDirectUnit * BlockLog::kDirectUnit;
}

Failure io_failure(std::string_view what, const std::string& path, int error) {
    return fail(ErrorCode::kStoreFailed,
                fmt::format("{} {}: {}", what, path, std::generic_category().message(error)));
}

/// The number in a file's name; 0 for other files.
std::uint32_t number_of(const fs::path& path) {
    if (path.extension() != kSuffix) return 0;
    const std::string stem = path.stem().string();
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
    return error == std::errc{} && end == stem.data() + stem.size() ? number : 0;
}

}  // namespace

Result<std::unique_ptr<BlockLog>> BlockLog::open(const std::string& folder,
                                                 std::uint64_t file_bytes) {
    CHECK(file_bytes <= kMaxFileBytes);
    std::unique_ptr<BlockLog> log{new BlockLog{folder, file_bytes}};
    std::error_code error;
    if (fs::create_directory(folder, error)) {
        BLOBVM_TRY(sync_folder(fs::path{folder}.parent_path().string()));
    }
    std::uint32_t last = 0;
    for (fs::directory_iterator it{folder, error}, end; !error && it != end; it.increment(error)) {
        last = std::max(last, number_of(it->path()));
    }
    if (error) return io_failure("list", folder, error.value());
    if (last > 0) BLOBVM_TRY(log->open_file(last));
    return log;
}

BlockLog::~BlockLog() {
    if (fd_ >= 0) ::close(fd_);
    if (direct_fd_ >= 0) ::close(direct_fd_);
}

std::string BlockLog::path_of(std::uint32_t number) const {
    return fmt::format("{}/{:06}{}", folder_, number, kSuffix);
}

/// Makes it the one to append to; its name is on disk afterwards.
Result<void> BlockLog::open_file(std::uint32_t number) {
    const std::string path = path_of(number);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return io_failure("open", path, errno);
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
    if (direct_fd_ >= 0) ::close(direct_fd_);
    direct_fd_ = ::open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
    struct stat status {};
    if (::fstat(fd, &status) != 0) return io_failure("look at", path, errno);
    number_ = number;
    end_ = static_cast<std::uint64_t>(status.st_size);
    begun_ = end_;
    synced_ = 0;  // whoever wrote what is in there may have been killed
    return sync_folder(folder_);
}

/// Goes on to the next file if `size` more bytes are too many for the last one.
Result<void> BlockLog::make_room(std::size_t size) {
    CHECK(size <= kMaxAppend + 2 * kDirectUnit);
    if (sync_failure_) return fail(Error{*sync_failure_});
    if (fd_ >= 0 && end_ + size <= file_bytes_) return {};
    // The full file is synced here, since sync() knows the last one only.
    if (fd_ >= 0) BLOBVM_TRY(sync());
    return open_file(number_ + 1);
}

Result<Place> BlockLog::append(ByteView bytes) {
    BLOBVM_TRY(make_room(bytes.size()));
    const Place place{.file = number_, .offset = static_cast<std::uint32_t>(end_)};
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return io_failure("write", path_of(number_), errno);
        end_ += static_cast<std::uint64_t>(written);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return place;
}

Result<Place> BlockLog::append_directly(ByteView bytes) {
    if (bytes.size() < kDirectLeast) return append(bytes);
    BLOBVM_TRY(make_room(bytes.size() + 2 * kDirectUnit));
    if (direct_fd_ < 0) return append(bytes);
    if (!aligned_) {
        aligned_.reset(static_cast<std::byte*>(std::aligned_alloc(kDirectUnit, kDirectPiece)));
        CHECK(aligned_ != nullptr);
    }
    const Place place{.file = number_, .offset = static_cast<std::uint32_t>(round_up(end_))};
    std::uint64_t at = place.offset;
    while (!bytes.empty()) {
        const ByteView piece = bytes.first(std::min(bytes.size(), kDirectPiece));
        const std::size_t size = round_up(piece.size());
        std::ranges::copy(piece, aligned_.get());
        std::fill(aligned_.get() + piece.size(), aligned_.get() + size, std::byte{0});
        for (std::size_t done = 0; done < size;) {
            const ssize_t written = ::pwrite(direct_fd_, aligned_.get() + done, size - done,
                                             static_cast<off_t>(at + done));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0 && errno == EINVAL && at == place.offset && done == 0) {
                ::close(std::exchange(direct_fd_, -1));  // not with these units
                return append(bytes);
            }
            if (written < 0) return io_failure("write", path_of(number_), errno);
            done += static_cast<std::size_t>(written);
            end_ = at + done;
        }
        at += size;
        bytes = bytes.subspan(piece.size());
    }
    return place;
}

void BlockLog::discard(Place place, std::size_t size) {
    if (place.file != number_) return;
    // A hole reads as zeros; where the file system has none, the bytes stay.
    static_cast<void>(::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  static_cast<off_t>(place.offset), static_cast<off_t>(size)));
}

void BlockLog::begin_sync() {
    if (begun_ == end_) return;
    // A hint only: what it cannot do, sync() does, and that is where a failure is told.
    static_cast<void>(::sync_file_range(fd_, static_cast<off_t>(begun_),
                                        static_cast<off_t>(end_ - begun_), SYNC_FILE_RANGE_WRITE));
    begun_ = end_;
}

Result<void> BlockLog::sync() {
    if (sync_failure_) return fail(Error{*sync_failure_});
    if (fd_ < 0 || synced_ == end_) return {};
    if (::fdatasync(fd_) != 0) {
        Failure failure = io_failure("sync", path_of(number_), errno);
        sync_failure_ = failure.error;
        return failure;
    }
    synced_ = end_;
    return {};
}

Result<std::string> BlockLog::read(Place place, std::size_t size) const {
    const std::string path = path_of(place.file);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return fail(ErrorCode::kCorruption, path + " is missing");
    if (fd < 0) return io_failure("open", path, errno);
    std::string bytes(size, '\0');
    std::size_t done = 0;
    int error = 0;
    while (done < size) {
        const ssize_t got =
            ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(place.offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) error = errno;
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    ::close(fd);
    if (error != 0) return io_failure("read", path, error);
    if (done < size) {
        return fail(ErrorCode::kCorruption, fmt::format("{} ends before byte {}", path,
                                                        std::uint64_t{place.offset} + size));
    }
    return bytes;
}

}  // namespace blobvm::vm::store::detail
