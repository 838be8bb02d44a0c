// Each writer that makes a page's checksum anew, by itself: of a page that is damaged from outside it raises an error that
// names the page. (damage_test.cpp tries anything anywhere.)
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "core/page/check.hpp"
#include "core/tree/vacuum.hpp"
#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

// What the store's corrupt() throws here, as the server's errors leave the core by a jump.
struct Damage {
  Block block;
  std::string what;
};
void raise(Block block, Fault fault) { throw Damage{block, fault.text()}; }

// An index that survives errors as a server does: locks are released, what was not committed is gone.
class DamagedTree {
 public:
  DamagedTree() { tree.store().on_corrupt(raise); }

  // Runs `work`. Nothing: it went well.
  std::optional<Damage> attempt(const std::function<void()>& work) {
    try {
      work();
    } catch (const Damage& damage) {
      store().abort_change();
      return damage;
    }
    EXPECT_TRUE(store().all_released());
    return {};
  }
  MemoryStore& store() { return tree.store(); }
  std::uint8_t* page(Block b) { return store().page(b); }
  // The first leaf, and those right of it.
  std::vector<Block> leaves() {
    auto h = tree.tree().locate({0, 0}, LockMode::share);
    store().release(h);
    std::vector<Block> all{h};
    while (!PageView(page(all.back())).rightmost()) all.push_back(PageView(page(all.back())).right());
    return all;
  }
  Block root() {
    return Tree<MemoryStore>(&store(), tree.id()).read_meta().root[static_cast<int>(tree.id())];
  }
  void insert(const Entry& e) { tree.tree().insert({e.code, e.tid, kNoBlock}); }
  bool join(Block left, Block block) { return join_leaves(&store(), tree.id(), left, block, scratch_); }
  // As VACUUM: every leaf verified, the doomed entries removed, small neighbours joined.
  void vacuum(const std::function<bool(const Entry&)>& doomed) {
    Entry low{0, 0};
    LeafPacker packer(&store(), tree.id(), scratch_);
    Block guess = kNoBlock;
    for (;;) {
      const auto h = guess == kNoBlock ? tree.tree().locate(low, LockMode::exclusive)
                                       : tree.tree().locate_at(guess, low, LockMode::exclusive);
      store().verify(h);
      const PageView view = tree.tree().view(h);
      const Decoded content = naive_decode(page(h));
      std::vector<std::uint8_t> encoded(view.encoded() / 8 + 1);
      std::vector<std::uint8_t> deltas(kMaxDelta / 8 + 1);
      unsigned removed = 0;
      for (unsigned r = 0; r < view.encoded(); r++) {
        if (content.dead[r] || !doomed(content.encoded[r].entry())) continue;
        set_bit(encoded.data(), r);
        removed++;
      }
      for (unsigned j = 0; j < view.deltas(); j++) {
        if (!doomed(view.delta_item(j).entry())) continue;
        set_bit(deltas.data(), j);
        removed++;
      }
      if (removed > 0) remove_entries(&store(), h, encoded.data(), deltas.data(), scratch_);
      const PageView after = tree.tree().view(h);
      const VisitedPage<Code> here(h, after, removed);
      low = here.high;
      guess = after.right();
      store().release(h);
      packer.add(here, [this](Block block) { store().recycle(block); });
      if (here.rightmost) return;
    }
  }

  ModelledTree tree;

 private:
  PageBytes scratch_;
};

Entries random_entries(std::size_t n, Random& random) {
  return make_entries(Keys::random62, Tids::random, n, random);
}

// One bit of the first segment's residuals.
void flip(std::uint8_t* page) { page[kHeaderSize + 100] ^= 0x10; }

bool sound(const std::uint8_t* page) {
  static const std::unique_ptr<Workspace> ws = new_workspace();
  return check_page(page, ws.get()) == nullptr;
}

// --- each writer that makes a checksum anew, by itself ---

