#include "am/scan/group_scan.hpp"

#include "am/server/compat.hpp"

namespace learned {

namespace {

struct GroupScanState {
  CustomScanState css;  // first: the server knows the node as this
  PlanState* child;
  unsigned words;           // of a group's columns
  ScanDirection direction;  // of the child
  bool given;               // the child stands on the group that was given last
};
static_assert(std::is_trivially_destructible_v<GroupScanState>);

bool is_index_scan(const PlanState* child) {
  return IsA(child, IndexScanState) || IsA(child, IndexOnlyScanState);
}

IndexScanDesc scan_of(PlanState* child) {
  return IsA(child, IndexScanState) ? reinterpret_cast<IndexScanState*>(child)->iss_ScanDesc
                                    : reinterpret_cast<IndexOnlyScanState*>(child)->ioss_ScanDesc;
}

// The first row of the next group. The child goes on only when it is asked for the next one: values may point to what it has now.
TupleTableSlot* next_group(ScanState* node) {
  auto* state = reinterpret_cast<GroupScanState*>(node);
  TupleTableSlot* slot = node->ss_ScanTupleSlot;
  ExecClearTuple(slot);
  if (state->given) skip_group(scan_of(state->child), state->words, state->direction);
  TupleTableSlot* row = ExecProcNode(state->child);
  state->given = !TupIsNull(row);
  if (!state->given) return slot;
  const int columns = slot->tts_tupleDescriptor->natts;
  slot_getsomeattrs(row, columns);
  std::copy_n(row->tts_values, columns, slot->tts_values);
  std::copy_n(row->tts_isnull, columns, slot->tts_isnull);
  return ExecStoreVirtualTuple(slot);
}

bool recheck_group(ScanState*, TupleTableSlot*) { return true; }

void begin(CustomScanState* node, EState* estate, int flags) {
  auto* state = reinterpret_cast<GroupScanState*>(node);
  const auto* plan = reinterpret_cast<const CustomScan*>(node->ss.ps.plan);
  compat::check_may_aggregate(plan->custom_scan_tlist);
  state->child = ExecInitNode(static_cast<Plan*>(linitial(plan->custom_plans)), estate,
                              flags & ~(EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
  if (!is_index_scan(state->child)) elog(ERROR, "LearnedGroups is not above an index scan");
  node->custom_ps = list_make1(state->child);
}

TupleTableSlot* execute(CustomScanState* node) { return ExecScan(&node->ss, next_group, recheck_group); }

void end(CustomScanState* node) { ExecEndNode(reinterpret_cast<GroupScanState*>(node)->child); }

void rescan(CustomScanState* node) {
  auto* state = reinterpret_cast<GroupScanState*>(node);
  PlanState* child = state->child;
  state->given = false;
  if (node->ss.ps.chgParam != nullptr) UpdateChangedParamSet(child, node->ss.ps.chgParam);
  // (With changed parameters the first ExecProcNode does.)
  if (child->chgParam == nullptr) ExecReScan(child);
}

constexpr CustomExecMethods make_exec_methods() {
  CustomExecMethods methods{};
  methods.CustomName = "LearnedGroups";
  methods.BeginCustomScan = begin;
  methods.ExecCustomScan = execute;
  methods.EndCustomScan = end;
  methods.ReScanCustomScan = rescan;
  return methods;
}
constexpr CustomExecMethods kExecMethods = make_exec_methods();

// custom_private: the words of a group's columns, the direction of the child.
Node* create_state(CustomScan* plan) {
  auto* state = static_cast<GroupScanState*>(palloc0(sizeof(GroupScanState)));
  NodeSetTag(state, T_CustomScanState);
  state->css.methods = &kExecMethods;
  state->words = static_cast<unsigned>(intVal(linitial(plan->custom_private)));
  state->direction = static_cast<ScanDirection>(intVal(lsecond(plan->custom_private)));
  return reinterpret_cast<Node*>(state);
}

constexpr CustomScanMethods make_scan_methods() {
  CustomScanMethods methods{};
  methods.CustomName = "LearnedGroups";
  methods.CreateCustomScanState = create_state;
  return methods;
}
constexpr CustomScanMethods kScanMethods = make_scan_methods();

// custom_private of the path has one thing more: what the columns of the child's tuples are called here (expressions).
Plan* plan_path(PlannerInfo*, RelOptInfo*, CustomPath* path, List* target, List*, List* children) {
  CustomScan* plan = makeNode(CustomScan);
  const auto* exprs = static_cast<const List*>(lthird(path->custom_private));
  List* tuple = NIL;
  for (int i = 0; i < list_length(exprs); i++) {
    auto* expr = static_cast<Expr*>(copyObjectImpl(list_nth(exprs, i)));
    tuple = lappend(tuple, makeTargetEntry(expr, static_cast<AttrNumber>(i + 1), nullptr, false));
  }
  plan->scan.plan.targetlist = target;
  plan->scan.scanrelid = 0;
  plan->flags = path->flags;
  plan->custom_plans = children;
  plan->custom_scan_tlist = tuple;
  plan->custom_private = list_make2(linitial(path->custom_private), lsecond(path->custom_private));
  plan->methods = &kScanMethods;
  return &plan->scan.plan;
}

constexpr CustomPathMethods make_path_methods() {
  CustomPathMethods methods{};
  methods.CustomName = "LearnedGroups";
  methods.PlanCustomPath = plan_path;
  return methods;
}
constexpr CustomPathMethods kPathMethods = make_path_methods();

}  // namespace

const CustomPathMethods* group_path_methods() { return &kPathMethods; }

void register_group_scan() { RegisterCustomScanMethods(&kScanMethods); }

}  // namespace learned
