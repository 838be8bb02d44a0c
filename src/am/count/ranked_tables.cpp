#include "am/count/ranked_tables.hpp"

#include "am/server/custom_node.hpp"

namespace learned {

namespace {

// A condition of a column of an index, without its value.
void make_condition(ScanKey key, Relation index, int column, StrategyNumber strategy) {
  const Oid type = index->rd_opcintype[column];
  const Oid operation = get_opfamily_member(index->rd_opfamily[column], type, type, strategy);
  if (!OidIsValid(operation))
    elog(ERROR, "operator family %u has no operator %d for type %u", index->rd_opfamily[column], strategy,
         type);
  ScanKeyEntryInitialize(key, 0, static_cast<AttrNumber>(column + 1), strategy, type,
                         index->rd_indcollation[column], get_opcode(operation), Datum{0});
}

void make_null_test(ScanKey key, int column, int test) {
  ScanKeyEntryInitialize(key, SK_ISNULL | test, static_cast<AttrNumber>(column + 1), InvalidStrategy,
                         InvalidOid, InvalidOid, InvalidOid, Datum{0});
}

int ranked_column(const CountedTable* table) { return table->wanted[table->percentile].column; }

}  // namespace

RankedTables::RankedTables(std::span<CountedTable> tables, int columns, EState* estate)
    : estate_(estate),
      columns_(columns),
      rows_context_(
          AllocSetContextCreate(estate->es_query_cxt, "rows by their values", ALLOCSET_DEFAULT_SIZES)),
      context_(AllocSetContextCreate(estate->es_query_cxt, "rows by their number", ALLOCSET_DEFAULT_SIZES)) {
  const MemoryContext before = MemoryContextSwitchTo(estate->es_query_cxt);
  const Relation index = tables[0].task.index;
  type_ = lookup_type_cache(index->rd_opcintype[ranked_column(tables.data())], TYPECACHE_CMP_PROC_FINFO);
  auto* memory = static_cast<Table*>(palloc(tables.size() * sizeof(Table)));
  for (Size t = 0; t < tables.size(); t++) make_conditions(new (&memory[t]) Table(&tables[t]));
  tables_ = {memory, tables.size()};
  middles_ = static_cast<Middle*>(palloc(tables.size() * sizeof(Middle)));
  MemoryContextSwitchTo(before);
}

void RankedTables::make_conditions(Table* table) {
  const CountedTable* counted = table->table;
  const Relation index = counted->task.index;
  for (int g = 0; g < columns_; g++)
    make_condition(&table->group[g], index, list_nth_int(counted->groups, g), BTEqualStrategyNumber);
  const int column = ranked_column(counted);
  make_null_test(&table->not_null, column, SK_SEARCHNOTNULL);
  make_condition(&table->greater, index, column, BTGreaterStrategyNumber);
  make_condition(&table->less, index, column, BTLessStrategyNumber);
  make_condition(&table->same, index, column, BTEqualStrategyNumber);
  const int most = child_scan(counted->child).nkeys + columns_ + 2;
  table->keys = static_cast<ScanKeyData*>(palloc(static_cast<Size>(most) * sizeof(ScanKeyData)));
}

// A row that a snapshot sees does not go away.
void RankedTables::lost(const Table& table) {
  ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                  errmsg("index \"%s\": rows that were counted are gone",
                         RelationGetRelationName(table.table->task.index)),
                  errhint("Rebuild the index with REINDEX.")));
}

// ---- conditions

// Those of the child, and of the group.
void RankedTables::begin_keys(Table* table) {
  const ChildScan child = child_scan(table->table->child);
  table->nkeys = child.nkeys;
  std::copy_n(child.keys, child.nkeys, table->keys);
  for (int g = 0; g < columns_; g++) {
    if (group_[g].isnull) {
      ScanKeyData null;
      make_null_test(&null, list_nth_int(table->table->groups, g), SK_SEARCHNULL);
      add_key(table, null, Datum{0});
    } else {
      add_key(table, table->group[g], group_[g].value);
    }
  }
}

// Keys are in the order of columns.
void RankedTables::add_key(Table* table, const ScanKeyData& key, Datum value) {
  const auto by_column = [](const ScanKeyData& a, const ScanKeyData& b) { return a.sk_attno < b.sk_attno; };
  ScanKeyData* end = table->keys + table->nkeys++;
  ScanKeyData* at = std::upper_bound(table->keys, end, key, by_column);
  std::copy_backward(at, end, end + 1);
  *at = key;
  at->sk_argument = value;
}

