// TidCodec::ascending: ascending TIDs far apart (rows of one key), by Elias-Fano. The model's base is the first ordinal, its
// slope the last one less that; `width` low bits of each ordinal are packed, then a bitmap has for the i-th entry its bit
// (high part + i) set (Elias, JACM 1974; Vigna, WSDM 2013, section 3).
#pragma once

#include <bit>

#include "core/column/tid_model.hpp"

namespace learned {

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

struct TidAscending {
  static constexpr TidCodec kCodec = TidCodec::ascending;

  // REQUIRES: the TIDs ascend strictly.
  static bool fit(const TidFacts& facts, std::size_t bytes_now, TidColumn* best);

  static std::size_t bytes(const TidColumn& column, std::size_t n) {
    return packed_bytes(n, column.model.width) + high_bytes(column, n);
  }
  static std::uint8_t* encode(std::uint8_t* out, const TidColumn& column, const Tid* tids, std::size_t n);

  static Tid at(const TidColumn& column, const TidBits& data, unsigned i) {
    SetBits bits(data.more, data.more_size);
    bits.skip(i);
    return ordinal_to_tid(ordinal(column, data, bits.next(), i), column.scale);
  }
  static void decode(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n, Tid* out);

  static bool load(Extent* bytes, const TidColumn& column, std::size_t n, TidBits* data) {
    if (!possible(column) || !bytes->take(packed_bytes(n, column.model.width), &data->bits)) return false;
    data->more_size = static_cast<std::uint32_t>(high_bytes(column, n));
    return bytes->take(data->more_size, &data->more);
  }
  static bool grows(const TidColumn&) { return true; }
  static Fault check_model(const TidColumn& column, std::size_t) {
    if (!possible(column)) return "segment has an impossible tid model";
    return column.runs != 0 || column.rank_width != 0 ? "segment without runs counts some" : nullptr;
  }
  static Fault check(const TidColumn& column, const TidBits& data, std::size_t n);

  static unsigned torn(const TidColumn&, const TidBits&, unsigned, unsigned) { return 0; }
  // Its own span under the same division into low and high bits.
  static TidColumn slice(const TidColumn& column, bool front, const Tid* tids, std::size_t n,
                         std::uint32_t* scratch);
  static Span span(const TidColumn& column, std::size_t n);
  // Its ends.
  static Span part_span(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n) {
    return {at(column, data, begin), at(column, data, begin + n - 1)};
  }

 private:
  // Longer bitmaps than any page are of damaged bytes; told so before they are counted in 32 bits.
  static bool possible(const TidColumn& column) {
    constexpr std::uint64_t kMaxBits = 65536;
    return LineCodec::possible(column.model) && column.model.width <= 48 &&
           (column.model.slope >> column.model.width) <= kMaxBits;
  }
  // Bytes of the bitmap of high parts.
  static std::size_t high_bytes(const TidColumn& column, std::size_t n) {
    return (n + (column.model.slope >> column.model.width) + 7) / 8;
  }
  static std::uint64_t ordinal(const TidColumn& column, const TidBits& data, std::uint32_t bit, unsigned i) {
    const std::uint64_t high = bit - std::uint64_t{i};
    return column.model.base + (high << column.model.width) + read_bits(data.bits, i, column.model.width);
  }
};

}  // namespace learned
