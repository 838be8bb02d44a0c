#include "am/plan/living_rows.hpp"

namespace learned {

// (The server's index-only scans ask the map of any table, too. One that has none has no such blocks.)
bool LivingRows::all_visible(BlockNumber block) {
  return block < blocks_ &&
         (visibilitymap_get_status(table_, block, &map_page_) & VISIBILITYMAP_ALL_VISIBLE) != 0;
}

bool LivingRows::has(Tid tid) {
  if (tid_block(tid) >= blocks_) return true;
  SnapshotData snapshot;
  InitNonVacuumableSnapshot(snapshot, GlobalVisTestFor(table_));
  return rows_.visible(tid, &snapshot);
}

void LivingRows::release() {
  if (BufferIsValid(map_page_)) ReleaseBuffer(map_page_);
  map_page_ = InvalidBuffer;
  rows_.end();
}

}  // namespace learned
