#pragma once

#include <pthread.h>

#include <condition_variable>
#include <mutex>

#include "chain/base/check.hpp"

// Clang's thread-safety annotations, checked by -Wthread-safety; nothing under other compilers.
#if defined(__clang__)
#define BLOBVM_TS(x) __attribute__((x))
#else
#define BLOBVM_TS(x)
#endif

// gRPC's headers bring absl's macros of the same names and meaning.
#undef GUARDED_BY
#undef PT_GUARDED_BY
#undef ACQUIRED_BEFORE
#undef ACQUIRED_AFTER
#undef NO_THREAD_SAFETY_ANALYSIS

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
#define REQUIRES_SHARED(...) BLOBVM_TS(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) BLOBVM_TS(acquire_shared_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) BLOBVM_TS(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) BLOBVM_TS(release_generic_capability(__VA_ARGS__))
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

/// Many readers or one writer. A writer who waits goes before readers who come later, so that no
/// crowd of them keeps him out (std::shared_mutex lets it); hence a thread must not read twice at a
/// time.
class CAPABILITY("shared mutex") SharedMutex {
  public:
    SharedMutex() {
        pthread_rwlockattr_t kind;
        CHECK(::pthread_rwlockattr_init(&kind) == 0);
        CHECK(::pthread_rwlockattr_setkind_np(&kind,
                                              PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
        CHECK(::pthread_rwlock_init(&lock_, &kind) == 0);
        ::pthread_rwlockattr_destroy(&kind);
    }
    ~SharedMutex() { ::pthread_rwlock_destroy(&lock_); }
    SharedMutex(const SharedMutex&) = delete;
    SharedMutex& operator=(const SharedMutex&) = delete;

    void lock() ACQUIRE() { CHECK(::pthread_rwlock_wrlock(&lock_) == 0); }
    void unlock() RELEASE() { ::pthread_rwlock_unlock(&lock_); }
    void lock_shared() ACQUIRE_SHARED() { CHECK(::pthread_rwlock_rdlock(&lock_) == 0); }
    void unlock_shared() RELEASE_SHARED() { ::pthread_rwlock_unlock(&lock_); }

  private:
    pthread_rwlock_t lock_;
};

class SCOPED_CAPABILITY WriterLock {
  public:
    explicit WriterLock(SharedMutex& mutex) ACQUIRE(mutex) : mutex_{mutex} { mutex_.lock(); }
    ~WriterLock() RELEASE() { mutex_.unlock(); }
    WriterLock(const WriterLock&) = delete;
    WriterLock& operator=(const WriterLock&) = delete;

  private:
    SharedMutex& mutex_;
};

class SCOPED_CAPABILITY ReaderLock {
  public:
    explicit ReaderLock(SharedMutex& mutex) ACQUIRE_SHARED(mutex) : mutex_{mutex} {
        mutex_.lock_shared();
    }
    ~ReaderLock() RELEASE_GENERIC() { mutex_.unlock_shared(); }
    ReaderLock(const ReaderLock&) = delete;
    ReaderLock& operator=(const ReaderLock&) = delete;

  private:
    SharedMutex& mutex_;
};

}  // namespace blobvm
