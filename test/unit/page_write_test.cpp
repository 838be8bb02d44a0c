// Changing pages: delta, dead marks, slices. Above all that a deletion always fits in place.
#include "core/page/write.hpp"

#include <gtest/gtest.h>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

class PageWriterTest : public ::testing::Test {
 protected:
  Items fill(Keys keys, Tids tids, unsigned level, std::size_t n) {
    const Entries entries = make_entries(keys, tids, n, random_);
    Items items = level > 0 ? make_items(entries, random_() % 2 == 0, random_) : as_items(entries);
    items.resize(fill_page(page_, leaf_identity(level), items, ws_.get()));
    return items;
  }

  // The checksum with one entry more; the page as it is must be sound.
  std::uint32_t next_sound() {
    bool sound = false;
    const std::uint32_t checksum = extended_checksum(page_, &sound);
    EXPECT_TRUE(sound);
    return checksum;
  }

  // Takes `entries` of the front, so that there is room behind.
  Items write(Keys keys, Tids tids, unsigned level, std::size_t n) {
    const Entries entries = make_entries(keys, tids, n, random_);
    Items items = level > 0 ? make_items(entries, false, random_) : as_items(entries);
    EXPECT_TRUE(write_items(page_, leaf_identity(level), items, ws_.get()));
    return items;
  }

  // Adds entries until there is no room; returns them.
  Items fill_delta() {
    Items added;
    std::set<Entry> present;
    for (const Item& item : live_items(PageView(page_))) present.insert(item.entry());
    while (delta_room(PageView(page_)) > 0) {
      const Item item{random_(), make_tid(static_cast<std::uint32_t>(random_()), 7),
                      PageView(page_).level() > 0 ? static_cast<Block>(random_()) : kNoBlock};
      if (!present.insert(item.entry()).second) continue;
      const unsigned room = delta_room(PageView(page_));
      const std::size_t at = next_delta_offset(PageView(page_));
      add_delta(page_, item);
      EXPECT_EQ(PageView(page_).upper(), at);
      EXPECT_EQ(delta_room(PageView(page_)), room - 1);
      added.push_back(item);
    }
    return added;
  }

  std::vector<std::uint8_t> random_bitmap(unsigned n, unsigned one_in) {
    std::vector<std::uint8_t> map((n + 7) / 8 + 1);
    for (unsigned i = 0; i < n; i++) {
      if (random_() % one_in == 0) set_bit(map.data(), i);
    }
    return map;
  }

  std::unique_ptr<Workspace> ws_ = new_workspace();
  PageBytes page_;
  Random random_{41};
};

TEST_F(PageWriterTest, EmptyPage) {
  for (const unsigned level : {0u, 1u, 5u}) {
    write_empty_page(page_, leaf_identity(level));
    const PageView page(page_);
    EXPECT_EQ(check_header(page), nullptr);
    EXPECT_EQ(page.encoded(), 0u);
    EXPECT_EQ(page.live(), 0u);
    EXPECT_EQ(delta_room(page), kMaxDelta);
    unsigned rank = 9;
    EXPECT_TRUE(lower_bound(page, {5, 5}, &rank));
    EXPECT_EQ(rank, 0u);
    Item item;
    EXPECT_FALSE(find_child(page, {5, 5}, &item));
  }
}

TEST_F(PageWriterTest, KeepsTheServersLogPosition) {
  std::memset(page_.bytes, 0x5A, kPageSize);
  write_empty_page(page_, leaf_identity());
  for (std::size_t i = 0; i < 8; i++) EXPECT_EQ(page_.bytes[i], 0x5A);
  for (std::size_t i = kHeaderSize; i < kSpecial; i++) ASSERT_EQ(page_.bytes[i], 0);
}

