#include "tests/support/transactions.hpp"

#include <atomic>

namespace blobvm::test {
namespace {

template <class Id>
Id numbered(std::uint64_t number) {
    Id id;
    for (std::size_t i = 0; i < 8; ++i) {
        id.bytes[Id::kSize - 1 - i] = static_cast<std::byte>(number >> (8 * i) & 0xff);
    }
    return id;
}

chain::TransactionPtr signed_tx(const TxOptions& options,
                                std::variant<chain::SetFields, chain::TransferFields> body) {
    const chain::TxFields fields{options.block_id, options.magic, options.price, std::move(body)};
    return chain::sign_transaction(fields, key(options.signer)).value();
}

}  // namespace

chain::PrivateKey key(std::uint64_t number) {
    return chain::PrivateKey::from(numbered<Hash256>(number).view()).value();
}

Address account(std::uint64_t number) { return key(number).address(); }

BlockId block_id(std::uint64_t number) { return numbered<BlockId>(number); }

chain::TransactionPtr set_tx(std::string_view value, const TxOptions& options) {
    return signed_tx(options, chain::SetFields{as_bytes(value)});
}

chain::TransactionPtr transfer_tx(const Address& to, Amount units, const TxOptions& options) {
    return signed_tx(options, chain::TransferFields{to, units});
}

chain::TransactionPtr tx_paying(Price price) {
    static std::atomic<std::uint64_t> next_units = 1;
    return transfer_tx(account(2), Amount{next_units++}, {.price = price});
}

}  // namespace blobvm::test
