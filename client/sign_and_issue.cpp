#include "client/sign_and_issue.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "chain/base/hashing.hpp"
#include "chain/base/hex.hpp"
#include "chain/execution.hpp"
#include "chain/transaction.hpp"

namespace blobvm::client {

namespace {

/// Values that go out in one request: about a block of them, so that hashing and signatures are
/// done side by side on either end, and a long way is gone once for all.
constexpr std::uint64_t kMostTogether = 1'600'000;

constexpr std::uint32_t kFirstPollMs = 20;
constexpr std::uint32_t kSlowestPollMs = 250;
constexpr std::uint32_t kRefreshMs = 1'000;  ///< age at which tip and fee are asked again
constexpr std::uint32_t kRetryMs = 100;      ///< pause before a full or absent node is asked again
constexpr std::uint32_t kStatusMs = 500;     ///< pause between two looks for lost transactions
constexpr std::uint32_t kForgottenMs = 1'500;  ///< until a node must know what it took
constexpr std::uint32_t kWindowSlackMs = 2'000;
constexpr std::uint64_t kBlocksTooCheap = 3;  ///< blocks that may pass over an offer
constexpr std::uint64_t kBusyHeadroom = 2;    ///< the price rises by at most 1 a block
constexpr int kMostRefusals = 40;             ///< of one transaction, for price or block id

class SystemTimer final : public Timer {
  public:
    std::uint64_t now_ms() override {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    }
    void sleep_ms(std::uint32_t duration) override {
        std::this_thread::sleep_for(std::chrono::milliseconds{duration});
    }
};

/// One blob or payment that is on its way, under one or more ids.
struct Flight {
    Bytes value;                    ///< of a set
    chain::TransferFields payment;  ///< of a transfer
    bool is_set = false;
    Receipt receipt;                ///< of the latest attempt
    SharedBytes standalone;         ///< its bytes; kept for transfers only
    std::vector<Receipt> attempts;  ///< that the node took, or may have taken
    bool taken = false;             ///< by the node, at least once
    std::uint64_t issued_ms = 0;
    std::uint64_t tip_at_issue = 0;  ///< height of the block it names
    std::uint64_t expires_ms = 0;    ///< when that block has left the window for sure
    bool on_old_block = false;       ///< which may leave it with the very next block
};

/// What one transaction must offer, and how often it was refused.
struct Bid {
    Price at_least{0};
    int refusals = 0;
};

/// The recent block that transactions name, and what they offer.
struct Reference {
    chain::SuggestedFee fee;
    LastAccepted tip;
    std::uint64_t first_seen_ms = 0;
    std::uint64_t asked_ms = 0;
    bool outdated = false;        ///< there is a newer tip for sure
    bool seen_to_change = false;  ///< so that the tip is as young as first_seen_ms says
};

bool is_worth_waiting_for(ErrorCode code) {
    return code == ErrorCode::kMempoolFull || code == ErrorCode::kSenderLimit ||
           code == ErrorCode::kBusy || code == ErrorCode::kNotReady;
}

/// Whether asking again later may help: the node is starting, restarting or overloaded.
bool is_passing(const Error& error) {
    return error.code == ErrorCode::kConnection || error.code == ErrorCode::kTimeout ||
           (error.code == ErrorCode::kHttpStatus &&
            (error.detail.starts_with('5') || error.detail == "429"));
}

}  // namespace

Timer& system_timer() {
    static SystemTimer timer;
    return timer;
}

std::optional<ErrorCode> refusal(const Error& error) {
    constexpr std::array kCodes{
        ErrorCode::kKeyExists,      ErrorCode::kInsufficientPrice, ErrorCode::kInvalidBlockId,
        ErrorCode::kMempoolFull,    ErrorCode::kSenderLimit,       ErrorCode::kDuplicateTransaction,
        ErrorCode::kInvalidBalance, ErrorCode::kPendingBalance,    ErrorCode::kPriceBelowMinimum,
        ErrorCode::kBusy,           ErrorCode::kNotReady,          ErrorCode::kValueTooBig,
        ErrorCode::kValueEmpty,     ErrorCode::kNonActionable};
    if (error.code != ErrorCode::kRpc) return std::nullopt;
    for (const ErrorCode code : kCodes) {
        const std::string_view fixed = text(code);
        if (!error.detail.starts_with(fixed)) continue;
        if (error.detail.size() == fixed.size() || error.detail[fixed.size()] == ':') return code;
    }
    return std::nullopt;
}

struct Issuer::Impl {
    Impl(Client& with, const chain::PrivateKey& signer, IssueOptions chosen)
        : client{with},
          key{signer},
          options{std::move(chosen)},
          timer{options.timer != nullptr ? *options.timer : system_timer()} {
        options.in_flight = std::max<std::size_t>(options.in_flight, 1);
    }

