#include "chain/transaction.hpp"

#include <fmt/format.h>

#include "chain/base/hashing.hpp"
#include "chain/detail/wire.hpp"
#include "chain/signing.hpp"

namespace blobvm::chain {
namespace {

constexpr std::array<std::byte, kVersionBytes> kVersionPrefix{};

constexpr std::uint32_t kSetType = 1;
constexpr std::uint32_t kTransferType = 2;

/// What the original's codec has registered under the numbers that are no transaction.
constexpr std::array<std::string_view, 8> kTypeNames = {
    "BaseTx",           "SetTx",   "TransferTx", "Transaction", "StatefulBlock",
    "CustomAllocation", "Airdrop", "Genesis"};

void refuse_type(detail::Reader& reader, std::uint32_t type) {
    const std::string what =
        type < kTypeNames.size()
            ? fmt::format("*chain.{} does not implement interface chain.UnsignedTransaction",
                          kTypeNames[type])
            : fmt::format("unknown type ID {}", type);
    reader.fail_with(ErrorCode::kCodecMalformed, what);
}

TxFields read_fields(detail::Reader& reader) {
    TxFields fields;
    reader.enter(BLOBVM_IN_INTERFACE);
    const std::uint32_t type = reader.type_id();
    if (reader.failed()) return fields;
    if (type != kSetType && type != kTransferType) {
        refuse_type(reader, type);
        return fields;
    }

    reader.enter(
        BLOBVM_IN_INTERFACE BLOBVM_IN_POINTER BLOBVM_IN_STRUCT BLOBVM_IN_POINTER BLOBVM_IN_STRUCT);
    fields.block_id = reader.fixed<BlockId>();
    fields.magic = reader.u64();
    fields.price.value = reader.u64();

    reader.enter(BLOBVM_IN_INTERFACE BLOBVM_IN_POINTER BLOBVM_IN_STRUCT);
    if (type == kSetType) {
        fields.body = SetFields{reader.byte_slice()};
    } else {
        const Address to = reader.fixed<Address>();
        fields.body = TransferFields{to, Amount{reader.u64()}};
    }
    return fields;
}

std::size_t nested_size(const TxFields& fields, ByteView signature) {
    const SetFields* set = fields.set();
    const std::size_t body = set != nullptr ? 4 + set->value.size() : Address::kSize + 8;
    return 4 + BlockId::kSize + 8 + 8 + body + 4 + signature.size();
}

}  // namespace

namespace detail {

RawTransaction read_transaction(Reader& reader, const SharedBytes& message) {
    RawTransaction raw;
    const std::size_t start = reader.offset();
    raw.fields = read_fields(reader);
    reader.enter("");
    raw.signature = reader.byte_slice();
    if (!reader.failed()) raw.nested = message.part(start, reader.offset() - start);
    return raw;
}

std::vector<RawTransaction> read_transactions(Reader& reader, const SharedBytes& message,
                                              std::string_view element) {
    const std::size_t count = reader.count();
    reader.enter_message(element);
    std::vector<RawTransaction> transactions;
    transactions.reserve(std::min(count, reader.left() / kMinNestedBytes));
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        transactions.push_back(read_transaction(reader, message));
    }
    return transactions;
}

void write_transaction(Writer& writer, const TxFields& fields, ByteView signature) {
    writer.u32(fields.is_set() ? kSetType : kTransferType);
    writer.raw(fields.block_id.view());
    writer.u64(fields.magic);
    writer.u64(fields.price.value);
    if (const SetFields* set = fields.set()) {
        writer.byte_slice(set->value);
    } else {
        const TransferFields& transfer = *fields.transfer();
        writer.raw(transfer.to.view());
        writer.u64(transfer.units.value);
    }
    writer.byte_slice(signature);
}

}  // namespace detail

Result<RawTransaction> decode_transaction(SharedBytes standalone) {
    BLOBVM_TRY(detail::Reader reader, detail::Reader::open(standalone.view()));
    RawTransaction raw = detail::read_transaction(reader, standalone);
    BLOBVM_TRY(std::move(reader).finish());
    return raw;
}

