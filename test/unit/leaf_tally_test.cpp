// Counting entries of leaves by ranks and blocks against counting them one by one.
#include "core/count/leaf_tally.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "core/count/open_blocks.hpp"
#include "core/tree/vacuum.hpp"
#include "core/tree/walk.hpp"
#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

// Blocks of a set, remembered one by one.
struct SomeOpen {
  const std::set<std::uint32_t>* blocks;
  bool spans;  // whether spans are looked at; if not, any may be open

  bool none() const { return spans && blocks->empty(); }
  bool is_open(std::uint32_t block) const { return blocks->contains(block); }
  bool any_open(std::uint32_t lo, std::uint32_t hi) const {
    if (!spans || lo > hi) return true;
    const auto at = blocks->lower_bound(lo);
    return at != blocks->end() && *at <= hi;
  }
};

// What a tally found: entries where it decodes them, numbers where it does not.
struct Found {
  bool keys;
  Entries suspects;  // without keys: code 0
  std::uint64_t clear_rows = 0;
  std::vector<Code> clear_keys;
  std::uint64_t whole_segments = 0;
  std::uint64_t decoded_entries = 0;

  bool needs_keys() const { return keys; }
  void whole(const SegmentRef& ref, unsigned i, unsigned n, unsigned removed) {
    whole_segments++;
    clear_rows += n - removed;
    if (!keys) return;
    ASSERT_EQ(removed, 0u);
    for (unsigned k = i; k < i + n; k++) clear_keys.push_back(ref.code_at(k));
  }
  void clear(const Code* key) {
    ASSERT_TRUE(keys);
    clear_rows++;
    clear_keys.push_back(*key);
  }
  void clear(unsigned n) {
    ASSERT_FALSE(keys);
    clear_rows += n;
  }
  void suspect(const Code* key, Tid tid) {
    ASSERT_EQ(key != nullptr, keys);
    suspects.push_back({keys ? *key : 0, tid});
  }
  void passed_over(unsigned n) { whole_segments += n; }
  void decoded(unsigned n) { decoded_entries += n; }
  bool full() const { return suspects.size() >= most_suspects; }

  std::size_t most_suspects = std::numeric_limits<std::size_t>::max();
};

class LeafTallyTest : public ::testing::Test {
 protected:
  // Some blocks of those that the page points to: single ones, and runs of them.
  void open_some(const Items& items) {
    open_.clear();
    if (items.empty()) return;
    const std::size_t n = random_() % 4 == 0 ? 0 : 1 + random_() % 8;
    for (std::size_t i = 0; i < n; i++) {
      const std::uint32_t block = tid_block(items[random_() % items.size()].tid);
      const std::uint32_t run = random_() % 2 == 0 ? 1 : 1 + random_() % 20;
      for (std::uint32_t b = block; b < block + run; b++) open_.insert(b);
    }
  }

  // The same by a map of the blocks, which may look at TIDs without making them; `found`: one by one.
  void compare_map(const PageView& page, unsigned begin, unsigned end, const Found& found) {
    // (Beyond the map all blocks are open.)
    constexpr std::uint32_t kMostBlocks = 1 << 20;
    if (!open_.empty() && *open_.rbegin() >= kMostBlocks) return;  // no table of a test's
    const std::uint32_t blocks = open_.empty() ? 1000 : *open_.rbegin() + 1;
    std::vector<std::uint64_t> memory(OpenBlocks::words(blocks));
    for (const std::uint32_t block : open_) memory[block / 64] |= std::uint64_t{1} << (block % 64);
    OpenBlocks open(memory.data(), blocks);
    open.finish();
    Found by_map{found.keys, {}, 0, {}, 0, 0};
    LeafTally<Code, OpenBlocks, Found> tally(page, open, by_map);
    ASSERT_TRUE(tally.ranks(begin, end));
    Entries suspects;
    std::uint64_t beyond = 0;
    for (const Entry& entry : by_map.suspects) {
      if (open_.contains(tid_block(entry.tid))) {
        suspects.push_back(entry);
      } else {
        ASSERT_GE(tid_block(entry.tid), blocks);
        beyond++;
      }
    }
    ASSERT_EQ(suspects, found.suspects);
    ASSERT_EQ(by_map.clear_rows + beyond, found.clear_rows);
    beyond_ += beyond;
    in_a_row_ += open.in_a_row();
  }

