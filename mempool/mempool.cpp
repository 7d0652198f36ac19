#include "mempool/mempool.hpp"

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

namespace blobvm::mempool {
namespace {

/// Best first: the higher price, then the earlier arrival.
struct BestFirst {
    bool operator()(const Mempool::Position& a, const Mempool::Position& b) const {
        return a.price != b.price ? a.price > b.price : a.arrival < b.arrival;
    }
};

constexpr std::size_t kFoundTogether = 32;  ///< what find_same looks up in one go

struct Entry;

/// Those that name one block, in no order.
struct SameBlock {
    BlockId id;
    std::vector<Entry*> entries;
};

struct SenderTotals {
    Address address;
    std::size_t count = 0;
    std::size_t bytes = 0;
    Amount cost;
};

/// One waiting transaction. What it takes to find and remove it stands here, so that the
/// transaction itself, long out of the CPU's cache, need not be looked at.
struct Entry {
    static constexpr std::uint64_t kNotFresh = ~std::uint64_t{0};

    chain::TransactionPtr transaction;
    TxId id;
    Price price;
    FeeUnits units;
    Amount cost;
    std::size_t size_bytes = 0;
    bool held = false;
    std::uint64_t arrival = 0;
    std::uint64_t fresh_slot = kNotFresh;  ///< its place in FreshList
    std::size_t signature_hash = 0;        ///< 0: its signature has an odd length
    SameBlock* same_block = nullptr;
    std::size_t slot = 0;  ///< its place in same_block
    SenderTotals* sender = nullptr;

    Mempool::Position position() const { return {price, arrival}; }
};

/// 0 if nobody could look for such a signature. Two may share a hash; then one is not found.
std::size_t hash_of(ByteView signature) {
    if (signature.size() != Signature::kSize) return 0;
    return IdHash{}(Signature::from(signature)) | 1;
}

/// What take_new has not seen yet, by arrival. Who leaves makes a hole, and holes never outnumber
/// the others by much.
class FreshList {
  public:
    bool empty() const { return live_ == 0; }

    void push(Entry& entry) {
        entry.fresh_slot = first_ + slots_.size();
        slots_.push_back(&entry);
        ++live_;
    }

    /// The oldest; the list must not be empty.
    Entry& front() const { return *slots_.front(); }

    void remove(Entry& entry) {
        if (entry.fresh_slot == Entry::kNotFresh) return;
        slots_[entry.fresh_slot - first_] = nullptr;
        entry.fresh_slot = Entry::kNotFresh;
        --live_;
        while (!slots_.empty() && slots_.front() == nullptr) {
            slots_.pop_front();
            ++first_;
        }
        if (slots_.size() > 2 * live_ + 1024) close_holes();
    }

  private:
    void close_holes() {
        std::erase(slots_, nullptr);
        for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i]->fresh_slot = first_ + i;
    }

    std::deque<Entry*> slots_;  ///< the first is never a hole
    std::uint64_t first_ = 0;   ///< place of slots_[0]
    std::size_t live_ = 0;
};

/// The last reasons, by transaction; the oldest give way.
class DropRecords {
  public:
    explicit DropRecords(std::size_t capacity) : capacity_{capacity} {}

    void remember(const TxId& id, Fate fate, Error reason) {
        if (capacity_ == 0) return;
        if (order_.size() == capacity_) {
            const auto oldest = records_.find(order_.front().id);
            if (oldest != records_.end() && oldest->second.serial == order_.front().serial) {
                records_.erase(oldest);
            }
            order_.pop_front();
        }
        order_.push_back({id, ++serial_});
        records_.insert_or_assign(id, Record{{fate, std::move(reason)}, serial_});
    }

    void forget(const TxId& id) { records_.erase(id); }

    std::optional<DropRecord> find(const TxId& id) const {
        const auto found = records_.find(id);
        if (found == records_.end()) return std::nullopt;
        return found->second.drop;
    }

