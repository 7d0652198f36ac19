#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "chain/detail/persistent_map.hpp"

namespace blobvm::chain {

/// What the chain knows about a blob.
struct BlobMeta {
    std::uint64_t size_bytes = 0;
    TxId tx;                      ///< the transaction that set it
    std::uint64_t created_s = 0;  ///< time of its block, Unix seconds

    friend bool operator==(const BlobMeta&, const BlobMeta&) = default;
};

/// The 50 stored bytes; the access proof hashes them (spec/blobvm.md 1.2, 6.6).
Bytes encode_blob_meta(const BlobMeta& meta);
Result<BlobMeta> decode_blob_meta(ByteView bytes);

/// Accepted state, as the rules read it. Thread rules are the implementation's.
class Store {
  public:
    virtual ~Store() = default;

    /// Zero for an account that nobody has heard of.
    virtual Result<Amount> balance(const Address& address) const = 0;
    virtual Result<std::optional<BlobMeta>> blob_meta(const BlobKey& key) const = 0;

    /// The blob with the smallest key that is not below `start`; empty if there is none.
    virtual Result<std::optional<std::pair<BlobKey, BlobMeta>>> first_blob_from(
        const BlobKey& start) const = 0;
};

/// What one block (or one transaction) changed.
struct Changes {
    std::vector<std::pair<Address, Amount>> balances;  ///< new values, each address once
    std::vector<std::pair<BlobKey, BlobMeta>> blobs;   ///< new blobs, each key once
};

/// The state after a block: accepted state under everything that its processing ancestors and
/// itself changed. An immutable value, cheap to copy, with shared structure: reads cost the same
/// however deep the block stands. The store must outlive it.
///
/// Stays true when an ancestor is accepted, since what the ancestor wrote to the store is what
/// this state already shadows.
class State {
  public:
    /// Accepted state as it is.
    explicit State(const Store& store) : store_{&store} {}

    Result<Amount> balance(const Address& address) const;
    Result<std::optional<BlobMeta>> blob_meta(const BlobKey& key) const;
    Result<bool> has_blob(const BlobKey& key) const;
    Result<std::optional<std::pair<BlobKey, BlobMeta>>> first_blob_from(const BlobKey& start) const;

    /// This state with `changes` on top.
    State with(const Changes& changes) const;

    /// Entries that shadow the store; to decide when rebuilding pays.
    std::size_t shadow_size() const;

  private:
    const Store* store_;
    detail::PersistentMap<Address, Amount> balances_;
    detail::PersistentMap<BlobKey, BlobMeta> blobs_;
};

/// A scratch pad over a State: collects the changes of one block. One thread at a time.
class Overlay {
  public:
    explicit Overlay(const State& base);
    ~Overlay();
    Overlay(Overlay&&) noexcept;
    Overlay& operator=(Overlay&&) noexcept;

    Result<Amount> balance(const Address& address) const;
    Result<bool> has_blob(const BlobKey& key) const;

    void set_balance(const Address& address, Amount balance);
    void put_blob(const BlobKey& key, const BlobMeta& meta);

    /// Everything written so far, in order of first write.
    Changes changes() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The access proof of the child at `child_height` of `parent`, whose post-state is `state`
/// (spec/blobvm.md 6.6). A read error is an error here, not "not found".
Result<Hash256> access_proof(const State& state, const BlockId& parent, std::uint64_t child_height);

}  // namespace blobvm::chain
