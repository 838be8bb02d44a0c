#include "column_model.hpp"

#include <algorithm>

namespace learned {

ColumnModel fit_ascending(const std::uint64_t* values, std::size_t n) {
  const std::uint64_t first = values[0];
  const std::uint64_t range = values[n - 1] - first;
  ColumnModel flat{first, 0, 0, static_cast<std::uint8_t>(bits_for(range))};
  // Errors of a wider range would not fit the signed arithmetic below; a constant costs 64 bits, which is
  // what such a column costs anyway.
  if (range == 0 || (range >> 63) != 0) return flat;

  ColumnModel lined{0, 0, line_shift(range), 0};
  lined.slope = (range << lined.shift) / (n - 1);
  // Both the values and the line stay within [first, first + range], range < 2^63.
  // Four independent chains keep the processor busy: a fit is nothing but this loop.
  std::int64_t lo[4] = {0, 0, 0, 0};
  std::int64_t hi[4] = {0, 0, 0, 0};
  std::uint64_t climb = 0;  // slope * i, below 2^63
  const auto look = [&](std::size_t i, int lane, std::uint64_t c) {
    const auto error = static_cast<std::int64_t>(values[i] - first - (c >> lined.shift));
    lo[lane] = error < lo[lane] ? error : lo[lane];
    hi[lane] = error > hi[lane] ? error : hi[lane];
  };
  std::size_t i = 0;
  const std::uint64_t slope = lined.slope;
  for (; i + 4 <= n; i += 4, climb += 4 * slope) {
    look(i, 0, climb);
    look(i + 1, 1, climb + slope);
    look(i + 2, 2, climb + 2 * slope);
    look(i + 3, 3, climb + 3 * slope);
  }
  for (; i < n; i++, climb += slope) look(i, 0, climb);
  const std::int64_t min_error = std::min(std::min(lo[0], lo[1]), std::min(lo[2], lo[3]));
  const std::int64_t max_error = std::max(std::max(hi[0], hi[1]), std::max(hi[2], hi[3]));
  lined.base = first + static_cast<std::uint64_t>(min_error);
  lined.width = static_cast<std::uint8_t>(
      bits_for(static_cast<std::uint64_t>(max_error) - static_cast<std::uint64_t>(min_error)));
  return lined.width <= flat.width ? lined : flat;
}

}  // namespace learned
