#include "chain/window.hpp"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "chain/base/check.hpp"
#include "chain/execution.hpp"
#include "chain/verification.hpp"

namespace blobvm::chain {
namespace {

/// A block among its ancestors. The sums run from the oldest block that was ever added, modulo
/// 2^64; a window's share is the difference of two of them.
struct Node {
    BlockSummary block;
    Node* parent = nullptr;      ///< to be read only where History::Impl::parent_of allows
    const Node* skip = nullptr;  ///< the ancestor at skip_height(block.height); likewise
    std::size_t children = 0;
    bool accepted = false;
    bool rejected = false;  ///< still here for the sake of its children
    std::uint64_t units_before = 0;
    std::uint64_t transactions_before = 0;
    std::uint64_t repeats_before = 0;  ///< transactions that an ancestor or their own block has
    std::uint64_t repeats = 0;

    std::uint64_t units_after() const { return units_before + block.units.value; }
    std::uint64_t transactions_after() const {
        return transactions_before + block.transactions.size();
    }
    std::uint64_t repeats_after() const { return repeats_before + repeats; }
};

constexpr std::uint64_t without_lowest_one(std::uint64_t n) { return n & (n - 1); }

/// How far back a node's second link goes: a height below n, chosen so that some path of such
/// links and single steps joins any two heights in about the logarithm of their distance. Clearing
/// the lowest set bit does it for even heights; odd ones clear two more, so that most numbers
/// are left quickly.
constexpr std::uint64_t skip_height(std::uint64_t n) {
    if (n < 2) return 0;
    return n % 2 == 1 ? without_lowest_one(without_lowest_one(n - 1)) + 1 : without_lowest_one(n);
}

std::uint64_t bits(std::int64_t value) { return static_cast<std::uint64_t>(value); }

/// Wraps where a hostile timestamp would overflow; such a block is refused anyway.
std::int64_t seconds_between(std::int64_t from, std::int64_t to) {
    return static_cast<std::int64_t>(bits(to) - bits(from));
}

BlockCost next_cost(const BlockSummary& parent, std::int64_t elapsed_s, const Genesis& rules) {
    if (!rules.block_cost_enabled) return parent.cost;
    const std::int64_t rate_s = rules.target_block_rate_s;
    if (elapsed_s < rate_s) return {parent.cost.value + (bits(rate_s) - bits(elapsed_s))};
    const std::uint64_t late = bits(elapsed_s) - bits(rate_s);
    return {late < parent.cost.value ? parent.cost.value - late : 0};
}

Price next_price(const BlockSummary& parent, std::int64_t elapsed_s, std::uint64_t recent_units,
                 const Genesis& rules) {
    const std::uint64_t target = rules.target_range_units();
    if (recent_units > target) return {parent.price.value + 1};
    if (recent_units == target) return parent.price;
    const std::uint64_t fall = bits(elapsed_s / rules.lookback_window_s) + 1;
    if (parent.price < rules.min_price) return rules.min_price;
    const std::uint64_t room = parent.price.value - rules.min_price.value;
    return fall < room ? Price{parent.price.value - fall} : rules.min_price;
}

}  // namespace

BlockSummary summarise(const Block& block, const Genesis& rules) {
    BlockSummary summary{.id = block.id,
                         .parent = block.header.parent,
                         .height = block.header.height,
                         .timestamp_s = block.header.timestamp_s,
                         .price = block.header.price,
                         .cost = block.header.cost,
                         .units = {},
                         .transactions = {}};
    summary.transactions.reserve(block.transactions.size());
    for (const TransactionPtr& tx : block.transactions) {
        summary.units.value += fee_units(rules, tx->fields()).value;
        summary.transactions.push_back(tx->id);
    }
    return summary;
}

struct History::Impl {
    Genesis rules;
    absl::flat_hash_map<BlockId, std::unique_ptr<Node>, IdHash> nodes;
    absl::flat_hash_map<TxId, absl::InlinedVector<const Node*, 1>, IdHash> holders;
    std::deque<Node*> accepted;  ///< oldest first

    explicit Impl(const Genesis& genesis) : rules{genesis} {
        rules.custom_allocation.reset();  // may be large, and nobody reads it here
    }

