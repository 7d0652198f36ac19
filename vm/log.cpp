#include "vm/log.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <utility>

#include "chain/base/mutex.hpp"

namespace blobvm::vm::log {
namespace {

constexpr std::size_t kQueuedLines = 4096;
constexpr std::chrono::milliseconds kPatience{200};

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::kTrace:
            return spdlog::level::trace;
        case Level::kDebug:
            return spdlog::level::debug;
        case Level::kInfo:
            return spdlog::level::info;
        case Level::kWarn:
            return spdlog::level::warn;
        case Level::kError:
            return spdlog::level::err;
        case Level::kOff:
            return spdlog::level::off;
    }
    return spdlog::level::off;
}

/// Runs on the logger's own thread only.
class StderrSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  public:
    std::atomic<std::uint64_t> handled{0};
    std::atomic<std::uint64_t> unwritten{0};

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        if (!write_line(STDERR_FILENO, {line.data(), line.size()}, kPatience)) ++unwritten;
        ++handled;
    }
    void flush_() override {}
};

/// The queue, its thread and what counts for all lines. Made at first use and never taken down:
/// a thread that is stuck in a write must not keep the process from ending.
class Output {
  public:
    static Output& instance() {
        static Output& output = *new Output;
        return output;
    }

    void write(Level level, std::string_view event, std::string_view detail) {
        RateLimit::Verdict verdict{};
        {
            const Lock lock{mutex_};
            verdict = limit_.admit(event, std::chrono::steady_clock::now());
        }
        if (!verdict.pass) {
            ++limited_;
            return;
        }
        const std::string line = one_line(event, detail, verdict.dropped_before);
        ++queued_;
        logger_->log(to_spdlog(level), spdlog::string_view_t{line.data(), line.size()});
    }

    std::uint64_t dropped() const {
        return limited_.load() + sink_->unwritten.load() + queue_->overrun_counter();
    }

    void flush() {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{1};
        while (sink_->handled + queue_->overrun_counter() < queued_ &&
               std::chrono::steady_clock::now() < end) {
            ::poll(nullptr, 0, 1);
        }
    }

    std::atomic<Level> lowest{Level::kInfo};
    std::atomic<std::uint64_t> reported_dropped{0};

  private:
    Output() {
        auto formatter = std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
        sink_->set_formatter(std::move(formatter));
        logger_->set_level(spdlog::level::trace);  // `lowest` decides
    }

    Mutex mutex_;
    RateLimit limit_ GUARDED_BY(mutex_){kLinesPerSecond};
    std::atomic<std::uint64_t> queued_{0};
    std::atomic<std::uint64_t> limited_{0};
    std::shared_ptr<StderrSink> sink_ = std::make_shared<StderrSink>();
    std::shared_ptr<spdlog::details::thread_pool> queue_ =
        std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1);
    std::shared_ptr<spdlog::async_logger> logger_ = std::make_shared<spdlog::async_logger>(
        "", sink_, queue_, spdlog::async_overflow_policy::overrun_oldest);
};

}  // namespace

void set_level(Level level) { Output::instance().lowest.store(level); }

bool set_level(std::string_view name) {
    static constexpr std::array<std::pair<std::string_view, Level>, 6> kNames{
        {{"trace", Level::kTrace},
         {"debug", Level::kDebug},
         {"info", Level::kInfo},
         {"warn", Level::kWarn},
         {"error", Level::kError},
         {"off", Level::kOff}}};
    for (const auto& [known, level] : kNames) {
        if (name == known) {
            set_level(level);
            return true;
        }
    }
    return false;
}

bool enabled(Level level) { return level != Level::kOff && level >= Output::instance().lowest; }

void write(Level level, std::string_view event, std::string_view detail) {
    if (enabled(level)) Output::instance().write(level, event, detail);
}

std::uint64_t take_dropped() {
    Output& output = Output::instance();
    const std::uint64_t dropped = output.dropped();
    const std::uint64_t reported = output.reported_dropped.exchange(dropped);
    return dropped > reported ? dropped - reported : 0;
}

void flush() { Output::instance().flush(); }

RateLimit::Verdict RateLimit::admit(std::string_view event,
                                    std::chrono::steady_clock::time_point now) {
    auto found = windows_.find(event);
    if (found == windows_.end()) {
        const std::string_view known = windows_.size() < kMaxEvents ? event : std::string_view{};
        found = windows_.try_emplace(std::string{known}, Window{.start = now}).first;
    }
    Window& window = found->second;
    if (now - window.start >= std::chrono::seconds{1}) {
        window.start = now;
        window.passed = 0;
    }
    if (window.passed >= lines_per_second_) {
        ++window.dropped;
        return {.pass = false, .dropped_before = 0};
    }
    ++window.passed;
    return {.pass = true, .dropped_before = std::exchange(window.dropped, 0)};
}

std::string one_line(std::string_view event, std::string_view detail,
                     std::uint64_t dropped_before) {
    constexpr std::size_t kRoom = kMaxLineBytes - 128;  // for time, level, count and cut mark
    std::string line{event};
    if (!detail.empty()) line.append(": ").append(detail.substr(0, kRoom));
    if (line.size() > kRoom) {
        line.resize(kRoom);
        line.append("...");
    }
    std::replace_if(
        line.begin(), line.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    if (dropped_before > 0)
        line.append(fmt::format(" ({} more like this dropped)", dropped_before));
    return line;
}

bool write_line(int descriptor, std::string_view line, std::chrono::milliseconds patience) {
    // A pipe that is ready takes PIPE_BUF bytes without blocking, and a line is shorter: so the
    // descriptor, which may be somebody's terminal, need not be made non-blocking.
    const auto end = std::chrono::steady_clock::now() + patience;
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        pollfd wanted{.fd = descriptor, .events = POLLOUT, .revents = 0};
        const int ready =
            ::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0 || (wanted.revents & POLLOUT) == 0) return false;
        const ssize_t written = ::write(descriptor, line.data(), line.size());
        if (written >= 0) return static_cast<std::size_t>(written) == line.size();
        if (errno != EINTR && errno != EAGAIN) return false;
    }
}

}  // namespace blobvm::vm::log
