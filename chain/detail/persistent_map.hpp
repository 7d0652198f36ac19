#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "chain/base/bytes.hpp"

namespace blobvm::chain::detail {

/// An immutable ordered map whose versions share structure: a treap with priorities from the
/// (seeded) hash of the key, so that nobody can grind keys into a deep tree. Copying costs a
/// pointer, a lookup the logarithm of the size, a union of n and m entries (m the smaller)
/// m log(n/m). Safe to read from any thread.
template <class Key, class Value>
class PersistentMap {
  public:
    using Entry = std::pair<Key, Value>;

    PersistentMap() = default;

    const Value* find(const Key& key) const {
        const Node* node = root_.get();
        while (node != nullptr) {
            const auto order = key <=> node->key;
            if (order == 0) return &node->value;
            node = (order < 0 ? node->left : node->right).get();
        }
        return nullptr;
    }

    /// The entry with the smallest key not below `start`; null if there is none.
    std::pair<const Key*, const Value*> lower_bound(const Key& start) const {
        const Node* node = root_.get();
        const Node* best = nullptr;
        while (node != nullptr) {
            if (node->key < start) {
                node = node->right.get();
            } else {
                best = node;
                node = node->left.get();
            }
        }
        if (best == nullptr) return {nullptr, nullptr};
        return {&best->key, &best->value};
    }

    /// This map with each key of `entries` bound to its value; of equal keys the last one counts.
    PersistentMap with(std::span<const Entry> entries) const {
        std::vector<Ranked> sorted;
        sorted.reserve(entries.size());
        for (const Entry& entry : entries) sorted.push_back({&entry, IdHash{}(entry.first)});
        std::stable_sort(sorted.begin(), sorted.end(), [](const Ranked& a, const Ranked& b) {
            return a.entry->first < b.entry->first;
        });
        const auto begin_of_last_ones =
            std::unique(sorted.rbegin(), sorted.rend(), [](const Ranked& a, const Ranked& b) {
                return a.entry->first == b.entry->first;
            }).base();
        return PersistentMap{unite(root_, build({begin_of_last_ones, sorted.end()}))};
    }

    std::size_t size() const { return size_of(root_); }

  private:
    struct Node;
    using Link = std::shared_ptr<const Node>;
    struct Node {
        Key key;
        Value value;
        std::size_t priority;
        std::size_t size;
        Link left;
        Link right;
    };
    struct Ranked {
        const Entry* entry;
        std::size_t priority;
    };
    struct Parts {
        Link below;
        const Node* at;  ///< the node of the key itself, in the map that was split; or null
        Link above;
    };

    explicit PersistentMap(Link root) : root_{std::move(root)} {}

    static std::size_t size_of(const Link& link) { return link ? link->size : 0; }

    static Link make(const Key& key, const Value& value, std::size_t priority, Link left,
                     Link right) {
        const std::size_t size = 1 + size_of(left) + size_of(right);
        return std::make_shared<const Node>(
            Node{key, value, priority, size, std::move(left), std::move(right)});
    }

    /// The same entry over other subtrees; the same node where they are its own.
    static Link rebuild(const Link& node, const Value& value, Link left, Link right) {
        if (&value == &node->value && left == node->left && right == node->right) return node;
        return make(node->key, value, node->priority, std::move(left), std::move(right));
    }

    /// Of entries in order, each key once.
    static Link build(std::span<const Ranked> entries) {
        if (entries.empty()) return nullptr;
        const auto top = std::max_element(
            entries.begin(), entries.end(),
            [](const Ranked& a, const Ranked& b) { return a.priority < b.priority; });
        const auto& [key, value] = *top->entry;
        return make(key, value, top->priority, build({entries.begin(), top}),
                    build({top + 1, entries.end()}));
    }

    static Parts split(const Link& tree, const Key& key) {
        if (!tree) return {nullptr, nullptr, nullptr};
        if (key == tree->key) return {tree->left, tree.get(), tree->right};
        if (key < tree->key) {
            Parts parts = split(tree->left, key);
            parts.above = rebuild(tree, tree->value, std::move(parts.above), tree->right);
            return parts;
        }
        Parts parts = split(tree->right, key);
        parts.below = rebuild(tree, tree->value, tree->left, std::move(parts.below));
        return parts;
    }

    /// Both together; where both bind a key, `over` counts.
    static Link unite(const Link& under, const Link& over) {
        if (!under) return over;
        if (!over) return under;
        if (over->priority >= under->priority) {
            const Parts parts = split(under, over->key);
            return rebuild(over, over->value, unite(parts.below, over->left),
                           unite(parts.above, over->right));
        }
        const Parts parts = split(over, under->key);
        const Value& value = parts.at != nullptr ? parts.at->value : under->value;
        return rebuild(under, value, unite(under->left, parts.below),
                       unite(under->right, parts.above));
    }

    Link root_;
};

}  // namespace blobvm::chain::detail
