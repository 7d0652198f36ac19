#include "vm/detail/transaction_loader.hpp"

#include <algorithm>
#include <optional>

#include "chain/base/check.hpp"

namespace blobvm::vm::detail {

namespace {

bool keeps_too_much(const chain::RawTransaction& raw) {
    return raw.nested.owner_size() > 2 * raw.nested.size() + 4096;
}

}  // namespace

chain::RawTransaction detached(const chain::RawTransaction& raw) {
    if (!keeps_too_much(raw)) return raw;
    Result<chain::RawTransaction> copy =
        chain::decode_transaction(SharedBytes{chain::standalone_bytes(raw)});
    CHECK(copy.has_value());  // it was decoded from these bytes before
    return *std::move(copy);
}

chain::TransactionPtr detached(const chain::TransactionPtr& transaction) {
    if (!keeps_too_much(transaction->raw)) return transaction;
    chain::Transaction copy = *transaction;
    copy.raw = detached(transaction->raw);
    return std::make_shared<const chain::Transaction>(std::move(copy));
}

std::vector<Result<chain::TransactionPtr>> recover_all(std::vector<chain::RawTransaction> raws,
                                                       std::span<const chain::TxHashes> hashes,
                                                       Executor& executor, Metrics& metrics) {
    std::vector<std::optional<Result<chain::TransactionPtr>>> slots(raws.size());
    executor.for_each(raws.size(), [&](std::size_t i) {
        const Timer timer{metrics.recover};
        slots[i] = chain::recover_transaction(std::move(raws[i]), hashes[i]);
    });
    metrics.signatures_recovered.add(raws.size());
    std::vector<Result<chain::TransactionPtr>> results;
    results.reserve(slots.size());
    for (auto& slot : slots) results.push_back(*std::move(slot));
    return results;
}

Result<std::vector<chain::TransactionPtr>> NodeTransactionLoader::load(
    std::span<const chain::RawTransaction> raws) {
    std::vector<chain::TransactionPtr> loaded(raws.size());
    std::vector<std::size_t> places;
    std::vector<chain::RawTransaction> unknown;
    for (std::size_t i = 0; i < raws.size(); ++i) {
        loaded[i] = mempool_.find_same(raws[i]);
        if (loaded[i]) continue;
        places.push_back(i);
        unknown.push_back(raws[i]);
    }
    metrics_.known_transactions.add(raws.size() - unknown.size());
    if (unknown.empty()) return loaded;

    const std::vector<chain::TxHashes> hashes = chain::hash_transactions(unknown);
    auto results = recover_all(std::move(unknown), hashes, executor_, metrics_);
    for (std::size_t k = 0; k < results.size(); ++k) {
        BLOBVM_TRY(loaded[places[k]], std::move(results[k]));
    }
    return loaded;
}

}  // namespace blobvm::vm::detail
