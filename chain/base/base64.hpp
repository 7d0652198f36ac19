#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

namespace blobvm {

/// Standard alphabet, with padding. Appends to `out`, so that a large answer is built in one
/// buffer.
void append_base64(std::string& out, ByteView bytes);

std::string to_base64(ByteView bytes);

/// Characters that `size` bytes take.
constexpr std::size_t base64_size(std::size_t size) { return (size + 2) / 3 * 4; }

/// Standard alphabet, padding required. As Go's decoder does, CR and LF inside are skipped
/// (spec/blobvm.md 7.3) and the unused bits of the last character may have any value. Anything
/// else is kBase64Invalid, with Go's text.
Result<Bytes> from_base64(std::string_view text);

}  // namespace blobvm
