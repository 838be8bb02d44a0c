#include "am/count/counted_table.hpp"

#include "am/server/compat.hpp"
#include "am/server/custom_node.hpp"

namespace learned {

namespace {

bool comes_from_child(const WantedMeasure& wanted) { return wanted.column >= 0 && !wanted.distinct(); }

// ---- what the planner says

// The number of a column among those that are measured.
int measured_number(MeasuredColumns* measured, const WantedMeasure& wanted) {
  if (wanted.column < 0 || (wanted.flags & (kDistinct | kNeverNull)) != 0) return -1;
  unsigned m = 0;
  while (m < measured->count && measured->column[m].column != static_cast<unsigned>(wanted.column)) m++;
  if (m == measured->count) {
    measured->column[m] = {static_cast<unsigned>(wanted.column), false, false};
    measured->count++;
  }
  const bool sum = wanted.kind == MeasureKind::sum || wanted.kind == MeasureKind::average;
  const bool counts = wanted.kind == MeasureKind::not_null || wanted.kind == MeasureKind::percentile;
  measured->column[m].values = measured->column[m].values || !counts;
  measured->column[m].sum = measured->column[m].sum || sum;
  return static_cast<int>(m);
}

void read_measures(const List* measures, CountedTable* table) {
  table->measures = list_length(measures) / 4;
  table->wanted = static_cast<WantedMeasure*>(
      palloc0(std::max<Size>(1, static_cast<Size>(table->measures)) * sizeof(WantedMeasure)));
  table->percentile = -1;
  int attribute = list_length(table->groups);
  for (int m = 0; m < table->measures; m++) {
    WantedMeasure& wanted = table->wanted[m];
    wanted = {static_cast<MeasureKind>(list_nth_int(measures, m * 4)), list_nth_int(measures, m * 4 + 1), -1,
              static_cast<Oid>(list_nth_int(measures, m * 4 + 2)), list_nth_int(measures, m * 4 + 3)};
    wanted.measured = measured_number(&table->task.measured, wanted);
    if (comes_from_child(wanted)) attribute++;
    if (wanted.kind != MeasureKind::percentile) continue;
    table->percentile = m;
    table->attribute = static_cast<AttrNumber>(attribute);
  }
}

// ---- rows of the child, one by one

template <class K>
void add_child_rows(CountedTable* table, IndexCounter<K>* counter) {
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
    for (int m = 0; m < table->measures; m++) {
      if (!comes_from_child(table->wanted[m])) continue;
      const int column = table->wanted[m].column;
      values[column] = row->tts_values[a];
      isnull[column] = row->tts_isnull[a];
      a++;
    }
    // (For percentiles the child is read a second time, when it has been read to its end.)
    if (!counter->add_row(key_of_row<K>(columns, values, isnull)) && table->percentile < 0) return;
  }
  counter->finish_rows();
}

TupleTableSlot* read_row(CountedTable* table, uint64 n) {
  if (!table->finding) {
    ExecReScan(table->child);
    table->looked_at = 0;
  }
  TupleTableSlot* row;
  do {
    CHECK_FOR_INTERRUPTS();
    row = ExecProcNode(table->child);
  } while (!TupIsNull(row) && table->looked_at++ < n);
  return row;
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
  if (table->visited == nullptr && (!first || table->percentile >= 0)) {
    table->visited =
        new (MemoryContextAlloc(estate->es_query_cxt, sizeof(VisitedRows))) VisitedRows(estate->es_query_cxt);
    counter->remember(table->visited);
  }
  counter->begin(child.keys, child.nkeys, estate->es_snapshot, !first);
  table->by_rows = !counter->may_count(table->child->plan->plan_rows);
  table->begun = true;
  table->finding = false;
  table->at = table->end = 0;
}

// Goes on to groups that have not been given out. False: there are none.
template <class K>
bool more_groups(CountedTable* table) {
  IndexCounter<K>* counter = counter_of<K>(table);
  table->at = table->end = 0;
  if (table->by_rows) {
    if (counter->rows_finished()) return false;
    add_child_rows<K>(table, counter);
  } else if (!counter->next_batch()) {
    return false;
  }
  table->end = counter->complete();
  return true;
}

// Of the order of pages.
ScanDirection direction_of(const PlanState* child) {
  const Plan* plan = child->plan;
  return IsA(plan, IndexScan) ? reinterpret_cast<const IndexScan*>(plan)->indexorderdir
                              : reinterpret_cast<const IndexOnlyScan*>(plan)->indexorderdir;
}

}  // namespace

