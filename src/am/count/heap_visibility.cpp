#include "am/count/heap_visibility.hpp"

#include "am/server/page_access.hpp"
#include "am/server/table_tids.hpp"

namespace learned {

namespace {

// Of 32 blocks, two bits each, those whose lower bit is not set.
uint32 open_of(uint64 bits) {
  static_assert(BITS_PER_HEAPBLOCK == 2 && VISIBILITYMAP_ALL_VISIBLE == 1);
  uint64 x = ~bits & UINT64CONST(0x5555555555555555);
  x = (x | x >> 1) & UINT64CONST(0x3333333333333333);
  x = (x | x >> 2) & UINT64CONST(0x0F0F0F0F0F0F0F0F);
  x = (x | x >> 4) & UINT64CONST(0x00FF00FF00FF00FF);
  x = (x | x >> 8) & UINT64CONST(0x0000FFFF0000FFFF);
  return static_cast<uint32>(x | x >> 16);
}

}  // namespace

uint64 HeapVisibility::map_pages() {
  if (pages_ != 0) return pages_;
  // (About so many: copy() asks the operating system.)
  BlockNumber blocks = is_heap(heap_) ? known_end_of_tids(heap_) : 0;
  if (blocks == 0) blocks = RelationGetNumberOfBlocks(heap_);
  pages_ = blocks / kBlocksPerPage + 1;
  return pages_;
}

void HeapVisibility::release() {
  if (BufferIsValid(page_)) ReleaseBuffer(page_);
  page_ = InvalidBuffer;
}

// Blocks [first, first + count), all of one page of the map.
void HeapVisibility::copy_page(BlockNumber first, BlockNumber count) {
  // (It pins the page, if there is one.)
  visibilitymap_get_status(heap_, first, &page_);
  const bool exists = BufferIsValid(page_);
  const char* map = exists ? PageGetContents(buffer_page(page_)) : nullptr;
  for (BlockNumber block = 0; block < count; block += 32) {
    uint64 bits = 0;
    if (exists) std::memcpy(&bits, map + block / 32 * sizeof bits, sizeof bits);
    blocks_.set_half((first + block) / 32, open_of(bits));
  }
}

void HeapVisibility::copy() {
  // First the position, then the map: a leaf with an older LSN had its entries when their bits were read.
  before_copy_ = RecoveryInProgress() ? GetXLogReplayRecPtr(nullptr) : GetXLogInsertRecPtr();
  pg_memory_barrier();
  const BlockNumber blocks = RelationGetNumberOfBlocks(heap_);
  pages_ = blocks / kBlocksPerPage + 1;
  const std::size_t words = OpenBlocks::words(blocks);
  if (words > capacity_) {
    if (memory_ != nullptr) pfree(memory_);
    capacity_ = words + words / 8;
    memory_ = static_cast<uint64*>(MemoryContextAllocHuge(context_, capacity_ * sizeof(uint64)));
  }
  std::memset(memory_, 0, words * sizeof(uint64));
  blocks_ = OpenBlocks(memory_, blocks);
  for (BlockNumber first = 0; first < blocks; first += kBlocksPerPage) {
    CHECK_FOR_INTERRUPTS();
    copy_page(first, std::min(kBlocksPerPage, blocks - first));
  }
  blocks_.finish();
  copied_ = true;
}

}  // namespace learned
