#pragma once

#include <cstddef>
#include <cstdint>

namespace blobvm::detail {

constexpr std::size_t kKeccakRate = 136;  ///< bytes that one permutation absorbs for 256 bits

/// Keccak-f[1600] on one state of 25 words.
void keccak_permute(std::uint64_t* state);

}  // namespace blobvm::detail
