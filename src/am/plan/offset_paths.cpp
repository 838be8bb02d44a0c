// Which queries leave out rows that an index can count (am/scan/offset_scan.hpp):
//
//   SELECT ... FROM ... [WHERE ...] ORDER BY k OFFSET n [LIMIT m]
//
// One table, in the order of an index, forward or backward, which decides all conditions by itself, exactly: see aggregate_paths.cpp. What is selected is evaluated
// for the rows that are given out only, so nothing of it may be volatile.
//
// The server's node for LIMIT stays, without OFFSET. It evaluates OFFSET first and LIMIT then, before it asks for rows: where LIMIT could be 0, or an error, it is to see that OFFSET
// is an error, so it is given least(OFFSET, 0).
#include "am/options.hpp"
#include "am/plan/aggregate_costs.hpp"
#include "am/plan/path_parts.hpp"
#include "am/plan/upper_paths.hpp"
#include "am/scan/offset_scan.hpp"
#include "am/server/compat.hpp"
#include "am/server/custom_node.hpp"

namespace learned {

namespace {

// To find the row in its leaf, in units of cpu_operator_cost.
constexpr double kFindRow = 1400.0;

// Whether the expressions have side effects, or those of a query that they call.
bool has_volatile(PlannerInfo* root, const List* exprs) {
  auto* node = reinterpret_cast<Node*>(const_cast<List*>(exprs));
  if (contain_volatile_functions(node)) return true;
  if (!contain_subplans(node)) return false;
  // (Which of them it is does not matter: some may call others.)
  for (int i = 0; i < list_length(root->glob->subroots); i++) {
    const auto* subroot = static_cast<const PlannerInfo*>(list_nth(root->glob->subroots, i));
    if (contain_volatile_functions(reinterpret_cast<Node*>(subroot->parse))) return true;
  }
  return false;
}

// The table of which rows are given out as they are scanned. nullptr: there is more to the query.
RelOptInfo* table_of(PlannerInfo* root) {
  const Query* parse = root->parse;
  int relid;
  if (parse->sortClause == NIL || parse->groupClause != NIL || parse->distinctClause != NIL ||
      parse->hasAggs || parse->hasWindowFuncs || parse->havingQual != nullptr ||
      parse->setOperations != nullptr || !bms_get_singleton_member(root->all_baserels, &relid)) {
    return nullptr;
  }
  RelOptInfo* table = root->simple_rel_array[relid];
  return is_of_one_table(root, table) && !root->simple_rte_array[relid]->inh ? table : nullptr;
}

// What the node for LIMIT is told of OFFSET. False: there is no telling.
bool offset_of_limit(const Query* parse, Node** offset) {
  *offset = nullptr;
  if (parse->limitCount == nullptr || IsA(parse->limitOffset, Const)) return true;
  if (IsA(parse->limitCount, Const)) {
    const auto* limit = reinterpret_cast<const Const*>(parse->limitCount);
    if (limit->constisnull || DatumGetInt64(limit->constvalue) > 0) return true;
  }
  if (contain_volatile_functions(parse->limitOffset)) return false;
  MinMaxExpr* least = makeNode(MinMaxExpr);
  least->minmaxtype = INT8OID;
  least->op = IS_LEAST;
  least->args = list_make2(copyObjectImpl(parse->limitOffset),
                           makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(0), false, true));
  least->location = -1;
  *offset = reinterpret_cast<Node*>(least);
  return true;
}

// A scan that has the rows in the order that is asked for.
struct OrderedScan {
  IndexOptInfo* index;
  ScanDirection direction;
  const List* pathkeys;
  const List* conditions;
};

void add_path_above(PlannerInfo* root, const OrderedScan& scan, const FinalPathExtraData* limits,
                    RelOptInfo* output) {
  const Query* parse = root->parse;
  Node* offset;
  if (!offset_of_limit(parse, &offset)) return;
  PathTarget* result = root->upper_targets[UPPERREL_FINAL];
  auto* pathkeys = const_cast<List*>(scan.pathkeys);
  IndexPath* child =
      create_index_path(root, scan.index, const_cast<List*>(scan.conditions), NIL, NIL, pathkeys,
                        scan.direction, has_everything(scan.index->rel, scan.index), nullptr, 1.0, false);
  // Columns alone: the server would take OFFSET for one that looks like it.
  PathTarget* target = create_empty_pathtarget();
  add_new_columns_to_pathtarget(
      target, pull_var_clause(reinterpret_cast<Node*>(result->exprs), PVC_RECURSE_PLACEHOLDERS));
  child->path.pathtarget = set_pathtarget_cost_width(root, target);

  const double rows = std::max(child->path.rows, 1.0);
  // (As the server estimates what it does not know.)
  const double left_out =
      limits->offset_est > 0 ? std::min(static_cast<double>(limits->offset_est), rows) : rows * 0.1;
  const double left = std::max(rows - left_out, 1.0);
  const CountCost count = cost_of(root, child, 0.0, 0.0);
  CustomPath* path =
      make_custom_path(output, result, list_make1(child),
                       list_make2(parse->limitOffset, makeInteger(scan.direction)), offset_path_methods());
  path->path.rows = left;
  path->path.startup_cost = count.startup + (count.total - count.startup) * left_out / rows +
                            kFindRow * cpu_operator_cost + result->cost.startup;
  path->path.total_cost = path->path.startup_cost +
                          (child->path.total_cost - child->path.startup_cost) * left / rows +
                          (cpu_tuple_cost + result->cost.per_tuple) * left;
  path->path.pathkeys = pathkeys;
  Path* final_path = &path->path;
  if (parse->limitCount != nullptr)
    final_path = reinterpret_cast<Path*>(create_limit_path(
        root, output, final_path, offset, parse->limitCount, parse->limitOption, 0, limits->count_est));
  add_path(output, final_path);
}

}  // namespace

void add_offset_paths(PlannerInfo* root, RelOptInfo* output, const FinalPathExtraData* limits) {
  // (Who forbids index scans does not want this one.)
  if (!aggregates_enabled || !enable_indexscan || root->parse->limitOffset == nullptr ||
      (limits->offset_est >= 0 && limits->offset_est <= static_cast<int64>(kFewRowsLeftOut))) {
    return;
  }
  const RelOptInfo* table = table_of(root);
  if (table == nullptr || has_volatile(root, root->upper_targets[UPPERREL_FINAL]->exprs)) return;
  for (int i = 0; i < list_length(table->indexlist); i++) {
    auto* index = static_cast<IndexOptInfo*>(list_nth(table->indexlist, i));
    if (!may_count(index)) continue;
    for (const ScanDirection direction : {ForwardScanDirection, BackwardScanDirection}) {
      const List* pathkeys = build_index_pathkeys(root, index, direction);
      if (!pathkeys_contained_in(root->sort_pathkeys, const_cast<List*>(pathkeys))) continue;
      bool possible;
      const List* conditions = all_conditions(root, index, &possible);
      if (possible) add_path_above(root, {index, direction, pathkeys, conditions}, limits, output);
      break;
    }
  }
}

}  // namespace learned
