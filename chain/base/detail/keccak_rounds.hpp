#pragma once

#include <cstddef>
#include <cstdint>

#include "chain/base/detail/keccak.hpp"

// The permutation, once for every width of a word. Each file that includes this compiles it for
// another CPU, so everything has internal linkage on purpose, and nothing else is included.
namespace blobvm::detail {
namespace {

constexpr std::uint64_t kRoundConstants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/// A row of the next state: five words through theta's end, rho and pi, then chi. The words of `a`
/// that end up in row `y` and how far each is rotated on its way (FIPS 202, section 3.2).
template <class W, int y, int i0, int i1, int i2, int i3, int i4, int r0, int r1, int r2, int r3,
          int r4>
[[gnu::always_inline]] inline void row(const typename W::Word (&a)[kKeccakWords],
                                       typename W::Word (&next)[kKeccakWords],
                                       const typename W::Word (&d)[5]) {
    using Word = typename W::Word;
    const Word b0 = W::template rotate<r0>(W::exor(a[i0], d[i0 % 5]));
    const Word b1 = W::template rotate<r1>(W::exor(a[i1], d[i1 % 5]));
    const Word b2 = W::template rotate<r2>(W::exor(a[i2], d[i2 % 5]));
    const Word b3 = W::template rotate<r3>(W::exor(a[i3], d[i3 % 5]));
    const Word b4 = W::template rotate<r4>(W::exor(a[i4], d[i4 % 5]));
    next[5 * y] = W::chi(b0, b1, b2);
    next[5 * y + 1] = W::chi(b1, b2, b3);
    next[5 * y + 2] = W::chi(b2, b3, b4);
    next[5 * y + 3] = W::chi(b3, b4, b0);
    next[5 * y + 4] = W::chi(b4, b0, b1);
}

template <class W>
[[gnu::always_inline]] inline void round(const typename W::Word (&a)[kKeccakWords],
                                         typename W::Word (&next)[kKeccakWords],
                                         std::uint64_t round_constant) {
    using Word = typename W::Word;
    const Word c0 = W::exor5(a[0], a[5], a[10], a[15], a[20]);
    const Word c1 = W::exor5(a[1], a[6], a[11], a[16], a[21]);
    const Word c2 = W::exor5(a[2], a[7], a[12], a[17], a[22]);
    const Word c3 = W::exor5(a[3], a[8], a[13], a[18], a[23]);
    const Word c4 = W::exor5(a[4], a[9], a[14], a[19], a[24]);
    const Word d[5] = {
        W::exor(c4, W::template rotate<1>(c1)), W::exor(c0, W::template rotate<1>(c2)),
        W::exor(c1, W::template rotate<1>(c3)), W::exor(c2, W::template rotate<1>(c4)),
        W::exor(c3, W::template rotate<1>(c0))};

    row<W, 0, 0, 6, 12, 18, 24, 0, 44, 43, 21, 14>(a, next, d);
    row<W, 1, 3, 9, 10, 16, 22, 28, 20, 3, 45, 61>(a, next, d);
    row<W, 2, 1, 7, 13, 19, 20, 1, 6, 25, 8, 18>(a, next, d);
    row<W, 3, 4, 5, 11, 17, 23, 27, 36, 10, 15, 56>(a, next, d);
    row<W, 4, 2, 8, 14, 15, 21, 62, 55, 39, 41, 2>(a, next, d);
    next[0] = W::exor(next[0], W::constant(round_constant));
}

/// Keccak-f[1600] (FIPS 202, section 3). `W` says what a word is and how to compute with it:
/// Word, exor, exor5, rotate<n>, chi(a, b, c) = a ^ (~b & c), and constant(u64).
template <class W>
[[gnu::always_inline]] inline void permute(typename W::Word (&a)[kKeccakWords]) {
    typename W::Word b[kKeccakWords];
    for (std::size_t i = 0; i < 24; i += 2) {
        round<W>(a, b, kRoundConstants[i]);
        round<W>(b, a, kRoundConstants[i + 1]);
    }
}

[[gnu::always_inline]] inline std::uint64_t load_word(const std::byte* bytes) {
    std::uint64_t word;
    __builtin_memcpy(&word, bytes, sizeof word);
    return word;
}

/// KeccakCode::absorb for a word type that holds one lane: load(u64) and store(Word).
template <class W>
void absorb_one(std::uint64_t* state, const std::byte* blocks, std::size_t count) {
    typename W::Word a[kKeccakWords];
    for (std::size_t i = 0; i < kKeccakWords; ++i) a[i] = W::load(state[i]);
    for (; count > 0; --count, blocks += kKeccakRate) {
        for (std::size_t i = 0; i < kKeccakRate / 8; ++i) {
            a[i] = W::exor(a[i], W::load(load_word(blocks + 8 * i)));
        }
        permute<W>(a);
    }
    for (std::size_t i = 0; i < kKeccakWords; ++i) state[i] = W::store(a[i]);
}

/// A plain 64-bit register.
struct ScalarWord {
    using Word = std::uint64_t;
    static Word exor(Word a, Word b) { return a ^ b; }
    static Word exor5(Word a, Word b, Word c, Word d, Word e) { return a ^ b ^ c ^ d ^ e; }
    template <int n>
    static Word rotate(Word a) {
        return n == 0 ? a : a << n | a >> ((64 - n) % 64);
    }
    static Word chi(Word a, Word b, Word c) { return a ^ (~b & c); }
    static Word constant(std::uint64_t value) { return value; }
    static Word load(std::uint64_t value) { return value; }
    static std::uint64_t store(Word a) { return a; }
};

}  // namespace
}  // namespace blobvm::detail
