// The node that counts: LearnedAggregate. See aggregate_plan.hpp for what it is told.
//
// It never runs its child, an index scan, but takes its index, its conditions and its locks, and counts the entries by itself
// (index_counter.hpp). Where that is not possible, it reads the child's rows and adds them up: under a snapshot that is not an MVCC one, under
// conditions that must be rechecked, and for few rows of a SERIALIZABLE transaction, which then locks no more than these.
#include "am/count/index_counter.hpp"
#include "am/count/measure_result.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

struct AggregateScanState {
  CustomScanState css;  // first: the server knows the node as this
  PlanState* child;
  CountTask task;
  List* groups;  // columns of the index
  bool zoned;    // the bucket's expression depends on the time zone
  int measures;
  WantedMeasure* wanted;
  unsigned words;  // of a key
  void* counter;   // IndexCounter<K>, made when rows are first asked for
  bool grouped;    // not all rows are one
  bool by_rows;    // the child is read
  bool begun;      // since the last rescan
  uint32 at;       // the group that is given out next
  uint32 end;      // of those that may be
  CountWork rows_work;
};
static_assert(std::is_trivially_destructible_v<AggregateScanState>);
static_assert(std::is_trivially_destructible_v<IndexCounter<Code>> &&
              std::is_trivially_destructible_v<IndexCounter<Words<2>>>);

// What is needed of the child.
struct ChildScan {
  Relation index;
  Relation heap;
  ScanKey keys;
  int nkeys;
  IndexRuntimeKeyInfo* runtime_keys;
  int runtime_nkeys;
  ExprContext* runtime_context;
};

template <class State>
Relation heap_of(State* state) {
  return state->ss.ss_currentRelation;
}

ChildScan child_scan(PlanState* child) {
  if (IsA(child, IndexScanState)) {
    auto* s = reinterpret_cast<IndexScanState*>(child);
    return {s->iss_RelationDesc,  heap_of(s),         s->iss_ScanKeys,
            s->iss_NumScanKeys,   s->iss_RuntimeKeys, s->iss_NumRuntimeKeys,
            s->iss_RuntimeContext};
  }
  auto* s = reinterpret_cast<IndexOnlyScanState*>(child);
  return {s->ioss_RelationDesc,  heap_of(s),          s->ioss_ScanKeys,
          s->ioss_NumScanKeys,   s->ioss_RuntimeKeys, s->ioss_NumRuntimeKeys,
          s->ioss_RuntimeContext};
}

template <class K>
IndexCounter<K>* counter_of(AggregateScanState* state) {
  return static_cast<IndexCounter<K>*>(state->counter);
}

template <class F>
decltype(auto) with_counter(AggregateScanState* state, F&& f) {
  return with_key(state->words, [&]<class K>() { return f(counter_of<K>(state)); });
}

// ---- rows of the child, one by one

template <class K>
void add_child_rows(AggregateScanState* state, IndexCounter<K>* counter) {
  const KeyColumns& columns = counter->columns();
  Datum values[kMaxWords] = {};
  bool isnull[kMaxWords];
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    TupleTableSlot* row = ExecProcNode(state->child);
    if (TupIsNull(row)) break;
    slot_getallattrs(row);
    // Columns that nobody asked for are the same in all rows of a group, or do not matter.
    std::fill_n(isnull, columns.count, true);
    int a = 0;
    for (int g = 0; g < list_length(state->groups); g++, a++) {
      const int column = list_nth_int(state->groups, g);
      values[column] = row->tts_values[a];
      isnull[column] = row->tts_isnull[a];
    }
    if (state->task.bucket != nullptr) {
      values[state->task.bucket_column] = row->tts_values[a];
      isnull[state->task.bucket_column] = row->tts_isnull[a];
      a++;
    }
    for (int m = 0; m < state->measures; m++) {
      const int column = state->wanted[m].column;
      if (column < 0) continue;
      values[column] = row->tts_values[a];
      isnull[column] = row->tts_isnull[a];
      a++;
    }
    counter->add_row(key_of_row<K>(columns, values, isnull));
  }
  counter->finish_rows();
}

