#include "vm/service/json_rpc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <optional>

#include "proto/jsonrpc/genesis.hpp"
#include "proto/jsonrpc/messages.hpp"
#include "vm/service/methods.hpp"

namespace blobvm::vm::service {
namespace {

using json::Document;
using json::Kind;
using json::Value;

constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kServerError = -32000;

/// Calls of a batch are refused once its response has grown beyond this.
constexpr std::size_t kMaxBatchResponse = 32 * 1024 * 1024;

constexpr std::string_view kBadArguments =
    "couldn't unmarshal an argument. Ensure arguments are valid and properly formatted. See "
    "documentation for example calls";

/// A JSON-RPC request as far as it could be read.
struct Envelope {
    std::string version;
    std::string method;
    std::optional<Value> params;  ///< empty if absent or null
    std::optional<Value> id;      ///< empty if absent or null: a notification
};

/// Why there is no result.
struct Refusal {
    int code = kServerError;
    std::string message;
    bool tells_request = false;  ///< the envelope goes back as `data`
    bool always = false;         ///< told to a notification too: it may not be one
};

Refusal parse_error(std::string message) { return {kParseError, std::move(message), true, true}; }

/// What became of one request.
struct Answer {
    std::optional<Refusal> refusal;
    bool called = false;  ///< a method has run
};

// --- reading the envelope: github.com/gorilla/rpc v1.2.0, json2 ---

std::optional<Value> unless_null(const Value& value) {
    if (value.is_null()) return std::nullopt;
    return value;
}

/// Fills `envelope` as Go's Unmarshal would: a member of the wrong type does not stop the others.
std::optional<Refusal> read_envelope(const Value& request, Envelope& envelope) {
    std::optional<Refusal> refusal;
    const auto refuse = [&refusal](const Failure& failure) {
        if (!refusal) refusal = parse_error(failure.error.message());
    };
    const auto read_text = [&refuse](const Value& value, std::string_view where, std::string& out) {
        if (value.is_null()) return;
        if (auto text = value.as_string()) {
            out = std::move(*text);
        } else {
            refuse(json::type_error(value, where, "string"));
        }
    };
    if (request.kind() != Kind::kObject && !request.is_null()) {
        refuse(json::type_error(request, "", "json2.serverRequest"));
        return refusal;
    }
    for (auto member = request.first(); member; member = member->next()) {
        if (member->is_member("jsonrpc")) {
            read_text(*member, "serverRequest.jsonrpc", envelope.version);
        } else if (member->is_member("method")) {
            read_text(*member, "serverRequest.method", envelope.method);
        } else if (member->is_member("params")) {
            envelope.params = unless_null(*member);
        } else if (member->is_member("id")) {
            envelope.id = unless_null(*member);
        }
    }
    if (!refusal && envelope.version != "2.0") {
        refusal = Refusal{kInvalidRequest, "jsonrpc must be 2.0", true};
    }
    return refusal;
}

void append_raw(std::string& out, const std::optional<Value>& value) {
    if (value) {
        json::append_compact(out, value->raw());
    } else {
        out += "null";
    }
}

void append_envelope(std::string& out, const Envelope& envelope) {
    out += R"({"jsonrpc":)";
    json::append_quoted(out, envelope.version);
    out += R"(,"method":)";
    json::append_quoted(out, envelope.method);
    out += R"(,"params":)";
    append_raw(out, envelope.params);
    out += R"(,"id":)";
    append_raw(out, envelope.id);
    out += '}';
}

// --- calling a method ---

/// Runs a method on a request's parameters and appends its reply.
using Call = Answer (*)(Node& node, const std::optional<Value>& params, std::string& out);

Answer refused(const Error& error) {
    return {Refusal{json_rpc_code(error.code), error.message()}, true};
}

Answer bad_arguments() { return {Refusal{kServerError, std::string{kBadArguments}}, false}; }

template <auto kMethod>
struct Bound;
template <class Reply, class Args, Result<Reply> (*kMethod)(Node&, const Args&)>
struct Bound<kMethod> {
    static Answer call(Node& node, const std::optional<Value>& params, std::string& out) {
        const Result<Args> args = jsonrpc::read_args<Args>(params);
        if (!args) return bad_arguments();
        const Result<Reply> reply = kMethod(node, *args);
        if (!reply) return refused(reply.error());
        reply->append_json(out);
        return {std::nullopt, true};
    }
};

struct Method {
    std::string_view name;
    Call call;
};
constexpr std::array<Method, 13> kMethods{{
    {jsonrpc::kPing, Bound<&ping>::call},
    {jsonrpc::kNetwork, Bound<&network>::call},
    {jsonrpc::kLastAccepted, Bound<&last_accepted>::call},
    {jsonrpc::kBalance, Bound<&balance>::call},
    {jsonrpc::kResolve, Bound<&resolve>::call},
    {jsonrpc::kHasTx, Bound<&has_tx>::call},
    {jsonrpc::kTxStatus, Bound<&tx_status>::call},
    {jsonrpc::kHasBlob, Bound<&has_blob>::call},
    {jsonrpc::kSuggestedRawFee, Bound<&suggested_raw_fee>::call},
    {jsonrpc::kSuggestedFee, Bound<&suggested_fee>::call},
    {jsonrpc::kIssueRawTx, Bound<&issue_raw_tx>::call},
    {jsonrpc::kIssueTx, Bound<&issue_tx>::call},
    {jsonrpc::kRecentActivity, Bound<&recent_activity>::call},
}};

const Method* find_method(std::string_view name) {
    for (const Method& method : kMethods) {
        if (method.name == name) return &method;
    }
    return nullptr;
}

/// The original raises the first letter behind the first dot before it looks the method up, so
/// its refusals show the raised form. (Letters beyond ASCII stay as they are here.)
Refusal unknown_method(std::string name) {
    const std::size_t dot = name.find('.');
    if (dot != std::string::npos && dot + 1 < name.size()) {
        char& first = name[dot + 1];
        if (first >= 'A' && first <= 'Z') {
            return {kServerError, "method must start with a non-uppercase letter"};
        }
        if (first >= 'a' && first <= 'z') first = static_cast<char>(first - 'a' + 'A');
    }
    const std::string quoted = json::go_quote(name);
    if (dot == std::string::npos || name.find('.', dot + 1) != std::string::npos) {
        return {kServerError, "rpc: service/method request ill-formed: " + quoted};
    }
    if (name.substr(0, dot) != jsonrpc::kService) {
        return {kServerError, "rpc: can't find service " + quoted};
    }
    return {kServerError, "rpc: can't find method " + quoted};
}

/// A request whose answer is known before its turn: an issueRawTx of a batch.
using Issued = std::optional<Result<TxId>>;

/// One HTTP body's requests and the response that grows from them.
class Exchange {
  public:
    Exchange(Node& node, const std::string& genesis) : node_{node}, genesis_{genesis} {}

