#pragma once

#include <string>
#include <string_view>

// Every way in which something of ours can refuse, with the text that clients see. Where the
// original has a text for it (spec/blobvm.md 6.14, 1.1, 2, 3.3, 3.4), it is that text, byte for
// byte.
//
// X(enumerator, text)
#define BLOBVM_ERROR_CODES(X)                                                   \
    /* binary codec */                                                          \
    X(kCodecNoVersion, "couldn't unpack codec version")                         \
    X(kCodecUnknownVersion, "unknown codec version")                            \
    X(kCodecTooLong, "byte array exceeds maximum length, 4194304")              \
    X(kCodecTrailingBytes, "trailing buffer space")                             \
    X(kCodecMalformed, "")                                                      \
    X(kCodecSliceTooLong, "")                                                   \
    /* text forms */                                                            \
    X(kCb58Invalid, "")                                                         \
    X(kHexInvalid, "")                                                          \
    X(kBase64Invalid, "")                                                       \
    X(kAddressChecksum, "address checksum mismatch")                            \
    X(kJsonInvalid, "")                                                         \
    /* signatures */                                                            \
    X(kInvalidSignature, "invalid signature")                                   \
    X(kInvalidRecoveryId, "invalid signature recovery id")                      \
    X(kRecoveryFailed, "recovery failed")                                       \
    X(kSignatureNotCanonical, "signature is not canonical")                     \
    X(kInvalidPrivateKey, "invalid private key")                                \
    /* genesis: the first two are the original's, the rest are hardened (D7) */ \
    X(kInvalidMagic, "invalid magic")                                           \
    X(kInvalidBlockRate, "invalid block rate")                                  \
    X(kGenesisBaseTxUnits, "invalid base tx units")                             \
    X(kGenesisValueUnitSize, "invalid value unit size")                         \
    X(kGenesisMaxValueSize, "invalid max value size")                           \
    X(kGenesisLookbackWindow, "invalid lookback window")                        \
    X(kGenesisTargetBlockSize, "invalid target block size")                     \
    X(kGenesisMaxBlockSize, "invalid max block size")                           \
    X(kGenesisAllocation, "invalid custom allocation")                          \
    X(kGenesisAirdropUnits, "invalid airdrop units")                            \
    X(kGenesisSupplyOverflow, "allocations exceed the supply limit")            \
    X(kAirdropMismatch, "")                                                     \
    X(kAirdropInvalid, "invalid airdrop file")                                  \
    /* transactions, in the order in which they are checked (6.2) */            \
    X(kInvalidBlockId, "invalid blockID")                                       \
    X(kWrongMagic, "invalid magic")                                             \
    X(kPriceBelowMinimum, "invalid price")                                      \
    X(kDuplicateTransaction, "duplicate transaction")                           \
    X(kFeeOverflow, "fee overflow")                                             \
    X(kInvalidBalance, "invalid balance")                                       \
    X(kInsufficientPrice, "insufficient price")                                 \
    X(kValueEmpty, "value empty")                                               \
    X(kValueTooBig, "value too big")                                            \
    X(kKeyExists, "key already exists")                                         \
    X(kNonActionable, "transaction doesn't do anything")                        \
    X(kInvalidType, "invalid tx type")                                          \
    X(kTypedDataKeyMissing, "typed data key missing")                           \
    X(kTypedDataNil, "typed data is nil")                                       \
    X(kInputNil, "input is nil")                                                \
    /* blocks, in the order in which they are checked (6.5) */                  \
    X(kNoTransactions, "no transactions")                                       \
    X(kTimestampTooLate, "block timestamp too late")                            \
    X(kBlockTooBig, "block too big")                                            \
    X(kBlockBytesTooBig, "block bytes too big")                                 \
    X(kTimestampTooEarly, "block timestamp too early")                          \
    X(kInvalidHeight, "invalid block height")                                   \
    X(kInvalidBlockCost, "invalid block cost")                                  \
    X(kInvalidPrice, "invalid price")                                           \
    X(kParentNotVerified, "parent block not verified or accepted")              \
    X(kInvalidAccessProof, "invalid access proof")                              \
    X(kSurplusOverflow, "surplus overflow")                                     \
    X(kInsufficientSurplus, "insufficient surplus fee")                         \
    /* mempool and submission */                                                \
    X(kMempoolFull, "mempool full")                                             \
    X(kSenderLimit, "too many pending transactions of this sender")             \
    X(kPendingBalance, "pending transactions exceed the balance")               \
    X(kTransactionTooBig, "transaction does not fit a block")                   \
    X(kNotReady, "chain is not ready")                                          \
    X(kBusy, "too many requests")                                               \
    /* store and node */                                                        \
    X(kNotFound, "not found")                                                   \
    X(kCorruption, "corruption detected")                                       \
    X(kStoreFailed, "database error")                                           \
    X(kStoreLocked, "database is in use")                                       \
    X(kStoreForeign, "database belongs to another chain")                       \
    X(kStoreFormat, "database format is not supported")                         \
    X(kNodeUnavailable, "node service failed")                                  \
    X(kClosed, "closed")                                                        \
    X(kConfigInvalid, "failed to unmarshal config")                             \
    X(kInvalidState, "invalid state")                                           \
    /* client, tree and files */                                                \
    X(kFileEmpty, "file is empty")                                              \
    X(kChunkMissing, "required file is missing")                                \
    X(kHashMismatch, "received file that does not match hash")                  \
    X(kTreeInvalid, "invalid file root")                                        \
    X(kTooLarge, "too large")                                                   \
    X(kIo, "i/o error")                                                         \
    X(kConnection, "connection failed")                                         \
    X(kHttpStatus, "received status code")                                      \
    X(kRpc, "")                                                                 \
    X(kTimeout, "timed out")                                                    \
    X(kCancelled, "cancelled")

namespace blobvm {

enum class ErrorCode {
#define BLOBVM_ERROR_ENUMERATOR(name, text) name,
    BLOBVM_ERROR_CODES(BLOBVM_ERROR_ENUMERATOR)
#undef BLOBVM_ERROR_ENUMERATOR
};

/// The fixed part of the text that clients see; empty where the whole text is the detail.
std::string_view text(ErrorCode code);

/// The code's own name, such as "kValueTooBig": for tests, metrics and logs.
std::string_view name(ErrorCode code);

/// Why something was refused: a fact to act on, and what a person would like to know beside it.
struct Error {
    ErrorCode code;
    std::string detail;

    /// text(code), then ": " and the detail where there is one: what a client is sent.
    std::string message() const;
};

}  // namespace blobvm
