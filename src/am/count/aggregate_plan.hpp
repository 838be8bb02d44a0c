// What the planner (am/plan/aggregate_paths.cpp) tells the node that counts (am/count/aggregate_scan.cpp). The path's custom_private:
//
//   tables      for each child, the index scan of a table, a list:
//     groups    IntList: the columns of the index, from 0 on, that the first columns of the node's tuple are. All of the columns that
//               are grouped by, in any order: together with columns that an equality fixes they are the first ones of the index.
//     words     of those first columns, together (Integer); 0: there are none
//     measures  IntList, four numbers for each aggregate, in the order in which the node's tuple has them behind the groups: a MeasureKind, the
//               column of the index (from 0 on; -1: none is needed), the Oid of the aggregate's result, MeasureFlags
//     bucket    IntList: the number of the column that groups are by a monotone expression of, too. NIL: they are not
//     folded    Integer. Where aggregates are of values that differ, groups are by these values, too, behind all others: those that have the same so
//               many words in front are one of the query's. -1: there are no such aggregates
//   exprs       of the node's tuple: the group columns, the bucket's expression, the aggregates (Aggref nodes of the query)
//   having      conditions on that tuple
//   bucket      the expression, in which the column is the last one of the node's tuple, then the column as an expression of the table; NIL, or both
//
// The plan's custom_exprs are the fractions that percentiles are asked for, of one such aggregate after the other.
//
// Without words and bucket all rows are one group. A child, an index scan or an index-only scan without a filter, in the physical order of the index, gives the group
// columns, the bucket's column, then the column of each measure that has one and is not of values that differ: it knows the conditions, and is run row by row where counting is not possible.
#pragma once

#include "am/server/server.hpp"

namespace learned {

enum class MeasureKind : int {
  rows,        // count(*)
  not_null,    // count(column)
  least,       // min(column)
  greatest,    // max(column)
  sum,         // sum(column), of an integer
  average,     // avg(column), of an integer
  percentile,  // percentile_disc(), percentile_cont(): the Aggref says of what
};

enum MeasureFlags : int {
  kDistinct = 1,  // of values that differ (DISTINCT)
  // Of a percentile's column:
  kNeverNull = 2,    // all rows have a value
  kBackward = 4,     // it is ordered the other way than in pages
  kNullsLow = 8,     // which have its NULLs in front
  kDescending = 16,  // the query orders it downwards
};

// What makes a plan of the node's path.
const CustomPathMethods* aggregate_path_methods();
// Called when the library is loaded.
void register_aggregate_scan();

}  // namespace learned
