#include "core/code/key_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace learned {
namespace {

// Columns whose values are few, so that all keys can be listed: the oracle looks at each of them.
constexpr Code kFew[] = {0, 1, 2, 5, kMaxCode};

class KeySetTest : public ::testing::Test {
 protected:
  static std::vector<ColumnValue> values_of(ColumnPlace place) {
    std::vector<ColumnValue> all;
    for (std::uint8_t flag = 0; flag < 2; flag++) {
      for (Code a : kFew) {
        if (place.words == 1) {
          all.push_back({flag, {a, 0}});
        } else {
          for (Code b : kFew) all.push_back({flag, {a, b}});
        }
      }
    }
    return all;
  }

  // Every key over the few values, in order.
  void list_keys() {
    keys_ = {WideKey{}};
    for (const ColumnPlace place : places_) {
      std::vector<WideKey> longer;
      for (const WideKey& prefix : keys_) {
        for (const ColumnValue& value : values_of(place)) {
          WideKey key = prefix;
          set_column_value(&key, place, value);
          longer.push_back(key);
        }
      }
      keys_ = longer;
    }
    ASSERT_TRUE(std::is_sorted(keys_.begin(), keys_.end()));
  }

  std::vector<ColumnRange> random_ranges(ColumnPlace place) {
    const std::vector<ColumnValue> values = values_of(place);
    std::vector<ColumnRange> ranges;
    std::size_t at = random_() % 4;
    while (at < values.size()) {
      const std::size_t last = std::min(values.size() - 1, at + (random_() % 3 == 0 ? random_() % 6 : 0));
      ranges.push_back({values[at], values[last]});
      at = last + 2 + random_() % 5;
    }
    if (ranges.empty()) ranges.push_back({values[0], values[0]});
    return ranges;
  }

  bool admitted(const WideKey& key) const {
    for (std::size_t c = 0; c < places_.size(); c++) {
      if (!limited_[c]) continue;
      const ColumnValue value = column_value(key, places_[c]);
      bool in = false;
      for (const ColumnRange& r : ranges_[c]) in |= r.lo <= value && value <= r.hi;
      if (!in) return false;
    }
    return !(key < clip_.lo) && !(clip_.hi < key);
  }

  void random_set(const std::vector<ColumnPlace>& places) {
    places_ = places;
    list_keys();
    ranges_.assign(places.size(), {});
    limited_.assign(places.size(), false);
    set_ = KeySet();
    for (std::size_t c = 0; c < places.size(); c++) {
      limited_[c] = random_() % 3 > 0;
      if (limited_[c]) {
        ranges_[c] = random_ranges(places[c]);
        set_.add_column(places[c], ranges_[c]);
      } else {
        set_.add_column(places[c]);
      }
    }
    clip_ = {keys_.front(), KeyTraits<WideKey>::highest()};
    if (random_() % 2 == 0) {
      clip_ = {keys_[random_() % keys_.size()], keys_[random_() % keys_.size()]};
      if (clip_.hi < clip_.lo) std::swap(clip_.lo, clip_.hi);
      set_.clip(clip_);
    }
  }

  void compare_with_oracle() {
    for (std::size_t i = 0; i < keys_.size(); i++) {
      ASSERT_EQ(set_.contains(keys_[i]), admitted(keys_[i]));
      // Forward: between `from` and the stretch nothing is admitted, within it everything is.
      KeyRange stretch{};
      if (set_.next(keys_[i], &stretch)) {
        ASSERT_FALSE(stretch.hi < stretch.lo);
        ASSERT_FALSE(stretch.lo < keys_[i]);
      }
      const bool found = set_.next(keys_[i], &stretch);
      for (std::size_t j = i; j < keys_.size(); j++) {
        const bool before = !found || keys_[j] < stretch.lo;
        const bool within = found && !before && !(stretch.hi < keys_[j]);
        if (before) {
          ASSERT_FALSE(admitted(keys_[j])) << i << ' ' << j;
        }
        if (within) {
          ASSERT_TRUE(admitted(keys_[j])) << i << ' ' << j;
        }
      }
      const bool found_back = set_.previous(keys_[i], &stretch);
      for (std::size_t j = 0; j <= i; j++) {
        const bool behind = !found_back || stretch.hi < keys_[j];
        const bool within = found_back && !behind && !(keys_[j] < stretch.lo);
        if (behind) {
          ASSERT_FALSE(admitted(keys_[j])) << i << ' ' << j;
        }
        if (within) {
          ASSERT_TRUE(admitted(keys_[j])) << i << ' ' << j;
        }
      }
    }
  }

