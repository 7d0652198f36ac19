#pragma once

#include <array>
#include <string_view>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"
#include "chain/transaction.hpp"

/// EIP-712 typed data and secp256k1 signatures (spec/blobvm.md 3). Safe from any thread.
namespace blobvm::chain {

/// keccak(typeHash || keccak("Blob") || magic).
Hash256 domain_separator(std::uint64_t magic);

/// The struct hash. `key` is keccak256 of a set's value, which is its field hash as well
/// (decisions.md 3); it is not read for a transfer.
Hash256 struct_hash(const TxFields& fields, const BlobKey& key);

/// What is signed: keccak(0x1901 || separator(fields.magic) || struct hash).
Hash256 signing_digest(const TxFields& fields, const BlobKey& key);

/// The same for many at once, in the CPU's vector lanes; result[i] belongs to transactions[i].
std::vector<Hash256> signing_digests(std::span<const RawTransaction> transactions,
                                     std::span<const TxHashes> hashes);

/// A secp256k1 secret, 32 bytes, between 1 and n-1. Wiped when it goes.
class PrivateKey {
  public:
    /// kInvalidPrivateKey for zero or a number outside the group.
    static Result<PrivateKey> from(ByteView secret);

    PrivateKey(const PrivateKey&) = default;
    PrivateKey& operator=(const PrivateKey&) = default;
    ~PrivateKey();

    Address address() const;
    ByteView secret() const { return secret_; }

    /// RFC 6979, low s, v 27 or 28.
    Signature sign(const Hash256& digest) const;

  private:
    PrivateKey() = default;
    std::array<std::byte, 32> secret_{};
};

/// The address that made `signature` over `digest`, in the one canonical form (see
/// recover_transaction for the errors).
Result<Address> recover_sender(const Hash256& digest, ByteView signature);

/// What wallets send, in the form that transactions carry: v 0 or 1 becomes 27 or 28, a high s its
/// low twin. Only the length and v are judged here; the rest is left to recovery.
Result<Signature> normalise_signature(ByteView signature);

/// Signs `fields`; the result is what a node would make of its bytes.
Result<TransactionPtr> sign_transaction(const TxFields& fields, const PrivateKey& key);

}  // namespace blobvm::chain
