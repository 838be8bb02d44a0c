#include "core/sort/radix_sort.hpp"

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

// Sorts with guard entries around both buffers and compares with the standard library: with scratch space for all, for
// some, and for as few as may be.
void expect_sorted_like_std(const std::vector<Entry>& input) {
  std::vector<Entry> expected = input;
  std::stable_sort(expected.begin(), expected.end(), code_then_tid);
  const std::size_t count = input.size();
  const Entry guard{0xDEADBEEFDEADBEEFu, 0xDEADBEEFu};
  for (const std::size_t size :
       {count, std::max(least_sort_scratch(count), count / 3), least_sort_scratch(count)}) {
    SCOPED_TRACE(size);
    std::vector<Entry> entries = input;
    entries.insert(entries.begin(), guard);
    entries.push_back(guard);
    std::vector<Entry> scratch(size + 2, guard);

    const bool sorted_before = expected == input;
    sort_entries<Code>({entries.data() + 1, count}, {scratch.data() + 1, size}, kNoPoll);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), entries.begin() + 1));
    if (sorted_before) {
      EXPECT_TRUE(
          std::all_of(scratch.begin(), scratch.end(), [&](const Entry& entry) { return entry == guard; }));
    }
    EXPECT_EQ(entries.front(), guard);
    EXPECT_EQ(entries.back(), guard);
    EXPECT_EQ(scratch.front(), guard);
    EXPECT_EQ(scratch.back(), guard);
  }
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
  for (const std::size_t size : {kCount, kMinSortScratch}) {
    std::vector<Entry> entries(kCount);
    std::vector<Entry> scratch(size);
    std::mt19937_64 random(3);
    for (std::size_t i = 0; i < kCount; ++i) entries[i] = {random(), i};
    counter.calls = 0;
    sort_entries<Code>(entries, scratch, poll);
    EXPECT_TRUE(std::is_sorted(entries.begin(), entries.end(), code_then_tid));
    // At least a look, a count, a move and a finish of every entry.
    EXPECT_GE(counter.calls, 4 * kCount / kSortPollItems) << size;
  }
}

TEST(RadixSort, PollsWithinALongChain) {
  // One entry far below all others, at the very end: the first chain of a pass in place, which took its first entry
  // from the front, goes through nearly everything until that turns up and goes to the front.
  constexpr std::size_t kCount = 8 * kSortPollItems;
  struct Watch {
    std::vector<Entry> entries;
    Entry front;
    std::size_t calls = 0;  // while the front is what it was
  } watch;
  const SortPoll poll{[](void* argument) {
                        auto* w = static_cast<Watch*>(argument);
                        if (w->entries[0] == w->front) ++w->calls;
                      },
                      &watch};
  std::mt19937_64 random(4);
  for (std::size_t i = 0; i < kCount; ++i)
    watch.entries.push_back({(std::uint64_t{1} << 62) + (random() >> 2), i});
  watch.entries.back().code = 0;
  watch.front = watch.entries[0];
  std::vector<Entry> scratch(kMinSortScratch);
  sort_entries<Code>(watch.entries, scratch, poll);
  EXPECT_TRUE(std::is_sorted(watch.entries.begin(), watch.entries.end(), code_then_tid));
  // Twice for so many while it looks and counts; and then again.
  EXPECT_GE(watch.calls, 5 * kCount / kSortPollItems);
}

// Ranges that hold nearly everything, one within the other: each pass in place has little to do but to go on.
TEST(RadixSort, NestedClusters) {
  std::mt19937_64 random(9);
  std::vector<Entry> entries(500000);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const int width = random() % 4 == 0 ? static_cast<int>(random() % 64) : 8;
    entries[i] = {(std::uint64_t{5} << 60) + (random() & ((std::uint64_t{1} << width) - 1)),
                  random() & kMaxTid};
  }
  expect_sorted_like_std(entries);
}

// Keys of several words: few values or many in each, with and without flags that differ.
template <unsigned W>
void check_words() {
  using E = SortEntry<Words<W>>;
  for (const std::size_t count : {2, 33, 1000, 70000}) {
    for (unsigned shape = 0; shape < 12; shape++) {
      SCOPED_TRACE(testing::Message() << W << " words, " << count << " entries, shape " << shape);
      std::mt19937_64 random(count + shape);
      std::vector<E> input(count);
      for (std::size_t i = 0; i < count; i++) {
        BasicEntry<Words<W>> e{};
        e.tid = make_tid(static_cast<std::uint32_t>(i / 100), static_cast<std::uint16_t>(i % 100 + 1));
        for (unsigned w = 0; w < W; w++) {
          const std::uint64_t limits[] = {1, 1000, ~std::uint64_t{0}};
          e.code.word[w] = random() % limits[(shape + w) % 3] - (shape % 2 == 0 ? 0 : 500);
          if (shape >= 6 && w == shape % W && random() % 4 == 0) {
            e.code.flags = static_cast<std::uint8_t>(e.code.flags | 1u << w);
            e.code.word[w] = 0;
          }
        }
        input[i] = pack(e.code, e.tid);
        ASSERT_EQ(unpack(input[i]), e);
      }
      if (shape % 4 > 0) std::shuffle(input.begin(), input.end(), random);
      std::vector<E> expected = input;
      // (In the order of entries, not of these.)
      std::sort(expected.begin(), expected.end(),
                [](const E& a, const E& b) { return unpack(a) < unpack(b); });
      ASSERT_TRUE(std::is_sorted(expected.begin(), expected.end()));
      for (const std::size_t size : {count, least_sort_scratch(count)}) {
        std::vector<E> entries = input;
        std::vector<E> scratch(size);
        sort_entries<Words<W>>(entries, scratch, kNoPoll);
        ASSERT_TRUE(entries == expected);
      }
    }
  }
}

TEST(RadixSort, KeysOfTwoWords) { check_words<2>(); }
TEST(RadixSort, KeysOfThreeWords) { check_words<3>(); }
TEST(RadixSort, KeysOfFourWords) { check_words<4>(); }

}  // namespace
}  // namespace learned
