// Reading pages: decoding against a bit-by-bit decoder, searching against std::lower_bound, and damage.
#include "core/page/view.hpp"

#include <gtest/gtest.h>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

class PageViewTest : public ::testing::Test {
 protected:
  // A full page of the shape; its entries.
  Items fill(Keys keys, Tids tids, unsigned level, std::size_t n) {
    const Entries entries = make_entries(keys, tids, n, random_);
    Items items = level > 0 ? make_items(entries, random_() % 2 == 0, random_) : as_items(entries);
    items.resize(fill_page(page_, leaf_identity(level), items, ws_.get()));
    return items;
  }

  void expect_search_right(const Items& items, const Entry& key) {
    const auto expected = std::lower_bound(items.begin(), items.end(), key,
                                           [](const Item& i, const Entry& e) { return i.entry() < e; });
    unsigned rank = 0;
    ASSERT_TRUE(lower_bound(PageView(page_), key, &rank));
    ASSERT_EQ(rank, expected - items.begin()) << "code " << key.code << " tid " << key.tid;
  }

  // The entry, and all positions next to it.
  void expect_search_right_around(const Items& items, const Entry& e) {
    for (const Code code : {e.code - 1, e.code, e.code + 1}) {
      for (const Tid tid : {Tid{0}, e.tid > 0 ? e.tid - 1 : 0, e.tid, e.tid + 1, kMaxTid}) {
        expect_search_right(items, {code, tid & kMaxTid});
      }
    }
  }

  // All entries of a code, and where the only one is.
  void expect_range_right(const Items& items, Code code) {
    const auto less = [](const Item& i, Code c) { return i.code < c; };
    const auto first = std::lower_bound(items.begin(), items.end(), code, less);
    const auto last = code == kMaxCode ? items.end() : std::lower_bound(first, items.end(), code + 1, less);
    unsigned begin = 0;
    unsigned end = 0;
    SegmentRef found;
    ASSERT_TRUE(equal_range(PageView(page_), code, &begin, &end, &found));
    ASSERT_EQ(begin, first - items.begin()) << "code " << code;
    ASSERT_EQ(end, last - items.begin()) << "code " << code;
    if (last - first != 1 || found.count == 0) return;
    ASSERT_GE(begin, found.first_rank);
    ASSERT_LT(begin - found.first_rank, found.count);
    ASSERT_EQ(found.tid_at(begin - found.first_rank), first->tid);
    singles_++;
  }

  // Whatever a reader may do with a page that passed check_header(): nothing may crash.
  void read_everything(const std::uint8_t* bytes) {
    const PageView page(bytes);
    if (check_header(page) != nullptr) return;
    const unsigned n = page.encoded();
    Code code[64];
    Tid tid[64];
    Block child[64];
    for (unsigned begin = 0; begin < n; begin += 1 + n / 7) {
      decode(page, begin, std::min(n, begin + 64), code, tid, page.level() > 0 ? child : nullptr);
    }
    for (unsigned s = 0; s < page.segments(); s++) {
      SegmentRef ref;
      if (!load_segment(page, s, &ref)) continue;
      for (const unsigned i : {0u, ref.count / 2, ref.count - 1}) {
        (void)ref.code_at(i);
        (void)ref.tid_at(i);
        if (page.level() > 0) (void)ref.child_at(i);
      }
      (void)ref.lower_bound(random_());
    }
    for (int i = 0; i < 8; i++) {
      const Entry key{i == 0 ? 0 : i == 1 ? kMaxCode : random_(), i % 2 == 0 ? random_() & kMaxTid : 0};
      unsigned rank = 0;
      if (lower_bound(page, key, &rank)) {
        EXPECT_LE(rank, n);
      }
      unsigned end = 0;
      SegmentRef found;
      if (equal_range(page, key.code, &rank, &end, &found)) {
        EXPECT_LE(rank, end);
        EXPECT_LE(end, n);
        if (end == rank + 1 && found.count > 0) (void)found.tid_at(rank - found.first_rank);
      }
      Item item;
      if (page.level() > 0) (void)find_child(page, key, &item);
    }
    for (unsigned j = 0; j < page.deltas(); j++) (void)PageView::delta_sound(page.delta_at(j), page.level());
    if (n > 0) (void)page.is_dead(n - 1);
    (void)page_checksum(bytes);
    std::vector<std::uint64_t> copy(compact_bytes(page) / 8 + 1);
    (void)compact_copy(page, reinterpret_cast<std::uint8_t*>(copy.data()));
  }

