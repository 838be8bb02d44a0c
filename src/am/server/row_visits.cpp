#include "am/server/row_visits.hpp"

#include "am/server/compat.hpp"

namespace learned {

void RowVisits::go_to(BlockNumber block) {
  const Buffer before = page_;
  page_ = ReleaseAndReadBuffer(page_, table_, block);
  if (page_ != before) compat::prune_page(table_, page_);
}

// REQUIRES: the heap's page is locked.
bool RowVisits::search(Tid tid, Snapshot snapshot) {
  ItemPointerData pointer = pointer_of(tid);
  HeapTupleData row;
  if (!heap_hot_search_buffer(&pointer, table_, page_, snapshot, &row, nullptr, true)) return false;
  found_ = tid_of(pointer);
  return true;
}

bool RowVisits::fetch(Tid tid, Snapshot snapshot) {
  if (fetch_ == nullptr) {
    const MemoryContext before = MemoryContextSwitchTo(context_);
    fetch_ = compat::begin_index_fetch(table_);
    slot_ = table_slot_create(table_, nullptr);
    MemoryContextSwitchTo(before);
  }
  ItemPointerData pointer = pointer_of(tid);
  bool again = false;
  bool all_dead = false;
  if (!table_index_fetch_tuple(fetch_, &pointer, snapshot, slot_, &again, &all_dead)) return false;
  found_ = tid_of(slot_->tts_tid);
  return true;
}

bool RowVisits::visible(Tid tid, Snapshot snapshot) {
  CHECK_FOR_INTERRUPTS();
  if (!heap_) return fetch(tid, snapshot);
  go_to(tid_block(tid));
  LockBuffer(page_, BUFFER_LOCK_SHARE);
  const bool found = search(tid, snapshot);
  LockBuffer(page_, BUFFER_LOCK_UNLOCK);
  return found;
}

uint32 RowVisits::keep_visible(std::span<Entry> rows, Snapshot snapshot) {
  uint32 kept = 0;
  for (Size i = 0; i < rows.size();) {
    if (!heap_) {
      if (visible(rows[i].code, snapshot)) rows[kept++] = rows[i];
      i++;
      continue;
    }
    CHECK_FOR_INTERRUPTS();
    const BlockNumber block = tid_block(rows[i].code);
    go_to(block);
    LockBuffer(page_, BUFFER_LOCK_SHARE);
    for (; i < rows.size() && tid_block(rows[i].code) == block; i++) {
      if (search(rows[i].code, snapshot)) rows[kept++] = rows[i];
    }
    LockBuffer(page_, BUFFER_LOCK_UNLOCK);
  }
  return kept;
}

void RowVisits::rest() {
  if (BufferIsValid(page_)) ReleaseBuffer(page_);
  page_ = InvalidBuffer;
  if (fetch_ == nullptr) return;
  ExecClearTuple(slot_);
  table_index_fetch_reset(fetch_);
}

void RowVisits::end() {
  rest();
  if (fetch_ == nullptr) return;
  ExecDropSingleTupleTableSlot(slot_);
  table_index_fetch_end(fetch_);
  fetch_ = nullptr;
  slot_ = nullptr;
}

}  // namespace learned
