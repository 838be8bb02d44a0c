// The server's estimate of groups, estimate_num_groups(), takes rows that conditions leave for any of the table's, so that of a hundred values a range of two is left
// with all hundred, if there are rows enough. That is right of columns which the conditions are not on; of the others the statistics tell.
#include "am/plan/values_left.hpp"

#include "am/server/compat.hpp"

namespace learned {

namespace {

// A side of a range, by a constant; or by what is not known when the query is planned.
struct RangeEnd {
  FmgrInfo operation;
  Oid collation;
  bool turned;  // the constant is on the left
  const Const* constant;

  bool admits(Datum value) {
    const Datum other = constant->constvalue;
    return DatumGetBool(
        FunctionCall2Coll(&operation, collation, turned ? other : value, turned ? value : other));
  }
};

struct Conditions {
  const Node* expr;
  double listed = 0.0;  // values of the shortest list; 0: there is none
  List* ranges = NIL;   // RestrictInfos
  List* ends = NIL;     // RangeEnds
};

bool is_same(const void* node, const Node* expr) {
  return equal(without_relabels(static_cast<const Node*>(node)), without_relabels(expr));
}

void note_list(PlannerInfo* root, const ScalarArrayOpExpr* clause, Conditions* found) {
  auto* type_of = static_cast<Node*>(linitial(clause->args));
  if (!clause->useOr || !is_same(type_of, found->expr) || !op_mergejoinable(clause->opno, exprType(type_of)))
    return;
  const double listed = std::max(1.0, compat::array_length(root, static_cast<Node*>(lsecond(clause->args))));
  found->listed = found->listed > 0.0 ? std::min(found->listed, listed) : listed;
}

void note_range(PlannerInfo* root, RestrictInfo* condition, Oid family, Conditions* found) {
  const auto* clause = reinterpret_cast<const OpExpr*>(condition->clause);
  if (list_length(clause->args) != 2) return;
  const int strategy = get_op_opfamily_strategy(clause->opno, family);
  if (strategy == 0 || strategy == BTEqualStrategyNumber) return;
  auto* left = static_cast<Node*>(linitial(clause->args));
  auto* right = static_cast<Node*>(lsecond(clause->args));
  const bool turned = is_same(right, found->expr);
  if (!turned && !is_same(left, found->expr)) return;
  Node* other = turned ? left : right;
  if (!is_pseudo_constant_clause(other)) return;
  found->ranges = lappend(found->ranges, condition);
  auto* end = static_cast<RangeEnd*>(palloc(sizeof(RangeEnd)));
  fmgr_info(get_opcode(clause->opno), &end->operation);
  end->collation = clause->inputcollid;
  end->turned = turned;
  end->constant = reinterpret_cast<const Const*>(estimate_expression_value(root, other));
  found->ends = lappend(found->ends, end);
}

void note_conditions(PlannerInfo* root, const RelOptInfo* table, Conditions* found) {
  const Oid family = lookup_type_cache(exprType(found->expr), TYPECACHE_BTREE_OPFAMILY)->btree_opf;
  if (!OidIsValid(family)) return;
  for (int i = 0; i < list_length(table->baserestrictinfo); i++) {
    auto* condition = static_cast<RestrictInfo*>(list_nth(table->baserestrictinfo, i));
    if (IsA(condition->clause, ScalarArrayOpExpr)) {
      note_list(root, reinterpret_cast<const ScalarArrayOpExpr*>(condition->clause), found);
    } else if (IsA(condition->clause, OpExpr)) {
      note_range(root, condition, family, found);
    }
  }
}

// Whether all ends are known, and may be compared with what statistics have.
bool ends_are_known(const Conditions& conditions, VariableStatData* variable) {
  for (int i = 0; i < list_length(conditions.ends); i++) {
    const auto* end = static_cast<const RangeEnd*>(list_nth(conditions.ends, i));
    if (!IsA(end->constant, Const) || end->constant->constisnull ||
        !statistic_proc_security_check(variable, end->operation.fn_oid))
      return false;
  }
  return true;
}

bool in_range(const Conditions& conditions, Datum value) {
  for (int i = 0; i < list_length(conditions.ends); i++) {
    if (!static_cast<RangeEnd*>(list_nth(conditions.ends, i))->admits(value)) return false;
  }
  return true;
}

// Of so many values those in a range with so many of the rows: common ones by themselves, the others in proportion.
double values_in_range(const Conditions& conditions, VariableStatData* variable, double values, double rows) {
  const double nulls = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(variable->statsTuple))->stanullfrac;
  double common = 0.0;     // values
  double common_in = 0.0;  // of these, in the range
  double share = 0.0;      // of the rows, that have a common value
  double share_in = 0.0;
  AttStatsSlot slot;
  if (ends_are_known(conditions, variable) &&
      get_attstatsslot(&slot, variable->statsTuple, STATISTIC_KIND_MCV, InvalidOid,
                       ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS)) {
    common = slot.nvalues;
    for (int i = 0; i < slot.nvalues; i++) {
      share += slot.numbers[i];
      if (!in_range(conditions, slot.values[i])) continue;
      common_in++;
      share_in += slot.numbers[i];
    }
    free_attstatsslot(&slot);
  }
  constexpr double kFew = 1e-6;
  const double others = std::max(1.0 - nulls - share, kFew);
  const double others_in = std::clamp((rows - share_in) / others, 0.0, 1.0);
  return std::max(1.0, common_in + std::max(values - common, 0.0) * others_in);
}

}  // namespace

double values_left(PlannerInfo* root, const RelOptInfo* table, Node* expr) {
  Conditions conditions{expr};
  note_conditions(root, table, &conditions);
  double left = conditions.listed;
  if (conditions.ranges == NIL) return left;
  VariableStatData variable;
  examine_variable(root, expr, 0, &variable);
  bool unknown;
  const double values = get_variable_numdistinct(&variable, &unknown);
  if (!unknown && HeapTupleIsValid(variable.statsTuple)) {
    const double rows =
        clauselist_selectivity(root, conditions.ranges, static_cast<int>(table->relid), JOIN_INNER, nullptr);
    const double ranged = values_in_range(conditions, &variable, values, rows);
    left = left > 0.0 ? std::min(left, ranged) : ranged;
  }
  ReleaseVariableStats(variable);
  return left;
}

}  // namespace learned
