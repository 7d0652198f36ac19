#include "cmd/blob-devnet/ledger.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

namespace blobvm::devnet {
namespace {

constexpr std::string_view kMagic = "BLOBVM-LEDGER-1\n";
constexpr std::size_t kPreambleSize = 16 + ChainId::kSize;
constexpr std::size_t kRecordHeadSize = 8;
constexpr std::size_t kAcceptHeadSize = kRecordHeadSize + 1 + 8 + BlockId::kSize;
constexpr std::uint32_t kMaxPayload = 1U << 30;

enum class Kind : std::uint8_t { kWrite = 1, kAccept = 2, kAcceptKnown = 3, kGoBack = 4 };

std::uint32_t crc_of(ByteView bytes, std::uint32_t start = 0) {
    if (bytes.empty()) return start;  // zlib takes a null pointer for a request to start anew
    return static_cast<std::uint32_t>(
        crc32_z(start, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Failure io_failure(std::string_view doing) {
    return fail(ErrorCode::kIo, fmt::format("cannot {} the ledger: {}", doing, strerror(errno)));
}

class Writer {
  public:
    template <class Number>
    Writer& number(Number value) {
        for (std::size_t i = 0; i < sizeof(Number); ++i) {
            out_.push_back(static_cast<std::byte>(value >> (8 * i)));
        }
        return *this;
    }
    Writer& kind(Kind kind) { return out_.push_back(static_cast<std::byte>(kind)), *this; }
    Writer& raw(ByteView bytes) {
        return out_.insert(out_.end(), bytes.begin(), bytes.end()), *this;
    }
    Writer& text(std::string_view text) {
        return number(static_cast<std::uint32_t>(text.size())).raw(as_bytes(text));
    }
    const Bytes& bytes() const { return out_; }

  private:
    Bytes out_;
};

/// Reads what Writer wrote; once something is missing, everything that follows is zero.
class Reader {
  public:
    explicit Reader(ByteView bytes) : rest_{bytes} {}

    template <class Number>
    Number number() {
        const ByteView bytes = raw(sizeof(Number));
        Number value{};
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            value |= static_cast<Number>(static_cast<Number>(bytes[i]) << (8 * i));
        }
        return value;
    }
    ByteView raw(std::size_t size) {
        if (size > rest_.size()) {
            good_ = false;
            rest_ = {};
            return {};
        }
        const ByteView result = rest_.first(size);
        rest_ = rest_.subspan(size);
        return result;
    }
    std::string text() { return std::string{as_chars(raw(number<std::uint32_t>()))}; }
    BlockId id() {
        const ByteView bytes = raw(BlockId::kSize);
        return bytes.empty() ? BlockId{} : BlockId::from(bytes);
    }
    ByteView rest() const { return rest_; }
    bool good() const { return good_; }

  private:
    ByteView rest_;
    bool good_ = true;
};

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(const Options& options) {
    const int file = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return io_failure("open");
    std::unique_ptr<Ledger> ledger{new Ledger{file, options.sync}};
    BLOBVM_TRY(ledger->load(options.chain));
    if (options.roll_back > 0) {
        {
            const Lock lock{ledger->mutex_};
            const std::uint64_t height = ledger->accepted_ ? ledger->accepted_->height : 0;
            const auto first = ledger->blocks_.upper_bound(
                height > options.roll_back ? height - options.roll_back : 0);
            if (first != ledger->blocks_.end()) BLOBVM_TRY(ledger->cut(first->second.record));
        }
        BLOBVM_TRY(ledger->load(options.chain));
    }
    return ledger;
}

Ledger::~Ledger() { ::close(file_); }

Result<void> Ledger::load(const ChainId& chain) {
    const Lock lock{mutex_};
    values_.clear();
    blocks_.clear();
    accepted_.reset();

    struct stat about {};
    if (fstat(file_, &about) != 0) return io_failure("read");
    const auto size = static_cast<std::uint64_t>(about.st_size);
    if (size < kPreambleSize) {  // nothing was ever written into it
        const Bytes preamble = Writer{}.raw(as_bytes(kMagic)).raw(chain.view()).bytes();
        if (::pwrite(file_, preamble.data(), preamble.size(), 0) !=
            static_cast<ssize_t>(preamble.size())) {
            const Failure failure = io_failure("write");
            static_cast<void>(ftruncate(file_, 0) == 0);
            return failure;
        }
        end_ = preamble.size();
        return {};
    }
    void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file_, 0);
    if (mapped == MAP_FAILED) return io_failure("read");
    const std::unique_ptr<void, std::function<void(void*)>> unmap{
        mapped, [size](void* start) { munmap(start, size); }};
    const ByteView all{static_cast<const std::byte*>(mapped), size};
    if (as_chars(all.first(kMagic.size())) != kMagic) {
        return fail(ErrorCode::kCorruption, "the ledger's start is damaged");
    }
    if (ChainId::from(all.subspan(kMagic.size())) != chain) {
        return fail(ErrorCode::kStoreForeign, "the ledger belongs to another chain");
    }

    end_ = kPreambleSize;
    while (size - end_ >= kRecordHeadSize) {
        Reader head{all.subspan(end_, kRecordHeadSize)};
        const auto length = head.number<std::uint32_t>();
        const auto crc = head.number<std::uint32_t>();
        if (length == 0 || length > kMaxPayload || length > size - end_ - kRecordHeadSize) break;
        const ByteView payload = all.subspan(end_ + kRecordHeadSize, length);
        if (crc_of(payload) != crc || !replay(payload, end_)) break;
        end_ += kRecordHeadSize + length;
    }
    if (end_ < size) {
        cut_bytes_ += size - end_;
        BLOBVM_TRY(cut(end_));
    }
    return {};
}

bool Ledger::replay(ByteView payload, std::uint64_t record) {
    Reader in{payload};
    switch (static_cast<Kind>(in.number<std::uint8_t>())) {
        case Kind::kWrite: {
            std::vector<KeyValue> puts;
            for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left) {
                std::string key = in.text();
                puts.emplace_back(std::move(key), in.text());
            }
            std::vector<std::string> deletes;
            for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left) {
                deletes.push_back(in.text());
            }
            if (in.good()) apply(puts, deletes);
            return in.good();
        }
        case Kind::kAccept: {
            const auto height = in.number<std::uint64_t>();
            const BlockId id = in.id();
            if (!in.good()) return false;
            const ByteView bytes = in.rest();
            const std::uint64_t start = record + kRecordHeadSize + payload.size() - bytes.size();
            blocks_[height] = {id, record, start, bytes.size()};
            accepted_ = {height, id};
            return true;
        }
        case Kind::kAcceptKnown: {
            const auto found = blocks_.find(in.number<std::uint64_t>());
            if (!in.good() || found == blocks_.end()) return false;
            found->second.record = record;
            accepted_ = {found->first, found->second.id};
            return true;
        }
        case Kind::kGoBack: {
            const auto found = blocks_.find(in.number<std::uint64_t>());
            if (!in.good() || found == blocks_.end()) return false;
            accepted_ = {found->first, found->second.id};
            return true;
        }
    }
    return false;
}

Result<void> Ledger::cut(std::uint64_t end) {
    if (ftruncate(file_, static_cast<off_t>(end)) != 0) return io_failure("cut");
    end_ = end;
    return {};
}

Result<void> Ledger::append(ByteView head, ByteView tail) {
    const std::size_t length = head.size() + tail.size();
    if (length > kMaxPayload) return fail(ErrorCode::kTooLarge, "a ledger record");
    const Bytes start = Writer{}
                            .number(static_cast<std::uint32_t>(length))
                            .number(crc_of(tail, crc_of(head)))
                            .raw(head)
                            .bytes();
    std::array<iovec, 2> parts{{{const_cast<std::byte*>(start.data()), start.size()},
                                {const_cast<std::byte*>(tail.data()), tail.size()}}};
    std::uint64_t written = 0;
    const std::uint64_t total = start.size() + tail.size();
    while (written < total) {
        const ssize_t count = pwritev(file_, parts.data(), static_cast<int>(parts.size()),
                                      static_cast<off_t>(end_ + written));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            const Failure failure = io_failure("write");
            BLOBVM_TRY(cut(end_));
            return failure;
        }
        written += static_cast<std::uint64_t>(count);
        auto skip = static_cast<std::size_t>(count);
        for (iovec& part : parts) {
            const std::size_t step = std::min(skip, part.iov_len);
            part.iov_base = static_cast<std::byte*>(part.iov_base) + step;
            part.iov_len -= step;
            skip -= step;
        }
    }
    if (sync_ && fdatasync(file_) != 0) return io_failure("sync");
    end_ += total;
    return {};
}

