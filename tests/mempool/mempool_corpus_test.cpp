// Scripts that the original's mempool ran (mempool.json.gz).
//
// A plain, slow model of what mempool.hpp promises runs beside the pool: both must agree on
// everything, always. What the original answered is compared as well, exactly, where our rules are
// the original's. They differ in two things, and the test proves that it is one of them each time:
//   - among equal prices the original chooses as its heap happens to lie, we by arrival; from the
//     first such choice on the two pools may hold different transactions
//   - its list of new transactions is blocked for ever by one that is too large, and names one
//     twice that left and came again

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "mempool/mempool.hpp"
#include "tests/mempool/offers.hpp"
#include "tests/support/corpus.hpp"

namespace blobvm::mempool {
namespace {

using blobvm::test::fixed;
using blobvm::test::Json;
using blobvm::test::number;

/// The transactions and block ids that all scripts share.
struct Shared {
    explicit Shared(const Json& pool_case) {
        for (const Json& id : pool_case.at("blockIDs")) blocks.push_back(fixed<BlockId>(id));
        for (const Json& tx : pool_case.at("txs")) {
            const auto n = tx.at("n").get<std::size_t>();
            auto transaction = test::make_transaction(n, {.price = Price{number(tx.at("price"))}});
            transaction->id = fixed<TxId>(tx.at("id"));
            transaction->raw.fields.block_id = blocks.at(tx.at("blockID").get<std::size_t>());
            numbers[transaction->id] = n;
            offers.push_back(test::offer_of(transaction, FeeUnits{number(tx.at("units"))}));
        }
    }

    const chain::Transaction& transaction(std::size_t n) const { return *offers.at(n).transaction; }
    Price price(std::size_t n) const { return transaction(n).price(); }
    FeeUnits units(std::size_t n) const { return offers.at(n).units; }

    std::vector<BlockId> blocks;
    std::vector<Offer> offers;
    std::map<TxId, std::size_t> numbers;
};

using Numbers = std::vector<std::size_t>;

/// What mempool.hpp promises, in the fewest words.
class Model {
  public:
    Model(const Shared& shared, std::size_t capacity) : shared_{shared}, capacity_{capacity} {}

    bool contains(std::size_t n) const { return std::ranges::find(order_, n) != order_.end(); }
    const Numbers& order() const { return order_; }
    const Numbers& fresh() const { return fresh_; }

    bool add(std::size_t n) {
        if (contains(n)) return false;
        const auto behind = std::ranges::find_if(
            order_, [&](std::size_t other) { return shared_.price(other) < shared_.price(n); });
        if (order_.size() == capacity_ && behind == order_.end()) return false;
        order_.insert(behind, n);
        fresh_.push_back(n);
        if (order_.size() > capacity_) remove(order_.back());
        return true;
    }

    bool remove(std::size_t n) {
        std::erase(fresh_, n);
        return std::erase(order_, n) == 1;
    }

    Numbers take_new(std::uint64_t max_units) {
        Numbers taken;
        std::uint64_t units = 0;
        while (!fresh_.empty()) {
            const std::uint64_t next = shared_.units(fresh_.front()).value;
            if (next <= max_units) {
                if (units + next > max_units) break;
                units += next;
                taken.push_back(fresh_.front());
            }
            fresh_.erase(fresh_.begin());
        }
        return taken;
    }

  private:
    const Shared& shared_;
    const std::size_t capacity_;
    Numbers order_;  ///< best first
    Numbers fresh_;  ///< by arrival
};

/// One script, played on our pool.
class Play {
  public:
    Play(const Shared& shared, const Json& script)
        : shared_{shared},
          capacity_{script.at("maxSize").get<std::size_t>()},
          pool_{{.count = capacity_, .sender_count = capacity_ + 1}},
          model_{shared, capacity_} {}

    /// Whether the two pools still hold the same transactions.
    bool same_as_original() const { return same_; }

    void step(const Json& op) {
        const auto verb = op.at(0).get<std::string>();
        if (verb == "add") return add(op.at(1).get<std::size_t>(), op.at(2).get<bool>());
        if (verb == "popMax") return pop(op, pool_.take_best(), Best{true});
        if (verb == "popMin") return pop(op, pool_.take_worst(), Best{false});
        if (verb == "prune") return prune(op.at(1));
        if (verb == "newTxs") return take_new(number(op.at(1)), op.at(2).get<Numbers>());
        if (verb == "len") return check_size(op.at(1).get<std::size_t>());
        if (verb == "remove") return remove(op.at(1).get<std::size_t>(), op.at(2).get<bool>());
        if (verb == "drainMax") return drain(op.at(1), Best{true});
        if (verb == "drainMin") return drain(op.at(1), Best{false});
        FAIL() << "unknown operation " << op;
    }

  private:
    struct Best {
        bool best;
    };

    void add(std::size_t n, bool original) {
        const bool was_full = model_.order().size() == capacity_;
        const bool tied =
            was_full && capacity_ > 0 && shared_.price(n) == shared_.price(model_.order().back());
        const bool ours = pool_.add(shared_.offers.at(n)).has_value();
        ASSERT_EQ(ours, model_.add(n));
        if (!same_) return;
        if (ours) listed_.push_back(n);
        if (ours == original) {
            // Both let a worst one go; among several of its price the original's may be another.
            if (ours && was_full && lowest_were_tied_) same_ = false;
        } else {
            EXPECT_TRUE(tied) << "the original " << (original ? "took " : "refused ") << n;
            same_ = false;
        }
        note_ties();
    }

