// Merging and dividing pages: nothing is lost, everything fits, and a split always succeeds.
#include "core/plan/merge.hpp"
#include "core/plan/retrain.hpp"
#include "core/plan/split.hpp"

#include <gtest/gtest.h>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

constexpr Block kRightBlock = 4711;

class PageMergeTest : public ::testing::Test {
 protected:
  Items fill(Keys keys, Tids tids, unsigned level, std::size_t n) {
    const Entries entries = make_entries(keys, tids, n, random_);
    Items items = level > 0 ? make_items(entries, random_() % 2 == 0, random_) : as_items(entries);
    items.resize(fill_page(page_, leaf_identity(level), items, ws_.get()));
    return items;
  }

  // Adds up to `most` entries that make_key yields to the delta.
  template <class MakeEntry>
  unsigned add(unsigned most, MakeEntry make_entry) {
    const unsigned level = PageView(page_).level();
    std::set<Entry> present;
    for (const Item& item : live_items(PageView(page_))) present.insert(item.entry());
    unsigned added = 0;
    for (unsigned tries = 0; tries < 4 * most && added < most && delta_room(PageView(page_)) > 0; tries++) {
      const Entry e = make_entry();
      if (!PageView(page_).covers(e) || !present.insert(e).second) continue;
      add_delta(page_,
                {e.code, e.tid, level > 0 ? static_cast<Block>(1 + random_() % 0xFFFFFFF0u) : kNoBlock});
      added++;
    }
    return added;
  }
  Entry anywhere() { return {random_(), random_tid()}; }
  Entry near(const Items& items) {
    const Item& item = items[random_() % items.size()];
    return {item.code + random_() % 3, random_tid()};
  }
  Tid random_tid() {
    return make_tid(static_cast<std::uint32_t>(random_()), static_cast<std::uint16_t>(1 + random_() % 300));
  }

  // Leaves only: inner pages lose their downlinks by being rewritten.
  void kill(unsigned one_in) {
    if (PageView(page_).level() > 0) return;
    const unsigned n = PageView(page_).encoded();
    std::vector<std::uint8_t> map((n + 7) / 8 + 1);
    for (unsigned i = 0; i < n; i++) {
      if (random_() % one_in == 0) set_bit(map.data(), i);
    }
    if (n > 0) mark_dead(page_, map.data());
    seal(page_);
  }

  // The same, and the entries where a division may cut, with their neighbours. Returns what is dead then, the latter several times.
  Entries kill_cuts(unsigned one_in) {
    kill(one_in);
    const unsigned n = PageView(page_).encoded();
    std::vector<unsigned> cuts{n / 2, n - n / 4, n - 1};
    for (unsigned s = 0; s < PageView(page_).segments(); s++) {
      SegmentRef ref;
      EXPECT_TRUE(load_segment(PageView(page_), s, &ref));
      cuts.push_back(ref.first_rank);
    }
    std::vector<std::uint8_t> map((n + 7) / 8 + 1);
    for (const unsigned cut : cuts) {
      for (unsigned r = cut > 0 ? cut - 1 : 0; r < std::min(n, cut + 2); r++) set_bit(map.data(), r);
    }
    mark_dead(page_, map.data());
    seal(page_);
    Entries dead;
    const Items encoded = naive_decode(page_).encoded;
    for (unsigned r = 0; r < n; r++) {
      if (!PageView(page_).is_dead(r)) continue;
      dead.insert(dead.end(), test_bit(map.data(), r) ? 50 : 1, encoded[r].entry());
    }
    return dead;
  }

  // Merges the page with itself; false when it does not fit with `room` entries spare.
  bool merge(std::size_t room) {
    MergePlan merge{SegmentPlanner(ws_->segments, {}, 0), {}};
    const PageView page(page_);
    EXPECT_TRUE(plan_merge(page, ws_.get(), &merge));
    if (!plan_fits(merge.plan, page.level(), room)) merge.plan.compact();
    if (!plan_fits(merge.plan, page.level(), room)) return false;
    PageBytes out;
    write_page(out, identity_of(page), merge.plan, merge.columns, ws_->dead_map, merge.dead_count);
    page_ = out;
    return true;
  }

