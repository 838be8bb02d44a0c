// The state of a scan. Each of its parts is changed by its own functions alone; what joins them is in scan.cpp, and for
// parallel scans in parallel_scan.cpp.
#pragma once

#include "am/scan/heap_prefetch.hpp"
#include "am/scan/leaf_cursor.hpp"
#include "am/scan/scan_parts.hpp"
#include "am/server/server.hpp"

namespace learned {

// The mark of ammarkpos, and whether the scan was restored to it and has not moved since (the leaf is then not loaded).
class ScanMark {
 public:
  struct Point {
    int part;
    Entry entry;
    Block block;    // where the entry was
    uint64 serial;  // of that loading of the leaf
    int number;     // on that leaf
  };

  bool valid() const { return valid_; }
  bool pending() const { return pending_; }
  const Point& point() const { return point_; }

  void set(const Point& point) {
    point_ = point;
    valid_ = true;
  }
  void clear() { valid_ = pending_ = false; }
  void set_pending(bool pending) { pending_ = pending; }

 private:
  bool valid_ = false;
  bool pending_ = false;
  Point point_{};
};

struct ScanState {
  ScanState(Relation index, MemoryContext context) : parts(index, context), leaf(index, context) {}

  ScanParts parts;
  ScanMark mark;
  HeapPrefetch rows;
  LeafCursor leaf;  // at the end: its last ten thousand bytes are hardly ever touched, and not initialised
};
static_assert(std::is_trivially_destructible_v<ScanState>);

inline ScanState* state_of(IndexScanDesc scan) { return static_cast<ScanState*>(scan->opaque); }

// Goes to the end of a part where a scan in this direction begins. Counts a search, unless the scan stands on the leaf.
void enter_part(IndexScanDesc scan, int part, bool forward);

}  // namespace learned
