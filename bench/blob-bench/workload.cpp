#include "bench/blob-bench/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "bench/blob-bench/measure.hpp"
#include "chain/base/hashing.hpp"
#include "chain/execution.hpp"
#include "chain/presets.hpp"

namespace blobvm::bench {
namespace {

constexpr std::uint64_t kMagic = 4242;
constexpr std::size_t kTagBytes = 8;
constexpr std::size_t kSignedTogether = 8;  ///< values that are hashed side by side
constexpr std::uint64_t kOfferedPrice = 1'000'000;
constexpr std::uint64_t kPriceSpread = 1'000;

/// Scatters numbers: neighbours have nothing in common.
std::uint64_t scattered(std::uint64_t n) {
    n += 0x9e3779b97f4a7c15;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
    n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
    return n ^ (n >> 31);
}

Hash256 hash_of(std::uint64_t purpose, std::uint64_t number) {
    const std::uint64_t words[2] = {purpose, number};
    return keccak256(std::as_bytes(std::span{words}));
}

Address recipient(std::uint64_t number) { return Address::from(hash_of(2, number).view()); }

}  // namespace

Bytes random_bytes(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    Bytes bytes(size);
    for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
        const std::uint64_t word = random();
        std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size - at));
    }
    return bytes;
}

std::size_t Shape::nested_bytes() const {
    const Bytes value(value_bytes);
    chain::TxFields fields;
    if (is_set()) {
        fields.body = chain::SetFields{value};
    } else {
        fields.body = chain::TransferFields{};
    }
    return must(chain::encode_transaction(fields, Signature{}.view())).size() -
           chain::kVersionBytes;
}

std::string Shape::name() const {
    if (!is_set()) return "transfers";
    if (value_bytes % 1024 == 0) return fmt::format("sets of {} KiB", value_bytes / 1024);
    return fmt::format("sets of {} B", value_bytes);
}

std::size_t per_block(const Shape& shape, std::size_t block_bytes) {
    return std::max<std::size_t>(block_bytes / shape.nested_bytes(), 1);
}

Accounts::Accounts(std::size_t count) {
    for (std::size_t n = 0; n < std::max<std::size_t>(count, 1); ++n) {
        keys_.push_back(must(chain::PrivateKey::from(hash_of(1, n).view())));
        addresses_.push_back(keys_.back().address());
    }
}

chain::Genesis Accounts::genesis(const Shape& shape, std::size_t per_block) const {
    chain::Genesis genesis = chain::fast_genesis(kMagic);
    const Bytes value(shape.value_bytes);
    chain::TxFields fields;
    if (shape.is_set()) {
        fields.body = chain::SetFields{value};
    } else {
        fields.body = chain::TransferFields{};
    }
    // No larger values than these, since a block must have room for the largest.
    genesis.max_value_size = std::max<std::uint64_t>(shape.value_bytes, 1);
    const std::uint64_t least =
        genesis.base_tx_units + chain::value_units(genesis, genesis.max_value_size);
    genesis.max_block_size = std::max(chain::fee_units(genesis, fields).value * per_block, least);
    genesis.custom_allocation.emplace();
    for (const Address& address : addresses_) {
        genesis.custom_allocation->push_back({address, Amount{1'000'000'000'000'000}});
    }
    return genesis;
}

Load::Load(const Options& options, const Accounts& accounts, vm::Executor& executor)
    : options_{options},
      template_{random_bytes(std::max(options.shape.value_bytes, kTagBytes), /*seed=*/1)},
      signatures_(options.count) {
    if (options.shape.is_set() && options.shape.value_bytes < kTagBytes) {
        give_up(fmt::format("values have at least {} bytes here", kTagBytes));
    }
    const std::size_t groups = (options.count + kSignedTogether - 1) / kSignedTogether;
    executor.for_each(groups, [&](std::size_t group) {
        const std::size_t begin = group * kSignedTogether;
        const std::size_t end = std::min(begin + kSignedTogether, options.count);
        std::vector<Bytes> values(end - begin);
        std::vector<chain::TxFields> all;
        std::vector<TwoPartMessage> messages;
        for (std::size_t i = begin; i < end; ++i) {
            all.push_back(fields(i, values[i - begin]));
            messages.push_back({{}, values[i - begin]});
        }
        std::vector<Hash256> keys(messages.size());
        keccak256_many(messages, keys);
        for (std::size_t i = begin; i < end; ++i) {
            const Hash256 digest =
                chain::signing_digest(all[i - begin], retag<BlobKey>(keys[i - begin]));
            signatures_[i] = accounts.key(options.first + i).sign(digest);
        }
    });
}

chain::TxFields Load::fields(std::size_t i, Bytes& value) const {
    const std::uint64_t number = options_.first + i;
    chain::TxFields fields{.block_id = options_.block,
                           .magic = options_.magic,
                           .price = Price{kOfferedPrice + scattered(number) % kPriceSpread},
                           .body = chain::TransferFields{}};
    if (options_.shape.is_set()) {
        value = template_;
        std::memcpy(value.data(), &number, kTagBytes);
        fields.body = chain::SetFields{value};
    } else {
        // The amount is the number: two transfers between the same two differ.
        fields.body = chain::TransferFields{
            recipient(scattered(number) % std::max<std::size_t>(options_.recipients, 1)),
            Amount{1 + number}};
    }
    return fields;
}

Bytes Load::bytes(std::size_t i) const {
    thread_local Bytes value;
    const chain::TxFields known = fields(i, value);
    return must(chain::encode_transaction(known, signatures_[i].view()));
}

}  // namespace blobvm::bench