template <class K>
RowFinder<K>* RankedTables::finder_among(Table* table) {
  RowFinder<K>* finder =
      begin_finder<K>(table->table, estate_, {table->keys, static_cast<Size>(table->nkeys)});
  // (It may without them.)
  if (!finder->may_count(std::numeric_limits<double>::infinity()))
    elog(ERROR, "rows that were counted cannot be counted again");
  return finder;
}

uint64 RankedTables::count(Table* table) {
  return with_key(table->table->words, [&]<class K>() {
    RowFinder<K>* finder = finder_among<K>(table);
    const uint64 rows = finder->count();
    finder->stop();
    return rows;
  });
}

// ---- tables that are read row by row

bool RankedTables::in_group(const Table& table, TupleTableSlot* row) const {
  TupleDesc tuple = row->tts_tupleDescriptor;
  for (int g = 0; g < columns_; g++) {
    bool isnull;
    const Datum value = slot_getattr(row, g + 1, &isnull);
    if (isnull != group_[g].isnull) return false;
    if (isnull) continue;
    TypeCacheEntry* type = lookup_type_cache(TupleDescAttr(tuple, g)->atttypid, TYPECACHE_CMP_PROC_FINFO);
    if (DatumGetInt32(FunctionCall2Coll(&type->cmp_proc_finfo, table.group[g].sk_collation, value,
                                        group_[g].value)) != 0)
      return false;
  }
  return true;
}

void RankedTables::read_rows(Table* table) {
  table->rows = GrownArray<Datum>();
  PlanState* child = table->table->child;
  ExecReScan(child);
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    TupleTableSlot* row = ExecProcNode(child);
    if (TupIsNull(row)) break;
    bool isnull;
    const Datum value = slot_getattr(row, table->table->attribute, &isnull);
    if (!isnull && in_group(*table, row)) table->rows.push(datumCopy(value, type_->typbyval, type_->typlen));
  }
  table->all = table->rows.size();
  if (table->all > 0) qsort_arg(table->rows.begin(), table->rows.size(), sizeof(Datum), compare_values, this);
}

int RankedTables::compare_values(const void* a, const void* b, void* tables) {
  return static_cast<const RankedTables*>(tables)->compare(*static_cast<const Datum*>(a),
                                                           *static_cast<const Datum*>(b));
}

// Of a table whose rows are there.
uint64 RankedTables::rows_before(const Table& table, Datum value, bool equal_too) const {
  Size lo = 0;
  Size hi = table.rows.size();
  while (lo < hi) {
    const Size middle = lo + (hi - lo) / 2;
    const int order = compare(table.rows[middle], value);
    if (order < 0 || (order == 0 && equal_too)) {
      lo = middle + 1;
    } else {
      hi = middle;
    }
  }
  return lo;
}

// ---- halving

void RankedTables::begin(const NullableDatum* group, uint64 values) {
  group_ = group;
  forget();
  MemoryContextReset(rows_context_);
  const MemoryContext before = MemoryContextSwitchTo(rows_context_);
  uint64 all = 0;
  for (Table& table : tables_) {
    if (table.table->by_rows) {
      read_rows(&table);
    } else if (!table.table->grouped()) {
      table.all = table.table->values;
    } else {
      begin_keys(&table);
      add_key(&table, table.not_null, Datum{0});
      table.all = count(&table);
    }
    all += table.all;
  }
  MemoryContextSwitchTo(before);
  if (all != values)
    ereport(ERROR,
            (errcode(ERRCODE_INDEX_CORRUPTED),
             errmsg("rows of several tables that were counted are not as many when they are counted again"),
             errhint("Find the index with learned_index_check().")));
}

void RankedTables::forget() {
  MemoryContextReset(context_);
  const MemoryContext before = MemoryContextSwitchTo(context_);
  known_ = GrownArray<Known>();
  MemoryContextSwitchTo(before);
}

uint64 RankedTables::rows_between(int t, const Between& between) const {
  const Table& table = tables_[static_cast<Size>(t)];
  const uint64 end = between.hi == nullptr ? table.all : between.hi->before[t];
  return end - (between.lo == nullptr ? 0 : between.lo->through[t]);
}

