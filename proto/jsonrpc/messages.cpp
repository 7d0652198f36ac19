#include "proto/jsonrpc/messages.hpp"

#include <fmt/format.h>

#include "chain/base/base64.hpp"
#include "chain/base/cb58.hpp"
#include "chain/base/hex.hpp"
#include "proto/jsonrpc/detail/reader.hpp"
#include "proto/jsonrpc/genesis.hpp"

namespace blobvm::jsonrpc {
namespace {

using detail::expect_object;
using detail::read;
using json::Kind;
using json::Value;

/// One object under construction: `{"a":1,"b":...}`.
class ObjectWriter {
  public:
    explicit ObjectWriter(std::string& out) : out_{out} { out_ += '{'; }
    ~ObjectWriter() { out_ += '}'; }
    ObjectWriter(const ObjectWriter&) = delete;
    ObjectWriter& operator=(const ObjectWriter&) = delete;

    std::string& key(std::string_view name) {
        if (!first_) out_ += ',';
        first_ = false;
        out_ += '"';
        out_ += name;
        out_ += "\":";
        return out_;
    }
    void flag(std::string_view name, bool value) { key(name) += value ? "true" : "false"; }
    void number(std::string_view name, auto value) { json::append_number(key(name), value); }
    void text(std::string_view name, std::string_view value) {
        json::append_quoted(key(name), value);
    }
    void base64(std::string_view name, ByteView value) {
        key(name);
        out_.reserve(out_.size() + base64_size(value.size()) + 256);
        out_ += '"';
        append_base64(out_, value);
        out_ += '"';
    }
    template <class Tag>
    void id(std::string_view name, const FixedBytes<Tag, 32>& value) {
        text(name, to_cb58(value.view()));
    }

  private:
    std::string& out_;
    bool first_ = true;
};

/// Fills an object's members in order; `fill(member)` looks at each.
template <class Fill>
Result<void> read_members(const Value& value, std::string_view go_type, const Fill& fill) {
    BLOBVM_TRY(expect_object(value, "", go_type));
    for (auto member = value.first(); member; member = member->next()) {
        BLOBVM_TRY(fill(*member));
    }
    return {};
}

/// A reply or arguments with one member.
template <class T, class Field>
Result<T> read_single(const Value& value, std::string_view go_type, std::string_view name,
                      std::string_view where, Field T::*field) {
    T result;
    BLOBVM_TRY(read_members(value, go_type, [&](const Value& member) -> Result<void> {
        if (!member.is_member(name)) return {};
        return read(member, where, result.*field);
    }));
    return result;
}

}  // namespace

void NoArgs::append_json(std::string& out) const { out += "null"; }

Result<NoArgs> NoArgs::read(const Value& value) {
    BLOBVM_TRY(expect_object(value, "", "struct {}"));
    return NoArgs{};
}

void PingReply::append_json(std::string& out) const { ObjectWriter{out}.flag("success", success); }

Result<PingReply> PingReply::read(const Value& value) {
    return read_single(value, "vm.PingReply", "success", "PingReply.success", &PingReply::success);
}

void NetworkReply::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.number("networkId", std::uint64_t{network_id});
    object.id("subnetId", subnet_id);
    object.id("chainId", chain_id);
}

Result<NetworkReply> NetworkReply::read(const Value& value) {
    NetworkReply reply;
    BLOBVM_TRY(read_members(value, "vm.NetworkReply", [&](const Value& member) -> Result<void> {
        if (member.is_member("networkId")) {
            return detail::read(member, "NetworkReply.networkId", reply.network_id);
        }
        if (member.is_member("subnetId")) {
            return detail::read(member, "NetworkReply.subnetId", reply.subnet_id);
        }
        if (member.is_member("chainId")) {
            return detail::read(member, "NetworkReply.chainId", reply.chain_id);
        }
        return {};
    }));
    return reply;
}

void GenesisReply::append_json(std::string& out) const {
    ObjectWriter{out}.key("genesis") += write_genesis(genesis);
}

