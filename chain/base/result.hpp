#pragma once

#include <string>
#include <utility>
#include <variant>

#include "chain/base/error.hpp"

namespace blobvm {

/// A failure on its way into a Result of any type; made by fail().
struct Failure {
    Error error;
};

inline Failure fail(ErrorCode code, std::string detail = {}) {
    return {Error{code, std::move(detail)}};
}
inline Failure fail(Error error) { return {std::move(error)}; }

/// A value, or why there is none. The names are those of std::expected, so that C++23 can make
/// it an alias. Reading the half that is not there is a broken invariant and aborts.
template <class T>
class [[nodiscard]] Result {
  public:
    using value_type = T;

    Result(T value)
        : held_{std::in_place_index<0>, std::move(value)} {}  // NOLINT: implicit by design
    Result(Failure failure) : held_{std::in_place_index<1>, std::move(failure.error)} {}  // NOLINT

    bool has_value() const { return held_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T& value() & { return *check_value(); }
    const T& value() const& { return *const_cast<Result*>(this)->check_value(); }
    T&& value() && { return std::move(*check_value()); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const& { return *const_cast<Result*>(this)->check_error(); }
    Error&& error() && { return std::move(*check_error()); }

  private:
    T* check_value() {
        T* value = std::get_if<0>(&held_);
        if (value == nullptr) __builtin_trap();
        return value;
    }
    Error* check_error() {
        Error* error = std::get_if<1>(&held_);
        if (error == nullptr) __builtin_trap();
        return error;
    }

    std::variant<T, Error> held_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    using value_type = void;

    Result() = default;
    Result(Failure failure) : error_{std::move(failure.error)}, failed_{true} {}  // NOLINT

    bool has_value() const { return !failed_; }
    explicit operator bool() const { return has_value(); }
    void value() const {
        if (failed_) __builtin_trap();
    }
    const Error& error() const& {
        if (!failed_) __builtin_trap();
        return error_;
    }
    Error&& error() && {
        if (!failed_) __builtin_trap();
        return std::move(error_);
    }

  private:
    Error error_{};
    bool failed_ = false;
};

}  // namespace blobvm

#define BLOBVM_CONCAT_INNER(a, b) a##b
#define BLOBVM_CONCAT(a, b) BLOBVM_CONCAT_INNER(a, b)
#define BLOBVM_TRY_1(expression)                                             \
    do {                                                                     \
        if (auto blobvm_result = (expression); !blobvm_result.has_value()) { \
            return ::blobvm::fail(std::move(blobvm_result).error());         \
        }                                                                    \
    } while (false)
#define BLOBVM_TRY_2_INNER(target, expression, result)                         \
    auto result = (expression);                                                \
    if (!result.has_value()) return ::blobvm::fail(std::move(result).error()); \
    target = std::move(result).value()
#define BLOBVM_TRY_2(target, expression) \
    BLOBVM_TRY_2_INNER(target, expression, BLOBVM_CONCAT(blobvm_result_, __COUNTER__))
#define BLOBVM_TRY_PICK(a, b, chosen, ...) chosen

/// Hands a failure up, or goes on with the value:
///   BLOBVM_TRY(check(x));                      // Result<void>, or a value that is not needed
///   BLOBVM_TRY(const bool known, has(key));    // declares `known`
#define BLOBVM_TRY(...) \
    BLOBVM_TRY_PICK(__VA_ARGS__, BLOBVM_TRY_2, BLOBVM_TRY_1, unused)(__VA_ARGS__)
