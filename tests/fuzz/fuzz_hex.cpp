#include "chain/base/check.hpp"
#include "chain/base/hex.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// What a person may type: any text is a value or an error, and any bytes go there and back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = test::fuzz_input(data, size);
    const std::string_view text = as_chars(input);
    CHECK(same_bytes(from_hex(to_hex(input)).value(), input));
    if (const Result<Bytes> bytes = from_hex(text)) CHECK(to_hex(*bytes).size() == text.size());
    if (const Result<Address> address = parse_address_strict(text)) {
        CHECK(parse_address_strict(to_checksummed(*address)).value() == *address);
    }
    if (const Result<BlobKey> key = parse_key_strict(text)) {
        CHECK(parse_key_strict(to_hex_0x(key->view())).value() == *key);
    }
    return 0;
}
