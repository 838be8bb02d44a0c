#include "core/base/key.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>
#include <vector>

namespace learned {
namespace {

using Two = Words<2>;

// The definition of the order: flag, word, flag, word.
auto spelled_out(const Two& k) { return std::tuple(k.flag(0), k.word[0], k.flag(1), k.word[1]); }

std::vector<Two> some_keys() {
  std::vector<Two> keys;
  for (std::uint8_t flags = 0; flags < 4; flags++) {
    for (Code a : {Code{0}, Code{1}, Code{7}, kMaxCode}) {
      for (Code b : {Code{0}, Code{5}, kMaxCode - 1, kMaxCode}) keys.push_back({{a, b}, flags});
    }
  }
  return keys;
}

TEST(KeyTest, OrderIsByFlagThenWordOfEachColumn) {
  for (const Two& a : some_keys()) {
    for (const Two& b : some_keys()) {
      EXPECT_EQ(a < b, spelled_out(a) < spelled_out(b));
      EXPECT_EQ(a == b, spelled_out(a) == spelled_out(b));
    }
  }
}

TEST(KeyTest, EndsAreTheEnds) {
  for (const Two& key : some_keys()) {
    EXPECT_LE(KeyTraits<Two>::lowest(), key);
    EXPECT_GE(KeyTraits<Two>::highest(), key);
  }
}

// Nothing lies between a key and the one before it.
TEST(KeyTest, TheKeyBeforeIsTheGreatestBelow) {
  const std::vector<Two> keys = some_keys();
  for (const Two& key : keys) {
    if (key == KeyTraits<Two>::lowest()) continue;
    const Two before = KeyTraits<Two>::before(key);
    EXPECT_LT(before, key);
    for (const Two& other : keys) EXPECT_FALSE(before < other && other < key);
  }
  for (const Two& key : keys) {
    if (key != KeyTraits<Two>::highest()) {
      EXPECT_EQ(KeyTraits<Two>::before(KeyTraits<Two>::after(key)), key);
    }
  }
  EXPECT_EQ((KeyTraits<Two>::before({{3, 0}, 0})), (Two{{2, kMaxCode}, 2}));
  EXPECT_EQ((KeyTraits<Two>::before({{3, 0}, 2})), (Two{{3, kMaxCode}, 0}));
  EXPECT_EQ((KeyTraits<Two>::before({{0, 0}, 1})), (Two{{kMaxCode, kMaxCode}, 2}));
}

TEST(KeyTest, APrefixIsTheLowestKeyThatBeginsSo) {
  const std::vector<Two> keys = some_keys();
  for (const Two& key : keys) {
    EXPECT_EQ(key_prefix(key, 2), key);
    const Two prefix = key_prefix(key, 1);
    for (const Two& other : keys) {
      if (other.word[0] == key.word[0] && other.flag(0) == key.flag(0)) {
        EXPECT_LE(prefix, other);
      }
    }
    EXPECT_EQ(prefix.word[0], key.word[0]);
    EXPECT_EQ(prefix.flag(0), key.flag(0));
  }
}

}  // namespace
}  // namespace learned
