#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chain/base/mutex.hpp"
#include "chain/presets.hpp"
#include "chain/transaction.hpp"
#include "client/client.hpp"
#include "client/sign_and_issue.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::test {

/// A node and its chain in memory, with the rules that a client can run into, and a clock that
/// moves only when somebody waits or calls. Blocks are made as time passes.
struct FakeChainOptions {
    std::uint64_t max_value_bytes = 300;
    std::int64_t window_s = 60;
    std::uint32_t block_ms = 100;
    std::size_t txs_per_block = 8;
    std::size_t mempool_size = 1'000;
    std::uint64_t balance = 1'000'000;  ///< of account(1)
    bool knows_status = true;
    bool knows_blobs = true;
    std::uint32_t forget_every = 0;     ///< every n-th transaction it took is lost
    std::uint32_t no_answer_every = 0;  ///< every n-th is taken, but the answer is lost
    std::uint64_t price = 1;
    std::uint64_t price_step = 0;               ///< the price rises by this with each block
    bool suggests_old_price = false;            ///< as the original: that of the block before
    std::int64_t tip_age_s = 1'000'000;         ///< how old the first tip is
    std::uint32_t call_ms = 1;                  ///< what a call takes
    std::size_t most_request_bytes = SIZE_MAX;  ///< a request with more is lost
};

