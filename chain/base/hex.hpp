#pragma once

#include <string>
#include <string_view>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

namespace blobvm {

/// Lower case digits, two for each byte, no prefix.
std::string to_hex(ByteView bytes);

/// `0x` and lower case digits.
std::string to_hex_0x(ByteView bytes);

/// Digits of any case, no prefix; an odd count or a foreign character is kHexInvalid.
Result<Bytes> from_hex(std::string_view digits);

/// EIP-55 mixed case with `0x`.
std::string to_checksummed(const Address& address);

/// What a person typed: `0x` and 40 digits. All lower or all upper case is taken as it is; mixed
/// case must be the right EIP-55 form (kAddressChecksum), so that a typo never moves money.
Result<Address> parse_address_strict(std::string_view text);

/// What a person typed: 64 digits with or without `0x`, any case. Anything else is kHexInvalid.
Result<BlobKey> parse_key_strict(std::string_view text);

}  // namespace blobvm
