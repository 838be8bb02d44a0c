// Lets the planner look up a column's actual smallest and largest value in a learned index.
//
// Statistics are as old as the last ANALYZE. For a condition at the end of their histogram, `ts > now() - interval
// '1 hour'` on a table that grows, the planner therefore asks an index for the column's real end
// (get_actual_variable_range in the server's selfuncs.c). It asks any ordered index from version 18 on, and only
// btrees before; and on a standby 18 skips an index that does not offer index-only scans, as ours does not there.
//
// So where it would not ask, each learned index gets a double in the planner's list of the table's indexes, behind
// the indexes themselves. It says that it is a btree, but has the OID of the learned index, which is thus the one
// that the server opens and reads, by its own code and its own rules: only if a condition needs it, under
// SnapshotNonVacuumable, and for a hundred pages of dead rows at most. The double cannot become a part of a plan:
// it serves no operator, and demands a condition on its column; nor is it unique. Reading by its index-only scan
// machinery is harmless on a standby, too: it is for an estimate.
#include "am/callbacks.hpp"
#include "am/compat.hpp"

namespace learned {

namespace {

get_relation_info_hook_type previous_hook;

// What of a double has the length of its columns; ours have one.
Oid no_operators_of_ours[INDEX_MAX_KEYS] = {BYTEA_BTREE_FAM_OID};
bool returnable[INDEX_MAX_KEYS] = {true};

bool is_learned(const IndexOptInfo* index) {
  // Cheaper than the access method's OID, which would have to be looked up by name.
  return compat::estimates_costs_of(learned_cost_estimate, index);
}

IndexOptInfo* double_of(const IndexOptInfo* index) {
  auto* twin = static_cast<IndexOptInfo*>(palloc(sizeof(IndexOptInfo)));
  *twin = *index;
  twin->relam = BTREE_AM_OID;
  // Without an operator that it knows it matches no condition, and without one it makes no path.
  twin->opfamily = no_operators_of_ours;
  twin->amoptionalkey = false;
  twin->amsearchnulls = false;
  twin->amhasgettuple = false;
  twin->amhasgetbitmap = false;
  twin->amcanparallel = false;
  twin->canreturn = returnable;
  twin->unique = false;
  return twin;
}

void add_doubles(PlannerInfo* root, Oid relation, bool inhparent, RelOptInfo* rel) {
  if (previous_hook != nullptr) previous_hook(root, relation, inhparent, rel);
  // (A partitioned table's indexes have no file to look into.)
  if (inhparent || !compat::planner_probes_btrees_only()) return;
  const int count = list_length(rel->indexlist);
  for (int i = 0; i < count; i++) {
    const auto* index = static_cast<const IndexOptInfo*>(list_nth(rel->indexlist, i));
    // Not the doubtful ones either: an index of part of the rows does not know the ends of all.
    if (!is_learned(index) || index->hypothetical || index->indpred != NIL || index->sortopfamily == nullptr)
      continue;
    rel->indexlist = lappend(rel->indexlist, double_of(index));
  }
}

}  // namespace

void register_end_probe() {
  // Once, though the server calls _PG_init again after a failure: a hook must not be its own predecessor.
  static bool done = false;
  if (done) return;
  done = true;
  previous_hook = get_relation_info_hook;
  get_relation_info_hook = add_doubles;
}

}  // namespace learned