void Ledger::apply(const std::vector<KeyValue>& puts, const std::vector<std::string>& deletes) {
    for (const auto& [key, value] : puts) values_[key] = value;
    for (const std::string& key : deletes) values_.erase(key);
}

std::optional<std::string> Ledger::get(std::string_view key) const {
    const Lock lock{mutex_};
    const auto found = values_.find(key);
    if (found == values_.end()) return std::nullopt;
    return found->second;
}

Result<void> Ledger::write(const std::vector<KeyValue>& puts,
                           const std::vector<std::string>& deletes) {
    Writer out;
    out.kind(Kind::kWrite).number(static_cast<std::uint32_t>(puts.size()));
    for (const auto& [key, value] : puts) out.text(key).text(value);
    out.number(static_cast<std::uint32_t>(deletes.size()));
    for (const std::string& key : deletes) out.text(key);

    const Lock lock{mutex_};
    BLOBVM_TRY(append(out.bytes(), {}));
    apply(puts, deletes);
    return {};
}

std::vector<KeyValue> Ledger::scan(std::string_view start, std::string_view prefix) const {
    const Lock lock{mutex_};
    std::vector<KeyValue> result;
    for (auto at = values_.lower_bound(std::max(start, prefix));
         at != values_.end() && at->first.starts_with(prefix); ++at) {
        result.push_back(*at);
    }
    return result;
}

