// What the planner knows of an index.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// Whether it is one of ours, and none of the doubles that planner_doubles.cpp makes in a btree's name.
bool is_learned(const IndexOptInfo* index);

}  // namespace learned
