#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <utility>

#include <fmt/format.h>

#include "chain/base/base64.hpp"
#include "chain/base/cb58.hpp"
#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "chain/base/mutex.hpp"
#include "client/client.hpp"
#include "client/detail/http_transport.hpp"
#include "proto/jsonrpc/messages.hpp"

namespace blobvm::client {

namespace {

constexpr std::size_t kBatch = 256;  ///< ids asked for in one request, well below the node's limit

Failure bad_answer(std::string_view what) {
    return fail(ErrorCode::kRpc, fmt::format("the node's answer is not understood: {}", what));
}

/// Whether a node of the original, which reads one object only, was sent a batch.
bool refuses_batches(const json::Value& answer) { return answer.kind() == json::Kind::kObject; }

/// What fits alone may not fit together.
bool is_too_long(const Error& error) {
    return error.code == ErrorCode::kHttpStatus && error.detail == "413";
}

TxStatus to_status(const jsonrpc::TxStatusReply& reply) {
    using Kind = TxStatus::Kind;
    if (reply.status == "accepted") return {Kind::kAccepted, {}};
    if (reply.status == "pending") return {Kind::kPending, {}};
    if (reply.status == "unknown") return {Kind::kUnknown, {}};
    return {Kind::kDropped, reply.reason};
}

class HttpClient final : public Client {
  public:
    HttpClient(detail::Endpoint endpoint, const HttpOptions& options)
        : transport_{std::move(endpoint), options} {}

    Result<void> ping() override {
        BLOBVM_TRY(const auto reply, call<jsonrpc::PingReply>(jsonrpc::kPing, jsonrpc::NoArgs{}));
        if (!reply.success) return bad_answer("ping without success");
        return {};
    }

    Result<Network> network() override {
        BLOBVM_TRY(const auto reply,
                   call<jsonrpc::NetworkReply>(jsonrpc::kNetwork, jsonrpc::NoArgs{}));
        return Network{reply.network_id, reply.subnet_id, reply.chain_id};
    }

    Result<chain::Genesis> genesis() override {
        {
            const Lock lock{mutex_};
            if (genesis_) return *genesis_;
        }
        BLOBVM_TRY(auto reply, call<jsonrpc::GenesisReply>(jsonrpc::kGenesis, jsonrpc::NoArgs{}));
        const Lock lock{mutex_};
        genesis_ = std::move(reply.genesis);
        return *genesis_;
    }

    Result<LastAccepted> last_accepted() override {
        BLOBVM_TRY(const auto reply,
                   call<jsonrpc::LastAcceptedReply>(jsonrpc::kLastAccepted, jsonrpc::NoArgs{}));
        return LastAccepted{reply.height, reply.block_id};
    }

    Result<Amount> balance(const Address& address) override {
        BLOBVM_TRY(const auto reply,
                   call<jsonrpc::BalanceReply>(jsonrpc::kBalance, jsonrpc::BalanceArgs{address}));
        return reply.balance;
    }

    Result<std::optional<Resolved>> resolve(const BlobKey& key) override {
        BLOBVM_TRY(const auto reply,
                   call<jsonrpc::ResolveReply>(jsonrpc::kResolve, jsonrpc::ResolveArgs{key}));
        if (!reply.exists) return std::optional<Resolved>{};
        if (!reply.meta) return bad_answer("a value without valueMeta");
        if (retag<BlobKey>(keccak256(reply.value.view())) != key) {
            return fail(ErrorCode::kHashMismatch, to_hex_0x(key.view()));
        }
        return std::optional<Resolved>{Resolved{to_bytes(reply.value.view()), *reply.meta}};
    }

    Result<bool> has_transaction(const TxId& id) override {
        BLOBVM_TRY(const auto reply,
                   call<jsonrpc::HasTxReply>(jsonrpc::kHasTx, jsonrpc::TxIdArgs{id}));
        return reply.accepted;
    }

    Result<std::vector<bool>> have_transactions(std::span<const TxId> ids) override {
        BLOBVM_TRY(const auto replies,
                   (call_many<jsonrpc::HasTxReply, jsonrpc::TxIdArgs>(jsonrpc::kHasTx, ids)));
        std::vector<bool> accepted;
        accepted.reserve(replies.size());
        for (const jsonrpc::HasTxReply& reply : replies) accepted.push_back(reply.accepted);
        return accepted;
    }

