// Stretches of keys: what covers a range has all of its codes, few others, and nothing but them.
#include "core/code/stretches.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace learned {
namespace {

std::vector<Stretch> cover(Code lo, Code hi) {
  std::vector<Stretch> found;
  each_stretch(lo, hi, [&](const Stretch& s) { found.push_back(s); });
  return found;
}

bool has(const std::vector<Stretch>& stretches, Code code) {
  bool found = false;
  each_stretch_of(code, [&](const Stretch& s) {
    for (const Stretch& c : stretches) found = found || s == c;
  });
  return found;
}

TEST(StretchesTest, EachCodeOfARangeMeetsItsCover) {
  std::mt19937_64 random(90);
  for (int i = 0; i < 200000; i++) {
    const Code a = random() >> random() % 64;
    const Code length = random() >> random() % 64;
    const Code b = a + length < a ? kMaxCode : a + length;
    const auto stretches = cover(a, b);
    ASSERT_GE(stretches.size(), 1u);
    ASSERT_LE(stretches.size(), kMostStretches) << a << " to " << b;
    for (const Code code : {a, b, a + (b - a) / 2, a + random() % (b - a == kMaxCode ? kMaxCode : b - a + 1)})
      ASSERT_TRUE(has(stretches, code)) << code << " of " << a << " to " << b;
    // How far beyond its ends: no further than the range is long, eight times.
    const unsigned level = stretches.front().level;
    if (level == 0) {
      ASSERT_EQ(stretches.size(), b - a + 1);
    } else {
      ASSERT_LE((Code{1} << level) / 8, (b - a) / 2 + 1);
    }
  }
}

TEST(StretchesTest, TheEndsOfTheDomain) {
  EXPECT_EQ(cover(0, 0), (std::vector<Stretch>{{0, 0}}));
  EXPECT_EQ(cover(kMaxCode, kMaxCode), (std::vector<Stretch>{{0, kMaxCode}}));
  EXPECT_LE(cover(0, kMaxCode).size(), kMostStretches);
  EXPECT_TRUE(has(cover(0, kMaxCode), 12345));
  EXPECT_TRUE(has(cover(kMaxCode - 5, kMaxCode), kMaxCode - 2));
  EXPECT_FALSE(has(cover(100, 105), 4000));
}

// One that is equal to a code: no other code meets it.
TEST(StretchesTest, APointIsItself) {
  std::mt19937_64 random(91);
  for (int i = 0; i < 1000; i++) {
    const Code code = random();
    EXPECT_TRUE(has(cover(code, code), code));
    EXPECT_FALSE(has(cover(code, code), code ^ Code{1} << random() % 64));
  }
}

TEST(StretchesTest, BlocksAreNoPagesAndSeldomShared) {
  std::mt19937_64 random(92);
  std::set<Block> blocks;
  for (Code i = 0; i < 10000; i++) {
    const Block block = block_of({static_cast<unsigned>(3 * (i % 3)), i << 10});
    EXPECT_GE(block, kFirstStretchBlock);
    EXPECT_NE(block, kNoBlock);
    blocks.insert(block);
  }
  EXPECT_GT(blocks.size(), 9990u);
}

}  // namespace
}  // namespace learned
