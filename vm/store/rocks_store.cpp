#include "vm/store/rocks_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "chain/base/check.hpp"
#include "chain/base/hashing.hpp"
#include "chain/base/mutex.hpp"
#include "vm/store/detail/database.hpp"
#include "vm/store/detail/records.hpp"
#include "vm/store/detail/stamp.hpp"
#include "vm/store/detail/value_cache.hpp"

namespace blobvm::vm::store {
namespace {

using detail::Database;
using detail::Family;
using detail::IndexRecord;
using detail::RecordKey;
using detail::UndoRecord;
using detail::ValueCache;

constexpr std::chrono::seconds kLockPatience{5};
constexpr std::chrono::milliseconds kLockPause{50};

std::string database_folder(const std::string& directory) { return directory + "/db"; }

/// What `place` makes of each of `all`, a key and a pointer: the pointers in the order of the keys.
template <class List, class Place>
auto sorted_by(const List& all, const Place& place) {
    std::vector<decltype(place(all.front()))> places;
    places.reserve(all.size());
    for (const auto& each : all) places.push_back(place(each));
    std::sort(places.begin(), places.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<decltype(place(all.front()).second)> sorted;
    sorted.reserve(all.size());
    for (const auto& [key, pointer] : places) sorted.push_back(pointer);
    return sorted;
}

Failure damaged(std::string detail) { return fail(ErrorCode::kCorruption, std::move(detail)); }

// Reads that a snapshot and the store itself share: `at` is null for what was written last.

Result<Amount> read_balance(const Database& database, const Address& address,
                            const Database::Moment* at) {
    BLOBVM_TRY(const auto record,
               database.get(Family::kState, detail::balance_key(address).view(), at));
    return record ? detail::decode_balance(*record) : Amount{};
}

Result<std::optional<chain::BlobMeta>> read_meta(const Database& database, const BlobKey& key,
                                                 const Database::Moment* at) {
    BLOBVM_TRY(const auto record, database.get(Family::kState, detail::blob_key(key).view(), at));
    if (!record) return std::optional<chain::BlobMeta>{};
    BLOBVM_TRY(const chain::BlobMeta meta, chain::decode_blob_meta(as_bytes(*record)));
    return std::optional{meta};
}

Result<BlockId> read_last_accepted(const Database& database) {
    BLOBVM_TRY(const auto record, database.get(Family::kState, detail::last_accepted_key().view()));
    if (!record) return fail(ErrorCode::kNotFound);
    return detail::decode_id<BlockId>(*record);
}

Result<IndexRecord> read_index(const Database& database, std::uint64_t height) {
    BLOBVM_TRY(const auto record, database.get(Family::kState, detail::index_key(height).view()));
    if (!record) return fail(ErrorCode::kNotFound, fmt::format("no block at height {}", height));
    return detail::decode_index(*record);
}

/// A block in the form in which it lies on disk.
Result<SharedBytes> read_stored(const Database& database, const BlockId& id) {
    BLOBVM_TRY(auto record, database.get(Family::kBodies, detail::block_key(id).view()));
    if (!record) return fail(ErrorCode::kNotFound);
    return SharedBytes{std::move(*record)};
}

/// The ids of a stored block's transactions: a set's stands in its value's place.
Result<std::vector<TxId>> stored_ids(const chain::RawBlock& stored) {
    std::vector<TxId> ids(stored.transactions.size());
    std::vector<chain::RawTransaction> others;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const chain::SetFields* const set = stored.transactions[i].fields.set();
        if (set != nullptr && !set->value.empty()) {
            if (set->value.size() != TxId::kSize) return damaged("stored block without its links");
            ids[i] = TxId::from(set->value);
        } else {
            others.push_back(stored.transactions[i]);
            places.push_back(i);
        }
    }
    const std::vector<chain::TxHashes> hashes = chain::hash_transactions(others);
    for (std::size_t i = 0; i < places.size(); ++i) ids[places[i]] = hashes[i].id;
    return ids;
}

Result<chain::BlockSummary> read_summary(const Database& database, std::uint64_t height) {
    BLOBVM_TRY(const IndexRecord index, read_index(database, height));
    BLOBVM_TRY(SharedBytes bytes, read_stored(database, index.id));
    BLOBVM_TRY(const chain::RawBlock stored, chain::decode_block(std::move(bytes)));
    if (stored.header.height != height) {
        return damaged(fmt::format("block at height {} says {}", height, stored.header.height));
    }
    BLOBVM_TRY(std::vector<TxId> ids, stored_ids(stored));
    return chain::BlockSummary{.id = index.id,
                               .parent = stored.header.parent,
                               .height = height,
                               .timestamp_s = stored.header.timestamp_s,
                               .price = stored.header.price,
                               .cost = stored.header.cost,
                               .units = index.units,
                               .transactions = std::move(ids)};
}

class RocksSnapshot final : public ChainSnapshot {
  public:
    RocksSnapshot(std::shared_ptr<Database> database, std::shared_ptr<ValueCache> values, Tip tip)
        : database_{std::move(database)},
          values_{std::move(values)},
          tip_{tip},
          moment_{database_} {}

