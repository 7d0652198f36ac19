#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace blobvm::vm::plugin {

/// The protocol number of the node that started us, by asking its own program for `--version-json`.
/// Nothing if the parent is no avalanchego (any other program might take the question for
/// something else), or has not answered as one at `end`.
std::optional<std::uint32_t> protocol_of_parent(std::chrono::steady_clock::time_point end);

/// The number at "rpcchainvm" in what `avalanchego --version-json` prints.
std::optional<std::uint32_t> read_protocol(std::string_view version_json);

}  // namespace blobvm::vm::plugin
