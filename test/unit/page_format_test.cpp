// The layout on disk, byte by byte: what is written by one version must be read by every later one.
#include "core/page/format.hpp"

#include <gtest/gtest.h>

#include <set>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

TEST(PageFormatTest, FieldsStayWhereTheyAre) {
  EXPECT_EQ(kSpecial, 8128u);
  EXPECT_EQ(offsetof(PageTrailer, magic), 0u);
  EXPECT_EQ(offsetof(PageTrailer, version), 4u);
  EXPECT_EQ(offsetof(PageTrailer, code_width), 5u);
  EXPECT_EQ(offsetof(PageTrailer, level), 6u);
  EXPECT_EQ(offsetof(PageTrailer, tree), 7u);
  EXPECT_EQ(offsetof(PageTrailer, flags), 8u);
  EXPECT_EQ(offsetof(PageTrailer, segments), 10u);
  EXPECT_EQ(offsetof(PageTrailer, encoded), 12u);
  EXPECT_EQ(offsetof(PageTrailer, dead), 14u);
  EXPECT_EQ(offsetof(PageTrailer, left), 16u);
  EXPECT_EQ(offsetof(PageTrailer, right), 20u);
  EXPECT_EQ(offsetof(PageTrailer, check), 24u);
  EXPECT_EQ(offsetof(PageTrailer, low), 32u);
  EXPECT_EQ(offsetof(PageTrailer, high), 48u);
  EXPECT_EQ(offsetof(Segment, first_rank), 40u);
  EXPECT_EQ(offsetof(Segment, offset), 42u);
  EXPECT_EQ(offsetof(Segment, tid_scale), 44u);
  EXPECT_EQ(offsetof(Segment, runs), 46u);
  EXPECT_EQ(offsetof(Segment, key_shift), 48u);
  EXPECT_EQ(offsetof(Segment, key_width), 49u);
  EXPECT_EQ(offsetof(Segment, tid_shift), 50u);
  EXPECT_EQ(offsetof(Segment, tid_width), 51u);
  EXPECT_EQ(offsetof(Segment, rank_width), 52u);
  EXPECT_EQ(offsetof(Segment, tid_codec), 53u);
  EXPECT_EQ(offsetof(Segment, child_shift), 54u);
  EXPECT_EQ(offsetof(Segment, child_width), 55u);
  EXPECT_EQ(segment_size(0), 56u);
  EXPECT_EQ(segment_size(1), 72u);
  EXPECT_EQ(delta_size(0), 16u);
  EXPECT_EQ(delta_size(3), 24u);
}

TEST(PageFormatTest, TheDeadBitmapOfAFullPageFitsBesideItsSegment) {
  EXPECT_LE(kHeaderSize + kMaxEntries / 8 + sizeof(Segment) + sizeof(PageTrailer), kPageSize);
}

TEST(PageFormatTest, EveryBitOfADeltaEntryCountsInItsCheck) {
  const Item item{0x0123456789ABCDEFu, make_tid(77, 3), 99};
  for (const unsigned level : {0u, 1u}) {
    std::uint8_t good[24];
    format_delta(good, item, level);
    EXPECT_TRUE(PageView::delta_sound(good, level));
    // Byte 14 and 15 are the check; an inner page's last four bytes are zero and unused.
    const std::size_t bytes = level > 0 ? 20 : 16;
    for (std::size_t bit = 0; bit < bytes * 8; bit++) {
      std::uint8_t bad[24];
      std::memcpy(bad, good, sizeof bad);
      bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1u << (bit % 8)));
      EXPECT_FALSE(PageView::delta_sound(bad, level)) << "bit " << bit;
    }
  }
}

TEST(PageFormatTest, DeltaChecksOfNeighboursDiffer) {
  std::set<std::uint16_t> seen;
  for (Code code = 0; code < 1000; code++) seen.insert(delta_check(code, 1, kNoBlock));
  EXPECT_GT(seen.size(), 900u);
}

TEST(PageFormatTest, ChecksumSeesEveryFlippedBitItGuards) {
  Random random(3);
  const auto ws = new_workspace();
  PageBytes page;
  fill_page(page, leaf_identity(), as_items(make_entries(Keys::jitter, Tids::varied_rows, 20000, random)),
            ws.get());
  const std::uint32_t check = page_checksum(page);
  const std::size_t lower = PageView(page).lower();
  const std::size_t dir = PageView(page).dir();
  const std::size_t field = kSpecial + offsetof(PageTrailer, check);
  const auto guarded = [&](std::size_t at) {
    if (at >= field && at < field + 4) return false;
    if (at == kLowerOffset || at == kLowerOffset + 1) return true;
    return at >= kHeaderSize && (at < lower || at >= dir);
  };
  for (std::size_t at = 0; at < kPageSize; at++) {
    for (unsigned bit = 0; bit < 8; bit++) {
      page.bytes[at] = static_cast<std::uint8_t>(page.bytes[at] ^ (1u << bit));
      const bool same = page_checksum(page) == check;
      page.bytes[at] = static_cast<std::uint8_t>(page.bytes[at] ^ (1u << bit));
      ASSERT_EQ(same, !guarded(at)) << "byte " << at << " bit " << bit;
    }
  }
}

}  // namespace
}  // namespace learned