Datum RankedTables::row_between(int t, const Between& between, uint64 n) {
  Table* table = &tables_[static_cast<Size>(t)];
  if (table->table->by_rows) return table->rows[n + (between.lo == nullptr ? 0 : between.lo->through[t])];
  begin_keys(table);
  if (between.lo != nullptr) add_key(table, table->greater, between.lo->value);
  if (between.hi != nullptr) add_key(table, table->less, between.hi->value);
  if (between.lo == nullptr && between.hi == nullptr) add_key(table, table->not_null, Datum{0});
  return with_key(table->table->words, [&]<class K>() {
    RowFinder<K>* finder = finder_among<K>(table);
    FoundRow<K> row;
    if (!finder->find(n, &row)) finder->lost();
    finder->stop();
    Datum values[kMaxWords];
    bool isnull[kMaxWords];
    row_of_key<K>(counter_of<K>(table->table)->columns(), row.key(), values, isnull, &storage_);
    const int column = ranked_column(table->table);
    if (isnull[column]) finder->lost();
    return datumCopy(values[column], type_->typbyval, type_->typlen);
  });
}

int RankedTables::compare_middles(const void* a, const void* b, void* tables) {
  return static_cast<const RankedTables*>(tables)->compare(static_cast<const Middle*>(a)->value,
                                                           static_cast<const Middle*>(b)->value);
}

// A value that has no less than a quarter of what lies between on either side, counting itself for both.
Datum RankedTables::middle_of_all(const Between& between) {
  Size count = 0;
  uint64 all = 0;
  for (int t = 0; t < static_cast<int>(tables_.size()); t++) {
    const uint64 rows = rows_between(t, between);
    if (rows == 0) continue;
    middles_[count++] = {row_between(t, between, rows / 2), rows};
    all += rows;
  }
  qsort_arg(middles_, count, sizeof(Middle), compare_middles, this);
  Size at = 0;
  for (uint64 weight = middles_[0].weight; weight < all - weight; weight += middles_[at].weight) at++;
  return middles_[at].value;
}

RankedTables::Known RankedTables::measure(Datum value, const Between& between) {
  const Size bytes = tables_.size() * sizeof(uint64);
  Known known{value, static_cast<uint64*>(palloc(bytes)), static_cast<uint64*>(palloc(bytes)), 0, 0};
  for (int t = 0; t < static_cast<int>(tables_.size()); t++) {
    Table* table = &tables_[static_cast<Size>(t)];
    const uint64 rows = rows_between(t, between);
    const uint64 before = between.lo == nullptr ? 0 : between.lo->through[t];
    known.before[t] = known.through[t] = before;
    if (rows == 0) {
      // Nothing is there.
    } else if (table->table->by_rows) {
      known.before[t] = rows_before(*table, value, false);
      known.through[t] = rows_before(*table, value, true);
    } else {
      begin_keys(table);
      if (between.lo != nullptr) add_key(table, table->greater, between.lo->value);
      add_key(table, table->less, value);
      known.before[t] += count(table);
      begin_keys(table);
      add_key(table, table->same, value);
      known.through[t] = known.before[t] + count(table);
      if (known.through[t] > before + rows) lost(*table);
    }
    known.all_before += known.before[t];
    known.all_through += known.through[t];
  }
  return known;
}

Datum RankedTables::find(uint64 n) {
  constexpr Size kOfEachTable = 2 * sizeof(uint64) + sizeof(KeyStorage);
  if (known_.size() * (sizeof(Known) + tables_.size() * kOfEachTable) > static_cast<Size>(work_mem) * 1024)
    forget();
  const MemoryContext before = MemoryContextSwitchTo(context_);
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    const auto is_before = [](const Known& known, uint64 number) { return known.all_through <= number; };
    Known* at = std::lower_bound(known_.begin(), known_.end(), n, is_before);
    const bool last = at == known_.end();
    if (!last && at->all_before <= n) {
      MemoryContextSwitchTo(before);
      return at->value;
    }
    const Between between{at == known_.begin() ? nullptr : at - 1, last ? nullptr : at};
    const Known known = measure(middle_of_all(between), between);
    if (known.all_through == known.all_before) lost(tables_[0]);
    const auto number = at - known_.begin();
    known_.push(known);
    std::rotate(known_.begin() + number, known_.end() - 1, known_.end());
  }
}

}  // namespace learned
