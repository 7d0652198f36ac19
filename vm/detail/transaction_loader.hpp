#pragma once

#include <functional>
#include <span>
#include <vector>

#include "chain/transaction.hpp"
#include "mempool/mempool.hpp"
#include "vm/executor.hpp"
#include "vm/metrics.hpp"

namespace blobvm::vm::detail {

/// The node's way to known transactions: what waits in the mempool is taken from there without
/// hashing or recovering anything, the rest is hashed in one go and recovered on the executor. What
/// else is to be done runs beside the hashing.
class NodeTransactionLoader final : public chain::TransactionLoader {
  public:
    NodeTransactionLoader(const mempool::Mempool& mempool, Executor& executor, Metrics& metrics)
        : mempool_{mempool}, executor_{executor}, metrics_{metrics} {}

    Result<std::vector<chain::TransactionPtr>> load_beside(
        std::span<const chain::RawTransaction> raws,
        const std::function<void()>& meanwhile) override;

  private:
    const mempool::Mempool& mempool_;
    Executor& executor_;
    Metrics& metrics_;
};

/// Recovers the senders of `raws` side by side; result[i] belongs to raws[i].
std::vector<Result<chain::TransactionPtr>> recover_all(std::vector<chain::RawTransaction> raws,
                                                       std::span<const chain::TxHashes> hashes,
                                                       Executor& executor, Metrics& metrics);

/// `raw` in a buffer of its own where it would keep a much larger one alive.
chain::RawTransaction detached(chain::RawTransaction raw);
chain::TransactionPtr detached(const chain::TransactionPtr& transaction);

}  // namespace blobvm::vm::detail
