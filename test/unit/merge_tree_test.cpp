#include "core/sort/merge_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace learned {
namespace {

// Hands out vectors in batches of random size, each from memory of its own that the next one overwrites: whoever
// keeps a span for too long reads poison.
class VectorSource {
 public:
  VectorSource(std::vector<std::vector<Entry>> inputs, std::size_t largest_batch, unsigned seed)
      : inputs_(std::move(inputs)),
        position_(inputs_.size()),
        window_(inputs_.size()),
        largest_batch_(largest_batch),
        random_(seed) {}

  std::span<const Entry> next_batch(std::size_t input) {
    std::vector<Entry>& window = window_[input];
    std::fill(window.begin(), window.end(), Entry{0xDEADBEEF, 0});
    const std::size_t left = inputs_[input].size() - position_[input];
    const std::size_t count = std::min<std::size_t>(left, 1 + random_() % largest_batch_);
    window.assign(inputs_[input].begin() + static_cast<std::ptrdiff_t>(position_[input]),
                  inputs_[input].begin() + static_cast<std::ptrdiff_t>(position_[input] + count));
    position_[input] += count;
    return window;
  }

 private:
  std::vector<std::vector<Entry>> inputs_;
  std::vector<std::size_t> position_;
  std::vector<std::vector<Entry>> window_;
  std::size_t largest_batch_;
  std::mt19937_64 random_;
};

using Tree = MergeTree<VectorSource>;

// Merges and compares with a sort of everything.
void expect_merged(std::vector<std::vector<Entry>> inputs, std::size_t largest_batch) {
  std::vector<Entry> expected;
  for (const auto& input : inputs) expected.insert(expected.end(), input.begin(), input.end());
  std::sort(expected.begin(), expected.end());

  const std::size_t count = inputs.size();
  VectorSource source(std::move(inputs), largest_batch, static_cast<unsigned>(largest_batch));
  std::vector<Tree::Node> nodes(Tree::node_count(count));
  Tree tree(&source, count, nodes.data());
  std::vector<Entry> merged;
  for (std::span<const Entry> batch; !(batch = tree.next_batch()).empty();) {
    merged.insert(merged.end(), batch.begin(), batch.end());
  }
  EXPECT_TRUE(merged == expected);
  EXPECT_TRUE(tree.next_batch().empty());
}

constexpr std::size_t kInputCounts[] = {1, 2, 3, 4, 5, 7, 8, 13, 33};
constexpr std::size_t kBatchSizes[] = {1, 3, 100, 5000};

template <class CodeOf>
void check_shape(const CodeOf& code_of, std::size_t chunk) {
  for (const std::size_t input_count : kInputCounts) {
    for (const std::size_t batch : kBatchSizes) {
      SCOPED_TRACE(testing::Message() << input_count << " inputs, batches up to " << batch);
      std::mt19937_64 random(input_count);
      std::vector<std::vector<Entry>> inputs(input_count);
      for (std::uint32_t i = 0; i < 20000; ++i) {
        inputs[i / chunk % input_count].push_back(
            {static_cast<Code>(code_of(i, random)),
             make_tid(i / 100, static_cast<std::uint16_t>(i % 100 + 1))});
      }
      for (auto& input : inputs) std::sort(input.begin(), input.end());
      expect_merged(std::move(inputs), batch);
    }
  }
}

TEST(MergeTreeTest, RandomCodes) {
  check_shape([](std::uint32_t, auto& random) { return random(); }, 1);
}

TEST(MergeTreeTest, ExtremeCodes) {
  check_shape([](std::uint32_t i, auto&) { return i % 2 == 0 ? kMaxCode - i % 3 : i % 5; }, 7);
}

TEST(MergeTreeTest, EqualCodesAreOrderedByTid) {
  check_shape([](std::uint32_t, auto&) { return 42; }, 1);
  check_shape([](std::uint32_t i, auto&) { return i % 10; }, 1);
}

TEST(MergeTreeTest, ChunksOfASerialColumn) {
  for (const std::size_t chunk : {1, 63, 64, 65, 700, 6000}) {
    check_shape([](std::uint32_t i, auto&) { return i; }, chunk);
  }
}

TEST(MergeTreeTest, EmptyInputs) {
  expect_merged({{}}, 10);
  expect_merged({{}, {}, {}}, 10);
  expect_merged({{}, {{1, 1}}, {}, {}, {{0, 5}, {1, 2}}}, 10);
  expect_merged({{{1, 1}, {2, 2}}, {}}, 1);
}

// Nothing is copied where one input is below the other.
TEST(MergeTreeTest, StretchesArePassedThrough) {
  std::vector<Entry> low(500);
  std::vector<Entry> high(500);
  for (std::uint32_t i = 0; i < 500; ++i) {
    low[i] = {i, 1};
    high[i] = {400 + i, 2};
  }
  struct Source {
    std::span<const Entry> batch[2];
    std::span<const Entry> next_batch(std::size_t input) { return std::exchange(batch[input], {}); }
  } source{{high, low}};
  std::vector<MergeTree<Source>::Node> nodes(2);
  MergeTree<Source> tree(&source, 2, nodes.data());
  const auto first = tree.next_batch();
  EXPECT_EQ(first.data(), low.data());
  EXPECT_EQ(first.size(), 401u);  // (400, 1) is below (400, 2)
  const auto second = tree.next_batch();
  EXPECT_EQ(second.size(), 198u);  // until `low` is used up
  const auto third = tree.next_batch();
  EXPECT_EQ(third.data(), high.data() + 99);
  EXPECT_EQ(third.size(), 401u);
  EXPECT_TRUE(tree.next_batch().empty());
}

TEST(MergeEntriesTest, StopsAtTheCapacityAndAtTheEndOfEither) {
  const std::vector<Entry> a = {{1, 1}, {3, 1}, {5, 1}};
  const std::vector<Entry> b = {{2, 1}, {3, 0}, {9, 1}};
  Entry out[6];
  MergedCounts counts = merge_entries<Code>(a, b, out, 6);
  EXPECT_EQ(counts.from_a, 3u);
  EXPECT_EQ(counts.from_b, 2u);
  const std::vector<Entry> expected = {{1, 1}, {2, 1}, {3, 0}, {3, 1}, {5, 1}};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out));
  counts = merge_entries<Code>(a, b, out, 3);
  EXPECT_EQ(counts.from_a, 1u);
  EXPECT_EQ(counts.from_b, 2u);
  counts = merge_entries<Code>(a, {}, out, 3);
  EXPECT_EQ(counts.from_a + counts.from_b, 0u);
}

