// Elias-Fano: n ascending values (equal ones too), measured from the first of them. The low bits of each are packed; a bitmap has
// for the i-th value its bit (high part + i) set (Elias, JACM 1974; Vigna, WSDM 2013, section 3). That is the logarithm of
// the mean distance and two bits, wherever the values lie between the first and the last one.
//
// TIDs (tid_ascending.hpp) and words of keys (word_column.hpp) are stored so.
#pragma once

#include <bit>

#include "core/base/bits.hpp"

namespace learned {

// How values are divided into two parts.
struct EliasShape {
  std::uint64_t span;  // the last value
  unsigned low;        // bits of the low part

  // The low bits that make both parts smallest together.
  static EliasShape best(std::size_t n, std::uint64_t span) {
    const std::uint64_t distance = span / n;
    return {span, distance > 1 ? bits_for(distance) - 1 : 0};
  }

  // Longer bitmaps than any page are of damaged bytes; told so before they are counted in 32 bits.
  bool possible() const {
    constexpr std::uint64_t kMaxBits = 65536;
    return low < 64 && span >> low <= kMaxBits;
  }
  std::size_t low_bytes(std::size_t n) const { return packed_bytes(n, low); }
  // Of the bitmap.
  std::size_t bits(std::size_t n) const { return n + (span >> low); }
  std::size_t high_bytes(std::size_t n) const { return (bits(n) + 7) / 8; }
  std::size_t bytes(std::size_t n) const { return low_bytes(n) + high_bytes(n); }

  // A part of such values, `first` and `last` among them: its own span, divided the same way, so that no part takes more
  // bytes than the whole. (Values descend on a damaged page only.)
  EliasShape part(std::uint64_t first, std::uint64_t last) const {
    return {last > first && last - first <= span ? last - first : 0, low};
  }

  // Writes the values get(0) ... get(n - 1); returns the first byte behind them.
  template <class Get>
  std::uint8_t* encode(std::uint8_t* out, std::size_t n, Get get) const {
    BitWriter writer(out, low);
    if (low > 0) {
      for (std::size_t i = 0; i < n; i++) writer.put(get(i) & low_mask(low));
    }
    out = writer.flush();
    const std::size_t size = high_bytes(n);
    std::memset(out, 0, size);
    for (std::size_t i = 0; i < n; i++) {
      const std::uint64_t bit = (get(i) >> low) + i;
      if (bit < size * 8) set_bit(out, bit);  // always, unless the values come from a damaged page
    }
    return out + size;
  }
  // Whether a bitmap has a bit for each of n values, and none behind its end.
  bool sound(const std::uint8_t* map, std::size_t n) const;
};

// Set bits of each byte of a word, and of all of it. (Without an instruction for it, compilers call a function.)
constexpr std::uint64_t count_in_bytes(std::uint64_t word) {
  word -= (word >> 1) & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
  return (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
}
inline constexpr std::uint64_t kEveryByte = 0x0101010101010101u;
constexpr unsigned count_ones(std::uint64_t word) {
#if defined(__POPCNT__) || !defined(__x86_64__)
  return static_cast<unsigned>(std::popcount(word));
#else
  return static_cast<unsigned>(count_in_bytes(word) * kEveryByte >> 56);
#endif
}
// Position of set bit number i of a word, without a branch. REQUIRES: i < count_ones(word).
constexpr unsigned nth_one(std::uint64_t word, unsigned i) {
  constexpr std::uint64_t kHighBits = kEveryByte << 7;
  // How many of eight ascending numbers below 128, one in each byte, are not above n; eight times that.
  const auto not_above = [](std::uint64_t numbers, unsigned n) {
    const std::uint64_t marks = ((n * kEveryByte | kHighBits) - numbers) & kHighBits;
    return static_cast<unsigned>((marks >> 7) * kEveryByte >> 53) & 0x78;
  };
  const std::uint64_t up_to = count_in_bytes(word) * kEveryByte;  // set bits up to the end of each byte
  const unsigned at = not_above(up_to, i);
  // The same again, each bit of that byte in a byte of its own.
  const std::uint64_t spread = (word >> at & 0xFF) * kEveryByte & 0x8040201008040201u;
  const std::uint64_t bits = ((spread + (kHighBits - kEveryByte)) & kHighBits) >> 7;
  return at + not_above(bits * kEveryByte, i - static_cast<unsigned>(up_to << 8 >> at & 0xFF)) / 8;
}

// A bitmap to be searched, word by word. Bits of a damaged page lead to wrong bits, never beyond the end; up to kBitSlack bytes behind it
// are read and ignored.
struct EliasMap {
  const std::uint8_t* map;
  std::uint32_t bits;

  std::uint32_t bytes() const { return (bits + 7) / 8; }
  // Position of set bit number i; `bits` if there is none.
  std::uint32_t find_set(std::uint32_t i) const {
    return find(i, [](std::uint64_t word) { return word; });
  }
  // Of clear bit number i.
  std::uint32_t find_clear(std::uint32_t i) const {
    return find(i, [](std::uint64_t word) { return ~word; });
  }
  // End of the set bits that follow each other from bit `at` on. REQUIRES: at <= bits.
  std::uint32_t end_of_set(std::uint32_t at) const {
    while (at < bits) {
      const unsigned whole = 64 - at % 8;
      const auto run = static_cast<unsigned>(std::countr_one(load<std::uint64_t>(map + at / 8) >> (at % 8)));
      at += run < whole ? run : whole;
      if (run < whole) break;
    }
    return at < bits ? at : bits;
  }

 private:
  template <class Wanted>
  std::uint32_t find(std::uint32_t i, Wanted wanted) const {
    for (std::uint32_t at = 0; at < bits; at += 64) {
      const std::uint64_t word = wanted(load<std::uint64_t>(map + at / 8));
      const unsigned here = count_ones(word);
      if (i < here) {
        const std::uint32_t found = at + nth_one(word, i);
        return found < bits ? found : bits;
      }
      i -= here;
    }
    return bits;
  }
};

// Walks the set bits of a bitmap in ascending order, from bit `from` on. Bytes behind its end are read as far as a word and
// masked.
class SetBits {
 public:
  SetBits(const std::uint8_t* map, std::uint32_t size, std::uint32_t from = 0)
      : map_(map), size_(size), at_(from / 64 * 8) {
    load_word();
    word_ &= ~low_mask(from % 64);
  }

  // Skips `n` set bits, word by word.
  void skip(unsigned n) {
    for (;;) {
      const unsigned here = count_ones(word_);
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
  std::uint32_t at_;
  std::uint64_t word_ = 0;
};

}  // namespace learned
