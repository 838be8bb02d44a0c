#include "am/scan/offset_scan.hpp"

#include "am/server/custom_node.hpp"

namespace learned {

namespace {

constexpr char kName[] = "LearnedOffset";

struct OffsetScanState {
  CustomScanState css;  // first: the server knows the node as this
  PlanState* child;
  ScanDirection direction;  // of the child
  ExprState* offset;
  unsigned words;  // of a key
  void* finder;    // RowFinder<K>, made when it is first needed
  bool begun;      // since the last rescan
  bool over;       // there are no more rows
};
static_assert(std::is_trivially_destructible_v<RowFinder<Code>> &&
              std::is_trivially_destructible_v<RowFinder<Words<2>>>);

template <class F>
void with_finder(OffsetScanState* state, F&& f) {
  if (state->finder == nullptr) return;
  with_key(state->words, [&]<class K>() { f(static_cast<RowFinder<K>*>(state->finder)); });
}

// As the server's node has it.
uint64 rows_left_out(OffsetScanState* state) {
  bool isnull;
  const Datum value = ExecEvalExprSwitchContext(state->offset, state->css.ss.ps.ps_ExprContext, &isnull);
  if (isnull) return 0;
  const int64 rows = DatumGetInt64(value);
  if (rows < 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE),
                    errmsg("OFFSET must not be negative")));
  return static_cast<uint64>(rows);
}

// The child, which has begun, goes to the row behind n others. False: rows may not be counted, and it stays where it is.
template <class K>
bool go_to_row(OffsetScanState* state, uint64 n) {
  EState* estate = state->css.ss.ps.state;
  const ChildScan child = child_scan(state->child);
  const bool first = state->finder == nullptr;
  if (first) {
    const MemoryContext context = estate->es_query_cxt;
    state->finder = new (MemoryContextAlloc(context, sizeof(RowFinder<K>)))
        RowFinder<K>(child.heap, child.index, key_columns_of(child.index, context), context);
  }
  auto* finder = static_cast<RowFinder<K>*>(state->finder);
  finder->begin(child.keys, child.nkeys, estate->es_snapshot, !first, state->direction);
  if (!finder->may_count(static_cast<double>(n))) return false;
  FoundRow<K> row;
  state->over = !finder->find(n, &row);
  finder->stop();
  if (!state->over) go_to_row(child.scan, row, state->direction);
  return true;
}

TupleTableSlot* read_row(OffsetScanState* state) {
  TupleTableSlot* row = ExecProcNode(state->child);
  state->over = TupIsNull(row);
  return row;
}

// The first row behind those that are left out. (The child's very first one is read in any case: with it the child begins.)
TupleTableSlot* first_row(OffsetScanState* state) {
  const uint64 n = rows_left_out(state);
  state->begun = true;
  TupleTableSlot* row = read_row(state);
  if (n == 0 || state->over) return row;
  if (n <= kFewRowsLeftOut || !with_key(state->words, [&]<class K>() { return go_to_row<K>(state, n); })) {
    for (uint64 i = 1; i < n && !state->over; i++) read_row(state);
  }
  return state->over ? nullptr : read_row(state);
}

TupleTableSlot* next_row(ScanState* node) {
  auto* state = reinterpret_cast<OffsetScanState*>(node);
  TupleTableSlot* slot = node->ss_ScanTupleSlot;
  ExecClearTuple(slot);
  if (state->over) return slot;
  TupleTableSlot* row = state->begun ? read_row(state) : first_row(state);
  if (state->over) return slot;
  return give_row(node, row);
}

void begin(CustomScanState* node, EState* estate, int flags) {
  auto* state = reinterpret_cast<OffsetScanState*>(node);
  const auto* plan = reinterpret_cast<const CustomScan*>(node->ss.ps.plan);
  state->child = init_index_scan(static_cast<Plan*>(linitial(plan->custom_plans)), estate, flags, kName);
  node->custom_ps = list_make1(state->child);
  state->offset = ExecInitExpr(static_cast<Expr*>(linitial(plan->custom_exprs)), &node->ss.ps);
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0) state->words = key_words_of(child_scan(state->child).index);
}

void end(CustomScanState* node) {
  auto* state = reinterpret_cast<OffsetScanState*>(node);
  with_finder(state, [](auto* finder) { finder->release(); });
  ExecEndNode(state->child);
}

void rescan(CustomScanState* node) {
  auto* state = reinterpret_cast<OffsetScanState*>(node);
  state->begun = state->over = false;
  rescan_child(node, state->child);
}

void explain(CustomScanState* node, List*, ExplainState* es) {
  if (!es->analyze) return;
  CountWork work;
  with_finder(reinterpret_cast<OffsetScanState*>(node), [&work](auto* finder) { work = finder->work(); });
  work.explain(es);
}

constexpr CustomExecMethods kExecMethods = custom_exec_methods<next_row>(kName, begin, end, rescan, explain);

// custom_private: the direction of the child.
Node* create_state(CustomScan* plan) {
  auto* state = make_custom_state<OffsetScanState>(&kExecMethods);
  state->direction = static_cast<ScanDirection>(intVal(linitial(plan->custom_private)));
  return reinterpret_cast<Node*>(state);
}

constexpr CustomScanMethods kScanMethods = custom_scan_methods(kName, create_state);

Plan* plan_path(PlannerInfo*, RelOptInfo*, CustomPath* path, List* target, List*, List* children) {
  const auto* child = static_cast<const Path*>(linitial(path->custom_paths));
  CustomScan* plan = make_custom_scan(path, target, children, child->pathtarget->exprs, &kScanMethods);
  plan->custom_exprs = list_make1(linitial(path->custom_private));
  plan->custom_private = list_make1(lsecond(path->custom_private));
  return &plan->scan.plan;
}
constexpr CustomPathMethods kPathMethods = custom_path_methods(kName, plan_path);

}  // namespace

const CustomPathMethods* offset_path_methods() { return &kPathMethods; }

void register_offset_scan() { RegisterCustomScanMethods(&kScanMethods); }

}  // namespace learned
