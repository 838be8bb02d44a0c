// Rows by their number in a group that several tables have, each counted by an index of its own: the value before which there are n others.
//
//   begin(group)   the values that the group is by
//   find(n)        of what percentiles are of, without NULLs
//
// It is found by halving what lies between values of which it is known how many rows each table has before them: src/README.md, "Percentiles".
#pragma once

#include "am/count/counted_table.hpp"
#include "am/server/grown_array.hpp"

namespace learned {

class RankedTables {
 public:
  // The tables have been counted once. Groups are by so many `columns`, the first of each child's rows.
  RankedTables(std::span<CountedTable> tables, int columns, EState* estate);

  // `values`: how many there are in all tables, as was counted. The group's values must stay.
  void begin(const NullableDatum* group, uint64 values);
  // From the least one on, numbered from 0. It is valid until the next call. REQUIRES: n is less than `values`.
  Datum find(uint64 n);

 private:
  // How many rows of the group lie before a value, and how many before those behind it, in each table and in all.
  struct Known {
    Datum value;
    uint64* before;
    uint64* through;
    uint64 all_before;
    uint64 all_through;
  };
  // What lies strictly between two of them, of which there may be none.
  struct Between {
    const Known* lo;
    const Known* hi;
  };
  // A row, and how many rows of its table it is in the middle of.
  struct Middle {
    Datum value;
    uint64 weight;
  };
  struct Table {
    explicit Table(CountedTable* counted) : table(counted) {}

    CountedTable* table;
    uint64 all = 0;  // rows of the group
    // Conditions on the columns of groups, and on the column that percentiles are of.
    ScanKeyData group[kMaxWords];
    ScanKeyData not_null;
    ScanKeyData greater;
    ScanKeyData less;
    ScanKeyData same;
    // Those of the child, and what narrows them.
    ScanKeyData* keys = nullptr;
    int nkeys = 0;
    // Where rows are read one by one: their values, in order.
    GrownArray<Datum> rows;
  };
  static_assert(std::is_trivially_destructible_v<Table>);

  void make_conditions(Table* table);
  void read_rows(Table* table);
  void forget();
  bool in_group(const Table& table, TupleTableSlot* row) const;
  void begin_keys(Table* table);
  void add_key(Table* table, const ScanKeyData& key, Datum value);
  template <class K>
  RowFinder<K>* finder_among(Table* table);
  uint64 count(Table* table);
  Datum row_between(int t, const Between& between, uint64 n);
  uint64 rows_between(int t, const Between& between) const;
  Datum middle_of_all(const Between& between);
  Known measure(Datum value, const Between& between);
  uint64 rows_before(const Table& table, Datum value, bool equal_too) const;
  int compare(Datum a, Datum b) const {
    return DatumGetInt32(FunctionCall2Coll(&type_->cmp_proc_finfo, InvalidOid, a, b));
  }
  static int compare_values(const void* a, const void* b, void* tables);
  static int compare_middles(const void* a, const void* b, void* tables);
  [[noreturn]] static void lost(const Table& table);

  EState* estate_;
  int columns_;
  const NullableDatum* group_ = nullptr;
  TypeCacheEntry* type_ = nullptr;  // of the values
  std::span<Table> tables_;
  Middle* middles_;
  RowStorage storage_;
  MemoryContext rows_context_;
  // What is known of the group, in the order of values: in a context of its own.
  MemoryContext context_;
  GrownArray<Known> known_;
};
static_assert(std::is_trivially_destructible_v<RankedTables>);

}  // namespace learned
