// Which queries need but the first row of each group of an index on several columns (am/scan/group_scan.hpp):
//
//   SELECT DISTINCT device FROM ...                                         index on (device, ...)
//   SELECT DISTINCT ON (device) * FROM ... ORDER BY device, ts DESC         index on (device, ts, ...), read backward
//   SELECT device, max(ts) FROM ... GROUP BY device                         the same
//
// Groups are by the first columns of the index, each of them named by the query or fixed by an equality. Conditions may be any:
// those that the index does not serve are a filter, and the first row of a group is the first that passes it. One
// table, no rows that would have to be locked, nothing that counts or sees the others of the group.
#include "am/key/key_type.hpp"
#include "am/options.hpp"
#include "am/plan/path_parts.hpp"
#include "am/plan/upper_paths.hpp"
#include "am/scan/group_scan.hpp"
#include "am/server/compat.hpp"
#include "am/server/custom_node.hpp"

namespace learned {

namespace {

// What is wanted of each group.
struct Wanted {
  List* groups;           // expressions, in any order
  List* group_operators;  // their equalities
  List* order;            // OrderItem: how rows of a group are ordered; the first is wanted
};

struct OrderItem {
  Expr* expr;
  Oid less;  // the operator that sorts
  bool nulls_first;
  bool nulls_anywhere;  // but last is right, too; so is any place if there are none
};

// How an index serves that.
struct ServingIndex {
  IndexOptInfo* index;
  unsigned words;
  ScanDirection direction;
  const List* conditions;  // IndexClauses
};

// How many of the index's first columns are the groups, each of them and fixed ones among them; 0 if they are not.
int columns_of_groups(const Wanted& wanted, IndexOptInfo* index, const List* conditions) {
  Bitmapset* found = nullptr;
  int columns = 0;
  while (columns < index->nkeycolumns && bms_num_members(found) < list_length(wanted.groups)) {
    const int group = group_of_column(wanted.groups, wanted.group_operators, index, columns);
    if (group >= 0) {
      found = bms_add_member(found, group);
    } else if (!has_equality(conditions, index, columns)) {
      return 0;
    }
    columns++;
  }
  return bms_num_members(found) == list_length(wanted.groups) ? columns : 0;
}

// Whether a condition of the query leaves out the rows that have NULL in a column of the index.
bool nulls_left_out(IndexOptInfo* index, int column) {
  const List* conditions = index->rel->baserestrictinfo;
  for (int i = 0; i < list_length(conditions); i++) {
    const auto* clause =
        reinterpret_cast<const Node*>(static_cast<const RestrictInfo*>(list_nth(conditions, i))->clause);
    if (IsA(clause, NullTest)) {
      const auto* test = reinterpret_cast<const NullTest*>(clause);
      if (test->nulltesttype == IS_NOT_NULL && !test->argisrow &&
          match_index_to_operand(reinterpret_cast<Node*>(test->arg), column, index)) {
        return true;
      }
    } else if (IsA(clause, OpExpr)) {
      const auto* operation = reinterpret_cast<const OpExpr*>(clause);
      if (!op_strict(operation->opno)) continue;
      for (int a = 0; a < list_length(operation->args); a++) {
        if (match_index_to_operand(static_cast<Node*>(list_nth(operation->args, a)), column, index))
          return true;
      }
    }
  }
  return false;
}

// The direction in which the rows of a group come in the wanted order. False: in none.
bool direction_of(const Wanted& wanted, IndexOptInfo* index, int columns, const RangeTblEntry* rte,
                  ScanDirection* direction) {
  *direction = ForwardScanDirection;
  for (int i = 0; i < list_length(wanted.order); i++) {
    const auto* item = static_cast<const OrderItem*>(list_nth(wanted.order, i));
    const int c = columns + i;
    if (c >= index->nkeycolumns || !match_index_to_operand(reinterpret_cast<Node*>(item->expr), c, index)) {
      return false;
    }
    const int strategy = get_op_opfamily_strategy(item->less, index->opfamily[c]);
    if (strategy != BTLessStrategyNumber && strategy != BTGreaterStrategyNumber) return false;
    const bool descending = strategy == BTGreaterStrategyNumber;
    const ScanDirection here =
        descending == index->reverse_sort[c] ? ForwardScanDirection : BackwardScanDirection;
    if (i > 0 && here != *direction) return false;
    const bool nulls_first = index->nulls_first[c] == ScanDirectionIsForward(here);
    const bool nulls_right = item->nulls_anywhere ? !nulls_first : nulls_first == item->nulls_first;
    if (!nulls_right && !never_null(index->rel, rte, index, c) && !nulls_left_out(index, c)) return false;
    *direction = here;
  }
  return true;
}

// The conditions that the planner has found for an index of the table.
const List* conditions_on(const IndexOptInfo* index, const Path* path) {
  if (IsA(path, BitmapHeapPath)) path = reinterpret_cast<const BitmapHeapPath*>(path)->bitmapqual;
  if (!IsA(path, IndexPath) || path->param_info != nullptr) return NIL;
  const auto* scan = reinterpret_cast<const IndexPath*>(path);
  return scan->indexinfo == index ? scan->indexclauses : NIL;
}
const List* conditions_on(const IndexOptInfo* index, const RelOptInfo* rel) {
  for (int i = 0; i < list_length(rel->pathlist); i++) {
    auto* path = static_cast<Path*>(list_nth(rel->pathlist, i));
    while (IsA(path, ProjectionPath)) path = reinterpret_cast<ProjectionPath*>(path)->subpath;
    if (const List* conditions = conditions_on(index, path); conditions != NIL) return conditions;
  }
  return NIL;
}

bool serves(const Wanted& wanted, RelOptInfo* rel, const RangeTblEntry* rte, IndexOptInfo* index,
            ServingIndex* serving) {
  if (index->sortopfamily == nullptr || index->nkeycolumns < 2 || index->hypothetical || !is_learned(index) ||
      (index->indpred != NIL && !index->predOK)) {
    return false;
  }
  serving->index = index;
  serving->conditions = conditions_on(index, rel);
  const int columns = columns_of_groups(wanted, index, serving->conditions);
  if (columns == 0 || !equal_by_words(index, columns)) return false;
  if (!direction_of(wanted, index, columns, rte, &serving->direction)) return false;
  serving->words = words_of_columns(index, columns);
  return serving->words > 0;
}

// Adds the path to `output`. `target` is what the child gives, `exprs` what its columns are called from here on.
void add_group_path(PlannerInfo* root, const ServingIndex& serving, RelOptInfo* output, PathTarget* target,
                    PathTarget* result, List* exprs) {
  RelOptInfo* rel = serving.index->rel;
  const bool index_only = has_everything(rel, serving.index);
  IndexPath* child = create_index_path(root, serving.index, const_cast<List*>(serving.conditions), NIL, NIL,
                                       build_index_pathkeys(root, serving.index, serving.direction),
                                       serving.direction, index_only, nullptr, 1.0, false);
  auto* scan = reinterpret_cast<Path*>(child);
  scan->pathtarget = target;

  // As many groups as the planner's own paths expect.
  const double groups = rows_of_query(output, scan->rows);
  // A filter makes the scan look at more than the first rows.
  const double rows = std::max(scan->rows, 1.0);
  const double candidates = std::max(child->indexselectivity * rel->tuples, 1.0);
  const double looked_at = std::min(candidates, groups * std::max(1.0, candidates / rows));
  double page_cost;
  get_tablespace_page_costs(serving.index->reltablespace, &page_cost, nullptr);
  double heap_cost;
  get_tablespace_page_costs(rel->reltablespace, &heap_cost, nullptr);
  const double heap_pages =
      std::min<double>(looked_at, rel->pages) * (index_only ? 1.0 - rel->allvisfrac : 1.0);
  Cost total = std::min<double>(groups, serving.index->pages) * page_cost + heap_pages * heap_cost +
               groups * kDescent * cpu_operator_cost +
               looked_at * (cpu_index_tuple_cost + cpu_tuple_cost + rel->baserestrictcost.per_tuple);
  // The child's own way to its rows, over the gaps that conditions on columns behind leave, is not shorter than for any other scan.
  total = std::max(total, (scan->total_cost - scan->startup_cost) * std::min(1.0, groups / rows));
  if (total >= scan->total_cost && scan->total_cost > 0.0 && groups >= rows) return;

  List* told =
      list_make3(makeInteger(static_cast<int>(serving.words)), makeInteger(serving.direction), exprs);
  CustomPath* path = make_custom_path(output, result, list_make1(scan), told, group_path_methods());
  path->path.rows = groups;
  path->path.startup_cost = scan->startup_cost;
  path->path.total_cost = scan->startup_cost + total + groups * cpu_tuple_cost;
  path->path.pathkeys = scan->pathkeys;
  add_path(output, &path->path);
}

// One table, and nothing between its scan and the groups.
const RangeTblEntry* table_of(PlannerInfo* root, RelOptInfo* input) {
  const Query* parse = root->parse;
  if (!is_of_one_table(root, input) || input->indexlist == NIL || parse->hasWindowFuncs ||
      parse->havingQual != nullptr) {
    return nullptr;
  }
  const RangeTblEntry* rte = root->simple_rte_array[input->relid];
  return rte->inh ? nullptr : rte;
}

OrderItem* order_item(Expr* expr, Oid less, bool nulls_first, bool nulls_anywhere) {
  auto* item = static_cast<OrderItem*>(palloc(sizeof(OrderItem)));
  *item = {expr, less, nulls_first, nulls_anywhere};
  return item;
}

// SELECT DISTINCT [ON].
void add_distinct_paths(PlannerInfo* root, RelOptInfo* input, RelOptInfo* output) {
  const Query* parse = root->parse;
  const RangeTblEntry* rte = table_of(root, input);
  if (rte == nullptr || parse->groupClause != NIL || parse->hasAggs) return;
  Wanted wanted{NIL, NIL, NIL};
  for (int i = 0; i < list_length(parse->distinctClause); i++) {
    auto* clause = static_cast<SortGroupClause*>(list_nth(parse->distinctClause, i));
    wanted.groups = lappend(wanted.groups, get_sortgroupclause_expr(clause, root->processed_tlist));
    wanted.group_operators = lappend_oid(wanted.group_operators, clause->eqop);
  }
  for (int i = 0; parse->hasDistinctOn && i < list_length(parse->sortClause); i++) {
    auto* clause = static_cast<SortGroupClause*>(list_nth(parse->sortClause, i));
    auto* expr = reinterpret_cast<Expr*>(get_sortgroupclause_expr(clause, root->processed_tlist));
    if (list_member(wanted.groups, expr)) continue;
    wanted.order = lappend(wanted.order, order_item(expr, clause->sortop, clause->nulls_first, false));
  }
  for (int i = 0; i < list_length(input->indexlist); i++) {
    ServingIndex serving;
    if (!serves(wanted, input, rte, static_cast<IndexOptInfo*>(list_nth(input->indexlist, i)), &serving))
      continue;
    add_group_path(root, serving, output, input->reltarget, input->reltarget, input->reltarget->exprs);
  }
}

// The order in which min() or max() of its argument is the first. nullptr: the aggregate is neither.
OrderItem* order_of(const Aggref* aggregate) {
  if (aggregate->aggorder != NIL || aggregate->aggdistinct != NIL || aggregate->aggfilter != nullptr ||
      list_length(aggregate->args) != 1 || aggregate->agglevelsup != 0) {
    return nullptr;
  }
  const Oid less = first_value_operator(aggregate);
  if (!OidIsValid(less)) return nullptr;
  return order_item(static_cast<TargetEntry*>(linitial(aggregate->args))->expr, less, false, true);
}

// min() or max() by groups.
void add_grouping_paths(PlannerInfo* root, RelOptInfo* input, RelOptInfo* output) {
  const Query* parse = root->parse;
  const RangeTblEntry* rte = table_of(root, input);
  if (rte == nullptr || parse->groupClause == NIL || !parse->hasAggs) return;
  PathTarget* result = root->upper_targets[UPPERREL_GROUP_AGG];
  const Aggref* aggregate = nullptr;
  Wanted wanted{NIL, NIL, NIL};
  for (int i = 0; i < list_length(parse->groupClause); i++) {
    auto* clause = static_cast<SortGroupClause*>(list_nth(parse->groupClause, i));
    wanted.groups = lappend(wanted.groups, get_sortgroupclause_expr(clause, root->processed_tlist));
    wanted.group_operators = lappend_oid(wanted.group_operators, clause->eqop);
  }
  // What the rows of a group give must be the groups' own columns, and one aggregate.
  const List* parts = pull_var_clause(reinterpret_cast<Node*>(result->exprs),
                                      PVC_INCLUDE_AGGREGATES | PVC_INCLUDE_PLACEHOLDERS);
  for (int i = 0; i < list_length(parts); i++) {
    const auto* part = static_cast<const Node*>(list_nth(parts, i));
    if (IsA(part, Aggref) && (aggregate == nullptr || equal(aggregate, part))) {
      aggregate = reinterpret_cast<const Aggref*>(part);
    } else if (!list_member(wanted.groups, part)) {
      return;
    }
  }
  if (aggregate == nullptr) return;
  OrderItem* item = order_of(aggregate);
  if (item == nullptr) return;
  wanted.order = list_make1(item);

  PathTarget* target = create_empty_pathtarget();
  for (int i = 0; i < list_length(wanted.groups); i++) {
    add_column_to_pathtarget(target, static_cast<Expr*>(list_nth(wanted.groups, i)), 0);
  }
  List* exprs = lappend(list_copy(target->exprs), const_cast<Aggref*>(aggregate));
  add_column_to_pathtarget(target, item->expr, 0);
  target->width = result->width;
  for (int i = 0; i < list_length(input->indexlist); i++) {
    ServingIndex serving;
    if (!serves(wanted, input, rte, static_cast<IndexOptInfo*>(list_nth(input->indexlist, i)), &serving))
      continue;
    add_group_path(root, serving, output, target, result, exprs);
  }
}

}  // namespace

void add_group_paths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output) {
  if (!groups_enabled) return;
  if (stage == UPPERREL_DISTINCT) add_distinct_paths(root, input, output);
  if (stage == UPPERREL_GROUP_AGG) add_grouping_paths(root, input, output);
}

}  // namespace learned
