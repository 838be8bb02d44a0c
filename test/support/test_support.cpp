#include "support/test_support.hpp"

#include "core/page/check.hpp"

namespace learned::testing {

std::string name_of(Keys keys) {
  switch (keys) {
    case Keys::serial:
      return "serial";
    case Keys::stride:
      return "stride";
    case Keys::jitter:
      return "jitter";
    case Keys::random62:
      return "random62";
    case Keys::random64:
      return "random64";
    case Keys::clustered:
      return "clustered";
    case Keys::pairs:
      return "pairs";
    case Keys::few_values:
      return "few_values";
    case Keys::one_value:
      return "one_value";
    case Keys::extremes:
      return "extremes";
    case Keys::jumps:
      return "jumps";
    case Keys::doubling:
      return "doubling";
    case Keys::squares:
      return "squares";
    case Keys::thirds:
      return "thirds";
    case Keys::top_serial:
      return "top_serial";
    case Keys::stairs:
      return "stairs";
  }
  return "?";
}

std::string name_of(Tids tids) {
  switch (tids) {
    case Tids::append:
      return "append";
    case Tids::varied_rows:
      return "varied_rows";
    case Tids::random:
      return "random";
    case Tids::descending:
      return "descending";
    case Tids::extremes:
      return "extremes";
    case Tids::one_row_pages:
      return "one_row_pages";
    case Tids::stragglers:
      return "stragglers";
  }
  return "?";
}

std::vector<Code> make_codes(Keys keys, std::size_t n, Random& random) {
  std::vector<Code> codes(n);
  Code sum = random() >> 8;
  for (std::size_t i = 0; i < n; i++) {
    switch (keys) {
      case Keys::serial:
        codes[i] = i + 1;
        break;
      case Keys::stride:
        codes[i] = (Code{1} << 63) + i * 1000;
        break;
      case Keys::jitter:
        codes[i] = (Code{1} << 60) + i * 10000 + random() % 9000;
        break;
      case Keys::random62:
        codes[i] = random() >> 2;
        break;
      case Keys::random64:
        codes[i] = random();
        break;
      case Keys::clustered:
        codes[i] = (random() % 40) * 0x123456789ABCDEFu + random() % 100000;
        break;
      case Keys::pairs:
        codes[i] = i / 2 * 7;
        break;
      case Keys::few_values:
        codes[i] = i * 5 / n * 1000000;
        break;
      case Keys::one_value:
        codes[i] = 42;
        break;
      case Keys::extremes:
        codes[i] = i % 3 == 0 ? random() % 2 : i % 3 == 1 ? kMaxCode - random() % 2 : random();
        break;
      case Keys::jumps:
        sum += random() % 300 == 0 ? random() >> 20 : 1 + random() % 3;
        codes[i] = sum;
        break;
      case Keys::doubling:
        codes[i] = (Code{1} << (i * 64 / n)) + i;
        break;
      case Keys::squares:
        codes[i] = Code{i} * i;
        break;
      case Keys::thirds:
        codes[i] = Code{i} * 7 / 3;
        break;
      case Keys::top_serial:
        codes[i] = kMaxCode - (n - 1 - i);
        break;
      case Keys::stairs:
        codes[i] = i / 128 * 1000000 + i % 128;
        break;
    }
  }
  std::sort(codes.begin(), codes.end());
  return codes;
}

std::vector<Tid> make_tids(Tids tids, std::size_t n, Random& random) {
  std::vector<Tid> out(n);
  std::uint32_t block = 1000;
  std::uint16_t offset = 0;
  unsigned rows = 60;
  std::set<Tid> used;
  for (std::size_t i = 0; i < n; i++) {
    const auto at = static_cast<std::uint32_t>(i);
    switch (tids) {
      case Tids::append:
        out[i] = make_tid(at / 226, static_cast<std::uint16_t>(at % 226 + 1));
        break;
      case Tids::varied_rows:
        if (++offset > rows) {
          block++;
          offset = 1;
          rows = 50 + random() % 40;
        }
        out[i] = make_tid(block, offset);
        break;
      case Tids::random:
        out[i] = make_tid(at / 226, static_cast<std::uint16_t>(at % 226 + 1));
        break;
      case Tids::descending: {
        const auto back = static_cast<std::uint32_t>(n - i);
        out[i] = make_tid(back / 100, static_cast<std::uint16_t>(back % 100 + 1));
        break;
      }
      case Tids::extremes:
        do {
          out[i] = make_tid(
              random() % 2 == 0 ? 0xFFFFFFFEu - static_cast<std::uint32_t>(random() % 999999)
                                : static_cast<std::uint32_t>(random() % 999999),
              static_cast<std::uint16_t>(random() % 2 == 0 ? 0xFFFF - random() % 9 : 1 + random() % 9));
        } while (!used.insert(out[i]).second);
        break;
      case Tids::one_row_pages:
        out[i] = make_tid(at * 3 + 7, 1);
        break;
      case Tids::stragglers: {
        const std::uint32_t moved = i % 37 == 5 ? at + 3 : i % 37 == 8 ? at - 3 : at;
        out[i] = make_tid(moved / 120, static_cast<std::uint16_t>(moved % 120 + 1));
        break;
      }
    }
  }
  if (tids == Tids::random) std::shuffle(out.begin(), out.end(), random);
  return out;
}

Entries make_entries(Keys keys, Tids tids, std::size_t n, Random& random) {
  const std::vector<Code> codes = make_codes(keys, n, random);
  const std::vector<Tid> ids = make_tids(tids, n, random);
  Entries entries(n);
  for (std::size_t i = 0; i < n; i++) entries[i] = {codes[i], ids[i]};
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  return entries;
}

Items make_items(const Entries& entries, bool random_children, Random& random) {
  Items items;
  for (const Entry& e : entries) {
    const Block next = static_cast<Block>(items.size() + 17);
    items.push_back({e.code, e.tid, random_children ? 1 + static_cast<Block>(random() % 0xFFFFFFF0u) : next});
  }
  if (!items.empty()) items[0] = {0, 0, items[0].child};
  return items;
}

Items as_items(const Entries& entries) {
  Items items;
  for (const Entry& e : entries) items.push_back({e.code, e.tid, kNoBlock});
  return items;
}

std::unique_ptr<Workspace> new_workspace() {
  // Garbage inside: nobody may rely on what an earlier page left there.
  auto ws = std::make_unique<Workspace>();
  std::memset(static_cast<void*>(ws.get()), 0xA5, sizeof(Workspace));
  return ws;
}

PageIdentity leaf_identity(unsigned level) {
  return {TreeId::keys, static_cast<std::uint8_t>(level), kRightmost, kNoBlock, kNoBlock, {0, 0}, {0, 0}};
}

bool write_items(std::uint8_t* page, const PageIdentity& id, const Items& items, Workspace* ws) {
  std::memset(page, 0, kPageSize);
  if (items.empty()) {
    write_empty_page(page, id);
    return true;
  }
  for (std::size_t i = 0; i < items.size(); i++) {
    ws->codes[i] = items[i].code;
    ws->tids[i] = items[i].tid;
    ws->children[i] = items[i].child;
  }
  const Columns columns = workspace_columns(ws, id.level);
  SegmentPlanner plan(ws->segments, columns, id.level);
  plan.push(0, static_cast<std::uint32_t>(items.size()));
  plan.compact();
  if (!plan_fits(plan, id.level, 0)) return false;
  write_page(page, id, plan, columns, nullptr, 0);
  return true;
}

bool write_entries(std::uint8_t* page, const PageIdentity& id, const Entries& entries, Workspace* ws) {
  return write_items(page, id, as_items(entries), ws);
}

std::size_t fill_page(std::uint8_t* page, const PageIdentity& id, const Items& items, Workspace* ws) {
  std::memset(page, 0, kPageSize);
  PageFiller filler(ws, id.level, 100);
  for (const Item& item : items) {
    if (filler.add(item)) break;
  }
  return filler.take_page(page, id);
}

// --- the naive decoder ---

namespace {

std::uint64_t naive_bits(const std::uint8_t* array, std::size_t index, unsigned width) {
  std::uint64_t value = 0;
  for (unsigned b = 0; b < width; b++) {
    const std::size_t bit = index * width + b;
    value |= std::uint64_t{(array[bit / 8] >> (bit % 8)) & 1u} << b;
  }
  return value;
}

std::uint64_t naive_line(std::uint64_t base, std::uint64_t slope, unsigned shift, std::uint64_t i) {
  // Long division by shifting one bit at a time: no 128-bit type.
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  for (std::uint64_t k = 0; k < 16; k++) {
    if (((i >> k) & 1) == 0) continue;
    const std::uint64_t add_low = slope << k;
    const std::uint64_t add_high = k == 0 ? 0 : slope >> (64 - k);
    const std::uint64_t sum = low + add_low;
    high += add_high + (sum < low ? 1 : 0);
    low = sum;
  }
  const unsigned by = shift & 0x7F;
  const std::uint64_t rise = by == 0 ? low : (low >> by) | (high << (64 - by));
  return (shift & 0x80) != 0 ? base - rise : base + rise;
}

Tid naive_tid(std::uint64_t ordinal, unsigned scale) {
  if (scale == 0) return ordinal;
  return ((ordinal / scale) << 16) + ordinal % scale + 1;
}

}  // namespace

Decoded naive_decode(const std::uint8_t* page) {
  Decoded out;
  PageTrailer t;
  std::memcpy(&t, page + 8128, 64);
  const std::size_t segment_bytes = t.level > 0 ? 72 : 56;
  const std::size_t delta_bytes = t.level > 0 ? 24 : 16;
  std::uint16_t lower;
  std::uint16_t upper;
  std::memcpy(&lower, page + 12, 2);
  std::memcpy(&upper, page + 14, 2);
  for (unsigned s = 0; s < t.segments; s++) {
    Segment seg;
    const std::uint8_t* at = page + 8128 - (s + 1) * segment_bytes;
    std::memcpy(&seg, at, 56);
    ChildModel child{};
    if (t.level > 0) std::memcpy(&child, at + 56, 16);
    unsigned end = t.encoded;
    if (s + 1u < t.segments) {
      Segment next;
      std::memcpy(&next, at - segment_bytes, 56);
      end = next.first_rank;
    }
    const unsigned n = end - seg.first_rank;
    const auto bytes = [](std::size_t count, unsigned width) { return (count * width + 7) / 8; };
    const std::uint8_t* keys = page + seg.offset;
    const std::uint8_t* tids = keys + bytes(n, seg.key_width);
    const std::uint8_t* children = tids;
    const std::uint8_t* ranks = tids;
    if (seg.tid_codec == TidCodec::runs) {
      tids += bytes(seg.runs, seg.rank_width);
      children = tids + bytes(seg.runs, seg.tid_width);
    } else if (seg.tid_codec == TidCodec::ascending) {
      ranks = tids + bytes(n, seg.tid_width);  // the bitmap of high parts
    } else {
      children = tids + bytes(n, seg.tid_width);
    }
    std::uint64_t high_at = 0;
    unsigned run = 0;
    for (unsigned i = 0; i < n; i++) {
      Item item{0, 0, kNoBlock};
      item.code =
          naive_line(seg.key_base, seg.key_slope, seg.key_shift, i) + naive_bits(keys, i, seg.key_width);
      if (seg.tid_codec == TidCodec::runs) {
        if (run + 1 < seg.runs && naive_bits(ranks, run + 1, seg.rank_width) == i) run++;
        const std::uint64_t first = naive_line(seg.tid_base, seg.tid_slope, seg.tid_shift, run) +
                                    naive_bits(tids, run, seg.tid_width);
        item.tid = naive_tid(first, seg.tid_scale) + (i - naive_bits(ranks, run, seg.rank_width));
      } else if (seg.tid_codec == TidCodec::ascending) {
        // The position of the i-th set bit, less i.
        while (high_at < 65536 && naive_bits(ranks, high_at, 1) == 0) high_at++;
        const std::uint64_t high = high_at - i;
        high_at++;
        item.tid = naive_tid(seg.tid_base + (high << seg.tid_width) + naive_bits(tids, i, seg.tid_width),
                             seg.tid_scale);
      } else {
        const std::uint64_t ordinal =
            naive_line(seg.tid_base, seg.tid_slope, seg.tid_shift, i) + naive_bits(tids, i, seg.tid_width);
        item.tid = naive_tid(ordinal, seg.tid_scale);
      }
      if (t.level > 0) {
        item.child = static_cast<Block>(naive_line(child.base, child.slope, seg.child_shift, i) +
                                        naive_bits(children, i, seg.child_width));
      }
      out.encoded.push_back(item);
      const unsigned rank = seg.first_rank + i;
      const std::uint8_t* map = page + lower - (t.encoded + 7) / 8;
      out.dead.push_back((t.flags & kHasDead) != 0 && ((map[rank / 8] >> (rank % 8)) & 1) != 0);
    }
  }
  const std::size_t dir = 8128 - t.segments * segment_bytes;
  for (std::size_t at = dir; at >= upper + delta_bytes; at -= delta_bytes) {
    Item item{0, 0, kNoBlock};
    std::memcpy(&item.code, page + at - delta_bytes, 8);
    std::memcpy(&item.tid, page + at - delta_bytes + 8, 6);
    if (t.level > 0) std::memcpy(&item.child, page + at - delta_bytes + 16, 4);
    out.delta.push_back(item);
  }
  return out;
}

Items Decoded::live() const {
  Items all = delta;
  for (std::size_t i = 0; i < encoded.size(); i++) {
    if (!dead[i]) all.push_back(encoded[i]);
  }
  std::sort(all.begin(), all.end(), [](const Item& a, const Item& b) { return a.entry() < b.entry(); });
  return all;
}

Items live_items(const PageView& page) {
  Items all;
  const unsigned n = page.encoded();
  std::vector<Code> codes(n);
  std::vector<Tid> tids(n);
  std::vector<Block> children(n, kNoBlock);
  EXPECT_TRUE(decode(page, 0, n, codes.data(), tids.data(), page.level() > 0 ? children.data() : nullptr));
  for (unsigned i = 0; i < n; i++) {
    if (!page.is_dead(i)) all.push_back({codes[i], tids[i], children[i]});
  }
  for (unsigned j = 0; j < page.deltas(); j++) {
    EXPECT_TRUE(PageView::delta_sound(page.delta_at(j), page.level()));
    all.push_back(page.delta_item(j));
  }
  const auto before = [](const Item& a, const Item& b) { return a.entry() < b.entry(); };
  if (!std::is_sorted(all.begin(), all.end(), before)) std::sort(all.begin(), all.end(), before);
  return all;
}

bool same_items(const Items& a, const Items& b, bool with_children) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Item& x, const Item& y) {
    return x.entry() == y.entry() && (!with_children || x.child == y.child);
  });
}