TEST(MergeTreeTest, KeysOfTwoWords) {
  using E = SortEntry<Words<2>>;
  struct Inputs {
    std::vector<std::vector<E>> all;
    std::vector<std::size_t> position;
    std::span<const E> next_batch(std::size_t input) {
      const std::span<const E> rest = std::span<const E>(all[input]).subspan(position[input]);
      const std::span<const E> batch = rest.first(std::min<std::size_t>(rest.size(), 700));
      position[input] += batch.size();
      return batch;
    }
  };
  std::mt19937_64 random(5);
  Inputs inputs{std::vector<std::vector<E>>(5), std::vector<std::size_t>(5)};
  std::vector<E> expected;
  for (std::size_t i = 0; i < 20000; i++) {
    const E e = pack(Words<2>{{random() % 50, random() % 9}, static_cast<std::uint8_t>(random() % 4)}, i);
    inputs.all[random() % 5].push_back(e);
    expected.push_back(e);
  }
  for (auto& input : inputs.all) std::sort(input.begin(), input.end());
  std::sort(expected.begin(), expected.end());
  using WideTree = MergeTree<Inputs, Words<2>>;
  std::vector<WideTree::Node> nodes(WideTree::node_count(5));
  WideTree tree(&inputs, 5, nodes.data());
  std::vector<E> merged;
  for (std::span<const E> batch; !(batch = tree.next_batch()).empty();) {
    merged.insert(merged.end(), batch.begin(), batch.end());
  }
  EXPECT_TRUE(merged == expected);
}

}  // namespace
}  // namespace learned
