// What scans see of a leaf (am/scan/leaf_entries.hpp, which needs no server), against a list of its entries that is sorted as a whole: in trees of few
// positions, many of which are taken by two entries at once, a removed one and one that came in its stead. And what goes on from positions there:
// pieces, and marks.
#include "am/scan/leaf_entries.hpp"

#include <gtest/gtest.h>

#include "support/wide_tree.hpp"

namespace learned {
namespace {

using testing::WideTree;

template <class K>
class LeafEntriesTest : public ::testing::Test {
 protected:
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;
  using Store = BasicMemoryStore<K>;
  using Walk = LeafWalk<Store>;
  using LeafEntries = BasicLeafEntries<K>;
  using TreeRange = BasicTreeRange<K>;

  // An entry of a leaf.
  struct Listed {
    Entry entry;
    int rank;  // -1: of the delta
    bool removed;
    bool killed;
    bool dead() const { return removed || killed; }
  };

  static constexpr TreeRange kAll{TreeId::keys, KeyTraits<K>::lowest(), KeyTraits<K>::highest()};

  static K key(unsigned i) {
    if constexpr (KeyTraits<K>::kWords == 1) {
      return 1000 + i / 2;
    } else {
      K key{};
      key.word[0] = i / 2;
      key.word[1] = 7 + i % 2;
      return key;
    }
  }

  // A tree with about half of the positions that there are; or with all, row after row, in dense leaves.
  void make(unsigned positions, std::uint64_t seed, bool dense = false) {
    dense_ = dense;
    random_.seed(seed);
    tree_ = std::make_unique<WideTree<K>>();
    positions_ = positions;
    killed_.clear();
    removed_.clear();
    twins_ = 0;
    std::set<Entry> first;
    while (!dense && first.size() < positions / 2) first.insert(some_position());
    for (unsigned i = 0; dense && i < positions; i++) first.insert(position(i));
    tree_->load(std::vector<Entry>(first.begin(), first.end()), 100);
  }
  Entry position(unsigned i) const {
    if (dense_) return {key(2 * i), make_tid(i / 200, static_cast<std::uint16_t>(1 + i % 200))};
    return {key(i % 6), make_tid(i / 60, static_cast<std::uint16_t>(1 + i / 6 % 10))};
  }
  Entry some_position() { return position(static_cast<unsigned>(random_() % positions_)); }

  // Any, and every second one where something was removed.
  void insert(int n) {
    while (n-- > 0)
      tree_->insert(n % 2 == 0 || removed_.empty() ? some_position() : removed_[random_() % removed_.size()]);
  }
  // Removes some, but none of these.
  void vacuum(const std::set<Entry>& spared = {}) {
    const std::uint64_t salt = random_();
    const unsigned share = random_() % 4 == 0 ? 60 : 10;
    const auto doomed = [&](const Entry& e) {
      return !spared.contains(e) && (e.tid * 31 + std::uint64_t{salt}) * 0x9E3779B97F4A7C15u % 100 < share;
    };
    removed_.clear();
    std::copy_if(tree_->expected().begin(), tree_->expected().end(), std::back_inserter(removed_), doomed);
    tree_->vacuum(doomed);
    std::erase_if(killed_, doomed);
  }
  void kill(Block block) {
    std::uint8_t* bytes = tree_->store().page(block);
    const PageView page(bytes);
    BasicKillMarker<K> marker(bytes);
    for (const Listed& e : list(page)) {
      if (e.removed || random_() % 8 != 0) continue;
      killed_.insert(e.entry);
      if (e.rank >= 0) marker.add(static_cast<unsigned>(e.rank), static_cast<unsigned>(e.rank) + 1);
      for (unsigned j = 0; e.rank < 0 && j < page.deltas(); j++) {
        if (page.delta_item(j).entry() == e.entry) marker.add_delta(j);
      }
    }
    marker.finish();
  }
  void change(const std::set<Entry>& spared = {}) {
    if (random_() % 3 == 0) vacuum(spared);
    insert(static_cast<int>(random_() % 90));
    if (random_() % 3 == 0) kill(random_leaf());
  }
  Block random_leaf() {
    const std::vector<Block> leaves = tree_->leaves();
    return leaves[random_() % leaves.size()];
  }

