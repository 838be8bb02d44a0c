// A line through a column of integers: value(i) = base + line(i) + residual(i), residuals packed in the
// fewest bits that hold the measured error.
//
// The idea of a page's model is the PGM-index's (Ferragina and Vinciguerra, VLDB 2020, section 2: a segment
// is a slope and an intercept with a bounded error); storing the residuals, so that the model *is* the data,
// follows LeCo (Liu et al., SIGMOD 2024, section 3). All arithmetic is fixed-point and modulo 2^64, so that
// writer and reader compute the same on every platform and any 64-bit column round-trips.
#pragma once

#include "core/base/bits.hpp"
#include "core/column/span.hpp"

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

// Fits n >= 1 values in any order whose extremes are given; get(i) yields value i. A line is tried only where the ends suggest
// one; if values ascend it is preferred to a constant of the same width, as it helps a search.
template <class Get>
ColumnModel fit_within(std::size_t n, const Span& extremes, bool ascending, Get get) {
  const std::uint64_t range = extremes.hi - extremes.lo;
  ColumnModel flat{extremes.lo, 0, 0, static_cast<std::uint8_t>(bits_for(range))};
  const std::uint64_t first = get(0);
  const std::uint64_t last = get(n - 1);
  const bool descends = last < first;
  const std::uint64_t rise = descends ? first - last : last - first;
  // So that signed differences cannot overflow: values of any order are up to twice the range from their line.
  if (flat.width == 0 || n < 2 || range >> (ascending ? 63 : 62) != 0 || rise < range / 2) return flat;
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
  lined.width = static_cast<std::uint8_t>(
      bits_for(static_cast<std::uint64_t>(max_error) - static_cast<std::uint64_t>(min_error)));
  return lined.width < flat.width + (ascending ? 1 : 0) ? lined : flat;
}

// Fits values in any order.
template <class Get>
ColumnModel fit_any(std::size_t n, Get get) {
  Span extremes{~std::uint64_t{0}, 0};
  for (std::size_t i = 0; i < n; i++) {
    const std::uint64_t v = get(i);
    extremes.lo = v < extremes.lo ? v : extremes.lo;
    extremes.hi = v > extremes.hi ? v : extremes.hi;
  }
  return fit_within(n, extremes, false, get);
}

// The column itself: packed residuals, value i at bit i * width. What keys and children are stored as, and what TID codecs
// put their columns into.
struct LineCodec {
  // Whether a model from disk is one that a writer makes, as far as arithmetic is concerned.
  static bool possible(const ColumnModel& model) {
    return model.width <= 64 && (model.shift & ~ColumnModel::kDescending) <= 16;
  }

  static std::size_t bytes(const ColumnModel& model, std::size_t n) { return packed_bytes(n, model.width); }

  // Writes get(0) .. get(n - 1), which the model was fitted to; returns the first byte behind them.
  template <class Get>
  static std::uint8_t* encode(std::uint8_t* out, const ColumnModel& model, std::size_t n, Get get) {
    if (model.width == 0) return out;
    const ColumnModel line = model;  // a copy of its own: no byte written below may be one of it
    BitWriter writer(out, line.width);
    for (std::size_t i = 0; i < n; i++) writer.put(get(i) - line.predict(i));
    return writer.flush();
  }

  static std::uint64_t at(const ColumnModel& model, const std::uint8_t* bits, unsigned i) {
    return model.predict(i) + read_bits(bits, i, model.width);
  }

  // Values [begin, begin + n).
  static void decode(const ColumnModel& model, const std::uint8_t* bits, unsigned begin, unsigned n,
                     std::uint64_t* out);

  // Finds the residuals in front of `bytes`. False: the model is impossible, or they are longer.
  static bool load(Extent* bytes, const ColumnModel& model, std::size_t n, const std::uint8_t** bits) {
    return possible(model) && bytes->take(LineCodec::bytes(model, n), bits);
  }

