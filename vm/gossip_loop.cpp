#include "vm/gossip_loop.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "chain/execution.hpp"
#include "vm/detail/gossip_limits.hpp"
#include "vm/log.hpp"

namespace blobvm::vm {
namespace {

using detail::SteadyTime;

constexpr double kPeerRate = 50;    ///< transactions a second that one peer may have us check
constexpr double kPeerBurst = 512;  ///< and at once
constexpr std::size_t kMaxPeers = 1024;
constexpr std::size_t kMaxLookedAt = 4 * GossipLoop::kMaxTransactions;  ///< by one regossip
constexpr std::chrono::nanoseconds kShortestInterval{1'000'000};
constexpr std::chrono::nanoseconds kShortestMemory{1'000'000'000};

/// The target block size, or the biggest set where that is more: each transaction can travel.
FeeUnits round_units(const chain::Genesis& rules) {
    const std::uint64_t biggest =
        rules.base_tx_units + chain::value_units(rules, rules.max_value_size);
    return FeeUnits{std::max(rules.target_block_size, biggest)};
}

/// Seen ids are forgotten before a peer sends its best again.
std::chrono::nanoseconds memory(const Config& config) {
    return std::max(config.regossip_interval / 2, kShortestMemory);
}

}  // namespace

struct GossipLoop::Impl {
    Impl(const Config& config, SteadyTime now)
        : seen{kSeenCache, memory(config)},
          pushed{kSeenCache, memory(config)},
          next_push{now},
          next_regossip{now + config.regossip_interval} {}

    detail::SeenCache seen;    ///< came in or went out: not worth a look when it comes in
    detail::SeenCache pushed;  ///< went out: not new to anybody
    detail::PeerBudgets budgets{kPeerRate, kPeerBurst, kMaxPeers};
    bool woken = false;  ///< there may be new transactions
    SteadyTime next_push;
    SteadyTime next_regossip;
};

namespace {

SteadyTime after(SteadyTime now, std::chrono::nanoseconds interval) {
    return now + std::max(interval, kShortestInterval);
}

}  // namespace

GossipLoop::GossipLoop(VirtualMachine& vm, NodeServices& node, const Clock& clock, Metrics& metrics)
    : impl_{std::make_unique<Impl>(vm.config(), clock.now_steady())},
      vm_{vm},
      node_{node},
      clock_{clock},
      metrics_{metrics},
      thread_{[this](const std::stop_token& stop) { run(stop); }} {}

GossipLoop::~GossipLoop() { stop(); }

void GossipLoop::stop() {
    std::jthread thread;  // joins where this function ends
    const Lock lock{mutex_};
    thread = std::move(thread_);
    thread.request_stop();
}

void GossipLoop::wake() {
    {
        const Lock lock{mutex_};
        if (impl_->woken) return;
        impl_->woken = true;
    }
    woken_.notify_one();
}

void GossipLoop::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        tick();
        Lock lock{mutex_};
        const bool waits_to_push = impl_->woken;
        const SteadyTime next =
            waits_to_push ? std::min(impl_->next_push, impl_->next_regossip) : impl_->next_regossip;
        woken_.wait_for(lock, stop, std::max(next - clock_.now_steady(), kShortestInterval),
                        [&]() NO_THREAD_SAFETY_ANALYSIS { return impl_->woken != waits_to_push; });
    }
}

void GossipLoop::tick() {
    const SteadyTime now = clock_.now_steady();
    bool push = false;
    bool regossip = false;
    {
        const Lock lock{mutex_};
        push = now >= impl_->next_push;
        if (push) impl_->woken = false;
        regossip = now >= impl_->next_regossip;
        if (regossip) impl_->next_regossip = after(now, vm_.config().regossip_interval);
    }
    if (vm_.state() != EngineState::kNormalOp) return;
    if (push && push_new()) {
        const Lock lock{mutex_};
        impl_->next_push = after(now, vm_.config().gossip_interval);
        impl_->woken = true;  // for what did not fit
    }
    if (regossip) push_best();
}

