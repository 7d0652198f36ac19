#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "chain/base/result.hpp"
#include "chain/genesis.hpp"
#include "chain/signing.hpp"
#include "chain/state.hpp"
#include "chain/transaction.hpp"
#include "chain/window.hpp"

namespace blobvm::client {

struct Network {
    std::uint32_t network_id = 0;
    SubnetId subnet_id;
    ChainId chain_id;
};

struct LastAccepted {
    std::uint64_t height = 0;
    BlockId id;
};

struct Resolved {
    Bytes value;
    chain::BlobMeta meta;
};

struct ActivityEntry {
    std::int64_t timestamp_s = 0;
    TxId id;
    std::string type;  ///< "set" or "transfer"
    Address sender;
    std::optional<BlobKey> key;
    std::optional<Address> to;
    Amount units;
    std::string json;  ///< the entry as the node sent it
};

/// What a node remembers of a transaction that it was handed.
struct TxStatus {
    enum class Kind { kUnknown, kPending, kAccepted, kDropped };
    Kind kind = Kind::kUnknown;
    std::string reason;  ///< why it was dropped
};

/// A node, as programs talk to it. Calls block; each may fail with kConnection, kTimeout,
/// kHttpStatus, or kRpc with the node's message. Safe from several threads.
class Client {
  public:
    virtual ~Client() = default;

    virtual Result<void> ping() = 0;
    virtual Result<Network> network() = 0;
    virtual Result<chain::Genesis> genesis() = 0;  ///< asked once, then remembered
    virtual Result<LastAccepted> last_accepted() = 0;
    virtual Result<Amount> balance(const Address& address) = 0;

    /// Empty if nobody has set it. The value is checked against the key (kHashMismatch).
    virtual Result<std::optional<Resolved>> resolve(const BlobKey& key) = 0;

    virtual Result<bool> has_transaction(const TxId& id) = 0;

    /// One request for all; results[i] belongs to ids[i].
    virtual Result<std::vector<bool>> have_transactions(std::span<const TxId> ids) = 0;

    /// One request for all; results[i] belongs to ids[i]. Empty if the node has no such method, as
    /// the original.
    virtual Result<std::optional<std::vector<TxStatus>>> transaction_statuses(
        std::span<const TxId> ids) {
        static_cast<void>(ids);
        return std::optional<std::vector<TxStatus>>{};
    }

    /// Which of the blobs are set, without their values; results[i] belongs to keys[i]. Empty if
    /// the node has no such method, as the original.
    virtual Result<std::optional<std::vector<bool>>> have_blobs(std::span<const BlobKey> keys) {
        static_cast<void>(keys);
        return std::optional<std::vector<bool>>{};
    }

    virtual Result<chain::SuggestedFee> suggested_raw_fee() = 0;

    /// Hands over the standalone bytes of a signed transaction.
    virtual Result<TxId> issue_raw(ByteView standalone) = 0;

    /// The answers to several transactions, in their order.
    using Issued = std::future<std::vector<Result<TxId>>>;

    /// The same for several, in as few requests as the node takes; a request that failed is the
    /// error of all that were in it. Meanwhile the client may be asked other things, and must not
    /// go: who lets go of the future waits for it.
    virtual Issued issue_raw_many(std::vector<SharedBytes> standalone) {
        std::vector<Result<TxId>> results;
        for (const SharedBytes& bytes : standalone) results.push_back(issue_raw(bytes.view()));
        std::promise<std::vector<Result<TxId>>> answered;
        answered.set_value(std::move(results));
        return answered.get_future();
    }

    virtual Result<std::vector<ActivityEntry>> recent_activity() = 0;
};

/// A client of the JSON-RPC at `endpoint`: `http://HOST:PORT/ext/bc/CHAIN`, to which `/public` is
/// added, as by the original (an endpoint that ends in `/public` is taken as it is).
struct HttpOptions {
    std::string endpoint = {};
    std::uint32_t timeout_ms = 30'000;  ///< for one request
    std::size_t max_response_bytes = 64 * 1024 * 1024;
    std::size_t connections = 4;  ///< kept open
};
Result<std::unique_ptr<Client>> open_http(const HttpOptions& options);

}  // namespace blobvm::client
