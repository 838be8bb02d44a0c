// Kill marks in scans (core/page/kill_marks.hpp): what the server found dead to every transaction is marked in the leaf,
// and what was marked is passed over.
//
// Not in recovery: "dead to every transaction" is what the primary says, and a standby's snapshots may be older. The
// server neither asks for marks there nor lets them be believed (ignore_killed_tuples).
//
// Between reading an entry and marking it VACUUM may have removed it, and another row with the same key may have come
// to its place in the table. So an entry is marked only if the leaf was pinned all the time (VACUUM's cleanup lock waits
// for pins), or if its LSN has not moved, as nbtree does it; and if it is where it was.
#include "am/server/compat.hpp"
#include "am/scan/scan_state.hpp"

namespace learned {

namespace {

// Whether rank `rank` of the page is this entry.
bool holds(const PageView& page, int rank, const Entry& entry) {
  Entry found{};
  if (rank < 0 || static_cast<unsigned>(rank) >= page.encoded()) return false;
  const auto r = static_cast<unsigned>(rank);
  if (!decode(page, r, r + 1, &found.code, &found.tid)) return false;
  if (page.tree() == TreeId::nulls) found.code = 0;
  return found == entry && !page.is_dead(r);
}

void mark_delta(const PageView& page, const Entry& entry, KillMarker* marker) {
  for (unsigned j = 0; j < page.deltas(); j++) {
    if (page.delta_item(j).entry() == entry) marker->add_delta(j);
  }
}

void mark_page(ScanState* s, Buffer buffer) {
  std::uint8_t* bytes = s->store.hints(buffer);
  const PageView page(bytes);
  if (check_header(page) != nullptr || page.deleted() || page.tree() != s->leaf.tree || page.level() != 0)
    return;
  if (!compat::begin_hints(buffer)) return;
  Kill* kills = s->kills;
  Kill* end = kills + s->kill_count;
  std::sort(kills, end, [](const Kill& a, const Kill& b) { return a.rank < b.rank; });
  KillMarker marker(bytes);
  while (kills < end) {
    if (kills->rank < 0) {
      mark_delta(page, kills->entry, &marker);
      kills++;
      continue;
    }
    const int first = kills->rank;
    int next = first;
    // A scan that turned round may have met an entry twice.
    for (; kills < end && (kills->rank == next || (next > first && kills->rank == next - 1)); kills++) {
      if (!holds(page, kills->rank, kills->entry)) break;
      next = kills->rank + 1;
    }
    if (next > first) {
      marker.add(static_cast<unsigned>(first), static_cast<unsigned>(next));
    } else {
      kills++;
    }
  }
  compat::finish_hints(buffer, marker.finish());
}

}  // namespace

void read_kill_marks(IndexScanDesc scan, const PageView& page) {
  LeafCursor& leaf = state_of(scan)->leaf;
  leaf.marks = scan->ignore_killed_tuples ? KillMarks(page) : KillMarks();
}

void keep_kill_marks(ScanState* s) {
  if (!s->leaf.marks.any()) return;
  if (s->mark_words == nullptr) {
    s->mark_words =
        static_cast<std::uint64_t*>(MemoryContextAlloc(s->context, kMaxMarkWords * sizeof(std::uint64_t)));
  }
  s->leaf.marks.detach(s->mark_words);
}

void remember_kill(IndexScanDesc scan) {
  ScanState* s = state_of(scan);
  const LeafCursor& leaf = s->leaf;
  if (!leaf.loaded || s->resume_pending || leaf.at < leaf.batch_begin || leaf.at >= leaf.batch_end) return;
  if (s->kills == nullptr) {
    s->kills = static_cast<Kill*>(MemoryContextAlloc(s->context, kMaxKills * sizeof(Kill)));
  }
  if (s->kill_count == kMaxKills) mark_kills(s);
  const int i = leaf.at - leaf.batch_begin;
  s->kills[s->kill_count++] = {{s->codes[i], s->tids[i]}, rank_at(leaf, leaf.at)};
}

void mark_kills(ScanState* s) {
  if (s->kill_count == 0) return;
  LeafCursor& leaf = s->leaf;
  const bool pinned = BufferIsValid(leaf.pinned);
  const Buffer buffer = pinned ? leaf.pinned : s->store.pin(leaf.block);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  if (pinned || BufferGetLSNAtomic(buffer) == leaf.lsn) {
    mark_page(s, buffer);
    // With checksums the hint itself may have been logged; under the lock nothing else has changed.
    if (!pinned) leaf.lsn = BufferGetLSNAtomic(buffer);
  }
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  if (!pinned) ReleaseBuffer(buffer);
  s->kill_count = 0;
}

}  // namespace learned
