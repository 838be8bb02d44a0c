// Row comparisons, `(ts, id) > (x, y)`, as conditions on learned indexes. The planner derives a condition from one, here
// `ts >= x` with the comparison as a filter, for indexes that say that they are btrees, and for no other (match_rowcompare_
// to_indexcol in the server's indxpath.c). So where there is a row comparison to be had, ours say so while the planner
// looks for index paths once more; src/README.md tells what that rests on.
#include "am/callbacks.hpp"
#include "am/key/row_bound.hpp"
#include "am/plan/index_info.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

set_rel_pathlist_hook_type previous_hook;

bool any_row_comparison(const List* clauses);

// A restriction, or what is ANDed in an arm of an OR: row comparisons in there serve bitmap scans.
bool has_row_comparison(const Node* clause) {
  if (IsA(clause, BoolExpr)) return any_row_comparison(reinterpret_cast<const BoolExpr*>(clause)->args);
  const auto* restriction = reinterpret_cast<const RestrictInfo*>(clause);
  if (restriction->orclause != nullptr) {
    return has_row_comparison(reinterpret_cast<const Node*>(restriction->orclause));
  }
  return IsA(restriction->clause, RowCompareExpr);
}

bool any_row_comparison(const List* clauses) {
  for (int i = 0; i < list_length(clauses); i++) {
    if (has_row_comparison(static_cast<const Node*>(list_nth(clauses, i)))) return true;
  }
  return false;
}

// Doubles of our indexes (planner_doubles.cpp) that are in a btree's name already stay as they are; the others of them
// match no condition under any name. (A btree has an order, and the planner relies on it: a class without `<` gives none.)
bool may_take_row_comparison(const IndexOptInfo* index) {
  return index->sortopfamily != nullptr && is_learned(index);
}

// How many columns of the comparison are the first ones of the index, in its order and all in one direction.
int leading_columns(const IndexOptInfo* index, const IndexClause* condition) {
  int count = 0;
  while (count < list_length(condition->indexcols) && list_nth_int(condition->indexcols, count) == count &&
         index->reverse_sort[count] == index->reverse_sort[0]) {
    count++;
  }
  return count;
}

// `a |>= ROW(x, y)`, of an index on (a, b): see row_bound.hpp. nullptr: the family has no such operator (a class made by hand).
Expr* row_bound(const RowCompareExpr* row, Oid family, bool behind, int columns) {
  const Oid operation = get_opfamily_member(family, ANYELEMENTOID, RECORDOID,
                                            static_cast<int16>(behind ? kAtOrBehind : kAtOrBefore));
  if (!OidIsValid(operation)) return nullptr;
  RowExpr* bound = makeNode(RowExpr);
  bound->args = list_truncate(static_cast<List*>(copyObjectImpl(row->rargs)), columns);
  bound->row_typeid = RECORDOID;
  bound->row_format = COERCE_EXPLICIT_CALL;
  bound->location = -1;
  return make_opclause(operation, BOOLOID, false, static_cast<Expr*>(copyObjectImpl(linitial(row->largs))),
                       reinterpret_cast<Expr*>(bound), InvalidOid, kFilteredBound);
}

// From a comparison of several columns that are all the index's, the planner makes a condition of several columns: also for
// an index of one, from `(k, k) < (x, y)`. Executors before version 18 refuse to hand it to other access methods than
// btree, and scans of ours do not take it: a bound is left of it, and the filter, as where the others are not the index's.
void keep_bound(PlannerInfo* root, const IndexOptInfo* index, IndexClause* condition) {
  const auto* key = static_cast<const RestrictInfo*>(linitial(condition->indexquals));
  if (!IsA(key->clause, RowCompareExpr)) return;
  const auto* row = reinterpret_cast<const RowCompareExpr*>(key->clause);
  const Oid family = index->opfamily[condition->indexcol];
  const Oid comparison = linitial_oid(row->opnos);
  Oid left;
  Oid right;
  op_input_types(comparison, &left, &right);
  // Where the first column is equal the others decide.
  int strategy = get_op_opfamily_strategy(comparison, family);
  if (strategy == BTLessStrategyNumber) strategy = BTLessEqualStrategyNumber;
  if (strategy == BTGreaterStrategyNumber) strategy = BTGreaterEqualStrategyNumber;
  const int columns = leading_columns(index, condition);
  Expr* clause =
      columns < 2 ? nullptr : row_bound(row, family, strategy == BTGreaterEqualStrategyNumber, columns);
  if (clause == nullptr) {
    const Oid with_equal = get_opfamily_member(family, left, right, static_cast<int16>(strategy));
    if (!OidIsValid(with_equal)) {
      elog(ERROR, "missing operator %d(%u,%u) in opfamily %u", strategy, left, right, family);
    }
    clause =
        make_opclause(with_equal, BOOLOID, false, static_cast<Expr*>(copyObjectImpl(linitial(row->largs))),
                      static_cast<Expr*>(copyObjectImpl(linitial(row->rargs))), InvalidOid,
                      linitial_oid(row->inputcollids));
  }
  condition->indexquals = list_make1(make_simple_restrictinfo(root, clause));
  condition->indexcols = NIL;
  condition->lossy = true;
}

