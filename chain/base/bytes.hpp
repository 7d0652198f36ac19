#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace blobvm {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// The bytes of `text`, not copied: valid as long as what `text` points to.
inline ByteView as_bytes(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

/// `bytes` seen as characters, not copied: valid as long as what `bytes` points to.
inline std::string_view as_chars(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

inline bool same_bytes(ByteView a, ByteView b) {
    return a.size() == b.size() &&
           (a.empty() || a.data() == b.data() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// Immutable bytes with shared ownership: a view, and what keeps it alive. Copies are cheap and
/// safe to use from any thread; a part of a buffer can be kept without copying it.
class SharedBytes {
  public:
    SharedBytes() = default;

    /// Takes over `bytes`; nothing is copied.
    explicit SharedBytes(Bytes&& bytes) {
        auto owner = std::make_shared<const Bytes>(std::move(bytes));
        view_ = *owner;
        owner_size_ = view_.size();
        owner_ = std::move(owner);
    }

    /// Takes over `text` (what protobuf hands out); nothing is copied.
    explicit SharedBytes(std::string&& text) {
        auto owner = std::make_shared<const std::string>(std::move(text));
        view_ = as_bytes(*owner);
        owner_size_ = view_.size();
        owner_ = std::move(owner);
    }

    static SharedBytes copy_of(ByteView view) { return SharedBytes{to_bytes(view)}; }

    ByteView view() const { return view_; }
    std::size_t size() const { return view_.size(); }
    bool empty() const { return view_.empty(); }

    /// What these bytes keep in memory: the size of the whole buffer that they are a part of.
    std::size_t owner_size() const { return owner_size_; }

    /// The same bytes from `offset` on, `length` of them; shares the owner.
    /// The range must lie inside.
    SharedBytes part(std::size_t offset, std::size_t length) const {
        SharedBytes result;
        result.owner_ = owner_;
        result.owner_size_ = owner_size_;
        result.view_ = view_.subspan(offset, length);
        return result;
    }

  private:
    std::shared_ptr<const void> owner_;
    ByteView view_;
    std::size_t owner_size_ = 0;
};

/// N bytes that mean one thing: the tag keeps a block's id from passing for a transaction's.
template <class Tag, std::size_t N>
struct FixedBytes {
    static constexpr std::size_t kSize = N;

    std::array<std::byte, N> bytes{};

    /// As the bytes stand, the first one first.
    friend std::strong_ordering operator<=>(const FixedBytes& a, const FixedBytes& b) {
        if constexpr (N >= sizeof(std::uint64_t)) {  // which settles it nearly always, at no call
            if (const auto order = a.head() <=> b.head(); order != 0) return order;
        }
        return std::memcmp(a.bytes.data(), b.bytes.data(), N) <=> 0;
    }
    friend bool operator==(const FixedBytes& a, const FixedBytes& b) { return a.bytes == b.bytes; }

    ByteView view() const { return bytes; }
    bool is_zero() const {
        return std::all_of(bytes.begin(), bytes.end(),
                           [](std::byte b) { return b == std::byte{0}; });
    }

    /// Reads the first N bytes of `view`, which must hold at least that many.
    static FixedBytes from(ByteView view) {
        FixedBytes result;
        std::memcpy(result.bytes.data(), view.data(), N);
        return result;
    }

  private:
    /// The first eight bytes as a number that is ordered as they are.
    std::uint64_t head() const {
        std::uint64_t number = 0;
        std::memcpy(&number, bytes.data(), sizeof number);
        return std::endian::native == std::endian::little ? __builtin_bswap64(number) : number;
    }
};

using Hash256 = FixedBytes<struct Hash256Tag, 32>;  ///< a digest without a further meaning
using BlockId = FixedBytes<struct BlockIdTag, 32>;  ///< keccak256 of the block's bytes
using TxId = FixedBytes<struct TxIdTag, 32>;        ///< keccak256 of the standalone transaction
using BlobKey = FixedBytes<struct BlobKeyTag, 32>;  ///< keccak256 of the blob
using Address = FixedBytes<struct AddressTag, 20>;  ///< an account
using ChainId = FixedBytes<struct ChainIdTag, 32>;
using SubnetId = FixedBytes<struct SubnetIdTag, 32>;
using NodeId = FixedBytes<struct NodeIdTag, 20>;
using Signature = FixedBytes<struct SignatureTag, 65>;  ///< r(32) || s(32) || v(1)

/// The same 32 bytes under another meaning.
template <class To, class From>
To retag(const From& from) {
    static_assert(To::kSize == From::kSize);
    return To{from.bytes};
}

/// A random number of this process.
std::uint64_t make_hash_seed();
inline std::uint64_t hash_seed() {
    static const std::uint64_t seed = make_hash_seed();
    return seed;
}

/// For hash tables and search trees. Every byte of an address counts, and the seed is mixed into
/// each step, since whoever makes a transfer chooses its recipient: nobody can pick keys that fall
/// together. Of longer ids, which are hashes themselves, 24 bytes are enough.
struct IdHash {
    template <class Tag, std::size_t N>
    std::size_t operator()(const FixedBytes<Tag, N>& id) const {
        static_assert(N >= 16);
        const std::uint64_t seed = hash_seed();
        const std::uint64_t head = folded(word(id, 0) ^ seed, word(id, 8) ^ std::rotl(seed, 32));
        return static_cast<std::size_t>(folded(head ^ word(id, N - 8), seed | 1));
    }

  private:
    template <class Id>
    static std::uint64_t word(const Id& id, std::size_t offset) {
        std::uint64_t value;
        std::memcpy(&value, id.bytes.data() + offset, sizeof value);
        return value;
    }

    /// Both halves of the product.
    static std::uint64_t folded(std::uint64_t a, std::uint64_t b) {
        __extension__ using Wide = unsigned __int128;
        const Wide product = static_cast<Wide>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
};

}  // namespace blobvm
