// Plans: exact sums, models that hold, cuts where they save bytes.
#include "core/plan/segment_planner.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

class SegmentPlannerTest : public ::testing::Test {
 protected:
  void load(const Items& items) {
    for (std::size_t i = 0; i < items.size(); i++) {
      ws_->codes[i] = items[i].code;
      ws_->tids[i] = items[i].tid;
      ws_->children[i] = items[i].child;
    }
  }
  SegmentPlanner planner(unsigned level) {
    return SegmentPlanner(ws_->segments, workspace_columns(ws_.get(), level), level);
  }

  // What every plan of entries [0, n) must be.
  void expect_sound(const SegmentPlanner& plan, std::uint32_t n, unsigned level) {
    std::uint32_t next = 0;
    std::size_t bytes = 0;
    for (std::size_t s = 0; s < plan.size(); s++) {
      const PlannedSegment& p = plan[s];
      ASSERT_EQ(p.first, next);
      ASSERT_GT(p.count, 0u);
      next += p.count;
      bytes += p.bytes + segment_size(level);
      ASSERT_EQ(p.bytes, segment_bytes(p, p.count));
      ASSERT_EQ(p.first_code, ws_->codes[p.first]);
      for (std::uint32_t i = 0; i < p.count; i++) {
        ASSERT_LE(ws_->codes[p.first + i] - p.key.predict(i), low_mask(p.key.width));
        if (p.tids.codec == TidCodec::linear) {
          const std::uint64_t ordinal = tid_to_ordinal(ws_->tids[p.first + i], p.tids.scale);
          ASSERT_LE(ordinal - p.tids.model.predict(i), low_mask(p.tids.model.width));
          ASSERT_EQ(ordinal_to_tid(ordinal, p.tids.scale), ws_->tids[p.first + i]);
        }
        if (level > 0) {
          ASSERT_LE(ws_->children[p.first + i] - p.child.predict(i), low_mask(p.child.width));
        }
      }
    }
    ASSERT_EQ(next, n);
    ASSERT_EQ(plan.entries(), n);
    ASSERT_EQ(plan.bytes(), bytes);
  }

  std::unique_ptr<Workspace> ws_ = new_workspace();
  Random random_{11};
};

TEST_F(SegmentPlannerTest, EveryShapeGivesASoundPlan) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      for (const std::size_t n : {1, 2, 63, 64, 65, 200, 1500}) {
        for (const unsigned level : {0u, 1u}) {
          const Entries entries = make_entries(keys, tids, n, random_);
          const Items items = level > 0 ? make_items(entries, n % 2 == 1, random_) : as_items(entries);
          load(items);
          SegmentPlanner plan = planner(level);
          plan.push(0, static_cast<std::uint32_t>(items.size()));
          ASSERT_FALSE(plan.overflow());
          expect_sound(plan, static_cast<std::uint32_t>(items.size()), level);
          const std::size_t before = plan.bytes();
          plan.compact();
          EXPECT_LE(plan.bytes(), before);
          expect_sound(plan, static_cast<std::uint32_t>(items.size()), level);
        }
      }
    }
  }
}

TEST_F(SegmentPlannerTest, AWholePageOfRegularRowsIsOneSegment) {
  const std::size_t n = 40000;
  load(as_items(make_entries(Keys::serial, Tids::append, n, random_)));
  SegmentPlanner plan = planner(0);
  plan.push(0, n);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].bytes, 0u);
  EXPECT_EQ(plan.bytes(), segment_size(0));
}

TEST_F(SegmentPlannerTest, OneOutlierDoesNotWidenThePage) {
  Entries entries = make_entries(Keys::serial, Tids::append, 5000, random_);
  entries.back().code = kMaxCode;
  load(as_items(entries));
  SegmentPlanner plan = planner(0);
  plan.push(0, 5000);
  plan.compact();
  EXPECT_LE(plan.size(), 4u);
  EXPECT_LT(plan.bytes(), 5000 / 4) << "a serial page with one outlier";
}

TEST_F(SegmentPlannerTest, JumpsAreCutNotSpanned) {
  Entries entries;
  for (std::size_t i = 0; i < 6400; i++) entries.push_back({i % 640 + (i / 640 << 40), make_tid(0, 1) + i});
  load(as_items(entries));
  SegmentPlanner plan = planner(0);
  plan.push(0, 6400);
  plan.compact();
  EXPECT_LT(plan.bytes(), 6400 / 2);
}

