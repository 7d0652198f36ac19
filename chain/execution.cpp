#include "chain/execution.hpp"

#include <fmt/format.h>

#include <limits>

#include "chain/base/hex.hpp"

namespace blobvm::chain {
namespace {

std::string balance_detail(Amount balance, const Address& address, bool is_add, Amount change) {
    return fmt::format("bal={}, addr={}, add={}, prev={}, change={}", balance.value,
                       to_checksummed(address), is_add, balance.value, change.value);
}

Result<Amount> take(Amount balance, const Address& address, Amount change) {
    if (const auto rest = subtract(balance, change)) return *rest;
    return fail(ErrorCode::kInvalidBalance, balance_detail(balance, address, false, change));
}

Result<Amount> give(Amount balance, const Address& address, Amount change) {
    if (const auto sum = add(balance, change)) return *sum;
    return fail(ErrorCode::kInvalidBalance, balance_detail(balance, address, true, change));
}

Result<void> execute_set(const Transaction& tx, const SetFields& set, Amount rest,
                         const Scene& scene, Overlay& state) {
    const std::uint64_t size_bytes = set.value.size();
    if (size_bytes == 0) return fail(ErrorCode::kValueEmpty);
    if (size_bytes > scene.rules.max_value_size) return fail(ErrorCode::kValueTooBig);
    BLOBVM_TRY(const bool known, state.has_blob(tx.key));
    if (known) return fail(ErrorCode::kKeyExists);

    state.set_balance(tx.sender, rest);
    state.put_blob(tx.key, {.size_bytes = size_bytes,
                            .tx = tx.id,
                            .created_s = static_cast<std::uint64_t>(scene.block_time_s)});
    return {};
}

Result<void> execute_transfer(const Transaction& tx, const TransferFields& transfer, Amount rest,
                              Overlay& state) {
    if (transfer.to.is_zero() || transfer.to == tx.sender || transfer.units == Amount{0}) {
        return fail(ErrorCode::kNonActionable);
    }
    BLOBVM_TRY(const Amount sender_balance, take(rest, tx.sender, transfer.units));
    BLOBVM_TRY(const Amount before, state.balance(transfer.to));
    BLOBVM_TRY(const Amount after, give(before, transfer.to, transfer.units));

    state.set_balance(tx.sender, sender_balance);
    state.set_balance(transfer.to, after);
    return {};
}

}  // namespace

std::uint64_t value_units(const Genesis& rules, std::uint64_t value_bytes) {
    return value_bytes / rules.value_unit_size + 1;
}

FeeUnits fee_units(const Genesis& rules, const TxFields& fields) {
    const FeeUnits base{rules.base_tx_units};
    const SetFields* const set = fields.set();
    if (set == nullptr) return base;
    // A value above the limit may not fit; it is refused whatever it weighs.
    return add(base, FeeUnits{value_units(rules, set->value.size())})
        .value_or(FeeUnits{std::numeric_limits<std::uint64_t>::max()});
}

Result<void> check_context(const TxFields& fields, const TxId& id, const Scene& scene) {
    if (fields.block_id.is_zero()) return fail(ErrorCode::kInvalidBlockId);
    if (fields.magic != scene.rules.magic) return fail(ErrorCode::kWrongMagic);
    if (fields.price < scene.rules.min_price) return fail(ErrorCode::kPriceBelowMinimum);
    if (!scene.window.has_block(fields.block_id)) return fail(ErrorCode::kInvalidBlockId);
    if (scene.window.has_transaction(id)) return fail(ErrorCode::kDuplicateTransaction);
    const FeeUnits units = fee_units(scene.rules, fields);
    if (!fee(fields.price, units)) {
        return fail(ErrorCode::kFeeOverflow,
                    fmt::format("price={} units={}", fields.price.value, units.value));
    }
    return {};
}

Result<void> execute(const Transaction& tx, const Scene& scene, Overlay& state) {
    const TxFields& fields = tx.fields();
    BLOBVM_TRY(check_context(fields, tx.id, scene));
    const Amount cost = *fee(fields.price, fee_units(scene.rules, fields));
    BLOBVM_TRY(const Amount balance, state.balance(tx.sender));
    BLOBVM_TRY(const Amount rest, take(balance, tx.sender, cost));
    if (fields.price < scene.window.next_price()) return fail(ErrorCode::kInsufficientPrice);

    if (const SetFields* const set = fields.set()) {
        return execute_set(tx, *set, rest, scene, state);
    }
    return execute_transfer(tx, *fields.transfer(), rest, state);
}

}  // namespace blobvm::chain
