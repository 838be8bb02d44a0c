// Doubles of learned indexes in the planner's list of a table's indexes, where the planner has questions that it asks
// of btrees only. A double is a copy of the index's description that says what is needed to be asked, and can never
// become a part of a plan: it matches no condition, demands one on its column, and has no order.
//
// The end probe. Statistics are as old as the last ANALYZE. For a condition at the end of their histogram, `ts > now()
// - interval '1 hour'` on a table that grows, the planner therefore asks an index for the column's real end
// (get_actual_variable_range in the server's selfuncs.c). It asks any ordered index from version 18 on, and only
// btrees before; and on a standby 18 skips an index that does not offer index-only scans, as ours does not there. The
// double says that it is a btree, but has the OID of the learned index, which is thus the one that the server opens and
// reads, by its own code and its own rules: only if a condition needs it, under SnapshotNonVacuumable, and for a
// hundred pages of dead rows at most. Reading by its index-only scan machinery is harmless on a standby, too: it is
// for an estimate.
//
// The unique proof. That a join finds at most one row is proved by a unique index if the join's equality belongs to the
// index's family, among all families of ordered indexes that get_mergejoin_opfamilies finds for the operator. From
// version 18 on these would include ours, for every query in the database: and since the planner takes two equalities
// for the same only if they have the same families, an operator that somebody added to a btree's family for a type of
// their own would no longer go together with the built-in ones, in tables that never had a learned index. So the
// access method does not call its third strategy equality there (compat::strategy_meaning), and the proof is led by
// a double that is in the btree's family.
#include "am/callbacks.hpp"
#include "am/plan/index_info.hpp"
#include "am/server/compat.hpp"

namespace learned {

bool is_learned(const IndexOptInfo* index) {
  // A double of another's.
  if (index->relam == BTREE_AM_OID) return false;
  // A partitioned table's index has no callbacks in the planner's list; else they are cheaper to tell by than the
  // access method's OID, which has to be looked up by name.
  if (index->amcostestimate == nullptr) {
    return compat::kUniqueIndexes && index->unique && index->relam == get_index_am_oid("learned", true);
  }
  return compat::estimates_costs_of(learned_cost_estimate, index);
}

bool only_equalities(const Query* parse) {
  const FromExpr* from = parse->jointree;
  // Utility commands ask for costs with a query that is nothing but a table.
  if (from == nullptr) return true;
  if (list_length(from->fromlist) != 1 || !IsA(linitial(from->fromlist), RangeTblRef)) return false;
  const auto* quals = reinterpret_cast<const Node*>(from->quals);
  if (quals == nullptr) return true;
  // The planner has made it a list of what is ANDed by now.
  if (!IsA(quals, List)) return false;
  const auto* list = reinterpret_cast<const List*>(quals);
  for (int i = 0; i < list_length(list); i++) {
    const auto* clause = static_cast<const Node*>(list_nth(list, i));
    if (!IsA(clause, OpExpr)) return false;
    if (get_oprrest(reinterpret_cast<const OpExpr*>(clause)->opno) != F_EQSEL) return false;
  }
  return true;
}

namespace {

// What of a double has the length of its columns. A family without operators of our types, in each place; a collation that no
// expression of them has; and that the first column, whose ends are asked for, can be returned.
template <class T>
struct Everywhere {
  T of[INDEX_MAX_KEYS];