// ---- groups

// Whether counting is possible. REQUIRES: the counter has begun.
template <class K>
bool countable(AggregateScanState* state, const IndexCounter<K>* counter, Snapshot snapshot) {
  // (Fewer rows are not worth a lock on the whole table.)
  constexpr double kFewRows = 1000.0;
  if (!IsMVCCSnapshot(snapshot) || counter->recheck()) return false;
  return !IsolationIsSerializable() || state->child->plan->plan_rows >= kFewRows;
}

template <class K>
void begin_counting(AggregateScanState* state) {
  EState* estate = state->css.ss.ps.state;
  const bool first = state->counter == nullptr;
  ChildScan child = child_scan(state->child);
  if (first) {
    state->task.heap = child.heap;
    state->task.index = child.index;
    const KeyColumns columns = key_columns_of(child.index, estate->es_query_cxt);
    state->counter = new (MemoryContextAlloc(estate->es_query_cxt, sizeof(IndexCounter<K>)))
        IndexCounter<K>(state->task, columns, estate->es_query_cxt);
  }
  if (child.runtime_nkeys > 0) {
    ResetExprContext(child.runtime_context);
    ExecIndexEvalRuntimeKeys(child.runtime_context, child.runtime_keys, child.runtime_nkeys);
  }
  IndexCounter<K>* counter = counter_of<K>(state);
  counter->begin(child.keys, child.nkeys, estate->es_snapshot, !first);
  state->by_rows = !countable(state, counter, estate->es_snapshot);
  // A DELETE changes no page of the index, and a transaction that must not overlook it locks the table, as a sequential scan does.
  if (!state->by_rows) PredicateLockRelation(child.heap, estate->es_snapshot);
  state->begun = true;
  state->at = state->end = 0;
}

// Goes on to groups that have not been given out. False: there are none.
template <class K>
bool more_groups(AggregateScanState* state) {
  IndexCounter<K>* counter = counter_of<K>(state);
  state->at = 0;
  if (state->by_rows) {
    if (state->end > 0 || counter->rows_finished()) return false;
    add_child_rows<K>(state, counter);
  } else if (!counter->next_batch()) {
    return false;
  }
  state->end = counter->complete();
  return true;
}

template <class K>
void give_group(AggregateScanState* state, uint32 g, TupleTableSlot* slot) {
  const IndexCounter<K>* counter = counter_of<K>(state);
  const CountedGroup<K>& group = counter->groups().at(g);
  const KeyColumns& columns = counter->columns();
  auto* storage = static_cast<RowStorage*>(palloc(sizeof(RowStorage)));
  int a = 0;
  if (state->groups != NIL) {
    Datum values[kMaxWords];
    bool isnull[kMaxWords];
    row_of_key<K>(columns, group.key, values, isnull, storage);
    for (; a < list_length(state->groups); a++) {
      const int column = list_nth_int(state->groups, a);
      slot->tts_values[a] = values[column];
      slot->tts_isnull[a] = isnull[column];
    }
  }
  if (state->task.bucket != nullptr) {
    slot->tts_values[a] = group.bucket;
    slot->tts_isnull[a] = group.bucket_null;
    a++;
  }
  for (int m = 0; m < state->measures; m++, a++) {
    const WantedMeasure& wanted = state->wanted[m];
    const KeyColumn* column = wanted.column < 0 ? nullptr : &columns.column[wanted.column];
    const Measure* measure =
        wanted.measured < 0 ? nullptr : &counter->groups().measure(g, static_cast<unsigned>(wanted.measured));
    slot->tts_values[a] =
        measure_result(wanted, column, group.rows, measure,
                       static_cast<KeyStorage*>(palloc(sizeof(KeyStorage))), &slot->tts_isnull[a]);
  }
}

