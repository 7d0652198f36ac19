#include "chain/block.hpp"

#include "chain/base/hashing.hpp"
#include "chain/detail/wire.hpp"

namespace blobvm::chain {
namespace {

constexpr std::size_t kHeaderBytes =
    kVersionBytes + BlockId::kSize + 8 + 8 + 8 + 8 + Hash256::kSize;
constexpr std::size_t kCountBytes = 4;

void write_header(detail::Writer& writer, const BlockHeader& header, std::size_t transactions) {
    writer.raw(header.parent.view());
    writer.i64(header.timestamp_s);
    writer.u64(header.height);
    writer.u64(header.price.value);
    writer.u64(header.cost.value);
    writer.raw(header.access_proof.view());
    writer.u32(static_cast<std::uint32_t>(transactions));
}

const RawTransaction& raw_of(const RawTransaction& raw) { return raw; }
const RawTransaction& raw_of(const TransactionPtr& transaction) { return transaction->raw; }

template <class List>
Result<Bytes> encode(const BlockHeader& header, const List& transactions) {
    BLOBVM_TRY(detail::check_slice(transactions.size()));
    std::size_t size = kHeaderBytes + kCountBytes;
    for (const auto& transaction : transactions) size += raw_of(transaction).nested.size();
    if (size > kMaxMessageBytes) return fail(ErrorCode::kCodecTooLong);

    detail::Writer writer{size};
    write_header(writer, header, transactions.size());
    for (const auto& transaction : transactions) writer.raw(raw_of(transaction).nested.view());
    return std::move(writer).finish();
}

}  // namespace

Result<RawBlock> decode_block(SharedBytes bytes) {
    BLOBVM_TRY(detail::Reader reader, detail::Reader::open(bytes.view()));
    RawBlock block;
    block.header.parent = reader.fixed<BlockId>();
    block.header.timestamp_s = reader.i64();
    block.header.height = reader.u64();
    block.header.price.value = reader.u64();
    block.header.cost.value = reader.u64();
    block.header.access_proof = reader.fixed<Hash256>();
    block.transactions = detail::read_transactions(
        reader, bytes, BLOBVM_IN_STRUCT BLOBVM_IN_ELEMENT BLOBVM_IN_POINTER BLOBVM_IN_STRUCT);
    BLOBVM_TRY(std::move(reader).finish());
    block.bytes = std::move(bytes);
    return block;
}

Result<BlockPtr> load_block(RawBlock raw, TransactionLoader& loader) {
    BlockId id;
    BLOBVM_TRY(std::vector<TransactionPtr> transactions, loader.load_beside(raw.transactions, [&] {
        id = retag<BlockId>(keccak256(raw.bytes.view()));
    }));
    return std::make_shared<const Block>(
        Block{raw.header, std::move(transactions), std::move(raw.bytes), id});
}

Result<BlockPtr> make_block(const BlockHeader& header, std::vector<TransactionPtr> transactions,
                            const HashBytes& hash) {
    BLOBVM_TRY(Bytes encoded, encode(header, transactions));
    SharedBytes bytes{std::move(encoded)};
    const auto id = retag<BlockId>(hash ? hash(bytes) : keccak256(bytes.view()));
    return std::make_shared<const Block>(
        Block{header, std::move(transactions), std::move(bytes), id});
}

Result<Bytes> encode_block(const BlockHeader& header,
                           std::span<const RawTransaction> transactions) {
    return encode(header, transactions);
}

std::vector<std::size_t> value_offsets(const Block& block) {
    std::vector<std::size_t> offsets;
    offsets.reserve(block.transactions.size());
    std::size_t begin = kHeaderBytes + kCountBytes;
    for (const TransactionPtr& transaction : block.transactions) {
        const ByteView nested = transaction->raw.nested.view();
        const SetFields* const set = transaction->fields().set();
        const bool has_value = set != nullptr && !set->value.empty();
        offsets.push_back(
            has_value ? begin + static_cast<std::size_t>(set->value.data() - nested.data()) : 0);
        begin += nested.size();
    }
    return offsets;
}

}  // namespace blobvm::chain