    Tip tip() const override { return tip_; }

    Result<Amount> balance(const Address& address) const override {
        return read_balance(*database_, address, &moment_);
    }

    Result<std::optional<chain::BlobMeta>> blob_meta(const BlobKey& key) const override {
        return read_meta(*database_, key, &moment_);
    }

    Result<bool> has_transaction(const TxId& id) const override {
        BLOBVM_TRY(const auto record,
                   database_->get(Family::kState, detail::transaction_key(id).view(), &moment_));
        return record.has_value();
    }

    Result<SharedBytes> blob(const BlobKey& key) const override {
        BLOBVM_TRY(const auto meta, blob_meta(key));
        if (!meta) return fail(ErrorCode::kNotFound);
        if (SharedBytes cached = values_->find(key); !cached.empty()) return cached;

        BLOBVM_TRY(auto record,
                   database_->get(Family::kBodies, detail::value_key(meta->tx).view(), &moment_));
        if (!record) return damaged("blob without its value");
        if (retag<BlobKey>(keccak256(as_bytes(*record))) != key) {
            return damaged("value does not hash to its key");
        }
        SharedBytes value{std::move(*record)};
        values_->add(key, value);
        return value;
    }

  private:
    const std::shared_ptr<Database> database_;
    const std::shared_ptr<ValueCache> values_;
    const Tip tip_;
    const Database::Moment moment_;
};

class RocksStore final : public ChainStore {
  public:
    static Result<std::unique_ptr<ChainStore>> open(const OpenOptions& options);

    ~RocksStore() override { close(); }

    bool has_chain() const override { return published() != nullptr; }

    Result<void> create(const chain::Genesis& genesis, const chain::Block& block,
                        const std::vector<chain::Allocation>& balances) override;

    Tip tip() const override {
        const auto now = published();
        return now == nullptr ? Tip{} : now->tip();
    }

    Result<Amount> balance(const Address& address) const override {
        return read_balance(*database_, address, nullptr);
    }
    Result<std::optional<chain::BlobMeta>> blob_meta(const BlobKey& key) const override {
        return read_meta(*database_, key, nullptr);
    }
    Result<std::optional<std::pair<BlobKey, chain::BlobMeta>>> first_blob_from(
        const BlobKey& start) const override;

    Result<void> commit(const chain::Block& block, const chain::BlockSummary& summary,
                        const chain::Changes& changes, Durability durability) override;
    Result<void> sync() override { return database_->sync(); }

    Result<SharedBytes> block_bytes(const BlockId& id) const override;
    Result<BlockId> block_id_at(std::uint64_t height) const override {
        BLOBVM_TRY(const IndexRecord index, read_index(*database_, height));
        return index.id;
    }
    Result<std::vector<chain::BlockSummary>> recent_summaries(
        std::int64_t lookback_s) const override;

