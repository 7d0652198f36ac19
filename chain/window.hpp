#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/quantity.hpp"
#include "chain/block.hpp"
#include "chain/genesis.hpp"

namespace blobvm::chain {

/// What later blocks need to know of an earlier one.
struct BlockSummary {
    BlockId id;
    BlockId parent;
    std::uint64_t height = 0;
    std::int64_t timestamp_s = 0;
    Price price;
    BlockCost cost;
    FeeUnits units;  ///< sum of the transactions' load units
    std::vector<TxId> transactions;
};

BlockSummary summarise(const Block& block, const Genesis& rules);

class History;

/// The execution context of one child (spec/blobvm.md 6.3): a parent, the child's time, and the
/// recent blocks between. A small value that points into the History it came from; use it while
/// nothing is added to or removed from that History.
class Window {
  public:
    Price next_price() const { return next_price_; }
    BlockCost next_cost() const { return next_cost_; }
    std::uint64_t recent_units() const { return recent_units_; }

    /// Whether a transaction may name this block.
    bool has_block(const BlockId& id) const;

    /// Whether this transaction is in one of the recent blocks.
    bool has_transaction(const TxId& id) const;
    /// Fetches what that is going to read: worth it some transactions ahead.
    void prefetch(const TxId& id) const;

    std::size_t block_count() const;
    std::size_t transaction_count() const;

    /// From the parent backwards. Cost: the size of the window; for the suggested fee and tests.
    std::vector<Price> prices() const;
    std::vector<BlockCost> costs() const;

  private:
    friend class History;
    friend class FeeSuggester;
    const History* history_ = nullptr;
    const void* parent_ = nullptr;  ///< the parent's node in the history
    std::uint64_t first_height_ = 0;
    std::uint64_t accepted_end_ = 0;  ///< height of the first block that is not accepted
    std::uint64_t recent_units_ = 0;
    Price next_price_;
    BlockCost next_cost_;
};

/// The recent blocks of a chain and everything that hangs on its tip: accepted ones back to the
/// window's start, and all processing ones. Answers Window in time that grows neither with the
/// number of blocks in the window nor with the transactions in them.
///
/// One thread at a time. Its owner adds blocks as they are verified and tells their fate.
class History {
  public:
    explicit History(const Genesis& rules);
    ~History();
    History(const History&) = delete;
    History& operator=(const History&) = delete;

    /// Starts over with `accepted` blocks, oldest first, each the parent of the next; at least one.
    /// They must reach back to genesis, or over the window and kFutureBoundS more.
    void reset(std::vector<BlockSummary> accepted);

    /// Adds a verified block whose parent is here. No effect if it is here already.
    void add(BlockSummary block);

    /// `id`, a child of the last accepted block, is final: what no later window can reach leaves,
    /// even if the clock is kFutureBoundS behind the block. Its rivals stay until they are
    /// rejected.
    void accept(const BlockId& id);

    /// `id` is not here any more. No effect if it never was, or is accepted.
    void reject(const BlockId& id);

    bool contains(const BlockId& id) const;

    /// The context of a child of `parent` at `child_time_s`. `parent` must be here. (A time before
    /// the parent's gives what spec/blobvm.md 6.3 says, as far back as blocks are kept.)
    Window window(const BlockId& parent, std::int64_t child_time_s) const;

  private:
    friend class Window;
    friend class FeeSuggester;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// What the original suggests (spec/blobvm.md 6.4). It looks backwards only: where prices rise it
/// is below window.next_price(), and a transaction that offers it is refused, so a client takes the
/// larger of the two. Cost: the size of the window.
struct SuggestedFee {
    Price price;
    BlockCost cost;
};
SuggestedFee suggested_fee(const Window& window, const Genesis& rules);

/// The same figures, kept up to date: what is asked of a window costs what has changed since the
/// last one asked of, and the size of the window only where neither grew out of the other.
/// One thread at a time.
class FeeSuggester {
  public:
    SuggestedFee suggest(const Window& window, const Genesis& rules);

  private:
    /// The element that the original picks from all values in order: at 60 % of the last index.
    class Pick {
      public:
        void add(std::uint64_t value);
        void remove(std::uint64_t value);
        void clear();
        std::uint64_t value() const { return *low_.rbegin(); }

      private:
        void balance();

        std::multiset<std::uint64_t> low_;   ///< up to the one that is picked
        std::multiset<std::uint64_t> high_;  ///< those behind it
    };
    struct Seen {
        BlockId id;
        Price price;
        BlockCost cost;
    };

    void follow(const Window& window);
    void push(const Seen& block);
    void pop_oldest();

    std::deque<Seen> blocks_;  ///< those of the last window, oldest first
    Pick prices_;
    Pick costs_;
};

}  // namespace blobvm::chain
