#include "am/plan/aggregate_children.hpp"

#include "am/count/merged_groups.hpp"
#include "am/server/compat.hpp"

namespace learned {

List* leaf_tables(PlannerInfo* root, const RelOptInfo* parent, List* groups, List* aggregates) {
  List* leaves = NIL;
  // (The server has not opened partitions that it pruned: they are not in the list.)
  for (int i = 0; i < list_length(root->append_rel_list); i++) {
    auto* info = static_cast<AppendRelInfo*>(list_nth(root->append_rel_list, i));
    if (info->parent_relid != parent->relid) continue;
    RelOptInfo* rel = root->simple_rel_array[info->child_relid];
    if (rel == nullptr || IS_DUMMY_REL(rel)) continue;
    const auto translated = [&](List* exprs) {
      return reinterpret_cast<List*>(adjust_appendrel_attrs(root, reinterpret_cast<Node*>(exprs), 1, &info));
    };
    List* own_groups = translated(groups);
    List* own_aggregates = translated(aggregates);
    if (root->simple_rte_array[info->child_relid]->inh) {
      leaves = list_concat(leaves, leaf_tables(root, rel, own_groups, own_aggregates));
      continue;
    }
    auto* leaf = static_cast<LeafTable*>(palloc(sizeof(LeafTable)));
    *leaf = {rel, own_groups, own_aggregates};
    leaves = lappend(leaves, leaf);
  }
  return leaves;
}

bool may_merge_groups(const List* groups, const List* operators) {
  for (int g = 0; g < list_length(groups); g++) {
    const Oid type = exprType(static_cast<Node*>(list_nth(groups, g)));
    const TypeCacheEntry* entry = lookup_type_cache(type, TYPECACHE_CMP_PROC | TYPECACHE_BTREE_OPFAMILY);
    if (!OidIsValid(entry->cmp_proc) ||
        get_op_opfamily_strategy(list_nth_oid(operators, g), entry->btree_opf) != BTEqualStrategyNumber)
      return false;
  }
  return true;
}

double size_of_merged_group(int groups, int aggregates) {
  // (The array has room for twice as many; a value that is by reference takes some more.)
  constexpr double kByReference = 32.0;
  return 2.0 * (static_cast<double>(sizeof(MergedGroup)) +
                groups * (static_cast<double>(sizeof(NullableDatum)) + kByReference) +
                aggregates * static_cast<double>(sizeof(Measure)));
}

double merging_cost(double groups) {
  return groups * std::log2(std::max(groups, 2.0)) * 2.0 * cpu_operator_cost;
}

}  // namespace learned
