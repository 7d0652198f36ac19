#pragma once

#include <functional>
#include <utility>

#include "tests/support/chain_replay.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::test {

/// A fresh chain with money on it: every account from 1 to 8 holds `kFunds`.
class Playground {
  public:
    static constexpr Amount kFunds{1'000'000};
    static constexpr std::int64_t kStart_s = 1'600'000'000;

    explicit Playground(chain::Genesis rules = default_rules()) : chain_{std::move(rules)} {}

    static chain::Genesis default_rules() {
        chain::Genesis rules;
        rules.magic = 5;
        rules.block_cost_enabled = false;
        rules.custom_allocation.emplace();
        for (std::uint64_t n = 1; n <= 8; ++n) {
            rules.custom_allocation->push_back({account(n), kFunds});
        }
        return rules;
    }
    static chain::Genesis rules_with(const std::function<void(chain::Genesis&)>& change) {
        chain::Genesis rules = default_rules();
        change(rules);
        return rules;
    }

    ChainReplay& chain() { return chain_; }
    const chain::Block& tip() const { return chain_.last_accepted(); }

    /// What transactions need to run on the tip: its id, the chain's magic, price 1.
    TxOptions options(std::uint64_t signer = 1) const {
        return {.signer = signer,
                .block_id = tip().id,
                .magic = chain_.rules().magic,
                .price = chain_.rules().min_price};
    }

    chain::Window window(std::int64_t time_s = kStart_s) const {
        return chain_.window(tip().id, time_s);
    }
    chain::State state() const { return chain_.state_after(tip().id); }

    /// Offers that are handed out in this order.
    static chain::NextOffer offers(std::vector<chain::TransactionPtr> transactions) {
        return [transactions = std::move(transactions), next = std::size_t{0}]() mutable {
            return next < transactions.size() ? transactions[next++] : nullptr;
        };
    }

    Result<chain::BuiltBlock> build(std::vector<chain::TransactionPtr> transactions,
                                    std::int64_t time_s = kStart_s) {
        skipped_.clear();
        return chain::build_block(tip(), window(time_s), chain_.rules(), state(), time_s,
                                  offers(std::move(transactions)),
                                  [this](const chain::TransactionPtr& tx, const Error& why) {
                                      skipped_.emplace_back(tx->id, why.code);
                                  });
    }

    /// Builds and accepts a block; it must be possible.
    chain::BlockPtr advance(std::vector<chain::TransactionPtr> transactions,
                            std::int64_t time_s = kStart_s) {
        chain::BuiltBlock built = build(std::move(transactions), time_s).value();
        chain_.adopt(built.block, std::move(built.outcome));
        chain_.accept(built.block->id);
        return built.block;
    }

    Result<chain::Outcome> verify(const chain::Block& block) const {
        return chain::verify_block(block, tip().header, window(block.header.timestamp_s),
                                   chain_.rules(), state());
    }

    /// The offers that the last build reported, in order.
    const std::vector<std::pair<TxId, ErrorCode>>& skipped() const { return skipped_; }

  private:
    ChainReplay chain_;
    std::vector<std::pair<TxId, ErrorCode>> skipped_;
};

}  // namespace blobvm::test