  // Makes it one that is not the rightmost of its level.
  void end_page_at(const Entry& high) {
    auto t = load<PageTrailer>(page_.bytes + kSpecial);
    t.flags = 0;
    t.right = 55;
    t.high = high;
    store(page_.bytes + kSpecial, t);
    seal(page_);
  }

  // Splits the page and checks the two parts against what it holds.
  void expect_split(const Entry& incoming) {
    const PageView page(page_);
    const Items before = live_items(page);
    const PageIdentity id = identity_of(page);
    const bool inner = page.level() > 0;
    Entry separator{};
    ASSERT_TRUE(plan_split(page, kRightBlock, incoming, ws_.get(), &separator));
    // The caller's part (Tree::split).
    store(ws_->page2 + kSpecial + offsetof(PageTrailer, left), Block{99});
    seal(ws_->page2);

    const PageView left(ws_->page);
    const PageView right(ws_->page2);
    ASSERT_EQ(left.low(), id.low);
    ASSERT_EQ(left.high(), separator);
    ASSERT_EQ(right.low(), separator);
    ASSERT_EQ(right.high(), id.high);
    ASSERT_EQ(left.left(), id.left);
    ASSERT_EQ(left.right(), kRightBlock);
    ASSERT_EQ(right.right(), id.right);
    ASSERT_TRUE(left.incomplete_split());
    ASSERT_FALSE(left.rightmost());
    ASSERT_EQ(right.incomplete_split(), (id.flags & kIncompleteSplit) != 0);
    ASSERT_EQ(right.rightmost(), (id.flags & kRightmost) != 0);
    ASSERT_EQ(page_fault(ws_->page), "");
    ASSERT_EQ(page_fault(ws_->page2), "");
    Items after = live_items(left);
    const Items behind = live_items(right);
    if (!inner) {
      ASSERT_LT(id.low, separator);
    }
    if (!after.empty()) {
      ASSERT_LT(after.back().entry(), separator);
    }
    if (!behind.empty()) {
      ASSERT_GE(behind.front().entry(), separator);
    }
    after.insert(after.end(), behind.begin(), behind.end());
    ASSERT_TRUE(same_items(after, before, inner));
  }

  // Splits until the entry finds room; every step must make progress.
  void split_until_room(const Entry& incoming) {
    for (int step = 0; step < 12; step++) {
      if (delta_room(PageView(page_)) > 0) return;
      if (PageView(page_).deltas() > 0) {
        PageBytes old = page_;
        if (merge(12)) return;
        page_ = old;
      }
      expect_split(incoming);
      if (HasFatalFailure()) return;
      const bool to_right = incoming >= PageView(ws_->page2).low();
      std::memcpy(page_, to_right ? ws_->page2 : ws_->page, kPageSize);
      if (PageView(page_).incomplete_split()) {
        set_flags(page_, static_cast<std::uint16_t>(PageView(page_).flags() & ~kIncompleteSplit));
        seal(page_);
      }
    }
    FAIL() << "no room after a dozen splits";
  }

  std::unique_ptr<Workspace> ws_ = new_workspace();
  PageBytes page_;
  Random random_{51};
};

TEST_F(PageMergeTest, MergeKeepsTheLiveEntries) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      for (const unsigned level : {0u, 1u}) {
        SCOPED_TRACE(name_of(keys) + " " + name_of(tids) + " level " + std::to_string(level));
        const std::size_t n = 1 + random_() % 250;
        const Entries entries = make_entries(keys, tids, n, random_);
        const Items items = level > 0 ? make_items(entries, false, random_) : as_items(entries);
        ASSERT_TRUE(write_items(page_, leaf_identity(level), items, ws_.get()));
        for (int round = 0; round < 4; round++) {
          const unsigned most = 1 + static_cast<unsigned>(random_() % 30);
          if (round % 2 == 0) {
            add(most, [&] { return near(items); });
          } else {
            add(most, [&] { return anywhere(); });
          }
          if (random_() % 2 == 0) kill(4);
          const Items before = live_items(PageView(page_));
          const unsigned dead = PageView(page_).dead();
          ASSERT_TRUE(merge(0));
          ASSERT_EQ(page_fault(page_), "");
          ASSERT_EQ(PageView(page_).deltas(), 0u);
          ASSERT_LE(PageView(page_).dead(), dead);
          ASSERT_TRUE(same_items(live_items(PageView(page_)), before, level > 0));
        }
      }
    }
  }
}

