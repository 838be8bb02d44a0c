// Visits rows of a table by the TIDs that an index has, whatever access method the table has.
//
// A heap's are visited as heapam does it, but without a slot, which nobody looks at, and those of a block together.
#pragma once

#include "am/server/table_tids.hpp"
#include "core/base/key.hpp"

namespace learned {

class RowVisits {
 public:
  // What it needs is made in the context when the first row is visited.
  RowVisits(Relation table, MemoryContext context)
      : table_(table), context_(context), heap_(is_heap(table)) {}

  // Whether the snapshot sees a row version of those that an entry stands for; found() is its TID then. REQUIRES: no content lock is held.
  bool visible(Tid tid, Snapshot snapshot);
  Tid found() const { return found_; }
  // Leaves those of the entries, which have a TID as code, that are visible(), in front. Returns how many. REQUIRES: they ascend.
  uint32 keep_visible(std::span<Entry> rows, Snapshot snapshot);

  // Lets go of the last row's page.
  void rest();
  // Lets go of the table. Visits may begin anew.
  void end();

 private:
  void go_to(BlockNumber block);
  bool search(Tid tid, Snapshot snapshot);
  bool fetch(Tid tid, Snapshot snapshot);

  Relation table_;
  MemoryContext context_;
  bool heap_;
  Tid found_ = 0;
  Buffer page_ = InvalidBuffer;  // of a heap
  // Of another table:
  IndexFetchTableData* fetch_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
};
static_assert(std::is_trivially_destructible_v<RowVisits>);

}  // namespace learned