  private:
    struct Record {
        DropRecord drop;
        std::uint64_t serial;
    };
    struct Turn {
        TxId id;
        std::uint64_t serial;  ///< tells whether the record has been renewed since
    };

    const std::size_t capacity_;
    std::uint64_t serial_ = 0;
    std::deque<Turn> order_;  ///< oldest first, at most capacity_
    absl::flat_hash_map<TxId, Record, IdHash> records_;
};

}  // namespace

/// One entry for each transaction, and the ways to find it. All is kept in step by insert() and
/// erase(), the only functions that change more than one member.
struct Mempool::Impl {
    explicit Impl(const Limits& the_limits) : limits{the_limits}, drops{the_limits.drop_records} {}

    const Limits limits;
    absl::flat_hash_map<TxId, std::unique_ptr<Entry>, IdHash> by_id;
    using Ranking = absl::btree_map<Position, Entry*, BestFirst>;
    Ranking by_price;  ///< but for those in held
    Ranking held;
    FreshList fresh;
    absl::flat_hash_map<std::size_t, Entry*> by_signature;  ///< by hash_of
    absl::flat_hash_map<BlockId, std::unique_ptr<SameBlock>, IdHash> by_block;
    absl::flat_hash_map<Address, std::unique_ptr<SenderTotals>, IdHash> by_sender;
    DropRecords drops;

    std::size_t bytes = 0;
    std::uint64_t version = 0;
    std::uint64_t arrivals = 0;
    std::uint64_t added = 0;
    std::uint64_t refused = 0;
    std::uint64_t evicted = 0;
    std::uint64_t expired = 0;

    void set_held(std::span<const chain::TransactionPtr> transactions, bool value);
    Result<Amount> check_sender(const Offer& offer) const;
    Result<std::vector<Entry*>> find_room(const chain::Transaction& newcomer) const;
    Result<void> admit(const Offer& offer);
    void insert(const Offer& offer, Amount sender_cost);
    chain::TransactionPtr erase(Entry& entry);
};

void Mempool::Impl::set_held(std::span<const chain::TransactionPtr> transactions, bool value) {
    for (const chain::TransactionPtr& transaction : transactions) {
        const auto found = by_id.find(transaction->id);
        if (found == by_id.end() || found->second->held == value) continue;
        Entry& entry = *found->second;
        (value ? by_price : held).erase(entry.position());
        (value ? held : by_price).emplace(entry.position(), &entry);
        entry.held = value;
        if (!value) ++version;
    }
}

/// What the sender's pending transactions would cost with this one among them.
Result<Amount> Mempool::Impl::check_sender(const Offer& offer) const {
    SenderTotals totals;
    if (const auto found = by_sender.find(offer.transaction->sender); found != by_sender.end()) {
        totals = *found->second;
    }
    const std::size_t size_bytes = offer.transaction->size_bytes();
    if (totals.count >= limits.sender_count) {
        return fail(ErrorCode::kSenderLimit,
                    fmt::format("{} transactions are waiting", totals.count));
    }
    if (size_bytes > limits.sender_bytes || totals.bytes > limits.sender_bytes - size_bytes) {
        return fail(ErrorCode::kSenderLimit,
                    fmt::format("{} bytes are waiting, {} more do not fit {}", totals.bytes,
                                size_bytes, limits.sender_bytes));
    }
    const std::optional<Amount> cost = blobvm::add(totals.cost, offer.cost);
    if (!cost || *cost > offer.sender_balance) {
        return fail(ErrorCode::kPendingBalance,
                    fmt::format("balance {}, pending {}, this one {}", offer.sender_balance.value,
                                totals.cost.value, offer.cost.value));
    }
    return *cost;
}

