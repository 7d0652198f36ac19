#include "chain/detail/wire.hpp"

#include <fmt/format.h>

namespace blobvm::chain::detail {

Result<Reader> Reader::open(ByteView message) {
    if (message.size() > kMaxMessageBytes) return fail(ErrorCode::kCodecTooLong);
    if (message.size() < kVersionBytes) return fail(ErrorCode::kCodecNoVersion);
    if (message[0] != std::byte{0} || message[1] != std::byte{0}) {
        return fail(ErrorCode::kCodecUnknownVersion);
    }
    return Reader{message};
}

void Reader::fail_with(ErrorCode code, std::string_view what) {
    if (failed_) return;
    failed_ = true;
    error_ = Error{code, fmt::format("{}{}{}", outer_, inner_, what)};
}

ByteView Reader::take(std::size_t size, std::string_view what) {
    if (failed_) return {};
    if (size > left()) {
        fail_with(ErrorCode::kCodecMalformed,
                  fmt::format("{}packer has insufficient length for input", what));
        return {};
    }
    const ByteView view = message_.subspan(offset_, size);
    offset_ += size;
    return view;
}

std::uint64_t Reader::number(std::size_t size, std::string_view what) {
    std::uint64_t value = 0;
    for (const std::byte b : take(size, what)) value = value << 8 | std::to_integer<unsigned>(b);
    return value;
}

bool Reader::boolean() {
    const std::uint64_t value = number(1, "couldn't unmarshal bool: ");
    if (value > 1) {
        fail_with(ErrorCode::kCodecMalformed,
                  "couldn't unmarshal bool: unexpected value when unpacking bool");
    }
    return value == 1;
}

std::size_t Reader::count() {
    const std::uint64_t length = number(4, "couldn't unmarshal slice: ");
    if (length > kMaxSliceLength) {
        fail_with(ErrorCode::kCodecSliceTooLong,
                  fmt::format("maximum marshal slice limit exceeded; array length, {}, exceeds "
                              "maximum length, {}",
                              length, kMaxSliceLength));
        return 0;
    }
    return static_cast<std::size_t>(length);
}

std::string_view Reader::string() {
    constexpr std::string_view kWhat = "couldn't unmarshal string: ";
    const std::uint64_t length = number(2, kWhat);
    return as_chars(take(static_cast<std::size_t>(length), kWhat));
}

Result<void> Reader::finish() && {
    if (failed_) return fail(std::move(error_));
    if (left() > 0) return fail(ErrorCode::kCodecTrailingBytes);
    return {};
}

Result<void> check_slice(std::size_t length) {
    if (length <= kMaxSliceLength) return {};
    return fail(ErrorCode::kCodecSliceTooLong,
                fmt::format("maximum marshal slice limit exceeded; slice length, {}, exceeds "
                            "maximum length, {}",
                            length, kMaxSliceLength));
}

}  // namespace blobvm::chain::detail
