// What the sanitizers are told in every program of ours, whatever its environment: a node gives a
// plugin nearly none. (A variable such as TSAN_OPTIONS still overrides it.)

extern "C" {

// Debian's libraries are not built with the thread sanitizer; it sees their memory only where they
// call what it intercepts, and none of what orders those calls.
const char* __tsan_default_options() {
    return "ignore_noninstrumented_modules=1:halt_on_error=1:second_deadlock_stack=1";
}

// gRPC calls the end of a callback call when an atomic counter in the library says so.
const char* __tsan_default_suppressions() { return "race:ServerCallbackUnaryImpl::CallOnDone"; }

// Without detect_stack_use_after_return: gcc aligns its frames for that to 32 bytes, vectors
// want 64.
const char* __asan_default_options() { return "strict_init_order=1"; }
const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

}  // extern "C"

#if defined(__SANITIZE_THREAD__)

// gRPC hands work from one thread to another under Abseil's mutex and through completion queues,
// which lie in those libraries. Told of both here, in place of the libraries' functions, the
// sanitizer knows what happens before what, and reports races of our own only.

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <dlfcn.h>
#include <grpc/grpc.h>

#include <cstdio>
#include <cstdlib>

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}

namespace {

/// The library's own function.
template <class Function>
Function* library(const char* mangled) {
    void* const found = dlsym(RTLD_NEXT, mangled);
    if (found == nullptr) {
        std::fprintf(stderr, "sanitizers.cpp: this Abseil has no %s\n", mangled);
        std::abort();
    }
    return reinterpret_cast<Function*>(found);
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
    static const auto lock = library<void(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
    lock(this);
    __tsan_acquire(this);
}

bool Mutex::TryLock() {
    static const auto try_lock = library<bool(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
    const bool locked = try_lock(this);
    if (locked) __tsan_acquire(this);
    return locked;
}

void Mutex::Unlock() {
    static const auto unlock = library<void(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
    __tsan_release(this);
    unlock(this);
}

void ReleasableMutexLock::Release() {
    mu_->Unlock();
    mu_ = nullptr;
}

void CondVar::Wait(Mutex* mutex) {
    static const auto wait =
        library<void(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
    __tsan_release(mutex);
    wait(this, mutex);
    __tsan_acquire(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
    static const auto wait = library<bool(CondVar*, Mutex*, Duration)>(
        "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
    __tsan_release(mutex);
    const bool expired = wait(this, mutex, timeout);
    __tsan_acquire(mutex);
    return expired;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
    static const auto wait = library<bool(CondVar*, Mutex*, Time)>(
        "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
    __tsan_release(mutex);
    const bool expired = wait(this, mutex, deadline);
    __tsan_acquire(mutex);
    return expired;
}

ABSL_NAMESPACE_END
}  // namespace absl

// Who starts an operation comes before who is told of its end, by the same tag.
extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
    static const auto start =
        library<grpc_call_error(grpc_call*, const grpc_op*, size_t, void*, void*)>(
            "grpc_call_start_batch");
    __tsan_release(tag);
    return start(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
    static const auto next = library<grpc_event(grpc_completion_queue*, gpr_timespec, void*)>(
        "grpc_completion_queue_next");
    const grpc_event event = next(queue, deadline, reserved);
    if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
    return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
    static const auto pluck =
        library<grpc_event(grpc_completion_queue*, void*, gpr_timespec, void*)>(
            "grpc_completion_queue_pluck");
    const grpc_event event = pluck(queue, tag, deadline, reserved);
    if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(tag);
    return event;
}

}  // extern "C"

#endif
