#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

/// The bytes of accepted blocks, one block behind the other, in files that only ever grow.
///
/// Why not RocksDB's blob files: those are written a second time, out of its log, and checked by
/// software on the way. Here a value is written once, as a part of its block, and what proves it is
/// its key.
///
/// The log alone says nothing: where a block lies, and whether it was accepted, stands in the
/// database. What no record there points to (a block that a crash cut off, blocks that were rolled
/// back) is never read. It stays; only what was staged and not accepted gives its room back.
namespace blobvm::vm::store::detail {

/// Where a part of the log begins.
struct Place {
    std::uint32_t file = 0;    ///< files are numbered from 1
    std::uint32_t offset = 0;  ///< in the file, bytes

    friend bool operator==(const Place&, const Place&) = default;
};

/// One thread at a time writes and syncs; reads are safe beside it, from any thread.
class BlockLog {
  public:
    static constexpr std::uint64_t kFileBytes = 1024 * 1024 * 1024;
    static constexpr std::size_t kDirectUnit = 4096;         ///< of offsets, sizes and addresses
    static constexpr std::size_t kDirectLeast = 256 * 1024;  ///< fewer bytes are not worth it

    /// Opens the log in `folder`, or makes an empty one. A file grows to about `file_bytes`, at
    /// most 2 GiB, before the next one begins. kStoreFailed.
    static Result<std::unique_ptr<BlockLog>> open(const std::string& folder,
                                                  std::uint64_t file_bytes = kFileBytes);
    ~BlockLog();
    BlockLog(const BlockLog&) = delete;
    BlockLog& operator=(const BlockLog&) = delete;

    /// Appends `bytes`, at most 1 GiB, and says where they lie. They are with the operating system
    /// then, not on disk. kStoreFailed, after which a part of them may stay, of no use to anybody;
    /// it can be tried again, unless a sync has failed.
    Result<Place> append(ByteView bytes);

    /// The same, and past the cache of the operating system if they are many: neither copied there
    /// nor pushing out what is read, and sync() finds little left to do. For who can wait for the
    /// disk. What follows may begin up to kDirectUnit - 1 bytes later.
    Result<Place> append_directly(ByteView bytes);

    /// Gives back the room of bytes that nothing will ever point to, where that is possible.
    void discard(Place place, std::size_t size);

    /// Lets the operating system begin to write what was appended, so that sync() waits less.
    void begin_sync();

    /// Everything appended so far is on disk afterwards; costs nothing if it was before.
    /// kStoreFailed, and from then on for ever: a system tells once that it has lost something.
    Result<void> sync();

    /// What lies there. kCorruption if the file is missing or ends before, kStoreFailed.
    Result<std::string> read(Place place, std::size_t size) const;

  private:
    BlockLog(std::string folder, std::uint64_t file_bytes)
        : folder_{std::move(folder)}, file_bytes_{file_bytes} {}

    Result<void> open_file(std::uint32_t number);
    Result<void> make_room(std::size_t size);
    std::string path_of(std::uint32_t number) const;

    struct Free {
        void operator()(std::byte* memory) const { std::free(memory); }
    };

    const std::string folder_;
    const std::uint64_t file_bytes_;
    int fd_ = -1;         ///< the last file, to which is appended; -1 before there is one
    int direct_fd_ = -1;  ///< the same file; -1 where the file system cannot do it
    std::unique_ptr<std::byte, Free> aligned_;  ///< kDirectPiece bytes, once they are needed
    std::uint32_t number_ = 0;                  ///< of the last file
    std::uint64_t begun_ = 0;                   ///< to where writing has begun
    std::uint64_t synced_ = 0;                  ///< to where it is known to be on disk
    std::uint64_t end_ = 0;                     ///< of the last file, bytes
    std::optional<Error> sync_failure_;
};

}  // namespace blobvm::vm::store::detail
