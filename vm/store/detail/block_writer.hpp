#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/mutex.hpp"
#include "chain/base/result.hpp"
#include "vm/store/detail/block_log.hpp"

namespace blobvm::vm::store::detail {

/// Writes blocks to the log: on a thread of its own while their fate is open, so that accepting
/// one waits for little; else when they are accepted. Safe from any thread.
class BlockWriter {
  public:
    static constexpr std::size_t kMostStaged = 16;  ///< blocks

    explicit BlockWriter(std::shared_ptr<BlockLog> log);
    ~BlockWriter() { stop(); }

    /// Begins to put a block on disk that may be accepted at `height`; returns at once. Ignored
    /// while kMostStaged wait for their fate, and for a block that does.
    void stage(const SharedBytes& bytes, std::uint64_t height) EXCLUDES(mutex_);

    /// Where the block that is accepted at `height` lies: where it was staged, if it was (these
    /// very bytes, not equal ones), else it is appended now. All others up to that height have
    /// lost, and give their room back. kStoreFailed.
    Result<Place> write(const SharedBytes& bytes, std::uint64_t height) EXCLUDES(log_mutex_);

    /// Lets the operating system begin to write what was appended, so that sync() waits less.
    void begin_sync() EXCLUDES(log_mutex_);

    /// Everything that write() has placed is on disk afterwards. kStoreFailed, and from then on for
    /// ever.
    Result<void> sync() EXCLUDES(log_mutex_);

    /// Stages nothing more, and waits for what is under way. Idempotent.
    void stop() EXCLUDES(mutex_);

  private:
    struct Staged {
        SharedBytes bytes;
        std::uint64_t height;
        std::optional<Place> place;  ///< once it is written
    };
    using List = std::vector<Staged>;

    List::iterator find(const SharedBytes& bytes) REQUIRES(mutex_);
    void work(const std::stop_token& stop) EXCLUDES(mutex_, log_mutex_);
    bool wait_for_work(const std::stop_token& stop) EXCLUDES(mutex_);
    bool write_one() EXCLUDES(mutex_) REQUIRES(log_mutex_);

    const std::shared_ptr<BlockLog> log_;      ///< written by who holds log_mutex_
    Mutex log_mutex_ ACQUIRED_BEFORE(mutex_);  ///< held while the disk is waited for

    Mutex mutex_;
    std::condition_variable_any woken_;
    List staged_ GUARDED_BY(mutex_);  ///< oldest first; who takes one out holds log_mutex_, too
    std::jthread thread_;             // last: stops and joins before what it uses goes
};

}  // namespace blobvm::vm::store::detail
