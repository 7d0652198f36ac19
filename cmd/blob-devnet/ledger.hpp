#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/mutex.hpp"
#include "chain/base/result.hpp"

namespace blobvm::devnet {

struct AcceptedBlock {
    std::uint64_t height = 0;
    BlockId id;
};

using KeyValue = std::pair<std::string, std::string>;

/// What a node remembers of one chain, in the order in which it was written: the plugin's own keys
/// (rpcdb) and the heights that the node has accepted (spec/rpcchainvm.md 3.13). One append-only
/// file, so that whatever is lost at its end is lost of both, as in a node's write-ahead log.
/// The accepted blocks' bytes are kept as well: a plugin that lost blocks gets them again, as from
/// peers.
///
/// File: "BLOBVM-LEDGER-1\n", the chain's ID, then records: length (u32, little-endian), CRC-32
/// of the payload (u32), payload. A write that fails leaves the file as it was.
///
/// Safe from any thread.
class Ledger {
  public:
    struct Options {
        std::filesystem::path path;
        ChainId chain;
        bool sync = false;            ///< fsync each record; a node's default database does not
        std::uint64_t roll_back = 0;  ///< for tests: cut off the last so many accepted blocks
    };

    /// Opens or creates. A torn end is cut off. kIo; kStoreForeign for another chain's file;
    /// kCorruption where the start is damaged.
    static Result<std::unique_ptr<Ledger>> open(const Options& options);
    ~Ledger();

    std::uint64_t cut_bytes() const { return cut_bytes_; }  ///< of a torn end, cut off at open

    // The plugin's keys.
    std::optional<std::string> get(std::string_view key) const EXCLUDES(mutex_);
    /// All `puts`, then all `deletes`, as one record.
    Result<void> write(const std::vector<KeyValue>& puts, const std::vector<std::string>& deletes)
        EXCLUDES(mutex_);
    /// In order, from the first key at or after `start` that has `prefix`.
    std::vector<KeyValue> scan(std::string_view start, std::string_view prefix) const
        EXCLUDES(mutex_);

    // The node's heights.
    /// Empty on a new chain.
    std::optional<AcceptedBlock> accepted() const EXCLUDES(mutex_);
    /// Before BlockAccept is sent. Bytes that are here already are not written again.
    Result<void> accept(const AcceptedBlock& block, ByteView bytes) EXCLUDES(mutex_);
    /// The repair rule's step back. Blocks above stay readable.
    Result<void> go_back_to(std::uint64_t height) EXCLUDES(mutex_);

    /// The highest block that was ever accepted and not cut off: at or above accepted().
    std::optional<AcceptedBlock> top() const EXCLUDES(mutex_);
    std::optional<BlockId> id_at(std::uint64_t height) const EXCLUDES(mutex_);
    /// kNotFound; kIo; kCorruption.
    Result<Bytes> block_at(std::uint64_t height) const EXCLUDES(mutex_);

  private:
    struct Stored {
        BlockId id;
        std::uint64_t record = 0;  ///< where the latest record of this height begins
        std::uint64_t bytes = 0;   ///< where its bytes begin
        std::size_t size = 0;
    };

    Ledger(int file, bool sync) : file_{file}, sync_{sync} {}
    Result<void> load(const ChainId& chain) EXCLUDES(mutex_);
    bool replay(ByteView payload, std::uint64_t record) REQUIRES(mutex_);
    Result<void> cut(std::uint64_t end) REQUIRES(mutex_);
    Result<void> append(ByteView head, ByteView tail) REQUIRES(mutex_);
    void apply(const std::vector<KeyValue>& puts, const std::vector<std::string>& deletes)
        REQUIRES(mutex_);

    const int file_;
    const bool sync_;
    std::uint64_t cut_bytes_ = 0;

    mutable Mutex mutex_;
    std::uint64_t end_ GUARDED_BY(mutex_) = 0;
    std::map<std::string, std::string, std::less<>> values_ GUARDED_BY(mutex_);
    std::map<std::uint64_t, Stored> blocks_ GUARDED_BY(mutex_);
    std::optional<AcceptedBlock> accepted_ GUARDED_BY(mutex_);
};

}  // namespace blobvm::devnet
