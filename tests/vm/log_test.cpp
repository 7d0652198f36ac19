#include "vm/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

namespace blobvm::vm::log {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = std::chrono::steady_clock::time_point;

TEST(LogTest, EachEventHasItsOwnRate) {
    RateLimit limit{/*lines_per_second=*/2};
    const Time start{};
    EXPECT_TRUE(limit.admit("a", start).pass);
    EXPECT_TRUE(limit.admit("a", start).pass);
    EXPECT_FALSE(limit.admit("a", start + milliseconds{999}).pass);
    EXPECT_TRUE(limit.admit("b", start).pass);
}

TEST(LogTest, NextLineTellsHowManyWereDropped) {
    RateLimit limit{1};
    const Time start{};
    EXPECT_EQ(limit.admit("a", start).dropped_before, 0U);
    EXPECT_FALSE(limit.admit("a", start).pass);
    EXPECT_FALSE(limit.admit("a", start).pass);

    const RateLimit::Verdict next = limit.admit("a", start + seconds{1});
    EXPECT_TRUE(next.pass);
    EXPECT_EQ(next.dropped_before, 2U);
    EXPECT_EQ(limit.admit("a", start + seconds{2}).dropped_before, 0U);
}

TEST(LogTest, EventsBeyondTheLimitShareOneRate) {
    RateLimit limit{1};
    const Time start{};
    for (std::size_t i = 0; i < RateLimit::kMaxEvents; ++i) {
        ASSERT_TRUE(limit.admit(std::to_string(i), start).pass);
    }
    EXPECT_TRUE(limit.admit("one more", start).pass);
    EXPECT_FALSE(limit.admit("and another", start).pass);
}

TEST(LogTest, LineHasEventDetailAndDrops) {
    EXPECT_EQ(one_line("ready", "", 0), "ready");
    EXPECT_EQ(one_line("refused", "too big", 0), "refused: too big");
    EXPECT_EQ(one_line("refused", "too big", 3), "refused: too big (3 more like this dropped)");
}

TEST(LogTest, ControlCharactersCannotFakeALine) {
    EXPECT_EQ(one_line("refused", "a\nb\r\x1b[31m\x7f", 0), "refused: a?b??[31m?");
    EXPECT_EQ(one_line("refused", "h\xc3\xa9", 0), "refused: h\xc3\xa9");
}

TEST(LogTest, LongDetailIsCut) {
    const std::string line = one_line("refused", std::string(1 << 20, 'x'), 1'000'000'000);
    EXPECT_LT(line.size(), kMaxLineBytes - 64);  // room for time and level
    EXPECT_NE(line.find("x..."), std::string::npos);
}

TEST(LogTest, LevelsHaveNames) {
    EXPECT_TRUE(set_level("error"));
    EXPECT_TRUE(enabled(Level::kError));
    EXPECT_FALSE(enabled(Level::kWarn));
    EXPECT_FALSE(set_level("loud"));
    EXPECT_FALSE(enabled(Level::kWarn));
    EXPECT_TRUE(set_level("off"));
    EXPECT_FALSE(enabled(Level::kError));
    EXPECT_TRUE(set_level("info"));
    EXPECT_TRUE(enabled(Level::kInfo));
    EXPECT_FALSE(enabled(Level::kDebug));
}

class PipeTest : public testing::Test {
  protected:
    PipeTest() {
        std::signal(SIGPIPE, SIG_IGN);
        EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    }
    ~PipeTest() override {
        close_reader();
        ::close(ends_[1]);
    }
    void close_reader() {
        if (ends_[0] >= 0) ::close(ends_[0]);
        ends_[0] = -1;
    }
    int reader() const { return ends_[0]; }
    int writer() const { return ends_[1]; }

  private:
    std::array<int, 2> ends_{};
};

TEST_F(PipeTest, LineArrivesWhole) {
    EXPECT_TRUE(write_line(writer(), "hello\n", seconds{1}));
    std::array<char, 16> read{};
    EXPECT_EQ(::read(reader(), read.data(), read.size()), 6);
    EXPECT_STREQ(read.data(), "hello\n");
}

TEST_F(PipeTest, StalledReaderCostsALineButNotTheThread) {
    const std::string line(kMaxLineBytes, 'x');
    std::size_t written = 0;
    while (write_line(writer(), line, milliseconds{1})) {
        ++written;
        ASSERT_LT(written, 1U << 20) << "the pipe never fills";
    }
    EXPECT_GT(written, 0U);
}

TEST_F(PipeTest, GoneReaderIsNoCrash) {
    close_reader();
    EXPECT_FALSE(write_line(writer(), "hello\n", seconds{1}));
}

}  // namespace
}  // namespace blobvm::vm::log
