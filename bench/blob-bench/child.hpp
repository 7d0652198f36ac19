#pragma once

#include <string>
#include <vector>

namespace blobvm::bench {

/// A program that this one starts, with its stdout in a pipe. Killed at the end if it still runs.
class Child {
  public:
    enum class Errors { kShown, kDropped };
    explicit Child(std::vector<std::string> command, Errors errors = Errors::kShown);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    int pid() const { return pid_; }
    /// The next line of its stdout; empty at the end.
    std::string line();
    /// The exit code, or -N where signal N ended it.
    int wait();
    void kill();

  private:
    int pid_ = -1;
    int out_ = -1;
    std::string buffered_;
};

/// The path of a program beside this one.
std::string program_beside(const std::string& name);
std::string own_path();

}  // namespace blobvm::bench
