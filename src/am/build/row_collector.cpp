#include "am/build/row_collector.hpp"

#include "am/server/table_tids.hpp"
#include "am/write/unique.hpp"

namespace learned {
namespace {

// Of the memory, the fraction 1 / kNullShare that the sorter of keys leaves to the sorter of NULLs. Without NULLs
// it stays unused; with many, they also take what the keys do not need.
constexpr std::size_t kNullShare = 16;

}  // namespace

double expected_rows(Relation heap, const IndexInfo& index_info) {
  if (index_info.ii_Predicate != NIL) return 0;
  BlockNumber pages;
  double rows;
  double all_visible;
  estimate_rel_size(heap, nullptr, &pages, &rows, &all_visible);
  return rows;
}

template <class K>
void RowCollector<K>::open(Relation index, bool unique, std::size_t memory_bytes, double expected) {
  columns_ = key_columns_of(index);
  for (unsigned c = 0; c < columns_.count; c++) {
    KeyMapping* mapping = columns_.column[c].type.mapping;
    samples_[c] = mapping != nullptr ? MappingSample::create(mapping) : nullptr;
  }
  unique_ = unique;
  memory_.free_bytes = memory_bytes;
  // NULLs among several columns are keys like others.
  constexpr bool plain = KeyTraits<K>::kWords == 1;
  // A little more, as the table may have grown since it was counted.
  const auto entries = static_cast<std::size_t>(std::clamp(expected * 1.05, 0.0, 1e12));
  sorters_[static_cast<int>(TreeId::keys)] =
      BasicEntrySorter<K>::create(&memory_, plain ? memory_bytes / kNullShare : 0, entries);
  sorters_[static_cast<int>(TreeId::nulls)] = BasicEntrySorter<K>::create(&memory_, 0, 0);
}

template <class K>
double RowCollector<K>::collect(Relation heap, Relation index, IndexInfo* index_info, bool report_progress,
                                TableScanDesc scan) {
  // Not a synchronized scan, which may begin in the middle of the table: TIDs shall ascend. For a parallel scan
  // that was said when it was set up, and must not be said again.
  const bool allow_sync = scan != nullptr;
  const double rows =
      table_index_build_scan(heap, index, index_info, allow_sync, report_progress, add_row, this, scan);
  if (columns_.mapped) {
    for (unsigned c = 0; c < columns_.count; c++) {
      if (samples_[c] != nullptr) samples_[c]->check();
    }
  }
  return rows;
}

template <class K>
void RowCollector<K>::sample(const Datum* values, const bool* isnull) {
  for (unsigned c = 0; c < columns_.count; c++) {
    if (samples_[c] != nullptr && !isnull[c]) samples_[c]->look_at(values[c]);
  }
}

template <class K>
void RowCollector<K>::finish() {
  for (BasicEntrySorter<K>* sorter : sorters_) sorter->finish();
}

template <class K>
std::uint64_t RowCollector<K>::total() const {
  std::uint64_t total = 0;
  for (const BasicEntrySorter<K>* sorter : sorters_) total += sorter->total();
  return total;
}

// Called for every row that the index must have: those that the predicate admits, of each HOT chain the
// root, and recently dead ones too, which old snapshots may still look for.
template <class K>
void RowCollector<K>::add_row(Relation /*index*/, ItemPointer tid, Datum* values, bool* isnull, bool is_alive,
                              void* state) {
  auto* rows = static_cast<RowCollector*>(state);
  Tid packed = tid_of(*tid);
  if (rows->unique_) packed = tagged(packed, is_alive);
  const RowKey<K> row = key_of_row<K>(rows->columns_, values, isnull);
  if constexpr (KeyTraits<K>::kWords > 1) {
    if (rows->columns_.mapped) [[unlikely]]
      rows->sample(values, isnull);
  }
  rows->sorters_[static_cast<int>(row.tree)]->add(row.key, packed);
}

#define LEARNED_ROW_COLLECTOR(K) template class RowCollector<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_ROW_COLLECTOR)
#undef LEARNED_ROW_COLLECTOR

}  // namespace learned
