// Decoding columns of a page: single TIDs, and stretches of entries.
#include "core/page/view.hpp"

namespace learned {

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
  } else if (model.width <= kNarrow) {
    const std::uint64_t mask = low_mask(model.width);
    std::size_t bit = std::size_t{begin} * model.width;
    for (unsigned i = 0; i < n; i++, climb += model.slope, bit += model.width) {
      out[i] = base + ((climb >> shift) ^ sign) + read_narrow(bits, bit, mask);
    }
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

}  // namespace learned
