// Merging a page's delta into its segments, and dividing a page in two: the planning side of it.
#pragma once

#include "core/page/kill_marks.hpp"
#include "core/page/write.hpp"
#include "core/plan/workspace.hpp"

namespace learned {

// A page's segments with its delta merged in. Only segments that receive delta entries are decoded (into the
// workspace's columns) and fitted anew; the others are kept as they are.
struct MergePlan {
  SegmentPlanner plan;
  Columns columns;
  unsigned dead_count = 0;  // of the kept segments; bits in Workspace::dead_map
  std::size_t kept = 0;     // segments kept in front of the decoded ones
  std::size_t kept_behind = 0;
  std::uint32_t decoded = 0;  // entries in the columns
  bool at_end = false;        // the delta belongs behind or among the page's last few entries
  bool strictly_behind = false;
};

// Sorts the page's delta entries into ws->delta; returns their number.
unsigned sorted_delta(const PageView& page, Item* out);

// Plans the merge. False: corrupt.
bool plan_merge(const PageView& page, Workspace* ws, MergePlan* merge);

// Decodes all live entries of a page, delta included, in order, into the workspace's columns from index `at`
// on; *n receives their number. REQUIRES: at + encoded + deltas <= Workspace::kCapacity. False: corrupt.
bool decode_live(const PageView& page, Workspace* ws, std::uint32_t* n, std::uint32_t at = 0);

// Where to divide columns [0, n) so that both parts take about the same bytes; 0 < result < n. REQUIRES: n >= 2.
std::uint32_t balanced_cut(Workspace* ws, const Columns& columns, unsigned level, std::uint32_t n);

// The two pages that an overfull page becomes, in ws->page (left) and ws->page2 (right), and the separator.
// Sibling links and the left part's flags are set for a split with the new right page at `right_block`.
// `incoming` is the entry that found no room. Always succeeds on a sound page; false: corrupt.
//
// Four ways, the first that works: an append-only page stays full and the rest goes to the right; a page without a delta or
// dead marks is cut in the middle of its bytes, models kept; the live entries are divided by bytes and fitted anew; the
// page is cut between segments, models and dead marks kept. The last one always fits: every part holds a subset of the
// page's bytes. (Only the one segment of a page that has no more is cut itself. Its back part may cost one bit more per
// entry and column, and one segment for the rest of a run: write_slice(). So it is cut at three quarters, where
// kMaxEntries / 4 * 2 bits = 3 kB beside a quarter of the page's bytes still fit.)
bool plan_split(const PageView& page, Block right_block, const Entry& incoming, Workspace* ws,
                Entry* separator);

// Rewrites a page from its live entries alone when that is smaller than what it is now; the image goes to
// ws->page. *better tells whether it is. False: corrupt.
bool plan_retrain(const PageView& page, Workspace* ws, bool* better);

}  // namespace learned
