#include "am/plan/aggregate_costs.hpp"

#include "am/callbacks.hpp"
#include "am/count/percentiles.hpp"
#include "am/count/visited_rows.hpp"
#include "am/plan/path_parts.hpp"
#include "am/plan/values_left.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

// Of the processor, in units of cpu_operator_cost.
constexpr double kLeaf = 25.0;     // a leaf's header and the models of its segments
constexpr double kDecoded = 0.6;   // an entry that has to be decoded
constexpr double kVisited = 16.0;  // a row that has to be visited, in the order of the table's blocks
constexpr double kStretch = 50.0;  // from one stretch of the index to the next, over a gap
constexpr double kGroup = 40.0;    // to find a group's border, and to give it out
constexpr double kFound = 150.0;   // to find a row in its leaf
// To find a bucket's border its function is called some ten times: a few machine instructions, or with a time zone a look-up of its offset.
constexpr double kBucket = 30.0;
constexpr double kZonedBucket = 250.0;
// How much of the way from a sequential read to one at random the next leaf is: a build leaves them in their order, splits do not.
constexpr double kHalf = 0.5;

// A value of an integer, a date or a timestamp as a number.
double number_of(Oid type, Datum value) {
  switch (type) {
    case INT2OID:
      return DatumGetInt16(value);
    case INT4OID:
    case DATEOID:
      return DatumGetInt32(value);
    default:
      return static_cast<double>(DatumGetInt64(value));
  }
}

// How many buckets of a width the values of an operand fall into, `rows` of them, by the histogram of statistics. 0: no idea.
double count_buckets(PlannerInfo* root, const MonotoneExpression& expression, double rows) {
  if (expression.width <= 0.0) return 0.0;
  VariableStatData variable;
  examine_variable(root, const_cast<Node*>(expression.operand), 0, &variable);
  AttStatsSlot histogram;
  double buckets = 0.0;
  if (HeapTupleIsValid(variable.statsTuple) &&
      get_attstatsslot(&histogram, variable.statsTuple, STATISTIC_KIND_HISTOGRAM, InvalidOid,
                       ATTSTATSSLOT_VALUES)) {
    const double rows_between = rows / std::max(histogram.nvalues - 1, 1);
    for (int i = 1; i < histogram.nvalues; i++) {
      const double range = number_of(variable.vartype, histogram.values[i]) -
                           number_of(variable.vartype, histogram.values[i - 1]);
      buckets += std::min(range / expression.width, rows_between);
    }
    if (histogram.nvalues > 1) buckets += 2.0;
    free_attstatsslot(&histogram);
  }
  ReleaseVariableStats(variable);
  return buckets;
}

// How many elements lists in the conditions have: one search each.
double listed_keys(PlannerInfo* root, const IndexPath* child) {
  double keys = 1.0;
  for (int i = 0; i < list_length(child->indexclauses); i++) {
    const auto* condition = static_cast<const IndexClause*>(list_nth(child->indexclauses, i));
    const auto* clause = static_cast<const RestrictInfo*>(linitial(condition->indexquals))->clause;
    if (!IsA(clause, ScalarArrayOpExpr)) continue;
    auto* array = static_cast<Node*>(lsecond(reinterpret_cast<const ScalarArrayOpExpr*>(clause)->args));
    keys *= std::max(1.0, compat::array_length(root, array));
  }
  return keys;
}

