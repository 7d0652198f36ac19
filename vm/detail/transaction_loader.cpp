#include "vm/detail/transaction_loader.hpp"

#include <algorithm>
#include <optional>

#include "chain/base/check.hpp"
#include "chain/signing.hpp"

namespace blobvm::vm::detail {

namespace {

bool keeps_too_much(const chain::RawTransaction& raw) {
    return raw.nested.owner_size() > 2 * raw.nested.size() + 4096;
}

/// `meanwhile` goes first: it may be one long stretch, which the rest then shares out around.
std::vector<chain::TxHashes> hash_all(std::span<const chain::RawTransaction> raws,
                                      const std::function<void()>& meanwhile, Executor& executor) {
    constexpr std::size_t kTogether = 64;  // several times the vector lanes
    std::vector<chain::TxHashes> hashes(raws.size());
    executor.for_each(1 + (raws.size() + kTogether - 1) / kTogether, [&](std::size_t i) {
        if (i == 0) return meanwhile();
        const std::size_t begin = (i - 1) * kTogether;
        const std::size_t count = std::min(kTogether, raws.size() - begin);
        std::ranges::copy(chain::hash_transactions(raws.subspan(begin, count)),
                          hashes.begin() + static_cast<std::ptrdiff_t>(begin));
    });
    return hashes;
}

}  // namespace

chain::RawTransaction detached(chain::RawTransaction raw) {
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
    if (raws.empty()) return {};
    const Timer timer{metrics.recover};
    std::vector<std::optional<Result<chain::TransactionPtr>>> slots(raws.size());
    // Few, so that the last ones to be done keep nobody waiting; several, for the vector lanes.
    const std::size_t together = std::clamp<std::size_t>(raws.size() / 16, 1, 8);
    executor.for_each((raws.size() + together - 1) / together, [&](std::size_t part) {
        const std::size_t begin = part * together;
        const std::size_t count = std::min(together, raws.size() - begin);
        const std::vector<Hash256> digests = chain::signing_digests(
            std::span{raws}.subspan(begin, count), hashes.subspan(begin, count));
        for (std::size_t i = begin; i < begin + count; ++i) {
            slots[i] =
                chain::recover_transaction(std::move(raws[i]), hashes[i], digests[i - begin]);
        }
    });
    metrics.signatures_recovered.add(raws.size());
    std::vector<Result<chain::TransactionPtr>> results;
    results.reserve(slots.size());
    for (auto& slot : slots) results.push_back(*std::move(slot));
    return results;
}

Result<std::vector<chain::TransactionPtr>> NodeTransactionLoader::load_beside(
    std::span<const chain::RawTransaction> raws, const std::function<void()>& meanwhile) {
    std::vector<chain::TransactionPtr> loaded = mempool_.find_same(raws);
    std::vector<std::size_t> places;
    std::vector<chain::RawTransaction> unknown;
    for (std::size_t i = 0; i < raws.size(); ++i) {
        if (loaded[i]) continue;
        places.push_back(i);
        unknown.push_back(raws[i]);
    }
    metrics_.known_transactions.add(raws.size() - unknown.size());
    if (unknown.empty()) {
        meanwhile();
        return loaded;
    }

    const std::vector<chain::TxHashes> hashes = hash_all(unknown, meanwhile, executor_);
    auto results = recover_all(std::move(unknown), hashes, executor_, metrics_);
    for (std::size_t k = 0; k < results.size(); ++k) {
        BLOBVM_TRY(loaded[places[k]], std::move(results[k]));
    }
    return loaded;
}

}  // namespace blobvm::vm::detail
