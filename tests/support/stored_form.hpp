#pragma once

#include <utility>
#include <vector>

#include "chain/base/check.hpp"
#include "chain/block.hpp"

namespace blobvm::test {

/// A block as the original keeps it (spec/blobvm.md 5): each non-empty value is replaced by its
/// transaction's id.
inline Bytes stored_form(const chain::Block& block) {
    std::vector<chain::RawTransaction> linked;
    for (const chain::TransactionPtr& tx : block.transactions) {
        linked.push_back(tx->raw);
        const chain::SetFields* const set = tx->fields().set();
        if (set == nullptr || set->value.empty()) continue;
        chain::TxFields fields = tx->fields();
        fields.body = chain::SetFields{tx->id.view()};
        auto bytes = chain::encode_transaction(fields, tx->raw.signature);
        CHECK(bytes.has_value());
        auto raw = chain::decode_transaction(SharedBytes{std::move(*bytes)});
        CHECK(raw.has_value());
        linked.back() = std::move(*raw);
    }
    auto stored = chain::encode_block(block.header, linked);
    CHECK(stored.has_value());
    return std::move(*stored);
}

}  // namespace blobvm::test
