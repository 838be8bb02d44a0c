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

// ExecScan asks for it; no row is locked below such a node.
inline bool never_rechecked(ScanState*, TupleTableSlot*) { return true; }

}  // namespace learned
