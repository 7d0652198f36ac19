#include "vm/service/methods.hpp"

#include "chain/execution.hpp"
#include "chain/signing.hpp"

namespace blobvm::vm::service {
namespace {

std::string_view name_of(mempool::Fate fate) {
    switch (fate) {
        case mempool::Fate::kRefused:
            return "refused";
        case mempool::Fate::kEvicted:
            return "evicted";
        case mempool::Fate::kSkipped:
            return "skipped";
        case mempool::Fate::kExpired:
            return "expired";
    }
    return "unknown";
}

/// What the client wants to do, as the body of a transaction.
Result<std::variant<chain::SetFields, chain::TransferFields>> body_of(
    const jsonrpc::FeeInput& input) {
    if (input.type == "set") return {chain::SetFields{input.value}};
    if (input.type == "transfer") return {chain::TransferFields{input.to, input.units}};
    return fail(ErrorCode::kInvalidType);
}

jsonrpc::ActivityItem item_of(const Activity& activity) {
    jsonrpc::ActivityItem item{.timestamp_s = activity.timestamp_s,
                               .tx_id = activity.id,
                               .type = activity.key ? "set" : "transfer",
                               .sender = activity.sender,
                               .key = activity.key,
                               .to = {},
                               .units = {}};
    if (activity.transfer) {
        item.to = activity.transfer->first;
        item.units = activity.transfer->second;
    }
    return item;
}

}  // namespace

Result<jsonrpc::PingReply> ping(Node&, const jsonrpc::NoArgs&) {
    return jsonrpc::PingReply{.success = true};
}

Result<jsonrpc::NetworkReply> network(Node& node, const jsonrpc::NoArgs&) {
    const ChainSetup& setup = node.setup();
    return jsonrpc::NetworkReply{
        .network_id = setup.network_id, .subnet_id = setup.subnet_id, .chain_id = setup.chain_id};
}

Result<jsonrpc::LastAcceptedReply> last_accepted(Node& node, const jsonrpc::NoArgs&) {
    const Tip tip = node.vm().snapshot()->tip();
    return jsonrpc::LastAcceptedReply{.height = tip.height, .block_id = tip.id};
}

Result<jsonrpc::BalanceReply> balance(Node& node, const jsonrpc::BalanceArgs& args) {
    BLOBVM_TRY(const Amount amount, node.vm().snapshot()->balance(args.address));
    return jsonrpc::BalanceReply{.balance = amount};
}

Result<jsonrpc::ResolveReply> resolve(Node& node, const jsonrpc::ResolveArgs& args) {
    const auto snapshot = node.vm().snapshot();
    BLOBVM_TRY(const std::optional<chain::BlobMeta> meta, snapshot->blob_meta(args.key));
    if (!meta) return jsonrpc::ResolveReply{};
    Result<SharedBytes> value = snapshot->blob(args.key);
    if (!value && value.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kCorruption);
    if (!value) return fail(std::move(value).error());
    return jsonrpc::ResolveReply{.exists = true, .value = std::move(*value), .meta = meta};
}

Result<jsonrpc::HasBlobReply> has_blob(Node& node, const jsonrpc::ResolveArgs& args) {
    BLOBVM_TRY(const auto meta, node.vm().snapshot()->blob_meta(args.key));
    return jsonrpc::HasBlobReply{.exists = meta.has_value()};
}

Result<jsonrpc::HasTxReply> has_tx(Node& node, const jsonrpc::TxIdArgs& args) {
    BLOBVM_TRY(const bool accepted, node.vm().snapshot()->has_transaction(args.tx_id));
    return jsonrpc::HasTxReply{.accepted = accepted};
}

Result<jsonrpc::TxStatusReply> tx_status(Node& node, const jsonrpc::TxIdArgs& args) {
    // The pool is asked first: a transaction that is accepted meanwhile is then found in the state.
    const bool pending = node.vm().mempool().contains(args.tx_id);
    BLOBVM_TRY(const bool accepted, node.vm().snapshot()->has_transaction(args.tx_id));
    if (accepted) return jsonrpc::TxStatusReply{.status = "accepted", .reason = {}};
    const std::optional<mempool::DropRecord> record = node.vm().mempool().why(args.tx_id);
    jsonrpc::TxStatusReply reply{.status = "unknown", .reason = {}};
    if (record) {
        reply.status = name_of(record->fate);
        reply.reason = record->reason.message();
    }
    if (pending) reply.status = "pending";
    return reply;
}

Result<jsonrpc::SuggestedRawFeeReply> suggested_raw_fee(Node& node, const jsonrpc::NoArgs&) {
    const chain::SuggestedFee fee = node.vm().suggested_fee();
    return jsonrpc::SuggestedRawFeeReply{.price = fee.price, .cost = fee.cost};
}

Result<jsonrpc::SuggestedFeeReply> suggested_fee(Node& node,
                                                 const jsonrpc::SuggestedFeeArgs& args) {
    if (!args.input) return fail(ErrorCode::kInputNil);
    chain::TxFields fields;
    BLOBVM_TRY(fields.body, body_of(*args.input));

    const chain::Genesis& rules = node.vm().genesis();
    const FeeUnits units = chain::fee_units(rules, fields);
    if (units.value == 0) return fail(ErrorCode::kGenesisBaseTxUnits);
    const chain::SuggestedFee suggested = node.vm().suggested_fee();
    const auto price = add(suggested.price, Price{suggested.cost.value / units.value});
    if (!price) return fail(ErrorCode::kFeeOverflow);
    const auto total = fee(*price, units);
    if (!total) return fail(ErrorCode::kFeeOverflow);

    fields.block_id = node.vm().snapshot()->tip().id;
    fields.magic = rules.magic;
    fields.price = *price;
    return jsonrpc::SuggestedFeeReply{.typed_data = jsonrpc::TypedData::of(fields),
                                      .total_cost = *total};
}

Result<jsonrpc::TxIdReply> issue_raw_tx(Node& node, const jsonrpc::IssueRawTxArgs& args) {
    BLOBVM_TRY(const TxId id, node.vm().submit(args.tx));
    return jsonrpc::TxIdReply{.tx_id = id};
}

Result<jsonrpc::TxIdReply> issue_tx(Node& node, const jsonrpc::IssueTxArgs& args) {
    if (!args.typed_data) return fail(ErrorCode::kTypedDataNil);
    BLOBVM_TRY(const jsonrpc::TypedTransaction typed, parse_typed_data(*args.typed_data));
    BLOBVM_TRY(const Signature signature, chain::normalise_signature(args.signature));
    BLOBVM_TRY(Bytes bytes, chain::encode_transaction(typed.fields, signature.view()));
    BLOBVM_TRY(const TxId id, node.vm().submit(SharedBytes{std::move(bytes)}));
    return jsonrpc::TxIdReply{.tx_id = id};
}

Result<jsonrpc::RecentActivityReply> recent_activity(Node& node, const jsonrpc::NoArgs&) {
    jsonrpc::RecentActivityReply reply;
    if (node.vm().config().activity_cache_size == 0) return reply;
    reply.activity.emplace();
    for (const Activity& activity : node.vm().recent_activity()) {
        reply.activity->push_back(item_of(activity));
    }
    return reply;
}

}  // namespace blobvm::vm::service
