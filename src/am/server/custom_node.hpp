// What custom scans above index scans have in common.
#pragma once

#include "am/server/server.hpp"

namespace learned {

using CreateCustomState = Node* (*)(CustomScan* plan);
using PlanCustomPath = Plan* (*)(PlannerInfo* root, RelOptInfo* rel, CustomPath* path, List* target,
                                 List* clauses, List* children);

constexpr CustomScanMethods custom_scan_methods(const char* name, CreateCustomState create) {
  CustomScanMethods methods{};
  methods.CustomName = name;
  methods.CreateCustomScanState = create;
  return methods;
}
constexpr CustomPathMethods custom_path_methods(const char* name, PlanCustomPath plan) {
  CustomPathMethods methods{};
  methods.CustomName = name;
  methods.PlanCustomPath = plan;
  return methods;
}

// A path to the output's rows, but for its costs, rows and order. It can be told what to compute of them.
inline CustomPath* make_custom_path(RelOptInfo* output, PathTarget* target, List* children, List* told,
                                    const CustomPathMethods* methods) {
  CustomPath* path = makeNode(CustomPath);
  path->path.pathtype = T_CustomScan;
  path->path.parent = output;
  path->path.pathtarget = target;
  path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
  path->custom_paths = children;
  path->custom_private = told;
  path->methods = methods;
  return path;
}

// A plan of the path above its children, whose tuples are these expressions; the rest is up to the caller.
inline CustomScan* make_custom_scan(const CustomPath* path, List* target, List* children, const List* exprs,
                                    const CustomScanMethods* methods) {
  CustomScan* plan = makeNode(CustomScan);
  for (int i = 0; i < list_length(exprs); i++) {
    auto* expr = static_cast<Expr*>(copyObjectImpl(list_nth(exprs, i)));
    plan->custom_scan_tlist = lappend(plan->custom_scan_tlist,
                                      makeTargetEntry(expr, static_cast<AttrNumber>(i + 1), nullptr, false));
  }
  plan->scan.plan.targetlist = target;
  plan->scan.scanrelid = 0;
  plan->flags = path->flags;
  plan->custom_plans = children;
  plan->methods = methods;
  return plan;
}

// A node's state, which begins with the server's; the rest is zero.
template <class State>
State* make_custom_state(const CustomExecMethods* methods) {
  static_assert(std::is_standard_layout_v<State> && std::is_trivially_destructible_v<State>);
  auto* state = static_cast<State*>(palloc0(sizeof(State)));
  auto* node = reinterpret_cast<CustomScanState*>(state);
  NodeSetTag(node, T_CustomScanState);
  node->methods = methods;
  return state;
}

// A child, which must be an index scan or an index-only scan. `name`: of the node above it.
inline PlanState* init_index_scan(Plan* child, EState* estate, int flags, const char* name) {
  PlanState* state = ExecInitNode(child, estate, flags & ~(EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
  if (!IsA(state, IndexScanState) && !IsA(state, IndexOnlyScanState))
    elog(ERROR, "%s is not above an index scan", name);
  return state;
}

// What is needed of it.
struct ChildScan {
  Relation index;
  Relation heap;
  ScanKey keys;
  int nkeys;
  IndexRuntimeKeyInfo* runtime_keys;
  int runtime_nkeys;
  ExprContext* runtime_context;
  IndexScanDesc scan;  // nullptr before the first fetch
};

inline ChildScan child_scan(PlanState* child) {
  Relation heap = reinterpret_cast<ScanState*>(child)->ss_currentRelation;
  if (IsA(child, IndexScanState)) {
    auto* s = reinterpret_cast<IndexScanState*>(child);
    return {s->iss_RelationDesc,   heap,
            s->iss_ScanKeys,       s->iss_NumScanKeys,
            s->iss_RuntimeKeys,    s->iss_NumRuntimeKeys,
            s->iss_RuntimeContext, s->iss_ScanDesc};
  }
  auto* s = reinterpret_cast<IndexOnlyScanState*>(child);
  return {s->ioss_RelationDesc,   heap,
          s->ioss_ScanKeys,       s->ioss_NumScanKeys,
          s->ioss_RuntimeKeys,    s->ioss_NumRuntimeKeys,
          s->ioss_RuntimeContext, s->ioss_ScanDesc};
}

// Parameters of the child that have changed. It begins anew; if it is `begun`, now (with changed parameters the first ExecProcNode does that).
inline void rescan_child(const CustomScanState* node, PlanState* child, bool begun = true) {
  if (node->ss.ps.chgParam != nullptr) UpdateChangedParamSet(child, node->ss.ps.chgParam);
  if (begun && child->chgParam == nullptr) ExecReScan(child);
}

// Gives the first columns of a child's row as the node's tuple, which has no others. The row must stay while the tuple is looked at.
inline TupleTableSlot* give_row(const ScanState* node, TupleTableSlot* row) {
  TupleTableSlot* slot = node->ss_ScanTupleSlot;
  const int columns = slot->tts_tupleDescriptor->natts;
  slot_getsomeattrs(row, columns);
  std::copy_n(row->tts_values, columns, slot->tts_values);
  std::copy_n(row->tts_isnull, columns, slot->tts_isnull);
  return ExecStoreVirtualTuple(slot);
}

// Gives the tuples that next() has, by the node's conditions and target. (Nothing is rechecked: no row is locked below such a node.)
template <TupleTableSlot* (*next)(ScanState* node)>
TupleTableSlot* execute_custom_scan(CustomScanState* node) {
  return ExecScan(&node->ss, next, [](ScanState*, TupleTableSlot*) { return true; });
}

// `explain` may be null: there is nothing to tell.
template <TupleTableSlot* (*next)(ScanState* node)>
constexpr CustomExecMethods custom_exec_methods(const char* name,
                                                decltype(CustomExecMethods::BeginCustomScan) begin,
                                                decltype(CustomExecMethods::EndCustomScan) end,
                                                decltype(CustomExecMethods::ReScanCustomScan) rescan,
                                                decltype(CustomExecMethods::ExplainCustomScan) explain) {
  CustomExecMethods methods{};
  methods.CustomName = name;
  methods.BeginCustomScan = begin;
  methods.ExecCustomScan = execute_custom_scan<next>;
  methods.EndCustomScan = end;
  methods.ReScanCustomScan = rescan;
  methods.ExplainCustomScan = explain;
  return methods;
}

}  // namespace learned
