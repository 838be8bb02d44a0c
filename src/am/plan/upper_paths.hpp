// Paths to what a query makes of the rows of its tables, which other files know one kind of each.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// The first row of each group: group_paths.cpp.
void add_group_paths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output);
// Groups that are counted: aggregate_paths.cpp.
void add_aggregate_paths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output);
// The rows behind those that OFFSET leaves out: offset_paths.cpp. REQUIRES: the stage is the last one.
void add_offset_paths(PlannerInfo* root, RelOptInfo* output, const FinalPathExtraData* limits);

}  // namespace learned
