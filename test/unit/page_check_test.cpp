// check_page() on pages as the writers leave them, and on pages broken in one place each, with a valid checksum
// unless that is what is broken.
#include "core/page/check.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "support/memory_store.hpp"

namespace learned {
namespace {

struct alignas(8) Image {
  std::uint8_t bytes[kPageSize];
};

class PageCheckTest : public testing::Test {
 protected:
  const char* check(const Image& image) { return check_page(image.bytes, ws_.get()).text(); }
  const char* check_sealed(Image image) {
    seal(image.bytes);
    return check(image);
  }

  // A bulk-loaded tree; its pages begin at block 1. Block 0 stays empty.
  std::unique_ptr<MemoryStore> load(const std::vector<Entry>& entries, TreeId tree = TreeId::keys) {
    auto store = std::make_unique<MemoryStore>();
    BulkLoader<MemoryStore> loader(store.get(), ws_.get(), tree, 90, 1);
    for (const Entry& e : entries) loader.add(e.code, e.tid);
    shape_ = loader.finish();
    return store;
  }
  Image page_of(MemoryStore* store, Block block) {
    Image image;
    std::memcpy(image.bytes, store->page(block), kPageSize);
    return image;
  }

  // Entries without much order: several segments, residuals in all columns.
  static std::vector<Entry> noisy(std::size_t n) {
    std::mt19937_64 random(7);
    std::vector<Entry> entries;
    Code code = 1000;
    for (std::size_t i = 0; i < n; i++) {
      code += 1 + random() % (i / 300 % 2 == 0 ? 10 : 100000);
      entries.push_back({code, make_tid(static_cast<Block>(random() % 5000),
                                        static_cast<std::uint16_t>(1 + random() % 100))});
    }
    return entries;
  }
  // Rows of variable width: the runs codec.
  static std::vector<Entry> in_runs(std::size_t n) {
    std::mt19937_64 random(11);
    std::vector<Entry> entries;
    Block block = 0;
    std::uint16_t offset = 0;
    std::uint16_t rows = 50;
    for (std::size_t i = 0; i < n; i++) {
      if (++offset > rows) {
        block++;
        offset = 1;
        rows = static_cast<std::uint16_t>(40 + random() % 20);
      }
      entries.push_back({i * 3, make_tid(block, offset)});
    }
    return entries;
  }

  // A middle leaf, with a few delta entries between its encoded ones.
  Image leaf() {
    const auto store = load(noisy(5000));
    Image image = page_of(store.get(), 2);
    EXPECT_GT(PageView(image.bytes).segments(), 1u);
    // Rewritten with fewer entries, the page has room.
    decode_all(image);
    const PageIdentity id = identity_of(PageView(image.bytes));
    const Columns columns = workspace_columns(ws_.get(), 0);
    SegmentPlanner plan(ws_->segments, columns, 0);
    plan.push(0, 400);
    write_page(image.bytes, id, plan, columns, nullptr, 0);
    for (unsigned i = 0; i < 6; i++)
      add_delta(image.bytes, {ws_->codes[50 * i] + 1, make_tid(7, 3), kNoBlock});
    EXPECT_EQ(check(image), nullptr);
    return image;
  }
  // The root above a few hundred leaves, not quite full.
  Image inner() {
    const auto store = load(noisy(200000));
    EXPECT_GT(shape_.level, 0);
    const Image image = page_of(store.get(), shape_.root);
    EXPECT_GT(delta_room(PageView(image.bytes)), 3u);
    EXPECT_EQ(check(image), nullptr);
    return image;
  }
  void decode_all(const Image& image) {
    const PageView page(image.bytes);
    ASSERT_TRUE(
        decode(page, 0, page.encoded(), ws_->codes, ws_->tids, page.level() > 0 ? ws_->children : nullptr));
  }

  const char* with_trailer(Image image, const std::function<void(PageTrailer*)>& change) {
    auto t = learned::load<PageTrailer>(image.bytes + kSpecial);
    change(&t);
    store(image.bytes + kSpecial, t);
    return check_sealed(image);
  }
  const char* with_segment(Image image, unsigned s, const std::function<void(Segment*)>& change) {
    std::uint8_t* p = image.bytes + kSpecial - (s + 1) * segment_size(PageView(image.bytes).level());
    auto seg = learned::load<Segment>(p);
    change(&seg);
    store(p, seg);
    return check_sealed(image);
  }
  static void set_pointer(Image* image, std::size_t field, std::size_t value) {
    store(image->bytes + field, static_cast<std::uint16_t>(value));
  }

