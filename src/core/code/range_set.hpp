// Sets of codes as sorted lists of disjoint closed ranges, in memory that the caller provides.
#pragma once

#include <cstddef>
#include <span>

#include "core/base/types.hpp"

namespace learned {

// True when the ranges are a normal set: each lo <= hi, ascending, disjoint and not adjacent.
bool ranges_are_normal(std::span<const CodeRange> ranges);

// Sorts any ranges (each lo <= hi) and joins those that overlap or touch, in place. Returns how many remain.
std::size_t normalize_ranges(std::span<CodeRange> ranges);

// Writes the intersection of two normal sets to `out` and returns its size.
// REQUIRES: out has room for a.size() + b.size() ranges and does not overlap a or b.
std::size_t intersect_ranges(std::span<const CodeRange> a, std::span<const CodeRange> b,
                             std::span<CodeRange> out);

// Writes the union of two normal sets to `out` and returns its size. REQUIRES as intersect_ranges.
std::size_t unite_ranges(std::span<const CodeRange> a, std::span<const CodeRange> b,
                         std::span<CodeRange> out);

// Intersects a normal set with one range, in place. Returns how many remain.
std::size_t clip_ranges(std::span<CodeRange> ranges, CodeRange clip);

// The index of the first range that ends at or after `code`, ranges.size() when there is none.
std::size_t find_range(std::span<const CodeRange> ranges, Code code);

}  // namespace learned
