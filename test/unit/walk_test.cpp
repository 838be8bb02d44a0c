// Walks over leaves while the tree changes between two steps: what they visit against a std::set, and that the visited
// intervals follow one another.
#include "core/tree/walk.hpp"

#include <gtest/gtest.h>

#include "core/tree/vacuum.hpp"
#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

class WalkTest : public ::testing::Test {
 protected:
  using Walk = LeafWalk<MemoryStore>;

  void load(Keys keys, Tids tids, std::size_t n) {
    model_->load(make_entries(keys, tids, n, random_), 100);
    codes_.clear();
    for (const Entry& e : model_->expected()) codes_.push_back(e.code);
  }

  TreeRange some_range() {
    Code lo = codes_[random_() % codes_.size()];
    Code hi = codes_[random_() % codes_.size()];
    if (random_() % 8 == 0) lo = 0;
    if (random_() % 8 == 0) hi = kMaxCode;
    return {TreeId::keys, std::min(lo, hi), std::max(lo, hi)};
  }

  // What the walk has come to, compared with what should be there; releases the leaf.
  void visit(const Walk& walk, const TreeRange& range, MemoryStore::Handle h) {
    const LeafVisit& leaf = walk.leaf();
    const PageView page(model_->store().bytes(h));
    ASSERT_EQ(called_with_, h);
    ASSERT_EQ(leaf.block(), h);
    LeafRanks ranks;
    ASSERT_TRUE(leaf.ranks(page, range, &ranks));
    Entries found;
    if (ranks.begin < ranks.end) {
      std::vector<Code> codes(ranks.end - ranks.begin);
      std::vector<Tid> tids(codes.size());
      ASSERT_TRUE(decode(page, ranks.begin, ranks.end, codes.data(), tids.data()));
      for (std::size_t i = 0; i < codes.size(); i++) {
        if (!page.is_dead(ranks.begin + static_cast<unsigned>(i))) found.push_back({codes[i], tids[i]});
      }
      if (codes.size() == 1 && ranks.segment.count > 0) {
        EXPECT_EQ(ranks.segment.tid_at(ranks.begin - ranks.segment.first_rank), tids[0]);
      }
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      const Entry entry = page.delta_item(j).entry();
      if (leaf.takes(range, entry)) found.push_back(entry);
    }
    std::sort(found.begin(), found.end());
    Entries expected;
    for (auto it = model_->expected().lower_bound(std::max(range.first(), leaf.fence(false)));
         it != model_->expected().end() && range.includes(*it) && leaf.covers(range.tree, *it); ++it) {
      expected.push_back(*it);
    }
    ASSERT_EQ(found, expected);
    visited_ += found.size();
    model_->store().release(h);
    ASSERT_TRUE(model_->store().all_released());
  }

  auto on_leaf() {
    return [this](MemoryStore::Handle h) {
      called_with_ = h;
      model_->store().predicate_lock(h);
    };
  }

  // Inserts around a position until a leaf there is split, or nearly; or empties a leaf there, and joins it with its left neighbour.
  void change(const Entry& near) {
    switch (random_() % 4) {
      case 0:
        for (int i = 0; i < 60; i++) {
          model_->insert(
              {near.code + random_() % 5, make_tid(static_cast<std::uint32_t>(random_() >> 33), 7)});
        }
        break;
      case 1:
      case 2:
        thin_and_join(near);
        break;
      default:
        break;
    }
  }

  void thin_and_join(const Entry& near) {
    MemoryStore& store = model_->store();
    const Block block = store.locate_leaf(near);
    const Block left = PageView(store.page(block)).left();
    for (const Block b : {block, left}) {
      if (b != kNoBlock) thin(b);
    }
    if (left != kNoBlock && join_leaves(&store, model_->id(), left, block, scratch_)) {
      joins_++;
      if (random_() % 2 == 0) store.recycle(block);
    }
  }

  // Leaves one entry in eight.
  void thin(Block block) {
    MemoryStore& store = model_->store();
    const auto h = store.read(block, LockMode::exclusive);
    const PageView page(store.bytes(h));
    std::vector<Code> codes(page.encoded() + 1);
    std::vector<Tid> tids(page.encoded() + 1);
    ASSERT_TRUE(decode(page, 0, page.encoded(), codes.data(), tids.data()));
    std::vector<std::uint8_t> encoded(page.encoded() / 8 + 1);
    std::vector<std::uint8_t> deltas(kMaxDelta / 8 + 1);
    for (unsigned i = 0; i < page.encoded(); i++) {
      if (page.is_dead(i) || random_() % 8 == 0) continue;
      set_bit(encoded.data(), i);
      model_->expected().erase({codes[i], tids[i]});
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      set_bit(deltas.data(), j);
      model_->expected().erase(page.delta_item(j).entry());
    }
    remove_entries(&store, h, encoded.data(), deltas.data(), scratch_);
    store.release(h);
  }

  std::unique_ptr<ModelledTree> model_ = std::make_unique<ModelledTree>();
  PageBytes scratch_;
  Random random_{91};
  std::vector<Code> codes_;
  MemoryStore::Handle called_with_ = MemoryStore::kNoHandle;
  std::size_t visited_ = 0;
  std::size_t joins_ = 0;
};

