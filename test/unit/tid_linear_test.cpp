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
