#include "core/page/write.hpp"

#include "core/page/checksum.hpp"

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

std::uint8_t* encode_segment(std::uint8_t* out, const NewSegment& segment, const Columns& columns,
                             unsigned level) {
  if (segment.verbatim != nullptr || segment.bytes == 0) {
    if (segment.bytes > 0) std::memcpy(out, segment.verbatim, segment.bytes);
    return out + segment.bytes;
  }
  const Code* codes = columns.codes + segment.first;
  out = LineCodec::encode(out, segment.key, segment.count, [codes](std::size_t i) { return codes[i]; });
  out = encode_tids(out, segment.tids, columns.tids + segment.first, segment.count);
  if (level == 0) return out;
  const Block* children = columns.children + segment.first;
  return LineCodec::encode(out, segment.child, segment.count,
                           [children](std::size_t i) { return std::uint64_t{children[i]}; });
}

void store_segment(std::uint8_t* at, const SegmentModels& models, std::size_t first_rank, std::size_t offset,
                   unsigned level) {
  Segment seg;
  seg.first_code = models.first_code;
  seg.key_base = models.key.base;
  seg.key_slope = models.key.slope;
  seg.tid_base = models.tids.model.base;
  seg.tid_slope = models.tids.model.slope;
  seg.first_rank = static_cast<std::uint16_t>(first_rank);
  seg.offset = static_cast<std::uint16_t>(offset);
  seg.tid_scale = models.tids.scale;
  seg.runs = models.tids.runs;
  seg.key_shift = models.key.shift;
  seg.key_width = models.key.width;
  seg.tid_shift = models.tids.model.shift;
  seg.tid_width = models.tids.model.width;
  seg.rank_width = models.tids.rank_width;
  seg.tid_codec = models.tids.codec;
  seg.child_shift = models.child.shift;
  seg.child_width = models.child.width;
  store(at, seg);
  if (level > 0) store(at + sizeof(Segment), ChildModel{models.child.base, models.child.slope});
}

}  // namespace

PageIdentity identity_of(const PageView& page) {
  const PageTrailer t = page.trailer();
  return {static_cast<TreeId>(t.tree), t.level, t.flags, t.left, t.right, t.low, t.high};
}

PageWriter::PageWriter(std::uint8_t* page, const PageIdentity& id)
    : page_(page), at_(page + kHeaderSize), level_(id.level) {
  start_page(page, id);
}

void PageWriter::add(const NewSegment& segment, const Columns& columns) {
  const auto offset = static_cast<std::size_t>(at_ - page_);
  at_ = encode_segment(at_, segment, columns, level_);
  segments_++;
  store_segment(page_ + kSpecial - segments_ * segment_size(level_), segment, rank_, offset, level_);
  rank_ += segment.count;
}

void PageWriter::finish(const std::uint8_t* dead, unsigned dead_count) {
  PageTrailer t = trailer_of(page_);
  t.segments = static_cast<std::uint16_t>(segments_);
  t.encoded = static_cast<std::uint16_t>(rank_);
  if (dead_count > 0) {
    const std::size_t map_bytes = (rank_ + 7) / 8;
    std::memcpy(at_, dead, map_bytes);
    at_ += map_bytes;
    t.flags |= kHasDead;
    t.dead = static_cast<std::uint16_t>(dead_count);
  }
  store(page_ + kSpecial, t);
  set16(page_, kLowerOffset, static_cast<std::size_t>(at_ - page_));
  set16(page_, kUpperOffset, kSpecial - segments_ * segment_size(level_));
  seal(page_);
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
  if (!load_segment(page, segments - 1, &ref) || ref.key.width != 0 || tids_grow(ref.tids)) return false;
  if (ref.code_at(ref.count) != item.code || ref.tid_at(ref.count) != item.tid) return false;
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

}  // namespace learned
