// Whole indexes in memory against std::set: every order of insertion, walks both ways, wrong predictions,
// interrupted splits, and sizes as ratios.
#include "core/tree/tree.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

// `n` entries of a shape in an order of insertion.
enum class Order { append, shuffled, descending, almost_sorted, alternating };

Entries in_order(Entries entries, Order order, Random& random) {
  switch (order) {
    case Order::append:
      break;
    case Order::shuffled:
      std::shuffle(entries.begin(), entries.end(), random);
      break;
    case Order::descending:
      std::reverse(entries.begin(), entries.end());
      break;
    case Order::almost_sorted:
      for (std::size_t i = 0; i + 20 < entries.size(); i += 1 + random() % 10) {
        std::swap(entries[i], entries[i + random() % 20]);
      }
      break;
    case Order::alternating: {
      Entries out;
      for (std::size_t lo = 0, hi = entries.size(); lo < hi;) {
        out.push_back(entries[lo++]);
        if (lo < hi) out.push_back(entries[--hi]);
      }
      return out;
    }
  }
  return entries;
}

void insert_all(ModelledTree& tree, const Entries& entries) {
  for (const Entry& e : entries) tree.insert(e);
}

TEST(TreeTest, EveryShapeInEveryOrder) {
  for (const Keys keys : kAllKeys) {
    for (const Order order :
         {Order::append, Order::shuffled, Order::descending, Order::almost_sorted, Order::alternating}) {
      SCOPED_TRACE(name_of(keys) + " order " + std::to_string(static_cast<int>(order)));
      Random random(61);
      const Tids tids = kAllTids[random() % std::size(kAllTids)];
      ModelledTree tree;
      insert_all(tree, in_order(make_entries(keys, tids, 6000, random), order, random));
      tree.expect_sound();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(TreeTest, EveryTidShapeAtRandom) {
  for (const Tids tids : kAllTids) {
    SCOPED_TRACE(name_of(tids));
    Random random(62);
    ModelledTree tree;
    insert_all(tree, in_order(make_entries(Keys::pairs, tids, 20000, random), Order::shuffled, random));
    tree.expect_sound();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(TreeTest, SoundAfterEveryInsertOfASmallTree) {
  Random random(63);
  ModelledTree tree;
  for (int i = 0; i < 1500; i++) {
    tree.insert(
        {random() % 3 == 0 ? random() : random() % 1000, make_tid(static_cast<std::uint32_t>(random()), 1)});
    if (i % 10 == 0 || i > 1400) tree.expect_sound();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(TreeTest, InsertsEverywhereIntoAFullBuild) {
  for (const Keys keys : kAllKeys) {
    for (const int fillfactor : {50, 90, 100}) {
      SCOPED_TRACE(name_of(keys) + " fillfactor " + std::to_string(fillfactor));
      Random random(64);
      ModelledTree tree;
      tree.load(make_entries(keys, Tids::append, 30000, random), fillfactor);
      const Entries present(tree.expected().begin(), tree.expected().end());
      for (int i = 0; i < 4000; i++) {
        const Entry& near = present[random() % present.size()];
        tree.insert({i % 4 == 0 ? random() : near.code + random() % 2,
                     make_tid(500 + static_cast<std::uint32_t>(random() % 1000), 9)});
      }
      tree.expect_sound();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(TreeTest, AppendsToAPackedBuildSplitFullInnerPages) {
  // Regression: an inner page packed full has no room even to be divided if its front part is fitted anew.
  Random random(65);
  for (int round = 0; round < 6; round++) {
    SCOPED_TRACE(round);
    Entries entries = make_entries(Keys::random62, Tids::extremes,
                                   60000 + 37000 * static_cast<std::size_t>(round % 3), random);
    ModelledTree tree;
    tree.load(entries, 100);
    Code code = entries.back().code;
    for (int i = 0; i < 3000; i++) {
      code += 1 + (random() >> 14);
      tree.insert({code, make_tid(static_cast<std::uint32_t>(random()), 3)});
    }
    tree.expect_sound();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(TreeTest, AMillionDuplicates) {
  for (const bool shuffled : {false, true}) {
    Random random(66);
    ModelledTree tree;
    Entries entries = make_entries(Keys::one_value, Tids::append, shuffled ? 100000 : 1000000, random);
    insert_all(tree, in_order(entries, shuffled ? Order::shuffled : Order::append, random));
    tree.expect_sound();
    EXPECT_LT(tree.bytes_per_entry(), shuffled ? 8.0 : 0.3);
  }
}

TEST(TreeTest, TheNullTreeAndTheKeyTreeAreApart) {
  Random random(67);
  MemoryStore store;
  Tree<MemoryStore> keys(&store, TreeId::keys);
  Tree<MemoryStore> nulls(&store, TreeId::nulls);
  std::set<Entry> expected_keys;
  std::set<Entry> expected_nulls;
  for (std::uint32_t i = 0; i < 60000; i++) {
    if (random() % 3 == 0) {
      const Entry e{0, make_tid(i, 1 + random() % 9)};
      nulls.insert({e.code, e.tid, kNoBlock});
      expected_nulls.insert(e);
    } else {
      const Entry e{random() % 5000, make_tid(i, 1)};
      keys.insert({e.code, e.tid, kNoBlock});
      expected_keys.insert(e);
    }
  }
  Entries found;
  ASSERT_EQ(tree_fault(store, TreeId::keys, &found), "");
  EXPECT_TRUE(std::equal(found.begin(), found.end(), expected_keys.begin(), expected_keys.end()));
  ASSERT_EQ(tree_fault(store, TreeId::nulls, &found), "");
  EXPECT_TRUE(std::equal(found.begin(), found.end(), expected_nulls.begin(), expected_nulls.end()));
}

TEST(TreeTest, TheEndsOfTheDomain) {
  constexpr Tid kLastHeapTid = make_tid(0xFFFFFFFEu, 0xFFFF);
  ModelledTree tree;
  for (std::uint32_t i = 1; i < 3000; i++) {
    tree.insert({0, make_tid(i, 1)});
    tree.insert({kMaxCode, kLastHeapTid - i});
    tree.insert({kMaxCode - i, make_tid(0, 1)});
    tree.insert({i, kLastHeapTid});
  }
  tree.insert({kMaxCode, kLastHeapTid});
  tree.insert({0, 1});
  tree.expect_sound();
}

TEST(TreeTest, LocateFindsTheLeafOfEveryPosition) {
  Random random(68);
  ModelledTree tree;
  tree.load(make_entries(Keys::clustered, Tids::random, 50000, random));
  const Entries present(tree.expected().begin(), tree.expected().end());
  for (int i = 0; i < 20000; i++) {
    const Entry near = present[random() % present.size()];
    const Entry key = i % 3 == 0   ? Entry{random(), random() & kMaxTid}
                      : i % 3 == 1 ? near
                                   : Entry{near.code + 1, 0};
    const auto h = tree.tree().locate(key, LockMode::share);
    ASSERT_TRUE(tree.tree().view(h).covers(key));
    ASSERT_EQ(tree.tree().view(h).level(), 0u);
    tree.store().release(h);
  }
  EXPECT_TRUE(tree.store().all_released());
}

// Predictions are never trusted: with nothing but wrong ones everything stays right.
TEST(TreeTest, WrongPredictionsAreHarmless) {
  for (const Keys keys : {Keys::serial, Keys::random62, Keys::one_value, Keys::jumps}) {
    SCOPED_TRACE(name_of(keys));
    Random random(69);
    ModelledTree tree;
    tree.store().set_wrong_predictions(true);
    insert_all(tree, in_order(make_entries(keys, Tids::random, 20000, random), Order::shuffled, random));
    tree.expect_sound();
    for (int i = 0; i < 5000; i++) {
      const Entry key{i % 2 == 0 ? random() >> 2 : random() % 20000, random() & kMaxTid};
      const auto h = tree.tree().locate(key, LockMode::share);
      ASSERT_TRUE(tree.tree().view(h).covers(key));
      tree.store().release(h);
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// --- splits that were interrupted between their two records ---

class InterruptedSplitTest : public ::testing::Test {
 protected:
  // A tree whose leaf (the one that holds `key`) was split, but the parent does not know of the right part.
  void interrupt(ModelledTree& tree, const Entry& key) {
    MemoryStore& store = tree.store();
    Workspace* ws = store.workspace();
    const auto left = tree.tree().locate(key, LockMode::exclusive);
    const auto right = store.allocate();
    const Block old_right = tree.tree().view(left).right();
    Entry separator{};
    ASSERT_TRUE(plan_split(tree.tree().view(left), right, key, ws, &separator));
    std::memcpy(store.page(left), ws->page, kPageSize);
    std::memcpy(store.page(right), ws->page2, kPageSize);
    store_left(store, right, left);
    if (old_right != kNoBlock) store_left(store, old_right, right);
    store.release(left);
    store.release(right);
    left_ = left;
    right_ = right;
    separator_ = separator;
  }
  static void store_left(MemoryStore& store, Block block, Block left) {
    set_left(store.page(block), left);
    seal(store.page(block));
  }

  Block left_ = kNoBlock;
  Block right_ = kNoBlock;
  Entry separator_{};
};

TEST_F(InterruptedSplitTest, ReadersPassAndTheNextWriterFinishes) {
  for (const std::size_t n : {500, 50000}) {  // the root is a leaf, and not
    for (const bool write_right : {false, true}) {
      SCOPED_TRACE(std::to_string(n) + (write_right ? " right" : " left"));
      Random random(71);
      ModelledTree tree;
      tree.load(make_entries(Keys::random62, Tids::random, n, random), 100);
      const Entries present(tree.expected().begin(), tree.expected().end());
      interrupt(tree, present[n / 3]);
      for (const Entry& e : present) {
        const auto h = tree.tree().locate(e, LockMode::share);
        ASSERT_TRUE(tree.tree().view(h).covers(e));
        tree.store().release(h);
      }
      ASSERT_TRUE(PageView(tree.store().page(left_)).incomplete_split());
      const Entry at = write_right ? Entry{separator_.code + 1, 1} : predecessor(separator_);
      tree.insert({at.code, make_tid(12345678, 1)});
      ASSERT_FALSE(PageView(tree.store().page(left_)).incomplete_split());
      tree.expect_sound();
      for (int i = 0; i < 2000; i++)
        tree.insert({random() >> 2, make_tid(static_cast<std::uint32_t>(i), 300)});
      tree.expect_sound();
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(InterruptedSplitTest, TheRightPartMaySplitAgainBeforeTheFirstSplitIsFinished) {
  // Only a prediction leads to the right part past the left one. Its own split must not need the missing downlink.
  Random random(72);
  ModelledTree tree;
  tree.load(make_entries(Keys::random62, Tids::random, 50000, random), 100);
  const Entries present(tree.expected().begin(), tree.expected().end());
  interrupt(tree, present[20000]);
  tree.store().set_wrong_predictions(true);
  for (int i = 0; i < 3000; i++) {
    tree.insert({separator_.code + random() % 1000, make_tid(static_cast<std::uint32_t>(i), 300)});
  }
  tree.store().set_wrong_predictions(false);
  tree.insert({predecessor(separator_).code, make_tid(12345678, 1)});
  tree.expect_sound();
}

// --- many at a time ---

TEST(TreeBatchTest, EveryShapeInBatchesOfEverySize) {
  for (const Keys keys : kAllKeys) {
    for (const Order order : {Order::append, Order::shuffled, Order::almost_sorted}) {
      for (const std::size_t most : {2, 10, 100, 2000}) {
        SCOPED_TRACE(name_of(keys) + " order " + std::to_string(static_cast<int>(order)) + " at most " +
                     std::to_string(most));
        Random random(84);
        const Tids tids = kAllTids[random() % std::size(kAllTids)];
        const Entries entries = in_order(make_entries(keys, tids, 6000, random), order, random);
        ModelledTree tree;
        for (std::size_t i = 0; i < entries.size();) {
          const std::size_t n = std::min(entries.size() - i, 1 + random() % most);
          if (random() % 20 == 0) tree.store().checkpoint();
          tree.insert_ascending({entries.begin() + static_cast<std::ptrdiff_t>(i),
                                 entries.begin() + static_cast<std::ptrdiff_t>(i + n)});
          i += n;
        }
        tree.expect_sound();
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

// A statement that was cancelled in between, and goes on all the same, has each entry in once.
TEST(TreeBatchTest, GoesOnAfterAnInterrupt) {
  for (const Keys keys : {Keys::serial, Keys::random62, Keys::few_values}) {
    SCOPED_TRACE(name_of(keys));
    Random random(85);
    ModelledTree tree;
    tree.load(make_entries(keys, Tids::append, 5000, random));
    static int calls;
    calls = 0;
    tree.store().on_interrupt([](MemoryStore*) {
      if (++calls % 3 == 0) throw Interrupted{};
    });
    for (int i = 0; i < 20; i++) tree.insert_ascending(make_entries(keys, Tids::random, 500, random));
    EXPECT_GT(calls, 20);
    tree.store().on_interrupt(nullptr);
    tree.expect_sound();
  }
}

// Serial keys with serial TIDs cost no more locks and records than leaves need: one for kMostContinued entries.
TEST(TreeBatchTest, WhatALinePredictsIsCountedAtOnce) {
  ModelledTree tree;
  Entries some;
  for (std::uint32_t i = 0; i < 1000; i++)
    some.push_back({i, make_tid(i / 200, static_cast<std::uint16_t>(1 + i % 200))});
  tree.load(some);
  some.clear();
  for (std::uint32_t i = 1000; i < 9000; i++)
    some.push_back({i, make_tid(i / 200, static_cast<std::uint16_t>(1 + i % 200))});
  const std::size_t reads = tree.store().reads();
  tree.insert_ascending(some);
  EXPECT_LT(tree.store().reads() - reads, 8000u / kMostContinued * 3 + 20);
  tree.expect_sound();
}

// However many there are, each is looked at for its own leaf only: the last leaf covers all that follow it.
TEST(TreeBatchTest, ManyTakeNoLongerThanTheSameInPieces) {
  constexpr std::size_t kAll = 1u << 20;
  constexpr std::size_t kPiece = 1u << 12;
  std::vector<Item> items(kAll);
  for (std::size_t i = 0; i < kAll; i++)
    items[i] = {i, make_tid(static_cast<Block>(i / 200), static_cast<std::uint16_t>(1 + i % 200)), kNoBlock};
  const auto seconds = [&](std::size_t piece) {
    ModelledTree tree;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < kAll; i += piece) {
      std::size_t done = 0;
      tree.tree().insert_ascending({items.data() + i, piece}, &done);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const double in_pieces = seconds(kPiece);
  // (Twenty times as long, if each leaf looked at all that are left. Half a second is a machine's other work.)
  EXPECT_LT(seconds(kAll), 4 * in_pieces + 0.5);
}

// --- what is logged just after a checkpoint ---

TEST(TreeCheckpointTest, SoundWithCheckpointsInBetween) {
  for (const Keys keys : kAllKeys) {
    for (const Order order : {Order::append, Order::shuffled, Order::almost_sorted}) {
      SCOPED_TRACE(name_of(keys) + " order " + std::to_string(static_cast<int>(order)));
      Random random(82);
      ModelledTree tree;
      for (const Entry& e : in_order(make_entries(keys, Tids::random, 6000, random), order, random)) {
        if (random() % 100 == 0) tree.store().checkpoint();
        tree.insert(e);
      }
      tree.expect_sound();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

// Leaves that earlier inserts left nearly full are logged whole when they are touched after a checkpoint. Merging or
// splitting them then, and not a few entries later, spares most of the pages that would be logged a second time.
TEST(TreeCheckpointTest, FullLeavesAreDividedWhileTheirImagesAreDue) {
  Random random(83);
  ModelledTree tree;
  tree.load(make_entries(Keys::random62, Tids::random, 200000, random), 91);
  const auto insert_some = [&] {
    for (int i = 0; i < 10000; i++)
      tree.insert({random() >> 2, make_tid(static_cast<std::uint32_t>(random() % 100000), 7)});
  };
  insert_some();
  const std::size_t leaves = tree.store().size();
  tree.store().checkpoint();
  insert_some();
  tree.expect_sound();
  EXPECT_LT(static_cast<double>(tree.store().rewrites()) / static_cast<double>(leaves), 2.4);
}

// --- sizes: pages * 8192 / n, the whole file ---

double inserted_bytes_per_entry(Keys keys, Tids tids, Order order, std::size_t n) {
  Random random(81);
  ModelledTree tree;
  insert_all(tree, in_order(make_entries(keys, tids, n, random), order, random));
  tree.expect_sound();
  return tree.bytes_per_entry();
}

TEST(TreeSizeTest, AppendOnlySerialStaysFull) {
  EXPECT_LT(inserted_bytes_per_entry(Keys::serial, Tids::append, Order::append, 300000), 0.31);
}

TEST(TreeSizeTest, AppendedTimestampsAreNearlyAsSmallAsBuiltOnes) {
  EXPECT_LT(inserted_bytes_per_entry(Keys::jitter, Tids::append, Order::append, 300000), 2.2);
}

TEST(TreeSizeTest, RandomInsertsCostWhatHalfFullPagesCost) {
  EXPECT_LT(inserted_bytes_per_entry(Keys::random62, Tids::random, Order::shuffled, 150000), 16.0);
}

// A B-tree takes 22 bytes where pages get full, about 30 in random order and 40 in descending order.
TEST(TreeSizeTest, NothingCostsMoreThanABtree) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : {Tids::append, Tids::random, Tids::extremes}) {
      for (const Order order : {Order::append, Order::shuffled, Order::descending}) {
        EXPECT_LT(inserted_bytes_per_entry(keys, tids, order, 20000), order == Order::append ? 22 : 30)
            << name_of(keys) << " " << name_of(tids) << " " << static_cast<int>(order);
      }
    }
  }
}

}  // namespace
}  // namespace learned
