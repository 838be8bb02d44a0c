// Which queries leave out rows that an index can count (am/scan/offset_scan.hpp):
//
//   SELECT ... FROM ... [WHERE ...] ORDER BY k OFFSET n [LIMIT m]
//
// One table, in the order of an index, forward or backward, which decides all conditions by itself, exactly: see aggregate_paths.cpp. Or one that has others below it, if
// these have their rows one after the other in that order: partitions by ranges of k, or the only one that is left. What is selected is evaluated
// for the rows that are given out only, so nothing of it may be volatile.
//
// The server's node for LIMIT stays, without OFFSET. It evaluates OFFSET first and LIMIT then, before it asks for rows: where LIMIT could be 0, or an error, it is to see that OFFSET
// is an error, so it is given least(OFFSET, 0).
#include "am/options.hpp"
#include "am/plan/aggregate_children.hpp"
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
  return is_of_one_table(root, table) ? table : nullptr;
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

// A scan that has a table's rows in the order that is asked for.
struct OrderedScan {
  IndexPath* path;
  ScanDirection direction;
  CountCost count;  // of all of them
};

// One of them; false: there is none in that direction.
bool find_scan(PlannerInfo* root, IndexOptInfo* index, ScanDirection direction, PathTarget* target,
               OrderedScan* scan) {
  List* pathkeys = build_index_pathkeys(root, index, direction);
  if (!pathkeys_contained_in(root->sort_pathkeys, pathkeys)) return false;
  bool possible;
  const List* conditions = all_conditions(root, index, &possible);
  if (!possible) return false;
  IndexPath* path = create_index_path(root, index, const_cast<List*>(conditions), NIL, NIL, pathkeys,
                                      direction, has_everything(index->rel, index), nullptr, 1.0, false);
  path->path.pathtarget = target;
  *scan = {path, direction, cost_of(root, path, 0.0, 0.0)};
  return true;
}

// Those of a table that give these columns, one of each index that has some.
List* find_scans(PlannerInfo* root, const RelOptInfo* table, const List* columns) {
  PathTarget* target = create_empty_pathtarget();
  add_new_columns_to_pathtarget(target, const_cast<List*>(columns));
  set_pathtarget_cost_width(root, target);
  List* scans = NIL;
  for (int i = 0; i < list_length(table->indexlist); i++) {
    auto* index = static_cast<IndexOptInfo*>(list_nth(table->indexlist, i));
    if (!may_count(index)) continue;
    for (const ScanDirection direction : {ForwardScanDirection, BackwardScanDirection}) {
      OrderedScan scan;
      if (!find_scan(root, index, direction, target, &scan)) continue;
      scans = lappend(scans, new (palloc(sizeof(OrderedScan))) OrderedScan(scan));
      break;
    }
  }
  return scans;
}

OrderedScan* cheapest(const List* scans) {
  OrderedScan* best = nullptr;
  const auto cost = [](const OrderedScan* scan) { return scan->path->path.total_cost + scan->count.total; };
  for (int i = 0; i < list_length(scans); i++) {
    auto* scan = static_cast<OrderedScan*>(list_nth(scans, i));
    if (best == nullptr || cost(scan) < cost(best)) best = scan;
  }
  return best;
}

// What the node has and what it costs, as far as scans are known.
struct OffsetCost {
  double left_out;  // rows, of scans that are not known yet
  double rows;      // that are given out
  Cost startup;
  Cost run;
};

void add_scan(const OrderedScan& scan, OffsetCost* cost) {
  const Path& path = scan.path->path;
  const double rows = std::max(path.rows, 1.0);
  const double out = std::min(cost->left_out, rows);
  const double left = rows - out;
  cost->left_out -= out;
  cost->rows += left;
  cost->startup += scan.count.startup + (scan.count.total - scan.count.startup) * out / rows;
  // Of the leaf that has the row all is visited, however few rows lie before it, and once more in pieces.
  if (out > 0.0 && left > 0.0) cost->startup += scan.count.open_leaf;
  cost->run += (path.total_cost - path.startup_cost) * left / rows;
}

void add_path_above(PlannerInfo* root, List* scans, List* columns, const FinalPathExtraData* limits,
                    RelOptInfo* output) {
  const Query* parse = root->parse;
  Node* offset;
  if (!offset_of_limit(parse, &offset)) return;
  PathTarget* result = root->upper_targets[UPPERREL_FINAL];
  double rows = 0.0;
  for (int i = 0; i < list_length(scans); i++)
    rows += std::max(static_cast<const OrderedScan*>(list_nth(scans, i))->path->path.rows, 1.0);
  // (As the server estimates what it does not know.)
  OffsetCost cost{limits->offset_est > 0 ? static_cast<double>(limits->offset_est) : rows * 0.1, 0.0, 0.0,
                  0.0};
  List* paths = NIL;
  List* directions = NIL;
  for (int i = 0; i < list_length(scans); i++) {
    const auto* scan = static_cast<const OrderedScan*>(list_nth(scans, i));
    paths = lappend(paths, scan->path);
    directions = lappend_int(directions, scan->direction);
    add_scan(*scan, &cost);
  }
  CustomPath* path = make_custom_path(
      output, result, paths, list_make3(parse->limitOffset, directions, columns), offset_path_methods());
  path->path.rows = std::max(cost.rows, 1.0);
  path->path.startup_cost = cost.startup + kFindRow * cpu_operator_cost + result->cost.startup;
  path->path.total_cost =
      path->path.startup_cost + cost.run + (cpu_tuple_cost + result->cost.per_tuple) * path->path.rows;
  path->path.pathkeys =
      list_length(paths) == 1 ? static_cast<const Path*>(linitial(paths))->pathkeys : root->sort_pathkeys;
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
  RelOptInfo* table = table_of(root);
  if (table == nullptr || has_volatile(root, root->upper_targets[UPPERREL_FINAL]->exprs)) return;
  // Columns alone: the server would take OFFSET for one that looks like it.
  PathTarget* target = create_empty_pathtarget();
  add_new_columns_to_pathtarget(
      target, pull_var_clause(reinterpret_cast<Node*>(root->upper_targets[UPPERREL_FINAL]->exprs),
                              PVC_RECURSE_PLACEHOLDERS));
  if (!root->simple_rte_array[table->relid]->inh) {
    const List* scans = find_scans(root, table, target->exprs);
    for (int i = 0; i < list_length(scans); i++)
      add_path_above(root, list_make1(list_nth(scans, i)), target->exprs, limits, output);
    return;
  }
  List* leaves = NIL;
  if (!ordered_leaf_tables(root, table, target->exprs, &leaves)) return;
  List* scans = NIL;
  for (int i = 0; i < list_length(leaves); i++) {
    const auto* leaf = static_cast<const LeafTable*>(list_nth(leaves, i));
    OrderedScan* scan = cheapest(find_scans(root, leaf->rel, leaf->groups));
    if (scan == nullptr) return;
    scans = lappend(scans, scan);
  }
  if (scans != NIL) add_path_above(root, scans, target->exprs, limits, output);
}

}  // namespace learned
