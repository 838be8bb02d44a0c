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

namespace {

// Whether partitions of a table follow one another in the order of the query: *forward, or the other way round. (As the server finds it out for Append.)
bool follow_one_another(PlannerInfo* root, RelOptInfo* parent, bool* forward) {
  if (!IS_PARTITIONED_REL(parent) || !partitions_are_ordered(parent->boundinfo, parent->live_parts))
    return false;
  for (const ScanDirection direction : {ForwardScanDirection, BackwardScanDirection}) {
    *forward = ScanDirectionIsForward(direction);
    bool partial;
    List* order = build_partition_pathkeys(root, parent, direction, &partial);
    if (pathkeys_contained_in(root->sort_pathkeys, order) ||
        (!partial && pathkeys_contained_in(order, root->sort_pathkeys)))
      return true;
  }
  return false;
}

// What is left of those directly below a table, in the order of their bounds if they are partitions.
List* live_children(PlannerInfo* root, RelOptInfo* parent) {
  List* children = NIL;
  const auto note = [&](RelOptInfo* rel) {
    if (rel != nullptr && !IS_DUMMY_REL(rel)) children = lappend(children, rel);
  };
  if (IS_PARTITIONED_REL(parent)) {
    for (int i = bms_next_member(parent->live_parts, -1); i >= 0; i = bms_next_member(parent->live_parts, i))
      note(parent->part_rels[i]);
    return children;
  }
  for (int i = 0; i < list_length(root->append_rel_list); i++) {
    const auto* info = static_cast<const AppendRelInfo*>(list_nth(root->append_rel_list, i));
    if (info->parent_relid == parent->relid) note(root->simple_rel_array[info->child_relid]);
  }
  return children;
}

}  // namespace

bool ordered_leaf_tables(PlannerInfo* root, RelOptInfo* parent, List* exprs, List** leaves) {
  const List* children = live_children(root, parent);
  const int count = list_length(children);
  bool forward = true;
  if (count > 1 && !follow_one_another(root, parent, &forward)) return false;
  for (int i = 0; i < count; i++) {
    auto* rel = static_cast<RelOptInfo*>(list_nth(children, forward ? i : count - 1 - i));
    AppendRelInfo* info = root->append_rel_array[rel->relid];
    auto* own =
        reinterpret_cast<List*>(adjust_appendrel_attrs(root, reinterpret_cast<Node*>(exprs), 1, &info));
    if (root->simple_rte_array[rel->relid]->inh) {
      if (!ordered_leaf_tables(root, rel, own, leaves)) return false;
      continue;
    }
    auto* leaf = static_cast<LeafTable*>(palloc(sizeof(LeafTable)));
    *leaf = {rel, own, NIL};
    *leaves = lappend(*leaves, leaf);
  }
  return true;
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
