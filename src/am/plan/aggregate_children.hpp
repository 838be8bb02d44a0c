// Counting over a table that has others below it, partitions or heirs: each of them is counted by an index of its own, and the node merges their groups
// (am/count/merged_groups.hpp), or goes from one to the next (am/scan/offset_scan.hpp).
#pragma once

#include "am/server/server.hpp"

namespace learned {

// A table that has rows, below another one, and expressions of that one as they are of this one.
struct LeafTable {
  RelOptInfo* rel;
  List* groups;
  List* aggregates;
};

// All that may have rows which the query wants, as LeafTables: those that conditions exclude are not among them.
List* leaf_tables(PlannerInfo* root, const RelOptInfo* parent, List* groups, List* aggregates);
// The same, where each of them has its rows, ordered as the query's are to be, before all rows of the next one, with other expressions for groups. False: it is not known that they have.
bool ordered_leaf_tables(PlannerInfo* root, RelOptInfo* parent, List* exprs, List** leaves);

// Whether values of these are equal, by these operators, exactly if the order of their types finds them equal: so groups are merged.
bool may_merge_groups(const List* groups, const List* operators);
double size_of_merged_group(int groups, int aggregates);
double merging_cost(double groups);

}  // namespace learned
