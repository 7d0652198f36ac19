#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "chain/building.hpp"
#include "tests/vm/store_support.hpp"
#include "vm/chain_store.hpp"

namespace blobvm::test {

/// The chain by the rules alone, beside the plugin: makes valid blocks on any block that it knows,
/// and tells what the state has to be. Broken uses abort.
class ModelChain {
  public:
    explicit ModelChain(const chain::Genesis& genesis);

    const chain::Genesis& genesis() const { return genesis_; }
    chain::BlockPtr tip() const { return tip_; }

    /// The height that is accepted here.
    chain::BlockPtr at(std::uint64_t height) const { return accepted_.at(height); }

    /// A valid child of `parent` with exactly these transactions. Time: now, or `time_s`.
    chain::BlockPtr child(const chain::BlockPtr& parent,
                          std::vector<chain::TransactionPtr> transactions, std::int64_t time_s = 0);

    /// A child of the tip with one transfer, which no other child has.
    chain::BlockPtr next(std::int64_t time_s = 0) {
        return child(tip_, {transfer_on(tip_)}, time_s);
    }

    /// A block that somebody else has made: it must be valid.
    chain::BlockPtr learn(ByteView bytes);

    /// A transfer that a child of `parent` can hold, each time another one.
    chain::TransactionPtr transfer_on(const chain::BlockPtr& parent);

    /// A child of the tip becomes the tip.
    void accept(const chain::BlockPtr& block);

    /// Of the accepted chain now, and of every height before.
    Hash256 digest() const { return digests_.back(); }
    Hash256 digest_at(std::uint64_t height) const { return digests_.at(height); }

    /// Whether accept() computes the digest: reads the whole state.
    bool digests_each_block = true;

  private:
    void add(const chain::BlockPtr& block, chain::State state);

    struct Known {
        chain::BlockPtr block;
        chain::State state;
    };

    chain::Genesis genesis_;
    TempFolder folder_;
    std::unique_ptr<vm::ChainStore> store_;
    chain::History history_;
    std::map<BlockId, Known> known_;
    std::map<BlockId, chain::Changes> changes_;
    std::vector<chain::BlockPtr> accepted_;
    std::vector<Hash256> digests_;
    chain::BlockPtr tip_;
    std::uint64_t transfers_ = 0;
};

}  // namespace blobvm::test
