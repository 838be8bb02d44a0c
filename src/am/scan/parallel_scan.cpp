#include "am/scan/parallel_scan.hpp"

#include "am/callbacks.hpp"
#include "am/scan/scan_state.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

// What one process takes at a time: at most so many entries of a leaf, that may have 50,000; and of parts that hold few
// entries each, so many. Taking a piece costs some microseconds, in which others wait.
constexpr int kMaxPiece = 4096;
constexpr int kMaxPieceParts = 256;

void set(SharedScan* shared, SharedScan::State state, const ScanPlace& place) {
  SpinLockAcquire(&shared->mutex);
  shared->state = state;
  shared->place = place;
  SpinLockRelease(&shared->mutex);
}

// Waits for the place, and takes it. `fresh`: the scan has not begun, there is no place yet. False: it is over.
// REQUIRES: put_place() or end_place() follows.
bool take_place(SharedScan* shared, ScanPlace* place, bool* fresh) {
  SharedScan::State found;
  for (;;) {
    SpinLockAcquire(&shared->mutex);
    found = shared->state;
    if (found == SharedScan::State::fresh || found == SharedScan::State::free) {
      *place = shared->place;
      shared->state = SharedScan::State::taken;
    }
    SpinLockRelease(&shared->mutex);
    if (found != SharedScan::State::taken) break;
    // If the process that has the place fails, its error reaches us here.
    ConditionVariableSleep(&shared->moved, PG_WAIT_EXTENSION);
  }
  ConditionVariableCancelSleep();
  *fresh = found == SharedScan::State::fresh;
  return found != SharedScan::State::over;
}

void put_place(SharedScan* shared, const ScanPlace& place) {
  set(shared, SharedScan::State::free, place);
  ConditionVariableSignal(&shared->moved);
}

void end_place(SharedScan* shared) {
  set(shared, SharedScan::State::over, {});
  ConditionVariableBroadcast(&shared->moved);
}

// Decides which of the parts that begin on the loaded leaf belong to a piece whose part `first` was not cut, and
// where the next piece begins. False: nowhere.
bool extend_piece(ScanState* s, int first, bool forward, ScanPlace* next) {
  const LeafVisit& leaf = s->leaf.leaf();
  for (int no = first;;) {
    s->parts.end_piece_with(no);
    if (leaf.goes_on(s->parts.at(no), forward)) {
      *next = {no, leaf.fence(forward), leaf.link(forward)};
      return true;
    }
    no = s->parts.after(no, forward);
    if (no < 0) return false;
    const TreeRange part = s->parts.at(no);
    const bool here = s->leaf.has_start(part, forward);
    // What may have many entries is cut into pieces of its own.
    if (!here || part.hi - part.lo >= kMaxPiece || std::abs(no - first) >= kMaxPieceParts) {
      *next = {no, part.start(forward), here ? leaf.block() : kNoBlock};
      return true;
    }
  }
}

}  // namespace

bool take_piece(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  auto* shared = compat::shared_scan<SharedScan>(scan);
  ScanPlace place{};
  bool fresh;
  s->leaf.set_kill_marks();
  if (!take_place(shared, &place, &fresh)) return false;
  if (fresh) {
    if (!compat::kCountsEveryLook) compat::count_index_search(scan);
    const int first = s->parts.first(forward);
    place = {first, s->parts.at(first).start(forward), kNoBlock};
  } else if (place.part >= s->parts.count()) {
    elog(ERROR, "processes of a parallel scan disagree on its conditions");
  } else if (place.hint == kNoBlock && !s->parts.with_nulls()) {
    compat::count_index_search(scan);
  }
  s->parts.go_to(place.part);
  s->leaf.take_over(scan, s->parts.current(), place.fence, place.hint, forward);

  ScanPlace next;
  bool more = true;
  if (s->leaf.cut(kMaxPiece, forward, &next.fence)) {
    next.part = place.part;
    next.hint = s->leaf.leaf().block();
    s->parts.end_piece_with(place.part);
  } else {
    more = extend_piece(s, place.part, forward, &next);
  }
  if (more) {
    put_place(shared, next);
  } else {
    end_place(shared);
  }
  return true;
}

bool begin_and_end_pieces(IndexScanDesc scan) {
  auto* shared = compat::shared_scan<SharedScan>(scan);
  ScanPlace place;
  bool fresh;
  if (!take_place(shared, &place, &fresh)) return false;
  end_place(shared);
  return fresh;
}

void learned_init_parallel_scan(void* target) {
  auto* shared = static_cast<SharedScan*>(target);
  SpinLockInit(&shared->mutex);
  shared->state = SharedScan::State::fresh;
  shared->place = {};
  ConditionVariableInit(&shared->moved);
}

// Before the participants of the next scan start, when those of the last are done.
void learned_parallel_rescan(IndexScanDesc scan) {
  set(compat::shared_scan<SharedScan>(scan), SharedScan::State::fresh, {});
}

}  // namespace learned
