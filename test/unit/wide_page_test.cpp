// Pages of format 2: damage of every byte is noticed or does no harm, what no writer makes is told by its name, and what
// format 1 promises of space (removal fits in place, division succeeds) holds for keys of several words.
#include <gtest/gtest.h>

#include "core/page/checksum.hpp"
#include "core/plan/retrain.hpp"
#include "core/plan/slice.hpp"
#include "core/plan/split.hpp"
#include "support/wide_tree.hpp"

namespace learned {
namespace {

using namespace learned::testing;
using Random = std::mt19937_64;

// In any segment.
template <class K>
bool has_elias_fano(const BasicPageView<K>& page) {
  bool any = false;
  for (unsigned s = 0; s < page.segments(); s++) {
    BasicSegmentRef<K> ref;
    EXPECT_TRUE(load_segment(page, s, &ref));
    any = any || KeyCodec<K>::spread_in_both(ref.key, ref.key) != 0;
  }
  return any;
}

template <class K>
class WidePageTest : public ::testing::Test {
 protected:
  using Item = BasicItem<K>;
  using View = BasicPageView<K>;
  static constexpr unsigned kWords = KeyTraits<K>::kWords;
  static constexpr std::size_t kTrailer = kSpecialOf<K>;

  struct alignas(8) Page {
    std::uint8_t bytes[kPageSize] = {};
  };

  // A page with a delta and, in leaves, dead entries.
  void make_page(Page* page, WideKeys shape, unsigned level, unsigned nulls) {
    BasicWorkspace<K>* ws = ws_.get();
    std::vector<Item> items;
    for (std::size_t i = 0; i < 420; i++)
      items.push_back({wide_key<kWords>(shape, i, nulls, random_),
                       make_tid(static_cast<std::uint32_t>(i / 50), static_cast<std::uint16_t>(i % 50 + 1)),
                       level > 0 ? static_cast<Block>(10 + i) : kNoBlock});
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.entry() < b.entry(); });
    if (level > 0) items[0].code = KeyTraits<K>::lowest(), items[0].tid = 0;
    std::vector<Item> delta;
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < 200; i++) {
      if (i > 0 && i % 20 == 7) {
        delta.push_back(items[i]);
        continue;
      }
      ws->codes[n] = items[i].code;
      ws->tids[n] = items[i].tid;
      ws->children[n] = items[i].child;
      n++;
    }
    const auto columns = workspace_columns(ws, level);
    BasicSegmentPlanner<K> plan(ws->segments, columns, level);
    plan.push(0, n);
    ASSERT_TRUE(plan_fits(plan, level, delta.size()));
    write_page(page->bytes,
               {TreeId::keys, static_cast<std::uint8_t>(level), 0, kNoBlock, 99, lowest_entry<K>(),
                items[200].entry()},
               plan, columns, nullptr, 0);
    if (level == 0) {
      std::vector<std::uint8_t> doomed(n / 8 + 1);
      for (unsigned i = 0; i < n; i += 9) set_bit(doomed.data(), i);
      mark_dead<K>(page->bytes, doomed.data());
      seal<K>(page->bytes);
    }
    for (const Item& item : delta) add_delta(page->bytes, item);
    ASSERT_EQ(check_page(page->bytes, ws).text(), nullptr);
    ASSERT_EQ(verify_page<K>(page->bytes).text(), nullptr);
  }
  const char* fault_of(const Page& page) { return check_page(page.bytes, ws_.get()).text(); }
  // What check_page() says of a page whose first segment is changed, with a checksum that matches.
  template <class Change>
  std::string with_segment(Page page, unsigned level, Change change) {
    std::uint8_t* at = page.bytes + kTrailer - segment_size<K>(level);
    auto segment = load<BasicSegment<K>>(at);
    change(&segment);
    store(at, segment);
    seal<K>(page.bytes);
    const char* fault = fault_of(page);
    return fault == nullptr ? "" : fault;
  }
  template <class Change>
  std::string with_trailer(Page page, Change change) {
    auto trailer = load<BasicPageTrailer<K>>(page.bytes + kTrailer);
    change(&trailer);
    store(page.bytes + kTrailer, trailer);
    seal<K>(page.bytes);
    const char* fault = fault_of(page);
    return fault == nullptr ? "" : fault;
  }

  Random random_{11};
  std::unique_ptr<BasicWorkspace<K>> ws_ = std::make_unique<BasicWorkspace<K>>();
};
using Keys = ::testing::Types<Words<2>, Words<3>, Words<4>>;
TYPED_TEST_SUITE(WidePageTest, Keys);