  // All entries of a leaf; of two that have one position that of the delta first.
  std::vector<Listed> list(const PageView& page) {
    std::vector<Listed> all;
    std::vector<K> codes(page.encoded());
    std::vector<Tid> tids(page.encoded());
    const KillMarks marks(page);
    for (unsigned j = 0; j < page.deltas(); j++)
      all.push_back({page.delta_item(j).entry(), -1, false, marks.delta_killed(j)});
    EXPECT_TRUE(decode(page, 0, page.encoded(), codes.data(), tids.data()));
    for (unsigned r = 0; r < page.encoded(); r++)
      all.push_back({{codes[r], tids[r]}, static_cast<int>(r), page.is_dead(r), marks.killed(r)});
    std::stable_sort(all.begin(), all.end(),
                     [](const Listed& a, const Listed& b) { return a.entry < b.entry; });
    for (std::size_t i = 0; i < all.size(); i++) {
      const bool twin = i > 0 && all[i - 1].entry == all[i].entry;
      twins_ += twin ? 1 : 0;
      EXPECT_TRUE(!twin || (all[i - 1].rank < 0 && all[i].removed));
      // No mark hides what it was not set for.
      EXPECT_TRUE(!all[i].killed || all[i].removed || killed_.contains(all[i].entry));
    }
    return all;
  }

  void expect_same(const LeafEntries& entries, const std::vector<Listed>& expected) {
    const auto total = static_cast<int>(expected.size());
    ASSERT_EQ(entries.total(), total);
    const auto size = expected.size() + 1;
    std::vector<K> codes(size);
    std::vector<Tid> tids(size);
    const auto dead = std::make_unique<bool[]>(size);
    for (int round = 0; round < 4; round++) {
      const int begin = round == 0 ? 0 : static_cast<int>(random_() % size);
      const int end = round == 0 ? total : begin + static_cast<int>(random_() % (size - begin));
      ASSERT_TRUE(entries.decode(begin, end, {codes.data(), tids.data(), dead.get()}));
      for (int n = begin; n < end; n++) {
        ASSERT_TRUE((Entry{codes[n - begin], tids[n - begin]} == expected[n].entry)) << n;
        ASSERT_EQ(dead[n - begin], expected[n].dead()) << n;
      }
    }
    int live = 0;
    for (int n = 0; n < total; n++) {
      ASSERT_EQ(entries.rank_of(n), expected[n].rank);
      if (!expected[n].removed) {
        ASSERT_EQ(entries.live_number(live), n);
        live++;
      }
    }
    ASSERT_EQ(entries.live(), live);
    for (int n = 0; n < total; n++) {
      int on = n;
      int back = n;
      while (on < total && expected[on].dead()) on++;
      while (back >= 0 && expected[back].dead()) back--;
      ASSERT_EQ(entries.skip_dead(n), on);
      ASSERT_EQ(entries.skip_dead_back(n), back);
    }
    for (int n = 0; n <= total; n++) {
      const bool parted = n > 0 && n < total && expected[n - 1].entry == expected[n].entry;
      int number = n;
      ASSERT_TRUE(entries.keep_together(&number));
      ASSERT_EQ(number, parted ? n - 1 : n);
    }
    for (int i = 0; i < 40; i++) {
      Entry limit = some_position();
      limit.tid += random_() % 2;
      const auto before =
          std::count_if(expected.begin(), expected.end(), [&](const Listed& e) { return e.entry < limit; });
      int count = 0;
      ASSERT_TRUE(entries.count_before(limit, &count));
      ASSERT_EQ(count, before);
    }
  }

  auto on_leaf() {
    return [](typename Store::Handle) {};
  }

