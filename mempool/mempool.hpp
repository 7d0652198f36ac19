#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/mutex.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "chain/transaction.hpp"

namespace blobvm::mempool {

/// All bounds of a pool. Each is at least 1 unless it says otherwise.
struct Limits {
    std::size_t count = 1024;                     ///< transactions; 0 keeps nothing
    std::size_t bytes = 64 * 1024 * 1024;         ///< standalone sizes, summed
    std::size_t sender_count = 1024;              ///< transactions of one sender
    std::size_t sender_bytes = 64 * 1024 * 1024;  ///< bytes of one sender
    std::size_t drop_records = 4096;              ///< remembered reasons, 0 remembers none
};

/// What became of a transaction that was here or wanted to be.
enum class Fate { kRefused, kEvicted, kSkipped, kExpired };

struct DropRecord {
    Fate fate;
    Error reason;
};

/// A transaction with what admission has found out about it.
struct Offer {
    chain::TransactionPtr transaction;
    FeeUnits units;         ///< fee units, which are its load units too
    Amount cost;            ///< most that it can take from its sender: fee and transferred units
    Amount sender_balance;  ///< at the preferred tip
};

/// The bounded set of transactions that wait for a block: a max-heap by price, first come first
/// among equals. Nothing leaves for a build; what an accepted block holds is removed, what names a
/// block outside the window expires.
///
/// When full, the lowest price leaves (the youngest among equals, so a newcomer of equal price is
/// refused). Safe to call from any thread; no call blocks on I/O and none calls back, so the lock
/// is a leaf: nothing else is ever taken under it.
class Mempool {
  public:
    explicit Mempool(const Limits& limits);
    ~Mempool();

    /// Takes `offer` in. kDuplicateTransaction if it is here already; kMempoolFull if the pool is
    /// full of better offers; kSenderLimit or kPendingBalance (its pending transactions would cost
    /// more than the sender has). A refusal is remembered, a duplicate is not.
    Result<void> add(const Offer& offer) EXCLUDES(mutex_);

    bool contains(const TxId& id) const EXCLUDES(mutex_);
    chain::TransactionPtr find(const TxId& id) const EXCLUDES(mutex_);

    /// The waiting transactions with exactly these nested bytes, found without hashing them;
    /// result[i] belongs to raws[i], null where there is none.
    std::vector<chain::TransactionPtr> find_same(std::span<const chain::RawTransaction> raws) const
        EXCLUDES(mutex_);
    chain::TransactionPtr find_same(const chain::RawTransaction& raw) const EXCLUDES(mutex_);

    std::size_t size() const EXCLUDES(mutex_);
    std::size_t size_bytes() const EXCLUDES(mutex_);

    /// Changes with every add, removal and release: a cheap answer to "is there anything new?".
    std::uint64_t version() const EXCLUDES(mutex_);

    /// A place in the order of price. A fresh one stands before the best offer.
    struct Position {
        Price price{~std::uint64_t{0}};
        std::uint64_t arrival = 0;
    };

    /// The best offer behind `position`, which moves on to it; null at the end. Offers that come
    /// or go meanwhile do no harm, those that are held are passed over. Cost: the logarithm of the
    /// size.
    chain::TransactionPtr next_best(Position& position) const EXCLUDES(mutex_);

    /// Transactions that came in since the last call, in order of arrival, while their units fit
    /// `max_units` and their bytes `max_bytes`; at least one, if there is one that fits at all.
    /// They stay in the pool. What is larger than either bound is passed over for good.
    std::vector<chain::TransactionPtr> take_new(FeeUnits max_units, std::size_t max_bytes)
        EXCLUDES(mutex_);

    /// Removes and returns the worst offer (lowest price, youngest) that is not held; null when
    /// there is none. For tests.
    chain::TransactionPtr take_worst() EXCLUDES(mutex_);
    /// The same with the best offer. For tests.
    chain::TransactionPtr take_best() EXCLUDES(mutex_);

    /// Sets the transactions of a processing block aside, so that a build on top of it need not
    /// walk past them. They stay in the pool in every other way. Those that are not here do no
    /// harm.
    void hold(std::span<const chain::TransactionPtr> transactions) EXCLUDES(mutex_);
    /// The reverse, for a block on which nothing is built any more.
    void release(std::span<const chain::TransactionPtr> transactions) EXCLUDES(mutex_);

    /// Removes the transactions of an accepted block; those that are not here do no harm.
    void remove(std::span<const chain::TransactionPtr> transactions) EXCLUDES(mutex_);

    /// Removes one and remembers why. False if it is not here.
    bool drop(const TxId& id, Fate fate, Error reason) EXCLUDES(mutex_);

    /// Removes every transaction whose block id `is_recent` denies, as kExpired. The predicate is
    /// called under the lock: it must be quick and must not call back. Called once for each
    /// distinct block id. Returns how many left.
    std::size_t expire(const std::function<bool(const BlockId&)>& is_recent) EXCLUDES(mutex_);

    /// A reason to remember for a transaction that never got in, or stays in but could not be used.
    void remember(const TxId& id, Fate fate, Error reason) EXCLUDES(mutex_);

    /// The last reason remembered for this transaction, if it has not been displaced.
    std::optional<DropRecord> why(const TxId& id) const EXCLUDES(mutex_);

    struct Stats {
        std::size_t count;
        std::size_t bytes;
        std::uint64_t added;
        std::uint64_t refused;  ///< by the pool itself
        std::uint64_t evicted;
        std::uint64_t expired;
    };
    Stats stats() const EXCLUDES(mutex_);

  private:
    struct Impl;
    void find_same(std::span<const chain::RawTransaction> raws,
                   std::span<chain::TransactionPtr> found) const EXCLUDES(mutex_);

    mutable Mutex mutex_;
    std::unique_ptr<Impl> impl_ PT_GUARDED_BY(mutex_);
};

}  // namespace blobvm::mempool
