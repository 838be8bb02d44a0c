// Joining inner pages that have become thin: what stays is bounded, and neither who reads nor who writes meanwhile notices.
#include "core/tree/join.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "support/wide_tree.hpp"

namespace learned {
namespace {

using namespace learned::testing;
using Key = Words<4>;
using Entry = BasicEntry<Key>;
using PageView = BasicPageView<Key>;
using Store = BasicMemoryStore<Key>;

// Keys whose separators mostly need all four words, no two of them on a line, so that few fit on a page: a level-1 page has some two hundred
// children of two hundred entries.
Entry entry(std::uint32_t i) {
  const auto mixed = [](std::uint64_t x) {
    x = (x ^ x >> 31) * 0x9E3779B97F4A7C15u;
    return x ^ x >> 29;
  };
  const std::uint64_t group = i / 4;
  Key key{};
  key.word[0] = group << 40 | mixed(group) >> 24;
  key.word[1] = mixed(group + 1000003);
  key.word[2] = mixed(group + 2000003);
  key.word[3] = std::uint64_t{i % 4} << 60 | mixed(i) >> 8;
  return {key,
          make_tid(static_cast<std::uint32_t>(mixed(i) % 100000), static_cast<std::uint16_t>(i % 200 + 1))};
}

class TreeJoinTest : public ::testing::Test {
 protected:
  void load(std::uint32_t begin, std::uint32_t end, int fillfactor = 90) {
    std::vector<Entry> all;
    for (std::uint32_t i = begin; i < end; i++) all.push_back(entry(i));
    ASSERT_TRUE(std::is_sorted(all.begin(), all.end()));
    tree_.load(all, fillfactor);
  }
  void insert(std::uint32_t begin, std::uint32_t end) {
    std::vector<Entry> all;
    for (std::uint32_t i = begin; i < end; i++) all.push_back(entry(i));
    tree_.insert_ascending(all);
  }
  // What is not in [begin, end).
  static auto outside(std::uint32_t begin, std::uint32_t end) {
    return [begin = entry(begin), end = entry(end)](const Entry& e) { return e < begin || e >= end; };
  }
  static auto inside(std::uint32_t begin, std::uint32_t end) {
    return [begin = entry(begin), end = entry(end)](const Entry& e) { return e >= begin && e < end; };
  }
  static bool keep(const Entry&) { return false; }