class SealedDamageTest : public ::testing::Test {
 protected:
  // The entry that makes the leaf split, as many as it takes.
  std::optional<Damage> split(Block leaf) {
    const PageView view(tree_.page(leaf));
    const Block right = view.right();
    for (std::uint32_t i = 0; i < 5000 && PageView(tree_.page(leaf)).right() == right; i++) {
      const Entry low = PageView(tree_.page(leaf)).low();
      const Code width = PageView(tree_.page(leaf)).rightmost()
                             ? kMaxCode / 8
                             : PageView(tree_.page(leaf)).high().code - low.code;
      const Entry e{low.code + random_() % width, make_tid(500000 + i, 1)};
      if (auto damage = tree_.attempt([&] { tree_.insert(e); })) return damage;
    }
    return {};
  }
  void expect_refused(const std::optional<Damage>& damage, Block block) {
    ASSERT_TRUE(damage.has_value());
    EXPECT_EQ(damage->block, block);
    EXPECT_FALSE(sound(tree_.page(block)));
  }

  Random random_{7};
  DamagedTree tree_;
};

TEST_F(SealedDamageTest, SplitRelinksItsRightNeighbour) {
  tree_.tree.load(random_entries(20000, random_));
  const std::vector<Block> leaves = tree_.leaves();
  flip(tree_.page(leaves[5]));
  expect_refused(split(leaves[4]), leaves[5]);
}

TEST_F(SealedDamageTest, SplitRewritesThePageItself) {
  tree_.tree.load(random_entries(20000, random_));
  const std::vector<Block> leaves = tree_.leaves();
  flip(tree_.page(leaves[4]));
  expect_refused(split(leaves[4]), leaves[4]);
}

TEST_F(SealedDamageTest, FinishingASplitClearsTheFlag) {
  tree_.tree.load(random_entries(20000, random_));
  const std::vector<Block> leaves = tree_.leaves();
  // A flag that damage has set: the right sibling has its downlink, and must not get a second one.
  std::uint8_t* page = tree_.page(leaves[4]);
  set_flags(page, static_cast<std::uint16_t>(PageView(page).flags() | kIncompleteSplit));
  const Entry low = PageView(page).low();
  expect_refused(tree_.attempt([&] { tree_.insert({low.code, make_tid(1, 300)}); }), leaves[4]);
}

TEST_F(SealedDamageTest, ANewRootRewritesTheMetapage) {
  tree_.tree.load(random_entries(300, random_));
  const Block leaf = tree_.leaves()[0];
  tree_.page(kMetaBlock)[kHeaderSize + offsetof(MetaPage, root)] ^= 1;
  // (Without predictions every insert begins at the metapage.)
  const std::optional<Damage> damage = split(leaf);
  ASSERT_TRUE(damage.has_value());
  EXPECT_EQ(damage->block, kMetaBlock);
}

TEST_F(SealedDamageTest, AppendsCountOneMore) {
  for (std::uint32_t i = 0; i < 2000; i++)
    tree_.insert({i, make_tid(i / 100, static_cast<std::uint16_t>(i % 100 + 1))});
  const Block leaf = tree_.leaves().back();
  ASSERT_TRUE(continues_exactly(PageView(tree_.page(leaf)), {2000, make_tid(20, 1), kNoBlock}));
  tree_.page(leaf)[kSpecial - 30] ^= 1;  // a model that the entry does not depend on
  expect_refused(tree_.attempt([&] { tree_.insert({2000, make_tid(20, 1)}); }), leaf);
}

TEST_F(SealedDamageTest, DeletionsRewriteTheirLeaf) {
  tree_.tree.load(random_entries(20000, random_));
  const Block leaf = tree_.leaves()[6];
  flip(tree_.page(leaf));
  const auto h = tree_.store().read(leaf, LockMode::exclusive);
  std::vector<std::uint8_t> doomed(kMaxEntries / 8, 0);
  doomed[0] = 1;
  const std::vector<std::uint8_t> none(kMaxDelta / 8 + 1, 0);
  PageBytes scratch;
  expect_refused(
      tree_.attempt([&] { remove_entries(&tree_.store(), h, doomed.data(), none.data(), scratch); }), leaf);
}

