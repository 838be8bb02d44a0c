#include "core/column/line_errors.hpp"

#include <algorithm>
#include <cstring>

namespace learned {

namespace {

constexpr std::size_t kLanes = 4;

LineErrors join(const std::int64_t* lo, const std::int64_t* hi) {
  return {*std::min_element(lo, lo + kLanes), *std::max_element(hi, hi + kLanes)};
}

}  // namespace

LineErrors line_errors_plain(const Line& line, const std::uint64_t* values, std::size_t n) {
  // Four independent chains keep the processor busy.
  std::int64_t lo[kLanes] = {};
  std::int64_t hi[kLanes] = {};
  std::uint64_t climb = 0;  // slope * i
  const auto look = [&](std::size_t i, std::size_t lane, std::uint64_t c) {
    const auto error = static_cast<std::int64_t>(values[i] - line.first - (c >> line.shift));
    lo[lane] = error < lo[lane] ? error : lo[lane];
    hi[lane] = error > hi[lane] ? error : hi[lane];
  };
  std::size_t i = 0;
  const std::uint64_t slope = line.slope;
  for (; i + kLanes <= n; i += kLanes, climb += kLanes * slope) {
    look(i, 0, climb);
    look(i + 1, 1, climb + slope);
    look(i + 2, 2, climb + 2 * slope);
    look(i + 3, 3, climb + 3 * slope);
  }
  for (; i < n; i++, climb += slope) look(i, 0, climb);
  return join(lo, hi);
}

#if defined(__x86_64__)

bool has_line_errors_wide() { return __builtin_cpu_supports("avx2"); }

[[gnu::target("avx2")]] LineErrors line_errors_wide(const Line& line, const std::uint64_t* values,
                                                    std::size_t n) {
  using Signed = std::int64_t __attribute__((vector_size(8 * kLanes)));
  using Unsigned = std::uint64_t __attribute__((vector_size(8 * kLanes)));
  const std::uint64_t slope = line.slope;
  Signed lo = {};
  Signed hi = {};
  Unsigned climb = {0, slope, 2 * slope, 3 * slope};
  const Unsigned step = Unsigned{} + kLanes * slope;
  const Unsigned first = Unsigned{} + line.first;
  const auto shift = static_cast<std::uint64_t>(line.shift);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes, climb += step) {
    Unsigned value;
    std::memcpy(&value, values + i, sizeof value);
    const auto error = reinterpret_cast<Signed>(value - first - (climb >> shift));
    lo = error < lo ? error : lo;
    hi = error > hi ? error : hi;
  }
  std::int64_t least[kLanes];
  std::int64_t greatest[kLanes];
  std::memcpy(least, &lo, sizeof lo);
  std::memcpy(greatest, &hi, sizeof hi);
  for (; i < n; i++) {
    const auto error = static_cast<std::int64_t>(values[i] - line.first - (slope * i >> line.shift));
    least[0] = std::min(least[0], error);
    greatest[0] = std::max(greatest[0], error);
  }
  return join(least, greatest);
}

#else

bool has_line_errors_wide() { return false; }
LineErrors line_errors_wide(const Line& line, const std::uint64_t* values, std::size_t n) {
  return line_errors_plain(line, values, n);
}

#endif

LineErrors line_errors(const Line& line, const std::uint64_t* values, std::size_t n) {
  return has_line_errors_wide() ? line_errors_wide(line, values, n) : line_errors_plain(line, values, n);
}

}  // namespace learned
