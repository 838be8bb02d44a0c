// What tests of keys of several words share: shapes of keys, and a tree in memory beside a std::set, for any type of key.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/page/check.hpp"
#include "core/page/search.hpp"
#include "core/plan/merge.hpp"
#include "support/memory_store.hpp"

namespace learned::testing {

// Shapes of keys of several columns.
enum class WideKeys {
  turns,     // devices by turns, each with a clock
  few_many,  // few values in front of many
  many_few,  // many values in front of few
  serial,    // a serial number in front of another
  constant,  // all words but the last are the same in all entries
  uuid,      // random bits with a version and a variant
  few_few,   // few distinct keys
  corners,   // lowest and highest words
};
inline constexpr WideKeys kAllWideKeys[] = {WideKeys::turns,   WideKeys::few_many, WideKeys::many_few,
                                            WideKeys::serial,  WideKeys::constant, WideKeys::uuid,
                                            WideKeys::few_few, WideKeys::corners};

// Key number i of a shape. `nulls` per cent of the values of each column are NULL, which come last in even columns, first in
// odd ones.
template <unsigned W>
Words<W> wide_key(WideKeys shape, std::size_t i, unsigned nulls, std::mt19937_64& random) {
  Words<W> key{};
  for (unsigned w = 0; w < W; w++) {
    Code* word = &key.word[w];
    const bool last = w + 1 == W;
    switch (shape) {
      case WideKeys::turns:
        *word = (Code{1} << 63) + (last ? i / 100 * 1000000 + random() % 250000 : w == 0 ? i % 100 : 7);
        break;
      case WideKeys::few_many:
        *word = w == 0 ? random() % 10 : random() >> (w == 1 ? 2 : 40);
        break;
      case WideKeys::many_few:
        *word = w == 0 ? random() : random() % 4;
        break;
      case WideKeys::serial:
        *word = last ? i % 16 : w == 0 ? i / 16 : i / 64;
        break;
      case WideKeys::constant:
        *word = last ? i * 3 : 5;
        break;
      case WideKeys::uuid:
        *word = random();
        if (w % 2 == 0) *word = (*word & ~Code{0xF000}) | 0x4000;
        if (w % 2 == 1) *word = *word >> 2 | Code{1} << 63;
        break;
      case WideKeys::few_few:
        *word = random() % 3;
        break;
      case WideKeys::corners:
        *word = random() % 3 == 0 ? 0 : random() % 2 == 0 ? kMaxCode : random() >> random() % 64;
        break;
    }
    const bool null = random() % 100 < nulls;
    if (null) *word = 0;
    if (null == (w % 2 == 0)) key.flags |= static_cast<std::uint8_t>(1u << w);
  }
  return key;
}

template <class K>
class WideTree {
 public:
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  using Store = BasicMemoryStore<K>;
  using PageView = BasicPageView<K>;

  WideTree() : tree_(&store_, TreeId::keys) {}

  void load(const std::vector<Entry>& sorted, int fillfactor = 90) {
    MetaInfo meta = tree_.read_meta();
    BulkLoader<Store, K> loader(&store_, store_.workspace(), TreeId::keys, fillfactor,
                                static_cast<Block>(store_.size()));
    for (const Entry& e : sorted) loader.add(e.code, e.tid);
    const TreeShape shape = loader.finish();
    EXPECT_EQ(shape.entries, sorted.size());
    meta.root[0] = shape.root;
    meta.level[0] = shape.level;
    write_meta_page<K>(store_.page(kMetaBlock), meta);
    loaded_pages_ = store_.size() - 3;
    expected_ = std::set<Entry>(sorted.begin(), sorted.end());
  }
  void insert(const Entry& e) {
    if (expected_.insert(e).second) tree_.insert({e.code, e.tid, kNoBlock});
  }

