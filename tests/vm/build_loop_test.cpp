#include "vm/build_loop.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace blobvm::vm {
namespace {

using namespace std::chrono_literals;

constexpr auto kInterval = 500ms;

/// Time that moves when told to.
class StillClock final : public Clock {
  public:
    std::int64_t now_s() const override { return 0; }
    std::chrono::steady_clock::time_point now_steady() const override {
        ++reads_;
        return std::chrono::steady_clock::time_point{now_.load()};
    }
    void advance(std::chrono::nanoseconds by) { now_ = now_.load() + by; }

    /// How often the time was asked for.
    std::uint64_t reads() const { return reads_; }

  private:
    std::atomic<std::chrono::nanoseconds> now_{std::chrono::hours{1}};
    mutable std::atomic<std::uint64_t> reads_{0};
};

/// A loop, what it asks, and what it has answered. Nothing here waits for time to pass.
class BuildLoopTest : public ::testing::Test {
  protected:
    explicit BuildLoopTest(std::chrono::nanoseconds interval = kInterval)
        : loop_{clock_, interval, [this] {
                    const std::scoped_lock lock{mutex_};
                    ++asked_;
                    changed_.notify_all();
                    return work_;
                }} {}

    void set_work(bool work) {
        {
            const std::scoped_lock lock{mutex_};
            work_ = work;
        }
        loop_.wake();
    }

    BuildLoop::WaiterId wait() {
        return loop_.wait([this](bool build) {
            const std::scoped_lock lock{mutex_};
            answers_.push_back(build);
            changed_.notify_all();
        });
    }

    /// A block that the engine builds right now, verifies and prefers.
    void build() {
        loop_.built(/*success=*/true, clock_.now_steady());
        loop_.preferred();
    }

    /// The answers, once there are `count` of them; fails after a generous deadline.
    std::vector<bool> answers(std::size_t count) {
        std::unique_lock lock{mutex_};
        EXPECT_TRUE(changed_.wait_for(lock, 30s, [&] { return answers_.size() >= count; }))
            << answers_.size() << " answers instead of " << count;
        return answers_;
    }