bool GossipLoop::push_new() {
    std::vector<chain::TransactionPtr> fresh = vm_.mempool().take_new(
        round_units(vm_.genesis()), kMaxMessageBytes - detail::Round::kHeaderBytes);
    {
        const Lock lock{mutex_};
        const SteadyTime now = clock_.now_steady();
        std::erase_if(fresh, [&](const auto& transaction) NO_THREAD_SAFETY_ANALYSIS {
            return impl_->pushed.contains(transaction->id, now);
        });
    }
    if (fresh.empty()) return false;
    std::span<const chain::TransactionPtr> rest{fresh};
    while (!rest.empty()) {
        const std::size_t count = std::min(rest.size(), kMaxTransactions);
        send(rest.first(count));
        rest = rest.subspan(count);
    }
    return true;
}

void GossipLoop::push_best() {
    detail::Round round{{.units = round_units(vm_.genesis()),
                         .bytes = kMaxMessageBytes,
                         .count = kMaxTransactions}};
    mempool::Mempool::Position position;
    for (std::size_t looked_at = 0; looked_at < kMaxLookedAt && !round.is_full(); ++looked_at) {
        const chain::TransactionPtr best = vm_.mempool().next_best(position);
        if (best == nullptr) break;
        round.add(best, chain::fee_units(vm_.genesis(), best->fields()));
    }
    if (!round.taken().empty()) send(round.taken());
}

void GossipLoop::send(std::span<const chain::TransactionPtr> transactions) {
    std::vector<chain::RawTransaction> raws;
    raws.reserve(transactions.size());
    {
        const Lock lock{mutex_};
        const SteadyTime now = clock_.now_steady();
        for (const chain::TransactionPtr& transaction : transactions) {
            impl_->seen.insert(transaction->id, now);
            impl_->pushed.insert(transaction->id, now);
            raws.push_back(transaction->raw);
        }
    }
    const Result<Bytes> message = chain::encode_gossip(raws);
    const Result<void> sent = message ? node_.send_gossip(*message) : fail(message.error());
    if (!sent) {
        // Nothing is lost: they stay in the pool, and the best of it are sent again.
        log::warn("gossip not sent", sent.error().message());
        return;
    }
    metrics_.gossip_sent.add(transactions.size());
}

void GossipLoop::receive(const NodeId& peer, SharedBytes message) {
    if (vm_.state() != EngineState::kNormalOp) return;
    if (message.size() > kMaxReceivedBytes) {
        metrics_.gossip_refused.add();
        return;
    }
    Result<std::vector<chain::RawTransaction>> raws = chain::decode_gossip(std::move(message));
    if (!raws || raws->size() > kMaxTransactions) {
        metrics_.gossip_refused.add();
        if (!raws) log::debug("gossip refused", raws.error().message());
        return;
    }
    metrics_.gossip_received.add(raws->size());

    std::vector<chain::RawTransaction> unseen = keep_unseen(peer, std::move(*raws));
    if (unseen.empty()) return;
    for (const Result<TxId>& submitted : vm_.submit_all(std::move(unseen))) {
        if (!submitted) metrics_.gossip_refused.add();
    }
}

std::vector<chain::RawTransaction> GossipLoop::keep_unseen(
    const NodeId& peer, std::vector<chain::RawTransaction> raws) {
    const mempool::Mempool& pool = vm_.mempool();
    std::erase_if(raws, [&](const auto& raw) { return pool.find_same(raw) != nullptr; });
    const std::vector<chain::TxHashes> hashes = chain::hash_transactions(raws);

    const Lock lock{mutex_};
    const SteadyTime now = clock_.now_steady();
    std::vector<std::size_t> unseen;
    for (std::size_t i = 0; i < raws.size(); ++i) {
        if (!impl_->seen.contains(hashes[i].id, now)) unseen.push_back(i);
    }
    const std::size_t granted = impl_->budgets.take(peer, unseen.size(), now);
    metrics_.gossip_refused.add(unseen.size() - granted);
    unseen.resize(granted);

    std::vector<chain::RawTransaction> kept;
    for (const std::size_t i : unseen) {
        // A transaction that stands in the message twice is new once.
        if (impl_->seen.insert(hashes[i].id, now)) kept.push_back(std::move(raws[i]));
    }
    return kept;
}

}  // namespace blobvm::vm
