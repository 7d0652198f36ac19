#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "chain/base/mutex.hpp"

namespace blobvm::testing {

/// Times at which tests give up. Generous: on a busy machine only a broken product is that slow.
inline constexpr std::chrono::seconds kPatience{60};

/// A program that a test started. Its output is read all the time, so that it never blocks.
/// Safe from any thread. Destruction kills what still runs.
class Process {
  public:
    struct Options {
        std::vector<std::string> command = {};  ///< the program's path, then its arguments
        std::optional<std::vector<std::string>> environment = {};  ///< empty: this process's own
        std::string working_dir = {};                              ///< empty: this process's own
    };

    /// Fails the test and returns null if the program cannot be started.
    static std::unique_ptr<Process> start(Options options);
    static std::unique_ptr<Process> start(std::vector<std::string> command);
    ~Process();

    pid_t pid() const { return pid_; }
    void signal(int number) const EXCLUDES(mutex_);

    /// The exit code, or -N where signal N ended it; empty if it still runs after `limit`.
    std::optional<int> wait(std::chrono::milliseconds limit = kPatience) const EXCLUDES(mutex_);

    std::string out() const EXCLUDES(mutex_);  ///< stdout until now
    std::string err() const EXCLUDES(mutex_);

    /// Waits for a line of stdout that `wanted` likes; empty if the process ended without one.
    std::optional<std::string> wait_for_line(const std::function<bool(std::string_view)>& wanted,
                                             std::chrono::milliseconds limit = kPatience) const
        EXCLUDES(mutex_);

  private:
    Process() = default;
    void keep(int out, int err);

    pid_t pid_ = -1;
    mutable Mutex mutex_;
    mutable std::condition_variable_any changed_;
    std::string out_ GUARDED_BY(mutex_);
    std::string err_ GUARDED_BY(mutex_);
    std::optional<int> code_ GUARDED_BY(mutex_);
    std::jthread keeper_;  ///< reads both pipes, then waits for the process
};

struct Finished {
    int code = -1;  ///< as of Process::wait; -1000 if it did not end in time
    std::string out;
    std::string err;
};

/// Runs a program to its end.
Finished run(std::vector<std::string> command, std::chrono::milliseconds limit = kPatience);

/// Calls `done` every few milliseconds until it is true; false after `limit`.
bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds limit = kPatience);

/// True while a process with this pid is there (and not a zombie).
bool is_running(pid_t pid);

/// A new folder under the system's temporary one, removed at the end.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::string& path() const { return path_; }
    std::string file(std::string_view name) const { return path_ + "/" + std::string{name}; }

  private:
    std::string path_;
};

}  // namespace blobvm::testing
