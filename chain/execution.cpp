#include "chain/execution.hpp"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <utility>

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

/// What a good transaction does.
struct Effect {
    Amount sender_before;
    Amount sender_after;
    std::optional<std::pair<Address, Amount>> recipient;  ///< of a transfer, with its new balance
    std::optional<BlobMeta> blob;                         ///< of a set
};

template <class View>
Result<void> look_at_set(const Transaction& tx, const SetFields& set, const Scene& scene,
                         const View& state, Effect& effect) {
    const std::uint64_t size_bytes = set.value.size();
    if (size_bytes == 0) return fail(ErrorCode::kValueEmpty);
    if (size_bytes > scene.rules.max_value_size) return fail(ErrorCode::kValueTooBig);
    BLOBVM_TRY(const bool known, state.has_blob(tx.key));
    if (known) return fail(ErrorCode::kKeyExists);

    effect.blob = BlobMeta{.size_bytes = size_bytes,
                           .tx = tx.id,
                           .created_s = static_cast<std::uint64_t>(scene.block_time_s)};
    return {};
}

template <class View>
Result<void> look_at_transfer(const Transaction& tx, const TransferFields& transfer,
                              const View& state, Effect& effect) {
    if (transfer.to.is_zero() || transfer.to == tx.sender || transfer.units == Amount{0}) {
        return fail(ErrorCode::kNonActionable);
    }
    BLOBVM_TRY(effect.sender_after, take(effect.sender_after, tx.sender, transfer.units));
    BLOBVM_TRY(const Amount before, state.balance(transfer.to));
    BLOBVM_TRY(const Amount after, give(before, transfer.to, transfer.units));
    effect.recipient.emplace(transfer.to, after);
    return {};
}

/// `state` is a State or an Overlay.
template <class View>
Result<Effect> look_at(const Transaction& tx, const Scene& scene, const View& state) {
    const TxFields& fields = tx.fields();
    BLOBVM_TRY(check_context(fields, tx.id, scene));
    const Amount cost = *fee(fields.price, fee_units(scene.rules, fields));
    Effect effect;
    BLOBVM_TRY(effect.sender_before, state.balance(tx.sender));
    BLOBVM_TRY(effect.sender_after, take(effect.sender_before, tx.sender, cost));
    if (fields.price < scene.window.next_price()) return fail(ErrorCode::kInsufficientPrice);

    if (const SetFields* const set = fields.set()) {
        BLOBVM_TRY(look_at_set(tx, *set, scene, state, effect));
    } else {
        BLOBVM_TRY(look_at_transfer(tx, *fields.transfer(), state, effect));
    }
    return effect;
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

Result<Amount> check(const Transaction& tx, const Scene& scene, const State& state) {
    BLOBVM_TRY(const Effect effect, look_at(tx, scene, state));
    return effect.sender_before;
}

Result<void> execute(const Transaction& tx, const Scene& scene, Overlay& state) {
    BLOBVM_TRY(const Effect effect, look_at(tx, scene, state));
    state.set_balance(tx.sender, effect.sender_after);
    if (effect.recipient) state.set_balance(effect.recipient->first, effect.recipient->second);
    if (effect.blob) state.put_blob(tx.key, *effect.blob);
    return {};
}

}  // namespace blobvm::chain