    void pop(const Json& op, const chain::TransactionPtr& popped, Best which) {
        if (model_.order().empty()) {
            ASSERT_EQ(popped, nullptr);
            if (same_) {
                EXPECT_TRUE(op.at(1).is_null()) << op;
            }
            return;
        }
        const std::size_t expected = which.best ? model_.order().front() : model_.order().back();
        ASSERT_NE(popped, nullptr);
        ASSERT_EQ(shared_.numbers.at(popped->id), expected);
        model_.remove(expected);
        if (!same_) return;
        ASSERT_FALSE(op.at(1).is_null()) << op;
        EXPECT_EQ(popped->price().value, number(op.at(2)));
        if (op.at(1).get<std::size_t>() != expected) {
            const auto as_dear = std::ranges::count_if(
                model_.order(), [&](std::size_t n) { return shared_.price(n) == popped->price(); });
            EXPECT_GT(as_dear, 0) << "no other has this price, but the original chose " << op;
            same_ = false;
        }
        note_ties();
    }

    void prune(const Json& valid) {
        const auto is_recent = [&](const BlockId& id) {
            return std::ranges::any_of(valid, [&](const Json& index) {
                return shared_.blocks.at(index.get<std::size_t>()) == id;
            });
        };
        const Numbers before = model_.order();
        for (const std::size_t n : before) {
            if (!is_recent(shared_.transaction(n).fields().block_id)) model_.remove(n);
        }
        EXPECT_EQ(pool_.expire(is_recent), before.size() - model_.order().size());
        note_ties();
    }

    /// What the original's list gives: its entries are ids, looked up in the pool when asked for.
    Numbers original_new(std::uint64_t max_units) {
        Numbers taken;
        std::uint64_t units = 0;
        while (!listed_.empty()) {
            const std::size_t n = listed_.front();
            if (model_.contains(n)) {
                if (units + shared_.units(n).value > max_units) break;
                units += shared_.units(n).value;
                taken.push_back(n);
            }
            listed_.pop_front();
        }
        return taken;
    }

    void take_new(std::uint64_t max_units, const Numbers& original) {
        if (same_) {
            EXPECT_EQ(original_new(max_units), original) << "the list is not as we think";
        }
        Numbers taken;
        for (const auto& transaction : pool_.take_new(FeeUnits{max_units}, std::size_t{1} << 40)) {
            taken.push_back(shared_.numbers.at(transaction->id));
        }
        EXPECT_EQ(taken, model_.take_new(max_units));
    }

    void check_size(std::size_t original) {
        EXPECT_EQ(pool_.size(), model_.order().size());
        if (same_) {
            EXPECT_EQ(pool_.size(), original);
        }
    }

    void remove(std::size_t n, bool original) {
        const bool ours =
            pool_.drop(shared_.transaction(n).id, Fate::kSkipped, {ErrorCode::kInvalidPrice, ""});
        EXPECT_EQ(ours, model_.remove(n));
        if (same_) {
            EXPECT_EQ(ours, original) << n;
        }
        note_ties();
    }

    void drain(const Json& original, Best which) {
        Json groups = Json::array();
        while (const auto popped = which.best ? pool_.take_best() : pool_.take_worst()) {
            const std::size_t n = shared_.numbers.at(popped->id);
            ASSERT_EQ(n, which.best ? model_.order().front() : model_.order().back());
            model_.remove(n);
            const std::string price = std::to_string(popped->price().value);
            if (groups.empty() || groups.back().at(0) != price) {
                groups.push_back({price, Json::array()});
            }
            groups.back().at(1).push_back(n);
        }
        for (Json& group : groups) std::sort(group.at(1).begin(), group.at(1).end());
        if (same_) {
            EXPECT_EQ(groups, original);
        }
        EXPECT_TRUE(model_.order().empty());
    }

    /// Whether more than one has the lowest price: an eviction then chooses among equals.
    void note_ties() {
        const Numbers& order = model_.order();
        lowest_were_tied_ = order.size() > 1 &&
                            shared_.price(order.back()) == shared_.price(order[order.size() - 2]);
    }

    const Shared& shared_;
    const std::size_t capacity_;
    Mempool pool_;
    Model model_;
    std::deque<std::size_t> listed_;  ///< the original's new transactions
    bool lowest_were_tied_ = false;
    bool same_ = true;
};

TEST(MempoolCorpusTest, ScriptsGiveWhatTheOriginalGaveWhereOurRulesAreTheSame) {
    const std::vector<Json> cases = blobvm::test::corpus_cases("mempool");
    std::optional<Shared> shared;
    std::size_t scripts = 0;
    std::size_t wholly_the_same = 0;
    for (const Json& test_case : cases) {
        if (test_case.at("kind") == "pool") {
            shared.emplace(test_case);
            continue;
        }
        ASSERT_TRUE(shared.has_value());
        SCOPED_TRACE("script " + std::to_string(scripts++));
        Play play{*shared, test_case};
        for (const Json& op : test_case.at("ops")) {
            SCOPED_TRACE(op.dump());
            play.step(op);
            if (::testing::Test::HasFailure()) return;
        }
        if (play.same_as_original()) ++wholly_the_same;
        if (test_case.at("class") != "heap-order") {
            EXPECT_TRUE(play.same_as_original());
        }
    }
    RecordProperty("scripts", static_cast<int>(scripts));
    RecordProperty("wholly_the_same", static_cast<int>(wholly_the_same));
    EXPECT_GT(scripts, 0);
}

}  // namespace
}  // namespace blobvm::mempool