class FakeChain final : public client::Client, public client::Timer {
  public:
    explicit FakeChain(FakeChainOptions options = {}) : options_{options} {
        genesis_ = chain::fast_genesis(5);
        genesis_.max_value_size = options_.max_value_bytes;
        genesis_.lookback_window_s = options_.window_s;
        genesis_.max_block_size = options_.txs_per_block * 2;  // of small blobs
        blocks_.push_back({block_id(1), now_ms_ - options_.tip_age_s * 1'000});
        balances_[account(1)] = options_.balance;
    }

    // ---- what tests look at
    std::vector<BlobKey> order() {
        const Lock lock{mutex_};
        return accepted_order_;
    }
    std::size_t blobs() {
        const Lock lock{mutex_};
        return blobs_.size();
    }
    std::uint64_t spent() {
        const Lock lock{mutex_};
        return options_.balance - balances_[account(1)];
    }
    std::uint64_t balance_of(std::uint64_t number) {
        const Lock lock{mutex_};
        return balances_[account(number)];
    }
    std::uint64_t issue_calls() {
        const Lock lock{mutex_};
        return issue_calls_;
    }
    /// Of the requests with transactions, how many each of them held.
    std::vector<std::size_t> requests() {
        const Lock lock{mutex_};
        return requests_;
    }
    std::uint64_t has_calls() {
        const Lock lock{mutex_};
        return has_calls_;
    }
    std::size_t most_pending() {
        const Lock lock{mutex_};
        return most_pending_;
    }
    std::size_t largest_value() {
        const Lock lock{mutex_};
        return largest_value_;
    }
    bool remove(const BlobKey& key) {
        const Lock lock{mutex_};
        return blobs_.erase(key) == 1;
    }
    void set_balance(std::uint64_t balance) {
        const Lock lock{mutex_};
        balances_[account(1)] = balance;
    }
    void put(const BlobKey& key, Bytes value) {
        const Lock lock{mutex_};
        blobs_.insert_or_assign(key, std::move(value));
    }
    void stop_blocks() {
        const Lock lock{mutex_};
        stopped_ = true;
    }
    void fail_resolves(std::size_t count) {
        const Lock lock{mutex_};
        failing_resolves_ = count;
    }

    // ---- Timer
    std::uint64_t now_ms() override {
        const Lock lock{mutex_};
        return static_cast<std::uint64_t>(now_ms_);
    }
    void sleep_ms(std::uint32_t duration) override { advance(duration); }

    // ---- Client
    Result<void> ping() override { return {}; }
    Result<client::Network> network() override { return client::Network{}; }
    Result<chain::Genesis> genesis() override { return genesis_; }
    Result<client::LastAccepted> last_accepted() override {
        advance(options_.call_ms);
        const Lock lock{mutex_};
        return client::LastAccepted{blocks_.size() - 1, blocks_.back().id};
    }
    Result<Amount> balance(const Address& address) override {
        const Lock lock{mutex_};
        return Amount{balances_[address]};
    }
    Result<std::optional<client::Resolved>> resolve(const BlobKey& key) override {
        advance(options_.call_ms);
        const Lock lock{mutex_};
        if (failing_resolves_ > 0) {
            --failing_resolves_;
            return fail(ErrorCode::kConnection, "restarting");
        }
        const auto found = blobs_.find(key);
        if (found == blobs_.end()) return std::optional<client::Resolved>{};
        return std::optional<client::Resolved>{client::Resolved{found->second, {}}};
    }
    Result<bool> has_transaction(const TxId& id) override {
        advance(options_.call_ms);
        const Lock lock{mutex_};
        return accepted_.contains(id);
    }
    Result<std::vector<bool>> have_transactions(std::span<const TxId> ids) override {
        advance(options_.call_ms);
        const Lock lock{mutex_};
        ++has_calls_;
        std::vector<bool> result;
        for (const TxId& id : ids) result.push_back(accepted_.contains(id));
        return result;
    }
    Result<std::optional<std::vector<client::TxStatus>>> transaction_statuses(
        std::span<const TxId> ids) override {
        advance(options_.call_ms);
        using Kind = client::TxStatus::Kind;
        const Lock lock{mutex_};
        if (!options_.knows_status) return std::optional<std::vector<client::TxStatus>>{};
        std::vector<client::TxStatus> result;
        for (const TxId& id : ids) {
            const bool pending = std::any_of(mempool_.begin(), mempool_.end(),
                                             [&](const auto& tx) { return tx->id == id; });
            result.push_back({accepted_.contains(id)  ? Kind::kAccepted
                              : pending               ? Kind::kPending
                              : dropped_.contains(id) ? Kind::kDropped
                                                      : Kind::kUnknown,
                              {}});
        }
        return std::optional{std::move(result)};
    }
    Result<std::optional<std::vector<bool>>> have_blobs(std::span<const BlobKey> keys) override {
        advance(options_.call_ms);
        const Lock lock{mutex_};
        if (!options_.knows_blobs) return std::optional<std::vector<bool>>{};
        std::vector<bool> result;
        for (const BlobKey& key : keys) result.push_back(blobs_.contains(key));
        return std::optional{std::move(result)};
    }
    Result<chain::SuggestedFee> suggested_raw_fee() override {
        const Lock lock{mutex_};
        const bool old = options_.suggests_old_price && price() > options_.price;
        return chain::SuggestedFee{Price{price() - (old ? options_.price_step : 0)}, {}};
    }
    Result<std::vector<client::ActivityEntry>> recent_activity() override {
        return std::vector<client::ActivityEntry>{};
    }

    Result<TxId> issue_raw(ByteView standalone) override {
        note_request(1);
        return issue(standalone);
    }
    Issued issue_raw_many(std::vector<SharedBytes> standalone) override {
        note_request(standalone.size());
        std::size_t bytes = 0;
        for (const SharedBytes& one : standalone) bytes += one.size();
        const bool lost = bytes > options_.most_request_bytes;
        std::vector<Result<TxId>> results;
        for (const SharedBytes& one : standalone) {
            results.push_back(lost ? fail(ErrorCode::kConnection, "request lost")
                                   : issue(one.view()));
        }
        std::promise<std::vector<Result<TxId>>> answered;
        answered.set_value(std::move(results));
        return answered.get_future();
    }

  private:
    struct Block {
        BlockId id;
        std::int64_t time_ms;
    };

    void note_request(std::size_t transactions) {
        advance(options_.call_ms);
        const Lock lock{mutex_};
        requests_.push_back(transactions);
    }

    Result<TxId> issue(ByteView standalone) {
        const Lock lock{mutex_};
        ++issue_calls_;
        BLOBVM_TRY(const auto tx, chain::load_transaction(SharedBytes::copy_of(standalone)));
        BLOBVM_TRY(check(*tx));
        const bool known = accepted_.contains(tx->id) ||
                           std::any_of(mempool_.begin(), mempool_.end(),
                                       [&](const auto& other) { return other->id == tx->id; });
        if (!known) {
            if (mempool_.size() >= options_.mempool_size) return refuse(ErrorCode::kMempoolFull);
            if (!every(options_.forget_every, taken_)) mempool_.push_back(tx);
            most_pending_ = std::max(most_pending_, mempool_.size());
            ++taken_;
            if (every(options_.no_answer_every, taken_)) {
                return fail(ErrorCode::kConnection, "answer lost");
            }
        }
        return tx->id;
    }

    static bool every(std::uint32_t n, std::uint64_t count) { return n != 0 && count % n == n - 1; }
    static Failure refuse(ErrorCode code) { return fail(ErrorCode::kRpc, std::string{text(code)}); }

    std::uint64_t price() const REQUIRES(mutex_) {
        return options_.price + options_.price_step * (blocks_.size() - 1);
    }

    bool in_window(const BlockId& id) const REQUIRES(mutex_) {
        if (id == blocks_.back().id) return true;
        for (const Block& block : blocks_) {
            if (block.id == id) return now_ms_ - block.time_ms <= options_.window_s * 1'000;
        }
        return false;
    }

    /// The rules, in the original's order.
    Result<void> check(const chain::Transaction& tx) const REQUIRES(mutex_) {
        if (tx.fields().magic != genesis_.magic) return refuse(ErrorCode::kWrongMagic);
        if (!in_window(tx.fields().block_id)) return refuse(ErrorCode::kInvalidBlockId);
        if (accepted_.contains(tx.id)) return refuse(ErrorCode::kDuplicateTransaction);
        const auto balance = balances_.find(tx.sender);
        const std::uint64_t has = balance == balances_.end() ? 0 : balance->second;
        if (has < cost(tx)) return refuse(ErrorCode::kInvalidBalance);
        if (tx.price().value < price()) return refuse(ErrorCode::kInsufficientPrice);
        if (const auto* set = tx.fields().set()) {
            if (set->value.empty()) return refuse(ErrorCode::kValueEmpty);
            if (set->value.size() > options_.max_value_bytes) {
                return refuse(ErrorCode::kValueTooBig);
            }
            if (blobs_.contains(tx.key)) return refuse(ErrorCode::kKeyExists);
        }
        return {};
    }

    static std::uint64_t cost(const chain::Transaction& tx) {
        const auto* transfer = tx.fields().transfer();
        return tx.price().value * 2 + (transfer != nullptr ? transfer->units.value : 0);
    }

    void advance(std::uint32_t duration) EXCLUDES(mutex_) {
        const Lock lock{mutex_};
        const std::int64_t end_ms = now_ms_ + duration;
        while (!stopped_ && last_build_ms_ + options_.block_ms <= end_ms) {
            last_build_ms_ += options_.block_ms;
            now_ms_ = std::max(now_ms_, last_build_ms_);
            build();
        }
        now_ms_ = end_ms;
    }

    void build() REQUIRES(mutex_) {
        std::size_t taken = 0;
        std::vector<chain::TransactionPtr> later;
        std::vector<chain::TransactionPtr> block;
        for (const auto& tx : mempool_) {
            const bool fits = taken < options_.txs_per_block && tx->price().value >= price();
            if (!fits && in_window(tx->fields().block_id)) {
                later.push_back(tx);
                continue;
            }
            if (!check(*tx)) {
                dropped_.emplace(tx->id, true);
                continue;
            }
            apply(*tx);
            ++taken;
        }
        mempool_.assign(later.begin(), later.end());
        if (taken > 0) blocks_.push_back({block_id(blocks_.size() + 1), now_ms_});
    }

    void apply(const chain::Transaction& tx) REQUIRES(mutex_) {
        balances_[tx.sender] -= cost(tx);
        accepted_.emplace(tx.id, true);
        if (const auto* set = tx.fields().set()) {
            blobs_.emplace(tx.key, to_bytes(set->value));
            accepted_order_.push_back(tx.key);
            largest_value_ = std::max(largest_value_, set->value.size());
        } else {
            balances_[tx.fields().transfer()->to] += tx.fields().transfer()->units.value;
        }
    }

    const FakeChainOptions options_;
    chain::Genesis genesis_;
    Mutex mutex_;
    std::int64_t now_ms_ GUARDED_BY(mutex_) = 2'000'000'000;
    std::int64_t last_build_ms_ GUARDED_BY(mutex_) = 2'000'000'000;
    bool stopped_ GUARDED_BY(mutex_) = false;
    std::size_t failing_resolves_ GUARDED_BY(mutex_) = 0;
    std::vector<Block> blocks_ GUARDED_BY(mutex_);
    std::deque<chain::TransactionPtr> mempool_ GUARDED_BY(mutex_);
    std::map<BlobKey, Bytes> blobs_ GUARDED_BY(mutex_);
    std::map<TxId, bool> accepted_ GUARDED_BY(mutex_);
    std::map<TxId, bool> dropped_ GUARDED_BY(mutex_);
    std::map<Address, std::uint64_t> balances_ GUARDED_BY(mutex_);
    std::vector<BlobKey> accepted_order_ GUARDED_BY(mutex_);
    std::vector<std::size_t> requests_ GUARDED_BY(mutex_);
    std::uint64_t issue_calls_ GUARDED_BY(mutex_) = 0;
    std::uint64_t has_calls_ GUARDED_BY(mutex_) = 0;
    std::uint64_t taken_ GUARDED_BY(mutex_) = 0;
    std::size_t most_pending_ GUARDED_BY(mutex_) = 0;
    std::size_t largest_value_ GUARDED_BY(mutex_) = 0;
};

}  // namespace blobvm::test
