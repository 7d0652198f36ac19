#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "chain/base/result.hpp"

namespace blobvm::vm {

/// What an operator can set in the chain's config file (spec/blobvm.md 4.2, and our own keys).
struct Config {
    std::chrono::nanoseconds build_interval{500'000'000};  ///< 0: as fast as the engine asks
    std::chrono::nanoseconds gossip_interval{1'000'000'000};
    std::chrono::nanoseconds regossip_interval{30'000'000'000};
    std::uint64_t mempool_size = 1024;  ///< transactions; 0 keeps nothing
    std::uint64_t mempool_bytes = 64 * 1024 * 1024;
    std::uint64_t activity_cache_size = 128;             ///< entries; 0 keeps none
    std::string log_level = "info";                      ///< trace debug info warn error off
    std::string airdrop_file;                            ///< path; empty: none
    std::uint64_t max_request_bytes = 8 * 1024 * 1024;   ///< body of one HTTP request
    std::uint64_t block_cache_bytes = 64 * 1024 * 1024;  ///< the store's read cache
    std::int64_t roll_back_to = -1;                      ///< height to start from; -1: the last
};

/// Empty text: the defaults. Intervals are integers of nanoseconds or strings such as "500ms".
/// Unknown keys are ignored, as by the original. kConfigInvalid tells the key, the value and what
/// is allowed.
Result<Config> parse_config(std::string_view text);

}  // namespace blobvm::vm