void read_told(const List* told, CountedTable* table) {
  table->groups = static_cast<List*>(linitial(told));
  table->task.group_words = static_cast<unsigned>(intVal(lsecond(told)));
  read_measures(static_cast<const List*>(lthird(told)), table);
  const auto* bucket = static_cast<const List*>(lfourth(told));
  if (bucket != NIL) {
    table->task.bucket_column = static_cast<unsigned>(linitial_int(bucket));
    table->attribute++;
  }
  const int folded = intVal(list_nth(told, 4));
  table->folds = folded >= 0;
  table->fold_words = static_cast<unsigned>(std::max(folded, 0));
}

template <class K>
bool find_group(CountedTable* table, EState* estate) {
  if (!table->begun) begin_counting<K>(table, estate);
  for (;; table->at++) {
    while (table->at >= table->end) {
      if (!more_groups<K>(table)) return false;
    }
    if (!table->grouped() || group_of<K>(table).rows > 0) return true;
  }
}

template <class K>
void values_of_group(const CountedTable* table, RowStorage* storage, NullableDatum* result) {
  const CountedGroup<K>& group = group_of<K>(table);
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
  if (table->task.bucket != nullptr) result[a] = counter_of<K>(table)->bucket_of(table->at);
}

template <class K>
Measure measure_of_group(const CountedTable* table, const WantedMeasure& wanted, const NullableDatum& value) {
  const IndexCounter<K>* counter = counter_of<K>(table);
  Measure measure;
  if (!wanted.distinct()) {
    if (wanted.measured >= 0)
      return counter->groups().measure(table->at, static_cast<unsigned>(wanted.measured));
    // (A column that is NULL nowhere in one table may be so in another: rows are values.)
    measure.not_null = group_of<K>(table).rows;
  } else if (!value.isnull) {
    const KeyColumn* column = column_of(counter->columns(), wanted);
    measure.not_null = 1;
    measure.least = column == nullptr ? 0 : datum_to_code(column->type, value.value);
  }
  return measure;
}

template <class K>
RowFinder<K>* begin_finder(CountedTable* table, EState* estate, std::span<const ScanKeyData> keys) {
  const bool first = table->finder == nullptr;
  if (first)
    table->finder = new (MemoryContextAlloc(estate->es_query_cxt, sizeof(RowFinder<K>))) RowFinder<K>(
        table->task.heap, table->task.index, counter_of<K>(table)->columns(), estate->es_query_cxt);
  finder_of<K>(table)->remember(table->visited);
  finder_of<K>(table)->begin(keys.data(), static_cast<int>(keys.size()), estate->es_snapshot, !first,
                             direction_of(table->child));
  return finder_of<K>(table);
}

template <class K>
Datum value_of_row(CountedTable* table, EState* estate, uint64 n, RowStorage* storage) {
  NullableDatum value{Datum{0}, true};
  if (table->by_rows) {
    TupleTableSlot* row = read_row(table, n);
    if (!TupIsNull(row)) value.value = slot_getattr(row, table->attribute, &value.isnull);
  } else {
    if (!table->finding) {
      const ChildScan child = child_scan(table->child);
      begin_finder<K>(table, estate, {child.keys, static_cast<Size>(child.nkeys)});
    }
    FoundRow<K> row;
    if (!finder_of<K>(table)->find(n, &row)) finder_of<K>(table)->lost();
    Datum values[kMaxWords];
    bool isnull[kMaxWords];
    row_of_key<K>(counter_of<K>(table)->columns(), row.key(), values, isnull, storage);
    const int column = table->wanted[table->percentile].column;
    value = {values[column], isnull[column]};
    if (value.isnull) finder_of<K>(table)->lost();
  }
  table->finding = true;
  // (The scan does not say where it is.)
  if (value.isnull)
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg("index \"%s\": rows that were counted are gone",
                           RelationGetRelationName(table->task.index)),
                    errhint("Rebuild the index with REINDEX.")));
  return value.value;
}

#define LEARNED_COUNTED_TABLE(K)                                                                           \
  template bool find_group<K>(CountedTable * table, EState * estate);                                      \
  template void values_of_group<K>(const CountedTable* table, RowStorage* storage, NullableDatum* result); \
  template Measure measure_of_group<K>(const CountedTable* table, const WantedMeasure& wanted,             \
                                       const NullableDatum& value);                                        \
  template RowFinder<K>* begin_finder<K>(CountedTable * table, EState * estate,                            \
                                         std::span<const ScanKeyData> keys);                               \
  template Datum value_of_row<K>(CountedTable * table, EState * estate, uint64 n, RowStorage * storage);
LEARNED_FOR_EVERY_KEY(LEARNED_COUNTED_TABLE)
#undef LEARNED_COUNTED_TABLE

}  // namespace learned
