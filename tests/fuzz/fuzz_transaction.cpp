#include "chain/base/check.hpp"
#include "chain/transaction.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// What decodes has exactly one encoding, and an id; what does not says why.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = test::fuzz_input(data, size);
    const Result<chain::RawTransaction> raw =
        chain::decode_transaction(SharedBytes::copy_of(input));
    if (!raw) {
        CHECK(!raw.error().message().empty());
        return 0;
    }
    CHECK(same_bytes(chain::standalone_bytes(*raw), input));
    CHECK(same_bytes(chain::encode_transaction(raw->fields, raw->signature).value(), input));
    CHECK(chain::hash_transactions({&*raw, 1}).front().key.is_zero() != raw->fields.is_set());
    return 0;
}