/// The worst offers that must leave so that `newcomer` fits; all of them are worse than it.
Result<std::vector<Entry*>> Mempool::Impl::find_room(const chain::Transaction& newcomer) const {
    const auto full = [&] {
        return fail(ErrorCode::kMempoolFull,
                    fmt::format("{} transactions, {} bytes, price {}", by_id.size(), bytes,
                                newcomer.price().value));
    };
    if (limits.count == 0 || newcomer.size_bytes() > limits.bytes) return full();

    auto open = by_price.rbegin();
    auto aside = held.rbegin();
    const auto next_worst = [&] {
        const bool from_aside = open == by_price.rend() ||
                                (aside != held.rend() && BestFirst{}(open->first, aside->first));
        return from_aside ? (aside++)->second : (open++)->second;
    };
    std::vector<Entry*> leaving;
    std::size_t bytes_left = bytes;
    while (by_id.size() - leaving.size() >= limits.count ||
           bytes_left > limits.bytes - newcomer.size_bytes()) {
        Entry* entry = next_worst();
        if (entry->price >= newcomer.price()) return full();
        bytes_left -= entry->size_bytes;
        leaving.push_back(entry);
    }
    return leaving;
}

Result<void> Mempool::Impl::admit(const Offer& offer) {
    BLOBVM_TRY(const Amount sender_cost, check_sender(offer));
    BLOBVM_TRY(const std::vector<Entry*> leaving, find_room(*offer.transaction));
    // The newcomer goes in first: among those that leave may be others of its sender.
    insert(offer, sender_cost);
    for (Entry* entry : leaving) {
        const chain::TransactionPtr gone = erase(*entry);
        ++evicted;
        drops.remember(
            gone->id, Fate::kEvicted,
            {ErrorCode::kMempoolFull, fmt::format("price {} gave way to {}", gone->price().value,
                                                  offer.transaction->price().value)});
    }
    return {};
}

void Mempool::Impl::insert(const Offer& offer, Amount sender_cost) {
    const chain::Transaction& transaction = *offer.transaction;
    auto owned = std::make_unique<Entry>();
    Entry& entry = *owned;
    entry.transaction = offer.transaction;
    entry.id = transaction.id;
    entry.price = transaction.price();
    entry.units = offer.units;
    entry.cost = offer.cost;
    entry.size_bytes = transaction.size_bytes();
    entry.arrival = ++arrivals;
    entry.signature_hash = hash_of(transaction.raw.signature);

    by_id.emplace(entry.id, std::move(owned));
    by_price.emplace(entry.position(), &entry);
    fresh.push(entry);
    if (entry.signature_hash != 0) by_signature.try_emplace(entry.signature_hash, &entry);

    const BlockId& block_id = transaction.fields().block_id;
    std::unique_ptr<SameBlock>& same_block = by_block[block_id];
    if (!same_block) same_block = std::make_unique<SameBlock>(SameBlock{block_id, {}});
    entry.same_block = same_block.get();
    entry.slot = same_block->entries.size();
    same_block->entries.push_back(&entry);

    std::unique_ptr<SenderTotals>& sender = by_sender[transaction.sender];
    if (!sender) {
        sender = std::make_unique<SenderTotals>();
        sender->address = transaction.sender;
    }
    entry.sender = sender.get();
    sender->count += 1;
    sender->bytes += entry.size_bytes;
    sender->cost = sender_cost;

    bytes += entry.size_bytes;
    ++added;
    ++version;
    drops.forget(entry.id);
}

chain::TransactionPtr Mempool::Impl::erase(Entry& entry) {
    (entry.held ? held : by_price).erase(entry.position());
    fresh.remove(entry);
    if (const auto found = by_signature.find(entry.signature_hash);
        found != by_signature.end() && found->second == &entry) {
        by_signature.erase(found);
    }

    std::vector<Entry*>& neighbours = entry.same_block->entries;
    neighbours[entry.slot] = neighbours.back();
    neighbours[entry.slot]->slot = entry.slot;
    neighbours.pop_back();
    if (neighbours.empty()) by_block.erase(BlockId{entry.same_block->id});

    SenderTotals& sender = *entry.sender;
    sender.count -= 1;
    sender.bytes -= entry.size_bytes;
    sender.cost = Amount{sender.cost.value - entry.cost.value};
    if (sender.count == 0) by_sender.erase(Address{sender.address});

    bytes -= entry.size_bytes;
    ++version;
    chain::TransactionPtr transaction = std::move(entry.transaction);
    by_id.erase(TxId{entry.id});  // last: the entry goes with it
    return transaction;
}

