#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>

#include "mempool/mempool.hpp"

/// Offers of transactions that nobody has signed: the pool looks at none of their meaning.
namespace blobvm::mempool::test {

struct TransactionOptions {
    Price price{1};
    std::uint64_t sender = 1;
    std::uint64_t block = 1;
    std::size_t size_bytes = 100;
    std::uint64_t signature = 0;  ///< 0: one of its own
};

template <class Fixed>
Fixed numbered(std::uint64_t number) {
    Fixed result;
    std::memcpy(result.bytes.data(), &number, sizeof number);
    return result;
}

/// A transaction whose id, and all else that is not given, is `number`.
inline std::shared_ptr<chain::Transaction> make_transaction(std::uint64_t number,
                                                            const TransactionOptions& options) {
    auto transaction = std::make_shared<chain::Transaction>();
    Bytes nested(options.size_bytes - chain::kVersionBytes);
    const auto signature =
        numbered<Signature>(options.signature != 0 ? options.signature : number + (1ULL << 32));
    std::memcpy(nested.data(), &number, sizeof number);
    std::memcpy(nested.data() + sizeof number, signature.bytes.data(), Signature::kSize);
    transaction->raw.nested = SharedBytes{std::move(nested)};
    transaction->raw.signature =
        transaction->raw.nested.view().subspan(sizeof number, Signature::kSize);
    transaction->raw.fields.price = options.price;
    transaction->raw.fields.block_id = numbered<BlockId>(options.block);
    transaction->id = numbered<TxId>(number);
    transaction->sender = numbered<Address>(options.sender);
    return transaction;
}

/// An offer of a sender who can pay for anything.
inline Offer offer_of(chain::TransactionPtr transaction, FeeUnits units = FeeUnits{1}) {
    return {.transaction = std::move(transaction),
            .units = units,
            .cost = Amount{1},
            .sender_balance = Amount{std::numeric_limits<std::uint64_t>::max()}};
}

inline Offer offer(std::uint64_t number, const TransactionOptions& options = {}) {
    return offer_of(make_transaction(number, options));
}

}  // namespace blobvm::mempool::test
