// Which queries an index can count (am/count/aggregate_scan.cpp):
//
//   SELECT count(*), min(k), max(k), sum(k), avg(k) FROM ... WHERE k BETWEEN ...
//   SELECT k, count(*) FROM ... GROUP BY k            the first columns of an index
//   SELECT date_trunc('hour', ts), count(*) ...       or a monotone expression of the next one
//   SELECT k, count(DISTINCT l) ...                   as if groups were by that, too
//   SELECT k, percentile_disc(0.5) WITHIN GROUP (ORDER BY l) ...       the next one
//
// The index must decide all conditions by itself, exactly: whatever core finds no index condition for, or a lossy one, stays a filter, and rows would have
// to be read. So core matches them, for a copy of the table that has this index only.
#include "am/count/aggregate_plan.hpp"
#include "am/key/key_type.hpp"
#include "am/options.hpp"
#include "am/plan/aggregate_children.hpp"
#include "am/plan/aggregate_costs.hpp"
#include "am/plan/monotone.hpp"
#include "am/plan/path_parts.hpp"
#include "am/plan/percentile_columns.hpp"
#include "am/plan/upper_paths.hpp"
#include "am/server/compat.hpp"
#include "am/server/custom_node.hpp"

namespace learned {

namespace {

constexpr int kAnyBucket = -2;  // beside the numbers of groups and -1

// ---- the question

// Whether an expression has anything but groups, aggregates and constants; notes the aggregates. `context`: a Question.
bool has_other_pieces(Node* node, void* context) {
  auto* question = static_cast<Question*>(context);
  if (node == nullptr || list_member(question->groups, node)) return false;
  if (IsA(node, Aggref)) {
    if (reinterpret_cast<const Aggref*>(node)->agglevelsup != 0) return true;
    if (!list_member(question->aggregates, node)) question->aggregates = lappend(question->aggregates, node);
    return false;
  }
  if (IsA(node, Var) || IsA(node, PlaceHolderVar) || IsA(node, GroupingFunc) || IsA(node, WindowFunc))
    return true;
  return compat::walk_expression(node, has_other_pieces, context);
}

void note_groups(PlannerInfo* root, const List* clauses, Question* question) {
  for (int i = 0; i < list_length(clauses); i++) {
    auto* clause = static_cast<SortGroupClause*>(list_nth(clauses, i));
    question->groups = lappend(question->groups, get_sortgroupclause_expr(clause, root->processed_tlist));
    question->group_operators = lappend_oid(question->group_operators, clause->eqop);
  }
}

// SELECT DISTINCT: groups, and nothing of them.
bool understand_distinct(PlannerInfo* root, const RelOptInfo* input, Question* question) {
  const Query* parse = root->parse;
  if (parse->hasDistinctOn || parse->groupClause != NIL || parse->hasAggs || parse->havingQual != nullptr ||
      parse->hasWindowFuncs) {
    return false;
  }
  *question = {NIL, NIL, NIL, input->reltarget, NIL, false, false, false};
  note_groups(root, parse->distinctClause, question);
  return !has_other_pieces(reinterpret_cast<Node*>(question->target->exprs), question);
}

// Whether an aggregate is of values that differ. (The first one of all is the first one of these.)
bool is_distinct(const Aggref* aggregate) {
  return aggregate->aggdistinct != NIL && !OidIsValid(first_value_operator(aggregate));
}

// What an aggregate with DISTINCT is of becomes the last group. False: there are others, of something else.
bool note_distinct(const Aggref* aggregate, Question* question) {
  Expr* arg = static_cast<TargetEntry*>(linitial(aggregate->args))->expr;
  if (question->distinct) return equal(llast(question->groups), arg);
  question->groups = lappend(question->groups, arg);
  question->group_operators = lappend_oid(
      question->group_operators, static_cast<SortGroupClause*>(linitial(aggregate->aggdistinct))->eqop);
  question->distinct = true;
  return true;
}

bool understand(PlannerInfo* root, Question* question) {
  const Query* parse = root->parse;
  *question = {
      NIL,   NIL,   NIL,  root->upper_targets[UPPERREL_GROUP_AGG], reinterpret_cast<List*>(parse->havingQual),
      false, false, false};
  note_groups(root, parse->groupClause, question);
  if (has_other_pieces(reinterpret_cast<Node*>(question->target->exprs), question) ||
      has_other_pieces(parse->havingQual, question)) {
    return false;
  }
  // (Least and greatest values alone have a plan of the server's.)
  bool counts = question->groups != NIL;
  for (int i = 0; i < list_length(question->aggregates); i++) {
    const auto* aggregate = static_cast<const Aggref*>(list_nth(question->aggregates, i));
    if (aggregate->aggfilter != nullptr || aggregate->aggvariadic || list_length(aggregate->args) > 1)
      return false;
    if (is_percentile(aggregate)) {
      question->percentiles = counts = true;
      continue;
    }
    if (aggregate->aggorder != NIL || aggregate->aggdirectargs != NIL) return false;
    if (is_distinct(aggregate) && !note_distinct(aggregate, question)) return false;
    counts = counts || !OidIsValid(first_value_operator(aggregate));
  }
  return counts;
}

// ---- the answer

// Whether the least and the greatest value of a column are those of its codes, of one word.
bool has_ordered_codes(const IndexOptInfo* index, int column, Oid type) {
  KeyKind kind;
  return key_kind_of_type(type, &kind) && key_words(kind) == 1 && keeps_bits(index, column, type);
}

// min() and max(), by the order of the type, which is the index's: an included column has no operator family.
bool extreme_of(const Aggref* aggregate, Oid type, MeasureKind* kind) {
  const Oid first = first_value_operator(aggregate);
  if (!OidIsValid(first)) return false;
  const TypeCacheEntry* entry = lookup_type_cache(getBaseType(type), TYPECACHE_BTREE_OPFAMILY);
  if (!OidIsValid(entry->btree_opf)) return false;
  const int strategy = get_op_opfamily_strategy(first, entry->btree_opf);
  *kind = strategy == BTLessStrategyNumber ? MeasureKind::least : MeasureKind::greatest;
  return strategy == BTLessStrategyNumber || strategy == BTGreaterStrategyNumber;
}

bool kind_of(const Aggref* aggregate, const IndexOptInfo* index, int column, Oid type, MeasureKind* kind) {
  switch (aggregate->aggfnoid) {
    case F_COUNT_ANY:
      *kind = MeasureKind::not_null;
      return true;
    case F_SUM_INT2:
    case F_AVG_INT2:
    case F_SUM_INT4:
    case F_AVG_INT4:
    case F_SUM_INT8:
    case F_AVG_INT8: {
      const bool average = aggregate->aggfnoid == F_AVG_INT2 || aggregate->aggfnoid == F_AVG_INT4 ||
                           aggregate->aggfnoid == F_AVG_INT8;
      *kind = average ? MeasureKind::average : MeasureKind::sum;
      return type == INT2OID || type == INT4OID || type == INT8OID;
    }
    default:
      return has_ordered_codes(index, column, type) && extreme_of(aggregate, type, kind);
  }
}

// Whether count() of this is the number of rows.
bool counts_all(const Aggref* aggregate, const RelOptInfo* rel, const RangeTblEntry* rte) {
  if (aggregate->aggfnoid == F_COUNT_) return true;
  if (aggregate->aggfnoid != F_COUNT_ANY) return false;
  const Expr* arg = static_cast<TargetEntry*>(linitial(aggregate->args))->expr;
  if (IsA(arg, Const)) return !reinterpret_cast<const Const*>(arg)->constisnull;
  if (!IsA(arg, Var)) return false;
  const auto* var = reinterpret_cast<const Var*>(arg);
  return var->varattno > 0 && compat::never_null(rel, rte->relid, var->varattno);
}

// The column of a percentile, all of which are of one.
bool find_column_of_percentile(const Aggref* aggregate, const RangeTblEntry* rte, Answer* answer, int* column,
                               int* flags) {
  PercentileColumn found;
  if (!find_percentile(aggregate, answer->index, &found)) return false;
  if (answer->percentile >= 0 && answer->percentile != found.column) return false;
  answer->percentile = *column = found.column;
  answer->measured = lappend(answer->measured, found.operand);
  *flags = (never_null(answer->index->rel, rte, answer->index, found.column) ? kNeverNull : 0) |
           (found.backward ? kBackward : 0) | (found.nulls_low ? kNullsLow : 0) |
           (found.descending ? kDescending : 0);
  return true;
}

bool find_measures(const Question& question, const RangeTblEntry* rte, Answer* answer) {
  IndexOptInfo* index = answer->index;
  answer->percentile = -1;
  answer->measures = NIL;
  answer->measured = NIL;
  for (int i = 0; i < list_length(question.aggregates); i++) {
    const auto* aggregate = static_cast<const Aggref*>(list_nth(question.aggregates, i));
    MeasureKind kind = MeasureKind::rows;
    int column = -1;
    const bool distinct = is_distinct(aggregate);
    int flags = distinct ? kDistinct : 0;
    if (is_percentile(aggregate)) {
      kind = MeasureKind::percentile;
      if (!find_column_of_percentile(aggregate, rte, answer, &column, &flags)) return false;
    } else if (distinct && aggregate->aggfnoid == F_COUNT_ANY) {
      kind = MeasureKind::not_null;
    } else if (distinct || !counts_all(aggregate, index->rel, rte)) {
      if (aggregate->args == NIL) return false;
      Expr* arg = static_cast<TargetEntry*>(linitial(aggregate->args))->expr;
      column = 0;
      while (column < index->ncolumns && !match_index_to_operand(reinterpret_cast<Node*>(arg), column, index))
        column++;
      if (column == index->ncolumns) return false;
      if (!kind_of(aggregate, index, column, exprType(reinterpret_cast<Node*>(arg)), &kind)) return false;
      if (kind != MeasureKind::not_null && !keeps_type(reinterpret_cast<Node*>(arg))) return false;
      if (!distinct) answer->measured = lappend(answer->measured, arg);
    }
    answer->measures = lappend_int(answer->measures, static_cast<int>(kind));
    answer->measures = lappend_int(answer->measures, column);
    answer->measures = lappend_int(answer->measures, static_cast<int>(aggregate->aggtype));
    answer->measures = lappend_int(answer->measures, flags);
  }
  return true;
}

// Finds the groups among the first columns of the index. False: they are not there.
bool find_groups(const Question& question, const List* conditions, Answer* answer) {
  IndexOptInfo* index = answer->index;
  const int wanted = list_length(question.groups);
  answer->groups = NIL;
  answer->columns = 0;
  answer->bucket = answer->bucket_group = -1;
  Bitmapset* found = nullptr;
  auto* columns = static_cast<int*>(palloc0(static_cast<Size>(wanted + 1) * sizeof(int)));  // of the groups
  while (answer->columns < index->nkeycolumns && bms_num_members(found) < wanted) {
    const int c = answer->columns;
    const int group = group_of_column(question.groups, question.group_operators, index, c);
    if (group >= 0) {
      // Of several codes that are equal, which is given out is not certain.
      if (is_float(index->opcintype[c])) return false;
      // Groups of the query are stretches of finer ones.
      if (question.distinct && group == wanted - 1 && bms_num_members(found) < wanted - 1) return false;
      found = bms_add_member(found, group);
      columns[group] = c;
    } else if (!has_equality(conditions, index, c)) {
      break;
    }
    answer->columns++;
  }
  // One that is left may be an expression of the next column.
  if (bms_num_members(found) == wanted - 1 && answer->columns < index->nkeycolumns) {
    int group = 0;
    while (bms_is_member(group, found)) group++;
    if (is_monotone(static_cast<Node*>(list_nth(question.groups, group)), &answer->expression) &&
        match_index_to_operand(const_cast<Node*>(answer->expression.operand), answer->columns, index)) {
      answer->bucket = answer->columns;
      answer->bucket_group = group;
      found = bms_add_member(found, group);
    }
  }
  if (bms_num_members(found) < wanted) return false;
  if (answer->columns > 0 &&
      (!equal_by_words(index, answer->columns) || words_of_columns(index, answer->columns) == 0))
    return false;
  for (int group = 0; group < wanted; group++) {
    if (group != answer->bucket_group) answer->groups = lappend_int(answer->groups, columns[group]);
  }
  return true;
}

// Whether rows of a group come in the order of the column that percentiles are of: it is the next one behind the groups.
bool has_order_of_percentiles(const Question& question, const List* conditions, const Answer& answer) {
  if (!question.percentiles) return true;
  List* groups = list_copy_head(question.groups, groups_of_query(question));
  if (answer.bucket >= 0 && answer.bucket_group < groups_of_query(question)) return false;
  for (int c = 0; c < answer.percentile; c++) {
    if (group_of_column(groups, question.group_operators, answer.index, c) < 0 &&
        !has_equality(conditions, answer.index, c))
      return false;
  }
  return true;
}

// ---- the path

// The order of the query that is the bucket's in this direction; nullptr: there is none.
PathKey* order_of_bucket(PlannerInfo* root, const Node* bucket, bool descending, bool nulls_first) {
  const Oid type = exprType(bucket);
  const Oid family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
  const auto less = [type](Oid of) { return get_opfamily_member(of, type, type, BTLessStrategyNumber); };
  for (int i = 0; i < list_length(root->sort_pathkeys); i++) {
    auto* key = static_cast<PathKey*>(list_nth(root->sort_pathkeys, i));
    if (compat::descends(key) != descending || key->pk_nulls_first != nulls_first ||
        (key->pk_opfamily != family && less(key->pk_opfamily) != less(family)))
      continue;
    for (int m = 0; m < list_length(key->pk_eclass->ec_members); m++) {
      if (equal(static_cast<EquivalenceMember*>(list_nth(key->pk_eclass->ec_members, m))->em_expr, bucket))
        return key;
    }
  }
  return nullptr;
}

// The index's own order as far as it is that of the groups.
List* order_of_columns(PlannerInfo* root, const Question& question, IndexOptInfo* index,
                       ScanDirection direction) {
  List* order = build_index_pathkeys(root, index, direction);
  List* kept = NIL;
  for (int i = 0; i < list_length(order); i++) {
    auto* key = static_cast<PathKey*>(list_nth(order, i));
    bool grouped = false;
    for (int g = 0; !grouped && g < groups_of_query(question); g++) {
      for (int m = 0; !grouped && m < list_length(key->pk_eclass->ec_members); m++) {
        grouped = equal(static_cast<EquivalenceMember*>(list_nth(key->pk_eclass->ec_members, m))->em_expr,
                        list_nth(question.groups, g));
      }
    }
    if (!grouped) break;
    kept = lappend(kept, key);
  }
  return kept;
}

// The order in which the node gives groups of one table: that of its index, and behind that of columns which are groups, or are fixed, the bucket's.
List* order_of_groups(PlannerInfo* root, const Question& question, const Answer& answer,
                      const List* conditions, ScanDirection direction) {
  IndexOptInfo* index = answer.index;
  List* order = order_of_columns(root, question, index, direction);
  if (answer.bucket < 0 || answer.bucket_group >= groups_of_query(question)) return order;
  int varying = 0;
  for (int c = 0; c < answer.bucket; c++) varying += has_equality(conditions, index, c) ? 0 : 1;
  if (varying != list_length(order)) return order;
  const bool backward = ScanDirectionIsBackward(direction);
  const bool descending = index->reverse_sort[answer.bucket] != backward;
  PathKey* key = order_of_bucket(root, static_cast<Node*>(list_nth(question.groups, answer.bucket_group)),
                                 descending != answer.expression.descends,
                                 index->nulls_first[answer.bucket] != backward);
  return key == nullptr ? order : lappend(order, key);
}

// The words in front that groups of the query have the same of, as the node is told.
int folded_words(const Question& question, const Answer& answer) {
  if (!question.distinct) return -1;
  if (groups_of_query(question) == 0) return 0;
  return static_cast<int>(
      words_of_columns(answer.index, answer.bucket >= 0 ? answer.columns : answer.columns - 1));
}

// An index scan of a table that is counted, and what the node is told of it.
struct CountingScan {
  IndexPath* path;
  ScanDirection direction;
  List* told;
  double groups;  // that it gives to the node
  CountCost cost;
  Oid ranked;  // the type of what percentiles are of, in the index; InvalidOid: there are none
};

CountingScan count_table(PlannerInfo* root, const Question& question, const Answer& answer,
                         const List* conditions, const RelOptInfo* output) {
  IndexOptInfo* index = answer.index;
  RelOptInfo* table = index->rel;
  // Where a plain index descends, its pages ascend.
  const ScanDirection direction =
      is_plain(index) && index->reverse_sort[0] ? BackwardScanDirection : ForwardScanDirection;
  IndexPath* child = create_index_path(root, index, const_cast<List*>(conditions), NIL, NIL, NIL, direction,
                                       has_everything(table, index), nullptr, 1.0, false);
  // What rows are made of where they are read one by one.
  PathTarget* target = create_empty_pathtarget();
  for (int g = 0; g < list_length(question.groups); g++) {
    if (g != answer.bucket_group)
      add_column_to_pathtarget(target, static_cast<Expr*>(list_nth(question.groups, g)), 0);
  }
  List* bucket = NIL;
  if (answer.bucket >= 0) {
    auto* operand = const_cast<Node*>(answer.expression.operand);
    add_column_to_pathtarget(target, reinterpret_cast<Expr*>(operand), 0);
    bucket = list_make1_int(answer.bucket);
  }
  for (int m = 0; m < list_length(answer.measured); m++)
    add_column_to_pathtarget(target, static_cast<Expr*>(list_nth(answer.measured, m)), 0);
  child->path.pathtarget = target;
  const unsigned words =
      answer.columns == 0 || question.groups == NIL ? 0 : words_of_columns(index, answer.columns);
  List* told = list_make5(answer.groups, makeInteger(static_cast<int>(words)), answer.measures, bucket,
                          makeInteger(folded_words(question, answer)));
  // (What is expected of all tables may be more than one has rows.)
  const double groups = std::min(estimate_groups(root, question, answer, &child->path, output),
                                 std::max(child->path.rows, 1.0));
  return {child,
          direction,
          told,
          groups,
          cost_of(root, child, groups, cost_of_border(answer), passes_of(question)),
          answer.percentile < 0 ? InvalidOid : index->opcintype[answer.percentile]};
}

// The node, of tables whose groups are by the same bucket: a number of the question's groups, or -1.
CustomPath* make_path(const Question& question, int bucket_group, RelOptInfo* output) {
  List* exprs = NIL;
  for (int g = 0; g < list_length(question.groups); g++) {
    if (g != bucket_group) exprs = lappend(exprs, list_nth(question.groups, g));
  }
  List* bucket = NIL;
  if (bucket_group >= 0) {
    auto* expr = static_cast<Node*>(list_nth(question.groups, bucket_group));
    MonotoneExpression expression;
    is_monotone(expr, &expression);
    exprs = lappend(exprs, expr);
    // By itself, for the server would take it for the column of that name.
    const auto column =
        static_cast<AttrNumber>(list_length(question.groups) + list_length(question.aggregates) + 1);
    Var* var = makeVar(INDEX_VAR, column, exprType(expression.operand), exprTypmod(expression.operand),
                       InvalidOid, 0);
    bucket = list_make2(with_operand(expr, expression, reinterpret_cast<Node*>(var)),
                        const_cast<Node*>(expression.operand));
  }
  exprs = list_concat(exprs, question.aggregates);
  return make_custom_path(output, question.target, NIL, list_make4(NIL, exprs, question.having, bucket),
                          aggregate_path_methods());
}

void add_answer(PlannerInfo* root, const Question& question, const Answer& answer, const List* conditions,
                RelOptInfo* output) {
  const CountingScan table = count_table(root, question, answer, conditions, output);
  CustomPath* path = make_path(question, answer.bucket_group, output);
  path->custom_paths = list_make1(table.path);
  linitial(path->custom_private) = list_make1(table.told);
  const bool grouped = groups_of_query(question) > 0;
  path->path.rows = table.groups;
  if (question.distinct) {
    const double rows = rows_of_groups(root, question, answer.index->rel, table.path->path.rows, output);
    path->path.rows = std::min(table.groups, rows);
  }
  path->path.startup_cost = grouped ? table.cost.startup : table.cost.total;
  path->path.total_cost = table.cost.total + path->path.rows * cpu_tuple_cost;
  path->path.pathkeys = grouped ? order_of_groups(root, question, answer, conditions, table.direction) : NIL;
  add_path(output, &path->path);
}

// Whether an index of the table may count for less than the server's own plans cost: a look-up is not asked whether it could be counted.
bool worth_a_try(const RelOptInfo* input, const RelOptInfo* output) {
  Cost cheapest = std::numeric_limits<Cost>::infinity();
  for (int i = 0; i < list_length(output->pathlist); i++) {
    const auto* path = static_cast<const Path*>(list_nth(output->pathlist, i));
    if (!compat::is_disabled(path)) cheapest = std::min(cheapest, path->total_cost);
  }
  for (int i = 0; i < list_length(input->indexlist); i++) {
    const auto* index = static_cast<const IndexOptInfo*>(list_nth(input->indexlist, i));
    if (may_count(index) && least_cost(index) < cheapest) return true;
  }
  return false;
}

// Whether an index answers the question, under which conditions.
bool find_answer(PlannerInfo* root, const Question& question, IndexOptInfo* index, Answer* answer,
                 const List** conditions) {
  if (!may_count(index)) return false;
  *answer = {};
  answer->index = index;
  if (!find_measures(question, root->simple_rte_array[index->rel->relid], answer)) return false;
  bool possible;
  *conditions = all_conditions(root, index, &possible);
  return possible && find_groups(question, *conditions, answer) &&
         has_order_of_percentiles(question, *conditions, *answer);
}

// The table's cheapest index that has the bucket for the same group as the others of its parent; of the first one (-2), for any.
bool count_child(PlannerInfo* root, const Question& question, const RelOptInfo* table,
                 const RelOptInfo* output, int* bucket_group, CountingScan* best) {
  bool found = false;
  int of_best = *bucket_group;
  for (int i = 0; i < list_length(table->indexlist); i++) {
    Answer answer;
    const List* conditions;
    auto* index = static_cast<IndexOptInfo*>(list_nth(table->indexlist, i));
    if (!find_answer(root, question, index, &answer, &conditions)) continue;
    if (*bucket_group != kAnyBucket && answer.bucket_group != *bucket_group) continue;
    const CountingScan counted = count_table(root, question, answer, conditions, output);
    if (found && counted.cost.total >= best->cost.total) continue;
    *best = counted;
    of_best = answer.bucket_group;
    found = true;
  }
  *bucket_group = of_best;
  return found;
}

// All tables below one, each with an index of its own: groups of several tables are merged by the node.
void add_children(PlannerInfo* root, const Question& question, const RelOptInfo* input, RelOptInfo* output) {
  const List* leaves = leaf_tables(root, input, question.groups, question.aggregates);
  int bucket_group = kAnyBucket;
  List* paths = NIL;
  List* told = NIL;
  CountCost cost{};
  double groups = 0.0;
  Oid ranked = InvalidOid;
  for (int i = 0; i < list_length(leaves); i++) {
    const auto* leaf = static_cast<const LeafTable*>(list_nth(leaves, i));
    Question child = question;
    child.groups = leaf->groups;
    child.aggregates = leaf->aggregates;
    child.several_tables = list_length(leaves) > 1;
    CountingScan counted{};
    if (!count_child(root, child, leaf->rel, output, &bucket_group, &counted)) return;
    paths = lappend(paths, counted.path);
    told = lappend(told, counted.told);
    cost.startup += counted.cost.startup;
    cost.total += counted.cost.total;
    groups += counted.groups;
    // (Values of several tables are compared.)
    if (i > 0 && counted.ranked != ranked) return;
    ranked = counted.ranked;
  }
  if (paths == NIL) return;
  if (list_length(paths) > 1) {
    if (!may_merge_groups(question.groups, question.group_operators)) return;
    cost.total += merging_cost(groups);
    groups = std::min(groups, expected_groups(root, question, input, input->rows, output));
    if (question.percentiles) {
      const double asked =
          question.distinct ? rows_of_groups(root, question, input, input->rows, output) : groups;
      cost.total += cost_of_halving(root, question, asked, input->rows) * list_length(paths);
    }
    if (question.groups != NIL &&
        groups * size_of_merged_group(list_length(question.groups), list_length(question.aggregates)) >
            work_mem * 1024.0)
      return;
  }
  const bool grouped = groups_of_query(question) > 0;
  const double rows = question.distinct
                          ? std::min(groups, rows_of_groups(root, question, input, input->rows, output))
                          : groups;
  CustomPath* path = make_path(question, bucket_group, output);
  path->custom_paths = paths;
  linitial(path->custom_private) = told;
  path->path.rows = rows;
  path->path.startup_cost = !grouped || list_length(paths) > 1 ? cost.total : cost.startup;
  path->path.total_cost = cost.total + rows * cpu_tuple_cost;
  add_path(output, &path->path);
}

}  // namespace

void add_aggregate_paths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output) {
  // (Who forbids index scans does not want this one.)
  if (!aggregates_enabled || !enable_indexscan ||
      (stage != UPPERREL_GROUP_AGG && stage != UPPERREL_DISTINCT) || !is_of_one_table(root, input))
    return;
  // (One that has others below it may have no index itself.)
  const bool has_children = root->simple_rte_array[input->relid]->inh;
  if (!has_children && !worth_a_try(input, output)) return;
  Question question;
  if (stage == UPPERREL_DISTINCT ? !understand_distinct(root, input, &question)
                                 : !understand(root, &question))
    return;
  if (has_children) {
    add_children(root, question, input, output);
    return;
  }
  for (int i = 0; i < list_length(input->indexlist); i++) {
    auto* index = static_cast<IndexOptInfo*>(list_nth(input->indexlist, i));
    Answer answer;
    const List* conditions;
    if (find_answer(root, question, index, &answer, &conditions))
      add_answer(root, question, answer, conditions, output);
  }
}

}  // namespace learned
