// The node that counts: LearnedAggregate. See aggregate_plan.hpp for what it is told.
//
// It never runs its child, an index scan, but takes its index, its conditions and its locks, and counts the entries by itself
// (index_counter.hpp). Of several children, one for each table, the groups are merged when all are complete (merged_groups.hpp). Where counting is not
// possible, it reads the child's rows and adds them up: under a snapshot that is not an MVCC one, under
// conditions that must be rechecked, and for few rows of a SERIALIZABLE transaction, which then locks no more than these (counted_table.hpp).
//
// For aggregates with DISTINCT groups are finer than the query's, by their argument, too, and folded into those when they are given out. Percentiles are values
// of rows that are looked for by their number when the rows of their group are counted: groups come one after the other, and so do these rows. In several tables
// they are looked for by halving (ranked_tables.hpp).
#include "am/count/counted_table.hpp"
#include "am/count/merged_groups.hpp"
#include "am/count/percentiles.hpp"
#include "am/count/ranked_tables.hpp"
#include "am/server/compat.hpp"
#include "am/server/custom_node.hpp"

namespace learned {

namespace {

constexpr char kName[] = "LearnedAggregate";

constexpr int kMostValues = static_cast<int>(kMaxWords) + 1;

struct AggregateScanState {
  CustomScanState css;  // first: the server knows the node as this
  int tables;
  CountedTable* table;
  int measures;  // as many as each table has
  int columns;   // that groups are by
  bool given;    // something, since the last rescan
  // The group that is given out.
  RowStorage storage;
  NullableDatum values[kMostValues];
  Measure* measure;
  uint64 rows;
  uint64 rows_before;  // of groups before it
  std::span<Percentile> percentiles;
  RowStorage found;
  // Of several tables:
  MergedGroups* merged;
  bool complete;         // it has all of them
  uint32 at;             // the group that is given out next
  RankedTables* ranked;  // made when percentiles are first asked for
};
static_assert(std::is_trivially_destructible_v<IndexCounter<Code>> &&
              std::is_trivially_destructible_v<IndexCounter<Words<2>>>);

// Adds what an aggregate adds up of one group to that of others. A value that is to count once is the least one of its group.
void fold_measure(const WantedMeasure& wanted, Measure* to, const Measure& from) {
  if (!wanted.distinct()) {
    add_measure(to, from);
  } else if (from.not_null > 0) {
    to->not_null++;
    to->sum += from.least;
  }
}

std::span<WantedRow> wanted_rows(AggregateScanState* state, uint64 rows_before, uint64 rows) {
  ExprContext* context = state->css.ss.ps.ps_ExprContext;
  const MemoryContext before = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
  const std::span<WantedRow> wanted =
      ask_percentiles(state->percentiles, state->measure, rows_before, rows, context);
  MemoryContextSwitchTo(before);
  return wanted;
}

// Finds what the percentiles of the group are made of, the values of rows that find() has.
template <class K, class Find>
void find_percentiles(AggregateScanState* state, std::span<WantedRow> rows, Find&& find) {
  const MemoryContext memory = state->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory;
  const CountedTable* table = state->table;
  const KeyColumn* column =
      column_of(counter_of<K>(table)->columns(), table->wanted[state->percentiles[0].measure]);
  Datum value{0};
  for (Size i = 0; i < rows.size(); i++) {
    if (i == 0 || rows[i].number != rows[i - 1].number) value = find(rows[i].number);
    const Percentile& percentile = *rows[i].percentile;
    const MemoryContext before = MemoryContextSwitchTo(memory);
    *rows[i].value = datumCopy(percentile_value(percentile, column->type.kind, value), percentile.by_value,
                               percentile.length);
    MemoryContextSwitchTo(before);
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
    Size percentiles = 0;
    for (int m = 0; m < state->measures; m++, a++) {
      const WantedMeasure& wanted = table->wanted[m];
      if (wanted.kind == MeasureKind::percentile) {
        slot->tts_values[a] = percentile_result(state->percentiles[percentiles++], &slot->tts_isnull[a]);
        continue;
      }
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
  state->rows_before += state->rows;
  state->rows = 0;
  EState* estate = state->css.ss.ps.state;
  if (!find_group<K>(table, estate)) {
    std::fill_n(state->values, state->columns, NullableDatum{0, true});
    return lacks_group(state);
  }
  const K key = group_of<K>(table).key.key;
  do {
    // (What else the group is by, of several that are folded, is the same.)
    values_of_group<K>(table, &state->storage, state->values);
    const NullableDatum& last = state->values[std::max(state->columns - 1, 0)];
    for (int m = 0; m < state->measures; m++)
      fold_measure(table->wanted[m], &state->measure[m], measure_of_group<K>(table, table->wanted[m], last));
    state->rows += group_of<K>(table).rows;
    table->at++;
  } while (table->folds && find_group<K>(table, estate) &&
           same_prefix(key, group_of<K>(table).key.key, table->fold_words));
  return true;
}

TupleTableSlot* stream_group(AggregateScanState* state, TupleTableSlot* slot) {
  const bool made = with_key(state->table->words, [&]<class K>() {
    if (!make_group<K>(state, state->table)) return false;
    if (state->percentiles.empty()) return true;
    find_percentiles<K>(state, wanted_rows(state, state->rows_before, state->rows), [state](uint64 n) {
      return value_of_row<K>(state->table, state->css.ss.ps.state, n, &state->found);
    });
    return true;
  });
  return made ? give_group(state, state->values, slot) : slot;
}

// ---- groups of several tables

template <class K>
void merge_table(AggregateScanState* state, CountedTable* table) {
  for (; find_group<K>(table, state->css.ss.ps.state); table->at++) {
    values_of_group<K>(table, &state->storage, state->values);
    MergedGroup* merged = state->merged->add(state->values);
    const NullableDatum& last = state->values[std::max(state->columns - 1, 0)];
    for (int m = 0; m < state->measures; m++)
      merged->measures[m] = measure_of_group<K>(table, table->wanted[m], last);
    if (table->percentile >= 0) table->values = merged->measures[table->percentile].not_null;
  }
  counter_of<K>(table)->release();
}

// The percentiles of a group that was merged.
void find_merged_percentiles(AggregateScanState* state, const NullableDatum* group) {
  if (state->percentiles.empty()) return;
  const std::span<WantedRow> rows = wanted_rows(state, 0, 0);
  if (rows.empty()) return;
  EState* estate = state->css.ss.ps.state;
  if (state->ranked == nullptr) {
    const int columns = state->columns - (state->table->folds ? 1 : 0);
    state->ranked = new (MemoryContextAlloc(estate->es_query_cxt, sizeof(RankedTables)))
        RankedTables({state->table, static_cast<Size>(state->tables)}, columns, estate);
  }
  state->ranked->begin(group, state->measure[state->percentiles[0].measure].not_null);
  with_key(state->table->words, [&]<class K>() {
    find_percentiles<K>(state, rows, [state](uint64 n) { return state->ranked->find(n); });
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
  const CountedTable* table = state->table;
  const MergedGroups* groups = state->merged;
  std::fill_n(state->measure, state->measures, Measure{});
  if (state->at >= groups->size()) {
    if (!lacks_group(state)) return slot;
    std::fill_n(state->values, state->columns, NullableDatum{0, true});
    find_merged_percentiles(state, state->values);
    return give_group(state, state->values, slot);
  }
  const MergedGroup& first = groups->at(state->at);
  do {
    for (int m = 0; m < state->measures; m++)
      fold_measure(table->wanted[m], &state->measure[m], groups->at(state->at).measures[m]);
    state->at++;
  } while (table->folds && state->at < groups->size() &&
           groups->same(first, groups->at(state->at), state->columns - 1));
  find_merged_percentiles(state, first.values);
  return give_group(state, first.values, slot);
}

TupleTableSlot* access_group(ScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  TupleTableSlot* slot = node->ss_ScanTupleSlot;
  ExecClearTuple(slot);
  return state->merged == nullptr ? stream_group(state, slot) : merged_group(state, slot);
}

void begin_percentiles(AggregateScanState* state) {
  const auto* plan = reinterpret_cast<const CustomScan*>(state->css.ss.ps.plan);
  const auto count = static_cast<Size>(list_length(plan->custom_exprs));
  if (count == 0) return;
  state->percentiles = {static_cast<Percentile*>(palloc0(count * sizeof(Percentile))), count};
  int m = 0;
  for (Size p = 0; p < count; p++, m++) {
    while (state->table->wanted[m].kind != MeasureKind::percentile) m++;
    const auto* column =
        static_cast<const TargetEntry*>(list_nth(plan->custom_scan_tlist, state->columns + m));
    const auto* aggregate = reinterpret_cast<const Aggref*>(column->expr);
    const auto* argument = static_cast<const TargetEntry*>(linitial(aggregate->args));
    const int flags = state->table->wanted[m].flags;
    Percentile& percentile = state->percentiles[p];
    percentile.measure = m;
    percentile_kind(aggregate->aggfnoid, &percentile.kind);
    // Numbers are those of pages; of several tables, of values.
    const bool several = state->tables > 1;
    percentile.backward = (flags & (several ? kDescending : kBackward)) != 0;
    percentile.nulls_low = !several && (flags & kNullsLow) != 0;
    percentile.fraction = ExecInitExpr(static_cast<Expr*>(list_nth(plan->custom_exprs, static_cast<int>(p))),
                                       &state->css.ss.ps);
    percentile.type = exprType(reinterpret_cast<const Node*>(argument->expr));
    get_typlenbyvalalign(percentile.type, &percentile.length, &percentile.by_value, &percentile.align);
  }
}

void begin_table(CustomScanState* node, CountedTable* table, Plan* child, int flags) {
  EState* estate = node->ss.ps.state;
  table->child = init_index_scan(child, estate, flags, kName);
  node->custom_ps = lappend(node->custom_ps, table->child);
  const auto* plan = reinterpret_cast<const CustomScan*>(node->ss.ps.plan);
  if (auto* bucket = static_cast<Expr*>(lsecond(plan->custom_private)); bucket != nullptr) {
    MonotoneExpression expression;
    // (So the planner found it.)
    if (!is_monotone(reinterpret_cast<Node*>(bucket), &expression) || !IsA(expression.operand, Var))
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("a time zone of the query stands for another than when it was planned"),
                      errhint("Execute DISCARD PLANS after a change of timezone_abbreviations.")));
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
  state->columns = state->table[0].columns();
  begin_percentiles(state);
  if (state->tables == 1) return;
  const MemoryContext context =
      AllocSetContextCreate(estate->es_query_cxt, "groups of several tables", ALLOCSET_DEFAULT_SIZES);
  state->merged = new (palloc(sizeof(MergedGroups)))
      MergedGroups(context, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor, state->columns, state->measures);
}

void end(CustomScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  for (int t = 0; t < state->tables; t++) {
    with_counters(&state->table[t], [](auto* counter) { counter->release(); });
    ExecEndNode(state->table[t].child);
  }
}

void rescan(CustomScanState* node) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  for (int t = 0; t < state->tables; t++) {
    CountedTable* table = &state->table[t];
    with_counters(table, [](auto* counter) { counter->stop(); });
    table->begun = false;
    rescan_child(node, table->child, table->by_rows);
  }
  if (state->merged != nullptr) state->merged->clear();
  state->complete = state->given = false;
  state->rows = state->rows_before = 0;
}

void explain(CustomScanState* node, List*, ExplainState* es) {
  auto* state = reinterpret_cast<AggregateScanState*>(node);
  if (!es->analyze) return;
  CountWork work;
  for (int t = 0; t < state->tables; t++)
    with_counters(&state->table[t], [&work](auto* counter) { work.add(counter->work()); });
  work.explain(es);
}

constexpr CustomExecMethods kExecMethods =
    custom_exec_methods<access_group>(kName, begin, end, rescan, explain);

Node* create_state(CustomScan* plan) {
  auto* state = make_custom_state<AggregateScanState>(&kExecMethods);
  const auto* tables = static_cast<const List*>(linitial(plan->custom_private));
  state->tables = list_length(tables);
  state->table = static_cast<CountedTable*>(palloc0(static_cast<Size>(state->tables) * sizeof(CountedTable)));
  for (int t = 0; t < state->tables; t++)
    read_told(static_cast<const List*>(list_nth(tables, t)), &state->table[t]);
  state->measures = state->table[0].measures;
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
  for (int i = 0; i < list_length(exprs); i++) {
    const auto* aggregate = static_cast<const Aggref*>(list_nth(exprs, i));
    if (IsA(aggregate, Aggref) && aggregate->aggdirectargs != NIL)
      plan->custom_exprs = lappend(plan->custom_exprs, linitial(aggregate->aggdirectargs));
  }
  plan->custom_private =
      list_make2(linitial(path->custom_private), bucket == NIL ? nullptr : linitial(bucket));
  return &plan->scan.plan;
}
constexpr CustomPathMethods kPathMethods = custom_path_methods(kName, plan_path);

}  // namespace

const CustomPathMethods* aggregate_path_methods() { return &kPathMethods; }

void register_aggregate_scan() { RegisterCustomScanMethods(&kScanMethods); }

}  // namespace learned
