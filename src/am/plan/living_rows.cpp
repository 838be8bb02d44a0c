#include "am/plan/living_rows.hpp"

namespace learned {

bool LivingRows::all_visible(BlockNumber block) {
  return block < blocks_ &&
         (visibilitymap_get_status(table_, block, &map_page_) & VISIBILITYMAP_ALL_VISIBLE) != 0;
}

bool LivingRows::has(Tid tid) {
  const BlockNumber block = tid_block(tid);
  if (block >= blocks_) return true;
  SnapshotData snapshot;
  InitNonVacuumableSnapshot(snapshot, GlobalVisTestFor(table_));
  ItemPointerData pointer;
  ItemPointerSet(&pointer, block, tid_offset(tid));
  HeapTupleData row;
  // (Not by the table's own fetch, which makes a slot for what nobody looks at: most plans need one row.)
  page_ = ReleaseAndReadBuffer(page_, table_, block);
  LockBuffer(page_, BUFFER_LOCK_SHARE);
  const bool found = heap_hot_search_buffer(&pointer, table_, page_, &snapshot, &row, nullptr, true);
  LockBuffer(page_, BUFFER_LOCK_UNLOCK);
  return found;
}

void LivingRows::release() {
  if (BufferIsValid(map_page_)) ReleaseBuffer(map_page_);
  if (BufferIsValid(page_)) ReleaseBuffer(page_);
  map_page_ = page_ = InvalidBuffer;
}

}  // namespace learned
