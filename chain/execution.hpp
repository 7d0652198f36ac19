#pragma once

#include <cstdint>

#include "chain/genesis.hpp"
#include "chain/state.hpp"
#include "chain/transaction.hpp"
#include "chain/window.hpp"

namespace blobvm::chain {

/// bytes / value_unit_size + 1.
std::uint64_t value_units(const Genesis& rules, std::uint64_t value_bytes);

/// What a transaction weighs, in fees and in a block alike (spec/blobvm.md 6.1).
FeeUnits fee_units(const Genesis& rules, const TxFields& fields);

/// Where and when a transaction runs.
struct Scene {
    const Genesis& rules;
    const Window& window;
    std::int64_t block_time_s;
};

/// The checks that need neither signature nor state: block id, magic, minimum price, window, known
/// id, and whether the fee fits (6.2 steps 1 to 5 and D2). In the order of the original.
Result<void> check_context(const TxFields& fields, const TxId& id, const Scene& scene);

/// All checks of `tx` on `state` (6.2), and nothing else; its sender's balance there.
Result<Amount> check(const Transaction& tx, const Scene& scene, const State& state);

/// The same checks, and what `tx` does then. On an error nothing has been written.
Result<void> execute(const Transaction& tx, const Scene& scene, Overlay& state);

}  // namespace blobvm::chain
