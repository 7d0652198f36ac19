#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace blobvm::vm::plugin {

/// Names in canonical case; a name can stand several times, once for each value.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// First letter and letters after '-' upper case, the others lower case: the node copies names
/// as they are. A name with a character that no header name may have is left as it is.
std::string canonical_name(std::string_view name);

/// What the client gets: `already_set` by the node, with what `ours` says instead of or beside it.
/// Length, transfer encoding and connection are the node's business and left out of `ours`.
Headers merged(Headers already_set, const Headers& ours);

}  // namespace blobvm::vm::plugin