TYPED_TEST(WidePageTest, EveryFlippedBitIsNoticed) {
  // A leaf of lines, one with Elias-Fano, an inner page.
  for (const unsigned kind : {0u, 1u, 2u}) {
    const unsigned level = kind / 2;
    typename TestFixture::Page page;
    this->make_page(&page, kind == 1 ? WideKeys::uuid : WideKeys::few_many, level, kind == 1 ? 0 : 10);
    if (::testing::Test::HasFatalFailure()) return;
    ASSERT_EQ(has_elias_fano(BasicPageView<TypeParam>(page.bytes)), kind == 1);
    for (std::size_t at = kLowerOffset; at < kPageSize; at++) {
      if (at == kPageSizeVersionOffset + 2) at = kHeaderSize;  // a field that the server does not use here
      for (unsigned bit = 0; bit < 8; bit++) {
        page.bytes[at] ^= static_cast<std::uint8_t>(1u << bit);
        ASSERT_NE(this->fault_of(page), nullptr) << "level " << level << ", byte " << at << ", bit " << bit;
        page.bytes[at] ^= static_cast<std::uint8_t>(1u << bit);
      }
    }
  }
}

// Damage under a checksum that matches: nothing crashes (the sanitizers look on), and what is called sound behaves.
TYPED_TEST(WidePageTest, NothingReadsBeyondADamagedPage) {
  using K = TypeParam;
  for (int round = 0; round < 3000; round++) {
    typename TestFixture::Page page;
    const unsigned level = round % 2;
    const WideKeys shape = kAllWideKeys[this->random_() % std::size(kAllWideKeys)];
    this->make_page(&page, shape == WideKeys::few_few && level > 0 ? WideKeys::uuid : shape, level,
                    round % 3 == 0 ? 30 : 0);
    if (::testing::Test::HasFatalFailure()) return;
    for (std::size_t n = 1 + this->random_() % 4; n > 0; n--) {
      // Mostly where the headers are.
      const std::size_t from = this->random_() % 4 == 0 ? kLowerOffset : BasicPageView<K>(page.bytes).dir();
      if (from >= kPageSize) break;
      page.bytes[from + this->random_() % (kPageSize - from)] = static_cast<std::uint8_t>(this->random_());
    }
    const BasicPageView<K> view(page.bytes);
    if (check_header(view)) continue;
    seal<K>(page.bytes);
    const bool sound = this->fault_of(page) == nullptr;
    const BasicEntry<K> key{wide_key<KeyTraits<K>::kWords>(shape, 7, 10, this->random_), 5};
    unsigned rank = 0;
    const bool found = lower_bound(view, key, &rank);
    ASSERT_TRUE(!sound || (found && rank <= view.encoded()));
    BasicItem<K> child;
    if (view.level() > 0) find_child(view, key, &child);
    BasicWorkspace<K>* ws = this->ws_.get();
    BasicMergePlan<K> merge{BasicSegmentPlanner<K>(ws->segments, {}, view.level()), {}};
    const bool merged = plan_merge(view, ws, &merge);
    ASSERT_TRUE(!sound || merged);
    bool better = false;
    const bool trained = plan_retrain(view, ws, &better);
    ASSERT_TRUE(!sound || trained);
    BasicEntry<K> separator;
    plan_split(view, 77, key, ws, &separator);
    KillMarks marks(view);
    marks.next(0, view.encoded(), true);
  }
}

TYPED_TEST(WidePageTest, WhatNoWriterMakesIsTold) {
  typename TestFixture::Page page;
  this->make_page(&page, WideKeys::few_many, 0, 0);
  EXPECT_EQ(this->with_trailer(page, [](auto* t) { t->version = 3; }), "page has a newer format version");
  EXPECT_EQ(this->with_trailer(page, [](auto* t) { t->version = 1; }), "page has another format version");
  EXPECT_EQ(this->with_trailer(page, [](auto* t) { t->code_width = 8; }), "page has an unknown code width");
  EXPECT_EQ(this->with_trailer(page, [](auto* t) { t->reserved = 1; }),
            "reserved field of the page trailer is not zero");
  EXPECT_EQ(this->with_trailer(page, [](auto* t) { t->high_flags |= 0x80; }), "fence has unknown flags");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->flags_width = 1; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->first_flags = 0x80; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->gap_at[1] = 1, s->gap_bits[1] = 0; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->gap_at[1] = 1, s->gap_bits[1] = 63; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->width[1] = 65; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->shift[0] = 17; }),
            "segment has an impossible key model");
  EXPECT_NE(this->with_segment(page, 0, [](auto* s) { s->first_word[0] ^= Code{1} << 40; }), "");
  EXPECT_NE(this->with_segment(page, 0, [](auto* s) { s->first_flags ^= 1; }), "");
  EXPECT_EQ(check_header(BasicPageView<TypeParam>(page.bytes)).text(), nullptr);
  EXPECT_NE(check_header(PageView(page.bytes)).text(), nullptr);
  EXPECT_TRUE(this->with_trailer(page, [](auto* t) { t->version = 9; }) == "page has a newer format version");
}

