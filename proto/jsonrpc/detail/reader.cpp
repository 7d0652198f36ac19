#include "proto/jsonrpc/detail/reader.hpp"

#include <fmt/format.h>

#include <limits>

#include "chain/base/base64.hpp"
#include "chain/base/cb58.hpp"
#include "chain/base/hex.hpp"

namespace blobvm::jsonrpc::detail {
namespace {

using json::Kind;
using json::Value;

bool has_hex_prefix(std::string_view text) {
    return text.starts_with("0x") || text.starts_with("0X");
}

/// The text of a hex string, or Go's complaint about what is not one.
Result<std::string> hex_text(const Value& value, std::string_view where, std::string_view go_type) {
    const auto complain = [&](std::string_view what) {
        return fail(ErrorCode::kJsonInvalid,
                    fmt::format("json: cannot unmarshal {} into Go struct field {} of type {}",
                                what, where, go_type));
    };
    if (value.kind() != Kind::kString) return complain("non-string");
    const std::string_view text = *value.quoted();  // escapes are not resolved: a digit needs none
    if (text.empty()) return std::string{};
    if (!has_hex_prefix(text)) return complain("hex string without 0x prefix");
    if (text.size() % 2 != 0) return complain("hex string of odd length");
    return std::string{text.substr(2)};
}

}  // namespace

Result<void> read(const Value& value, std::string_view where, bool& out) {
    if (value.is_null()) return {};
    const auto flag = value.as_bool();
    if (!flag) return json::type_error(value, where, "bool");
    out = *flag;
    return {};
}

Result<void> read(const Value& value, std::string_view where, std::uint64_t& out) {
    if (value.is_null()) return {};
    const auto number = value.as_u64();
    if (!number) return json::type_error(value, where, "uint64", true);
    out = *number;
    return {};
}

Result<void> read(const Value& value, std::string_view where, std::uint32_t& out) {
    if (value.is_null()) return {};
    const auto number = value.as_u64();
    if (!number || *number > std::numeric_limits<std::uint32_t>::max()) {
        return json::type_error(value, where, "uint32", true);
    }
    out = static_cast<std::uint32_t>(*number);
    return {};
}

Result<void> read(const Value& value, std::string_view where, std::int64_t& out) {
    if (value.is_null()) return {};
    const auto number = value.as_i64();
    if (!number) return json::type_error(value, where, "int64", true);
    out = *number;
    return {};
}

Result<void> read(const Value& value, std::string_view where, std::string& out) {
    if (value.is_null()) return {};
    auto text = value.as_string();
    if (!text) return json::type_error(value, where, "string");
    out = std::move(*text);
    return {};
}

Result<void> read(const Value& value, std::string_view where, Bytes& out) {
    out.clear();
    if (value.is_null()) return {};
    if (value.kind() == Kind::kString) {
        Result<Bytes> decoded =
            value.is_plain() ? from_base64(*value.quoted()) : from_base64(*value.as_string());
        if (!decoded) return fail(ErrorCode::kJsonInvalid, decoded.error().message());
        out = std::move(*decoded);
        return {};
    }
    if (value.kind() != Kind::kArray) return json::type_error(value, where, "[]uint8");
    for (auto element = value.first(); element; element = element->next()) {
        std::uint64_t byte = 0;
        BLOBVM_TRY(read(*element, where, byte));
        if (byte > 0xff) return json::type_error(*element, where, "uint8", true);
        out.push_back(static_cast<std::byte>(byte));
    }
    return {};
}

Result<void> read_hex(const Value& value, std::string_view where, Bytes& out) {
    BLOBVM_TRY(const std::string digits, hex_text(value, where, "hexutil.Bytes"));
    Result<Bytes> decoded = from_hex(digits);
    if (!decoded) return fail(ErrorCode::kJsonInvalid, "invalid hex string");
    out = std::move(*decoded);
    return {};
}

Result<void> read_fixed_hex(const Value& value, std::string_view where, std::string_view go_type,
                            std::span<std::byte> out) {
    BLOBVM_TRY(const std::string digits, hex_text(value, where, go_type));
    if (digits.size() != out.size() * 2) {
        return fail(ErrorCode::kJsonInvalid, fmt::format("hex string has length {}, want {} for {}",
                                                         digits.size(), out.size() * 2, go_type));
    }
    Result<Bytes> decoded = from_hex(digits);
    if (!decoded) {
        return fail(ErrorCode::kJsonInvalid,
                    fmt::format("json: cannot unmarshal invalid hex string into Go struct field {} "
                                "of type {}",
                                where, go_type));
    }
    std::copy(decoded->begin(), decoded->end(), out.begin());
    return {};
}

Result<Bytes> read_cb58(const Value& value, std::size_t size) {
    if (value.kind() != Kind::kString) {
        return fail(ErrorCode::kJsonInvalid, "first and last characters should be quotes");
    }
    // Decoding costs the square of the length, and no id of 32 bytes takes more than 50 digits.
    if (value.quoted()->size() > 128) return fail(ErrorCode::kJsonInvalid, "id too long");
    Result<Bytes> decoded = from_cb58(*value.quoted(), size);
    if (!decoded) return fail(ErrorCode::kJsonInvalid, decoded.error().message());
    return decoded;
}

}  // namespace blobvm::jsonrpc::detail