    void answer(std::string_view body) {
        const Result<Document> document = Document::parse_first(body);
        if (!document) {
            refuse({}, parse_error(document.error().message()));
            return;
        }
        const Value root = document->root();
        if (root.kind() == Kind::kArray && root.first() && root.first()->kind() == Kind::kObject) {
            answer_batch(root);
        } else {
            answer_one(root, {});
        }
    }

    std::string take_body() {
        if (!body_.empty()) body_ += '\n';
        return std::move(body_);
    }
    bool any_called() const { return any_called_; }

  private:
    void answer_batch(const Value& batch) {
        std::size_t size = 0;
        for (auto request = batch.first(); request; request = request->next()) ++size;
        if (size > jsonrpc::kMaxBatch) {
            refuse({}, {kInvalidRequest,
                        fmt::format("batch of {} requests, limit {}", size, jsonrpc::kMaxBatch),
                        false, true});
            return;
        }
        const std::vector<Issued> issued = issue_together(batch, size);
        auto known = issued.begin();
        for (auto request = batch.first(); request; request = request->next(), ++known) {
            const std::size_t before = body_.size();
            body_ += before == 0 ? '[' : ',';
            const std::size_t start = body_.size();
            answer_one(*request, *known);
            if (body_.size() == start) body_.resize(before);
        }
        if (!body_.empty()) body_ += ']';
    }

    /// Submits the well-formed issueRawTx calls of a batch at once, so that their signatures are
    /// recovered side by side.
    std::vector<Issued> issue_together(const Value& batch, std::size_t size) {
        std::vector<Issued> issued(size);
        std::vector<std::size_t> places;
        std::vector<chain::RawTransaction> raws;
        std::size_t place = 0;
        for (auto request = batch.first(); request; request = request->next(), ++place) {
            Envelope envelope;
            if (read_envelope(*request, envelope) || envelope.method != jsonrpc::kIssueRawTx) {
                continue;
            }
            const auto args = jsonrpc::read_args<jsonrpc::IssueRawTxArgs>(envelope.params);
            if (!args) continue;  // refused again in its turn
            Result<chain::RawTransaction> raw = chain::decode_transaction(args->tx);
            if (!raw) {
                issued[place] = fail(std::move(raw).error());
                continue;
            }
            places.push_back(place);
            raws.push_back(std::move(*raw));
        }
        if (raws.empty()) return issued;
        std::vector<Result<TxId>> results = node_.vm().submit_all(std::move(raws));
        for (std::size_t i = 0; i < places.size(); ++i) issued[places[i]] = std::move(results[i]);
        return issued;
    }

