#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "tree/tree.hpp"

namespace blobvm::tree {

namespace {

Failure io_failed(const std::string& path, int error) {
    return fail(ErrorCode::kIo, path + ": " + std::strerror(error));
}

class File {
  public:
    explicit File(int descriptor, bool owned = true) : descriptor_{descriptor}, owned_{owned} {}
    ~File() {
        if (owned_ && descriptor_ >= 0) ::close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    int get() const { return descriptor_; }

  private:
    int descriptor_;
    bool owned_;
};

class FileReader final : public Reader {
  public:
    FileReader(int descriptor, bool owned, std::string path, std::function<bool()> cancelled)
        : file_{descriptor, owned}, path_{std::move(path)}, cancelled_{std::move(cancelled)} {}

    Result<std::size_t> read(std::span<std::byte> into) override {
        for (;;) {
            if (cancelled_ && cancelled_()) return fail(ErrorCode::kCancelled);
            const ssize_t count = ::read(file_.get(), into.data(), into.size());
            if (count >= 0) return static_cast<std::size_t>(count);
            if (errno != EINTR) return io_failed(path_, errno);
        }
    }

  private:
    File file_;
    const std::string path_;
    const std::function<bool()> cancelled_;
};

/// A file that gets its name only when it is whole.
class NewFile final : public Writer {
  public:
    static Result<std::unique_ptr<NewFile>> create(const std::string& path) {
        struct stat existing {};
        if (::lstat(path.c_str(), &existing) == 0) {
            return fail(ErrorCode::kIo, "file " + path + " already exists");
        }
        const std::filesystem::path target{path};
        if (!target.has_filename()) return fail(ErrorCode::kIo, path + " is not a file name");
        std::filesystem::path folder = target.parent_path();
        if (folder.empty()) folder = ".";
        std::string temporary = folder / ("." + target.filename().string() + ".XXXXXX");
        const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
        if (descriptor < 0) return io_failed(temporary, errno);
        return std::unique_ptr<NewFile>{
            new NewFile{descriptor, path, std::move(temporary), folder.string()}};
    }

    ~NewFile() override {
        if (!temporary_.empty()) ::unlink(temporary_.c_str());
    }

    Result<void> write(ByteView bytes) override {
        while (!bytes.empty()) {
            const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return io_failed(temporary_, errno);
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
        return {};
    }

    /// Makes the bytes last, and gives them their name unless somebody took it meanwhile.
    Result<void> finish() {
        const mode_t mask = ::umask(0);
        ::umask(mask);
        if (::fchmod(file_.get(), 0666 & ~mask) != 0) return io_failed(temporary_, errno);
        if (::fsync(file_.get()) != 0) return io_failed(temporary_, errno);
        if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) !=
            0) {
            if (errno == EEXIST) return fail(ErrorCode::kIo, "file " + path_ + " already exists");
            // Not every file system can do that: a second name, then the first one goes.
            if (::link(temporary_.c_str(), path_.c_str()) != 0) return io_failed(path_, errno);
            ::unlink(temporary_.c_str());
        }
        temporary_.clear();
        const File folder{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (folder.get() < 0 || ::fsync(folder.get()) != 0) return io_failed(folder_, errno);
        return {};
    }

  private:
    NewFile(int descriptor, std::string path, std::string temporary, std::string folder)
        : file_{descriptor},
          path_{std::move(path)},
          temporary_{std::move(temporary)},
          folder_{std::move(folder)} {}

    File file_;
    const std::string path_;
    std::string temporary_;
    const std::string folder_;
};

}  // namespace

Result<std::unique_ptr<Reader>> open_file(const std::string& path,
                                          std::function<bool()> cancelled) {
    if (path == "-") {
        return std::unique_ptr<Reader>{std::make_unique<FileReader>(
            STDIN_FILENO, false, "standard input", std::move(cancelled))};
    }
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return io_failed(path, errno);
    auto reader = std::make_unique<FileReader>(descriptor, true, path, std::move(cancelled));
    struct stat about {};
    if (::fstat(descriptor, &about) != 0) return io_failed(path, errno);
    if (S_ISDIR(about.st_mode)) return io_failed(path, EISDIR);
    return std::unique_ptr<Reader>{std::move(reader)};
}

Result<Downloaded> download_to_file(Client& client, const BlobKey& root, const std::string& path,
                                    const DownloadOptions& options) {
    BLOBVM_TRY(const auto file, NewFile::create(path));
    BLOBVM_TRY(const Downloaded result, download(client, root, *file, options));
    BLOBVM_TRY(file->finish());
    return result;
}

}  // namespace blobvm::tree
