// Blocks of the table are asked for from the disk before the server asks for their rows.
//
// No server does that in index scans: each row's page is waited for by itself, where a device could bring dozens at once. The index knows what
// comes next. So while rows come from a device (core/scan/prefetch_pace.hpp), a *scout* runs ahead of the scan: a scan of its own with the same
// conditions, whose entries are returned to nobody, and that asks for their blocks (PrefetchBuffer(), which holds no pin). It is only a hint:
// whatever the scout sees that the scan will not, or the other way round, costs a read in vain or a wait. It takes no predicate locks, sets no
// kill marks, keeps no pins, counts no searches, and goes as far ahead as is asked for and no further.
#pragma once

#include "am/server/server.hpp"
#include "core/base/types.hpp"
#include "core/scan/prefetch_pace.hpp"

namespace learned {

// What lies between the scout and its scan.
struct AskedBlocks {
  static constexpr unsigned kMost = 1024;   // MAX_IO_CONCURRENCY is 1000
  static constexpr unsigned kRecent = 256;  // blocks that are not asked for again

  uint64 returned;  // entries of the scan since the scout stood beside it
  uint64 passed;    // entries of the scout
  unsigned begin;   // blocks that are asked for and not come to: [begin, end), modulo kMost
  unsigned end;
  uint64 start;                 // serial of the scout's leaf where it stood beside the scan
  int part;                     // so far the leaves of parts have been asked for
  uint64 serial;                // of the scout's leaf whose neighbour was asked for last
  uint64 entry[kMost];          // the scout's entry that had the block
  BlockNumber recent[kRecent];  // by the block's number modulo kRecent
};

class ReadAhead {
 public:
  // Rows of this scan will be asked for, from a beginning. `leaves`: how many it has loaded so far.
  void start(IndexScanDesc scan, uint64 leaves);
  // The scan is given up, or over.
  void finish() {
    if (BufferIsValid(map_)) ReleaseBuffer(map_);
    map_ = InvalidBuffer;
    lost_ = true;
  }
  // The scan is elsewhere than it would be row by row.
  void lose() { lost_ = true; }
  // The scan leaves out rows that its conditions admit.
  void disable() {
    reads_ = &kNoReads;
    seen_ = 0;
    pace_.start(0, false);
    busy_ = false;
  }

  // Whether something was read since the last row, or is to be looked at in any case.
  bool due() const { return *reads_ != seen_ || busy_; }
  // Whether each row is to pass by here.
  bool busy() const { return busy_; }
  // The server is done with the last row. REQUIRES: due()
  void row_done(IndexScanDesc scan) {
    // (Not before something is read: a look-up may take no longer than that.)
    if (fresh_) look_up_settings(scan);
    if (*reads_ == seen_) {
      pace_.not_read();
    } else {
      pace_.read(pace_.watching() ? nanoseconds_since_row() : 0);
    }
    busy_ = pace_.awake() || pace_.watching();
  }
  // A row is given to the server.
  void row_begins() {
    seen_ = *reads_;
    if (busy_ && pace_.watching()) INSTR_TIME_SET_CURRENT(given_);
  }

  bool awake() const { return pace_.awake(); }
  unsigned distance() const { return pace_.distance(); }
  // How many of the leaves that the scan has loaded are since its beginning.
  uint64 leaves(uint64 loaded) const { return loaded - leaves_; }

  // ---- for look_ahead()

  // The scout, and what it has asked for; made by make() on first use.
  IndexScanDesc scout() const { return scout_; }
  AskedBlocks* asked() { return asked_; }
  void make(IndexScanDesc scan, IndexScanDesc scout, MemoryContext context);
  bool lost(bool forward) const { return lost_ || forward != forward_; }
  // Scan and scout stand on the same entry.
  void stand_together(bool forward);
  bool over() const { return over_; }
  void set_over() { over_ = true; }
  // Asks for a block, unless it was asked for lately or its rows will not be visited.
  void ask(Relation heap, BlockNumber block, bool index_only);

 private:
  void look_up_settings(IndexScanDesc scan);
  uint64 nanoseconds_since_row() const {
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    INSTR_TIME_SUBTRACT(now, given_);
    return static_cast<uint64>(INSTR_TIME_GET_MICROSEC(now)) * 1000;
  }

  static const int64 kNoReads;
  static constexpr BlockNumber kNear = 64;

  const int64* reads_ = &kNoReads;  // pages that this backend has read so far
  int64 seen_ = 0;
  bool fresh_ = true;  // the settings are not looked up
  uint64 leaves_ = 0;  // that the scan had loaded when it began
  bool busy_ = false;
  bool lost_ = true;
  bool over_ = false;
  bool forward_ = true;
  BlockNumber last_block_ = InvalidBlockNumber;
  Buffer map_ = InvalidBuffer;  // of the visibility map
  PrefetchPace pace_;
  instr_time given_{};
  IndexScanDesc scout_ = nullptr;
  AskedBlocks* asked_ = nullptr;
};
static_assert(std::is_trivially_destructible_v<ReadAhead>);

// The scan stands on an entry that will be given to the server: asks for what comes behind it. REQUIRES: ahead.due() was true.
template <class K>
void look_ahead(IndexScanDesc scan, bool forward);

}  // namespace learned