    /// The answers, once the loop has been in `state`.
    std::vector<bool> answers_in(BuildLoop::State state) {
        const auto deadline = std::chrono::steady_clock::now() + 30s;
        while (loop_.state() != state && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        EXPECT_EQ(loop_.state(), state);
        const std::scoped_lock lock{mutex_};
        return answers_;
    }

    /// The answers, once the loop has looked at the clock in whole rounds since now: each round
    /// looks three times at most.
    std::vector<bool> answers_after_a_look() {
        const std::uint64_t enough = clock_.reads() + 9;
        const auto deadline = std::chrono::steady_clock::now() + 30s;
        while (clock_.reads() < enough && std::chrono::steady_clock::now() < deadline) {
            loop_.wake();
            std::this_thread::yield();
        }
        EXPECT_GE(clock_.reads(), enough);
        const std::scoped_lock lock{mutex_};
        return answers_;
    }

    std::size_t asked() {
        const std::scoped_lock lock{mutex_};
        return asked_;
    }

    StillClock clock_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool work_ = false;
    std::size_t asked_ = 0;
    std::vector<bool> answers_;
    BuildLoop loop_;  // last: its thread uses what is above
};

TEST_F(BuildLoopTest, NewsOfKnownWorkIsKeptForTheNextWhoWaits) {
    set_work(true);
    answers_in(BuildLoop::State::kMayBuild);
    const std::size_t before = asked();
    for (int transaction = 0; transaction < 1'000; ++transaction) loop_.wake();
    EXPECT_EQ(asked(), before) << "nobody waits";

    wait();
    EXPECT_EQ(answers(1), std::vector{true});
    EXPECT_EQ(asked(), before + 1) << "asked for the one who waits, not for the thousand";
}

TEST_F(BuildLoopTest, KnownWorkThatHasGoneIsNotToldToTheNextWhoWaits) {
    set_work(true);
    answers_in(BuildLoop::State::kMayBuild);
    set_work(false);

    const auto waiter = wait();
    EXPECT_TRUE(answers_in(BuildLoop::State::kDontBuild).empty());
    EXPECT_TRUE(loop_.cancel(waiter));
}

TEST_F(BuildLoopTest, NothingToBuildMeansNoAnswer) {
    wait();

    EXPECT_TRUE(answers_after_a_look().empty());
    EXPECT_EQ(loop_.state(), BuildLoop::State::kDontBuild);
}

TEST_F(BuildLoopTest, WaiterIsToldWhenWorkComes) {
    wait();
    set_work(true);

    EXPECT_EQ(answers(1), std::vector{true});
    EXPECT_EQ(loop_.state(), BuildLoop::State::kBuilding);
}

TEST_F(BuildLoopTest, WorkThatWasThereFirstIsNotForgotten) {
    set_work(true);
    EXPECT_TRUE(answers_in(BuildLoop::State::kMayBuild).empty());

    wait();
    EXPECT_EQ(answers(1), std::vector{true});
}

TEST_F(BuildLoopTest, WorkThatComesWithoutAWakeUpIsFoundWhileSomebodyWaits) {
    wait();
    {
        const std::scoped_lock lock{mutex_};
        work_ = true;  // as block cost and price change, with time alone
    }

    EXPECT_EQ(answers(1), std::vector{true});
}

TEST_F(BuildLoopTest, AllWaitersAreTold) {
    wait();
    wait();
    wait();
    set_work(true);

    EXPECT_EQ(answers(3), (std::vector{true, true, true}));
}

TEST_F(BuildLoopTest, IntervalRunsBetweenBuilds) {
    set_work(true);
    wait();
    ASSERT_EQ(answers(1).size(), 1);
    build();
    wait();
    EXPECT_EQ(answers_in(BuildLoop::State::kMayBuild).size(), 1);

    clock_.advance(kInterval - 1ns);
    EXPECT_EQ(answers_after_a_look().size(), 1);

    clock_.advance(1ns);
    loop_.wake();
    EXPECT_EQ(answers(2).size(), 2);
}

TEST_F(BuildLoopTest, IntervalRunsFromTheBuildsBeginning) {
    set_work(true);
    const auto begun = clock_.now_steady();
    clock_.advance(20ms);
    loop_.built(/*success=*/true, begun);
    loop_.preferred();
    wait();
    clock_.advance(kInterval - 20ms - 1ns);
    EXPECT_TRUE(answers_after_a_look().empty());

    clock_.advance(1ns);
    loop_.wake();
    EXPECT_EQ(answers(1).size(), 1);
}

TEST_F(BuildLoopTest, BuildThatComesALittleLateDoesNotDelayTheNext) {
    set_work(true);
    build();
    clock_.advance(kInterval + BuildLoop::kMostLate - 1ns);
    build();
    wait();
    clock_.advance(kInterval - BuildLoop::kMostLate);
    EXPECT_TRUE(answers_after_a_look().empty());

    clock_.advance(1ns);
    loop_.wake();
    EXPECT_EQ(answers(1).size(), 1);
}

TEST_F(BuildLoopTest, BuildThatComesMuchTooLateHasAWholeIntervalBehindIt) {
    set_work(true);
    build();
    clock_.advance(kInterval + BuildLoop::kMostLate);
    build();
    wait();
    clock_.advance(kInterval - 1ns);
    EXPECT_TRUE(answers_after_a_look().empty());

    clock_.advance(1ns);
    loop_.wake();
    EXPECT_EQ(answers(1).size(), 1);
}

TEST_F(BuildLoopTest, FailedBuildIsTriedAgainAfterTheSpacing) {
    set_work(true);
    wait();
    ASSERT_EQ(answers(1).size(), 1);
    loop_.built(/*success=*/false, clock_.now_steady());
    wait();
    clock_.advance(BuildLoop::kMinSpacing - 1ns);
    EXPECT_EQ(answers_after_a_look().size(), 1);

    clock_.advance(1ns);
    loop_.wake();
    EXPECT_EQ(answers(2).size(), 2);
}

TEST_F(BuildLoopTest, EngineThatDoesNotBuildIsToldAgainAfterTheSpacing) {
    set_work(true);
    wait();
    ASSERT_EQ(answers(1).size(), 1);
    wait();
    EXPECT_EQ(answers_after_a_look().size(), 1);
    EXPECT_EQ(loop_.state(), BuildLoop::State::kBuilding);

    clock_.advance(BuildLoop::kMinSpacing);
    loop_.wake();
    EXPECT_EQ(answers(2).size(), 2);
}

TEST_F(BuildLoopTest, WhoAsksAfterANewPreferenceIsToldAtOnce) {
    set_work(true);
    wait();
    ASSERT_EQ(answers(1).size(), 1);
    loop_.preferred();
    wait();

    EXPECT_EQ(answers(2).size(), 2);
}

TEST_F(BuildLoopTest, WhoAskedBeforeTheNewPreferenceIsNot) {
    set_work(true);
    wait();
    ASSERT_EQ(answers(1).size(), 1);
    const auto waiter = wait();
    loop_.preferred();

    EXPECT_EQ(answers_after_a_look().size(), 1) << "the engine would drop it, and ask anew";
    EXPECT_TRUE(loop_.cancel(waiter));
}

TEST_F(BuildLoopTest, WorkThatHasGoneIsSeen) {
    set_work(true);
    wait();
    ASSERT_EQ(answers(1).size(), 1);
    {
        const std::scoped_lock lock{mutex_};
        work_ = false;
    }
    build();
    wait();
    clock_.advance(kInterval);

    EXPECT_EQ(answers_in(BuildLoop::State::kDontBuild).size(), 1);
}

TEST_F(BuildLoopTest, CancelledWaiterIsNotAnswered) {
    const BuildLoop::WaiterId first = wait();
    EXPECT_TRUE(loop_.cancel(first));
    EXPECT_FALSE(loop_.cancel(first));

    wait();
    set_work(true);
    EXPECT_EQ(answers(1).size(), 1);
}

TEST_F(BuildLoopTest, AnsweredWaiterCannotBeCancelled) {
    const BuildLoop::WaiterId waiter = wait();
    set_work(true);
    ASSERT_EQ(answers(1).size(), 1);

    EXPECT_FALSE(loop_.cancel(waiter));
}

TEST_F(BuildLoopTest, StopAnswersEverybodyWithNo) {
    wait();
    wait();
    loop_.stop();
    EXPECT_EQ(answers(2), (std::vector{false, false}));

    loop_.stop();
    wait();
    EXPECT_EQ(answers(3), (std::vector{false, false, false}));
}

TEST_F(BuildLoopTest, LoopWithoutWaitersIsQuiet) {
    set_work(true);
    answers_in(BuildLoop::State::kMayBuild);
    const std::size_t before = asked();
    for (int i = 0; i < 1000; ++i) loop_.wake();

    EXPECT_EQ(asked(), before) << "nobody to tell, and nothing to learn";
}

TEST_F(BuildLoopTest, AnswerMayWaitAgainAtOnce) {
    loop_.wait([this](bool) { wait(); });
    set_work(true);
    answers_in(BuildLoop::State::kBuilding);
    clock_.advance(BuildLoop::kMinSpacing);
    loop_.wake();

    EXPECT_EQ(answers(1), std::vector{true});
}

class UnpacedBuildLoopTest : public BuildLoopTest {
  protected:
    UnpacedBuildLoopTest() : BuildLoopTest{0ns} {}
};

TEST_F(UnpacedBuildLoopTest, WithoutAnIntervalOneBuildFollowsAnother) {
    set_work(true);
    for (std::size_t i = 1; i <= 100; ++i) {
        wait();
        ASSERT_EQ(answers(i).size(), i);
        build();
    }
}

TEST_F(UnpacedBuildLoopTest, NobodyIsToldToBuildBesideTheBlockThatWasJustBuilt) {
    set_work(true);
    loop_.built(/*success=*/true, clock_.now_steady());
    wait();
    EXPECT_TRUE(answers_after_a_look().empty());

    clock_.advance(BuildLoop::kMinSpacing);  // it may have vanished
    loop_.wake();
    EXPECT_EQ(answers(1).size(), 1);
}

TEST_F(UnpacedBuildLoopTest, FailingBuildDoesNotSpin) {
    set_work(true);
    wait();
    ASSERT_EQ(answers(1).size(), 1);
    loop_.built(/*success=*/false, clock_.now_steady());
    wait();

    EXPECT_EQ(answers_after_a_look().size(), 1);
    EXPECT_EQ(loop_.state(), BuildLoop::State::kMayBuild);
}

}  // namespace
}  // namespace blobvm::vm
