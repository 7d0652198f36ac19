#include "chain/base/cb58.hpp"

#include <fmt/format.h>

#include "chain/base/hashing.hpp"

namespace blobvm {
namespace {

constexpr std::string_view kAlphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t kChecksumBytes = 4;

/// Beyond this a text is refused unread: decoding costs the square of the length, and no id of
/// ours has even a tenth of it.
constexpr std::size_t kMaxTextLength = 1024;

/// Five digits at a time: the largest power of 58 that leaves room to carry in 64 bits.
constexpr std::uint64_t kFiveDigits = 58ULL * 58 * 58 * 58 * 58;

constexpr std::array<std::int8_t, 128> make_digit_values() {
    std::array<std::int8_t, 128> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}
constexpr auto kDigitValues = make_digit_values();

Failure invalid(std::string text) { return fail(ErrorCode::kCb58Invalid, std::move(text)); }

std::size_t count_leading_zeros(ByteView bytes) {
    const auto first =
        std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; });
    return static_cast<std::size_t>(first - bytes.begin());
}

/// A character as Go's %q shows it.
std::string quoted(char c) {
    switch (c) {
        case '\a':
            return "'\\a'";
        case '\b':
            return "'\\b'";
        case '\f':
            return "'\\f'";
        case '\n':
            return "'\\n'";
        case '\r':
            return "'\\r'";
        case '\t':
            return "'\\t'";
        case '\v':
            return "'\\v'";
        case '\\':
            return "'\\\\'";
        case '\'':
            return "'\\''";
        default:
            break;
    }
    if (c < 0x20 || c == 0x7f) return fmt::format("'\\x{:02x}'", static_cast<unsigned>(c));
    return fmt::format("'{}'", c);
}

Result<void> check_digits(std::string_view text) {
    for (const char c : text) {
        const auto value = static_cast<unsigned char>(c);
        if (value > 127) return invalid("High-bit set on invalid digit");
        if (kDigitValues[value] < 0) {
            return invalid(fmt::format("Invalid base58 digit ({})", quoted(c)));
        }
    }
    return {};
}

/// The number that `text`, all of it digits, stands for, in 32-bit limbs, the lowest first.
std::vector<std::uint32_t> parse_number(std::string_view text) {
    std::vector<std::uint32_t> limbs;
    limbs.reserve(text.size() * 6 / 32 + 1);
    while (!text.empty()) {
        const std::size_t take = text.size() % 5 == 0 ? 5 : text.size() % 5;
        std::uint64_t carry = 0;
        std::uint64_t scale = 1;
        for (const char c : text.substr(0, take)) {
            carry = carry * 58 +
                    static_cast<std::uint64_t>(kDigitValues[static_cast<unsigned char>(c)]);
            scale *= 58;
        }
        for (std::uint32_t& limb : limbs) {
            carry += limb * scale;
            limb = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        if (carry != 0) limbs.push_back(static_cast<std::uint32_t>(carry));
        text.remove_prefix(take);
    }
    return limbs;
}

/// `zeros` zero bytes, then the number, big-endian and without leading zeros.
Bytes to_big_endian(std::size_t zeros, const std::vector<std::uint32_t>& limbs) {
    Bytes bytes(zeros);
    bytes.reserve(zeros + 4 * limbs.size());
    for (auto limb = limbs.rbegin(); limb != limbs.rend(); ++limb) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            const auto b = static_cast<std::byte>(*limb >> shift & 0xff);
            if (bytes.size() > zeros || b != std::byte{0}) bytes.push_back(b);
        }
    }
    return bytes;
}

std::string base58(ByteView bytes) {
    const std::size_t zeros = count_leading_zeros(bytes);
    ByteView rest = bytes.subspan(zeros);

    std::vector<std::uint32_t> limbs;  // base 58^5, the lowest first
    limbs.reserve(rest.size() * 8 / 29 + 1);
    while (!rest.empty()) {
        const std::size_t take = rest.size() % 4 == 0 ? 4 : rest.size() % 4;
        std::uint64_t carry = 0;
        for (const std::byte b : rest.first(take)) {
            carry = carry << 8 | std::to_integer<std::uint64_t>(b);
        }
        for (std::uint32_t& limb : limbs) {
            carry += std::uint64_t{limb} << (8 * take);
            limb = static_cast<std::uint32_t>(carry % kFiveDigits);
            carry /= kFiveDigits;
        }
        for (; carry != 0; carry /= kFiveDigits) {
            limbs.push_back(static_cast<std::uint32_t>(carry % kFiveDigits));
        }
        rest = rest.subspan(take);
    }

    std::string reversed;
    reversed.reserve(zeros + 5 * limbs.size());
    for (std::size_t i = 0; i < limbs.size(); ++i) {
        std::uint32_t limb = limbs[i];
        const bool last = i + 1 == limbs.size();
        for (int digit = 0; last ? limb != 0 : digit < 5; ++digit) {
            reversed.push_back(kAlphabet[limb % 58]);
            limb /= 58;
        }
    }
    reversed.append(zeros, kAlphabet[0]);
    return {reversed.rbegin(), reversed.rend()};
}

}  // namespace

std::string to_cb58(ByteView bytes) {
    const Hash256 hash = sha256(bytes);
    Bytes checked = to_bytes(bytes);
    checked.insert(checked.end(), hash.bytes.end() - kChecksumBytes, hash.bytes.end());
    return base58(checked);
}

Result<Bytes> from_cb58(std::string_view text, std::size_t size) {
    if (text.empty()) return invalid("zero length string");
    BLOBVM_TRY(check_digits(text));
    if (text.size() > kMaxTextLength) return invalid("invalid input checksum");

    const std::size_t zeros = std::min(text.find_first_not_of(kAlphabet[0]), text.size());
    Bytes bytes = to_big_endian(zeros, parse_number(text.substr(zeros)));
    if (bytes.size() < kChecksumBytes) {
        return invalid("input string is smaller than the checksum size");
    }

    const ByteView payload = ByteView{bytes}.first(bytes.size() - kChecksumBytes);
    const ByteView checksum = ByteView{bytes}.last(kChecksumBytes);
    if (!same_bytes(checksum, ByteView{sha256(payload).bytes}.last(kChecksumBytes))) {
        return invalid("invalid input checksum");
    }
    if (payload.size() != size) {
        return invalid(fmt::format("expected {} bytes but got {}", size, payload.size()));
    }
    bytes.resize(size);
    return bytes;
}

}  // namespace blobvm