Result<GenesisReply> GenesisReply::read(const Value& value) {
    BLOBVM_TRY(expect_object(value, "", "vm.GenesisReply"));
    const auto member = value.member("genesis");
    if (!member || member->kind() != Kind::kObject) {
        return fail(ErrorCode::kJsonInvalid, "a reply without genesis");
    }
    BLOBVM_TRY(chain::Genesis genesis, read_genesis(*member));
    return GenesisReply{std::move(genesis)};
}

void LastAcceptedReply::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.number("height", height);
    object.id("blockId", block_id);
}

Result<LastAcceptedReply> LastAcceptedReply::read(const Value& value) {
    LastAcceptedReply reply;
    BLOBVM_TRY(
        read_members(value, "vm.LastAcceptedReply", [&](const Value& member) -> Result<void> {
            if (member.is_member("height")) {
                return detail::read(member, "LastAcceptedReply.height", reply.height);
            }
            if (member.is_member("blockId")) {
                return detail::read(member, "LastAcceptedReply.blockId", reply.block_id);
            }
            return {};
        }));
    return reply;
}

void BalanceArgs::append_json(std::string& out) const {
    ObjectWriter{out}.text("address", to_hex_0x(address.view()));
}

Result<BalanceArgs> BalanceArgs::read(const Value& value) {
    return read_single(value, "vm.BalanceArgs", "address", "BalanceArgs.address",
                       &BalanceArgs::address);
}

void BalanceReply::append_json(std::string& out) const {
    ObjectWriter{out}.number("balance", balance.value);
}

Result<BalanceReply> BalanceReply::read(const Value& value) {
    BalanceReply reply;
    BLOBVM_TRY(read_members(value, "vm.BalanceReply", [&](const Value& member) -> Result<void> {
        if (!member.is_member("balance")) return {};
        return detail::read(member, "BalanceReply.balance", reply.balance.value);
    }));
    return reply;
}

void ResolveArgs::append_json(std::string& out) const {
    ObjectWriter{out}.text("key", to_hex_0x(key.view()));
}

Result<ResolveArgs> ResolveArgs::read(const Value& value) {
    return read_single(value, "vm.ResolveArgs", "key", "ResolveArgs.key", &ResolveArgs::key);
}

void ResolveReply::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.flag("exists", exists);
    if (!exists || !meta) {
        object.key("value") += "null";
        object.key("valueMeta") += "null";
        return;
    }
    object.base64("value", value.view());
    ObjectWriter meta_object{object.key("valueMeta")};
    meta_object.number("size", meta->size_bytes);
    meta_object.id("txId", meta->tx);
    meta_object.number("created", meta->created_s);
}

namespace {

Result<chain::BlobMeta> read_meta(const Value& value) {
    chain::BlobMeta meta;
    BLOBVM_TRY(read_members(value, "chain.ValueMeta", [&](const Value& member) -> Result<void> {
        if (member.is_member("size")) return read(member, "ValueMeta.size", meta.size_bytes);
        if (member.is_member("txId")) return read(member, "ValueMeta.txId", meta.tx);
        if (member.is_member("created")) return read(member, "ValueMeta.created", meta.created_s);
        return {};
    }));
    return meta;
}

}  // namespace

Result<ResolveReply> ResolveReply::read(const Value& value) {
    ResolveReply reply;
    Bytes bytes;
    BLOBVM_TRY(read_members(value, "vm.ResolveReply", [&](const Value& member) -> Result<void> {
        if (member.is_member("exists")) {
            return detail::read(member, "ResolveReply.exists", reply.exists);
        }
        if (member.is_member("value")) return detail::read(member, "ResolveReply.value", bytes);
        if (member.is_member("valueMeta") && !member.is_null()) {
            BLOBVM_TRY(reply.meta, read_meta(member));
        }
        return {};
    }));
    reply.value = SharedBytes{std::move(bytes)};
    return reply;
}

void HasBlobReply::append_json(std::string& out) const { ObjectWriter{out}.flag("exists", exists); }

Result<HasBlobReply> HasBlobReply::read(const Value& value) {
    return read_single(value, "HasBlobReply", "exists", "HasBlobReply.exists",
                       &HasBlobReply::exists);
}

void TxIdArgs::append_json(std::string& out) const { ObjectWriter{out}.id("txId", tx_id); }

Result<TxIdArgs> TxIdArgs::read(const Value& value) {
    return read_single(value, "vm.HasTxArgs", "txId", "HasTxArgs.txId", &TxIdArgs::tx_id);
}

