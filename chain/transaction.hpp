#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"

/// Transactions: their fields, their bytes (spec/blobvm.md 1), and what one of them is once its
/// sender is known. Everything here is immutable and safe from any thread.
namespace blobvm::chain {

constexpr std::size_t kMaxMessageBytes = 4 * 1024 * 1024;  ///< codec limit of one message
constexpr std::size_t kMaxSliceLength = 262'144;  ///< codec limit of one list or byte string
constexpr std::size_t kVersionBytes = 2;  ///< codec version, before standalone messages only

/// Stores `value` under its keccak256.
struct SetFields {
    ByteView value;
};

/// Moves `units` BLB to `to`.
struct TransferFields {
    Address to;
    Amount units;
};

/// What a signer signs. A SetFields' value points into a buffer that somebody else keeps.
struct TxFields {
    BlockId block_id;  ///< a recent block: ties the transaction to a chain and a time
    std::uint64_t magic = 0;
    Price price;  ///< what the sender pays for each fee unit
    std::variant<SetFields, TransferFields> body;

    bool is_set() const { return std::holds_alternative<SetFields>(body); }
    const SetFields* set() const { return std::get_if<SetFields>(&body); }
    const TransferFields* transfer() const { return std::get_if<TransferFields>(&body); }
};

/// A transaction as it came off the wire: well-formed bytes, of which nothing is hashed and whose
/// signature nobody has looked at. It may have any length.
struct RawTransaction {
    TxFields fields;     ///< views into `nested`
    ByteView signature;  ///< view into `nested`
    SharedBytes nested;  ///< the encoding without the version prefix, as it stands inside a block

    std::size_t size_bytes() const { return nested.size() + kVersionBytes; }  ///< standalone size
};

/// Decodes one standalone transaction (version prefix included, nothing behind it).
/// Errors: the kCodec* codes with the original's texts.
Result<RawTransaction> decode_transaction(SharedBytes standalone);

/// Encodes one standalone transaction. kCodecSliceTooLong or kCodecTooLong where it would not
/// decode.
Result<Bytes> encode_transaction(const TxFields& fields, ByteView signature);

/// The standalone bytes of a raw transaction: version prefix and nested form.
Bytes standalone_bytes(const RawTransaction& raw);

/// A gossip message: a list of transactions (spec/blobvm.md 1.2).
Result<std::vector<RawTransaction>> decode_gossip(SharedBytes message);
Result<Bytes> encode_gossip(std::span<const RawTransaction> transactions);

/// The hashes by which others find a transaction.
struct TxHashes {
    TxId id;      ///< keccak256 of the standalone bytes
    BlobKey key;  ///< keccak256 of the value of a set; zero for a transfer
};

/// Hashes many at once; result[i] belongs to transactions[i].
std::vector<TxHashes> hash_transactions(std::span<const RawTransaction> transactions);

/// A transaction whose sender is known: decoded, hashed and recovered once in the process's life.
struct Transaction {
    RawTransaction raw;
    TxId id;
    BlobKey key;  ///< zero for a transfer
    Address sender;

    const TxFields& fields() const { return raw.fields; }
    Price price() const { return raw.fields.price; }
    std::size_t size_bytes() const { return raw.size_bytes(); }
};

using TransactionPtr = std::shared_ptr<const Transaction>;

/// Recovers the sender of `raw` (about 50 microseconds). Only the canonical signature form passes:
/// 65 bytes, low s, v 27 or 28 (decisions.md 1). Errors: kInvalidSignature, kInvalidRecoveryId,
/// kRecoveryFailed, kSignatureNotCanonical.
Result<TransactionPtr> recover_transaction(RawTransaction raw, const TxHashes& hashes);

/// The same where the signing digest is known already.
Result<TransactionPtr> recover_transaction(RawTransaction raw, const TxHashes& hashes,
                                           const Hash256& digest);

/// decode_transaction, hash and recover in one: for clients and tests.
Result<TransactionPtr> load_transaction(SharedBytes standalone);

/// Turns raw transactions into known ones; the order is kept. The node's form looks up what it
/// has seen and recovers the rest on several threads, the plain one works in the caller's.
class TransactionLoader {
  public:
    virtual ~TransactionLoader() = default;

    /// The first failing transaction, by index, decides the error.
    Result<std::vector<TransactionPtr>> load(std::span<const RawTransaction> raws) {
        return load_beside(raws, [] {});
    }

    /// The same, and runs `meanwhile` once, on any thread, before it returns.
    virtual Result<std::vector<TransactionPtr>> load_beside(
        std::span<const RawTransaction> raws, const std::function<void()>& meanwhile) = 0;
};

/// Hashes and recovers one after another; keeps nothing.
class PlainTransactionLoader final : public TransactionLoader {
  public:
    Result<std::vector<TransactionPtr>> load_beside(
        std::span<const RawTransaction> raws, const std::function<void()>& meanwhile) override;
};

}  // namespace blobvm::chain
