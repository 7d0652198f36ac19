#include <atomic>

#include "chain/base/check.hpp"
#include "chain/base/detail/keccak.hpp"
#include "chain/base/hashing.hpp"

namespace blobvm {
namespace detail {

// Each in the file that is compiled for its CPU.
extern const KeccakCode kKeccakScalar;
extern const KeccakCode kKeccakAvx2;
extern const KeccakCode kKeccakAvx512;

namespace {

#if defined(__x86_64__)
const KeccakCode& code_of(KeccakPath path) {
    switch (path) {
        case KeccakPath::kAvx512:
            return kKeccakAvx512;
        case KeccakPath::kAvx2:
            return kKeccakAvx2;
        case KeccakPath::kScalar:
            break;
    }
    return kKeccakScalar;
}
#else
const KeccakCode& code_of(KeccakPath) { return kKeccakScalar; }
#endif

std::atomic<const KeccakCode*>& code_in_use() {
    static std::atomic<const KeccakCode*> code{&code_of(best_keccak_path())};
    return code;
}

}  // namespace

const char* name(KeccakPath path) {
    switch (path) {
        case KeccakPath::kScalar:
            return "scalar";
        case KeccakPath::kAvx2:
            return "avx2";
        case KeccakPath::kAvx512:
            return "avx512";
    }
    return "";
}

bool is_supported(KeccakPath path) {
#if defined(__x86_64__)
    switch (path) {
        case KeccakPath::kScalar:
            return true;
        case KeccakPath::kAvx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                   __builtin_cpu_supports("bmi2");
        case KeccakPath::kAvx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    }
#endif
    return path == KeccakPath::kScalar;
}

KeccakPath best_keccak_path() {
    if (is_supported(KeccakPath::kAvx512)) return KeccakPath::kAvx512;
    if (is_supported(KeccakPath::kAvx2)) return KeccakPath::kAvx2;
    return KeccakPath::kScalar;
}

void use_keccak_path(KeccakPath path) {
    CHECK(is_supported(path));
    code_in_use() = &code_of(path);
}

const KeccakCode& keccak_code() { return *code_in_use().load(std::memory_order_relaxed); }

}  // namespace detail

namespace {

using detail::KeccakCode;
using detail::kKeccakRate;
using detail::kKeccakWords;
using detail::kMaxKeccakLanes;

/// Fills the last block of a message behind its `used` bytes.
void pad(std::byte* block, std::size_t used) {
    std::fill(block + used, block + kKeccakRate, std::byte{0});
    block[used] = std::byte{0x01};
    block[kKeccakRate - 1] |= std::byte{0x80};
}

/// Hands out one message block by block, the last one padded.
class Blocks {
  public:
    Blocks() = default;
    explicit Blocks(const TwoPartMessage& message) : head_{message.head}, tail_{message.tail} {}

    /// The next block: valid until the next call. There is always at least one.
    const std::byte* next() {
        if (head_.empty() && tail_.size() >= kKeccakRate) {
            const std::byte* const block = tail_.data();
            tail_ = tail_.subspan(kKeccakRate);
            return block;
        }
        const std::size_t from_head = copy_from(head_, 0);
        const std::size_t filled = from_head + copy_from(tail_, from_head);
        if (filled < kKeccakRate) {
            pad(staged_, filled);
            done_ = true;
        }
        return staged_;
    }

    bool done() const { return done_; }

  private:
    /// Moves what fits from the front of `part` to the staged block, behind its `filled` bytes.
    std::size_t copy_from(ByteView& part, std::size_t filled) {
        const std::size_t take = std::min(part.size(), kKeccakRate - filled);
        std::copy_n(part.begin(), take, staged_ + filled);
        part = part.subspan(take);
        return take;
    }

    ByteView head_;
    ByteView tail_;
    bool done_ = false;
    std::byte staged_[kKeccakRate] = {};
};

/// The lanes of the CPU, each at work on a message of its own: one that ends makes room for the
/// next, so that messages of any lengths keep all lanes busy until the last few.
class Lanes {
  public:
    Lanes(const KeccakCode& code, std::span<const TwoPartMessage> messages,
          std::span<Hash256> digests)
        : code_{code}, messages_{messages}, digests_{digests} {}

    void run(std::span<const std::uint32_t> order) {
        waiting_ = order;
        for (std::size_t lane = 0; lane < code_.lanes; ++lane) start_next(lane);
        while (busy_ > 1) step();
        for (std::size_t lane = 0; lane < code_.lanes; ++lane) finish_alone(lane);
    }

  private:
    void start_next(std::size_t lane) {
        if (waiting_.empty()) return;
        message_[lane] = waiting_.front();
        waiting_ = waiting_.subspan(1);
        blocks_[lane] = Blocks{messages_[message_[lane]]};
        is_busy_[lane] = true;
        ++busy_;
        for (std::size_t i = 0; i < kKeccakWords; ++i) word(i, lane) = 0;
    }

