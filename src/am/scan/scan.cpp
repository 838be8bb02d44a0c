// Scans: plain, index-only and bitmap, both directions, mark and restore. How they move over leaves is in
// leaf_cursor.cpp.
#include "am/store/buffer_store.hpp"
#include "am/callbacks.hpp"
#include "am/server/compat.hpp"
#include "am/scan/scan_state.hpp"

namespace learned {

namespace {

// Takes over the conditions: not before a row is asked for, as in nbtree, for callers may fill in the keys' arguments
// after the rescan.
void read_keys(IndexScanDesc scan) {
  ScanState* s = state_of(scan);
  bounds_set(&s->bounds, scan->keyData, scan->numberOfKeys);
  s->parts = static_cast<int>(s->bounds.range_count) + (s->bounds.want_nulls ? 1 : 0);
  // (Set under keys that the caller has changed since, where they are read again.)
  if (s->mark.part >= s->parts) s->mark.valid = false;
  s->keys_read = true;
}

// Counts the search for what nothing can match, where nbtree would not see that before it searches.
[[gnu::cold]] void count_vain_search(IndexScanDesc scan) {
  const Emptiness why = state_of(scan)->bounds.emptiness;
  if (why == Emptiness::no_element || (why == Emptiness::contradiction && !compat::kCountsEveryLook)) return;
  if (scan->parallel_scan == nullptr || compat::kCountsEveryLook || begin_and_end_pieces(scan)) {
    compat::count_index_search(scan);
  }
}

// The scan is nowhere yet, or was at its end: goes to the end where it begins. False: nothing can match.
bool begin(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  if (!s->keys_read || compat::kKeysReadAgain) read_keys(scan);
  if (s->parts == 0) {
    count_vain_search(scan);
    return false;
  }
  if (scan->parallel_scan != nullptr) {
    if (compat::kCountsEveryLook) compat::count_index_search(scan);
    return take_piece(scan, forward);
  }
  enter_part(scan, forward ? 0 : s->parts - 1, forward);
  return true;
}

// Moves to the next entry in physical direction. False: the scan is over, and unloaded.
bool step(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  if (s->resume_pending) {
    resume_at_mark(scan, forward);
  } else if (!leaf.loaded && !begin(scan, forward)) {
    return false;
  }
  for (;;) {
    leaf.at += forward ? 1 : -1;
    if (leaf.at >= 0 && leaf.at < leaf.total) {
      if (ensure_decoded(scan, forward) && !s->dead[leaf.at - leaf.batch_begin]) return true;
    } else if (!advance(scan, forward)) {
      unload(s);
      return false;
    }
  }
}

Entry current(const ScanState* s) {
  const int i = s->leaf.at - s->leaf.batch_begin;
  return {s->codes[i], s->tids[i]};
}

// How many entries ahead rows are fetched into the cache.
constexpr int kAhead = 8;

// The scan stands on an entry whose row will be visited: begins to fetch one that it will visit soon.
void fetch_ahead(ScanState* s, bool forward) {
  const LeafCursor& leaf = s->leaf;
  const int begin = forward ? leaf.at : std::max(leaf.at - kAhead, leaf.batch_begin);
  const int end = forward ? std::min(leaf.at + kAhead + 1, leaf.batch_end) : leaf.at + 1;
  if (s->fresh) {
    s->fresh = false;
    for (int i = begin; i < end; i++) s->heap.fetch(s->tids[i - leaf.batch_begin]);
  } else if (end - begin > kAhead) {
    s->heap.fetch(s->tids[(forward ? end - 1 : begin) - leaf.batch_begin]);
  }
}

inline void give_tuple(IndexScanDesc scan, int i) {
  scan->xs_itup = reinterpret_cast<IndexTuple>(state_of(scan)->tuples[i]);
  scan->xs_heaptid = scan->xs_itup->t_tid;
}

// Goes to the next entry and gives it to the server. False: there is none.
[[gnu::noinline]] bool next_entry(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  if (scan->kill_prior_tuple) remember_kill(scan);
  if (s->heap.active()) s->heap.learn(scan);
  const int next = leaf.at + (forward ? 1 : -1);
  if (next >= leaf.batch_begin && next < leaf.batch_end && s->clean) {
    leaf.at = next;
  } else if (!step(scan, forward)) {
    return false;
  }
  scan->xs_recheck = s->bounds.recheck;
  const int i = leaf.at - leaf.batch_begin;
  if (scan->xs_want_itup) {
    give_tuple(scan, i);
    return true;
  }
  const Tid tid = s->tids[i];
  ItemPointerSet(&scan->xs_heaptid, tid_block(tid), tid_offset(tid));
  if (s->heap.active()) {
    fetch_ahead(s, forward);
    s->heap.visit(tid);
  }
  return true;
}

}  // namespace

bool learned_can_return(Relation, int) {
  // Generic WAL replays VACUUM's removals without a cleanup lock, so a standby's pins protect nothing.
  return !RecoveryInProgress();
}

IndexScanDesc learned_begin_scan(Relation index, int nkeys, int norderbys) {
  IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
  auto* s = static_cast<ScanState*>(palloc(sizeof(ScanState)));
  std::memset(static_cast<void*>(s), 0, kZeroedState);
  s->context = CurrentMemoryContext;
  new (&s->store) BufferStore(index);
  bounds_init(&s->bounds, index, CurrentMemoryContext);
  s->key = key_type_of(index);
  const int16 option = index->rd_indoption[0];
  s->descending = (option & INDOPTION_DESC) != 0;
  s->nulls_first = ((option & INDOPTION_NULLS_FIRST) != 0) != s->descending;
  s->leaf.pinned = InvalidBuffer;
  scan->opaque = s;
  return scan;
}

void learned_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey, int) {
  ScanState* s = state_of(scan);
  unload(s);
  if (keys != nullptr && nkeys > 0) {
    std::memmove(scan->keyData, keys, static_cast<Size>(nkeys) * sizeof(ScanKeyData));
  }
  s->keys_read = false;
  s->mark.valid = false;
  s->resume_pending = false;
  if (scan->xs_want_itup) scan->xs_itupdesc = RelationGetDescr(scan->indexRelation);
  s->heap.start(scan);
}

