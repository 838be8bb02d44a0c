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
  bool zoned;    // the bucket's expression depends on the time zone
  int reach;     // of it
  bool folds;    // groups into those of the query, which have the same
  unsigned fold_words;
  WantedMeasure* wanted;
  unsigned words;  // of a key
  void* counter;   // IndexCounter<K>, made when rows are first asked for
  bool by_rows;    // the child is read
  bool begun;      // since the last rescan
  uint32 at;       // the group that is given out next
  uint32 end;      // of those that may be
};

constexpr int kMostValues = static_cast<int>(kMaxWords) + 1;

struct AggregateScanState {
  CustomScanState css;  // first: the server knows the node as this
  int tables;
  CountedTable* table;
  int columns;  // that groups are by
  int measures;
  bool grouped;  // not all rows are one
  bool given;    // something, since the last rescan
  // The group that is given out.
  RowStorage storage;
  NullableDatum values[kMostValues];
  Measure* measure;  // of each aggregate
  // Of several tables:
  MergedGroups* merged;
  bool complete;  // it has all of them
  uint32 at;      // the group that is given out next
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
  counter->begin_rows();
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
      if (table->wanted[m].measured < 0) continue;
      const int column = table->wanted[m].column;
      values[column] = row->tts_values[a];
      isnull[column] = row->tts_isnull[a];
      a++;
    }
    if (!counter->add_row(key_of_row<K>(columns, values, isnull))) return;
  }
  counter->finish_rows();
}

// ---- groups

// Whether counting is possible. REQUIRES: the counter has begun.
template <class K>
bool countable(const CountedTable* table, const IndexCounter<K>* counter, Snapshot snapshot) {
  // (Fewer rows are not worth a lock on the whole table.)
  constexpr double kFewRows = 1000.0;
  if (!IsMVCCSnapshot(snapshot) || counter->recheck()) return false;
  return !IsolationIsSerializable() || table->child->plan->plan_rows >= kFewRows;
}

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
  table->by_rows = !countable(table, counter, estate->es_snapshot);
  // A DELETE changes no page of the index, and a transaction that must not overlook it locks the table, as a sequential scan does.
  if (!table->by_rows) PredicateLockRelation(child.heap, estate->es_snapshot);
  table->begun = true;
  table->at = table->end = 0;
}

// Goes on to groups that have not been given out. False: there are none.
template <class K>
bool more_groups(CountedTable* table, int measures) {
  IndexCounter<K>* counter = counter_of<K>(table);
  table->at = table->end = 0;
  if (table->by_rows) {
    if (counter->rows_finished()) return false;
    add_child_rows<K>(table, measures, counter);
  } else if (!counter->next_batch()) {
    return false;
  }
  table->end = counter->complete();
  return true;
}

// The next one that has rows, at `table->at`. False: there is none.
template <class K>
bool find_group(const AggregateScanState* state, CountedTable* table) {
  if (!table->begun) begin_counting<K>(table, state->css.ss.ps.state);
  for (;; table->at++) {
    while (table->at >= table->end) {
      if (!more_groups<K>(table, state->measures)) return false;
    }
    if (!state->grouped || counter_of<K>(table)->groups().at(table->at).rows > 0) return true;
  }
}

// The values that a group is by. `storage` must live as long as they.
template <class K>
void values_of_group(const CountedTable* table, const CountedGroup<K>& group, RowStorage* storage,
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
  if (table->task.bucket != nullptr) result[a] = {group.bucket, group.bucket_null};
}

const KeyColumn* column_of(const KeyColumns& columns, const WantedMeasure& wanted) {
  return wanted.column < 0 ? nullptr : &columns.column[wanted.column];
}

// What an aggregate adds up of a group. `value`: the last one of those that the group is by.
template <class K>
Measure measure_of_group(const CountedTable* table, const WantedMeasure& wanted, const NullableDatum& value) {
  const IndexCounter<K>* counter = counter_of<K>(table);
  Measure measure;
  if (!wanted.distinct) {
    if (wanted.measured >= 0)
      return counter->groups().measure(table->at, static_cast<unsigned>(wanted.measured));
    // (A column that is NULL nowhere in one table may be so in another: rows are values.)
    measure.not_null = counter->groups().at(table->at).rows;
  } else if (!value.isnull) {
    const KeyColumn* column = column_of(counter->columns(), wanted);
    measure.not_null = 1;
    measure.least = column == nullptr ? 0 : datum_to_code(column->type, value.value);
  }
  return measure;
}

// Adds what an aggregate adds up of one group to that of others. A value that is to count once is the least one of its group.
void fold_measure(const WantedMeasure& wanted, Measure* to, const Measure& from) {
  if (!wanted.distinct) {
    add_measure(to, from);
  } else if (from.not_null > 0) {
    to->not_null++;
    to->sum += from.least;
  }
}

