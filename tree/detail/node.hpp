#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

/// The JSON of a root or inner node (spec/blobvm.md 8; README.md for more than one level).
namespace blobvm::tree::detail {

constexpr unsigned kMaxLevels = 8;

/// A parsed root or inner node: either the contents themselves, or keys of what they are made of.
struct Node {
    std::optional<Bytes> contents;
    unsigned levels = 0;  ///< 0: `keys` name chunks; else nodes of one level less
    std::vector<BlobKey> keys;
};

/// Length of the root of `size` bytes that holds them itself.
std::uint64_t small_root_size(std::uint64_t size);

/// The root that holds `contents` itself.
std::string write_small_root(ByteView contents);

/// The root or node over `keys`.
std::string write_node(unsigned levels, std::span<const BlobKey> keys);

/// Most keys that a node of at most `max_bytes` holds; may be 0.
std::uint64_t node_capacity(unsigned levels, std::uint64_t max_bytes);

/// kTreeInvalid; kFileEmpty where neither contents nor keys are there.
Result<Node> read_node(ByteView json);

}  // namespace blobvm::tree::detail
