#include "vm/virtual_machine.hpp"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <utility>

#include "chain/base/cb58.hpp"
#include "chain/base/check.hpp"
#include "chain/base/hashing.hpp"
#include "chain/building.hpp"
#include "chain/execution.hpp"
#include "chain/verification.hpp"
#include "vm/detail/block_cache.hpp"
#include "vm/detail/transaction_loader.hpp"
#include "vm/log.hpp"

namespace blobvm::vm {

namespace {

constexpr std::size_t kBlockCacheBytes = 64 * 1024 * 1024;
constexpr std::uint64_t kUnsyncedBlocks = 64;  ///< while bootstrapping: decisions.md 2
constexpr std::chrono::seconds kUnsyncedTime{1};
constexpr std::size_t kBuiltKept = 4;       ///< built blocks whose outcome is remembered
constexpr std::size_t kWorkScan = 4096;     ///< offers looked at before assuming there is work
constexpr std::size_t kShadowSlack = 4096;  ///< shadow entries that are never worth rebuilding

BlockInfo info_of(const BlockId& id, const chain::BlockHeader& header, SharedBytes bytes) {
    return {.id = id,
            .parent = header.parent,
            .height = header.height,
            .timestamp_s = header.timestamp_s,
            .bytes = std::move(bytes)};
}

BlockInfo info_of(const chain::Block& block) {
    return info_of(block.id, block.header, block.bytes);
}

/// How far back a History must reach: over the window, and as much again as a tip may be ahead of
/// the clock that asks.
std::int64_t history_span_s(const chain::Genesis& genesis) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() - chain::kFutureBoundS;
    return std::min(genesis.lookback_window_s, kMost) + chain::kFutureBoundS;
}

/// What it can take from its sender at most; empty if that does not fit.
std::optional<Amount> most_cost(const chain::Transaction& tx, FeeUnits units) {
    const std::optional<Amount> paid = fee(tx.price(), units);
    if (!paid) return std::nullopt;
    if (const auto* transfer = tx.fields().transfer()) return add(*paid, transfer->units);
    return paid;
}

}  // namespace

struct VirtualMachine::Impl {
    /// A verified block that waits for its fate.
    struct Processing {
        chain::BlockPtr block;
        chain::Outcome outcome;
    };

    /// Where the next block goes: what submissions and builds are checked against.
    struct PreferredTip {
        BlockId id;
        chain::BlockPtr block;  ///< null while the engine prefers a block that is not known
        chain::State state;
    };

    /// The last build that found nothing, and what it was asked of.
    struct Fruitless {
        BlockId preferred;
        std::uint64_t mempool_version;
        std::int64_t now_s;

        friend bool operator==(const Fruitless&, const Fruitless&) = default;
    };

    /// Marks an engine call; two at a time are a broken promise of the caller.
    class EngineCall {
      public:
        explicit EngineCall(std::atomic<bool>& running) : running_{running} {
            CHECK(!running_.exchange(true, std::memory_order_acquire));
        }
        ~EngineCall() { running_.store(false, std::memory_order_release); }
        EngineCall(const EngineCall&) = delete;
        EngineCall& operator=(const EngineCall&) = delete;

      private:
        std::atomic<bool>& running_;
    };

    Impl(Parts given, chain::BlockPtr tip)
        : parts{std::move(given)},
          mempool{{.count = parts.config.mempool_size,
                   .bytes = parts.config.mempool_bytes,
                   .sender_count = std::max<std::size_t>(parts.config.mempool_size, 1),
                   .sender_bytes = parts.config.mempool_bytes}},
          loader{mempool, parts.executor, parts.metrics},
          blocks{kBlockCacheBytes},
          last_accepted{tip},
          history{parts.genesis},
          preferred{tip->id, tip, chain::State{parts.store}},
          accepted{tip} {}

    Parts parts;
    mempool::Mempool mempool;
    detail::NodeTransactionLoader loader;
    detail::BlockCache blocks;
    std::function<void()> changed = [] {};
    std::atomic<EngineState> state{EngineState::kUnset};
    std::atomic<bool> shut{false};
    std::atomic<std::size_t> processing_count{0};

