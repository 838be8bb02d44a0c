#include "core/page/write.hpp"

#include "core/plan/workspace.hpp"

namespace learned {

namespace {

void set16(std::uint8_t* page, std::size_t offset, std::size_t value) {
  store(page + offset, static_cast<std::uint16_t>(value));
}
PageTrailer trailer_of(const std::uint8_t* page) { return load<PageTrailer>(page + kSpecial); }

// Zeroes all but the server's LSN and checksum fields and writes an empty layout.
void start_page(std::uint8_t* page, const PageIdentity& id) {
  std::memset(page + kLowerOffset - 2, 0, kPageSize - (kLowerOffset - 2));
  set16(page, kLowerOffset, kHeaderSize);
  set16(page, kUpperOffset, kSpecial);
  set16(page, kSpecialOffset, kSpecial);
  set16(page, kPageSizeVersionOffset, kPageSize | kServerLayoutVersion);
  PageTrailer t{};
  t.magic = kPageMagic;
  t.version = kFormatVersion;
  t.code_width = kCodeWidth;
  t.level = id.level;
  t.tree = static_cast<std::uint8_t>(id.tree);
  t.flags = static_cast<std::uint16_t>(id.flags & ~kHasDead);
  t.left = id.left;
  t.right = id.right;
  t.low = id.low;
  t.high = id.high;
  store(page + kSpecial, t);
}

void encode_values(BitWriter* out, const ColumnModel& model, const std::uint64_t* values, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; i++) out->put(values[i] - model.predict(i));
}

std::uint8_t* encode_ascending(std::uint8_t* out, const Segment& seg, const Tid* tids, std::uint32_t n) {
  BitWriter low(out, seg.tid_width);
  if (seg.tid_width > 0) {
    for (std::uint32_t i = 0; i < n; i++) {
      low.put((tid_to_ordinal(tids[i], seg.tid_scale) - seg.tid_base) & low_mask(seg.tid_width));
    }
  }
  out = low.flush();
  const std::size_t size = high_bytes(n, seg.tid_slope, seg.tid_width);
  std::memset(out, 0, size);
  for (std::uint32_t i = 0; i < n; i++) {
    const std::uint64_t bit = ((tid_to_ordinal(tids[i], seg.tid_scale) - seg.tid_base) >> seg.tid_width) + i;
    if (bit < size * 8) set_bit(out, bit);  // always, unless the TIDs come from a damaged page
  }
  return out + size;
}

std::uint8_t* encode_tids(std::uint8_t* out, const Segment& seg, const Tid* tids, std::uint32_t n) {
  if (seg.tid_codec == TidCodec::ascending) return encode_ascending(out, seg, tids, n);
  const ColumnModel model = seg.tid();
  if (seg.tid_codec == TidCodec::linear) {
    BitWriter w(out, seg.tid_width);
    if (seg.tid_width > 0) {
      for (std::uint32_t i = 0; i < n; i++) {
        w.put(tid_to_ordinal(tids[i], seg.tid_scale) - model.predict(i));
      }
    }
    return w.flush();
  }
  BitWriter ranks(out, seg.rank_width);
  for (std::uint32_t i = 0; i < n; i++) {
    if (i == 0 || tids[i] != tids[i - 1] + 1) ranks.put(i);
  }
  out = ranks.flush();
  BitWriter firsts(out, seg.tid_width);
  std::uint32_t run = 0;
  for (std::uint32_t i = 0; i < n; i++) {
    if (i == 0 || tids[i] != tids[i - 1] + 1) {
      firsts.put(tid_to_ordinal(tids[i], seg.tid_scale) - model.predict(run));
      run++;
    }
  }
  return firsts.flush();
}

std::uint8_t* encode_segment(std::uint8_t* out, const PlannedSegment& p, const Columns& columns,
                             unsigned level) {
  if (p.verbatim != nullptr || p.bytes == 0) {
    if (p.bytes > 0) std::memcpy(out, p.verbatim, p.bytes);
    return out + p.bytes;
  }
  if (p.seg.key_width > 0) {
    BitWriter w(out, p.seg.key_width);
    encode_values(&w, p.seg.key(), columns.codes + p.first, p.count);
    out = w.flush();
  }
  out = encode_tids(out, p.seg, columns.tids + p.first, p.count);
  if (level > 0 && p.child.width > 0) {
    BitWriter w(out, p.child.width);
    for (std::uint32_t i = 0; i < p.count; i++) {
      w.put(columns.children[p.first + i] - p.child.predict(i));
    }
    out = w.flush();
  }
  return out;
}

}  // namespace