  // The same by a sink that gets full again and again; `found`: in one go.
  void compare_in_parts(const PageView& page, unsigned begin, unsigned end, const Found& found) {
    Found parts{found.keys, {}, 0, {}, 0, 0};
    const std::size_t most = 1 + random_() % 100;
    const SomeOpen open{&open_, random_() % 2 == 0};
    LeafTally<Code, SomeOpen, Found> tally(page, open, parts);
    for (unsigned from = begin;; from = tally.done()) {
      parts.most_suspects = parts.suspects.size() + most;
      ASSERT_TRUE(tally.ranks(from, end));
      if (tally.done() >= end) break;
      ASSERT_GT(tally.done(), from);
      ASSERT_TRUE(parts.full());
      stops_++;
    }
    ASSERT_EQ(parts.suspects, found.suspects);
    ASSERT_EQ(parts.clear_rows, found.clear_rows);
    ASSERT_EQ(parts.clear_keys, found.clear_keys);
  }

  void compare(const PageView& page, const Decoded& all) {
    const auto n = static_cast<unsigned>(all.encoded.size());
    unsigned begin = n == 0 ? 0 : static_cast<unsigned>(random_() % n);
    unsigned end = n == 0 ? 0 : begin + static_cast<unsigned>(random_() % (n - begin + 1));
    if (random_() % 3 == 0) begin = 0;
    if (random_() % 3 == 0) end = n;
    for (const bool keys : {false, true}) {
      for (const bool spans : {true, false}) {
        Found found{keys, {}, 0, {}, 0, 0};
        const SomeOpen open{&open_, spans};
        LeafTally<Code, SomeOpen, Found> tally(page, open, found);
        ASSERT_TRUE(tally.ranks(begin, end));
        compare_map(page, begin, end, found);
        compare_in_parts(page, begin, end, found);
        Entries suspects;
        std::vector<Code> clear;
        for (unsigned r = begin; r < end; r++) {
          if (all.dead[r]) continue;
          const Entry entry = all.encoded[r].entry();
          if (open_.contains(tid_block(entry.tid))) {
            suspects.push_back({keys ? entry.code : 0, entry.tid});
          } else {
            clear.push_back(entry.code);
          }
        }
        ASSERT_EQ(found.suspects, suspects);
        ASSERT_EQ(found.clear_rows, clear.size());
        if (keys) {
          ASSERT_EQ(found.clear_keys, clear);
        }
        if (spans && open_.empty() && page.dead() == 0) {
          ASSERT_EQ(found.decoded_entries, 0u);
        }
        if (spans && open_.empty() && !keys) {
          std::set<unsigned> touched;
          for (unsigned r = begin; r < end; r++) touched.insert(segment_of_rank(page, r));
          ASSERT_EQ(found.whole_segments, touched.size());
        }
        whole_ += found.whole_segments;
        decoded_ += found.decoded_entries;
      }
    }
  }

  Random random_{17};
  std::set<std::uint32_t> open_;
  std::uint64_t whole_ = 0;
  std::uint64_t decoded_ = 0;
  std::uint64_t with_dead_ = 0;
  std::uint64_t beyond_ = 0;
  std::uint64_t in_a_row_ = 0;
  std::uint64_t stops_ = 0;
};

TEST_F(LeafTallyTest, CountsAsOneByOne) {
  const auto ws = new_workspace();
  PageBytes page;
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      const Items items = as_items(make_entries(keys, tids, 3000, random_));
      ASSERT_GT(fill_page(page, leaf_identity(), items, ws.get()), 0u);
      const PageView view(page);
      const Decoded all = naive_decode(page);
      for (int round = 0; round < 12; round++) {
        open_some(all.encoded);
        compare(view, all);
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(whole_, 1000u);
  EXPECT_GT(decoded_, 100000u);
  EXPECT_GT(beyond_, 10000u);
  EXPECT_GT(in_a_row_, 100u);
  EXPECT_GT(stops_, 10000u);
}

TEST_F(LeafTallyTest, LeavesOutWhatWasRemoved) {
  for (const Keys keys : {Keys::serial, Keys::random62, Keys::few_values, Keys::jitter}) {
    for (const Tids tids : {Tids::append, Tids::random, Tids::varied_rows}) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      ModelledTree model;
      model.load(make_entries(keys, tids, 4000, random_));
      MemoryStore& store = model.store();
      PageBytes scratch;
      Tree<MemoryStore>& tree = model.tree();
      const auto h = tree.locate({model.expected().begin()->code, 0}, LockMode::exclusive);
      const unsigned n = PageView(store.bytes(h)).encoded();
      std::vector<std::uint8_t> encoded(n / 8 + 1);
      std::vector<std::uint8_t> deltas(kMaxDelta / 8 + 1);
      // Few, so that they are marked rather than left out of a page that is made anew; in runs and alone.
      for (unsigned i = 0; i < n; i++) {
        if (random_() % 16 == 0 || i % 100 < 5) set_bit(encoded.data(), i);
      }
      remove_entries(&store, h, encoded.data(), deltas.data(), scratch);
      const PageView view(store.bytes(h));
      const Decoded all = naive_decode(store.bytes(h));
      with_dead_ += view.dead();
      for (int round = 0; round < 20; round++) {
        open_some(all.encoded);
        compare(view, all);
        if (HasFatalFailure()) return;
      }
      store.release(h);
    }
  }
  EXPECT_GT(with_dead_, 500u);
}

