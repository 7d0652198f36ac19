#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "chain/base/mutex.hpp"
#include "chain/block.hpp"
#include "chain/genesis.hpp"
#include "chain/window.hpp"
#include "mempool/mempool.hpp"
#include "vm/chain_store.hpp"
#include "vm/clock.hpp"
#include "vm/config.hpp"
#include "vm/executor.hpp"
#include "vm/metrics.hpp"
#include "vm/node_services.hpp"

namespace blobvm::vm {

enum class EngineState { kUnset, kStateSyncing, kBootstrapping, kNormalOp };

/// What the engine is told of a block.
struct BlockInfo {
    BlockId id;
    BlockId parent;
    std::uint64_t height = 0;
    std::int64_t timestamp_s = 0;
    SharedBytes bytes;
};

/// One line of the recent activity (spec/blobvm.md 6.13).
struct Activity {
    std::int64_t timestamp_s = 0;
    TxId id;
    Address sender;
    std::optional<BlobKey> key;                          ///< a set
    std::optional<std::pair<Address, Amount>> transfer;  ///< to, units
};

/// The consensus state of one chain: accepted state, processing blocks, preference, mempool.
///
/// Engine calls (the group "L" of spec/rpcchainvm.md 3.3) must come one at a time; everything else
/// is safe from any thread, beside them. Lock order: consensus_mutex_, then tip_mutex_ or the
/// mempool's (leaves). No lock is held while calling the node.
class VirtualMachine {
  public:
    struct Parts {
        const Clock& clock;
        Executor& executor;
        NodeServices& node;
        Metrics& metrics;
        ChainStore& store;
        chain::Genesis genesis;
        Config config;
    };

    /// `store` holds the chain and has been rolled back to the witness.
    static Result<std::unique_ptr<VirtualMachine>> open(Parts parts);
    ~VirtualMachine();

    const chain::Genesis& genesis() const;
    const Config& config() const;

    // --- the engine ---

    Result<void> set_state(EngineState state);
    EngineState state() const;

    /// Pure: same bytes, same answer, at any time. Recovers what is not known, on the executor.
    Result<chain::BlockPtr> parse_block(SharedBytes bytes);
    Result<std::vector<chain::BlockPtr>> parse_blocks(std::vector<SharedBytes> bytes);

    /// Processing or accepted; kNotFound.
    Result<BlockInfo> get_block(const BlockId& id) const;
    BlockInfo last_accepted() const;
    Result<BlockId> block_id_at(std::uint64_t height) const;

    /// Blocks' bytes from `id` backwards (spec/rpcchainvm.md 3.9); empty if `id` is unknown.
    Result<std::vector<SharedBytes>> ancestors(const BlockId& id, std::int32_t max_blocks,
                                               std::int32_t max_bytes,
                                               std::chrono::nanoseconds max_time) const;

    /// A child of the preferred block; nothing leaves the mempool.
    Result<chain::BlockPtr> build_block();

    /// Verifies bytes; the block is processing afterwards. Repeats are harmless.
    Result<chain::BlockPtr> verify_block(SharedBytes bytes);
    Result<void> accept(const BlockId& id);
    Result<void> reject(const BlockId& id);
    void set_preference(const BlockId& id);

    // --- transactions ---

    /// Decodes, checks and admits one standalone transaction. A known one is no error.
    Result<TxId> submit(SharedBytes standalone);

    /// The same for several, recovered in parallel; one result each.
    std::vector<Result<TxId>> submit_all(std::vector<chain::RawTransaction> transactions);

    mempool::Mempool& mempool();

    /// Called (from any thread, no lock held) whenever there may be something new to build or to
    /// gossip: a transaction came in, the preference or the state changed, a block was decided.
    void on_change(std::function<void()> callback);

    /// Whether a build now is worth the engine's while: normal operation, and transactions that
    /// are plausible on the preferred tip. Computed anew from mempool, preference and clock; a
    /// build that failed on the same three is remembered, so an unbuildable pool does not spin.
    bool has_work() const;

    // --- reads ---

    std::shared_ptr<const ChainSnapshot> snapshot() const;
    chain::SuggestedFee suggested_fee() const;
    std::vector<Activity> recent_activity() const;  ///< newest first

    struct Status {
        EngineState state;
        Tip last_accepted;
        BlockId preferred;
        std::size_t processing;
    };
    Status status() const;

    /// Waits for nothing, writes what is buffered, closes the store. Idempotent.
    void shutdown();

  private:
    struct Impl;
    explicit VirtualMachine(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace blobvm::vm
