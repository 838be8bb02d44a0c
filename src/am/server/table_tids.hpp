// What TIDs of a table can be, which may have another access method than heap.
#pragma once

#include "am/server/server.hpp"
#include "core/base/types.hpp"

namespace learned {

// Only of a heap is it known what a TID means: a place in a block of its file.
inline bool is_heap(Relation table) { return table->rd_tableam == GetHeapamTableAmRoutine(); }

// No TID of the table is in this block or behind it.
inline BlockNumber end_of_tids(Relation table) {
  return is_heap(table) ? RelationGetNumberOfBlocks(table) : InvalidBlockNumber;
}

// The same as this session saw it last, without a system call; 0: it never did. What is before it is within the table
// still, for whoever has the table locked: a truncation is told to all sessions before its lock is given back, and
// makes them forget the length (CacheInvalidateSmgr in smgrtruncate).
inline BlockNumber known_end_of_tids(Relation table) {
  if (!is_heap(table)) return InvalidBlockNumber;
  const BlockNumber known = RelationGetSmgr(table)->smgr_cached_nblocks[MAIN_FORKNUM];
  return known == InvalidBlockNumber ? 0 : known;
}

inline ItemPointerData pointer_of(Tid tid) {
  ItemPointerData pointer;
  ItemPointerSet(&pointer, tid_block(tid), tid_offset(tid));
  return pointer;
}
inline Tid tid_of(const ItemPointerData& pointer) {
  return make_tid(ItemPointerGetBlockNumberNoCheck(&pointer), ItemPointerGetOffsetNumberNoCheck(&pointer));
}

// Tells TIDs that a table cannot have, which are damage. Under a lock of ours it only grows: its length
// is asked for once, and for what seems to lie beyond it.
class TidLimit {
 public:
  bool admits(Relation table, Tid tid) {
    if (tid_block(tid) >= end_) end_ = known_end_of_tids(table);
    if (tid_block(tid) >= end_) end_ = end_of_tids(table);
    return tid_block(tid) < end_ && tid_offset(tid) != 0;
  }

 private:
  BlockNumber end_ = 0;
};

}  // namespace learned
