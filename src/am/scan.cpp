// Scans: plain, index-only and bitmap, both directions, mark and restore.
//
// A scan visits parts in physical order: the ranges of codes that its conditions admit, and the NULLs before or
// behind them. For each leaf it computes, under the share lock, which entries belong to the current part. If
// they are few they are decoded at once; otherwise the page is copied and decoded lazily, in batches. Either
// way the lock is gone before an entry is returned; the pin stays where TIDs need protection from VACUUM
// (index-only scans, snapshots that are not MVCC; src/README.md, "Pins").
//
// A place between entries is always expressible as (part, position in the merged order of one page), and when
// pages change, as a (code, TID) position: every movement that meets a surprise descends again with that.
#include "am/buffer_store.hpp"
#include "am/callbacks.hpp"
#include "am/compat.hpp"
#include "am/scan_bounds.hpp"

namespace learned {

namespace {

// As many entries or fewer are decoded straight from the shared page.
constexpr unsigned kSmall = 32;
constexpr unsigned kMaxBatch = 256;

struct Part {
  TreeId tree;
  Code lo;
  Code hi;
};

// The leaf that the scan stands on, restricted to one part.
struct LeafCursor {
  bool loaded;
  bool copied;    // `view` is the copy; else everything is in the batch
  Buffer pinned;  // InvalidBuffer unless the pin must be kept
  Block block;
  TreeId tree;
  bool rightmost;
  Entry low;
  Entry high;
  Block left;
  Block right;
  uint64 serial;  // tells one loading from another

  // Merged positions [0, total): encoded entries of ranks [first_rank, end_rank) and delta entries among them.
  unsigned first_rank;
  unsigned end_rank;
  unsigned deltas;
  int total;
  int at;  // current position, -1 and total are the ends
  unsigned delta_position[kMaxDelta];
  Entry delta[kMaxDelta];

