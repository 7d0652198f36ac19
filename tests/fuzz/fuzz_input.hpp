#pragma once

#include <cstdint>

#include "chain/base/bytes.hpp"

/// What a fuzzer calls. Defined by each target, declared here for the warning's sake.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace blobvm::test {

inline ByteView fuzz_input(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const std::byte*>(data), size};
}

}  // namespace blobvm::test
