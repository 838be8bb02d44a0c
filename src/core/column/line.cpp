#include "core/column/line.hpp"

#include "core/column/line_errors.hpp"

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
  const LineErrors errors = line_errors({first, lined.slope, lined.shift}, values, n);
  lined.base = first + static_cast<std::uint64_t>(errors.lo);
  lined.width = static_cast<std::uint8_t>(
      bits_for(static_cast<std::uint64_t>(errors.hi) - static_cast<std::uint64_t>(errors.lo)));
  return lined.width <= flat.width ? lined : flat;
}

}  // namespace learned