TEST_F(PageMergeTest, MergeTouchesOnlySegmentsThatReceiveEntries) {
  Entries entries;
  for (std::size_t i = 0; i < 3000; i++) entries.push_back({i % 300 + (i / 300 << 40), make_tid(0, 1) + i});
  ASSERT_TRUE(write_entries(page_, leaf_identity(), entries, ws_.get()));
  ASSERT_GE(PageView(page_).segments(), 8u);
  // Everything lands in the sixth stretch.
  add(20, [&] { return Entry{(Code{5} << 40) + random_() % 300, random_tid()}; });
  MergePlan merge{SegmentPlanner(ws_->segments, {}, 0), {}};
  ASSERT_TRUE(plan_merge(PageView(page_), ws_.get(), &merge));
  EXPECT_GE(merge.kept, 4u);
  EXPECT_GE(merge.kept_behind, 3u);
  EXPECT_LE(merge.decoded, 700u);
  EXPECT_FALSE(merge.at_end);
}

TEST_F(PageMergeTest, AppendsDoNotDecodeAPerfectSegment) {
  fill(Keys::serial, Tids::append, 0, 30000);
  ASSERT_EQ(PageView(page_).encoded(), 30000u);
  for (unsigned i = 0; i < 50; i++)
    add_delta(page_,
              {30001 + i, make_tid((30000 + i) / 226, static_cast<std::uint16_t>((30000 + i) % 226 + 1)),
               kNoBlock});
  MergePlan plan{SegmentPlanner(ws_->segments, {}, 0), {}};
  ASSERT_TRUE(plan_merge(PageView(page_), ws_.get(), &plan));
  EXPECT_EQ(plan.decoded, 50u);
  EXPECT_TRUE(plan.strictly_behind);
  EXPECT_TRUE(plan.at_end);
  EXPECT_EQ(plan.plan.size(), 1u);
  EXPECT_EQ(plan.plan.bytes(), segment_size(0));
}

TEST_F(PageMergeTest, AnEntryThatWasDeletedMayComeBack) {
  // VACUUM marks (code, TID) dead, the heap slot is used again with the same key.
  for (const Keys keys : {Keys::serial, Keys::one_value, Keys::random62}) {
    const Items items = fill(keys, Tids::random, 0, 200);
    kill(1);
    EXPECT_EQ(PageView(page_).live(), 0u);
    for (std::size_t i = 0; i < 100; i += 2) add_delta(page_, items[i]);
    const Items before = live_items(PageView(page_));
    ASSERT_EQ(before.size(), 50u);
    std::uint32_t n = 0;
    ASSERT_TRUE(decode_live(PageView(page_), ws_.get(), &n));
    ASSERT_EQ(n, 50u);
    ASSERT_TRUE(merge(0));
    ASSERT_EQ(page_fault(page_), "");
    ASSERT_TRUE(same_items(live_items(PageView(page_)), before, false));
  }
}

TEST_F(PageMergeTest, DecodeLiveAgreesWithTheNaiveDecoder) {
  for (const Keys keys : kAllKeys) {
    for (const unsigned level : {0u, 1u}) {
      const Items items = fill(keys, Tids::stragglers, level, 250);
      add(100, [&] { return near(items); });
      kill(3);
      std::uint32_t n = 0;
      const std::uint32_t at = random_() % 1000;
      ASSERT_TRUE(decode_live(PageView(page_), ws_.get(), &n, at));
      Items found;
      for (std::uint32_t i = at; i < at + n; i++) {
        found.push_back({ws_->codes[i], ws_->tids[i], level > 0 ? ws_->children[i] : kNoBlock});
      }
      EXPECT_TRUE(same_items(found, naive_decode(page_).live(), level > 0));
    }
  }
}

