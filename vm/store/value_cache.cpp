#include "vm/store/detail/value_cache.hpp"

namespace blobvm::vm::store::detail {

SharedBytes ValueCache::find(const BlobKey& key) {
    const Lock lock{mutex_};
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        ++misses_;
        return {};
    }
    ++hits_;
    by_use_.splice(by_use_.begin(), by_use_, found->second);
    return found->second->second;
}

void ValueCache::add(const BlobKey& key, SharedBytes value) {
    if (value.size() > capacity_bytes_) return;
    const Lock lock{mutex_};
    if (by_key_.contains(key)) return;
    while (bytes_ + value.size() > capacity_bytes_) {
        bytes_ -= by_use_.back().second.size();
        by_key_.erase(by_use_.back().first);
        by_use_.pop_back();
    }
    bytes_ += value.size();
    by_use_.emplace_front(key, std::move(value));
    by_key_.emplace(key, by_use_.begin());
}

ValueCache::Stats ValueCache::stats() const {
    const Lock lock{mutex_};
    return {.bytes = bytes_, .hits = hits_, .misses = misses_};
}

}  // namespace blobvm::vm::store::detail