TEST_F(PageWriterTest, ExtendsWhatALinePredicts) {
  // Every shape: entries that the page says to continue its line are counted in, all others go into the delta. The
  // page always decodes to what was put in, and where nothing was extended the shape had a reason.
  std::size_t extended = 0;
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      const Entries entries = make_entries(keys, tids, 600, random_);
      if (entries.size() < 300) continue;
      Entries here(entries.begin(), entries.begin() + 200);
      if (!write_entries(page_, leaf_identity(), here, ws_.get())) continue;
      for (std::size_t i = 200; i < entries.size() && delta_room(PageView(page_)) > 0; i++) {
        const Item item{entries[i].code, entries[i].tid, kNoBlock};
        // Neither a neighbour of the key nor one of the TID is taken for it.
        EXPECT_FALSE(continues_exactly(PageView(page_), {item.code + 1, item.tid, kNoBlock}) &&
                     continues_exactly(PageView(page_), item));
        EXPECT_FALSE(continues_exactly(PageView(page_), {item.code, item.tid + 1, kNoBlock}) &&
                     continues_exactly(PageView(page_), item));
        if (continues_exactly(PageView(page_), item)) {
          PageBytes before = page_;
          extend_exactly(page_, next_sound());
          for (std::size_t at = 0; at < kPageSize; at++) {
            if (at >= kExtendedOffset && at < kExtendedOffset + kExtendedBytes) continue;
            ASSERT_EQ(before.bytes[at], page_.bytes[at]) << "at " << at;
          }
          extended++;
        } else {
          add_delta(page_, item);
        }
        here.push_back(entries[i]);
      }
      EXPECT_EQ(page_fault(page_), "");
      EXPECT_EQ(check_header(PageView(page_)), nullptr);
      EXPECT_TRUE(same_items(naive_decode(page_).live(), as_items(here), false));
    }
  }
  EXPECT_GT(extended, 500u);
}

TEST_F(PageWriterTest, ExtendsNoPageWithDeltaOrDeadMarks) {
  const Entries entries = make_entries(Keys::serial, Tids::append, 500, random_);
  const Entries here(entries.begin(), entries.begin() + 400);
  const Item next{entries[400].code, entries[400].tid, kNoBlock};
  ASSERT_TRUE(write_entries(page_, leaf_identity(), here, ws_.get()));
  EXPECT_TRUE(continues_exactly(PageView(page_), next));
  add_delta(page_, {entries[450].code, entries[450].tid, kNoBlock});
  EXPECT_FALSE(continues_exactly(PageView(page_), next));
  ASSERT_TRUE(write_entries(page_, leaf_identity(), here, ws_.get()));
  std::vector<std::uint8_t> doomed(400 / 8 + 1);
  set_bit(doomed.data(), 7);
  mark_dead(page_, doomed.data());
  EXPECT_FALSE(continues_exactly(PageView(page_), next));
  write_empty_page(page_, leaf_identity());
  EXPECT_FALSE(continues_exactly(PageView(page_), next));
  // A page that is full to its last entry is not extended: the bitmap of deletions would not fit.
  ASSERT_TRUE(write_entries(page_, leaf_identity(), here, ws_.get()));
  std::size_t n = 400;
  const Entries more = make_entries(Keys::serial, Tids::append, kMaxEntries + 200, random_);
  ASSERT_TRUE(write_entries(page_, leaf_identity(), Entries(more.begin(), more.begin() + 400), ws_.get()));
  while (n < more.size() && delta_room(PageView(page_)) > 0 &&
         continues_exactly(PageView(page_), {more[n].code, more[n].tid, kNoBlock})) {
    extend_exactly(page_, next_sound());
    n++;
  }
  EXPECT_EQ(n, kMaxEntries);
  EXPECT_EQ(page_fault(page_), "");
}

// Runs, which end where the line does, or the room for dead marks.
TEST_F(PageWriterTest, ExtendsByAsManyAsTheLinePredicts) {
  const Entries more = make_entries(Keys::serial, Tids::append, kMaxEntries + 200, random_);
  std::size_t n = 400;
  ASSERT_TRUE(write_entries(page_, leaf_identity(), Entries(more.begin(), more.begin() + 400), ws_.get()));
  Items next = as_items({more.begin() + 400, more.begin() + 500});
  EXPECT_EQ(continued_exactly(PageView(page_), next), kMostContinued);
  EXPECT_EQ(continued_exactly(PageView(page_), std::span(next).first(7)), 7u);
  next[10].tid++;
  EXPECT_EQ(continued_exactly(PageView(page_), next), 10u);
  next[0].code++;
  EXPECT_EQ(continued_exactly(PageView(page_), next), 0u);
  for (;;) {
    const std::size_t offered = std::min<std::size_t>(more.size() - n, 1 + random_() % 100);
    next = as_items({more.begin() + static_cast<std::ptrdiff_t>(n),
                     more.begin() + static_cast<std::ptrdiff_t>(n + offered)});
    const unsigned taken = delta_room(PageView(page_)) > 0 ? continued_exactly(PageView(page_), next) : 0;
    if (taken == 0) break;
    bool sound = false;
    const std::uint32_t checksum = extended_checksum(page_, &sound, taken);
    ASSERT_TRUE(sound);
    extend_exactly(page_, checksum, taken);
    n += taken;
    ASSERT_EQ(PageView(page_).encoded(), n);
  }
  EXPECT_EQ(n, kMaxEntries);
  EXPECT_EQ(page_fault(page_), "");
  EXPECT_EQ(live_items(PageView(page_)).size(), n);
}

