// A custom scan that leaves out the first rows of an index scan, as many as OFFSET says, without reading them: LearnedOffset.
//
// The child is an index scan or an index-only scan without a filter, forward or backward, as the planner would have it. The node has the row behind those
// that are left out found by counting (am/count/row_finder.hpp), sends the child there, and gives what it has from there on. Where rows may not be counted, or there are
// few, the child reads them. Of several children, partitions of which each has its rows before all of the next one's, those that have too few are left out
// as a whole. Which queries it is for: am/plan/offset_paths.cpp.
#pragma once

#include "am/count/row_finder.hpp"
#include "am/server/server.hpp"

namespace learned {

// Has the scan go on with a row, and behind it, in its direction. REQUIRES: its conditions admit the row; it has begun.
template <class K>
void go_to_row(IndexScanDesc scan, const FoundRow<K>& row, ScanDirection direction);

// So few rows are read and left out, for less than what it costs to find the next one.
inline constexpr uint64 kFewRowsLeftOut = 200;

// What makes a plan of LearnedOffset's path, whose custom_private is: OFFSET, an expression; the direction of each child (IntList); what the node gives, nothing but
// columns of the table. Children's targets are these columns as each of them has them.
const CustomPathMethods* offset_path_methods();
// Called when the library is loaded.
void register_offset_scan();

}  // namespace learned
