#include "am/count/suspect_rows.hpp"

namespace learned {

template <class K>
SuspectRows<K>::SuspectRows(Relation heap, bool with_keys, MemoryContext context)
    : heap_(heap), visits_(heap, context), with_keys_(with_keys), context_(context) {
  // Twice the entries, for the sort.
  const Size bytes = 2 * sizeof(Entry) + sizeof(Group) + (with_keys ? sizeof(K) : 0);
  limit_ = static_cast<uint32>(std::clamp<Size>(static_cast<Size>(work_mem) * 1024 / bytes, 1024, 1 << 24));
}

template <class K>
void SuspectRows<K>::grow() {
  const uint32 capacity = capacity_ == 0 ? 256 : capacity_ * 2;
  const auto allocate = [this, capacity]<class T>(T** array) {
    const Size bytes = Size{capacity} * sizeof(T);
    *array = static_cast<T*>(*array == nullptr ? MemoryContextAllocHuge(context_, bytes)
                                               : repalloc_huge(*array, bytes));
  };
  allocate(&rows_);
  allocate(&groups_);
  if (with_keys_) allocate(&keys_);
  capacity_ = capacity;
}

template <class K>
void SuspectRows<K>::sort() {
  if (sorted_) return;
  const Size scratch = least_sort_scratch(size_);
  auto* memory = static_cast<Entry*>(MemoryContextAllocHuge(context_, scratch * sizeof(Entry)));
  sort_entries<Code>({rows_, size_}, {memory, scratch}, {[](void*) { CHECK_FOR_INTERRUPTS(); }, nullptr});
  pfree(memory);
}

namespace {

ItemPointerData pointer_of(Tid tid) {
  ItemPointerData pointer;
  ItemPointerSet(&pointer, tid_block(tid), tid_offset(tid));
  return pointer;
}

}  // namespace

template <class K>
uint32 SuspectRows<K>::keep_seen(Snapshot snapshot) {
  return heap_->rd_tableam == GetHeapamTableAmRoutine() ? keep_seen_of_heap(snapshot)
                                                        : keep_seen_of_others(snapshot);
}

// What heapam does for one entry, for all of a block: it is locked once.
template <class K>
uint32 SuspectRows<K>::keep_seen_of_heap(Snapshot snapshot) {
  uint32 kept = 0;
  Buffer buffer = InvalidBuffer;
  for (uint32 i = 0; i < size_;) {
    CHECK_FOR_INTERRUPTS();
    const BlockNumber block = tid_block(rows_[i].code);
    buffer = ReleaseAndReadBuffer(buffer, heap_, block);
    compat::prune_page(heap_, buffer);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    for (; i < size_ && tid_block(rows_[i].code) == block; i++) {
      ItemPointerData pointer = pointer_of(rows_[i].code);
      HeapTupleData row;
      if (heap_hot_search_buffer(&pointer, heap_, buffer, snapshot, &row, nullptr, true))
        rows_[kept++] = rows_[i];
    }
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  }
  ReleaseBuffer(buffer);
  return kept;
}

template <class K>
uint32 SuspectRows<K>::keep_seen_of_others(Snapshot snapshot) {
  uint32 kept = 0;
  for (uint32 i = 0; i < size_; i++) {
    if (visits_.visible(rows_[i].code, snapshot)) rows_[kept++] = rows_[i];
  }
  visits_.rest();
  return kept;
}

template <class K>
void SuspectRows<K>::release() {
  if (rows_ != nullptr) {
    pfree(rows_);
    pfree(groups_);
    if (with_keys_) pfree(keys_);
  }
  rows_ = nullptr;
  groups_ = nullptr;
  keys_ = nullptr;
  size_ = capacity_ = 0;
  visits_.end();
}

#define LEARNED_SUSPECT_ROWS(K) template class SuspectRows<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_SUSPECT_ROWS)
#undef LEARNED_SUSPECT_ROWS

}  // namespace learned