TEST_F(PageWriterTest, IdentityRoundTrips) {
  const PageIdentity id{TreeId::nulls, 3, kIncompleteSplit, 17, 18, {1, 2}, {kMaxCode, kMaxTid}};
  write_empty_page(page_, id);
  const PageIdentity back = identity_of(PageView(page_));
  EXPECT_EQ(back.tree, id.tree);
  EXPECT_EQ(back.level, id.level);
  EXPECT_EQ(back.flags, id.flags);
  EXPECT_EQ(back.left, id.left);
  EXPECT_EQ(back.right, id.right);
  EXPECT_EQ(back.low, id.low);
  EXPECT_EQ(back.high, id.high);
  set_left(page_, 5);
  set_low(page_, {9, 9});
  set_flags(page_, kRightmost);
  EXPECT_EQ(PageView(page_).left(), 5u);
  EXPECT_EQ(PageView(page_).low(), (Entry{9, 9}));
  EXPECT_TRUE(PageView(page_).rightmost());
}

TEST_F(PageWriterTest, PlanFitsTellsTheTruth) {
  // The largest plan that fits fills the page to the last byte but a few; one more entry does not fit.
  for (const Keys keys : {Keys::random64, Keys::random62, Keys::extremes}) {
    const Entries entries = make_entries(keys, Tids::extremes, 3000, random_);
    std::size_t lo = 1;
    std::size_t hi = entries.size();
    while (hi - lo > 1) {
      const std::size_t mid = (lo + hi) / 2;
      (write_entries(page_, leaf_identity(),
                     Entries(entries.begin(), entries.begin() + static_cast<long>(mid)), ws_.get())
           ? lo
           : hi) = mid;
    }
    ASSERT_TRUE(write_entries(page_, leaf_identity(),
                              Entries(entries.begin(), entries.begin() + static_cast<long>(lo)), ws_.get()));
    ASSERT_EQ(page_fault(page_), "");
    const std::size_t free = PageView(page_).upper() - PageView(page_).lower() - (lo + 7) / 8;
    EXPECT_LT(free, 80u) << name_of(keys);
  }
}

TEST_F(PageWriterTest, DeltaKeepsTheOrderOfArrival) {
  for (const unsigned level : {0u, 1u}) {
    const Items items = write(Keys::jitter, Tids::append, level, 300);
    const Items added = fill_delta();
    EXPECT_EQ(added.size(), kMaxDelta);
    ASSERT_EQ(naive_decode(page_).delta.size(), added.size());
    EXPECT_TRUE(same_items(naive_decode(page_).delta, added, level > 0));
    EXPECT_TRUE(same_items(naive_decode(page_).encoded, items, level > 0));
    EXPECT_EQ(PageView(page_).live(), items.size() + added.size());
    EXPECT_EQ(delta_room(PageView(page_)), 0u);
    EXPECT_EQ(page_checksum(page_), PageView(page_).trailer().check) << "the delta is outside the checksum";
  }
}

