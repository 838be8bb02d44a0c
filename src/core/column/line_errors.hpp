// How far a column strays from a line: the loop that fitting consists of.
#pragma once

#include "core/base/types.hpp"

namespace learned {

// The least and the greatest error, lo <= 0 <= hi.
struct LineErrors {
  std::int64_t lo;
  std::int64_t hi;
};

// A climbing line from `first` at rank 0: first + (slope * i >> shift) at rank i.
struct Line {
  std::uint64_t first;
  std::uint64_t slope;
  unsigned shift;
};

// Errors values[i] - line(i) over n values, taken as signed, and zero. REQUIRES: slope * n < 2^64. Vectors of four where
// the processor has them (AVX2), which is found out at run time.
LineErrors line_errors(const Line& line, const std::uint64_t* values, std::size_t n);

// The same by plain instructions, and by vectors: for the choice above, and for comparing them.
LineErrors line_errors_plain(const Line& line, const std::uint64_t* values, std::size_t n);
bool has_line_errors_wide();
// REQUIRES: has_line_errors_wide().
LineErrors line_errors_wide(const Line& line, const std::uint64_t* values, std::size_t n);

}  // namespace learned
