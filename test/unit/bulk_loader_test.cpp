// Whole trees from sorted entries: content, structure, and sizes as ratios.
#include "core/tree/bulk_loader.hpp"

#include <gtest/gtest.h>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

double bulk_bytes_per_entry(Keys keys, Tids tids, std::size_t n, int fillfactor) {
  Random random(31);
  ModelledTree tree;
  tree.load(make_entries(keys, tids, n, random), fillfactor);
  tree.expect_sound();
  return tree.bytes_per_entry();
}

TEST(BulkLoaderTest, NothingGivesOneEmptyLeaf) {
  ModelledTree tree;
  tree.load({});
  tree.expect_sound();
  EXPECT_EQ(tree.tree().read_meta().level[0], 0);
}

TEST(BulkLoaderTest, AFewEntries) {
  Random random(32);
  for (std::size_t n : {1, 2, 7, 8, 63, 64, 65, 127, 128, 129, 1000}) {
    ModelledTree tree;
    tree.load(make_entries(Keys::random64, Tids::random, n, random));
    tree.expect_sound();
  }
}

TEST(BulkLoaderTest, EveryShape) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      Random random(33);
      ModelledTree tree;
      tree.load(make_entries(keys, tids, 20000, random), 90);
      tree.expect_sound();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(BulkLoaderTest, ThreeLevelsOfInnerPages) {
  // Separators with random codes cost 14 bytes: some 400 children a page.
  Random random(34);
  ModelledTree tree;
  tree.load(make_entries(Keys::random64, Tids::extremes, 400000, random), 50);
  EXPECT_GE(tree.tree().read_meta().level[0], 2);
  tree.expect_sound();
}

TEST(BulkLoaderTest, DuplicatesSpanManyPages) {
  Random random(35);
  ModelledTree tree;
  tree.load(make_entries(Keys::one_value, Tids::extremes, 100000, random));
  EXPECT_GT(tree.store().size(), 40u);
  tree.expect_sound();
}

TEST(BulkLoaderTest, TheNullTree) {
  Random random(36);
  ModelledTree tree(TreeId::nulls);
  Entries entries = make_entries(Keys::one_value, Tids::append, 100000, random);
  for (Entry& e : entries) e.code = 0;
  tree.load(entries);
  tree.expect_sound();
}

TEST(BulkLoaderTest, SizesOfWhatTablesHold) {
  // Bytes of the whole file per entry, metapage and inner pages included.
  EXPECT_LT(bulk_bytes_per_entry(Keys::serial, Tids::append, 300000, 90), 0.3);
  EXPECT_LT(bulk_bytes_per_entry(Keys::jitter, Tids::append, 300000, 90), 2.1);
  EXPECT_LT(bulk_bytes_per_entry(Keys::random62, Tids::random, 300000, 90), 10.3);
  EXPECT_LT(bulk_bytes_per_entry(Keys::random62, Tids::random, 300000, 100), 9.3);
}

TEST(BulkLoaderTest, RowsThatLieTogetherLeaveNoRoomForMore) {
  // Eight writers, each with its own delay: half of the steps go back, but the rows of a leaf lie together. Random
  // order over the whole table is another thing, also where the table is small.
  Random random(43);
  const auto bytes = [](Entries entries, int fillfactor) {
    std::sort(entries.begin(), entries.end());
    ModelledTree tree;
    tree.load(entries, fillfactor);
    return tree.bytes_per_entry();
  };
  Entries late;
  for (std::uint64_t i = 0; i < 200000; i++) {
    late.push_back({i * 10000 + i % 8 * 10000 + random() % 20000,
                    make_tid(static_cast<std::uint32_t>(i / 185), static_cast<std::uint16_t>(i % 185 + 1))});
  }
  EXPECT_DOUBLE_EQ(bytes(late, 70), bytes(late, 100));
  for (const std::uint64_t rows : {4000u, 200000u}) {
    Entries shuffled;
    for (std::uint64_t i = 0; i < rows; i++) {
      shuffled.push_back({random() >> 2, make_tid(static_cast<std::uint32_t>(i / 185),
                                                  static_cast<std::uint16_t>(i % 185 + 1))});
    }
    EXPECT_GT(bytes(shuffled, 70), bytes(shuffled, 100) * 1.2);
  }
}

TEST(BulkLoaderTest, NoShapeCostsMoreThanABtree) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      EXPECT_LT(bulk_bytes_per_entry(keys, tids, 50000, 90), 22) << name_of(keys) << " " << name_of(tids);
    }
  }
}

TEST(BulkLoaderTest, FillfactorLeavesRoom) {
  Random random(37);
  const Entries entries = make_entries(Keys::random62, Tids::random, 50000, random);
  for (const int fillfactor : {50, 70, 90, 100}) {
    ModelledTree tree;
    tree.load(entries, fillfactor);
    Tree<MemoryStore>::Handle h = tree.tree().locate({kMaxCode / 8, 0}, LockMode::share);
    const PageView page = tree.tree().view(h);
    const double used = page.lower() + static_cast<double>(kPageSize - page.upper()) + page.encoded() / 8.0;
    tree.store().release(h);
    EXPECT_LE(used / kPageSize, fillfactor / 100.0 + 0.001);
    EXPECT_GE(used / kPageSize, fillfactor / 100.0 - 0.15);
  }
}

TEST(BulkLoaderTest, PagesArriveOnceAndInOrder) {
  struct Sink {
    std::vector<Block> blocks;
    std::vector<Item> items;
    void write(Block b, const std::uint8_t* page) {
      EXPECT_EQ(page_fault(page), "");
      blocks.push_back(b);
    }
    Item* separators(std::size_t count) {
      // A new place each time, old content kept, as repalloc may do.
      std::vector<Item> moved(items);
      moved.resize(count);
      items.swap(moved);
      return items.data();
    }
  } sink;
  Random random(38);
  const auto ws = new_workspace();
  BulkLoader<Sink> loader(&sink, ws.get(), TreeId::keys, 90, 5);
  const Entries entries = make_entries(Keys::random64, Tids::random, 30000, random);
  for (const Entry& e : entries) loader.add(e.code, e.tid);
  const TreeShape shape = loader.finish();
  ASSERT_GT(sink.blocks.size(), 30u);
  for (std::size_t i = 0; i < sink.blocks.size(); i++) EXPECT_EQ(sink.blocks[i], 5 + i);
  EXPECT_EQ(shape.next_block, 5 + sink.blocks.size());
  EXPECT_EQ(shape.root, shape.next_block - 1);
  EXPECT_EQ(shape.entries, entries.size());
}

}  // namespace
}  // namespace learned
