#include "vm/store/detail/database.hpp"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "chain/base/check.hpp"

namespace blobvm::vm::store::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kBufferBytes = 16 * kMiB;
constexpr std::size_t kPrefixBytes = 2;  ///< of a key: its kind

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

Failure failure_of(const rocksdb::Status& status) {
    const bool damaged = status.IsCorruption();
    return fail(damaged ? ErrorCode::kCorruption : ErrorCode::kStoreFailed, status.ToString());
}

/// Hears of failures in RocksDB's own threads.
class FailureListener final : public rocksdb::EventListener {
  public:
    explicit FailureListener(std::shared_ptr<Database::Latch> latch) : latch_{std::move(latch)} {}

    void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
        latch_->set(status->ToString());
    }

  private:
    std::shared_ptr<Database::Latch> latch_;
};

/// Bounded in memory, files and recovery time; defaults that matter are pinned. No retries after
/// an i/o error: the kernel may have dropped what it could not write.
rocksdb::Options database_options(const std::shared_ptr<rocksdb::Cache>& cache) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.paranoid_checks = true;
    options.flush_verify_memtable_count = true;
    options.track_and_verify_wals_in_manifest = true;
    options.verify_sst_unique_id_in_manifest = true;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.max_bgerror_resume_count = 0;
    options.recycle_log_file_num = 0;
    options.manual_wal_flush = false;
    options.unordered_write = false;
    options.two_write_queues = false;
    options.best_efforts_recovery = false;
    options.avoid_flush_during_shutdown = false;
    options.allow_mmap_writes = false;
    options.max_total_wal_size = 64 * kMiB;
    options.max_open_files = 512;
    options.max_background_jobs = 2;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    // Debian's library would log at debug level: it is built without NDEBUG.
    options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    options.max_log_file_size = 1 * kMiB;
    options.keep_log_file_num = 4;

    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    // Filters and indexes grow with the chain: in the cache they are bounded, and in small parts,
    // of which the cache holds those that are used.
    table.cache_index_and_filter_blocks = true;
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
    table.pin_top_level_index_and_filter = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    table.checksum = rocksdb::kXXH3;
    table.format_version = 5;

    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.compression = rocksdb::kNoCompression;  // keys and ids are random
    options.paranoid_file_checks = true;
    options.force_consistency_checks = true;
    options.check_flush_compaction_key_order = true;
    options.memtable_protection_bytes_per_key = 8;
    options.write_buffer_size = kBufferBytes;
    // Most look-ups ask for what is not there (is this key taken?): not one step in the list then.
    options.memtable_whole_key_filtering = true;
    options.memtable_prefix_bloom_size_ratio = 0.1;
    // A block's records of one kind come in order: each begins where the one before went in.
    options.memtable_insert_with_hint_prefix_extractor.reset(
        rocksdb::NewFixedPrefixTransform(kPrefixBytes));
    options.max_write_buffer_number = 2;
    return options;
}

/// Whether an open failed because of the lock: RocksDB has no status of its own for it. (Trying
/// the lock again would not tell: its owner may be gone by now.)
bool is_locked(const rocksdb::Status& status, const std::string& folder) {
    const std::string path = folder + "/LOCK";
    return status.IsIOError() && status.ToString().find(path) != std::string::npos &&
           ::access(path.c_str(), W_OK) == 0;
}

/// RocksDB would take a folder that has lost its CURRENT file for a new one, and delete the rest.
Result<void> check_current(const std::string& folder) {
    std::error_code error;
    if (fs::exists(folder + "/CURRENT", error)) return {};
    for (fs::directory_iterator it{folder, error}, end; !error && it != end; it.increment(error)) {
        const fs::path& path = it->path();
        if (path.extension() == ".sst" || path.filename() == "blocks") {
            return fail(ErrorCode::kCorruption,
                        fmt::format("{} has data files but no CURRENT file", folder));
        }
    }
    if (error) return fail(ErrorCode::kStoreFailed, error.message());
    return {};
}

rocksdb::ReadOptions read_options(const rocksdb::Snapshot* snapshot) {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    options.snapshot = snapshot;
    return options;
}

}  // namespace

void Database::Latch::set(std::string reason) {
    const Lock lock{mutex_};
    if (!reason_) reason_ = std::move(reason);
}

std::optional<std::string> Database::Latch::reason() const {
    const Lock lock{mutex_};
    return reason_;
}

Result<std::shared_ptr<Database>> Database::open(const std::string& folder,
                                                 std::uint64_t block_cache_bytes) {
    BLOBVM_TRY(check_current(folder));
    std::shared_ptr<Database> database{new Database};
    database->folder_ = folder;
    database->block_cache_ = rocksdb::NewLRUCache(block_cache_bytes);

    rocksdb::Options options = database_options(database->block_cache_);
    options.listeners.push_back(std::make_shared<FailureListener>(database->latch_));
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, folder, &db);
    database->db_.reset(db);
    if (status.ok()) return database;
    if (is_locked(status, folder)) {
        return fail(ErrorCode::kStoreLocked, folder);
    }
    return failure_of(status);
}

