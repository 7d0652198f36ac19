#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chain/block.hpp"

namespace blobvm::chain {

struct Allocation {
    Address address;
    Amount balance;
};

/// The rules of one chain (spec/blobvm.md 4.1). The defaults are those of the original's CLI; what
/// is missing in genesis JSON is zero instead.
struct Genesis {
    std::uint64_t magic = 0;  ///< tells chains apart
    std::uint64_t base_tx_units = 1;
    std::uint64_t value_unit_size = 1024;    ///< bytes per unit
    std::uint64_t max_value_size = 204'800;  ///< bytes
    Price min_price{1};
    std::int64_t lookback_window_s = 60;
    std::int64_t target_block_rate_s = 1;   ///< seconds per block
    std::uint64_t target_block_size = 225;  ///< units
    std::uint64_t max_block_size = 246;     ///< units
    bool block_cost_enabled = true;
    std::optional<std::vector<Allocation>> custom_allocation;
    std::string airdrop_hash;
    Amount airdrop_units;

    /// (targetBlockSize / targetBlockRate) * lookbackWindow, integer division first.
    std::uint64_t target_range_units() const;
};

/// Every value by itself and together, each with its own error (decisions.md 1, spec 10 D7).
/// kInvalidMagic and kInvalidBlockRate come first, as in the original.
Result<void> validate(const Genesis& genesis);

/// The addresses of an airdrop file, and the keccak256 of its bytes.
struct Airdrop {
    Hash256 file_hash;
    std::vector<Address> addresses;
};

/// Every balance that the chain starts with, each address once: the airdrop's, then the custom
/// allocation in order, where later entries replace earlier ones (spec/blobvm.md 4.1).
/// kAirdropMismatch where the genesis asks for another airdrop file than `airdrop` (or for one, and
/// none is there); kGenesisSupplyOverflow where what the airdrop hands out would not fit. (A custom
/// allocation may hold more in all: the original starts with it, and no transfer can overflow a
/// balance.)
Result<std::vector<Allocation>> initial_balances(const Genesis& genesis,
                                                 const std::optional<Airdrop>& airdrop);

/// Height 0: everything zero but the price.
BlockPtr genesis_block(const Genesis& genesis);

/// The codec form; its keccak256 is kept by the store to know the chain again.
Bytes encode_genesis(const Genesis& genesis);

}  // namespace blobvm::chain