// Whether a condition leaves an expression one value: it equals a constant or a parameter, or is NULL, or is true or false itself.
bool fixes(const Node* clause, const Node* expr, Oid equality) {
  const auto is_expr = [&](const void* node) {
    return equal(without_relabels(static_cast<const Node*>(node)), without_relabels(expr));
  };
  if (is_notclause(clause)) return is_expr(get_notclausearg(const_cast<Node*>(clause)));
  if (IsA(clause, NullTest)) {
    const auto* test = reinterpret_cast<const NullTest*>(clause);
    return test->nulltesttype == IS_NULL && is_expr(test->arg);
  }
  if (!IsA(clause, OpExpr)) return is_expr(clause);
  const auto* operation = reinterpret_cast<const OpExpr*>(clause);
  if (list_length(operation->args) != 2) return false;
  auto* left = static_cast<Node*>(linitial(operation->args));
  auto* right = static_cast<Node*>(lsecond(operation->args));
  return op_mergejoinable(operation->opno, exprType(left)) &&
         equality_ops_are_compatible(operation->opno, equality) &&
         ((is_expr(left) && is_pseudo_constant_clause(right)) ||
          (is_expr(right) && is_pseudo_constant_clause(left)));
}

bool is_fixed(const RelOptInfo* table, const Node* expr, Oid equality) {
  for (int i = 0; i < list_length(table->baserestrictinfo); i++) {
    const auto* condition = static_cast<const RestrictInfo*>(list_nth(table->baserestrictinfo, i));
    if (fixes(reinterpret_cast<const Node*>(condition->clause), expr, equality)) return true;
  }
  return false;
}

// Those of the first `count` groups, but for one (-1: none), that have more than one value: estimate_num_groups() takes the others for as many as the whole table has.
List* varying_groups(const Question& question, const RelOptInfo* table, int count, int without) {
  List* varying = NIL;
  for (int g = 0; g < count; g++) {
    auto* group = static_cast<Node*>(list_nth(question.groups, g));
    if (g != without && !is_fixed(table, group, list_nth_oid(question.group_operators, g)))
      varying = lappend(varying, group);
  }
  return varying;
}

// How many groups there are by expressions: by those that conditions leave some values, no more than these with each group by the others.
double groups_by(PlannerInfo* root, const RelOptInfo* table, List* exprs, double rows) {
  const double all = estimate_num_groups(root, exprs, rows, nullptr, nullptr);
  double values = 1.0;
  List* others = NIL;
  for (int i = 0; i < list_length(exprs); i++) {
    auto* expr = static_cast<Node*>(list_nth(exprs, i));
    const double left = values_left(root, table, expr);
    if (left > 0.0) {
      values *= left;
    } else {
      others = lappend(others, expr);
    }
  }
  if (list_length(others) == list_length(exprs)) return all;
  return std::min(all, std::ceil(values * estimate_num_groups(root, others, rows, nullptr, nullptr)));
}

}  // namespace

double rows_of_groups(PlannerInfo* root, const Question& question, const RelOptInfo* table, double rows,
                      const RelOptInfo* output) {
  const int count = groups_of_query(question);
  if (count == 0) return 1.0;
  const double groups = groups_by(root, table, varying_groups(question, table, count, -1), rows);
  return std::min(groups, rows_of_query(output, groups));
}

double expected_groups(PlannerInfo* root, const Question& question, const RelOptInfo* table, double rows,
                       const RelOptInfo* output) {
  if (!question.distinct) return rows_of_groups(root, question, table, rows, output);
  return groups_by(root, table, varying_groups(question, table, list_length(question.groups), -1), rows);
}

double estimate_groups(PlannerInfo* root, const Question& question, const Answer& answer, const Path* child,
                       const RelOptInfo* output) {
  const double expected = expected_groups(root, question, answer.index->rel, child->rows, output);
  if (answer.bucket < 0) return expected;
  const double tuples = std::max(answer.index->rel->tuples, 1.0);
  const double all = count_buckets(root, answer.expression, tuples);
  if (all <= 0.0) return expected;
  // Conditions narrow the range in proportion; other groups have all of it.
  const double share = answer.columns == 0 ? std::clamp(child->rows / tuples, 0.0, 1.0) : 1.0;
  const double buckets = all * share + 1.0;
  if (answer.groups == NIL) return std::clamp(std::ceil(buckets), 1.0, std::max(expected, 1.0));
  List* exprs =
      varying_groups(question, answer.index->rel, list_length(question.groups), answer.bucket_group);
  const double others = groups_by(root, answer.index->rel, exprs, child->rows);
  return std::clamp(std::ceil(buckets * others), 1.0, std::max(expected, 1.0));
}

