// The node that counts: LearnedAggregate. See aggregate_plan.hpp for what it is told.
//
// It never runs its child, an index scan, but takes its index, its conditions and its locks, and counts the entries by itself
// (index_counter.hpp). Of several children, one for each table, the groups are merged when all are complete (merged_groups.hpp). Where counting is not
// possible, it reads the child's rows and adds them up: under a snapshot that is not an MVCC one, under
// conditions that must be rechecked, and for few rows of a SERIALIZABLE transaction, which then locks no more than these.
#include "am/count/index_counter.hpp"
#include "am/count/measure_result.hpp"
#include "am/count/merged_groups.hpp"
#include "am/server/compat.hpp"
#include "am/server/custom_node.hpp"

namespace learned {

namespace {

constexpr char kName[] = "LearnedAggregate";

// A table that is counted.
struct CountedTable {
  PlanState* child;
  CountTask task;
  List* groups;  // columns of the index
  WantedMeasure* wanted;
  unsigned words;  // of a key
  void* counter;   // IndexCounter<K>, made when rows are first asked for
  bool by_rows;    // the child is read
  bool begun;      // since the last rescan
  uint32 at;       // the group that is given out next
  uint32 end;      // of those that may be
};

struct AggregateScanState {
  CustomScanState css;  // first: the server knows the node as this
  int tables;
  CountedTable* table;
  int measures;
  bool grouped;  // not all rows are one
  // Of several tables:
  MergedGroups* merged;
  bool complete;  // it has all of them
  uint32 at;      // the group that is given out next
};
static_assert(std::is_trivially_destructible_v<AggregateScanState>);
static_assert(std::is_trivially_destructible_v<IndexCounter<Code>> &&
              std::is_trivially_destructible_v<IndexCounter<Words<2>>>);

template <class K>
IndexCounter<K>* counter_of(const CountedTable* table) {
  return static_cast<IndexCounter<K>*>(table->counter);
}

template <class F>
void with_counter(CountedTable* table, F&& f) {
  if (table->counter != nullptr) with_key(table->words, [&]<class K>() { f(counter_of<K>(table)); });
}

// ---- rows of the child, one by one

template <class K>
void add_child_rows(CountedTable* table, int measures, IndexCounter<K>* counter) {
  const KeyColumns& columns = counter->columns();
  Datum values[kMaxWords] = {};
  bool isnull[kMaxWords];
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    TupleTableSlot* row = ExecProcNode(table->child);
    if (TupIsNull(row)) break;
    slot_getallattrs(row);
    // Columns that nobody asked for are the same in all rows of a group, or do not matter.
    std::fill_n(isnull, columns.count, true);
    int a = 0;
    for (int g = 0; g < list_length(table->groups); g++, a++) {
      const int column = list_nth_int(table->groups, g);
      values[column] = row->tts_values[a];
      isnull[column] = row->tts_isnull[a];
    }
    if (table->task.bucket != nullptr) {
      values[table->task.bucket_column] = row->tts_values[a];
      isnull[table->task.bucket_column] = row->tts_isnull[a];
      a++;
    }
    for (int m = 0; m < measures; m++) {
      const int column = table->wanted[m].column;
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

template <class K>
void begin_counting(CountedTable* table, EState* estate) {
  const bool first = table->counter == nullptr;
  ChildScan child = child_scan(table->child);
  if (first) {
    table->task.heap = child.heap;
    table->task.index = child.index;
    const KeyColumns columns = key_columns_of(child.index, estate->es_query_cxt);
    table->counter = new (MemoryContextAlloc(estate->es_query_cxt, sizeof(IndexCounter<K>)))
        IndexCounter<K>(table->task, columns, estate->es_query_cxt);
  }
  if (child.runtime_nkeys > 0) {
    ResetExprContext(child.runtime_context);
    ExecIndexEvalRuntimeKeys(child.runtime_context, child.runtime_keys, child.runtime_nkeys);
  }
  IndexCounter<K>* counter = counter_of<K>(table);
  counter->begin(child.keys, child.nkeys, estate->es_snapshot, !first);
  table->by_rows = !counter->may_count(table->child->plan->plan_rows);
  table->begun = true;
  table->at = table->end = 0;
}

// Goes on to groups that have not been given out. False: there are none.
template <class K>
bool more_groups(CountedTable* table, int measures) {
  IndexCounter<K>* counter = counter_of<K>(table);
  table->at = 0;
  if (table->by_rows) {
    if (table->end > 0 || counter->rows_finished()) return false;
    add_child_rows<K>(table, measures, counter);
  } else if (!counter->next_batch()) {
    return false;
  }
  table->end = counter->complete();
  return true;
}

// The next one that has rows. False: there is none.
template <class K>
bool next_group(AggregateScanState* state, CountedTable* table, uint32* g) {
  if (!table->begun) begin_counting<K>(table, state->css.ss.ps.state);
  for (;;) {
    while (table->at >= table->end) {
      if (!more_groups<K>(table, state->measures)) return false;
    }
    *g = table->at++;
    if (!state->grouped || counter_of<K>(table)->groups().at(*g).rows > 0) return true;
  }
}

// The values that a group is by. Returns how many. `storage` must live as long as they.
template <class K>
int values_of_group(const CountedTable* table, const CountedGroup<K>& group, RowStorage* storage,
                    NullableDatum* result) {
  int a = 0;
  if (table->groups != NIL) {
    Datum values[kMaxWords];
    bool isnull[kMaxWords];
    row_of_key<K>(counter_of<K>(table)->columns(), group.key, values, isnull, storage);
    for (; a < list_length(table->groups); a++) {
      const int column = list_nth_int(table->groups, a);
      result[a] = {values[column], isnull[column]};
    }
  }
  if (table->task.bucket != nullptr) result[a++] = {group.bucket, group.bucket_null};
  return a;
}

constexpr int kMostValues = static_cast<int>(kMaxWords) + 1;

const KeyColumn* column_of(const KeyColumns& columns, const WantedMeasure& wanted) {
  return wanted.column < 0 ? nullptr : &columns.column[wanted.column];
}

// (In memory of the tuple's.)
int give_values(TupleTableSlot* slot, const NullableDatum* values, int n) {
  for (int a = 0; a < n; a++) {
    slot->tts_values[a] = values[a].value;
    slot->tts_isnull[a] = values[a].isnull;
  }
  return n;
}

void give_measure(TupleTableSlot* slot, int a, const WantedMeasure& wanted, const KeyColumn* column,
                  uint64 rows, const Measure* measure) {
  slot->tts_values[a] =
      measure_result(wanted, column, rows, measure, static_cast<KeyStorage*>(palloc(sizeof(KeyStorage))),
                     &slot->tts_isnull[a]);
}

template <class K>
void give_group(const AggregateScanState* state, const CountedTable* table, uint32 g, TupleTableSlot* slot) {
  const IndexCounter<K>* counter = counter_of<K>(table);
  const CountedGroup<K>& group = counter->groups().at(g);
  NullableDatum values[kMostValues];
  auto* storage = static_cast<RowStorage*>(palloc(sizeof(RowStorage)));
  int a = give_values(slot, values, values_of_group<K>(table, group, storage, values));
  for (int m = 0; m < state->measures; m++, a++) {
    const WantedMeasure& wanted = table->wanted[m];
    const Measure* measure =
        wanted.measured < 0 ? nullptr : &counter->groups().measure(g, static_cast<unsigned>(wanted.measured));
    give_measure(slot, a, wanted, column_of(counter->columns(), wanted), group.rows, measure);
  }
}

// The groups of one table, as they are complete.
TupleTableSlot* stream_group(AggregateScanState* state, TupleTableSlot* slot) {
  CountedTable* table = state->table;
  return with_key(table->words, [&]<class K>() {
    uint32 g;
    if (!next_group<K>(state, table, &g)) return slot;
    const MemoryContext before =
        MemoryContextSwitchTo(state->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
    give_group<K>(state, table, g, slot);
    MemoryContextSwitchTo(before);
    return ExecStoreVirtualTuple(slot);
  });
}

// ---- groups of several tables

template <class K>
void merge_table(AggregateScanState* state, CountedTable* table) {
  RowStorage storage;
  NullableDatum values[kMostValues];
  uint32 g;
  while (next_group<K>(state, table, &g)) {
    const CountedGroups<K>& groups = counter_of<K>(table)->groups();
    const CountedGroup<K>& group = groups.at(g);
    values_of_group<K>(table, group, &storage, values);
    MergedGroup* merged = state->merged->add(values);
    for (int m = 0; m < state->measures; m++) {
      const int measured = table->wanted[m].measured;
      // (A column that is NULL nowhere in one table may be so in another: rows are values.)
      if (measured < 0) {
        merged->measures[m].not_null = group.rows;
      } else {
        merged->measures[m] = groups.measure(g, static_cast<unsigned>(measured));
      }
    }
  }
  counter_of<K>(table)->release();
}

void give_merged(const AggregateScanState* state, const MergedGroup& group, TupleTableSlot* slot) {
  const CountedTable* table = state->table;
  const int columns =
      slot->tts_tupleDescriptor->natts - state->measures - (table->task.bucket != nullptr ? 1 : 0);
  int a = give_values(slot, group.values, columns);
  with_key(table->words, [&]<class K>() {
    for (int m = 0; m < state->measures; m++, a++) {
      WantedMeasure wanted = table->wanted[m];
      if (wanted.kind == MeasureKind::rows) wanted.kind = MeasureKind::not_null;
      give_measure(slot, a, wanted, column_of(counter_of<K>(table)->columns(), wanted), 0,
                   &group.measures[m]);
    }
  });
}

TupleTableSlot* merged_group(AggregateScanState* state, TupleTableSlot* slot) {
  if (!state->complete) {
    for (int t = 0; t < state->tables; t++)
      with_key(state->table[t].words, [&]<class K>() { merge_table<K>(state, &state->table[t]); });
    state->merged->finish();
    state->complete = true;
    state->at = 0;
  }
  if (state->at >= state->merged->size()) return slot;
  const MemoryContext before = MemoryContextSwitchTo(state->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
  give_merged(state, state->merged->at(state->at++), slot);
  MemoryContextSwitchTo(before);
  return ExecStoreVirtualTuple(slot);
}

TupleTableSlot* access_group(ScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  TupleTableSlot* slot = node->ss_ScanTupleSlot;
  ExecClearTuple(slot);
  return state->merged == nullptr ? stream_group(state, slot) : merged_group(state, slot);
}

void begin_table(CustomScanState* node, CountedTable* table, Plan* child, int flags) {
  EState* estate = node->ss.ps.state;
  table->child = init_index_scan(child, estate, flags, kName);
  node->custom_ps = lappend(node->custom_ps, table->child);
  const auto* plan = reinterpret_cast<const CustomScan*>(node->ss.ps.plan);
  if (auto* bucket = static_cast<Expr*>(lsecond(plan->custom_private)); bucket != nullptr) {
    MonotoneExpression expression;
    if (!is_monotone(reinterpret_cast<Node*>(bucket), &expression))
      elog(ERROR, "the bucket of %s is not monotone", kName);
    TupleDesc tuple = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
    ExprState* expr = ExecInitExpr(bucket, &node->ss.ps);
    // The column is the last of the node's tuple.
    table->task.bucket = new (palloc(sizeof(Bucket)))
        Bucket(expr, CreateExprContext(estate), MakeSingleTupleTableSlot(tuple, &TTSOpsVirtual),
               static_cast<AttrNumber>(tuple->natts), expression);
  }
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0) table->words = key_words_of(child_scan(table->child).index);
}

// ---- the node's methods

void begin(CustomScanState* node, EState* estate, int flags) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  const auto* plan = reinterpret_cast<const CustomScan*>(node->ss.ps.plan);
  compat::check_may_aggregate(plan->custom_scan_tlist);
  for (int t = 0; t < state->tables; t++)
    begin_table(node, &state->table[t], static_cast<Plan*>(list_nth(plan->custom_plans, t)), flags);
  const CountTask& task = state->table[0].task;
  state->grouped = task.bucket != nullptr || task.group_words > 0;
  if (state->tables == 1) return;
  const int columns = list_length(state->table[0].groups) + (task.bucket != nullptr ? 1 : 0);
  const MemoryContext context =
      AllocSetContextCreate(estate->es_query_cxt, "groups of several tables", ALLOCSET_DEFAULT_SIZES);
  state->merged = new (palloc(sizeof(MergedGroups)))
      MergedGroups(context, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor, columns, state->measures);
}

TupleTableSlot* execute(CustomScanState* node) { return ExecScan(&node->ss, access_group, never_rechecked); }

void release(CountedTable* table) {
  with_counter(table, [](auto* counter) { counter->release(); });
}

void end(CustomScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  for (int t = 0; t < state->tables; t++) {
    release(&state->table[t]);
    ExecEndNode(state->table[t].child);
  }
}

void rescan(CustomScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  for (int t = 0; t < state->tables; t++) {
    CountedTable* table = &state->table[t];
    with_counter(table, [](auto* counter) { counter->stop(); });
    table->begun = false;
    if (node->ss.ps.chgParam != nullptr) UpdateChangedParamSet(table->child, node->ss.ps.chgParam);
    if (table->by_rows && table->child->chgParam == nullptr) ExecReScan(table->child);
  }
  if (state->merged != nullptr) state->merged->clear();
  state->complete = false;
}

void explain(CustomScanState* node, List*, ExplainState* es) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  if (!es->analyze) return;
  CountWork work;
  for (int t = 0; t < state->tables; t++)
    with_counter(&state->table[t], [&work](auto* counter) { work.add(counter->work()); });
  work.explain(es);
}

constexpr CustomExecMethods make_exec_methods() {
  CustomExecMethods methods{};
  methods.CustomName = kName;
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

// What the planner says of a table.
void tell(const List* told, CountedTable* table, int* count) {
  table->groups = static_cast<List*>(linitial(told));
  table->task.group_words = static_cast<unsigned>(intVal(lsecond(told)));
  const auto* measures = static_cast<const List*>(lthird(told));
  *count = list_length(measures) / 3;
  table->wanted = static_cast<WantedMeasure*>(
      palloc0(std::max<Size>(1, static_cast<Size>(*count)) * sizeof(WantedMeasure)));
  for (int m = 0; m < *count; m++) {
    WantedMeasure& wanted = table->wanted[m];
    wanted = {static_cast<MeasureKind>(list_nth_int(measures, m * 3)), list_nth_int(measures, m * 3 + 1), -1,
              static_cast<Oid>(list_nth_int(measures, m * 3 + 2))};
    wanted.measured = measured_number(&table->task.measured, wanted);
  }
  const auto* bucket = static_cast<const List*>(lfourth(told));
  if (bucket != NIL) {
    table->task.bucket_column = static_cast<unsigned>(linitial_int(bucket));
  }
}

Node* create_state(CustomScan* plan) {
  auto* state = static_cast<AggregateScanState*>(palloc0(sizeof(AggregateScanState)));
  NodeSetTag(state, T_CustomScanState);
  state->css.methods = &kExecMethods;
  const auto* tables = static_cast<const List*>(linitial(plan->custom_private));
  state->tables = list_length(tables);
  state->table = static_cast<CountedTable*>(palloc0(static_cast<Size>(state->tables) * sizeof(CountedTable)));
  for (int t = 0; t < state->tables; t++)
    tell(static_cast<const List*>(list_nth(tables, t)), &state->table[t], &state->measures);
  return reinterpret_cast<Node*>(state);
}

constexpr CustomScanMethods kScanMethods = custom_scan_methods(kName, create_state);

Plan* plan_path(PlannerInfo*, RelOptInfo*, CustomPath* path, List* target, List*, List* children) {
  List* exprs = list_copy(static_cast<const List*>(lsecond(path->custom_private)));
  const auto* bucket = static_cast<const List*>(lfourth(path->custom_private));
  if (bucket != NIL) exprs = lappend(exprs, lsecond(bucket));
  CustomScan* plan = make_custom_scan(path, target, children, exprs, &kScanMethods);
  plan->scan.plan.qual = static_cast<List*>(lthird(path->custom_private));
  plan->custom_private =
      list_make2(linitial(path->custom_private), bucket == NIL ? nullptr : linitial(bucket));
  return &plan->scan.plan;
}
constexpr CustomPathMethods kPathMethods = custom_path_methods(kName, plan_path);

}  // namespace

const CustomPathMethods* aggregate_path_methods() { return &kPathMethods; }

void register_aggregate_scan() { RegisterCustomScanMethods(&kScanMethods); }

}  // namespace learned
