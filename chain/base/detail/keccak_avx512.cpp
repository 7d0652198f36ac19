// Compiled for AVX-512 F and VL; called only where the CPU has them.
#if defined(__x86_64__)
#include <immintrin.h>

#include "chain/base/detail/keccak_rounds.hpp"

namespace blobvm::detail {
namespace {

constexpr int kExor3 = 0x96;  ///< a ^ b ^ c, as a truth table
constexpr int kChi = 0xd2;    ///< a ^ (~b & c)

/// Eight lanes of 64 bits.
struct EightWords {
    using Word = __m512i;
    static Word exor(Word a, Word b) { return _mm512_xor_si512(a, b); }
    static Word exor5(Word a, Word b, Word c, Word d, Word e) {
        return _mm512_ternarylogic_epi64(_mm512_ternarylogic_epi64(a, b, c, kExor3), d, e, kExor3);
    }
    template <int n>
    static Word rotate(Word a) {
        return _mm512_rol_epi64(a, n);
    }
    static Word chi(Word a, Word b, Word c) { return _mm512_ternarylogic_epi64(a, b, c, kChi); }
    static Word constant(std::uint64_t value) {
        return _mm512_set1_epi64(static_cast<long long>(value));
    }
};

/// One lane in vector registers: there are enough of them for the whole state, a rotation and chi
/// are one instruction each, and all beats the 16 plain registers by a quarter.
struct OneWord {
    using Word = __m128i;
    static Word exor(Word a, Word b) { return _mm_xor_si128(a, b); }
    static Word exor5(Word a, Word b, Word c, Word d, Word e) {
        return _mm_ternarylogic_epi64(_mm_ternarylogic_epi64(a, b, c, kExor3), d, e, kExor3);
    }
    template <int n>
    static Word rotate(Word a) {
        return _mm_rol_epi64(a, n);
    }
    static Word chi(Word a, Word b, Word c) { return _mm_ternarylogic_epi64(a, b, c, kChi); }
    static Word constant(std::uint64_t value) {
        return _mm_cvtsi64_si128(static_cast<long long>(value));
    }
    static Word load(std::uint64_t value) { return constant(value); }
    static std::uint64_t store(Word a) { return static_cast<std::uint64_t>(_mm_cvtsi128_si64(a)); }
};

/// out[i] = the i-th of eight words at `offset` in each block.
void load_transposed(__m512i (&out)[8], const std::byte* const* blocks, std::size_t offset) {
    __m512i rows[8];
    for (std::size_t lane = 0; lane < 8; ++lane)
        rows[lane] = _mm512_loadu_si512(blocks[lane] + offset);
    // Words 2k (even) and 2k+1 (odd) of two neighbouring lanes, then of four, then of eight.
    __m512i pairs[8];
    for (std::size_t i = 0; i < 8; i += 2) {
        pairs[i] = _mm512_unpacklo_epi64(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi64(rows[i], rows[i + 1]);
    }
    for (std::size_t odd = 0; odd < 2; ++odd) {
        const __m512i low02 = _mm512_shuffle_i64x2(pairs[odd], pairs[2 + odd], 0x88);
        const __m512i low13 = _mm512_shuffle_i64x2(pairs[odd], pairs[2 + odd], 0xdd);
        const __m512i high02 = _mm512_shuffle_i64x2(pairs[4 + odd], pairs[6 + odd], 0x88);
        const __m512i high13 = _mm512_shuffle_i64x2(pairs[4 + odd], pairs[6 + odd], 0xdd);
        out[0 + odd] = _mm512_shuffle_i64x2(low02, high02, 0x88);
        out[2 + odd] = _mm512_shuffle_i64x2(low13, high13, 0x88);
        out[4 + odd] = _mm512_shuffle_i64x2(low02, high02, 0xdd);
        out[6 + odd] = _mm512_shuffle_i64x2(low13, high13, 0xdd);
    }
}

void absorb_eight(std::uint64_t* states, const std::byte* const* blocks) {
    __m512i a[kKeccakWords];
    for (std::size_t i = 0; i < kKeccakWords; ++i) a[i] = _mm512_load_si512(states + 8 * i);
    for (std::size_t i = 0; i < 16; i += 8) {
        __m512i input[8];
        load_transposed(input, blocks, 8 * i);
        for (std::size_t j = 0; j < 8; ++j) a[i + j] = _mm512_xor_si512(a[i + j], input[j]);
    }
    const auto last = [&](int lane) {
        return static_cast<long long>(load_word(blocks[lane] + 128));
    };
    a[16] = _mm512_xor_si512(a[16], _mm512_setr_epi64(last(0), last(1), last(2), last(3), last(4),
                                                      last(5), last(6), last(7)));
    permute<EightWords>(a);
    for (std::size_t i = 0; i < kKeccakWords; ++i) _mm512_store_si512(states + 8 * i, a[i]);
}

}  // namespace

extern const KeccakCode kKeccakAvx512;
const KeccakCode kKeccakAvx512 = {absorb_one<OneWord>, 8, absorb_eight};

}  // namespace blobvm::detail

#endif