Mempool::Mempool(const Limits& limits) : impl_{std::make_unique<Impl>(limits)} {}
Mempool::~Mempool() = default;

Result<void> Mempool::add(const Offer& offer) {
    const Lock lock{mutex_};
    const TxId& id = offer.transaction->id;
    if (impl_->by_id.contains(id)) return fail(ErrorCode::kDuplicateTransaction);
    Result<void> admitted = impl_->admit(offer);
    if (!admitted) {
        ++impl_->refused;
        impl_->drops.remember(id, Fate::kRefused, admitted.error());
    }
    return admitted;
}

bool Mempool::contains(const TxId& id) const {
    const Lock lock{mutex_};
    return impl_->by_id.contains(id);
}

chain::TransactionPtr Mempool::find(const TxId& id) const {
    const Lock lock{mutex_};
    const auto found = impl_->by_id.find(id);
    return found == impl_->by_id.end() ? nullptr : found->second->transaction;
}

chain::TransactionPtr Mempool::find_same(const chain::RawTransaction& raw) const {
    chain::TransactionPtr found;
    find_same({&raw, 1}, {&found, 1});
    return found;
}

std::vector<chain::TransactionPtr> Mempool::find_same(
    std::span<const chain::RawTransaction> raws) const {
    std::vector<chain::TransactionPtr> found(raws.size());
    for (std::size_t at = 0; at < raws.size(); at += kFoundTogether) {
        const std::size_t count = std::min(kFoundTogether, raws.size() - at);
        find_same(raws.subspan(at, count), std::span{found}.subspan(at, count));
    }
    return found;
}

/// At most kFoundTogether. Each step fetches what the next one reads, for all of them at once:
/// nothing of a transaction that has waited for a while is in the CPU's cache.
void Mempool::find_same(std::span<const chain::RawTransaction> raws,
                        std::span<chain::TransactionPtr> found) const {
    std::array<std::size_t, kFoundTogether> hashes;
    for (std::size_t i = 0; i < raws.size(); ++i) hashes[i] = hash_of(raws[i].signature);
    {
        const Lock lock{mutex_};
        for (std::size_t i = 0; i < raws.size(); ++i) impl_->by_signature.prefetch(hashes[i]);
        std::array<const Entry*, kFoundTogether> entries;
        for (std::size_t i = 0; i < raws.size(); ++i) {
            const auto place = impl_->by_signature.find(hashes[i]);
            entries[i] = place == impl_->by_signature.end() ? nullptr : place->second;
            __builtin_prefetch(entries[i]);
        }
        for (std::size_t i = 0; i < raws.size(); ++i) {
            if (entries[i] != nullptr) __builtin_prefetch(entries[i]->transaction.get());
        }
        for (std::size_t i = 0; i < raws.size(); ++i) {
            if (entries[i] != nullptr) found[i] = entries[i]->transaction;
        }
    }
    for (const chain::TransactionPtr& candidate : found) {
        if (candidate) __builtin_prefetch(candidate->raw.nested.view().data());
    }
    for (std::size_t i = 0; i < raws.size(); ++i) {
        if (!found[i]) continue;
        if (!same_bytes(found[i]->raw.nested.view(), raws[i].nested.view())) found[i] = nullptr;
    }
}

std::size_t Mempool::size() const {
    const Lock lock{mutex_};
    return impl_->by_id.size();
}

std::size_t Mempool::size_bytes() const {
    const Lock lock{mutex_};
    return impl_->bytes;
}

std::uint64_t Mempool::version() const {
    const Lock lock{mutex_};
    return impl_->version;
}

