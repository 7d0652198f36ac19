// Compiled for AVX2 and BMI2; called only where the CPU has them.
#if defined(__x86_64__)
#include <immintrin.h>

#include "chain/base/detail/keccak_rounds.hpp"

namespace blobvm::detail {
namespace {

/// Four lanes of 64 bits.
struct FourWords {
    using Word = __m256i;
    static Word exor(Word a, Word b) { return _mm256_xor_si256(a, b); }
    static Word exor5(Word a, Word b, Word c, Word d, Word e) {
        return exor(exor(exor(a, b), exor(c, d)), e);
    }
    template <int n>
    static Word rotate(Word a) {
        return _mm256_or_si256(_mm256_slli_epi64(a, n), _mm256_srli_epi64(a, 64 - n));
    }
    static Word chi(Word a, Word b, Word c) { return exor(a, _mm256_andnot_si256(b, c)); }
    static Word constant(std::uint64_t value) {
        return _mm256_set1_epi64x(static_cast<long long>(value));
    }
};

__m256i load(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

/// out[i] = the i-th of four words at `offset` in each block.
void load_transposed(__m256i (&out)[4], const std::byte* const* blocks, std::size_t offset) {
    const __m256i r0 = load(blocks[0] + offset);
    const __m256i r1 = load(blocks[1] + offset);
    const __m256i r2 = load(blocks[2] + offset);
    const __m256i r3 = load(blocks[3] + offset);
    const __m256i even01 = _mm256_unpacklo_epi64(r0, r1);
    const __m256i odd01 = _mm256_unpackhi_epi64(r0, r1);
    const __m256i even23 = _mm256_unpacklo_epi64(r2, r3);
    const __m256i odd23 = _mm256_unpackhi_epi64(r2, r3);
    out[0] = _mm256_permute2x128_si256(even01, even23, 0x20);
    out[1] = _mm256_permute2x128_si256(odd01, odd23, 0x20);
    out[2] = _mm256_permute2x128_si256(even01, even23, 0x31);
    out[3] = _mm256_permute2x128_si256(odd01, odd23, 0x31);
}

void absorb_four(std::uint64_t* states, const std::byte* const* blocks) {
    auto* const words = reinterpret_cast<__m256i*>(states);
    __m256i a[kKeccakWords];
    for (std::size_t i = 0; i < kKeccakWords; ++i) a[i] = _mm256_load_si256(words + i);
    for (std::size_t i = 0; i < 16; i += 4) {
        __m256i input[4];
        load_transposed(input, blocks, 8 * i);
        for (std::size_t j = 0; j < 4; ++j) a[i + j] = _mm256_xor_si256(a[i + j], input[j]);
    }
    const auto last = [&](int lane) {
        return static_cast<long long>(load_word(blocks[lane] + 128));
    };
    a[16] = _mm256_xor_si256(a[16], _mm256_setr_epi64x(last(0), last(1), last(2), last(3)));
    permute<FourWords>(a);
    for (std::size_t i = 0; i < kKeccakWords; ++i) _mm256_store_si256(words + i, a[i]);
}

}  // namespace

extern const KeccakCode kKeccakAvx2;
const KeccakCode kKeccakAvx2 = {absorb_one<ScalarWord>, 4, absorb_four};

}  // namespace blobvm::detail

#endif
