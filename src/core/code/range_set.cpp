#include "core/code/range_set.hpp"

#include <algorithm>

namespace learned {

template <class C>
bool ranges_are_normal(ConstRanges<C> ranges) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].lo > ranges[i].hi) {
      return false;
    }
    // At least one code lies between neighbours. ranges[i].lo is not the lowest whenever the first half holds, so there is one before.
    if (i > 0 && (ranges[i].lo <= ranges[i - 1].hi || code_before(ranges[i].lo) == ranges[i - 1].hi)) {
      return false;
    }
  }
  return true;
}

template <class C>
std::size_t normalize_ranges(Ranges<C> ranges) {
  const auto by_start = [](const auto& a, const auto& b) { return a.lo < b.lo; };
  // IN-lists often come sorted: do not pay for the sort then.
  if (!std::is_sorted(ranges.begin(), ranges.end(), by_start)) {
    std::sort(ranges.begin(), ranges.end(), by_start);
  }
  std::size_t count = 0;
  for (const BasicCodeRange<C> range : ranges) {
    // Joins a range that overlaps the last one or begins right after it; the last one may end at the highest code.
    if (count > 0 && (range.lo <= ranges[count - 1].hi || code_before(range.lo) == ranges[count - 1].hi)) {
      ranges[count - 1].hi = std::max(ranges[count - 1].hi, range.hi);
    } else {
      ranges[count++] = range;
    }
  }
  return count;
}

template <class C>
std::size_t intersect_ranges(ConstRanges<C> a, ConstRanges<C> b, Ranges<C> out) {
  std::size_t i = 0;
  std::size_t j = 0;
  std::size_t count = 0;
  // Every step drops the range that ends first, and writes at most one: never more than a.size() + b.size().
  // The pieces are not adjacent, because each gap of a or b that separates them holds at least one code.
  while (i < a.size() && j < b.size()) {
    const C lo = std::max(a[i].lo, b[j].lo);
    const C hi = std::min(a[i].hi, b[j].hi);
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

template <class C>
std::size_t unite_ranges(ConstRanges<C> a, ConstRanges<C> b, Ranges<C> out) {
  std::size_t i = 0;
  std::size_t j = 0;
  std::size_t count = 0;
  while (i < a.size() || j < b.size()) {
    const bool take_a = j == b.size() || (i < a.size() && a[i].lo <= b[j].lo);
    const BasicCodeRange<C> range = take_a ? a[i++] : b[j++];
    if (count > 0 && (range.lo <= out[count - 1].hi || code_before(range.lo) == out[count - 1].hi)) {
      out[count - 1].hi = std::max(out[count - 1].hi, range.hi);
    } else {
      out[count++] = range;
    }
  }
  return count;
}

template <class C>
std::size_t clip_ranges(Ranges<C> ranges, std::type_identity_t<BasicCodeRange<C>> clip) {
  std::size_t count = 0;
  for (std::size_t i = find_range<C>(ranges, clip.lo); i < ranges.size() && ranges[i].lo <= clip.hi; ++i) {
    ranges[count++] = {std::max(ranges[i].lo, clip.lo), std::min(ranges[i].hi, clip.hi)};
  }
  return count;
}

template <class C>
std::size_t find_range(ConstRanges<C> ranges, std::type_identity_t<C> code) {
  const auto found = std::partition_point(ranges.begin(), ranges.end(),
                                          [code](const auto& range) { return range.hi < code; });
  return static_cast<std::size_t>(found - ranges.begin());
}

#define LEARNED_RANGE_SET(C)                                                           \
  template bool ranges_are_normal<C>(ConstRanges<C>);                                  \
  template std::size_t normalize_ranges<C>(Ranges<C>);                                 \
  template std::size_t intersect_ranges<C>(ConstRanges<C>, ConstRanges<C>, Ranges<C>); \
  template std::size_t unite_ranges<C>(ConstRanges<C>, ConstRanges<C>, Ranges<C>);     \
  template std::size_t clip_ranges<C>(Ranges<C>, BasicCodeRange<C>);                   \
  template std::size_t find_range<C>(ConstRanges<C>, C);
LEARNED_RANGE_SET(Code)
LEARNED_RANGE_SET(CodePair)
#undef LEARNED_RANGE_SET

}  // namespace learned
