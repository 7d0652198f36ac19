#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chain/base/result.hpp"
#include "chain/genesis.hpp"

namespace blobvm::cli {

/// A JSON array of {"address","balance"}. Addresses are taken as strictly as on the command line.
Result<std::vector<chain::Allocation>> parse_allocations(std::string_view json);

/// Everything in the file at `path`; `-` is standard input. kIo, kTooLarge beyond 64 MiB.
Result<std::string> read_whole_file(const std::string& path);

/// Replaces the file at `path` in one step; the owner's only (0600).
Result<void> write_whole_file(const std::string& path, std::string_view text);

}  // namespace blobvm::cli