  std::unique_ptr<Workspace> ws_ = new_workspace();
  PageBytes page_;
  Random random_{21};
  std::size_t singles_ = 0;  // ranges of one entry whose segment was told
};

TEST_F(PageViewTest, DecodesWhatWasWritten) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      for (const unsigned level : {0u, 1u}) {
        SCOPED_TRACE(name_of(keys) + " " + name_of(tids) + " level " + std::to_string(level));
        const Items items = fill(keys, tids, level, 12000);
        ASSERT_FALSE(items.empty());
        ASSERT_EQ(page_fault(page_), "");
        ASSERT_TRUE(same_items(naive_decode(page_).encoded, items, level > 0)) << "the naive decoder";
        ASSERT_TRUE(same_items(live_items(PageView(page_)), items, level > 0)) << "decode()";
      }
    }
  }
}

TEST_F(PageViewTest, DecodesEveryPart) {
  for (const Tids tids : kAllTids) {
    const Items items = fill(Keys::jumps, tids, 0, 1500);
    const PageView page(page_);
    const auto n = static_cast<unsigned>(items.size());
    for (int round = 0; round < 400; round++) {
      const auto begin = static_cast<unsigned>(random_() % (n + 1));
      const auto end = begin + static_cast<unsigned>(random_() % (n + 1 - begin));
      std::vector<Code> codes(end - begin + 1, 0xABAB);
      std::vector<Tid> ids(end - begin + 1, 0xABAB);
      ASSERT_TRUE(decode(page, begin, end, codes.data(), ids.data()));
      for (unsigned i = begin; i < end; i++) {
        ASSERT_EQ(codes[i - begin], items[i].code);
        ASSERT_EQ(ids[i - begin], items[i].tid) << name_of(tids) << " rank " << i << " from " << begin;
      }
      ASSERT_EQ(codes.back(), 0xABABu) << "wrote too far";
      ASSERT_EQ(ids.back(), 0xABABu);
    }
    Code code;
    Tid tid;
    EXPECT_TRUE(decode(page, n, n, &code, &tid));
    EXPECT_FALSE(decode(page, n, n + 1, &code, &tid));
  }
}

TEST_F(PageViewTest, SearchFindsEveryEntryAndItsNeighbours) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : {Tids::append, Tids::random, Tids::varied_rows}) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      const Items items = fill(keys, tids, 0, 3000);
      for (const Item& item : items) {
        expect_search_right_around(items, item.entry());
        if (HasFatalFailure()) return;
      }
      for (const Entry& e : {Entry{0, 0}, Entry{0, kMaxTid}, Entry{kMaxCode, 0}, Entry{kMaxCode, kMaxTid}}) {
        expect_search_right(items, e);
      }
      for (int i = 0; i < 1000; i++) expect_search_right(items, {random_(), random_() & kMaxTid});
    }
  }
}