std::size_t plan_bytes(const SegmentPlanner& plan) { return page_overhead(plan.entries()) + plan.bytes(); }

bool plan_fits(const SegmentPlanner& plan, unsigned level, std::size_t deltas) {
  return !plan.overflow() && plan.entries() <= kMaxEntries &&
         plan_bytes(plan) + deltas * delta_size(level) <= kPageSize;
}

PageIdentity identity_of(const PageView& page) {
  const PageTrailer t = page.trailer();
  return {static_cast<TreeId>(t.tree), t.level, t.flags, t.left, t.right, t.low, t.high};
}

void write_page(std::uint8_t* page, const PageIdentity& id, const SegmentPlanner& plan,
                const Columns& columns, const std::uint8_t* dead, unsigned dead_count) {
  start_page(page, id);
  std::uint8_t* at = page + kHeaderSize;
  const std::size_t size = segment_size(id.level);
  std::size_t rank = 0;
  for (std::size_t s = 0; s < plan.size(); s++) {
    Segment seg = plan[s].seg;
    seg.first_rank = static_cast<std::uint16_t>(rank);
    seg.offset = static_cast<std::uint16_t>(at - page);
    at = encode_segment(at, plan[s], columns, id.level);
    std::uint8_t* entry = page + kSpecial - (s + 1) * size;
    store(entry, seg);
    if (id.level > 0) store(entry + sizeof(Segment), ChildModel{plan[s].child.base, plan[s].child.slope});
    rank += plan[s].count;
  }
  PageTrailer t = trailer_of(page);
  t.segments = static_cast<std::uint16_t>(plan.size());
  t.encoded = static_cast<std::uint16_t>(rank);
  if (dead_count > 0) {
    const std::size_t map_bytes = (rank + 7) / 8;
    std::memcpy(at, dead, map_bytes);
    at += map_bytes;
    t.flags |= kHasDead;
    t.dead = static_cast<std::uint16_t>(dead_count);
  }
  store(page + kSpecial, t);
  set16(page, kLowerOffset, static_cast<std::size_t>(at - page));
  set16(page, kUpperOffset, kSpecial - plan.size() * size);
  seal(page);
}

void write_empty_page(std::uint8_t* page, const PageIdentity& id) {
  start_page(page, id);
  seal(page);
}

void clear_hole(std::uint8_t* page) {
  const PageView view(page);
  const std::size_t lower = view.lower();
  const std::size_t upper = view.upper();
  if (lower >= kHeaderSize && lower < upper && upper <= kPageSize)
    std::memset(page + lower, 0, upper - lower);
}

void seal(std::uint8_t* page) { store(page + kSpecial + offsetof(PageTrailer, check), page_checksum(page)); }

unsigned delta_room(const PageView& page) {
  const std::size_t free = page.upper() - page.lower();
  const std::size_t reserve = (page.flags() & kHasDead) != 0 ? 0 : (page.encoded() + 7) / 8;
  const unsigned present = page.deltas();
  if (free <= reserve || present >= kMaxDelta) return 0;
  const std::size_t room = (free - reserve) / delta_size(page.level());
  return static_cast<unsigned>(room < kMaxDelta - present ? room : kMaxDelta - present);
}

std::size_t next_delta_offset(const PageView& page) { return page.upper() - delta_size(page.level()); }

void format_delta(std::uint8_t* out, const Item& item, unsigned level) {
  const Block child = level > 0 ? item.child : kNoBlock;
  store(out, item.code);
  store(out + 8, item.tid | std::uint64_t{delta_check(item.code, item.tid, child)} << 48);
  if (level > 0) store(out + 16, std::uint64_t{child});
}

void add_delta(std::uint8_t* page, const Item& item) {
  const PageView view(page);
  const std::size_t at = next_delta_offset(view);
  format_delta(page + at, item, view.level());
  set16(page, kUpperOffset, at);
  // Kill marks may have been there; check_header() wants zeros.
  if (at >= view.lower() + std::size_t{8}) std::memset(page + at - 8, 0, 8);
}

