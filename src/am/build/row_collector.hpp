// The first half of a build, the same in every process that takes part: scan the table, or a share of it, and
// sort what the index is to hold.
#pragma once

#include "am/build/entry_sorter.hpp"
#include "am/build/mapping_sample.hpp"
#include "am/key/key_columns.hpp"
#include "am/server/server.hpp"

namespace learned {

// Subphases in pg_stat_progress_create_index; the first is the server's.
enum BuildPhase : int64 {
  kPhaseInitializing = PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE,
  kPhaseScanning = 2,
  kPhaseSorting = 3,
  kPhaseWriting = 4,
};

// How many rows the planner expects of a table; 0 if an index of it is to have but some of them.
double expected_rows(Relation heap, const IndexInfo& index_info);

template <class K>
class RowCollector {
 public:
  // For a unique index, TIDs are collected as UniqueBuild wants them. `memory_bytes` is what all sorters may take
  // together; `expected` is an estimate of the rows, 0 if there is none.
  void open(Relation index, bool unique, std::size_t memory_bytes, double expected);

  // Scans the whole table, or this process's share of a parallel scan, which is ended. Returns the number of
  // rows that the table has there.
  double collect(Relation heap, Relation index, IndexInfo* index_info, bool report_progress,
                 TableScanDesc scan);

  // Sorts what was collected. EntrySorter::finish() for each sorter instead does it tree by tree.
  void finish();

  BasicEntrySorter<K>* sorter(TreeId tree) { return sorters_[static_cast<int>(tree)]; }

  // How many entries the index gets from here.
  std::uint64_t total() const;

 private:
  static void add_row(Relation index, ItemPointer tid, Datum* values, bool* isnull, bool is_alive,
                      void* state);

  void sample(const Datum* values, const bool* isnull);

  KeyColumns columns_;
  MappingSample* samples_[kMaxWords];  // of columns whose type is not known; else nullptr
  bool unique_;
  SortMemory memory_;
  BasicEntrySorter<K>* sorters_[kTreeCount];
};
static_assert(std::is_trivially_destructible_v<RowCollector<Code>>);

}  // namespace learned
