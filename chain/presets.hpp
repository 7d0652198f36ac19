#pragma once

#include <cstdint>

#include "chain/genesis.hpp"

namespace blobvm::chain {

/// The defaults of the original's CLI: one block a second, 246 units each.
inline Genesis classic_genesis(std::uint64_t magic) {
    Genesis genesis;  // whose member defaults are the original's
    genesis.magic = magic;
    return genesis;
}

/// Blocks of 1.6 MiB up to ten times a second, 16 MB/s before the price rises, no block cost: meant
/// for nodes whose buildInterval is 100 ms. The local chain uses it.
inline Genesis fast_genesis(std::uint64_t magic) {
    Genesis genesis = classic_genesis(magic);
    genesis.max_block_size = 1'638;
    genesis.target_block_size = 15'625;
    genesis.block_cost_enabled = false;
    return genesis;
}

}  // namespace blobvm::chain
