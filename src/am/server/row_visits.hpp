// Visits rows of a table by the TIDs that an index has.
#pragma once

#include "am/server/compat.hpp"
#include "core/base/types.hpp"

namespace learned {

class RowVisits {
 public:
  // What it needs is made in the context when the first row is visited.
  RowVisits(Relation heap, MemoryContext context) : heap_(heap), context_(context) {}

  // Whether the snapshot sees a row version of those that an entry stands for; found() is its TID then.
  bool visible(Tid tid, Snapshot snapshot) {
    CHECK_FOR_INTERRUPTS();
    if (fetch_ == nullptr) begin();
    ItemPointerData pointer;
    ItemPointerSet(&pointer, tid_block(tid), tid_offset(tid));
    bool again = false;
    bool all_dead = false;
    return table_index_fetch_tuple(fetch_, &pointer, snapshot, slot_, &again, &all_dead);
  }
  Tid found() const {
    return make_tid(ItemPointerGetBlockNumber(&slot_->tts_tid), ItemPointerGetOffsetNumber(&slot_->tts_tid));
  }

  // Lets go of the last row's page.
  void rest() {
    if (fetch_ == nullptr) return;
    ExecClearTuple(slot_);
    table_index_fetch_reset(fetch_);
  }
  // Lets go of the table. Visits may begin anew.
  void end() {
    if (fetch_ == nullptr) return;
    ExecDropSingleTupleTableSlot(slot_);
    table_index_fetch_end(fetch_);
    fetch_ = nullptr;
    slot_ = nullptr;
  }

 private:
  void begin() {
    const MemoryContext before = MemoryContextSwitchTo(context_);
    fetch_ = compat::begin_index_fetch(heap_);
    slot_ = table_slot_create(heap_, nullptr);
    MemoryContextSwitchTo(before);
  }

  Relation heap_;
  MemoryContext context_;
  IndexFetchTableData* fetch_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
};
static_assert(std::is_trivially_destructible_v<RowVisits>);

}  // namespace learned
