#pragma once

#include <string>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

/// A small file in the database's folder that says what the folder is. It stands beside RocksDB's
/// files, not in its records, because RocksDB cannot even look at a database without writing to
/// its folder: what is not ours must be refused before.
namespace blobvm::vm::store::detail {

/// Changes with every incompatible change of records or options.
constexpr int kFormat = 2;

/// Makes sure that `folder` is this chain's: makes it, stamped and durable, if it is missing or
/// empty. kStoreForeign for another chain's or somebody else's files, kStoreFormat for another
/// format. What is refused is left as it was.
Result<void> ensure_stamped(const std::string& folder, const ChainId& chain);

/// The chain that `folder` is stamped for; kNotFound if it is missing or not stamped, kStoreFormat
/// for another format. Changes nothing.
Result<ChainId> stamped_chain(const std::string& folder);

/// Makes renames and new files in `folder` durable.
Result<void> sync_folder(const std::string& folder);

}  // namespace blobvm::vm::store::detail
