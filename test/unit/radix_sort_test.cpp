#include "core/radix_sort.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace learned {
namespace {

constexpr SortPoll kNoPoll{nullptr, nullptr};

bool code_then_tid(const Entry& a, const Entry& b) {
  return a.code != b.code ? a.code < b.code : a.tid < b.tid;
}

// Sorts with guard entries around both buffers and compares with the standard library.
void expect_sorted_like_std(std::vector<Entry> input) {
  std::vector<Entry> expected = input;
  std::stable_sort(expected.begin(), expected.end(), code_then_tid);

  const Entry guard{0xDEADBEEFDEADBEEFu, 0xDEADBEEFu};
  const std::size_t count = input.size();
  input.insert(input.begin(), guard);
  input.push_back(guard);
  std::vector<Entry> scratch(count + 2, guard);

  const bool sorted_before = std::equal(expected.begin(), expected.end(), input.begin() + 1);
  Entry* result = sort_entries(input.data() + 1, scratch.data() + 1, count, kNoPoll);
  ASSERT_TRUE(std::equal(expected.begin(), expected.end(), result));
  EXPECT_EQ(result, sorted_before ? input.data() + 1 : scratch.data() + 1);
  if (sorted_before) {
    EXPECT_TRUE(
        std::all_of(scratch.begin(), scratch.end(), [&](const Entry& entry) { return entry == guard; }));
  }
  EXPECT_EQ(input.front(), guard);
  EXPECT_EQ(input.back(), guard);
  EXPECT_EQ(scratch.front(), guard);
  EXPECT_EQ(scratch.back(), guard);
}

// Sizes around the insertion limit and the polling block, beside the trivial ones.
constexpr std::size_t kSizes[] = {0,  1,  2,   3,   7,    31,   32,    33,     34,
                                  63, 64, 100, 511, 1000, 4096, 20000, 262145, 300000};

using CodeOf = std::function<std::uint64_t(std::size_t i, std::size_t count, std::mt19937_64& random)>;

void check_shape(const CodeOf& code_of) {
  for (const std::size_t count : kSizes) {
    SCOPED_TRACE(count);
    std::mt19937_64 random(count + 1);
    std::vector<Entry> in_order(count);
    for (std::size_t i = 0; i < count; ++i) {
      in_order[i] = {code_of(i, count, random),
                     make_tid(static_cast<std::uint32_t>(i / 100), static_cast<std::uint16_t>(i % 100 + 1))};
    }
    expect_sorted_like_std(in_order);

    // As a heap with HOT chains reports them: tids out of order inside a block.
    std::vector<Entry> nearly = in_order;
    for (std::size_t block = 0; block < count; block += 100) {
      const std::size_t end = std::min(count, block + 100);
      for (std::size_t i = block; i < end; ++i) {
        std::swap(nearly[i].tid, nearly[block + random() % (end - block)].tid);
      }
    }
    expect_sorted_like_std(nearly);

    std::vector<Entry> backwards(in_order.rbegin(), in_order.rend());
    expect_sorted_like_std(backwards);

    std::vector<Entry> shuffled = in_order;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    expect_sorted_like_std(shuffled);
  }
}

TEST(RadixSort, Serial) {
  check_shape([](std::size_t i, std::size_t, std::mt19937_64&) { return i; });
}

TEST(RadixSort, SerialAcrossPowersOfTwo) {
  check_shape([](std::size_t i, std::size_t, std::mt19937_64&) { return (1ull << 63) - 1000 + i; });
}

TEST(RadixSort, AllEqual) {
  check_shape([](std::size_t, std::size_t, std::mt19937_64&) { return 42ull; });
}

TEST(RadixSort, AllEqualButOne) {
  check_shape(
      [](std::size_t i, std::size_t count, std::mt19937_64&) { return i == count / 2 ? kMaxCode : 0ull; });
}

TEST(RadixSort, Descending) {
  check_shape([](std::size_t i, std::size_t count, std::mt19937_64&) { return (count - i) * 1000; });
}

TEST(RadixSort, Random64Bits) {
  check_shape([](std::size_t, std::size_t, std::mt19937_64& random) { return random(); });
}

TEST(RadixSort, RandomLowBits) {
  check_shape([](std::size_t, std::size_t, std::mt19937_64& random) { return random() & 0xFFF; });
}

TEST(RadixSort, RandomHighBitsOnly) {
  check_shape([](std::size_t, std::size_t, std::mt19937_64& random) { return random() << 52; });
}

TEST(RadixSort, FewDistinct) {
  check_shape([](std::size_t, std::size_t, std::mt19937_64& random) {
    return (random() % 3) * 0x0123456789ABCDEFull;
  });
}

TEST(RadixSort, Extremes) {
  check_shape(
      [](std::size_t, std::size_t, std::mt19937_64& random) { return random() % 2 == 0 ? 0ull : kMaxCode; });
}

TEST(RadixSort, NearlySortedTimestamps) {
  check_shape([](std::size_t i, std::size_t, std::mt19937_64& random) {
    return 700000000000000ull + i * 1000 + random() % 50000;
  });
}

// Each level of the recursion finds one crowded bucket: the deepest and most uneven case.
TEST(RadixSort, Geometric) {
  check_shape([](std::size_t, std::size_t, std::mt19937_64& random) { return random() >> (random() % 64); });
}

TEST(RadixSort, TidsBeyondTheHeapsOrder) {
  std::mt19937_64 random(7);
  std::vector<Entry> entries(50000);
  for (Entry& entry : entries) entry = {random() % 5, random() & kMaxTid};
  expect_sorted_like_std(entries);
  for (Entry& entry : entries) entry = {1, random() % 3};  // repeated tids
  expect_sorted_like_std(entries);
}

TEST(RadixSort, PollsOften) {
  struct Counter {
    std::size_t calls = 0;
  } counter;
  const SortPoll poll{[](void* argument) { ++static_cast<Counter*>(argument)->calls; }, &counter};

  constexpr std::size_t kCount = 3 * kSortPollItems;
  std::vector<Entry> entries(kCount);
  std::vector<Entry> scratch(kCount);
  std::mt19937_64 random(3);
  for (std::size_t i = 0; i < kCount; ++i) entries[i] = {random(), i};
  Entry* result = sort_entries(entries.data(), scratch.data(), kCount, poll);
  EXPECT_TRUE(std::is_sorted(result, result + kCount, code_then_tid));
  // At least a look, a count, a move and a finish of every entry.
  EXPECT_GE(counter.calls, 4 * kCount / kSortPollItems);
}

}  // namespace
}  // namespace learned