  std::mt19937_64 random_;
  std::unique_ptr<WideTree<K>> tree_;
  unsigned positions_ = 0;
  bool dense_ = false;
  std::set<Entry> killed_;      // and not removed since
  std::vector<Entry> removed_;  // by the last VACUUM
  std::size_t twins_ = 0;       // pairs of one position that were met
};

using KeyTypes = ::testing::Types<Code, Words<2>>;
TYPED_TEST_SUITE(LeafEntriesTest, KeyTypes);

// The whole leaf, or what a walk that came to it at some position visits there; of it a range of keys; of that some numbers. On the page, or on a copy.
TYPED_TEST(LeafEntriesTest, AreThoseOfASortedList) {
  using K = TypeParam;
  const auto copy = std::make_unique<std::uint8_t[]>(kMaxCompactBytes);
  const auto words = std::make_unique<std::uint64_t[]>(kMaxKillWords);
  for (const unsigned positions : {600u, 40000u, 120000u}) {
    this->make(positions, 1 + positions, positions > 40000);
    for (int round = 0; round < 150 || (this->twins_ <= 200 && round < 2000); round++) {
      SCOPED_TRACE(round);
      this->change();
      auto& store = this->tree_->store();
      typename TestFixture::Walk walk(&store);
      typename TestFixture::LeafEntries entries;
      const bool forward = this->random_() % 2 == 0;
      const auto at = this->some_position();
      const auto leaf = this->random_() % 2 == 0
                            ? walk.take_over(TreeId::keys, at, kNoBlock, forward, this->on_leaf())
                            : walk.enter_at(TreeId::keys, at, kNoBlock, this->on_leaf());
      typename TestFixture::TreeRange range = TestFixture::kAll;
      if (this->random_() % 2 == 0) range.lo = TestFixture::key(static_cast<unsigned>(this->random_() % 6));
      if (this->random_() % 2 == 0) range.hi = TestFixture::key(static_cast<unsigned>(this->random_() % 6));
      if (range.hi < range.lo) std::swap(range.lo, range.hi);
      const typename TestFixture::PageView page(store.bytes(leaf));
      // (No walk comes to a leaf that lies behind its range.)
      if (range.last() < page.low()) range.hi = KeyTraits<K>::highest();
      auto expected = this->list(page);
      std::erase_if(expected, [&](const auto& e) {
        return !range.includes(e.entry) || !walk.leaf().covers(TreeId::keys, e.entry);
      });
      entries.open(page, true);
      BasicLeafRanks<K> ranks;
      ASSERT_TRUE(entries.select(walk.leaf(), range, &ranks));
      store.release(leaf);
      if (this->random_() % 2 == 0) entries.keep(copy.get(), words.get());
      this->expect_same(entries, expected);
      if (this->HasFatalFailure()) return;
      const int begin = static_cast<int>(this->random_() % (expected.size() + 1));
      const int end = begin + static_cast<int>(this->random_() % (expected.size() + 1 - begin));
      entries.narrow(begin, end);
      // (How many lie before a position is asked of what is visited from then on.)
      this->expect_same(entries, {expected.begin() + begin, expected.begin() + end});
      if (this->HasFatalFailure()) return;
    }
    EXPECT_GT(this->twins_, 200u);
    this->tree_->expect_sound();
  }
}

// A scan that takes pieces of leaves, and remembers no more than the position where the next one begins, gives each entry that was there from the beginning
// once, in order, whatever comes and goes between two pieces.
TYPED_TEST(LeafEntriesTest, PiecesPartNoPosition) {
  using K = TypeParam;
  using Entry = BasicEntry<K>;
  std::size_t twins = 0;
  for (int scan = 0; scan < 60; scan++) {
    SCOPED_TRACE(scan);
    this->make(scan % 3 == 0 ? 20000 : 500, 100 + static_cast<unsigned>(scan));
    for (int i = 0; i < 6; i++) this->change();
    for (const Block block : this->tree_->leaves())
      this->list(typename TestFixture::PageView(this->tree_->store().page(block)));
    auto& store = this->tree_->store();
    typename TestFixture::Walk walk(&store);
    typename TestFixture::LeafEntries entries;
    const bool forward = this->random_() % 2 == 0;
    const std::set<Entry> seen = this->tree_->expected();
    std::vector<Entry> found;
    Entry fence = TestFixture::kAll.start(forward);
    Block hint = kNoBlock;
    for (;;) {
      const auto leaf = walk.take_over(TreeId::keys, fence, hint, forward, this->on_leaf());
      entries.open(typename TestFixture::PageView(store.bytes(leaf)), false);
      BasicLeafRanks<K> ranks;
      ASSERT_TRUE(entries.select(walk.leaf(), TestFixture::kAll, &ranks));
      const int most = 1 + static_cast<int>(this->random_() % (scan % 3 == 0 ? 400 : 20));
      const int total = entries.total();
      int border = forward ? std::min(most, total) : std::max(total - most, 0);
      ASSERT_TRUE(entries.keep_together(&border));
      const int begin = forward ? 0 : border;
      const int end = forward ? border : total;
      std::vector<K> codes(static_cast<std::size_t>(total) + 1);
      std::vector<Tid> tids(codes.size());
      const auto dead = std::make_unique<bool[]>(codes.size());
      ASSERT_TRUE(entries.decode(0, total, {codes.data(), tids.data(), dead.get()}));
      for (int i = 0; i < end - begin; i++) {
        const int n = forward ? begin + i : end - 1 - i;
        if (!dead[n] && seen.contains({codes[n], tids[n]})) found.push_back({codes[n], tids[n]});
      }
      store.release(leaf);
      if (forward ? end < total : begin > 0) {
        fence = {codes[border], tids[border]};
        hint = leaf;
      } else {
        if (!walk.leaf().goes_on(TestFixture::kAll, forward)) break;
        fence = walk.leaf().fence(forward);
        hint = walk.leaf().link(forward);
      }
      if (this->random_() % 4 == 0) this->change(seen);
    }
    const std::vector<Entry> expected = forward ? std::vector<Entry>(seen.begin(), seen.end())
                                                : std::vector<Entry>(seen.rbegin(), seen.rend());
    ASSERT_TRUE(found == expected) << found.size() << " of " << expected.size();
    twins += this->twins_;
  }
  EXPECT_GT(twins, 100u);
}

// A mark is a position, too: who goes on from it comes to the next one in either direction, and meets neither of the two that have it.
TYPED_TEST(LeafEntriesTest, MarksLeaveTheirPositionBehind) {
  using K = TypeParam;
  using Entry = BasicEntry<K>;
  this->make(500, 7);
  for (int round = 0; round < 400; round++) {
    this->change();
    auto& store = this->tree_->store();
    const std::set<Entry>& all = this->tree_->expected();
    if (all.empty()) continue;
    auto mark = all.lower_bound(this->some_position());
    if (mark == all.end()) --mark;
    typename TestFixture::Walk walk(&store);
    typename TestFixture::LeafEntries entries;
    const auto leaf = walk.enter_at(TreeId::keys, *mark, kNoBlock, this->on_leaf());
    this->list(typename TestFixture::PageView(store.bytes(leaf)));
    entries.open(typename TestFixture::PageView(store.bytes(leaf)), false);
    BasicLeafRanks<K> ranks;
    ASSERT_TRUE(entries.select(walk.leaf(), TestFixture::kAll, &ranks));
    int before = 0;
    int through = 0;
    ASSERT_TRUE(entries.count_before(*mark, &before));
    ASSERT_TRUE(entries.count_before({mark->code, mark->tid + 1}, &through));
    const int next = entries.skip_dead(through);
    const int last = entries.skip_dead_back(before - 1);
    for (const bool forward : {true, false}) {
      const int n = forward ? next : last;
      const bool any = forward ? next < entries.total() : last >= 0;
      const auto expected = forward ? std::next(mark) : mark;
      const bool more = forward ? expected != all.end() : expected != all.begin();
      if (!any) {
        // Beyond this leaf, or nowhere.
        EXPECT_TRUE(!more || !walk.leaf().covers(TreeId::keys, forward ? *expected : *std::prev(expected)));
        continue;
      }
      Entry e{};
      bool dead = false;
      ASSERT_TRUE(entries.decode(n, n + 1, {&e.code, &e.tid, &dead}));
      ASSERT_TRUE(more);
      EXPECT_TRUE((e == (forward ? *expected : *std::prev(expected))));
    }
    store.release(leaf);
  }
  EXPECT_GT(this->twins_, 200u);
}

}  // namespace
}  // namespace learned
