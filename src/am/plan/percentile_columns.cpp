#include "am/plan/percentile_columns.hpp"

#include "am/count/percentiles.hpp"
#include "am/key/key_type.hpp"
#include "am/plan/path_parts.hpp"

namespace learned {

namespace {

Expr* argument_of(const Aggref* aggregate) {
  return static_cast<TargetEntry*>(linitial(aggregate->args))->expr;
}

int column_of(const Expr* expr, IndexOptInfo* index) {
  int column = 0;
  auto* node = reinterpret_cast<Node*>(const_cast<Expr*>(expr));
  while (column < index->nkeycolumns && !match_index_to_operand(node, column, index)) column++;
  return column < index->nkeycolumns ? column : -1;
}

// Of the cast of an integer to float8, which keeps its order; nullptr: it is none.
Expr* operand_of_cast(const Expr* expr) {
  if (!IsA(expr, FuncExpr)) return nullptr;
  const auto* call = reinterpret_cast<const FuncExpr*>(expr);
  switch (call->funcid) {
    case F_FLOAT8_INT2:
    case F_FLOAT8_INT4:
    case F_FLOAT8_INT8: {
      auto* operand = static_cast<Node*>(linitial(call->args));
      return keeps_type(operand) ? reinterpret_cast<Expr*>(operand) : nullptr;
    }
    default:
      return nullptr;
  }
}

}  // namespace

bool is_percentile(const Aggref* aggregate) {
  PercentileKind kind;
  if (!percentile_kind(aggregate->aggfnoid, &kind) || list_length(aggregate->aggorder) != 1 ||
      list_length(aggregate->aggdirectargs) != 1) {
    return false;
  }
  auto* fraction = reinterpret_cast<Node*>(aggregate->aggdirectargs);
  return !contain_var_clause(fraction) && !contain_volatile_functions(fraction) &&
         !contain_subplans(fraction);
}

bool find_percentile(const Aggref* aggregate, IndexOptInfo* index, PercentileColumn* found) {
  found->operand = argument_of(aggregate);
  found->column = column_of(found->operand, index);
  Oid family = InvalidOid;
  if (found->column >= 0) {
    family = index->opfamily[found->column];
  } else {
    found->operand = operand_of_cast(found->operand);
    if (found->operand == nullptr) return false;
    found->column = column_of(found->operand, index);
    if (found->column < 0) return false;
    family = lookup_type_cache(FLOAT8OID, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
  }
  const int c = found->column;
  KeyKind kind;
  if (!key_kind_of_type(index->opcintype[c], &kind) || !keeps_bits(index, c, index->opcintype[c]))
    return false;
  const int strategy =
      get_op_opfamily_strategy(static_cast<SortGroupClause*>(linitial(aggregate->aggorder))->sortop, family);
  if (strategy != BTLessStrategyNumber && strategy != BTGreaterStrategyNumber) return false;
  // (Pages of a plain index ascend, whatever its order.)
  const bool turned = index->reverse_sort[c] && is_plain(index);
  found->descending = strategy == BTGreaterStrategyNumber;
  found->backward = found->descending != (index->reverse_sort[c] != turned);
  found->nulls_low = index->nulls_first[c] != turned;
  return true;
}

}  // namespace learned