// The proof in core/page/write.hpp, tried: whatever a page holds, filled to the last delta entry, any set of its
// entries can be marked dead without moving a thing.
TEST_F(PageWriterTest, ADeletionAlwaysFitsInPlace) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      for (const unsigned level : {0u, 1u}) {
        SCOPED_TRACE(name_of(keys) + " " + name_of(tids) + " level " + std::to_string(level));
        const std::size_t n = random_() % 2 == 0 ? 60000 : 200 + random_() % 2000;
        Items items = fill(keys, tids, level, n);
        const Items added = fill_delta();
        const PageView page(page_);
        ASSERT_EQ(delta_room(page), 0u);
        const unsigned upper = page.upper();
        std::set<unsigned> gone;
        for (int round = 0; round < 3; round++) {
          const auto map = random_bitmap(page.encoded(), round == 2 ? 1 : 2);
          for (unsigned r = 0; r < page.encoded(); r++) {
            if (test_bit(map.data(), r)) gone.insert(r);
          }
          mark_dead(page_, map.data());
          seal(page_);
          ASSERT_EQ(check_header(page), nullptr);
          ASSERT_EQ(page.upper(), upper) << "the delta did not move";
          ASSERT_EQ(page.dead(), gone.size());
          const Decoded decoded = naive_decode(page_);
          ASSERT_TRUE(same_items(decoded.encoded, items, level > 0));
          for (unsigned r = 0; r < page.encoded(); r++) ASSERT_EQ(decoded.dead[r], gone.count(r) == 1);
          ASSERT_TRUE(same_items(decoded.delta, added, level > 0));
        }
      }
    }
  }
}

TEST_F(PageWriterTest, DeletionFitsOnTheLargestPage) {
  fill(Keys::serial, Tids::append, 0, 60000);
  ASSERT_EQ(PageView(page_).encoded(), kMaxEntries);
  fill_delta();
  std::vector<std::uint8_t> all(kMaxEntries / 8, 0xFF);
  mark_dead(page_, all.data());
  seal(page_);
  ASSERT_EQ(check_header(PageView(page_)), nullptr);
  EXPECT_EQ(PageView(page_).dead(), kMaxEntries);
  EXPECT_EQ(PageView(page_).live(), PageView(page_).deltas());
}

TEST_F(PageWriterTest, DeltaAfterDeletionMayUseWhatIsFreeOnly) {
  // With a bitmap there is no reserve any more; the delta may take the rest, and marks still fit (in place).
  for (int round = 0; round < 50; round++) {
    const Items items = fill(Keys::jitter, Tids::varied_rows, 0, 2000 + random_() % 3000);
    auto map = random_bitmap(PageView(page_).encoded(), 5);
    mark_dead(page_, map.data());
    seal(page_);
    ASSERT_EQ(page_fault(page_), "");
    fill_delta();
    map = random_bitmap(PageView(page_).encoded(), 2);
    mark_dead(page_, map.data());
    seal(page_);
    ASSERT_EQ(page_fault(page_), "");
    ASSERT_TRUE(same_items(naive_decode(page_).encoded, items, false));
  }
}

TEST_F(PageWriterTest, RemoveDeltasKeepsTheOthersInOrder) {
  for (const unsigned level : {0u, 1u}) {
    for (int round = 0; round < 60; round++) {
      write(Keys::jitter, Tids::append, level, 1 + random_() % 300);
      const Items added = fill_delta();
      const auto map =
          random_bitmap(static_cast<unsigned>(added.size()), 1 + static_cast<unsigned>(random_() % 4));
      Items kept;
      for (std::size_t j = 0; j < added.size(); j++) {
        if (!test_bit(map.data(), j)) kept.push_back(added[j]);
      }
      remove_deltas(page_, map.data());
      seal(page_);
      ASSERT_EQ(page_fault(page_), "");
      ASSERT_TRUE(same_items(naive_decode(page_).delta, kept, level > 0));
    }
  }
}

TEST_F(PageWriterTest, KeptSegmentsAreCopiedBitByBit) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      for (const unsigned level : {0u, 1u}) {
        const Items items = fill(keys, tids, level, 4000);
        const PageBytes old = page_;
        const Columns columns = workspace_columns(ws_.get(), level);
        SegmentPlanner plan(ws_->segments, columns, level);
        for (unsigned s = 0; s < PageView(old).segments(); s++) {
          PlannedSegment p{};
          ASSERT_TRUE(keep_segment(PageView(old), s, &p));
          plan.keep(p);
        }
        ASSERT_EQ(plan.entries(), items.size());
        PageBytes copy;
        write_page(copy, leaf_identity(level), plan, columns, nullptr, 0);
        EXPECT_EQ(std::memcmp(copy, old, kPageSize), 0)
            << name_of(keys) << " " << name_of(tids) << " " << level;
      }
    }
  }
}

