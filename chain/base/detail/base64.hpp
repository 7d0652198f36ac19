#pragma once

#include <cstddef>

// Included where vector code is compiled: see keccak.hpp.

namespace blobvm::detail {

/// Encodes whole groups of 24 bytes from the start of `size` bytes; `out` has room for all of
/// them. Returns how many bytes were taken; the last 27 may be left. Needs AVX2.
std::size_t encode_base64_avx2(const std::byte* bytes, std::size_t size, char* out);

/// Decodes whole groups of 32 characters from the start of `size`, up to the first group that
/// holds one that is not of the alphabet; `out` has room for size / 4 * 3 bytes. Returns how many
/// characters were taken; the last 39 may be left. Needs AVX2.
std::size_t decode_base64_avx2(const char* text, std::size_t size, std::byte* out);

}  // namespace blobvm::detail