    void answer_one(const Value& request, const Issued& issued) {
        Envelope envelope;
        if (auto refusal = read_envelope(request, envelope)) {
            refuse(envelope, *refusal);
            return;
        }
        const std::size_t before = body_.size();
        body_ += R"({"jsonrpc":"2.0","result":)";
        const Answer answer = call(envelope, issued);
        any_called_ = any_called_ || answer.called;
        if (answer.refusal || !envelope.id) body_.resize(before);
        if (answer.refusal) {
            refuse(envelope, *answer.refusal);
        } else if (envelope.id) {
            finish(envelope);
        }
    }

    Answer call(const Envelope& envelope, const Issued& issued) {
        if (issued) {
            if (!*issued) return refused(issued->error());
            jsonrpc::TxIdReply{**issued}.append_json(body_);
            return {std::nullopt, true};
        }
        if (body_.size() > kMaxBatchResponse) {
            return {Refusal{kServerError, "the batch's response is too large"}, false};
        }
        if (envelope.method == jsonrpc::kGenesis) {
            if (!jsonrpc::read_args<jsonrpc::NoArgs>(envelope.params)) return bad_arguments();
            body_ += genesis_;
            return {std::nullopt, true};
        }
        const Method* method = find_method(envelope.method);
        if (method == nullptr) return {unknown_method(envelope.method), false};
        return method->call(node_, envelope.params, body_);
    }

    /// A notification hears of nothing, unless nobody can know that it is one.
    void refuse(const Envelope& envelope, const Refusal& refusal) {
        node_.metrics().rpc_errors.add();
        if (!envelope.id && !refusal.always) return;
        body_ += R"({"jsonrpc":"2.0","error":{"code":)";
        json::append_number(body_, std::int64_t{refusal.code});
        body_ += R"(,"message":)";
        json::append_quoted(body_, refusal.message);
        body_ += R"(,"data":)";
        if (refusal.tells_request) {
            append_envelope(body_, envelope);
        } else {
            body_ += "null";
        }
        body_ += '}';
        finish(envelope);
    }

    void finish(const Envelope& envelope) {
        body_ += R"(,"id":)";
        append_raw(body_, envelope.id);
        body_ += '}';
    }

    Node& node_;
    const std::string& genesis_;
    std::string body_;
    bool any_called_ = false;
};

// --- HTTP ---

HttpResponse plain(int status, std::string text) {
    return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text)};
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

/// The value of the Content-Type header up to its first semicolon.
std::string_view content_type(const HttpRequest& request) {
    for (const auto& [name, value] : request.headers) {
        if (same_ignoring_case(name, "Content-Type")) {
            return std::string_view{value}.substr(0, value.find(';'));
        }
    }
    return {};
}

std::string genesis_reply(const chain::Genesis& genesis) {
    std::string reply;
    jsonrpc::GenesisReply{genesis}.append_json(reply);
    return reply;
}

HttpResponse respond(Node& node, const std::string& genesis, const HttpRequest& request) {
    if (request.method != "POST") {
        return plain(405, "rpc: POST method required, received " + request.method);
    }
    const std::string_view type = content_type(request);
    if (!same_ignoring_case(type, "application/json")) {
        return plain(415, "rpc: unrecognized Content-Type: " + std::string{type});
    }
    const std::uint64_t limit = node.vm().config().max_request_bytes;
    if (request.body.size() > limit) {
        return plain(413,
                     fmt::format("request body of {} bytes, limit {}", request.body.size(), limit));
    }
    const Timer timer{node.metrics().rpc};
    Exchange exchange{node, genesis};
    exchange.answer(request.body);
    HttpResponse response;
    response.body = exchange.take_body();
    if (!response.body.empty()) {
        response.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
    }
    if (exchange.any_called()) {
        response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    }
    return response;
}

}  // namespace

JsonRpc::JsonRpc(Node& node) : node_{node}, genesis_{genesis_reply(node.vm().genesis())} {}

