#pragma once

#include <span>
#include <string>
#include <string_view>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"
#include "proto/jsonrpc/json.hpp"

/// How Go's Unmarshal fills one member of a struct. All of them: null leaves a number, a string or
/// an id as it is; `where` names the member in error texts ("Genesis.magic"); kJsonInvalid.
namespace blobvm::jsonrpc::detail {

Result<void> read(const json::Value& value, std::string_view where, bool& out);
Result<void> read(const json::Value& value, std::string_view where, std::uint64_t& out);
Result<void> read(const json::Value& value, std::string_view where, std::uint32_t& out);
Result<void> read(const json::Value& value, std::string_view where, std::int64_t& out);
Result<void> read(const json::Value& value, std::string_view where, std::string& out);

/// Base64 in a string, or an array of numbers; null is empty.
Result<void> read(const json::Value& value, std::string_view where, Bytes& out);

/// `0x` and any number of digits; the empty string is empty, null is an error.
Result<void> read_hex(const json::Value& value, std::string_view where, Bytes& out);

/// `0x` and exactly out.size() bytes; null and the empty string are errors.
Result<void> read_fixed_hex(const json::Value& value, std::string_view where,
                            std::string_view go_type, std::span<std::byte> out);

/// CB58; the text between the quotes is taken as it stands.
Result<Bytes> read_cb58(const json::Value& value, std::size_t size);

inline Result<void> read(const json::Value& value, std::string_view where, Address& out) {
    return read_fixed_hex(value, where, "common.Address", out.bytes);
}
inline Result<void> read(const json::Value& value, std::string_view where, BlobKey& out) {
    return read_fixed_hex(value, where, "common.Hash", out.bytes);
}

template <class Tag>
Result<void> read(const json::Value& value, std::string_view, FixedBytes<Tag, 32>& out) {
    if (value.is_null()) return {};
    BLOBVM_TRY(const Bytes bytes, read_cb58(value, 32));
    out = FixedBytes<Tag, 32>::from(bytes);
    return {};
}

/// An object, or null, which is an object without members.
inline Result<void> expect_object(const json::Value& value, std::string_view where,
                                  std::string_view go_type) {
    if (value.kind() == json::Kind::kObject || value.is_null()) return {};
    return json::type_error(value, where, go_type);
}

}  // namespace blobvm::jsonrpc::detail
