#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"
#include "chain/transaction.hpp"

/// The binary codec's pieces (spec/blobvm.md 1.1): big-endian numbers, raw arrays, counted slices.
namespace blobvm::chain::detail {

// The original's decoder says where it failed by one such wrapper for each level.
#define BLOBVM_IN_STRUCT "couldn't unmarshal struct: "
#define BLOBVM_IN_POINTER "couldn't unmarshal pointer: "
#define BLOBVM_IN_ELEMENT "couldn't unmarshal slice element: "
#define BLOBVM_IN_INTERFACE "couldn't unmarshal interface: "

/// Reads one message from its start. The first failure sticks: from then on every read gives
/// zeros, so that a caller reads a whole layout and asks once.
class Reader {
  public:
    /// Starts behind the version prefix of `message`, after checking it and the whole length.
    /// Whatever the returned reader reads points into `message`.
    static Result<Reader> open(ByteView message);

    std::uint64_t u64() { return number(8, "couldn't unmarshal uint64: "); }
    std::int64_t i64() {
        return static_cast<std::int64_t>(number(8, "couldn't unmarshal int64: "));
    }
    bool boolean();

    /// The number before an interface's value; its failure needs no name of its own.
    std::uint32_t type_id() { return static_cast<std::uint32_t>(number(4, "")); }

    /// How many elements follow, at most kMaxSliceLength. It may promise more than there is.
    std::size_t count();

    template <class Id>
    Id fixed() {
        const ByteView view = take(Id::kSize);
        return failed() ? Id{} : Id::from(view);
    }

    /// A counted byte slice.
    ByteView byte_slice() { return take(count()); }

    /// A counted string of at most 65535 bytes.
    std::string_view string();

    /// What comes next is inside of this, as the original's decoder names it: an outer level that
    /// the message fixes (one struct, if nothing else is said), and an inner one, at first none.
    /// Both must outlive the reader: literals.
    void enter_message(std::string_view outer) { outer_ = outer; }
    void enter(std::string_view inner) { inner_ = inner; }

    /// Records a failure of the caller's own finding.
    void fail_with(ErrorCode code, std::string_view what);

    bool failed() const { return failed_; }
    std::size_t offset() const { return offset_; }
    std::size_t left() const { return message_.size() - offset_; }

    /// The failure, if there was one; then what is left over, which must be nothing.
    Result<void> finish() &&;

  private:
    explicit Reader(ByteView message) : message_{message} {}

    ByteView take(std::size_t size, std::string_view what = "");
    std::uint64_t number(std::size_t size, std::string_view what);

    ByteView message_;
    std::size_t offset_ = kVersionBytes;
    std::string_view outer_ = BLOBVM_IN_STRUCT;
    std::string_view inner_;
    bool failed_ = false;
    Error error_{};
};

/// Builds one message, version prefix included.
class Writer {
  public:
    explicit Writer(std::size_t expected_size) {
        bytes_.reserve(expected_size);
        bytes_.resize(kVersionBytes);
    }

    void u16(std::uint16_t value) { number(value, 2); }
    void u32(std::uint32_t value) { number(value, 4); }
    void u64(std::uint64_t value) { number(value, 8); }
    void i64(std::int64_t value) { number(static_cast<std::uint64_t>(value), 8); }
    void boolean(bool value) { number(value ? 1 : 0, 1); }
    void raw(ByteView view) { bytes_.insert(bytes_.end(), view.begin(), view.end()); }
    void byte_slice(ByteView view) {
        u32(static_cast<std::uint32_t>(view.size()));
        raw(view);
    }

    std::size_t size() const { return bytes_.size(); }
    Bytes finish() && { return std::move(bytes_); }

  private:
    void number(std::uint64_t value, std::size_t size) {
        for (std::size_t i = size; i-- > 0;) {
            bytes_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
        }
    }

    Bytes bytes_;
};

/// One nested transaction from where `reader` stands in `message`. What is returned is only
/// meaningful while the reader has not failed.
RawTransaction read_transaction(Reader& reader, const SharedBytes& message);

/// A count, and as many nested transactions, each of which the original's decoder calls `element`.
std::vector<RawTransaction> read_transactions(Reader& reader, const SharedBytes& message,
                                              std::string_view element);

/// A transaction without the version prefix.
void write_transaction(Writer& writer, const TxFields& fields, ByteView signature);

/// kCodecSliceTooLong if no slice may have this length.
Result<void> check_slice(std::size_t length);

/// Smallest nested transaction, with an empty value and an empty signature.
constexpr std::size_t kMinNestedBytes = 4 + 32 + 8 + 8 + 4 + 4;

}  // namespace blobvm::chain::detail
