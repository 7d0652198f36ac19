#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "chain/signing.hpp"
#include "client/client.hpp"
#include "client/sign_and_issue.hpp"

/// Files as trees of blobs (README.md has the format).
namespace blobvm::tree {

using client::Client;

/// Where a file's bytes come from.
class Reader {
  public:
    virtual ~Reader() = default;

    /// Fills a part of `into` and tells how much; fewer bytes than asked for do not mean the end,
    /// zero does. kIo, kCancelled.
    virtual Result<std::size_t> read(std::span<std::byte> into) = 0;
};

/// The file at `path`; `-` is standard input. `cancelled` is asked when a signal interrupts a read.
Result<std::unique_ptr<Reader>> open_file(const std::string& path,
                                          std::function<bool()> cancelled = {});

/// Where a file's bytes go, in order.
class Writer {
  public:
    virtual ~Writer() = default;
    virtual Result<void> write(ByteView bytes) = 0;
};

/// What a blob is to the file that it belongs to.
enum class Role { kChunk, kNode, kRoot };

/// Something that happened to one blob while a file was uploaded.
struct UploadStep {
    enum class Kind { kSigned, kIssued, kReissued, kAccepted, kKnownBlob, kRepeated };
    Kind kind;
    Role role;
    client::Receipt receipt;
    std::uint64_t stored_bytes = 0;  ///< of the file, that the chain has by now
    Amount total_cost;               ///< of what is accepted by now
};

struct UploadOptions {
    std::uint64_t chunk_bytes = 0;  ///< 0, or anything above: the chain's maxValueSize
    std::size_t in_flight = 64;
    std::uint32_t patience_ms = 120'000;  ///< without any progress; see client::IssueOptions
    std::function<bool()> cancelled = {};
    std::function<void(const UploadStep&)> on_step = {};
    client::Timer* timer = nullptr;
};

struct Uploaded {
    BlobKey root;
    std::uint64_t size_bytes = 0;
    std::uint64_t chunks = 0;       ///< of the file, repeats counted
    std::uint64_t new_blobs = 0;    ///< that this upload stored; chunks, nodes and root
    std::uint64_t known_blobs = 0;  ///< that were there already
    Amount cost;                    ///< of the new ones
};

/// Stores what `file` holds, to its end, and returns when all of it is in accepted blocks. Memory:
/// `in_flight` + 33 chunks. The root comes last, so a root that is there means a whole file. An
/// upload that was cut off goes on where it stopped when it is started again, and one of a file
/// that is there costs nothing, and sends nothing to a node that knows hasBlob.
Result<Uploaded> upload(Client& client, const chain::PrivateKey& key, Reader& file,
                        const UploadOptions& options = {});

/// A chunk that has been written.
struct DownloadStep {
    BlobKey key = {};
    std::uint64_t size_bytes = 0;
    std::uint64_t done_bytes = 0;              ///< of the file
    std::optional<std::uint64_t> total_bytes;  ///< where it is known; may be up to a chunk too high
};

struct DownloadOptions {
    std::size_t workers = 6;                ///< requests at the same time
    std::uint64_t max_bytes = 16ULL << 30;  ///< kTooLarge beyond: roots may come from anybody
    std::function<bool()> cancelled = {};
    std::function<void(const DownloadStep&)> on_step = {};  ///< after each chunk
    client::Timer* timer = nullptr;
};

struct Downloaded {
    std::uint64_t size_bytes = 0;
    std::uint64_t chunks = 0;
};

/// Fetches the file under `root` into `out`: several chunks at a time, each checked against its
/// key, written in order. kNotFound if there is no such root, kChunkMissing, kTreeInvalid,
/// kTooLarge, kFileEmpty for a root that holds nothing at all, and the client's errors.
Result<Downloaded> download(Client& client, const BlobKey& root, Writer& out,
                            const DownloadOptions& options = {});

/// The same into a new file: written beside `path`, synced, and given its name at the end. kIo if
/// `path` exists. A failure leaves nothing behind.
Result<Downloaded> download_to_file(Client& client, const BlobKey& root, const std::string& path,
                                    const DownloadOptions& options = {});

}  // namespace blobvm::tree