TEST_F(WalkTest, VisitsARangeInBothDirections) {
  for (const Keys keys : kAllKeys) {
    SCOPED_TRACE(name_of(keys));
    model_ = std::make_unique<ModelledTree>();
    load(keys, kAllTids[random_() % std::size(kAllTids)], 8000);
    for (int i = 0; i < 500; i++)
      model_->insert({codes_[random_() % codes_.size()] + random_() % 3, make_tid(1 + i, 9)});
    for (int round = 0; round < 40; round++) {
      TreeRange range = some_range();
      if (round % 4 == 0) range.hi = range.lo;
      const bool forward = round % 2 == 0;
      visited_ = 0;
      Walk walk(&model_->store());
      for (auto h = walk.enter(range, forward, on_leaf());; h = walk.next(forward, on_leaf())) {
        visit(walk, range, h);
        if (HasFatalFailure()) return;
        if (!walk.leaf().goes_on(range, forward)) break;
      }
      const auto first = model_->expected().lower_bound(range.first());
      const auto last = model_->expected().upper_bound(range.last());
      ASSERT_EQ(visited_, static_cast<std::size_t>(std::distance(first, last)));
    }
  }
}

TEST_F(WalkTest, VisitsFollowOneAnotherWhileTheTreeChanges) {
  std::size_t clipped = 0;
  for (const Keys keys : {Keys::random62, Keys::jitter, Keys::pairs, Keys::few_values}) {
    SCOPED_TRACE(name_of(keys));
    for (int round = 0; round < 12; round++) {
      model_ = std::make_unique<ModelledTree>();
      load(keys, Tids::random, 40000);
      const TreeRange range = some_range();
      bool forward = random_() % 2 == 0;
      Walk walk(&model_->store());
      visit(walk, range, walk.enter(range, forward, on_leaf()));
      for (int step = 0; step < 200; step++) {
        if (HasFatalFailure()) return;
        // Now and then it turns round.
        if (random_() % 6 == 0) forward = !forward;
        if (!walk.leaf().goes_on(range, forward)) break;
        const Entry fence = walk.leaf().fence(forward);
        change(random_() % 2 == 0 ? fence : predecessor(fence));
        if (HasFatalFailure()) return;
        const auto h = walk.next(forward, on_leaf());
        ASSERT_EQ(walk.leaf().fence(!forward), fence);
        const PageView page(model_->store().bytes(h));
        clipped += page.low() != walk.leaf().fence(false) ? 1 : 0;
        visit(walk, range, h);
      }
      model_->expect_sound();
    }
  }
  EXPECT_GT(joins_, 100u);
  EXPECT_GT(clipped, 20u);
}

TEST_F(WalkTest, TakesOverWhereAnotherStopped) {
  load(Keys::random62, Tids::random, 40000);
  const TreeRange all{TreeId::keys, 0, kMaxCode};
  for (const bool forward : {true, false}) {
    SCOPED_TRACE(forward);
    // Pieces of leaves, each by a walk of its own, from one entry to another.
    Entry fence = all.start(forward);
    Block hint = kNoBlock;
    for (int piece = 0; piece < 300; piece++) {
      Walk walk(&model_->store());
      visit(walk, all, walk.take_over(TreeId::keys, fence, hint, forward, on_leaf()));
      if (HasFatalFailure()) return;
      ASSERT_EQ(walk.leaf().fence(!forward), fence);
      if (!walk.leaf().goes_on(all, forward)) break;
      // The next one begins within this leaf, or where it ends.
      auto border = model_->expected().lower_bound(walk.leaf().fence(false));
      if (piece % 2 == 0) {
        std::advance(border, std::min<std::size_t>(random_() % 300, model_->expected().size() / 4));
      }
      const bool inside = border != model_->expected().end() && walk.leaf().covers(TreeId::keys, *border);
      hint = inside && piece % 2 == 0 ? walk.leaf().block() : walk.leaf().link(forward);
      fence = inside && piece % 2 == 0 ? *border : walk.leaf().fence(forward);
      change(fence);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(WalkTest, EveryGapThatWasReadIsLocked) {
  load(Keys::random62, Tids::random, 20000);
  for (int round = 0; round < 40; round++) {
    model_->store().release_predicate_locks();
    const TreeRange range = some_range();
    const bool forward = round % 2 == 0;
    Walk walk(&model_->store());
    for (auto h = walk.enter(range, forward, on_leaf());; h = walk.next(forward, on_leaf())) {
      model_->store().release(h);
      if (!walk.leaf().goes_on(range, forward)) break;
      change(walk.leaf().fence(forward));
    }
    for (int i = 0; i < 20; i++) {
      const Code code = range.lo + (range.hi == range.lo ? 0 : random_() % (range.hi - range.lo));
      const Entry entry{code, make_tid(static_cast<std::uint32_t>(random_() >> 40), 3)};
      if (model_->expected().contains(entry)) continue;
      model_->insert(entry);
      ASSERT_TRUE(model_->store().insert_conflicted());
    }
  }
}

}  // namespace
}  // namespace learned