TEST_F(LeafTallyTest, CountsBits) {
  std::uint8_t map[64];
  for (std::uint8_t& byte : map) byte = static_cast<std::uint8_t>(random_());
  for (unsigned begin = 0; begin < 300; begin++) {
    unsigned expected = 0;
    for (unsigned end = begin; end < 400; end++) {
      ASSERT_EQ(count_bits(map, begin, end), expected);
      expected += test_bit(map, end) ? 1 : 0;
    }
  }
}

// Rows of one key all over the table: open blocks at its end are narrowed down to, for those that are everywhere it is not tried for long.
TEST_F(LeafTallyTest, HalvesWhereThatHelps) {
  const auto ws = new_workspace();
  PageBytes page;
  std::set<Tid> tids;
  while (tids.size() < 3000) tids.insert(make_tid(static_cast<std::uint32_t>(random_() % 1000000), 1));
  Entries entries;
  for (const Tid tid : tids) entries.push_back({7, tid});
  ASSERT_GT(fill_page(page, leaf_identity(), as_items(entries), ws.get()), 0u);
  const PageView view(page);
  SegmentRef ref;
  ASSERT_TRUE(load_segment(view, 0, &ref));
  ASSERT_EQ(ref.tids.codec, TidCodec::ascending);
  const Decoded all = naive_decode(page);
  const auto n = static_cast<unsigned>(all.encoded.size());
  ASSERT_GT(n, 2000u);
  for (const bool everywhere : {false, true}) {
    open_.clear();
    for (unsigned r = everywhere ? 0 : n - n / 50; r < n; r += everywhere ? 50 : 1)
      open_.insert(tid_block(all.encoded[r].tid));
    Found found{false, {}, 0, {}, 0, 0};
    const SomeOpen open{&open_, true};
    LeafTally<Code, SomeOpen, Found> tally(view, open, found);
    ASSERT_TRUE(tally.ranks(0, n));
    EXPECT_EQ(found.suspects.size() + found.clear_rows, n);
    EXPECT_EQ(found.suspects.size(), open_.size());
    if (everywhere) {
      EXPECT_EQ(found.decoded_entries, n);
    } else {
      EXPECT_LT(found.decoded_entries, 2 * kLeastHalved + n / 50);
    }
  }
}

// Bounds of any part of a column hold, and are no wider than those of all.
TEST_F(LeafTallyTest, BoundsPartsOfAColumn) {
  const auto ws = new_workspace();
  PageBytes page;
  std::uint64_t narrower = 0;
  for (const Keys keys : {Keys::serial, Keys::one_value, Keys::few_values, Keys::random62}) {
    for (const Tids tids : kAllTids) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      const Items items = as_items(make_entries(keys, tids, 3000, random_));
      ASSERT_GT(fill_page(page, leaf_identity(), items, ws.get()), 0u);
      const PageView view(page);
      for (unsigned s = 0; s < view.segments(); s++) {
        SegmentRef ref;
        ASSERT_TRUE(load_segment(view, s, &ref));
        const Span all = tid_span(ref.tids, ref.count);
        for (int round = 0; round < 30; round++) {
          const auto i = static_cast<unsigned>(random_() % ref.count);
          const unsigned n = 1 + static_cast<unsigned>(random_() % (ref.count - i));
          const Span part = tid_span(ref.tids, ref.tid_bits, i, n);
          for (unsigned k = i; k < i + n; k++) {
            ASSERT_LE(part.lo, ref.tid_at(k));
            ASSERT_GE(part.hi, ref.tid_at(k));
          }
          if (all != Span{0, kMaxTid}) {
            ASSERT_LE(part.hi - part.lo, all.hi - all.lo);
          }
          narrower += part.hi - part.lo < all.hi - all.lo ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(narrower, 300u);
}

}  // namespace
}  // namespace learned
