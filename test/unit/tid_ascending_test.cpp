// Ascending TIDs far apart, by Elias-Fano.
#include "core/column/tid_ascending.hpp"

#include "support/tid_columns.hpp"

namespace learned {
namespace {

using namespace learned::testing;

TidArray ascending(TidArray tids) {
  std::sort(tids.begin(), tids.end());
  tids.erase(std::unique(tids.begin(), tids.end()), tids.end());
  return tids;
}

TEST(TidAscendingTest, ReadsAndSlicesWhatItWrote) {
  Random random(1);
  unsigned fits = 0;
  const auto try_tids = [&](const TidArray& unsorted) {
    const TidArray tids = ascending(unsorted);
    const GatheredFacts gathered(tids);
    TidColumn column{};
    if (!TidAscending::fit(gathered.facts, ~std::size_t{0}, &column)) return;
    fits++;
    ASSERT_NO_FATAL_FAILURE(expect_reads(column, tids, random));
    ASSERT_NO_FATAL_FAILURE(expect_slices(column, tids, random));
  };
  for_each_tids(random, try_tids);
  for (int round = 0; round < 40; round++) {
    TidArray tids(1 + random() % 3000);
    const std::uint32_t blocks = 1u << (random() % 30);
    for (Tid& t : tids) {
      t = make_tid(static_cast<std::uint32_t>(random() % blocks),
                   static_cast<std::uint16_t>(1 + random() % 150));
    }
    try_tids(tids);
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(fits, 40u);
}

TEST(TidAscendingTest, IsChosenOnlyWhereItIsSmaller) {
  const TidArray tids = {make_tid(1, 1), make_tid(500, 3), make_tid(1000, 2)};
  const GatheredFacts gathered(tids);
  TidColumn column{};
  ASSERT_TRUE(TidAscending::fit(gathered.facts, ~std::size_t{0}, &column));
  const std::size_t bytes = tid_bytes(column, tids.size());
  EXPECT_FALSE(TidAscending::fit(gathered.facts, bytes, &column));
  EXPECT_TRUE(TidAscending::fit(gathered.facts, bytes + 1, &column));
}

TEST(TidAscendingTest, TheSpanBeginsWithTheFirstAndEndsWithinAGapBehindTheLast) {
  Random random(2);
  TidArray tids;
  for (std::uint32_t i = 0; i < 1000; i++) tids.push_back(make_tid(i * 64 + random() % 64, 1));
  const GatheredFacts gathered(tids);
  TidColumn column{};
  ASSERT_TRUE(TidAscending::fit(gathered.facts, ~std::size_t{0}, &column));
  const Span span = TidAscending::span(column, tids.size());
  EXPECT_EQ(span.lo, tids.front());
  EXPECT_GE(span.hi, tids.back());
  EXPECT_LE(tid_block(span.hi), tid_block(tids.back()) + 64);
}

TEST(TidAscendingTest, DamagedHeadersAreHarmless) {
  Random random(3);
  expect_harmless(TidCodec::ascending, random);
}

TEST(TidAscendingTest, FaultsAreNamed) {
  const TidColumn column{{7, 9, 0, 1}, 10, 0, 0, TidCodec::ascending};
  EXPECT_EQ(check_tid_model(column, 3), nullptr);
  EXPECT_STREQ(check_tid_model({{7, 9, 0, 49}, 10, 0, 0, TidCodec::ascending}, 3).text(),
               "segment has an impossible tid model");
  EXPECT_STREQ(check_tid_model({{7, std::uint64_t{1} << 40, 0, 1}, 10, 0, 0, TidCodec::ascending}, 3).text(),
               "segment has an impossible tid model");
  EXPECT_STREQ(check_tid_model({{7, 9, 0, 1}, 10, 1, 0, TidCodec::ascending}, 3).text(),
               "segment without runs counts some");
  // Three entries, high parts up to 4: seven bits are the bitmap's, the eighth is nobody's.
  const auto fault_of = [&](std::uint8_t map) -> std::string {
    std::uint8_t bytes[2 + kBitSlack] = {0, map};
    Extent all{bytes, 2};
    TidBits data;
    EXPECT_TRUE(load_tids(&all, column, 3, &data));
    const Fault fault = check_tids(column, data, 3);
    return fault ? fault.text() : "";
  };
  EXPECT_EQ(fault_of(0b01000101), "");
  EXPECT_EQ(fault_of(0b01000001), "bitmap of ascending tids has a wrong number of bits");
  EXPECT_EQ(fault_of(0b01010101), "bitmap of ascending tids has a wrong number of bits");
  EXPECT_EQ(fault_of(0b10000101), "bitmap of ascending tids has a wrong number of bits");
}

}  // namespace
}  // namespace learned
