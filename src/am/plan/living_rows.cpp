#include "am/plan/living_rows.hpp"

#include "am/server/compat.hpp"

namespace learned {

bool LivingRows::has(Tid tid) {
  const BlockNumber block = tid_block(tid);
  if (block >= blocks_) blocks_ = RelationGetNumberOfBlocks(table_);
  // (Then the page of the index is of another table's, and whoever scans it will say so.)
  if (block >= blocks_) return true;
  if ((visibilitymap_get_status(table_, block, &map_page_) & VISIBILITYMAP_ALL_VISIBLE) != 0) return true;
  if (fetch_ == nullptr) {
    fetch_ = compat::begin_index_fetch(table_);
    slot_ = table_slot_create(table_, nullptr);
    InitNonVacuumableSnapshot(snapshot_, GlobalVisTestFor(table_));
  }
  ItemPointerData pointer;
  ItemPointerSet(&pointer, block, tid_offset(tid));
  bool again = false;
  bool all_dead = false;
  return table_index_fetch_tuple(fetch_, &pointer, &snapshot_, slot_, &again, &all_dead);
}

void LivingRows::release() {
  if (BufferIsValid(map_page_)) ReleaseBuffer(map_page_);
  map_page_ = InvalidBuffer;
  if (fetch_ == nullptr) return;
  ExecDropSingleTupleTableSlot(slot_);
  table_index_fetch_end(fetch_);
  fetch_ = nullptr;
}

}  // namespace learned