double cost_of_border(const Answer& answer) {
  double cost = kGroup;
  if (answer.bucket >= 0) cost += answer.expression.zones > 0 ? kZonedBucket : kBucket;
  if (answer.percentile >= 0) cost += kFound;
  return cost;
}

Cost cost_of_halving(PlannerInfo* root, const Question& question, double groups, double rows) {
  double fractions = 0.0;
  for (int i = 0; i < list_length(question.aggregates); i++) {
    const auto* aggregate = static_cast<const Aggref*>(list_nth(question.aggregates, i));
    PercentileKind kind;
    if (!percentile_kind(aggregate->aggfnoid, &kind)) continue;
    auto* fraction = static_cast<Node*>(linitial(aggregate->aggdirectargs));
    fractions += kind.several ? std::max(1.0, compat::array_length(root, fraction)) : 1.0;
  }
  // Each step finds a row and counts twice, of a leaf or two.
  const double steps = std::log2(std::max(rows / std::max(groups, 1.0), 2.0)) + 1.0;
  return fractions * groups * steps * (kFound + 3.0 * (kDescent + kLeaf)) * cpu_operator_cost;
}

Cost least_cost(const IndexOptInfo* index) {
  double random;
  get_tablespace_page_costs(index->reltablespace, &random, nullptr);
  return random + (kDescent + kLeaf) * cpu_operator_cost;
}

CountCost cost_of(PlannerInfo* root, IndexPath* child, double groups, double border, double passes) {
  const IndexOptInfo* index = child->indexinfo;
  const RelOptInfo* table = index->rel;
  Cost startup;
  Cost total;
  Selectivity selectivity;
  double correlation;
  double pages;
  learned_cost_estimate(root, child, 1.0, &startup, &total, &selectivity, &correlation, &pages);
  const double rows = std::max(1.0, selectivity * table->tuples);
  const double stretches = std::max(skipped_stretches(root, child), listed_keys(root, child) - 1.0);
  const double leaves = std::min(std::max<double>(1.0, index->pages),
                                 std::max(1.0, std::ceil(selectivity * index->pages) + stretches));
  const double open = std::clamp(1.0 - table->allvisfrac, 0.0, 1.0);
  double random;
  double sequential;
  get_tablespace_page_costs(index->reltablespace, &random, &sequential);
  Cost cost = leaves * (sequential + (leaves < 2.0 ? random - sequential : kHalf * (random - sequential)));
  const double operations = kDescent + leaves * kLeaf + stretches * kStretch;
  Cost of_rows = 0.0;
  Cost of_blocks = 0.0;
  if (open > 0.0) {
    // Where the table is in the order of the index, most segments have no open block.
    const double ordered = correlation * correlation;
    const double decoded = rows * (open * ordered + (1.0 - ordered));
    // What was seen of a row is remembered, if there is room.
    const double visits =
        rows * open * kVisited * (1.0 + (passes - 1.0) * (1.0 - VisitedRows::share_remembered(table->pages)));
    of_rows = (decoded * kDecoded * passes + visits) * cpu_operator_cost;
    get_tablespace_page_costs(table->reltablespace, &random, &sequential);
    const double spread =
        std::min<double>(rows, selectivity * ordered * table->pages + (1.0 - ordered) * table->pages);
    const double visited = std::ceil(spread * open);
    // In order, but for the gaps: as a bitmap scan's.
    const double share = table->pages > 0 ? std::sqrt(std::min(1.0, visited / table->pages)) : 1.0;
    of_blocks = visited * (random - (random - sequential) * share);
  }
  cost += of_rows + of_blocks + (operations * passes + groups * border) * cpu_operator_cost;
  return {startup, cost + startup, (2.0 * of_rows + of_blocks) / leaves};
}

}  // namespace learned
