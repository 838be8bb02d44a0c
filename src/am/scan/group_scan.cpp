#include "am/scan/group_scan.hpp"

#include "am/server/compat.hpp"
#include "am/server/custom_node.hpp"

namespace learned {

namespace {

constexpr char kName[] = "LearnedGroups";

struct GroupScanState {
  CustomScanState css;  // first: the server knows the node as this
  PlanState* child;
  unsigned words;           // of a group's columns
  ScanDirection direction;  // of the child
  bool given;               // the child stands on the group that was given last
};

// The first row of the next group. The child goes on only when it is asked for the next one: values may point to what it has now.
TupleTableSlot* next_group(ScanState* node) {
  auto* state = reinterpret_cast<GroupScanState*>(node);
  TupleTableSlot* slot = node->ss_ScanTupleSlot;
  ExecClearTuple(slot);
  if (state->given) skip_group(child_scan(state->child).scan, state->words, state->direction);
  TupleTableSlot* row = ExecProcNode(state->child);
  state->given = !TupIsNull(row);
  if (!state->given) return slot;
  return give_row(node, row);
}

void begin(CustomScanState* node, EState* estate, int flags) {
  auto* state = reinterpret_cast<GroupScanState*>(node);
  const auto* plan = reinterpret_cast<const CustomScan*>(node->ss.ps.plan);
  compat::check_may_aggregate(plan->custom_scan_tlist);
  state->child = init_index_scan(static_cast<Plan*>(linitial(plan->custom_plans)), estate, flags, kName);
  node->custom_ps = list_make1(state->child);
}

void end(CustomScanState* node) { ExecEndNode(reinterpret_cast<GroupScanState*>(node)->child); }

void rescan(CustomScanState* node) {
  auto* state = reinterpret_cast<GroupScanState*>(node);
  state->given = false;
  rescan_child(node, state->child);
}

constexpr CustomExecMethods kExecMethods =
    custom_exec_methods<next_group>(kName, begin, end, rescan, nullptr);

// custom_private: the words of a group's columns, the direction of the child.
Node* create_state(CustomScan* plan) {
  auto* state = make_custom_state<GroupScanState>(&kExecMethods);
  state->words = static_cast<unsigned>(intVal(linitial(plan->custom_private)));
  state->direction = static_cast<ScanDirection>(intVal(lsecond(plan->custom_private)));
  return reinterpret_cast<Node*>(state);
}

constexpr CustomScanMethods kScanMethods = custom_scan_methods(kName, create_state);

// custom_private of the path has one thing more: what the columns of the child's tuples are called here (expressions).
Plan* plan_path(PlannerInfo*, RelOptInfo*, CustomPath* path, List* target, List*, List* children) {
  const auto* exprs = static_cast<const List*>(lthird(path->custom_private));
  CustomScan* plan = make_custom_scan(path, target, children, exprs, &kScanMethods);
  plan->custom_private = list_make2(linitial(path->custom_private), lsecond(path->custom_private));
  return &plan->scan.plan;
}
constexpr CustomPathMethods kPathMethods = custom_path_methods(kName, plan_path);

}  // namespace

const CustomPathMethods* group_path_methods() { return &kPathMethods; }

void register_group_scan() { RegisterCustomScanMethods(&kScanMethods); }

}  // namespace learned