    // Touched by engine calls alone, which come one at a time.
    mutable std::atomic<bool> engine_call{false};
    absl::flat_hash_map<BlockId, Processing, IdHash> processing;
    std::deque<chain::BuiltBlock> built;
    std::deque<chain::BlockPtr> held;  ///< whose offers the mempool holds: a path, oldest first
    chain::BlockPtr last_accepted;
    std::uint64_t unsynced_blocks = 0;
    std::chrono::steady_clock::time_point unsynced_since{};

    // Written by engine calls, read by everybody.
    mutable SharedMutex tip_mutex;
    chain::History history GUARDED_BY(tip_mutex);
    PreferredTip preferred GUARDED_BY(tip_mutex);
    chain::BlockPtr accepted GUARDED_BY(tip_mutex);
    std::deque<Activity> activity GUARDED_BY(tip_mutex);  ///< newest first

    mutable Mutex fees_mutex;  ///< a leaf, taken under tip_mutex
    chain::FeeSuggester fees GUARDED_BY(fees_mutex);

    mutable Mutex fruitless_mutex;
    std::optional<Fruitless> fruitless GUARDED_BY(fruitless_mutex);

    /// A block to build on, with the state after it. Null block if it is not known.
    PreferredTip tip_at(const BlockId& id) const {
        if (id == last_accepted->id) return {id, last_accepted, chain::State{parts.store}};
        const auto found = processing.find(id);
        if (found == processing.end()) return {id, nullptr, chain::State{parts.store}};
        return {id, found->second.block, found->second.outcome.state};
    }

    std::optional<std::int64_t> block_clock() const {
        // While bootstrapping every block is final already, and our clock has no say.
        if (state.load() == EngineState::kBootstrapping) return std::nullopt;
        return parts.clock.now_s();
    }

    void notify() const { changed(); }

    Result<chain::BlockPtr> parse(SharedBytes bytes);
    Result<chain::BuiltBlock> build();
    void hold_path_to(const BlockId& tip);
    std::vector<chain::BlockPtr> release_beside(const BlockId& tip);
    void release_from(std::deque<chain::BlockPtr>::iterator first);
    void on_skipped(const chain::TransactionPtr& tx, const Error& error);
    std::vector<Result<void>> admit(std::span<const chain::TransactionPtr> transactions);
    Result<void> admit_on(const chain::Scene& scene, const chain::TransactionPtr& tx)
        REQUIRES_SHARED(tip_mutex);
    void note_activity(const chain::Block& block) REQUIRES(tip_mutex);
    void rebuild_states();
    void expire_offers();
    void stage(const SharedBytes& bytes, std::uint64_t height);
    Result<void> sync_if_due(bool force);
    bool plausible_offer() const;
};

