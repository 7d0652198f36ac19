#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"
#include "chain/genesis.hpp"
#include "chain/state.hpp"
#include "chain/transaction.hpp"
#include "proto/jsonrpc/json.hpp"

/// The methods (spec/blobvm.md 7.4; txStatus and hasBlob are ours): one source for server and
/// client. Each struct writes itself (append_json: members and their order are Go's) and is read
/// from an object as Go would fill it (read: kJsonInvalid; unknown members are ignored, missing
/// ones keep their default).
namespace blobvm::jsonrpc {

inline constexpr std::string_view kService = "blobvm";
inline constexpr std::string_view kPing = "blobvm.ping";
inline constexpr std::string_view kNetwork = "blobvm.network";
inline constexpr std::string_view kGenesis = "blobvm.genesis";
inline constexpr std::string_view kLastAccepted = "blobvm.lastAccepted";
inline constexpr std::string_view kBalance = "blobvm.balance";
inline constexpr std::string_view kResolve = "blobvm.resolve";
inline constexpr std::string_view kHasTx = "blobvm.hasTx";
inline constexpr std::string_view kSuggestedRawFee = "blobvm.suggestedRawFee";
inline constexpr std::string_view kSuggestedFee = "blobvm.suggestedFee";
inline constexpr std::string_view kIssueRawTx = "blobvm.issueRawTx";
inline constexpr std::string_view kIssueTx = "blobvm.issueTx";
inline constexpr std::string_view kRecentActivity = "blobvm.recentActivity";
inline constexpr std::string_view kTxStatus = "blobvm.txStatus";
inline constexpr std::string_view kHasBlob = "blobvm.hasBlob";

/// Most requests in one JSON-RPC batch (our extension, see README.md).
inline constexpr std::size_t kMaxBatch = 1024;

/// Of methods that take nothing; written as null.
struct NoArgs {
    void append_json(std::string& out) const;
    static Result<NoArgs> read(const json::Value& value);
};

struct PingReply {
    bool success = false;

    void append_json(std::string& out) const;
    static Result<PingReply> read(const json::Value& value);
};

struct NetworkReply {
    std::uint32_t network_id = 0;
    SubnetId subnet_id;
    ChainId chain_id;

    void append_json(std::string& out) const;
    static Result<NetworkReply> read(const json::Value& value);
};

struct GenesisReply {
    chain::Genesis genesis;

    void append_json(std::string& out) const;
    static Result<GenesisReply> read(const json::Value& value);
};

struct LastAcceptedReply {
    std::uint64_t height = 0;
    BlockId block_id;

    void append_json(std::string& out) const;
    static Result<LastAcceptedReply> read(const json::Value& value);
};

struct BalanceArgs {
    Address address;

    void append_json(std::string& out) const;
    static Result<BalanceArgs> read(const json::Value& value);
};

struct BalanceReply {
    Amount balance;

    void append_json(std::string& out) const;
    static Result<BalanceReply> read(const json::Value& value);
};

/// Of resolve and hasBlob.
struct ResolveArgs {
    BlobKey key;

    void append_json(std::string& out) const;
    static Result<ResolveArgs> read(const json::Value& value);
};

struct ResolveReply {
    bool exists = false;
    SharedBytes value;
    std::optional<chain::BlobMeta> meta;

    /// Encodes the value in place: one buffer, however large the blob.
    void append_json(std::string& out) const;
    static Result<ResolveReply> read(const json::Value& value);
};

struct HasBlobReply {
    bool exists = false;

    void append_json(std::string& out) const;
    static Result<HasBlobReply> read(const json::Value& value);
};

/// Of hasTx and txStatus.
struct TxIdArgs {
    TxId tx_id;

    void append_json(std::string& out) const;
    static Result<TxIdArgs> read(const json::Value& value);
};

struct HasTxReply {
    bool accepted = false;

    void append_json(std::string& out) const;
    static Result<HasTxReply> read(const json::Value& value);
};

/// What has become of a transaction: "accepted", "pending", "refused", "evicted", "skipped",
/// "expired" or "unknown"; and why, where somebody remembers.
struct TxStatusReply {
    std::string status;
    std::string reason;

    void append_json(std::string& out) const;
    static Result<TxStatusReply> read(const json::Value& value);
};

struct SuggestedRawFeeReply {
    Price price;
    BlockCost cost;

