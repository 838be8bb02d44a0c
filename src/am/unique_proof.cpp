// Lets the planner prove by a unique learned index that a join finds at most one row.
//
// For that it wants the join's equality to belong to the index's family, among all families of ordered indexes that
// get_mergejoin_opfamilies finds for the operator. From version 18 on these would include ours, for every query in
// the database: and since the planner takes two equalities for the same only if they have the same families, an
// operator that somebody added to a btree's family for a type of their own would no longer go together with the
// built-in ones, in tables that never had a learned index. So the access method does not call its third strategy
// equality there (compat::strategy_meaning), and what is proved by our families otherwise is proved here: each unique
// index gets a double in the planner's list of the table's indexes, which is in the btree's family.
//
// The double cannot become a part of a plan: it serves no condition, since no expression of our types has a
// collation, and demands one on its column; nor has it an order.
#include "am/callbacks.hpp"
#include "am/compat.hpp"

namespace learned {

namespace {

get_relation_info_hook_type previous_hook;

// What of a double has the length of its columns; ours have one.
Oid collation_of_none[INDEX_MAX_KEYS] = {DEFAULT_COLLATION_OID};

bool is_unique_and_learned(const IndexOptInfo* index) {
  if (!index->unique || !index->immediate || index->relam == BTREE_AM_OID) return false;
  // (A partitioned table's index has no callbacks in the planner's list.)
  if (index->amcostestimate == nullptr) return index->relam == get_index_am_oid("learned", true);
  return compat::estimates_costs_of(learned_cost_estimate, index);
}

IndexOptInfo* double_of(const IndexOptInfo* index, Oid family) {
  auto* twin = static_cast<IndexOptInfo*>(palloc(sizeof(IndexOptInfo)));
  *twin = *index;
  twin->opfamily = static_cast<Oid*>(palloc(sizeof(Oid)));
  twin->opfamily[0] = family;
  twin->indexcollations = collation_of_none;
  twin->amoptionalkey = false;
  twin->amsearchnulls = false;
  twin->amhasgettuple = false;
  twin->amhasgetbitmap = false;
  twin->amcanparallel = false;
  twin->sortopfamily = nullptr;
  return twin;
}

void add_doubles(PlannerInfo* root, Oid relation, bool inhparent, RelOptInfo* rel) {
  if (previous_hook != nullptr) previous_hook(root, relation, inhparent, rel);
  const int count = list_length(rel->indexlist);
  for (int i = 0; i < count; i++) {
    const auto* index = static_cast<const IndexOptInfo*>(list_nth(rel->indexlist, i));
    if (!is_unique_and_learned(index)) continue;
    const Oid family = index->sortopfamily != nullptr
                           ? index->sortopfamily[0]
                           : compat::btree_family(index->opfamily[0], index->opcintype[0]);
    if (OidIsValid(family)) rel->indexlist = lappend(rel->indexlist, double_of(index, family));
  }
}

}  // namespace

void register_unique_proof() {
  // Once, though the server calls _PG_init again after a failure: a hook must not be its own predecessor.
  static bool done = false;
  if (done || !compat::kUniqueIndexes) return;
  done = true;
  previous_hook = get_relation_info_hook;
  get_relation_info_hook = add_doubles;
}

}  // namespace learned