TEST_F(PageMergeTest, DecodeLiveSeesDisorder) {
  fill(Keys::serial, Tids::append, 0, 200);
  add_delta(page_, {100, make_tid(0, 100), kNoBlock});  // an equal entry that lives
  std::uint32_t n;
  EXPECT_FALSE(decode_live(PageView(page_), ws_.get(), &n));
}

TEST_F(PageMergeTest, BalancedCutBalancesBytesNotEntries) {
  Entries entries;
  for (std::size_t i = 0; i < 4000; i++) entries.push_back({i, make_tid(0, 1) + i});
  for (std::size_t i = 0; i < 400; i++) entries.push_back({(Code{1} << 40) + (random_() >> 2), random_tid()});
  std::sort(entries.begin(), entries.end());
  for (std::size_t i = 0; i < entries.size(); i++) {
    ws_->codes[i] = entries[i].code;
    ws_->tids[i] = entries[i].tid;
  }
  const std::uint32_t cut =
      balanced_cut(ws_.get(), workspace_columns(ws_.get(), 0), 0, static_cast<std::uint32_t>(entries.size()));
  EXPECT_GT(cut, 4000u) << "the serial half is nearly free";
  EXPECT_LT(cut, 4300u);
  for (const std::uint32_t n : {2u, 3u, 5u}) {
    const std::uint32_t small = balanced_cut(ws_.get(), workspace_columns(ws_.get(), 0), 0, n);
    EXPECT_GT(small, 0u);
    EXPECT_LT(small, n);
  }
}

// --- splits ---