    Result<std::optional<std::vector<TxStatus>>> transaction_statuses(
        std::span<const TxId> ids) override {
        using Statuses = std::optional<std::vector<TxStatus>>;
        BLOBVM_TRY(const auto replies, (call_ours<jsonrpc::TxStatusReply, jsonrpc::TxIdArgs>(
                                           jsonrpc::kTxStatus, ids, no_statuses_)));
        if (!replies) return Statuses{};
        Statuses statuses{std::in_place};
        for (const jsonrpc::TxStatusReply& reply : *replies) {
            statuses->push_back(to_status(reply));
        }
        return statuses;
    }

    Result<std::optional<std::vector<bool>>> have_blobs(std::span<const BlobKey> keys) override {
        using Found = std::optional<std::vector<bool>>;
        BLOBVM_TRY(const auto replies, (call_ours<jsonrpc::HasBlobReply, jsonrpc::ResolveArgs>(
                                           jsonrpc::kHasBlob, keys, no_has_blob_)));
        if (!replies) return Found{};
        Found found{std::in_place};
        for (const jsonrpc::HasBlobReply& reply : *replies) found->push_back(reply.exists);
        return found;
    }

    Result<chain::SuggestedFee> suggested_raw_fee() override {
        BLOBVM_TRY(const auto reply, call<jsonrpc::SuggestedRawFeeReply>(jsonrpc::kSuggestedRawFee,
                                                                         jsonrpc::NoArgs{}));
        return chain::SuggestedFee{reply.price, reply.cost};
    }

    Result<TxId> issue_raw(ByteView standalone) override {
        BLOBVM_TRY(
            const auto reply,
            call<jsonrpc::TxIdReply>(jsonrpc::kIssueRawTx,
                                     jsonrpc::IssueRawTxArgs{SharedBytes::copy_of(standalone)}));
        return reply.tx_id;
    }

    Issued issue_raw_many(std::vector<SharedBytes> standalone) override {
        return std::async(std::launch::async, [this, standalone = std::move(standalone)] {
            return issue_together(standalone);
        });
    }

    Result<std::vector<ActivityEntry>> recent_activity() override {
        BLOBVM_TRY(const auto reply,
                   call<jsonrpc::RecentActivityReply>(jsonrpc::kRecentActivity, jsonrpc::NoArgs{}));
        std::vector<ActivityEntry> entries;
        if (!reply.activity) return entries;
        for (const jsonrpc::ActivityItem& item : *reply.activity) {
            ActivityEntry& entry = entries.emplace_back();
            entry.timestamp_s = item.timestamp_s;
            entry.id = item.tx_id;
            entry.type = item.type;
            entry.sender = item.sender;
            entry.key = item.key;
            entry.to = item.to;
            entry.units = item.units;
            item.append_json(entry.json);
        }
        return entries;
    }

  private:
    std::vector<Result<TxId>> issue_together(std::span<const SharedBytes> standalone) {
        std::vector<Result<TxId>> results;
        const auto replies = call_each<jsonrpc::TxIdReply, jsonrpc::IssueRawTxArgs>(
            jsonrpc::kIssueRawTx, standalone);
        if (!replies && is_too_long(replies.error())) {
            for (const SharedBytes& bytes : standalone) results.push_back(issue_raw(bytes.view()));
            return results;
        }
        if (!replies) return {standalone.size(), fail(replies.error())};
        for (const Result<jsonrpc::TxIdReply>& reply : *replies) {
            results.push_back(reply ? Result<TxId>{reply->tx_id} : fail(reply.error()));
        }
        return results;
    }

    template <class Reply, class Args>
    Result<Reply> call(std::string_view method, const Args& args) {
        std::string body;
        jsonrpc::append_request(body, method, next_id_++, args);
        BLOBVM_TRY(const std::string answer, transport_.post(std::move(body)));
        const auto document = json::Document::parse(answer);
        if (!document) return bad_answer(document.error().message());
        return read_reply<Reply>(document->root());
    }

    template <class Reply>
    static Result<Reply> read_reply(const json::Value& response) {
        BLOBVM_TRY(const json::Value result, jsonrpc::read_result(response));
        auto reply = Reply::read(result);
        if (!reply) return bad_answer(reply.error().message());
        return reply;
    }