std::optional<AcceptedBlock> Ledger::accepted() const {
    const Lock lock{mutex_};
    return accepted_;
}

Result<void> Ledger::accept(const AcceptedBlock& block, ByteView bytes) {
    const Lock lock{mutex_};
    const std::uint64_t record = end_;
    const auto known = blocks_.find(block.height);
    if (known != blocks_.end() && known->second.id == block.id) {
        BLOBVM_TRY(append(Writer{}.kind(Kind::kAcceptKnown).number(block.height).bytes(), {}));
        known->second.record = record;
    } else {
        const Bytes head =
            Writer{}.kind(Kind::kAccept).number(block.height).raw(block.id.view()).bytes();
        BLOBVM_TRY(append(head, bytes));
        blocks_[block.height] = {block.id, record, end_ - bytes.size(), bytes.size()};
    }
    accepted_ = block;
    return {};
}

Result<void> Ledger::go_back_to(std::uint64_t height) {
    const Lock lock{mutex_};
    const auto found = blocks_.find(height);
    if (found == blocks_.end()) {
        return fail(ErrorCode::kNotFound, fmt::format("no block at height {}", height));
    }
    BLOBVM_TRY(append(Writer{}.kind(Kind::kGoBack).number(height).bytes(), {}));
    accepted_ = {height, found->second.id};
    return {};
}

std::optional<AcceptedBlock> Ledger::top() const {
    const Lock lock{mutex_};
    if (blocks_.empty()) return std::nullopt;
    return AcceptedBlock{blocks_.rbegin()->first, blocks_.rbegin()->second.id};
}

std::optional<BlockId> Ledger::id_at(std::uint64_t height) const {
    const Lock lock{mutex_};
    const auto found = blocks_.find(height);
    if (found == blocks_.end()) return std::nullopt;
    return found->second.id;
}

Result<Bytes> Ledger::block_at(std::uint64_t height) const {
    const Lock lock{mutex_};
    const auto found = blocks_.find(height);
    if (found == blocks_.end()) {
        return fail(ErrorCode::kNotFound, fmt::format("no block at height {}", height));
    }
    const Stored& stored = found->second;
    Bytes record(kAcceptHeadSize + stored.size);
    std::size_t got = 0;
    while (got < record.size()) {
        const ssize_t count = pread(file_, record.data() + got, record.size() - got,
                                    static_cast<off_t>(stored.bytes - kAcceptHeadSize + got));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return io_failure("read");
        got += static_cast<std::size_t>(count);
    }
    Reader head{record};
    head.number<std::uint32_t>();
    if (head.number<std::uint32_t>() != crc_of(head.rest())) {
        return fail(ErrorCode::kCorruption,
                    fmt::format("the ledger's block at height {} is damaged", height));
    }
    record.erase(record.begin(), record.begin() + kAcceptHeadSize);
    return record;
}

}  // namespace blobvm::devnet