  explicit constexpr Everywhere(T value) : of{} {
    for (T& element : of) element = value;
  }
};
Everywhere<Oid> no_operators_of_ours(BYTEA_BTREE_FAM_OID);
Everywhere<Oid> collation_of_none(DEFAULT_COLLATION_OID);
Everywhere<bool> returnable(true);

// What all doubles have in common. Whoever calls this gives it a family or a collation that no condition matches.
IndexOptInfo* inert_copy(const IndexOptInfo* index) {
  auto* twin = static_cast<IndexOptInfo*>(palloc(sizeof(IndexOptInfo)));
  *twin = *index;
  twin->amoptionalkey = false;
  twin->amsearchnulls = false;
  twin->amhasgettuple = false;
  twin->amhasgetbitmap = false;
  twin->amcanparallel = false;
  return twin;
}

// Null if the planner would not, or should not, ask this index: one of part of the rows does not know the ends of all.
IndexOptInfo* double_for_end_probe(const IndexOptInfo* index) {
  if (index->hypothetical || index->indpred != NIL || index->sortopfamily == nullptr) return nullptr;
  IndexOptInfo* twin = inert_copy(index);
  twin->relam = BTREE_AM_OID;
  twin->opfamily = no_operators_of_ours.of;
  twin->canreturn = returnable.of;
  twin->unique = false;
  return twin;
}

// Null if the index proves nothing.
IndexOptInfo* double_for_unique_proof(const IndexOptInfo* index) {
  if (!index->unique || !index->immediate) return nullptr;
  const auto columns = static_cast<Size>(index->nkeycolumns);
  auto* families = static_cast<Oid*>(palloc(columns * sizeof(Oid)));
  for (Size c = 0; c < columns; c++) {
    families[c] = index->sortopfamily != nullptr
                      ? index->sortopfamily[c]
                      : compat::btree_family(index->opfamily[c], index->opcintype[c]);
    if (!OidIsValid(families[c])) return nullptr;
  }
  IndexOptInfo* twin = inert_copy(index);
  twin->opfamily = families;
  // No expression of our types has a collation.
  twin->indexcollations = collation_of_none.of;
  twin->sortopfamily = nullptr;
  return twin;
}

// Whether a family has what the btree's has for bool: a class made by hand may lack some.
bool has_all_comparisons(Oid family) {
  for (int strategy = BTLessStrategyNumber; strategy <= BTGreaterStrategyNumber; strategy++) {
    if (!OidIsValid(get_opfamily_member(family, BOOLOID, BOOLOID, static_cast<int16>(strategy))))
      return false;
  }
  return true;
}

// The planner turns `flag = true` into `flag` at once, and of the indexes that this fits it knows by family: up to 15, of
// built-in families only. The btree's has the operators of ours, under the same strategies; a plan has the index's OID and
// its operators, and the executor looks these up in the index's own family.
void take_boolean_conditions(const RelOptInfo* rel) {
  for (int i = 0; i < list_length(rel->indexlist); i++) {
    const auto* index = static_cast<const IndexOptInfo*>(list_nth(rel->indexlist, i));
    if (!is_learned(index)) continue;
    for (int c = 0; c < index->nkeycolumns; c++) {
      if (index->opcintype[c] == BOOLOID && has_all_comparisons(index->opfamily[c]))
        index->opfamily[c] = BOOL_BTREE_FAM_OID;
    }
  }
}

void add_doubles(PlannerInfo* root, RelOptInfo* rel, bool inhparent) {
  if (!compat::kBooleanConditionsOfAnyFamily) take_boolean_conditions(rel);
  // (A partitioned table's indexes have no file to look into.)
  const bool end_probe = !inhparent && compat::planner_probes_btrees_only() && !only_equalities(root->parse);
  if (!end_probe && !compat::kUniqueIndexes) return;
  const int count = list_length(rel->indexlist);
  for (int i = 0; i < count; i++) {
    const auto* index = static_cast<const IndexOptInfo*>(list_nth(rel->indexlist, i));
    if (!is_learned(index)) continue;
    IndexOptInfo* twins[] = {end_probe ? double_for_end_probe(index) : nullptr,
                             compat::kUniqueIndexes ? double_for_unique_proof(index) : nullptr};
    for (IndexOptInfo* twin : twins) {
      if (twin != nullptr) rel->indexlist = lappend(rel->indexlist, twin);
    }
  }
}

}  // namespace

void register_planner_doubles() { compat::TableInfoHook<add_doubles>::install(); }

}  // namespace learned
