// What the planner knows of an index.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// Whether it is one of ours, and none of the doubles that planner_doubles.cpp makes in a btree's name.
bool is_learned(const IndexOptInfo* index);

// How many stretches of the index conditions admit, if they leave gaps that a scan steps over (key_set.hpp); 0 if what a btree's scan
// reads is all that there is between its ends. (Statistics are looked up only for columns that have a gap behind them:
// this is done for every path.)
double skipped_stretches(PlannerInfo* root, const IndexPath* path);

}  // namespace learned
