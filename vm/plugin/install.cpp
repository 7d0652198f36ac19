#include "vm/plugin/install.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "chain/base/bytes.hpp"
#include "chain/base/cb58.hpp"
#include "proto/jsonrpc/json.hpp"
#include "vm/plugin/identity.hpp"

namespace blobvm::vm::plugin {
namespace {

namespace fs = std::filesystem;

Failure io_error(const std::string& what, const fs::path& path) {
    return fail(ErrorCode::kIo, fmt::format("{} {}: {}", what, path.string(), strerror(errno)));
}

/// An open file, and the file itself until keep(): what is not kept is removed.
class Temporary {
  public:
    explicit Temporary(const fs::path& folder)
        // One dot and no other: a node that scans the folder now passes over such a name.
        : path_{(folder / ".blobvm-install-XXXXXX").string()},
          descriptor_{::mkostemp(path_.data(), O_CLOEXEC)} {}
    ~Temporary() {
        if (descriptor_ < 0) return;
        ::close(descriptor_);
        if (!kept_) ::unlink(path_.c_str());
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;

    int descriptor() const { return descriptor_; }
    const std::string& path() const { return path_; }
    void keep() { kept_ = true; }

  private:
    std::string path_;
    int descriptor_;
    bool kept_ = false;
};

Result<void> copy_all(int from, int to, const fs::path& path) {
    while (true) {
        const ssize_t count = ::copy_file_range(from, nullptr, to, nullptr, 1 << 24, 0);
        if (count == 0) return {};
        if (count > 0) continue;
        if (errno == EINTR) continue;
        if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS) {
            return io_error("cannot write", path);
        }
        break;  // between these file systems the kernel does not copy
    }
    std::vector<char> buffer(1 << 20);
    while (true) {
        const ssize_t count = ::read(from, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return io_error("cannot read while writing", path);
        if (count == 0) return {};
        for (ssize_t done = 0; done < count;) {
            const ssize_t written =
                ::write(to, buffer.data() + done, static_cast<std::size_t>(count - done));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return io_error("cannot write", path);
            done += written;
        }
    }
}

Result<void> sync_folder(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return io_error("cannot open", folder);
    const bool synced = ::fsync(descriptor) == 0;
    const int error = errno;
    ::close(descriptor);
    errno = error;
    if (!synced) return io_error("cannot sync", folder);
    return {};
}

/// What a node takes a file for: its name without the last extension. Empty: it is passed over.
std::string id_in(const std::string& name) { return name.substr(0, name.rfind('.')); }

/// Where the files of a plugin folder go. `own` is the name of the file that has been placed.
void sort_in(const std::string& name, const std::string& own, Installed& installed) {
    const std::string id = id_in(name);
    if (id.empty() || name == own) return;
    if (id == own) {
        installed.rivals.push_back(name);
    } else if (!id_from_cb58<Hash256>(id)) {
        installed.strays.push_back(name);
    }
}

void append_list(std::string& text, std::string_view key, const std::vector<std::string>& names) {
    json::append_quoted(text, key);
    text += ":[";
    for (const std::string& name : names) {
        if (&name != &names.front()) text += ',';
        json::append_quoted(text, name);
    }
    text += ']';
}

}  // namespace

Result<Installed> install(const fs::path& program, const fs::path& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
        return fail(ErrorCode::kIo, fmt::format("{} is not a folder", folder.string()));
    }
    const fs::path target = folder / vm_id();
    if (fs::is_directory(target, error)) {
        return fail(ErrorCode::kIo, fmt::format("{} is a folder", target.string()));
    }

    const int source = ::open(program.c_str(), O_RDONLY | O_CLOEXEC);
    if (source < 0) return io_error("cannot read", program);
    Temporary temporary{folder};
    if (temporary.descriptor() < 0) {
        const Failure failure = io_error("cannot write into", folder);
        ::close(source);
        return failure;
    }
    const Result<void> copied = copy_all(source, temporary.descriptor(), target);
    ::close(source);
    BLOBVM_TRY(copied);
    if (::fchmod(temporary.descriptor(), 0755) != 0 || ::fsync(temporary.descriptor()) != 0) {
        return io_error("cannot write", target);
    }
    if (::rename(temporary.path().c_str(), target.c_str()) != 0) {
        return io_error("cannot write", target);
    }
    temporary.keep();
    BLOBVM_TRY(sync_folder(folder));

    Installed installed{.file = target, .strays = {}, .rivals = {}};
    for (const fs::directory_entry& entry : fs::directory_iterator{folder, error}) {
        const bool folder_of_its_own =
            entry.symlink_status(error).type() == fs::file_type::directory;
        if (!folder_of_its_own) sort_in(entry.path().filename().string(), vm_id(), installed);
    }
    std::ranges::sort(installed.strays);
    std::ranges::sort(installed.rivals);
    return installed;
}

std::string describe(const Installed& installed, bool as_json) {
    std::string text;
    if (as_json) {
        text = "{\"file\":";
        json::append_quoted(text, installed.file.string());
        text += ',';
        append_list(text, "strays", installed.strays);
        text += ',';
        append_list(text, "rivals", installed.rivals);
        return text + "}\n";
    }
    text = fmt::format("Installed {}\n", installed.file.string());
    for (const std::string& stray : installed.strays) {
        text += fmt::format(
            "Warning: \"{}\" is not named by a VM id. Unless it is an alias that the node has "
            "been\n"
            "told of, the node refuses to start while it is there.\n",
            stray);
    }
    for (const std::string& rival : installed.rivals) {
        text += fmt::format(
            "Warning: \"{}\" has this VM's id, too, and the node starts it instead: move it out "
            "of\n"
            "the folder.\n",
            rival);
    }
    return text;
}

}  // namespace blobvm::vm::plugin
