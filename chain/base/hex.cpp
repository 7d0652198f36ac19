#include "chain/base/hex.hpp"

#include "chain/base/hashing.hpp"

namespace blobvm {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

constexpr std::array<std::uint16_t, 256> make_digit_pairs() {
    std::array<std::uint16_t, 256> pairs{};
    for (unsigned i = 0; i < 256; ++i) {
        const auto high = static_cast<unsigned char>(kDigits[i >> 4]);
        const auto low = static_cast<unsigned char>(kDigits[i & 15]);
        pairs[i] = static_cast<std::uint16_t>(high | low << 8);  // little endian, as it is stored
    }
    return pairs;
}
constexpr auto kDigitPairs = make_digit_pairs();

constexpr std::array<std::uint8_t, 256> make_digit_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(0xff);
    for (unsigned i = 0; i < 10; ++i) values['0' + i] = static_cast<std::uint8_t>(i);
    for (unsigned i = 0; i < 6; ++i) {
        values['a' + i] = static_cast<std::uint8_t>(10 + i);
        values['A' + i] = static_cast<std::uint8_t>(10 + i);
    }
    return values;
}
constexpr auto kDigitValues = make_digit_values();

void write_hex(char* out, ByteView bytes) {
    for (const std::byte b : bytes) {
        std::memcpy(out, &kDigitPairs[std::to_integer<std::size_t>(b)], 2);
        out += 2;
    }
}

/// False if a character is no digit. `digits` has twice the size of `out`.
bool read_hex(std::span<std::byte> out, std::string_view digits) {
    unsigned seen = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const unsigned high = kDigitValues[static_cast<unsigned char>(digits[2 * i])];
        const unsigned low = kDigitValues[static_cast<unsigned char>(digits[2 * i + 1])];
        seen |= high | low;  // a foreign character sets the bits above a digit's
        out[i] = static_cast<std::byte>((high << 4 | low) & 0xff);
    }
    return seen < 16;
}

bool is_upper(char c) { return c >= 'A' && c <= 'F'; }
bool is_lower(char c) { return c >= 'a' && c <= 'f'; }

}  // namespace

std::string to_hex(ByteView bytes) {
    std::string text(2 * bytes.size(), '\0');
    write_hex(text.data(), bytes);
    return text;
}

std::string to_hex_0x(ByteView bytes) {
    std::string text(2 + 2 * bytes.size(), '\0');
    text[0] = '0';
    text[1] = 'x';
    write_hex(text.data() + 2, bytes);
    return text;
}

Result<Bytes> from_hex(std::string_view digits) {
    if (digits.size() % 2 != 0) return fail(ErrorCode::kHexInvalid, "hex string of odd length");
    Bytes bytes(digits.size() / 2);
    if (!read_hex(bytes, digits)) return fail(ErrorCode::kHexInvalid, "invalid hex string");
    return bytes;
}

std::string to_checksummed(const Address& address) {
    std::string text = to_hex_0x(address.view());
    const Hash256 hash = keccak256(as_bytes(std::string_view{text}.substr(2)));
    for (std::size_t i = 0; i < 2 * Address::kSize; ++i) {
        const unsigned pair = std::to_integer<unsigned>(hash.bytes[i / 2]);
        const unsigned nibble = i % 2 == 0 ? pair >> 4 : pair & 15;
        char& c = text[2 + i];
        if (nibble >= 8 && is_lower(c)) c = static_cast<char>(c - 'a' + 'A');
    }
    return text;
}

Result<Address> parse_address_strict(std::string_view text) {
    if (!text.starts_with("0x") && !text.starts_with("0X")) {
        return fail(ErrorCode::kHexInvalid, "address without 0x prefix");
    }
    const std::string_view digits = text.substr(2);
    if (digits.size() != 2 * Address::kSize) {
        return fail(ErrorCode::kHexInvalid, "address must have 40 hex digits");
    }
    Address address;
    if (!read_hex(address.bytes, digits)) {
        return fail(ErrorCode::kHexInvalid, "address with a character that is no hex digit");
    }
    const bool mixed_case = std::any_of(digits.begin(), digits.end(), is_upper) &&
                            std::any_of(digits.begin(), digits.end(), is_lower);
    if (mixed_case && std::string_view{to_checksummed(address)}.substr(2) != digits) {
        return fail(ErrorCode::kAddressChecksum);
    }
    return address;
}

Result<BlobKey> parse_key_strict(std::string_view text) {
    const bool prefixed = text.starts_with("0x") || text.starts_with("0X");
    const std::string_view digits = prefixed ? text.substr(2) : text;
    BlobKey key;
    if (digits.size() != 2 * BlobKey::kSize || !read_hex(key.bytes, digits)) {
        return fail(ErrorCode::kHexInvalid, "key must be 64 hex digits");
    }
    return key;
}

}  // namespace blobvm
