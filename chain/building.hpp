#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "chain/block.hpp"
#include "chain/verification.hpp"

namespace blobvm::chain {

/// A block that passes verify_block by construction, and what it does.
struct BuiltBlock {
    BlockPtr block;
    Outcome outcome;
};

/// Hands out the waiting transactions, best price first; null when there are no more.
using NextOffer = std::function<TransactionPtr()>;

/// Hears of an offer that could not be taken and why. Offers that merely did not fit, or that are
/// below the price of this block, are not reported.
using OnSkipped = std::function<void(const TransactionPtr&, const Error&)>;

/// A child of `parent` at `time_s` (not below the parent's). Takes offers while they are worth
/// their price and fit max_block_size and kMaxBlockBytes; best price first, so that the surplus is
/// as large as it can be. kNoTransactions if nothing could be taken, kInsufficientSurplus if what
/// was taken does not pay the block's cost: later the cost is lower. `hash` as for make_block.
Result<BuiltBlock> build_block(const Block& parent, const Window& window, const Genesis& rules,
                               const State& state, std::int64_t time_s, const NextOffer& next_offer,
                               const OnSkipped& on_skipped, const HashBytes& hash = {});

}  // namespace blobvm::chain