  std::unique_ptr<Workspace> ws_ = std::make_unique<Workspace>();
  TreeShape shape_{};
};

TEST_F(PageCheckTest, AcceptsBulkLoadedPages) {
  std::vector<std::vector<Entry>> inputs = {{}, {{5, make_tid(0, 1)}}, noisy(30000), in_runs(100000)};
  std::vector<Entry> serial;
  for (std::uint64_t i = 0; i < 200000; i++)
    serial.push_back({i, make_tid(static_cast<Block>(i / 226), static_cast<std::uint16_t>(1 + i % 226))});
  inputs.push_back(serial);
  std::vector<Entry> extremes = {{0, make_tid(0, 1)},
                                 {kMaxCode / 2, make_tid(9, 1)},
                                 {kMaxCode, make_tid(1, 2)},
                                 {kMaxCode, make_tid(kNoBlock - 1, 0xFFFF)}};
  inputs.push_back(extremes);
  std::vector<Entry> equal;
  for (std::uint32_t i = 0; i < 20000; i++) equal.push_back({42, make_tid(i * 3, 1 + i % 5)});
  inputs.push_back(equal);
  for (const auto& input : inputs) {
    const auto store = load(input);
    for (Block b = 1; b < shape_.next_block; b++) {
      EXPECT_EQ(check(page_of(store.get(), b)), nullptr)
          << "block " << b << " of " << input.size() << " entries";
    }
  }
  for (Entry& e : equal) e.code = 0;
  const auto store = load(equal, TreeId::nulls);
  for (Block b = 1; b < shape_.next_block; b++) EXPECT_EQ(check(page_of(store.get(), b)), nullptr);
}

TEST_F(PageCheckTest, AcceptsPagesOfATreeThatGrows) {
  MemoryStore store;
  Tree<MemoryStore> tree(&store, TreeId::keys);
  std::mt19937_64 random(3);
  for (std::uint32_t i = 0; i < 60000; i++) {
    const Code code = i % 4 == 0 ? random() : i % 4 == 1 ? random() % 1000 : i * 10;
    tree.insert({code, make_tid(i / 100, static_cast<std::uint16_t>(1 + i % 100)), kNoBlock});
  }
  for (Block b = 1; b < store.size(); b++) ASSERT_EQ(check(page_of(&store, b)), nullptr) << "block " << b;
}

TEST_F(PageCheckTest, LeavesTheContentInTheWorkspace) {
  const Image image = leaf();
  ASSERT_EQ(check(image), nullptr);
  const PageView page(image.bytes);
  EXPECT_LE(page.low(), (Entry{ws_->codes[0], ws_->tids[0]}));
  EXPECT_TRUE(std::is_sorted(ws_->codes, ws_->codes + page.encoded()));
  EXPECT_TRUE(std::is_sorted(ws_->delta, ws_->delta + page.deltas(),
                             [](const Item& a, const Item& b) { return a.entry() < b.entry(); }));
}

TEST_F(PageCheckTest, Header) {
  const Image image = leaf();
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->magic++; }),
               "page is not a page of a learned index");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->version = kNewestFormat + 1; }),
               "page has a newer format version");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->version = 0; }),
               "page has another format version");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->flags |= 0x4000; }), "page has unknown flags");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->reserved = 1; }),
               "reserved field of the page trailer is not zero");
  EXPECT_STREQ(check(Image{}), "page is not a page of a learned index");
}

// The checksum covers what the delta's own checks and the emptiness of the hole do not.
TEST_F(PageCheckTest, NoByteChangesUnnoticed) {
  const Image image = leaf();
  const PageView page(image.bytes);
  for (std::size_t at = kHeaderSize; at < kPageSize; at++) {
    Image broken = image;
    broken.bytes[at] ^= 0x10;
    EXPECT_NE(check(broken), nullptr) << at;
  }
  Image broken = image;
  broken.bytes[kHeaderSize] ^= 1;
  EXPECT_STREQ(check(broken), "page checksum does not match");
  broken = image;
  broken.bytes[kill_mark_area(page).base] = 1;
  EXPECT_STREQ(check(broken), "kill mark does not match its check");
}

