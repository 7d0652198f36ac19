#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace blobvm::cli {

/// One JSON object, member by member.
class JsonObject {
  public:
    JsonObject& add(std::string_view name, std::string_view text);
    JsonObject& add(std::string_view name, const std::string& text) {
        return add(name, std::string_view{text});
    }
    JsonObject& add(std::string_view name, const char* text) {
        return add(name, std::string_view{text});
    }
    JsonObject& add(std::string_view name, std::uint64_t number);
    JsonObject& add(std::string_view name, bool value);
    JsonObject& add_seconds(std::string_view name, double seconds);
    JsonObject& add_raw(std::string_view name, std::string_view json);

    std::string text() const { return text_ + '}'; }

  private:
    void begin(std::string_view name);
    std::string text_ = "{";
};

/// Where results go: lines of text, or one JSON object. Colours and the progress bar are for
/// terminals alone (and for those who have not set NO_COLOR).
class Console {
  public:
    explicit Console(bool json);
    ~Console();
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    bool json() const { return json_; }

    /// A line of the plain form; nothing with --json.
    void line(std::string_view text);

    /// Text of the plain form as it stands, never in colour.
    void text(std::string_view text);

    /// The object of the JSON form; nothing without --json.
    void object(const JsonObject& object);

    /// What went wrong, and what to do about it, if that is known.
    void error(std::string_view what, std::string_view advice, int exit_code);

    void warning(std::string_view what);

    /// Shows how far a long task is, at most ten times a second, on a terminal.
    void progress(std::uint64_t done, std::optional<std::uint64_t> total);

    /// A line about a finished task, where somebody watches.
    void note(std::string_view text);

    /// False if the output could not be written (full disk). A reader that has seen enough, such
    /// as head, is no failure.
    bool flush();

  private:
    void out(std::string_view text);
    void clear_bar();

    using Clock = std::chrono::steady_clock;
    const bool json_;
    const bool colour_out_;
    const bool colour_err_;
    const bool watched_;
    bool failed_ = false;  ///< something of the output is lost
    bool bar_shown_ = false;
    const Clock::time_point started_ = Clock::now();
    std::optional<Clock::time_point> drawn_;
};

/// `value` in quotes as Go's %q: what is not printable is escaped.
std::string go_quote(std::string_view value);

}  // namespace blobvm::cli
