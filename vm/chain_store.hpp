#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chain/block.hpp"
#include "chain/genesis.hpp"
#include "chain/state.hpp"
#include "chain/window.hpp"

namespace blobvm::vm {

struct Tip {
    std::uint64_t height = 0;
    BlockId id;

    friend bool operator==(const Tip&, const Tip&) = default;
};

/// Accepted state at one height, whatever is accepted meanwhile. Safe from any thread. Keep it for
/// one request only: it holds back the store's garbage.
class ChainSnapshot {
  public:
    virtual ~ChainSnapshot() = default;

    virtual Tip tip() const = 0;
    virtual Result<Amount> balance(const Address& address) const = 0;
    virtual Result<std::optional<chain::BlobMeta>> blob_meta(const BlobKey& key) const = 0;
    virtual Result<bool> has_transaction(const TxId& id) const = 0;

    /// The blob itself, checked against its key: kCorruption if it is not what it should be,
    /// kNotFound if there is none.
    virtual Result<SharedBytes> blob(const BlobKey& key) const = 0;
};

enum class Durability {
    kSynced,    ///< on disk when the call returns
    kBuffered,  ///< with the operating system; survives a kill, not a power cut
};

/// The accepted chain on disk. One thread at a time writes; reads are safe beside it.
///
/// After a failed write the store refuses all further ones (kStoreFailed): what is on disk is then
/// either before or after the block, never between.
class ChainStore : public chain::Store {
  public:
    /// False until create() has been called on this database once.
    virtual bool has_chain() const = 0;

    /// Writes genesis: its block, its balances and what identifies the chain, in one batch.
    virtual Result<void> create(const chain::Genesis& genesis, const chain::Block& block,
                                const std::vector<chain::Allocation>& balances) = 0;

    virtual Tip tip() const = 0;

    /// A hint that a block of these bytes may be committed at `height`: they may go to the disk
    /// meanwhile, so that its commit waits less. Returns at once. Safe from any thread.
    virtual void stage(const SharedBytes& bytes, std::uint64_t height) {
        static_cast<void>(bytes);
        static_cast<void>(height);
    }

    /// Makes `block`, a child of the tip, the new tip: state, block, indexes and undo record in
    /// one atomic batch.
    virtual Result<void> commit(const chain::Block& block, const chain::BlockSummary& summary,
                                const chain::Changes& changes, Durability durability) = 0;

    /// Puts on disk what was committed buffered.
    virtual Result<void> sync() = 0;

    /// The bytes of an accepted block; kNotFound, or kCorruption if they do not hash to `id`.
    virtual Result<SharedBytes> block_bytes(const BlockId& id) const = 0;
    virtual Result<BlockId> block_id_at(std::uint64_t height) const = 0;

    /// The accepted blocks from the tip back to the first whose time is more than `lookback_s`
    /// before the tip's (that one included) or to genesis, oldest first.
    virtual Result<std::vector<chain::BlockSummary>> recent_summaries(
        std::int64_t lookback_s) const = 0;

    /// Heights from which the chain can be rolled back to this one by undo records.
    virtual std::uint64_t oldest_reachable_height() const = 0;

    /// Undoes accepted blocks above `height`, newest first, each in one batch.
    /// kNotFound where the undo records do not reach.
    virtual Result<void> roll_back_to(std::uint64_t height) = 0;

    virtual std::shared_ptr<const ChainSnapshot> snapshot() const = 0;

    /// keccak256 over the records with prefix 01, 03 and 04 (shared/spec/corpus/README.md). Reads
    /// everything: for tests and for comparing nodes.
    virtual Result<Hash256> consensus_digest() const = 0;

    struct Stats {
        std::uint64_t disk_bytes = 0;
        std::uint64_t memory_bytes = 0;
        std::uint64_t cache_hits = 0;
        std::uint64_t cache_misses = 0;
        std::uint64_t lost_blocks =
            0;                ///< dropped on opening: not on disk when the machine went down
        bool failed = false;  ///< a write has failed: nothing more is accepted
        std::string failure;
    };
    virtual Stats stats() const = 0;

    /// Flushes and closes; idempotent. Every later call fails with kClosed, but for stats(), which
    /// says whether closing failed.
    virtual void close() = 0;
};

}  // namespace blobvm::vm