  // The same in ascending order, a leaf's under one lock.
  void insert_ascending(const std::vector<BasicEntry<K>>& entries) {
    std::vector<BasicItem<K>> items;
    for (const auto& e : entries) {
      if (expected_.insert(e).second) items.push_back({e.code, e.tid, kNoBlock});
    }
    std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.entry() < b.entry(); });
    std::size_t done = 0;
    tree_.insert_ascending(items, &done);
  }

  // Removes what `doomed` says, as VACUUM does, and packs what is left; joins inner pages, too.
  template <class Doomed>
  void vacuum(const Doomed& doomed, bool inner = true) {
    std::vector<VisitedPage<K>> visited;
    for (const Block block : leaves()) {
      const PageView page(store_.page(block));
      const unsigned before = page.live();
      std::vector<K> codes(page.encoded());
      std::vector<Tid> tids(page.encoded());
      ASSERT_TRUE(decode(page, 0, page.encoded(), codes.data(), tids.data()));
      std::vector<std::uint8_t> encoded(page.encoded() / 8 + 1);
      std::uint8_t deltas[kMaxDelta / 8] = {};
      for (unsigned i = 0; i < page.encoded(); i++) {
        if (doomed(Entry{codes[i], tids[i]})) set_bit(encoded.data(), i);
      }
      for (unsigned j = 0; j < page.deltas(); j++) {
        if (doomed(page.delta_item(j).entry())) set_bit(deltas, j);
      }
      const Block h = store_.read(block, LockMode::exclusive);
      remove_entries(&store_, h, encoded.data(), deltas, scratch_);
      visited.emplace_back(block, page, before - page.live());
      store_.release(h);
    }
    for (auto it = expected_.begin(); it != expected_.end();)
      it = doomed(*it) ? expected_.erase(it) : std::next(it);
    LeafPacker packer(&store_, TreeId::keys, scratch_);
    for (const VisitedPage<K>& leaf : visited) {
      packer.add(leaf, [this](Block block) {
        store_.recycle(block);
        joined_++;
      });
    }
    if (inner) join_inner([] {});
  }
  // Calls each() when a page has gone. Returns how many inner ones did.
  template <class Each>
  std::size_t join_inner(const Each& each) {
    std::size_t gone = 0;
    const auto deleted = [&](Block block) {
      const PageView page(store_.page(block));
      EXPECT_TRUE(page.deleted());
      gone += page.level() > 0 ? 1 : 0;
      store_.recycle(block);
      each();
    };
    join_inner_pages(
        &store_, TreeId::keys, scratch_, [] {}, deleted);
    return gone;
  }

  // Blocks of a level from left to right.
  std::vector<Block> level(unsigned level) {
    std::vector<Block> chain;
    BasicEntry<K> low = lowest_entry<K>();
    for (;;) {
      const Block h = tree_.locate(low, LockMode::share, level);
      chain.push_back(h);
      const PageView page = tree_.view(h);
      const bool last = page.rightmost();
      low = page.high();
      store_.release(h);
      if (last) return chain;
    }
  }
  unsigned root_level() { return tree_.read_meta().level[0]; }

  // Blocks of the leaves from left to right.
  std::vector<Block> leaves() {
    std::vector<Block> chain;
    Block h = tree_.locate(lowest_entry<K>(), LockMode::share);
    for (;;) {
      chain.push_back(h);
      const PageView page = tree_.view(h);
      const bool last = page.rightmost();
      const Block right = page.right();
      const Entry high = page.high();
      store_.release(h);
      if (last) return chain;
      h = tree_.step_right(right, high, LockMode::share);
    }
  }

  // Every page by itself, links and fences of all levels, the content against the set, walks both ways.
  void expect_sound() {
    ASSERT_TRUE(store_.all_released());
    std::vector<Entry> found;
    const MetaInfo meta = tree_.read_meta();
    unsigned level = meta.level[0];
    std::vector<Item> expected{{KeyTraits<K>::lowest(), 0, meta.root[0]}};
    for (;; level--) {
      std::vector<Item> below;
      for (std::size_t i = 0; i < expected.size(); i++) {
        const Block block = expected[i].child;
        SCOPED_TRACE("level " + std::to_string(level) + ", block " + std::to_string(block));
        ASSERT_LT(block, store_.size());
        ASSERT_EQ(check_page(store_.page(block), store_.workspace()).text(), nullptr);
        const PageView page(store_.page(block));
        ASSERT_EQ(page.level(), level);
        ASSERT_FALSE(page.deleted());
        ASSERT_FALSE(page.incomplete_split());
        const bool last = i + 1 == expected.size();
        ASSERT_TRUE(page.low() == expected[i].entry());
        ASSERT_EQ(page.rightmost(), last);
        ASSERT_TRUE(last || page.high() == expected[i + 1].entry());
        ASSERT_EQ(page.right(), last ? kNoBlock : expected[i + 1].child);
        ASSERT_EQ(page.left(), i == 0 ? kNoBlock : expected[i - 1].child);
        std::uint32_t n = 0;
        BasicWorkspace<K>* ws = store_.workspace();
        ASSERT_TRUE(decode_live(page, ws, &n));
        for (std::uint32_t k = 0; k < n; k++) {
          if (level > 0) {
            below.push_back({ws->codes[k], ws->tids[k], ws->children[k]});
          } else {
            found.push_back({ws->codes[k], ws->tids[k]});
          }
        }
      }
      if (level == 0) break;
      ASSERT_FALSE(below.empty());
      expected = std::move(below);
    }
    ASSERT_EQ(found.size(), expected_.size());
    ASSERT_TRUE(std::equal(found.begin(), found.end(), expected_.begin()));
    expect_walk_back();
  }

  // Searches for a position: the first entry of its leaf that is not below it, and the run of its key.
  void expect_found(const Entry& key) {
    const Block h = tree_.locate(key, LockMode::share);
    const PageView page = tree_.view(h);
    ASSERT_TRUE(page.covers(key));
    unsigned rank = 0;
    unsigned begin = 0;
    unsigned end = 0;
    BasicSegmentRef<K> ref;
    ASSERT_TRUE(lower_bound(page, key, &rank));
    ASSERT_TRUE(equal_range(page, key.code, &begin, &end, &ref));
    for (unsigned i = 0; i < page.encoded(); i += 1 + page.encoded() / 64)
      expect_side(page, i, key, rank, begin, end);
    for (const unsigned near : {rank, begin, end}) {
      if (near > 0) expect_side(page, near - 1, key, rank, begin, end);
      if (near < page.encoded()) expect_side(page, near, key, rank, begin, end);
    }
    const auto it = expected_.lower_bound(key);
    if (it != expected_.end() && page.covers(*it)) {
      bool have = rank < page.encoded() && entry_at(page, rank) == *it;
      for (unsigned j = 0; j < page.deltas(); j++) have = have || page.delta_item(j).entry() == *it;
      // What is dead may lie in front of it.
      ASSERT_TRUE(have || page.dead() > 0);
    }
    store_.release(h);
  }

  Store& store() { return store_; }
  Tree<Store>& tree() { return tree_; }
  std::set<Entry>& expected() { return expected_; }
  std::size_t joined() const { return joined_; }
  double loaded_bytes_per_entry() const {
    return static_cast<double>(loaded_pages_ * kPageSize) / static_cast<double>(expected_.size());
  }

 private:
  static Entry entry_at(const PageView& page, unsigned rank) {
    Entry e{};
    EXPECT_TRUE(decode(page, rank, rank + 1, &e.code, &e.tid));
    return e;
  }
  static void expect_side(const PageView& page, unsigned i, const Entry& key, unsigned rank, unsigned begin,
                          unsigned end) {
    const Entry e = entry_at(page, i);
    EXPECT_EQ(i < rank, e < key);
    EXPECT_EQ(i < begin, e.code < key.code);
    EXPECT_EQ(i >= end, e.code > key.code);
  }
  void expect_walk_back() {
    std::vector<Entry> found;
    Block h = tree_.locate({KeyTraits<K>::highest(), kMaxTid}, LockMode::share);
    for (;;) {
      const PageView page = tree_.view(h);
      std::uint32_t n = 0;
      ASSERT_TRUE(decode_live(page, store_.workspace(), &n));
      while (n-- > 0) found.push_back({store_.workspace()->codes[n], store_.workspace()->tids[n]});
      const Entry low = page.low();
      const Block left = page.left();
      store_.release(h);
      if (low == lowest_entry<K>()) break;
      h = tree_.step_left(left, low, LockMode::share);
      ASSERT_TRUE(tree_.view(h).high() == low);
    }
    ASSERT_TRUE(std::equal(found.begin(), found.end(), expected_.rbegin(), expected_.rend()));
  }

  Store store_;
  Tree<Store> tree_;
  std::set<Entry> expected_;
  std::size_t loaded_pages_ = 0;
  std::size_t joined_ = 0;
  alignas(8) std::uint8_t scratch_[kPageSize];
};

}  // namespace learned::testing
