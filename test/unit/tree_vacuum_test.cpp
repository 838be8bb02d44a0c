// Removing entries and joining leaves: the rest stays, searchers that stand on moved pages find their way.
#include "core/tree/vacuum.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

class TreeVacuumTest : public ::testing::Test {
 protected:
  using Predicate = std::function<bool(const Entry&)>;

  // As VACUUM does: every leaf in logical order, then joins. Returns the pages deleted.
  std::size_t vacuum(const Predicate& doomed, bool join = true) {
    MemoryStore& store = tree_.store();
    auto h = tree_.tree().locate({0, 0}, LockMode::exclusive);
    std::vector<Block> chain;
    for (;;) {
      chain.push_back(store.block(h));
      remove(h, doomed);
      const PageView page = tree_.tree().view(h);
      const bool last = page.rightmost();
      const Block right = page.right();
      const Entry high = page.high();
      store.release(h);
      if (last) break;
      h = tree_.tree().step_right(right, high, LockMode::exclusive);
    }
    for (auto it = tree_.expected().begin(); it != tree_.expected().end();) {
      it = doomed(*it) ? tree_.expected().erase(it) : std::next(it);
    }
    std::size_t deleted = 0;
    if (!join) return 0;
    Block left = chain[0];
    for (std::size_t i = 1; i < chain.size(); i++) {
      if (join_left(&store, tree_.id(), left, chain[i], scratch_)) {
        deleted++;
        EXPECT_TRUE(PageView(store.page(chain[i])).deleted());
        if (recycle_) store.recycle(chain[i]);
      } else {
        left = chain[i];
      }
      EXPECT_TRUE(store.all_released());
    }
    return deleted;
  }

  void remove(MemoryStore::Handle h, const Predicate& doomed) {
    const PageView page = tree_.tree().view(h);
    const unsigned n = page.encoded();
    std::vector<Code> codes(n);
    std::vector<Tid> tids(n);
    ASSERT_TRUE(decode(page, 0, n, codes.data(), tids.data()));
    std::vector<std::uint8_t> encoded(n / 8 + 1);
    std::vector<std::uint8_t> deltas(kMaxDelta / 8 + 1);
    bool any = false;
    for (unsigned i = 0; i < n; i++) {
      if (page.is_dead(i) || !doomed({codes[i], tids[i]})) continue;
      set_bit(encoded.data(), i);
      any = true;
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (!doomed(page.delta_item(j).entry())) continue;
      set_bit(deltas.data(), j);
      any = true;
    }
    const Entry low = page.low();
    const Entry high = page.high();
    if (any) remove_entries(&tree_.store(), h, encoded.data(), deltas.data(), scratch_);
    ASSERT_EQ(page_fault(tree_.store().page(h)), "");
    ASSERT_EQ(tree_.tree().view(h).low(), low);
    ASSERT_EQ(tree_.tree().view(h).high(), high);
  }

  Predicate one_in(unsigned k) {
    return [this, k](const Entry&) { return random_() % k == 0; };
  }
  // Decides by content, so that the pages and the model see the same.
  static Predicate by_hash(unsigned k, unsigned keep = 0) {
    return [k, keep](const Entry& e) { return delta_check(e.code, e.tid, 0) % k != keep; };
  }

  ModelledTree tree_;
  PageBytes scratch_;
  Random random_{91};
  bool recycle_ = true;
};