template <class K>
TupleTableSlot* next_group(AggregateScanState* state) {
  TupleTableSlot* slot = state->css.ss.ss_ScanTupleSlot;
  ExecClearTuple(slot);
  if (!state->begun) begin_counting<K>(state);
  for (;;) {
    while (state->at >= state->end) {
      if (!more_groups<K>(state)) return slot;
    }
    const uint32 g = state->at++;
    if (state->grouped && counter_of<K>(state)->groups().at(g).rows == 0) continue;
    const MemoryContext before =
        MemoryContextSwitchTo(state->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
    give_group<K>(state, g, slot);
    MemoryContextSwitchTo(before);
    return ExecStoreVirtualTuple(slot);
  }
}

TupleTableSlot* access_group(ScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  return with_key(state->words, [state]<class K>() { return next_group<K>(state); });
}

bool recheck_group(ScanState*, TupleTableSlot*) { return true; }

// ---- the node's methods

void begin(CustomScanState* node, EState* estate, int flags) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  const auto* plan = reinterpret_cast<const CustomScan*>(node->ss.ps.plan);
  state->child = ExecInitNode(static_cast<Plan*>(linitial(plan->custom_plans)), estate,
                              flags & ~(EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
  if (!IsA(state->child, IndexScanState) && !IsA(state->child, IndexOnlyScanState))
    elog(ERROR, "LearnedAggregate is not above an index scan");
  node->custom_ps = list_make1(state->child);
  if (auto* bucket = static_cast<Expr*>(list_nth(plan->custom_private, 4)); bucket != nullptr) {
    TupleDesc tuple = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
    ExprState* expr = ExecInitExpr(bucket, &node->ss.ps);
    // The column is the last of the node's tuple.
    state->task.bucket = new (palloc(sizeof(Bucket)))
        Bucket(expr, CreateExprContext(estate), MakeSingleTupleTableSlot(tuple, &TTSOpsVirtual),
               static_cast<AttrNumber>(tuple->natts), state->zoned);
  }
  state->grouped = state->task.bucket != nullptr || state->task.group_words > 0;
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0) state->words = key_words_of(child_scan(state->child).index);
}

TupleTableSlot* execute(CustomScanState* node) { return ExecScan(&node->ss, access_group, recheck_group); }

void end(CustomScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  if (state->counter != nullptr) with_counter(state, [](auto* counter) { counter->release(); });
  ExecEndNode(state->child);
}

void rescan(CustomScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  if (state->counter != nullptr) with_counter(state, [](auto* counter) { counter->release(); });
  state->begun = false;
  if (node->ss.ps.chgParam != nullptr) UpdateChangedParamSet(state->child, node->ss.ps.chgParam);
  if (state->by_rows && state->child->chgParam == nullptr) ExecReScan(state->child);
}

void explain(CustomScanState* node, List*, ExplainState* es) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  if (!es->analyze) return;
  CountWork work;
  if (state->counter != nullptr) with_counter(state, [&work](auto* counter) { work = counter->work(); });
  ExplainPropertyUInteger("Leaf Pages", nullptr, work.leaves, es);
  ExplainPropertyUInteger("Segments Counted", nullptr, work.segments, es);
  ExplainPropertyUInteger("Entries Decoded", nullptr, work.decoded, es);
  ExplainPropertyUInteger("Heap Fetches", nullptr, work.visited, es);
}

constexpr CustomExecMethods make_exec_methods() {
  CustomExecMethods methods{};
  methods.CustomName = "LearnedAggregate";
  methods.BeginCustomScan = begin;
  methods.ExecCustomScan = execute;
  methods.EndCustomScan = end;
  methods.ReScanCustomScan = rescan;
  methods.ExplainCustomScan = explain;
  return methods;
}
constexpr CustomExecMethods kExecMethods = make_exec_methods();

// The number of a column among those that are measured.
int measured_number(MeasuredColumns* measured, const WantedMeasure& wanted) {
  if (wanted.column < 0) return -1;
  unsigned m = 0;
  while (m < measured->count && measured->column[m].column != static_cast<unsigned>(wanted.column)) m++;
  if (m == measured->count) {
    measured->column[m] = {static_cast<unsigned>(wanted.column), false, false};
    measured->count++;
  }
  const bool sum = wanted.kind == MeasureKind::sum || wanted.kind == MeasureKind::average;
  measured->column[m].values = measured->column[m].values || wanted.kind != MeasureKind::not_null;
  measured->column[m].sum = measured->column[m].sum || sum;
  return static_cast<int>(m);
}

