#include "chain/genesis.hpp"

#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include "chain/base/hex.hpp"
#include "chain/detail/wire.hpp"

namespace blobvm::chain {
namespace {

constexpr std::size_t kMaxStringLength = 65'535;  ///< codec limit of a string

/// Units of a set of the biggest value; empty if they do not fit.
std::optional<FeeUnits> units_of_biggest_set(const Genesis& genesis) {
    return add(FeeUnits{genesis.base_tx_units},
               FeeUnits{genesis.max_value_size / genesis.value_unit_size + 1});
}

bool target_range_fits(const Genesis& genesis) {
    std::uint64_t product = 0;
    return !__builtin_mul_overflow(
        genesis.target_block_size / static_cast<std::uint64_t>(genesis.target_block_rate_s),
        static_cast<std::uint64_t>(genesis.lookback_window_s), &product);
}

}  // namespace

std::uint64_t Genesis::target_range_units() const {
    if (target_block_rate_s == 0) return 0;
    return target_block_size / static_cast<std::uint64_t>(target_block_rate_s) *
           static_cast<std::uint64_t>(lookback_window_s);
}

Result<void> validate(const Genesis& genesis) {
    if (genesis.magic == 0) return fail(ErrorCode::kInvalidMagic);
    if (genesis.target_block_rate_s == 0) return fail(ErrorCode::kInvalidBlockRate);
    if (genesis.target_block_rate_s < 0) {
        return fail(ErrorCode::kInvalidBlockRate,
                    fmt::format("{} seconds, at least 1", genesis.target_block_rate_s));
    }
    if (genesis.base_tx_units == 0) return fail(ErrorCode::kGenesisBaseTxUnits, "at least 1");
    if (genesis.value_unit_size == 0) {
        return fail(ErrorCode::kGenesisValueUnitSize, "at least 1 byte");
    }
    if (genesis.max_value_size == 0 || genesis.max_value_size > kMaxSliceLength) {
        return fail(
            ErrorCode::kGenesisMaxValueSize,
            fmt::format("{} bytes, between 1 and {}", genesis.max_value_size, kMaxSliceLength));
    }
    if (genesis.lookback_window_s < 0) {
        return fail(ErrorCode::kGenesisLookbackWindow,
                    fmt::format("{} seconds, at least 0", genesis.lookback_window_s));
    }
    if (!target_range_fits(genesis)) {
        return fail(ErrorCode::kGenesisTargetBlockSize,
                    fmt::format("{} units for {} seconds overflow", genesis.target_block_size,
                                genesis.lookback_window_s));
    }
    const auto biggest = units_of_biggest_set(genesis);
    if (!biggest || biggest->value > genesis.max_block_size) {
        return fail(ErrorCode::kGenesisMaxBlockSize,
                    fmt::format("{} units do not hold the biggest value", genesis.max_block_size));
    }
    if (genesis.custom_allocation && genesis.custom_allocation->size() > kMaxSliceLength) {
        return fail(ErrorCode::kGenesisAllocation,
                    fmt::format("{} entries, limit {}", genesis.custom_allocation->size(),
                                kMaxSliceLength));
    }
    if (genesis.airdrop_hash.size() > kMaxStringLength) {
        return fail(ErrorCode::kAirdropMismatch, "airdrop hash is too long");
    }
    if (!genesis.airdrop_hash.empty() && genesis.airdrop_units == Amount{0}) {
        return fail(ErrorCode::kGenesisAirdropUnits, "non-zero airdrop units required");
    }
    return {};
}

Result<std::vector<Allocation>> initial_balances(const Genesis& genesis,
                                                 const std::optional<Airdrop>& airdrop) {
    std::vector<Allocation> balances;
    absl::flat_hash_map<Address, std::size_t, IdHash> index;
    const auto set = [&](const Address& address, Amount balance) {
        const auto [entry, is_new] = index.try_emplace(address, balances.size());
        if (is_new) {
            balances.push_back({address, balance});
        } else {
            balances[entry->second].balance = balance;
        }
    };

    if (!genesis.airdrop_hash.empty()) {
        const std::string given = airdrop ? to_hex_0x(airdrop->file_hash.view()) : "no file";
        if (given != genesis.airdrop_hash) {
            return fail(ErrorCode::kAirdropMismatch,
                        fmt::format("expected standard allocation {} but got {}",
                                    genesis.airdrop_hash, given));
        }
        for (const Address& address : airdrop->addresses) set(address, genesis.airdrop_units);
        if (!fee(Price{genesis.airdrop_units.value}, FeeUnits{balances.size()})) {
            return fail(ErrorCode::kGenesisSupplyOverflow,
                        fmt::format("{} for each of {} addresses", genesis.airdrop_units.value,
                                    balances.size()));
        }
    }
    if (genesis.custom_allocation) {
        for (const auto& [address, balance] : *genesis.custom_allocation) set(address, balance);
    }
    return balances;
}

BlockPtr genesis_block(const Genesis& genesis) {
    BlockHeader header;
    header.price = genesis.min_price;
    return make_block(header, {}).value();
}

Bytes encode_genesis(const Genesis& genesis) {
    static const std::vector<Allocation> kNone;
    const auto& allocations = genesis.custom_allocation ? *genesis.custom_allocation : kNone;
    detail::Writer writer{128 + allocations.size() * (Address::kSize + 8)};
    writer.u64(genesis.magic);
    writer.u64(genesis.base_tx_units);
    writer.u64(genesis.value_unit_size);
    writer.u64(genesis.max_value_size);
    writer.u64(genesis.min_price.value);
    writer.i64(genesis.lookback_window_s);
    writer.i64(genesis.target_block_rate_s);
    writer.u64(genesis.target_block_size);
    writer.u64(genesis.max_block_size);
    writer.boolean(genesis.block_cost_enabled);
    writer.u32(static_cast<std::uint32_t>(allocations.size()));
    for (const auto& [address, balance] : allocations) {
        writer.raw(address.view());
        writer.u64(balance.value);
    }
    writer.u16(static_cast<std::uint16_t>(genesis.airdrop_hash.size()));
    writer.raw(as_bytes(genesis.airdrop_hash));
    writer.u64(genesis.airdrop_units.value);
    return std::move(writer).finish();
}

}  // namespace blobvm::chain
