// Which blocks of a table have rows that not everybody sees: its visibility map, as counting may believe it.
//
// An entry that is in its leaf while the bit of its block is set is visible to every snapshot that was taken before (src/README.md, "Counting", has the proof).
// That is known of a bit in two ways:
//   live    read while the leaf is locked
//   copied  read when the map was copied, if the leaf has not changed since before then: its LSN is at most the position that the WAL had come to
//           before the copy was begun. Not where changes of leaves are not logged.
// A copy is good for one snapshot only, or older ones: what a later one sees deleted may have cleared its bit since.
#pragma once

#include "am/server/server.hpp"
#include "core/count/open_blocks.hpp"

namespace learned {

class HeapVisibility {
 public:
  // Memory comes from the context. `logged`: changes of the index are.
  HeapVisibility(Relation heap, bool logged, MemoryContext context)
      : heap_(heap), logged_(logged), context_(context) {}

  // Copies the map. REQUIRES: no content lock is held.
  void copy();
  bool copied() const { return copied_; }
  // The copy is not to be used any more: another snapshot comes.
  void forget() { copied_ = false; }
  // Lets go of the map's page.
  void release();

  // Whether the copy may be believed for a leaf that is locked for share. (Others may set hints in it meanwhile, and with them its LSN.)
  bool holds_for(Buffer leaf) const { return copied_ && logged_ && BufferGetLSNAtomic(leaf) <= before_copy_; }
  const OpenBlocks& copy_of_map() const { return blocks_; }
  // Whether it is worth while to copy the map for so many entries.
  bool worth_copying(uint64 entries) { return logged_ && entries > kEntriesPerPage * map_pages(); }

  // Live: REQUIRES: the leaf that has an entry for the block is locked.
  bool is_open(BlockNumber block) {
    return (visibilitymap_get_status(heap_, block, &page_) & VISIBILITYMAP_ALL_VISIBLE) == 0;
  }

 private:
  // To copy a page of the map takes as long as to look at so many bits.
  static constexpr uint64 kEntriesPerPage = 128;
  static constexpr uint32 kMapBytes = BLCKSZ - MAXALIGN(SizeOfPageHeaderData);
  static constexpr uint32 kBlocksPerPage = kMapBytes * 8 / BITS_PER_HEAPBLOCK;
  static_assert(kMapBytes % 8 == 0 && kBlocksPerPage % 32 == 0);

  // Of the map.
  uint64 map_pages();
  void copy_page(BlockNumber first, BlockNumber count);

  Relation heap_;
  bool logged_;
  MemoryContext context_;
  bool copied_ = false;
  uint32 pages_ = 0;  // of the map; 0: not known yet
  XLogRecPtr before_copy_ = InvalidXLogRecPtr;
  Buffer page_ = InvalidBuffer;  // of the map, the last that was looked at
  OpenBlocks blocks_;
  uint64* memory_ = nullptr;
  std::size_t capacity_ = 0;
};

// What a LeafTally asks.
class LiveBlocks {
 public:
  explicit LiveBlocks(HeapVisibility* heap) : heap_(heap) {}

  static constexpr bool none() { return false; }

  bool is_open(BlockNumber block) const {
    if (block != last_) {
      last_open_ = heap_->is_open(block);
      last_ = block;
    }
    return last_open_;
  }
  bool any_open(BlockNumber lo, BlockNumber hi) const {
    if (lo > hi || hi - lo >= kMost) return true;
    for (BlockNumber block = lo; block <= hi; block++) {
      if (is_open(block)) return true;
    }
    return false;
  }

 private:
  // More are not asked for, one by one.
  static constexpr BlockNumber kMost = 4;

  HeapVisibility* heap_;
  mutable BlockNumber last_ =
      InvalidBlockNumber;  // what is known of a block stays right while the leaf is locked
  mutable bool last_open_ = true;
};

}  // namespace learned