TEST_F(PageCheckTest, KillMarksAreTheOnlyThingInTheHole) {
  Image image = leaf();
  KillMarker marker(image.bytes);
  marker.add(0, 2);
  ASSERT_TRUE(marker.finish());
  EXPECT_EQ(check(image), nullptr);
  const PageView page(image.bytes);
  const KillMarkArea area = kill_mark_area(page);
  for (std::size_t at = page.lower(); at < page.upper(); at++) {
    for (int bit = 0; bit < 8; bit++) {
      Image broken = image;
      broken.bytes[at] ^= static_cast<std::uint8_t>(1 << bit);
      const bool mark = at >= area.base && at < area.base + 8 * area.words;
      ASSERT_STREQ(check(broken), mark                      ? "kill mark does not match its check"
                                  : at >= page.upper() - 8u ? "delta area is cut off"
                                                            : "hole of the page is not empty")
          << at;
    }
  }
}

TEST_F(PageCheckTest, ADeletedPageIsEmpty) {
  const Image image = leaf();
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->flags |= kDeleted; }), "deleted page has entries");
  PageIdentity id = identity_of(PageView(image.bytes));
  id.flags |= kDeleted;
  id.low = id.high;
  Image deleted{};
  write_empty_page(deleted.bytes, id);
  EXPECT_EQ(check(deleted), nullptr);
  EXPECT_STREQ(with_trailer(deleted, [](PageTrailer* t) { t->reserved = 1; }),
               "reserved field of the page trailer is not zero");
}

TEST_F(PageCheckTest, Fences) {
  const Image image = leaf();
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->flags |= kRightmost; }),
               "rightmost page has a right sibling");
  EXPECT_STREQ(with_trailer(image,
                            [](PageTrailer* t) {
                              t->flags |= kRightmost;
                              t->right = kNoBlock;
                            }),
               "rightmost page has a high fence");
  EXPECT_STREQ(with_trailer(image,
                            [](PageTrailer* t) {
                              t->flags |= kRightmost | kIncompleteSplit;
                              t->right = kNoBlock;
                              t->high = {0, 0};
                            }),
               "incomplete split without a right sibling");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->right = kNoBlock; }),
               "page without a right sibling is not marked as the rightmost one");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->right = kMetaBlock; }),
               "right link leads to the metapage");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->left = kMetaBlock; }),
               "left link leads to the metapage");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->high = t->low; }),
               "low fence is not below the high fence");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->left = kNoBlock; }),
               "left link and low fence contradict each other");
  EXPECT_STREQ(with_trailer(image,
                            [](PageTrailer* t) {
                              t->low = {0, 0};
                            }),
               "left link and low fence contradict each other");
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->tree = 1; }),
               "fence in the tree of nulls has a key");
}

TEST_F(PageCheckTest, SegmentFields) {
  const Image image = leaf();
  const unsigned last = PageView(image.bytes).segments() - 1;
  ASSERT_GT(last, 0u);
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->first_rank = 1; }),
               "ranks of the segments do not begin at 0");
  EXPECT_STREQ(with_segment(image, last, [](Segment* s) { s->first_rank = 0; }),
               "ranks of the segments do not ascend");
  EXPECT_STREQ(with_segment(image, last, [](Segment* s) { s->first_rank = 60000; }),
               "ranks of the segments do not ascend");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->key_width = 65; }),
               "segment has an impossible key model");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->key_shift = 17; }),
               "segment has an impossible key model");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->tid_width = 65; }),
               "segment has an impossible tid model");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->tid_codec = static_cast<TidCodec>(9); }),
               "segment has an unknown tid codec");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->runs = 1; }), "segment without runs counts some");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->child_width = 1; }),
               "segment has an impossible child model");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->offset = 0; }),
               "residuals of a segment overlap what is before them");
  EXPECT_STREQ(with_segment(image, last, [](Segment* s) { s->offset--; }),
               "residuals of a segment overlap what is before them");
  EXPECT_STREQ(with_segment(image, last, [](Segment* s) { s->offset++; }),
               "residuals of a segment exceed their area");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->first_code++; }),
               "first code of a segment is not that of its first entry");
}

