#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "chain/base/hashing.hpp"
#include "tree/detail/node.hpp"
#include "tree/tree.hpp"

namespace blobvm::tree {

namespace {

using client::Issuer;
using client::Progress;
using client::Receipt;

/// Keys that one upload remembers, to hand in repeated chunks once: some 60 MB at most, beyond
/// which the chain is asked. Enough for 200 GB.
constexpr std::size_t kMostKeysRemembered = 1'000'000;
constexpr std::uint32_t kRootPollMs = 100;

/// Chunks that are read before the chain is asked which of them it has.
constexpr std::size_t kAskedAtOnce = 32;

UploadStep::Kind kind_of(Progress progress) {
    switch (progress) {
        case Progress::kSigned:
            return UploadStep::Kind::kSigned;
        case Progress::kIssued:
            return UploadStep::Kind::kIssued;
        case Progress::kReissued:
            return UploadStep::Kind::kReissued;
        case Progress::kAccepted:
            return UploadStep::Kind::kAccepted;
        case Progress::kKnownBlob:
            return UploadStep::Kind::kKnownBlob;
    }
    return UploadStep::Kind::kSigned;
}

/// Reads until `bytes` bytes are there or the file ends: a short read is not the end.
Result<Bytes> read_full(Reader& file, std::uint64_t bytes) {
    Bytes chunk(bytes);
    std::size_t filled = 0;
    while (filled < chunk.size()) {
        BLOBVM_TRY(const std::size_t count, file.read(std::span{chunk}.subspan(filled)));
        if (count == 0) break;
        filled += count;
    }
    chunk.resize(filled);
    return chunk;
}

class Upload {
  public:
    Upload(Client& client, const UploadOptions& options) : client_{client}, options_{options} {}

    Result<Uploaded> run(const chain::PrivateKey& key, Reader& file) {
        BLOBVM_TRY(issuer_, Issuer::open(client_, key, issue_options()));
        max_value_bytes_ = issuer_->genesis().max_value_size;
        const std::uint64_t chunk_bytes = options_.chunk_bytes == 0
                                              ? max_value_bytes_
                                              : std::min(options_.chunk_bytes, max_value_bytes_);

        BLOBVM_TRY(Bytes chunk, read_full(file, chunk_bytes));
        const std::uint64_t first_bytes = chunk.size();
        if (first_bytes < chunk_bytes && detail::small_root_size(first_bytes) <= max_value_bytes_) {
            result_.size_bytes = first_bytes;
            return finish(detail::write_small_root(chunk));
        }
        while (!chunk.empty()) {
            const bool last = chunk.size() < chunk_bytes;
            ahead_.push_back(std::move(chunk));
            if (ahead_.size() == kAskedAtOnce) BLOBVM_TRY(add_chunks());
            if (last) break;
            BLOBVM_TRY(chunk, read_full(file, chunk_bytes));
        }
        BLOBVM_TRY(add_chunks());
        BLOBVM_TRY(std::string root, close_levels());
        return finish(std::move(root));
    }

  private:
    client::IssueOptions issue_options() {
        return {.in_flight = options_.in_flight,
                .patience_ms = options_.patience_ms,
                .cancelled = options_.cancelled,
                .on_progress = [this](Progress progress,
                                      const Receipt& receipt) { note(progress, receipt); },
                .timer = options_.timer};
    }

    /// Adds what was read ahead; what the chain has already is not sent.
    Result<void> add_chunks() {
        std::vector<TwoPartMessage> chunks;
        for (const Bytes& chunk : ahead_) chunks.push_back({.head = chunk, .tail = {}});
        std::vector<Hash256> hashes(chunks.size());
        keccak256_many(chunks, hashes);
        std::vector<BlobKey> keys;
        for (const Hash256& hash : hashes) keys.push_back(retag<BlobKey>(hash));
        BLOBVM_TRY(const auto known, client_.have_blobs(keys));
        for (std::size_t i = 0; i < ahead_.size(); ++i) {
            BLOBVM_TRY(add_chunk(std::move(ahead_[i]), keys[i], known && (*known)[i]));
        }
        ahead_.clear();
        return {};
    }

    Result<void> add_chunk(Bytes chunk, const BlobKey& key, bool known) {
        result_.size_bytes += chunk.size();
        ++result_.chunks;
        Receipt receipt;
        receipt.key = key;
        receipt.size_bytes = chunk.size();
        if (seen_.contains(key)) {
            stored_bytes_ += chunk.size();
            tell(UploadStep::Kind::kRepeated, Role::kChunk, receipt);
        } else if (known) {
            remember(key);
            note(Progress::kKnownBlob, receipt);
        } else {
            BLOBVM_TRY(store(std::move(chunk), key, Role::kChunk));
        }
        return add_key(0, key);
    }

