#include "tests/support/memory_chain_store.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "chain/base/hashing.hpp"

namespace blobvm::test {

namespace {

/// One record as the state digest takes it: both halves with their lengths before them.
void digest_record(Keccak256& digest, ByteView key, ByteView value) {
    for (const ByteView part : {key, value}) {
        const auto size = static_cast<std::uint32_t>(part.size());
        const std::array<std::byte, 4> length{std::byte(size >> 24), std::byte(size >> 16),
                                              std::byte(size >> 8), std::byte(size)};
        digest.update(length).update(part);
    }
}

Bytes record_key(std::uint8_t prefix, ByteView id) {
    Bytes key(2 + id.size());
    key[0] = std::byte{prefix};
    key[1] = std::byte{'/'};
    std::copy(id.begin(), id.end(), key.begin() + 2);
    return key;
}

}  // namespace

class MemoryChainStore::Snapshot final : public vm::ChainSnapshot {
  public:
    explicit Snapshot(std::shared_ptr<const Contents> contents) : contents_{std::move(contents)} {}

    vm::Tip tip() const override {
        const chain::BlockSummary& last = contents_->blocks.back().summary;
        return {last.height, last.id};
    }
    Result<Amount> balance(const Address& address) const override {
        const auto found = contents_->balances.find(address);
        return found == contents_->balances.end() ? Amount{} : found->second;
    }
    Result<std::optional<chain::BlobMeta>> blob_meta(const BlobKey& key) const override {
        const auto found = contents_->blobs.find(key);
        if (found == contents_->blobs.end()) return std::optional<chain::BlobMeta>{};
        return std::optional{found->second};
    }
    Result<bool> has_transaction(const TxId& id) const override {
        return contents_->transactions.contains(id);
    }
    Result<SharedBytes> blob(const BlobKey& key) const override {
        const auto found = contents_->blobs.find(key);
        if (found == contents_->blobs.end()) return fail(ErrorCode::kNotFound);
        return contents_->transactions.at(found->second.tx);
    }

  private:
    std::shared_ptr<const Contents> contents_;
};

void MemoryChainStore::fail_after_commits(std::size_t commits) {
    const Lock lock{mutex_};
    commits_left_ = commits;
}

std::vector<vm::Durability> MemoryChainStore::durabilities() const {
    const Lock lock{mutex_};
    return durabilities_;
}

std::vector<std::uint64_t> MemoryChainStore::staged() const {
    const Lock lock{mutex_};
    return staged_;
}

void MemoryChainStore::stage(const SharedBytes&, std::uint64_t height) {
    const Lock lock{mutex_};
    staged_.push_back(height);
}

std::size_t MemoryChainStore::syncs() const {
    const Lock lock{mutex_};
    return syncs_;
}

bool MemoryChainStore::has_chain() const { return !now()->blocks.empty(); }

Result<void> MemoryChainStore::create(const chain::Genesis& genesis, const chain::Block& block,
                                      const std::vector<chain::Allocation>& balances) {
    auto contents = std::make_shared<Contents>();
    contents->blocks.push_back({chain::summarise(block, genesis), block.bytes});
    for (const chain::Allocation& allocation : balances) {
        contents->balances[allocation.address] = allocation.balance;
    }
    const Lock lock{mutex_};
    contents_ = std::move(contents);
    history_ = {{0, contents_}};
    return {};
}

vm::Tip MemoryChainStore::tip() const { return Snapshot{now()}.tip(); }

Result<void> MemoryChainStore::commit(const chain::Block& block, const chain::BlockSummary& summary,
                                      const chain::Changes& changes, vm::Durability durability) {
    const Lock lock{mutex_};
    if (commits_left_ && (*commits_left_)-- == 0) failed_ = true;
    if (failed_) return fail(ErrorCode::kStoreFailed, "told to fail");
    auto next = std::make_shared<Contents>(*contents_);
    next->blocks.push_back({summary, block.bytes});
    for (const auto& [address, amount] : changes.balances) next->balances[address] = amount;
    for (const auto& [key, meta] : changes.blobs) next->blobs[key] = meta;
    for (const chain::TransactionPtr& tx : block.transactions) {
        const chain::SetFields* set = tx->fields().set();
        next->transactions[tx->id] = set ? SharedBytes::copy_of(set->value) : SharedBytes{};
    }
    contents_ = std::move(next);
    history_.emplace(contents_->blocks.size() - 1, contents_);
    if (history_.size() > kReachable + 1) history_.erase(history_.begin());
    durabilities_.push_back(durability);
    return {};
}

Result<void> MemoryChainStore::sync() {
    const Lock lock{mutex_};
    ++syncs_;
    return {};
}

Result<SharedBytes> MemoryChainStore::block_bytes(const BlockId& id) const {
    for (const Accepted& block : now()->blocks) {
        if (block.summary.id == id) return block.bytes;
    }
    return fail(ErrorCode::kNotFound);
}

Result<BlockId> MemoryChainStore::block_id_at(std::uint64_t height) const {
    const auto contents = now();
    if (height >= contents->blocks.size()) return fail(ErrorCode::kNotFound);
    return contents->blocks[height].summary.id;
}

Result<std::vector<chain::BlockSummary>> MemoryChainStore::recent_summaries(std::int64_t) const {
    std::vector<chain::BlockSummary> all;
    for (const Accepted& block : now()->blocks) all.push_back(block.summary);
    return all;
}

std::uint64_t MemoryChainStore::oldest_reachable_height() const {
    const Lock lock{mutex_};
    return history_.begin()->first;
}

Result<void> MemoryChainStore::roll_back_to(std::uint64_t height) {
    const Lock lock{mutex_};
    const auto found = history_.find(height);
    if (found == history_.end()) return fail(ErrorCode::kNotFound);
    contents_ = found->second;
    history_.erase(std::next(found), history_.end());
    return {};
}

std::shared_ptr<const vm::ChainSnapshot> MemoryChainStore::snapshot() const {
    return std::make_shared<const Snapshot>(now());
}

Result<Hash256> MemoryChainStore::consensus_digest() const {
    const auto contents = now();
    Keccak256 digest;
    for (const auto& [id, value] : contents->transactions) {
        digest_record(digest, record_key(1, id.view()), {});
    }
    for (const auto& [key, meta] : contents->blobs) {
        digest_record(digest, record_key(3, key.view()), chain::encode_blob_meta(meta));
    }
    for (const auto& [address, amount] : contents->balances) {
        std::array<std::byte, 8> value;
        for (std::size_t i = 0; i < 8; ++i) value[i] = std::byte(amount.value >> (56 - 8 * i));
        digest_record(digest, record_key(4, address.view()), value);
    }
    return digest.finish();
}

vm::ChainStore::Stats MemoryChainStore::stats() const {
    const Lock lock{mutex_};
    return {.failed = failed_, .failure = failed_ ? "told to fail" : ""};
}

void MemoryChainStore::close() {}

Result<Amount> MemoryChainStore::balance(const Address& address) const {
    return Snapshot{now()}.balance(address);
}

Result<std::optional<chain::BlobMeta>> MemoryChainStore::blob_meta(const BlobKey& key) const {
    return Snapshot{now()}.blob_meta(key);
}

Result<std::optional<std::pair<BlobKey, chain::BlobMeta>>> MemoryChainStore::first_blob_from(
    const BlobKey& start) const {
    const auto contents = now();
    const auto found = contents->blobs.lower_bound(start);
    if (found == contents->blobs.end()) {
        return std::optional<std::pair<BlobKey, chain::BlobMeta>>{};
    }
    return std::optional{std::pair{found->first, found->second}};
}

}  // namespace blobvm::test
