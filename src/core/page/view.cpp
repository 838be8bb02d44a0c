#include "core/page/view.hpp"

namespace learned {

Fault check_header(const PageView& page) {
  const PageTrailer t = page.trailer();
  if (t.magic != kPageMagic) return "page is not a page of a learned index";
  if (t.version > kFormatVersion) return {FaultKind::newer, "page has a newer format version"};
  if (t.version == 0) return "page has an unknown format version";
  if (t.code_width != kCodeWidth) return "page has an unknown code width";
  if (t.tree >= kTreeCount) return "page belongs to an unknown tree";
  const std::size_t dir_bytes = t.segments * segment_size(t.level);
  if (dir_bytes > kSpecial - kHeaderSize) return "segment directory exceeds the page";
  const std::size_t dir = kSpecial - dir_bytes;
  const std::size_t lower = page.lower();
  const std::size_t upper = page.upper();
  if (load<std::uint16_t>(page.low_part() + kSpecialOffset) != kSpecial) return "page trailer is displaced";
  if (lower < kHeaderSize || lower > upper || upper > dir) return "page areas overlap";
  if ((dir - upper) % delta_size(t.level) != 0) return "delta area has a broken length";
  if ((dir - upper) / delta_size(t.level) > kMaxDelta) return "delta area is too long";
  // The bytes below the delta are zero, unless `upper` was raised past entries (which never have zeros there). A
  // compact copy has no such bytes.
  if (page.low_part() == page.high_part() && upper - lower >= delta_size(t.level) &&
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

bool load_segment(const PageView& page, unsigned s, SegmentRef* ref) {
  const unsigned level = page.level();
  const unsigned segments = page.segments();
  const std::size_t size = segment_size(level);
  const std::uint8_t* p = page.high_part() + kSpecial - (s + 1) * size;
  std::memcpy(&ref->seg, p, sizeof(Segment));
  const Segment& seg = ref->seg;
  const unsigned end =
      s + 1 < segments ? load<std::uint16_t>(p - size + offsetof(Segment, first_rank)) : page.encoded();
  if (seg.first_rank >= end || end > page.encoded() || (s == 0 && seg.first_rank != 0)) return false;
  const unsigned count = end - seg.first_rank;
  ref->count = count;
  if (seg.key_width > 64 || seg.tid_width > 64 || (seg.key_shift & 0x7F) > 16 ||
      (seg.tid_shift & 0x7F) > 16) {
    return false;
  }
  std::size_t at = seg.offset;
  if (at < kHeaderSize) return false;
  ref->key_bits = page.low_part() + at;
  at += packed_bytes(count, seg.key_width);
  ref->rank_bits = nullptr;
  ref->high_bits = nullptr;
  ref->high_size = 0;
  if (seg.tid_codec == TidCodec::runs) {
    if (seg.runs == 0 || seg.runs > count || seg.rank_width > 16) return false;
    ref->rank_bits = page.low_part() + at;
    at += packed_bytes(seg.runs, seg.rank_width);
    ref->tid_bits = page.low_part() + at;
    at += packed_bytes(seg.runs, seg.tid_width);
  } else if (seg.tid_codec == TidCodec::linear) {
    ref->tid_bits = page.low_part() + at;
    at += packed_bytes(count, seg.tid_width);
  } else if (seg.tid_codec == TidCodec::ascending) {
    if (seg.tid_width > 48 || (seg.tid_slope >> seg.tid_width) > 8 * kPageSize) return false;
    ref->tid_bits = page.low_part() + at;
    at += packed_bytes(count, seg.tid_width);
    ref->high_bits = page.low_part() + at;
    ref->high_size = static_cast<std::uint32_t>(high_bytes(count, seg.tid_slope, seg.tid_width));
    at += ref->high_size;
  } else {
    return false;
  }
  if (level > 0) {
    const auto child = load<ChildModel>(p + sizeof(Segment));
    if (seg.child_width > 64 || (seg.child_shift & 0x7F) > 16) return false;
    ref->child_model = {child.base, child.slope, seg.child_shift, seg.child_width};
    ref->child_bits = page.low_part() + at;
    at += packed_bytes(count, seg.child_width);
  }
  return at <= page.lower();
}

namespace {

// Bisects [lo, hi) for the first rank whose code is >= `code`.
template <class CodeAt>
inline unsigned bisect(unsigned lo, unsigned hi, Code code, unsigned* reads, CodeAt code_at) {
  unsigned n = 0;
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    n++;
    if (code_at(mid) < code) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  *reads = n;
  return lo;
}

}  // namespace

unsigned SegmentRef::lower_bound(Code code, unsigned* probes) const {
  if (probes != nullptr) *probes = 0;
  if (code <= seg.first_code) return 0;
  // value(i) = base + line(i) + residual(i). Measured from the base, the wanted value is `target`, and
  // entry i lies in [line(i), line(i) + max_residual]. So entries with line(i) + max_residual < target are
  // too small and entries with line(i) >= target are large enough: what remains is the window below.
  unsigned lo = 0;
  unsigned hi = count;
  const bool climbs = (seg.key_shift & ColumnModel::kDescending) == 0;
  if (seg.key_slope != 0 && climbs) {
    const double ranks_per_step =
        static_cast<double>(std::uint64_t{1} << (seg.key_shift & 0x7F)) / static_cast<double>(seg.key_slope);
    const double target =
        static_cast<double>(code - seg.first_code) + static_cast<double>(seg.first_code - seg.key_base);
    // line(i) is step * i rounded down, hence the + 1. A writer's residuals never exceed its line's rise over
    // 2^16 ranks, so rounding to 53 bits moves a bound by less than 2^-30 ranks: two ranks of slack cover it.
    const double first = (target - static_cast<double>(low_mask(seg.key_width))) * ranks_per_step - 2.0;
    const double last = (target + 1.0) * ranks_per_step + 2.0;
    if (first > 0) lo = first < count ? static_cast<unsigned>(first) : count;
    if (last < count) hi = static_cast<unsigned>(last);
  }
  // The entry will be near the middle: fetch its TID along with its key.
  __builtin_prefetch(tid_bits + (std::size_t{lo} + hi) / 2 * seg.tid_width / 8);
  unsigned reads = 0;
  std::uint64_t end;
  if (climbs && seg.key_width <= kNarrow &&
      !__builtin_mul_overflow(seg.key_slope, std::uint64_t{count}, &end)) {
    // As in sound pages nearly always: the line in 64 bits, a residual in one word.
    const Code base = seg.key_base;
    const std::uint64_t slope = seg.key_slope;
    const unsigned shift = seg.key_shift;
    const unsigned width = seg.key_width;
    const std::uint64_t mask = low_mask(width);
    const std::uint8_t* const bits = key_bits;
    lo = bisect(lo, hi, code, &reads, [=](unsigned i) {
      return base + (slope * i >> shift) + read_narrow(bits, std::size_t{i} * width, mask);
    });
  } else {
    lo = bisect(lo, hi, code, &reads, [this](unsigned i) { return code_at(i); });
  }
  if (probes != nullptr) *probes = reads;
  return lo;
}

unsigned segment_of_rank(const PageView& page, unsigned rank) {
  const std::size_t size = segment_size(page.level());
  const std::uint8_t* base = page.high_part() + kSpecial + offsetof(Segment, first_rank);
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

namespace {

Code first_code_of(const PageView& page, unsigned s) {
  return load<Code>(page.high_part() + kSpecial - (s + 1) * segment_size(page.level()));
}

// How many segments start below the code. The first entry that does not is in the last of them, or the first one behind.
unsigned segments_below(const PageView& page, Code code) {
  const std::size_t size = segment_size(page.level());
  const std::uint8_t* base = page.high_part() + kSpecial;
  unsigned lo = 0;
  unsigned hi = page.segments();
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    if (load<Code>(base - (mid + 1) * size) < code) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  return lo;
}

// First encoded rank with a code >= `code`.
bool lower_bound_code(const PageView& page, Code code, unsigned* rank) {
  const unsigned below = segments_below(page, code);
  if (below == 0) {
    *rank = 0;
    return true;
  }
  SegmentRef ref;
  if (!load_segment(page, below - 1, &ref)) return false;
  *rank = ref.seg.first_rank + ref.lower_bound(code);
  return true;
}

}  // namespace

bool lower_bound(const PageView& page, const Entry& key, unsigned* rank) {
  if (!lower_bound_code(page, key.code, rank)) return false;
  if (key.tid == 0 || *rank >= page.encoded()) return true;
  // Among entries of equal code TIDs ascend; the search stays within that run.
  unsigned lo = *rank;
  unsigned hi = page.encoded();
  // Mostly there is one such entry, or none: see before searching for the end of the run.
  {
    SegmentRef ref;
    if (!load_segment(page, segment_of_rank(page, lo), &ref)) return false;
    unsigned i = lo - ref.seg.first_rank;
    if (lo < ref.seg.first_rank || i >= ref.count) return false;
    if (ref.code_at(i) > key.code || ref.tid_at(i) >= key.tid) return true;
    lo++;
    if (++i < ref.count && ref.code_at(i) > key.code) {
      *rank = lo;
      return true;
    }
  }
  if (key.code != kMaxCode && !lower_bound_code(page, key.code + 1, &hi)) return false;
  SegmentRef ref;
  unsigned loaded_begin = 1;
  unsigned loaded_end = 0;
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    if (mid < loaded_begin || mid >= loaded_end) {
      if (!load_segment(page, segment_of_rank(page, mid), &ref)) return false;
      loaded_begin = ref.seg.first_rank;
      loaded_end = loaded_begin + ref.count;
      if (mid < loaded_begin || mid >= loaded_end) return false;
    }
    if (ref.tid_at(mid - loaded_begin) < key.tid) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  *rank = lo;
  return true;
}

bool equal_range(const PageView& page, Code code, unsigned* begin, unsigned* end, SegmentRef* found) {
  found->count = 0;
  const unsigned below = segments_below(page, code);
  const auto next_begins_with_it = [&] {
    return below < page.segments() && first_code_of(page, below) == code;
  };
  bool more;  // than what *end says below
  *begin = 0;
  if (below > 0 && !load_segment(page, below - 1, found)) return false;
  const unsigned i = below > 0 ? found->lower_bound(code) : 0;
  if (below > 0) *begin = found->seg.first_rank + i;
  *end = *begin;
  if (i < found->count) {
    // Nearly always there is one entry or none; more are worth a second search.
    if (found->code_at(i) != code) return true;
    ++*end;
    more = i + 1 < found->count ? found->code_at(i + 1) == code : next_begins_with_it();
  } else {
    more = next_begins_with_it();
  }
  if (!more) return true;
  found->count = 0;
  if (code == kMaxCode) {
    *end = page.encoded();
    return *begin <= *end;
  }
  return lower_bound_code(page, code + 1, end) && *end >= *begin;
}

namespace {

// The general way of find_child() among the encoded separators. `*rank`: the first one above the key.
bool rank_above(const PageView& page, const Entry& key, unsigned* rank) {
  const Entry above = key.tid < kMaxTid ? Entry{key.code, key.tid + 1} : Entry{key.code + 1, 0};
  if (key.tid == kMaxTid && key.code == kMaxCode) {
    *rank = page.encoded();
    return true;
  }
  return lower_bound(page, above, rank) && *rank <= page.encoded();
}

// The last encoded separator <= key: its segment and its index there. False: corrupt. *none: there is none.
bool separator_before(const PageView& page, const Entry& key, SegmentRef* ref, unsigned* i, bool* none) {
  const unsigned below = segments_below(page, key.code);
  *none = false;
  // Nearly always no separator has the key's own code, and one search in one segment answers.
  if (below > 0) {
    if (!load_segment(page, below - 1, ref)) return false;
    const unsigned at = ref->lower_bound(key.code);
    const bool apart = at < ref->count ? ref->code_at(at) != key.code
                                       : below == page.segments() || first_code_of(page, below) != key.code;
    if (at > 0 && apart) {
      *i = at - 1;
      return true;
    }
  }
  unsigned rank;
  if (!rank_above(page, key, &rank)) return false;
  *none = rank == 0;
  if (*none) return true;
  if (!load_segment(page, segment_of_rank(page, rank - 1), ref)) return false;
  *i = rank - 1 - ref->seg.first_rank;
  return *i < ref->count;
}

}  // namespace

bool find_child(const PageView& page, const Entry& key, Item* found, Code* next) {
  if (next != nullptr) *next = kMaxCode;
  bool have = false;
  const unsigned deltas = page.deltas();
  const std::size_t size = delta_size(page.level());
  const std::uint8_t* p = page.high_part() + page.dir();
  const std::uint8_t* best = nullptr;
  Entry best_entry{0, 0};
  for (unsigned j = 0; j < deltas; j++) {
    p -= size;
    const Entry e{load<Code>(p), PageView::delta_tid(p)};
    if (e <= key && (best == nullptr || e > best_entry)) {
      best = p;
      best_entry = e;
    }
  }
  if (best != nullptr) {
    // The one that is believed is checked: its check costs more than the whole search.
    if (!PageView::delta_sound(best, page.level())) return false;
    *found = {best_entry.code, best_entry.tid, load<Block>(best + 16)};
    have = true;
  }
  if (page.encoded() == 0) return have;
  SegmentRef ref;
  unsigned i = 0;
  bool none = false;
  if (!separator_before(page, key, &ref, &i, &none)) return false;
  if (none) return have;
  const Item item{ref.code_at(i), ref.tid_at(i), ref.child_at(i)};
  if (next != nullptr && i + 1 < ref.count) *next = ref.code_at(i + 1);
  if (!have || item.entry() > found->entry()) *found = item;
  return true;
}

std::size_t compact_bytes(const PageView& page) {
  return ((page.lower() + std::size_t{7}) & ~std::size_t{7}) + (kPageSize - page.upper());
}

PageView compact_copy(const PageView& page, std::uint8_t* out) {
  const std::size_t lower = page.lower();
  const std::size_t upper = page.upper();
  const std::size_t at = (lower + 7) & ~std::size_t{7};
  std::memcpy(out, page.low_part(), lower);
  std::memcpy(out + at, page.high_part() + upper, kPageSize - upper);
  // upper may be odd in a damaged page; nothing is read through aligned pointers.
  return PageView(out, out + at - upper);
}

namespace {

// Four independent multiply-rotate lanes, so that a page takes well under a microsecond. It finds damage, it does not
// resist forgery. The trailer comes last, so that what a change of the trailer alone makes of the sum takes no second
// pass over the page.
class PageSum {
 public:
  // Takes in all but the trailer.
  explicit PageSum(const std::uint8_t* page) : layout_(load<std::uint16_t>(page + kLowerOffset)) {
    const PageView view(page);
    std::size_t lower = view.lower();
    std::size_t dir = view.dir();
    // A damaged page must not lead outside; its checksum will not match anyway.
    if (lower < kHeaderSize || lower > kSpecial) lower = kHeaderSize;
    if (dir > kSpecial || dir < lower) dir = kSpecial;
    add(page + kHeaderSize, lower - kHeaderSize);
    add(page + dir, kSpecial - dir);
  }
  std::uint32_t with(PageTrailer trailer) const {
    PageSum sum = *this;
    trailer.check = 0;
    std::uint8_t bytes[sizeof(PageTrailer)];
    store(bytes, trailer);
    sum.add(bytes, sizeof bytes);
    // Server header fields that describe the layout.
    sum.lane_[2] = mix(sum.lane_[2], layout_ | (std::uint64_t{kSpecial} << 16));
    std::uint64_t h = 0;
    for (std::uint64_t l : sum.lane_) h = mix(h, l);
    return static_cast<std::uint32_t>(h ^ (h >> 32));
  }

 private:
  static std::uint64_t mix(std::uint64_t h, std::uint64_t word) {
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
  }
  void add(const std::uint8_t* p, std::size_t n) {
    while (n >= 32) {
      for (int i = 0; i < 4; i++) lane_[i] = mix(lane_[i], load<std::uint64_t>(p + 8 * i));
      p += 32;
      n -= 32;
    }
    for (; n >= 8; p += 8, n -= 8) lane_[0] = mix(lane_[0], load<std::uint64_t>(p));
    std::uint64_t tail = n;
    for (std::size_t i = 0; i < n; i++) tail = (tail << 8) | p[i];
    lane_[1] = mix(lane_[1], tail);
  }

  std::uint64_t lane_[4] = {1, 2, 3, 4};
  std::uint16_t layout_;
};

}  // namespace

std::uint32_t page_checksum(const std::uint8_t* page) { return PageSum(page).with(PageView(page).trailer()); }

std::uint32_t next_checksum(const std::uint8_t* page, const PageTrailer& next, bool* sound) {
  const PageSum sum(page);
  const PageTrailer now = PageView(page).trailer();
  *sound = sum.with(now) == now.check;
  return sum.with(next);
}

Fault verify_delta(const PageView& page, unsigned from) {
  const unsigned level = page.level();
  const unsigned deltas = page.deltas();
  const Entry low = page.low();
  const Entry high = page.high();
  const bool bounded = !page.rightmost();
  for (unsigned j = from; j < deltas; j++) {
    const std::uint8_t* p = page.delta_at(j);
    if (!PageView::delta_sound(p, level)) return "delta entry is damaged";
    // A check knows nothing of the page: a part of another one may have come here.
    const Entry entry{load<Code>(p), PageView::delta_tid(p)};
    if (entry < low || (bounded && !(entry < high))) return "entry lies outside the fences";
  }
  return nullptr;
}

Fault verify_page(const std::uint8_t* bytes) {
  // What a delta of zeros would be: no entry.
  static_assert(delta_check(0, 0, kNoBlock) != 0 && delta_check(0, 0, 0) != 0);
  const PageView page(bytes);
  if (Fault fault = check_header(page)) return fault;
  if (page.trailer().check != page_checksum(bytes)) return "page checksum does not match";
  return verify_delta(page, 0);
}

bool is_free_page(const std::uint8_t* bytes) {
  std::size_t at = 0;
  while (at < kPageSize && load<std::uint64_t>(bytes + at) == 0) at += sizeof(std::uint64_t);
  return at == kPageSize || (verify_page(bytes) == nullptr && PageView(bytes).deleted());
}

}  // namespace learned
