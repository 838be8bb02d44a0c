// What an outline says of a range against a std::set: how many entries, where they are, which leaves have the ends; how many pages it
// reads; and that damage and pages that are used again only make it fail.
#include "core/tree/outline.hpp"

#include <gtest/gtest.h>

#include "support/test_support.hpp"
#include "support/wide_tree.hpp"

namespace learned {
namespace {

using namespace learned::testing;

template <class Store, class Key, unsigned kPages = 16>
class Judge {
 public:
  using Sketch = Outline<Store, kPages>;
  using Entry = BasicEntry<Key>;
  using Range = BasicTreeRange<Key>;

  Judge(Store* store, const std::set<Entry>* expected) : store_(store), expected_(expected) {}

  // The outline may be off by this share of the range's entries, and, where it is a sample, by a part of one of its stretches.
  void judge(const Range& range, double tolerance) {
    const std::size_t reads = store_->reads();
    Sketch outline(store_, room_.get());
    ASSERT_TRUE(outline.draw(range));
    ASSERT_TRUE(store_->all_released());
    // The metapage, and of each level the listed pages and a sample with its way down.
    const unsigned level = levels();
    ASSERT_LE(store_->reads() - reads, 1 + kPages * (level + 1) * 2);

    const auto first = expected_->lower_bound(range.first());
    const auto last = expected_->upper_bound(range.last());
    const auto actual = static_cast<double>(std::distance(first, last));
    const auto marks = outline.marks();
    double entries = 0.0;
    for (const auto& mark : marks) entries += mark.entries;
    ASSERT_NEAR(entries, actual, tolerance * actual + 0.01);
    if (actual == 0) return;
    ASSERT_FALSE(marks.empty());
    EXPECT_EQ(marks.back().entries, 0.0);
    EXPECT_EQ(marks.back().key, std::prev(last)->code);
    double before = 0.0;
    auto at = first;
    double actually_before = 0.0;
    double upto = 0.0;
    std::size_t tids = 0;
    for (std::size_t i = 0; i < marks.size(); i++) {
      ASSERT_TRUE(range.lo <= marks[i].key && marks[i].key <= range.hi);
      ASSERT_TRUE(i == 0 || marks[i - 1].key <= marks[i].key);
      // Of equal keys those before and those behind are not told apart.
      if (i == 0 || marks[i - 1].key != marks[i].key) {
        for (; at != last && at->code < marks[i].key; ++at) actually_before++;
        upto = actually_before;
        for (auto equal = at; equal != last && equal->code == marks[i].key; ++equal) upto++;
      }
      const double slack = (tolerance + 0.02) * actual + 4;
      ASSERT_LE(before, upto + slack);
      ASSERT_GE(before, actually_before - slack);
      before += marks[i].entries;
      if (marks[i].tid != 0) tids++;
    }
    EXPECT_GT(tids, 0u);
    for (const bool upper : {false, true}) {
      const Entry end = upper ? range.last() : range.first();
      const EndLeaf leaf = outline.end(upper);
      EXPECT_TRUE(Sketch::still_ends(store_, leaf, end, 0));
      EXPECT_FALSE(Sketch::still_ends(store_, {kMetaBlock, leaf.live}, end, 0));
      EXPECT_FALSE(leaf.live > 0 && Sketch::still_ends(store_, {leaf.block, leaf.live - 1}, end, 0));
      EXPECT_TRUE(Sketch::still_ends(store_, {leaf.block, leaf.live + 7}, end, 7));
      EXPECT_FALSE(Sketch::still_ends(store_, {leaf.block, leaf.live + 8}, end, 7));
    }
  }

  // True, false; never an error.
  bool draws(const Range& range) {
    Sketch outline(store_, room_.get());
    const bool drawn = outline.draw(range);
    EXPECT_TRUE(store_->all_released());
    return drawn;
  }

  unsigned levels() { return Tree<Store>(store_, TreeId::keys).read_meta().level[0]; }

