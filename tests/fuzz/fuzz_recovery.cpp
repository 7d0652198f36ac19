#include "chain/base/check.hpp"
#include "chain/signing.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// Of all forms of a signature only one recovers, and normalising leads there: the input is a
/// digest of 32 bytes and a signature.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < Hash256::kSize) return 0;
    const ByteView input = test::fuzz_input(data, size);
    const Hash256 digest = Hash256::from(input);
    const ByteView signature = input.subspan(Hash256::kSize);

    const Result<Address> sender = chain::recover_sender(digest, signature);
    const Result<Signature> normal = chain::normalise_signature(signature);
    if (sender) {
        CHECK(normal.has_value());
        CHECK(same_bytes(normal->view(), signature));
    } else if (sender.error().code == ErrorCode::kSignatureNotCanonical) {
        CHECK(normal.has_value());
        CHECK(chain::recover_sender(digest, normal->view()).has_value());
    }
    return 0;
}