TEST_F(TreeVacuumTest, RemovesWhatIsDoomedAndNothingElse) {
  for (const Keys keys : kAllKeys) {
    for (const unsigned k : {2u, 10u}) {
      SCOPED_TRACE(name_of(keys) + " " + std::to_string(k));
      tree_.store().init_empty();
      tree_.load(make_entries(keys, Tids::varied_rows, 20000, random_));
      for (std::uint32_t i = 0; i < 500; i++) tree_.insert({random_() % 30000, make_tid(900000 + i, 1)});
      vacuum([&](const Entry& e) { return delta_check(e.code, e.tid, 0) % k == 0; }, false);
      tree_.expect_sound();
      vacuum(by_hash(3), false);
      tree_.expect_sound();
      for (std::uint32_t i = 0; i < 1500; i++) tree_.insert({random_() % 30000, make_tid(905000 + i, 1)});
      // From here on leaves with dead entries are put in order before they are full, too.
      tree_.store().checkpoint();
      for (std::uint32_t i = 0; i < 3000; i++) tree_.insert({random_() % 30000, make_tid(910000 + i, 1)});
      tree_.expect_sound();
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(TreeVacuumTest, EmptyPagesAreJoinedAndRecycled) {
  tree_.load(make_entries(Keys::random62, Tids::random, 60000, random_));
  const std::size_t before = tree_.store().size();
  ASSERT_GT(before, 50u);
  const std::size_t deleted = vacuum([](const Entry& e) { return e.code > kMaxCode / 16; });
  EXPECT_GT(deleted, 30u);
  tree_.expect_sound();
  // What was freed is used again before the file grows.
  while (tree_.expected().size() < 50000)
    tree_.insert({random_() >> 2, make_tid(static_cast<std::uint32_t>(random_()), 1)});
  EXPECT_LE(tree_.store().size(), before * 2);
  tree_.expect_sound();
}

TEST_F(TreeVacuumTest, EverythingRemovedLeavesAUsableTree) {
  for (const Keys keys : {Keys::serial, Keys::random62, Keys::one_value}) {
    tree_.store().init_empty();
    tree_.load(make_entries(keys, Tids::append, 100000, random_));
    vacuum([](const Entry&) { return true; });
    tree_.expect_sound();
    vacuum([](const Entry&) { return true; });
    for (std::uint32_t i = 0; i < 20000; i++) tree_.insert({random_() >> 3, make_tid(i, 2)});
    tree_.expect_sound();
    if (HasFatalFailure()) return;
  }
}

TEST_F(TreeVacuumTest, ManyRoundsOfInsertAndRemove) {
  for (const Tids tids : {Tids::append, Tids::random}) {
    tree_.store().init_empty();
    tree_.expected().clear();
    std::uint32_t row = 0;
    for (int round = 0; round < 12; round++) {
      SCOPED_TRACE(round);
      for (int i = 0; i < 4000; i++, row++) {
        const Code code = tids == Tids::append ? row : random_() % 100000;
        tree_.insert({code, make_tid(row / 100, static_cast<std::uint16_t>(row % 100 + 1))});
      }
      const unsigned pick = static_cast<unsigned>(random_() % 5);
      vacuum([&](const Entry& e) {
        return delta_check(e.code, e.tid, 0) % 5 == pick || (e.code > 20000 && e.code < 40000);
      });
      tree_.expect_sound();
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(TreeVacuumTest, SizeComesBackDown) {
  tree_.load(make_entries(Keys::serial, Tids::append, 200000, random_));
  const std::size_t before = tree_.store().size();
  // Nine of ten rows go: what is left is no line any more, yet must not take more pages.
  vacuum(by_hash(10));
  tree_.expect_sound();
  EXPECT_LE(tree_.store().size(), before);
}

TEST_F(TreeVacuumTest, WhoeverStandsOnAJoinedPageFindsItsWay) {
  recycle_ = false;
  tree_.load(make_entries(Keys::random62, Tids::random, 30000, random_));
  // Positions as scans remember them: the link and the fence of the page they left.
  struct Position {
    Block right;
    Entry high;
    Block left;
    Entry low;
  };
  std::vector<Position> positions;
  auto h = tree_.tree().locate({0, 0}, LockMode::share);
  for (;;) {
    const PageView page = tree_.tree().view(h);
    const bool last = page.rightmost();
    positions.push_back({page.right(), page.high(), page.left(), page.low()});
    const Position p = positions.back();
    tree_.store().release(h);
    if (last) break;
    h = tree_.tree().step_right(p.right, p.high, LockMode::share);
  }
  ASSERT_GT(vacuum(by_hash(8)), 5u);
  tree_.expect_sound();
  for (const Position& p : positions) {
    if (p.right != kNoBlock) {
      const auto right = tree_.tree().step_right(p.right, p.high, LockMode::share);
      EXPECT_TRUE(tree_.tree().view(right).covers(p.high));
      tree_.store().release(right);
    }
    if (p.low != Entry{0, 0}) {
      const auto left = tree_.tree().step_left(p.left, p.low, LockMode::share);
      EXPECT_TRUE(tree_.tree().view(left).covers(predecessor(p.low)));
      tree_.store().release(left);
    }
  }
}

TEST_F(TreeVacuumTest, JoinKeepsOffWhatItMayNotTouch) {
  tree_.load(make_entries(Keys::random62, Tids::random, 30000, random_));
  vacuum(by_hash(8), false);
  MemoryStore& store = tree_.store();
  const auto first = tree_.tree().locate({0, 0}, LockMode::share);
  const Block second = tree_.tree().view(first).right();
  const Block third = PageView(store.page(second)).right();
  store.release(first);
  // Not neighbours.
  EXPECT_FALSE(join_left(&store, TreeId::keys, first, third, scratch_));
  // Of another tree.
  EXPECT_FALSE(join_left(&store, TreeId::nulls, first, second, scratch_));
  // Somebody is on the page, or on the one behind it.
  for (const Block busy : {second, third}) {
    const auto h = store.read(busy, LockMode::share);
    EXPECT_FALSE(join_left(&store, TreeId::keys, first, second, scratch_));
    store.release(h);
    EXPECT_TRUE(store.all_released());
  }
  EXPECT_TRUE(join_left(&store, TreeId::keys, first, second, scratch_));
  tree_.expect_sound();
  // Deleted already.
  EXPECT_FALSE(join_left(&store, TreeId::keys, first, second, scratch_));
  tree_.expect_sound();
}

// A serializable reader has locked the leaves of a range. Whatever happens to them, an insert into the range goes to a
// leaf with its lock; and the lock does not spread over the index.
TEST_F(TreeVacuumTest, PredicateLocksFollowEntriesAndGaps) {
  MemoryStore& store = tree_.store();
  constexpr Code kQuarter = Code{1} << 60;
  std::uint32_t row = 0;
  for (int round = 0; round < 12; round++) {
    SCOPED_TRACE(round);
    store.init_empty();
    tree_.expected().clear();
    tree_.load(make_entries(Keys::random62, Tids::random, 30000, random_));
    // Anywhere, a narrow range or a wide one; also before the first key and behind the last.
    const Code lo = round == 0 ? 0 : random_() % (4 * kQuarter);
    const Code hi = round == 1 ? kMaxCode : lo + (round % 2 == 0 ? kQuarter / 1000 : kQuarter / 4);
    store.release_predicate_locks();
    auto h = tree_.tree().locate({lo, 0}, LockMode::share);
    for (;;) {
      store.predicate_lock(store.block(h));
      const PageView page = tree_.tree().view(h);
      const bool last = page.rightmost() || page.high() > Entry{hi, kMaxTid};
      const Block right = page.right();
      const Entry high = page.high();
      store.release(h);
      if (last) break;
      h = tree_.tree().step_right(right, high, LockMode::share);
    }
    const std::size_t locked = store.predicate_locks();
    const unsigned keep = static_cast<unsigned>(random_() % 6);
    int missed = 0;
    int spurious = 0;
    for (int step = 0; step < 3; step++) {
      for (int i = 0; i < 1500; i++, row++) {
        // Two of three into the range: its leaves divide.
        const bool inside = i % 3 != 0;
        const Code code = inside ? lo + random_() % (hi - lo + 1) : random_() >> 2;
        tree_.insert({code, make_tid(row, 7)});
        const bool in_range = code >= lo && code <= hi;
        if (in_range && !store.insert_conflicted()) missed++;
        if (!in_range && store.insert_conflicted() && step == 0) spurious++;
      }
      // Nearly everything goes: leaves of the range join one another and their neighbours.
      if (step == 1) vacuum(by_hash(6, keep));
    }
    EXPECT_EQ(missed, 0);
    // The leaves at the range's ends reach beyond it; 30 are not in it.
    if (hi - lo < kQuarter) {
      EXPECT_LT(spurious, 100) << locked << " leaves locked at first";
    }
    tree_.expect_sound();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace learned