// All four pages of a join, each damaged in turn.
TEST_F(SealedDamageTest, JoinsChangeFourPages) {
  for (int victim = 0; victim < 5; victim++) {
    DamagedTree t;
    t.tree.load(random_entries(20000, random_));
    const std::vector<Block> leaves = t.leaves();
    const Entry from = PageView(t.page(leaves[4])).low();
    const Entry to = PageView(t.page(leaves[5])).high();
    const auto doomed = [&](const Entry& e) { return from <= e && e < to && e.code % 16 != 0; };
    // (Not yet joined: that is the walk's second part, done by hand here.)
    for (const Block leaf : {leaves[4], leaves[5]}) {
      const auto h = t.store().read(leaf, LockMode::exclusive);
      const Decoded content = naive_decode(t.page(leaf));
      std::vector<std::uint8_t> dead(kMaxEntries / 8, 0);
      for (std::size_t r = 0; r < content.encoded.size(); r++) {
        if (doomed(content.encoded[r].entry())) set_bit(dead.data(), r);
      }
      const std::vector<std::uint8_t> none(kMaxDelta / 8 + 1, 0);
      PageBytes scratch;
      remove_entries(&t.store(), h, dead.data(), none.data(), scratch);
      t.store().release(h);
    }
    if (victim == 4) {
      EXPECT_TRUE(t.join(leaves[4], leaves[5]));
      continue;
    }
    const Block block = victim == 3 ? t.root() : leaves[static_cast<std::size_t>(4 + victim)];
    // Under the checksum, but nothing that a join looks at first.
    t.page(block)[kSpecial - 8] ^= 0x40;
    bool joined = false;
    const std::optional<Damage> damage = t.attempt([&] { joined = t.join(leaves[4], leaves[5]); });
    EXPECT_FALSE(joined) << victim;
    EXPECT_TRUE(damage.has_value()) << victim;
    EXPECT_FALSE(sound(t.page(block))) << victim;
  }
}

TEST_F(SealedDamageTest, JoinsPassByAForeignPage) {
  tree_.tree.load(random_entries(20000, random_));
  const std::vector<Block> leaves = tree_.leaves();
  // Right of the two a page with a foreign header whose flags happen to say that its split is not finished.
  std::uint8_t* page = tree_.page(leaves[6]);
  set_flags(page, kIncompleteSplit);
  page[kSpecial] ^= 0xFF;
  const std::vector<std::uint8_t> before(page, page + kPageSize);
  tree_.attempt([&] {
    const Entry from = PageView(tree_.page(leaves[4])).low();
    const Entry to = PageView(tree_.page(leaves[5])).high();
    tree_.vacuum([&](const Entry& e) { return from <= e && e < to; });
  });
  EXPECT_TRUE(std::equal(before.begin(), before.end(), page));
}

TEST_F(SealedDamageTest, ADamagedFenceDrawsNothingIn) {
  tree_.tree.load(random_entries(20000, random_));
  const std::vector<Block> leaves = tree_.leaves();
  // A leaf that says it is the last one would take whatever a stale prediction sends there.
  std::uint8_t* page = tree_.page(leaves[4]);
  set_flags(page, static_cast<std::uint16_t>(PageView(page).flags() | kRightmost));
  const Entry high = PageView(tree_.page(leaves.back())).low();
  const auto h = tree_.store().read(leaves[4], LockMode::exclusive);
  expect_refused(tree_.attempt([&] {
    tree_.tree.tree().add(h, {high.code, make_tid(1, 300), kNoBlock});
  }),
                 leaves[4]);
}

// A leaf that is sound, but as it was when the block that it links to was elsewhere: to its left by now, and locked.
TEST_F(SealedDamageTest, NobodyWaitsForItself) {
  tree_.tree.load(random_entries(20000, random_));
  const std::vector<Block> leaves = tree_.leaves();
  Tree<MemoryStore>& tree = tree_.tree.tree();
  for (const Block to : {leaves[3], leaves[4]}) {
    auto t = load<PageTrailer>(tree_.page(leaves[4]) + kSpecial);
    t.right = to;
    learned::store(tree_.page(leaves[4]) + kSpecial, t);
    seal(tree_.page(leaves[4]));
    const auto damage = tree_.attempt([&] {
      const auto first = tree_.store().read(leaves[3], LockMode::exclusive);
      const auto second = tree.lock_right(first, first, LockMode::share);
      EXPECT_EQ(second, leaves[4]);
      tree.lock_right(second, first, LockMode::share);
    });
    ASSERT_TRUE(damage.has_value());
    EXPECT_EQ(damage->block, leaves[4]);
    EXPECT_EQ(damage->what, "right link does not lead to the right");
  }
}

}  // namespace
}  // namespace learned
