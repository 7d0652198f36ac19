#include "chain/verification.hpp"

#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

namespace blobvm::chain {
namespace {

bool is_too_late(std::int64_t timestamp_s, std::int64_t now_s) {
    std::int64_t bound_s = 0;
    return !__builtin_add_overflow(now_s, kFutureBoundS, &bound_s) && timestamp_s >= bound_s;
}

constexpr std::size_t kAhead = 8;  ///< transactions whose ids are looked up before their turn

/// Transactions are told apart by their ids.
struct IdOf {
    std::size_t operator()(const Transaction* tx) const { return IdHash{}(tx->id); }
    bool operator()(const Transaction* a, const Transaction* b) const { return a->id == b->id; }
};

/// Runs the block's transactions in order; the surplus that they pay beyond the block's price.
Result<Amount> execute_all(const Block& block, const Scene& scene, Overlay& overlay) {
    Amount surplus{0};
    absl::flat_hash_set<const Transaction*, IdOf, IdOf> seen;
    seen.reserve(block.transactions.size());
    for (std::size_t i = 0; i < block.transactions.size(); ++i) {
        const TransactionPtr& tx = block.transactions[i];
        if (i + kAhead < block.transactions.size()) {
            scene.window.prefetch(block.transactions[i + kAhead]->id);
        }
        if (!seen.insert(tx.get()).second) return fail(ErrorCode::kDuplicateTransaction);
        BLOBVM_TRY(execute(*tx, scene, overlay));
        const Price above{tx->price().value - block.header.price.value};  // execute checked it
        const auto paid = fee(above, fee_units(scene.rules, tx->fields()));
        const auto sum = paid ? add(surplus, *paid) : std::nullopt;
        if (!sum) return fail(ErrorCode::kSurplusOverflow);
        surplus = *sum;
    }
    return surplus;
}

}  // namespace

Result<void> check_shape(const Block& block, const Genesis& rules,
                         std::optional<std::int64_t> now_s) {
    if (block.transactions.empty()) return fail(ErrorCode::kNoTransactions);
    if (now_s && is_too_late(block.header.timestamp_s, *now_s)) {
        return fail(ErrorCode::kTimestampTooLate);
    }
    FeeUnits units;
    for (const TransactionPtr& tx : block.transactions) {
        const auto sum = add(units, fee_units(rules, tx->fields()));
        if (!sum || sum->value > rules.max_block_size) return fail(ErrorCode::kBlockTooBig);
        units = *sum;
    }
    if (block.bytes.size() > kMaxBlockBytes) {
        return fail(ErrorCode::kBlockBytesTooBig,
                    fmt::format("{}, limit {}", block.bytes.size(), kMaxBlockBytes));
    }
    return {};
}

Result<Outcome> verify_block(const Block& block, const BlockHeader& parent, const Window& window,
                             const Genesis& rules, const State& state) {
    const BlockHeader& header = block.header;
    if (header.timestamp_s < parent.timestamp_s) return fail(ErrorCode::kTimestampTooEarly);
    if (header.cost != window.next_cost()) return fail(ErrorCode::kInvalidBlockCost);
    if (header.price != window.next_price()) return fail(ErrorCode::kInvalidPrice);
    const auto required = required_surplus(header.price, header.cost);
    if (!required) return fail(ErrorCode::kSurplusOverflow);
    BLOBVM_TRY(const Hash256 proof, access_proof(state, header.parent, header.height));
    if (header.access_proof != proof) return fail(ErrorCode::kInvalidAccessProof);
    if (header.height != parent.height + 1) {
        return fail(ErrorCode::kInvalidHeight,
                    fmt::format("{} after {}", header.height, parent.height));
    }

    Overlay overlay{state};
    const Scene scene{.rules = rules, .window = window, .block_time_s = header.timestamp_s};
    BLOBVM_TRY(const Amount surplus, execute_all(block, scene, overlay));
    if (surplus < *required) {
        return fail(ErrorCode::kInsufficientSurplus,
                    fmt::format("required={} found={}", required->value, surplus.value));
    }
    Changes changes = overlay.changes();
    State after = state.with(changes);
    return Outcome{.changes = std::move(changes), .state = std::move(after)};
}

}  // namespace blobvm::chain
