// Which rows a snapshot sees, of those that have been visited: for whoever counts the same rows more than once in one snapshot. What it sees stays where it is, and what it does
// not see it never will, whatever comes to that place.
#pragma once

#include "am/server/table_tids.hpp"

namespace learned {

class VisitedRows {
 public:
  enum class Seen : std::uint8_t { unknown, no, yes };

  // No more is remembered than work_mem has room for. Memory comes from the context.
  explicit VisitedRows(MemoryContext context)
      : context_(context), most_(static_cast<Size>(work_mem) * 1024) {}

  // How much of what is to be remembered of a table of so many blocks there is room for.
  static double share_remembered(BlockNumber blocks) {
    const double bytes = static_cast<double>(blocks) / kBlocks * sizeof(Chunk);
    return std::min(1.0, work_mem * 1024.0 / std::max(bytes, 1.0));
  }

  Seen seen(Tid tid) const {
    const BlockNumber chunk = tid_block(tid) / kBlocks;
    if (chunk >= count_ || chunks_[chunk] == nullptr || tid_offset(tid) >= kOffsets) return Seen::unknown;
    const auto bits = chunks_[chunk][place(tid) / 32] >> place(tid) % 32 * 2 & 3;
    return bits == 0 ? Seen::unknown : bits == kVisited ? Seen::no : Seen::yes;
  }
  void note_visited(Tid tid) { note(tid, kVisited); }
  // Of one that has been noted.
  void note_seen(Tid tid) { note(tid, kSeen); }

 private:
  static constexpr BlockNumber kBlocks = 256;
  static constexpr unsigned kOffsets = 320;  // a heap has no more in a block
  static_assert(kOffsets > MaxHeapTuplesPerPage);
  static constexpr uint64 kVisited = 1;
  static constexpr uint64 kSeen = 2;
  // Two bits a row.
  using Chunk = uint64[kBlocks * kOffsets / 32];

  static unsigned place(Tid tid) { return tid_block(tid) % kBlocks * kOffsets + tid_offset(tid); }
  void note(Tid tid, uint64 bit) {
    if (tid_offset(tid) >= kOffsets) return;
    uint64* chunk = chunk_of(tid_block(tid) / kBlocks);
    if (chunk != nullptr) chunk[place(tid) / 32] |= bit << place(tid) % 32 * 2;
  }
  // nullptr: there is no room.
  uint64* chunk_of(BlockNumber number);

  MemoryContext context_;
  Size most_;
  Size bytes_ = 0;
  BlockNumber count_ = 0;
  uint64** chunks_ = nullptr;
};
static_assert(std::is_trivially_destructible_v<VisitedRows>);

}  // namespace learned