TYPED_TEST(WidePageTest, WhatNoWriterMakesOfAscendingWordsIsTold) {
  typename TestFixture::Page page;
  this->make_page(&page, WideKeys::uuid, 0, 0);
  const BasicPageView<TypeParam> view(page.bytes);
  BasicSegmentRef<TypeParam> ref;
  ASSERT_TRUE(load_segment(view, 0, &ref));
  ASSERT_TRUE(ref.key.word[0].elias_fano());
  EXPECT_EQ(this->with_segment(page, 0, [](auto*) {}), "");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->shift[0] |= 1; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->slope[0] = 0; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->width[0] = 0; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->width[0] = 64; }),
            "segment has an impossible key model");
  EXPECT_EQ(this->with_segment(page, 0, [](auto* s) { s->flags_width = KeyTraits<TypeParam>::kWords; }),
            "segment has an impossible key model");
  const auto with_bitmap = [&](std::size_t byte) {
    typename TestFixture::Page changed = page;
    changed.bytes[static_cast<std::size_t>(ref.key_bits.word[0].high.map - page.bytes) + byte] ^= 0x10;
    seal<TypeParam>(changed.bytes);
    return std::string(this->fault_of(changed));
  };
  EXPECT_EQ(with_bitmap(3), "bitmap of ascending words has a wrong number of bits");
  EXPECT_EQ(with_bitmap(ref.key_bits.word[0].high.bytes() / 2),
            "bitmap of ascending words has a wrong number of bits");

  // An inner page has none: of the same entries, and where a segment says so.
  typename TestFixture::Page inner;
  this->make_page(&inner, WideKeys::uuid, 1, 0);
  const BasicPageView<TypeParam> inner_view(inner.bytes);
  EXPECT_FALSE(has_elias_fano(inner_view));
  EXPECT_EQ(this->with_segment(inner, 1,
                               [](auto* s) {
                                 s->flags_width = 0;
                                 s->shift[0] = WordModel::kEliasFano;
                                 s->slope[0] = 1;
                                 s->width[0] = 0;
                               }),
            "segment has an unknown key codec");
}

// `upper` raised past entries, by any number of them.
TYPED_TEST(WidePageTest, ADeltaThatIsCutOffIsNoticed) {
  for (const unsigned level : {0u, 1u}) {
    typename TestFixture::Page page;
    this->make_page(&page, WideKeys::constant, level, 0);
    const BasicPageView<TypeParam> view(page.bytes);
    const unsigned deltas = view.deltas();
    const std::uint16_t upper = view.upper();
    ASSERT_GT(deltas, 5u);
    for (unsigned n = 1; n <= deltas; n++) {
      store(page.bytes + kUpperOffset, static_cast<std::uint16_t>(upper + n * delta_size<TypeParam>(level)));
      EXPECT_STREQ(check_header(view).text(), "delta area is cut off");
    }
  }
}

TYPED_TEST(WidePageTest, ADeltaEntryIsNeverZeroAtItsEnd) {
  for (int i = 0; i < 300000; i++) {
    TypeParam key{};
    key.word[0] = this->random_();
    std::uint8_t bytes[64] = {};
    for (const unsigned level : {0u, 1u}) {
      format_delta<TypeParam>(bytes, {key, level > 0 ? 0 : 1u, 0}, level);
      ASSERT_NE(load<std::uint64_t>(bytes + delta_size<TypeParam>(level) - 8), 0u);
      ASSERT_NE(DeltaFormat<TypeParam>::check(bytes), 0);
    }
  }
}

