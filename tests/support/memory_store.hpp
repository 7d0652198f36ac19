#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "chain/base/hashing.hpp"
#include "chain/block.hpp"
#include "chain/genesis.hpp"
#include "chain/state.hpp"
#include "tests/support/stored_form.hpp"

namespace blobvm::test {

/// Accepted state in memory, in the very records of the original (spec/blobvm.md 5), so that its
/// state digests can be compared. One thread at a time.
class MemoryStore final : public chain::Store {
  public:
    Result<Amount> balance(const Address& address) const override {
        if (failing) return fail(ErrorCode::kStoreFailed);
        const auto found = records_.find(record_key(kBalance, address.view()));
        if (found == records_.end()) return Amount{0};
        return Amount{number_of(found->second)};
    }

    Result<std::optional<chain::BlobMeta>> blob_meta(const BlobKey& key) const override {
        if (failing) return fail(ErrorCode::kStoreFailed);
        const auto found = records_.find(record_key(kMeta, key.view()));
        if (found == records_.end()) return std::optional<chain::BlobMeta>{};
        BLOBVM_TRY(auto meta, chain::decode_blob_meta(found->second));
        return std::optional{meta};
    }

    Result<std::optional<std::pair<BlobKey, chain::BlobMeta>>> first_blob_from(
        const BlobKey& start) const override {
        if (failing) return fail(ErrorCode::kStoreFailed);
        using Found = std::optional<std::pair<BlobKey, chain::BlobMeta>>;
        const auto found = records_.lower_bound(record_key(kMeta, start.view()));
        if (found == records_.end() || found->first[0] != std::byte{kMeta}) return Found{};
        BLOBVM_TRY(auto meta, chain::decode_blob_meta(found->second));
        return Found{{BlobKey::from(ByteView{found->first}.subspan(2)), meta}};
    }

    void set_balance(const Address& address, Amount balance) {
        records_[record_key(kBalance, address.view())] = number_bytes(balance.value);
    }
    void put_blob(const BlobKey& key, const chain::BlobMeta& meta) {
        records_[record_key(kMeta, key.view())] = chain::encode_blob_meta(meta);
    }
    void apply(const chain::Changes& changes) {
        for (const auto& [address, balance] : changes.balances) set_balance(address, balance);
        for (const auto& [key, meta] : changes.blobs) put_blob(key, meta);
    }

    /// Everything that one accepted block writes.
    void accept(const chain::Block& block, const chain::Changes& changes) {
        apply(changes);
        for (const chain::TransactionPtr& tx : block.transactions) {
            records_[record_key(kMarker, tx->id.view())] = {};
            if (const auto* set = tx->fields().set()) {
                records_[record_key(kValue, tx->id.view())] = to_bytes(set->value);
            }
        }
        records_[record_key(kBlock, block.id.view())] = stored_form(block);
        records_[to_bytes(as_bytes("last_accepted"))] = to_bytes(block.id.view());
    }

    void start(const chain::Block& genesis, const std::vector<chain::Allocation>& balances) {
        for (const auto& [address, balance] : balances) set_balance(address, balance);
        accept(genesis, {});
    }

    /// The corpus's stateDigest and consensusDigest (its README says how).
    Hash256 state_digest() const {
        return digest([](std::byte) { return true; });
    }
    Hash256 consensus_digest() const {
        return digest([](std::byte prefix) {
            return prefix == std::byte{kMarker} || prefix == std::byte{kMeta} ||
                   prefix == std::byte{kBalance};
        });
    }

    std::map<Address, Amount> balances() const {
        std::map<Address, Amount> all;
        for (const auto& [key, value] : records_) {
            if (key[0] != std::byte{kBalance}) continue;
            all[Address::from(ByteView{key}.subspan(2))] = Amount{number_of(value)};
        }
        return all;
    }
    std::vector<BlobKey> blob_keys() const {
        std::vector<BlobKey> all;
        for (const auto& [key, value] : records_) {
            if (key[0] == std::byte{kMeta}) all.push_back(BlobKey::from(ByteView{key}.subspan(2)));
        }
        return all;
    }

    bool failing = false;  ///< every read fails

  private:
    enum Prefix : unsigned char { kBlock, kMarker, kValue, kMeta, kBalance };

    static Bytes record_key(Prefix prefix, ByteView rest) {
        Bytes key{std::byte{prefix}, std::byte{'/'}};
        key.insert(key.end(), rest.begin(), rest.end());
        return key;
    }
    static Bytes number_bytes(std::uint64_t number, std::size_t size = 8) {
        Bytes bytes(size);
        for (std::size_t i = size; i-- > 0; number >>= 8) {
            bytes[i] = static_cast<std::byte>(number & 0xff);
        }
        return bytes;
    }
    static std::uint64_t number_of(ByteView bytes) {
        std::uint64_t number = 0;
        for (const std::byte b : bytes) number = number << 8 | std::to_integer<std::uint64_t>(b);
        return number;
    }

    template <class Counts>
    Hash256 digest(const Counts& counts) const {
        Keccak256 hash;
        for (const auto& [key, value] : records_) {
            if (!counts(key[0])) continue;
            hash.update(number_bytes(key.size(), 4)).update(key);
            hash.update(number_bytes(value.size(), 4)).update(value);
        }
        return hash.finish();
    }

    std::map<Bytes, Bytes> records_;
};

}  // namespace blobvm::test