  // Decoded positions [batch_begin, batch_end).
  int batch_begin;
  int batch_end;
  unsigned batch_size;  // of the next one; grows
  PageView view;
};

struct Mark {
  bool valid;
  int part;
  Entry entry;
  uint64 serial;
  int at;
};

struct ScanState {
  ScanBounds bounds;
  BufferStore store;
  KeyType key;
  bool descending;      // physical order is the reverse of the index's
  bool nulls_first;     // physically
  bool counted;         // this scan is in the statistics
  bool resume_pending;  // restored to a mark whose page is gone
  int part;
  int parts;
  Mark mark;
  Entry resume;
  LeafCursor leaf;
  Code codes[kMaxBatch];
  Tid tids[kMaxBatch];
  bool dead[kMaxBatch];
  std::uint8_t* copy;  // kPageSize bytes, made on first use
  MemoryContext context;
  BlockNumber heap_blocks;  // the table has at least so many blocks
  char* tuple;              // the index tuple of an index-only scan
};
static_assert(std::is_trivially_destructible_v<ScanState>);

ScanState* state_of(IndexScanDesc scan) { return static_cast<ScanState*>(scan->opaque); }

Part part_at(const ScanState* s, int i) {
  const Part nulls{TreeId::nulls, 0, 0};
  if (s->bounds.want_nulls) {
    if (s->nulls_first) {
      if (i == 0) return nulls;
      i--;
    } else if (i == static_cast<int>(s->bounds.range_count)) {
      return nulls;
    }
  }
  const CodeRange& r = s->bounds.ranges[i];
  return {TreeId::keys, r.lo, r.hi};
}

void unload(ScanState* s) {
  if (BufferIsValid(s->leaf.pinned)) ReleaseBuffer(s->leaf.pinned);
  s->leaf.pinned = InvalidBuffer;
  s->leaf.loaded = false;
}

[[noreturn]] void damaged(ScanState* s, Block block) { s->store.corrupt(block, "page does not decode"); }

// Ranks of the encoded entries that belong to the part.
void find_ranks(ScanState* s, const PageView& page, const Part& part, Block block, unsigned* begin,
                unsigned* end) {
  bool sound = true;
  if (part.tree == TreeId::nulls) {
    *begin = 0;
    *end = page.encoded();
  } else if (part.lo == part.hi) {
    sound = equal_range(page, part.lo, begin, end);
  } else {
    *begin = 0;
    *end = page.encoded();
    if (Entry{part.lo, 0} > page.low()) sound = lower_bound(page, {part.lo, 0}, begin);
    if (part.hi != kMaxCode && page.covers({part.hi + 1, 0})) {
      sound = sound && lower_bound(page, {part.hi + 1, 0}, end);
    }
  }
  if (!sound || *begin > *end || *end > page.encoded()) damaged(s, block);
}

// Decodes ranks [begin, end) behind batch position `at`.
void decode_ranks(ScanState* s, const PageView& page, unsigned begin, unsigned end, unsigned at) {
  if (begin >= end) return;
  if (!decode(page, begin, end, s->codes + at, s->tids + at)) damaged(s, s->leaf.block);
  if (s->leaf.tree == TreeId::nulls) std::fill_n(s->codes + at, end - begin, Code{0});
  const bool has_dead = (page.flags() & kHasDead) != 0;
  for (unsigned i = 0; i < end - begin; i++) s->dead[at + i] = has_dead && page.is_dead(begin + i);
}

// Decodes merged positions [begin, end) into the batch.
void decode_batch(ScanState* s, const PageView& page, int begin, int end) {
  LeafCursor& leaf = s->leaf;
  unsigned d = 0;
  while (d < leaf.deltas && static_cast<int>(leaf.delta_position[d]) < begin) d++;
  unsigned rank = leaf.first_rank + static_cast<unsigned>(begin) - d;
  int p = begin;
  while (p < end) {
    int next = end;
    if (d < leaf.deltas && static_cast<int>(leaf.delta_position[d]) < end)
      next = static_cast<int>(leaf.delta_position[d]);
    const auto n = static_cast<unsigned>(next - p);
    decode_ranks(s, page, rank, rank + n, static_cast<unsigned>(p - begin));
    rank += n;
    p = next;
    if (p < end) {
      s->codes[p - begin] = leaf.delta[d].code;
      s->tids[p - begin] = leaf.delta[d].tid;
      s->dead[p - begin] = false;
      d++;
      p++;
    }
  }
  leaf.batch_begin = begin;
  leaf.batch_end = end;
}

// Sets the cursor to the part's entries of a page: the shared page under its lock, or the private copy.
void restrict_to(ScanState* s, const PageView& page, const Part& part) {
  LeafCursor& leaf = s->leaf;
  find_ranks(s, page, part, leaf.block, &leaf.first_rank, &leaf.end_rank);
  leaf.deltas = 0;
  const unsigned deltas = page.deltas();
  for (unsigned j = 0; j < deltas; j++) {
    const std::uint8_t* p = page.delta_at(j);
    const auto code = load<Code>(p);
    if (code < part.lo || code > part.hi) continue;
    leaf.delta[leaf.deltas++] = {code, PageView::delta_tid(p)};
  }
  std::sort(leaf.delta, leaf.delta + leaf.deltas);
  const unsigned encoded = leaf.end_rank - leaf.first_rank;
  for (unsigned j = 0; j < leaf.deltas; j++) {
    unsigned rank = leaf.end_rank;
    if (encoded > 0 && !lower_bound(page, leaf.delta[j], &rank)) damaged(s, leaf.block);
    rank = std::clamp(rank, leaf.first_rank, leaf.end_rank);
    leaf.delta_position[j] = rank - leaf.first_rank + j;
  }
  leaf.total = static_cast<int>(encoded + leaf.deltas);
  leaf.batch_begin = leaf.batch_end = 0;
  leaf.batch_size = kSmall;
}

// Takes in a leaf that is locked for share, restricted to the current part; unlocks it.
void load_leaf(IndexScanDesc scan, Buffer buffer) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  unload(s);
  s->store.verify(buffer);
  compat::test_for_old_snapshot(scan->xs_snapshot, scan->indexRelation, buffer);
  const PageView page(buffer_bytes(buffer));
  leaf.block = BufferGetBlockNumber(buffer);
  leaf.tree = page.tree();
  leaf.rightmost = page.rightmost();
  leaf.low = page.low();
  leaf.high = page.high();
  leaf.left = page.left();
  leaf.right = page.right();
  leaf.serial++;
  restrict_to(s, page, part_at(s, s->part));
  leaf.copied = leaf.total > static_cast<int>(kSmall);
  if (leaf.copied) {
    if (s->copy == nullptr) s->copy = static_cast<std::uint8_t*>(MemoryContextAlloc(s->context, kPageSize));
    leaf.view = compact_copy(page, s->copy);
  } else {
    decode_batch(s, page, 0, leaf.total);
  }
  leaf.loaded = true;
  // Non-MVCC snapshots and index-only scans rely on the pin: VACUUM takes a cleanup lock on every leaf before
  // the TIDs in it may be used again.
  if (scan->xs_want_itup || !IsMVCCSnapshot(scan->xs_snapshot)) {
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    leaf.pinned = buffer;
  } else {
    UnlockReleaseBuffer(buffer);
  }
}

Tree<BufferStore> tree_of(ScanState* s, TreeId id) { return Tree<BufferStore>(&s->store, id); }

// Goes to the end of a part where a scan in this direction begins.
void enter_part(IndexScanDesc scan, int part_no, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  s->part = part_no;
  const Part part = part_at(s, part_no);
  const Entry start = forward ? Entry{part.lo, 0} : Entry{part.hi, kMaxTid};
  const bool here = leaf.loaded && leaf.copied && leaf.tree == part.tree && start >= leaf.low &&
                    (leaf.rightmost || start < leaf.high);
  if (here) {
    restrict_to(s, leaf.view, part);
  } else {
    load_leaf(scan, tree_of(s, part.tree).locate(start, LockMode::share));
  }
  leaf.at = forward ? -1 : leaf.total;
}

// Number of the cursor's positions whose entry is < limit.
int entries_before(ScanState* s, const Entry& limit) {
  LeafCursor& leaf = s->leaf;
  int before = 0;
  if (!leaf.copied) {
    while (before < leaf.total && Entry{s->codes[before], s->tids[before]} < limit) before++;
    return before;
  }
  unsigned rank = leaf.first_rank;
  if (leaf.end_rank > leaf.first_rank && !lower_bound(leaf.view, limit, &rank)) damaged(s, leaf.block);
  before = static_cast<int>(std::clamp(rank, leaf.first_rank, leaf.end_rank) - leaf.first_rank);
  for (unsigned j = 0; j < leaf.deltas && leaf.delta[j] < limit; j++) before++;
  return before;
}

// Leaves the page (or the part) at one end. False: there is nothing beyond.
bool advance(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  CHECK_FOR_INTERRUPTS();
  const Part part = part_at(s, s->part);
  // The page that we come to may have been joined with the one that we leave: what lies before the fence that we
  // cross was returned already.
  if (forward && !leaf.rightmost && leaf.high <= Entry{part.hi, kMaxTid}) {
    const Entry fence = leaf.high;
    load_leaf(scan, tree_of(s, part.tree).step_right(leaf.right, fence, LockMode::share));
    leaf.at = leaf.low == fence ? -1 : entries_before(s, fence) - 1;
    return true;
  }
  if (!forward && leaf.low > Entry{part.lo, 0}) {
    const Entry fence = leaf.low;
    load_leaf(scan, tree_of(s, part.tree).step_left(leaf.left, fence, LockMode::share));
    leaf.at = !leaf.rightmost && leaf.high == fence ? leaf.total : entries_before(s, fence);
    return true;
  }
  const int next = forward ? s->part + 1 : s->part - 1;
  if (next < 0 || next >= s->parts) return false;
  enter_part(scan, next, forward);
  return true;
}

void ensure_decoded(ScanState* s, bool forward) {
  LeafCursor& leaf = s->leaf;
  if (leaf.at >= leaf.batch_begin && leaf.at < leaf.batch_end) return;
  const auto size = static_cast<int>(leaf.batch_size);
  const int begin = forward ? leaf.at : std::max(0, leaf.at - size + 1);
  const int end = forward ? std::min(leaf.total, leaf.at + size) : leaf.at + 1;
  decode_batch(s, leaf.view, begin, end);
  leaf.batch_size = std::min(kMaxBatch, leaf.batch_size * 4);
}

// Loads the page of a mark that was restored and stands on the marked entry's place.
void resume_at_mark(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  s->resume_pending = false;
  const Part part = part_at(s, s->part);
  load_leaf(scan, tree_of(s, part.tree).locate(s->resume, LockMode::share));
  // Forward goes on behind the entry, backward before it.
  const int before = entries_before(s, forward ? Entry{s->resume.code, s->resume.tid + 1} : s->resume);
  leaf.at = forward ? before - 1 : before;
}

// Moves to the next entry in physical direction. False: the scan is over, and unloaded.
bool step(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  if (s->parts == 0) return false;
  if (s->resume_pending) {
    resume_at_mark(scan, forward);
  } else if (!leaf.loaded) {
    if (!s->counted) {
      compat::count_index_search(scan);
      s->counted = true;
    }
    enter_part(scan, forward ? 0 : s->parts - 1, forward);
  }
  for (;;) {
    leaf.at += forward ? 1 : -1;
    if (leaf.at >= 0 && leaf.at < leaf.total) {
      ensure_decoded(s, forward);
      if (!s->dead[leaf.at - leaf.batch_begin]) return true;
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

// A TID that no table can have is damage, and better said so than by what reads the table.
void check_tid(IndexScanDesc scan, Tid tid) {
  ScanState* s = state_of(scan);
  if (tid_offset(tid) != 0 && tid_block(tid) < s->heap_blocks) return;
  // Bitmap scans come without the table; whoever scans has it open and locked.
  const Relation heap = RelationIdGetRelation(scan->indexRelation->rd_index->indrelid);
  if (RelationIsValid(heap)) {
    s->heap_blocks = RelationGetNumberOfBlocks(heap);
    RelationClose(heap);
  }
  if (tid_offset(tid) == 0 || tid_block(tid) >= s->heap_blocks) {
    s->store.corrupt(s->leaf.block, "entry points beyond the table");
  }
}

// The index tuple of the current entry, for index-only scans.
IndexTuple current_tuple(ScanState* s, const Entry& e) {
  auto* tuple = reinterpret_cast<IndexTuple>(s->tuple);
  const bool null = s->leaf.tree == TreeId::nulls;
  Size size = MAXALIGN(sizeof(IndexTupleData));
  if (null) {
    size = MAXALIGN(sizeof(IndexTupleData) + sizeof(IndexAttributeBitMapData));
    // A clear bit means NULL.
    s->tuple[sizeof(IndexTupleData)] = 0;
  } else {
    store_code(s->key, e.code, s->tuple + size);
    size += MAXALIGN(static_cast<Size>(s->key.width()));
  }
  tuple->t_info = static_cast<unsigned short>(size | (null ? INDEX_NULL_MASK : 0));
  ItemPointerSet(&tuple->t_tid, tid_block(e.tid), tid_offset(e.tid));
  return tuple;
}

}  // namespace

bool learned_can_return(Relation, int) {
  // Generic WAL replays VACUUM's removals without a cleanup lock, so a standby's pins protect nothing.
  return !RecoveryInProgress();
}

IndexScanDesc learned_begin_scan(Relation index, int nkeys, int norderbys) {
  IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
  auto* s = static_cast<ScanState*>(palloc0(sizeof(ScanState)));
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
  bounds_set(&s->bounds, scan->keyData, scan->numberOfKeys);
  s->parts = static_cast<int>(s->bounds.range_count) + (s->bounds.want_nulls ? 1 : 0);
  s->mark.valid = false;
  s->resume_pending = false;
  s->counted = false;
  if (scan->xs_want_itup && s->tuple == nullptr) {
    // Header, then eight bytes of key or of the null bitmap.
    s->tuple = static_cast<char*>(MemoryContextAllocZero(s->context, MAXALIGN(sizeof(IndexTupleData)) + 16));
    scan->xs_itupdesc = RelationGetDescr(scan->indexRelation);
  }
}

bool learned_gettuple(IndexScanDesc scan, ScanDirection direction) {
  ScanState* s = state_of(scan);
  scan->xs_recheck = s->bounds.recheck;
  if (!step(scan, ScanDirectionIsForward(direction) != s->descending)) return false;
  const Entry e = current(s);
  check_tid(scan, e.tid);
  ItemPointerSet(&scan->xs_heaptid, tid_block(e.tid), tid_offset(e.tid));
  if (scan->xs_want_itup) scan->xs_itup = current_tuple(s, e);
  return true;
}

int64 learned_getbitmap(IndexScanDesc scan, TIDBitmap* bitmap) {
  ScanState* s = state_of(scan);
  int64 count = 0;
  ItemPointerData tids[kMaxBatch];
  int n = 0;
  while (step(scan, true)) {
    const Entry e = current(s);
    check_tid(scan, e.tid);
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
  ensure_decoded(s, true);
  s->mark.part = s->part;
  s->mark.entry = current(s);
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
  s->resume_pending = true;
}

}  // namespace learned
