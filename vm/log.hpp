#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

/// What the process tells its operator: one line for each event, on stderr, which the node copies
/// into the chain's log. A line is at most kMaxLineBytes long and holds no control character. No
/// call waits for the reader: when it stalls, lines are dropped and counted. Safe from any thread.
namespace blobvm::vm::log {

enum class Level { kTrace, kDebug, kInfo, kWarn, kError, kOff };

inline constexpr std::size_t kMaxLineBytes = 2048;    ///< less than PIPE_BUF: written whole
inline constexpr std::uint64_t kLinesPerSecond = 10;  ///< of one event

/// Lines below `level` are not written. At first: info.
void set_level(Level level);

/// "trace", "debug", "info", "warn", "error", "off"; anything else leaves the level and is false.
bool set_level(std::string_view name);

/// Whether a line of this level is written: ask before formatting a costly detail.
bool enabled(Level level);

/// Writes "<time> <level> <event>: <detail>". `event` is a fixed text: each has its own rate
/// limit, and the next line of it tells how many were dropped.
void write(Level level, std::string_view event, std::string_view detail = {});

inline void debug(std::string_view event, std::string_view detail = {}) {
    write(Level::kDebug, event, detail);
}
inline void info(std::string_view event, std::string_view detail = {}) {
    write(Level::kInfo, event, detail);
}
inline void warn(std::string_view event, std::string_view detail = {}) {
    write(Level::kWarn, event, detail);
}
inline void error(std::string_view event, std::string_view detail = {}) {
    write(Level::kError, event, detail);
}

/// Lines dropped since the last call, by rate limit or because the reader stalls.
std::uint64_t take_dropped();

/// Waits until what was written has left the process, a second at most. For the end of main.
void flush();

// --- the parts, for tests ---

/// Lets `lines_per_second` lines of each event through in each second. Not thread-safe.
class RateLimit {
  public:
    static constexpr std::size_t kMaxEvents = 256;  ///< remembered; more share one limit

    explicit RateLimit(std::uint64_t lines_per_second) : lines_per_second_{lines_per_second} {}

    struct Verdict {
        bool pass;
        std::uint64_t dropped_before;  ///< lines of this event since the last that passed
    };
    Verdict admit(std::string_view event, std::chrono::steady_clock::time_point now);

  private:
    struct Window {
        std::chrono::steady_clock::time_point start;
        std::uint64_t passed = 0;
        std::uint64_t dropped = 0;
    };
    const std::uint64_t lines_per_second_;
    std::map<std::string, Window, std::less<>> windows_;
};

/// "<event>: <detail>" on one line: control characters become '?', what is too long is cut.
std::string one_line(std::string_view event, std::string_view detail, std::uint64_t dropped_before);

/// Writes `line` to `descriptor` if it can take it within `patience`; false if it cannot, or has
/// no reader any more.
bool write_line(int descriptor, std::string_view line, std::chrono::milliseconds patience);

}  // namespace blobvm::vm::log