    /// One permutation of all lanes.
    void step() {
        static constexpr std::byte kNothing[kKeccakRate] = {};
        const std::byte* inputs[kMaxKeccakLanes];
        for (std::size_t lane = 0; lane < code_.lanes; ++lane) {
            inputs[lane] = is_busy_[lane] ? blocks_[lane].next() : kNothing;
        }
        code_.absorb_lanes(states_, inputs);
        for (std::size_t lane = 0; lane < code_.lanes; ++lane) {
            if (is_busy_[lane] && blocks_[lane].done()) finish(lane);
        }
    }

    void finish(std::size_t lane) {
        Hash256& digest = digests_[message_[lane]];
        for (std::size_t i = 0; i < 4; ++i) {
            std::memcpy(digest.bytes.data() + 8 * i, &word(i, lane), 8);
        }
        is_busy_[lane] = false;
        --busy_;
        start_next(lane);
    }

    /// What is left of the only message that is left: lanes would not pay for it.
    void finish_alone(std::size_t lane) {
        if (!is_busy_[lane]) return;
        std::uint64_t state[kKeccakWords];
        for (std::size_t i = 0; i < kKeccakWords; ++i) state[i] = word(i, lane);
        while (!blocks_[lane].done()) code_.absorb(state, blocks_[lane].next(), 1);
        std::memcpy(digests_[message_[lane]].bytes.data(), state, Hash256::kSize);
    }

    std::uint64_t& word(std::size_t i, std::size_t lane) { return states_[i * code_.lanes + lane]; }

    alignas(64) std::uint64_t states_[kKeccakWords * kMaxKeccakLanes] = {};
    Blocks blocks_[kMaxKeccakLanes];
    std::uint32_t message_[kMaxKeccakLanes] = {};
    bool is_busy_[kMaxKeccakLanes] = {};
    std::size_t busy_ = 0;
    const KeccakCode& code_;
    std::span<const TwoPartMessage> messages_;
    std::span<Hash256> digests_;
    std::span<const std::uint32_t> waiting_;
};

/// The long messages first, the longest of them at the very front, so that none is left over to
/// run in one lane alone; short ones stay as they come, since sorting them would cost more than
/// it gains.
std::vector<std::uint32_t> lane_order(std::span<const TwoPartMessage> messages) {
    constexpr std::size_t kLongBytes = 4096;
    const auto size = [&](std::uint32_t i) {
        return messages[i].head.size() + messages[i].tail.size();
    };
    std::vector<std::uint32_t> order(messages.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto shorts = std::stable_partition(
        order.begin(), order.end(), [&](std::uint32_t i) { return size(i) >= kLongBytes; });
    std::sort(order.begin(), shorts,
              [&](std::uint32_t a, std::uint32_t b) { return size(a) > size(b); });
    return order;
}

}  // namespace

Keccak256::Keccak256() : state_{} {}

Keccak256& Keccak256::update(ByteView piece) {
    const KeccakCode& code = detail::keccak_code();
    if (buffered_ > 0) {
        const std::size_t take = std::min(piece.size(), kKeccakRate - buffered_);
        std::copy_n(piece.begin(), take, buffer_ + buffered_);
        buffered_ += take;
        piece = piece.subspan(take);
        if (buffered_ < kKeccakRate) return *this;
        code.absorb(state_, buffer_, 1);
        buffered_ = 0;
    }
    const std::size_t whole = piece.size() / kKeccakRate;
    if (whole > 0) code.absorb(state_, piece.data(), whole);
    piece = piece.subspan(whole * kKeccakRate);
    std::copy(piece.begin(), piece.end(), buffer_);
    buffered_ = piece.size();
    return *this;
}

Hash256 Keccak256::finish() {
    pad(buffer_, buffered_);
    detail::keccak_code().absorb(state_, buffer_, 1);
    Hash256 digest;
    std::memcpy(digest.bytes.data(), state_, Hash256::kSize);
    return digest;
}

Hash256 keccak256(ByteView message) { return Keccak256{}.update(message).finish(); }

void keccak256_many(std::span<const TwoPartMessage> messages, std::span<Hash256> digests) {
    CHECK(messages.size() == digests.size());
    const KeccakCode& code = detail::keccak_code();
    if (code.lanes == 1 || messages.size() < 2) {
        for (std::size_t i = 0; i < messages.size(); ++i) {
            digests[i] = Keccak256{}.update(messages[i].head).update(messages[i].tail).finish();
        }
        return;
    }
    Lanes{code, messages, digests}.run(lane_order(messages));
}

}  // namespace blobvm
