#include "tree/detail/node.hpp"

#include <fmt/format.h>

#include "chain/base/base64.hpp"
#include "chain/base/hex.hpp"
#include "proto/jsonrpc/json.hpp"

namespace blobvm::tree::detail {

namespace {

constexpr std::string_view kSmallHead = "{\"contents\":\"";
constexpr std::string_view kSmallTail = "\",\"children\":null}";
constexpr std::string_view kTail = "]}";
constexpr std::uint64_t kKeyBytes = 2 + 2 + 2 * BlobKey::kSize;  // quotes, 0x, digits

std::string node_head(unsigned levels) {
    if (levels == 0) return "{\"contents\":null,\"children\":[";
    return fmt::format("{{\"contents\":null,\"children\":null,\"levels\":{},\"nodes\":[", levels);
}

Result<BlobKey> read_key(const json::Value& value) {
    const std::optional<std::string_view> digits = value.quoted();
    if (!digits || digits->size() != 2 + 2 * BlobKey::kSize) {
        return fail(ErrorCode::kTreeInvalid, "a child is not a key");
    }
    const std::string_view prefix = digits->substr(0, 2);
    if (prefix != "0x" && prefix != "0X") {
        return fail(ErrorCode::kTreeInvalid, "a child is not a key");
    }
    const auto bytes = from_hex(digits->substr(2));
    if (!bytes) return fail(ErrorCode::kTreeInvalid, "a child is not a key");
    return BlobKey::from(*bytes);
}

Result<std::vector<BlobKey>> read_keys(const std::optional<json::Value>& list) {
    std::vector<BlobKey> keys;
    if (!list || list->is_null()) return keys;
    if (list->kind() != json::Kind::kArray) {
        return fail(ErrorCode::kTreeInvalid, "children are not a list");
    }
    for (const json::Value& element : list->elements()) {
        BLOBVM_TRY(const BlobKey key, read_key(element));
        keys.push_back(key);
    }
    return keys;
}

}  // namespace

std::uint64_t small_root_size(std::uint64_t size) {
    return kSmallHead.size() + base64_size(size) + kSmallTail.size();
}

std::string write_small_root(ByteView contents) {
    std::string root{kSmallHead};
    root.reserve(small_root_size(contents.size()));
    append_base64(root, contents);
    root += kSmallTail;
    return root;
}

std::string write_node(unsigned levels, std::span<const BlobKey> keys) {
    std::string node = node_head(levels);
    node.reserve(node.size() + keys.size() * (kKeyBytes + 1) + kTail.size());
    for (const BlobKey& key : keys) {
        if (node.back() != '[') node += ',';
        node += '"';
        node += to_hex_0x(key.view());
        node += '"';
    }
    node += kTail;
    return node;
}

std::uint64_t node_capacity(unsigned levels, std::uint64_t max_bytes) {
    const std::uint64_t fixed = node_head(levels).size() + kTail.size();
    if (max_bytes < fixed) return 0;
    return (max_bytes - fixed + 1) / (kKeyBytes + 1);  // one comma fewer than keys
}

Result<Node> read_node(ByteView text) {
    const auto document = json::Document::parse(as_chars(text));
    if (!document) return fail(ErrorCode::kTreeInvalid, document.error().message());
    const json::Value root = document->root();
    if (root.kind() != json::Kind::kObject) {
        return fail(ErrorCode::kTreeInvalid, "it is not an object");
    }

    Node node;
    if (const auto contents = root.member("contents"); contents && !contents->is_null()) {
        const auto base64 = contents->as_string();
        if (!base64) return fail(ErrorCode::kTreeInvalid, "contents are not base64");
        auto bytes = from_base64(*base64);
        if (!bytes) return fail(ErrorCode::kTreeInvalid, "contents are not base64");
        node.contents = std::move(*bytes);
        if (!node.contents->empty()) return node;  // whatever else is there, as the original
    }

    BLOBVM_TRY(node.keys, read_keys(root.member("children")));
    if (!node.keys.empty()) {
        node.contents.reset();
        return node;
    }

    BLOBVM_TRY(node.keys, read_keys(root.member("nodes")));
    if (!node.keys.empty()) {
        const auto levels = root.member("levels");
        const auto count = levels ? levels->as_u64() : std::nullopt;
        if (!count || *count == 0 || *count > kMaxLevels) {
            return fail(ErrorCode::kTreeInvalid, "levels are not a number from 1 to 8");
        }
        node.levels = static_cast<unsigned>(*count);
        node.contents.reset();
        return node;
    }
    if (!node.contents) return fail(ErrorCode::kFileEmpty);
    return node;
}

}  // namespace blobvm::tree::detail
