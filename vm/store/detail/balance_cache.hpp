#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/mutex.hpp"
#include "chain/base/quantity.hpp"

namespace blobvm::vm::store::detail {

/// Balances as they were written last: an active account is read a dozen times for each block.
/// Each address has one seat, which the latest comer takes; 3 MiB at most. Safe from any thread,
/// with one writer at a time; the locks are leaves.
class BalanceCache {
  public:
    /// What stands in the database; without a record the amount is 0.
    struct Balance {
        Amount amount;
        bool recorded = false;

        friend bool operator==(const Balance&, const Balance&) = default;
    };

    /// Empty if it is not known here.
    std::optional<Balance> find(const Address& address) const;

    /// For a reader of the database: what it has found there is kept if no write was going on,
    /// or began, between its call of now() and this one.
    using Moment = std::uint64_t;
    Moment now() const { return steps_.load(); }
    void keep(const Address& address, Balance balance, Moment read_at);

    /// Before each write, and after it with what it has changed; forget_all() where that is not
    /// known.
    void begin_write() { ++steps_; }
    void end_write(const std::vector<std::pair<Address, Amount>>& changed);
    void forget_all();

  private:
    static constexpr std::size_t kShards = 16;
    static constexpr std::size_t kSeats = 4096;  ///< in a shard

    struct Seat {
        Address address;
        bool taken = false;
        Balance balance;
    };
    struct Shard {
        mutable Mutex mutex;
        std::vector<Seat> seats GUARDED_BY(mutex);  ///< none before the first comes
    };

    static void take_seat(Shard& shard, std::size_t seat, const Address& address, Balance balance)
        REQUIRES(shard.mutex);

    std::array<Shard, kShards> shards_;
    std::atomic<Moment> steps_{0};  ///< odd during a write
};

}  // namespace blobvm::vm::store::detail
