// Bounds that row comparisons set to the keys of several columns.
//
// Of `(a, b) > (x, y)` the planner makes no condition that executors before version 18 would hand to an access method that is not
// btree's. So for an index on (a, b) it becomes `a |>= ROW(x, y)`, an operator of our families that says nothing but `a >= x`, and the
// comparison itself as a filter. A mark on the condition (its collation, which our types do not have otherwise) tells a scan that the
// filter is there, and that it may leave out what lies before (x, y).
#pragma once

#include "am/server/server.hpp"

namespace learned {

// Strategies of `|>=` and `|<=`.
inline constexpr StrategyNumber kAtOrBehind = 6;
inline constexpr StrategyNumber kAtOrBefore = 7;
inline constexpr StrategyNumber kStrategies = 7;

// The collation of a condition that has the comparison as a filter beside it.
inline constexpr Oid kFilteredBound = C_COLLATION_OID;

// Whether an operator is ours for that strategy.
bool is_row_bound_operator(Oid operation, int strategy);

// The comparison that `|>=` and `|<=` are with the first field: a strategy of btree's.
inline StrategyNumber first_field_strategy(StrategyNumber strategy) {
  return strategy == kAtOrBehind ? BTGreaterEqualStrategyNumber : BTLessEqualStrategyNumber;
}

// The fields of a row, at most `most`. Memory is that of the context. Returns how many there are.
int deform_row(Datum row, int most, Datum* values, bool* isnull, Oid* types);

}  // namespace learned
