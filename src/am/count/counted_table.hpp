// A table that LearnedAggregate counts: the child, an index scan that has its conditions, and who counts in its place, or adds up its rows where
// counting is not possible.
//
// Groups come one after the other, in the order of pages: find_group() goes to the next one that has rows, which is then at `at`.
#pragma once

#include "am/count/index_counter.hpp"
#include "am/count/measure_result.hpp"
#include "am/count/row_finder.hpp"

namespace learned {

// All is of palloc0().
struct CountedTable {
  PlanState* child;
  // What the planner says (aggregate_plan.hpp).
  CountTask task;
  List* groups;  // columns of the index
  bool folds;    // groups into those of the query, which have the same
  unsigned fold_words;
  int measures;
  WantedMeasure* wanted;
  int percentile;        // one of them, all of which are of one column; -1: there is none
  uint64 values;         // that it has in the last group that was merged with those of other tables
  AttrNumber attribute;  // of that column, in rows of the child

  unsigned words;        // of a key
  void* counter;         // IndexCounter<K>, made when rows are first asked for
  VisitedRows* visited;  // made where they are counted more than once
  bool begun;            // since the last rescan
  bool by_rows;          // the child is read
  uint32 at;             // the group that is given out next
  uint32 end;            // of those that may be
  // Of rows that are looked for by their number:
  void* finder;      // RowFinder<K>, made when there is one
  bool finding;      // since the last rescan
  uint64 looked_at;  // rows of the child, which is read anew

  // Not all rows are one group.
  bool grouped() const { return task.bucket != nullptr || task.group_words > 0; }
  // How many values a group is by.
  int columns() const { return list_length(groups) + (task.bucket != nullptr ? 1 : 0); }
};

void read_told(const List* told, CountedTable* table);

template <class K>
IndexCounter<K>* counter_of(const CountedTable* table) {
  return static_cast<IndexCounter<K>*>(table->counter);
}
template <class K>
RowFinder<K>* finder_of(const CountedTable* table) {
  return static_cast<RowFinder<K>*>(table->finder);
}
// Calls f(what there is of counter and finder).
template <class F>
void with_counters(const CountedTable* table, F&& f) {
  if (table->counter != nullptr) with_key(table->words, [&]<class K>() { f(counter_of<K>(table)); });
  if (table->finder != nullptr) with_key(table->words, [&]<class K>() { f(finder_of<K>(table)); });
}

inline const KeyColumn* column_of(const KeyColumns& columns, const WantedMeasure& wanted) {
  return wanted.column < 0 ? nullptr : &columns.column[wanted.column];
}

// False: there are no more groups that have rows.
template <class K>
bool find_group(CountedTable* table, EState* estate);
// The group that was found.
template <class K>
const CountedGroup<K>& group_of(const CountedTable* table) {
  return counter_of<K>(table)->groups().at(table->at);
}
// The values that it is by. `storage` must live as long as they.
template <class K>
void values_of_group(const CountedTable* table, RowStorage* storage, NullableDatum* result);
// What an aggregate adds up of it. `value`: the last one of these values.
template <class K>
Measure measure_of_group(const CountedTable* table, const WantedMeasure& wanted, const NullableDatum& value);

// Has the finder begin with these conditions, which must stay.
template <class K>
RowFinder<K>* begin_finder(CountedTable* table, EState* estate, std::span<const ScanKeyData> keys);
// What percentiles are of, in the row before which there are n others. REQUIRES: n greater than at the last call, whose value is not valid any more.
template <class K>
Datum value_of_row(CountedTable* table, EState* estate, uint64 n, RowStorage* storage);

}  // namespace learned
