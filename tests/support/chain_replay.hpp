#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "chain/building.hpp"
#include "chain/verification.hpp"
#include "chain/window.hpp"
#include "tests/support/memory_store.hpp"

namespace blobvm::test {

/// A chain of its own, driven by hand: parse, verify, accept and reject as an engine would, over
/// the rules alone and a store in memory.
class ChainReplay {
  public:
    explicit ChainReplay(const chain::Genesis& rules)
        : rules_{rules}, history_{rules}, genesis_{chain::genesis_block(rules)} {
        store_.start(*genesis_, chain::initial_balances(rules, std::nullopt).value());
        accepted_.push_back(genesis_);
        history_.reset({chain::summarise(*genesis_, rules_)});
    }

    static Result<chain::BlockPtr> parse(ByteView bytes) {
        BLOBVM_TRY(auto raw, chain::decode_block(SharedBytes::copy_of(bytes)));
        chain::PlainTransactionLoader loader;
        return chain::load_block(std::move(raw), loader);
    }

    /// Judges `block` without keeping it. The parent's own history is made anew where the parent
    /// is accepted but not the last: an engine never asks that, the corpus does.
    Result<chain::Outcome> judge(const chain::Block& block, std::int64_t now_s) const {
        BLOBVM_TRY(chain::check_shape(block, rules_, now_s));
        const chain::BlockPtr parent = find(block.header.parent);
        if (parent == nullptr) return fail(ErrorCode::kNotFound);
        if (is_processing(parent->id) || parent == accepted_.back()) {
            return chain::verify_block(block, parent->header,
                                       window(parent->id, block.header.timestamp_s), rules_,
                                       state_after(parent->id));
        }
        chain::History history{rules_};
        std::vector<chain::BlockSummary> past;
        for (const chain::BlockPtr& each : accepted_) {
            past.push_back(chain::summarise(*each, rules_));
            if (each == parent) break;
        }
        history.reset(std::move(past));
        return chain::verify_block(block, parent->header,
                                   history.window(parent->id, block.header.timestamp_s), rules_,
                                   chain::State{store_});
    }

    Result<void> verify(const chain::BlockPtr& block, std::int64_t now_s) {
        BLOBVM_TRY(chain::Outcome outcome, judge(*block, now_s));
        adopt(block, std::move(outcome));
        return {};
    }
    void adopt(const chain::BlockPtr& block, chain::Outcome outcome) {
        processing_.insert_or_assign(block->id, Processing{block, std::move(outcome)});
        history_.add(chain::summarise(*block, rules_));
    }

    void accept(const BlockId& id) {
        const Processing& processing = processing_.at(id);
        store_.accept(*processing.block, processing.outcome.changes);
        accepted_.push_back(processing.block);
        history_.accept(id);
        processing_.erase(id);
    }
    void reject(const BlockId& id) {
        processing_.erase(id);
        history_.reject(id);
    }

    chain::Window window(const BlockId& parent, std::int64_t child_time_s) const {
        return history_.window(parent, child_time_s);
    }
    chain::State state_after(const BlockId& id) const {
        const auto found = processing_.find(id);
        return found == processing_.end() ? chain::State{store_} : found->second.outcome.state;
    }
    chain::BlockPtr find(const BlockId& id) const {
        if (const auto found = processing_.find(id); found != processing_.end()) {
            return found->second.block;
        }
        for (const chain::BlockPtr& block : accepted_) {
            if (block->id == id) return block;
        }
        return nullptr;
    }

    const chain::Genesis& rules() const { return rules_; }
    const chain::Block& last_accepted() const { return *accepted_.back(); }
    bool is_processing(const BlockId& id) const { return processing_.contains(id); }
    bool is_idle() const { return processing_.empty(); }
    MemoryStore& store() { return store_; }

  private:
    struct Processing {
        chain::BlockPtr block;
        chain::Outcome outcome;
    };

    chain::Genesis rules_;
    MemoryStore store_;
    chain::History history_;
    chain::BlockPtr genesis_;
    std::vector<chain::BlockPtr> accepted_;
    std::map<BlockId, Processing> processing_;
};

}  // namespace blobvm::test
