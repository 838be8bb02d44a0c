#include "am/scan/offset_scan.hpp"

#include "am/server/custom_node.hpp"

namespace learned {

namespace {

constexpr char kName[] = "LearnedOffset";

// A table, and who finds rows of it.
struct OffsetChild {
  PlanState* scan;
  ScanDirection direction;
  unsigned words;        // of a key
  void* finder;          // RowFinder<K>, made when it is first needed
  VisitedRows* visited;  // made when rows are counted again: a rescan leaves out mostly the same
};

struct OffsetScanState {
  CustomScanState css;  // first: the server knows the node as this
  int children;
  OffsetChild* child;
  ExprState* offset;
  int at;      // the child that is read
  bool begun;  // since the last rescan
  bool over;   // there are no more rows
};
static_assert(std::is_trivially_destructible_v<RowFinder<Code>> &&
              std::is_trivially_destructible_v<RowFinder<Words<2>>>);

template <class F>
void with_finders(const OffsetScanState* state, F&& f) {
  for (int c = 0; c < state->children; c++) {
    const OffsetChild& child = state->child[c];
    if (child.finder == nullptr) continue;
    with_key(child.words, [&]<class K>() { f(static_cast<RowFinder<K>*>(child.finder)); });
  }
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

enum class Found {
  there,    // the child stands before the row
  beyond,   // the child has fewer rows
  unknown,  // rows may not be counted, and the child stays where it is
};

// Goes to the row of a child, which has begun, behind *n others. Where it has fewer, *n is less by them.
template <class K>
Found go_to_row(EState* estate, OffsetChild* child, uint64* n) {
  const ChildScan scan = child_scan(child->scan);
  const bool first = child->finder == nullptr;
  if (first) {
    const MemoryContext context = estate->es_query_cxt;
    child->finder = new (MemoryContextAlloc(context, sizeof(RowFinder<K>)))
        RowFinder<K>(scan.heap, scan.index, key_columns_of(scan.index, context), context);
  }
  auto* finder = static_cast<RowFinder<K>*>(child->finder);
  if (!first && child->visited == nullptr) {
    child->visited =
        new (MemoryContextAlloc(estate->es_query_cxt, sizeof(VisitedRows))) VisitedRows(estate->es_query_cxt);
    finder->remember(child->visited);
  }
  finder->begin(scan.keys, scan.nkeys, estate->es_snapshot, !first, child->direction);
  if (!finder->may_count(static_cast<double>(*n))) return Found::unknown;
  FoundRow<K> row;
  const bool found = finder->find(*n, &row);
  if (!found) *n -= finder->passed();
  finder->stop();
  if (found) go_to_row(scan.scan, row, child->direction);
  return found ? Found::there : Found::beyond;
}

// The next row of the child, or of the one behind.
TupleTableSlot* read_row(OffsetScanState* state) {
  for (;;) {
    TupleTableSlot* row = ExecProcNode(state->child[state->at].scan);
    if (!TupIsNull(row)) return row;
    if (state->at + 1 == state->children) break;
    state->at++;
  }
  state->over = true;
  return nullptr;
}

// The first row behind those that are left out. (The very first one of each child is read in any case: with it the child begins.)
TupleTableSlot* first_row(OffsetScanState* state) {
  uint64 n = rows_left_out(state);
  state->begun = true;
  TupleTableSlot* row = read_row(state);
  while (n > kFewRowsLeftOut && !state->over) {
    OffsetChild* child = &state->child[state->at];
    const Found found =
        with_key(child->words, [&]<class K>() { return go_to_row<K>(state->css.ss.ps.state, child, &n); });
    if (found == Found::unknown) break;
    if (found == Found::there) return read_row(state);
    // (What it gives behind its first row is not asked for.)
    state->over = state->at + 1 == state->children;
    if (state->over) return nullptr;
    state->at++;
    row = read_row(state);
  }
  for (; n > 0 && !state->over; n--) row = read_row(state);
  return row;
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
  for (int c = 0; c < state->children; c++) {
    OffsetChild* child = &state->child[c];
    child->scan = init_index_scan(static_cast<Plan*>(list_nth(plan->custom_plans, c)), estate, flags, kName);
    node->custom_ps = lappend(node->custom_ps, child->scan);
    if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0) child->words = key_words_of(child_scan(child->scan).index);
  }
  state->offset = ExecInitExpr(static_cast<Expr*>(linitial(plan->custom_exprs)), &node->ss.ps);
}

void end(CustomScanState* node) {
  auto* state = reinterpret_cast<OffsetScanState*>(node);
  with_finders(state, [](auto* finder) { finder->release(); });
  for (int c = 0; c < state->children; c++) ExecEndNode(state->child[c].scan);
}

void rescan(CustomScanState* node) {
  auto* state = reinterpret_cast<OffsetScanState*>(node);
  state->begun = state->over = false;
  state->at = 0;
  for (int c = 0; c < state->children; c++) rescan_child(node, state->child[c].scan);
}

void explain(CustomScanState* node, List*, ExplainState* es) {
  if (!es->analyze) return;
  CountWork work;
  with_finders(reinterpret_cast<OffsetScanState*>(node), [&work](auto* finder) { work.add(finder->work()); });
  work.explain(es);
}

constexpr CustomExecMethods kExecMethods = custom_exec_methods<next_row>(kName, begin, end, rescan, explain);

// custom_private: the direction of each child.
Node* create_state(CustomScan* plan) {
  auto* state = make_custom_state<OffsetScanState>(&kExecMethods);
  const auto* directions = static_cast<const List*>(linitial(plan->custom_private));
  state->children = list_length(directions);
  state->child = static_cast<OffsetChild*>(palloc0(static_cast<Size>(state->children) * sizeof(OffsetChild)));
  for (int c = 0; c < state->children; c++)
    state->child[c].direction = static_cast<ScanDirection>(list_nth_int(directions, c));
  return reinterpret_cast<Node*>(state);
}

constexpr CustomScanMethods kScanMethods = custom_scan_methods(kName, create_state);

Plan* plan_path(PlannerInfo*, RelOptInfo*, CustomPath* path, List* target, List*, List* children) {
  CustomScan* plan = make_custom_scan(path, target, children,
                                      static_cast<const List*>(lthird(path->custom_private)), &kScanMethods);
  plan->custom_exprs = list_make1(linitial(path->custom_private));
  plan->custom_private = list_make1(lsecond(path->custom_private));
  return &plan->scan.plan;
}
constexpr CustomPathMethods kPathMethods = custom_path_methods(kName, plan_path);

}  // namespace

const CustomPathMethods* offset_path_methods() { return &kPathMethods; }

void register_offset_scan() { RegisterCustomScanMethods(&kScanMethods); }

}  // namespace learned
