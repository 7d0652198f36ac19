#include "proto/jsonrpc/genesis.hpp"

#include <limits>

#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "proto/jsonrpc/detail/reader.hpp"

namespace blobvm::jsonrpc {
namespace {

using detail::read;
using json::Kind;
using json::Value;

/// An operator's own file may hold more values than a stranger's request.
constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

Result<chain::Allocation> read_allocation(const Value& value) {
    chain::Allocation allocation{};
    if (value.kind() != Kind::kObject) {
        return json::type_error(value, "Genesis.customAllocation", "chain.CustomAllocation");
    }
    for (auto member = value.first(); member; member = member->next()) {
        if (member->is_member("address")) {
            BLOBVM_TRY(
                read(*member, "CustomAllocation.customAllocation.address", allocation.address));
        } else if (member->is_member("balance")) {
            BLOBVM_TRY(read(*member, "CustomAllocation.customAllocation.balance",
                            allocation.balance.value));
        }
    }
    return allocation;
}

Result<void> read_allocations(const Value& value,
                              std::optional<std::vector<chain::Allocation>>& out) {
    out.reset();
    if (value.is_null()) return {};
    if (value.kind() != Kind::kArray) {
        return json::type_error(value, "Genesis.customAllocation", "[]*chain.CustomAllocation");
    }
    out.emplace();
    for (auto element = value.first(); element; element = element->next()) {
        BLOBVM_TRY(chain::Allocation allocation, read_allocation(*element));
        out->push_back(allocation);
    }
    return {};
}

Result<void> read_member(const Value& member, chain::Genesis& genesis) {
    const auto is = [&member](std::string_view name) { return member.is_member(name); };
    if (is("magic")) return read(member, "Genesis.magic", genesis.magic);
    if (is("baseTxUnits")) return read(member, "Genesis.baseTxUnits", genesis.base_tx_units);
    if (is("valueUnitSize")) return read(member, "Genesis.valueUnitSize", genesis.value_unit_size);
    if (is("maxValueSize")) return read(member, "Genesis.maxValueSize", genesis.max_value_size);
    if (is("minPrice")) return read(member, "Genesis.minPrice", genesis.min_price.value);
    if (is("lookbackWindow")) {
        return read(member, "Genesis.lookbackWindow", genesis.lookback_window_s);
    }
    if (is("targetBlockRate")) {
        return read(member, "Genesis.targetBlockRate", genesis.target_block_rate_s);
    }
    if (is("targetBlockSize")) {
        return read(member, "Genesis.targetBlockSize", genesis.target_block_size);
    }
    if (is("maxBlockSize")) return read(member, "Genesis.maxBlockSize", genesis.max_block_size);
    if (is("blockCostEnabled")) {
        return read(member, "Genesis.blockCostEnabled", genesis.block_cost_enabled);
    }
    if (is("customAllocation")) return read_allocations(member, genesis.custom_allocation);
    if (is("airdropHash")) return read(member, "Genesis.airdropHash", genesis.airdrop_hash);
    if (is("airdropUnits"))
        return read(member, "Genesis.airdropUnits", genesis.airdrop_units.value);
    return {};
}

}  // namespace

Result<chain::Genesis> parse_genesis(std::string_view text) {
    BLOBVM_TRY(const json::Document document, json::Document::parse(text, kNoLimit));
    return read_genesis(document.root());
}

Result<chain::Genesis> read_genesis(const Value& value) {
    chain::Genesis genesis{.magic = 0,
                           .base_tx_units = 0,
                           .value_unit_size = 0,
                           .max_value_size = 0,
                           .min_price = {},
                           .lookback_window_s = 0,
                           .target_block_rate_s = 0,
                           .target_block_size = 0,
                           .max_block_size = 0,
                           .block_cost_enabled = false,
                           .custom_allocation = {},
                           .airdrop_hash = {},
                           .airdrop_units = {}};
    BLOBVM_TRY(detail::expect_object(value, "", "chain.Genesis"));
    for (auto member = value.first(); member; member = member->next()) {
        BLOBVM_TRY(read_member(*member, genesis));
    }
    return genesis;
}

std::string write_genesis(const chain::Genesis& genesis) {
    std::string out;
    const auto put = [&out](std::string_view key, auto number) {
        out += out.empty() ? "{\"" : ",\"";
        out += key;
        out += "\":";
        json::append_number(out, number);
    };
    put("magic", genesis.magic);
    put("baseTxUnits", genesis.base_tx_units);
    put("valueUnitSize", genesis.value_unit_size);
    put("maxValueSize", genesis.max_value_size);
    put("minPrice", genesis.min_price.value);
    put("lookbackWindow", genesis.lookback_window_s);
    put("targetBlockRate", genesis.target_block_rate_s);
    put("targetBlockSize", genesis.target_block_size);
    put("maxBlockSize", genesis.max_block_size);
    out += ",\"blockCostEnabled\":";
    out += genesis.block_cost_enabled ? "true" : "false";
    out += ",\"customAllocation\":";
    if (!genesis.custom_allocation) {
        out += "null";
    } else {
        out += '[';
        for (const chain::Allocation& allocation : *genesis.custom_allocation) {
            if (out.back() != '[') out += ',';
            out += "{\"address\":\"";
            out += to_hex_0x(allocation.address.view());
            out += "\",\"balance\":";
            json::append_number(out, allocation.balance.value);
            out += '}';
        }
        out += ']';
    }
    out += ",\"airdropHash\":";
    json::append_quoted(out, genesis.airdrop_hash);
    put("airdropUnits", genesis.airdrop_units.value);
    out += '}';
    return out;
}

Result<chain::Airdrop> parse_airdrop(std::string_view file) {
    const auto invalid = [](const Error& cause) {
        return fail(ErrorCode::kAirdropInvalid, cause.message());
    };
    const Result<json::Document> document = json::Document::parse(file, kNoLimit);
    if (!document) return invalid(document.error());
    const Value root = document->root();
    if (root.kind() != Kind::kArray) {
        return invalid(json::type_error(root, "", "[]*chain.Airdrop").error);
    }
    chain::Airdrop airdrop{.file_hash = keccak256(as_bytes(file)), .addresses = {}};
    for (auto element = root.first(); element; element = element->next()) {
        if (element->kind() != Kind::kObject) {
            return invalid(json::type_error(*element, "", "chain.Airdrop").error);
        }
        const auto member = element->member("address");
        if (!member) return fail(ErrorCode::kAirdropInvalid, "an entry without address");
        Address address;
        if (auto read_result = read(*member, "Airdrop.address", address); !read_result) {
            return invalid(read_result.error());
        }
        airdrop.addresses.push_back(address);
    }
    return airdrop;
}

}  // namespace blobvm::jsonrpc
