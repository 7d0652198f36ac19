#pragma once

namespace blobvm {

/// Reports a broken invariant of our own and aborts: a node that went on could fork.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace blobvm

/// Always on. For invariants of ours, never for input.
#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) ::blobvm::check_failed(#condition, __FILE__, __LINE__); \
    } while (false)
