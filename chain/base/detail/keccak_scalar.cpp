#include "chain/base/detail/keccak_rounds.hpp"

namespace blobvm::detail {

extern const KeccakCode kKeccakScalar;
const KeccakCode kKeccakScalar = {absorb_one<ScalarWord>, 1, nullptr};

}  // namespace blobvm::detail