std::string page_fault(const std::uint8_t* page) {
  const PageView view(page);
  if (const Fault fault = check_header(view)) return fault.text();
  const PageTrailer t = view.trailer();
  if (t.check != page_checksum(page)) return "checksum";
  const std::size_t reserve = (t.flags & kHasDead) != 0 ? 0 : (t.encoded + 7u) / 8;
  if (view.upper() - view.lower() < static_cast<int>(reserve)) return "no room for dead marks";
  const KillMarkArea area = kill_mark_area(view);
  for (std::size_t i = view.lower(); i < view.upper(); i++) {
    if (view.level() == 0 && i >= area.base && i < area.base + 8 * area.words) continue;
    if (page[i] != 0) return "the hole is not zero";
  }
  if (!t.flags && t.encoded == 0 && t.dead != 0) return "dead entries of nothing";
  unsigned dead = 0;
  for (unsigned r = 0; r < view.encoded(); r++) dead += view.is_dead(r) ? 1 : 0;
  if (dead != view.dead()) return "number of dead entries";
  std::size_t at = kHeaderSize;
  for (unsigned s = 0; s < view.segments(); s++) {
    SegmentRef ref;
    if (!load_segment(view, s, &ref)) return "segment " + std::to_string(s) + " does not load";
    if (s == 0 && ref.first_rank != 0) return "first segment does not begin at rank 0";
    if (ref.offset != at) return "segment " + std::to_string(s) + " is displaced";
    at += segment_bytes(ref, ref.count);
    if (ref.first_code != ref.code_at(0)) return "first code of segment " + std::to_string(s);
  }
  const std::size_t map = (t.flags & kHasDead) != 0 ? (t.encoded + 7u) / 8 : 0;
  if (at + map != view.lower()) return "bytes between segments and lower";
  const Items items = live_items(view);
  for (std::size_t i = 0; i < items.size(); i++) {
    if (!view.covers(items[i].entry())) return "entry outside the fences";
    if (i > 0 && !(items[i - 1].entry() < items[i].entry())) return "entries out of order";
  }
  if (items.size() != view.live()) return "number of live entries";
  static const std::unique_ptr<Workspace> ws = new_workspace();
  if (const Fault fault = check_page(page, ws.get())) return std::string("check_page: ") + fault.text();
  return {};
}

