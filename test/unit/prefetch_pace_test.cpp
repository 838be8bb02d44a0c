// The pace of reading ahead, told by hand what a scan would see.
#include "core/scan/prefetch_pace.hpp"

#include <gtest/gtest.h>

namespace learned {
namespace {

constexpr std::uint64_t kDevice = 150'000;
constexpr std::uint64_t kMemory = 4'000;

PrefetchPace started(unsigned most, bool eager = false) {
  PrefetchPace pace;
  pace.start(most, eager);
  return pace;
}

PrefetchPace awake(unsigned most) {
  PrefetchPace pace = started(most);
  pace.read(0);
  pace.read(kDevice);
  return pace;
}

TEST(PrefetchPaceTest, BeginsWithOneAndDoublesUpToTheMost) {
  PrefetchPace pace = started(50);
  EXPECT_FALSE(pace.watching());
  pace.read(0);  // not timed: nobody knew that it would come
  EXPECT_TRUE(pace.watching());
  EXPECT_FALSE(pace.awake());
  pace.read(kDevice);
  for (const unsigned distance : {1u, 2u, 4u, 8u, 16u, 32u, 50u, 50u}) {
    ASSERT_TRUE(pace.awake());
    EXPECT_FALSE(pace.watching());
    EXPECT_EQ(pace.distance(), distance);
    pace.asked(false);
    pace.read(0);
  }
}

TEST(PrefetchPaceTest, ZeroAheadIsNever) {
  PrefetchPace pace = started(0);
  for (int i = 0; i < 100; i++) pace.read(kDevice);
  EXPECT_FALSE(pace.awake());
  EXPECT_FALSE(pace.watching());
  pace = awake(8);
  pace.start(0, false);
  EXPECT_FALSE(pace.awake());
}

TEST(PrefetchPaceTest, QuickReadsAreSoonNotEvenTimed) {
  PrefetchPace pace = started(64);
  unsigned timed = 0;
  constexpr unsigned kReads = 100'000;
  for (unsigned i = 0; i < kReads; i++) {
    timed += pace.watching();
    pace.read(kMemory);
    ASSERT_FALSE(pace.awake());
  }
  EXPECT_GT(timed, 0u);
  EXPECT_LT(timed, kReads / 25);
  // And slow ones are noticed all the same, after a while.
  unsigned reads = 0;
  for (; !pace.awake(); reads++) ASSERT_LE((pace.read(kDevice), reads), PrefetchPace::kDeaf + 2);
}

TEST(PrefetchPaceTest, EagerTakesEveryReadForSlow) {
  PrefetchPace pace = started(64, true);
  pace.read(0);
  pace.read(1);
  EXPECT_TRUE(pace.awake());
}

TEST(PrefetchPaceTest, BackToNothingWhereBlocksAreThere) {
  PrefetchPace pace = awake(64);
  for (int i = 0; i < 10; i++) pace.read(0);
  ASSERT_EQ(pace.distance(), 64u);
  unsigned asked = 0;
  for (; pace.awake(); asked++) ASSERT_LE((pace.asked(true), asked), 1000u);
  EXPECT_FALSE(pace.watching());
  // Where as many are there as not it stays as it is.
  pace = awake(64);
  for (int i = 0; i < 10; i++) pace.read(0);
  for (int i = 0; i < 1000; i++) {
    pace.asked(i % 2 == 0);
    ASSERT_EQ(pace.distance(), 64u);
  }
}

TEST(PrefetchPaceTest, QuietWhereNothingIsRead) {
  PrefetchPace pace = started(64);
  pace.read(0);
  ASSERT_TRUE(pace.watching());
  for (unsigned i = 0; i < PrefetchPace::kIdle; i++) pace.not_read();
  EXPECT_FALSE(pace.watching());
  pace = awake(64);
  for (unsigned i = 0; i + 1 < PrefetchPace::kIdle; i++) pace.not_read();
  EXPECT_TRUE(pace.awake());
  pace.read(0);
  for (unsigned i = 0; i + 1 < PrefetchPace::kIdle; i++) pace.not_read();
  EXPECT_TRUE(pace.awake());
  pace.not_read();
  EXPECT_FALSE(pace.awake());
}

TEST(PrefetchPaceTest, LooksAgainFromTimeToTime) {
  PrefetchPace pace = awake(64);
  for (int i = 0; i < 10; i++) pace.read(0);
  unsigned asked = 0;
  for (; pace.awake(); asked++) pace.asked(false);
  EXPECT_EQ(asked, PrefetchPace::kStay);
  // What was asked for comes quickly; behind that it takes long again, or it does not.
  ASSERT_TRUE(pace.watching());
  for (unsigned i = 0; i < PrefetchPace::kQuick / 2; i++) pace.read(kMemory);
  pace.read(kDevice);
  EXPECT_EQ(pace.distance(), 32u);
  while (pace.awake()) pace.asked(false);
  for (unsigned i = 0; i < PrefetchPace::kQuick; i++) pace.read(kMemory);
  EXPECT_FALSE(pace.watching());
}

TEST(PrefetchPaceTest, BlocksNearOneAnotherAreLeftAlone) {
  PrefetchPace pace = awake(64);
  for (unsigned i = 0; i < 10 * PrefetchPace::kNearInRow; i++) {
    pace.passed_near();
    if (i % 100 == 0) pace.asked(false);
    ASSERT_TRUE(pace.awake());
  }
  unsigned passed = 0;
  for (; pace.awake(); passed++) pace.passed_near();
  EXPECT_LE(passed, PrefetchPace::kNearInRow);
  EXPECT_FALSE(pace.watching());
  unsigned reads = 0;
  for (; !pace.awake(); reads++) pace.read(kDevice);
  EXPECT_GT(reads, PrefetchPace::kDeafNear);
  EXPECT_LE(reads, PrefetchPace::kDeafNear + 2);
  EXPECT_EQ(pace.distance(), 1u);
}

TEST(PrefetchPaceTest, AScanThatBeginsAgainGoesOn) {
  PrefetchPace pace = awake(64);
  for (int i = 0; i < 3; i++) pace.read(0);
  pace.start(64, false);
  EXPECT_EQ(pace.distance(), 8u);
  pace.start(4, false);
  EXPECT_EQ(pace.distance(), 4u);
}

}  // namespace
}  // namespace learned
