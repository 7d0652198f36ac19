// Compiled for AVX2; called only where the CPU has it.
#include "chain/base/detail/base64.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace blobvm::detail {
namespace {

__m256i bytes_of(char value) { return _mm256_set1_epi8(value); }

/// `amount` in each byte of `values` that is above `limit`, else zero; all as signed.
__m256i above(__m256i values, char limit, int amount) {
    return _mm256_and_si256(_mm256_cmpgt_epi8(values, bytes_of(limit)),
                            bytes_of(static_cast<char>(amount)));
}

/// A mask of the bytes from `first` to `last`.
__m256i between(__m256i values, char first, char last) {
    return _mm256_and_si256(_mm256_cmpgt_epi8(values, bytes_of(static_cast<char>(first - 1))),
                            _mm256_cmpgt_epi8(bytes_of(static_cast<char>(last + 1)), values));
}

/// Twelve bytes at the start of each half become sixteen numbers below 64.
__m256i split(__m256i bytes) {
    // Three bytes as one big-endian number in 32 bits.
    const __m256i order = _mm256_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1,  //
                                           2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1);
    const __m256i w = _mm256_shuffle_epi8(bytes, order);
    const __m256i a = _mm256_srli_epi32(w, 18);
    const __m256i b = _mm256_and_si256(_mm256_srli_epi32(w, 4), _mm256_set1_epi32(0x3f00));
    const __m256i c = _mm256_and_si256(_mm256_slli_epi32(w, 10), _mm256_set1_epi32(0x3f0000));
    const __m256i d = _mm256_and_si256(_mm256_slli_epi32(w, 24), _mm256_set1_epi32(0x3f000000));
    return _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
}

/// Numbers below 64 become characters: 'A' plus the number, less the gaps of the character set
/// between Z and a, z and 0, 9 and +, + and /.
__m256i to_characters(__m256i numbers) {
    const __m256i letters =
        _mm256_add_epi8(_mm256_add_epi8(numbers, bytes_of('A')), above(numbers, 25, 6));
    const __m256i digits = _mm256_add_epi8(above(numbers, 51, -75), above(numbers, 61, -15));
    return _mm256_add_epi8(_mm256_add_epi8(letters, digits), above(numbers, 62, 3));
}

}  // namespace

std::size_t encode_base64_avx2(const std::byte* bytes, std::size_t size, char* out) {
    std::size_t taken = 0;
    for (; taken + 28 <= size; taken += 24, out += 32) {  // the second load ends at byte 28
        const auto* low = reinterpret_cast<const __m128i*>(bytes + taken);
        const auto* high = reinterpret_cast<const __m128i*>(bytes + taken + 12);
        const __m256i group = _mm256_set_m128i(_mm_loadu_si128(high), _mm_loadu_si128(low));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), to_characters(split(group)));
    }
    return taken;
}

std::size_t decode_base64_avx2(const char* text, std::size_t size, std::byte* out) {
    const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,
                                           2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    std::size_t taken = 0;
    for (; taken + 40 <= size; taken += 32, out += 24) {  // the second store ends at byte 28
        const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + taken));
        const __m256i upper = between(c, 'A', 'Z');
        const __m256i lower = between(c, 'a', 'z');
        const __m256i digit = between(c, '0', '9');
        const __m256i plus = _mm256_cmpeq_epi8(c, bytes_of('+'));
        const __m256i slash = _mm256_cmpeq_epi8(c, bytes_of('/'));
        const __m256i known = _mm256_or_si256(_mm256_or_si256(_mm256_or_si256(upper, lower), digit),
                                              _mm256_or_si256(plus, slash));
        if (_mm256_movemask_epi8(known) != -1) break;

        const auto where = [](__m256i mask, int offset) {
            return _mm256_and_si256(mask, bytes_of(static_cast<char>(offset)));
        };
        const __m256i offsets = _mm256_or_si256(
            _mm256_or_si256(_mm256_or_si256(where(upper, -'A'), where(lower, 26 - 'a')),
                            where(digit, 52 - '0')),
            _mm256_or_si256(where(plus, 62 - '+'), where(slash, 63 - '/')));
        const __m256i numbers = _mm256_add_epi8(c, offsets);

        // Two numbers to 12 bits, two of those to 24, and these to three bytes.
        const __m256i pairs = _mm256_maddubs_epi16(numbers, _mm256_set1_epi32(0x01400140));
        const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
        const __m256i packed = _mm256_shuffle_epi8(fours, order);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(packed));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 12), _mm256_extracti128_si256(packed, 1));
    }
    return taken;
}

}  // namespace blobvm::detail

#else  // nobody calls these

namespace blobvm::detail {
std::size_t encode_base64_avx2(const std::byte*, std::size_t, char*) { return 0; }
std::size_t decode_base64_avx2(const char*, std::size_t, std::byte*) { return 0; }
}  // namespace blobvm::detail

#endif