TEST_F(PageViewTest, SearchIsRightOnTheLargestPages) {
  for (const Keys keys : {Keys::serial, Keys::stride, Keys::one_value, Keys::thirds, Keys::top_serial}) {
    SCOPED_TRACE(name_of(keys));
    const Items items = fill(keys, Tids::append, 0, 60000);
    if (keys != Keys::thirds) {
      EXPECT_GT(items.size(), 30000u);
    }
    EXPECT_LE(items.size(), kMaxEntries);
    for (std::size_t i = 0; i < items.size(); i += 7) {
      expect_search_right_around(items, items[i].entry());
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(PageViewTest, EqualRangeIsThatOfTheCode) {
  for (const Keys keys : kAllKeys) {
    SCOPED_TRACE(name_of(keys));
    const Items items = fill(keys, Tids::random, 0, 3000);
    for (const Item& item : items) {
      for (const Code code : {item.code - 1, item.code, item.code + 1}) {
        expect_range_right(items, code);
        if (HasFatalFailure()) return;
      }
    }
    expect_range_right(items, 0);
    expect_range_right(items, kMaxCode);
    for (int i = 0; i < 1000; i++) expect_range_right(items, random_());
  }
  EXPECT_GT(singles_, 10000u);
  // An empty page has no entry of any code.
  write_empty_page(page_, leaf_identity(0));
  expect_range_right({}, 0);
  expect_range_right({}, 7);
  expect_range_right({}, kMaxCode);
}

TEST_F(PageViewTest, SearchReadsAWindowNotTheSegment) {
  // A test that would fail if the model were bypassed: a plain binary search reads 12 codes here.
  const Items items = fill(Keys::jitter, Tids::append, 0, 6000);
  ASSERT_GT(items.size(), 3000u);
  const PageView page(page_);
  std::size_t probes = 0;
  std::size_t segments = 0;
  for (unsigned s = 0; s < page.segments(); s++) {
    SegmentRef ref;
    ASSERT_TRUE(load_segment(page, s, &ref));
    for (unsigned i = 0; i < ref.count; i++) {
      unsigned n = 0;
      ASSERT_EQ(ref.lower_bound(ref.code_at(i), &n), i);
      probes += n;
      segments++;
    }
  }
  EXPECT_LT(static_cast<double>(probes) / static_cast<double>(segments), 6.0);
}

TEST_F(PageViewTest, LookupsOnSlicesOfASegment) {
  // The back part of a segment keeps its slope but gets a base and a width of its own.
  for (const Keys keys : {Keys::serial, Keys::thirds, Keys::jitter, Keys::squares, Keys::one_value}) {
    const Items items = fill(keys, Tids::append, 0, 5000);
    PageBytes whole = page_;
    const auto n = static_cast<unsigned>(items.size());
    const unsigned cut = n - n / 4;
    ASSERT_TRUE(write_slice(page_, leaf_identity(), PageView(whole), cut, n, ws_.get())) << name_of(keys);
    const Items part(items.begin() + cut, items.end());
    for (const Item& item : part) {
      expect_search_right_around(part, item.entry());
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(PageViewTest, FindChildIsThatOfTheGreatestSeparatorAtOrBelow) {
  for (const Keys keys : kAllKeys) {
    SCOPED_TRACE(name_of(keys));
    Items items = make_items(make_entries(keys, Tids::random, 400, random_), true, random_);
    // A third of the separators are in the delta, out of order.
    Items late;
    Items early;
    for (const Item& item : items) (random_() % 3 == 0 && late.size() < 60 ? late : early).push_back(item);
    std::shuffle(late.begin(), late.end(), random_);
    early.resize(std::min<std::size_t>(early.size(), 150));
    ASSERT_TRUE(write_items(page_, leaf_identity(1), early, ws_.get()));
    items = early;
    for (const Item& item : late) {
      if (delta_room(PageView(page_)) == 0) break;
      add_delta(page_, item);
      items.push_back(item);
    }
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.entry() < b.entry(); });
    const auto check = [&](const Entry& key) {
      auto expected = std::upper_bound(items.begin(), items.end(), key,
                                       [](const Entry& e, const Item& i) { return e < i.entry(); });
      Item found{};
      const bool ok = find_child(PageView(page_), key, &found);
      ASSERT_EQ(ok, expected != items.begin());
      if (!ok) return;
      --expected;
      ASSERT_EQ(found.entry(), expected->entry());
      ASSERT_EQ(found.child, expected->child);
    };
    for (const Item& item : items) {
      const Entry e = item.entry();
      check(e);
      if (e != Entry{0, 0}) check(predecessor(e));
      check({e.code, kMaxTid});
      check({e.code + 1, 0});
    }
    check({kMaxCode, kMaxTid});
    check({0, 0});
  }
}

TEST_F(PageViewTest, DamagedDeltaEntryIsNoChild) {
  ASSERT_TRUE(write_items(page_, leaf_identity(1), {{0, 0, 5}}, ws_.get()));
  add_delta(page_, {100, 0, 6});
  page_.bytes[PageView(page_).upper() + 16] ^= 1;  // the child
  Item found;
  EXPECT_FALSE(find_child(PageView(page_), {100, 0}, &found));
}

TEST_F(PageViewTest, CompactCopyReadsTheSame) {
  for (const Keys keys : kAllKeys) {
    Items items = fill(keys, Tids::varied_rows, 0, 300);
    while (delta_room(PageView(page_)) > 0 && items.size() < 330) {
      const Item item{random_(), make_tid(5, 6), kNoBlock};
      add_delta(page_, item);
      items.push_back(item);
    }
    std::vector<std::uint8_t> doomed(49152 / 8);
    for (std::size_t i = 0; i < doomed.size(); i++) doomed[i] = static_cast<std::uint8_t>(random_());
    if (keys == Keys::serial || keys == Keys::random62) {
      const unsigned n = PageView(page_).encoded();
      for (unsigned i = n; i < (n + 7) / 8 * 8; i++)
        doomed[i / 8] &= static_cast<std::uint8_t>(~(1u << (i % 8)));
      mark_dead(page_, doomed.data());
    }
    const PageView page(page_);
    std::vector<std::uint64_t> memory(compact_bytes(page) / 8 + 1);
    EXPECT_LE(compact_bytes(page), kPageSize + 8);
    const PageView copy = compact_copy(page, reinterpret_cast<std::uint8_t*>(memory.data()));
    EXPECT_EQ(check_header(copy), nullptr);
    EXPECT_TRUE(same_items(live_items(copy), live_items(page), false));
    EXPECT_EQ(copy.low(), page.low());
    for (int i = 0; i < 200; i++) {
      const Entry key{i < 100 ? random_() : items[random_() % items.size()].code, random_() & kMaxTid};
      unsigned a = 1;
      unsigned b = 2;
      ASSERT_TRUE(lower_bound(page, key, &a));
      ASSERT_TRUE(lower_bound(copy, key, &b));
      ASSERT_EQ(a, b);
    }
  }
}

TEST_F(PageViewTest, TheLargestCompactCopyFitsAPage) {
  fill(Keys::random64, Tids::random, 0, 3000);
  EXPECT_LE(compact_bytes(PageView(page_)), kPageSize + 7);
}

TEST_F(PageViewTest, OrdinalsRoundTripAtTheExtremes) {
  for (const unsigned scale : {1u, 2u, 3u, 226u, 291u, 0x7FFFu, 0xFFFEu, 0xFFFFu}) {
    for (const std::uint32_t block : {0u, 1u, 0x7FFFFFFFu, 0xFFFFFFFEu, 0xFFFFFFFFu}) {
      for (const unsigned offset : {1u, 2u, scale / 2, scale - 1, scale}) {
        if (offset < 1 || offset > scale) continue;
        const Tid tid = make_tid(block, static_cast<std::uint16_t>(offset));
        EXPECT_EQ(ordinal_to_tid(tid_to_ordinal(tid, scale), scale), tid)
            << scale << " " << block << " " << offset;
      }
    }
  }
  EXPECT_EQ(ordinal_to_tid(tid_to_ordinal(kMaxTid, 0), 0), kMaxTid);
}

// Whole parts and single entries are decoded by different code. (Beyond the domain's end they differ: by that
// check_page() knows ordinals that wrap.)
TEST_F(PageViewTest, PartsAndSingleEntriesAgreeAtTheEndsOfTheDomain) {
  fill(Keys::serial, Tids::append, 0, 600);
  const PageBytes good = page_;
  constexpr std::size_t kSegment = kSpecial - sizeof(Segment);
  for (const unsigned scale : {0u, 1u, 2u, 226u, 0xFFFFu}) {
    for (const std::uint64_t base :
         {std::uint64_t{0}, kMaxTid - 700, kMaxTid - 599, kMaxTid - 300, kMaxTid, ~std::uint64_t{0} - 10}) {
      for (const unsigned shift : {0u, 16u, 16u | ColumnModel::kDescending}) {
        page_ = good;
        auto seg = load<Segment>(page_.bytes + kSegment);
        seg.tid_base = base;
        seg.tid_scale = static_cast<std::uint16_t>(scale);
        seg.tid_shift = static_cast<std::uint8_t>(shift);
        seg.tid_slope = std::uint64_t{1} << (shift & 0x7F);
        store(page_.bytes + kSegment, seg);
        const PageView page(page_);
        SegmentRef ref;
        ASSERT_TRUE(load_segment(page, 0, &ref));
        const unsigned n = std::min(ref.count, 600u);
        std::vector<Code> codes(n);
        std::vector<Tid> tids(n);
        ASSERT_TRUE(decode(page, 0, n, codes.data(), tids.data()));
        for (unsigned i = 0; i < n; i++) {
          if (ref.tids.model.predict(i) > kMaxTid) continue;
          ASSERT_EQ(tids[i], ref.tid_at(i))
              << "scale " << scale << " base " << base << " shift " << shift << " rank " << i;
          ASSERT_EQ(codes[i], ref.code_at(i));
        }
      }
    }
  }
}

// --- damage ---

TEST_F(PageViewTest, HeaderFaultsAreNamed) {
  fill(Keys::jitter, Tids::append, 0, 500);
  const PageBytes good = page_;
  const auto fault_with = [&](std::size_t at, auto value) -> std::string {
    page_ = good;
    store(page_.bytes + at, value);
    const Fault fault = check_header(PageView(page_));
    return fault ? fault.text() : "";
  };
  const auto trailer = [](std::size_t field) { return kSpecial + field; };
  using U8 = std::uint8_t;
  using U16 = std::uint16_t;
  EXPECT_EQ(fault_with(0, U8{1}), "");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, magic)), U8{1}),
            "page is not a page of a learned index");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, version)), U8{0}), "page has another format version");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, version)), U8{kNewestFormat + 1}),
            "page has a newer format version");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, code_width)), U8{16}), "page has an unknown code width");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, tree)), U8{2}), "page belongs to an unknown tree");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, segments)), U16{200}),
            "segment directory exceeds the page");
  EXPECT_EQ(fault_with(kSpecialOffset, U16{8000}), "page trailer is displaced");
  EXPECT_EQ(fault_with(kLowerOffset, U16{8190}), "page areas overlap");
  EXPECT_EQ(fault_with(kLowerOffset, U16{0}), "page areas overlap");
  EXPECT_EQ(fault_with(kUpperOffset, U16{0xFFFF}), "page areas overlap");
  EXPECT_EQ(fault_with(kUpperOffset, static_cast<U16>(PageView(good).upper() - 1)),
            "delta area has a broken length");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, encoded)), U16{49153}), "entry counts are impossible");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, encoded)), U16{0}),
            "entry and segment counts contradict each other");
  EXPECT_EQ(fault_with(trailer(offsetof(PageTrailer, dead)), U16{1}), "dead entries without a dead bitmap");
  page_ = good;
  EXPECT_EQ(check_header(PageView(page_)), nullptr);
}