bool continues_exactly(const PageView& page, const Item& item) {
  // The checksum is made anew for each entry: worth it where there are few bytes under it.
  constexpr std::size_t kMaxSealed = 1024;
  const unsigned segments = page.segments();
  const unsigned encoded = page.encoded();
  if (page.level() > 0 || segments == 0 || encoded >= kMaxEntries || page.upper() != page.dir() ||
      (page.flags() & kHasDead) != 0 || page.lower() + (kSpecial - page.dir()) > kMaxSealed) {
    return false;
  }
  SegmentRef ref;
  if (!load_segment(page, segments - 1, &ref) || ref.seg.key_width != 0) return false;
  // Without residuals, or as one more of the last run, the entry adds no bytes.
  const bool grows =
      ref.seg.tid_codec == TidCodec::linear ? ref.seg.tid_width != 0 : ref.seg.tid_codec != TidCodec::runs;
  if (grows || ref.code_at(ref.count) != item.code || ref.tid_at(ref.count) != item.tid) return false;
  return Entry{ref.code_at(ref.count - 1), ref.tid_at(ref.count - 1)} < item.entry();
}

std::uint32_t extended_checksum(const std::uint8_t* page, bool* sound) {
  PageTrailer next = trailer_of(page);
  next.encoded++;
  return next_checksum(page, next, sound);
}

void extend_exactly(std::uint8_t* page, std::uint32_t checksum) {
  const auto encoded = static_cast<std::uint16_t>(PageView(page).encoded() + 1);
  store(page + kSpecial + offsetof(PageTrailer, encoded), encoded);
  store(page + kSpecial + offsetof(PageTrailer, check), checksum);
}

void mark_dead(std::uint8_t* page, const std::uint8_t* doomed) {
  PageTrailer t = trailer_of(page);
  const PageView view(page);
  const std::size_t map_bytes = (t.encoded + 7u) / 8;
  std::size_t lower = view.lower();
  if ((t.flags & kHasDead) == 0) {
    std::memset(page + lower, 0, map_bytes);
    lower += map_bytes;
    set16(page, kLowerOffset, lower);
    t.flags |= kHasDead;
  }
  std::uint8_t* map = page + lower - map_bytes;
  unsigned dead = 0;
  for (std::size_t i = 0; i < map_bytes; i++) {
    map[i] = static_cast<std::uint8_t>(map[i] | doomed[i]);
    dead += static_cast<unsigned>(std::popcount(map[i]));
  }
  t.dead = static_cast<std::uint16_t>(dead);
  store(page + kSpecial, t);
}

void remove_deltas(std::uint8_t* page, const std::uint8_t* doomed) {
  const PageView view(page);
  const std::size_t size = delta_size(view.level());
  const std::size_t dir = view.dir();
  const unsigned n = view.deltas();
  unsigned kept = 0;
  for (unsigned j = 0; j < n; j++) {
    if (test_bit(doomed, j)) continue;
    if (kept != j) std::memmove(page + dir - (kept + 1) * size, page + dir - (j + 1) * size, size);
    kept++;
  }
  const std::size_t upper = dir - kept * size;
  std::memset(page + view.upper(), 0, upper - view.upper());
  set16(page, kUpperOffset, upper);
}

void set_flags(std::uint8_t* page, std::uint16_t flags) {
  store(page + kSpecial + offsetof(PageTrailer, flags), flags);
}
void set_left(std::uint8_t* page, Block left) { store(page + kSpecial + offsetof(PageTrailer, left), left); }
void set_low(std::uint8_t* page, const Entry& low) {
  store(page + kSpecial + offsetof(PageTrailer, low), low);
}

bool keep_segment(const PageView& page, unsigned s, PlannedSegment* out) {
  SegmentRef ref;
  if (!load_segment(page, s, &ref)) return false;
  out->seg = ref.seg;
  out->child = page.level() > 0 ? ref.child_model : ColumnModel{};
  out->first = 0;
  out->count = ref.count;
  out->bytes = static_cast<std::uint32_t>(segment_bytes(ref.seg, out->child, ref.count, page.level()));
  out->verbatim = ref.key_bits;
  return true;
}

