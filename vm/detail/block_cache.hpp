#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string_view>
#include <unordered_map>

#include "chain/base/mutex.hpp"
#include "chain/block.hpp"

namespace blobvm::vm::detail {

/// Recently parsed and built blocks, found by their bytes: the header picks the candidate, a
/// comparison of all bytes decides, so that nothing is hashed twice. The least recently used leave
/// when the bytes kept alive pass the bound. Safe from any thread.
class BlockCache {
  public:
    explicit BlockCache(std::size_t max_bytes) : max_bytes_{max_bytes} {}

    /// Null if a block of exactly these bytes is not here.
    chain::BlockPtr find(ByteView bytes) EXCLUDES(mutex_) {
        if (bytes.size() < kHeaderBytes) return nullptr;
        const Lock lock{mutex_};
        const auto found = by_header_.find(as_chars(bytes.first(kHeaderBytes)));
        if (found == by_header_.end()) return nullptr;
        recent_.splice(recent_.begin(), recent_, found->second);
        const chain::BlockPtr& block = *found->second;
        return same_bytes(block->bytes.view(), bytes) ? block : nullptr;
    }

    void insert(chain::BlockPtr block) EXCLUDES(mutex_) {
        if (block->bytes.size() < kHeaderBytes) return;
        const Lock lock{mutex_};
        const std::string_view header = as_chars(block->bytes.view().first(kHeaderBytes));
        if (const auto found = by_header_.find(header); found != by_header_.end()) {
            erase(found->second);
        }
        bytes_ += weight(*block);
        recent_.push_front(std::move(block));
        by_header_.emplace(as_chars(recent_.front()->bytes.view().first(kHeaderBytes)),
                           recent_.begin());
        while (bytes_ > max_bytes_ && recent_.size() > 1) erase(std::prev(recent_.end()));
    }

    std::size_t size_bytes() const EXCLUDES(mutex_) {
        const Lock lock{mutex_};
        return bytes_;
    }

  private:
    static constexpr std::size_t kHeaderBytes = 98;  // version to access proof: spec/blobvm.md 1.2
    using Recent = std::list<chain::BlockPtr>;

    static std::size_t weight(const chain::Block& block) {
        return block.bytes.owner_size() + block.transactions.size() * sizeof(chain::Transaction);
    }

    void erase(Recent::iterator entry) REQUIRES(mutex_) {
        bytes_ -= weight(**entry);
        by_header_.erase(as_chars((*entry)->bytes.view().first(kHeaderBytes)));
        recent_.erase(entry);
    }

    const std::size_t max_bytes_;
    mutable Mutex mutex_;
    Recent recent_ GUARDED_BY(mutex_);
    // The keys are views into the blocks of `recent_`.
    std::unordered_map<std::string_view, Recent::iterator> by_header_ GUARDED_BY(mutex_);
    std::size_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace blobvm::vm::detail
