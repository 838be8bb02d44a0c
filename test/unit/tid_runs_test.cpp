// TIDs as runs of consecutive ones.
#include "core/column/tid_runs.hpp"

#include "support/tid_columns.hpp"

namespace learned {
namespace {

using namespace learned::testing;

// The facts' constant column is what a codec has to beat; blown up, any runs do.
TidColumn to_beat(const TidFacts& facts) {
  TidColumn column = TidLinear::fit_constant(facts);
  column.model.width = 64;
  return column;
}

TidArray rows_of_varying_width(std::size_t n, Random& random) {
  TidArray tids;
  for (std::uint32_t block = 0; tids.size() < n; block += 1 + random() % 3) {
    const auto first = static_cast<std::uint16_t>(1 + random() % 5);
    const auto rows = static_cast<std::uint16_t>(1 + random() % 200);
    for (std::uint16_t i = 0; i < rows && tids.size() < n; i++) {
      tids.push_back(make_tid(block, static_cast<std::uint16_t>(first + i)));
    }
  }
  return tids;
}

TEST(TidRunsTest, ReadsAndSlicesWhatItWrote) {
  Random random(1);
  unsigned fits = 0;
  const auto try_tids = [&](const TidArray& tids) {
    const GatheredFacts gathered(tids);
    TidColumn column = to_beat(gathered.facts);
    if (!TidRuns::fit(gathered.facts, &column)) return;
    fits++;
    EXPECT_EQ(column.runs, gathered.facts.breaks + 1);
    ASSERT_NO_FATAL_FAILURE(expect_reads(column, tids, random));
    ASSERT_NO_FATAL_FAILURE(expect_slices(column, tids, random));
  };
  for_each_tids(random, try_tids);
  for (int round = 0; round < 60; round++) {
    try_tids(rows_of_varying_width(1 + random() % 5000, random));
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(fits, 60u);
}

TEST(TidRunsTest, IsChosenOnlyWhereItIsSmaller) {
  Random random(2);
  const TidArray tids = rows_of_varying_width(5000, random);
  const GatheredFacts gathered(tids);
  TidColumn column = TidLinear::fit_constant(gathered.facts);
  const std::size_t before = tid_bytes(column, tids.size());
  ASSERT_TRUE(TidRuns::fit(gathered.facts, &column));
  EXPECT_LT(tid_bytes(column, tids.size()), before / 10);
  TidColumn narrow = TidLinear::fit_constant(gathered.facts);
  narrow.model.width = 0;
  EXPECT_FALSE(TidRuns::fit(gathered.facts, &narrow));
}

TEST(TidRunsTest, WhatIsTornIsTheRestOfARun) {
  const TidArray tids = {make_tid(1, 1), make_tid(1, 2), make_tid(1, 3), make_tid(2, 1), make_tid(2, 2)};
  const GatheredFacts gathered(tids);
  TidColumn column = to_beat(gathered.facts);
  ASSERT_TRUE(TidRuns::fit(gathered.facts, &column));
  const EncodedTids encoded(column, tids);
  Extent all{encoded.bytes.get(), encoded.size};
  TidBits data;
  ASSERT_TRUE(load_tids(&all, column, 5, &data));
  EXPECT_EQ(TidRuns::torn(column, data, 0, 5), 0u);
  EXPECT_EQ(TidRuns::torn(column, data, 1, 5), 2u);
  EXPECT_EQ(TidRuns::torn(column, data, 2, 5), 1u);
  EXPECT_EQ(TidRuns::torn(column, data, 1, 2), 1u);
  EXPECT_EQ(TidRuns::torn(column, data, 3, 5), 0u);
  EXPECT_EQ(TidRuns::torn(column, data, 4, 5), 1u);
}

TEST(TidRunsTest, TheSpanReachesTheEndOfTheLongestRun) {
  TidArray tids;
  for (std::uint16_t i = 1; i <= 100; i++) tids.push_back(make_tid(9, i));
  const GatheredFacts gathered(tids);
  TidColumn column = to_beat(gathered.facts);
  ASSERT_TRUE(TidRuns::fit(gathered.facts, &column));
  EXPECT_EQ(TidRuns::span(column, tids.size()), (Span{tids.front(), tids.back()}));
}

TEST(TidRunsTest, DamagedHeadersAreHarmless) {
  Random random(3);
  expect_harmless(TidCodec::runs, random);
}

TEST(TidRunsTest, FaultsAreNamed) {
  TidColumn column{{7, 0, 0, 3}, 10, 2, 4, TidCodec::runs};
  EXPECT_EQ(check_tid_model(column, 5), nullptr);
  for (const TidColumn& broken :
       {TidColumn{{7, 0, 0, 3}, 10, 0, 4, TidCodec::runs}, TidColumn{{7, 0, 0, 3}, 10, 6, 4, TidCodec::runs},
        TidColumn{{7, 0, 0, 3}, 10, 2, 17, TidCodec::runs}}) {
    EXPECT_STREQ(check_tid_model(broken, 5).text(), "segment has impossible runs");
  }
  const auto fault_of = [&](std::uint8_t ranks) -> std::string {
    std::uint8_t bytes[2 + kBitSlack] = {ranks};
    Extent all{bytes, 2};
    TidBits data;
    EXPECT_TRUE(load_tids(&all, column, 5, &data));
    const Fault fault = check_tids(column, data, 5);
    return fault ? fault.text() : "";
  };
  EXPECT_EQ(fault_of(0x40), "");
  EXPECT_EQ(fault_of(0x41), "first ranks of the runs do not ascend from 0");
  EXPECT_EQ(fault_of(0x00), "first ranks of the runs do not ascend from 0");
  EXPECT_EQ(fault_of(0x50), "run begins behind its segment");
}

}  // namespace
}  // namespace learned