TEST_F(PageWriterTest, SlicesHoldTheirPartOfEverything) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      const auto level = static_cast<unsigned>(random_() % 2);
      // Half a page: room for what the parts cost more.
      const Items items = write(keys, tids, level, 250);
      fill_delta();
      const unsigned n = PageView(page_).encoded();
      const bool with_dead = random_() % 2 == 0;
      if (with_dead) {
        const auto map = random_bitmap(n, 3);
        mark_dead(page_, map.data());
        seal(page_);
      }
      const Decoded whole = naive_decode(page_);
      for (int round = 0; round < 10; round++) {
        const auto begin = static_cast<unsigned>(random_() % n);
        const auto end = begin + 1 + static_cast<unsigned>(random_() % (n - begin));
        PageIdentity id = leaf_identity(level);
        id.flags = end == n ? kRightmost : 0;
        if (begin > 0) id.low = items[begin].entry();
        if (end < n) id.high = items[end].entry();
        id.right = end < n ? 77 : kNoBlock;
        id.left = begin > 0 ? 78 : kNoBlock;
        PageBytes out;
        ASSERT_TRUE(write_slice(out, id, PageView(page_), begin, end, ws_.get())) << begin << " " << end;
        const Decoded part = naive_decode(out);
        ASSERT_EQ(check_header(PageView(out)), nullptr);
        ASSERT_TRUE(same_items(part.encoded, Items(items.begin() + begin, items.begin() + end), level > 0));
        for (unsigned i = 0; i < end - begin; i++) ASSERT_EQ(part.dead[i], whole.dead[begin + i]);
        for (const Item& item : part.delta) ASSERT_TRUE(PageView(out).covers(item.entry()));
        const auto expected = std::count_if(whole.delta.begin(), whole.delta.end(), [&](const Item& item) {
          return PageView(out).covers(item.entry());
        });
        ASSERT_EQ(part.delta.size(), static_cast<std::size_t>(expected));
        ASSERT_EQ(PageView(out).trailer().check, page_checksum(out));
      }
    }
  }
}

// TIDs in runs of all kinds: of one length or not, in order or not, at the beginning of heap pages or anywhere.
std::vector<Tid> make_runs(std::size_t n, Random& random) {
  const auto longest = static_cast<unsigned>(2 + random() % 200);
  const bool one_length = random() % 2 == 0;
  const bool at_start = random() % 2 == 0;
  const int order = static_cast<int>(random() % 3);
  std::vector<Tid> tids;
  std::uint32_t block = order == 1 ? 40000000 : 5;
  while (tids.size() < n) {
    const unsigned length = one_length ? longest : 1 + static_cast<unsigned>(random() % longest);
    const auto offset = static_cast<std::uint16_t>(at_start ? 1 : 1 + random() % 60);
    for (unsigned i = 0; i < length && tids.size() < n; i++) {
      tids.push_back(make_tid(block, static_cast<std::uint16_t>(offset + i)));
    }
    if (order == 0) block += 1 + static_cast<std::uint32_t>(random() % 2);
    if (order == 1) block -= 1;
    if (order == 2) block = static_cast<std::uint32_t>(random() % 50000000);
  }
  return tids;
}

// What a part of the page's encoded entries may take: the widths of their segments, one bit more in a back part, and one
// segment for the rest of a run.
std::size_t slice_bound(const PageView& page, unsigned begin, unsigned end) {
  const auto bytes = [](std::size_t count, unsigned width) { return (count * width + 7) / 8; };
  const auto wider = [](unsigned width, bool back) { return back && width < 64 ? width + 1 : width; };
  std::size_t total = 0;
  for (unsigned s = 0; s < page.segments(); s++) {
    SegmentRef ref;
    EXPECT_TRUE(load_segment(page, s, &ref));
    const unsigned first = ref.first_rank;
    const unsigned from = std::max(begin, first);
    const unsigned to = std::min(end, first + ref.count);
    if (from >= to) continue;
    const unsigned n = to - from;
    const bool back = from > first;
    total += segment_size(page.level()) + bytes(n, wider(ref.key.width, back));
    if (page.level() > 0) total += bytes(n, wider(ref.child.width, back));
    if (ref.tids.codec == TidCodec::linear) {
      total += bytes(n, wider(ref.tids.model.width, back));
    } else if (ref.tids.codec == TidCodec::ascending) {
      // The high parts: a bit an entry, and one for each step of their range.
      total += bytes(n, ref.tids.model.width) + (n + (ref.tids.model.slope >> ref.tids.model.width) + 7) / 8;
    } else {
      unsigned runs = 0;  // that begin in the part
      bool cut = true;
      for (unsigned r = 0; r < ref.tids.runs; r++) {
        const auto start =
            static_cast<unsigned>(read_bits(ref.tid_bits.more, r, ref.tids.rank_width)) + first;
        runs += from <= start && start < to ? 1 : 0;
        cut = cut && start != from;
      }
      total += bytes(runs, ref.tids.rank_width) + bytes(runs, wider(ref.tids.model.width, back));
      // One column of keys is then two.
      if (cut) total += segment_size(page.level()) + 1;
    }
  }
  return total;
}

