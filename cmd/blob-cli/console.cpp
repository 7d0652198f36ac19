#include "cmd/blob-cli/console.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "proto/jsonrpc/json.hpp"

namespace blobvm::cli {

namespace {

constexpr std::size_t kBarWidth = 24;
constexpr std::chrono::milliseconds kRedraw{100};

bool wants_colour(int descriptor) {
    const char* terminal = std::getenv("TERM");
    return ::isatty(descriptor) == 1 && std::getenv("NO_COLOR") == nullptr &&
           (terminal == nullptr || std::string_view{terminal} != "dumb");
}

void print_error(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);  // nowhere to tell if that fails
}

std::string duration(double seconds) {
    const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
    return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

/// Length of the UTF-8 sequence at the start of `text`, and its code point; 0 if it is none.
std::size_t decode_utf8(std::string_view text, std::uint32_t& point) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char head = byte(0);
    std::size_t length = 0;
    std::uint32_t smallest = 0;
    if (head < 0x80) {
        point = head;
        return 1;
    }
    if (head >= 0xc2 && head < 0xe0) {
        length = 2, smallest = 0x80, point = head & 0x1fU;
    } else if (head >= 0xe0 && head < 0xf0) {
        length = 3, smallest = 0x800, point = head & 0x0fU;
    } else if (head >= 0xf0 && head < 0xf5) {
        length = 4, smallest = 0x10000, point = head & 0x07U;
    } else {
        return 0;
    }
    if (text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
        point = point << 6 | (byte(i) & 0x3fU);
    }
    const bool surrogate = point >= 0xd800 && point < 0xe000;
    return point < smallest || point > 0x10ffff || surrogate ? 0 : length;
}

/// Control, format and private characters, as far as the common ones go.
bool is_printable(std::uint32_t point) {
    if (point < 0x20 || (point >= 0x7f && point <= 0xa0) || point == 0xad) return false;
    if (point >= 0x2000 && point <= 0x200f) return false;
    if (point >= 0x2028 && point <= 0x202f) return false;
    if (point >= 0x205f && point <= 0x206f) return false;
    if (point >= 0xe000 && point <= 0xf8ff) return false;
    return point != 0x3000 && point != 0xfeff && (point & 0xfffe) != 0xfffe && point < 0xe0000;
}

}  // namespace

void JsonObject::begin(std::string_view name) {
    if (text_.size() > 1) text_ += ',';
    json::append_quoted(text_, name);
    text_ += ':';
}

JsonObject& JsonObject::add(std::string_view name, std::string_view text) {
    begin(name);
    json::append_quoted(text_, text);
    return *this;
}

JsonObject& JsonObject::add(std::string_view name, std::uint64_t number) {
    begin(name);
    json::append_number(text_, number);
    return *this;
}

JsonObject& JsonObject::add(std::string_view name, bool value) {
    return add_raw(name, value ? "true" : "false");
}

JsonObject& JsonObject::add_seconds(std::string_view name, double seconds) {
    return add_raw(name, fmt::format("{:.3f}", seconds));
}

JsonObject& JsonObject::add_raw(std::string_view name, std::string_view json) {
    begin(name);
    text_ += json;
    return *this;
}

Console::Console(bool json)
    : json_{json},
      colour_out_{wants_colour(STDOUT_FILENO)},
      colour_err_{wants_colour(STDERR_FILENO)},
      watched_{::isatty(STDERR_FILENO) == 1} {}

Console::~Console() { clear_bar(); }

void Console::clear_bar() {
    if (!bar_shown_) return;
    print_error("\r\033[K");
    std::fflush(stderr);
    bar_shown_ = false;
}

void Console::line(std::string_view text) {
    if (json_) return;
    clear_bar();
    out(colour_out_ ? fmt::format("\033[32m{}\033[0m\n", text) : fmt::format("{}\n", text));
    if (colour_out_) std::fflush(stdout);
}

void Console::text(std::string_view text) {
    if (!json_) out(text);
}

void Console::object(const JsonObject& object) {
    if (json_) out(object.text() + '\n');
}

void Console::error(std::string_view what, std::string_view advice, int exit_code) {
    clear_bar();
    std::fflush(stdout);
    print_error(colour_err_ ? fmt::format("\033[31mError:\033[0m {}\n", what)
                            : fmt::format("Error: {}\n", what));
    if (!advice.empty()) print_error(fmt::format("{}\n", advice));
    object(JsonObject{}.add("error", what).add("exitCode", static_cast<std::uint64_t>(exit_code)));
}

void Console::warning(std::string_view what) {
    clear_bar();
    print_error(fmt::format("Warning: {}\n", what));
}

void Console::progress(std::uint64_t done, std::optional<std::uint64_t> total) {
    if (!watched_) return;
    const auto now = Clock::now();
    if (drawn_ && now - *drawn_ < kRedraw) return;
    drawn_ = now;
    bar_shown_ = true;

    const double seconds = std::chrono::duration<double>(now - started_).count();
    const double bytes = static_cast<double>(done);
    const double rate = seconds > 0 ? bytes / seconds : 0;
    std::string text = "\r\033[K";
    if (total && *total > 0) {
        const double share = std::min(1.0, bytes / static_cast<double>(*total));
        const auto filled = static_cast<std::size_t>(share * kBarWidth);
        text += fmt::format("[{}{}] {:3.0f}% {:.1f}/{:.1f} MB", std::string(filled, '='),
                            std::string(kBarWidth - filled, ' '), share * 100, bytes / 1e6,
                            static_cast<double>(*total) / 1e6);
    } else {
        text += fmt::format("{:.1f} MB", bytes / 1e6);
    }
    text += fmt::format("  {:.1f} MB/s", rate / 1e6);
    if (total && rate > 0 && *total > done) {
        text += "  ETA " + duration(static_cast<double>(*total - done) / rate);
    }
    print_error(text);
    std::fflush(stderr);
}

void Console::note(std::string_view text) {
    if (!watched_) return;
    clear_bar();
    print_error(fmt::format("{}\n", text));
}

void Console::out(std::string_view text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (!written && errno != EPIPE) failed_ = true;
}

bool Console::flush() {
    if (std::fflush(stdout) != 0 && errno != EPIPE) failed_ = true;
    return !failed_;
}

std::string go_quote(std::string_view value) {
    constexpr std::string_view kNames = "\a\b\f\n\r\t\v\"\\";
    constexpr std::string_view kLetters = "abfnrtv\"\\";
    std::string quoted = "\"";
    while (!value.empty()) {
        std::uint32_t point = 0;
        const std::size_t length = decode_utf8(value, point);
        if (length == 0) {
            quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(value.front()));
            value.remove_prefix(1);
            continue;
        }
        if (const std::size_t name = kNames.find(value.front()); name != std::string_view::npos) {
            quoted += '\\';
            quoted += kLetters[name];
        } else if (is_printable(point)) {
            quoted += value.substr(0, length);
        } else if (point < 0x80) {
            quoted += fmt::format("\\x{:02x}", point);
        } else if (point < 0x10000) {
            quoted += fmt::format("\\u{:04x}", point);
        } else {
            quoted += fmt::format("\\U{:08x}", point);
        }
        value.remove_prefix(length);
    }
    return quoted + '"';
}

}  // namespace blobvm::cli
