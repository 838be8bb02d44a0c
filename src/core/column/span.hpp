// Bounds of a column, told by its model alone.
#pragma once

#include "core/base/types.hpp"

namespace learned {

// Every value v of a column is lo <= v <= hi. The bounds need not be values themselves.
struct Span {
  std::uint64_t lo;
  std::uint64_t hi;

  friend constexpr bool operator==(const Span&, const Span&) = default;
};
// What is said of a column that may hold anything.
inline constexpr Span kWholeSpan{0, ~std::uint64_t{0}};

}  // namespace learned
