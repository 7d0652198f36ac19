#include "chain/building.hpp"

#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

namespace blobvm::chain {
namespace {

constexpr std::size_t kHeaderBytes = 102;  ///< a block without transactions
constexpr int kMaxMisfitsInARow = 256;     ///< a full block must not cost a walk through the pool

/// Whether an offer is to blame; everything else (a failing store) ends the build.
bool is_offers_fault(ErrorCode code) {
    switch (code) {
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
            return true;
        default:
            return false;
    }
}

/// A block in the making: what has been taken, and what that adds up to.
struct Draft {
    std::vector<TransactionPtr> transactions;
    absl::flat_hash_set<TxId, IdHash> ids;
    FeeUnits units;
    std::size_t size_bytes = kHeaderBytes;
    Amount surplus;
};

/// The draft's sums with `tx` in it; empty where a limit forbids it.
struct Sums {
    FeeUnits units;
    std::size_t size_bytes;
    Amount surplus;
};
std::optional<Sums> sums_with(const Draft& draft, const Transaction& tx, Price block_price,
                              const Genesis& rules) {
    const FeeUnits weight = fee_units(rules, tx.fields());
    const std::size_t size_bytes = draft.size_bytes + tx.raw.nested.size();
    const auto units = add(draft.units, weight);
    const auto paid = fee(Price{tx.price().value - block_price.value}, weight);
    const auto surplus = paid ? add(draft.surplus, *paid) : std::nullopt;
    if (!units || units->value > rules.max_block_size) return std::nullopt;
    if (size_bytes > kMaxBlockBytes || !surplus) return std::nullopt;
    return Sums{.units = *units, .size_bytes = size_bytes, .surplus = *surplus};
}

Result<Draft> fill(Price price, const Scene& scene, Overlay& overlay, const NextOffer& next_offer,
                   const OnSkipped& on_skipped) {
    Draft draft;
    int misfits = 0;
    while (misfits < kMaxMisfitsInARow) {
        if (scene.rules.max_block_size - draft.units.value < scene.rules.base_tx_units) break;
        const TransactionPtr tx = next_offer();
        if (tx == nullptr || tx->price() < price) break;
        if (!draft.ids.insert(tx->id).second) {
            on_skipped(tx, Error{ErrorCode::kDuplicateTransaction, {}});
            continue;
        }
        const auto sums = sums_with(draft, *tx, price, scene.rules);
        if (!sums) {
            misfits += 1;
            continue;
        }
        if (const auto done = execute(*tx, scene, overlay); !done) {
            if (!is_offers_fault(done.error().code)) return fail(done.error());
            on_skipped(tx, done.error());
            continue;
        }
        misfits = 0;
        draft.transactions.push_back(tx);
        draft.units = sums->units;
        draft.size_bytes = sums->size_bytes;
        draft.surplus = sums->surplus;
    }
    return draft;
}

}  // namespace

Result<BuiltBlock> build_block(const Block& parent, const Window& window, const Genesis& rules,
                               const State& state, std::int64_t time_s, const NextOffer& next_offer,
                               const OnSkipped& on_skipped, const HashBytes& hash) {
    if (time_s < parent.header.timestamp_s) return fail(ErrorCode::kTimestampTooEarly);
    BlockHeader header{.parent = parent.id,
                       .timestamp_s = time_s,
                       .height = parent.header.height + 1,
                       .price = window.next_price(),
                       .cost = window.next_cost(),
                       .access_proof = {}};
    const auto required = required_surplus(header.price, header.cost);
    if (!required) return fail(ErrorCode::kSurplusOverflow);

    Overlay overlay{state};
    const Scene scene{.rules = rules, .window = window, .block_time_s = time_s};
    BLOBVM_TRY(Draft draft, fill(header.price, scene, overlay, next_offer, on_skipped));
    if (draft.transactions.empty()) return fail(ErrorCode::kNoTransactions);
    if (draft.surplus < *required) {
        return fail(ErrorCode::kInsufficientSurplus,
                    fmt::format("required={} found={}", required->value, draft.surplus.value));
    }

    BLOBVM_TRY(header.access_proof, access_proof(state, header.parent, header.height));
    BLOBVM_TRY(BlockPtr block, make_block(header, std::move(draft.transactions), hash));
    Changes changes = overlay.changes();
    State after = state.with(changes);
    return BuiltBlock{.block = std::move(block),
                      .outcome = {.changes = std::move(changes), .state = std::move(after)}};
}

}  // namespace blobvm::chain
