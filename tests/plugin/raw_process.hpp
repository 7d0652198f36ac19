#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace blobvm::test {

/// The built plugin as any process: with exactly this environment, and its output in pipes.
/// Killed at the end.
class RawProcess {
  public:
    RawProcess(std::vector<std::string> arguments, std::vector<std::string> environment);
    ~RawProcess();
    RawProcess(const RawProcess&) = delete;
    RawProcess& operator=(const RawProcess&) = delete;

    pid_t pid() const { return pid_; }

    /// The exit code, or 1000 and the signal; empty if it has not ended after `limit`.
    std::optional<int> wait(std::chrono::milliseconds limit);

    /// All that it wrote; call when it has ended.
    std::string out() { return drain(out_); }
    std::string err() { return drain(err_); }

    void close_readers();

  private:
    static std::string drain(int fd);

    pid_t pid_ = -1;
    int out_ = -1;
    int err_ = -1;
    std::optional<int> ended_;
};

}  // namespace blobvm::test
