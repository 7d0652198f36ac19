#include "chain/base/base64.hpp"

#include <fmt/format.h>

#include "chain/base/detail/base64.hpp"

namespace blobvm {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kForeign = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kForeign);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr auto kValues = make_values();

unsigned value_of(char c) { return kValues[static_cast<unsigned char>(c)]; }
bool is_newline(char c) { return c == '\n' || c == '\r'; }

bool has_avx2() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

Failure corrupt_at(std::size_t offset) {
    return fail(ErrorCode::kBase64Invalid,
                fmt::format("illegal base64 data at input byte {}", offset));
}

void append_quantum(Bytes& out, const std::array<unsigned, 4>& sextets, std::size_t count) {
    const unsigned bits = sextets[0] << 18 | sextets[1] << 12 | sextets[2] << 6 | sextets[3];
    for (std::size_t i = 0; i + 1 < count; ++i) {
        out.push_back(static_cast<std::byte>(bits >> (16 - 8 * i) & 0xff));
    }
}

/// Whole quanta of four plain characters from the start of `text`, three bytes each, up to the
/// first that holds anything else. Returns how many characters were taken.
std::size_t decode_plain(std::string_view text, Bytes& out) {
    out.resize(text.size() / 4 * 3);
    std::size_t taken =
        has_avx2() ? detail::decode_base64_avx2(text.data(), text.size(), out.data()) : 0;
    std::byte* to = out.data() + taken / 4 * 3;
    for (; taken + 4 <= text.size(); taken += 4) {
        const unsigned a = value_of(text[taken]);
        const unsigned b = value_of(text[taken + 1]);
        const unsigned c = value_of(text[taken + 2]);
        const unsigned d = value_of(text[taken + 3]);
        if ((a | b | c | d) == kForeign) break;
        const unsigned bits = a << 18 | b << 12 | c << 6 | d;
        *to++ = static_cast<std::byte>(bits >> 16);
        *to++ = static_cast<std::byte>(bits >> 8 & 0xff);
        *to++ = static_cast<std::byte>(bits & 0xff);
    }
    out.resize(taken / 4 * 3);
    return taken;
}

}  // namespace

void append_base64(std::string& out, ByteView bytes) {
    const std::size_t start = out.size();
    out.resize(start + base64_size(bytes.size()));
    const std::size_t taken =
        has_avx2() ? detail::encode_base64_avx2(bytes.data(), bytes.size(), out.data() + start) : 0;

    char* to = out.data() + start + taken / 3 * 4;
    const auto* from = reinterpret_cast<const unsigned char*>(bytes.data()) + taken;
    std::size_t left = bytes.size() - taken;
    for (; left >= 3; left -= 3, from += 3) {
        const unsigned bits = unsigned{from[0]} << 16 | unsigned{from[1]} << 8 | from[2];
        *to++ = kAlphabet[bits >> 18];
        *to++ = kAlphabet[bits >> 12 & 63];
        *to++ = kAlphabet[bits >> 6 & 63];
        *to++ = kAlphabet[bits & 63];
    }
    if (left == 0) return;
    const unsigned bits = unsigned{from[0]} << 16 | (left == 2 ? unsigned{from[1]} << 8 : 0);
    *to++ = kAlphabet[bits >> 18];
    *to++ = kAlphabet[bits >> 12 & 63];
    *to++ = left == 2 ? kAlphabet[bits >> 6 & 63] : '=';
    *to = '=';
}

std::string to_base64(ByteView bytes) {
    std::string text;
    append_base64(text, bytes);
    return text;
}

Result<Bytes> from_base64(std::string_view text) {
    Bytes bytes;
    std::size_t at = decode_plain(text, bytes);

    // What is left has padding, line ends or an error in it: one character at a time.
    std::array<unsigned, 4> sextets{};
    std::size_t count = 0;
    const auto skip_newlines = [&] {
        while (at < text.size() && is_newline(text[at])) ++at;
    };
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (const unsigned value = value_of(c); value != kForeign) {
            sextets[count++] = value;
            if (count == 4) {
                append_quantum(bytes, sextets, 4);
                count = 0;
            }
            continue;
        }
        if (is_newline(c)) continue;
        if (c != '=' || count < 2) return corrupt_at(at);

        ++at;
        if (count == 2) {
            skip_newlines();
            if (at == text.size()) return corrupt_at(at);
            if (text[at] != '=') return corrupt_at(at - 1);
            ++at;
        }
        skip_newlines();
        if (at < text.size()) return corrupt_at(at);
        for (std::size_t i = count; i < 4; ++i) sextets[i] = 0;
        append_quantum(bytes, sextets, count);
        return bytes;
    }
    if (count != 0) return corrupt_at(text.size() - count);
    return bytes;
}

}  // namespace blobvm
