#include "chain/base/cb58.hpp"
#include "chain/base/check.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// A text that decodes is the one text of its bytes; any bytes go there and back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = test::fuzz_input(data, size);
    const std::string_view text = as_chars(input);
    for (const std::size_t length : {Address::kSize, TxId::kSize}) {
        const Result<Bytes> bytes = from_cb58(text, length);
        if (bytes) {
            CHECK(bytes->size() == length);
            CHECK(to_cb58(*bytes) == text);
        } else {
            CHECK(!bytes.error().message().empty());
        }
    }
    const ByteView some = input.first(std::min<std::size_t>(size, 100));
    CHECK(same_bytes(from_cb58(to_cb58(some), some.size()).value(), some));
    return 0;
}