// --- trees ---

std::string tree_fault(MemoryStore& store, TreeId tree, Entries* entries) {
  const MetaInfo meta = Tree<MemoryStore>(&store, tree).read_meta();
  const int t = static_cast<int>(tree);
  unsigned level = meta.level[t];
  std::vector<Item> expected{{0, 0, meta.root[t]}};
  entries->clear();
  for (;;) {
    std::vector<Item> below;
    for (std::size_t i = 0; i < expected.size(); i++) {
      const Block block = expected[i].child;
      const std::string where = "level " + std::to_string(level) + ", block " + std::to_string(block) + ": ";
      if (block == kMetaBlock || block >= store.size()) return where + "no such block";
      const std::uint8_t* bytes = store.page(block);
      if (const std::string fault = page_fault(bytes); !fault.empty()) return where + fault;
      const PageView page(bytes);
      if (page.level() != level || page.tree() != tree || page.deleted())
        return where + "not of this level and tree";
      if (page.incomplete_split()) return where + "unfinished split";
      if (page.low() != expected[i].entry()) return where + "low fence is not the separator";
      const bool last = i + 1 == expected.size();
      if (page.rightmost() != last) return where + "rightmost flag";
      if (!last && page.high() != expected[i + 1].entry())
        return where + "high fence is not the next separator";
      if (page.right() != (last ? kNoBlock : expected[i + 1].child)) return where + "right link";
      if (page.left() != (i == 0 ? kNoBlock : expected[i - 1].child)) return where + "left link";
      for (const Item& item : live_items(page)) {
        if (level > 0) {
          below.push_back(item);
        } else {
          entries->push_back(item.entry());
        }
      }
      if (level > 0 && below.empty()) return where + "inner page without a child";
    }
    if (level == 0) return {};
    level--;
    expected = std::move(below);
  }
}

