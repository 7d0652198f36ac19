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
#include "vm/store/detail/balance_cache.hpp"
#include "vm/store/detail/block_log.hpp"
#include "vm/store/detail/block_writer.hpp"
#include "vm/store/detail/database.hpp"
#include "vm/store/detail/records.hpp"
#include "vm/store/detail/stamp.hpp"
#include "vm/store/detail/value_cache.hpp"

namespace blobvm::vm::store {
namespace {

using detail::BalanceCache;
using detail::BlobRecord;
using detail::BlockLog;
using detail::BlockWriter;
using detail::Database;
using detail::IndexRecord;
using detail::Place;
using detail::RecordKey;
using detail::UndoRecord;
using detail::ValueCache;

constexpr std::chrono::seconds kLockPatience{5};
constexpr std::chrono::milliseconds kLockPause{50};

std::string database_folder(const std::string& directory) { return directory + "/db"; }
std::string log_folder(const std::string& directory) { return directory + "/db/blocks"; }

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

/// The two halves of the store: records, and the blocks that they speak of. The log is written
/// before the records that point into it; which of the two is on disk first is left open.
struct Halves {
    std::shared_ptr<Database> records;
    std::shared_ptr<BlockLog> log;
};

// Reads that a snapshot and the store itself share: `at` is null for what was written last.

Result<BalanceCache::Balance> read_balance(const Database& records, const Address& address,
                                           const Database::Moment* at) {
    BLOBVM_TRY(const auto record, records.get(detail::balance_key(address).view(), at));
    if (!record) return BalanceCache::Balance{};
    BLOBVM_TRY(const Amount balance, detail::decode_balance(*record));
    return BalanceCache::Balance{.amount = balance, .recorded = true};
}

Result<std::optional<BlobRecord>> read_blob(const Database& records, const BlobKey& key,
                                            const Database::Moment* at) {
    BLOBVM_TRY(const auto record, records.get(detail::blob_key(key).view(), at));
    if (!record) return std::optional<BlobRecord>{};
    BLOBVM_TRY(const BlobRecord blob, detail::decode_blob(*record));
    return std::optional{blob};
}

Result<std::optional<chain::BlobMeta>> read_meta(const Database& records, const BlobKey& key,
                                                 const Database::Moment* at) {
    BLOBVM_TRY(const auto blob, read_blob(records, key, at));
    return blob ? std::optional{blob->meta} : std::nullopt;
}

Result<BlockId> read_last_accepted(const Database& records) {
    BLOBVM_TRY(const auto record, records.get(detail::last_accepted_key().view()));
    if (!record) return fail(ErrorCode::kNotFound);
    return detail::decode_id<BlockId>(*record);
}

Result<IndexRecord> read_index(const Database& records, std::uint64_t height) {
    BLOBVM_TRY(const auto record, records.get(detail::index_key(height).view()));
    if (!record) return fail(ErrorCode::kNotFound, fmt::format("no block at height {}", height));
    BLOBVM_TRY(IndexRecord index, detail::decode_index(*record));
    index.summary.height = height;
    return index;
}

Result<std::uint64_t> read_height(const Database& records, const BlockId& id) {
    BLOBVM_TRY(const auto record, records.get(detail::block_key(id).view()));
    if (!record) return fail(ErrorCode::kNotFound);
    return detail::decode_height(*record);
}

Result<chain::BlockSummary> read_summary(const Database& records, std::uint64_t height) {
    BLOBVM_TRY(IndexRecord index, read_index(records, height));
    BLOBVM_TRY(const auto ids, records.get(detail::transactions_key(height).view()));
    if (!ids) return damaged(fmt::format("no transactions of height {}", height));
    BLOBVM_TRY(index.summary.transactions, detail::decode_ids(*ids));
    return std::move(index.summary);
}

/// The block's bytes, checked against its id.
Result<std::string> read_block(const BlockLog& log, const IndexRecord& index) {
    BLOBVM_TRY(std::string bytes, log.read(index.place, index.size_bytes));
    if (retag<BlockId>(keccak256(as_bytes(bytes))) != index.summary.id) {
        return damaged(fmt::format("block at height {}: wrong hash", index.summary.height));
    }
    return bytes;
}

class RocksSnapshot final : public ChainSnapshot {
  public:
    RocksSnapshot(Halves halves, std::shared_ptr<ValueCache> values, Tip tip)
        : halves_{std::move(halves)},
          values_{std::move(values)},
          tip_{tip},
          moment_{halves_.records} {}