  std::mt19937_64 random_{7};
  std::vector<ColumnPlace> places_;
  std::vector<std::vector<ColumnRange>> ranges_;
  std::vector<bool> limited_;
  KeyRange clip_{};
  std::vector<WideKey> keys_;
  KeySet set_;
};

TEST_F(KeySetTest, OneColumn) {
  for (int round = 0; round < 200; round++) {
    random_set({{0, 1}});
    compare_with_oracle();
  }
}

TEST_F(KeySetTest, TwoColumns) {
  for (int round = 0; round < 200; round++) {
    random_set({{0, 1}, {1, 1}});
    compare_with_oracle();
  }
}

TEST_F(KeySetTest, AColumnOfTwoWords) {
  for (int round = 0; round < 30; round++) {
    random_set({{0, 2}});
    compare_with_oracle();
  }
  for (int round = 0; round < 4; round++) {
    random_set({{0, 2}, {2, 1}});
    compare_with_oracle();
    random_set({{0, 1}, {1, 2}});
    compare_with_oracle();
  }
}

TEST_F(KeySetTest, ThreeColumns) {
  for (int round = 0; round < 4; round++) {
    random_set({{0, 1}, {1, 1}, {2, 1}});
    compare_with_oracle();
  }
}

// A list of values in front of a point: one stretch for each, found in as many steps.
TEST_F(KeySetTest, StepsThroughAList) {
  const ColumnRange list[] = {
      {{0, {3, 0}}, {0, {3, 0}}}, {{0, {8, 0}}, {0, {8, 0}}}, {{0, {9, 0}}, {0, {9, 0}}}};
  const ColumnRange point[] = {{{0, {5, 0}}, {0, {5, 0}}}};
  KeySet set;
  set.add_column({0, 1}, list);
  set.add_column({1, 1}, point);
  set.add_column({2, 1});
  EXPECT_FALSE(set.single());
  KeyRange stretch{};
  WideKey at = set.lowest();
  std::vector<Code> seen;
  while (set.next(at, &stretch)) {
    EXPECT_EQ(stretch.lo.word[1], 5u);
    EXPECT_EQ(stretch.hi.word[1], 5u);
    EXPECT_EQ(stretch.lo.word[2], 0u);
    EXPECT_EQ(stretch.hi.word[2], kMaxCode);
    seen.push_back(stretch.lo.word[0]);
    at = stretch.hi;
    ++at.word[1];
  }
  EXPECT_EQ(seen, (std::vector<Code>{3, 8, 9}));
}

TEST_F(KeySetTest, AConditionOnAPrefixIsOneStretch) {
  const ColumnRange point[] = {{{0, {5, 0}}, {0, {5, 0}}}};
  const ColumnRange range[] = {{{0, {1, 0}}, {0, {4, 0}}}};
  KeySet set;
  set.add_column({0, 1}, point);
  set.add_column({1, 1}, range);
  set.add_column({2, 1});
  EXPECT_TRUE(set.single());
  KeyRange stretch{};
  ASSERT_TRUE(set.next(WideKey{}, &stretch));
  EXPECT_EQ(stretch.lo, (WideKey{{5, 1, 0, 0}, 0}));
  EXPECT_EQ(stretch.hi, (WideKey{{5, 4, kMaxCode, 0}, 4}));
  EXPECT_EQ(set.lowest(), stretch.lo);
  EXPECT_EQ(set.highest(), stretch.hi);
}

}  // namespace
}  // namespace learned
