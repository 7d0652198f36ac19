#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "chain/genesis.hpp"
#include "chain/signing.hpp"
#include "vm/executor.hpp"

namespace blobvm::bench {

/// One kind of transaction.
struct Shape {
    std::size_t value_bytes = 1024;  ///< of a set; 0: a transfer

    bool is_set() const { return value_bytes > 0; }
    std::size_t nested_bytes() const;  ///< its size inside a block
    std::string name() const;          ///< "sets of 1 KiB", "transfers"
};

/// Accounts with money, made from nothing but their number.
class Accounts {
  public:
    explicit Accounts(std::size_t count);

    std::size_t size() const { return keys_.size(); }
    const chain::PrivateKey& key(std::size_t n) const { return keys_[n % keys_.size()]; }
    const Address& address(std::size_t n) const { return addresses_[n % addresses_.size()]; }

    /// The fast preset without limits that the network does not set: `per_block` transactions of
    /// `shape` fill a block, all accounts are rich.
    chain::Genesis genesis(const Shape& shape, std::size_t per_block) const;

  private:
    std::vector<chain::PrivateKey> keys_;
    std::vector<Address> addresses_;
};

/// How many transactions of `shape` make a block of about `block_bytes`, at least 1.
std::size_t per_block(const Shape& shape, std::size_t block_bytes);

/// Signed transactions, of which only number and signature are kept: the bytes are put together
/// when they are asked for, so that a long run needs neither the time to sign nor the memory.
/// No two of all Loads with different `first` are alike.
class Load {
  public:
    struct Options {
        Shape shape = {};
        std::size_t count = 0;
        std::uint64_t first = 0;  ///< number of the first one
        std::size_t recipients = 10'000;
        std::uint64_t magic = 0;
        BlockId block = {};  ///< that all of them name
    };

    /// Signs on `executor`.
    Load(const Options& options, const Accounts& accounts, vm::Executor& executor);

    std::size_t size() const { return signatures_.size(); }
    const Shape& shape() const { return options_.shape; }

    /// The standalone bytes, as they come off a wire. Safe from any thread.
    Bytes bytes(std::size_t i) const;

  private:
    chain::TxFields fields(std::size_t i, Bytes& value) const;

    Options options_;
    Bytes template_;  ///< of every value; its first bytes are the transaction's number
    std::vector<Signature> signatures_;
};

/// Nonsense that no two seeds share.
Bytes random_bytes(std::size_t size, std::uint64_t seed);

}  // namespace blobvm::bench