Result<Bytes> encode_transaction(const TxFields& fields, ByteView signature) {
    if (const SetFields* set = fields.set()) BLOBVM_TRY(detail::check_slice(set->value.size()));
    BLOBVM_TRY(detail::check_slice(signature.size()));
    detail::Writer writer{kVersionBytes + nested_size(fields, signature)};
    detail::write_transaction(writer, fields, signature);
    return std::move(writer).finish();
}

Bytes standalone_bytes(const RawTransaction& raw) {
    detail::Writer writer{raw.size_bytes()};
    writer.raw(raw.nested.view());
    return std::move(writer).finish();
}

Result<std::vector<RawTransaction>> decode_gossip(SharedBytes message) {
    BLOBVM_TRY(detail::Reader reader, detail::Reader::open(message.view()));
    reader.enter_message("");  // the list itself stands at the top
    std::vector<RawTransaction> transactions = detail::read_transactions(
        reader, message, BLOBVM_IN_ELEMENT BLOBVM_IN_POINTER BLOBVM_IN_STRUCT);
    BLOBVM_TRY(std::move(reader).finish());
    return transactions;
}

Result<Bytes> encode_gossip(std::span<const RawTransaction> transactions) {
    BLOBVM_TRY(detail::check_slice(transactions.size()));
    std::size_t size = kVersionBytes + 4;
    for (const RawTransaction& raw : transactions) size += raw.nested.size();
    if (size > kMaxMessageBytes) return fail(ErrorCode::kCodecTooLong);

    detail::Writer writer{size};
    writer.u32(static_cast<std::uint32_t>(transactions.size()));
    for (const RawTransaction& raw : transactions) writer.raw(raw.nested.view());
    return std::move(writer).finish();
}

std::vector<TxHashes> hash_transactions(std::span<const RawTransaction> transactions) {
    std::vector<TwoPartMessage> messages;
    messages.reserve(2 * transactions.size());
    for (const RawTransaction& raw : transactions) {
        messages.push_back({kVersionPrefix, raw.nested.view()});
    }
    for (const RawTransaction& raw : transactions) {
        if (const SetFields* set = raw.fields.set()) messages.push_back({{}, set->value});
    }

    std::vector<Hash256> digests(messages.size());
    keccak256_many(messages, digests);

    std::vector<TxHashes> hashes(transactions.size());
    std::size_t next_key = transactions.size();
    for (std::size_t i = 0; i < transactions.size(); ++i) {
        hashes[i].id = retag<TxId>(digests[i]);
        if (transactions[i].fields.is_set()) hashes[i].key = retag<BlobKey>(digests[next_key++]);
    }
    return hashes;
}

Result<TransactionPtr> recover_transaction(RawTransaction raw, const TxHashes& hashes) {
    const Hash256 digest = signing_digest(raw.fields, hashes.key);
    return recover_transaction(std::move(raw), hashes, digest);
}

Result<TransactionPtr> recover_transaction(RawTransaction raw, const TxHashes& hashes,
                                           const Hash256& digest) {
    BLOBVM_TRY(const Address sender, recover_sender(digest, raw.signature));
    return std::make_shared<const Transaction>(
        Transaction{std::move(raw), hashes.id, hashes.key, sender});
}

Result<TransactionPtr> load_transaction(SharedBytes standalone) {
    BLOBVM_TRY(RawTransaction raw, decode_transaction(std::move(standalone)));
    const std::vector<TxHashes> hashes = hash_transactions({&raw, 1});
    return recover_transaction(std::move(raw), hashes.front());
}

Result<std::vector<TransactionPtr>> PlainTransactionLoader::load_beside(
    std::span<const RawTransaction> raws, const std::function<void()>& meanwhile) {
    meanwhile();
    const std::vector<TxHashes> hashes = hash_transactions(raws);
    std::vector<TransactionPtr> transactions;
    transactions.reserve(raws.size());
    for (std::size_t i = 0; i < raws.size(); ++i) {
        BLOBVM_TRY(TransactionPtr transaction, recover_transaction(raws[i], hashes[i]));
        transactions.push_back(std::move(transaction));
    }
    return transactions;
}

}  // namespace blobvm::chain
