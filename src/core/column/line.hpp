// A line through a column of integers: value(i) = base + line(i) + residual(i), residuals packed in the
// fewest bits that hold the measured error.
//
// The idea of a page's model is the PGM-index's (Ferragina and Vinciguerra, VLDB 2020, section 2: a segment
// is a slope and an intercept with a bounded error); storing the residuals, so that the model *is* the data,
// follows LeCo (Liu et al., SIGMOD 2024, section 3). All arithmetic is fixed-point and modulo 2^64, so that
// writer and reader compute the same on every platform and any 64-bit column round-trips.
#pragma once

#include "core/base/bits.hpp"

namespace learned {

using U128 = unsigned __int128;

struct ColumnModel {
  std::uint64_t base;   // value at rank 0 less its residual (modulo 2^64)
  std::uint64_t slope;  // steepness per rank, in units of 2^-shift
  std::uint8_t shift;   // 0..16; bit 7 set: the line descends
  std::uint8_t width;   // bits of a residual, 0..64

  static constexpr std::uint8_t kDescending = 0x80;

  std::uint64_t line(std::uint64_t i) const {
    const auto rise = static_cast<std::uint64_t>((U128{slope} * i) >> (shift & 0x7F));
    return (shift & kDescending) != 0 ? std::uint64_t{0} - rise : rise;
  }
  std::uint64_t predict(std::uint64_t i) const { return base + line(i); }
};

// The binary places of a slope whose line rises by `rise` < 2^63 in all: as many as fit 63 bits, at most 16
// (ranks are below 2^16, so the line's end is then off by less than one; with fewer places it is off by less than
// one part in 2^46 of the rise, nothing beside residuals of such a column).
constexpr std::uint8_t line_shift(std::uint64_t rise) {
  const unsigned bits = bits_for(rise);
  return static_cast<std::uint8_t>(bits <= 46 ? 16 : bits <= 62 ? 62 - bits : 0);
}

// Fits `n` >= 1 ascending values: the line through the first and the last one, or a constant, whichever
// leaves the smaller residuals. The width is measured with ColumnModel::predict's arithmetic (line_errors.hpp).
ColumnModel fit_ascending(const std::uint64_t* values, std::size_t n);

// Fits values in any order; get(ctx, i) yields value i. A line is tried only where the ends suggest one.
template <class Get>
ColumnModel fit_any(std::size_t n, Get get) {
  std::uint64_t lo = ~std::uint64_t{0};
  std::uint64_t hi = 0;
  for (std::size_t i = 0; i < n; i++) {
    const std::uint64_t v = get(i);
    lo = v < lo ? v : lo;
    hi = v > hi ? v : hi;
  }
  ColumnModel flat{lo, 0, 0, static_cast<std::uint8_t>(bits_for(hi - lo))};
  const std::uint64_t first = get(0);
  const std::uint64_t last = get(n - 1);
  const bool descends = last < first;
  const std::uint64_t rise = descends ? first - last : last - first;
  // Values are below 2^62, so that signed differences cannot overflow.
  if (flat.width == 0 || n < 2 || hi >= (std::uint64_t{1} << 62) || rise < (hi - lo) / 2) return flat;
  ColumnModel lined{0, 0, line_shift(rise), 0};
  lined.slope = (rise << lined.shift) / (n - 1);
  std::int64_t min_error = 0;
  std::int64_t max_error = 0;
  std::uint64_t climb = 0;  // slope * i, below 2^63
  for (std::size_t i = 0; i < n; i++, climb += lined.slope) {
    const std::uint64_t line = climb >> lined.shift;
    const auto error =
        static_cast<std::int64_t>(get(i) - first - (descends ? std::uint64_t{0} - line : line));
    min_error = error < min_error ? error : min_error;
    max_error = error > max_error ? error : max_error;
  }
  if (descends) lined.shift |= ColumnModel::kDescending;
  lined.base = first + static_cast<std::uint64_t>(min_error);
  lined.width = static_cast<std::uint8_t>(bits_for(static_cast<std::uint64_t>(max_error - min_error)));
  return lined.width < flat.width ? lined : flat;
}

}  // namespace learned
