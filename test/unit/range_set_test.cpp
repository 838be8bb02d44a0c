// Sets of codes as ranges against the plain set of their members, in a universe small enough to list.
#include "core/code/range_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <random>
#include <span>
#include <vector>

namespace learned {
namespace {

// Codes 0..31 and, to see the upper end of the domain, kMaxCode-31..kMaxCode, form a universe of 64 members.
constexpr Code kHalf = 32;
using Members = std::bitset<64>;

Code code_of(int member) {
  const auto m = static_cast<Code>(member);
  return m < kHalf ? m : kMaxCode - (2 * kHalf - 1 - m);
}

Members members_of(std::span<const CodeRange> ranges) {
  Members members;
  for (int member = 0; member < 64; ++member) {
    for (const CodeRange& range : ranges) {
      if (range.lo <= code_of(member) && code_of(member) <= range.hi) {
        members.set(static_cast<std::size_t>(member));
      }
    }
  }
  return members;
}

class RangeSetTest : public testing::Test {
 protected:
  std::vector<CodeRange> random_ranges(int count, int length) {
    std::vector<CodeRange> ranges;
    for (int i = 0; i < count; ++i) {
      const int from = number(64);
      const int to = std::min(63, from + number(length));
      ranges.push_back({code_of(from), code_of(to)});
    }
    return ranges;
  }

  std::vector<CodeRange> random_set(int count, int length) {
    auto ranges = random_ranges(count, length);
    ranges.resize(normalize_ranges(ranges));
    return ranges;
  }

