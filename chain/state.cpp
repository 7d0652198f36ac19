#include "chain/state.hpp"

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstring>

#include "chain/base/hashing.hpp"
#include "chain/detail/wire.hpp"

namespace blobvm::chain {
namespace {

constexpr std::size_t kMetaBytes = kVersionBytes + 8 + TxId::kSize + 8;

/// Values by key, remembered in order of first write.
template <class Key, class Value>
class Writes {
  public:
    const Value* find(const Key& key) const {
        const auto found = at_.find(key);
        return found == at_.end() ? nullptr : &entries_[found->second].second;
    }

    void put(const Key& key, const Value& value) {
        const auto [entry, is_new] = at_.try_emplace(key, entries_.size());
        if (is_new) {
            entries_.emplace_back(key, value);
        } else {
            entries_[entry->second].second = value;
        }
    }

    const std::vector<std::pair<Key, Value>>& entries() const { return entries_; }

  private:
    std::vector<std::pair<Key, Value>> entries_;
    absl::flat_hash_map<Key, std::size_t, IdHash> at_;
};

}  // namespace

Bytes encode_blob_meta(const BlobMeta& meta) {
    detail::Writer writer{kMetaBytes};
    writer.u64(meta.size_bytes);
    writer.raw(meta.tx.view());
    writer.u64(meta.created_s);
    return std::move(writer).finish();
}

Result<BlobMeta> decode_blob_meta(ByteView bytes) {
    BLOBVM_TRY(auto reader, detail::Reader::open(bytes));
    BlobMeta meta;
    meta.size_bytes = reader.u64();
    meta.tx = reader.fixed<TxId>();
    meta.created_s = reader.u64();
    BLOBVM_TRY(std::move(reader).finish());
    return meta;
}

Result<Amount> State::balance(const Address& address) const {
    if (const Amount* shadow = balances_.find(address)) return *shadow;
    return store_->balance(address);
}

Result<std::optional<BlobMeta>> State::blob_meta(const BlobKey& key) const {
    if (const BlobMeta* shadow = blobs_.find(key)) return std::optional{*shadow};
    return store_->blob_meta(key);
}

Result<bool> State::has_blob(const BlobKey& key) const {
    if (blobs_.find(key) != nullptr) return true;
    BLOBVM_TRY(const auto meta, store_->blob_meta(key));
    return meta.has_value();
}

Result<std::optional<std::pair<BlobKey, BlobMeta>>> State::first_blob_from(
    const BlobKey& start) const {
    BLOBVM_TRY(auto stored, store_->first_blob_from(start));
    const auto [key, meta] = blobs_.lower_bound(start);
    if (key != nullptr && (!stored || *key <= stored->first)) stored.emplace(*key, *meta);
    return stored;
}

State State::with(const Changes& changes) const {
    State result = *this;
    result.balances_ = balances_.with(changes.balances);
    result.blobs_ = blobs_.with(changes.blobs);
    return result;
}

std::size_t State::shadow_size() const { return balances_.size() + blobs_.size(); }

struct Overlay::Impl {
    State base;
    Writes<Address, Amount> balances;
    Writes<BlobKey, BlobMeta> blobs;
};

Overlay::Overlay(const State& base) : impl_{new Impl{base, {}, {}}} {}
Overlay::~Overlay() = default;
Overlay::Overlay(Overlay&&) noexcept = default;
Overlay& Overlay::operator=(Overlay&&) noexcept = default;

Result<Amount> Overlay::balance(const Address& address) const {
    if (const Amount* written = impl_->balances.find(address)) return *written;
    return impl_->base.balance(address);
}

Result<bool> Overlay::has_blob(const BlobKey& key) const {
    return impl_->blobs.find(key) != nullptr ? Result<bool>{true} : impl_->base.has_blob(key);
}

void Overlay::set_balance(const Address& address, Amount balance) {
    impl_->balances.put(address, balance);
}

void Overlay::put_blob(const BlobKey& key, const BlobMeta& meta) { impl_->blobs.put(key, meta); }

Changes Overlay::changes() const {
    return {.balances = impl_->balances.entries(), .blobs = impl_->blobs.entries()};
}

Result<Hash256> access_proof(const State& state, const BlockId& parent,
                             std::uint64_t child_height) {
    std::array<std::byte, BlockId::kSize + 8> seed;
    std::memcpy(seed.data(), parent.bytes.data(), BlockId::kSize);
    for (std::size_t i = 0; i < 8; ++i) {  // the one little-endian number of the protocol
        seed[BlockId::kSize + i] = static_cast<std::byte>(child_height >> 8 * i & 0xff);
    }
    BLOBVM_TRY(const auto blob, state.first_blob_from(retag<BlobKey>(keccak256(seed))));
    if (!blob) return Hash256{};
    return Keccak256{}.update(encode_blob_meta(blob->second)).update(parent.view()).finish();
}

}  // namespace blobvm::chain
