// Which rows of a table VACUUM would have to keep: what the planner's own look at a column's end goes by.
#pragma once

#include "am/server/row_visits.hpp"

namespace learned {

class LivingRows {
 public:
  // Looks at nothing yet. A heap has so many blocks at least; what is behind them is new, and lives.
  LivingRows(Relation table, BlockNumber blocks)
      : table_(table),
        blocks_(is_heap(table) ? blocks : InvalidBlockNumber),
        rows_(table, CurrentMemoryContext) {}

  // Whether the row at a place is one: not dead to every transaction. REQUIRES: no content lock is held.
  bool has(Tid tid);
  // The same, without reading the row if the visibility map knows: cheaper where rows are all over the table.
  bool has_somewhere(Tid tid) { return all_visible(tid_block(tid)) || has(tid); }
  void release();

 private:
  bool all_visible(BlockNumber block);

  Relation table_;
  BlockNumber blocks_;
  RowVisits rows_;
  Buffer map_page_ = InvalidBuffer;
};

}  // namespace learned