TEST_F(PageCheckTest, ResidualsMayNotReachIntoTheDeadBitmap) {
  Image image = leaf();
  std::vector<std::uint8_t> doomed(kMaxEntries / 8);
  doomed[0] = 1;
  mark_dead(image.bytes, doomed.data());
  const unsigned last = PageView(image.bytes).segments() - 1;
  ASSERT_EQ(check_sealed(image), nullptr);
  EXPECT_STREQ(with_segment(image, last, [](Segment* s) { s->offset++; }),
               "residuals of a segment exceed their area");
}

TEST_F(PageCheckTest, Runs) {
  const auto store = load(in_runs(100000));
  const Image image = page_of(store.get(), 2);
  ASSERT_EQ(learned::load<Segment>(image.bytes + kSpecial - sizeof(Segment)).tid_codec, TidCodec::runs);
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->runs = 0; }), "segment has impossible runs");
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->rank_width = 17; }), "segment has impossible runs");

  SegmentRef ref;
  ASSERT_TRUE(load_segment(PageView(image.bytes), 0, &ref));
  ASSERT_GT(ref.tids.runs, 2);
  const auto with_ranks = [&](const std::function<void(std::vector<std::uint64_t>*)>& change) {
    std::vector<std::uint64_t> ranks;
    for (unsigned r = 0; r < ref.tids.runs; r++)
      ranks.push_back(read_bits(ref.tid_bits.more, r, ref.tids.rank_width));
    change(&ranks);
    Image broken = image;
    BitWriter w(broken.bytes + (ref.tid_bits.more - image.bytes), ref.tids.rank_width);
    for (std::uint64_t rank : ranks) w.put(rank);
    // The last byte is shared with no other column.
    w.flush();
    return check_sealed(broken);
  };
  EXPECT_EQ(with_ranks([](auto*) {}), nullptr);
  EXPECT_STREQ(with_ranks([](auto* ranks) { ranks->at(0) = 1; }),
               "first ranks of the runs do not ascend from 0");
  EXPECT_STREQ(with_ranks([](auto* ranks) { ranks->at(2) = ranks->at(1); }),
               "first ranks of the runs do not ascend from 0");
  if (ref.count <= low_mask(ref.tids.rank_width)) {
    EXPECT_STREQ(with_ranks([&](auto* ranks) { ranks->back() = ref.count; }),
                 "run begins behind its segment");
  }
}

TEST_F(PageCheckTest, EncodedEntries) {
  const Image image = leaf();
  // Two entries change places: their codes stay far apart, so the order breaks.
  SegmentRef ref;
  ASSERT_TRUE(load_segment(PageView(image.bytes), 0, &ref));
  ASSERT_GT(ref.key.width, 0);
  Image broken = image;
  std::memset(broken.bytes + ref.offset + packed_bytes(8, ref.key.width), 0xFF,
              packed_bytes(8, ref.key.width));
  EXPECT_STREQ(check_sealed(broken), "encoded entries do not ascend");

  // Everything shifted by one step at the end of the page leaves its fences.
  const unsigned last = PageView(image.bytes).segments() - 1;
  EXPECT_STREQ(with_segment(image, last,
                            [](Segment* s) {
                              s->key_base += Code{1} << 60;
                              s->first_code += Code{1} << 60;
                            }),
               "entry lies outside the fences");
  EXPECT_STREQ(with_trailer(image, [&](PageTrailer* t) { t->low.code = ref.code_at(0) + 1; }),
               "entry lies outside the fences");
  // An ordinal of scale 0 is the TID itself: offset 0.
  EXPECT_STREQ(with_segment(image, 0,
                            [](Segment* s) {
                              s->tid_scale = 0;
                              s->tid_base = 0;
                              s->tid_slope = 0;
                              s->tid_width = 0;
                            }),
               "entry has an impossible heap tid");
  EXPECT_STREQ(with_segment(image, 0,
                            [](Segment* s) {
                              s->tid_scale = 0;
                              s->tid_base = make_tid(kNoBlock, 1);
                              s->tid_slope = 0;
                              s->tid_width = 0;
                            }),
               "entry has an impossible heap tid");
}

