// Merging a page's delta into its segments.
#pragma once

#include "core/plan/workspace.hpp"

namespace learned {

// A page's segments with its delta merged in. Only segments that receive delta entries are decoded (into the
// workspace's columns) and fitted anew; the others are kept as they are.
template <class K>
struct BasicMergePlan {
  BasicSegmentPlanner<K> plan;
  BasicColumns<K> columns;
  unsigned dead_count = 0;  // of the kept segments; bits in Workspace::dead_map
  std::size_t kept = 0;     // segments kept in front of the decoded ones
  std::size_t kept_behind = 0;
  std::uint32_t decoded = 0;  // entries in the columns
  bool at_end = false;        // the delta belongs behind or among the page's last few entries
  bool strictly_behind = false;
};
using MergePlan = BasicMergePlan<Code>;

// Plans the merge. False: corrupt.
template <class K>
bool plan_merge(const BasicPageView<K>& page, BasicWorkspace<K>* ws, BasicMergePlan<K>* merge);

// Decodes all live entries of a page, delta included, in order, into the workspace's columns from index `at`
// on; *n receives their number. REQUIRES: at + encoded + deltas <= Workspace::kCapacity. False: corrupt.
template <class K>
bool decode_live(const BasicPageView<K>& page, BasicWorkspace<K>* ws, std::uint32_t* n, std::uint32_t at = 0);

}  // namespace learned
