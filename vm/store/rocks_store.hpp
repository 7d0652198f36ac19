#pragma once

#include <memory>
#include <string>

#include "vm/chain_store.hpp"

namespace blobvm::vm::store {

struct OpenOptions {
    std::string directory;  ///< chain_data_dir; the database lies in a folder of its own in it
    ChainId chain_id;
    std::uint64_t cache_bytes = 64 * 1024 * 1024;
    std::uint64_t undo_depth = 4096;  ///< blocks that can be undone, at least 1
};

/// Opens the database, or makes an empty one. kStoreLocked while another process has it (after a
/// few seconds of trying), kStoreForeign for another chain's, kStoreFormat for an unknown format
/// stamp, kStoreFailed else. A refused database is left as it was.
Result<std::unique_ptr<ChainStore>> open_rocks_store(const OpenOptions& options);

/// The chain whose database lies in `directory`; kNotFound if there is none. Opens nothing.
Result<ChainId> stored_chain(const std::string& directory);

/// kStoreForeign unless the store's chain was created from this genesis.
/// (Part of ChainStore::has_chain stores; compare before use.)
Result<void> check_genesis(const ChainStore& store, const chain::Genesis& genesis);

/// Moves the database aside, to a name that is free, so that a fresh one can be made in its place;
/// returns the new name. The store must be closed.
Result<std::string> set_aside(const std::string& directory);

}  // namespace blobvm::vm::store
