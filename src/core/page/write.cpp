#include "core/page/write.hpp"

#include <algorithm>

#include "core/page/checksum.hpp"

namespace learned {

namespace {

void set16(std::uint8_t* page, std::size_t offset, std::size_t value) {
  store(page + offset, static_cast<std::uint16_t>(value));
}
template <class K>
BasicPageTrailer<K> trailer_of(const std::uint8_t* page) {
  return load<BasicPageTrailer<K>>(page + kSpecialOf<K>);
}

// Zeroes all but the server's LSN and checksum fields and writes an empty layout.
template <class K>
void start_page(std::uint8_t* page, const BasicPageIdentity<K>& id) {
  constexpr std::size_t kSpecial = kSpecialOf<K>;
  std::memset(page + kLowerOffset - 2, 0, kPageSize - (kLowerOffset - 2));
  set16(page, kLowerOffset, kHeaderSize);
  set16(page, kUpperOffset, kSpecial);
  set16(page, kSpecialOffset, kSpecial);
  set16(page, kPageSizeVersionOffset, kPageSize | kServerLayoutVersion);
  BasicPageTrailer<K> t{};
  t.magic = kPageMagic;
  t.version = kFormatOf<K>;
  t.code_width = kCodeWidthOf<K>;
  t.level = id.level;
  t.tree = static_cast<std::uint8_t>(id.tree);
  t.flags = static_cast<std::uint16_t>(id.flags & ~kHasDead);
  t.left = id.left;
  t.right = id.right;
  t.set_low_fence(id.low);
  t.set_high_fence(id.high);
  store(page + kSpecial, t);
}

template <class K>
std::uint8_t* encode_segment(std::uint8_t* out, const BasicNewSegment<K>& segment,
                             const BasicColumns<K>& columns, unsigned level) {
  if (segment.verbatim != nullptr || segment.bytes == 0) {
    if (segment.bytes > 0) std::memcpy(out, segment.verbatim, segment.bytes);
    return out + segment.bytes;
  }
  out = KeyCodec<K>::encode(out, segment.key, segment.count, columns.codes + segment.first);
  out = encode_tids(out, segment.tids, columns.tids + segment.first, segment.count);
  if (level == 0) return out;
  const Block* children = columns.children + segment.first;
  return LineCodec::encode(out, segment.child, segment.count,
                           [children](std::size_t i) { return std::uint64_t{children[i]}; });
}

void set_key_model(Segment* seg, const SegmentModels& models) {
  seg->first_code = models.first_code;
  seg->key_base = models.key.base;
  seg->key_slope = models.key.slope;
  seg->key_shift = models.key.shift;
  seg->key_width = models.key.width;
}
template <unsigned W>
void set_key_model(BasicSegment<Words<W>>* seg, const BasicSegmentModels<Words<W>>& models) {
  for (unsigned w = 0; w < W; w++) {
    const WordModel& word = models.key.word[w];
    seg->first_word[w] = models.first_code.word[w];
    seg->slope[w] = word.line.slope;
    seg->shift[w] = word.line.shift;
    seg->width[w] = word.line.width;
    seg->gap_at[w] = word.gap_at;
    seg->gap_bits[w] = word.gap_bits;
  }
  seg->first_flags = models.first_code.flags;
  seg->flags_width = models.key.flags_width;
}

template <class K>
void store_segment(std::uint8_t* at, const BasicSegmentModels<K>& models, std::size_t first_rank,
                   std::size_t offset, unsigned level) {
  BasicSegment<K> seg;
  if constexpr (KeyTraits<K>::kWords > 1) std::memset(&seg, 0, sizeof seg);
  set_key_model(&seg, models);
  seg.tid_base = models.tids.model.base;
  seg.tid_slope = models.tids.model.slope;
  seg.first_rank = static_cast<std::uint16_t>(first_rank);
  seg.offset = static_cast<std::uint16_t>(offset);
  seg.tid_scale = models.tids.scale;
  seg.runs = models.tids.runs;
  seg.tid_shift = models.tids.model.shift;
  seg.tid_width = models.tids.model.width;
  seg.rank_width = models.tids.rank_width;
  seg.tid_codec = models.tids.codec;
  seg.child_shift = models.child.shift;
  seg.child_width = models.child.width;
  std::memcpy(at, &seg, sizeof seg);
  if (level > 0) store(at + sizeof seg, ChildModel{models.child.base, models.child.slope});
}

}  // namespace

template <class K>
BasicPageIdentity<K> identity_of(const BasicPageView<K>& page) {
  const BasicPageTrailer<K> t = page.trailer();
  return {static_cast<TreeId>(t.tree), t.level, t.flags, t.left, t.right, t.low_fence(), t.high_fence()};
}

template <class K>
BasicPageWriter<K>::BasicPageWriter(std::uint8_t* page, const BasicPageIdentity<K>& id)
    : page_(page), at_(page + kHeaderSize), level_(id.level) {
  start_page(page, id);
}

template <class K>
void BasicPageWriter<K>::add(const BasicNewSegment<K>& segment, const BasicColumns<K>& columns) {
  const auto offset = static_cast<std::size_t>(at_ - page_);
  at_ = encode_segment(at_, segment, columns, level_);
  segments_++;
  store_segment<K>(page_ + kSpecialOf<K> - segments_ * segment_size<K>(level_), segment, rank_, offset,
                   level_);
  rank_ += segment.count;
}

template <class K>
void BasicPageWriter<K>::finish(const std::uint8_t* dead, unsigned dead_count) {
  BasicPageTrailer<K> t = trailer_of<K>(page_);
  t.segments = static_cast<std::uint16_t>(segments_);
  t.encoded = static_cast<std::uint16_t>(rank_);
  if (dead_count > 0) {
    const std::size_t map_bytes = (rank_ + 7) / 8;
    std::memcpy(at_, dead, map_bytes);
    at_ += map_bytes;
    t.flags |= kHasDead;
    t.dead = static_cast<std::uint16_t>(dead_count);
  }
  store(page_ + kSpecialOf<K>, t);
  set16(page_, kLowerOffset, static_cast<std::size_t>(at_ - page_));
  set16(page_, kUpperOffset, kSpecialOf<K> - segments_ * segment_size<K>(level_));
  seal<K>(page_);
}

template <class K>
void write_empty_page(std::uint8_t* page, const BasicPageIdentity<K>& id) {
  start_page(page, id);
  seal<K>(page);
}

template <class K>
void clear_hole(std::uint8_t* page) {
  const BasicPageView<K> view(page);
  const std::size_t lower = view.lower();
  const std::size_t upper = view.upper();
  if (lower >= kHeaderSize && lower < upper && upper <= kPageSize)
    std::memset(page + lower, 0, upper - lower);
}

template <class K>
void seal(std::uint8_t* page) {
  store(page + kSpecialOf<K> + offsetof(BasicPageTrailer<K>, check), page_checksum<K>(page));
}

template <class K>
unsigned delta_room(const BasicPageView<K>& page) {
  const std::size_t free = page.upper() - page.lower();
  const std::size_t reserve = (page.flags() & kHasDead) != 0 ? 0 : (page.encoded() + 7) / 8;
  const unsigned present = page.deltas();
  if (free <= reserve || present >= kMaxDelta) return 0;
  const std::size_t room = (free - reserve) / delta_size<K>(page.level());
  return static_cast<unsigned>(room < kMaxDelta - present ? room : kMaxDelta - present);
}

template <class K>
std::size_t next_delta_offset(const BasicPageView<K>& page) {
  return page.upper() - delta_size<K>(page.level());
}

template <class K>
void format_delta(std::uint8_t* out, const BasicItem<K>& item, unsigned level) {
  const Block child = level > 0 ? item.child : kNoBlock;
  store(out + DeltaFormat<K>::kTid, item.tid | std::uint64_t{delta_check(item.code, item.tid, child)} << 48);
  if constexpr (KeyTraits<K>::kWords == 1) {
    store(out, item.code);
    if (level > 0) store(out + DeltaFormat<K>::kChild, std::uint64_t{child});
  } else {
    std::memcpy(out, item.code.word, sizeof item.code.word);
    out[DeltaFormat<K>::kFlags] = item.code.flags;
    if (level > 0) store(out + DeltaFormat<K>::kChild, child);
  }
}

template <class K>
void add_delta(std::uint8_t* page, const BasicItem<K>& item) {
  const BasicPageView<K> view(page);
  const std::size_t at = next_delta_offset(view);
  format_delta(page + at, item, view.level());
  set16(page, kUpperOffset, at);
  // Kill marks may have been there; check_header() wants zeros. Of a word that stood across their beginning nothing is left, also
  // where the hole has become smaller than a word.
  const std::size_t from = std::max((at - 8) & ~std::size_t{7}, static_cast<std::size_t>(view.lower()));
  std::memset(page + from, 0, at - from);
}

template <class K>
unsigned continued_exactly(const BasicPageView<K>& page,
                           std::span<const std::type_identity_t<BasicItem<K>>> items) {
  // The checksum is made anew for each entry: worth it where there are few bytes under it.
  constexpr std::size_t kMaxSealed = 1024;
  const unsigned segments = page.segments();
  const unsigned encoded = page.encoded();
  if (page.level() > 0 || segments == 0 || encoded >= kMaxEntries || page.upper() != page.dir() ||
      (page.flags() & kHasDead) != 0 || page.lower() + (kSpecialOf<K> - page.dir()) > kMaxSealed) {
    return 0;
  }
  BasicSegmentRef<K> ref;
  if (!load_segment(page, segments - 1, &ref) || !KeyCodec<K>::exact(ref.key) || tids_grow(ref.tids))
    return 0;
  const std::size_t most = std::min<std::size_t>({items.size(), kMostContinued, kMaxEntries - encoded});
  BasicEntry<K> last{ref.code_at(ref.count - 1), ref.tid_at(ref.count - 1)};
  unsigned n = 0;
  for (; n < most; n++) {
    const BasicItem<K>& item = items[n];
    if (ref.code_at(ref.count + n) != item.code || ref.tid_at(ref.count + n) != item.tid) break;
    if (!(last < item.entry())) break;
    last = item.entry();
  }
  return n;
}

template <class K>
std::uint32_t extended_checksum(const std::uint8_t* page, bool* sound, unsigned n) {
  BasicPageTrailer<K> next = trailer_of<K>(page);
  next.encoded = static_cast<std::uint16_t>(next.encoded + n);
  return next_checksum(page, next, sound);
}

template <class K>
void extend_exactly(std::uint8_t* page, std::uint32_t checksum, unsigned n) {
  constexpr std::size_t kSpecial = kSpecialOf<K>;
  const auto encoded = static_cast<std::uint16_t>(BasicPageView<K>(page).encoded() + n);
  store(page + kSpecial + offsetof(PageTrailer, encoded), encoded);
  store(page + kSpecial + offsetof(PageTrailer, check), checksum);
}

template <class K>
void mark_dead(std::uint8_t* page, const std::uint8_t* doomed) {
  BasicPageTrailer<K> t = trailer_of<K>(page);
  const BasicPageView<K> view(page);
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
  store(page + kSpecialOf<K>, t);
}

template <class K>
void remove_deltas(std::uint8_t* page, const std::uint8_t* doomed) {
  const BasicPageView<K> view(page);
  const std::size_t size = delta_size<K>(view.level());
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

template <class K>
void set_flags(std::uint8_t* page, std::uint16_t flags) {
  store(page + kSpecialOf<K> + offsetof(BasicPageTrailer<K>, flags), flags);
}
template <class K>
void set_left(std::uint8_t* page, Block left) {
  store(page + kSpecialOf<K> + offsetof(BasicPageTrailer<K>, left), left);
}
template <class K>
void set_low(std::uint8_t* page, const BasicEntry<K>& low) {
  BasicPageTrailer<K> t = trailer_of<K>(page);
  t.set_low_fence(low);
  store(page + kSpecialOf<K>, t);
}

#define LEARNED_INSTANTIATE(K)                                                                 \
  template BasicPageIdentity<K> identity_of(const BasicPageView<K>&);                          \
  template class BasicPageWriter<K>;                                                           \
  template void write_empty_page(std::uint8_t*, const BasicPageIdentity<K>&);                  \
  template void clear_hole<K>(std::uint8_t*);                                                  \
  template void seal<K>(std::uint8_t*);                                                        \
  template unsigned delta_room(const BasicPageView<K>&);                                       \
  template std::size_t next_delta_offset(const BasicPageView<K>&);                             \
  template void add_delta(std::uint8_t*, const BasicItem<K>&);                                 \
  template void format_delta(std::uint8_t*, const BasicItem<K>&, unsigned);                    \
  template unsigned continued_exactly(const BasicPageView<K>&, std::span<const BasicItem<K>>); \
  template std::uint32_t extended_checksum<K>(const std::uint8_t*, bool*, unsigned);           \
  template void extend_exactly<K>(std::uint8_t*, std::uint32_t, unsigned);                     \
  template void mark_dead<K>(std::uint8_t*, const std::uint8_t*);                              \
  template void remove_deltas<K>(std::uint8_t*, const std::uint8_t*);                          \
  template void set_flags<K>(std::uint8_t*, std::uint16_t);                                    \
  template void set_left<K>(std::uint8_t*, Block);                                             \
  template void set_low(std::uint8_t*, const BasicEntry<K>&);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
