// Sets of codes as sorted lists of disjoint closed ranges, in memory that the caller provides. Codes of one word (C = Code, also
// where none is named) or of two (CodePair).
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

#include "core/base/types.hpp"

namespace learned {

template <class C>
using Ranges = std::span<std::type_identity_t<BasicCodeRange<C>>>;
template <class C>
using ConstRanges = std::span<const std::type_identity_t<BasicCodeRange<C>>>;

// True when the ranges are a normal set: each lo <= hi, ascending, disjoint and not adjacent.
template <class C = Code>
bool ranges_are_normal(ConstRanges<C> ranges);

// Sorts any ranges (each lo <= hi) and joins those that overlap or touch, in place. Returns how many remain.
template <class C = Code>
std::size_t normalize_ranges(Ranges<C> ranges);

// Writes the intersection of two normal sets to `out` and returns its size.
// REQUIRES: out has room for a.size() + b.size() ranges and does not overlap a or b.
template <class C = Code>
std::size_t intersect_ranges(ConstRanges<C> a, ConstRanges<C> b, Ranges<C> out);

// Writes the union of two normal sets to `out` and returns its size. REQUIRES as intersect_ranges.
template <class C = Code>
std::size_t unite_ranges(ConstRanges<C> a, ConstRanges<C> b, Ranges<C> out);

// Intersects a normal set with one range, in place. Returns how many remain.
template <class C = Code>
std::size_t clip_ranges(Ranges<C> ranges, std::type_identity_t<BasicCodeRange<C>> clip);

// The index of the first range that ends at or after `code`, ranges.size() when there is none.
template <class C = Code>
std::size_t find_range(ConstRanges<C> ranges, std::type_identity_t<C> code);

}  // namespace learned
