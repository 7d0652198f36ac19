#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "chain/base/mutex.hpp"
#include "vm/chain_store.hpp"

namespace blobvm::test {

/// The accepted chain in memory, whole and by the book: for tests of the VM and for simulators.
/// Can be told to fail at a certain commit. Safe as ChainStore says.
class MemoryChainStore final : public vm::ChainStore {
  public:
    /// Blocks that it can be rolled back by: it keeps as many copies of everything.
    static constexpr std::size_t kReachable = 64;

    /// The commits after this many fail with kStoreFailed, as does everything written later.
    void fail_after_commits(std::size_t commits);

    /// Of the commits so far, how each was asked to be written.
    std::vector<vm::Durability> durabilities() const;
    std::size_t syncs() const;

    /// The heights of the blocks that were staged.
    std::vector<std::uint64_t> staged() const;

    bool has_chain() const override;
    Result<void> create(const chain::Genesis& genesis, const chain::Block& block,
                        const std::vector<chain::Allocation>& balances) override;
    vm::Tip tip() const override;
    void stage(const SharedBytes& bytes, std::uint64_t height) override;
    Result<void> commit(const chain::Block& block, const chain::BlockSummary& summary,
                        const chain::Changes& changes, vm::Durability durability) override;
    Result<void> sync() override;
    Result<SharedBytes> block_bytes(const BlockId& id) const override;
    Result<BlockId> block_id_at(std::uint64_t height) const override;
    Result<std::vector<chain::BlockSummary>> recent_summaries(
        std::int64_t lookback_s) const override;
    std::uint64_t oldest_reachable_height() const override;
    Result<void> roll_back_to(std::uint64_t height) override;
    std::shared_ptr<const vm::ChainSnapshot> snapshot() const override;
    Result<Hash256> consensus_digest() const override;
    Stats stats() const override;
    void close() override;

    Result<Amount> balance(const Address& address) const override;
    Result<std::optional<chain::BlobMeta>> blob_meta(const BlobKey& key) const override;
    Result<std::optional<std::pair<BlobKey, chain::BlobMeta>>> first_blob_from(
        const BlobKey& start) const override;

  private:
    struct Accepted {
        chain::BlockSummary summary;
        SharedBytes bytes;
    };
    struct Contents {
        std::vector<Accepted> blocks;  ///< by height
        std::map<Address, Amount> balances;
        std::map<BlobKey, chain::BlobMeta> blobs;
        std::map<TxId, SharedBytes> transactions;  ///< with the value of a set
    };
    class Snapshot;

    mutable Mutex mutex_;
    std::shared_ptr<const Contents> contents_ GUARDED_BY(mutex_) =
        std::make_shared<const Contents>();
    std::map<std::uint64_t, std::shared_ptr<const Contents>> history_ GUARDED_BY(mutex_);
    std::vector<vm::Durability> durabilities_ GUARDED_BY(mutex_);
    std::vector<std::uint64_t> staged_ GUARDED_BY(mutex_);
    std::optional<std::size_t> commits_left_ GUARDED_BY(mutex_);
    std::size_t syncs_ GUARDED_BY(mutex_) = 0;
    bool failed_ GUARDED_BY(mutex_) = false;

    std::shared_ptr<const Contents> now() const EXCLUDES(mutex_) {
        const Lock lock{mutex_};
        return contents_;
    }
};

}  // namespace blobvm::test
