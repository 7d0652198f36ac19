#include "vm/store/detail/records.hpp"

#include <cstring>

#include "chain/base/check.hpp"

namespace blobvm::vm::store::detail {
namespace {

constexpr std::size_t kUndoBalanceBytes = Address::kSize + 1 + 8;

void append_u64(std::string& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void append_u32(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

/// Reads fixed-size fields off a record; what runs over its end is remembered and reads as zero.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_{bytes} {}

    std::string_view take(std::size_t size) {
        if (size > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const std::string_view part = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return part;
    }

    std::uint64_t u64() { return number(8); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    Place place() {
        const std::uint32_t file = u32();
        return {.file = file, .offset = u32()};
    }

    template <class Id>
    Id id() {
        const std::string_view part = take(Id::kSize);
        return part.empty() ? Id{} : Id::from(as_bytes(part));
    }

    /// A count of items of `item_bytes` each, which must still be there.
    std::size_t count(std::size_t item_bytes) {
        const std::uint64_t count = u64();
        if (count > rest_.size() / item_bytes) ok_ = false;
        return ok_ ? static_cast<std::size_t>(count) : 0;
    }

    bool ok() const { return ok_; }
    bool finished() const { return ok_ && rest_.empty(); }

  private:
    std::uint64_t number(std::size_t size) {
        std::uint64_t value = 0;
        for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
        return value;
    }

    std::string_view rest_;
    bool ok_ = true;
};

void append(std::string& out, ByteView bytes) { out += as_chars(bytes); }

void append(std::string& out, Place place) {
    append_u32(out, place.file);
    append_u32(out, place.offset);
}

}  // namespace

RecordKey::RecordKey(char kind, std::uint64_t height) : RecordKey{'\5', as_bytes({&kind, 1})} {
    std::string bytes;
    append_u64(bytes, height);
    append(as_bytes(bytes));
}

void RecordKey::append(ByteView part) {
    CHECK(size_ + part.size() <= bytes_.size());
    std::memcpy(bytes_.data() + size_, part.data(), part.size());
    size_ += part.size();
}

std::optional<std::uint64_t> height_of_undo_key(std::string_view key) {
    const RecordKey lowest = undo_key(0);
    if (key.size() != lowest.view().size()) return std::nullopt;
    if (key.substr(0, key.size() - 8) != lowest.view().substr(0, key.size() - 8)) {
        return std::nullopt;
    }
    return Reader{key.substr(key.size() - 8)}.u64();
}

std::string encode_balance(Amount balance) {
    std::string out;
    append_u64(out, balance.value);
    return out;
}

Result<Amount> decode_balance(std::string_view bytes) {
    Reader reader{bytes};
    const Amount balance{reader.u64()};
    if (!reader.finished()) return fail(ErrorCode::kCorruption, "balance record of odd length");
    return balance;
}

std::string encode_height(std::uint64_t height) {
    std::string out;
    append_u64(out, height);
    return out;
}

Result<std::uint64_t> decode_height(std::string_view bytes) {
    Reader reader{bytes};
    const std::uint64_t height = reader.u64();
    if (!reader.finished()) return fail(ErrorCode::kCorruption, "block record of odd length");
    return height;
}

std::string encode_ids(const std::vector<TxId>& ids) {
    std::string out;
    out.reserve(ids.size() * TxId::kSize);
    for (const TxId& id : ids) append(out, id.view());
    return out;
}

Result<std::vector<TxId>> decode_ids(std::string_view bytes) {
    Reader reader{bytes};
    std::vector<TxId> ids(bytes.size() / TxId::kSize);
    for (TxId& id : ids) id = reader.id<TxId>();
    if (!reader.finished()) return fail(ErrorCode::kCorruption, "record of ids of odd length");
    return ids;
}

std::string encode_blob(const BlobRecord& record) {
    std::string out{as_chars(chain::encode_blob_meta(record.meta))};
    append(out, record.value);
    return out;
}

Result<BlobRecord> decode_blob(std::string_view bytes) {
    Reader reader{bytes};
    BLOBVM_TRY(const chain::BlobMeta meta,
               chain::decode_blob_meta(as_bytes(reader.take(kBlobMetaBytes))));
    const Place value = reader.place();
    if (!reader.finished()) return fail(ErrorCode::kCorruption, "blob record of odd length");
    return BlobRecord{meta, value};
}

std::string encode_index(const IndexRecord& record) {
    std::string out;
    append(out, record.summary.id.view());
    append(out, record.summary.parent.view());
    append_u64(out, static_cast<std::uint64_t>(record.summary.timestamp_s));
    append_u64(out, record.summary.price.value);
    append_u64(out, record.summary.cost.value);
    append_u64(out, record.summary.units.value);
    append(out, record.place);
    append_u32(out, record.size_bytes);
    append_u64(out, record.synced_height);
    return out;
}

Result<IndexRecord> decode_index(std::string_view bytes) {
    Reader reader{bytes};
    IndexRecord record;
    record.summary.id = reader.id<BlockId>();
    record.summary.parent = reader.id<BlockId>();
    record.summary.timestamp_s = static_cast<std::int64_t>(reader.u64());
    record.summary.price = Price{reader.u64()};
    record.summary.cost = BlockCost{reader.u64()};
    record.summary.units = FeeUnits{reader.u64()};
    record.place = reader.place();
    record.size_bytes = reader.u32();
    record.synced_height = reader.u64();
    if (!reader.finished()) return fail(ErrorCode::kCorruption, "index record of odd length");
    return record;
}

std::string encode_undo(const UndoRecord& record) {
    std::string out;
    out.reserve(16 + record.balances.size() * kUndoBalanceBytes +
                record.blobs.size() * BlobKey::kSize);
    append_u64(out, record.balances.size());
    for (const auto& [address, balance] : record.balances) {
        append(out, address.view());
        out.push_back(balance ? '\1' : '\0');
        append_u64(out, balance.value_or(Amount{}).value);
    }
    append_u64(out, record.blobs.size());
    for (const BlobKey& key : record.blobs) append(out, key.view());
    return out;
}

Result<UndoRecord> decode_undo(std::string_view bytes) {
    Reader reader{bytes};
    UndoRecord record;
    record.balances.resize(reader.count(kUndoBalanceBytes));
    for (auto& [address, balance] : record.balances) {
        address = reader.id<Address>();
        const bool known = reader.take(1) == "\1";
        const Amount amount{reader.u64()};
        if (known) balance = amount;
    }
    record.blobs.resize(reader.count(BlobKey::kSize));
    for (BlobKey& key : record.blobs) key = reader.id<BlobKey>();
    if (!reader.finished()) return fail(ErrorCode::kCorruption, "undo record is damaged");
    return record;
}

}  // namespace blobvm::vm::store::detail
