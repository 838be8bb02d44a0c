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
    std::vector<VisitedPage<Code>> visited;
    for (;;) {
      const unsigned removed = remove(h, doomed);
      const PageView page = tree_.tree().view(h);
      visited.emplace_back(store.block(h), page, removed);
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
    LeafPacker packer(&store, tree_.id(), scratch_);
    for (const auto& leaf : visited) {
      packer.add(leaf, [&](Block block) {
        deleted++;
        EXPECT_TRUE(PageView(store.page(block)).deleted());
        if (recycle_) store.recycle(block);
      });
      EXPECT_TRUE(store.all_released());
    }
    return deleted;
  }

  // Returns how many.
  unsigned remove(MemoryStore::Handle h, const Predicate& doomed) {
    const PageView page = tree_.tree().view(h);
    unsigned removed = 0;
    const unsigned n = page.encoded();
    std::vector<Code> codes(n);
    std::vector<Tid> tids(n);
    EXPECT_TRUE(decode(page, 0, n, codes.data(), tids.data()));
    std::vector<std::uint8_t> encoded(n / 8 + 1);
    std::vector<std::uint8_t> deltas(kMaxDelta / 8 + 1);
    for (unsigned i = 0; i < n; i++) {
      if (page.is_dead(i) || !doomed({codes[i], tids[i]})) continue;
      set_bit(encoded.data(), i);
      removed++;
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (!doomed(page.delta_item(j).entry())) continue;
      set_bit(deltas.data(), j);
      removed++;
    }
    const Entry low = page.low();
    const Entry high = page.high();
    if (removed > 0) {
      remove_entries(&tree_.store(), h, encoded.data(), deltas.data(), scratch_);
    } else {
      merge_long_delta(&tree_.store(), h);
    }
    EXPECT_EQ(page_fault(tree_.store().page(h)), "");
    EXPECT_EQ(tree_.tree().view(h).low(), low);
    EXPECT_EQ(tree_.tree().view(h).high(), high);
    return removed;
  }

  Predicate one_in(unsigned k) {
    return [this, k](const Entry&) { return random_() % k == 0; };
  }
  // Decides by content, so that the pages and the model see the same.
  static Predicate by_hash(unsigned k, unsigned keep = 0) {
    return [k, keep](const Entry& e) { return delta_check(e.code, e.tid, 0) % k != keep; };
  }

  static Predicate by_one(const Entry& which) {
    return [which](const Entry& e) { return e == which; };
  }
  struct LeafFacts {
    unsigned deltas;
    unsigned live;
    unsigned dead;
    std::size_t bytes;
  };
  // Of each leaf.
  std::vector<LeafFacts> facts() {
    std::vector<LeafFacts> out;
    auto h = tree_.tree().locate({0, 0}, LockMode::share);
    for (;;) {
      const PageView page = tree_.tree().view(h);
      out.push_back({page.deltas(), page.live(), page.dead(), page.lower() + (kPageSize - page.upper())});
      const bool last = page.rightmost();
      const Block right = page.right();
      const Entry high = page.high();
      tree_.store().release(h);
      if (last) return out;
      h = tree_.tree().step_right(right, high, LockMode::share);
    }
  }

  static Predicate by_salted_hash(unsigned k) {
    return [k](const Entry& e) { return delta_check(e.code, e.tid, 77) % k == 0; };
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

TEST_F(TreeVacuumTest, LongDeltasAreMerged) {
  const Predicate none = [](const Entry&) { return false; };
  for (const Keys keys : kAllKeys) {
    for (const bool removes : {false, true}) {
      SCOPED_TRACE(name_of(keys) + (removes ? ", removing" : ""));
      tree_.store().init_empty();
      tree_.expected().clear();
      tree_.load(make_entries(keys, Tids::varied_rows, 20000, random_));
      // Between those that are there.
      std::vector<Entry> there(tree_.expected().begin(), tree_.expected().end());
      for (std::uint32_t i = 0; i < 1500; i++)
        tree_.insert({there[random_() % there.size()].code, make_tid(300 + i, 90)});
      unsigned before = 0;
      for (const LeafFacts& leaf : facts()) before += leaf.deltas;
      vacuum(removes ? by_one(there[7]) : none, false);
      tree_.expect_sound();
      unsigned after = 0;
      for (const LeafFacts& leaf : facts()) after += leaf.deltas;
      EXPECT_LE(after, before);
      // No line has these keys, and each takes as many bits under it: a merge saves bytes there.
      if (keys == Keys::random62) {
        EXPECT_GT(before, 500u);
        for (const LeafFacts& leaf : facts())
          EXPECT_TRUE(leaf.deltas < 8 || leaf.deltas * 16 < leaf.live) << leaf.deltas;
      }
      // Nothing changed since: nothing is written.
      const std::size_t rewrites = tree_.store().rewrites();
      vacuum(none, false);
      EXPECT_EQ(tree_.store().rewrites(), rewrites);
      if (HasFatalFailure()) return;
    }
  }
}

// A few entries are not worth a page in the log, unless it is logged anyway.
TEST_F(TreeVacuumTest, ShortDeltasStay) {
  tree_.load(make_entries(Keys::random62, Tids::random, 20000, random_));
  std::vector<Entry> there(tree_.expected().begin(), tree_.expected().end());
  for (std::uint32_t i = 0; i < 12; i++) tree_.insert({there[i * 3].code + 1, there[i * 3].tid});
  vacuum(by_one(there[1]), false);
  EXPECT_EQ(facts()[0].deltas, 12u);
  EXPECT_EQ(facts()[0].dead, 1u);
  tree_.store().checkpoint();
  vacuum([](const Entry&) { return false; }, false);
  EXPECT_EQ(facts()[0].deltas, 12u);
  vacuum(by_one(there[2]), false);
  EXPECT_EQ(facts()[0].deltas, 0u);
  EXPECT_EQ(facts()[0].dead, 0u);
  EXPECT_EQ(tree_.store().rewrites(), 0u);
  tree_.expect_sound();
}

TEST_F(TreeVacuumTest, MergesKeepKillMarks) {
  tree_.load(make_entries(Keys::random62, Tids::random, 3000, random_));
  std::vector<Entry> there(tree_.expected().begin(), tree_.expected().end());
  for (std::uint32_t i = 0; i < 40; i++) tree_.insert({there[i * 3].code + 1, there[i * 3].tid});
  MemoryStore& store = tree_.store();
  const auto h = tree_.tree().locate({0, 0}, LockMode::exclusive);
  KillMarker marker(store.hints(h));
  marker.add(5, 9);
  marker.add_delta(7);
  ASSERT_TRUE(marker.finish());
  std::set<Entry> killed{there.begin() + 5, there.begin() + 9};
  killed.insert(tree_.tree().view(h).delta_item(7).entry());
  ASSERT_TRUE(merge_long_delta(&store, h));
  const PageView page = tree_.tree().view(h);
  ASSERT_EQ(page.deltas(), 0u);
  std::vector<Code> codes(page.encoded());
  std::vector<Tid> tids(page.encoded());
  ASSERT_TRUE(decode(page, 0, page.encoded(), codes.data(), tids.data()));
  const KillMarks kill_marks(page);
  std::set<Entry> found;
  for (unsigned r = 0; r < page.encoded(); r++) {
    if (kill_marks.killed(r)) found.insert({codes[r], tids[r]});
  }
  EXPECT_EQ(found, killed);
  store.release(h);
  tree_.expect_sound();
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

// Leaves that were divided when entries came faster than they went stay half full, too full to be joined by twos.
TEST_F(TreeVacuumTest, ThinLeavesBecomeFewer) {
  for (const Keys keys : {Keys::random62, Keys::jitter}) {
    SCOPED_TRACE(name_of(keys));
    tree_.store().init_empty();
    tree_.expected().clear();
    tree_.load(make_entries(keys, Tids::random, 60000, random_));
    const auto bytes_of_all = [&] {
      std::size_t bytes = 0;
      for (const LeafFacts& leaf : facts()) bytes += leaf.bytes;
      return bytes;
    };
    // What is left: half of each leaf, give or take.
    vacuum(by_hash(2));
    const std::size_t before = facts().size();
    const std::size_t deleted = vacuum(by_salted_hash(11));
    EXPECT_EQ(facts().size(), before - deleted);
    EXPECT_LT(facts().size() * kPageSize * 64 / 100, bytes_of_all());
    tree_.expect_sound();
    // There is nothing to gain any more.
    const std::size_t rewrites = tree_.store().rewrites();
    EXPECT_EQ(vacuum([](const Entry&) { return false; }), 0u);
    EXPECT_EQ(tree_.store().rewrites(), rewrites);
    if (HasFatalFailure()) return;
  }
}

// What splits left half full is nobody's loss: it fills up.
TEST_F(TreeVacuumTest, LeavesThatGrowAreNotPacked) {
  tree_.load(make_entries(Keys::random62, Tids::random, 30000, random_));
  while (tree_.expected().size() < 36000)
    tree_.insert({random_() >> 2, make_tid(static_cast<std::uint32_t>(random_() % 10000), 1)});
  const std::size_t leaves = facts().size();
  std::vector<Entry> there(tree_.expected().begin(), tree_.expected().end());
  EXPECT_EQ(vacuum(by_one(there[1000])), 0u);
  EXPECT_EQ(facts().size(), leaves);
  tree_.expect_sound();
}

// Rounds of updates, deletions and insertions at random: neither size nor deltas drift.
TEST_F(TreeVacuumTest, ALongLifeDoesNotDrift) {
  std::set<Entry> living;
  for (const Entry& e : make_entries(Keys::random62, Tids::random, 60000, random_)) living.insert(e);
  tree_.load(Entries(living.begin(), living.end()));
  const std::size_t built = facts().size();
  std::uint32_t row = 0;
  for (int round = 0; round < 8; round++) {
    SCOPED_TRACE(round);
    for (int i = 0; i < 10000; i++, row++)
      tree_.insert({random_() >> 2, make_tid(row % 10000, static_cast<std::uint16_t>(100 + row / 10000))});
    // As many as came.
    vacuum(
        [&](const Entry& e) { return delta_check(e.code, e.tid, 100 + static_cast<Block>(round)) % 7 == 0; });
    for (const LeafFacts& leaf : facts()) EXPECT_LT(leaf.deltas, 32u);
    tree_.expect_sound();
    if (HasFatalFailure()) return;
  }
  EXPECT_LT(facts().size(), built * 135 / 100);
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
  EXPECT_FALSE(join_leaves(&store, TreeId::keys, first, third, scratch_));
  // Of another tree.
  EXPECT_FALSE(join_leaves(&store, TreeId::nulls, first, second, scratch_));
  // Somebody is on the page, or on the one behind it.
  for (const Block busy : {second, third}) {
    const auto h = store.read(busy, LockMode::share);
    EXPECT_FALSE(join_leaves(&store, TreeId::keys, first, second, scratch_));
    store.release(h);
    EXPECT_TRUE(store.all_released());
  }
  EXPECT_TRUE(join_leaves(&store, TreeId::keys, first, second, scratch_));
  tree_.expect_sound();
  // Deleted already.
  EXPECT_FALSE(join_leaves(&store, TreeId::keys, first, second, scratch_));
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