// Gives out the group that was made.
TupleTableSlot* give_group(AggregateScanState* state, const NullableDatum* values, TupleTableSlot* slot) {
  const CountedTable* table = state->table;
  int a = 0;
  for (; a < state->columns; a++) {
    slot->tts_values[a] = values[a].value;
    slot->tts_isnull[a] = values[a].isnull;
  }
  // (In memory of the tuple's.)
  const MemoryContext before = MemoryContextSwitchTo(state->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
  with_key(table->words, [&]<class K>() {
    for (int m = 0; m < state->measures; m++, a++) {
      const WantedMeasure& wanted = table->wanted[m];
      slot->tts_values[a] =
          measure_result(wanted, column_of(counter_of<K>(table)->columns(), wanted), state->measure[m],
                         static_cast<KeyStorage*>(palloc(sizeof(KeyStorage))), &slot->tts_isnull[a]);
    }
  });
  MemoryContextSwitchTo(before);
  state->given = true;
  return ExecStoreVirtualTuple(slot);
}

// Whether there is one group more, of no rows: without GROUP BY there is always one.
bool lacks_group(const AggregateScanState* state) {
  return state->table->folds && state->table->fold_words == 0 && !state->given;
}

// Makes the next group of one table, as soon as it is complete. False: there is none.
template <class K>
bool make_group(AggregateScanState* state, CountedTable* table) {
  std::fill_n(state->measure, state->measures, Measure{});
  if (!find_group<K>(state, table)) {
    std::fill_n(state->values, state->columns, NullableDatum{0, true});
    return lacks_group(state);
  }
  const K key = counter_of<K>(table)->groups().at(table->at).key.key;
  do {
    // (What else the group is by, of several that are folded, is the same.)
    values_of_group<K>(table, counter_of<K>(table)->groups().at(table->at), &state->storage, state->values);
    const NullableDatum& last = state->values[std::max(state->columns - 1, 0)];
    for (int m = 0; m < state->measures; m++)
      fold_measure(table->wanted[m], &state->measure[m], measure_of_group<K>(table, table->wanted[m], last));
    table->at++;
  } while (table->folds && find_group<K>(state, table) &&
           same_prefix(key, counter_of<K>(table)->groups().at(table->at).key.key, table->fold_words));
  return true;
}

TupleTableSlot* stream_group(AggregateScanState* state, TupleTableSlot* slot) {
  const bool made =
      with_key(state->table->words, [&]<class K>() { return make_group<K>(state, state->table); });
  return made ? give_group(state, state->values, slot) : slot;
}

// ---- groups of several tables

template <class K>
void merge_table(AggregateScanState* state, CountedTable* table) {
  for (; find_group<K>(state, table); table->at++) {
    values_of_group<K>(table, counter_of<K>(table)->groups().at(table->at), &state->storage, state->values);
    MergedGroup* merged = state->merged->add(state->values);
    const NullableDatum& last = state->values[std::max(state->columns - 1, 0)];
    for (int m = 0; m < state->measures; m++)
      merged->measures[m] = measure_of_group<K>(table, table->wanted[m], last);
  }
  counter_of<K>(table)->release();
}

TupleTableSlot* merged_group(AggregateScanState* state, TupleTableSlot* slot) {
  if (!state->complete) {
    for (int t = 0; t < state->tables; t++)
      with_key(state->table[t].words, [&]<class K>() { merge_table<K>(state, &state->table[t]); });
    state->merged->finish();
    state->complete = true;
    state->at = 0;
  }
  const CountedTable* table = state->table;
  const MergedGroups* groups = state->merged;
  std::fill_n(state->measure, state->measures, Measure{});
  if (state->at >= groups->size()) {
    if (!lacks_group(state)) return slot;
    std::fill_n(state->values, state->columns, NullableDatum{0, true});
    return give_group(state, state->values, slot);
  }
  const MergedGroup& first = groups->at(state->at);
  do {
    for (int m = 0; m < state->measures; m++)
      fold_measure(table->wanted[m], &state->measure[m], groups->at(state->at).measures[m]);
    state->at++;
  } while (table->folds && state->at < groups->size() &&
           groups->same(first, groups->at(state->at), state->columns - 1));
  return give_group(state, first.values, slot);
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
    TupleDesc tuple = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
    ExprState* expr = ExecInitExpr(bucket, &node->ss.ps);
    // The column is the last of the node's tuple.
    table->task.bucket = new (palloc(sizeof(Bucket)))
        Bucket(expr, CreateExprContext(estate), MakeSingleTupleTableSlot(tuple, &TTSOpsVirtual),
               static_cast<AttrNumber>(tuple->natts), table->zoned, table->reach);
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
  state->columns = list_length(state->table[0].groups) + (task.bucket != nullptr ? 1 : 0);
  if (state->tables == 1) return;
  const MemoryContext context =
      AllocSetContextCreate(estate->es_query_cxt, "groups of several tables", ALLOCSET_DEFAULT_SIZES);
  state->merged = new (palloc(sizeof(MergedGroups)))
      MergedGroups(context, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor, state->columns, state->measures);
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
  state->complete = state->given = false;
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
  if (wanted.column < 0 || wanted.distinct) return -1;
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
  *count = list_length(measures) / 4;
  table->wanted = static_cast<WantedMeasure*>(
      palloc0(std::max<Size>(1, static_cast<Size>(*count)) * sizeof(WantedMeasure)));
  for (int m = 0; m < *count; m++) {
    WantedMeasure& wanted = table->wanted[m];
    wanted = {static_cast<MeasureKind>(list_nth_int(measures, m * 4)), list_nth_int(measures, m * 4 + 1), -1,
              static_cast<Oid>(list_nth_int(measures, m * 4 + 2)), list_nth_int(measures, m * 4 + 3) != 0};
    wanted.measured = measured_number(&table->task.measured, wanted);
  }
  const auto* bucket = static_cast<const List*>(lfourth(told));
  if (bucket != NIL) {
    table->task.bucket_column = static_cast<unsigned>(linitial_int(bucket));
    table->zoned = lsecond_int(bucket) != 0;
    table->reach = lthird_int(bucket);
  }
  const int folded = intVal(static_cast<const Node*>(list_nth(told, 4)));
  table->folds = folded >= 0;
  table->fold_words = static_cast<unsigned>(std::max(folded, 0));
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
  state->measure =
      static_cast<Measure*>(palloc(std::max<Size>(1, static_cast<Size>(state->measures)) * sizeof(Measure)));
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
