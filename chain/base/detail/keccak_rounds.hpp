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

/// Keccak-f[1600] (FIPS 202, section 3). `W` says what a word is and how to compute with it:
/// Word, exor, rotate<n>, chi(a, b, c) = a ^ (~b & c), and constant(u64).
template <class W>
[[gnu::always_inline]] inline void permute(typename W::Word (&a)[kKeccakWords]) {
    using Word = typename W::Word;
    for (const std::uint64_t round_constant : kRoundConstants) {
        // theta
        const Word c0 = W::exor5(a[0], a[5], a[10], a[15], a[20]);
        const Word c1 = W::exor5(a[1], a[6], a[11], a[16], a[21]);
        const Word c2 = W::exor5(a[2], a[7], a[12], a[17], a[22]);
        const Word c3 = W::exor5(a[3], a[8], a[13], a[18], a[23]);
        const Word c4 = W::exor5(a[4], a[9], a[14], a[19], a[24]);
        const Word d0 = W::exor(c4, W::template rotate<1>(c1));
        const Word d1 = W::exor(c0, W::template rotate<1>(c2));
        const Word d2 = W::exor(c1, W::template rotate<1>(c3));
        const Word d3 = W::exor(c2, W::template rotate<1>(c4));
        const Word d4 = W::exor(c3, W::template rotate<1>(c0));

        // theta's end, rho and pi
        const Word b0 = W::exor(a[0], d0);
        const Word b1 = W::template rotate<44>(W::exor(a[6], d1));
        const Word b2 = W::template rotate<43>(W::exor(a[12], d2));
        const Word b3 = W::template rotate<21>(W::exor(a[18], d3));
        const Word b4 = W::template rotate<14>(W::exor(a[24], d4));
        const Word b5 = W::template rotate<28>(W::exor(a[3], d3));
        const Word b6 = W::template rotate<20>(W::exor(a[9], d4));
        const Word b7 = W::template rotate<3>(W::exor(a[10], d0));
        const Word b8 = W::template rotate<45>(W::exor(a[16], d1));
        const Word b9 = W::template rotate<61>(W::exor(a[22], d2));
        const Word b10 = W::template rotate<1>(W::exor(a[1], d1));
        const Word b11 = W::template rotate<6>(W::exor(a[7], d2));
        const Word b12 = W::template rotate<25>(W::exor(a[13], d3));
        const Word b13 = W::template rotate<8>(W::exor(a[19], d4));
        const Word b14 = W::template rotate<18>(W::exor(a[20], d0));
        const Word b15 = W::template rotate<27>(W::exor(a[4], d4));
        const Word b16 = W::template rotate<36>(W::exor(a[5], d0));
        const Word b17 = W::template rotate<10>(W::exor(a[11], d1));
        const Word b18 = W::template rotate<15>(W::exor(a[17], d2));
        const Word b19 = W::template rotate<56>(W::exor(a[23], d3));
        const Word b20 = W::template rotate<62>(W::exor(a[2], d2));
        const Word b21 = W::template rotate<55>(W::exor(a[8], d3));
        const Word b22 = W::template rotate<39>(W::exor(a[14], d4));
        const Word b23 = W::template rotate<41>(W::exor(a[15], d0));
        const Word b24 = W::template rotate<2>(W::exor(a[21], d1));

        // chi, and iota on the first word
        a[0] = W::exor(W::chi(b0, b1, b2), W::constant(round_constant));
        a[1] = W::chi(b1, b2, b3);
        a[2] = W::chi(b2, b3, b4);
        a[3] = W::chi(b3, b4, b0);
        a[4] = W::chi(b4, b0, b1);
        a[5] = W::chi(b5, b6, b7);
        a[6] = W::chi(b6, b7, b8);
        a[7] = W::chi(b7, b8, b9);
        a[8] = W::chi(b8, b9, b5);
        a[9] = W::chi(b9, b5, b6);
        a[10] = W::chi(b10, b11, b12);
        a[11] = W::chi(b11, b12, b13);
        a[12] = W::chi(b12, b13, b14);
        a[13] = W::chi(b13, b14, b10);
        a[14] = W::chi(b14, b10, b11);
        a[15] = W::chi(b15, b16, b17);
        a[16] = W::chi(b16, b17, b18);
        a[17] = W::chi(b17, b18, b19);
        a[18] = W::chi(b18, b19, b15);
        a[19] = W::chi(b19, b15, b16);
        a[20] = W::chi(b20, b21, b22);
        a[21] = W::chi(b21, b22, b23);
        a[22] = W::chi(b22, b23, b24);
        a[23] = W::chi(b23, b24, b20);
        a[24] = W::chi(b24, b20, b21);
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
        return a << n | a >> (64 - n);
    }
    static Word chi(Word a, Word b, Word c) { return a ^ (~b & c); }
    static Word constant(std::uint64_t value) { return value; }
    static Word load(std::uint64_t value) { return value; }
    static std::uint64_t store(Word a) { return a; }
};

}  // namespace
}  // namespace blobvm::detail
