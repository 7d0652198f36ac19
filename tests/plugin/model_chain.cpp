#include "tests/plugin/model_chain.hpp"

#include <algorithm>
#include <chrono>

#include "chain/base/check.hpp"
#include "chain/verification.hpp"
#include "tests/support/transactions.hpp"
#include "vm/store/rocks_store.hpp"

namespace blobvm::test {
namespace {

std::int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

ModelChain::ModelChain(const chain::Genesis& genesis) : genesis_{genesis}, history_{genesis} {
    auto store =
        vm::store::open_rocks_store({.directory = folder_.string(), .chain_id = chain_id(1)});
    CHECK(store.has_value());
    store_ = std::move(*store);
    tip_ = chain::genesis_block(genesis);
    const auto balances = chain::initial_balances(genesis, std::nullopt);
    CHECK(balances.has_value() && store_->create(genesis, *tip_, *balances).has_value());
    history_.reset({chain::summarise(*tip_, genesis)});
    known_.emplace(tip_->id, Known{tip_, chain::State{*store_}});
    accepted_.push_back(tip_);
    digests_.push_back(store_->consensus_digest().value());
}

chain::BlockPtr ModelChain::child(const chain::BlockPtr& parent,
                                  std::vector<chain::TransactionPtr> transactions,
                                  std::int64_t time_s) {
    if (time_s == 0) time_s = std::max(now_s(), parent->header.timestamp_s);
    const std::size_t count = transactions.size();
    std::reverse(transactions.begin(), transactions.end());
    const auto built = chain::build_block(
        *parent, history_.window(parent->id, time_s), genesis_, known_.at(parent->id).state, time_s,
        [&]() -> chain::TransactionPtr {
            if (transactions.empty()) return nullptr;
            const chain::TransactionPtr last = transactions.back();
            transactions.pop_back();
            return last;
        },
        [](const chain::TransactionPtr&, const Error&) { CHECK(false && "a skipped offer"); });
    CHECK(built.has_value() && built->block->transactions.size() == count);
    changes_[built->block->id] = built->outcome.changes;
    add(built->block, built->outcome.state);
    return built->block;
}

chain::BlockPtr ModelChain::learn(ByteView bytes) {
    auto raw = chain::decode_block(SharedBytes::copy_of(bytes));
    CHECK(raw.has_value());
    chain::PlainTransactionLoader loader;
    const auto block = chain::load_block(std::move(*raw), loader);
    CHECK(block.has_value());
    const chain::BlockHeader& header = (*block)->header;
    const Known& parent = known_.at(header.parent);
    const auto outcome = chain::verify_block(**block, parent.block->header,
                                             history_.window(header.parent, header.timestamp_s),
                                             genesis_, parent.state);
    CHECK(outcome.has_value());
    changes_[(*block)->id] = outcome->changes;
    add(*block, outcome->state);
    return *block;
}

chain::TransactionPtr ModelChain::transfer_on(const chain::BlockPtr& parent) {
    return transfer_tx(account(2), Amount{++transfers_},
                       {.signer = 1, .block_id = parent->id, .magic = genesis_.magic});
}

void ModelChain::accept(const chain::BlockPtr& block) {
    CHECK(block->header.parent == tip_->id);
    CHECK(store_
              ->commit(*block, chain::summarise(*block, genesis_), changes_.at(block->id),
                       vm::Durability::kBuffered)
              .has_value());
    history_.accept(block->id);
    changes_.erase(block->id);
    known_.erase(tip_->id);
    known_.at(block->id).state = chain::State{*store_};
    tip_ = block;
    accepted_.push_back(block);
    if (digests_each_block) digests_.push_back(store_->consensus_digest().value());
}

void ModelChain::add(const chain::BlockPtr& block, chain::State state) {
    history_.add(chain::summarise(*block, genesis_));
    known_.emplace(block->id, Known{block, std::move(state)});
}

}  // namespace blobvm::test
