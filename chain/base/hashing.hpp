#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "chain/base/bytes.hpp"

namespace blobvm {

/// Keccak-256 as Ethereum uses it: the original padding 0x01, not SHA3-256's.
/// Pure and safe from any thread. The fastest code that the CPU has is chosen at run time.
Hash256 keccak256(ByteView message);

/// Keccak-256 of a message that comes in pieces.
class Keccak256 {
  public:
    Keccak256();
    Keccak256& update(ByteView piece);
    /// The digest of all pieces; the object must not be used afterwards.
    Hash256 finish();

  private:
    std::uint64_t state_[25];
    std::byte buffer_[136];
    std::size_t buffered_ = 0;
};

/// A message of two parts, hashed as if they stood back to back: lets a nested transaction be
/// hashed with its version prefix without copying it.
struct TwoPartMessage {
    ByteView head;
    ByteView tail;
};

/// digests[i] = keccak256(messages[i]). Several messages go through the CPU's vector lanes at
/// once; best where their lengths are alike. Both spans have the same size.
void keccak256_many(std::span<const TwoPartMessage> messages, std::span<Hash256> digests);

/// SHA-256, used only for CB58's checksum.
Hash256 sha256(ByteView message);

}  // namespace blobvm
