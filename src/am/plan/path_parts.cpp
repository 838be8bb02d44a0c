#include "am/plan/path_parts.hpp"

#include "am/key/key_type.hpp"
#include "am/server/compat.hpp"

namespace learned {

double rows_of_query(const RelOptInfo* output, double otherwise) {
  return output->pathlist == NIL ? otherwise : static_cast<const Path*>(linitial(output->pathlist))->rows;
}

bool is_of_one_table(PlannerInfo* root, RelOptInfo* input) {
  const Query* parse = root->parse;
  // (A condition that is the same for all rows becomes a node of its own above the scan.)
  return !root->hasPseudoConstantQuals && input->reloptkind == RELOPT_BASEREL &&
         input->rtekind == RTE_RELATION && !IS_DUMMY_REL(input) && input->lateral_relids == nullptr &&
         parse->rowMarks == NIL && !parse->hasTargetSRFs && parse->groupingSets == NIL &&
         parse->commandType == CMD_SELECT && root->simple_rte_array[input->relid]->tablesample == nullptr;
}

bool is_equality(const IndexOptInfo* index, int column, Oid operation) {
  return get_op_opfamily_strategy(operation, index->opfamily[column]) == BTEqualStrategyNumber;
}

int group_of_column(const List* groups, const List* equalities, IndexOptInfo* index, int column) {
  for (int g = 0; g < list_length(groups); g++) {
    if (match_index_to_operand(static_cast<Node*>(list_nth(groups, g)), column, index) &&
        is_equality(index, column, list_nth_oid(equalities, g))) {
      return g;
    }
  }
  return -1;
}

Oid first_value_operator(const Aggref* aggregate) {
  HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate->aggfnoid));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  const Oid first = reinterpret_cast<const FormData_pg_aggregate*>(GETSTRUCT(tuple))->aggsortop;
  ReleaseSysCache(tuple);
  return first;
}

bool has_equality(const List* conditions, const IndexOptInfo* index, int column) {
  for (int i = 0; i < list_length(conditions); i++) {
    const auto* condition = static_cast<const IndexClause*>(list_nth(conditions, i));
    if (condition->indexcol != column) continue;
    const auto* clause = static_cast<const RestrictInfo*>(linitial(condition->indexquals))->clause;
    if (IsA(clause, OpExpr) && is_equality(index, column, reinterpret_cast<const OpExpr*>(clause)->opno))
      return true;
  }
  return false;
}

bool is_float(Oid type) { return type == FLOAT4OID || type == FLOAT8OID; }

bool equal_by_words(const IndexOptInfo* index, int columns) {
  return columns < index->nkeycolumns || !is_float(index->opcintype[columns - 1]);
}

bool keeps_bits(const IndexOptInfo* index, int column, Oid type) {
  return !is_float(type) || column >= index->nkeycolumns - 1;
}

bool keeps_type(const Node* expr) {
  const Node* below = expr;
  while (IsA(below, RelabelType))
    below = reinterpret_cast<const Node*>(reinterpret_cast<const RelabelType*>(below)->arg);
  return getBaseType(exprType(below)) == getBaseType(exprType(expr));
}

unsigned words_of_columns(const IndexOptInfo* index, int columns) {
  unsigned words = 0;
  for (int c = 0; c < columns; c++) {
    KeyKind kind;
    if (!key_kind_of_type(index->opcintype[c], &kind)) return 0;
    words += key_words(kind);
  }
  return words;
}

bool is_plain(const IndexOptInfo* index) { return index->ncolumns == 1 && words_of_columns(index, 1) == 1; }

bool never_null(const RelOptInfo* rel, const RangeTblEntry* rte, const IndexOptInfo* index, int column) {
  const AttrNumber attribute = static_cast<AttrNumber>(index->indexkeys[column]);
  return attribute > 0 && compat::never_null(rel, rte->relid, attribute);
}

bool has_everything(const RelOptInfo* rel, const IndexOptInfo* index) {
  if (!enable_indexonlyscan) return false;
  Bitmapset* used = nullptr;
  pull_varattnos(reinterpret_cast<Node*>(rel->reltarget->exprs), rel->relid, &used);
  for (int i = 0; i < list_length(index->indrestrictinfo); i++) {
    const auto* restriction = static_cast<const RestrictInfo*>(list_nth(index->indrestrictinfo, i));
    pull_varattnos(reinterpret_cast<Node*>(restriction->clause), rel->relid, &used);
  }
  Bitmapset* returned = nullptr;
  for (int c = 0; c < index->ncolumns; c++) {
    const int attribute = index->indexkeys[c];
    if (attribute != 0 && index->canreturn[c]) {
      returned = bms_add_member(returned, attribute - FirstLowInvalidHeapAttributeNumber);
    }
  }
  return bms_is_subset(used, returned);
}

// (An index whose operator class lacks something has no order.)
bool may_count(const IndexOptInfo* index) {
  return is_learned(index) && !index->hypothetical && index->sortopfamily != nullptr &&
         (index->indpred == NIL || index->predOK);
}

const List* all_conditions(PlannerInfo* root, IndexOptInfo* index, bool* possible) {
  *possible = true;
  if (index->indrestrictinfo == NIL) return NIL;
  auto* table = static_cast<RelOptInfo*>(palloc(sizeof(RelOptInfo)));
  std::memcpy(table, index->rel, sizeof(RelOptInfo));
  table->indexlist = list_make1(index);
  table->pathlist = NIL;
  table->partial_pathlist = NIL;
  table->cheapest_parameterized_paths = NIL;
  table->consider_parallel = false;
  create_index_paths(root, table);
  for (int i = 0; i < list_length(table->pathlist); i++) {
    const auto* path = static_cast<const IndexPath*>(list_nth(table->pathlist, i));
    if (!IsA(path, IndexPath) || path->path.param_info != nullptr) continue;
    bool all = true;
    for (int r = 0; all && r < list_length(index->indrestrictinfo); r++) {
      const void* restriction = list_nth(index->indrestrictinfo, r);
      bool decided = false;
      for (int k = 0; !decided && k < list_length(path->indexclauses); k++) {
        const auto* clause = static_cast<const IndexClause*>(list_nth(path->indexclauses, k));
        decided = clause->rinfo == restriction && !clause->lossy;
      }
      all = decided;
    }
    if (all) return path->indexclauses;
  }
  *possible = false;
  return NIL;
}

}  // namespace learned