  std::size_t inner_pages() {
    std::size_t pages = 0;
    for (unsigned level = 1; level <= tree_.root_level(); level++) pages += tree_.level(level).size();
    return pages;
  }
  // The bound: of two neighbours below one parent both together are more than VACUUM would join.
  void expect_packed() {
    for (unsigned level = 1; level < tree_.root_level(); level++) {
      for (const Block parent : tree_.level(level + 1)) {
        std::uint32_t n = 0;
        ASSERT_TRUE(decode_live(PageView(tree_.store().page(parent)), tree_.store().workspace(), &n));
        const std::vector<Block> children(tree_.store().workspace()->children,
                                          tree_.store().workspace()->children + n);
        for (std::size_t i = 1; i < n; i++) {
          const VisitedPage<Key> left(children[i - 1], PageView(tree_.store().page(children[i - 1])), 0);
          const VisitedPage<Key> right(children[i], PageView(tree_.store().page(children[i])), 0);
          EXPECT_GT(left.bytes + right.bytes, VisitedPage<Key>::kFull) << "level " << level;
        }
      }
    }
  }
  // A tree with a root of level `levels`: each inner page has as many children as fan(level) says, each leaf two entries.
  template <class Fan>
  void make_by_hand(unsigned levels, const Fan& fan) {
    std::uint32_t next = 0;
    Store& store = tree_.store();
    std::vector<std::vector<Block>> level(levels + 1);
    const auto make = [&](const auto& self, unsigned at) -> Block {
      const Block block = store.allocate();
      store.release(block);
      const Block left = level[at].empty() ? kNoBlock : level[at].back();
      const Entry low = next == 0 ? lowest_entry<Key>() : entry(next);
      write_empty_page<Key>(store.page(block), {TreeId::keys, static_cast<std::uint8_t>(at), kRightmost, left,
                                                kNoBlock, low, lowest_entry<Key>()});
      if (left != kNoBlock) {
        auto t = learned::load<BasicPageTrailer<Key>>(store.page(left) + kSpecialOf<Key>);
        t.flags = 0;
        t.right = block;
        t.set_high_fence(low);
        learned::store(store.page(left) + kSpecialOf<Key>, t);
        seal<Key>(store.page(left));
      }
      level[at].push_back(block);
      for (std::uint64_t n = at == 0 ? 2 : fan(at); n > 0; n--) {
        const Entry e = next == 0 ? lowest_entry<Key>() : entry(next);
        const Entry here = at == 0 ? entry(next) : e;
        if (at == 0) tree_.expected().insert(entry(next++));
        const Block child = at == 0 ? kNoBlock : self(self, at - 1);
        add_delta<Key>(store.page(block), {here.code, here.tid, child});
      }
      return block;
    };
    MetaInfo meta = tree_.tree().read_meta();
    meta.root[0] = make(make, levels);
    meta.level[0] = static_cast<std::uint8_t>(levels);
    write_meta_page<Key>(store.page(kMetaBlock), meta);
  }
  // Four pages of level 1 below the root, of eight leaves each.
  void make_thin_pages() {
    make_by_hand(2, [](unsigned level) { return level == 2 ? 4u : 8u; });
    const std::vector<Block> level1 = tree_.level(1);
    ASSERT_EQ(level1.size(), 4u);
    left_ = level1[0];
    gone_ = level1[1];
    right_ = level1[2];
    parent_ = tree_.level(2)[0];
    tree_.expect_sound();
  }
  // Inserts behind an entry, into its leaf, until the next one would divide it; returns that.
  Entry fill_leaf(std::uint32_t row) {
    std::mt19937_64 random{row};
    const auto image = tree_.store().image();
    const std::set<Entry> before = tree_.expected();
    std::vector<Entry> behind;
    for (Entry e = entry(row); tree_.leaves().size() == 32;) {
      // (On no line, or the leaf would take thousands.)
      e.code.word[3] += random() >> 20;
      e.tid = make_tid(static_cast<std::uint32_t>(random() >> 33), 1);
      behind.push_back(e);
      tree_.insert(e);
    }
    tree_.store().set_image(image);
    tree_.expected() = before;
    for (std::size_t i = 0; i + 1 < behind.size(); i++) tree_.insert(behind[i]);
    return behind.back();
  }