void HasTxReply::append_json(std::string& out) const {
    ObjectWriter{out}.flag("accepted", accepted);
}

Result<HasTxReply> HasTxReply::read(const Value& value) {
    return read_single(value, "vm.HasTxReply", "accepted", "HasTxReply.accepted",
                       &HasTxReply::accepted);
}

void TxStatusReply::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.text("status", status);
    object.text("reason", reason);
}

Result<TxStatusReply> TxStatusReply::read(const Value& value) {
    TxStatusReply reply;
    BLOBVM_TRY(read_members(value, "TxStatusReply", [&](const Value& member) -> Result<void> {
        if (member.is_member("status")) {
            return detail::read(member, "TxStatusReply.status", reply.status);
        }
        if (member.is_member("reason")) {
            return detail::read(member, "TxStatusReply.reason", reply.reason);
        }
        return {};
    }));
    return reply;
}

void SuggestedRawFeeReply::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.number("price", price.value);
    object.number("cost", cost.value);
}

Result<SuggestedRawFeeReply> SuggestedRawFeeReply::read(const Value& value) {
    SuggestedRawFeeReply reply;
    BLOBVM_TRY(
        read_members(value, "vm.SuggestedRawFeeReply", [&](const Value& member) -> Result<void> {
            if (member.is_member("price")) {
                return detail::read(member, "SuggestedRawFeeReply.price", reply.price.value);
            }
            if (member.is_member("cost")) {
                return detail::read(member, "SuggestedRawFeeReply.cost", reply.cost.value);
            }
            return {};
        }));
    return reply;
}

void SuggestedFeeArgs::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.key("input");
    if (!input) {
        out += "null";
        return;
    }
    ObjectWriter fields{out};
    fields.text("type", input->type);
    fields.text("key", input->key);
    fields.base64("value", input->value);
    fields.text("to", to_hex_0x(input->to.view()));
    fields.number("units", input->units.value);
}

namespace {

Result<void> read_fee_input(const Value& member, FeeInput& out) {
    if (member.is_member("type")) return read(member, "Input.input.type", out.type);
    if (member.is_member("key")) return read(member, "Input.input.key", out.key);
    if (member.is_member("value")) return read(member, "Input.input.value", out.value);
    if (member.is_member("to")) return read(member, "Input.input.to", out.to);
    if (member.is_member("units")) return read(member, "Input.input.units", out.units.value);
    return {};
}

}  // namespace

Result<SuggestedFeeArgs> SuggestedFeeArgs::read(const Value& value) {
    SuggestedFeeArgs args;
    BLOBVM_TRY(read_members(value, "vm.SuggestedFeeArgs", [&](const Value& member) -> Result<void> {
        if (!member.is_member("input")) return {};
        if (member.is_null()) {
            args.input.reset();
            return {};
        }
        if (!args.input) args.input.emplace();  // a second `input` adds to the first, as in Go
        return read_members(member, "chain.Input", [&args](const Value& inner) {
            return read_fee_input(inner, *args.input);
        });
    }));
    return args;
}

void SuggestedFeeReply::append_json(std::string& out) const {
    ObjectWriter object{out};
    typed_data.append_json(object.key("typedData"));
    object.number("totalCost", total_cost.value);
}

Result<SuggestedFeeReply> SuggestedFeeReply::read(const Value& value) {
    SuggestedFeeReply reply;
    BLOBVM_TRY(
        read_members(value, "vm.SuggestedFeeReply", [&](const Value& member) -> Result<void> {
            if (member.is_member("typedData")) {
                BLOBVM_TRY(reply.typed_data, TypedData::read(member));
            } else if (member.is_member("totalCost")) {
                return detail::read(member, "SuggestedFeeReply.totalCost", reply.total_cost.value);
            }
            return {};
        }));
    return reply;
}

void IssueRawTxArgs::append_json(std::string& out) const {
    ObjectWriter{out}.base64("tx", tx.view());
}

Result<IssueRawTxArgs> IssueRawTxArgs::read(const Value& value) {
    Bytes bytes;
    BLOBVM_TRY(read_members(value, "vm.IssueRawTxArgs", [&](const Value& member) -> Result<void> {
        if (!member.is_member("tx")) return {};
        return detail::read(member, "IssueRawTxArgs.tx", bytes);
    }));
    return IssueRawTxArgs{SharedBytes{std::move(bytes)}};
}

