// Rows of a table are fetched into the processor's cache before the server asks for them.
//
// With everything in shared buffers, most of the time of an index scan in random heap order passes in waiting for
// memory, one cache miss after another: the buffer table, the buffer's descriptor, the page, the line pointer, the
// row. The index knows the next TIDs. A backend remembers in which buffers heap pages were, as the server returned
// them, and fetches what a visit will touch while earlier rows are still at work. Nothing of the table is read here,
// and nothing is believed: a page that has moved costs a few useless fetches.
#pragma once

#include "am/server/table_tids.hpp"

extern "C" {
#include "access/heapam.h"
#include "storage/buf_internals.h"
}

namespace learned {

class HeapPrefetch {
 public:
  // A scan of a heap in shared buffers that will visit it; others are left alone.
  void start(IndexScanDesc scan) {
    const Relation heap = scan->heapRelation;
    active_ = !scan->xs_want_itup && heap != nullptr && scan->xs_heapfetch != nullptr && is_heap(heap) &&
              !RelationUsesLocalBuffers(heap);
    if (!active_) return;
    salt_ = heap->rd_id * 2654435769u;
    visited_ = InvalidBlockNumber;
    fetched_ = InvalidBlockNumber;
  }
  bool active() const { return active_; }

  // The server visited the TID that was returned last: remembers the buffer.
  void learn(IndexScanDesc scan) {
    if (visited_ == InvalidBlockNumber) return;
    const auto* fetch = reinterpret_cast<const IndexFetchHeapData*>(scan->xs_heapfetch);
    if (BufferIsValid(fetch->xs_cbuf)) buffers[slot_of(visited_)] = fetch->xs_cbuf;
  }
  void visit(Tid tid) { visited_ = tid_block(tid); }

  // Begins to fetch what a visit to `tid` touches. (Inlined by force: g++ takes a function that only prefetches for
  // one without effect.)
  [[gnu::always_inline]] void fetch(Tid tid) {
    const BlockNumber block = tid_block(tid);
    const unsigned offset = tid_offset(tid);
    if (offset > highest_offset_) highest_offset_ = offset;
    const bool same_page = block == fetched_;
    fetched_ = block;
    const Buffer buffer = buffers[slot_of(block)];
    if (buffer <= 0 || buffer > NBuffers) return;
    const auto* page = reinterpret_cast<const char*>(BufferBlocks) + static_cast<Size>(buffer - 1) * BLCKSZ;
    if (!same_page) {
      __builtin_prefetch(GetBufferDescriptor(buffer - 1));
      __builtin_prefetch(page);
    }
    __builtin_prefetch(page + SizeOfPageHeaderData +
                       (offset - 1) % MaxHeapTuplesPerPage * sizeof(ItemIdData));
    // Rows of one width that came in order lie in order, from the page's end on.
    const unsigned rows = highest_offset_ < MaxHeapTuplesPerPage ? highest_offset_ : MaxHeapTuplesPerPage;
    const Size width =
        ((BLCKSZ - SizeOfPageHeaderData) / rows - sizeof(ItemIdData)) & ~Size{MAXIMUM_ALIGNOF - 1};
    if (offset <= rows) __builtin_prefetch(page + BLCKSZ - offset * width);
  }

 private:
  static constexpr uint32 kSlots =
      1 << 20;  // heap pages that are remembered: eight gigabytes; what is used of it takes memory
  static Buffer buffers[kSlots];

  uint32 slot_of(BlockNumber block) const { return (block + (salt_ >> 12)) % kSlots; }

  bool active_ = false;
  uint32 salt_ = 0;
  unsigned highest_offset_ = 0;  // seen so far
  BlockNumber visited_ = InvalidBlockNumber;
  BlockNumber fetched_ = InvalidBlockNumber;
};
static_assert(std::is_trivially_destructible_v<HeapPrefetch>);

}  // namespace learned