// All words climb without residuals, so that the back part of a cut needs a bit for each; then every other entry goes.
TYPED_TEST(WidePageTest, AThinnedPageOfOneDenseSegmentDivides) {
  using K = TypeParam;
  BasicWorkspace<K>* ws = this->ws_.get();
  for (const bool at_random : {false, true}) {
    BasicPlannedSegment<K> p{};
    for (unsigned w = 0; w < KeyTraits<K>::kWords; w++) {
      p.key.word[w].line = {1000, (Code{3} << 15) + 7 + w, 16, 0};
      p.first_code.word[w] = 1000;
    }
    p.tids.model = {1, (std::uint64_t{3} << 15) + 5, 16, 0};
    p.tids.scale = 100;
    p.count = static_cast<std::uint32_t>(kMaxEntries);
    typename TestFixture::Page page;
    BasicPageWriter<K> writer(
        page.bytes, {TreeId::keys, 0, kRightmost, kNoBlock, kNoBlock, lowest_entry<K>(), lowest_entry<K>()});
    writer.add(p, {});
    writer.finish(nullptr, 0);
    ASSERT_EQ(this->fault_of(page), nullptr);
    std::vector<std::uint8_t> doomed(kMaxEntries / 8);
    for (std::uint8_t& byte : doomed) byte = at_random ? static_cast<std::uint8_t>(this->random_()) : 0x55;
    mark_dead<K>(page.bytes, doomed.data());
    seal<K>(page.bytes);
    const BasicPageView<K> view(page.bytes);
    BasicItem<K> incoming{p.first_code, 77, kNoBlock};
    while (delta_room(view) > 0) {
      incoming.code.word[0] = 2000 + this->random_() % 60000;
      add_delta(page.bytes, incoming);
    }
    ASSERT_EQ(this->fault_of(page), nullptr);
    BasicEntry<K> separator;
    ASSERT_TRUE(plan_split(view, 5, incoming.entry(), ws, &separator));
    typename TestFixture::Page left;
    typename TestFixture::Page right;
    std::memcpy(left.bytes, ws->page, kPageSize);
    std::memcpy(right.bytes, ws->page2, kPageSize);
    set_left<K>(right.bytes, 1);
    seal<K>(right.bytes);
    EXPECT_EQ(this->fault_of(left), nullptr);
    EXPECT_EQ(this->fault_of(right), nullptr);
    EXPECT_EQ(BasicPageView<K>(left.bytes).live() + BasicPageView<K>(right.bytes).live(), view.live());
  }
}

