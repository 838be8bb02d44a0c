#include "core/page/view.hpp"

#include <algorithm>

#include "core/page/checksum.hpp"

namespace learned {

namespace {

// Whether a page has no trailer of its keys, but one of others, whose keys have more or fewer words.
template <class K>
[[gnu::cold]] bool has_other_keys(const BasicPageView<K>& page) {
  const std::size_t special = load<std::uint16_t>(page.low_part() + kSpecialOffset);
  for (const std::size_t other :
       {kSpecialOf<Code>, kSpecialOf<Words<2>>, kSpecialOf<Words<3>>, kSpecialOf<Words<4>>}) {
    if (special == other && other != kSpecialOf<K> &&
        load<std::uint32_t>(page.high_part() + other) == kPageMagic)
      return true;
  }
  return false;
}

}  // namespace

template <class K>
Fault check_header(const BasicPageView<K>& page) {
  constexpr std::size_t kSpecial = kSpecialOf<K>;
  const BasicPageTrailer<K> t = page.trailer();
  if (t.magic != kPageMagic) {
    return has_other_keys(page) ? "page is not that of an index on these columns"
                                : "page is not a page of a learned index";
  }
  if (t.version > kNewestFormat) return {FaultKind::newer, "page has a newer format version"};
  if (t.version != kFormatOf<K>) return "page has another format version";
  if (t.code_width != kCodeWidthOf<K>) return "page has an unknown code width";
  if (t.tree >= kTreeCount) return "page belongs to an unknown tree";
  const std::size_t dir_bytes = t.segments * segment_size<K>(t.level);
  if (dir_bytes > kSpecial - kHeaderSize) return "segment directory exceeds the page";
  const std::size_t dir = kSpecial - dir_bytes;
  const std::size_t lower = page.lower();
  const std::size_t upper = page.upper();
  if (load<std::uint16_t>(page.low_part() + kSpecialOffset) != kSpecial) return "page trailer is displaced";
  if (lower < kHeaderSize || lower > upper || upper > dir) return "page areas overlap";
  if ((dir - upper) % delta_size<K>(t.level) != 0) return "delta area has a broken length";
  if ((dir - upper) / delta_size<K>(t.level) > kMaxDelta) return "delta area is too long";
  // The bytes below the delta are zero, unless `upper` was raised past entries (which never have zeros there). A
  // compact copy has no such bytes.
  if (page.low_part() == page.high_part() && upper - lower >= delta_size<K>(t.level) &&
      load<std::uint64_t>(page.high_part() + upper - 8) != 0) {
    return "delta area is cut off";
  }
  if (t.encoded > kMaxEntries || t.dead > t.encoded) return "entry counts are impossible";
  if ((t.encoded == 0) != (t.segments == 0)) return "entry and segment counts contradict each other";
  if ((t.flags & kHasDead) != 0) {
    if (lower - kHeaderSize < (t.encoded + 7u) / 8) return "dead bitmap exceeds the page";
  } else if (t.dead != 0) {
    return "dead entries without a dead bitmap";
  }
  return nullptr;
}

// (Flat, so that what is left of the bytes stays in registers.)
template <class K>
[[gnu::flatten]] bool load_segment(const BasicPageView<K>& page, unsigned s, BasicSegmentRef<K>* ref) {
  using Segment = BasicSegment<K>;
  const unsigned level = page.level();
  const std::size_t size = segment_size<K>(level);
  const std::uint8_t* p = page.high_part() + kSpecialOf<K> - (s + 1) * size;
  const unsigned first_rank = load<std::uint16_t>(p + offsetof(Segment, first_rank));
  const unsigned end = s + 1 < page.segments() ? load<std::uint16_t>(p - size + offsetof(Segment, first_rank))
                                               : page.encoded();
  if (first_rank >= end || end > page.encoded() || (s == 0 && first_rank != 0)) return false;
  const auto offset = load<std::uint16_t>(p + offsetof(Segment, offset));
  ref->first_rank = first_rank;
  ref->offset = offset;
  ref->count = end - first_rank;
  get_models(p, level, ref);
  const std::size_t lower = page.lower();
  if (offset < kHeaderSize || offset > lower) return false;
  Extent bytes{page.low_part() + offset, lower - offset};
  return KeyCodec<K>::load(&bytes, &ref->key, ref->first_code, ref->count, &ref->key_bits) &&
         load_tids(&bytes, ref->tids, ref->count, &ref->tid_bits) &&
         (level == 0 || LineCodec::load(&bytes, ref->child, ref->count, &ref->child_bits));
}

template <class K>
unsigned segment_of_rank(const BasicPageView<K>& page, unsigned rank) {
  const std::size_t size = segment_size<K>(page.level());
  const std::uint8_t* base = page.high_part() + kSpecialOf<K> + offsetof(BasicSegment<K>, first_rank);
  unsigned lo = 0;
  unsigned hi = page.segments();
  while (hi - lo > 1) {
    const unsigned mid = (lo + hi) / 2;
    if (load<std::uint16_t>(base - (mid + 1) * size) <= rank) {
      lo = mid;
    } else {
      hi = mid;
    }
  }
  return lo;
}

template <class K>
std::size_t compact_bytes(const BasicPageView<K>& page) {
  return ((page.lower() + std::size_t{7}) & ~std::size_t{7}) + (kPageSize - page.upper());
}

template <class K>
BasicPageView<K> compact_copy(const BasicPageView<K>& page, std::uint8_t* out) {
  const std::size_t lower = page.lower();
  const std::size_t upper = page.upper();
  const std::size_t at = (lower + 7) & ~std::size_t{7};
  std::memcpy(out, page.low_part(), lower);
  std::memcpy(out + at, page.high_part() + upper, kPageSize - upper);
  // upper may be odd in a damaged page; nothing is read through aligned pointers.
  return BasicPageView<K>(out, out + at - upper);
}

template <class K>
Fault verify_delta(const BasicPageView<K>& page, unsigned from) {
  using Entry = BasicEntry<K>;
  const unsigned level = page.level();
  const unsigned deltas = page.deltas();
  const Entry low = page.low();
  const Entry high = page.high();
  const bool bounded = !page.rightmost();
  for (unsigned j = from; j < deltas; j++) {
    const std::uint8_t* p = page.delta_at(j);
    if (!BasicPageView<K>::delta_sound(p, level)) return "delta entry is damaged";
    // A check knows nothing of the page: a part of another one may have come here.
    const Entry entry = BasicPageView<K>::delta_entry(p);
    if (entry < low || (bounded && !(entry < high))) return "entry lies outside the fences";
  }
  return nullptr;
}

template <class K>
Fault verify_page(const std::uint8_t* bytes) {
  // What a delta of zeros would be: no entry.
  static_assert(delta_check(K{}, 0, kNoBlock) != 0 && delta_check(K{}, 0, 0) != 0);
  const BasicPageView<K> page(bytes);
  if (Fault fault = check_header(page)) return fault;
  if (page.trailer().check != page_checksum<K>(bytes)) return "page checksum does not match";
  return verify_delta(page, 0);
}

template <class K>
bool is_free_page(const std::uint8_t* bytes) {
  std::size_t at = 0;
  while (at < kPageSize && load<std::uint64_t>(bytes + at) == 0) at += sizeof(std::uint64_t);
  return at == kPageSize || (verify_page<K>(bytes) == nullptr && BasicPageView<K>(bytes).deleted());
}

template <class K>
unsigned sorted_delta(const BasicPageView<K>& page, BasicItem<K>* out) {
  using Item = BasicItem<K>;
  const unsigned n = page.deltas();
  for (unsigned j = 0; j < n; j++) out[j] = page.delta_item(j);
  std::sort(out, out + n, [](const Item& a, const Item& b) { return a.entry() < b.entry(); });
  return n;
}

#define LEARNED_INSTANTIATE(K)                                                        \
  template Fault check_header(const BasicPageView<K>&);                               \
  template Fault verify_page<K>(const std::uint8_t*);                                 \
  template Fault verify_delta(const BasicPageView<K>&, unsigned);                     \
  template bool is_free_page<K>(const std::uint8_t*);                                 \
  template bool load_segment(const BasicPageView<K>&, unsigned, BasicSegmentRef<K>*); \
  template unsigned segment_of_rank(const BasicPageView<K>&, unsigned);               \
  template std::size_t compact_bytes(const BasicPageView<K>&);                        \
  template BasicPageView<K> compact_copy(const BasicPageView<K>&, std::uint8_t*);     \
  template unsigned sorted_delta(const BasicPageView<K>&, BasicItem<K>*);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
