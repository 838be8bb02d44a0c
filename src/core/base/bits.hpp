// Bit-packed arrays: fixed-width unsigned values, little-endian bit order, random access.
#pragma once

#include <bit>

#include "core/base/types.hpp"

namespace learned {

static_assert(std::endian::native == std::endian::little, "pages are little-endian");

// Unaligned loads and stores of trivially copyable values.
template <class T>
inline T load(const void* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}
template <class T>
inline void store(void* p, const T& value) {
  std::memcpy(p, &value, sizeof(T));
}

// Bytes behind the last packed value that read_bits may touch (and ignores).
inline constexpr std::size_t kBitSlack = 9;

// Number of bits that hold any value of 0..max: 0 for 0, 64 for 2^63 and above.
constexpr unsigned bits_for(std::uint64_t max) { return static_cast<unsigned>(std::bit_width(max)); }

constexpr std::uint64_t low_mask(unsigned width) {
  return width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
}

// Bytes of `count` values of `width` bits, rounded up.
constexpr std::size_t packed_bytes(std::size_t count, unsigned width) { return (count * width + 7) / 8; }

// Value number `index` of a packed array. REQUIRES: width <= 64, and kBitSlack readable bytes behind the
// array (a page's trailer provides them).
inline std::uint64_t read_bits(const std::uint8_t* array, std::size_t index, unsigned width) {
  const std::size_t bit = index * width;
  const std::uint8_t* p = array + bit / 8;
  const unsigned shift = bit % 8;
  std::uint64_t value = load<std::uint64_t>(p) >> shift;
  if (shift + width > 64) {
    value |= std::uint64_t{p[8]} << (64 - shift);
  }
  return value & low_mask(width);
}

// Bytes still untold of an area that a header speaks of: parts are taken from its front, never beyond its end.
struct Extent {
  const std::uint8_t* at;
  std::size_t size;

  // False: it has fewer than `bytes`.
  bool take(std::size_t bytes, const std::uint8_t** part) {
    if (bytes > size) return false;
    *part = at;
    at += bytes;
    size -= bytes;
    return true;
  }
};

// Values of at most so many bits lie in one word, wherever they begin in a byte.
inline constexpr unsigned kNarrow = 57;

// The value that begins at bit `bit` of a packed array. REQUIRES: mask is low_mask(width), width <= kNarrow; slack as above.
inline std::uint64_t read_narrow(const std::uint8_t* array, std::size_t bit, std::uint64_t mask) {
  return (load<std::uint64_t>(array + bit / 8) >> (bit % 8)) & mask;
}

// Appends values to a packed array; flush() writes the last partial byte.
class BitWriter {
 public:
  BitWriter(std::uint8_t* out, unsigned width) : out_(out), width_(width) {}

  void put(std::uint64_t value) {
    acc_ |= value << fill_;
    const unsigned total = fill_ + width_;
    if (total >= 64) {
      store(out_, acc_);
      out_ += 8;
      // fill_ is 0 only when width_ is 64: then nothing of the value is left over.
      acc_ = fill_ == 0 ? 0 : value >> (64 - fill_);
      fill_ = total - 64;
      if (fill_ == 0) acc_ = 0;
    } else {
      fill_ = total;
    }
  }

  // Returns the first byte behind the array.
  std::uint8_t* flush() {
    for (; fill_ > 0; fill_ = fill_ > 8 ? fill_ - 8 : 0) {
      *out_++ = static_cast<std::uint8_t>(acc_);
      acc_ >>= 8;
    }
    return out_;
  }

 private:
  std::uint8_t* out_;
  std::uint64_t acc_ = 0;
  unsigned fill_ = 0;
  unsigned width_;
};

inline bool test_bit(const std::uint8_t* map, std::size_t i) { return (map[i / 8] >> (i % 8)) & 1; }
inline void set_bit(std::uint8_t* map, std::size_t i) {
  map[i / 8] = static_cast<std::uint8_t>(map[i / 8] | (1u << (i % 8)));
}

}  // namespace learned
