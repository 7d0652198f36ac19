#include "chain/base/check.hpp"
#include "chain/transaction.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// A list that decodes has exactly one encoding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = test::fuzz_input(data, size);
    const Result<std::vector<chain::RawTransaction>> raws =
        chain::decode_gossip(SharedBytes::copy_of(input));
    if (!raws) {
        CHECK(!raws.error().message().empty());
        return 0;
    }
    CHECK(same_bytes(chain::encode_gossip(*raws).value(), input));
    CHECK(chain::hash_transactions(*raws).size() == raws->size());
    return 0;
}