TEST_F(PageMergeTest, ASplitAlwaysSucceedsOnFullPages) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      for (const unsigned level : {0u, 1u}) {
        for (const bool rightmost : {true, false}) {
          SCOPED_TRACE(name_of(keys) + " " + name_of(tids) + " level " + std::to_string(level) +
                       (rightmost ? " rightmost" : ""));
          const std::size_t n = random_() % 3 == 0 ? 60000 : 500 + random_() % 3000;
          const Items items = fill(keys, tids, level, n);
          if (!rightmost) {
            end_page_at({items.back().code, kMaxTid});
          }
          const int mode = static_cast<int>(random_() % 4);
          if (mode == 1 || mode == 3) add(kMaxDelta, [&] { return near(items); });
          if (mode == 2) add(kMaxDelta, [&] { return anywhere(); });
          if (mode == 3) {
            kill(1 + static_cast<unsigned>(random_() % 6));
            add(kMaxDelta, [&] { return near(items); });
          }
          // The entry that finds no room: somewhere, or behind everything.
          const Entry last =
              live_items(PageView(page_)).empty() ? Entry{5, 5} : live_items(PageView(page_)).back().entry();
          Entry incoming = random_() % 2 == 0 ? near(items) : Entry{last.code, last.tid + 1};
          if (!PageView(page_).covers(incoming)) incoming = last;
          if (PageView(page_).encoded() >= 2) expect_split(incoming);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// The hardest page: as many entries as the format allows in a segment without residuals, thinned by dead marks,
// so that what lives fits no line any more, then entries inserted everywhere.
TEST_F(PageMergeTest, ADensePageThinnedAtRandomDivides) {
  for (const Keys keys :
       {Keys::serial, Keys::stride, Keys::one_value, Keys::thirds, Keys::pairs, Keys::top_serial}) {
    for (const unsigned one_in : {2u, 3u, 10u, 100u, 2000u}) {
      SCOPED_TRACE(name_of(keys) + " one in " + std::to_string(one_in));
      const Items items = fill(keys, Tids::append, 0, 60000);
      kill(one_in);
      add(kMaxDelta, [&] { return near(items); });
      split_until_room(near(items));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(PageMergeTest, PagesOfOneSegmentDivideWhateverItsSlope) {
  for (std::uint64_t q = 1; q < 50; q += 3) {
    for (std::uint64_t p = 1; p <= 3 * q; p += q / 3 + 1) {
      SCOPED_TRACE(std::to_string(p) + "/" + std::to_string(q));
      Entries entries;
      for (std::size_t i = 0; i < 60000; i++)
        entries.push_back({100 + i * p / q, make_tid(0, 1) + i * 65536});
      const Items items = as_items(entries);
      fill_page(page_, leaf_identity(), items, ws_.get());
      kill(7);
      add(kMaxDelta, [&] { return near(items); });
      if (p % 2 == 1) kill(9);
      split_until_room(near(items));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(PageMergeTest, ThinnedPagesOfEveryShapeDivide) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      const Items items = fill(keys, tids, 0, 60000);
      add(kMaxDelta, [&] { return near(items); });
      kill(2 + static_cast<unsigned>(random_() % 5));
      add(kMaxDelta, [&] { return near(items); });
      split_until_room(near(items));
      if (HasFatalFailure()) return;
    }
  }
}

// Rows come in the stead of those that were removed, with their keys: the delta has entries of the very positions that dead ones have, also where a
// division will cut.
TEST_F(PageMergeTest, WhatWasRemovedComesBack) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : {Tids::append, Tids::varied_rows, Tids::random, Tids::one_row_pages}) {
      for (const unsigned one_in : {2u, 5u, 50u}) {
        SCOPED_TRACE(name_of(keys) + " " + name_of(tids) + " one in " + std::to_string(one_in));
        const Items items = fill(keys, tids, 0, 60000);
        const Entries back = kill_cuts(one_in);
        add(kMaxDelta, [&] { return back[random_() % back.size()]; });
        const PageBytes page = page_;
        const Items before = live_items(PageView(page));
        if (merge(0)) {
          ASSERT_EQ(page_fault(page_), "");
          ASSERT_TRUE(same_items(live_items(PageView(page_)), before, false));
        }
        page_ = page;
        if (PageView(page_).encoded() >= 2) expect_split(near(items));
        if (HasFatalFailure()) return;
        page_ = page;
        split_until_room(near(items));
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Regression: an inner page packed full has not a byte to spare, so its front part must not cost a bit more per
// child than it did as a part of the whole.
TEST_F(PageMergeTest, InnerPagesPackedFullDivideAtTheirEnd) {
  int packed = 0;
  for (int round = 0; round < 400; round++) {
    SCOPED_TRACE(round);
    const unsigned spread = 1u << (1 + random_() % 10);
    const unsigned key_bits = 10 + static_cast<unsigned>(random_() % 50);
    const auto step = [&] { return 1 + (random_() >> (64 - key_bits)); };
    Items items;
    Code code = 0;
    Block child = 100;
    for (int i = 0; i < 3000 && code >> 62 == 0; i++) {
      items.push_back({code, 0, child + static_cast<Block>(random_() % spread)});
      code += step();
      child += 1 + spread / 4;
    }
    items.resize(fill_page(page_, leaf_identity(1), items, ws_.get()));
    if (items.size() < 10) continue;
    // Tighten by hand until not even a delta entry fits.
    for (int more = 0; more < 60 && delta_room(PageView(page_)) > 0 && items.back().code >> 62 == 0; more++) {
      items.push_back({items.back().code + step(), 0, items.back().child + 1 + spread / 4});
      PageBytes tighter;
      if (!write_items(tighter, leaf_identity(1), items, ws_.get())) break;
      page_ = tighter;
    }
    if (delta_room(PageView(page_)) > 0) continue;
    packed++;
    expect_split({kMaxCode, kMaxTid});
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(packed, 200);
}

TEST_F(PageMergeTest, AppendOnlySplitsLeaveFullPages) {
  const Items items = fill(Keys::jitter, Tids::append, 0, 60000);
  const Item last = items.back();
  expect_split({last.code + 1, last.tid + 1});
  EXPECT_EQ(PageView(ws_->page).live(), items.size());
  EXPECT_EQ(PageView(ws_->page2).live(), 0u);
  EXPECT_EQ(PageView(ws_->page2).low(), (Entry{last.code + 1, 0})) << "the separator needs no TID";
}

TEST_F(PageMergeTest, WhatNothingWasAddedToIsCutInTheMiddleOfItsBytes) {
  // A page packed full by a build, into which an entry comes somewhere. All but the segment across the cut is copied: its
  // bytes are those of a segment of the whole page.
  for (const Keys keys : {Keys::serial, Keys::jitter, Keys::random62}) {
    for (const Tids tids : {Tids::varied_rows, Tids::stragglers, Tids::random}) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      const Items items = fill(keys, tids, 0, 60000);
      end_page_at({items.back().code, kMaxTid});
      const std::size_t bytes = PageView(page_).lower();
      SegmentRef whole;
      ASSERT_TRUE(load_segment(PageView(page_), 0, &whole));
      expect_split(near(items));
      if (HasFatalFailure()) return;
      SegmentRef part;
      ASSERT_TRUE(load_segment(PageView(ws_->page), 0, &part));
      EXPECT_EQ(part.key.slope, whole.key.slope);
      EXPECT_EQ(part.key.width, whole.key.width);
      for (const std::uint8_t* half : {ws_->page, ws_->page2}) {
        EXPECT_GT(PageView(half).lower(), bytes / 3);
        EXPECT_LT(PageView(half).lower(), bytes * 2 / 3);
        EXPECT_GE(delta_room(PageView(half)), 100u);
      }
    }
  }
}

TEST_F(PageMergeTest, SplitsOfDuplicatesSeparateByTid) {
  const Items items = fill(Keys::one_value, Tids::random, 0, 20000);
  end_page_at({43, 0});
  expect_split({42, items[items.size() / 2].tid + 1});
  EXPECT_EQ(PageView(ws_->page2).low().code, 42u);
  EXPECT_GT(PageView(ws_->page2).low().tid, 0u);
}

TEST_F(PageMergeTest, RetrainShrinksWhatDriftedAndOnlyThat) {
  for (const Keys keys : kAllKeys) {
    SCOPED_TRACE(name_of(keys));
    Items items = fill(keys, Tids::append, 0, 60000);
    bool better = true;
    ASSERT_TRUE(plan_retrain(PageView(page_), ws_.get(), &better));
    if (keys == Keys::serial) {
      EXPECT_FALSE(better);
    }
    add(60, [&] { return near(items); });
    kill(2);
    const Items before = live_items(PageView(page_));
    ASSERT_TRUE(plan_retrain(PageView(page_), ws_.get(), &better));
    if (!better) continue;
    ASSERT_EQ(page_fault(ws_->page), "");
    ASSERT_TRUE(same_items(live_items(PageView(ws_->page)), before, false));
    EXPECT_EQ(PageView(ws_->page).dead(), 0u);
    EXPECT_EQ(PageView(ws_->page).deltas(), 0u);
  }
}

TEST_F(PageMergeTest, RetrainOfNothingIsAnEmptyPage) {
  fill(Keys::jitter, Tids::random, 0, 300);
  kill(1);
  bool better = false;
  ASSERT_TRUE(plan_retrain(PageView(page_), ws_.get(), &better));
  EXPECT_TRUE(better);
  EXPECT_EQ(PageView(ws_->page).live(), 0u);
  EXPECT_EQ(PageView(ws_->page).encoded(), 0u);
}

TEST_F(PageMergeTest, DamagedPagesAreRefusedOrHarmless) {
  for (const Tids tids : {Tids::append, Tids::varied_rows, Tids::random, Tids::extremes}) {
    const Items items = fill(tids == Tids::extremes ? Keys::few_values : Keys::jumps, tids, 0, 400);
    add(40, [&] { return near(items); });
    kill(5);
    const PageBytes good = page_;
    for (std::size_t at = kLowerOffset; at < kPageSize; at++) {
      if (at > 200 && at < PageView(good).dir() - 700 && at % 37 != 0) continue;
      page_ = good;
      page_.bytes[at] = static_cast<std::uint8_t>(page_.bytes[at] ^ (1u << (random_() % 8)));
      if (check_header(PageView(page_)) != nullptr) continue;
      MergePlan plan{SegmentPlanner(ws_->segments, {}, 0), {}};
      (void)plan_merge(PageView(page_), ws_.get(), &plan);
      Entry separator;
      (void)plan_split(PageView(page_), 9, {5, 5}, ws_.get(), &separator);
      bool better;
      (void)plan_retrain(PageView(page_), ws_.get(), &better);
    }
  }
}

}  // namespace
}  // namespace learned