Node* create_state(CustomScan* plan) {
  auto* state = static_cast<AggregateScanState*>(palloc0(sizeof(AggregateScanState)));
  NodeSetTag(state, T_CustomScanState);
  state->css.methods = &kExecMethods;
  state->groups = static_cast<List*>(linitial(plan->custom_private));
  state->task.group_words = static_cast<unsigned>(intVal(lsecond(plan->custom_private)));
  const auto* measures = static_cast<const List*>(lthird(plan->custom_private));
  state->measures = list_length(measures) / 3;
  state->wanted = static_cast<WantedMeasure*>(
      palloc0(std::max<Size>(1, static_cast<Size>(state->measures)) * sizeof(WantedMeasure)));
  for (int m = 0; m < state->measures; m++) {
    WantedMeasure& wanted = state->wanted[m];
    wanted = {static_cast<MeasureKind>(list_nth_int(measures, m * 3)), list_nth_int(measures, m * 3 + 1), -1,
              static_cast<Oid>(list_nth_int(measures, m * 3 + 2))};
    wanted.measured = measured_number(&state->task.measured, wanted);
  }
  const auto* bucket = static_cast<const List*>(lfourth(plan->custom_private));
  if (bucket != NIL) {
    state->task.bucket_column = static_cast<unsigned>(linitial_int(bucket));
    state->zoned = lsecond_int(bucket) != 0;
  }
  return reinterpret_cast<Node*>(state);
}

constexpr CustomScanMethods make_scan_methods() {
  CustomScanMethods methods{};
  methods.CustomName = "LearnedAggregate";
  methods.CreateCustomScanState = create_state;
  return methods;
}
constexpr CustomScanMethods kScanMethods = make_scan_methods();

Plan* plan_path(PlannerInfo*, RelOptInfo*, CustomPath* path, List* target, List*, List* children) {
  CustomScan* plan = makeNode(CustomScan);
  List* tuple = NIL;
  const auto add = [&tuple](const void* expr) {
    auto* copy = static_cast<Expr*>(copyObjectImpl(expr));
    const auto number = static_cast<AttrNumber>(list_length(tuple) + 1);
    tuple = lappend(tuple, makeTargetEntry(copy, number, nullptr, false));
  };
  const auto* exprs = static_cast<const List*>(lfourth(path->custom_private));
  for (int i = 0; i < list_length(exprs); i++) add(list_nth(exprs, i));
  const auto* bucket = static_cast<const List*>(list_nth(path->custom_private, 5));
  List* numbers = NIL;
  void* expr = nullptr;
  if (bucket != NIL) {
    numbers = list_make2_int(intVal(linitial(bucket)), intVal(lsecond(bucket)));
    expr = lthird(bucket);
    add(lfourth(bucket));
  }
  plan->scan.plan.targetlist = target;
  plan->scan.plan.qual = static_cast<List*>(list_nth(path->custom_private, 4));
  plan->scan.scanrelid = 0;
  plan->flags = path->flags;
  plan->custom_plans = children;
  plan->custom_scan_tlist = tuple;
  plan->custom_private = list_make5(linitial(path->custom_private), lsecond(path->custom_private),
                                    lthird(path->custom_private), numbers, expr);
  plan->methods = &kScanMethods;
  return &plan->scan.plan;
}

constexpr CustomPathMethods make_path_methods() {
  CustomPathMethods methods{};
  methods.CustomName = "LearnedAggregate";
  methods.PlanCustomPath = plan_path;
  return methods;
}
constexpr CustomPathMethods kPathMethods = make_path_methods();

}  // namespace

const CustomPathMethods* aggregate_path_methods() { return &kPathMethods; }

void register_aggregate_scan() { RegisterCustomScanMethods(&kScanMethods); }

}  // namespace learned