    /// call_many of a method that the original has not: empty for a node without it, which is
    /// remembered in `missing`.
    template <class Reply, class Args, class Id>
    Result<std::optional<std::vector<Reply>>> call_ours(std::string_view method,
                                                        std::span<const Id> ids,
                                                        std::atomic<bool>& missing) {
        using Replies = std::optional<std::vector<Reply>>;
        if (ids.empty()) return Replies{std::in_place};
        if (missing) return Replies{};
        auto replies = call_many<Reply, Args>(method, ids);
        if (replies) return Replies{std::move(*replies)};
        if (!replies.error().detail.starts_with("rpc: can't find method")) {
            return fail(replies.error());
        }
        missing = true;
        return Replies{};
    }

    /// The replies, or the first error among them.
    template <class Reply, class Args, class Id>
    Result<std::vector<Reply>> call_many(std::string_view method, std::span<const Id> ids) {
        BLOBVM_TRY(auto answers, (call_each<Reply, Args>(method, ids)));
        std::vector<Reply> replies;
        replies.reserve(ids.size());
        for (Result<Reply>& answer : answers) {
            BLOBVM_TRY(Reply reply, std::move(answer));
            replies.push_back(std::move(reply));
        }
        return replies;
    }

    /// One batch for each kBatch ids; single calls to a node that has no batches. Fails where a
    /// request does; what the node refuses is an answer.
    template <class Reply, class Args, class Id>
    Result<std::vector<Result<Reply>>> call_each(std::string_view method, std::span<const Id> ids) {
        std::vector<Result<Reply>> answers;
        answers.reserve(ids.size());
        while (!ids.empty()) {
            const std::size_t count = std::min(ids.size(), kBatch);
            BLOBVM_TRY(const bool done, call_batch<Args>(method, ids.first(count), answers));
            if (!done) {
                for (const Id& id : ids.first(count)) {
                    Result<Reply> reply = call<Reply>(method, Args{id});
                    if (!reply && reply.error().code != ErrorCode::kRpc) return fail(reply.error());
                    answers.push_back(std::move(reply));
                }
            }
            ids = ids.subspan(count);
        }
        return answers;
    }

    /// False if the node has no batches.
    template <class Args, class Id, class Reply>
    Result<bool> call_batch(std::string_view method, std::span<const Id> ids,
                            std::vector<Result<Reply>>& answers) {
        if (no_batches_ || ids.size() == 1) return false;
        const std::uint64_t first_id = next_id_.fetch_add(ids.size());
        std::string body = "[";
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (i != 0) body += ',';
            jsonrpc::append_request(body, method, first_id + i, Args{ids[i]});
        }
        body += ']';
        BLOBVM_TRY(const std::string answer, transport_.post(std::move(body)));
        const auto document = json::Document::parse(answer);
        if (!document) return bad_answer(document.error().message());
        if (refuses_batches(document->root())) {
            no_batches_ = true;
            return false;
        }

        // Answers of a batch may come in any order.
        std::vector<std::optional<Result<Reply>>> found(ids.size());
        for (const json::Value& response : document->root().elements()) {
            const auto id = response.member("id");
            const auto number = id ? id->as_u64() : std::nullopt;
            if (!number || *number < first_id || *number - first_id >= ids.size()) {
                return bad_answer("an id that nobody asked for");
            }
            found[*number - first_id] = read_reply<Reply>(response);
        }
        for (std::optional<Result<Reply>>& reply : found) {
            if (!reply) return bad_answer("an incomplete batch");
            answers.push_back(*std::move(reply));
        }
        return true;
    }

    detail::HttpTransport transport_;
    std::atomic<std::uint64_t> next_id_{1};
    std::atomic<bool> no_batches_{false};
    std::atomic<bool> no_statuses_{false};
    std::atomic<bool> no_has_blob_{false};
    Mutex mutex_;
    std::optional<chain::Genesis> genesis_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<Client>> open_http(const HttpOptions& options) {
    BLOBVM_TRY(detail::Endpoint endpoint, detail::parse_endpoint(options.endpoint));
    return std::unique_ptr<Client>{std::make_unique<HttpClient>(std::move(endpoint), options)};
}

}  // namespace blobvm::client