  static constexpr std::uint32_t kRows = 64;
  static constexpr std::uint32_t kSeam = 16;  // entries from here on are below gone_
  static constexpr std::uint32_t kEnd = 32;
  WideTree<Key> tree_;
  alignas(8) std::uint8_t scratch_[kPageSize];
  // Of make_thin_pages().
  Block left_ = kNoBlock;
  Block gone_ = kNoBlock;
  Block right_ = kNoBlock;
  Block parent_ = kNoBlock;
};

TEST_F(TreeJoinTest, AQueueLeavesNoInnerPagesBehind) {
  constexpr std::uint32_t kLiving = 60000;
  constexpr std::uint32_t kStep = 30000;
  load(0, kLiving);
  const std::size_t before = inner_pages();
  ASSERT_EQ(tree_.root_level(), 2u);
  std::size_t size = 0;
  for (std::uint32_t round = 1; round <= 8; round++) {
    SCOPED_TRACE(round);
    insert(kLiving + (round - 1) * kStep, kLiving + round * kStep);
    tree_.vacuum(outside(round * kStep, ~0u));
    EXPECT_LE(inner_pages(), before + 1);
    expect_packed();
    if (round % 4 == 0) tree_.expect_sound();
    if (round == 2) size = tree_.store().size();
    EXPECT_LE(tree_.store().size(), round < 2 ? ~std::size_t{0} : size + 2);
    if (HasFailure()) return;
  }
  EXPECT_EQ(tree_.root_level(), 2u);
}

TEST_F(TreeJoinTest, EmptiedAndFilledAgain) {
  constexpr std::uint32_t kMany = 80000;
  load(0, kMany);
  const std::size_t built = inner_pages();
  std::size_t size = 0;
  for (std::uint32_t round = 0; round < 5; round++) {
    SCOPED_TRACE(round);
    // From the front, in the middle, behind, here and there, all of it.
    switch (round) {
      case 0:
        tree_.vacuum(inside(0, kMany / 10 * 9));
        break;
      case 1:
        tree_.vacuum(inside(kMany / 20, kMany / 20 * 19));
        break;
      case 2:
        tree_.vacuum(outside(0, kMany / 10));
        break;
      case 3:
        tree_.vacuum([](const Entry& e) { return e.tid * 0x9E3779B97F4A7C15u >> 60 != 0; });
        break;
      default:
        tree_.vacuum([](const Entry&) { return true; });
        EXPECT_EQ(inner_pages(), tree_.root_level());
        EXPECT_EQ(tree_.leaves().size(), 1u);
    }
    tree_.expect_sound();
    expect_packed();
    EXPECT_LT(inner_pages(), built);
    insert(0, kMany);
    if (round == 0) size = tree_.store().size();
    EXPECT_LE(tree_.store().size(), size + size / 4);
    EXPECT_EQ(tree_.root_level(), 2u);
    if (HasFailure()) return;
  }
  tree_.expect_sound();
}

// A parent that was filled to the brim at the right end of its level, and has fewer bytes left than some downlinks take.
TEST_F(TreeJoinTest, AFullParentLosesItsChildren) {
  const auto is_full = [&](Block block) {
    const PageView page(tree_.store().page(block));
    return !page.rightmost() && delta_room(page) < 3;
  };
  bool full = false;
  for (std::uint32_t rows = 0; !full; rows += 20000) {
    ASSERT_LT(rows, 600000u);
    insert(rows, rows + 20000);
    const std::vector<Block> level1 = tree_.level(1);
    full = std::any_of(level1.begin(), level1.end(), is_full);
  }
  tree_.vacuum([](const Entry&) { return true; });
  EXPECT_EQ(tree_.leaves().size(), 1u);
  EXPECT_EQ(inner_pages(), tree_.root_level());
  tree_.expect_sound();
}

// Where two pages of an upper level met, children are joined that had other parents before, down to the leaves.
TEST_F(TreeJoinTest, SeamsAreJoinedDownToTheLeaves) {
  std::mt19937_64 random{5};
  for (int round = 0; round < 5; round++) {
    SCOPED_TRACE(round);
    tree_.store().init_empty();
    tree_.expected().clear();
    // Thin pages on all levels, some with a single child.
    const unsigned levels = 2 + static_cast<unsigned>(random() % 3);
    make_by_hand(levels, [&](unsigned) { return 1 + random() % 4; });
    tree_.expect_sound();
    tree_.join_inner([&] { tree_.expect_sound(); });
    EXPECT_EQ(inner_pages(), levels);
    // (Leaves below one parent are the packer's.)
    tree_.vacuum(keep);
    EXPECT_LE(tree_.leaves().size(), 3u);
    tree_.expect_sound();
    insert(0, 3000);
    tree_.expect_sound();
    if (HasFailure()) return;
  }
}

TEST_F(TreeJoinTest, EachStepLeavesASoundTree) {
  make_thin_pages();
  std::size_t steps = 0;
  const std::size_t gone = tree_.join_inner([&] {
    steps++;
    tree_.expect_sound();
  });
  EXPECT_GE(gone, 1u);
  EXPECT_GE(steps, gone);
  EXPECT_FALSE(PageView(tree_.store().page(left_)).deleted());
  EXPECT_TRUE(PageView(tree_.store().page(gone_)).deleted());
  // Once is enough, and what is sound is left alone.
  tree_.store().checkpoint();
  EXPECT_EQ(tree_.join_inner([] {}), 0u);
  EXPECT_EQ(tree_.store().rewrites(), 0u);
}

TEST_F(TreeJoinTest, KeepsOffWhatItMayNotTouch) {
  make_thin_pages();
  Store& store = tree_.store();
  PageJoiner<Store> joiner(&store, TreeId::keys, scratch_);
  const auto image = store.image();
  const auto refused = [&](unsigned level, const Neighbours& pages) {
    const bool joined = joiner.join(level, pages);
    EXPECT_TRUE(store.all_released());
    for (std::size_t b = 0; b < image.pages.size(); b++)
      EXPECT_EQ(std::memcmp(image.pages[b].bytes, store.page(static_cast<Block>(b)), kPageSize), 0) << b;
    return !joined;
  };
  // Not neighbours; of another level; of another tree.
  EXPECT_TRUE(refused(1, {left_, right_}));
  EXPECT_TRUE(refused(1, {gone_, left_}));
  EXPECT_TRUE(refused(0, {left_, gone_}));
  EXPECT_TRUE(refused(2, {left_, gone_}));
  EXPECT_FALSE(PageJoiner<Store>(&store, TreeId::nulls, scratch_).join(1, {left_, gone_}));
  // Somebody is on the page, or on the one behind it.
  for (const Block busy : {gone_, right_}) {
    const auto h = store.read(busy, LockMode::share);
    EXPECT_FALSE(joiner.join(1, {left_, gone_}));
    store.release(h);
    EXPECT_TRUE(store.all_released());
  }
  // Too much for one.
  EXPECT_FALSE(joiner.join(1, {left_, gone_}, 300));
  EXPECT_TRUE(store.all_released());
  // A split that nobody has finished.
  for (const Block unfinished : {left_, gone_, parent_}) {
    std::uint8_t* page = store.page(unfinished);
    const std::uint16_t flags = PageView(page).flags();
    set_flags<Key>(page, static_cast<std::uint16_t>(flags | kIncompleteSplit));
    seal<Key>(page);
    EXPECT_FALSE(joiner.join(1, {left_, gone_}));
    EXPECT_TRUE(store.all_released());
    set_flags<Key>(page, flags);
    seal<Key>(page);
  }
  // The leaves where they meet have other parents.
  const Block leaf = store.locate_leaf(entry(kSeam));
  EXPECT_TRUE(refused(0, {PageView(store.page(leaf)).left(), leaf}));
  EXPECT_TRUE(joiner.join(1, {left_, gone_}));
  EXPECT_EQ(joiner.seam().right, leaf);
  EXPECT_EQ(joiner.seam().left, PageView(store.page(leaf)).left());
  tree_.expect_sound();
}

// All four pages of a join, each damaged in turn.
TEST_F(TreeJoinTest, DamageIsNotSealedIn) {
  struct Damage {
    Block block;
  };
  make_thin_pages();
  Store& store = tree_.store();
  store.on_corrupt([](Block block, Fault) { throw Damage{block}; });
  const auto image = store.image();
  for (const Block victim : {left_, gone_, right_, parent_}) {
    store.set_image(image);
    // (All that there is of these pages is in their deltas.)
    store.page(victim)[PageView(store.page(victim)).upper() + 3] ^= 0x10;
    std::optional<Block> found;
    try {
      PageJoiner<Store>(&store, TreeId::keys, scratch_).join(1, {left_, gone_});
    } catch (const Damage& damage) {
      store.abort_change();
      found = damage.block;
    }
    EXPECT_EQ(found, victim);
    for (std::size_t b = 0; b < image.pages.size(); b++) {
      if (b == victim) continue;
      EXPECT_EQ(std::memcmp(image.pages[b].bytes, store.page(static_cast<Block>(b)), kPageSize), 0) << b;
    }
  }
  // Sound by itself, but its first child begins elsewhere: all that lies before would have no child.
  store.set_image(image);
  std::uint8_t* page = store.page(gone_);
  Entry low = PageView(page).low();
  low.code.word[3]--;
  set_low<Key>(page, low);
  seal<Key>(page);
  EXPECT_THROW(tree_.join_inner([] {}), Damage);
  store.abort_change();
}

// Between any two reads of a search somebody else joins all that can be joined: the search finds what is there.
TEST_F(TreeJoinTest, ReadersBetweenAnyTwoReads) {
  make_thin_pages();
  Store& store = tree_.store();
  const auto image = store.image();
  std::vector<Entry> keys{lowest_entry<Key>(), entry(kRows - 1)};
  for (const std::uint32_t i : {kSeam - 3, kSeam - 2, kSeam - 1, kSeam, kSeam + 2, kEnd - 1, kEnd, kEnd + 16})
    keys.push_back(entry(i));
  std::size_t joins = 0;
  for (const Entry& key : keys) {
    for (int mode = 0; mode < 3; mode++) {
      for (int at = 0;; at++) {
        SCOPED_TRACE("mode " + std::to_string(mode) + ", read " + std::to_string(at));
        store.set_image(image);
        const Block leaf = store.locate_leaf(key);
        int reads = 0;
        store.before_reads([&] {
          if (reads++ != at) return;
          if (store.all_released()) joins += tree_.join_inner([] {});
        });
        // By descent; by a hint of the page above the leaf, which may be gone; by a hint of the leaf.
        Block h = mode == 1
                      ? tree_.tree().locate_at(key < entry(kSeam) ? left_ : gone_, key, LockMode::share, 1)
                  : mode == 2 ? tree_.tree().locate_at(leaf, key, LockMode::share)
                              : tree_.tree().locate(key, LockMode::share);
        store.before_reads(nullptr);
        EXPECT_TRUE(tree_.tree().view(h).covers(key));
        EXPECT_EQ(tree_.tree().view(h).level(), mode == 1 ? 1 : 0);
        store.release(h);
        if (mode != 1) tree_.expect_found(key);
        if (HasFailure()) return;
        if (reads <= at) break;
      }
    }
  }
  EXPECT_GT(joins, 50u);
}

// The same of inserts, which go up from a leaf that they hold, to give the page that it was divided into its downlink.
TEST_F(TreeJoinTest, WritersBetweenAnyTwoReads) {
  make_thin_pages();
  Store& store = tree_.store();
  const auto image = store.image();
  const std::set<Entry> loaded = tree_.expected();
  // Leaves are divided near the seam, on both sides, and in the page to the right of both.
  for (const std::uint32_t row : {kSeam - 1, kSeam, kEnd - 1, kEnd + 3}) {
    store.set_image(image);
    tree_.expected() = loaded;
    const Entry last = fill_leaf(row);
    const auto full = store.image();
    const std::set<Entry> expected = tree_.expected();
    std::size_t joins = 0;
    for (int at = 0;; at++) {
      SCOPED_TRACE("row " + std::to_string(row) + ", read " + std::to_string(at));
      store.set_image(full);
      tree_.expected() = expected;
      int reads = 0;
      store.before_reads([&] {
        if (reads++ != at) return;
        // (Where somebody holds an inner page, VACUUM would wait, or go on.)
        for (const Block b : {kMetaBlock, left_, gone_, right_, parent_}) {
          if (store.locked(b)) return;
        }
        if (PageJoiner<Store>(&store, TreeId::keys, scratch_).join(1, {left_, gone_})) joins++;
      });
      tree_.insert(last);
      store.before_reads(nullptr);
      EXPECT_EQ(tree_.leaves().size(), 33u);
      tree_.expect_sound();
      if (HasFailure()) return;
      if (reads <= at) break;
    }
    EXPECT_GT(joins, 5u);
  }
}

}  // namespace
}  // namespace learned