    std::uint64_t oldest_reachable_height() const override {
        const Lock lock{mutex_};
        return oldest_reachable_;
    }
    Result<void> roll_back_to(std::uint64_t height) override;

    std::shared_ptr<const ChainSnapshot> snapshot() const override {
        auto now = published();
        CHECK(now != nullptr);  // before create() there is nothing to read
        return now;
    }

    Result<Hash256> consensus_digest() const override;
    Stats stats() const override;
    void close() override { database_->close(); }

    Result<Hash256> genesis_hash() const {
        BLOBVM_TRY(const auto record, database_->get(Family::kState, detail::genesis_key().view()));
        if (!record) return fail(ErrorCode::kNotFound, "the store holds no chain");
        return detail::decode_id<Hash256>(*record);
    }

  private:
    RocksStore(std::shared_ptr<Database> database, const OpenOptions& options)
        : database_{std::move(database)},
          undo_depth_{std::max<std::uint64_t>(options.undo_depth, 1)},
          values_{std::make_shared<ValueCache>(options.cache_bytes / 4 * 3)} {}

    /// Finds the tip and the oldest undo record.
    Result<void> load();

    Result<UndoRecord> undo_of(const chain::Changes& changes) const;
    Result<void> undo_tip(const Tip& tip) REQUIRES(writer_);

    void put(Family family, const RecordKey& key, std::string_view value) REQUIRES(writer_) {
        database_->put(batch_, family, key.view(), value);
    }
    void remove(Family family, const RecordKey& key) REQUIRES(writer_) {
        database_->remove(batch_, family, key.view());
    }
    void put_block(const chain::Block& block, FeeUnits units) REQUIRES(writer_);

    std::shared_ptr<const RocksSnapshot> published() const EXCLUDES(mutex_) {
        const Lock lock{mutex_};
        return published_;
    }
    void publish(const Tip& tip, std::uint64_t oldest_reachable) EXCLUDES(mutex_) {
        auto now = std::make_shared<const RocksSnapshot>(database_, values_, tip);
        const Lock lock{mutex_};
        published_.swap(now);  // the old one goes after the lock
        oldest_reachable_ = oldest_reachable;
    }

    const std::shared_ptr<Database> database_;
    const std::uint64_t undo_depth_;
    const std::shared_ptr<ValueCache> values_;

    Mutex writer_ ACQUIRED_BEFORE(mutex_);
    rocksdb::WriteBatch batch_ GUARDED_BY(writer_);  ///< kept for its memory

