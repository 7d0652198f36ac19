#pragma once

#include <string>
#include <string_view>

#include "chain/base/result.hpp"
#include "chain/genesis.hpp"
#include "proto/jsonrpc/json.hpp"

namespace blobvm::jsonrpc {

/// Genesis JSON (spec/blobvm.md 4.1): missing keys are zero. Not validated; see chain::validate.
/// kJsonInvalid with Go's text.
Result<chain::Genesis> parse_genesis(std::string_view text);
Result<chain::Genesis> read_genesis(const json::Value& value);

/// One line, keys in the original's order, no newline.
std::string write_genesis(const chain::Genesis& genesis);

/// An airdrop file: a JSON array of {"address":"0x.."}. kAirdropInvalid.
Result<chain::Airdrop> parse_airdrop(std::string_view file);

}  // namespace blobvm::jsonrpc
