#include "page_view.hpp"

namespace learned {

Fault check_header(const PageView& page) {
  const PageTrailer t = page.trailer();
  if (t.magic != kPageMagic) return "page is not a page of a learned index";
  if (t.version > kFormatVersion) return "page has a newer format version";
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
  ref->seg = load<Segment>(p);
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

// Walks the set bits of a bitmap in ascending order. Bytes behind its end are read as far as a word and masked.
class SetBits {
 public:
  SetBits(const std::uint8_t* map, std::uint32_t size) : map_(map), size_(size) { load_word(); }

  // Skips `n` set bits, word by word.
  void skip(unsigned n) {
    for (;;) {
      const auto here = static_cast<unsigned>(std::popcount(word_));
      if (n < here || at_ >= size_) break;
      n -= here;
      at_ += 8;
      load_word();
    }
    for (; n > 0; n--) word_ &= word_ - 1;
  }
  // Position of the next set bit; the bitmap's end if a damaged page has too few.
  std::uint32_t next() {
    while (word_ == 0) {
      if (at_ >= size_) return size_ * 8;
      at_ += 8;
      load_word();
    }
    const auto bit = static_cast<std::uint32_t>(std::countr_zero(word_));
    word_ &= word_ - 1;
    return at_ * 8 + bit;
  }

 private:
  void load_word() {
    word_ = 0;
    if (at_ >= size_) return;
    word_ = load<std::uint64_t>(map_ + at_);
    if (size_ - at_ < 8) word_ &= low_mask((size_ - at_) * 8);
  }

  const std::uint8_t* map_;
  std::uint32_t size_;
  std::uint32_t at_ = 0;
  std::uint64_t word_ = 0;
};

}  // namespace

Tid SegmentRef::tid_at(unsigned i) const {
  const ColumnModel model = seg.tid();
  if (seg.tid_codec == TidCodec::ascending) {
    SetBits bits(high_bits, high_size);
    bits.skip(i);
    const std::uint64_t high = bits.next() - std::uint64_t{i};
    return ordinal_to_tid(seg.tid_base + (high << seg.tid_width) + read_bits(tid_bits, i, seg.tid_width),
                          seg.tid_scale);
  }
  if (seg.tid_codec == TidCodec::linear) {
    return ordinal_to_tid(model.predict(i) + read_bits(tid_bits, i, seg.tid_width), seg.tid_scale);
  }
  // Last run that starts at or before i.
  unsigned lo = 0;
  unsigned hi = seg.runs;
  while (hi - lo > 1) {
    const unsigned mid = (lo + hi) / 2;
    if (read_bits(rank_bits, mid, seg.rank_width) <= i) {
      lo = mid;
    } else {
      hi = mid;
    }
  }
  const auto start = static_cast<unsigned>(read_bits(rank_bits, lo, seg.rank_width));
  const Tid first = ordinal_to_tid(model.predict(lo) + read_bits(tid_bits, lo, seg.tid_width), seg.tid_scale);
  return (first + (i - start)) & kMaxTid;
}

unsigned SegmentRef::lower_bound(Code code, unsigned* probes) const {
  if (probes != nullptr) *probes = 0;
  if (code <= seg.first_code) return 0;
  // value(i) = base + line(i) + residual(i). Measured from the base, the wanted value is `target`, and
  // entry i lies in [line(i), line(i) + max_residual]. So entries with line(i) + max_residual < target are
  // too small and entries with line(i) >= target are large enough: what remains is the window below.
  unsigned lo = 0;
  unsigned hi = count;
  if (seg.key_slope != 0 && (seg.key_shift & ColumnModel::kDescending) == 0) {
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
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    reads++;
    if (code_at(mid) < code) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
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

// First encoded rank with a code >= `code`.
bool lower_bound_code(const PageView& page, Code code, unsigned* rank) {
  const unsigned segments = page.segments();
  const std::size_t size = segment_size(page.level());
  const std::uint8_t* base = page.high_part() + kSpecial;
  // Last segment that starts below the code; the answer is in it or the first rank behind it.
  unsigned lo = 0;
  unsigned hi = segments;
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    if (load<Code>(base - (mid + 1) * size) < code) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  if (lo == 0) {
    *rank = 0;
    return true;
  }
  SegmentRef ref;
  if (!load_segment(page, lo - 1, &ref)) return false;
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

bool equal_range(const PageView& page, Code code, unsigned* begin, unsigned* end) {
  const unsigned encoded = page.encoded();
  if (!lower_bound_code(page, code, begin)) return false;
  *end = *begin;
  // Nearly always there is one entry or none; more than two are worth a second search.
  Code next[2];
  const unsigned look = encoded - *begin < 2 ? encoded - *begin : 2;
  if (*begin > encoded || !decode(page, *begin, *begin + look, next, nullptr)) return false;
  for (unsigned i = 0; i < look && next[i] == code; i++) ++*end;
  if (*end - *begin < 2) return true;
  if (code == kMaxCode) {
    *end = encoded;
    return true;
  }
  return lower_bound_code(page, code + 1, end) && *end >= *begin;
}

namespace {

// Values [begin, begin + n) of a column. The line climbs by additions where its end fits 64 bits, as it does in sound
// pages.
void decode_column(const ColumnModel& model, const std::uint8_t* bits, unsigned begin, unsigned n,
                   std::uint64_t* out) {
  std::uint64_t end;
  if (__builtin_mul_overflow(model.slope, std::uint64_t{begin} + n, &end)) {
    for (unsigned i = 0; i < n; i++)
      out[i] = model.predict(begin + i) + read_bits(bits, begin + i, model.width);
    return;
  }
  const unsigned shift = model.shift & 0x7F;
  // The line's value v becomes -v by ~v + 1.
  const std::uint64_t sign = (model.shift & ColumnModel::kDescending) != 0 ? ~std::uint64_t{0} : 0;
  const std::uint64_t base = model.base - sign;
  std::uint64_t climb = model.slope * begin;
  if (model.width == 0) {
    for (unsigned i = 0; i < n; i++, climb += model.slope) out[i] = base + ((climb >> shift) ^ sign);
  } else {
    for (unsigned i = 0; i < n; i++, climb += model.slope) {
      out[i] = base + ((climb >> shift) ^ sign) + read_bits(bits, begin + i, model.width);
    }
  }
}

// Turns ordinals into TIDs in place. A division by an odd scale is the dear part: multiply by the inverse.
void ordinals_to_tids(std::uint64_t* values, unsigned n, unsigned scale) {
  if (scale == 0) {
    for (unsigned i = 0; i < n; i++) values[i] &= kMaxTid;
    return;
  }
  const double inverse = 1.0 / scale;
  for (unsigned i = 0; i < n; i++) {
    // Sound ordinals are below 2^48, exact in a double; the quotient is off by at most one.
    const std::uint64_t ordinal = values[i] & kMaxTid;
    auto block = static_cast<std::uint64_t>(static_cast<double>(ordinal) * inverse);
    auto rest = static_cast<std::int64_t>(ordinal - block * scale);
    if (rest < 0) {
      block--;
      rest += scale;
    } else if (rest >= static_cast<std::int64_t>(scale)) {
      block++;
      rest -= scale;
    }
    values[i] = ((block << 16) | static_cast<std::uint64_t>(rest + 1)) & kMaxTid;
  }
}

// TIDs that count up by one, as a table's rows of one width do. False: not this column's.
bool decode_counting(const Segment& seg, unsigned begin, unsigned n, Tid* out) {
  if (seg.tid_width != 0 || seg.tid_shift > 16 || seg.tid_slope != std::uint64_t{1} << seg.tid_shift)
    return false;
  const std::uint64_t first = seg.tid_base + begin;
  if (first > kMaxTid || n > kMaxTid - first) return false;
  Tid tid = ordinal_to_tid(first, seg.tid_scale);
  // Of a raw TID, all of it counts.
  unsigned room = seg.tid_scale == 0 ? n : seg.tid_scale + 1u - tid_offset(tid);
  for (unsigned i = 0; i < n;) {
    const unsigned end = n - i < room ? n : i + room;
    for (; i < end; i++) out[i] = tid++;
    // On to the first row of the next block.
    tid = ((((tid - 1) >> 16) + 1) << 16 | 1) & kMaxTid;
    room = seg.tid_scale;
  }
  return true;
}

void decode_runs(const SegmentRef& ref, unsigned begin, unsigned n, Tid* out) {
  const Segment& seg = ref.seg;
  unsigned run = 0;
  unsigned hi = seg.runs;
  while (hi - run > 1) {
    const unsigned mid = (run + hi) / 2;
    if (read_bits(ref.rank_bits, mid, seg.rank_width) <= begin) {
      run = mid;
    } else {
      hi = mid;
    }
  }
  unsigned i = 0;
  while (i < n) {
    const auto start = static_cast<unsigned>(read_bits(ref.rank_bits, run, seg.rank_width));
    unsigned next = begin + n;
    if (run + 1 < seg.runs) {
      const auto r = static_cast<unsigned>(read_bits(ref.rank_bits, run + 1, seg.rank_width));
      next = r < next ? r : next;
    }
    const Tid first =
        ordinal_to_tid(seg.tid().predict(run) + read_bits(ref.tid_bits, run, seg.tid_width), seg.tid_scale);
    // Damaged ranks may not ascend: `i` always does.
    do {
      out[i] = (first + (begin + i - start)) & kMaxTid;
      i++;
    } while (begin + i < next);
    if (run + 1 < seg.runs) run++;
  }
}

void decode_ascending(const SegmentRef& ref, unsigned begin, unsigned n, Tid* out) {
  const Segment& seg = ref.seg;
  SetBits bits(ref.high_bits, ref.high_size);
  bits.skip(begin);
  for (unsigned k = 0; k < n; k++) {
    const std::uint64_t high = bits.next() - std::uint64_t{begin + k};
    out[k] = seg.tid_base + (high << seg.tid_width) + read_bits(ref.tid_bits, begin + k, seg.tid_width);
  }
  ordinals_to_tids(out, n, seg.tid_scale);
}

}  // namespace

bool decode(const PageView& page, unsigned begin, unsigned end, Code* codes, Tid* tids, Block* children) {
  if (begin >= end) return true;
  if (end > page.encoded()) return false;
  unsigned s = segment_of_rank(page, begin);
  unsigned done = 0;
  while (begin + done < end) {
    SegmentRef ref;
    if (s >= page.segments() || !load_segment(page, s, &ref)) return false;
    const unsigned at = begin + done;
    if (at < ref.seg.first_rank || at >= ref.seg.first_rank + ref.count) return false;
    const unsigned i = at - ref.seg.first_rank;
    const unsigned n = end - at < ref.count - i ? end - at : ref.count - i;
    if (codes != nullptr) decode_column(ref.seg.key(), ref.key_bits, i, n, codes + done);
    if (tids != nullptr) {
      if (ref.seg.tid_codec == TidCodec::runs) {
        decode_runs(ref, i, n, tids + done);
      } else if (ref.seg.tid_codec == TidCodec::ascending) {
        decode_ascending(ref, i, n, tids + done);
      } else if (!decode_counting(ref.seg, i, n, tids + done)) {
        decode_column(ref.seg.tid(), ref.tid_bits, i, n, tids + done);
        ordinals_to_tids(tids + done, n, ref.seg.tid_scale);
      }
    }
    if (children != nullptr) {
      for (unsigned k = 0; k < n; k++) children[done + k] = ref.child_at(i + k);
    }
    done += n;
    s++;
  }
  return true;
}

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
  // The first rank above the key; the one before it is the answer among the encoded.
  unsigned rank;
  const Entry above = key.tid < kMaxTid ? Entry{key.code, key.tid + 1} : Entry{key.code + 1, 0};
  if (key.tid == kMaxTid && key.code == kMaxCode) {
    rank = page.encoded();
  } else if (!lower_bound(page, above, &rank)) {
    return false;
  }
  if (rank > page.encoded()) return false;
  if (rank > 0) {
    SegmentRef ref;
    if (!load_segment(page, segment_of_rank(page, rank - 1), &ref)) return false;
    const unsigned i = rank - 1 - ref.seg.first_rank;
    if (i >= ref.count) return false;
    const Item item{ref.code_at(i), ref.tid_at(i), ref.child_at(i)};
    if (next != nullptr && i + 1 < ref.count) *next = ref.code_at(i + 1);
    if (!have || item.entry() > found->entry()) *found = item;
    have = true;
  }
  return have;
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

std::uint32_t page_checksum(const std::uint8_t* page) {
  // Four independent multiply-rotate lanes, so that a page takes well under a microsecond. It finds damage,
  // it does not resist forgery.
  constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15u;
  std::uint64_t lane[4] = {1, 2, 3, 4};
  const auto mix = [](std::uint64_t h, std::uint64_t word) {
    h = (h ^ word) * kPrime;
    return h ^ (h >> 29);
  };
  const auto add = [&](const std::uint8_t* p, std::size_t n) {
    while (n >= 32) {
      for (int i = 0; i < 4; i++) lane[i] = mix(lane[i], load<std::uint64_t>(p + 8 * i));
      p += 32;
      n -= 32;
    }
    for (; n >= 8; p += 8, n -= 8) lane[0] = mix(lane[0], load<std::uint64_t>(p));
    std::uint64_t tail = n;
    for (std::size_t i = 0; i < n; i++) tail = (tail << 8) | p[i];
    lane[1] = mix(lane[1], tail);
  };
  const PageView view(page);
  std::size_t lower = view.lower();
  std::size_t dir = view.dir();
  // A damaged page must not lead outside; its checksum will not match anyway.
  if (lower < kHeaderSize || lower > kSpecial) lower = kHeaderSize;
  if (dir > kSpecial || dir < lower) dir = kSpecial;
  PageTrailer trailer = view.trailer();
  trailer.check = 0;
  add(page + kHeaderSize, lower - kHeaderSize);
  add(page + dir, kSpecial - dir);
  std::uint8_t bytes[sizeof(PageTrailer)];
  store(bytes, trailer);
  add(bytes, sizeof bytes);
  // Server header fields that describe the layout.
  lane[2] = mix(lane[2], load<std::uint16_t>(page + kLowerOffset) | (std::uint64_t{kSpecial} << 16));
  std::uint64_t h = 0;
  for (std::uint64_t l : lane) h = mix(h, l);
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

}  // namespace learned
