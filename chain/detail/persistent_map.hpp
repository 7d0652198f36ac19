#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "chain/base/bytes.hpp"

namespace blobvm::chain::detail {

/// An immutable ordered map whose versions share structure: a treap with priorities from the
/// (seeded) hash of the key. Copying costs a pointer, a lookup and an insertion the logarithm of
/// the size. Safe to read from any thread.
template <class Key, class Value>
class PersistentMap {
  public:
    const Value* find(const Key& key) const {
        const Node* node = root_.get();
        while (node != nullptr) {
            if (key == node->key) return &node->value;
            node = (key < node->key ? node->left : node->right).get();
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

    /// This map with `key` bound to `value`.
    PersistentMap with(const Key& key, Value value) const {
        PersistentMap result;
        result.size_ = size_ + (find(key) == nullptr ? 1 : 0);
        result.root_ = insert(root_, key, std::move(value));
        return result;
    }

    std::size_t size() const { return size_; }

  private:
    struct Node;
    using Link = std::shared_ptr<const Node>;
    struct Node {
        Key key;
        Value value;
        Link left;
        Link right;
    };

    static std::size_t priority(const Key& key) { return IdHash{}(key); }

    static Link make(const Node& like, Link left, Link right) {
        return std::make_shared<const Node>(
            Node{like.key, like.value, std::move(left), std::move(right)});
    }

    static Link insert(const Link& at, const Key& key, Value value) {
        if (!at) return std::make_shared<const Node>(Node{key, std::move(value), nullptr, nullptr});
        if (key == at->key) {
            return std::make_shared<const Node>(Node{key, std::move(value), at->left, at->right});
        }
        if (key < at->key) {
            Link left = insert(at->left, key, std::move(value));
            if (priority(left->key) > priority(at->key)) {
                return make(*left, left->left, make(*at, left->right, at->right));
            }
            return make(*at, std::move(left), at->right);
        }
        Link right = insert(at->right, key, std::move(value));
        if (priority(right->key) > priority(at->key)) {
            return make(*right, make(*at, at->left, right->left), right->right);
        }
        return make(*at, at->left, std::move(right));
    }

    Link root_;
    std::size_t size_ = 0;
};

}  // namespace blobvm::chain::detail
