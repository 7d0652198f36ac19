#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "chain/transaction.hpp"

namespace blobvm::chain {

/// Largest block that the network can carry: 2 MiB messages less 16 KiB for the outer block
/// (spec/rpcchainvm.md 6.2). Checked by check_shape and never built.
constexpr std::size_t kMaxBlockBytes = 2 * 1024 * 1024 - 16 * 1024;

struct BlockHeader {
    BlockId parent;
    std::int64_t timestamp_s = 0;  ///< Unix seconds
    std::uint64_t height = 0;
    Price price;
    BlockCost cost;
    Hash256 access_proof;
};

/// A well-formed block whose transactions nobody has looked at.
struct RawBlock {
    BlockHeader header;
    std::vector<RawTransaction> transactions;  ///< parts of `bytes`
    SharedBytes bytes;                         ///< the whole encoding, version prefix included
};

/// A block with known transactions. Immutable; safe from any thread.
struct Block {
    BlockHeader header;
    std::vector<TransactionPtr> transactions;
    SharedBytes bytes;
    BlockId id;  ///< keccak256 of `bytes`
};

using BlockPtr = std::shared_ptr<const Block>;

/// Decodes a block's bytes; errors are the kCodec* codes with the original's texts.
Result<RawBlock> decode_block(SharedBytes bytes);

/// Loads the transactions of `raw` and hashes its bytes.
Result<BlockPtr> load_block(RawBlock raw, TransactionLoader& loader);

/// keccak256, and whatever else the caller does with a block's bytes meanwhile: one stream of
/// hashing keeps one core busy for milliseconds.
using HashBytes = std::function<Hash256(const SharedBytes&)>;

/// A block of these parts, encoded and hashed (by keccak256 alone if `hash` is empty).
/// kCodecTooLong beyond kMaxMessageBytes.
Result<BlockPtr> make_block(const BlockHeader& header, std::vector<TransactionPtr> transactions,
                            const HashBytes& hash = {});

/// Encodes a block of raw transactions (any signatures); for tests.
Result<Bytes> encode_block(const BlockHeader& header, std::span<const RawTransaction> transactions);

/// Where in `block.bytes` each transaction's value begins; 0 for one that sets none.
std::vector<std::size_t> value_offsets(const Block& block);

}  // namespace blobvm::chain
