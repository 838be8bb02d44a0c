// TIDs as residuals against a line.
#include "core/column/tid_linear.hpp"

#include "support/tid_columns.hpp"

namespace learned {
namespace {

using namespace learned::testing;

TEST(TidLinearTest, ReadsAndSlicesWhatItWrote) {
  Random random(1);
  unsigned lines = 0;
  for_each_tids(random, [&](const TidArray& tids) {
    const GatheredFacts gathered(tids);
    TidColumn column = TidLinear::fit_constant(gathered.facts);
    ASSERT_NO_FATAL_FAILURE(expect_reads(column, tids, random));
    ASSERT_NO_FATAL_FAILURE(expect_slices(column, tids, random));
    const unsigned width = column.model.width;
    if (!TidLinear::fit(gathered.facts, &column)) return;
    lines++;
    EXPECT_LT(column.model.width, width);
    ASSERT_NO_FATAL_FAILURE(expect_reads(column, tids, random));
    ASSERT_NO_FATAL_FAILURE(expect_slices(column, tids, random));
  });
  EXPECT_GT(lines, 10u);
}

TEST(TidLinearTest, ALineIsKeptWhereItFitsWhatFollows) {
  Random random(5);
  unsigned kept = 0;
  unsigned left = 0;
  for_each_tids(random, [&](const TidArray& tids) {
    for (const std::size_t middle : {tids.size() / 4, tids.size() / 2, tids.size() - 1}) {
      if (middle < 2) continue;
      const TidArray front(tids.begin(), tids.begin() + static_cast<long>(middle));
      const GatheredFacts gathered(front);
      TidColumn column = TidLinear::fit_constant(gathered.facts);
      if (!TidLinear::fit(gathered.facts, &column)) continue;
      if (GatheredFacts(tids).facts.max_offset > column.scale) continue;
      bool fits = true;
      for (std::size_t i = 0; i < tids.size(); i++) {
        const std::uint64_t residual = tid_to_ordinal(tids[i], column.scale) - column.model.predict(i);
        fits = fits && bits_for(residual) <= column.model.width;
      }
      ASSERT_EQ(TidLinear::extends(column, tids.data(), middle, tids.size()), fits);
      (fits ? kept : left)++;
      if (!fits) continue;
      ASSERT_NO_FATAL_FAILURE(expect_reads(column, tids, random));
    }
  });
  EXPECT_GT(kept, 3u);
  EXPECT_GT(left, 3u);
}

TEST(TidLinearTest, ALineIsKeptToTheLastResidual) {
  // One row of each block, at one of sixteen places: blocks ascend by three.
  Random random(6);
  TidArray tids;
  for (std::uint32_t i = 0; i < 400; i++)
    tids.push_back(make_tid(1000 + 3 * i, static_cast<std::uint16_t>(1 + random() % 16)));
  const GatheredFacts gathered(tids);
  TidColumn column = TidLinear::fit_constant(gathered.facts);
  ASSERT_TRUE(TidLinear::fit(gathered.facts, &column));
  const std::uint64_t line = column.model.predict(400);
  const std::uint64_t widest = low_mask(column.model.width);
  for (const std::uint64_t residual : {std::uint64_t{0}, widest}) {
    tids.push_back(ordinal_to_tid(line + residual, column.scale));
    EXPECT_TRUE(TidLinear::extends(column, tids.data(), 400, 401)) << residual;
    ASSERT_NO_FATAL_FAILURE(expect_reads(column, tids, random));
    tids.pop_back();
  }
  for (const std::uint64_t beyond : {line - 1, line + widest + 1}) {
    tids.push_back(ordinal_to_tid(beyond, column.scale));
    EXPECT_FALSE(TidLinear::extends(column, tids.data(), 400, 401)) << beyond;
    tids.pop_back();
  }
}

TEST(TidLinearTest, RawTidsKeepAllTheirBits) {
  Random random(2);
  for_each_tids(random, [&](const TidArray& tids) {
    const TidColumn column = TidLinear::fit_raw(tids.data(), tids.size());
    EXPECT_EQ(column.scale, 0);
    EXPECT_LE(column.model.width, 48);
    ASSERT_NO_FATAL_FAILURE(expect_reads(column, tids, random));
    ASSERT_NO_FATAL_FAILURE(expect_slices(column, tids, random));
  });
}

TEST(TidLinearTest, TheSpanOfRowsOfOneWidthIsExact) {
  Random random(3);
  const TidArray tids = make_tids(Tids::append, 5000, random);
  const GatheredFacts gathered(tids);
  TidColumn column = TidLinear::fit_constant(gathered.facts);
  EXPECT_EQ(TidLinear::span(column, tids.size()).lo, tids.front());
  ASSERT_TRUE(TidLinear::fit(gathered.facts, &column));
  ASSERT_TRUE(column.exact());
  EXPECT_EQ(TidLinear::span(column, tids.size()), (Span{tids.front(), tids.back()}));
}

TEST(TidLinearTest, DamagedHeadersAreHarmless) {
  Random random(4);
  expect_harmless(TidCodec::linear, random);
}

TEST(TidLinearTest, FieldsOfAnotherCodecAreNoticed) {
  TidColumn column{{7, 0, 0, 3}, 10, 0, 0, TidCodec::linear};
  EXPECT_EQ(check_tid_model(column, 5), nullptr);
  column.runs = 1;
  EXPECT_STREQ(check_tid_model(column, 5).text(), "segment without runs counts some");
  column = {{7, 0, 17, 3}, 10, 0, 0, TidCodec::linear};
  EXPECT_STREQ(check_tid_model(column, 5).text(), "segment has an impossible tid model");
  column = {{7, 0, 0, 65}, 10, 0, 0, TidCodec::linear};
  EXPECT_STREQ(check_tid_model(column, 5).text(), "segment has an impossible tid model");
}

}  // namespace
}  // namespace learned
