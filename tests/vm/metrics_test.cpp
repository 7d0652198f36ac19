#include "vm/metrics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace blobvm::vm {
namespace {

using namespace std::chrono_literals;

TEST(MetricsTest, BucketHoldsWhatIsNotAboveItsBound) {
    Histogram histogram;
    histogram.observe(10us);        // the first bound itself
    histogram.observe(10us + 1ns);  // just above
    histogram.observe(11s);         // above all
    const Histogram::Snapshot snapshot = histogram.snapshot();
    EXPECT_EQ(snapshot.cumulative[0], 1U);
    EXPECT_EQ(snapshot.cumulative[1], 2U);
    EXPECT_EQ(snapshot.cumulative.back(), 2U);
    EXPECT_EQ(snapshot.count, 3U);
    EXPECT_NEAR(snapshot.sum_s, 11.00002, 1e-6);
}

TEST(MetricsTest, BucketsAreCumulative) {
    Histogram histogram;
    for (const auto duration : {1us, 50us, 700us, 20000us}) histogram.observe(duration);
    const Histogram::Snapshot snapshot = histogram.snapshot();
    EXPECT_TRUE(std::is_sorted(snapshot.cumulative.begin(), snapshot.cumulative.end()));
    EXPECT_EQ(snapshot.cumulative.back(), snapshot.count);
}

TEST(MetricsTest, ClockThatWentBackIsNoTime) {
    Histogram histogram;
    histogram.observe(-5ns);
    EXPECT_EQ(histogram.snapshot().cumulative[0], 1U);
    EXPECT_EQ(histogram.snapshot().sum_s, 0.0);
}

TEST(MetricsTest, TimerObservesItsLife) {
    Histogram histogram;
    { const Timer timer{histogram}; }
    EXPECT_EQ(histogram.snapshot().count, 1U);
}

TEST(MetricsTest, EachNameIsCollectedOnceWithItsValue) {
    Metrics metrics;
    metrics.blocks_accepted.add(3);
    metrics.verify.observe(1ms);
    std::set<std::string> names;
    double accepted = -1;
    std::uint64_t verified = 0;
    for (const Sample& sample : collect(metrics)) {
        EXPECT_TRUE(names.insert(sample.name).second) << sample.name;
        EXPECT_FALSE(sample.help.empty()) << sample.name;
        if (sample.name == "vm_blocks_accepted_total") accepted = sample.value;
        if (sample.name == "vm_verify_seconds") verified = sample.histogram.count;
    }
    EXPECT_EQ(accepted, 3);
    EXPECT_EQ(verified, 1U);
}

TEST(MetricsTest, EveryMemberIsCollected) {
    // 7 histograms and the counters: who adds a member to Metrics adds it to collect(), too.
    const std::size_t members = (sizeof(Metrics) - 7 * sizeof(Histogram)) / sizeof(Counter) + 7;
    EXPECT_EQ(collect(Metrics{}).size(), members);
}

}  // namespace
}  // namespace blobvm::vm
