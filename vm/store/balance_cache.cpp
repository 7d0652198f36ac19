#include "vm/store/detail/balance_cache.hpp"

namespace blobvm::vm::store::detail {

void BalanceCache::take_seat(Shard& shard, std::size_t seat, const Address& address,
                             Balance balance) {
    if (shard.seats.empty()) shard.seats.resize(kSeats);
    shard.seats[seat] = {.address = address, .taken = true, .balance = balance};
}

std::optional<BalanceCache::Balance> BalanceCache::find(const Address& address) const {
    const std::size_t hash = IdHash{}(address);
    const Shard& shard = shards_[hash % kShards];
    const Lock lock{shard.mutex};
    if (shard.seats.empty()) return std::nullopt;
    const Seat& seat = shard.seats[hash / kShards % kSeats];
    if (!seat.taken || seat.address != address) return std::nullopt;
    return seat.balance;
}

void BalanceCache::keep(const Address& address, Balance balance, Moment read_at) {
    const std::size_t hash = IdHash{}(address);
    Shard& shard = shards_[hash % kShards];
    const Lock lock{shard.mutex};
    if (read_at % 2 == 1 || steps_.load() != read_at) return;
    // A write that begins now will take the seat itself, or clear it.
    take_seat(shard, hash / kShards % kSeats, address, balance);
}

void BalanceCache::end_write(const std::vector<std::pair<Address, Amount>>& changed) {
    for (const auto& [address, balance] : changed) {
        const std::size_t hash = IdHash{}(address);
        Shard& shard = shards_[hash % kShards];
        const Lock lock{shard.mutex};
        take_seat(shard, hash / kShards % kSeats, address, {.amount = balance, .recorded = true});
    }
    ++steps_;
}

void BalanceCache::forget_all() {
    for (Shard& shard : shards_) {
        const Lock lock{shard.mutex};
        shard.seats.clear();
    }
    ++steps_;
}

}  // namespace blobvm::vm::store::detail
