// What a scan costs, for the planner.
#include "am/store/buffer_store.hpp"
#include "am/callbacks.hpp"

namespace learned {

namespace {

// Of one descent, in units of cpu_operator_cost. A btree is charged 50 for every page on its way down, the
// leaf included, and one for each of log2(entries) comparisons. A learned index reads one page and decodes a
// handful of entries around the predicted place.
constexpr double kPageCharge = 25.0;
constexpr double kComparisons = 4.0;

// Entries of a btree's leaf: 20 bytes each, at its fill factor of 90.
constexpr double kBtreeLeafEntries = 366.0;

}  // namespace

void learned_cost_estimate(struct PlannerInfo* root, struct IndexPath* path, double loop_count,
                           Cost* startup_cost, Cost* total_cost, Selectivity* selectivity,
                           double* correlation, double* pages) {
  // Selectivity, pages in proportion to the index's (small) size, correlation: all as for a btree, whose
  // strategy numbers we share. It leaves out the charge for inner pages while it does not know our height
  // (before version 18 core never does)...
  IndexOptInfo* index = path->indexinfo;
  const int height = index->tree_height;
  index->tree_height = -1;
  btcostestimate(root, path, loop_count, startup_cost, total_cost, selectivity, correlation, pages);
  index->tree_height = height;

  // The number of pages says how many processes a parallel scan is worth, by comparison with
  // min_parallel_index_scan_size. What they share is the work on entries, of which a page has up to fifty times as many
  // as a btree's. So it is the number of pages that a btree would have to read.
  const double visited = std::clamp(*selectivity * index->rel->tuples, 1.0, std::max(index->tuples, 1.0));
  *pages = std::max(*pages, std::ceil(visited / kBtreeLeafEntries));

  // ... but charges the comparisons of a binary search over all entries: put our own in their place. With an
  // array condition it charges them once per element; elements that share a page share our descent, so
  // correct only the first.
  const double entries = index->tuples;
  const double btree_comparisons = entries > 1.0 ? std::ceil(std::log2(entries)) : 0.0;
  const double saved = std::max(btree_comparisons - kComparisons, 0.0);
  const Cost adjustment = (kPageCharge - saved) * cpu_operator_cost;
  *startup_cost = std::max(*startup_cost + adjustment, 0.0);
  *total_cost = std::max(*total_cost + adjustment, *startup_cost);
}

int learned_tree_height(Relation index) {
  BufferStore store(index);
  return static_cast<int>(store.height(TreeId::keys));
}

}  // namespace learned