chain::TransactionPtr Mempool::next_best(Position& position) const {
    const Lock lock{mutex_};
    const auto next = impl_->by_price.upper_bound(position);
    if (next == impl_->by_price.end()) return nullptr;
    position = next->first;
    return next->second->transaction;
}

std::vector<chain::TransactionPtr> Mempool::take_new(FeeUnits max_units, std::size_t max_bytes) {
    const Lock lock{mutex_};
    std::vector<chain::TransactionPtr> taken;
    FeeUnits units;
    std::size_t bytes = 0;
    for (FreshList& fresh = impl_->fresh; !fresh.empty(); fresh.remove(fresh.front())) {
        const Entry& entry = fresh.front();
        if (entry.units > max_units || entry.size_bytes > max_bytes) continue;
        if (entry.units.value > max_units.value - units.value ||
            entry.size_bytes > max_bytes - bytes) {
            break;
        }
        units.value += entry.units.value;
        bytes += entry.size_bytes;
        taken.push_back(entry.transaction);
    }
    return taken;
}

chain::TransactionPtr Mempool::take_worst() {
    const Lock lock{mutex_};
    if (impl_->by_price.empty()) return nullptr;
    return impl_->erase(*impl_->by_price.rbegin()->second);
}

chain::TransactionPtr Mempool::take_best() {
    const Lock lock{mutex_};
    if (impl_->by_price.empty()) return nullptr;
    return impl_->erase(*impl_->by_price.begin()->second);
}

void Mempool::hold(std::span<const chain::TransactionPtr> transactions) {
    const Lock lock{mutex_};
    impl_->set_held(transactions, true);
}

void Mempool::release(std::span<const chain::TransactionPtr> transactions) {
    const Lock lock{mutex_};
    impl_->set_held(transactions, false);
}

void Mempool::remove(std::span<const chain::TransactionPtr> transactions) {
    const Lock lock{mutex_};
    for (const chain::TransactionPtr& transaction : transactions) {
        const auto found = impl_->by_id.find(transaction->id);
        if (found != impl_->by_id.end()) impl_->erase(*found->second);
    }
}

bool Mempool::drop(const TxId& id, Fate fate, Error reason) {
    const Lock lock{mutex_};
    const auto found = impl_->by_id.find(id);
    if (found == impl_->by_id.end()) return false;
    const chain::TransactionPtr gone = impl_->erase(*found->second);
    if (fate == Fate::kEvicted) ++impl_->evicted;
    if (fate == Fate::kExpired) ++impl_->expired;
    impl_->drops.remember(gone->id, fate, std::move(reason));
    return true;
}

std::size_t Mempool::expire(const std::function<bool(const BlockId&)>& is_recent) {
    const Lock lock{mutex_};
    std::vector<Entry*> leaving;
    for (const auto& [block_id, same] : impl_->by_block) {
        if (is_recent(block_id)) continue;
        leaving.insert(leaving.end(), same->entries.begin(), same->entries.end());
    }
    for (Entry* entry : leaving) {
        const chain::TransactionPtr gone = impl_->erase(*entry);
        ++impl_->expired;
        impl_->drops.remember(gone->id, Fate::kExpired,
                              {ErrorCode::kInvalidBlockId, "its block is no longer recent"});
    }
    return leaving.size();
}

void Mempool::remember(const TxId& id, Fate fate, Error reason) {
    const Lock lock{mutex_};
    impl_->drops.remember(id, fate, std::move(reason));
}

std::optional<DropRecord> Mempool::why(const TxId& id) const {
    const Lock lock{mutex_};
    return impl_->drops.find(id);
}

Mempool::Stats Mempool::stats() const {
    const Lock lock{mutex_};
    return {.count = impl_->by_id.size(),
            .bytes = impl_->bytes,
            .added = impl_->added,
            .refused = impl_->refused,
            .evicted = impl_->evicted,
            .expired = impl_->expired};
}

}  // namespace blobvm::mempool
