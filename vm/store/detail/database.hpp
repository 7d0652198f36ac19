#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chain/base/mutex.hpp"
#include "chain/base/result.hpp"
#include "vm/store/detail/gate.hpp"

namespace blobvm::vm::store::detail {

/// RocksDB with our options for small records, which stops writing for good after the first
/// failure, and can be closed beside readers. Safe from any thread; write() one thread at a time.
class Database {
  public:
    /// The first failure of a write, flush or compaction; nothing is written after it.
    class Latch {
      public:
        void set(std::string reason) EXCLUDES(mutex_);
        std::optional<std::string> reason() const EXCLUDES(mutex_);

      private:
        mutable Mutex mutex_;
        std::optional<std::string> reason_ GUARDED_BY(mutex_);
    };

    /// kStoreLocked if another process has it, kCorruption, kStoreFailed.
    static Result<std::shared_ptr<Database>> open(const std::string& folder,
                                                  std::uint64_t block_cache_bytes);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// A view of one moment. It goes stale (kClosed) with the database.
    class Moment {
      public:
        explicit Moment(std::shared_ptr<Database> database);
        ~Moment();
        Moment(const Moment&) = delete;
        Moment& operator=(const Moment&) = delete;

      private:
        friend class Database;
        std::shared_ptr<Database> database_;
        const rocksdb::Snapshot* snapshot_ = nullptr;
    };

    /// Reads one record; empty if there is none. Without a moment: what was written last.
    Result<std::optional<std::string>> get(std::string_view key,
                                           const Moment* moment = nullptr) const;

    /// Calls `visit` with the records from `start` (included) to `end` (not included), in order,
    /// until it returns false.
    Result<void> scan(std::string_view start, std::string_view end,
                      const std::function<bool(std::string_view, std::string_view)>& visit,
                      const Moment* moment = nullptr) const;

    /// kStoreFailed once a write has failed.
    Result<void> not_failed() const;

    /// All or nothing. With `sync` it is on disk afterwards. A failure is final: see failure().
    Result<void> write(rocksdb::WriteBatch& batch, bool sync);

    /// Everything written so far is on disk afterwards.
    Result<void> sync();

    /// Writes nothing from now on, for this reason.
    void give_up(std::string reason) { latch_->set(std::move(reason)); }

    std::optional<std::string> failure() const { return latch_->reason(); }
    std::uint64_t disk_bytes() const;
    std::uint64_t memory_bytes() const;

    /// Waits for calls under way, flushes and gives up the lock. Idempotent.
    void close();

  private:
    Database() = default;

    std::string folder_;
    std::shared_ptr<Latch> latch_ = std::make_shared<Latch>();
    std::unique_ptr<rocksdb::DB> db_;  ///< null once closed; used inside the gate only
    std::shared_ptr<rocksdb::Cache> block_cache_;
    mutable Gate gate_;

    Mutex mutex_;
    std::set<const rocksdb::Snapshot*> snapshots_ GUARDED_BY(mutex_);
};

}  // namespace blobvm::vm::store::detail
