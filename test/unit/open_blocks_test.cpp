// Sets of heap blocks against std::set.
#include "core/count/open_blocks.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace learned {
namespace {

class OpenBlocksTest : public ::testing::Test {
 protected:
  void make(std::uint32_t blocks, std::uint32_t open) {
    memory_.assign(OpenBlocks::words(blocks) + 1, 0);
    memory_.back() = 0xABCDEF;
    set_.clear();
    while (set_.size() < open) set_.insert(static_cast<std::uint32_t>(random_() % blocks));
    blocks_ = OpenBlocks(memory_.data(), blocks);
    for (std::uint32_t half = 0; half * 32 < blocks; half++) {
      // Bits beyond the end are whatever they are.
      std::uint32_t bits = 0;
      for (std::uint32_t b = 0; b < 32; b++) {
        const std::uint32_t block = half * 32 + b;
        if (block >= blocks || set_.contains(block)) bits |= 1u << b;
      }
      blocks_.set_half(half, bits);
    }
    blocks_.finish();
    ASSERT_EQ(memory_.back(), 0xABCDEFu);
  }
  bool any(std::uint32_t lo, std::uint32_t hi) const {
    if (lo > hi || lo >= blocks_.blocks()) return true;
    const auto at = set_.lower_bound(lo);
    return at != set_.end() && *at <= hi;
  }

  std::vector<std::uint64_t> memory_;
  std::set<std::uint32_t> set_;
  OpenBlocks blocks_;
  std::mt19937_64 random_{7};
};

TEST_F(OpenBlocksTest, AnswersAsASetDoes) {
  std::size_t yes = 0;
  std::size_t no = 0;
  for (const std::uint32_t blocks :
       {1u, 31u, 32u, 33u, 63u, 64u, 65u, 4095u, 4096u, 4097u, 32672u, 100001u}) {
    for (const std::uint32_t open : {0u, 1u, 2u, 9u, blocks / 100, blocks}) {
      if (open > blocks) continue;
      SCOPED_TRACE(::testing::Message() << open << " of " << blocks);
      make(blocks, open);
      ASSERT_EQ(blocks_.count(), open);
      for (int i = 0; i < 3000; i++) {
        const auto lo = static_cast<std::uint32_t>(random_() % (blocks + 2));
        const std::uint32_t length = 1u << (random_() % 18);
        const auto hi = static_cast<std::uint32_t>(lo + random_() % length);
        const bool expected = any(lo, hi);
        ASSERT_EQ(blocks_.any_open(lo, hi), expected) << lo << ".." << hi;
        ASSERT_EQ(blocks_.is_open(lo), any(lo, lo)) << lo;
        (expected ? yes : no)++;
      }
      EXPECT_EQ(blocks_.any_open(0, blocks - 1), open > 0);
      EXPECT_EQ(blocks_.any_open(0, blocks + 7), open > 0);
      EXPECT_TRUE(blocks_.any_open(blocks, blocks + 7));
      EXPECT_TRUE(blocks_.any_open(1, 0));
    }
  }
  EXPECT_GT(yes, 10000u);
  EXPECT_GT(no, 10000u);
}

}  // namespace
}  // namespace learned