 private:
  Store* store_;
  const std::set<Entry>* expected_;
  std::unique_ptr<typename Sketch::Room> room_ = std::make_unique<typename Sketch::Room>();
};

using PlainJudge = Judge<MemoryStore, Code>;

TreeRange some_range(const Entries& entries, Random& random) {
  Code lo = entries[random() % entries.size()].code;
  Code hi = entries[random() % entries.size()].code;
  if (random() % 4 == 0) lo = 0;
  if (random() % 4 == 0) hi = kMaxCode;
  return {TreeId::keys, std::min(lo, hi), std::max(lo, hi)};
}

TEST(OutlineTest, EmptyTree) {
  ModelledTree tree;
  PlainJudge judge(&tree.store(), &tree.expected());
  judge.judge({TreeId::keys, 0, kMaxCode}, 0.0);
  judge.judge({TreeId::keys, 5, 5}, 0.0);
}

TEST(OutlineTest, FewEntriesWhereverTheyAre) {
  Random random(1);
  for (std::size_t n = 1; n < 300; n += 1 + n / 8) {
    ModelledTree tree;
    const Entries entries = make_entries(Keys::jitter, Tids::random, n, random);
    for (const Entry& e : entries) tree.insert(e);
    PlainJudge judge(&tree.store(), &tree.expected());
    for (int i = 0; i < 20; i++) judge.judge(some_range(entries, random), 0.0);
    // Behind all, before all.
    judge.judge({TreeId::keys, entries.back().code + 1, kMaxCode}, 0.0);
    if (entries[0].code > 0) judge.judge({TreeId::keys, 0, entries[0].code - 1}, 0.0);
  }
}

TEST(OutlineTest, KeysOfAllShapes) {
  Random random(2);
  for (const Keys keys : kAllKeys) {
    SCOPED_TRACE(name_of(keys));
    ModelledTree tree;
    const Entries entries = make_entries(keys, Tids::varied_rows, 20000, random);
    tree.load(entries, 50);
    for (int i = 0; i < 3000; i++) {
      tree.insert({entries[random() % entries.size()].code + random() % 3,
                   make_tid(static_cast<std::uint32_t>(random() >> 40), 9)});
    }
    PlainJudge judge(&tree.store(), &tree.expected());
    for (int i = 0; i < 40; i++) judge.judge(some_range(entries, random), 0.25);
    judge.judge({TreeId::keys, 0, kMaxCode}, 0.1);
  }
}

// Sixteen leaves or fewer are read as they are.
TEST(OutlineTest, SmallRangesAreExact) {
  Random random(3);
  ModelledTree tree;
  const Entries entries = make_entries(Keys::random62, Tids::random, 60000, random);
  tree.load(entries, 30);
  PlainJudge judge(&tree.store(), &tree.expected());
  ASSERT_GE(judge.levels(), 1u);
  for (int i = 0; i < 100; i++) {
    const std::size_t first = random() % (entries.size() - 1500);
    judge.judge({TreeId::keys, entries[first].code, entries[first + 1500].code}, 0.0);
  }
}

// So many leaves that not even the pages above them are all read; with leaves of three sizes.
TEST(OutlineTest, ManyLeaves) {
  Random random(4);
  ModelledTree tree;
  std::vector<Code> codes;
  for (int part = 0; part < 3; part++) {
    for (int i = 0; i < 150000; i++)
      codes.push_back(Code(part) << 61 | (random() >> 3 & ~(part == 1 ? low_mask(50) : Code{0})));
  }
  std::sort(codes.begin(), codes.end());
  Entries entries;
  for (const Code code : codes)
    entries.push_back({code, make_tid(static_cast<std::uint32_t>(entries.size() * 7919 % 1000000), 1)});
  std::sort(entries.begin(), entries.end());
  tree.load(entries, 8);
  for (int i = 0; i < 2000; i++)
    tree.insert({Code{3} << 61 | random() >> 3, make_tid(1, static_cast<std::uint16_t>(i + 1))});
  constexpr unsigned kFew = 4;
  Judge<MemoryStore, Code, kFew> judge(&tree.store(), &tree.expected());
  PlainJudge finer(&tree.store(), &tree.expected());
  unsigned above = 0;
  for (Block b = kMetaBlock + 1; b < tree.store().size(); b++)
    above += PageView(tree.store().page(b)).level() == 1 ? 1 : 0;
  ASSERT_GT(above, kFew);
  judge.judge({TreeId::keys, 0, kMaxCode}, 0.3);
  judge.judge({TreeId::keys, Code{1} << 61, kMaxCode}, 0.5);
  judge.judge({TreeId::keys, 0, Code{2} << 61}, 0.5);
  finer.judge({TreeId::keys, 0, kMaxCode}, 0.15);
  for (int i = 0; i < 60; i++) {
    const Code lo = random() >> 1;
    finer.judge({TreeId::keys, lo, lo + (Code{1} << 59) + random() % (Code{1} << 61)}, 0.2);
  }
}

// Entries that VACUUM has left in their pages as dead ones do not count.
TEST(OutlineTest, NumberOfKeys) {
  for (const unsigned run : {1u, 2u, 7u, 100u}) {
    ModelledTree tree;
    Entries entries;
    for (unsigned i = 0; i < 300000; i++)
      entries.push_back({Code{i / run} * 5, make_tid(i / 50, 1 + i % 50)});
    tree.load(entries, 30);
    auto room = std::make_unique<PlainJudge::Sketch::Room>();
    PlainJudge::Sketch outline(&tree.store(), room.get());
    // Seen as a whole, and by a sample of it.
    ASSERT_TRUE(outline.draw({TreeId::keys, 500, 900}));
    EXPECT_NEAR(outline.share_of_keys(), 1.0 / run, 0.1) << run;
    ASSERT_TRUE(outline.draw({TreeId::keys, 0, kMaxCode}));
    EXPECT_NEAR(outline.share_of_keys(), 1.0 / run, run == 1 ? 0.0 : 0.25) << run;
    // Nothing is there.
    ASSERT_TRUE(outline.draw({TreeId::keys, 501, 503}));
    EXPECT_EQ(outline.share_of_keys(), 1.0) << run;
  }
}

TEST(OutlineTest, DeadEntries) {
  Random random(5);
  ModelledTree tree;
  const Entries entries = make_entries(Keys::jitter, Tids::append, 30000, random);
  tree.load(entries, 90);
  alignas(16) static std::uint8_t scratch[kPageSize];
  MemoryStore& store = tree.store();
  std::vector<Block> leaves;
  for (Block b = store.locate_leaf({0, 0}); b != kNoBlock; b = PageView(store.page(b)).right())
    leaves.push_back(b);
  for (const Block b : leaves) {
    const auto h = store.read(b, LockMode::exclusive);
    const PageView page(store.bytes(h));
    std::vector<Code> codes(page.encoded());
    std::vector<Tid> tids(page.encoded());
    ASSERT_TRUE(decode(page, 0, page.encoded(), codes.data(), tids.data()));
    std::vector<std::uint8_t> doomed(page.encoded() / 8 + 1);
    std::uint8_t none[kMaxDelta / 8] = {};
    for (unsigned i = 0; i < page.encoded(); i++) {
      if (i % 3 == 0) continue;
      set_bit(doomed.data(), i);
      tree.expected().erase({codes[i], tids[i]});
    }
    remove_entries(&store, h, doomed.data(), none, scratch);
    store.release(h);
  }
  PlainJudge judge(&store, &tree.expected());
  judge.judge({TreeId::keys, 0, kMaxCode}, 0.01);
  judge.judge({TreeId::keys, entries[20000].code, kMaxCode}, 0.01);
}

template <unsigned W>
void try_wide() {
  using Key = Words<W>;
  std::mt19937_64 random(6 + W);
  for (const WideKeys shape : kAllWideKeys) {
    SCOPED_TRACE(static_cast<int>(shape));
    std::set<BasicEntry<Key>> set;
    for (std::size_t i = 0; i < 8000; i++) {
      set.insert(
          {wide_key<W>(shape, i, 10, random), make_tid(static_cast<std::uint32_t>(random() >> 40), 3)});
    }
    const std::vector<BasicEntry<Key>> entries(set.begin(), set.end());
    WideTree<Key> tree;
    tree.load(entries, 40);
    for (int i = 0; i < 500; i++) {
      tree.insert({wide_key<W>(shape, random() % 8000, 10, random),
                   make_tid(static_cast<std::uint32_t>(random() >> 40), 4)});
    }
    Judge<BasicMemoryStore<Key>, Key> judge(&tree.store(), &tree.expected());
    judge.judge({TreeId::keys, KeyTraits<Key>::lowest(), KeyTraits<Key>::highest()}, 0.15);
    for (int i = 0; i < 30; i++) {
      Key lo = entries[random() % entries.size()].code;
      Key hi = entries[random() % entries.size()].code;
      if (hi < lo) std::swap(lo, hi);
      judge.judge({TreeId::keys, lo, key_prefix_end(hi, 1)}, 0.3);
    }
  }
}

// Ten keys have the same first word.
TEST(OutlineTest, NumberOfFirstWords) {
  using Key = Words<2>;
  using Sketch = Judge<BasicMemoryStore<Key>, Key>::Sketch;
  std::vector<BasicEntry<Key>> entries;
  for (unsigned i = 0; i < 2000; i++) {
    BasicEntry<Key> entry{Key{}, make_tid(i, 1)};
    entry.code.word[0] = i / 10;
    entry.code.word[1] = i % 10;
    entries.push_back(entry);
  }
  WideTree<Key> tree;
  tree.load(entries, 40);
  auto room = std::make_unique<Sketch::Room>();
  const BasicTreeRange<Key> all{TreeId::keys, KeyTraits<Key>::lowest(), KeyTraits<Key>::highest()};
  Sketch first(&tree.store(), room.get(), 1);
  ASSERT_TRUE(first.draw(all));
  EXPECT_NEAR(first.share_of_keys(), 0.1, 0.05);
  Sketch both(&tree.store(), room.get());
  ASSERT_TRUE(both.draw(all));
  EXPECT_EQ(both.share_of_keys(), 1.0);
}

TEST(OutlineTest, KeysOfTwoWords) { try_wide<2>(); }
TEST(OutlineTest, KeysOfFourWords) { try_wide<4>(); }

// A flipped byte anywhere.
TEST(OutlineTest, Damage) {
  Random random(7);
  ModelledTree tree;
  const Entries entries = make_entries(Keys::jitter, Tids::random, 4000, random);
  tree.load(entries, 50);
  for (int i = 0; i < 300; i++)
    tree.insert({entries[random() % 4000].code, make_tid(static_cast<std::uint32_t>(random() >> 40), 2)});
  MemoryStore& store = tree.store();
  PlainJudge judge(&store, &tree.expected());
  const TreeRange range{TreeId::keys, 0, kMaxCode};
  unsigned failed = 0;
  for (int i = 0; i < 20000; i++) {
    std::uint8_t* byte = store.page(static_cast<Block>(random() % store.size())) + random() % kPageSize;
    const auto mask = static_cast<std::uint8_t>(1u << random() % 8);
    *byte ^= mask;
    if (!judge.draws(range)) failed++;
    *byte ^= mask;
  }
  EXPECT_GT(failed, 1000u);
  for (Block b = 0; b < store.size(); b++) {
    const std::vector<std::uint8_t> page(store.page(b), store.page(b) + kPageSize);
    std::memset(store.page(b), 0, kPageSize);
    judge.draws(range);
    std::memcpy(store.page(b), page.data(), kPageSize);
  }
  EXPECT_TRUE(judge.draws(range));
}

}  // namespace
}  // namespace learned