TreeShape bulk_load(MemoryStore& store, const Entries& entries, int fillfactor, TreeId tree) {
  MetaInfo meta = Tree<MemoryStore>(&store, tree).read_meta();
  BulkLoader<MemoryStore> loader(&store, store.workspace(), tree, fillfactor,
                                 static_cast<Block>(store.size()));
  for (const Entry& e : entries) loader.add(e.code, e.tid);
  const TreeShape shape = loader.finish();
  // The leaf that the new tree replaces: a prediction that leads there must not be believed.
  const Block old_root = meta.root[static_cast<int>(tree)];
  PageIdentity tombstone = identity_of(PageView(store.page(old_root)));
  tombstone.flags |= kDeleted;
  write_empty_page(store.page(old_root), tombstone);
  meta.root[static_cast<int>(tree)] = shape.root;
  meta.level[static_cast<int>(tree)] = shape.level;
  write_meta_page(store.page(kMetaBlock), meta);
  return shape;
}

void ModelledTree::load(const Entries& sorted, int fillfactor) {
  const TreeShape shape = bulk_load(store_, sorted, fillfactor, id_);
  EXPECT_EQ(shape.entries, sorted.size());
  EXPECT_EQ(shape.next_block, store_.size());
  unused_pages_ = 1;
  expected_ = std::set<Entry>(sorted.begin(), sorted.end());
}

