#include "mempool/mempool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/mempool/offers.hpp"

namespace blobvm::mempool {
namespace {

using test::make_transaction;
using test::numbered;
using test::offer;
using test::offer_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kAnyBytes = std::size_t{1} << 40;

std::uint64_t number_of(const chain::TransactionPtr& transaction) {
    std::uint64_t number = 0;
    std::memcpy(&number, transaction->id.bytes.data(), sizeof number);
    return number;
}

std::vector<std::uint64_t> numbers_of(const std::vector<chain::TransactionPtr>& transactions) {
    std::vector<std::uint64_t> numbers;
    for (const auto& transaction : transactions) numbers.push_back(number_of(transaction));
    return numbers;
}

/// All that is in the pool, best first; nothing leaves.
std::vector<std::uint64_t> order_of(const Mempool& pool) {
    std::vector<std::uint64_t> numbers;
    Mempool::Position position;
    while (const auto next = pool.next_best(position)) numbers.push_back(number_of(next));
    return numbers;
}

ErrorCode code_of(const Result<void>& result) {
    EXPECT_FALSE(result.has_value());
    return result.error().code;
}

TEST(MempoolTest, BestPriceComesFirst) {
    Mempool pool{{}};
    ASSERT_TRUE(pool.add(offer(1, {.price = Price{5}})));
    ASSERT_TRUE(pool.add(offer(2, {.price = Price{9}})));
    ASSERT_TRUE(pool.add(offer(3, {.price = Price{7}})));

    EXPECT_THAT(order_of(pool), ElementsAre(2, 3, 1));
    EXPECT_EQ(number_of(pool.take_best()), 2);
    EXPECT_EQ(number_of(pool.take_worst()), 1);
    EXPECT_THAT(order_of(pool), ElementsAre(3));
}

TEST(MempoolTest, FirstComeIsFirstAmongEquals) {
    Mempool pool{{}};
    for (std::uint64_t number = 1; number <= 20; ++number) ASSERT_TRUE(pool.add(offer(number)));

    EXPECT_EQ(number_of(pool.take_best()), 1);
    EXPECT_EQ(number_of(pool.take_worst()), 20);
    EXPECT_EQ(number_of(pool.take_best()), 2);
}

TEST(MempoolTest, EmptyPoolHasNoOffers) {
    Mempool pool{{}};
    Mempool::Position position;

    EXPECT_EQ(pool.next_best(position), nullptr);
    EXPECT_EQ(pool.take_best(), nullptr);
    EXPECT_EQ(pool.take_worst(), nullptr);
    EXPECT_THAT(pool.take_new(FeeUnits{100}, kAnyBytes), IsEmpty());
}

TEST(MempoolTest, HighestPossiblePriceIsFoundFromAFreshPosition) {
    Mempool pool{{}};
    ASSERT_TRUE(pool.add(offer(1, {.price = Price{~std::uint64_t{0}}})));

    EXPECT_THAT(order_of(pool), ElementsAre(1));
}

TEST(MempoolTest, BetterOfferTakesCheapestSeatWhenFull) {
    Mempool pool{{.count = 2}};
    ASSERT_TRUE(pool.add(offer(1, {.price = Price{1}})));
    ASSERT_TRUE(pool.add(offer(2, {.price = Price{3}})));

    EXPECT_TRUE(pool.add(offer(3, {.price = Price{2}})));
    EXPECT_THAT(order_of(pool), ElementsAre(2, 3));
    ASSERT_TRUE(pool.why(numbered<TxId>(1)).has_value());
    EXPECT_EQ(pool.why(numbered<TxId>(1))->fate, Fate::kEvicted);
    EXPECT_EQ(pool.stats().evicted, 1);
}

TEST(MempoolTest, EqualOfferIsRefusedWhenFull) {
    Mempool pool{{.count = 2}};
    ASSERT_TRUE(pool.add(offer(1, {.price = Price{2}})));
    ASSERT_TRUE(pool.add(offer(2, {.price = Price{2}})));

    EXPECT_EQ(code_of(pool.add(offer(3, {.price = Price{2}}))), ErrorCode::kMempoolFull);
    EXPECT_THAT(order_of(pool), ElementsAre(1, 2));
    EXPECT_EQ(pool.why(numbered<TxId>(3))->fate, Fate::kRefused);
    EXPECT_EQ(pool.why(numbered<TxId>(3))->reason.code, ErrorCode::kMempoolFull);
}

TEST(MempoolTest, YoungestAmongTheCheapestLeavesFirst) {
    Mempool pool{{.count = 2}};
    ASSERT_TRUE(pool.add(offer(1)));
    ASSERT_TRUE(pool.add(offer(2)));

    ASSERT_TRUE(pool.add(offer(3, {.price = Price{2}})));
    EXPECT_THAT(order_of(pool), ElementsAre(3, 1));
}

TEST(MempoolTest, LargeOfferTakesTheSeatsOfSeveralCheaperOnes) {
    Mempool pool{{.bytes = 1000}};
    for (std::uint64_t number = 1; number <= 10; ++number) {
        ASSERT_TRUE(pool.add(offer(number, {.price = Price{number}, .size_bytes = 100})));
    }
    ASSERT_EQ(pool.size_bytes(), 1000);

    ASSERT_TRUE(pool.add(offer(11, {.price = Price{50}, .size_bytes = 250})));
    EXPECT_THAT(order_of(pool), ElementsAre(11, 10, 9, 8, 7, 6, 5, 4));
    EXPECT_EQ(pool.size_bytes(), 950);
}

TEST(MempoolTest, NobodyLeavesForALargeOfferThatIsRefused) {
    Mempool pool{{.bytes = 1000}};
    for (std::uint64_t number = 1; number <= 10; ++number) {
        ASSERT_TRUE(pool.add(offer(number, {.price = Price{number}, .size_bytes = 100})));
    }
    const std::uint64_t version = pool.version();

    // Two cheaper ones are not enough room, and the third pays as much as the newcomer.
    EXPECT_EQ(code_of(pool.add(offer(11, {.price = Price{3}, .size_bytes = 201}))),
              ErrorCode::kMempoolFull);
    EXPECT_EQ(pool.size(), 10);
    EXPECT_EQ(pool.version(), version);
    EXPECT_TRUE(pool.add(offer(12, {.price = Price{3}, .size_bytes = 200})));
    EXPECT_EQ(pool.size(), 9);
}

TEST(MempoolTest, OfferLargerThanThePoolIsRefused) {
    Mempool pool{{.bytes = 1000}};

    EXPECT_EQ(code_of(pool.add(offer(1, {.size_bytes = 1001}))), ErrorCode::kMempoolFull);
    EXPECT_TRUE(pool.add(offer(2, {.size_bytes = 1000})));
}

TEST(MempoolTest, PoolOfSizeZeroKeepsNothing) {
    Mempool pool{{.count = 0}};

    EXPECT_EQ(code_of(pool.add(offer(1))), ErrorCode::kMempoolFull);
    EXPECT_EQ(pool.size(), 0);
}

TEST(MempoolTest, DuplicateIsRefusedAndNotRemembered) {
    Mempool pool{{}};
    ASSERT_TRUE(pool.add(offer(1)));
    const std::uint64_t version = pool.version();

    EXPECT_EQ(code_of(pool.add(offer(1))), ErrorCode::kDuplicateTransaction);
    EXPECT_EQ(pool.size(), 1);
    EXPECT_EQ(pool.version(), version);
    EXPECT_FALSE(pool.why(numbered<TxId>(1)).has_value());
    EXPECT_EQ(pool.stats().refused, 0);
}

TEST(MempoolTest, OneSenderHasACountOfSeats) {
    Mempool pool{{.sender_count = 2}};
    ASSERT_TRUE(pool.add(offer(1, {.sender = 7})));
    ASSERT_TRUE(pool.add(offer(2, {.sender = 7})));

    EXPECT_EQ(code_of(pool.add(offer(3, {.price = Price{9}, .sender = 7}))),
              ErrorCode::kSenderLimit);
    EXPECT_TRUE(pool.add(offer(4, {.sender = 8})));
    ASSERT_NE(pool.take_best(), nullptr);
    EXPECT_TRUE(pool.add(offer(5, {.sender = 7})));
}

TEST(MempoolTest, OneSenderHasABoundOfBytes) {
    Mempool pool{{.sender_bytes = 300}};
    ASSERT_TRUE(pool.add(offer(1, {.sender = 7, .size_bytes = 200})));

    EXPECT_EQ(code_of(pool.add(offer(2, {.sender = 7, .size_bytes = 101}))),
              ErrorCode::kSenderLimit);
    EXPECT_TRUE(pool.add(offer(3, {.sender = 7, .size_bytes = 100})));
    EXPECT_EQ(code_of(pool.add(offer(4, {.sender = 8, .size_bytes = 301}))),
              ErrorCode::kSenderLimit);
}

TEST(MempoolTest, PendingCostStaysWithinTheSendersBalance) {
    Mempool pool{{}};
    const auto costing = [](std::uint64_t number, std::uint64_t cost, std::uint64_t balance) {
        Offer result = offer(number, {.sender = 7});
        result.cost = Amount{cost};
        result.sender_balance = Amount{balance};
        return result;
    };
    ASSERT_TRUE(pool.add(costing(1, 60, 100)));

    EXPECT_EQ(code_of(pool.add(costing(2, 41, 100))), ErrorCode::kPendingBalance);
    EXPECT_TRUE(pool.add(costing(3, 40, 100)));
    EXPECT_EQ(code_of(pool.add(costing(4, 1, 100))), ErrorCode::kPendingBalance);
    EXPECT_TRUE(pool.add(costing(5, 1, 101)));
    ASSERT_TRUE(pool.drop(numbered<TxId>(1), Fate::kSkipped, {ErrorCode::kInvalidPrice, ""}));
    EXPECT_TRUE(pool.add(costing(6, 59, 100)));
    EXPECT_EQ(code_of(pool.add(costing(7, 1, 100))), ErrorCode::kPendingBalance);
}

TEST(MempoolTest, PendingCostCannotWrap) {
    Mempool pool{{}};
    Offer first = offer(1);
    first.cost = first.sender_balance;
    ASSERT_TRUE(pool.add(first));

    Offer second = offer(2);
    second.cost = Amount{1};
    EXPECT_EQ(code_of(pool.add(second)), ErrorCode::kPendingBalance);
}

TEST(MempoolTest, SenderWhoDisplacesOneOfItsOwnKeepsItsBooksRight) {
    Mempool pool{{.count = 2, .sender_bytes = 300}};
    ASSERT_TRUE(pool.add(offer(1, {.price = Price{1}, .sender = 7})));
    ASSERT_TRUE(pool.add(offer(2, {.price = Price{9}, .sender = 8})));
    ASSERT_TRUE(pool.add(offer(3, {.price = Price{2}, .sender = 7})));
    ASSERT_EQ(pool.size(), 2);
    ASSERT_EQ(number_of(pool.take_best()), 2);

    EXPECT_TRUE(pool.add(offer(4, {.price = Price{3}, .sender = 7, .size_bytes = 200})));
    EXPECT_EQ(pool.size_bytes(), 300);
}

TEST(MempoolTest, SameBytesAreFoundByTheirSignature) {
    Mempool pool{{}};
    const auto transaction = make_transaction(1, {});
    ASSERT_TRUE(pool.add(offer_of(transaction)));
    const auto twin = make_transaction(1, {});

    EXPECT_EQ(pool.find_same(twin->raw), transaction);
    ASSERT_EQ(pool.take_best(), transaction);
    EXPECT_EQ(pool.find_same(twin->raw), nullptr);
}

TEST(MempoolTest, ManyAreFoundAtOnceAndOtherBytesUnderASignatureThatWaitsAreNot) {
    constexpr std::size_t kCount = 100;
    Mempool pool{{}};
    std::vector<chain::TransactionPtr> expected(kCount);
    std::vector<chain::RawTransaction> raws;
    for (std::size_t i = 0; i < kCount; ++i) {
        const auto wanted = make_transaction(i + 1, {.signature = 1'000 + i});
        raws.push_back(make_transaction(i + 1, {.signature = 1'000 + i})->raw);
        if (i % 3 == 1) {
            expected[i] = wanted;
            ASSERT_TRUE(pool.add(offer_of(wanted)));
        } else if (i % 3 == 2) {
            ASSERT_TRUE(pool.add(offer(500 + i, {.signature = 1'000 + i})));
        }
    }
    EXPECT_EQ(pool.find_same(raws), expected);
}

TEST(MempoolTest, OtherBytesUnderTheSameSignatureAreNotTheSame) {
    Mempool pool{{}};
    ASSERT_TRUE(pool.add(offer(1, {.signature = 77})));
    const auto other = make_transaction(2, {.signature = 77});

    EXPECT_EQ(pool.find_same(other->raw), nullptr);
    ASSERT_TRUE(pool.add(offer_of(other)));
    ASSERT_TRUE(pool.drop(other->id, Fate::kSkipped, {ErrorCode::kInvalidPrice, ""}));
    EXPECT_NE(pool.find_same(make_transaction(1, {.signature = 77})->raw), nullptr)
        << "the other one's leaving took the entry of the first along";
}

TEST(MempoolTest, RawTransactionWithAShortSignatureIsNeverTheSame) {
    Mempool pool{{}};
    const auto transaction = make_transaction(1, {});
    ASSERT_TRUE(pool.add(offer_of(transaction)));
    chain::RawTransaction raw = transaction->raw;
    raw.signature = raw.signature.first(64);

    EXPECT_EQ(pool.find_same(raw), nullptr);
}

TEST(MempoolTest, NextBestGoesOnWhereItWasWhileOffersComeAndGo) {
    Mempool pool{{}};
    for (std::uint64_t number = 1; number <= 5; ++number) {
        ASSERT_TRUE(pool.add(offer(number, {.price = Price{10 * number}})));
    }
    Mempool::Position position;
    ASSERT_EQ(number_of(pool.next_best(position)), 5);
    ASSERT_EQ(number_of(pool.next_best(position)), 4);

    ASSERT_TRUE(pool.drop(numbered<TxId>(4), Fate::kSkipped, {ErrorCode::kInvalidPrice, ""}));
    ASSERT_TRUE(pool.drop(numbered<TxId>(3), Fate::kSkipped, {ErrorCode::kInvalidPrice, ""}));
    ASSERT_TRUE(pool.add(offer(6, {.price = Price{99}})));
    ASSERT_TRUE(pool.add(offer(7, {.price = Price{40}})));
    EXPECT_EQ(number_of(pool.next_best(position)), 7) << "as dear as 4, but younger";
    EXPECT_EQ(number_of(pool.next_best(position)), 2);
    EXPECT_EQ(number_of(pool.next_best(position)), 1);
    EXPECT_EQ(pool.next_best(position), nullptr);
    EXPECT_EQ(pool.size(), 5);
}

TEST(MempoolTest, NewOnesComeInOrderOfArrivalAndOnce) {
    Mempool pool{{}};
    ASSERT_TRUE(pool.add(offer(1, {.price = Price{1}})));
    ASSERT_TRUE(pool.add(offer(2, {.price = Price{9}})));

    EXPECT_THAT(numbers_of(pool.take_new(FeeUnits{100}, kAnyBytes)), ElementsAre(1, 2));
    EXPECT_THAT(pool.take_new(FeeUnits{100}, kAnyBytes), IsEmpty());
    EXPECT_EQ(pool.size(), 2);
}

TEST(MempoolTest, NewOnesThatDoNotFitWaitForTheNextCall) {
    Mempool pool{{}};
    for (std::uint64_t number = 1; number <= 4; ++number) {
        ASSERT_TRUE(pool.add(offer_of(make_transaction(number, {}), FeeUnits{4})));
    }

    EXPECT_THAT(numbers_of(pool.take_new(FeeUnits{11}, kAnyBytes)), ElementsAre(1, 2));
    EXPECT_THAT(numbers_of(pool.take_new(FeeUnits{100}, 199)), ElementsAre(3));
    EXPECT_THAT(numbers_of(pool.take_new(FeeUnits{4}, 100)), ElementsAre(4));
}

TEST(MempoolTest, OversizeNewOneDoesNotHoldUpTheOthers) {
    Mempool pool{{}};
    ASSERT_TRUE(pool.add(offer_of(make_transaction(1, {}), FeeUnits{50})));
    ASSERT_TRUE(pool.add(offer_of(make_transaction(2, {}), FeeUnits{5})));
    ASSERT_TRUE(pool.add(offer_of(make_transaction(3, {.size_bytes = 5000}), FeeUnits{5})));
    ASSERT_TRUE(pool.add(offer_of(make_transaction(4, {}), FeeUnits{5})));

    EXPECT_THAT(numbers_of(pool.take_new(FeeUnits{10}, 1000)), ElementsAre(2, 4));
    EXPECT_THAT(pool.take_new(FeeUnits{1000}, kAnyBytes), IsEmpty()) << "passed over for good";
    EXPECT_EQ(pool.size(), 4);
}

TEST(MempoolTest, WhatHasLeftIsNotNewAnyMore) {
    Mempool pool{{.count = 2}};
    ASSERT_TRUE(pool.add(offer(1, {.price = Price{1}})));
    ASSERT_TRUE(pool.add(offer(2, {.price = Price{2}})));
    ASSERT_TRUE(pool.add(offer(3, {.price = Price{3}})));

    EXPECT_THAT(numbers_of(pool.take_new(FeeUnits{100}, kAnyBytes)), ElementsAre(2, 3));
}

TEST(MempoolTest, BlocksTransactionsAreRemovedWithoutARecord) {
    Mempool pool{{}};
    const auto first = make_transaction(1, {});
    ASSERT_TRUE(pool.add(offer_of(first)));
    ASSERT_TRUE(pool.add(offer(2)));
    const std::vector<chain::TransactionPtr> block{first, make_transaction(9, {})};

    pool.remove(block);
    EXPECT_THAT(order_of(pool), ElementsAre(2));
    EXPECT_FALSE(pool.why(first->id).has_value());
}

TEST(MempoolTest, TransactionsExpireWithTheirBlock) {
    Mempool pool{{}};
    for (std::uint64_t number = 1; number <= 9; ++number) {
        ASSERT_TRUE(pool.add(offer(number, {.block = number % 3})));
    }
    std::size_t asked = 0;

    EXPECT_EQ(pool.expire([&](const BlockId& id) {
        ++asked;
        return id != numbered<BlockId>(1);
    }),
              3);
    EXPECT_EQ(asked, 3) << "once for each distinct block";
    EXPECT_THAT(order_of(pool), ElementsAre(2, 3, 5, 6, 8, 9));
    EXPECT_EQ(pool.why(numbered<TxId>(4))->fate, Fate::kExpired);
    EXPECT_EQ(pool.stats().expired, 3);
    EXPECT_EQ(pool.expire([](const BlockId&) { return false; }), 6);
    EXPECT_EQ(pool.size(), 0);
    EXPECT_EQ(pool.size_bytes(), 0);
}

/// What the pool would be told of an accepted block with these.
std::vector<chain::TransactionPtr> block_of(const std::vector<std::uint64_t>& numbers) {
    std::vector<chain::TransactionPtr> transactions;
    for (const std::uint64_t number : numbers) transactions.push_back(offer(number).transaction);
    return transactions;
}

TEST(MempoolTest, HeldOffersArePassedOverUntilTheyAreReleased) {
    Mempool pool{{}};
    for (std::uint64_t n = 1; n <= 4; ++n) ASSERT_TRUE(pool.add(offer(n, {.price = Price{n}})));
    pool.hold(block_of({2, 4, 77}));
    pool.hold(block_of({2}));
    EXPECT_THAT(order_of(pool), ElementsAre(3, 1));
    EXPECT_TRUE(pool.contains(numbered<TxId>(4)));
    EXPECT_EQ(pool.size(), 4U);
    EXPECT_EQ(code_of(pool.add(offer(4))), ErrorCode::kDuplicateTransaction);
    EXPECT_THAT(numbers_of(pool.take_new(FeeUnits{9}, kAnyBytes)), ElementsAre(1, 2, 3, 4));

    pool.release(block_of({4, 3, 77}));
    EXPECT_THAT(order_of(pool), ElementsAre(4, 3, 1));
    pool.release(block_of({2}));
    EXPECT_THAT(order_of(pool), ElementsAre(4, 3, 2, 1));
}

TEST(MempoolTest, HeldOffersLeaveWithTheirBlockOrExpire) {
    Mempool pool{{}};
    for (std::uint64_t n = 1; n <= 3; ++n) ASSERT_TRUE(pool.add(offer(n, {.block = n})));
    pool.hold(block_of({1, 2}));
    pool.remove(block_of({1}));
    EXPECT_EQ(pool.expire([](const BlockId& id) { return id != numbered<BlockId>(2); }), 1U);
    EXPECT_THAT(order_of(pool), ElementsAre(3));
    pool.release(block_of({1, 2}));
    EXPECT_THAT(order_of(pool), ElementsAre(3));
    EXPECT_EQ(pool.size_bytes(), 100U);
}

TEST(MempoolTest, HeldOffersGiveWayToBetterOnesInTheirTurn) {
    Mempool pool{{.count = 4}};
    for (std::uint64_t n = 1; n <= 4; ++n) ASSERT_TRUE(pool.add(offer(n, {.price = Price{n}})));
    pool.hold(block_of({1, 3, 4}));
    ASSERT_TRUE(pool.add(offer(5, {.price = Price{5}})));
    EXPECT_FALSE(pool.contains(numbered<TxId>(1)));
    ASSERT_TRUE(pool.add(offer(6, {.price = Price{6}})));
    EXPECT_FALSE(pool.contains(numbered<TxId>(2)));
    ASSERT_TRUE(pool.add(offer(7, {.price = Price{7}})));
    EXPECT_FALSE(pool.contains(numbered<TxId>(3)));
    EXPECT_EQ(code_of(pool.add(offer(8, {.price = Price{4}}))), ErrorCode::kMempoolFull);
    EXPECT_THAT(order_of(pool), ElementsAre(7, 6, 5));
}

TEST(MempoolTest, VersionChangesWithEachComingAndGoing) {
    Mempool pool{{}};
    std::uint64_t last = pool.version();
    const auto changed = [&] { return std::exchange(last, pool.version()) != last; };
    ASSERT_TRUE(pool.add(offer(1)));
    EXPECT_TRUE(changed());
    ASSERT_TRUE(pool.contains(numbered<TxId>(1)));
    EXPECT_FALSE(pool.take_new(FeeUnits{9}, kAnyBytes).empty());
    EXPECT_FALSE(changed());
    pool.hold(block_of({1}));
    EXPECT_FALSE(changed());
    pool.release(block_of({1}));
    EXPECT_TRUE(changed());
    ASSERT_NE(pool.take_best(), nullptr);
    EXPECT_TRUE(changed());
}

TEST(MempoolTest, DropIsRememberedWithItsReason) {
    Mempool pool{{}};
    ASSERT_TRUE(pool.add(offer(1)));

    EXPECT_TRUE(pool.drop(numbered<TxId>(1), Fate::kSkipped, {ErrorCode::kKeyExists, "k"}));
    EXPECT_FALSE(pool.drop(numbered<TxId>(1), Fate::kSkipped, {ErrorCode::kKeyExists, "again"}));
    const auto record = pool.why(numbered<TxId>(1));
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->fate, Fate::kSkipped);
    EXPECT_EQ(record->reason.message(), "key already exists: k");
}

TEST(MempoolTest, NewestRecordsAreKept) {
    Mempool pool{{.drop_records = 2}};
    const auto remember = [&](std::uint64_t number, ErrorCode code) {
        pool.remember(numbered<TxId>(number), Fate::kRefused, {code, ""});
    };
    remember(1, ErrorCode::kInvalidPrice);
    remember(2, ErrorCode::kInvalidPrice);
    remember(1, ErrorCode::kValueEmpty);
    remember(3, ErrorCode::kInvalidPrice);

    EXPECT_FALSE(pool.why(numbered<TxId>(2)).has_value());
    ASSERT_TRUE(pool.why(numbered<TxId>(1)).has_value());
    EXPECT_EQ(pool.why(numbered<TxId>(1))->reason.code, ErrorCode::kValueEmpty);
    EXPECT_TRUE(pool.why(numbered<TxId>(3)).has_value());
}

TEST(MempoolTest, AdmissionForgetsAnEarlierRefusal) {
    Mempool pool{{.count = 1}};
    ASSERT_TRUE(pool.add(offer(1)));
    ASSERT_FALSE(pool.add(offer(2)));
    ASSERT_TRUE(pool.why(numbered<TxId>(2)).has_value());
    ASSERT_NE(pool.take_best(), nullptr);

    ASSERT_TRUE(pool.add(offer(2)));
    EXPECT_FALSE(pool.why(numbered<TxId>(2)).has_value());
}

TEST(MempoolTest, PoolWithoutRecordsRemembersNothing) {
    Mempool pool{{.drop_records = 0}};
    pool.remember(numbered<TxId>(1), Fate::kRefused, {ErrorCode::kInvalidPrice, ""});

    EXPECT_FALSE(pool.why(numbered<TxId>(1)).has_value());
}

TEST(MempoolTest, ThreadsMayDoEverythingAtOnce) {
    Mempool pool{{.count = 64, .drop_records = 16}};
    const auto work = [&](std::uint64_t seed) {
        Mempool::Position position;
        for (std::uint64_t i = 0; i < 2000; ++i) {
            const std::uint64_t number = seed * 1'000'000 + i;
            (void)pool.add(offer(number, {.price = Price{number % 97}, .block = number % 5}));
            if (i % 3 == 0) pool.take_best();
            if (i % 5 == 0) pool.next_best(position);
            if (i % 7 == 0) pool.take_new(FeeUnits{10}, kAnyBytes);
            if (i % 11 == 0) pool.hold(block_of({number}));
            if (i % 13 == 0) pool.release(block_of({number - 22}));
            if (i % 501 == 0) pool.expire([](const BlockId& id) { return !id.is_zero(); });
            pool.why(numbered<TxId>(number));
        }
    };
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t seed = 1; seed <= 3; ++seed) threads.emplace_back(work, seed);
    }

    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        for (std::uint64_t i = 0; i < 2000; ++i) pool.release(block_of({seed * 1'000'000 + i}));
    }
    EXPECT_LE(pool.size(), 64);
    EXPECT_EQ(order_of(pool).size(), pool.size());
    EXPECT_EQ(pool.size_bytes(), pool.size() * 100);
    EXPECT_EQ(pool.stats().added + pool.stats().refused, 6000);
}

}  // namespace
}  // namespace blobvm::mempool