TEST_F(SegmentPlannerTest, RawBoundsTheWorst) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      const Items items = as_items(make_entries(keys, tids, 500, random_));
      load(items);
      SegmentPlanner plan = planner(0);
      plan.push(0, static_cast<std::uint32_t>(items.size()));
      plan.compact();
      // 64 + 48 bits and a few directory entries.
      EXPECT_LE(plan.bytes(), items.size() * 14 + 8 * segment_size(0))
          << name_of(keys) << " " << name_of(tids);
    }
  }
}

TEST_F(SegmentPlannerTest, RunsOfRowsCostBitsPerPageNotPerRow) {
  const std::size_t n = 6000;
  load(as_items(make_entries(Keys::serial, Tids::varied_rows, n, random_)));
  SegmentPlanner plan = planner(0);
  plan.push(0, n);
  plan.compact();
  EXPECT_LT(static_cast<double>(plan.bytes()) * 8 / n, 1.0);
  bool runs = false;
  for (std::size_t s = 0; s < plan.size(); s++) runs |= plan[s].tids.codec == TidCodec::runs;
  EXPECT_TRUE(runs);
}

TEST_F(SegmentPlannerTest, RowsOfOneKeyFarApartCostTheirGapAndTwoBits) {
  // The bound of Elias-Fano: 2 + log2(universe / n) bits per TID.
  for (const std::uint32_t gap : {3u, 20u, 1000u, 100000u}) {
    SCOPED_TRACE(gap);
    Entries entries;
    std::uint32_t row = 0;
    for (std::size_t i = 0; i < 2000; i++) {
      row += 1 + static_cast<std::uint32_t>(random_() % (2 * gap));
      entries.push_back({7, make_tid(row / 100, static_cast<std::uint16_t>(row % 100 + 1))});
    }
    load(as_items(entries));
    SegmentPlanner plan = planner(0);
    plan.push(0, 2000);
    plan.compact();
    const double bits = static_cast<double>(plan.bytes() - plan.size() * segment_size(0)) * 8 / 2000;
    EXPECT_LT(bits, 2.1 + std::log2(gap + 0.5));
    bool ascending = false;
    for (std::size_t s = 0; s < plan.size(); s++) ascending |= plan[s].tids.codec == TidCodec::ascending;
    EXPECT_TRUE(ascending);
  }
}

TEST_F(SegmentPlannerTest, DescendingTidsAreALineToo) {
  Entries entries;
  for (std::size_t i = 0; i < 3000; i++) {
    const auto back = static_cast<std::uint32_t>(2999 - i);
    entries.push_back({i, make_tid(back / 100, static_cast<std::uint16_t>(back % 100 + 1))});
  }
  load(as_items(entries));
  SegmentPlanner plan = planner(0);
  plan.push(0, 3000);
  plan.compact();
  EXPECT_EQ(plan.bytes(), segment_size(0));
}

TEST_F(SegmentPlannerTest, TooManySegmentsAreAnOverflowNotACrash) {
  // Short serial stretches far apart: each wants a segment of its own.
  Entries entries;
  for (std::size_t i = 0; i < 49000; i++) {
    entries.push_back({(Code{i / 64} * 0x40000000000000u / 16) + i % 64 * 1000,
                       make_tid(0, 1) + i * 1000003 % 99991 * 65536});
  }
  std::sort(entries.begin(), entries.end());
  load(as_items(entries));
  SegmentPlanner plan = planner(0);
  plan.push(0, 49000);
  plan.compact();
  EXPECT_TRUE(plan.overflow());
  EXPECT_FALSE(plan_fits(plan, 0, 0));
}

TEST_F(SegmentPlannerTest, ABlockCanBeTakenBack) {
  for (const Keys keys : {Keys::serial, Keys::jumps, Keys::random62}) {
    const std::size_t n = 640;
    load(as_items(make_entries(keys, Tids::random, n, random_)));
    SegmentPlanner plan = planner(0);
    plan.push(0, 320);
    const auto mark = plan.save(ws_->saved);
    std::vector<PlannedSegment> before(ws_->segments, ws_->segments + plan.size());
    plan.push(320, 320);
    plan.compact();
    plan.restore(mark, ws_->saved);
    ASSERT_EQ(plan.size(), before.size());
    EXPECT_EQ(std::memcmp(before.data(), ws_->segments, before.size() * sizeof(PlannedSegment)), 0);
    expect_sound(plan, 320, 0);
    plan.push(320, 320);
    expect_sound(plan, 640, 0);
  }
}

}  // namespace
}  // namespace learned
