#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "chain/state.hpp"
#include "chain/window.hpp"
#include "vm/store/detail/block_log.hpp"

/// The records of the database, byte for byte. Blocks and values lie in the block log; these say
/// where. The keys of prefixes 00, 01, 03, 04 and `last_accepted` are the original's
/// (spec/blobvm.md 5), and so are the values of 01 and 04 and the first 50 bytes of 03, which are
/// what nodes agree on; 05 and up are ours. All integers are big-endian, so that heights lie in
/// order.
///
///   00 2f || block id     the block's height, 8 bytes
///   01 2f || tx id        empty: the transaction is accepted
///   03 2f || blob key     BlobRecord
///   04 2f || address      balance, 8 bytes
///   last_accepted         block id
///   05 2f 'g'             keccak256 of the genesis' codec form
///   05 2f 'h' || height   IndexRecord
///   05 2f 't' || height   the ids of the block's transactions
///   05 2f 'u' || height   UndoRecord
namespace blobvm::vm::store::detail {

/// A record's key, held in place.
class RecordKey {
  public:
    explicit RecordKey(std::string_view text) { append(as_bytes(text)); }
    RecordKey(char prefix, ByteView rest) {
        append(as_bytes({&prefix, 1}));
        append(as_bytes("/"));
        append(rest);
    }
    RecordKey(char kind, std::uint64_t height);  ///< one of ours, by height

    std::string_view view() const { return {bytes_.data(), size_}; }

  private:
    void append(ByteView part);

    std::array<char, 40> bytes_{};
    std::size_t size_ = 0;
};

inline RecordKey block_key(const BlockId& id) { return {'\0', id.view()}; }
inline RecordKey transaction_key(const TxId& id) { return {'\1', id.view()}; }
inline RecordKey blob_key(const BlobKey& key) { return {'\3', key.view()}; }
inline RecordKey balance_key(const Address& address) { return {'\4', address.view()}; }
inline RecordKey last_accepted_key() { return RecordKey{"last_accepted"}; }
inline RecordKey genesis_key() { return {'\5', as_bytes("g")}; }
inline RecordKey index_key(std::uint64_t height) { return {'h', height}; }
inline RecordKey transactions_key(std::uint64_t height) { return {'t', height}; }
inline RecordKey undo_key(std::uint64_t height) { return {'u', height}; }

/// The height in an undo key; empty for any other key.
std::optional<std::uint64_t> height_of_undo_key(std::string_view key);

std::string encode_balance(Amount balance);
Result<Amount> decode_balance(std::string_view bytes);

/// An id or hash that is a whole record; kCorruption for another length.
template <class Id>
Result<Id> decode_id(std::string_view bytes) {
    if (bytes.size() != Id::kSize) return fail(ErrorCode::kCorruption, "id record of odd length");
    return Id::from(as_bytes(bytes));
}

std::string encode_height(std::uint64_t height);
Result<std::uint64_t> decode_height(std::string_view bytes);

std::string encode_ids(const std::vector<TxId>& ids);
Result<std::vector<TxId>> decode_ids(std::string_view bytes);

/// A blob that the chain knows, and where its value lies.
struct BlobRecord {
    chain::BlobMeta meta;
    Place value;

    friend bool operator==(const BlobRecord&, const BlobRecord&) = default;
};
constexpr std::size_t kBlobMetaBytes = 50;  ///< what of it is the original's
std::string encode_blob(const BlobRecord& record);
Result<BlobRecord> decode_blob(std::string_view bytes);

/// What is known of an accepted height.
struct IndexRecord {
    chain::BlockSummary summary;  ///< without height and transactions
    Place place;                  ///< of the block's bytes
    std::uint32_t size_bytes = 0;
    /// When this was written, the log was on disk at least to the end of the block at this height.
    std::uint64_t synced_height = 0;
};
std::string encode_index(const IndexRecord& record);
Result<IndexRecord> decode_index(std::string_view bytes);

/// What a block displaced: with its transactions' ids, enough to undo it without reading it.
struct UndoRecord {
    /// Balances before the block; empty where there was no record.
    std::vector<std::pair<Address, std::optional<Amount>>> balances;
    std::vector<BlobKey> blobs;  ///< which the block has added

    friend bool operator==(const UndoRecord&, const UndoRecord&) = default;
};
std::string encode_undo(const UndoRecord& record);
Result<UndoRecord> decode_undo(std::string_view bytes);

}  // namespace blobvm::vm::store::detail