    Tip tip() const override { return tip_; }

    Result<Amount> balance(const Address& address) const override {
        BLOBVM_TRY(const auto balance, read_balance(*halves_.records, address, &moment_));
        return balance.amount;
    }

    Result<std::optional<chain::BlobMeta>> blob_meta(const BlobKey& key) const override {
        return read_meta(*halves_.records, key, &moment_);
    }

    Result<bool> has_transaction(const TxId& id) const override {
        BLOBVM_TRY(const auto record,
                   halves_.records->get(detail::transaction_key(id).view(), &moment_));
        return record.has_value();
    }

    Result<SharedBytes> blob(const BlobKey& key) const override {
        BLOBVM_TRY(const auto found, read_blob(*halves_.records, key, &moment_));
        if (!found) return fail(ErrorCode::kNotFound);
        if (SharedBytes cached = values_->find(key); !cached.empty()) return cached;

        BLOBVM_TRY(std::string bytes, halves_.log->read(found->value, found->meta.size_bytes));
        if (retag<BlobKey>(keccak256(as_bytes(bytes))) != key) {
            return damaged("value does not hash to its key");
        }
        SharedBytes value{std::move(bytes)};
        values_->add(key, value);
        return value;
    }

  private:
    const Halves halves_;
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
        BLOBVM_TRY(const auto balance, latest_balance(address));
        return balance.amount;
    }
    Result<std::optional<chain::BlobMeta>> blob_meta(const BlobKey& key) const override {
        return read_meta(*halves_.records, key, nullptr);
    }
    Result<std::optional<std::pair<BlobKey, chain::BlobMeta>>> first_blob_from(
        const BlobKey& start) const override;

    void stage(const SharedBytes& bytes, std::uint64_t height) override {
        writer_.stage(bytes, height);
    }
    Result<void> commit(const chain::Block& block, const chain::BlockSummary& summary,
                        const chain::Changes& changes, Durability durability) override;
    Result<void> sync() override;

