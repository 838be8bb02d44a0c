// The state of a scan. Each of its parts is changed by its own functions alone; what joins them is in scan.cpp, and for
// parallel scans in parallel_scan.cpp.
#pragma once

#include "am/scan/heap_prefetch.hpp"
#include "am/scan/leaf_cursor.hpp"
#include "am/scan/read_ahead.hpp"
#include "am/scan/scan_parts.hpp"
#include "am/server/server.hpp"

namespace learned {

// The mark of ammarkpos, and whether the scan was restored to it and has not moved since (the leaf is then not loaded).
template <class K>
class BasicScanMark {
 public:
  using Entry = BasicEntry<K>;

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

// What the server's pointer points to: of which type the rest is.
struct AnyScanState {
  unsigned words;         // of a key
  MemoryContext context;  // of the scan's own, where all of it is
};

template <class K>
struct BasicScanState : AnyScanState {
  BasicScanState(Relation index, const KeyColumns& columns, MemoryContext context)
      : AnyScanState{KeyTraits<K>::kWords, context},
        parts(index, columns, context),
        leaf(index, columns, context) {}

  // From now on: it only runs ahead of another scan (read_ahead.hpp).
  void set_scout() {
    scout = true;
    leaf.set_scout();
  }

  BasicScanParts<K> parts;
  BasicScanMark<K> mark;
  HeapPrefetch rows;
  ReadAhead ahead;
  bool scout = false;
  // At the end: its last ten thousand bytes and more are hardly ever touched, and not initialised.
  BasicLeafCursor<K> leaf;
};
static_assert(std::is_trivially_destructible_v<BasicScanState<Code>>);

template <class K>
inline BasicScanState<K>* state_of(IndexScanDesc scan) {
  return static_cast<BasicScanState<K>*>(static_cast<AnyScanState*>(scan->opaque));
}

// Calls f.operator()<K>() with the type of a scan's keys; one word, the commonest by far, first.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_keys_of(IndexScanDesc scan, F&& f) {
  const unsigned words = static_cast<AnyScanState*>(scan->opaque)->words;
  if (words == 1) [[likely]]
    return f.template operator()<Code>();
  return with_key(words, f);
}

// Goes to the end of a part where a scan in this direction begins. Counts a search, unless the scan stands on the leaf.
template <class K>
void enter_part(IndexScanDesc scan, int part, bool forward);

// ---- for a scout

enum class ScoutStep : std::uint8_t { entry, far, over };
// To the next entry. It may load leaves until its cursor's serial is `last`; it is `far` where that does not do, and goes on with the next call.
// REQUIRES: it stands somewhere.
template <class K>
ScoutStep step_scout(IndexScanDesc scout, bool forward, uint64 last);

}  // namespace learned
