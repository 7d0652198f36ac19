#include <bit>

#include "chain/base/detail/keccak.hpp"

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

}  // namespace

void keccak_permute(std::uint64_t* a) {
    using std::rotl;
    for (const std::uint64_t constant : kRoundConstants) {
        std::uint64_t c[5];
        std::uint64_t b[25];
        for (int x = 0; x < 5; ++x) c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (int x = 0; x < 5; ++x) {
            const std::uint64_t d = c[(x + 4) % 5] ^ rotl(c[(x + 1) % 5], 1);
            for (int y = 0; y < 25; y += 5) a[x + y] ^= d;
        }
        int rotation = 0;
        int x = 1;
        int y = 0;
        b[0] = a[0];
        for (int t = 1; t <= 24; ++t) {
            rotation = (rotation + t) % 64;
            const int next_y = (2 * x + 3 * y) % 5;
            b[y + 5 * next_y] = rotl(a[x + 5 * y], rotation);
            x = y;
            y = next_y;
        }
        for (int row = 0; row < 25; row += 5) {
            for (int i = 0; i < 5; ++i) {
                a[row + i] = b[row + i] ^ (~b[row + (i + 1) % 5] & b[row + (i + 2) % 5]);
            }
        }
        a[0] ^= constant;
    }
}

}  // namespace blobvm::detail
