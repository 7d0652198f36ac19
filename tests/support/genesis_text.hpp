#pragma once

#include "chain/genesis.hpp"
#include "tests/support/corpus.hpp"

namespace blobvm::test {

/// Genesis JSON in the original's own spelling of the keys; what is missing is zero. (The reader
/// for foreign spellings is proto/jsonrpc's, which tests of `chain` do not know.)
inline chain::Genesis genesis_of(const Json& json) {
    const auto number_at = [&](const char* name) {
        return json.contains(name) ? number(json.at(name)) : 0;
    };
    const auto signed_at = [&](const char* name) {
        return json.contains(name) ? signed_number(json.at(name)) : 0;
    };
    chain::Genesis genesis;
    if (json.is_null()) return genesis_of(Json::object());
    genesis.magic = number_at("magic");
    genesis.base_tx_units = number_at("baseTxUnits");
    genesis.value_unit_size = number_at("valueUnitSize");
    genesis.max_value_size = number_at("maxValueSize");
    genesis.min_price = {number_at("minPrice")};
    genesis.lookback_window_s = signed_at("lookbackWindow");
    genesis.target_block_rate_s = signed_at("targetBlockRate");
    genesis.target_block_size = number_at("targetBlockSize");
    genesis.max_block_size = number_at("maxBlockSize");
    genesis.block_cost_enabled = json.value("blockCostEnabled", false);
    genesis.airdrop_hash = json.value("airdropHash", std::string{});
    genesis.airdrop_units = {number_at("airdropUnits")};
    if (json.contains("customAllocation") && !json.at("customAllocation").is_null()) {
        genesis.custom_allocation.emplace();
        for (const Json& entry : json.at("customAllocation")) {
            genesis.custom_allocation->push_back(
                {fixed<Address>(entry.at("address")), Amount{number(entry.at("balance"))}});
        }
    }
    return genesis;
}

}  // namespace blobvm::test