    Node* find(const BlockId& id) const {
        const auto found = nodes.find(id);
        return found == nodes.end() ? nullptr : found->second.get();
    }

    /// Links may point below the oldest accepted block, to what is not there any more.
    bool has_height(std::uint64_t height) const { return height >= accepted.front()->block.height; }
    Node* parent_of(const Node& node) const {
        return node.block.height > 0 && has_height(node.block.height - 1) ? node.parent : nullptr;
    }
    const Node* skip_of(const Node& node) const {
        const bool there = node.block.height > 0 && has_height(skip_height(node.block.height));
        return there ? node.skip : nullptr;
    }

    /// The last ancestor of `node` (or itself) that `keep` holds for, where it holds for `node`
    /// and, from some ancestor on, no more.
    template <class Keep>
    const Node* walk_while(const Node* node, const Keep& keep) const {
        while (true) {
            if (const Node* far = skip_of(*node); far != nullptr && keep(*far)) {
                node = far;
            } else if (const Node* near = parent_of(*node); near != nullptr && keep(*near)) {
                node = near;
            } else {
                return node;
            }
        }
    }

    const Node* ancestor_at(const Node* node, std::uint64_t height) const {
        return walk_while(node, [&](const Node& at) { return at.block.height >= height; });
    }

    bool is_ancestor_or_self(const Node* node, const Node* of) const {
        return node->block.height <= of->block.height &&
               ancestor_at(of, node->block.height) == node;
    }

    Node* insert(BlockSummary block, Node* parent) {
        auto owned = std::make_unique<Node>();
        Node* const node = owned.get();
        node->block = std::move(block);
        if (parent != nullptr) {
            CHECK(node->block.height == parent->block.height + 1);
            node->parent = parent;
            parent->children += 1;
            node->units_before = parent->units_after();
            node->transactions_before = parent->transactions_after();
            node->repeats_before = parent->repeats_after();
            const std::uint64_t skip = skip_height(node->block.height);
            if (has_height(skip)) node->skip = ancestor_at(parent, skip);
        }
        constexpr std::size_t kAhead = 8;  // the table is too large for the CPU's cache
        const std::vector<TxId>& transactions = node->block.transactions;
        for (std::size_t i = 0; i < transactions.size(); ++i) {
            if (i + kAhead < transactions.size()) holders.prefetch(transactions[i + kAhead]);
            auto& holding = holders[transactions[i]];
            const bool repeated = std::any_of(holding.begin(), holding.end(), [&](const Node* at) {
                return at == node || (parent != nullptr && is_ancestor_or_self(at, parent));
            });
            if (repeated) node->repeats += 1;
            if (holding.empty() || holding.back() != node) holding.push_back(node);
        }
        nodes.insert_or_assign(node->block.id, std::move(owned));
        return node;
    }

    void erase(Node* node) {
        for (const TxId& tx : node->block.transactions) {
            const auto found = holders.find(tx);
            if (found == holders.end()) continue;  // twice in this block
            auto& holding = found->second;
            holding.erase(std::remove(holding.begin(), holding.end(), node), holding.end());
            if (holding.empty()) holders.erase(found);
        }
        const BlockId id = node->block.id;
        nodes.erase(id);
    }

    /// Takes out rejected blocks that nobody descends from any more, from `node` towards the root.
    void release(Node* node) {
        while (node != nullptr && node->rejected && node->children == 0) {
            Node* const parent = parent_of(*node);
            if (parent != nullptr) parent->children -= 1;
            erase(node);
            node = parent;
        }
    }

    bool in_lookback(const Node& node, std::int64_t time_s) const {
        return seconds_between(node.block.timestamp_s, time_s) <= rules.lookback_window_s;
    }

    /// Calls `visit` for each block of `window`, from the parent backwards.
    template <class Visit>
    void for_each_block(const Window& window, const Visit& visit) const {
        const Node* node = static_cast<const Node*>(window.parent_);
        while (true) {
            visit(node->block);
            if (node->block.height == window.first_height_) return;
            node = node->parent;
        }
    }

