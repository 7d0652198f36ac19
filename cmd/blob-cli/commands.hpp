#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chain/base/result.hpp"
#include "cmd/blob-cli/console.hpp"

namespace blobvm::cli {

/// The flags that every verb has.
struct Common {
    std::string key_file = ".blob-cli-pk";
    std::string endpoint = "http://127.0.0.1:9650/ext/bc/blobvm";
    bool json = false;
    bool verbose = false;
};

struct GenesisFlags {
    std::string preset = "fast";
    std::string file = "genesis.json";
    std::int64_t min_price = -1;  ///< -1: the preset's
    std::string airdrop_hash;
    std::uint64_t airdrop_units = 0;
};

struct FileFlags {
    std::size_t in_flight = 64;
    std::size_t workers = 6;
    std::uint64_t max_bytes = 16ULL << 30;
};

struct Invocation {
    Common common;
    GenesisFlags genesis;
    FileFlags file;
    std::vector<std::string> arguments;
};

enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kNotFound = 3, kInterrupted = 130 };

/// Why a verb did not do what it was asked to.
struct Trouble {
    int exit_code = kFailed;
    std::string what;
    std::string advice;
};
using Outcome = std::optional<Trouble>;  ///< empty: done

/// Whether the common flags make sense.
Outcome check(const Common& common);

Outcome create(const Invocation& run, Console& console);
Outcome genesis(const Invocation& run, Console& console);
Outcome set(const Invocation& run, Console& console);
Outcome resolve(const Invocation& run, Console& console);
Outcome set_file(const Invocation& run, Console& console);
Outcome resolve_file(const Invocation& run, Console& console);
Outcome transfer(const Invocation& run, Console& console);
Outcome activity(const Invocation& run, Console& console);
Outcome network(const Invocation& run, Console& console);
Outcome balance(const Invocation& run, Console& console);
Outcome completion(const Invocation& run, Console& console);

/// From now on SIGINT and SIGTERM let the running verb end in order; a second one ends it at once.
void catch_signals();

}  // namespace blobvm::cli