// Calls visit(scan) for the scans of `indexes` in a path and what it consists of.
template <typename Visit>
void for_each_scan(const List* indexes, Path* path, Visit visit) {
  const List* parts = NIL;
  if (IsA(path, IndexPath)) {
    auto* scan = reinterpret_cast<IndexPath*>(path);
    if (list_member_ptr(indexes, scan->indexinfo)) visit(scan);
  } else if (IsA(path, BitmapHeapPath)) {
    for_each_scan(indexes, reinterpret_cast<BitmapHeapPath*>(path)->bitmapqual, visit);
  } else if (IsA(path, BitmapAndPath)) {
    parts = reinterpret_cast<BitmapAndPath*>(path)->bitmapquals;
  } else if (IsA(path, BitmapOrPath)) {
    parts = reinterpret_cast<BitmapOrPath*>(path)->bitmapquals;
  }
  for (int i = 0; i < list_length(parts); i++) {
    for_each_scan(indexes, static_cast<Path*>(list_nth(parts, i)), visit);
  }
}

// (Paths share conditions: each is done once.)
void keep_bounds(PlannerInfo* root, const List* indexes, const List* paths) {
  for (int i = 0; i < list_length(paths); i++) {
    for_each_scan(indexes, static_cast<Path*>(list_nth(paths, i)), [root](IndexPath* scan) {
      for (int k = 0; k < list_length(scan->indexclauses); k++) {
        keep_bound(root, scan->indexinfo, static_cast<IndexClause*>(list_nth(scan->indexclauses, k)));
      }
    });
  }
}

bool joins_by_equivalence(const IndexPath* scan) {
  for (int i = 0; i < list_length(scan->indexclauses); i++) {
    if (static_cast<const IndexClause*>(list_nth(scan->indexclauses, i))->rinfo->parent_ec != nullptr)
      return true;
  }
  return false;
}

// Without the paths that scan `indexes` and will be found again, then with the conditions that row comparisons give. If
// these conditions exclude less than a hundredth of the rows, the planner thinks the path without them as cheap, and keeps
// what it had first: that would read those rows for every page of results. Only a join by an equivalence class is not found
// again, as the index is a btree then but not in a btree's family.
List* without_scans_of(const List* indexes, const List* paths) {
  List* others = NIL;
  for (int i = 0; i < list_length(paths); i++) {
    auto* path = static_cast<Path*>(list_nth(paths, i));
    bool scans = false;
    bool found_again = true;
    for_each_scan(indexes, path, [&](const IndexPath* scan) {
      scans = true;
      found_again = found_again && !joins_by_equivalence(scan);
    });
    if (!scans || !found_again) others = lappend(others, path);
  }
  return others;
}

// UPDATE ... WHERE CURRENT OF, whose table has nothing but a TID path from version 18 on, and must have no other; a row
// comparison beside it comes from row security.
bool is_current_of(const List* restrictions) {
  for (int i = 0; i < list_length(restrictions); i++) {
    if (IsA(static_cast<const RestrictInfo*>(list_nth(restrictions, i))->clause, CurrentOfExpr)) return true;
  }
  return false;
}

void add_row_comparison_paths(PlannerInfo* root, RelOptInfo* rel, const RangeTblEntry* rte) {
  if (rel->indexlist == NIL ||
      (!any_row_comparison(rel->baserestrictinfo) && !any_row_comparison(rel->joininfo))) {
    return;
  }
  // Only what the planner itself has looked for index paths of.
  if (rte->rtekind != RTE_RELATION || rte->inh || rte->tablesample != nullptr || IS_DUMMY_REL(rel) ||
      is_current_of(rel->baserestrictinfo))
    return;

  List* ours = NIL;
  for (int i = 0; i < list_length(rel->indexlist); i++) {
    auto* index = static_cast<IndexOptInfo*>(list_nth(rel->indexlist, i));
    if (may_take_row_comparison(index)) ours = lappend(ours, index);
  }
  if (ours == NIL) return;

  const Oid access_method = static_cast<const IndexOptInfo*>(linitial(ours))->relam;
  for (int i = 0; i < list_length(ours); i++) {
    static_cast<IndexOptInfo*>(list_nth(ours, i))->relam = BTREE_AM_OID;
  }
  rel->pathlist = without_scans_of(ours, rel->pathlist);
  rel->partial_pathlist = without_scans_of(ours, rel->partial_pathlist);
  // All indexes of the table, so that bitmaps of ours are combined with those of others. A path that is there already
  // is not added again. (After an error nobody looks at the indexes any more.)
  create_index_paths(root, rel);
  for (int i = 0; i < list_length(ours); i++) {
    static_cast<IndexOptInfo*>(list_nth(ours, i))->relam = access_method;
  }
  keep_bounds(root, ours, rel->pathlist);
  keep_bounds(root, ours, rel->partial_pathlist);
}

// Other hooks come after: to them our paths are the planner's own. What they drop or put another path in the place of, because an
// index does not know all of the table's rows, must not come back.
void add_paths(PlannerInfo* root, RelOptInfo* rel, Index relid, RangeTblEntry* rte) {
  add_row_comparison_paths(root, rel, rte);
  if (previous_hook != nullptr) previous_hook(root, rel, relid, rte);
}

}  // namespace

void register_row_comparisons() {
  previous_hook = set_rel_pathlist_hook;
  set_rel_pathlist_hook = add_paths;
}

}  // namespace learned
