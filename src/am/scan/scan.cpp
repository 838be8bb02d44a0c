// Scans: plain, index-only and bitmap, both directions, mark and restore: the server's callbacks, and how a scan goes from
// part to part and from leaf to leaf.
#include "am/callbacks.hpp"
#include "am/scan/group_scan.hpp"
#include "am/scan/offset_scan.hpp"
#include "am/scan/parallel_scan.hpp"
#include "am/scan/scan_state.hpp"
#include "am/server/compat.hpp"
#include "am/server/table_tids.hpp"
#include "am/write/gathered.hpp"

namespace learned {

namespace {

template <class K>
void count_search(IndexScanDesc scan) {
  if (!state_of<K>(scan)->scout) compat::count_index_search(scan);
}

// Takes over the conditions: not before a row is asked for, as in nbtree, for callers may fill in the keys' arguments
// after the rescan.
template <class K>
void read_keys(IndexScanDesc scan) {
  BasicScanState<K>* s = state_of<K>(scan);
  s->parts.read_keys(scan->keyData, scan->numberOfKeys);
  if constexpr (KeyTraits<K>::kWords > 1) s->leaf.set_filter(s->parts.filter());
  s->leaf.set_one_part(s->parts.count() == 1);
  // (Set under keys that the caller has changed since, where they are read again.)
  if (s->mark.point().part >= s->parts.count()) s->mark.clear();
}

// Counts the search for what nothing can match, where nbtree would not see that before it searches.
template <class K>
[[gnu::cold]] void count_vain_search(IndexScanDesc scan) {
  const Emptiness why = state_of<K>(scan)->parts.emptiness();
  if (why == Emptiness::no_element || (why == Emptiness::contradiction && !compat::kCountsEveryLook)) return;
  if (scan->parallel_scan == nullptr || compat::kCountsEveryLook || begin_and_end_pieces(scan)) {
    count_search<K>(scan);
  }
}

// The scan is nowhere yet, or was at its end: goes to the end where it begins. False: nothing can match.
template <class K>
bool begin(IndexScanDesc scan, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  if (!s->parts.keys_read() || compat::kKeysReadAgain) read_keys<K>(scan);
  if (s->parts.count() == 0) {
    count_vain_search<K>(scan);
    return false;
  }
  if (scan->parallel_scan != nullptr) {
    if (compat::kCountsEveryLook) compat::count_index_search(scan);
    return take_piece<K>(scan, forward);
  }
  enter_part<K>(scan, s->parts.first(forward), forward);
  return true;
}

// Goes on beyond the leaf, from `next` on. False: there is nothing that the conditions admit.
template <class K>
bool cross_to(IndexScanDesc scan, BasicEntry<K> next, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  const BasicTreeRange<K> part = s->parts.current();
  if constexpr (KeyTraits<K>::kWords > 1) {
    const KeySet* filter = s->parts.filter();
    if (filter != nullptr && !go_to_admitted(*filter, forward, &next)) return false;
  }
  if (forward ? part.last() < next : next <= part.first()) return false;
  if (next == s->leaf.leaf().fence(forward)) {
    s->leaf.cross(scan, part, forward);
  } else if (s->leaf.cross_to(scan, part, next, forward)) {
    count_search<K>(scan);
  }
  return true;
}

// Leaves the leaf (or the part) at one end. False: there is nothing beyond.
template <class K>
bool advance(IndexScanDesc scan, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  CHECK_FOR_INTERRUPTS();
  const int number = s->parts.number();
  if (scan->parallel_scan != nullptr) {
    if (s->parts.piece_ends_here()) return take_piece<K>(scan, forward);
    enter_part<K>(scan, s->parts.after(number, forward), forward);
    return true;
  }
  const BasicTreeRange<K> part = s->parts.current();
  if (s->leaf.leaf().goes_on(part, forward)) {
    if constexpr (KeyTraits<K>::kWords > 1) return cross_to<K>(scan, s->leaf.onward(forward), forward);
    s->leaf.cross(scan, part, forward);
    return true;
  }
  const int next = s->parts.after(number, forward);
  if (next < 0) return false;
  enter_part<K>(scan, next, forward);
  return true;
}

// Loads the leaf of the mark that was restored, and stands where it was.
template <class K>
void resume_at_mark(IndexScanDesc scan, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  const auto& point = s->mark.point();
  s->mark.set_pending(false);
  s->leaf.return_to(scan, s->parts.current(), point.entry, point.block, forward);
}

// Moves to the next entry in physical direction. False: the scan is over, and unloaded.
template <class K>
bool step(IndexScanDesc scan, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  if (s->mark.pending()) {
    resume_at_mark<K>(scan, forward);
  } else if (!s->leaf.loaded() && !begin<K>(scan, forward)) {
    return false;
  }
  while (!s->leaf.next(scan, forward)) {
    if (!advance<K>(scan, forward)) {
      s->leaf.unload();
      s->ahead.finish();
      return false;
    }
  }
  return true;
}

// How many entries ahead rows are fetched into the cache.
constexpr int kAhead = 8;

// The scan stands on an entry whose row will be visited: begins to fetch one that it will visit soon.
template <class K>
void fetch_ahead(BasicScanState<K>* s, bool forward) {
  BasicBatch<K>& batch = s->leaf.batch();
  const int at = s->leaf.number();
  const int begin = forward ? at : std::max(at - kAhead, batch.begin());
  const int end = forward ? std::min(at + kAhead + 1, batch.end()) : at + 1;
  // (What a filter leaves out is not visited.)
  const auto fetch = [s, &batch](int i) {
    if (KeyTraits<K>::kWords == 1 || !batch.dead(i)) s->rows.fetch(batch.tid(i));
  };
  if (batch.take_fresh()) {
    for (int i = begin; i < end; i++) fetch(i);
  } else if (end - begin > kAhead) {
    fetch(forward ? end - 1 : begin);
  }
}

template <class K>
inline void give_tuple(IndexScanDesc scan) {
  scan->xs_itup = state_of<K>(scan)->leaf.tuple();
  scan->xs_heaptid = scan->xs_itup->t_tid;
}

// Goes to the next entry and gives it to the server. False: there is none.
template <class K>
[[gnu::noinline]] bool next_entry(IndexScanDesc scan, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  if (scan->kill_prior_tuple && !s->mark.pending()) s->leaf.kill();
  if (s->rows.active()) s->rows.learn(scan);
  const bool ahead_due = s->ahead.due();
  if (ahead_due) [[unlikely]]
    s->ahead.row_done(scan);
  if (!s->leaf.next_decoded(forward) && !step<K>(scan, forward)) return false;
  if (ahead_due) [[unlikely]]
    look_ahead<K>(scan, forward);
  s->ahead.row_begins();
  scan->xs_recheck = s->parts.recheck();
  if (scan->xs_want_itup) {
    give_tuple<K>(scan);
    return true;
  }
  const Tid tid = s->leaf.tid();
  scan->xs_heaptid = pointer_of(tid);
  if (s->rows.active()) {
    fetch_ahead(s, forward);
    s->rows.visit(tid);
  }
  return true;
}

}  // namespace

template <class K>
ScoutStep step_scout(IndexScanDesc scout, bool forward, uint64 last) {
  BasicScanState<K>* s = state_of<K>(scout);
  while (!s->leaf.next(scout, forward)) {
    if (s->leaf.serial() >= last) return ScoutStep::far;
    if (!advance<K>(scout, forward)) {
      s->leaf.unload();
      return ScoutStep::over;
    }
  }
  return ScoutStep::entry;
}

#define LEARNED_SCOUT(K) template ScoutStep step_scout<K>(IndexScanDesc, bool, uint64);
LEARNED_FOR_EVERY_KEY(LEARNED_SCOUT)
#undef LEARNED_SCOUT

template <class K>
void enter_part(IndexScanDesc scan, int no, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  s->parts.go_to(no);
  const BasicTreeRange<K> part = s->parts.current();
  // From the keys to the NULLs a scan without conditions goes on, as nbtree steps right.
  if ((!s->leaf.has_start(part, forward) || compat::kCountsEveryLook) &&
      !(s->leaf.loaded() && s->parts.with_nulls())) {
    count_search<K>(scan);
  }
  s->leaf.enter(scan, part, forward);
}

namespace {

// ---- the callbacks, for one type of keys

template <class K>
void rescan(IndexScanDesc scan) {
  BasicScanState<K>* s = state_of<K>(scan);
  s->leaf.unload();
  s->parts.forget_keys();
  s->mark.clear();
  s->rows.start(scan);
  s->ahead.start(scan, s->leaf.serial());
}

template <class K>
[[gnu::always_inline]] inline bool get_tuple(IndexScanDesc scan, ScanDirection direction) {
  BasicScanState<K>* s = state_of<K>(scan);
  const bool forward = s->parts.forward(direction);
  // In an index-only scan nearly always: the batch has more.
  if (!scan->kill_prior_tuple && s->leaf.next_tuple(forward)) {
    give_tuple<K>(scan);
    return true;
  }
  return next_entry<K>(scan, forward);
}

template <class K>
int64 get_bitmap(IndexScanDesc scan, TIDBitmap* bitmap) {
  BasicScanState<K>* s = state_of<K>(scan);
  constexpr int kMost = BasicBatch<K>::kMost;
  int64 count = 0;
  ItemPointerData tids[kMost];
  int n = 0;
  while (step<K>(scan, true)) {
    tids[n++] = pointer_of(s->leaf.tid());
    count++;
    if (n == kMost) {
      tbm_add_tuples(bitmap, tids, n, s->parts.recheck());
      n = 0;
    }
  }
  if (n > 0) tbm_add_tuples(bitmap, tids, n, s->parts.recheck());
  return count;
}

template <class K>
void mark_position(IndexScanDesc scan) {
  BasicScanState<K>* s = state_of<K>(scan);
  // Nothing was fetched since the last restore: the mark stays where it is.
  if (s->mark.pending()) return;
  if (!s->leaf.loaded() || !s->leaf.on_entry()) {
    s->mark.clear();
    return;
  }
  // Restoring a mark may have left the batch elsewhere.
  s->leaf.ensure_decoded(scan, true);
  s->mark.set(
      {s->parts.number(), s->leaf.entry(), s->leaf.leaf().block(), s->leaf.serial(), s->leaf.number()});
}

template <class K>
void restore_position(IndexScanDesc scan) {
  BasicScanState<K>* s = state_of<K>(scan);
  s->mark.set_pending(false);
  s->ahead.lose();
  if (!s->mark.valid()) {
    s->leaf.unload();
    return;
  }
  const auto& point = s->mark.point();
  if (s->leaf.loaded() && s->leaf.serial() == point.serial && s->parts.number() == point.part) {
    s->leaf.stand_on(point.number);
    return;
  }
  s->leaf.unload();
  s->parts.go_to(point.part);
  s->mark.set_pending(true);
}

// Goes on behind the entries that share their first words with the current one.
template <class K>
void skip_group(IndexScanDesc scan, unsigned words, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  if (scan->kill_prior_tuple) s->leaf.kill();
  scan->kill_prior_tuple = false;
  s->ahead.disable();
  const K key = s->leaf.entry().code;
  const K end = key_prefix_end(key, words);
  if (!forward) {
    s->leaf.skip_to({key_prefix(key, words), 0}, forward);
  } else if (end == KeyTraits<K>::highest()) {
    s->leaf.skip_to({end, kMaxTid}, forward);
  } else {
    s->leaf.skip_to({KeyTraits<K>::after(end), 0}, forward);
  }
}

}  // namespace

template <class K>
void go_to_row(IndexScanDesc scan, const FoundRow<K>& row, ScanDirection direction) {
  BasicScanState<K>* s = state_of<K>(scan);
  const bool forward = s->parts.forward(direction);
  scan->kill_prior_tuple = false;
  s->mark.clear();
  s->ahead.lose();
  int no = 0;
  while (no + 1 < s->parts.count() &&
         !(s->parts.at(no).tree == row.tree && s->parts.at(no).includes(row.entry)))
    no++;
  s->parts.go_to(no);
  compat::count_index_search(scan);
  s->leaf.take_over(scan, s->parts.current(), forward ? row.entry : row.behind(), kNoBlock, forward);
}

#define LEARNED_GO_TO_ROW(K) template void go_to_row<K>(IndexScanDesc, const FoundRow<K>&, ScanDirection);
LEARNED_FOR_EVERY_KEY(LEARNED_GO_TO_ROW)
#undef LEARNED_GO_TO_ROW

void skip_group(IndexScanDesc scan, unsigned words, ScanDirection direction) {
  with_keys_of(scan, [scan, words, direction]<class K>() {
    skip_group<K>(scan, words, state_of<K>(scan)->parts.forward(direction));
  });
}

// Column `attno`, from 1 on.
bool learned_can_return(Relation index, int attno) {
  // Generic WAL replays VACUUM's removals without a cleanup lock, so a standby's pins protect nothing.
  if (RecoveryInProgress()) return false;
  // Only where columns are ordered by behind it may its values be merged.
  return !key_column_merged(index, static_cast<unsigned>(attno - 1));
}

IndexScanDesc learned_begin_scan(Relation index, int nkeys, int norderbys) {
  insert_gathered();
  IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
  // Whoever asks for many scans in one statement (an exclusion constraint: one for each row) wants each one's memory back.
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index scan", ALLOCSET_DEFAULT_SIZES);
  const KeyColumns columns = key_columns_of(index, context);
  with_key(columns.words, [scan, index, context, &columns]<class K>() {
    using State = BasicScanState<K>;
    scan->opaque = static_cast<AnyScanState*>(new (MemoryContextAlloc(context, sizeof(State)))
                                                  State(index, columns, context));
  });
  return scan;
}

void learned_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey, int) {
  if (keys != nullptr && nkeys > 0) {
    std::memmove(scan->keyData, keys, static_cast<Size>(nkeys) * sizeof(ScanKeyData));
  }
  if (scan->xs_want_itup) scan->xs_itupdesc = RelationGetDescr(scan->indexRelation);
  with_keys_of(scan, [scan]<class K>() { rescan<K>(scan); });
}

bool learned_gettuple(IndexScanDesc scan, ScanDirection direction) {
  return with_keys_of(scan, [scan, direction]<class K>() { return get_tuple<K>(scan, direction); });
}

int64 learned_getbitmap(IndexScanDesc scan, TIDBitmap* bitmap) {
  return with_keys_of(scan, [scan, bitmap]<class K>() { return get_bitmap<K>(scan, bitmap); });
}

void learned_end_scan(IndexScanDesc scan) {
  with_keys_of(scan, [scan]<class K>() {
    state_of<K>(scan)->leaf.unload();
    state_of<K>(scan)->ahead.finish();
  });
  MemoryContextDelete(static_cast<AnyScanState*>(scan->opaque)->context);
}

void learned_mark_pos(IndexScanDesc scan) {
  with_keys_of(scan, [scan]<class K>() { mark_position<K>(scan); });
}

void learned_restore_pos(IndexScanDesc scan) {
  with_keys_of(scan, [scan]<class K>() { restore_position<K>(scan); });
}

}  // namespace learned
