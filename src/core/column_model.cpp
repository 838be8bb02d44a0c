#include "column_model.hpp"

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
  std::int64_t min_error = 0;
  std::int64_t max_error = 0;
  std::uint64_t climb = 0;  // slope * i, below 2^63
  for (std::size_t i = 0; i < n; i++, climb += lined.slope) {
    const auto error = static_cast<std::int64_t>(values[i] - first - (climb >> lined.shift));
    min_error = error < min_error ? error : min_error;
    max_error = error > max_error ? error : max_error;
  }
  lined.base = first + static_cast<std::uint64_t>(min_error);
  lined.width = static_cast<std::uint8_t>(bits_for(static_cast<std::uint64_t>(max_error - min_error)));
  return lined.width <= flat.width ? lined : flat;
}

}  // namespace learned
