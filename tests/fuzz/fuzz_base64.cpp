#include "chain/base/base64.hpp"
#include "chain/base/check.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// Any bytes go there and back; what a text decodes to has a text that decodes to the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = test::fuzz_input(data, size);
    CHECK(same_bytes(from_base64(to_base64(input)).value(), input));
    if (const Result<Bytes> bytes = from_base64(as_chars(input))) {
        CHECK(from_base64(to_base64(*bytes)).value() == *bytes);
    }
    return 0;
}
