// TID arithmetic and the order of entries.
#include "core/base/types.hpp"

#include <gtest/gtest.h>

#include "core/page/format.hpp"

namespace learned {
namespace {

TEST(TypesTest, TidsKeepTheOrderOfBlocksAndOffsets) {
  EXPECT_EQ(make_tid(0, 1), 1u);
  EXPECT_EQ(make_tid(0xFFFFFFFFu, 0xFFFF), kMaxTid);
  EXPECT_LT(make_tid(7, 0xFFFF), make_tid(8, 1));
  for (const std::uint32_t block : {0u, 1u, 12345u, 0x80000000u, 0xFFFFFFFFu}) {
    for (const std::uint16_t offset : {std::uint16_t{1}, std::uint16_t{291}, std::uint16_t{0xFFFF}}) {
      EXPECT_EQ(tid_block(make_tid(block, offset)), block);
      EXPECT_EQ(tid_offset(make_tid(block, offset)), offset);
    }
  }
}

TEST(TypesTest, EntriesAreOrderedByCodeThenTid) {
  EXPECT_LT((Entry{1, kMaxTid}), (Entry{2, 0}));
  EXPECT_LT((Entry{2, 0}), (Entry{2, 1}));
  EXPECT_LT((Entry{kMaxCode, 0}), (Entry{kMaxCode, kMaxTid}));
  EXPECT_EQ((Entry{3, 4}), (Entry{3, 4}));
}

TEST(TypesTest, PredecessorIsTheNextPositionBelow) {
  EXPECT_EQ(predecessor({5, 7}), (Entry{5, 6}));
  EXPECT_EQ(predecessor({5, 0}), (Entry{4, kMaxTid}));
  EXPECT_EQ(predecessor({kMaxCode, kMaxTid}), (Entry{kMaxCode, kMaxTid - 1}));
  EXPECT_EQ(predecessor({0, 1}), (Entry{0, 0}));
}

}  // namespace
}  // namespace learned
