#pragma once

#include <string>
#include <string_view>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

namespace blobvm {

/// The text form of every id: base58 (Bitcoin's alphabet) of the bytes and the last four bytes of
/// their SHA-256 (spec/blobvm.md 2). Costs grow with the square of the length: for ids only.
std::string to_cb58(ByteView bytes);

/// The inverse; kCb58Invalid with the original's text. `size` is the length the id must have.
Result<Bytes> from_cb58(std::string_view text, std::size_t size);

template <class Id>
Result<Id> id_from_cb58(std::string_view text) {
    BLOBVM_TRY(const Bytes bytes, from_cb58(text, Id::kSize));
    return Id::from(bytes);
}

}  // namespace blobvm