    mutable Mutex mutex_;
    std::shared_ptr<const RocksSnapshot> published_ GUARDED_BY(mutex_);  ///< null: no chain yet
    std::uint64_t oldest_reachable_ GUARDED_BY(mutex_) = 0;
};

Result<std::shared_ptr<Database>> open_patiently(const std::string& folder,
                                                 std::uint64_t cache_bytes) {
    const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
    for (;;) {
        auto database = Database::open(folder, cache_bytes);
        if (database || database.error().code != ErrorCode::kStoreLocked ||
            std::chrono::steady_clock::now() >= deadline) {
            return database;
        }
        std::this_thread::sleep_for(kLockPause);  // a predecessor that is about to end
    }
}

Result<std::unique_ptr<ChainStore>> RocksStore::open(const OpenOptions& options) {
    const std::string folder = database_folder(options.directory);
    BLOBVM_TRY(detail::ensure_stamped(folder, options.chain_id));
    BLOBVM_TRY(auto database, open_patiently(folder, options.cache_bytes / 4));
    std::unique_ptr<RocksStore> store{new RocksStore{std::move(database), options}};
    BLOBVM_TRY(store->load());
    return std::unique_ptr<ChainStore>{std::move(store)};
}

Result<void> RocksStore::load() {
    auto last = read_last_accepted(*database_);
    if (!last && last.error().code == ErrorCode::kNotFound) return {};  // no chain yet
    BLOBVM_TRY(const BlockId id, std::move(last));
    auto stored = read_stored(*database_, id);
    if (!stored) return damaged("last accepted block: " + stored.error().message());
    BLOBVM_TRY(const chain::RawBlock block, chain::decode_block(std::move(*stored)));
    const Tip tip{.height = block.header.height, .id = id};
    BLOBVM_TRY(const IndexRecord index, read_index(*database_, tip.height));
    if (index.id != id) return damaged("height index and last accepted block differ");

    std::optional<std::uint64_t> oldest_undo;
    BLOBVM_TRY(database_->scan(detail::undo_key(0).view(), detail::undo_key(~0ULL).view(),
                               [&](std::string_view key, std::string_view) {
                                   oldest_undo = detail::height_of_undo_key(key);
                                   return false;
                               }));
    publish(tip, oldest_undo && *oldest_undo > 0 ? *oldest_undo - 1 : tip.height);
    return {};
}

void RocksStore::put_block(const chain::Block& block, FeeUnits units) {
    const Bytes stored = chain::stored_form(block);
    put(Family::kBodies, detail::block_key(block.id), as_chars(stored));
    put(Family::kState, detail::index_key(block.header.height),
        detail::encode_index({.id = block.id, .units = units}));
    put(Family::kState, detail::last_accepted_key(), as_chars(block.id.view()));
}

Result<void> RocksStore::create(const chain::Genesis& genesis, const chain::Block& block,
                                const std::vector<chain::Allocation>& balances) {
    const Lock writing{writer_};
    if (has_chain()) return fail(ErrorCode::kInvalidState, "the store holds a chain already");
    batch_.Clear();
    const Hash256 hash = keccak256(chain::encode_genesis(genesis));
    put(Family::kState, detail::genesis_key(), as_chars(hash.view()));
    for (const chain::Allocation& allocation : balances) {
        put(Family::kState, detail::balance_key(allocation.address),
            detail::encode_balance(allocation.balance));
    }
    put_block(block, FeeUnits{});
    BLOBVM_TRY(database_->write(batch_, /*sync=*/true));
    publish({.height = block.header.height, .id = block.id}, block.header.height);
    return {};
}

Result<std::optional<std::pair<BlobKey, chain::BlobMeta>>> RocksStore::first_blob_from(
    const BlobKey& start) const {
    const RecordKey first = detail::blob_key(start);
    std::optional<std::pair<BlobKey, std::string>> found;
    bool odd = false;
    BLOBVM_TRY(
        database_->scan(first.view(), "\3\x30", [&](std::string_view key, std::string_view record) {
            odd = key.size() != 2 + BlobKey::kSize;
            if (!odd) found.emplace(BlobKey::from(as_bytes(key.substr(2))), record);
            return false;
        }));
    if (odd) return damaged("blob record of odd key length");
    if (!found) return std::optional<std::pair<BlobKey, chain::BlobMeta>>{};
    BLOBVM_TRY(const chain::BlobMeta meta, chain::decode_blob_meta(as_bytes(found->second)));
    return std::optional{std::pair{found->first, meta}};
}

Result<UndoRecord> RocksStore::undo_of(const chain::Changes& changes) const {
    std::vector<RecordKey> keys;
    keys.reserve(changes.balances.size());
    std::vector<std::string_view> views;
    for (const auto& [address, balance] : changes.balances) {
        keys.push_back(detail::balance_key(address));
        views.push_back(keys.back().view());  // stays: `keys` does not grow beyond its capacity
    }
    BLOBVM_TRY(const auto before, database_->get_many(views));

    UndoRecord undo;
    for (std::size_t i = 0; i < before.size(); ++i) {
        std::optional<Amount> old;
        if (before[i]) {
            BLOBVM_TRY(old, detail::decode_balance(*before[i]));
        }
        undo.balances.emplace_back(changes.balances[i].first, old);
    }
    for (const auto& [key, meta] : changes.blobs) undo.blobs.push_back(key);
    return undo;
}

Result<void> RocksStore::commit(const chain::Block& block, const chain::BlockSummary& summary,
                                const chain::Changes& changes, Durability durability) {
    const Lock writing{writer_};
    const Tip parent = tip();
    const std::uint64_t height = block.header.height;
    if (!has_chain() || block.header.parent != parent.id || height != parent.height + 1 ||
        summary.id != block.id) {
        return fail(ErrorCode::kInvalidState, "the block is no child of the last accepted one");
    }
    BLOBVM_TRY(const UndoRecord undo, undo_of(changes));

    batch_.Clear();
    put_block(block, summary.units);
    // In the order of their keys, which is the quickest for the database.
    for (const chain::Transaction* tx : sorted_by(block.transactions, [](const auto& each) {
             return std::pair{each->id, each.get()};
         })) {
        put(Family::kState, detail::transaction_key(tx->id), "");
        const chain::SetFields* const set = tx->fields().set();
        if (set != nullptr && !set->value.empty()) {
            put(Family::kBodies, detail::value_key(tx->id), as_chars(set->value));
        }
    }
    const auto with_key = [](const auto& each) { return std::pair{each.first, &each}; };
    for (const auto* blob : sorted_by(changes.blobs, with_key)) {
        const Bytes record = chain::encode_blob_meta(blob->second);
        put(Family::kState, detail::blob_key(blob->first), as_chars(record));
    }
    for (const auto* account : sorted_by(changes.balances, with_key)) {
        put(Family::kState, detail::balance_key(account->first),
            detail::encode_balance(account->second));
    }
    put(Family::kState, detail::undo_key(height), detail::encode_undo(undo));
    // Usually one; more where the depth has been lowered.
    std::uint64_t oldest = oldest_reachable_height();
    for (; oldest + undo_depth_ < height; ++oldest) {
        remove(Family::kState, detail::undo_key(oldest + 1));
    }
    BLOBVM_TRY(database_->write(batch_, durability == Durability::kSynced));
    publish({.height = height, .id = block.id}, oldest);
    return {};
}

Result<SharedBytes> RocksStore::block_bytes(const BlockId& id) const {
    BLOBVM_TRY(SharedBytes stored, read_stored(*database_, id));
    return chain::full_form(id, std::move(stored), [this](const TxId& tx) -> Result<Bytes> {
        BLOBVM_TRY(const auto value, database_->get(Family::kBodies, detail::value_key(tx).view()));
        if (!value) return damaged("stored block without a value");
        return to_bytes(as_bytes(*value));
    });
}

Result<std::vector<chain::BlockSummary>> RocksStore::recent_summaries(
    std::int64_t lookback_s) const {
    if (!has_chain()) return fail(ErrorCode::kNotFound, "the store holds no chain");
    std::vector<chain::BlockSummary> newest_first;
    for (std::uint64_t height = tip().height;; --height) {
        BLOBVM_TRY(chain::BlockSummary summary, read_summary(*database_, height));
        if (!newest_first.empty() && newest_first.back().parent != summary.id) {
            return damaged(fmt::format("block at height {} is not the parent of the next", height));
        }
        newest_first.push_back(std::move(summary));
        std::int64_t age_s = 0;
        const bool ancient = __builtin_sub_overflow(newest_first.front().timestamp_s,
                                                    newest_first.back().timestamp_s, &age_s);
        if (height == 0 || ancient || age_s > lookback_s) break;
    }
    std::reverse(newest_first.begin(), newest_first.end());
    return newest_first;
}

Result<void> RocksStore::roll_back_to(std::uint64_t height) {
    const Lock writing{writer_};
    if (height < oldest_reachable_height()) {
        return fail(ErrorCode::kNotFound,
                    fmt::format("undo records reach back to height {}, not {}",
                                oldest_reachable_height(), height));
    }
    if (tip().height <= height) return {};
    while (tip().height > height) BLOBVM_TRY(undo_tip(tip()));
    return database_->sync();
}

Result<void> RocksStore::undo_tip(const Tip& tip) {
    BLOBVM_TRY(const chain::BlockSummary block, read_summary(*database_, tip.height));
    BLOBVM_TRY(const auto record,
               database_->get(Family::kState, detail::undo_key(tip.height).view()));
    if (!record) return damaged(fmt::format("no undo record for height {}", tip.height));
    BLOBVM_TRY(const UndoRecord undo, detail::decode_undo(*record));

    batch_.Clear();
    for (const TxId& id : block.transactions) {
        remove(Family::kState, detail::transaction_key(id));
        remove(Family::kBodies, detail::value_key(id));  // a transfer has none: no harm
    }
    for (const BlobKey& key : undo.blobs) remove(Family::kState, detail::blob_key(key));
    for (const auto& [address, balance] : undo.balances) {
        const RecordKey key = detail::balance_key(address);
        if (balance) {
            put(Family::kState, key, detail::encode_balance(*balance));
        } else {
            remove(Family::kState, key);
        }
    }
    remove(Family::kBodies, detail::block_key(tip.id));
    remove(Family::kState, detail::index_key(tip.height));
    remove(Family::kState, detail::undo_key(tip.height));
    put(Family::kState, detail::last_accepted_key(), as_chars(block.parent.view()));
    BLOBVM_TRY(database_->write(batch_, /*sync=*/false));
    publish({.height = tip.height - 1, .id = block.parent}, oldest_reachable_height());
    return {};
}

Result<Hash256> RocksStore::consensus_digest() const {
    Keccak256 digest;
    const auto update = [&digest](std::string_view bytes) {
        const auto size = static_cast<std::uint32_t>(bytes.size());
        const std::array<std::byte, 4> length{std::byte(size >> 24), std::byte(size >> 16),
                                              std::byte(size >> 8), std::byte(size)};
        digest.update(length).update(as_bytes(bytes));
    };
    BLOBVM_TRY(database_->scan("\1", "\5", [&](std::string_view key, std::string_view value) {
        update(key);
        update(value);
        return true;
    }));
    return digest.finish();
}

ChainStore::Stats RocksStore::stats() const {
    const ValueCache::Stats values = values_->stats();
    const std::optional<std::string> failure = database_->failure();
    return {.disk_bytes = database_->disk_bytes(),
            .memory_bytes = database_->memory_bytes() + values.bytes,
            .cache_hits = values.hits,
            .cache_misses = values.misses,
            .failed = failure.has_value(),
            .failure = failure.value_or("")};
}

}  // namespace

Result<std::unique_ptr<ChainStore>> open_rocks_store(const OpenOptions& options) {
    return RocksStore::open(options);
}

Result<ChainId> stored_chain(const std::string& directory) {
    return detail::stamped_chain(database_folder(directory));
}

Result<void> check_genesis(const ChainStore& store, const chain::Genesis& genesis) {
    const auto* const rocks = dynamic_cast<const RocksStore*>(&store);
    CHECK(rocks != nullptr);  // this folder's function for this folder's stores
    BLOBVM_TRY(const Hash256 kept, rocks->genesis_hash());
    if (kept == keccak256(chain::encode_genesis(genesis))) return {};
    return fail(ErrorCode::kStoreForeign, "the chain was created from another genesis");
}

Result<std::string> set_aside(const std::string& directory) {
    namespace fs = std::filesystem;
    const std::string folder = database_folder(directory);
    for (int n = 1;; ++n) {
        std::string aside = fmt::format("{}.aside-{}", folder, n);
        std::error_code error;
        if (fs::exists(fs::symlink_status(aside, error))) continue;
        if (!error || error == std::errc::no_such_file_or_directory) {
            error.clear();
            fs::rename(folder, aside, error);
        }
        if (error) return fail(ErrorCode::kStoreFailed, folder + ": " + error.message());
        BLOBVM_TRY(detail::sync_folder(directory));
        return aside;
    }
}

}  // namespace blobvm::vm::store