// A page of one segment, full to the brim; the other words and TIDs have no residuals, but need a bit each behind a cut. All that the bitmap
// of the first word is longer than by the number of entries is in one of the parts.
TYPED_TEST(WidePageTest, AFullPageOfOneEliasFanoSegmentIsCutByModels) {
  using K = TypeParam;
  constexpr std::uint32_t kCount = 3400;
  constexpr std::uint32_t kCut = kCount - kCount / 8;
  constexpr unsigned kLow = 14;
  BasicWorkspace<K>* ws = this->ws_.get();
  for (const bool at_end : {false, true}) {
    BasicPlannedSegment<K> p{};
    for (unsigned w = 1; w < KeyTraits<K>::kWords; w++)
      p.key.word[w].line = {1000, (Code{3} << 15) + 7 + w, 16, 0};
    p.tids.model = {1, (std::uint64_t{3} << 15) + 5, 16, 0};
    p.tids.scale = 100;
    p.count = kCount;
    for (std::uint32_t i = 0; i < kCount; i++) {
      // Climbing behind the cut, or up to it.
      const Code step = at_end ? i - std::min(i, kCut - 1) : std::min(i, kCut);
      ws->codes[i].flags = 0;
      ws->codes[i].word[0] = 5000 + (step << kLow) / (at_end ? 1 : 7);
      for (unsigned w = 1; w < KeyTraits<K>::kWords; w++) ws->codes[i].word[w] = p.key.word[w].predict(i);
      ws->tids[i] = ordinal_to_tid(p.tids.model.predict(i), 100);
    }
    const Code span = ws->codes[kCount - 1].word[0] - ws->codes[0].word[0];
    ASSERT_GT(span >> kLow, kCount / 9);
    p.key.word[0].line = {ws->codes[0].word[0], span, WordModel::kEliasFano, kLow};
    p.first_code = ws->codes[0];
    p.bytes = static_cast<std::uint32_t>(segment_bytes<K>(p, kCount));
    typename TestFixture::Page page;
    BasicPageWriter<K> writer(
        page.bytes, {TreeId::keys, 0, kRightmost, kNoBlock, kNoBlock, lowest_entry<K>(), lowest_entry<K>()});
    writer.add(p, workspace_columns(ws, 0));
    writer.finish(nullptr, 0);
    ASSERT_STREQ(this->fault_of(page), nullptr);
    std::vector<std::uint8_t> doomed(kCount / 8 + 1);
    for (std::uint32_t i = 0; i < kCount; i += 3) set_bit(doomed.data(), i);
    mark_dead<K>(page.bytes, doomed.data());
    seal<K>(page.bytes);
    const BasicPageView<K> view(page.bytes);
    // All into the part that has the bitmap's zeros.
    BasicItem<K> item{ws->codes[at_end ? kCount - 1 : 1], 0, kNoBlock};
    for (std::uint16_t i = 1; delta_room(view) > 0; i++) {
      item.tid = make_tid(100000, i);
      add_delta(page.bytes, item);
    }
    ASSERT_STREQ(this->fault_of(page), nullptr);
    ASSERT_LT(view.upper() - view.lower(), static_cast<int>(delta_size<K>(0)));
    K code;
    Tid tid;
    ASSERT_TRUE(decode(view, kCut, kCut + 1, &code, &tid));
    BasicPageIdentity<K> left = identity_of(view);
    BasicPageIdentity<K> right = left;
    left.high = right.low = {code, tid};
    left.flags = 0;
    left.right = right.left = 9;
    typename TestFixture::Page parts[2];
    ASSERT_TRUE(write_slice(parts[0].bytes, left, view, 0, kCut, ws));
    ASSERT_TRUE(write_slice(parts[1].bytes, right, view, kCut, kCount, ws));
    EXPECT_STREQ(this->fault_of(parts[0]), nullptr);
    EXPECT_STREQ(this->fault_of(parts[1]), nullptr);
    EXPECT_EQ(BasicPageView<K>(parts[0].bytes).live() + BasicPageView<K>(parts[1].bytes).live(), view.live());
    // (A part whose first words are all the same stores none.)
    EXPECT_EQ(has_elias_fano(BasicPageView<K>(parts[0].bytes)), !at_end);
    EXPECT_EQ(has_elias_fano(BasicPageView<K>(parts[1].bytes)), at_end);
    BasicEntry<K> separator;
    ASSERT_TRUE(plan_split(view, 5, item.entry(), ws, &separator));
  }
}

TYPED_TEST(WidePageTest, RemovalFitsIntoAFullPage) {
  using K = TypeParam;
  for (const WideKeys shape : kAllWideKeys) {
    std::vector<BasicEntry<K>> all;
    for (std::size_t i = 0; i < 60000; i++)
      all.push_back({wide_key<KeyTraits<K>::kWords>(shape, i, 5, this->random_),
                     make_tid(static_cast<std::uint32_t>(i / 50), static_cast<std::uint16_t>(i % 50 + 1))});
    std::sort(all.begin(), all.end());
    WideTree<K> tree;
    tree.load(all, 100);
    for (const Block b : tree.leaves()) {
      const BasicPageView<K> view(tree.store().page(b));
      if (view.encoded() == 0) continue;
      std::vector<std::uint8_t> doomed(view.encoded() / 8 + 1);
      for (unsigned i = 0; i < view.encoded(); i++) set_bit(doomed.data(), i);
      mark_dead<K>(tree.store().page(b), doomed.data());
      seal<K>(tree.store().page(b));
      ASSERT_EQ(check_page(tree.store().page(b), this->ws_.get()).text(), nullptr);
      ASSERT_EQ(view.live(), 0u);
    }
  }
}

// Entries whose size is no multiple of 8 arrive where words of kill marks stand.
TYPED_TEST(WidePageTest, EntriesArriveOverKillMarks) {
  using K = TypeParam;
  BasicPlannedSegment<K> p{};
  p.key.word[0].line = {1000, Code{1} << 16, 16, 0};
  p.first_code.word[0] = 1000;
  p.tids.model = {1, 1, 0, 0};
  p.tids.scale = 100;
  p.count = 36000;
  typename TestFixture::Page page;
  BasicPageWriter<K> writer(
      page.bytes, {TreeId::keys, 0, kRightmost, kNoBlock, kNoBlock, lowest_entry<K>(), lowest_entry<K>()});
  writer.add(p, {});
  writer.finish(nullptr, 0);
  const BasicPageView<K> view(page.bytes);
  BasicItem<K> item{p.first_code, 0, kNoBlock};
  for (std::uint16_t i = 1; delta_room(view) > 0; i++) {
    BasicKillMarker<K> marker(page.bytes);
    for (unsigned r = 0; r < view.encoded(); r += 2) marker.add(r, r + 1);
    marker.finish();
    item.tid = make_tid(100000, i);
    add_delta(page.bytes, item);
    ASSERT_EQ(this->fault_of(page), nullptr) << i << " entries";
    ASSERT_EQ(check_header(view).text(), nullptr);
  }
}