    bool covers(const Window& window, const Node& node) const {
        const std::uint64_t height = node.block.height;
        if (height < window.first_height_) return false;
        if (node.accepted) return height < window.accepted_end_;
        const Node* const parent = static_cast<const Node*>(window.parent_);
        return is_ancestor_or_self(&node, parent);
    }

    const Node& first_of(const Window& window) const {
        return *ancestor_at(static_cast<const Node*>(window.parent_), window.first_height_);
    }
};

History::History(const Genesis& rules) : impl_{std::make_unique<Impl>(rules)} {}
History::~History() = default;

void History::reset(std::vector<BlockSummary> accepted) {
    CHECK(!accepted.empty());
    impl_->holders.clear();
    impl_->accepted.clear();
    impl_->nodes.clear();
    for (BlockSummary& block : accepted) {
        Node* const parent = impl_->accepted.empty() ? nullptr : impl_->accepted.back();
        CHECK(parent == nullptr || block.parent == parent->block.id);
        Node* const node = impl_->insert(std::move(block), parent);
        node->accepted = true;
        impl_->accepted.push_back(node);
    }
}

void History::add(BlockSummary block) {
    if (Node* const known = impl_->find(block.id)) {
        known->rejected = false;
        return;
    }
    Node* const parent = impl_->find(block.parent);
    CHECK(parent != nullptr);
    impl_->insert(std::move(block), parent);
}

void History::accept(const BlockId& id) {
    Node* const node = impl_->find(id);
    CHECK(node != nullptr && node->block.parent == impl_->accepted.back()->block.id);
    node->accepted = true;
    impl_->accepted.push_back(node);
    const std::int64_t earliest_now_s = node->block.timestamp_s - kFutureBoundS;
    while (impl_->accepted.size() > 1 &&
           !impl_->in_lookback(*impl_->accepted.front(), earliest_now_s)) {
        Node* const oldest = impl_->accepted.front();
        impl_->accepted.pop_front();
        impl_->erase(oldest);
    }
}

void History::reject(const BlockId& id) {
    Node* const node = impl_->find(id);
    if (node == nullptr || node->accepted) return;
    node->rejected = true;
    impl_->release(node);
}

bool History::contains(const BlockId& id) const {
    const Node* const node = impl_->find(id);
    return node != nullptr && !node->rejected;
}

Window History::window(const BlockId& parent, std::int64_t child_time_s) const {
    Node* const node = impl_->find(parent);
    CHECK(node != nullptr);
    const Node* const first = impl_->walk_while(
        node, [&](const Node& at) { return impl_->in_lookback(at, child_time_s); });
    const std::int64_t elapsed_s = seconds_between(node->block.timestamp_s, child_time_s);

    Window window;
    window.history_ = this;
    window.parent_ = node;
    window.first_height_ = first->block.height;
    window.accepted_end_ = node->block.height + 1;
    if (!node->accepted) {
        window.accepted_end_ =
            impl_->walk_while(node, [](const Node& at) { return !at.accepted; })->block.height;
    }
    window.recent_units_ = node->units_after() - first->units_before;
    window.next_price_ =
        chain::next_price(node->block, elapsed_s, window.recent_units_, impl_->rules);
    window.next_cost_ = chain::next_cost(node->block, elapsed_s, impl_->rules);
    return window;
}

bool Window::has_block(const BlockId& id) const {
    const Node* const node = history_->impl_->find(id);
    return node != nullptr && history_->impl_->covers(*this, *node);
}

bool Window::has_transaction(const TxId& id) const {
    const auto& holders = history_->impl_->holders;
    const auto found = holders.find(id);
    return found != holders.end() &&
           std::any_of(found->second.begin(), found->second.end(),
                       [&](const Node* node) { return history_->impl_->covers(*this, *node); });
}

void Window::prefetch(const TxId& id) const { history_->impl_->holders.prefetch(id); }

std::size_t Window::block_count() const {
    return static_cast<const Node*>(parent_)->block.height - first_height_ + 1;
}

std::size_t Window::transaction_count() const {
    const Node& parent = *static_cast<const Node*>(parent_);
    const Node& first = history_->impl_->first_of(*this);
    if (parent.repeats_after() == first.repeats_before) {
        return parent.transactions_after() - first.transactions_before;
    }
    absl::flat_hash_set<TxId, IdHash> distinct;  // no valid chain comes here
    history_->impl_->for_each_block(*this, [&](const BlockSummary& block) {
        distinct.insert(block.transactions.begin(), block.transactions.end());
    });
    return distinct.size();
}

std::vector<Price> Window::prices() const {
    std::vector<Price> prices;
    prices.reserve(block_count());
    history_->impl_->for_each_block(
        *this, [&](const BlockSummary& block) { prices.push_back(block.price); });
    return prices;
}

std::vector<BlockCost> Window::costs() const {
    std::vector<BlockCost> costs;
    costs.reserve(block_count());
    history_->impl_->for_each_block(
        *this, [&](const BlockSummary& block) { costs.push_back(block.cost); });
    return costs;
}

namespace {

std::size_t picked_index(std::size_t count) { return (count - 1) * 60 / 100; }

SuggestedFee suggestion(Price price, BlockCost cost, const Window& window, const Genesis& rules) {
    SuggestedFee suggested{.price = std::max(price, rules.min_price), .cost = cost};
    const std::size_t transactions = window.transaction_count();
    if (transactions > 0) suggested.cost.value /= transactions;
    if (transactions > 0) suggested.cost.value /= window.block_count();
    return suggested;
}

}  // namespace

SuggestedFee suggested_fee(const Window& window, const Genesis& rules) {
    std::vector<Price> prices = window.prices();
    std::vector<BlockCost> costs = window.costs();
    const auto at = static_cast<std::ptrdiff_t>(picked_index(prices.size()));
    std::nth_element(prices.begin(), prices.begin() + at, prices.end());
    std::nth_element(costs.begin(), costs.begin() + at, costs.end());
    return suggestion(prices[static_cast<std::size_t>(at)], costs[static_cast<std::size_t>(at)],
                      window, rules);
}

void FeeSuggester::Pick::add(std::uint64_t value) {
    const bool is_low = !low_.empty() && value <= *low_.rbegin();
    (is_low ? low_ : high_).insert(value);
    balance();
}

void FeeSuggester::Pick::remove(std::uint64_t value) {
    auto& holding = value <= *low_.rbegin() ? low_ : high_;
    holding.erase(holding.find(value));
    balance();
}

void FeeSuggester::Pick::clear() {
    low_.clear();
    high_.clear();
}

void FeeSuggester::Pick::balance() {
    const std::size_t count = low_.size() + high_.size();
    const std::size_t low = count == 0 ? 0 : picked_index(count) + 1;
    while (low_.size() < low) low_.insert(high_.extract(high_.begin()));
    while (low_.size() > low) high_.insert(low_.extract(std::prev(low_.end())));
}

void FeeSuggester::push(const Seen& block) {
    blocks_.push_back(block);
    prices_.add(block.price.value);
    costs_.add(block.cost.value);
}

void FeeSuggester::pop_oldest() {
    prices_.remove(blocks_.front().price.value);
    costs_.remove(blocks_.front().cost.value);
    blocks_.pop_front();
}

/// Makes blocks_ those of `window`: new ones behind what is here, if that is among its blocks.
void FeeSuggester::follow(const Window& window) {
    const std::size_t count = window.block_count();
    std::vector<Seen> fresh;  // newest first
    const Node* node = static_cast<const Node*>(window.parent_);
    while (fresh.size() < count && (blocks_.empty() || node->block.id != blocks_.back().id)) {
        fresh.push_back({node->block.id, node->block.price, node->block.cost});
        node = node->parent;
    }
    if (fresh.size() + blocks_.size() < count) {  // it begins before what is here
        for (; fresh.size() < count; node = node->parent) {
            fresh.push_back({node->block.id, node->block.price, node->block.cost});
        }
    }
    if (fresh.size() == count) {
        blocks_.clear();
        prices_.clear();
        costs_.clear();
    }
    for (auto block = fresh.rbegin(); block != fresh.rend(); ++block) push(*block);
    while (blocks_.size() > count) pop_oldest();
}

SuggestedFee FeeSuggester::suggest(const Window& window, const Genesis& rules) {
    follow(window);
    return suggestion(Price{prices_.value()}, BlockCost{costs_.value()}, window, rules);
}

}  // namespace blobvm::chain