  // A model for the values get(0) .. get(n - 1) of a part of a column. A front part keeps all of it: what holds for a column
  // holds for its beginning. So does a constant (and its residuals may need all 64 bits).
  template <class Get>
  static ColumnModel slice(const ColumnModel& model, bool front, std::size_t n, Get get) {
    return front || model.slope == 0 ? model : refit(model, n, get);
  }
  // A back part under the slope of `model`, whose line it follows from another rank on: residuals need one bit more at
  // most, as the line is rounded down anew.
  template <class Get>
  static ColumnModel refit(const ColumnModel& model, std::size_t n, Get get) {
    ColumnModel m{0, model.slope, model.shift, 0};
    const std::uint64_t first = get(0);
    std::int64_t lo = 0;
    std::int64_t hi = 0;
    for (std::size_t i = 0; i < n; i++) {
      const auto error = static_cast<std::int64_t>(get(i) - first - m.line(i));
      lo = error < lo ? error : lo;
      hi = error > hi ? error : hi;
    }
    m.base = first + static_cast<std::uint64_t>(lo);
    m.width =
        static_cast<std::uint8_t>(bits_for(static_cast<std::uint64_t>(hi) - static_cast<std::uint64_t>(lo)));
    return m;
  }

  // Bounds of n >= 1 values, from value `begin` on: the line's ends, and the widest residual above them.
  static Span span(const ColumnModel& model, std::size_t n, std::size_t begin = 0);

  // An ascending column to be searched: `first` is its first value, exactly.
  struct Sorted {
    const ColumnModel& model;
    const std::uint8_t* bits;
    unsigned count;
    std::uint64_t first;
  };

  // First rank whose value is >= `value`, `count` if none; *reads: residuals read. Before it reads any, it tells `near` the
  // rank where it will begin, so that what lies beside the entry can be fetched meanwhile.
  //
  // value(i) = base + line(i) + residual(i). Measured from the base, the wanted value is `target`, and entry i lies in
  // [line(i), line(i) + max_residual]. So entries with line(i) + max_residual < target are too small and entries with
  // line(i) >= target are large enough: what remains is the window that is bisected.
  template <class Near>
  [[gnu::always_inline]] static inline unsigned lower_bound(const Sorted& column, std::uint64_t value,
                                                            unsigned* reads, Near near);

 private:
  template <class At>
  [[gnu::always_inline]] static inline unsigned bisect(unsigned lo, unsigned hi, std::uint64_t value,
                                                       unsigned* reads, At at) {
    unsigned n = 0;
    while (lo < hi) {
      const unsigned mid = (lo + hi) / 2;
      n++;
      if (at(mid) < value) {
        lo = mid + 1;
      } else {
        hi = mid;
      }
    }
    *reads = n;
    return lo;
  }
};

template <class Near>
inline unsigned LineCodec::lower_bound(const Sorted& column, std::uint64_t value, unsigned* reads,
                                       Near near) {
  *reads = 0;
  if (value <= column.first) return 0;
  const ColumnModel& model = column.model;
  const std::uint8_t* const bits = column.bits;
  const unsigned count = column.count;
  unsigned lo = 0;
  unsigned hi = count;
  const bool climbs = (model.shift & ColumnModel::kDescending) == 0;
  if (model.slope != 0 && climbs) {
    const double ranks_per_step =
        static_cast<double>(std::uint64_t{1} << (model.shift & 0x7F)) / static_cast<double>(model.slope);
    const double target =
        static_cast<double>(value - column.first) + static_cast<double>(column.first - model.base);
    // line(i) is step * i rounded down, hence the + 1. A writer's residuals never exceed its line's rise over
    // 2^16 ranks, so rounding to 53 bits moves a bound by less than 2^-30 ranks: two ranks of slack cover it.
    const double first = (target - static_cast<double>(low_mask(model.width))) * ranks_per_step - 2.0;
    const double last = (target + 1.0) * ranks_per_step + 2.0;
    if (first > 0) lo = first < count ? static_cast<unsigned>(first) : count;
    if (last < count) hi = static_cast<unsigned>(last);
  }
  near((std::size_t{lo} + hi) / 2);
  std::uint64_t end;
  if (climbs && model.width <= kNarrow && !__builtin_mul_overflow(model.slope, std::uint64_t{count}, &end)) {
    // As in sound pages nearly always: the line in 64 bits, a residual in one word.
    const std::uint64_t base = model.base;
    const std::uint64_t slope = model.slope;
    const unsigned shift = model.shift;
    const unsigned width = model.width;
    const std::uint64_t mask = low_mask(width);
    return bisect(lo, hi, value, reads, [=](unsigned i) {
      return base + (slope * i >> shift) + read_narrow(bits, std::size_t{i} * width, mask);
    });
  }
  return bisect(lo, hi, value, reads, [&](unsigned i) { return at(model, bits, i); });
}

}  // namespace learned