TEST_F(PageCheckTest, OrdinalsThatWrapDecodeInTwoWays) {
  EXPECT_STREQ(with_segment(leaf(), 0,
                            [](Segment* s) {
                              s->tid_scale = 3;
                              s->tid_base = Tid{1} << 62;
                            }),
               "entry decodes in two ways");
}

TEST_F(PageCheckTest, NullsHaveNoKeys) {
  std::vector<Entry> entries;
  for (std::uint32_t i = 0; i < 100; i++) entries.push_back({0, make_tid(i, 1)});
  const auto store = load(entries, TreeId::nulls);
  Image image = page_of(store.get(), 1);
  EXPECT_STREQ(with_segment(image, 0,
                            [](Segment* s) {
                              s->key_base = 1;
                              s->first_code = 1;
                            }),
               "entry in the tree of nulls has a key");
  add_delta(image.bytes, {1, make_tid(1000, 1), kNoBlock});
  EXPECT_STREQ(check(image), "entry in the tree of nulls has a key");
}

TEST_F(PageCheckTest, DeadBitmap) {
  Image image = leaf();
  std::vector<std::uint8_t> doomed(kMaxEntries / 8);
  doomed[3] = 0x81;
  mark_dead(image.bytes, doomed.data());
  ASSERT_EQ(check_sealed(image), nullptr);
  EXPECT_STREQ(with_trailer(image, [](PageTrailer* t) { t->dead = 1; }),
               "number of dead entries is not that of the dead bitmap");

  // 401 entries: seven bits of the last byte belong to nobody.
  const auto store = load(noisy(401));
  Image odd = page_of(store.get(), 1);
  ASSERT_EQ(PageView(odd.bytes).encoded() % 8, 1u);
  mark_dead(odd.bytes, doomed.data());
  ASSERT_EQ(check_sealed(odd), nullptr);
  const PageView page(odd.bytes);
  odd.bytes[page.lower() - 1] |= 0x80;
  EXPECT_STREQ(with_trailer(odd, [](PageTrailer* t) { t->dead++; }),
               "dead bitmap marks an entry that does not exist");
}

TEST_F(PageCheckTest, RoomForDeadMarks) {
  Image image = leaf();
  const PageView page(image.bytes);
  const std::size_t reserve = (page.encoded() + 7) / 8;
  set_pointer(&image, kLowerOffset, page.upper() - reserve);
  EXPECT_EQ(check_sealed(image), nullptr);
  set_pointer(&image, kLowerOffset, page.upper() - reserve + 1);
  EXPECT_STREQ(check_sealed(image), "room for dead marks is taken");
}

TEST_F(PageCheckTest, Delta) {
  const Image image = leaf();
  const PageView page(image.bytes);
  decode_all(image);
  Image broken = image;
  broken.bytes[page.upper() + 3] ^= 1;
  EXPECT_STREQ(check(broken), "delta entry does not match its check");

  const auto with_delta = [&](const Entry& e) {
    Image added = image;
    add_delta(added.bytes, {e.code, e.tid, kNoBlock});
    return check(added);
  };
  EXPECT_EQ(with_delta({ws_->codes[0] + 2, make_tid(1, 1)}), nullptr);
  EXPECT_STREQ(with_delta({ws_->codes[0] + 2, make_tid(1, 0)}), "entry has an impossible heap tid");
  EXPECT_STREQ(with_delta(page.high()), "entry has an impossible heap tid");
  EXPECT_STREQ(with_delta({page.high().code, page.high().tid | 1}), "entry lies outside the fences");
  EXPECT_STREQ(with_delta({page.low().code - 1, make_tid(1, 1)}), "entry lies outside the fences");
  EXPECT_STREQ(with_delta(page.delta_item(3).entry()), "two delta entries are equal");
  const Entry encoded{ws_->codes[17], ws_->tids[17]};
  EXPECT_STREQ(with_delta(encoded), "delta entry equals an encoded entry");

  // A dead one may come back.
  std::vector<std::uint8_t> doomed(kMaxEntries / 8);
  set_bit(doomed.data(), 17);
  Image again = image;
  mark_dead(again.bytes, doomed.data());
  seal(again.bytes);
  add_delta(again.bytes, {encoded.code, encoded.tid, kNoBlock});
  EXPECT_EQ(check(again), nullptr);
}

