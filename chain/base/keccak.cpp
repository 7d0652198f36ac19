#include "chain/base/detail/keccak.hpp"
#include "chain/base/check.hpp"
#include "chain/base/hashing.hpp"

namespace blobvm {
namespace {

using detail::kKeccakRate;

void absorb(std::uint64_t* state, const std::byte* block) {
    for (std::size_t i = 0; i < kKeccakRate / 8; ++i) {
        std::uint64_t word;
        std::memcpy(&word, block + 8 * i, 8);
        state[i] ^= word;
    }
    detail::keccak_permute(state);
}

}  // namespace

Keccak256::Keccak256() : state_{} {}

Keccak256& Keccak256::update(ByteView piece) {
    if (buffered_ > 0) {
        const std::size_t take = std::min(piece.size(), kKeccakRate - buffered_);
        std::copy_n(piece.begin(), take, buffer_ + buffered_);
        buffered_ += take;
        piece = piece.subspan(take);
        if (buffered_ < kKeccakRate) return *this;
        absorb(state_, buffer_);
        buffered_ = 0;
    }
    for (; piece.size() >= kKeccakRate; piece = piece.subspan(kKeccakRate)) {
        absorb(state_, piece.data());
    }
    std::copy(piece.begin(), piece.end(), buffer_);
    buffered_ = piece.size();
    return *this;
}

Hash256 Keccak256::finish() {
    std::fill(buffer_ + buffered_, buffer_ + kKeccakRate, std::byte{0});
    buffer_[buffered_] = std::byte{0x01};
    buffer_[kKeccakRate - 1] |= std::byte{0x80};
    absorb(state_, buffer_);

    Hash256 digest;
    std::memcpy(digest.bytes.data(), state_, Hash256::kSize);
    return digest;
}

Hash256 keccak256(ByteView message) { return Keccak256{}.update(message).finish(); }

void keccak256_many(std::span<const TwoPartMessage> messages, std::span<Hash256> digests) {
    CHECK(messages.size() == digests.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        digests[i] = Keccak256{}.update(messages[i].head).update(messages[i].tail).finish();
    }
}

}  // namespace blobvm
