// A custom scan that gives the first row of each group of an index scan: LearnedGroups.
//
// A group is what has the same first columns in an index on several. The child is an index scan or an index-only scan, forward or
// backward, as the planner would have it: it knows conditions, visibility, filters. After each row that it gives,
// it is told to go on behind the row's group, which is one search away. That answers SELECT DISTINCT [ON], and min() or max() of
// the next column, whose first value that is. Which queries it is for: am/plan/group_paths.cpp.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// Has the scan go on behind all keys that have the first `words` words of the entry that it gave last, in its direction.
// REQUIRES: it gave one, and its keys have more words than that (or as many).
void skip_group(IndexScanDesc scan, unsigned words, ScanDirection direction);

// What makes a plan of LearnedGroups' path: see group_scan.cpp for what is in custom_private.
const CustomPathMethods* group_path_methods();
// Called when the library is loaded.
void register_group_scan();

}  // namespace learned
