#pragma once

#include <cstdint>
#include <optional>

#include "chain/block.hpp"
#include "chain/execution.hpp"
#include "chain/state.hpp"

namespace blobvm::chain {

constexpr std::int64_t kFutureBoundS = 10;  ///< a block this far ahead of the clock is refused

/// What a block does, once it is known to be right.
struct Outcome {
    Changes changes;
    State state;  ///< after the block
};

/// What can be said without the parent (spec/blobvm.md 6.5 steps 1 to 3): transactions present,
/// not too far ahead, not too big. `now_s` is empty while bootstrapping, when the block is final
/// already and the clock does not matter.
Result<void> check_shape(const Block& block, const Genesis& rules,
                         std::optional<std::int64_t> now_s);

/// The rest, from cheap to dear (steps 5 to 12, and the hardened rules of decisions.md): the parent
/// is known, `window` is that of (parent, block's time), `state` the parent's post-state. Touches
/// nothing.
Result<Outcome> verify_block(const Block& block, const BlockHeader& parent, const Window& window,
                             const Genesis& rules, const State& state);

}  // namespace blobvm::chain
