#include <sys/random.h>

#include "chain/base/bytes.hpp"
#include "chain/base/check.hpp"

namespace blobvm {

std::uint64_t make_hash_seed() {
    std::uint64_t random = 0;
    CHECK(getrandom(&random, sizeof random, 0) == sizeof random);
    return random;
}

}  // namespace blobvm