void ModelledTree::insert(const Entry& e) {
  if (!expected_.insert(e).second) return;
  tree_.insert({e.code, e.tid, kNoBlock});
}

void ModelledTree::insert_ascending(const Entries& entries) {
  std::vector<Item> items;
  for (const Entry& e : entries) {
    if (expected_.insert(e).second) items.push_back({e.code, e.tid, kNoBlock});
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.entry() < b.entry(); });
  std::size_t done = 0;
  while (done < items.size()) {
    const std::size_t before = done;
    try {
      tree_.insert_ascending(items, &done);
    } catch (const Interrupted&) {
      ASSERT_TRUE(store_.all_released());
      ASSERT_GE(done, before);
    }
  }
}

void ModelledTree::expect_sound() {
  ASSERT_TRUE(store_.all_released());
  Entries found;
  ASSERT_EQ(tree_fault(store_, id_, &found), "");
  ASSERT_EQ(found.size(), expected_.size());
  ASSERT_TRUE(std::equal(found.begin(), found.end(), expected_.begin()));

  // As scans walk, forward ...
  found.clear();
  MemoryStore::Handle h = tree_.locate({0, 0}, LockMode::share);
  for (;;) {
    const PageView page = tree_.view(h);
    for (const Item& item : live_items(page)) found.push_back(item.entry());
    const bool last = page.rightmost();
    const Block right = page.right();
    const Entry high = page.high();
    store_.release(h);
    if (last) break;
    h = tree_.step_right(right, high, LockMode::share);
    ASSERT_EQ(tree_.view(h).low(), high);
  }
  ASSERT_EQ(found.size(), expected_.size());
  ASSERT_TRUE(std::equal(found.begin(), found.end(), expected_.begin()));

  // ... and backward.
  found.clear();
  h = tree_.locate({kMaxCode, kMaxTid}, LockMode::share);
  for (;;) {
    const PageView page = tree_.view(h);
    Items items = live_items(page);
    for (auto it = items.rbegin(); it != items.rend(); ++it) found.push_back(it->entry());
    const Entry low = page.low();
    const Block left = page.left();
    store_.release(h);
    if (low == Entry{0, 0}) break;
    h = tree_.step_left(left, low, LockMode::share);
    ASSERT_EQ(tree_.view(h).high(), low);
  }
  ASSERT_EQ(found.size(), expected_.size());
  ASSERT_TRUE(std::equal(found.begin(), found.end(), expected_.rbegin()));
  ASSERT_TRUE(store_.all_released());
}

}  // namespace learned::testing