bool learned_gettuple(IndexScanDesc scan, ScanDirection direction) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  const bool forward = ScanDirectionIsForward(direction) != s->descending;
  const int next = leaf.at + (forward ? 1 : -1);
  const auto i = static_cast<unsigned>(next - leaf.batch_begin);
  // In an index-only scan nearly always: the batch has more.
  if (i < leaf.batch_tuples && !scan->kill_prior_tuple) {
    leaf.at = next;
    give_tuple(scan, static_cast<int>(i));
    return true;
  }
  return next_entry(scan, forward);
}

int64 learned_getbitmap(IndexScanDesc scan, TIDBitmap* bitmap) {
  ScanState* s = state_of(scan);
  int64 count = 0;
  ItemPointerData tids[kMaxBatch];
  int n = 0;
  while (step(scan, true)) {
    const Entry e = current(s);
    // ItemPointerSet is a macro that uses its argument twice.
    ItemPointerSet(&tids[n], tid_block(e.tid), tid_offset(e.tid));
    n++;
    count++;
    if (n == static_cast<int>(kMaxBatch)) {
      tbm_add_tuples(bitmap, tids, n, s->bounds.recheck);
      n = 0;
    }
  }
  if (n > 0) tbm_add_tuples(bitmap, tids, n, s->bounds.recheck);
  return count;
}

void learned_end_scan(IndexScanDesc scan) {
  // The rest belongs to the scan's memory context.
  unload(state_of(scan));
}

void learned_mark_pos(IndexScanDesc scan) {
  ScanState* s = state_of(scan);
  s->mark.valid = s->leaf.loaded && !s->resume_pending && s->leaf.at >= 0 && s->leaf.at < s->leaf.total;
  if (s->resume_pending) {
    // Nothing was fetched since the last restore: the mark stays where it is.
    s->mark.valid = true;
    return;
  }
  if (!s->mark.valid) return;
  // Restoring a mark may have left the batch elsewhere.
  ensure_decoded(scan, true);
  s->mark.part = s->part;
  s->mark.entry = current(s);
  s->mark.block = s->leaf.block;
  s->mark.serial = s->leaf.serial;
  s->mark.at = s->leaf.at;
}

void learned_restore_pos(IndexScanDesc scan) {
  ScanState* s = state_of(scan);
  s->resume_pending = false;
  if (!s->mark.valid) {
    unload(s);
    return;
  }
  if (s->leaf.loaded && s->leaf.serial == s->mark.serial && s->part == s->mark.part) {
    s->leaf.at = s->mark.at;
    return;
  }
  unload(s);
  s->part = s->mark.part;
  s->resume = s->mark.entry;
  s->resume_block = s->mark.block;
  s->resume_pending = true;
}

}  // namespace learned
