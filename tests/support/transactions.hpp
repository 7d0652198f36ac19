#pragma once

#include <cstdint>
#include <string_view>

#include "chain/signing.hpp"
#include "chain/transaction.hpp"

/// Signed transactions for tests, in one line each.
namespace blobvm::test {

/// The key whose secret is `number`, at least 1: each number is another account.
chain::PrivateKey key(std::uint64_t number = 1);
Address account(std::uint64_t number = 1);

/// A block id that is `number` and otherwise nothing.
BlockId block_id(std::uint64_t number);

struct TxOptions {
    std::uint64_t signer = 1;
    BlockId block_id = test::block_id(1);
    std::uint64_t magic = 5;
    Price price{1};
};

chain::TransactionPtr set_tx(std::string_view value, const TxOptions& options = {});
chain::TransactionPtr transfer_tx(const Address& to, Amount units, const TxOptions& options = {});

/// Some transaction at this price; those of two calls differ.
chain::TransactionPtr tx_paying(Price price);

}  // namespace blobvm::test
