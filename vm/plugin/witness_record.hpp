#pragma once

#include <string>
#include <string_view>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"
#include "vm/node_services.hpp"

namespace blobvm::vm::plugin {

/// Where the witness lies in the chain's key space of the node's database.
inline constexpr std::string_view kWitnessKey = "blobvm/witness";

/// format (1 byte: 1) || chain id (32) || height (8, big-endian) || block id (32)
std::string encode_witness(const ChainId& chain, const Witness& witness);

/// kCorruption for another length, format or chain.
Result<Witness> decode_witness(const ChainId& chain, std::string_view record);

}  // namespace blobvm::vm::plugin