void IssueTxArgs::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.key("typedData");
    if (typed_data) {
        typed_data->append_json(out);
    } else {
        out += "null";
    }
    object.text("signature", to_hex_0x(signature));
}

Result<IssueTxArgs> IssueTxArgs::read(const Value& value) {
    IssueTxArgs args;
    BLOBVM_TRY(read_members(value, "vm.IssueTxArgs", [&](const Value& member) -> Result<void> {
        if (member.is_member("signature")) {
            return detail::read_hex(member, "IssueTxArgs.signature", args.signature);
        }
        if (!member.is_member("typedData")) return {};
        if (member.is_null()) {
            args.typed_data.reset();
            return {};
        }
        BLOBVM_TRY(args.typed_data, TypedData::read(member));
        return {};
    }));
    return args;
}

void TxIdReply::append_json(std::string& out) const { ObjectWriter{out}.id("txId", tx_id); }

Result<TxIdReply> TxIdReply::read(const Value& value) {
    return read_single(value, "vm.IssueTxReply", "txId", "IssueTxReply.txId", &TxIdReply::tx_id);
}

void ActivityItem::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.number("timestamp", timestamp_s);
    object.id("txId", tx_id);
    object.text("type", type);
    object.text("sender", to_checksummed(sender));
    if (key) object.text("key", to_hex_0x(key->view()));
    if (to) object.text("to", to_checksummed(*to));
    if (units.value != 0) object.number("units", units.value);
}

Result<ActivityItem> ActivityItem::read(const Value& value) {
    ActivityItem item;
    BLOBVM_TRY(read_members(value, "chain.Activity", [&](const Value& member) -> Result<void> {
        if (member.is_member("timestamp")) {
            return detail::read(member, "Activity.timestamp", item.timestamp_s);
        }
        if (member.is_member("txId")) return detail::read(member, "Activity.txId", item.tx_id);
        if (member.is_member("type")) return detail::read(member, "Activity.type", item.type);
        if (member.is_member("sender")) return detail::read(member, "Activity.sender", item.sender);
        if (member.is_member("key")) {
            return detail::read(member, "Activity.key", item.key.emplace());
        }
        if (member.is_member("to")) return detail::read(member, "Activity.to", item.to.emplace());
        if (member.is_member("units")) {
            return detail::read(member, "Activity.units", item.units.value);
        }
        return {};
    }));
    return item;
}

void RecentActivityReply::append_json(std::string& out) const {
    ObjectWriter object{out};
    object.key("activity");
    if (!activity) {
        out += "null";
        return;
    }
    out += '[';
    for (const ActivityItem& item : *activity) {
        if (out.back() != '[') out += ',';
        item.append_json(out);
    }
    out += ']';
}

Result<RecentActivityReply> RecentActivityReply::read(const Value& value) {
    RecentActivityReply reply;
    BLOBVM_TRY(expect_object(value, "", "vm.RecentActivityReply"));
    const auto member = value.member("activity");
    if (!member || member->is_null()) return reply;
    if (member->kind() != Kind::kArray) {
        return json::type_error(*member, "RecentActivityReply.activity", "[]*chain.Activity");
    }
    reply.activity.emplace();
    for (auto element = member->first(); element; element = element->next()) {
        BLOBVM_TRY(ActivityItem item, ActivityItem::read(*element));
        reply.activity->push_back(std::move(item));
    }
    return reply;
}

Result<Value> read_result(const Value& response) {
    if (response.kind() != Kind::kObject) return fail(ErrorCode::kRpc, "not a JSON-RPC response");
    const auto error = response.member("error");
    if (error && !error->is_null()) {
        const auto message = error->member("message");
        auto text = message ? message->as_string() : std::nullopt;
        return fail(ErrorCode::kRpc, text ? std::move(*text) : std::string{error->raw()});
    }
    const auto result = response.member("result");
    if (!result || result->is_null()) return fail(ErrorCode::kRpc, "a response without a result");
    return *result;
}

}  // namespace blobvm::jsonrpc