HttpResponse JsonRpc::handle(const HttpRequest& request) {
    try {
        return respond(node_, genesis_, request);
    } catch (const std::exception& error) {  // out of memory, and what a library may throw
        return plain(500, std::string{"internal error: "} + error.what());
    }
}

int json_rpc_code(ErrorCode code) {
    switch (code) {
        case ErrorCode::kCodecNoVersion:
        case ErrorCode::kCodecUnknownVersion:
        case ErrorCode::kCodecTooLong:
        case ErrorCode::kCodecTrailingBytes:
        case ErrorCode::kCodecMalformed:
        case ErrorCode::kCodecSliceTooLong:
        case ErrorCode::kCb58Invalid:
        case ErrorCode::kHexInvalid:
        case ErrorCode::kBase64Invalid:
        case ErrorCode::kAddressChecksum:
        case ErrorCode::kJsonInvalid:
        case ErrorCode::kInvalidSignature:
        case ErrorCode::kInvalidRecoveryId:
        case ErrorCode::kRecoveryFailed:
        case ErrorCode::kSignatureNotCanonical:
        case ErrorCode::kInvalidPrivateKey:
        case ErrorCode::kInvalidMagic:
        case ErrorCode::kInvalidBlockRate:
        case ErrorCode::kGenesisBaseTxUnits:
        case ErrorCode::kGenesisValueUnitSize:
        case ErrorCode::kGenesisMaxValueSize:
        case ErrorCode::kGenesisLookbackWindow:
        case ErrorCode::kGenesisTargetBlockSize:
        case ErrorCode::kGenesisMaxBlockSize:
        case ErrorCode::kGenesisAllocation:
        case ErrorCode::kGenesisAirdropUnits:
        case ErrorCode::kGenesisSupplyOverflow:
        case ErrorCode::kAirdropMismatch:
        case ErrorCode::kAirdropInvalid:
        case ErrorCode::kInvalidBlockId:
        case ErrorCode::kWrongMagic:
        case ErrorCode::kPriceBelowMinimum:
        case ErrorCode::kDuplicateTransaction:
        case ErrorCode::kFeeOverflow:
        case ErrorCode::kInvalidBalance:
        case ErrorCode::kInsufficientPrice:
        case ErrorCode::kValueEmpty:
        case ErrorCode::kValueTooBig:
        case ErrorCode::kKeyExists:
        case ErrorCode::kNonActionable:
        case ErrorCode::kInvalidType:
        case ErrorCode::kTypedDataKeyMissing:
        case ErrorCode::kTypedDataNil:
        case ErrorCode::kInputNil:
        case ErrorCode::kNoTransactions:
        case ErrorCode::kTimestampTooLate:
        case ErrorCode::kBlockTooBig:
        case ErrorCode::kBlockBytesTooBig:
        case ErrorCode::kTimestampTooEarly:
        case ErrorCode::kInvalidHeight:
        case ErrorCode::kInvalidBlockCost:
        case ErrorCode::kInvalidPrice:
        case ErrorCode::kParentNotVerified:
        case ErrorCode::kInvalidAccessProof:
        case ErrorCode::kSurplusOverflow:
        case ErrorCode::kInsufficientSurplus:
        case ErrorCode::kMempoolFull:
        case ErrorCode::kSenderLimit:
        case ErrorCode::kPendingBalance:
        case ErrorCode::kTransactionTooBig:
        case ErrorCode::kNotReady:
        case ErrorCode::kBusy:
        case ErrorCode::kNotFound:
        case ErrorCode::kCorruption:
        case ErrorCode::kStoreFailed:
        case ErrorCode::kStoreLocked:
        case ErrorCode::kStoreForeign:
        case ErrorCode::kStoreFormat:
        case ErrorCode::kNodeUnavailable:
        case ErrorCode::kClosed:
        case ErrorCode::kConfigInvalid:
        case ErrorCode::kInvalidState:
        case ErrorCode::kFileEmpty:
        case ErrorCode::kChunkMissing:
        case ErrorCode::kHashMismatch:
        case ErrorCode::kTreeInvalid:
        case ErrorCode::kTooLarge:
        case ErrorCode::kIo:
        case ErrorCode::kConnection:
        case ErrorCode::kHttpStatus:
        case ErrorCode::kRpc:
        case ErrorCode::kTimeout:
        case ErrorCode::kCancelled:
            return kServerError;
    }
    return kServerError;
}

}  // namespace blobvm::vm::service