// The last entries of a page that has a dead bitmap already leave a hole of a few bytes only, from which parts of a word stick out.
TYPED_TEST(WidePageTest, NothingIsLeftOfKillMarksInASmallHole) {
  using K = TypeParam;
  std::set<std::size_t> holes;
  for (unsigned count = 46000; count < 46400; count += 8) {
    BasicPlannedSegment<K> p{};
    p.key.word[0].line = {1000, Code{1} << 16, 16, 0};
    p.first_code.word[0] = 1000;
    p.tids.model = {1, 1, 0, 0};
    p.tids.scale = 100;
    p.count = count;
    typename TestFixture::Page page;
    BasicPageWriter<K> writer(
        page.bytes, {TreeId::keys, 0, kRightmost, kNoBlock, kNoBlock, lowest_entry<K>(), lowest_entry<K>()});
    writer.add(p, {});
    // No room is kept for the bitmap, as it is there.
    std::vector<std::uint8_t> dead(count / 8 + 1);
    set_bit(dead.data(), 5);
    writer.finish(dead.data(), 1);
    const BasicPageView<K> view(page.bytes);
    BasicItem<K> item{p.first_code, 0, kNoBlock};
    for (std::uint16_t i = 1; delta_room(view) > 0; i++) {
      // (What comes before is the test above.)
      if (delta_room(view) == 1) {
        BasicKillMarker<K> marker(page.bytes);
        for (unsigned r = 0; r < view.encoded(); r += 2) marker.add(r, r + 1);
        marker.finish();
      }
      item.tid = make_tid(100000, i);
      add_delta(page.bytes, item);
    }
    ASSERT_EQ(this->fault_of(page), nullptr) << count << " entries";
    ASSERT_EQ(check_header(view).text(), nullptr);
    holes.insert(view.upper() - std::size_t{view.lower()});
  }
  EXPECT_LT(*holes.begin(), 8u);
}

// Marks stay with their entries, through merges and splits.
TYPED_TEST(WidePageTest, KillMarksFollowTheirEntries) {
  using K = TypeParam;
  std::vector<BasicEntry<K>> all;
  for (std::size_t i = 0; i < 12000; i++)
    all.push_back({wide_key<KeyTraits<K>::kWords>(WideKeys::few_many, i, 10, this->random_),
                   make_tid(static_cast<std::uint32_t>(i / 50), static_cast<std::uint16_t>(i % 50 + 1))});
  std::vector<BasicEntry<K>> later(all.begin() + 9000, all.end());
  all.resize(9000);
  std::sort(all.begin(), all.end());
  WideTree<K> tree;
  tree.load(all, 80);
  std::set<BasicEntry<K>> killed;
  std::size_t seen = 0;
  const auto for_each = [&](auto visit) {
    for (const Block b : tree.leaves()) {
      std::uint8_t* bytes = tree.store().page(b);
      const BasicPageView<K> view(bytes);
      for (unsigned r = 0; r < view.encoded(); r++) {
        BasicEntry<K> e{};
        ASSERT_TRUE(decode(view, r, r + 1, &e.code, &e.tid));
        visit(bytes, r, e);
      }
    }
  };
  for_each([&](std::uint8_t* bytes, unsigned r, const BasicEntry<K>& e) {
    if (e.tid % 3 != 0) return;
    BasicKillMarker<K> marker(bytes);
    marker.add(r, r + 1);
    marker.finish();
    killed.insert(e);
  });
  for (const auto& e : later) tree.insert(e);
  tree.expect_sound();
  for_each([&](std::uint8_t* bytes, unsigned r, const BasicEntry<K>& e) {
    if (!KillMarks(BasicPageView<K>(bytes)).killed(r)) return;
    seen++;
    EXPECT_TRUE(killed.contains(e));
  });
  EXPECT_GT(seen, killed.size() / 4);  // a full page has no room for all
}

}  // namespace
}  // namespace learned
