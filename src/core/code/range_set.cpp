#include "core/code/range_set.hpp"

#include <algorithm>

namespace learned {

bool ranges_are_normal(std::span<const CodeRange> ranges) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].lo > ranges[i].hi) {
      return false;
    }
    // At least one code lies between neighbours. ranges[i].lo > 0 whenever the first half holds, so - 1 is
    // safe.
    if (i > 0 && (ranges[i].lo <= ranges[i - 1].hi || ranges[i].lo - 1 == ranges[i - 1].hi)) {
      return false;
    }
  }
  return true;
}

std::size_t normalize_ranges(std::span<CodeRange> ranges) {
  const auto by_start = [](const CodeRange& a, const CodeRange& b) { return a.lo < b.lo; };
  // IN-lists often come sorted: do not pay for the sort then.
  if (!std::is_sorted(ranges.begin(), ranges.end(), by_start)) {
    std::sort(ranges.begin(), ranges.end(), by_start);
  }
  std::size_t count = 0;
  for (const CodeRange range : ranges) {
    // Joins a range that overlaps the last one or begins right after it; the last one may end at kMaxCode.
    if (count > 0 && (range.lo <= ranges[count - 1].hi || range.lo - 1 == ranges[count - 1].hi)) {
      ranges[count - 1].hi = std::max(ranges[count - 1].hi, range.hi);
    } else {
      ranges[count++] = range;
    }
  }
  return count;
}

std::size_t intersect_ranges(std::span<const CodeRange> a, std::span<const CodeRange> b,
                             std::span<CodeRange> out) {
  std::size_t i = 0;
  std::size_t j = 0;
  std::size_t count = 0;
  // Every step drops the range that ends first, and writes at most one: never more than a.size() + b.size().
  // The pieces are not adjacent, because each gap of a or b that separates them holds at least one code.
  while (i < a.size() && j < b.size()) {
    const Code lo = std::max(a[i].lo, b[j].lo);
    const Code hi = std::min(a[i].hi, b[j].hi);
    if (lo <= hi) {
      out[count++] = {lo, hi};
    }
    if (a[i].hi < b[j].hi) {
      ++i;
    } else {
      ++j;
    }
  }
  return count;
}

std::size_t unite_ranges(std::span<const CodeRange> a, std::span<const CodeRange> b,
                         std::span<CodeRange> out) {
  std::size_t i = 0;
  std::size_t j = 0;
  std::size_t count = 0;
  while (i < a.size() || j < b.size()) {
    const bool take_a = j == b.size() || (i < a.size() && a[i].lo <= b[j].lo);
    const CodeRange range = take_a ? a[i++] : b[j++];
    if (count > 0 && (range.lo <= out[count - 1].hi || range.lo - 1 == out[count - 1].hi)) {
      out[count - 1].hi = std::max(out[count - 1].hi, range.hi);
    } else {
      out[count++] = range;
    }
  }
  return count;
}

std::size_t clip_ranges(std::span<CodeRange> ranges, CodeRange clip) {
  std::size_t count = 0;
  for (std::size_t i = find_range(ranges, clip.lo); i < ranges.size() && ranges[i].lo <= clip.hi; ++i) {
    ranges[count++] = {std::max(ranges[i].lo, clip.lo), std::min(ranges[i].hi, clip.hi)};
  }
  return count;
}

std::size_t find_range(std::span<const CodeRange> ranges, Code code) {
  const auto found = std::partition_point(ranges.begin(), ranges.end(),
                                          [code](const CodeRange& range) { return range.hi < code; });
  return static_cast<std::size_t>(found - ranges.begin());
}

}  // namespace learned