    Client& client;
    const chain::PrivateKey key;
    IssueOptions options;
    Timer& timer;
    chain::Genesis genesis;
    std::optional<Reference> reference;
    std::list<Flight> queued;  ///< goes out with the next request
    std::uint64_t queued_bytes = 0;
    std::uint64_t most_together = kMostTogether;  ///< less where requests got lost
    std::list<Flight> sent;                       ///< with the request under way
    std::vector<SharedBytes> sent_bytes;
    Client::Issued answered;    ///< to what is sent
    std::list<Flight> flights;  ///< taken by the node
    std::uint64_t last_progress_ms = 0;
    std::uint64_t next_poll_ms = 0;
    std::uint64_t next_status_ms = 0;
    std::uint32_t poll_ms = kFirstPollMs;

    void tell(Progress progress, const Receipt& receipt) const {
        if (options.on_progress) options.on_progress(progress, receipt);
    }

    void note_progress() { last_progress_ms = timer.now_ms(); }

    /// Refuses to go on when nobody wants the result any more or when nothing moves.
    Result<void> still_going(std::string_view waiting_for) {
        if (options.cancelled && options.cancelled()) return fail(ErrorCode::kCancelled);
        if (timer.now_ms() - last_progress_ms > options.patience_ms) {
            return fail(ErrorCode::kTimeout,
                        fmt::format("{} for {} s", waiting_for, options.patience_ms / 1'000));
        }
        return {};
    }

    Result<void> pause(std::string_view waiting_for, std::uint32_t duration_ms) {
        BLOBVM_TRY(still_going(waiting_for));
        timer.sleep_ms(duration_ms);
        return {};
    }

    /// Brings tip and fee up to date. `max_age_ms` of 0 always asks.
    Result<void> refresh(std::uint32_t max_age_ms) {
        const std::uint64_t now = timer.now_ms();
        if (reference && !reference->outdated && now - reference->asked_ms < max_age_ms) return {};
        BLOBVM_TRY(const LastAccepted tip, client.last_accepted());
        BLOBVM_TRY(const chain::SuggestedFee fee, client.suggested_raw_fee());
        if (!reference) {
            reference = {.fee = fee, .tip = tip, .first_seen_ms = now, .asked_ms = now};
            return {};
        }
        if (tip.id != reference->tip.id) {
            reference->tip = tip;
            reference->first_seen_ms = now;
            reference->seen_to_change = true;
        }
        reference->fee = fee;
        reference->asked_ms = now;
        reference->outdated = false;
        return {};
    }

    std::uint64_t window_ms() const {
        return static_cast<std::uint64_t>(genesis.lookback_window_s) * 1'000;
    }

    /// Whether the tip may be about to leave the window. An idle chain's tip, or genesis, is good
    /// for the very next block only.
    bool reference_may_be_old() {
        if (!reference || !reference->seen_to_change) return true;
        return timer.now_ms() - reference->first_seen_ms > window_ms() / 2;
    }

    /// How many transactions like this one may be under way: on an old tip no more than its one
    /// child can hold, since the rest would be lost.
    std::size_t room_for(std::uint64_t value_bytes) {
        if (!reference_may_be_old()) return options.in_flight;
        const std::uint64_t units =
            genesis.base_tx_units + chain::value_units(genesis, value_bytes);
        const std::uint64_t fit = std::max<std::uint64_t>(genesis.max_block_size / units, 1);
        return std::min<std::uint64_t>(options.in_flight, fit);
    }

    chain::TxFields fields_of(const Flight& flight, Price at_least) const {
        chain::TxFields fields;
        fields.block_id = reference->tip.id;
        fields.magic = genesis.magic;
        if (flight.is_set) {
            fields.body = chain::SetFields{flight.value};
        } else {
            fields.body = flight.payment;
        }
        const std::uint64_t units = chain::fee_units(genesis, fields).value;
        const chain::SuggestedFee& fee = reference->fee;
        std::uint64_t price = fee.price.value + (units == 0 ? 0 : fee.cost.value / units);
        if (fee.price > genesis.min_price) price += kBusyHeadroom;
        fields.price = Price{std::max(price, at_least.value)};
        return fields;
    }

    /// Signs `flight` for the current reference; its receipt lacks the id only. kFeeOverflow when
    /// no amount could pay for it.
    Result<SharedBytes> sign(Flight& flight, Price at_least) {
        const chain::TxFields fields = fields_of(flight, at_least);
        const FeeUnits units = chain::fee_units(genesis, fields);
        const std::optional<Amount> cost = fee(fields.price, units);
        if (!cost) return fail(ErrorCode::kFeeOverflow);

        // The key of a blob is its field hash too, so the value is not hashed again.
        const Hash256 digest = chain::signing_digest(fields, flight.receipt.key);
        const Signature signature = key.sign(digest);
        BLOBVM_TRY(Bytes standalone, chain::encode_transaction(fields, signature.view()));

        Receipt& receipt = flight.receipt;
        receipt.block_id = fields.block_id;
        receipt.units = units;
        receipt.price = fields.price;
        receipt.cost = *cost;

        flight.on_old_block = reference_may_be_old();
        flight.expires_ms = reference->first_seen_ms + window_ms() + kWindowSlackMs;
        flight.tip_at_issue = reference->tip.height;
        return SharedBytes{std::move(standalone)};
    }

    /// Signs all of `batch`, and hashes what that makes side by side.
    Result<std::vector<SharedBytes>> sign_all(std::list<Flight>& batch) {
        std::vector<SharedBytes> standalone;
        std::vector<TwoPartMessage> messages;
        for (Flight& flight : batch) {
            BLOBVM_TRY(SharedBytes bytes, sign(flight, Price{0}));
            messages.push_back({.head = bytes.view(), .tail = {}});
            standalone.push_back(std::move(bytes));
        }
        std::vector<Hash256> ids(messages.size());
        keccak256_many(messages, ids);
        auto id = ids.begin();
        for (Flight& flight : batch) {
            flight.receipt.id = retag<TxId>(*id++);
            tell(Progress::kSigned, flight.receipt);
        }
        return standalone;
    }

    /// Whether one of the attempts made it; `flight` then has its receipt.
    Result<bool> any_accepted(Flight& flight) {
        for (const Receipt& attempt : flight.attempts) {
            BLOBVM_TRY(const bool accepted, client.has_transaction(attempt.id));
            if (!accepted) continue;
            flight.receipt = attempt;
            return true;
        }
        return false;
    }

    enum class Outcome { kTaken, kDone };

    void done(Progress how, const Receipt& receipt) {
        note_progress();
        poll_ms = kFirstPollMs;
        tell(how, receipt);
    }

    /// The node says that the chain has this blob: by our own earlier attempt, or by somebody's.
    Result<Outcome> blob_is_there(Flight& flight) {
        BLOBVM_TRY(const bool ours, any_accepted(flight));
        done(ours ? Progress::kAccepted : Progress::kKnownBlob, flight.receipt);
        return Outcome::kDone;
    }

    /// The node has it, or may have it: ask for it from now on.
    static void remember(Flight& flight) {
        if (flight.attempts.empty() || flight.attempts.back().id != flight.receipt.id) {
            flight.attempts.push_back(flight.receipt);
        }
    }

    Outcome taken(Flight& flight) {
        remember(flight);
        if (!flight.taken) note_progress();
        tell(flight.taken ? Progress::kReissued : Progress::kIssued, flight.receipt);
        flight.taken = true;
        flight.issued_ms = timer.now_ms();
        next_poll_ms = std::min(next_poll_ms, flight.issued_ms + poll_ms);
        return Outcome::kTaken;
    }

    /// Brings tip and fee up to date, however long the node takes.
    Result<void> keep_fresh() {
        for (;;) {
            auto fresh = refresh(kRefreshMs);
            if (fresh || !is_passing(fresh.error())) return fresh;
            if (!wait_for_node()) return fresh;
        }
    }

    /// Hands in what is queued, with one request. Its answers are settled when they are there,
    /// before the next request at the latest.
    Result<void> hand_in_queued() {
        if (queued.empty()) return settle_sent();
        if (flights.empty() && sent.empty()) note_progress();  // nothing was expected until now
        BLOBVM_TRY(keep_fresh());
        queued_bytes = 0;
        std::list<Flight> batch = std::exchange(queued, {});
        BLOBVM_TRY(std::vector<SharedBytes> standalone, sign_all(batch));
        BLOBVM_TRY(settle_sent());
        sent = std::move(batch);
        sent_bytes = std::move(standalone);
        answered = client.issue_raw_many(sent_bytes);
        return settle_if_answered();
    }

    Result<void> settle_if_answered() {
        const bool ready = answered.valid() &&
                           answered.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
        return ready ? settle_sent() : Result<void>{};
    }

    /// Waits for the answers to what was sent, and hands in again, alone, what needs it.
    Result<void> settle_sent() {
        if (!answered.valid()) return {};
        const std::vector<Result<TxId>> issued = answered.get();
        if (!issued.front() && is_passing(issued.front().error())) most_together /= 2;
        for (std::size_t i = 0; i < issued.size(); ++i) {
            Flight& flight = sent.front();
            Bid bid;
            BLOBVM_TRY(auto outcome, settle(flight, sent_bytes[i], issued[i], bid));
            if (!outcome) {
                BLOBVM_TRY(outcome, hand_in(flight, bid));
            }
            if (*outcome == Outcome::kTaken) {
                flights.splice(flights.end(), sent, sent.begin());
            } else {
                sent.pop_front();
            }
        }
        sent_bytes.clear();
        return {};
    }

    /// Signs and hands in, again and again while the node asks for another price or block, or is
    /// full. kTaken: it waits for its block now.
    Result<Outcome> hand_in(Flight& flight, Bid bid = {}) {
        for (;;) {
            BLOBVM_TRY(keep_fresh());
            BLOBVM_TRY(const SharedBytes standalone, sign(flight, bid.at_least));
            flight.receipt.id = retag<TxId>(keccak256(standalone.view()));
            tell(Progress::kSigned, flight.receipt);
            const auto issued = client.issue_raw(standalone.view());
            BLOBVM_TRY(const auto outcome, settle(flight, standalone, issued, bid));
            if (outcome) return *outcome;
        }
    }

    /// What follows from the node's answer; nothing if `flight` is to be signed and handed in anew.
    Result<std::optional<Outcome>> settle(Flight& flight, const SharedBytes& standalone,
                                          const Result<TxId>& issued, Bid& bid) {
        constexpr std::optional<Outcome> kAgain;
        if (issued) {
            if (!flight.is_set) flight.standalone = standalone;
            return {taken(flight)};
        }
        if (is_passing(issued.error())) {
            remember(flight);  // its answer may be what was lost
            if (auto waited = wait_for_node(); !waited) {
                const bool cancelled = waited.error().code == ErrorCode::kCancelled;
                return fail(cancelled ? waited.error() : issued.error());
            }
            // It may have arrived: the same bytes again are harmless, other ones only for a set.
            if (flight.is_set) return kAgain;
            flight.standalone = standalone;
            return {taken(flight)};  // looked after by look_for_lost
        }

        const std::optional<ErrorCode> why = refusal(issued.error());
        if (!why) return fail(issued.error());
        if (is_worth_waiting_for(*why)) {
            BLOBVM_TRY(make_room());
            return kAgain;
        }
        switch (*why) {
            case ErrorCode::kKeyExists: {
                BLOBVM_TRY(const Outcome outcome, blob_is_there(flight));
                return {outcome};
            }
            case ErrorCode::kDuplicateTransaction:
                if (!flight.is_set) flight.standalone = standalone;
                return {taken(flight)};
            case ErrorCode::kInsufficientPrice:
                if (++bid.refusals > kMostRefusals) return fail(issued.error());
                bid.at_least = Price{flight.receipt.price.value + 1};
                BLOBVM_TRY(refresh(0));
                return kAgain;
            case ErrorCode::kInvalidBlockId: {
                if (++bid.refusals > kMostRefusals) return fail(issued.error());
                const BlockId refused = flight.receipt.block_id;
                BLOBVM_TRY(refresh(0));
                if (reference->tip.id == refused) BLOBVM_TRY(make_room());
                return kAgain;
            }
            case ErrorCode::kInvalidBalance:
            case ErrorCode::kPendingBalance: {
                // The fee is looked at before the blob: what is there costs nothing.
                if (flight.is_set) {
                    BLOBVM_TRY(const auto found, client.resolve(flight.receipt.key));
                    if (found) {
                        BLOBVM_TRY(const Outcome outcome, blob_is_there(flight));
                        return {outcome};
                    }
                }
                if (*why == ErrorCode::kPendingBalance && !flights.empty()) {
                    BLOBVM_TRY(make_room());
                    return kAgain;
                }
                return fail(issued.error());
            }
            default:
                return fail(issued.error());
        }
    }

    Result<void> wait_for_node() { return pause("the node does not answer", kRetryMs); }

    /// The node can take no more now: see what is accepted meanwhile.
    Result<void> make_room() {
        BLOBVM_TRY(pause("the node takes no more transactions", kRetryMs));
        return look_for_accepted();
    }

    /// Asks which transactions are accepted, if it is time.
    Result<void> poll() {
        if (flights.empty() || timer.now_ms() < next_poll_ms) return {};
        BLOBVM_TRY(look_for_accepted());
        return look_for_lost();
    }

    /// Waits until it is time to ask, and asks.
    Result<void> wait() {
        BLOBVM_TRY(still_going("no transaction was accepted"));
        const std::uint64_t now = timer.now_ms();
        if (now < next_poll_ms) timer.sleep_ms(static_cast<std::uint32_t>(next_poll_ms - now));
        return poll();
    }

    Result<void> look_for_accepted() {
        if (flights.empty()) return {};
        std::vector<TxId> ids;
        for (const Flight& flight : flights) {
            for (const Receipt& attempt : flight.attempts) ids.push_back(attempt.id);
        }
        const auto answers = client.have_transactions(ids);
        next_poll_ms = timer.now_ms() + poll_ms;
        poll_ms = std::min(poll_ms + poll_ms / 2, kSlowestPollMs);
        if (!answers) {
            if (!is_passing(answers.error())) return fail(answers.error());
            return still_going("the node does not answer");
        }
        std::size_t next = 0;
        for (auto flight = flights.begin(); flight != flights.end();) {
            bool accepted = false;
            for (const Receipt& attempt : flight->attempts) {
                if (!(*answers)[next++]) continue;
                accepted = true;
                flight->receipt = attempt;
            }
            if (accepted) {
                // Whatever the tip was, it has a child now.
                if (reference_may_be_old()) reference->outdated = true;
                done(Progress::kAccepted, flight->receipt);
                flight = flights.erase(flight);
            } else {
                ++flight;
            }
        }
        return {};
    }

    /// Finds transactions that will not make it as they are, and hands them in again.
    Result<void> look_for_lost() {
        const std::uint64_t now = timer.now_ms();
        if (now < next_status_ms || flights.empty()) return {};
        next_status_ms = now + kStatusMs;
        if (auto fresh = refresh(kStatusMs); !fresh) {
            return is_passing(fresh.error()) ? still_going("the node does not answer")
                                             : Result<void>{fail(fresh.error())};
        }
        // Asked after the tip, so that what the tip's block holds is not taken for lost.
        BLOBVM_TRY(look_for_accepted());

        std::vector<TxId> ids;
        for (const Flight& flight : flights) ids.push_back(flight.attempts.back().id);
        const auto statuses = client.transaction_statuses(ids);
        if (!statuses && !is_passing(statuses.error())) return fail(statuses.error());

        std::list<Flight> lost;
        std::size_t next = 0;
        for (auto flight = flights.begin(); flight != flights.end();) {
            const auto current = flight++;
            const std::size_t index = next++;
            const bool gone = statuses && *statuses ? is_lost(*current, (**statuses)[index])
                                                    : may_be_lost(*current);
            if (gone || is_too_cheap(*current)) lost.splice(lost.end(), flights, current);
        }
        for (Flight& flight : lost) {
            BLOBVM_TRY(const Outcome outcome, hand_in_again(flight));
            if (outcome == Outcome::kTaken) flights.push_back(std::move(flight));
        }
        return {};
    }

    bool is_lost(const Flight& flight, const TxStatus& status) {
        if (status.kind == TxStatus::Kind::kDropped) return true;
        return status.kind == TxStatus::Kind::kUnknown &&
               timer.now_ms() - flight.issued_ms > kForgottenMs;
    }

    /// The guess where the node cannot be asked.
    bool may_be_lost(const Flight& flight) {
        if (timer.now_ms() > flight.expires_ms) return true;
        return flight.on_old_block && reference->tip.height > flight.tip_at_issue;
    }

    bool is_too_cheap(const Flight& flight) const {
        return flight.is_set && flight.receipt.price < reference->fee.price &&
               reference->tip.height > flight.tip_at_issue + kBlocksTooCheap;
    }

    /// A set may be signed anew at any time, since its blob is stored once at most. A transfer
    /// could pay twice: first its old bytes go out again, and only when the node says that their
    /// block has left the window, and that they were never accepted, others may follow.
    Result<Outcome> hand_in_again(Flight& flight) {
        if (flight.is_set) return hand_in(flight);
        const auto again = client.issue_raw(flight.standalone.view());
        if (again) return taken(flight);
        const std::optional<ErrorCode> why = refusal(again.error());
        if (is_passing(again.error()) || why == ErrorCode::kDuplicateTransaction ||
            (why && is_worth_waiting_for(*why))) {
            return Outcome::kTaken;
        }
        BLOBVM_TRY(const bool accepted, any_accepted(flight));
        if (accepted) {
            done(Progress::kAccepted, flight.receipt);
            return Outcome::kDone;
        }
        if (why == ErrorCode::kInvalidBlockId) return hand_in(flight);
        return fail(again.error());
    }

    Result<void> start(Flight flight) {
        BLOBVM_TRY(settle_if_answered());
        BLOBVM_TRY(poll());
        while (queued.size() + sent.size() + flights.size() >= room_for(flight.value.size())) {
            BLOBVM_TRY(queued.empty() && sent.empty() ? wait() : hand_in_queued());
        }
        queued_bytes += flight.value.size();
        queued.push_back(std::move(flight));
        return queued_bytes < most_together ? Result<void>{} : hand_in_queued();
    }

    Result<void> finish() {
        BLOBVM_TRY(hand_in_queued());
        BLOBVM_TRY(settle_sent());
        while (!flights.empty()) BLOBVM_TRY(wait());
        return {};
    }
};

Result<std::unique_ptr<Issuer>> Issuer::open(Client& client, const chain::PrivateKey& key,
                                             IssueOptions options) {
    auto impl = std::make_unique<Impl>(client, key, std::move(options));
    BLOBVM_TRY(impl->genesis, client.genesis());
    return std::unique_ptr<Issuer>{new Issuer{std::move(impl)}};
}

Issuer::Issuer(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Issuer::~Issuer() = default;

const chain::Genesis& Issuer::genesis() const { return impl_->genesis; }

Result<void> Issuer::set(Bytes value, const BlobKey& key) {
    Flight flight;
    flight.is_set = true;
    flight.receipt.key = key;
    flight.receipt.size_bytes = value.size();
    flight.value = std::move(value);
    return impl_->start(std::move(flight));
}

Result<void> Issuer::transfer(const Address& to, Amount units) {
    Flight flight;
    flight.payment = {.to = to, .units = units};
    return impl_->start(std::move(flight));
}

Result<void> Issuer::finish() { return impl_->finish(); }

}  // namespace blobvm::client
