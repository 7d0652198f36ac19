#include "chain/base/check.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "vm/config.hpp"

using namespace blobvm;

/// An operator's text is a config within its bounds, or an error that is not too long to read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto config = vm::parse_config(as_chars(test::fuzz_input(data, size)));
    if (!config) {
        CHECK(config.error().code == ErrorCode::kConfigInvalid);
        CHECK(config.error().message().size() < 1000);
        return 0;
    }
    CHECK(config->build_interval.count() >= 0);
    CHECK(config->gossip_interval.count() > 0 && config->regossip_interval.count() > 0);
    CHECK(config->mempool_size <= 1'000'000 && config->roll_back_to >= -1);
    return 0;
}
