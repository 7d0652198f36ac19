#include <algorithm>
#include <array>
#include <condition_variable>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "chain/base/hex.hpp"
#include "chain/base/mutex.hpp"
#include "tree/detail/node.hpp"
#include "tree/tree.hpp"

namespace blobvm::tree {

namespace {

constexpr std::array<std::uint32_t, 5> kRetryPausesMs{100, 200, 400, 800, 1'600};
constexpr int kChunk = -1;

bool is_passing(ErrorCode code) {
    return code == ErrorCode::kConnection || code == ErrorCode::kTimeout;
}

/// One blob of the file, in the order of the file.
struct Slot {
    BlobKey key;
    int level = kChunk;  ///< or that of an inner node
    enum class State { kWaiting, kFetching, kDone } state = State::kWaiting;
    std::optional<Result<Bytes>> value;
};

/// The part of the file that is not written yet, as blobs in order. Workers fetch the first few,
/// the caller's thread takes the front one; an inner node is replaced by what it names, so that
/// only one path of the tree is ever spread out.
class Fetcher {
  public:
    Fetcher(Client& client, const DownloadOptions& options)
        : client_{client},
          timer_{options.timer != nullptr ? *options.timer : client::system_timer()},
          options_{options},
          ahead_{2 * std::max<std::size_t>(options.workers, 1)} {}

    ~Fetcher() {
        {
            const Lock lock{mutex_};
            stopping_ = true;
        }
        changed_.notify_all();
    }

    void start(std::size_t workers) {
        for (std::size_t i = 0; i < std::max<std::size_t>(workers, 1); ++i) {
            workers_.emplace_back([this] { work(); });
        }
    }

    /// Puts the blobs of `node` in front of all others.
    void expand(const detail::Node& node) EXCLUDES(mutex_) {
        std::list<Slot> spread;
        for (const BlobKey& key : node.keys) {
            Slot& slot = spread.emplace_back();
            slot.key = key;
            slot.level = static_cast<int>(node.levels) - 1;
        }
        {
            const Lock lock{mutex_};
            slots_.splice(slots_.begin(), spread);
        }
        changed_.notify_all();
    }

    bool at_end() EXCLUDES(mutex_) {
        const Lock lock{mutex_};
        return slots_.empty();
    }

    /// The front blob, once it is fetched; it leaves the list.
    Slot take() EXCLUDES(mutex_) {
        std::list<Slot> front;
        {
            Lock lock{mutex_};
            while (slots_.front().state != Slot::State::kDone) changed_.wait(lock);
            front.splice(front.begin(), slots_, slots_.begin());
        }
        changed_.notify_all();
        return std::move(front.front());
    }

    Result<Bytes> fetch(const BlobKey& key) {
        for (std::size_t attempt = 0;; ++attempt) {
            if (options_.cancelled && options_.cancelled()) return fail(ErrorCode::kCancelled);
            auto found = client_.resolve(key);
            if (found) {
                if (!*found) return fail(ErrorCode::kChunkMissing, to_hex_0x(key.view()));
                return std::move((**found).value);
            }
            if (!is_passing(found.error().code) || attempt == kRetryPausesMs.size()) {
                return fail(found.error());
            }
            timer_.sleep_ms(kRetryPausesMs[attempt]);  // the node may be restarting
        }
    }

  private:
    Slot* next_waiting() REQUIRES(mutex_) {
        std::size_t looked_at = 0;
        for (Slot& slot : slots_) {
            if (looked_at++ == ahead_) break;
            if (slot.state == Slot::State::kWaiting) return &slot;
        }
        return nullptr;
    }

    void work() EXCLUDES(mutex_) {
        for (;;) {
            Slot* slot = nullptr;
            {
                Lock lock{mutex_};
                while (!stopping_ && (slot = next_waiting()) == nullptr) changed_.wait(lock);
                if (stopping_) return;
                slot->state = Slot::State::kFetching;
            }
            Result<Bytes> value = fetch(slot->key);  // a slot in this state is moved by nobody
            {
                const Lock lock{mutex_};
                slot->value.emplace(std::move(value));
                slot->state = Slot::State::kDone;
            }
            changed_.notify_all();
        }
    }

    Client& client_;
    client::Timer& timer_;
    const DownloadOptions& options_;
    const std::size_t ahead_;
    Mutex mutex_;
    std::condition_variable_any changed_;
    std::list<Slot> slots_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::vector<std::jthread> workers_;  // last: joined before what they use goes
};

/// What has been written, within the limit.
class Output {
  public:
    Output(Writer& out, const DownloadOptions& options) : out_{out}, options_{options} {}

    Result<void> write(const BlobKey& key, ByteView chunk, std::optional<std::uint64_t> total) {
        if (chunk.size() > options_.max_bytes - result_.size_bytes) {
            return fail(ErrorCode::kTooLarge,
                        "the file is longer than " + std::to_string(options_.max_bytes) + " bytes");
        }
        BLOBVM_TRY(out_.write(chunk));
        result_.size_bytes += chunk.size();
        ++result_.chunks;
        if (options_.on_step) {
            options_.on_step({.key = key,
                              .size_bytes = chunk.size(),
                              .done_bytes = result_.size_bytes,
                              .total_bytes = total});
        }
        return {};
    }

    const Downloaded& result() const { return result_; }

  private:
    Writer& out_;
    const DownloadOptions& options_;
    Downloaded result_;
};

/// The size of the file where it can be told: all chunks but the last are alike. Too high by less
/// than a chunk.
std::optional<std::uint64_t> expected_size(const detail::Node& root, std::uint64_t first_chunk) {
    if (root.levels != 0) return std::nullopt;
    return root.keys.size() * first_chunk;
}

}  // namespace

Result<Downloaded> download(Client& client, const BlobKey& root_key, Writer& out,
                            const DownloadOptions& options) {
    BLOBVM_TRY(const auto found, client.resolve(root_key));
    if (!found) return fail(ErrorCode::kNotFound, "no file " + to_hex_0x(root_key.view()));
    BLOBVM_TRY(const detail::Node root, detail::read_node(found->value));

    Output output{out, options};
    if (root.contents) {
        BLOBVM_TRY(output.write(root_key, *root.contents, root.contents->size()));
        return output.result();
    }

    Fetcher fetcher{client, options};
    fetcher.expand(root);
    fetcher.start(std::min(options.workers, root.levels == 0 ? root.keys.size() : SIZE_MAX));
    std::optional<std::uint64_t> total;
    while (!fetcher.at_end()) {
        if (options.cancelled && options.cancelled()) return fail(ErrorCode::kCancelled);
        const Slot slot = fetcher.take();
        if (!*slot.value) return fail(slot.value->error());
        const Bytes& value = **slot.value;
        if (slot.level == kChunk) {
            if (output.result().chunks == 0) total = expected_size(root, value.size());
            BLOBVM_TRY(output.write(slot.key, value, total));
            continue;
        }
        BLOBVM_TRY(const detail::Node node, detail::read_node(value));
        if (node.contents || static_cast<int>(node.levels) != slot.level) {
            return fail(ErrorCode::kTreeInvalid, "levels do not add up");
        }
        fetcher.expand(node);
    }
    return output.result();
}

}  // namespace blobvm::tree
