#include "client/sign_and_issue.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "chain/base/hashing.hpp"
#include "tests/client/fake_chain.hpp"

namespace blobvm::client {
namespace {

using test::account;
using test::FakeChain;
using test::FakeChainOptions;
using test::key;

Result<void> set(Issuer& issuer, std::string_view value) {
    return issuer.set(to_bytes(as_bytes(value)), retag<BlobKey>(keccak256(as_bytes(value))));
}

std::unique_ptr<Issuer> open(FakeChain& chain, IssueOptions options = {}) {
    options.timer = &chain;
    return Issuer::open(chain, key(1), std::move(options)).value();
}

/// Hands in `count` blobs and sees them through.
Result<void> set_many(FakeChain& chain, int count, IssueOptions options = {}) {
    const auto issuer = open(chain, std::move(options));
    for (int i = 0; i < count; ++i) BLOBVM_TRY(set(*issuer, fmt::format("blob {}", i)));
    return issuer->finish();
}

TEST(IssuerTest, ReportsAcceptanceOnlyOnceTheBlobIsInABlock) {
    FakeChain chain;
    const auto issuer = open(chain);
    ASSERT_TRUE(set(*issuer, "hello"));
    EXPECT_EQ(chain.blobs(), 0U);
    ASSERT_TRUE(issuer->finish());
    EXPECT_EQ(chain.blobs(), 1U);
}

TEST(IssuerTest, TellsEachStepOfATransaction) {
    FakeChain chain;
    std::vector<Progress> steps;
    const auto issuer =
        open(chain, {.on_progress = [&](Progress step, const Receipt&) { steps.push_back(step); }});
    ASSERT_TRUE(set(*issuer, "hello"));
    ASSERT_TRUE(issuer->finish());
    EXPECT_EQ(steps, (std::vector{Progress::kSigned, Progress::kIssued, Progress::kAccepted}));
}

TEST(IssuerTest, KeepsSeveralInFlightAndNeverMoreThanAllowed) {
    FakeChain chain{{.tip_age_s = 0}};
    ASSERT_TRUE(set_many(chain, 100, {.in_flight = 16}));
    EXPECT_EQ(chain.blobs(), 100U);
    EXPECT_LE(chain.most_pending(), 16U);
    EXPECT_GT(chain.most_pending(), 8U);
}

TEST(IssuerTest, SignsOnAnIdleChainsTipOnlyWhatItsOneChildCanHold) {
    FakeChain chain{{.txs_per_block = 4}};
    ASSERT_TRUE(set_many(chain, 40));
    EXPECT_EQ(chain.blobs(), 40U);
    EXPECT_EQ(chain.issue_calls(), 40U) << "none was lost with the old tip";
}

/// Hands in `count` blobs of 200,000 bytes and sees them through.
Result<void> set_large(FakeChain& chain, int count) {
    const auto issuer = open(chain);
    for (int i = 0; i < count; ++i) {
        BLOBVM_TRY(set(*issuer, fmt::format("{:0200000}", i)));
    }
    return issuer->finish();
}

TEST(IssuerTest, SendsABlocksWorthOfBlobsWithOneRequest) {
    FakeChain chain{{.max_value_bytes = 200'000, .txs_per_block = 2'000, .tip_age_s = 0}};
    ASSERT_TRUE(set_large(chain, 20));
    EXPECT_EQ(chain.blobs(), 20U);
    EXPECT_EQ(chain.requests(), (std::vector<std::size_t>{8, 8, 4}));
}

TEST(IssuerTest, SendsLessAtOnceAfterARequestGotLost) {
    FakeChain chain{{.max_value_bytes = 200'000,
                     .txs_per_block = 2'000,
                     .tip_age_s = 0,
                     .most_request_bytes = 1'000'000}};
    ASSERT_TRUE(set_large(chain, 16));
    EXPECT_EQ(chain.blobs(), 16U);
    EXPECT_EQ(chain.requests(), (std::vector<std::size_t>{8, 1, 1, 1, 1, 1, 1, 1, 1, 4, 4}));
}

TEST(IssuerTest, OneRefusedOfARequestDoesNotKeepTheOthersBack) {
    FakeChain chain{{.tip_age_s = 0}};
    ASSERT_TRUE(set_many(chain, 1));
    ASSERT_TRUE(set_many(chain, 3));
    EXPECT_EQ(chain.blobs(), 3U);
    EXPECT_EQ(chain.requests(), (std::vector<std::size_t>{1, 3})) << "the first of the three known";
}

TEST(IssuerTest, AKnownBlobIsSkippedAndCostsNothing) {
    FakeChain chain;
    ASSERT_TRUE(set_many(chain, 3));
    const std::uint64_t spent = chain.spent();
    std::vector<Progress> steps;
    const auto issuer =
        open(chain, {.on_progress = [&](Progress step, const Receipt&) { steps.push_back(step); }});
    ASSERT_TRUE(set(*issuer, "blob 0"));
    ASSERT_TRUE(issuer->finish());
    EXPECT_EQ(steps, (std::vector{Progress::kSigned, Progress::kKnownBlob}));
    EXPECT_EQ(chain.spent(), spent);
}

TEST(IssuerTest, AKnownBlobIsSkippedEvenWithoutMoney) {
    FakeChain chain;
    ASSERT_TRUE(set_many(chain, 3));
    chain.set_balance(0);
    EXPECT_TRUE(set_many(chain, 3));
}

TEST(IssuerTest, WithoutMoneyItFailsWithTheNodesReason) {
    FakeChain chain{{.balance = 1}};
    const auto done = set_many(chain, 1);
    ASSERT_FALSE(done);
    EXPECT_EQ(refusal(done.error()), ErrorCode::kInvalidBalance);
    EXPECT_EQ(chain.spent(), 0U);
}

TEST(IssuerTest, OffersMoreUntilThePriceIsRight) {
    FakeChain chain{{.price_step = 3, .suggests_old_price = true}};
    ASSERT_TRUE(set_many(chain, 60));
    EXPECT_EQ(chain.blobs(), 60U);
}

TEST(IssuerTest, WaitsWhileTheMempoolIsFull) {
    FakeChain chain{{.txs_per_block = 2, .mempool_size = 3, .tip_age_s = 0}};
    ASSERT_TRUE(set_many(chain, 30));
    EXPECT_EQ(chain.blobs(), 30U);
}

class LostTransactions : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(KnowsStatus, LostTransactions, testing::Bool());

TEST_P(LostTransactions, AreSignedAnew) {
    FakeChain chain{{.window_s = 5, .knows_status = GetParam(), .forget_every = 7}};
    ASSERT_TRUE(set_many(chain, 50));
    EXPECT_EQ(chain.blobs(), 50U);
    EXPECT_EQ(chain.spent(), 100U) << "nothing is paid twice";
}

TEST_P(LostTransactions, WhoseAnswerGotLostAreNotPaidTwice) {
    FakeChain chain{{.window_s = 5, .knows_status = GetParam(), .no_answer_every = 3}};
    ASSERT_TRUE(set_many(chain, 50));
    EXPECT_EQ(chain.blobs(), 50U);
    EXPECT_EQ(chain.spent(), 100U);
}

TEST_P(LostTransactions, OnAStaleTipAreSignedOnTheNextOne) {
    // More small ones than the client believes to fit, on a tip that its child pushes out.
    FakeChain chain{{.knows_status = GetParam()}};
    const auto issuer = open(chain);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(set(*issuer, fmt::format("{}", i)));
    ASSERT_TRUE(issuer->finish());
    EXPECT_EQ(chain.blobs(), 30U);
}

TEST_P(LostTransactions, OfMoneyArePaidOnce) {
    FakeChain chain{
        {.window_s = 5, .knows_status = GetParam(), .forget_every = 2, .no_answer_every = 3}};
    const auto issuer = open(chain, {.in_flight = 1});
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(issuer->transfer(account(2), Amount{1'000u + static_cast<unsigned>(i)}));
        ASSERT_TRUE(issuer->finish());
    }
    EXPECT_EQ(chain.balance_of(2), 10'045U);
}

TEST(IssuerTest, GivesUpWhenNothingIsAcceptedForTooLong) {
    FakeChain chain;
    chain.stop_blocks();
    const std::uint64_t start = chain.now_ms();
    const auto done = set_many(chain, 1, {.patience_ms = 10'000});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kTimeout);
    EXPECT_NEAR(static_cast<double>(chain.now_ms() - start), 10'000, 1'000);
}

TEST(IssuerTest, AsksSoonAndThenLessOften) {
    FakeChain chain;
    chain.stop_blocks();
    ASSERT_FALSE(set_many(chain, 1, {.patience_ms = 10'000}));
    EXPECT_LT(chain.has_calls(), 80U);
    EXPECT_GT(chain.has_calls(), 20U);
}

TEST(IssuerTest, StopsWhenNobodyWantsTheResult) {
    FakeChain chain;
    chain.stop_blocks();
    const auto done = set_many(chain, 1, {.cancelled = [&] { return chain.has_calls() > 2; }});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
}

TEST(IssuerTest, AValueTheChainRefusesIsAnError) {
    FakeChain chain;
    const auto issuer = open(chain);
    ASSERT_TRUE(set(*issuer, std::string(301, 'x')));
    const auto done = issuer->finish();
    ASSERT_FALSE(done);
    EXPECT_EQ(refusal(done.error()), ErrorCode::kValueTooBig);
}

TEST(RefusalTest, KnowsTextsWithAndWithoutDetailButNoLongerWords) {
    const auto why = [](std::string text) { return refusal(Error{ErrorCode::kRpc, text}); };
    EXPECT_EQ(why("key already exists"), ErrorCode::kKeyExists);
    EXPECT_EQ(why("invalid balance: bal=1"), ErrorCode::kInvalidBalance);
    EXPECT_EQ(why("invalid balances"), std::nullopt);
    EXPECT_EQ(refusal(Error{ErrorCode::kIo, "key already exists"}), std::nullopt);
}

}  // namespace
}  // namespace blobvm::client