    void append_json(std::string& out) const;
    static Result<SuggestedRawFeeReply> read(const json::Value& value);
};

/// What a client wants to do, before it is priced.
struct FeeInput {
    std::string type;  ///< "set" or "transfer"
    std::string key;   ///< not used by anybody
    Bytes value;
    Address to;
    Amount units;
};

struct SuggestedFeeArgs {
    std::optional<FeeInput> input;

    void append_json(std::string& out) const;
    static Result<SuggestedFeeArgs> read(const json::Value& value);
};

/// EIP-712 typed data, as far as it matters (spec/blobvm.md 3.4, 7.4): numbers are decimal strings.
struct TypedData {
    std::string primary_type;  ///< "set" or "transfer"
    std::string domain_name = "Blob";
    std::string domain_magic;

    // Members of the message; empty where missing or not a string.
    std::optional<std::string> block_id;
    std::optional<std::string> price;
    std::optional<std::string> value;  ///< a set's; 0x and lower case digits
    std::optional<std::string> to;     ///< a transfer's, EIP-55
    std::optional<std::string> units;  ///< a transfer's

    static TypedData of(const chain::TxFields& fields);

    void append_json(std::string& out) const;
    static Result<TypedData> read(const json::Value& value);
};

/// The transaction that typed data describes.
struct TypedTransaction {
    Bytes value;  ///< what a set's fields point into: moves may follow, copies may not
    chain::TxFields fields;

    TypedTransaction() = default;
    TypedTransaction(TypedTransaction&&) = default;
    TypedTransaction& operator=(TypedTransaction&&) = default;
};

/// Checks in the original's order, with its texts (spec/blobvm.md 3.4, steps 2 to 7).
Result<TypedTransaction> parse_typed_data(const TypedData& data);

struct SuggestedFeeReply {
    TypedData typed_data;
    Amount total_cost;

    void append_json(std::string& out) const;
    static Result<SuggestedFeeReply> read(const json::Value& value);
};

struct IssueRawTxArgs {
    SharedBytes tx;  ///< standalone bytes, signed

    void append_json(std::string& out) const;
    static Result<IssueRawTxArgs> read(const json::Value& value);
};

struct IssueTxArgs {
    std::optional<TypedData> typed_data;
    Bytes signature;  ///< of any length

    void append_json(std::string& out) const;
    static Result<IssueTxArgs> read(const json::Value& value);
};

/// Of issueRawTx and issueTx.
struct TxIdReply {
    TxId tx_id;

    void append_json(std::string& out) const;
    static Result<TxIdReply> read(const json::Value& value);
};

struct ActivityItem {
    std::int64_t timestamp_s = 0;
    TxId tx_id;
    std::string type;  ///< "set" or "transfer"
    Address sender;
    std::optional<BlobKey> key;  ///< a set's
    std::optional<Address> to;   ///< a transfer's
    Amount units;                ///< a transfer's

    void append_json(std::string& out) const;
    static Result<ActivityItem> read(const json::Value& value);
};

struct RecentActivityReply {
    std::optional<std::vector<ActivityItem>> activity;  ///< newest first; null where none is kept

    void append_json(std::string& out) const;
    static Result<RecentActivityReply> read(const json::Value& value);
};

/// Arguments in any form that json2 takes: absent or null, an object, or an array whose first
/// element counts.
template <class Args>
Result<Args> read_args(const std::optional<json::Value>& params) {
    if (!params || params->is_null()) return Args{};
    if (params->kind() != json::Kind::kArray) return Args::read(*params);
    const std::optional<json::Value> first = params->first();
    if (!first || first->is_null()) return Args{};
    return Args::read(*first);
}

/// Appends a request: `{"jsonrpc":"2.0","method":METHOD,"params":ARGS,"id":ID}`.
template <class Args>
void append_request(std::string& out, std::string_view method, std::uint64_t id, const Args& args) {
    out += "{\"jsonrpc\":\"2.0\",\"method\":\"";
    out += method;
    out += "\",\"params\":";
    args.append_json(out);
    out += ",\"id\":";
    json::append_number(out, id);
    out += '}';
}

/// The result inside a response object. kRpc with the node's message where it holds an error, and
/// where it is no response at all.
Result<json::Value> read_result(const json::Value& response);

}  // namespace blobvm::jsonrpc
