#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "chain/base/cb58.hpp"
#include "chain/base/hex.hpp"
#include "proto/jsonrpc/detail/reader.hpp"
#include "proto/jsonrpc/messages.hpp"

namespace blobvm::jsonrpc {
namespace {

using json::Kind;
using json::Value;

constexpr std::string_view kDomainType =
    R"("EIP712Domain":[{"name":"name","type":"string"},{"name":"magic","type":"uint64"}])";
constexpr std::string_view kSetType =
    R"("set":[{"name":"value","type":"bytes"},{"name":"price","type":"uint64"},)"
    R"({"name":"blockID","type":"string"}])";
constexpr std::string_view kTransferType =
    R"("transfer":[{"name":"to","type":"address"},{"name":"units","type":"uint64"},)"
    R"({"name":"price","type":"uint64"},{"name":"blockID","type":"string"}])";

/// Go's strconv.ParseUint(text, 10, 64).
Result<std::uint64_t> parse_uint(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = end == text.data() + text.size();
    if (status == std::errc{} && whole) return number;
    return fail(ErrorCode::kJsonInvalid,
                fmt::format("strconv.ParseUint: parsing {}: {}", json::go_quote(text),
                            status == std::errc::result_out_of_range ? "value out of range"
                                                                     : "invalid syntax"));
}

Result<std::string_view> required(const std::optional<std::string>& member, std::string_view name) {
    if (!member) return fail(ErrorCode::kTypedDataKeyMissing, std::string{name});
    return std::string_view{*member};
}

bool has_hex_prefix(std::string_view text) {
    return text.starts_with("0x") || text.starts_with("0X");
}

/// go-ethereum's hexutil.Decode.
Result<Bytes> parse_value(std::string_view text) {
    if (text.empty()) return fail(ErrorCode::kHexInvalid, "empty hex string");
    if (!has_hex_prefix(text)) return fail(ErrorCode::kHexInvalid, "hex string without 0x prefix");
    text.remove_prefix(2);
    const bool digits_only = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
    if (!digits_only) return fail(ErrorCode::kHexInvalid, "invalid hex string");
    if (text.size() % 2 != 0) return fail(ErrorCode::kHexInvalid, "hex string of odd length");
    return from_hex(text);
}

/// go-ethereum's HexToAddress, which takes anything: an odd count of digits gets a zero in front,
/// the first bad digit ends it, the last 20 bytes count.
Address parse_address(std::string_view text) {
    if (has_hex_prefix(text)) text.remove_prefix(2);
    const std::string digits = (text.size() % 2 != 0 ? "0" : "") + std::string{text};
    const auto bad = digits.find_first_not_of("0123456789abcdefABCDEF");
    const std::size_t good = std::min(bad, digits.size()) & ~std::size_t{1};
    const Result<Bytes> decoded = from_hex(std::string_view{digits}.substr(0, good));
    Address address;
    if (!decoded) return address;
    const std::size_t count = std::min(decoded->size(), Address::kSize);
    std::copy_n(decoded->end() - static_cast<std::ptrdiff_t>(count), count,
                address.bytes.end() - static_cast<std::ptrdiff_t>(count));
    return address;
}

/// `types` is not used, but must have its shape: {name: [{"name":string,"type":string}, ...]}.
Result<void> check_types(const Value& types) {
    BLOBVM_TRY(detail::expect_object(types, "TypedData.typedData.types", "tdata.Types"));
    for (auto list = types.first(); list; list = list->next()) {
        if (list->is_null()) continue;
        if (list->kind() != Kind::kArray) {
            return json::type_error(*list, "TypedData.typedData.types", "[]tdata.Type");
        }
        for (auto type = list->first(); type; type = type->next()) {
            BLOBVM_TRY(detail::expect_object(*type, "TypedData.typedData.types", "tdata.Type"));
            for (auto member = type->first(); member; member = member->next()) {
                std::string ignored;
                if (member->is_member("name") || member->is_member("type")) {
                    BLOBVM_TRY(detail::read(*member, "Type.typedData.types.name", ignored));
                }
            }
        }
    }
    return {};
}

Result<void> read_domain(const Value& domain, TypedData& data) {
    BLOBVM_TRY(
        detail::expect_object(domain, "TypedData.typedData.domain", "tdata.TypedDataDomain"));
    for (auto member = domain.first(); member; member = member->next()) {
        if (member->is_member("name")) {
            BLOBVM_TRY(
                detail::read(*member, "TypedDataDomain.typedData.domain.name", data.domain_name));
        } else if (member->is_member("magic")) {
            BLOBVM_TRY(
                detail::read(*member, "TypedDataDomain.typedData.domain.magic", data.domain_magic));
        }
    }
    return {};
}

/// A Go map: names are exact, a second message adds to the first, null empties it.
Result<void> read_message(const Value& message, TypedData& data) {
    BLOBVM_TRY(
        detail::expect_object(message, "TypedData.typedData.message", "map[string]interface {}"));
    if (message.is_null()) {
        data.block_id = data.price = data.value = data.to = data.units = std::nullopt;
    }
    for (auto member = message.first(); member; member = member->next()) {
        const std::string key = member->key();
        if (key == "blockID") data.block_id = member->as_string();
        if (key == "price") data.price = member->as_string();
        if (key == "value") data.value = member->as_string();
        if (key == "to") data.to = member->as_string();
        if (key == "units") data.units = member->as_string();
    }
    return {};
}

}  // namespace

TypedData TypedData::of(const chain::TxFields& fields) {
    TypedData data;
    data.domain_magic = std::to_string(fields.magic);
    data.block_id = to_cb58(fields.block_id.view());
    data.price = std::to_string(fields.price.value);
    if (const chain::SetFields* set = fields.set()) {
        data.primary_type = "set";
        data.value = to_hex_0x(set->value);
    } else if (const chain::TransferFields* transfer = fields.transfer()) {
        data.primary_type = "transfer";
        data.to = to_checksummed(transfer->to);
        data.units = std::to_string(transfer->units.value);
    }
    return data;
}

void TypedData::append_json(std::string& out) const {
    out += R"({"types":{)";
    out += kDomainType;
    if (primary_type == "set" || primary_type == "transfer") {
        out += ',';
        out += primary_type == "set" ? kSetType : kTransferType;
    }
    out += R"(},"primaryType":)";
    json::append_quoted(out, primary_type);
    out += R"(,"domain":{"name":)";
    json::append_quoted(out, domain_name);
    out += R"(,"magic":)";
    json::append_quoted(out, domain_magic);
    out += R"(},"message":{)";
    const auto put = [&out](std::string_view name, const std::optional<std::string>& text) {
        if (!text) return;
        if (out.back() != '{') out += ',';
        json::append_quoted(out, name);
        out += ':';
        json::append_quoted(out, *text);
    };
    put("blockID", block_id);  // a Go map: sorted
    put("price", price);
    put("to", to);
    put("units", units);
    put("value", value);
    out += "}}";
}

Result<TypedData> TypedData::read(const Value& value) {
    TypedData data;
    data.domain_name.clear();
    BLOBVM_TRY(detail::expect_object(value, "IssueTxArgs.typedData", "tdata.TypedData"));
    for (auto member = value.first(); member; member = member->next()) {
        if (member->is_member("types")) BLOBVM_TRY(check_types(*member));
        if (member->is_member("primaryType")) {
            BLOBVM_TRY(detail::read(*member, "TypedData.typedData.primaryType", data.primary_type));
        }
        if (member->is_member("domain")) BLOBVM_TRY(read_domain(*member, data));
        if (member->is_member("message")) BLOBVM_TRY(read_message(*member, data));
    }
    return data;
}

Result<TypedTransaction> parse_typed_data(const TypedData& data) {
    TypedTransaction result;
    BLOBVM_TRY(const std::string_view block_id, required(data.block_id, "blockID"));
    // No id of 32 bytes takes more than 50 digits; the cost of decoding is the square of them.
    if (block_id.size() > 128) return fail(ErrorCode::kCb58Invalid, "invalid input checksum");
    BLOBVM_TRY(result.fields.block_id, id_from_cb58<BlockId>(block_id));
    BLOBVM_TRY(result.fields.magic, parse_uint(data.domain_magic));
    BLOBVM_TRY(const std::string_view price, required(data.price, "price"));
    BLOBVM_TRY(result.fields.price.value, parse_uint(price));

    if (data.primary_type == "set") {
        BLOBVM_TRY(const std::string_view value, required(data.value, "value"));
        BLOBVM_TRY(result.value, parse_value(value));
        result.fields.body = chain::SetFields{result.value};
        return result;
    }
    if (data.primary_type == "transfer") {
        chain::TransferFields transfer{};
        BLOBVM_TRY(const std::string_view to, required(data.to, "to"));
        transfer.to = parse_address(to);
        BLOBVM_TRY(const std::string_view units, required(data.units, "units"));
        BLOBVM_TRY(transfer.units.value, parse_uint(units));
        result.fields.body = transfer;
        return result;
    }
    return fail(ErrorCode::kInvalidType);
}

}  // namespace blobvm::jsonrpc
