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

/// The records of the database, byte for byte. Prefixes 00 to 04 and `last_accepted` are the
/// original's (spec/blobvm.md 5); 05 and up are ours. All integers are big-endian, so that heights
/// lie in order.
///
///   00 2f || block id     the block, values replaced by transaction ids
///   01 2f || tx id        empty: the transaction is accepted
///   02 2f || tx id        the value of that transaction
///   03 2f || blob key     BlobMeta, 50 bytes
///   04 2f || address      balance, 8 bytes
///   last_accepted         block id
///   05 2f 'g'             keccak256 of the genesis' codec form
///   05 2f 'h' || height   IndexRecord
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
inline RecordKey value_key(const TxId& id) { return {'\2', id.view()}; }
inline RecordKey blob_key(const BlobKey& key) { return {'\3', key.view()}; }
inline RecordKey balance_key(const Address& address) { return {'\4', address.view()}; }
inline RecordKey last_accepted_key() { return RecordKey{"last_accepted"}; }
inline RecordKey genesis_key() { return {'\5', as_bytes("g")}; }
inline RecordKey index_key(std::uint64_t height) { return {'h', height}; }
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

/// What is known of an accepted height: the rest of its summary follows from the stored block.
struct IndexRecord {
    BlockId id;
    FeeUnits units;

    friend bool operator==(const IndexRecord&, const IndexRecord&) = default;
};
std::string encode_index(const IndexRecord& record);
Result<IndexRecord> decode_index(std::string_view bytes);

/// What a block displaced: enough, with the stored block, to undo it without reading its values.
struct UndoRecord {
    /// Balances before the block; empty where there was no record.
    std::vector<std::pair<Address, std::optional<Amount>>> balances;
    std::vector<BlobKey> blobs;  ///< which the block has added

    friend bool operator==(const UndoRecord&, const UndoRecord&) = default;
};
std::string encode_undo(const UndoRecord& record);
Result<UndoRecord> decode_undo(std::string_view bytes);

}  // namespace blobvm::vm::store::detail