TEST_F(PageViewTest, FlippedBytesNeverCrashAReader) {
  for (const Tids tids : {Tids::append, Tids::varied_rows, Tids::random, Tids::extremes}) {
    for (const unsigned level : {0u, 1u}) {
      fill(tids == Tids::extremes ? Keys::few_values : Keys::jumps, tids, level, 400);
      const PageBytes good = page_;
      for (std::size_t at = kLowerOffset; at < kPageSize; at++) {
        if (at > 200 && at < PageView(good).dir() && at % 5 != 0) continue;  // residuals are all alike
        page_ = good;
        page_.bytes[at] = static_cast<std::uint8_t>(at % 2 == 0 ? random_() : ~page_.bytes[at]);
        read_everything(page_);
      }
    }
  }
}

TEST_F(PageViewTest, GarbageBehindAPlausibleHeaderNeverCrashesAReader) {
  int plausible = 0;
  for (int round = 0; round < 20000; round++) {
    for (std::size_t i = 0; i < kPageSize; i += 8) store(page_.bytes + i, std::uint64_t{random_()});
    PageTrailer t{};
    t.magic = kPageMagic;
    t.version = kFormatVersion;
    t.code_width = kCodeWidth;
    t.level = static_cast<std::uint8_t>(random_() % 4);
    t.segments = static_cast<std::uint16_t>(1 + random_() % 100);
    t.encoded = static_cast<std::uint16_t>(1 + random_() % (random_() % 2 == 0 ? 300 : kMaxEntries));
    t.flags = static_cast<std::uint16_t>(random_() & 15);
    const std::size_t dir = kSpecial - t.segments * segment_size(t.level);
    const std::size_t deltas = random_() % 4;
    const std::size_t upper = dir - deltas * delta_size(t.level);
    store(page_.bytes + kUpperOffset, static_cast<std::uint16_t>(upper));
    store(page_.bytes + upper - 8, std::uint64_t{0});  // as above a sound hole
    store(page_.bytes + kLowerOffset,
          static_cast<std::uint16_t>(kHeaderSize + random_() % (upper - kHeaderSize)));
    store(page_.bytes + kSpecialOffset, static_cast<std::uint16_t>(kSpecial));
    store(page_.bytes + kSpecial, t);
    // Directory entries that are sound enough to get past the first checks.
    unsigned rank = 0;
    for (unsigned s = 0; s < t.segments; s++) {
      std::uint8_t* p = page_.bytes + kSpecial - (s + 1) * segment_size(t.level);
      auto seg = load<Segment>(p);
      seg.first_rank = static_cast<std::uint16_t>(rank);
      rank += 1 + static_cast<unsigned>(random_() % (2 * t.encoded / t.segments + 1));
      seg.key_width = static_cast<std::uint8_t>(random_() % 66);
      seg.tid_width = static_cast<std::uint8_t>(random_() % 66);
      seg.child_width = static_cast<std::uint8_t>(random_() % 66);
      seg.key_shift = static_cast<std::uint8_t>((random_() & 0x80) | random_() % 18);
      seg.tid_shift = static_cast<std::uint8_t>((random_() & 0x80) | random_() % 18);
      seg.child_shift = static_cast<std::uint8_t>((random_() & 0x80) | random_() % 18);
      seg.rank_width = static_cast<std::uint8_t>(random_() % 18);
      seg.tid_codec = static_cast<TidCodec>(random_() % 4);
      seg.runs = static_cast<std::uint16_t>(random_() % 20);
      seg.offset = static_cast<std::uint16_t>(random_() % 4 == 0 ? random_() : 24 + random_() % 2000);
      store(p, seg);
    }
    plausible += check_header(PageView(page_)) == nullptr ? 1 : 0;
    read_everything(page_);
  }
  EXPECT_GT(plausible, 5000) << "or this test tries nothing";
}

}  // namespace
}  // namespace learned
