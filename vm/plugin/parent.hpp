#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace blobvm::vm::plugin {

/// The protocol number of the node that started us, by asking its own program for `--version-json`.
/// Nothing if the parent is no avalanchego (any other program might take the question for
/// something else), or does not answer as one within four seconds.
std::optional<std::uint32_t> protocol_of_parent();

/// The number at "rpcchainvm" in what `avalanchego --version-json` prints.
std::optional<std::uint32_t> read_protocol(std::string_view version_json);

}  // namespace blobvm::vm::plugin