VirtualMachine::VirtualMachine(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
VirtualMachine::~VirtualMachine() { shutdown(); }

Result<std::unique_ptr<VirtualMachine>> VirtualMachine::open(Parts parts) {
    const Tip tip = parts.store.tip();
    BLOBVM_TRY(SharedBytes bytes, parts.store.block_bytes(tip.id));
    BLOBVM_TRY(chain::RawBlock raw, chain::decode_block(bytes));
    // Its transactions are never asked for again: only its header and bytes are.
    auto block = std::make_shared<const chain::Block>(
        chain::Block{.header = raw.header, .transactions = {}, .bytes = bytes, .id = tip.id});
    BLOBVM_TRY(std::vector<chain::BlockSummary> recent,
               parts.store.recent_summaries(history_span_s(parts.genesis)));
    auto impl = std::make_unique<Impl>(std::move(parts), std::move(block));
    {
        const WriterLock lock{impl->tip_mutex};
        impl->history.reset(std::move(recent));
    }
    return std::unique_ptr<VirtualMachine>{new VirtualMachine{std::move(impl)}};
}

const chain::Genesis& VirtualMachine::genesis() const { return impl_->parts.genesis; }
const Config& VirtualMachine::config() const { return impl_->parts.config; }
mempool::Mempool& VirtualMachine::mempool() { return impl_->mempool; }
EngineState VirtualMachine::state() const { return impl_->state.load(); }

void VirtualMachine::on_change(std::function<void()> callback) {
    impl_->changed = std::move(callback);
}

// --- the engine ---

Result<void> VirtualMachine::set_state(EngineState state) {
    const Impl::EngineCall call{impl_->engine_call};
    if (state == EngineState::kNormalOp) BLOBVM_TRY(impl_->sync_if_due(true));
    impl_->state.store(state);
    impl_->notify();
    return {};
}

Result<chain::BlockPtr> VirtualMachine::Impl::parse(SharedBytes bytes) {
    if (chain::BlockPtr known = blocks.find(bytes.view())) return known;
    const Timer timer{parts.metrics.parse};
    if (bytes.size() > chain::kMaxBlockBytes && bytes.size() <= chain::kMaxMessageBytes) {
        return fail(ErrorCode::kBlockBytesTooBig, std::to_string(bytes.size()) + " bytes, limit " +
                                                      std::to_string(chain::kMaxBlockBytes));
    }
    BLOBVM_TRY(chain::RawBlock raw, chain::decode_block(std::move(bytes)));
    BLOBVM_TRY(chain::BlockPtr block, chain::load_block(std::move(raw), loader));
    blocks.insert(block);
    return block;
}

Result<chain::BlockPtr> VirtualMachine::parse_block(SharedBytes bytes) {
    return impl_->parse(std::move(bytes));
}

Result<std::vector<chain::BlockPtr>> VirtualMachine::parse_blocks(std::vector<SharedBytes> bytes) {
    std::vector<chain::BlockPtr> parsed;
    parsed.reserve(bytes.size());
    for (SharedBytes& one : bytes) {
        BLOBVM_TRY(chain::BlockPtr block, impl_->parse(std::move(one)));
        parsed.push_back(std::move(block));
    }
    return parsed;
}

Result<BlockInfo> VirtualMachine::get_block(const BlockId& id) const {
    const Impl::EngineCall call{impl_->engine_call};
    if (id == impl_->last_accepted->id) return info_of(*impl_->last_accepted);
    if (const auto found = impl_->processing.find(id); found != impl_->processing.end()) {
        return info_of(*found->second.block);
    }
    BLOBVM_TRY(SharedBytes bytes, impl_->parts.store.block_bytes(id));
    BLOBVM_TRY(const chain::RawBlock raw, chain::decode_block(bytes));
    return info_of(id, raw.header, std::move(bytes));
}

BlockInfo VirtualMachine::last_accepted() const {
    const ReaderLock lock{impl_->tip_mutex};
    return info_of(*impl_->accepted);
}

Result<BlockId> VirtualMachine::block_id_at(std::uint64_t height) const {
    return impl_->parts.store.block_id_at(height);
}

Result<std::vector<SharedBytes>> VirtualMachine::ancestors(
    const BlockId& id, std::int32_t max_blocks, std::int32_t max_bytes,
    std::chrono::nanoseconds max_time) const {
    constexpr std::int64_t kFraming = 4;  // each block's length stands before it on the wire
    const auto start = impl_->parts.clock.now_steady();
    std::vector<SharedBytes> found;
    std::int64_t total = 0;
    BlockId next = id;
    do {
        Result<BlockInfo> block = get_block(next);
        if (!block) {
            if (block.error().code == ErrorCode::kNotFound) break;
            return fail(std::move(block).error());
        }
        total += kFraming + static_cast<std::int64_t>(block->bytes.size());
        if (!found.empty() && total > max_bytes) break;
        found.push_back(std::move(block->bytes));
        if (block->height == 0) break;
        next = block->parent;
    } while (static_cast<std::int64_t>(found.size()) < max_blocks &&
             impl_->parts.clock.now_steady() - start < max_time);
    return found;
}

Result<chain::BuiltBlock> VirtualMachine::Impl::build() {
    if (state.load() != EngineState::kNormalOp) {
        return fail(ErrorCode::kNotReady, "blocks are built in normal operation only");
    }
    // A reader beside submissions: only engine calls write, and this is one.
    const ReaderLock lock{tip_mutex};
    if (!preferred.block) {
        return fail(ErrorCode::kNotFound, "preferred block " + to_cb58(preferred.id.view()));
    }
    const chain::Block& parent = *preferred.block;
    const std::int64_t time_s = std::max(parts.clock.now_s(), parent.header.timestamp_s);
    const chain::Window window = history.window(parent.id, time_s);
    mempool::Mempool::Position position;
    return chain::build_block(
        parent, window, parts.genesis, preferred.state, time_s,
        [&] { return mempool.next_best(position); },
        [&](const chain::TransactionPtr& tx, const Error& error) { on_skipped(tx, error); },
        [&](const SharedBytes& bytes) {
            stage(bytes, parent.header.height + 1);  // on its way to the disk while it is hashed
            return keccak256(bytes.view());
        });
}

/// Offers in processing blocks from the accepted one to `tip` need not be looked at when the next
/// block is built. As a rule the path has grown by a block or two since the last build.
void VirtualMachine::Impl::hold_path_to(const BlockId& tip) {
    const std::vector<chain::BlockPtr> fresh = release_beside(tip);
    for (auto block = fresh.rbegin(); block != fresh.rend(); ++block) {
        mempool.hold((*block)->transactions);
        held.push_back(*block);
    }
}

/// Offers that a block on top of `tip` can take are told again. Returns the path's blocks that are
/// not held, youngest first.
std::vector<chain::BlockPtr> VirtualMachine::Impl::release_beside(const BlockId& tip) {
    std::vector<chain::BlockPtr> fresh;
    auto known = held.end();
    for (auto at = processing.find(tip); at != processing.end();
         at = processing.find(fresh.back()->header.parent)) {
        known = std::ranges::find(held, at->second.block);
        if (known != held.end()) break;
        fresh.push_back(at->second.block);
    }
    release_from(known == held.end() ? held.begin() : std::next(known));
    return fresh;
}

void VirtualMachine::Impl::release_from(std::deque<chain::BlockPtr>::iterator first) {
    for (auto block = first; block != held.end(); ++block) {
        mempool.release((*block)->transactions);
    }
    held.erase(first, held.end());
}

/// What was built or verified is accepted soon, as a rule. A chain that is caught up with does not
/// wait for the disk.
void VirtualMachine::Impl::stage(const SharedBytes& bytes, std::uint64_t height) {
    if (state.load() != EngineState::kBootstrapping) parts.store.stage(bytes, height);
}

Result<chain::BlockPtr> VirtualMachine::build_block() {
    const Impl::EngineCall call{impl_->engine_call};
    const Timer timer{impl_->parts.metrics.build};
    const BlockId preferred = [&] {
        const ReaderLock lock{impl_->tip_mutex};
        return impl_->preferred.id;
    }();
    impl_->expire_offers();
    impl_->hold_path_to(preferred);
    const Impl::Fruitless asked{preferred, impl_->mempool.version(), impl_->parts.clock.now_s()};
    Result<chain::BuiltBlock> built = impl_->build();
    if (!built) {
        impl_->parts.metrics.builds_failed.add();
        const Lock lock{impl_->fruitless_mutex};
        impl_->fruitless = asked;
        return fail(std::move(built).error());
    }
    impl_->parts.metrics.blocks_built.add();
    chain::BlockPtr block = built->block;
    impl_->blocks.insert(block);
    impl_->built.push_back(*std::move(built));
    if (impl_->built.size() > kBuiltKept) impl_->built.pop_front();
    return block;
}

/// A transaction that cannot be in the next block: it goes if it never can be, else it waits for
/// another tip or for its window to end.
void VirtualMachine::Impl::on_skipped(const chain::TransactionPtr& tx, const Error& error) {
    switch (error.code) {
        case ErrorCode::kDuplicateTransaction:  // in a processing block
        case ErrorCode::kInsufficientPrice:     // the price may fall
        case ErrorCode::kInvalidBlockId:        // expire_offers() decides
            return;
        case ErrorCode::kInvalidBalance:  // money may come
            mempool.remember(tx->id, mempool::Fate::kSkipped, error);
            return;
        case ErrorCode::kKeyExists: {
            const auto accepted_meta = parts.store.blob_meta(tx->key);
            const bool for_ever = accepted_meta.has_value() && accepted_meta->has_value();
            if (for_ever) {
                mempool.drop(tx->id, mempool::Fate::kSkipped, error);
            } else {
                mempool.remember(tx->id, mempool::Fate::kSkipped, error);
            }
            return;
        }
        default:
            mempool.drop(tx->id, mempool::Fate::kSkipped, error);
    }
}

Result<chain::BlockPtr> VirtualMachine::verify_block(SharedBytes bytes) {
    const Impl::EngineCall call{impl_->engine_call};
    Impl& vm = *impl_;
    BLOBVM_TRY(chain::BlockPtr block, vm.parse(std::move(bytes)));
    if (vm.processing.contains(block->id) || block->id == vm.last_accepted->id) return block;

    const Timer timer{vm.parts.metrics.verify};
    const auto verified = [&]() -> Result<chain::Outcome> {
        BLOBVM_TRY(chain::check_shape(*block, vm.parts.genesis, vm.block_clock()));
        const Impl::PreferredTip parent = vm.tip_at(block->header.parent);
        if (!parent.block) {
            BLOBVM_TRY(vm.parts.store.block_bytes(block->header.parent));  // kNotFound, mostly
            return fail(ErrorCode::kParentNotVerified);  // decided long ago: a rival won
        }
        for (const chain::BuiltBlock& built : vm.built) {
            if (built.block == block) return built.outcome;  // right by construction
        }
        const ReaderLock lock{vm.tip_mutex};
        const chain::Window window = vm.history.window(parent.id, block->header.timestamp_s);
        const Timer execution{vm.parts.metrics.execute};
        return chain::verify_block(*block, parent.block->header, window, vm.parts.genesis,
                                   parent.state);
    }();
    if (!verified) {
        vm.parts.metrics.blocks_refused.add();
        return fail(verified.error());
    }
    vm.parts.metrics.blocks_verified.add();
    vm.stage(block->bytes, block->header.height);
    vm.processing.emplace(block->id, Impl::Processing{block, *verified});
    vm.processing_count.store(vm.processing.size());
    chain::BlockSummary summary = chain::summarise(*block, vm.parts.genesis);
    const WriterLock lock{vm.tip_mutex};
    vm.history.add(std::move(summary));
    return block;
}

Result<void> VirtualMachine::Impl::sync_if_due(bool force) {
    if (unsynced_blocks == 0) return {};
    const auto now = parts.clock.now_steady();
    if (!force && unsynced_blocks < kUnsyncedBlocks && now - unsynced_since < kUnsyncedTime) {
        return {};
    }
    BLOBVM_TRY(parts.store.sync());
    unsynced_blocks = 0;
    return {};
}

Result<void> VirtualMachine::accept(const BlockId& id) {
    const Impl::EngineCall call{impl_->engine_call};
    Impl& vm = *impl_;
    if (id == vm.last_accepted->id) return {};
    const auto found = vm.processing.find(id);
    if (found == vm.processing.end()) {
        return fail(ErrorCode::kInvalidState,
                    "accept of " + to_cb58(id.view()) + ", which is not verified");
    }
    const Impl::Processing entry = found->second;
    const chain::Block& block = *entry.block;
    if (block.header.parent != vm.last_accepted->id) {
        return fail(ErrorCode::kInvalidState,
                    "accept of " + to_cb58(id.view()) + " before its parent");
    }

    const Timer timer{vm.parts.metrics.accept};
    // The witness first: whatever the node's log keeps of it, its own height is not below.
    BLOBVM_TRY(vm.parts.node.write_witness({block.header.height, id}));
    const bool synced = vm.state.load() != EngineState::kBootstrapping;
    const chain::BlockSummary summary = chain::summarise(block, vm.parts.genesis);
    BLOBVM_TRY(vm.parts.store.commit(block, summary, entry.outcome.changes,
                                     synced ? Durability::kSynced : Durability::kBuffered));
    vm.last_accepted = entry.block;
    vm.processing.erase(id);
    vm.processing_count.store(vm.processing.size());
    std::erase_if(vm.built, [&](const chain::BuiltBlock& built) {
        return built.block->header.height <= block.header.height;
    });
    vm.rebuild_states();
    {
        const WriterLock lock{vm.tip_mutex};
        vm.history.accept(id);
        vm.accepted = entry.block;
        vm.note_activity(block);
        vm.preferred = vm.tip_at(vm.preferred.id);
    }
    vm.mempool.remove(block.transactions);
    if (!vm.held.empty()) {
        if (vm.held.front()->id == id) {
            vm.held.pop_front();
        } else {
            vm.release_from(vm.held.begin());  // a rival has won
        }
    }
    vm.expire_offers();
    vm.parts.metrics.blocks_accepted.add();
    vm.parts.metrics.bytes_accepted.add(block.bytes.size());
    vm.parts.metrics.transactions_accepted.add(block.transactions.size());
    if (!synced) {
        if (vm.unsynced_blocks++ == 0) vm.unsynced_since = vm.parts.clock.now_steady();
        BLOBVM_TRY(vm.sync_if_due(false));
    }
    vm.notify();
    return {};
}

/// What an accepted ancestor wrote stands in the store now; states that still carry it are made
/// anew once it outweighs what they need. Amortised, an accept pays for its own changes only.
void VirtualMachine::Impl::rebuild_states() {
    std::size_t live = 0;
    std::size_t shadows = 0;
    for (const auto& [id, entry] : processing) {
        live += entry.outcome.changes.balances.size() + entry.outcome.changes.blobs.size();
        shadows = std::max(shadows, entry.outcome.state.shadow_size());
    }
    if (shadows <= 2 * live + kShadowSlack) return;
    std::vector<Processing*> by_height;
    for (auto& [id, entry] : processing) by_height.push_back(&entry);
    std::sort(by_height.begin(), by_height.end(), [](const Processing* a, const Processing* b) {
        return a->block->header.height < b->block->header.height;
    });
    for (Processing* entry : by_height) {
        const PreferredTip parent = tip_at(entry->block->header.parent);
        // A block on a branch that has lost has no parent here any more; it is rejected next.
        if (parent.block) entry->outcome.state = parent.state.with(entry->outcome.changes);
    }
}

/// What names a block that neither a child of the accepted tip nor one of the preferred tip can
/// look back to leaves the pool. (Preference alone does not decide: it may turn back.)
void VirtualMachine::Impl::expire_offers() {
    if (mempool.size() == 0) return;
    const ReaderLock lock{tip_mutex};
    const std::int64_t now_s = parts.clock.now_s();
    const chain::Window on_accepted = history.window(accepted->id, now_s);
    const chain::Window on_preferred =
        history.window(preferred.block ? preferred.id : accepted->id, now_s);
    mempool.expire(
        [&](const BlockId& id) { return on_accepted.has_block(id) || on_preferred.has_block(id); });
}

void VirtualMachine::Impl::note_activity(const chain::Block& block) {
    const std::size_t capacity = parts.config.activity_cache_size;
    if (capacity == 0) return;
    for (const chain::TransactionPtr& tx : block.transactions) {
        Activity entry{.timestamp_s = block.header.timestamp_s,
                       .id = tx->id,
                       .sender = tx->sender,
                       .key = std::nullopt,
                       .transfer = std::nullopt};
        if (const auto* transfer = tx->fields().transfer()) {
            entry.transfer = {transfer->to, transfer->units};
        } else {
            entry.key = tx->key;
        }
        activity.push_front(std::move(entry));
        if (activity.size() > capacity) activity.pop_back();
    }
}

Result<void> VirtualMachine::reject(const BlockId& id) {
    const Impl::EngineCall call{impl_->engine_call};
    Impl& vm = *impl_;
    const auto found = vm.processing.find(id);
    if (found == vm.processing.end()) return {};  // nothing of it is kept
    const chain::BlockPtr block = found->second.block;
    vm.release_from(std::ranges::find(vm.held, block));
    vm.processing.erase(found);
    vm.processing_count.store(vm.processing.size());
    {
        const WriterLock lock{vm.tip_mutex};
        vm.history.reject(id);
        if (vm.preferred.id == id) {
            vm.preferred = vm.tip_at(vm.last_accepted->id);
            vm.release_from(vm.held.begin());
        }
    }
    vm.parts.metrics.blocks_rejected.add();
    if (vm.state.load() == EngineState::kNormalOp) {
        for (const chain::TransactionPtr& tx : block->transactions) {
            if (vm.mempool.contains(tx->id)) continue;
            // Checked like any other; the pool remembers why one could not come back.
            const chain::TransactionPtr own = detail::detached(tx);
            if (const auto readmitted = vm.admit({&own, 1}).front(); !readmitted) {
                vm.mempool.remember(tx->id, mempool::Fate::kRefused, readmitted.error());
            }
        }
    }
    vm.notify();
    return {};
}

void VirtualMachine::set_preference(const BlockId& id) {
    const Impl::EngineCall call{impl_->engine_call};
    {
        const WriterLock lock{impl_->tip_mutex};
        if (impl_->preferred.id == id && impl_->preferred.block) return;
        impl_->preferred = impl_->tip_at(id);
        if (!impl_->preferred.block) {
            log::error("the engine prefers a block that is neither accepted nor processing",
                       to_cb58(id.view()));
        }
    }
    if (!impl_->held.empty()) impl_->release_beside(id);
    impl_->notify();
}

// --- transactions ---

/// Checks each on the preferred tip as the next block would, and takes it into the pool. A tip
/// that changes meanwhile waits for a few of them only.
std::vector<Result<void>> VirtualMachine::Impl::admit(
    std::span<const chain::TransactionPtr> transactions) {
    constexpr std::size_t kTogether = 16;
    std::vector<Result<void>> results;
    results.reserve(transactions.size());
    while (!transactions.empty()) {
        const auto some = transactions.first(std::min(transactions.size(), kTogether));
        transactions = transactions.subspan(some.size());
        const ReaderLock lock{tip_mutex};
        const std::int64_t now_s = parts.clock.now_s();
        const chain::Window window =
            history.window(preferred.block ? preferred.id : accepted->id, now_s);
        for (const chain::TransactionPtr& tx : some) {
            results.push_back(admit_on({parts.genesis, window, now_s}, tx));
        }
    }
    return results;
}

Result<void> VirtualMachine::Impl::admit_on(const chain::Scene& scene,
                                            const chain::TransactionPtr& tx) {
    if (!preferred.block) return fail(ErrorCode::kNotReady, "the preferred block is not known");
    BLOBVM_TRY(const Amount balance, chain::check(*tx, scene, preferred.state));
    const FeeUnits units = chain::fee_units(parts.genesis, tx->fields());
    const std::optional<Amount> cost = most_cost(*tx, units);
    if (!cost) return fail(ErrorCode::kFeeOverflow);
    return mempool.add(
        {.transaction = tx, .units = units, .cost = *cost, .sender_balance = balance});
}

Result<TxId> VirtualMachine::submit(SharedBytes standalone) {
    BLOBVM_TRY(chain::RawTransaction raw, chain::decode_transaction(std::move(standalone)));
    std::vector<chain::RawTransaction> one;
    one.push_back(std::move(raw));
    return submit_all(std::move(one)).front();
}

std::vector<Result<TxId>> VirtualMachine::submit_all(
    std::vector<chain::RawTransaction> transactions) {
    Impl& vm = *impl_;
    const std::size_t count = transactions.size();
    std::vector<std::optional<Result<TxId>>> results(count);
    vm.parts.metrics.transactions_submitted.add(count);

    // From cheap to dear: known bytes, hashes, context, then the signature, then state.
    const std::vector<chain::TransactionPtr> known = vm.mempool.find_same(transactions);
    std::vector<std::size_t> places;
    std::vector<chain::RawTransaction> unknown;
    for (std::size_t i = 0; i < count; ++i) {
        if (vm.state.load() != EngineState::kNormalOp) {
            results[i] = fail(ErrorCode::kNotReady, "the node is still catching up");
        } else if (known[i]) {
            vm.parts.metrics.known_transactions.add();
            results[i] = known[i]->id;
        } else {
            places.push_back(i);
            unknown.push_back(detail::detached(std::move(transactions[i])));
        }
    }
    const std::vector<chain::TxHashes> hashes = chain::hash_transactions(unknown);
    std::vector<std::size_t> worth;
    {
        const ReaderLock lock{vm.tip_mutex};
        const std::int64_t now_s = vm.parts.clock.now_s();
        const chain::Window window =
            vm.history.window(vm.preferred.block ? vm.preferred.id : vm.accepted->id, now_s);
        for (std::size_t k = 0; k < unknown.size(); ++k) {
            const Result<void> fits = chain::check_context(unknown[k].fields, hashes[k].id,
                                                           {vm.parts.genesis, window, now_s});
            if (fits) {
                worth.push_back(k);
            } else {
                results[places[k]] = fail(fits.error());
            }
        }
    }
    std::vector<chain::RawTransaction> recoverable;
    std::vector<chain::TxHashes> their_hashes;
    for (const std::size_t k : worth) {
        recoverable.push_back(std::move(unknown[k]));
        their_hashes.push_back(hashes[k]);
    }
    auto recovered = detail::recover_all(std::move(recoverable), their_hashes, vm.parts.executor,
                                         vm.parts.metrics);
    std::vector<chain::TransactionPtr> genuine;
    std::vector<std::size_t> genuine_places;
    for (std::size_t k = 0; k < recovered.size(); ++k) {
        const std::size_t place = places[worth[k]];
        if (recovered[k]) {
            genuine.push_back(*std::move(recovered[k]));
            genuine_places.push_back(place);
        } else {
            results[place] = fail(recovered[k].error());
        }
    }
    const std::vector<Result<void>> admitted = vm.admit(genuine);
    bool news = false;
    for (std::size_t k = 0; k < genuine.size(); ++k) {
        const TxId& id = genuine[k]->id;
        std::optional<Result<TxId>>& result = results[genuine_places[k]];
        if (admitted[k]) {
            news = true;
            result = id;
        } else if (admitted[k].error().code == ErrorCode::kDuplicateTransaction &&
                   vm.mempool.contains(id)) {
            result = id;  // somebody was quicker with the same one
        } else {
            vm.mempool.remember(id, mempool::Fate::kRefused, admitted[k].error());
            result = fail(admitted[k].error());
        }
    }
    std::vector<Result<TxId>> answers;
    answers.reserve(count);
    for (auto& result : results) {
        if (!result->has_value()) vm.parts.metrics.transactions_refused.add();
        answers.push_back(*std::move(result));
    }
    if (news) vm.notify();
    return answers;
}

bool VirtualMachine::Impl::plausible_offer() const {
    const ReaderLock lock{tip_mutex};
    if (!preferred.block) return false;
    const std::int64_t time_s = std::max(parts.clock.now_s(), preferred.block->header.timestamp_s);
    const chain::Window window = history.window(preferred.id, time_s);
    mempool::Mempool::Position position;
    for (std::size_t seen = 0; seen < kWorkScan; ++seen) {
        const chain::TransactionPtr offer = mempool.next_best(position);
        if (!offer || offer->price() < window.next_price()) return false;
        if (window.has_block(offer->fields().block_id) && !window.has_transaction(offer->id)) {
            return true;
        }
    }
    return true;
}

bool VirtualMachine::has_work() const {
    if (impl_->state.load() != EngineState::kNormalOp || impl_->mempool.size() == 0) return false;
    const BlockId preferred = [&] {
        const ReaderLock lock{impl_->tip_mutex};
        return impl_->preferred.id;
    }();
    const Impl::Fruitless now{preferred, impl_->mempool.version(), impl_->parts.clock.now_s()};
    {
        const Lock lock{impl_->fruitless_mutex};
        if (impl_->fruitless == now) return false;
    }
    return impl_->plausible_offer();
}

// --- reads ---

std::shared_ptr<const ChainSnapshot> VirtualMachine::snapshot() const {
    return impl_->parts.store.snapshot();
}

chain::SuggestedFee VirtualMachine::suggested_fee() const {
    const ReaderLock lock{impl_->tip_mutex};
    const BlockId& parent = impl_->preferred.block ? impl_->preferred.id : impl_->accepted->id;
    const chain::Window window = impl_->history.window(parent, impl_->parts.clock.now_s());
    const Lock fees_lock{impl_->fees_mutex};
    return impl_->fees.suggest(window, impl_->parts.genesis);
}

std::vector<Activity> VirtualMachine::recent_activity() const {
    const ReaderLock lock{impl_->tip_mutex};
    return {impl_->activity.begin(), impl_->activity.end()};
}

VirtualMachine::Status VirtualMachine::status() const {
    const ReaderLock lock{impl_->tip_mutex};
    return {.state = impl_->state.load(),
            .last_accepted = {impl_->accepted->header.height, impl_->accepted->id},
            .preferred = impl_->preferred.id,
            .processing = impl_->processing_count.load()};
}

void VirtualMachine::shutdown() {
    if (impl_->shut.exchange(true)) return;
    impl_->parts.store.close();
    const ChainStore::Stats stats = impl_->parts.store.stats();
    if (stats.failed) log::error("the store has failed", stats.failure);
}

}  // namespace blobvm::vm
