#include "vm/thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

namespace blobvm::vm {
namespace {

TEST(ThreadPoolTest, RunsEveryTaskBeforeStopReturns) {
    ThreadPoolExecutor pool{/*threads=*/2, /*queue_capacity=*/100};
    std::atomic<int> ran{0};
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.post([&] { ++ran; }));
    pool.stop();
    EXPECT_EQ(ran, 100);
}

TEST(ThreadPoolTest, RefusesTasksWhenTheQueueIsFull) {
    ThreadPoolExecutor pool{/*threads=*/1, /*queue_capacity=*/2};
    std::latch started{1};
    std::binary_semaphore go_on{0};
    ASSERT_TRUE(pool.post([&] {
        started.count_down();
        go_on.acquire();
    }));
    started.wait();  // the thread is busy: from here on tasks wait

    EXPECT_TRUE(pool.post([] {}));
    EXPECT_TRUE(pool.post([] {}));
    EXPECT_FALSE(pool.post([] {}));
    go_on.release();
}

TEST(ThreadPoolTest, RefusesTasksOnceStopped) {
    ThreadPoolExecutor pool{1, 10};
    pool.stop();
    EXPECT_FALSE(pool.post([] {}));
    pool.stop();
}

TEST(ThreadPoolTest, LoopRunsEachIndexOnce) {
    ThreadPoolExecutor pool{3, 10};
    for (const std::size_t count : {0UL, 1UL, 2UL, 7UL, 1000UL}) {
        std::vector<std::atomic<int>> times(count);
        pool.for_each(count, [&](std::size_t i) { ++times[i]; });
        for (const auto& n : times) ASSERT_EQ(n, 1) << "of " << count;
    }
}

TEST(ThreadPoolTest, LoopEndsThoughEveryThreadIsBusy) {
    ThreadPoolExecutor pool{1, 10};
    std::latch started{1};
    std::binary_semaphore go_on{0};
    ASSERT_TRUE(pool.post([&] {
        started.count_down();
        go_on.acquire();
    }));
    started.wait();

    int ran = 0;
    pool.for_each(50, [&](std::size_t) { ++ran; });  // all in this thread, so no atomic is needed
    EXPECT_EQ(ran, 50);
    go_on.release();
}

TEST(ThreadPoolTest, LoopGetsHelpFromTheThreads) {
    ThreadPoolExecutor pool{1, 10};
    std::latch both{2};  // passes only if two indexes are under way at the same time
    pool.for_each(2, [&](std::size_t) { both.arrive_and_wait(); });
}

TEST(ThreadPoolTest, LoopGoesBeforeQueuedTasks) {
    ThreadPoolExecutor pool{1, 10};
    std::latch started{1};
    std::binary_semaphore go_on{0};
    ASSERT_TRUE(pool.post([&] {
        started.count_down();
        go_on.acquire();
    }));
    started.wait();
    std::atomic<bool> task_ran{false};
    ASSERT_TRUE(pool.post([&] { task_ran = true; }));

    std::latch both{2};
    std::atomic<bool> task_ran_first{false};
    pool.for_each(2, [&](std::size_t) {
        go_on.release();  // at the latest now the thread looks for something to do
        if (task_ran) task_ran_first = true;
        both.arrive_and_wait();
    });
    EXPECT_FALSE(task_ran_first);
}

TEST(ThreadPoolTest, LoopsOfSeveralCallersShareThePool) {
    ThreadPoolExecutor pool{2, 10};
    std::atomic<int> ran{0};
    {
        std::vector<std::jthread> callers;
        for (int caller = 0; caller < 4; ++caller) {
            callers.emplace_back([&] {
                for (int round = 0; round < 50; ++round) {
                    pool.for_each(20, [&](std::size_t) { ++ran; });
                }
            });
        }
    }
    EXPECT_EQ(ran, 4 * 50 * 20);
}

TEST(ThreadPoolTest, WhoIsDoneHelpsALoopThatFoundAllAtWork) {
    ThreadPoolExecutor pool{2, 10};
    std::latch first_at_work{2};
    std::latch first_may_end{1};
    const std::jthread first{[&] {
        pool.for_each(2, [&](std::size_t) {
            first_at_work.count_down();
            first_may_end.wait();
        });
    }};
    first_at_work.wait();  // the caller and one thread: as many as the pool has

    std::latch both{2};
    pool.for_each(2, [&](std::size_t i) {
        if (i == 0) first_may_end.count_down();
        both.arrive_and_wait();
    });
}

TEST(ThreadPoolTest, LoopRunsInItsCallerOnceStopped) {
    ThreadPoolExecutor pool{2, 10};
    pool.stop();
    int ran = 0;
    pool.for_each(5, [&](std::size_t) { ++ran; });
    EXPECT_EQ(ran, 5);
}

}  // namespace
}  // namespace blobvm::vm
