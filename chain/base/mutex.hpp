#pragma once

#include <condition_variable>
#include <mutex>

// Clang's thread-safety annotations, checked by -Wthread-safety; nothing under other compilers.
#if defined(__clang__)
#define BLOBVM_TS(x) __attribute__((x))
#else
#define BLOBVM_TS(x)
#endif

#define CAPABILITY(x) BLOBVM_TS(capability(x))
#define SCOPED_CAPABILITY BLOBVM_TS(scoped_lockable)
#define GUARDED_BY(x) BLOBVM_TS(guarded_by(x))
#define PT_GUARDED_BY(x) BLOBVM_TS(pt_guarded_by(x))
#define ACQUIRED_BEFORE(...) BLOBVM_TS(acquired_before(__VA_ARGS__))
#define ACQUIRED_AFTER(...) BLOBVM_TS(acquired_after(__VA_ARGS__))
#define REQUIRES(...) BLOBVM_TS(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) BLOBVM_TS(acquire_capability(__VA_ARGS__))
#define RELEASE(...) BLOBVM_TS(release_capability(__VA_ARGS__))
#define EXCLUDES(...) BLOBVM_TS(locks_excluded(__VA_ARGS__))
#define RETURN_CAPABILITY(x) BLOBVM_TS(lock_returned(x))
#define NO_THREAD_SAFETY_ANALYSIS BLOBVM_TS(no_thread_safety_analysis)

namespace blobvm {

/// std::mutex that clang can reason about.
class CAPABILITY("mutex") Mutex {
  public:
    void lock() ACQUIRE() { mutex_.lock(); }
    void unlock() RELEASE() { mutex_.unlock(); }

  private:
    std::mutex mutex_;
};

/// Holds a Mutex for a scope. A std::condition_variable_any can wait on it.
class SCOPED_CAPABILITY Lock {
  public:
    explicit Lock(Mutex& mutex) ACQUIRE(mutex) : mutex_{mutex} { mutex_.lock(); }
    ~Lock() RELEASE() { mutex_.unlock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    // For std::condition_variable_any alone, which leaves the lock as it found it.
    void lock() NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void unlock() NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

  private:
    Mutex& mutex_;
};

}  // namespace blobvm
