#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

namespace blobvm::vm::plugin {

/// What a chain's data holds. Two nodes with the same block have the same digest.
struct Inspection {
    ChainId chain;
    std::uint64_t height = 0;  ///< of the last accepted block
    BlockId block;
    Hash256 digest;  ///< keccak256 over balances, blobs and their records (ChainStore)
    std::uint64_t blobs = 0;
    std::uint64_t blob_bytes = 0;
    std::vector<BlobKey> damaged;  ///< at most kMaxDamaged: not there, or not what its key says

    static constexpr std::size_t kMaxDamaged = 100;
};

/// Reads all of the database in `chain_data` (the folder that the node gave the chain), and checks
/// each blob against its key. kNotFound where there is no chain, kStoreLocked while a node has it
/// open, else as opening it fails. Takes as long as reading the disk takes.
Result<Inspection> inspect(const std::filesystem::path& chain_data);

/// For people, or as one JSON object.
std::string describe(const Inspection& inspection, bool as_json);

}  // namespace blobvm::vm::plugin
