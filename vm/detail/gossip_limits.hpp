#pragma once

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/transaction.hpp"

/// What bounds gossip: no thread, clock or lock of its own. Times come from one steady clock.
namespace blobvm::vm::detail {

using SteadyTime = std::chrono::steady_clock::time_point;

/// The transactions seen lately: at most `capacity`, each for `lifetime`. After that an id is new
/// again, so that what was refused once (its price was too low) gets another chance.
class SeenCache {
  public:
    SeenCache(std::size_t capacity, std::chrono::nanoseconds lifetime)
        : capacity_{capacity}, lifetime_{lifetime} {}

    bool contains(const TxId& id, SteadyTime now) const {
        const auto found = since_.find(id);
        return found != since_.end() && now - found->second < lifetime_;
    }

    /// Remembers `id` from now on. False if it is remembered already: its time then goes on.
    bool insert(const TxId& id, SteadyTime now) {
        if (contains(id, now)) return false;
        while (!order_.empty() &&
               (order_.size() >= capacity_ || now - order_.front().since >= lifetime_)) {
            since_.erase(order_.front().id);
            order_.pop_front();
        }
        order_.push_back({id, now});
        since_.emplace(id, now);
        return true;
    }

    std::size_t size() const { return order_.size(); }

  private:
    struct Sighting {
        TxId id;
        SteadyTime since;
    };

    const std::size_t capacity_;
    const std::chrono::nanoseconds lifetime_;
    std::deque<Sighting> order_;  ///< oldest first; each id once
    absl::flat_hash_map<TxId, SteadyTime, IdHash> since_;
};

/// How many transactions of each peer may still cost us a signature check: a bucket of `burst`
/// tokens, refilled at `per_second`. Of more than `max_peers` the longest silent one is forgotten.
class PeerBudgets {
  public:
    PeerBudgets(double per_second, double burst, std::size_t max_peers)
        : per_second_{per_second}, burst_{burst}, max_peers_{max_peers} {}

    /// Takes up to `wanted` tokens of `peer`; returns how many it got.
    std::size_t take(const NodeId& peer, std::size_t wanted, SteadyTime now) {
        if (!buckets_.contains(peer) && buckets_.size() >= max_peers_) forget_oldest();
        Bucket& bucket = buckets_.try_emplace(peer, Bucket{burst_, now}).first->second;
        const std::chrono::duration<double> elapsed = now - bucket.filled;
        bucket.tokens = std::min(burst_, bucket.tokens + elapsed.count() * per_second_);
        bucket.filled = now;
        const std::size_t granted = std::min(wanted, static_cast<std::size_t>(bucket.tokens));
        bucket.tokens -= static_cast<double>(granted);
        return granted;
    }

    std::size_t peers() const { return buckets_.size(); }

  private:
    struct Bucket {
        double tokens;
        SteadyTime filled;
    };

    void forget_oldest() {
        const auto oldest = std::min_element(
            buckets_.begin(), buckets_.end(),
            [](const auto& a, const auto& b) { return a.second.filled < b.second.filled; });
        if (oldest != buckets_.end()) buckets_.erase(oldest);
    }

    const double per_second_;
    const double burst_;
    const std::size_t max_peers_;
    absl::flat_hash_map<NodeId, Bucket, IdHash> buckets_;
};

/// What one round of gossip may hold.
struct RoundLimits {
    FeeUnits units;
    std::size_t bytes = 0;  ///< encoded, as one message
    std::size_t count = 0;
};

/// Collects the transactions of one round; what does not fit is left out.
class Round {
  public:
    static constexpr std::size_t kHeaderBytes = 6;  ///< version and count (spec/blobvm.md 1.2)

    explicit Round(const RoundLimits& limits) : limits_{limits} {}

    bool is_full() const {
        return taken_.size() >= limits_.count || units_ >= limits_.units || bytes_ >= limits_.bytes;
    }

    /// False, and nothing changed, if it does not fit beside the others.
    bool add(const chain::TransactionPtr& transaction, FeeUnits units) {
        const std::size_t size_bytes = transaction->raw.nested.size();
        if (is_full() || units.value > limits_.units.value - units_.value ||
            size_bytes > limits_.bytes - bytes_) {
            return false;
        }
        units_.value += units.value;
        bytes_ += size_bytes;
        taken_.push_back(transaction);
        return true;
    }

    const std::vector<chain::TransactionPtr>& taken() const { return taken_; }

  private:
    const RoundLimits limits_;
    FeeUnits units_;
    std::size_t bytes_ = kHeaderBytes;
    std::vector<chain::TransactionPtr> taken_;
};

}  // namespace blobvm::vm::detail
