// What the planner knows of an index.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// Whether it is one of ours, and none of the doubles that planner_doubles.cpp makes in a btree's name.
bool is_learned(const IndexOptInfo* index);

// Whether the query has no more conditions than equalities on one table: nothing to ask a column's ends for. What every
// look-up by key is, whose planning takes microseconds and should not pay for what is of use to ranges.
bool only_equalities(const Query* parse);

// How many stretches of the index conditions admit, if they leave gaps that a scan steps over (key_set.hpp); 0 if what a btree's scan
// reads is all that there is between its ends. (Statistics are looked up only for columns that have a gap behind them:
// this is done for every path.)
double skipped_stretches(PlannerInfo* root, const IndexPath* path);

}  // namespace learned