namespace {

// The values get(0) .. get(n - 1) under the slope of `model`, whose line they followed from another rank on: the residuals
// need one bit more at most, as the line is rounded down anew.
template <class Get>
ColumnModel refit(const ColumnModel& model, std::uint32_t n, Get get) {
  ColumnModel m{0, model.slope, model.shift, 0};
  const std::uint64_t first = get(0);
  std::int64_t lo = 0;
  std::int64_t hi = 0;
  for (std::uint32_t i = 0; i < n; i++) {
    const auto error = static_cast<std::int64_t>(get(i) - first - m.line(i));
    lo = error < lo ? error : lo;
    hi = error > hi ? error : hi;
  }
  m.base = first + static_cast<std::uint64_t>(lo);
  m.width =
      static_cast<std::uint8_t>(bits_for(static_cast<std::uint64_t>(hi) - static_cast<std::uint64_t>(lo)));
  return m;
}

// Entries [from, to) of a segment, to be one of their own.
struct Part {
  unsigned from;
  unsigned to;
  std::uint32_t size() const { return to - from; }
};

void set_tids(const ColumnModel& model, Segment* seg) {
  seg->tid_base = model.base;
  seg->tid_slope = model.slope;
  seg->tid_shift = model.shift;
  seg->tid_width = model.width;
}

// How many entries of the part belong to a run that began before it. (The runs codec cannot say so: a run's first TID
// need not have an ordinal under the segment's scale when it is not the one that the run began with.)
unsigned entries_of_cut_run(const SegmentRef& ref, const Part& part) {
  if (part.from == 0 || ref.seg.tid_codec != TidCodec::runs) return 0;
  unsigned lo = 0;  // the first run that begins at or behind `from`
  unsigned hi = ref.seg.runs;
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    if (read_bits(ref.rank_bits, mid, ref.seg.rank_width) < part.from) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  const std::uint64_t next =
      lo < ref.seg.runs ? read_bits(ref.rank_bits, lo, ref.seg.rank_width) : std::uint64_t{part.to};
  return next < part.to ? static_cast<unsigned>(next) - part.from : part.size();
}

// The TIDs of a part that lies within one run: a line that counts up by one.
void plan_counting(const Tid* tids, std::uint32_t n, Segment* seg) {
  seg->tid_codec = TidCodec::linear;
  seg->tid_scale = tid_offset(tids[n - 1]);
  seg->runs = 0;
  seg->rank_width = 0;
  set_tids({tid_to_ordinal(tids[0], seg->tid_scale), n > 1 ? std::uint64_t{1} : 0, 0, 0}, seg);
}

// The runs that begin in a part, the first one with it. Their first TIDs keep their column in a front part; a back
// part's column starts elsewhere on its line.
void plan_runs(const SegmentRef& ref, const Part& part, const Tid* tids, std::uint32_t* starts,
               Segment* seg) {
  std::uint32_t runs = 0;
  for (std::uint32_t i = 0; i < part.size(); i++) {
    if (i == 0 || tids[i] != tids[i - 1] + 1) starts[runs++] = i;
  }
  seg->runs = static_cast<std::uint16_t>(runs);
  if (part.from == 0) return;
  set_tids(refit(ref.seg.tid(), runs,
                 [&](std::uint32_t j) { return tid_to_ordinal(tids[starts[j]], seg->tid_scale); }),
           seg);
}

void plan_ascending(const SegmentRef& ref, const Tid* tids, std::uint32_t n, Segment* seg) {
  // Its own span under the same division into low and high bits. (It descends on a damaged page only.)
  const std::uint64_t low = tid_to_ordinal(tids[0], seg->tid_scale);
  const std::uint64_t high = tid_to_ordinal(tids[n - 1], seg->tid_scale);
  seg->tid_base = low;
  seg->tid_slope = high > low && high - low <= ref.seg.tid_slope ? high - low : 0;
}

// Plans a part of a segment, whose entries are in the workspace's columns from `first` on. The front part keeps all
// models: what holds for a segment holds for its beginning. A back part starts its lines elsewhere.
// REQUIRES: the part begins with a run, or lies within one.
void plan_part(const SegmentRef& ref, const Part& part, std::uint32_t first, unsigned level, Workspace* ws,
               PlannedSegment* out) {
  const std::uint32_t n = part.size();
  const Tid* tids = ws->tids + first;
  Segment& seg = out->seg;
  out->first = first;
  out->count = n;
  out->verbatim = nullptr;
  seg = ref.seg;
  seg.first_code = ws->codes[first];
  out->child = level > 0 ? ref.child_model : ColumnModel{};
  if (entries_of_cut_run(ref, part) > 0) {
    plan_counting(tids, n, &seg);
  } else if (seg.tid_codec == TidCodec::runs) {
    plan_runs(ref, part, tids, ws->runs + first, &seg);
  } else if (seg.tid_codec == TidCodec::ascending) {
    plan_ascending(ref, tids, n, &seg);
  } else if (part.from > 0 && seg.tid_slope != 0) {
    set_tids(refit(ref.seg.tid(), n, [&](std::uint32_t i) { return tid_to_ordinal(tids[i], seg.tid_scale); }),
             &seg);
  }
  // A constant serves every part of its segment (and its residuals may need all 64 bits).
  if (part.from > 0 && seg.key_slope != 0) {
    const ColumnModel key = refit(ref.seg.key(), n, [&](std::uint32_t i) { return ws->codes[first + i]; });
    seg.key_base = key.base;
    seg.key_width = key.width;
  }
  if (part.from > 0 && level > 0 && ref.child_model.slope != 0) {
    out->child =
        refit(ref.child_model, n, [&](std::uint32_t i) { return std::uint64_t{ws->children[first + i]}; });
  }
  seg.child_shift = out->child.shift;
  seg.child_width = out->child.width;
  out->bytes = static_cast<std::uint32_t>(segment_bytes(seg, out->child, n, level));
}

}  // namespace