TEST_F(PageCheckTest, InnerPages) {
  const Image image = inner();
  decode_all(image);
  const Code between = (ws_->codes[1] + ws_->codes[2]) / 2;
  const auto with_delta = [&](const Item& item) {
    Image added = image;
    add_delta(added.bytes, item);
    return check(added);
  };
  EXPECT_EQ(with_delta({between, 0, 77}), nullptr);
  EXPECT_STREQ(with_delta({between, 0, kMetaBlock}), "downlink leads to an impossible block");
  EXPECT_STREQ(with_delta({between, 0, kNoBlock}), "downlink leads to an impossible block");
  {
    Image padded = image;
    add_delta(padded.bytes, {between, 0, 77});
    padded.bytes[PageView(padded.bytes).upper() + 23] = 1;
    EXPECT_STREQ(check(padded), "padding of a delta entry is not zero");
  }
  {
    Image broken = image;
    std::uint8_t* child = broken.bytes + kSpecial - segment_size(1) + sizeof(Segment);
    auto model = learned::load<ChildModel>(child);
    model.base -= ws_->children[0];
    store(child, model);
    EXPECT_STREQ(check_sealed(broken), "downlink leads to an impossible block");
  }
  EXPECT_STREQ(with_segment(image, 0, [](Segment* s) { s->child_width = 65; }),
               "segment has an impossible child model");

  // The first separator gone: keys below the second would have no child.
  std::vector<std::uint8_t> doomed(kMaxEntries / 8);
  doomed[0] = 1;
  Image headless = image;
  mark_dead(headless.bytes, doomed.data());
  EXPECT_STREQ(check_sealed(headless), "first separator is not the low fence");
  seal(headless.bytes);
  add_delta(headless.bytes, {0, 0, 3});
  EXPECT_EQ(check(headless), nullptr);

  Image empty{};
  write_empty_page(empty.bytes, {TreeId::keys, 1, kRightmost, kNoBlock, kNoBlock, {0, 0}, {0, 0}});
  EXPECT_STREQ(check(empty), "inner page has no downlink");
}

// A line may wrap around so that every entry decodes well, yet is not where the line, inverted, leads.
TEST_F(PageCheckTest, SearchMustFindWhatDecodes) {
  Code codes[8];
  Tid tids[8];
  std::uint32_t runs[8];
  for (std::uint32_t i = 0; i < 8; i++) {
    codes[i] = 100 * (i + 1);
    tids[i] = make_tid(i, 1);
  }
  const Columns columns{codes, tids, nullptr, runs};
  PlannedSegment stack[4];
  SegmentPlanner plan(stack, columns, 0);
  plan.push(0, 8);
  ASSERT_EQ(plan.size(), 1u);
  stack[0].key = {100, std::uint64_t{0} - (std::uint64_t{1} << 50), 0, 54};
  stack[0].bytes = static_cast<std::uint32_t>(segment_bytes(stack[0], 8));
  Image image{};
  write_page(image.bytes, {TreeId::keys, 0, kRightmost, kNoBlock, kNoBlock, {0, 0}, {0, 0}}, plan, columns,
             nullptr, 0);
  decode_all(image);
  EXPECT_TRUE(std::equal(codes, codes + 8, ws_->codes));
  EXPECT_STREQ(check(image), "search does not find an entry where it is");
}

// Whatever the bytes, the check ends and stays within the page.
TEST_F(PageCheckTest, RandomDamageIsHarmless) {
  const auto store = load(in_runs(50000));
  const std::vector<Image> images = {leaf(), inner(), page_of(store.get(), 2)};
  std::mt19937_64 random(5);
  for (int round = 0; round < 3000; round++) {
    Image broken = images[static_cast<std::size_t>(round) % images.size()];
    const PageView page(broken.bytes);
    for (int i = 0; i < 1 + round % 3; i++) {
      // Mostly the directory and the trailer: that is where the damage can lead astray.
      const std::size_t from = round % 4 == 0 ? 0 : page.upper();
      broken.bytes[from + random() % (kPageSize - from)] = static_cast<std::uint8_t>(random());
    }
    check_sealed(broken);
  }
}

}  // namespace
}  // namespace learned