    void remember(const BlobKey& key) {
        if (seen_.size() < kMostKeysRemembered) seen_.insert(key);
    }

    Result<void> store(Bytes value, const BlobKey& key, Role role) {
        remember(key);
        roles_.emplace(key, role);
        return issuer_->set(std::move(value), key);
    }

    /// Puts `key` into the node that is being filled at `level`; a full one is stored first.
    Result<void> add_key(unsigned level, const BlobKey& key) {
        if (levels_.size() <= level) levels_.emplace_back();
        const std::uint64_t capacity = detail::node_capacity(level, max_value_bytes_);
        if (capacity == 0 || (level > 0 && capacity < 2) || level > detail::kMaxLevels) {
            return fail(ErrorCode::kTooLarge,
                        "this chain's values are too small to hold the list of the file's chunks");
        }
        if (levels_[level].size() == capacity) BLOBVM_TRY(store_node(level));
        levels_[level].push_back(key);
        return {};
    }

    Result<void> store_node(unsigned level) {
        const std::string json = detail::write_node(level, levels_[level]);
        levels_[level].clear();
        Bytes value = to_bytes(as_bytes(json));
        const BlobKey key = retag<BlobKey>(keccak256(value));
        if (!seen_.contains(key)) BLOBVM_TRY(store(std::move(value), key, Role::kNode));
        return add_key(level + 1, key);
    }

    /// Stores what is not full yet, from below; the one node at the top becomes the root.
    Result<std::string> close_levels() {
        for (unsigned level = 0; level + 1 < levels_.size(); ++level) {
            BLOBVM_TRY(store_node(level));
        }
        const auto top = static_cast<unsigned>(levels_.size() - 1);
        return detail::write_node(top, levels_[top]);
    }

    /// Waits for all that the root names, and stores the root.
    Result<Uploaded> finish(std::string json) {
        Bytes value = to_bytes(as_bytes(json));
        if (value.size() > max_value_bytes_) {
            return fail(ErrorCode::kTooLarge, "this chain's values are too small to hold a root");
        }
        BLOBVM_TRY(issuer_->finish());
        result_.root = retag<BlobKey>(keccak256(value));
        BLOBVM_TRY(store(std::move(value), result_.root, Role::kRoot));
        BLOBVM_TRY(issuer_->finish());
        if (root_known_) BLOBVM_TRY(await_root());
        return result_;
    }

    /// A node may call a blob known that is in a block which is not accepted yet.
    Result<void> await_root() {
        client::Timer& timer = options_.timer != nullptr ? *options_.timer : client::system_timer();
        const std::uint64_t start = timer.now_ms();
        for (;;) {
            BLOBVM_TRY(const auto found, client_.resolve(result_.root));
            if (found) return {};
            if (options_.cancelled && options_.cancelled()) return fail(ErrorCode::kCancelled);
            if (timer.now_ms() - start > options_.patience_ms) {
                return fail(ErrorCode::kTimeout, "the root was not accepted");
            }
            timer.sleep_ms(kRootPollMs);
        }
    }

    void note(Progress progress, const Receipt& receipt) {
        const auto found = roles_.find(receipt.key);
        const Role role = found == roles_.end() ? Role::kChunk : found->second;
        const bool accepted = progress == Progress::kAccepted;
        if (accepted || progress == Progress::kKnownBlob) {
            if (role == Role::kChunk) stored_bytes_ += receipt.size_bytes;
            if (accepted) {
                ++result_.new_blobs;
                result_.cost.value += receipt.cost.value;  // bounded by the chain's supply
            } else {
                ++result_.known_blobs;
                if (role == Role::kRoot) root_known_ = true;
            }
            roles_.erase(receipt.key);
        }
        tell(kind_of(progress), role, receipt);
    }

    void tell(UploadStep::Kind kind, Role role, const Receipt& receipt) const {
        if (!options_.on_step) return;
        options_.on_step({.kind = kind,
                          .role = role,
                          .receipt = receipt,
                          .stored_bytes = stored_bytes_,
                          .total_cost = result_.cost});
    }

    Client& client_;
    const UploadOptions& options_;
    std::unique_ptr<Issuer> issuer_;
    std::uint64_t max_value_bytes_ = 0;
    std::vector<Bytes> ahead_;  ///< chunks that were read, not added yet
    std::unordered_set<BlobKey, IdHash> seen_;
    std::unordered_map<BlobKey, Role, IdHash> roles_;  ///< of what is in flight
    std::vector<std::vector<BlobKey>> levels_;         ///< the node being filled, for each level
    std::uint64_t stored_bytes_ = 0;
    bool root_known_ = false;
    Uploaded result_;
};

}  // namespace

Result<Uploaded> upload(Client& client, const chain::PrivateKey& key, Reader& file,
                        const UploadOptions& options) {
    return Upload{client, options}.run(key, file);
}

}  // namespace blobvm::tree