    Result<SharedBytes> block_bytes(const BlockId& id) const override;
    Result<BlockId> block_id_at(std::uint64_t height) const override {
        BLOBVM_TRY(const IndexRecord index, read_index(*halves_.records, height));
        return index.summary.id;
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
    void close() override;

    Result<Hash256> genesis_hash() const {
        BLOBVM_TRY(const auto record, halves_.records->get(detail::genesis_key().view()));
        if (!record) return fail(ErrorCode::kNotFound, "the store holds no chain");
        return detail::decode_id<Hash256>(*record);
    }

  private:
    RocksStore(Halves halves, const OpenOptions& options)
        : halves_{std::move(halves)},
          writer_{halves_.log},
          undo_depth_{std::max<std::uint64_t>(options.undo_depth, 1)},
          values_{std::make_shared<ValueCache>(options.cache_bytes / 4 * 3)} {}

    /// Finds the tip and the oldest undo record.
    Result<void> load();

    /// Goes back to where the log is whole, if the machine went down before it was on disk.
    Result<void> drop_lost_blocks() EXCLUDES(write_mutex_);

    Result<BalanceCache::Balance> latest_balance(const Address& address) const;
    Result<UndoRecord> undo_of(const chain::Changes& changes) const;
    Result<void> undo_blocks_above(std::uint64_t height) REQUIRES(write_mutex_);
    Result<void> undo_tip(const Tip& tip) REQUIRES(write_mutex_);

    void put(const RecordKey& key, std::string_view value) REQUIRES(write_mutex_);
    void remove(const RecordKey& key) REQUIRES(write_mutex_);

    /// Syncs the log, if at all, and writes the batch: where the disk has failed the log, nobody
    /// ever reads what the batch holds. In which order they reach the disk unsynced does not
    /// matter: a block above the height that its own record calls synced is looked at on start.
    Result<void> write(const Tip& tip, Durability durability) REQUIRES(write_mutex_);

    /// Appends the block to the log; its records go into the batch.
    Result<Place> put_block(const chain::Block& block, const chain::BlockSummary& summary,
                            Durability durability) REQUIRES(write_mutex_);
    void put_blobs(const chain::Block& block, Place place, const chain::Changes& changes)
        REQUIRES(write_mutex_);

    /// The result of writing to the log: a failure is final, as one of the records' is.
    template <class T>
    Result<T> logged(Result<T> result) {
        if (!result) halves_.records->give_up(result.error().detail);
        return result;
    }

    std::shared_ptr<const RocksSnapshot> published() const EXCLUDES(mutex_) {
        const Lock lock{mutex_};
        return published_;
    }
    void publish(const Tip& tip, std::uint64_t oldest_reachable) EXCLUDES(mutex_) {
        auto now = std::make_shared<const RocksSnapshot>(halves_, values_, tip);
        const Lock lock{mutex_};
        published_.swap(now);  // the old one goes after the lock
        oldest_reachable_ = oldest_reachable;
    }

    const Halves halves_;
    BlockWriter writer_;  ///< of the log
    const std::uint64_t undo_depth_;
    const std::shared_ptr<ValueCache> values_;
    mutable BalanceCache balances_;
    std::uint64_t lost_blocks_ = 0;  ///< set while opening

    Mutex write_mutex_ ACQUIRED_BEFORE(mutex_);
    rocksdb::WriteBatch batch_ GUARDED_BY(write_mutex_);        ///< kept for its memory
    std::uint64_t synced_height_ GUARDED_BY(write_mutex_) = 0;  ///< to which the log is on disk

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
    BLOBVM_TRY(auto records, open_patiently(folder, options.cache_bytes / 4));
    BLOBVM_TRY(std::shared_ptr<BlockLog> log, BlockLog::open(log_folder(options.directory)));
    std::unique_ptr<RocksStore> store{
        new RocksStore{{std::move(records), std::move(log)}, options}};
    BLOBVM_TRY(store->load());
    if (store->has_chain()) BLOBVM_TRY(store->drop_lost_blocks());
    return std::unique_ptr<ChainStore>{std::move(store)};
}

Result<void> RocksStore::load() {
    auto last = read_last_accepted(*halves_.records);
    if (!last && last.error().code == ErrorCode::kNotFound) return {};  // no chain yet
    BLOBVM_TRY(const BlockId id, std::move(last));
    const auto height = read_height(*halves_.records, id);
    if (!height) return damaged("last accepted block: " + height.error().message());
    BLOBVM_TRY(const IndexRecord index, read_index(*halves_.records, *height));
    if (index.summary.id != id) return damaged("height index and last accepted block differ");

    std::optional<std::uint64_t> oldest_undo;
    BLOBVM_TRY(halves_.records->scan(detail::undo_key(0).view(), detail::undo_key(~0ULL).view(),
                                     [&](std::string_view key, std::string_view) {
                                         oldest_undo = detail::height_of_undo_key(key);
                                         return false;
                                     }));
    publish({.height = *height, .id = id},
            oldest_undo && *oldest_undo > 0 ? *oldest_undo - 1 : *height);
    return {};
}

Result<void> RocksStore::drop_lost_blocks() {
    const Lock writing{write_mutex_};
    BLOBVM_TRY(const IndexRecord last, read_index(*halves_.records, tip().height));
    synced_height_ = last.synced_height;
    for (std::uint64_t height = synced_height_ + 1; height <= tip().height; ++height) {
        BLOBVM_TRY(const IndexRecord index, read_index(*halves_.records, height));
        const auto whole = read_block(*halves_.log, index);
        if (whole) continue;
        if (whole.error().code != ErrorCode::kCorruption) return fail(whole.error());
        lost_blocks_ = tip().height - (height - 1);
        return undo_blocks_above(height - 1);
    }
    return {};
}

void RocksStore::put(const RecordKey& key, std::string_view value) {
    const std::string_view name = key.view();
    CHECK(batch_.Put({name.data(), name.size()}, {value.data(), value.size()}).ok());
}

void RocksStore::remove(const RecordKey& key) {
    const std::string_view name = key.view();
    CHECK(batch_.Delete({name.data(), name.size()}).ok());
}

Result<Place> RocksStore::put_block(const chain::Block& block, const chain::BlockSummary& summary,
                                    Durability durability) {
    BLOBVM_TRY(halves_.records->not_failed());
    BLOBVM_TRY(const Place place, logged(writer_.write(block.bytes, summary.height)));
    if (durability == Durability::kSynced) writer_.begin_sync();
    put(detail::block_key(block.id), detail::encode_height(summary.height));
    put(detail::index_key(summary.height),
        detail::encode_index({.summary = summary,
                              .place = place,
                              .size_bytes = static_cast<std::uint32_t>(block.bytes.size()),
                              .synced_height = synced_height_}));
    put(detail::transactions_key(summary.height), detail::encode_ids(summary.transactions));
    put(detail::last_accepted_key(), as_chars(block.id.view()));
    return place;
}

Result<void> RocksStore::write(const Tip& tip, Durability durability) {
    const bool synced = durability == Durability::kSynced;
    if (synced) BLOBVM_TRY(logged(writer_.sync()));
    BLOBVM_TRY(halves_.records->write(batch_, synced));
    if (synced) synced_height_ = tip.height;
    return {};
}

/// In the order of their keys, which is the quickest for the database.
void RocksStore::put_blobs(const chain::Block& block, Place place, const chain::Changes& changes) {
    const std::vector<std::size_t> offsets = chain::value_offsets(block);
    std::vector<std::pair<BlobKey, BlobRecord>> blobs;
    blobs.reserve(changes.blobs.size());
    std::size_t i = 0;
    for (const auto& [key, meta] : changes.blobs) {  // in the order of their transactions
        while (i < offsets.size() && block.transactions[i]->id != meta.tx) ++i;
        CHECK(i < offsets.size());
        const auto offset = static_cast<std::uint32_t>(offsets[i]);
        blobs.emplace_back(key, BlobRecord{meta, {place.file, place.offset + offset}});
    }
    std::sort(blobs.begin(), blobs.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [key, record] : blobs) put(detail::blob_key(key), detail::encode_blob(record));
}

Result<void> RocksStore::create(const chain::Genesis& genesis, const chain::Block& block,
                                const std::vector<chain::Allocation>& balances) {
    const Lock writing{write_mutex_};
    if (has_chain()) return fail(ErrorCode::kInvalidState, "the store holds a chain already");
    batch_.Clear();
    const Hash256 hash = keccak256(chain::encode_genesis(genesis));
    put(detail::genesis_key(), as_chars(hash.view()));
    for (const chain::Allocation& allocation : balances) {
        put(detail::balance_key(allocation.address), detail::encode_balance(allocation.balance));
    }
    BLOBVM_TRY(put_block(block, chain::summarise(block, genesis), Durability::kSynced));
    BLOBVM_TRY(logged(writer_.sync()));  // first: below genesis there is nothing to go back to
    balances_.begin_write();
    const Tip first{.height = block.header.height, .id = block.id};
    const Result<void> written = write(first, Durability::kSynced);
    balances_.forget_all();
    BLOBVM_TRY(written);
    publish(first, first.height);
    return {};
}

Result<std::optional<std::pair<BlobKey, chain::BlobMeta>>> RocksStore::first_blob_from(
    const BlobKey& start) const {
    const RecordKey first = detail::blob_key(start);
    std::optional<std::pair<BlobKey, std::string>> found;
    bool odd = false;
    BLOBVM_TRY(halves_.records->scan(
        first.view(), "\3\x30", [&](std::string_view key, std::string_view record) {
            odd = key.size() != 2 + BlobKey::kSize;
            if (!odd) found.emplace(BlobKey::from(as_bytes(key.substr(2))), record);
            return false;
        }));
    if (odd) return damaged("blob record of odd key length");
    if (!found) return std::optional<std::pair<BlobKey, chain::BlobMeta>>{};
    BLOBVM_TRY(const BlobRecord blob, detail::decode_blob(found->second));
    return std::optional{std::pair{found->first, blob.meta}};
}

Result<BalanceCache::Balance> RocksStore::latest_balance(const Address& address) const {
    if (const auto known = balances_.find(address)) return *known;
    const BalanceCache::Moment now = balances_.now();
    BLOBVM_TRY(const auto balance, read_balance(*halves_.records, address, nullptr));
    balances_.keep(address, balance, now);
    return balance;
}

Result<UndoRecord> RocksStore::undo_of(const chain::Changes& changes) const {
    UndoRecord undo;
    undo.balances.reserve(changes.balances.size());
    for (const auto& [address, balance] : changes.balances) {
        BLOBVM_TRY(const auto before, latest_balance(address));
        undo.balances.emplace_back(address,
                                   before.recorded ? std::optional{before.amount} : std::nullopt);
    }
    for (const auto& [key, meta] : changes.blobs) undo.blobs.push_back(key);
    return undo;
}

Result<void> RocksStore::commit(const chain::Block& block, const chain::BlockSummary& summary,
                                const chain::Changes& changes, Durability durability) {
    const Lock writing{write_mutex_};
    const Tip parent = tip();
    const std::uint64_t height = block.header.height;
    if (!has_chain() || block.header.parent != parent.id || height != parent.height + 1 ||
        summary.id != block.id) {
        return fail(ErrorCode::kInvalidState, "the block is no child of the last accepted one");
    }
    BLOBVM_TRY(const UndoRecord undo, undo_of(changes));

    batch_.Clear();
    BLOBVM_TRY(const Place place, put_block(block, summary, durability));
    // In the order of their keys, too.
    for (const chain::Transaction* tx : sorted_by(block.transactions, [](const auto& each) {
             return std::pair{each->id, each.get()};
         })) {
        put(detail::transaction_key(tx->id), "");
    }
    put_blobs(block, place, changes);
    const auto with_key = [](const auto& each) { return std::pair{each.first, &each}; };
    for (const auto* account : sorted_by(changes.balances, with_key)) {
        put(detail::balance_key(account->first), detail::encode_balance(account->second));
    }
    put(detail::undo_key(height), detail::encode_undo(undo));
    // Usually one; more where the depth has been lowered.
    std::uint64_t oldest = oldest_reachable_height();
    for (; oldest + undo_depth_ < height; ++oldest) {
        remove(detail::undo_key(oldest + 1));
    }
    balances_.begin_write();
    const Tip next{.height = height, .id = block.id};
    const Result<void> written = write(next, durability);
    if (!written) {
        balances_.forget_all();
        return written;
    }
    balances_.end_write(changes.balances);
    publish(next, oldest);
    return {};
}

Result<void> RocksStore::sync() {
    const Lock writing{write_mutex_};
    BLOBVM_TRY(halves_.records->not_failed());
    if (!has_chain() || synced_height_ == tip().height) return halves_.records->sync();
    BLOBVM_TRY(logged(writer_.sync()));
    synced_height_ = tip().height;
    BLOBVM_TRY(IndexRecord index, read_index(*halves_.records, synced_height_));
    index.synced_height = synced_height_;
    batch_.Clear();
    put(detail::index_key(synced_height_), detail::encode_index(index));
    return halves_.records->write(batch_, /*sync=*/true);
}

void RocksStore::close() {
    writer_.stop();
    // What fails here is told by stats().
    if (!halves_.records->failure()) static_cast<void>(sync());
    halves_.records->close();
    balances_.begin_write();  // nothing is written, but nothing may be told from now on either
    balances_.forget_all();
}

Result<SharedBytes> RocksStore::block_bytes(const BlockId& id) const {
    BLOBVM_TRY(const std::uint64_t height, read_height(*halves_.records, id));
    BLOBVM_TRY(const IndexRecord index, read_index(*halves_.records, height));
    if (index.summary.id != id) return damaged("a block's height is another block's");
    BLOBVM_TRY(std::string bytes, read_block(*halves_.log, index));
    return SharedBytes{std::move(bytes)};
}

Result<std::vector<chain::BlockSummary>> RocksStore::recent_summaries(
    std::int64_t lookback_s) const {
    if (!has_chain()) return fail(ErrorCode::kNotFound, "the store holds no chain");
    std::vector<chain::BlockSummary> newest_first;
    for (std::uint64_t height = tip().height;; --height) {
        BLOBVM_TRY(chain::BlockSummary summary, read_summary(*halves_.records, height));
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
    const Lock writing{write_mutex_};
    if (height < oldest_reachable_height()) {
        return fail(ErrorCode::kNotFound,
                    fmt::format("undo records reach back to height {}, not {}",
                                oldest_reachable_height(), height));
    }
    return undo_blocks_above(height);
}

Result<void> RocksStore::undo_blocks_above(std::uint64_t height) {
    if (tip().height <= height) return {};
    while (tip().height > height) BLOBVM_TRY(undo_tip(tip()));
    synced_height_ = std::min(synced_height_, height);
    return halves_.records->sync();
}

Result<void> RocksStore::undo_tip(const Tip& tip) {
    BLOBVM_TRY(const chain::BlockSummary block, read_summary(*halves_.records, tip.height));
    BLOBVM_TRY(const auto record, halves_.records->get(detail::undo_key(tip.height).view()));
    if (!record) return damaged(fmt::format("no undo record for height {}", tip.height));
    BLOBVM_TRY(const UndoRecord undo, detail::decode_undo(*record));

    batch_.Clear();
    for (const TxId& id : block.transactions) {
        remove(detail::transaction_key(id));
    }
    for (const BlobKey& key : undo.blobs) remove(detail::blob_key(key));
    for (const auto& [address, balance] : undo.balances) {
        const RecordKey key = detail::balance_key(address);
        if (balance) {
            put(key, detail::encode_balance(*balance));
        } else {
            remove(key);
        }
    }
    remove(detail::block_key(tip.id));
    remove(detail::index_key(tip.height));
    remove(detail::transactions_key(tip.height));
    remove(detail::undo_key(tip.height));
    put(detail::last_accepted_key(), as_chars(block.parent.view()));
    balances_.begin_write();
    const Result<void> written = halves_.records->write(batch_, /*sync=*/false);
    balances_.forget_all();
    BLOBVM_TRY(written);
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
    BLOBVM_TRY(halves_.records->scan("\1", "\5", [&](std::string_view key, std::string_view value) {
        // Where a value lies is this node's own affair.
        const bool blob = key.starts_with('\3');
        update(key);
        update(blob ? value.substr(0, detail::kBlobMetaBytes) : value);
        return true;
    }));
    return digest.finish();
}

ChainStore::Stats RocksStore::stats() const {
    const ValueCache::Stats values = values_->stats();
    const std::optional<std::string> failure = halves_.records->failure();
    return {.disk_bytes = halves_.records->disk_bytes(),
            .memory_bytes = halves_.records->memory_bytes() + values.bytes,
            .cache_hits = values.hits,
            .cache_misses = values.misses,
            .lost_blocks = lost_blocks_,
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
