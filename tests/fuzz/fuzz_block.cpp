#include "chain/base/check.hpp"
#include "chain/block.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// A block that decodes has exactly one encoding, and its parts lie inside of its bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = test::fuzz_input(data, size);
    const Result<chain::RawBlock> block = chain::decode_block(SharedBytes::copy_of(input));
    if (!block) {
        CHECK(!block.error().message().empty());
        return 0;
    }
    CHECK(same_bytes(chain::encode_block(block->header, block->transactions).value(), input));
    const ByteView whole = block->bytes.view();
    for (const chain::RawTransaction& raw : block->transactions) {
        const ByteView part = raw.nested.view();
        CHECK(part.data() >= whole.data());
        CHECK(part.data() + part.size() <= whole.data() + whole.size());
    }
    return 0;
}
