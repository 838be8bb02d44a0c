// Stepping through the keys that conditions admit, against a look at each key: positions, runs of entries, and walks over trees that leave
// out what lies between.
#include "core/code/key_steps.hpp"

#include <gtest/gtest.h>

#include "core/tree/walk.hpp"
#include "support/wide_tree.hpp"

namespace learned {
namespace {

using namespace learned::testing;

template <class K>
class KeyStepsTest : public ::testing::Test {
 protected:
  static constexpr unsigned kWords = KeyTraits<K>::kWords;
  using Entry = BasicEntry<K>;

  std::vector<Entry> entries(WideKeys shape, std::size_t n, unsigned nulls) {
    std::vector<Entry> all;
    for (std::size_t i = 0; i < n; i++) {
      all.push_back({wide_key<kWords>(shape, i, nulls, random_), make_tid(static_cast<std::uint32_t>(i), 1)});
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  // Conditions on any columns, of values that are there and of some that are not.
  void random_set(const std::vector<Entry>& all) {
    set_ = KeySet();
    for (unsigned w = 0; w < kWords; w++) {
      const ColumnPlace place{static_cast<std::uint8_t>(w), 1};
      ranges_[w].clear();
      const auto value = [&] {
        ColumnValue found = column_value(widen(all[random_() % all.size()].code), place);
        if (random_() % 8 == 0) found.word[0] += random_() % 3 - 1;
        return found;
      };
      switch (random_() % 4) {
        case 0:
          set_.add_column(place);
          continue;
        case 1: {
          const ColumnValue point = value();
          ranges_[w].push_back({point, point});
          break;
        }
        case 2:
          for (std::size_t i = 1 + random_() % 5; i > 0; i--) {
            const ColumnValue point = value();
            ranges_[w].push_back({point, point});
          }
          break;
        default: {
          const ColumnValue a = value();
          const ColumnValue b = value();
          ranges_[w].push_back({std::min(a, b), std::max(a, b)});
        }
      }
      std::sort(ranges_[w].begin(), ranges_[w].end(),
                [](const auto& a, const auto& b) { return a.lo < b.lo; });
      ranges_[w].erase(std::unique(ranges_[w].begin(), ranges_[w].end(),
                                   [](const auto& a, const auto& b) { return a.lo == b.lo; }),
                       ranges_[w].end());
      set_.add_column(place, ranges_[w]);
    }
  }
  bool admitted(const K& key) const {
    for (unsigned w = 0; w < kWords; w++) {
      if (ranges_[w].empty()) continue;
      const ColumnValue value = column_value(widen(key), {static_cast<std::uint8_t>(w), 1});
      if (std::none_of(ranges_[w].begin(), ranges_[w].end(),
                       [&](const auto& r) { return r.lo <= value && value <= r.hi; })) {
        return false;
      }
    }
    return true;
  }

  std::mt19937_64 random_{2027};
  std::vector<ColumnRange> ranges_[kWords];
  KeySet set_;
};

using WideKeyTypes = ::testing::Types<Words<2>, Words<3>, Words<4>>;
TYPED_TEST_SUITE(KeyStepsTest, WideKeyTypes);

// Between a position and where it is moved to nothing is admitted; and it is not moved further than there.
TYPED_TEST(KeyStepsTest, PositionsMoveToWhatIsAdmitted) {
  using Entry = BasicEntry<TypeParam>;
  for (const WideKeys shape : kAllWideKeys) {
    const auto all = this->entries(shape, 400, 20);
    for (int round = 0; round < 60; round++) {
      this->random_set(all);
      for (int i = 0; i < 40; i++) {
        Entry from = all[this->random_() % all.size()];
        if (i % 3 == 0) from.tid = 0;
        if (i % 3 == 1) from.tid = kMaxTid;
        Entry to = from;
        const bool found = go_to_admitted(this->set_, true, &to);
        ASSERT_TRUE(!found || to >= from);
        for (const Entry& e : all) {
          if (e >= from && (!found || e < to)) {
            ASSERT_FALSE(this->admitted(e.code));
          }
        }
        if (found) {
          ASSERT_TRUE(this->admitted(to.code));
        }
        Entry back = from;
        const bool found_back = go_to_admitted(this->set_, false, &back);
        ASSERT_TRUE(!found_back || back <= from);
        for (const Entry& e : all) {
          if (e < from && (!found_back || e >= back)) {
            ASSERT_FALSE(this->admitted(e.code));
          }
        }
        if (found_back) {
          ASSERT_TRUE(this->admitted(predecessor(back).code));
        }
      }
    }
  }
}

TYPED_TEST(KeyStepsTest, NothingLiesBeforeTheLowestPosition) {
  const auto all = this->entries(WideKeys::few_few, 10, 0);
  this->random_set(all);
  auto position = lowest_entry<TypeParam>();
  EXPECT_FALSE(go_to_admitted(this->set_, false, &position));
}

TYPED_TEST(KeyStepsTest, LeavesOutWhatIsNotAdmitted) {
  for (const WideKeys shape : kAllWideKeys) {
    const auto all = this->entries(shape, 300, 20);
    std::vector<TypeParam> keys;
    for (const auto& e : all) keys.push_back(e.code);
    for (int round = 0; round < 100; round++) {
      this->random_set(all);
      bool dead[300];
      for (std::size_t i = 0; i < 300; i++) dead[i] = i % 7 == 0;
      const Passed passed = leave_out(this->set_, keys.data(), dead, 300);
      unsigned admitted = 0;
      unsigned gaps = 0;
      for (std::size_t i = 0; i < 300; i++) {
        const bool in = this->admitted(keys[i]);
        admitted += in;
        gaps += !in && (i == 0 || this->admitted(keys[i - 1]));
        ASSERT_EQ(dead[i], i % 7 == 0 || !in);
      }
      ASSERT_EQ(passed.admitted, admitted);
      ASSERT_EQ(passed.gaps, gaps);
    }
  }
}

// As a scan does it: the entries of a leaf that are admitted, then from its fence on.
TYPED_TEST(KeyStepsTest, WalksReturnWhatIsAdmittedAndNoMoreLeavesThanThatTakes) {
  using Entry = BasicEntry<TypeParam>;
  using Store = BasicMemoryStore<TypeParam>;
  std::size_t jumps = 0;
  for (const WideKeys shape : kAllWideKeys) {
    const auto all = this->entries(shape, 12000, 10);
    WideTree<TypeParam> tree;
    tree.load(all);
    for (const auto& e : this->entries(shape, 500, 10)) tree.insert({e.code, e.tid + 1});
    tree.vacuum([](const Entry& e) { return e.tid % 64 == 0; });
    Store* store = &tree.store();
    const std::size_t leaves = tree.leaves().size();
    for (int round = 0; round < 60; round++) {
      this->random_set(all);
      const bool forward = round % 2 == 0;
      const BasicTreeRange<TypeParam> hull{TreeId::keys,
                                           narrow<KeyTraits<TypeParam>::kWords>(this->set_.lowest()),
                                           narrow<KeyTraits<TypeParam>::kWords>(this->set_.highest())};
      std::vector<Entry> found;
      std::size_t visited = 0;
      LeafWalk<Store> walk(store);
      const auto on_leaf = [](Block) {};
      for (auto h = walk.enter(hull, forward, on_leaf);;) {
        visited++;
        const BasicPageView<TypeParam> page(store->bytes(h));
        BasicLeafRanks<TypeParam> ranks;
        ASSERT_TRUE(walk.leaf().ranks(page, hull, &ranks));
        std::vector<Entry> here;
        for (unsigned r = ranks.begin; r < ranks.end; r++) {
          Entry e{};
          ASSERT_TRUE(decode(page, r, r + 1, &e.code, &e.tid));
          if (!page.is_dead(r) && this->set_.contains(e.code)) here.push_back(e);
        }
        for (unsigned j = 0; j < page.deltas(); j++) {
          const Entry e = page.delta_item(j).entry();
          if (walk.leaf().takes(hull, e) && this->set_.contains(e.code)) here.push_back(e);
        }
        std::sort(here.begin(), here.end());
        if (!forward) std::reverse(here.begin(), here.end());
        found.insert(found.end(), here.begin(), here.end());
        store->release(h);
        if (!walk.leaf().goes_on(hull, forward)) break;
        const Entry fence = walk.leaf().fence(forward);
        Entry next = fence;
        if (!go_to_admitted(this->set_, forward, &next)) break;
        jumps += next != fence;
        h = next == fence ? walk.next(forward, on_leaf)
                          : walk.take_over(TreeId::keys, next, kNoBlock, forward, on_leaf);
      }
      std::vector<Entry> expected;
      for (const Entry& e : tree.expected()) {
        if (this->admitted(e.code)) expected.push_back(e);
      }
      if (!forward) std::reverse(expected.begin(), expected.end());
      ASSERT_EQ(found.size(), expected.size());
      ASSERT_TRUE(found == expected);
      ASSERT_LE(visited, leaves);
      ASSERT_TRUE(store->all_released());
    }
  }
  EXPECT_GT(jumps, 100u);
}

// Keys of a column of two words and two of one, of few values.
std::vector<Words<4>> keys_of_two_words() {
  std::vector<Words<4>> keys;
  for (unsigned i = 0; i < 2 * 5 * 5 * 3; i++) {
    constexpr Code kFew[] = {0, 1, 7, kMaxCode - 1, kMaxCode};
    constexpr Code kThird[] = {0, 3, kMaxCode};
    Words<4> key{};
    key.word[0] = kFew[i / 15 % 5];
    key.word[1] = kFew[i / 3 % 5];
    key.word[2] = kThird[i % 3];
    key.word[3] = kThird[i % 3] / 2;
    key.flags = static_cast<std::uint8_t>(i / 75 | 12);
    keys.push_back(key);
  }
  return keys;
}

// Compares where a position is moved to with a look at each key (of TID 5).
bool moves_as_keys_say(const KeySet& set, const std::vector<Words<4>>& keys,
                       const BasicEntry<Words<4>>& from) {
  BasicEntry<Words<4>> to = from;
  BasicEntry<Words<4>> back = from;
  const bool found = go_to_admitted(set, true, &to);
  const bool found_back = go_to_admitted(set, false, &back);
  for (const Words<4>& key : keys) {
    const BasicEntry<Words<4>> entry{key, 5};
    if (!set.contains(key)) continue;
    if (entry >= from && (!found || to > entry)) return false;
    if (entry < from && (!found_back || back <= entry)) return false;
  }
  return (!found || to >= from) && (!found_back || back <= from) &&
         (!found || to == from || set.contains(to.code));
}

// Positions between keys are not always what a key could be: behind the highest second word of a value comes one with a flag there.
TEST(KeySteps, PositionsBetweenValuesOfTwoWords) {
  using Traits = KeyTraits<Words<4>>;
  const std::vector<Words<4>> keys = keys_of_two_words();
  ASSERT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  std::mt19937_64 random(3);
  for (int round = 0; round < 40; round++) {
    std::vector<ColumnRange> first;
    for (std::size_t i = random() % 5; i < keys.size(); i += 1 + random() % 40) {
      const ColumnRange range{column_value(widen(keys[i]), {0, 2}),
                              column_value(widen(keys[std::min(keys.size() - 1, i + random() % 8)]), {0, 2})};
      if (first.empty() || first.back().hi < range.lo) first.push_back(range);
    }
    const ColumnRange second[] = {{{1, {3, 0}}, {1, {3, 0}}}};
    KeySet set;
    set.add_column({0, 2}, first);
    if (round % 2 == 0) {
      set.add_column({2, 1});
    } else {
      set.add_column({2, 1}, second);
    }
    set.add_column({3, 1});
    for (const Words<4>& key : keys) {
      std::vector<Words<4>> near{key, Traits::before(key)};
      if (key != Traits::highest()) near.push_back(Traits::after(key));
      for (unsigned words = 1; words < 4; words++) {
        near.push_back(key_prefix(key, words));
        near.push_back(Traits::before(key_prefix(key, words)));
        near.push_back(key_prefix_end(key, words));
      }
      for (const Words<4>& code : near) {
        for (const Tid tid : {Tid{0}, Tid{5}, kMaxTid}) {
          ASSERT_TRUE(moves_as_keys_say(set, keys, {code, tid}));
        }
      }
    }
  }
}

// One value of the second column, in front of which there are many values: each costs a leaf at most, however long the leaves between are.
TEST(KeySteps, AListInTheSecondColumnSkipsWholeLeaves) {
  using K = Words<2>;
  std::vector<BasicEntry<K>> all;
  std::mt19937_64 random(1);
  for (Code a = 0; a < 20; a++) {
    for (Code b = 0; b < 8000; b++) {
      const auto block = static_cast<std::uint32_t>(random() >> 40);
      all.push_back({{{a, b << 48 | random() >> 16}, 0}, make_tid(block, 1)});
    }
  }
  std::sort(all.begin(), all.end());
  WideTree<K> tree;
  tree.load(all);
  ASSERT_GT(tree.leaves().size(), 100u);
  const ColumnRange second[] = {{{0, {Code{700} << 48, 0}}, {0, {Code{701} << 48, 0}}}};
  KeySet set;
  set.add_column({0, 1});
  set.add_column({1, 1}, second);
  for (const bool forward : {true, false}) {
    const BasicTreeRange<K> hull{TreeId::keys, narrow<2>(set.lowest()), narrow<2>(set.highest())};
    LeafWalk<BasicMemoryStore<K>> walk(&tree.store());
    int visited = 0;
    const auto on_leaf = [&](Block) { visited++; };
    auto h = walk.enter(hull, forward, on_leaf);
    tree.store().release(h);
    while (walk.leaf().goes_on(hull, forward)) {
      const auto fence = walk.leaf().fence(forward);
      auto next = fence;
      if (!go_to_admitted(set, forward, &next)) break;
      h = next == fence ? walk.next(forward, on_leaf)
                        : walk.take_over(TreeId::keys, next, kNoBlock, forward, on_leaf);
      tree.store().release(h);
    }
    // Where a leaf begins within a value of `a`, behind the range, the next one to look at is the next value's.
    EXPECT_LE(visited, 3 * 20 + 2);
  }
}

TEST(KeySteps, ThePaceFollowsTheGaps) {
  StepPace pace(256);
  pace.start();
  EXPECT_EQ(pace.size(), StepPace::kLeast);
  // One in two hundred.
  for (int i = 0; i < 10; i++) {
    pace.look_at({1, 1}, 16);
    pace.step(184);
    EXPECT_EQ(pace.size(), StepPace::kLeast);
  }
  // One in ten.
  for (int i = 0; i < 10; i++) {
    const auto n = static_cast<unsigned>(pace.size());
    pace.look_at({n / 10 + 1, n / 10 + 1}, n);
    pace.step(5);
  }
  EXPECT_EQ(pace.size(), 256);
  // And again one in two hundred.
  pace.look_at({1, 1}, 256);
  pace.step(100);
  EXPECT_EQ(pace.size(), StepPace::kLeast);
  // Everything.
  for (int i = 0; i < 10; i++) pace.look_at({16, 0}, 16);
  EXPECT_EQ(pace.size(), 256);
}

}  // namespace
}  // namespace learned
