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

WideKey shared_key(Code code) { return {{code}, 0}; }
template <unsigned W>
WideKey shared_key(const Words<W>& key) {
  return widen(key);
}
template <class K>
K key_of(const WideKey& shared) {
  if constexpr (KeyTraits<K>::kWords == 1) {
    return shared.word[0];
  } else {
    return narrow<KeyTraits<K>::kWords>(shared);
  }
}

void set(SharedScan* shared, SharedScan::State state, const BasicScanPlace<WideKey>& place) {
  SpinLockAcquire(&shared->mutex);
  shared->state = state;
  shared->place = place;
  SpinLockRelease(&shared->mutex);
}

// Waits for the place, and takes it. `fresh`: the scan has not begun, there is no place yet. False: it is over.
// REQUIRES: put_place() or end_place() follows.
template <class K>
bool take_place(SharedScan* shared, BasicScanPlace<K>* place, bool* fresh) {
  SharedScan::State found;
  BasicScanPlace<WideKey> left{};
  for (;;) {
    SpinLockAcquire(&shared->mutex);
    found = shared->state;
    if (found == SharedScan::State::fresh || found == SharedScan::State::free) {
      left = shared->place;
      shared->state = SharedScan::State::taken;
    }
    SpinLockRelease(&shared->mutex);
    if (found != SharedScan::State::taken) break;
    // If the process that has the place fails, its error reaches us here.
    ConditionVariableSleep(&shared->moved, PG_WAIT_EXTENSION);
  }
  ConditionVariableCancelSleep();
  *fresh = found == SharedScan::State::fresh;
  if (found == SharedScan::State::over) return false;
  *place = {left.part, {key_of<K>(left.fence.code), left.fence.tid}, left.hint};
  return true;
}

template <class K>
void put_place(SharedScan* shared, const BasicScanPlace<K>& place) {
  set(shared, SharedScan::State::free,
      {place.part, {shared_key(place.fence.code), place.fence.tid}, place.hint});
  ConditionVariableSignal(&shared->moved);
}

void end_place(SharedScan* shared) {
  set(shared, SharedScan::State::over, {});
  ConditionVariableBroadcast(&shared->moved);
}

// Decides which of the parts that begin on the loaded leaf belong to a piece whose part `first` was not cut, and
// where the next piece begins. False: nowhere.
template <class K>
bool extend_piece(BasicScanState<K>* s, int first, bool forward, BasicScanPlace<K>* next) {
  const BasicLeafVisit<K>& leaf = s->leaf.leaf();
  for (int no = first;;) {
    s->parts.end_piece_with(no);
    if (leaf.goes_on(s->parts.at(no), forward)) {
      *next = {no, leaf.fence(forward), leaf.link(forward)};
      return true;
    }
    no = s->parts.after(no, forward);
    if (no < 0) return false;
    const BasicTreeRange<K> part = s->parts.at(no);
    const bool here = s->leaf.has_start(part, forward);
    // What may have many entries is cut into pieces of its own.
    if (!here || s->parts.is_long(part, kMaxPiece) || std::abs(no - first) >= kMaxPieceParts) {
      *next = {no, part.start(forward), here ? leaf.block() : kNoBlock};
      return true;
    }
  }
}

// Moves a place on to where the next keys begin that the conditions admit. False: there are none.
template <class K>
bool go_to_admitted(BasicScanState<K>* s, bool forward, BasicScanPlace<K>* place) {
  if constexpr (KeyTraits<K>::kWords > 1) {
    const KeySet* filter = s->parts.filter();
    if (filter == nullptr) return true;
    const BasicEntry<K> before = place->fence;
    if (!learned::go_to_admitted(*filter, forward, &place->fence)) return false;
    if (place->fence != before) place->hint = kNoBlock;
  }
  return true;
}

}  // namespace

template <class K>
bool take_piece(IndexScanDesc scan, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  auto* shared = compat::shared_scan<SharedScan>(scan);
  BasicScanPlace<K> place{};
  bool fresh;
  s->leaf.set_kill_marks();
  if (!take_place(shared, &place, &fresh)) return false;
  if (fresh) {
    const int first = s->parts.first(forward);
    place = {first, s->parts.at(first).start(forward), kNoBlock};
  } else if (place.part >= s->parts.count()) {
    elog(ERROR, "processes of a parallel scan disagree on its conditions");
  }
  if (!go_to_admitted(s, forward, &place)) {
    end_place(shared);
    return false;
  }
  if (fresh ? !compat::kCountsEveryLook : place.hint == kNoBlock && !s->parts.with_nulls())
    compat::count_index_search(scan);
  s->parts.go_to(place.part);
  s->leaf.take_over(scan, s->parts.current(), place.fence, place.hint, forward);

  BasicScanPlace<K> next{};
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

#define LEARNED_TAKE_PIECE(K) template bool take_piece<K>(IndexScanDesc, bool);
LEARNED_FOR_EVERY_KEY(LEARNED_TAKE_PIECE)
#undef LEARNED_TAKE_PIECE

bool begin_and_end_pieces(IndexScanDesc scan) {
  auto* shared = compat::shared_scan<SharedScan>(scan);
  BasicScanPlace<Code> place{};
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
