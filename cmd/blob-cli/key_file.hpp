#pragma once

#include <string>

#include "chain/base/result.hpp"
#include "chain/signing.hpp"

namespace blobvm::cli {

/// Makes a new random key and writes it as 64 lower case hex digits, for the owner's eyes only.
/// kIo `file already exists` where there is one: a key is never overwritten.
Result<chain::PrivateKey> create_key_file(const std::string& path);

/// Reads 64 hex digits, which at most one CR and LF each may follow. kIo, kNotFound where there is
/// no such file, kInvalidPrivateKey.
Result<chain::PrivateKey> read_key_file(const std::string& path);

/// Whether others than the owner may read the file.
bool is_exposed(const std::string& path);

}  // namespace blobvm::cli