Database::~Database() { close(); }

Database::Moment::Moment(std::shared_ptr<Database> database) : database_{std::move(database)} {
    const Gate::Visit visit{database_->gate_};
    if (!visit) return;
    snapshot_ = database_->db_->GetSnapshot();
    const Lock lock{database_->mutex_};
    database_->snapshots_.insert(snapshot_);
}

Database::Moment::~Moment() {
    const Gate::Visit visit{database_->gate_};
    if (!visit || snapshot_ == nullptr) return;  // close() has released it
    {
        const Lock lock{database_->mutex_};
        database_->snapshots_.erase(snapshot_);
    }
    database_->db_->ReleaseSnapshot(snapshot_);
}

Result<std::optional<std::string>> Database::get(std::string_view key, const Moment* moment) const {
    const Gate::Visit visit{gate_};
    if (!visit) return fail(ErrorCode::kClosed);
    std::string value;
    const rocksdb::Status status =
        db_->Get(read_options(moment == nullptr ? nullptr : moment->snapshot_), slice(key), &value);
    if (status.ok()) return std::optional{std::move(value)};
    if (status.IsNotFound()) return std::optional<std::string>{};
    return failure_of(status);
}

Result<void> Database::scan(std::string_view start, std::string_view end,
                            const std::function<bool(std::string_view, std::string_view)>& visit,
                            const Moment* moment) const {
    const Gate::Visit inside{gate_};
    if (!inside) return fail(ErrorCode::kClosed);
    rocksdb::ReadOptions options = read_options(moment == nullptr ? nullptr : moment->snapshot_);
    const rocksdb::Slice upper = slice(end);
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> it{db_->NewIterator(options)};
    for (it->Seek(slice(start)); it->Valid(); it->Next()) {
        if (!visit(view(it->key()), view(it->value()))) return {};
    }
    if (!it->status().ok()) return failure_of(it->status());
    return {};
}

Result<void> Database::not_failed() const {
    if (auto reason = latch_->reason()) return fail(ErrorCode::kStoreFailed, std::move(*reason));
    return {};
}

Result<void> Database::write(rocksdb::WriteBatch& batch, bool sync) {
    const Gate::Visit visit{gate_};
    if (!visit) return fail(ErrorCode::kClosed);
    BLOBVM_TRY(not_failed());
    rocksdb::WriteOptions options;
    options.sync = sync;
    options.disableWAL = false;
    const rocksdb::Status status = db_->Write(options, &batch);
    if (!status.ok()) latch_->set(status.ToString());
    return not_failed();
}

Result<void> Database::sync() {
    const Gate::Visit visit{gate_};
    if (!visit) return fail(ErrorCode::kClosed);
    BLOBVM_TRY(not_failed());
    const rocksdb::Status status = db_->SyncWAL();
    if (!status.ok()) latch_->set(status.ToString());
    return not_failed();
}

std::uint64_t Database::disk_bytes() const {
    std::uint64_t sum = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator it{folder_, error}, end; !error && it != end;
         it.increment(error)) {
        std::error_code gone;  // files come and go meanwhile
        if (!it->is_regular_file(gone) || gone) continue;
        const std::uint64_t size = it->file_size(gone);
        if (!gone) sum += size;
    }
    return sum;
}

std::uint64_t Database::memory_bytes() const {
    const Gate::Visit visit{gate_};
    if (!visit) return 0;
    std::uint64_t sum = block_cache_->GetUsage();
    for (const std::string& property : {rocksdb::DB::Properties::kCurSizeAllMemTables,
                                        rocksdb::DB::Properties::kEstimateTableReadersMem}) {
        std::uint64_t bytes = 0;
        if (db_->GetIntProperty(property, &bytes)) sum += bytes;
    }
    return sum;
}

void Database::close() {
    if (!gate_.shut() || db_ == nullptr) return;
    {
        const Lock lock{mutex_};
        for (const rocksdb::Snapshot* snapshot : snapshots_) db_->ReleaseSnapshot(snapshot);
        snapshots_.clear();
    }
    if (!latch_->reason()) {
        // The log alone would do; empty, it makes the next start quick.
        const rocksdb::Status status = db_->Flush(rocksdb::FlushOptions{});
        if (!status.ok()) latch_->set(status.ToString());
    }
    const rocksdb::Status status = db_->Close();
    if (!status.ok()) latch_->set(status.ToString());
    db_.reset();
}

}  // namespace blobvm::vm::store::detail