TEST_F(PageWriterTest, SlicesCostNoMoreThanTheirBound) {
  unsigned codecs[3] = {0, 0, 0};
  for (int round = 0; round < 400; round++) {
    const auto level = static_cast<unsigned>(round % 4 == 3);
    const Keys keys = kAllKeys[random_() % std::size(kAllKeys)];
    std::vector<Code> codes = make_codes(keys, 200 + random_() % 4000, random_);
    std::vector<Tid> tids = round % 2 == 0
                                ? make_runs(codes.size(), random_)
                                : make_tids(kAllTids[random_() % std::size(kAllTids)], codes.size(), random_);
    // (Equal keys need ascending TIDs.)
    Entries entries;
    for (std::size_t i = 0; i < codes.size(); i++) entries.push_back({codes[i], tids[i]});
    std::sort(entries.begin(), entries.end());
    entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
    Items items = level > 0 ? make_items(entries, random_() % 2 == 0, random_) : as_items(entries);
    items.resize(fill_page(page_, leaf_identity(level), items, ws_.get()));
    const PageView page(page_);
    const unsigned n = page.encoded();
    if (n < 2) continue;
    for (unsigned s = 0; s < page.segments(); s++) {
      SegmentRef ref;
      ASSERT_TRUE(load_segment(page, s, &ref));
      codecs[static_cast<int>(ref.tids.codec)]++;
    }
    for (int cut = 0; cut < 12; cut++) {
      // A full page's back part: never more than three quarters, so that it has room for what it may cost more.
      const auto begin = static_cast<unsigned>(n / 4 + random_() % (n - n / 4));
      const auto end = cut % 2 == 0 ? n : begin + 1 + static_cast<unsigned>(random_() % (n - begin));
      for (const auto& [from, to] : {std::pair(begin, end), std::pair(0u, begin)}) {
        if (from >= to) continue;
        PageIdentity id = leaf_identity(level);
        id.flags = to == n ? kRightmost : 0;
        if (from > 0) id.low = items[from].entry();
        if (to < n) id.high = items[to].entry();
        PageBytes out;
        ASSERT_TRUE(write_slice(out, id, page, from, to, ws_.get())) << round << ": " << from << " to " << to;
        const PageView part(out);
        const std::size_t taken = part.lower() - kHeaderSize + part.segments() * segment_size(level);
        ASSERT_LE(taken, slice_bound(page, from, to))
            << round << " " << name_of(keys) << ": " << from << " to " << to << " of " << n;
        ASSERT_TRUE(same_items(naive_decode(out).encoded, Items(items.begin() + from, items.begin() + to),
                               level > 0));
        // (Made of a page's first bytes: no link to its left.)
        ASSERT_EQ(page_checksum(out), part.trailer().check);
      }
    }
  }
  for (const unsigned count : codecs) EXPECT_GT(count, 20u);
}

TEST_F(PageWriterTest, ADamagedPageIsNotSliced) {
  fill(Keys::jumps, Tids::random, 0, 400);
  const unsigned n = PageView(page_).encoded();
  Segment seg;
  std::memcpy(&seg, page_.bytes + kSpecial - sizeof(Segment), sizeof seg);
  seg.key_width = 65;
  std::memcpy(page_.bytes + kSpecial - sizeof(Segment), &seg, sizeof seg);
  PageBytes out;
  EXPECT_FALSE(write_slice(out, leaf_identity(), PageView(page_), 0, n, ws_.get()));
  PlannedSegment p{};
  EXPECT_FALSE(keep_segment(PageView(page_), 0, &p));
}

}  // namespace
}  // namespace learned
