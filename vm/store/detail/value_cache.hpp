#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>
#include <utility>

#include "chain/base/bytes.hpp"
#include "chain/base/mutex.hpp"

namespace blobvm::vm::store::detail {

/// Blobs that have been checked against their key, least recently used out first. Bounded by the
/// sum of their bytes. Safe from any thread; the lock is a leaf.
class ValueCache {
  public:
    explicit ValueCache(std::uint64_t capacity_bytes) : capacity_bytes_{capacity_bytes} {}

    /// Empty if it is not here. (No blob is empty.)
    SharedBytes find(const BlobKey& key) EXCLUDES(mutex_);

    /// `value` must hash to `key`. What is larger than the whole cache is not kept.
    void add(const BlobKey& key, SharedBytes value) EXCLUDES(mutex_);

    struct Stats {
        std::uint64_t bytes;
        std::uint64_t hits;
        std::uint64_t misses;
    };
    Stats stats() const EXCLUDES(mutex_);

  private:
    using Entries = std::list<std::pair<BlobKey, SharedBytes>>;

    const std::uint64_t capacity_bytes_;
    mutable Mutex mutex_;
    Entries by_use_ GUARDED_BY(mutex_);  ///< most recent first
    std::unordered_map<BlobKey, Entries::iterator, IdHash> by_key_ GUARDED_BY(mutex_);
    std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;
    std::uint64_t hits_ GUARDED_BY(mutex_) = 0;
    std::uint64_t misses_ GUARDED_BY(mutex_) = 0;
};

}  // namespace blobvm::vm::store::detail
