#include "chain/base/check.hpp"
#include "chain/base/hashing.hpp"
#include "chain/block.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// Whatever a database hands back in place of a stored block, it is the block of the id that was
/// asked for, or an error. The input's first byte says how long the values are that it finds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView stored = test::fuzz_input(data, size).subspan(1);
    const std::size_t value_size = std::size_t{data[0]} * 64;
    const auto value_of = [&](const TxId& id) -> Result<Bytes> {
        if (id.bytes[0] == std::byte{0}) return fail(ErrorCode::kNotFound);
        return Bytes(value_size, id.bytes[0]);
    };

    const BlockId zero;
    CHECK(!chain::full_form(zero, SharedBytes::copy_of(stored), value_of).has_value());
    const BlockId own = retag<BlockId>(keccak256(stored));
    const Result<SharedBytes> full = chain::full_form(own, SharedBytes::copy_of(stored), value_of);
    if (full) CHECK(same_bytes(full->view(), stored));
    return 0;
}
