#include "chain/base/check.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

/// The two files that an operator brings. What is read is written, and read again, the same; and
/// every genesis is judged without harm.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_chars(test::fuzz_input(data, size));
    if (const auto airdrop = jsonrpc::parse_airdrop(text)) {
        CHECK(airdrop->addresses.size() <= text.size());
    }
    const auto genesis = jsonrpc::parse_genesis(text);
    if (!genesis) return 0;
    const std::string written = jsonrpc::write_genesis(*genesis);
    const auto again = jsonrpc::parse_genesis(written);
    CHECK(again && jsonrpc::write_genesis(*again) == written);
    if (chain::validate(*genesis)) (void)chain::initial_balances(*genesis, std::nullopt);
    return 0;
}
