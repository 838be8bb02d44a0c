// Which rows of a table VACUUM would have to keep: what the planner's own look at a column's end goes by.
#pragma once

#include "am/server/server.hpp"
#include "core/base/types.hpp"

namespace learned {

class LivingRows {
 public:
  // Looks at nothing yet.
  explicit LivingRows(Relation table) : table_(table) {}

  // Whether the row at a place is one: not dead to every transaction. REQUIRES: no content lock is held.
  bool has(Tid tid);
  void release();

 private:
  Relation table_;
  BlockNumber blocks_ = 0;
  Buffer map_page_ = InvalidBuffer;
  IndexFetchTableData* fetch_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
  SnapshotData snapshot_{};
};

}  // namespace learned