bool write_slice(std::uint8_t* out, const PageIdentity& id, const PageView& page, unsigned begin,
                 unsigned end, Workspace* ws) {
  const Columns columns = workspace_columns(ws, id.level);
  SegmentPlanner plan(ws->segments, columns, id.level);
  std::uint32_t used = 0;
  for (unsigned s = begin < end ? segment_of_rank(page, begin) : page.segments(); s < page.segments(); s++) {
    SegmentRef ref;
    PlannedSegment p{};
    if (!load_segment(page, s, &ref) || !keep_segment(page, s, &p)) return false;
    const unsigned first = ref.seg.first_rank;
    if (first >= end) break;
    Part part{begin > first ? begin - first : 0, end < first + ref.count ? end - first : ref.count};
    if (part.size() == ref.count) {
      plan.keep(p);
      continue;
    }
    if (used + part.size() > Workspace::kCapacity ||
        !decode(page, first + part.from, first + part.to, ws->codes + used, ws->tids + used,
                id.level > 0 ? ws->children + used : nullptr)) {
      return false;
    }
    const unsigned cut = entries_of_cut_run(ref, part);
    const Part pieces[] = {{part.from, part.from + cut}, {part.from + cut, part.to}};
    for (const Part& piece : pieces) {
      if (piece.size() == 0) continue;
      plan_part(ref, piece, used, id.level, ws, &p);
      plan.keep(p);
      used += piece.size();
    }
  }
  unsigned dead_count = 0;
  if ((page.flags() & kHasDead) != 0) {
    std::memset(ws->dead_map, 0, (end - begin + 7) / 8);
    for (unsigned r = begin; r < end; r++) {
      if (!test_bit(page.dead_map(), r)) continue;
      set_bit(ws->dead_map, r - begin);
      dead_count++;
    }
  }
  unsigned deltas = 0;
  for (unsigned j = 0; j < page.deltas(); j++) {
    const Item item = page.delta_item(j);
    if (item.entry() >= id.low && ((id.flags & kRightmost) != 0 || item.entry() < id.high)) {
      ws->delta[deltas++] = item;
    }
  }
  if (!plan_fits(plan, id.level, deltas)) return false;
  write_page(out, id, plan, columns, ws->dead_map, dead_count);
  for (unsigned j = 0; j < deltas; j++) add_delta(out, ws->delta[j]);
  return true;
}

}  // namespace learned
