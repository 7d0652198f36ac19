#include "vm/plugin/status.hpp"

namespace blobvm::vm::plugin {
namespace {

grpc::StatusCode status_code(ErrorCode code) {
    switch (code) {
        // what was sent is malformed, or breaks a rule for good
        case ErrorCode::kCodecNoVersion:
        case ErrorCode::kCodecUnknownVersion:
        case ErrorCode::kCodecTooLong:
        case ErrorCode::kCodecTrailingBytes:
        case ErrorCode::kCodecMalformed:
        case ErrorCode::kCodecSliceTooLong:
        case ErrorCode::kCb58Invalid:
        case ErrorCode::kHexInvalid:
        case ErrorCode::kBase64Invalid:
        case ErrorCode::kAddressChecksum:
        case ErrorCode::kJsonInvalid:
        case ErrorCode::kInvalidSignature:
        case ErrorCode::kInvalidRecoveryId:
        case ErrorCode::kRecoveryFailed:
        case ErrorCode::kSignatureNotCanonical:
        case ErrorCode::kInvalidPrivateKey:
        case ErrorCode::kInvalidMagic:
        case ErrorCode::kInvalidBlockRate:
        case ErrorCode::kGenesisBaseTxUnits:
        case ErrorCode::kGenesisValueUnitSize:
        case ErrorCode::kGenesisMaxValueSize:
        case ErrorCode::kGenesisLookbackWindow:
        case ErrorCode::kGenesisTargetBlockSize:
        case ErrorCode::kGenesisMaxBlockSize:
        case ErrorCode::kGenesisAllocation:
        case ErrorCode::kGenesisAirdropUnits:
        case ErrorCode::kGenesisSupplyOverflow:
        case ErrorCode::kAirdropMismatch:
        case ErrorCode::kAirdropInvalid:
        case ErrorCode::kWrongMagic:
        case ErrorCode::kFeeOverflow:
        case ErrorCode::kValueEmpty:
        case ErrorCode::kValueTooBig:
        case ErrorCode::kNonActionable:
        case ErrorCode::kInvalidType:
        case ErrorCode::kTypedDataKeyMissing:
        case ErrorCode::kTypedDataNil:
        case ErrorCode::kInputNil:
        case ErrorCode::kNoTransactions:
        case ErrorCode::kBlockTooBig:
        case ErrorCode::kBlockBytesTooBig:
        case ErrorCode::kSurplusOverflow:
        case ErrorCode::kTransactionTooBig:
        case ErrorCode::kConfigInvalid:
        case ErrorCode::kFileEmpty:
        case ErrorCode::kHashMismatch:
        case ErrorCode::kTreeInvalid:
        case ErrorCode::kTooLarge:
            return grpc::StatusCode::INVALID_ARGUMENT;

        // right in another place of the chain, or at another time
        case ErrorCode::kInvalidBlockId:
        case ErrorCode::kPriceBelowMinimum:
        case ErrorCode::kInvalidBalance:
        case ErrorCode::kInsufficientPrice:
        case ErrorCode::kTimestampTooLate:
        case ErrorCode::kTimestampTooEarly:
        case ErrorCode::kInvalidHeight:
        case ErrorCode::kInvalidBlockCost:
        case ErrorCode::kInvalidPrice:
        case ErrorCode::kParentNotVerified:
        case ErrorCode::kInvalidAccessProof:
        case ErrorCode::kInsufficientSurplus:
        case ErrorCode::kPendingBalance:
        case ErrorCode::kNotReady:
        case ErrorCode::kStoreLocked:
        case ErrorCode::kStoreForeign:
        case ErrorCode::kStoreFormat:
        case ErrorCode::kInvalidState:
            return grpc::StatusCode::FAILED_PRECONDITION;

        case ErrorCode::kDuplicateTransaction:
        case ErrorCode::kKeyExists:
            return grpc::StatusCode::ALREADY_EXISTS;

        case ErrorCode::kMempoolFull:
        case ErrorCode::kSenderLimit:
        case ErrorCode::kBusy:
            return grpc::StatusCode::RESOURCE_EXHAUSTED;

        case ErrorCode::kNotFound:
        case ErrorCode::kChunkMissing:
            return grpc::StatusCode::NOT_FOUND;

        case ErrorCode::kCorruption:
            return grpc::StatusCode::DATA_LOSS;

        case ErrorCode::kNodeUnavailable:
        case ErrorCode::kClosed:
        case ErrorCode::kConnection:
            return grpc::StatusCode::UNAVAILABLE;

        case ErrorCode::kTimeout:
            return grpc::StatusCode::DEADLINE_EXCEEDED;
        case ErrorCode::kCancelled:
            return grpc::StatusCode::CANCELLED;

        case ErrorCode::kStoreFailed:
        case ErrorCode::kIo:
        case ErrorCode::kHttpStatus:
        case ErrorCode::kRpc:
            return grpc::StatusCode::INTERNAL;
    }
    return grpc::StatusCode::INTERNAL;
}

}  // namespace

grpc::Status to_status(const Error& error) {
    constexpr std::size_t kMaxTextBytes = 1024;  // spec/rpcchainvm.md 6.2: well below 4 KiB
    std::string message = error.message();
    if (message.size() > kMaxTextBytes) message.resize(kMaxTextBytes);
    return {status_code(error.code), std::move(message)};
}

bool is_valid_timestamp(std::int64_t seconds) {
    constexpr std::int64_t kYear1 = -62'135'596'800;
    constexpr std::int64_t kEndOfYear9999 = 253'402'300'799;
    return seconds >= kYear1 && seconds <= kEndOfYear9999;
}

}  // namespace blobvm::vm::plugin