  int number(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  std::mt19937 random_{7};
};

TEST_F(RangeSetTest, NormalizeKeepsTheMembers) {
  for (int round = 0; round < 20000; ++round) {
    auto ranges = random_ranges(number(12), 1 + number(6));
    const Members before = members_of(ranges);
    ranges.resize(normalize_ranges(ranges));
    ASSERT_TRUE(ranges_are_normal(ranges));
    ASSERT_EQ(members_of(ranges), before);
  }
}

TEST_F(RangeSetTest, IntersectionAndUnionAreThoseOfTheMembers) {
  for (int round = 0; round < 20000; ++round) {
    const auto a = random_set(number(9), 1 + number(8));
    const auto b = random_set(number(9), 1 + number(8));
    std::vector<CodeRange> out(a.size() + b.size());
    std::size_t count = intersect_ranges(a, b, out);
    ASSERT_LE(count, out.size());
    ASSERT_TRUE(ranges_are_normal(std::span(out).first(count)));
    ASSERT_EQ(members_of(std::span(out).first(count)), members_of(a) & members_of(b));

    count = unite_ranges(a, b, out);
    ASSERT_LE(count, out.size());
    ASSERT_TRUE(ranges_are_normal(std::span(out).first(count)));
    ASSERT_EQ(members_of(std::span(out).first(count)), members_of(a) | members_of(b));
  }
}

TEST_F(RangeSetTest, ClipIsAnIntersectionInPlace) {
  for (int round = 0; round < 20000; ++round) {
    auto ranges = random_set(number(9), 1 + number(8));
    const int from = number(64);
    const std::array clip = {CodeRange{code_of(from), code_of(from + number(64 - from))}};
    const Members expected = members_of(ranges) & members_of(clip);
    ranges.resize(clip_ranges(ranges, clip[0]));
    ASSERT_TRUE(ranges_are_normal(ranges));
    ASSERT_EQ(members_of(ranges), expected);
  }
}

TEST_F(RangeSetTest, FindsTheFirstRangeThatEndsAtOrAfterACode) {
  for (int round = 0; round < 2000; ++round) {
    const auto ranges = random_set(number(9), 1 + number(4));
    for (int member = 0; member < 64; ++member) {
      std::size_t expected = 0;
      while (expected < ranges.size() && ranges[expected].hi < code_of(member)) {
        ++expected;
      }
      ASSERT_EQ(find_range(ranges, code_of(member)), expected);
    }
  }
}

// Codes of two words that lie around the borders of the second one, in order.
std::vector<CodePair> some_pairs() {
  std::vector<CodePair> pairs;
  for (const Code first : {Code{0}, Code{1}, Code{2}, kMaxCode - 1, kMaxCode}) {
    for (const Code second : {Code{0}, Code{1}, Code{2}, kMaxCode - 2, kMaxCode - 1, kMaxCode}) {
      pairs.push_back({first, second});
    }
  }
  return pairs;
}

TEST(RangeSet, TheCodeBehindIsTheNextOne) {
  const std::vector<CodePair> pairs = some_pairs();
  ASSERT_TRUE(std::is_sorted(pairs.begin(), pairs.end()));
  for (const CodePair& pair : pairs) {
    if (pair != kLastCode<CodePair>) {
      EXPECT_LT(pair, code_after(pair));
      EXPECT_EQ(code_before(code_after(pair)), pair);
    }
    if (pair != CodePair{}) {
      EXPECT_GT(pair, code_before(pair));
    }
  }
  EXPECT_EQ(code_after(CodePair{1, kMaxCode}), (CodePair{2, 0}));
  EXPECT_EQ(code_before(CodePair{2, 0}), (CodePair{1, kMaxCode}));
}

// The same functions on pairs, against their members among some pairs.
TEST(RangeSet, PairsAreJoinedCutAndFoundAsCodesAre) {
  using PairRange = BasicCodeRange<CodePair>;
  std::mt19937 random(11);
  const std::vector<CodePair> pairs = some_pairs();
  const auto members = [&](std::span<const PairRange> ranges) {
    std::vector<bool> in;
    for (const CodePair& p : pairs) {
      in.push_back(std::any_of(ranges.begin(), ranges.end(),
                               [&](const PairRange& r) { return r.lo <= p && p <= r.hi; }));
    }
    return in;
  };
  const auto some = [&] {
    std::vector<PairRange> ranges;
    for (unsigned n = random() % 8; n > 0; n--) {
      const std::size_t from = random() % pairs.size();
      ranges.push_back({pairs[from], pairs[std::min(pairs.size() - 1, from + random() % 5)]});
    }
    return ranges;
  };
  for (int round = 0; round < 5000; round++) {
    std::vector<PairRange> a = some();
    std::vector<PairRange> b = some();
    const auto in_a = members(a);
    const auto in_b = members(b);
    a.resize(normalize_ranges<CodePair>(a));
    b.resize(normalize_ranges<CodePair>(b));
    ASSERT_TRUE(ranges_are_normal<CodePair>(a));
    ASSERT_EQ(members(a), in_a);
    std::vector<PairRange> both(a.size() + b.size());
    std::vector<PairRange> either(a.size() + b.size());
    both.resize(intersect_ranges<CodePair>(a, b, both));
    either.resize(unite_ranges<CodePair>(a, b, either));
    ASSERT_TRUE(ranges_are_normal<CodePair>(both));
    ASSERT_TRUE(ranges_are_normal<CodePair>(either));
    const auto in_both = members(both);
    const auto in_either = members(either);
    for (std::size_t i = 0; i < pairs.size(); i++) {
      ASSERT_EQ(in_both[i], in_a[i] && in_b[i]);
      ASSERT_EQ(in_either[i], in_a[i] || in_b[i]);
      const std::size_t found = find_range<CodePair>(a, pairs[i]);
      ASSERT_EQ(found < a.size() && a[found].lo <= pairs[i], in_a[i]);
    }
    const PairRange clip = {pairs[random() % 15], pairs[15 + random() % 15]};
    a.resize(clip_ranges<CodePair>(a, clip));
    ASSERT_TRUE(ranges_are_normal<CodePair>(a));
    const auto clipped = members(a);
    for (std::size_t i = 0; i < pairs.size(); i++) {
      ASSERT_EQ(clipped[i], in_a[i] && clip.lo <= pairs[i] && pairs[i] <= clip.hi);
    }
  }
}

TEST(RangeSet, PointsOfAnInListBecomeRuns) {
  std::vector<CodeRange> points;
  for (const Code code : {Code{9}, Code{3}, Code{1}, Code{2}, Code{3}, kMaxCode, Code{0}, kMaxCode - 1}) {
    points.push_back({code, code});
  }
  points.resize(normalize_ranges(points));
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[0].lo, 0u);
  EXPECT_EQ(points[0].hi, 3u);
  EXPECT_EQ(points[1].lo, 9u);
  EXPECT_EQ(points[1].hi, 9u);
  EXPECT_EQ(points[2].lo, kMaxCode - 1);
  EXPECT_EQ(points[2].hi, kMaxCode);
}

TEST(RangeSet, NormalMeansSortedDisjointAndApart) {
  using Ranges = std::vector<CodeRange>;
  EXPECT_TRUE(ranges_are_normal(Ranges{}));
  EXPECT_TRUE(ranges_are_normal(Ranges{{0, kMaxCode}}));
  EXPECT_TRUE(ranges_are_normal(Ranges{{0, 1}, {3, kMaxCode}}));
  EXPECT_FALSE(ranges_are_normal(Ranges{{2, 1}}));
  EXPECT_FALSE(ranges_are_normal(Ranges{{0, 1}, {2, 3}}));  // adjacent
  EXPECT_FALSE(ranges_are_normal(Ranges{{0, 2}, {2, 3}}));  // overlapping
  EXPECT_FALSE(ranges_are_normal(Ranges{{5, 6}, {1, 2}}));  // descending
  EXPECT_FALSE(ranges_are_normal(Ranges{{0, kMaxCode}, {0, 0}}));
}

}  // namespace
}  // namespace learned
