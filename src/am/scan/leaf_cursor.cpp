// The leaf that a scan stands on, and the way from one to the next.
//
// A scan visits parts in physical order: the ranges of codes that its conditions admit, and the NULLs before or
// behind them. For each leaf it computes, under the share lock, which entries belong to the current part. If
// they are few they are decoded at once; otherwise the page is copied and decoded lazily, in batches. Either
// way the lock is gone before an entry is returned; the pin stays where TIDs need protection from VACUUM
// (index-only scans, snapshots that are not MVCC; src/README.md, "Pins").
//
// A place between entries is always expressible as (part, position in the merged order of one page), and when
// pages change, as a (code, TID) position: every movement that meets a surprise descends again with that.
#include "am/server/compat.hpp"
#include "am/scan/parallel_scan.hpp"
#include "am/scan/scan_state.hpp"

namespace learned {

namespace {

// Of a parallel scan, what one process takes at a time: at most so many entries of a leaf, that may have 50,000; and
// of parts that hold few entries each, so many. Taking a piece costs some microseconds, in which others wait.
constexpr unsigned kMaxPiece = 4096;
constexpr int kMaxPieceParts = 256;

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

[[noreturn]] void damaged(ScanState* s, Block block) { s->store.corrupt(block, "page does not decode"); }

// Ranks of the encoded entries that belong to the part. If there is one, and *found has entries, it is in that segment.
void find_ranks(ScanState* s, const PageView& page, const Part& part, SegmentRef* found) {
  unsigned* begin = &s->leaf.first_rank;
  unsigned* end = &s->leaf.end_rank;
  bool sound = true;
  found->count = 0;
  if (part.tree == TreeId::nulls) {
    *begin = 0;
    *end = page.encoded();
  } else if (part.lo == part.hi) {
    sound = equal_range(page, part.lo, begin, end, found);
  } else {
    *begin = 0;
    *end = page.encoded();
    if (Entry{part.lo, 0} > page.low()) sound = lower_bound(page, {part.lo, 0}, begin);
    if (part.hi != kMaxCode && page.covers({part.hi + 1, 0})) {
      sound = sound && lower_bound(page, {part.hi + 1, 0}, end);
    }
  }
  if (!sound || *begin > *end || *end > page.encoded()) damaged(s, s->leaf.block);
}

// Decodes ranks [begin, end) behind batch position `at`.
void decode_ranks(ScanState* s, const PageView& page, unsigned begin, unsigned end, unsigned at) {
  if (begin >= end) return;
  if (!decode(page, begin, end, s->codes + at, s->tids + at)) damaged(s, s->leaf.block);
  if (s->leaf.tree == TreeId::nulls) std::fill_n(s->codes + at, end - begin, Code{0});
  std::fill_n(s->dead + at, end - begin, false);
  if ((page.flags() & kHasDead) != 0) {
    for (unsigned i = 0; i < end - begin; i++) s->dead[at + i] = page.is_dead(begin + i);
  }
  const KillMarks& marks = s->leaf.marks;
  if (!marks.any()) return;
  for (unsigned r = begin; (r = marks.next(r, end, true)) < end; r++) s->dead[at + r - begin] = true;
}

// A TID that no table can have is damage, and better said so than by what reads the table.
void check_tids(IndexScanDesc scan, unsigned n) {
  ScanState* s = state_of(scan);
  // The top bit says so: of a negative difference, as TIDs have 48 bits.
  const auto wrong = [](Tid tid, Tid end) { return (end - 1 - tid) | ((tid & 0xFFFF) - 1); };
  const auto suspicion = [s, n, wrong] {
    const Tid end = Tid{s->heap_blocks} << 16;
    std::uint64_t any = 0;
    if (s->clean) {
      for (unsigned i = 0; i < n; i++) any |= wrong(s->tids[i], end);
    } else {
      // (What was removed may have been on blocks that the table has no more.)
      for (unsigned i = 0; i < n; i++) any |= s->dead[i] ? 0 : wrong(s->tids[i], end);
    }
    return any >> 63 != 0;
  };
  if (n == 0 || (s->heap_blocks > 0 && !suspicion())) return;
  // Bitmap scans come without the table; whoever scans has it open and locked.
  const Relation heap = RelationIdGetRelation(scan->indexRelation->rd_index->indrelid);
  if (RelationIsValid(heap)) {
    s->heap_blocks = RelationGetNumberOfBlocks(heap);
    RelationClose(heap);
  }
  if (suspicion()) s->store.corrupt(s->leaf.block, "entry points beyond the table");
}

// The batch's index tuples.
void make_tuples(ScanState* s, unsigned n) {
  constexpr Size kKey = MAXALIGN(sizeof(IndexTupleData));
  const bool null = s->leaf.tree == TreeId::nulls;
  const Size size = kKey + (null ? MAXALIGN(sizeof(IndexAttributeBitMapData)) : MAXALIGN(s->key.width()));
  const auto info = static_cast<unsigned short>(size | (null ? INDEX_NULL_MASK : 0));
  static_assert(sizeof(IndexTupleData) == kKey && sizeof(IndexAttributeBitMapData) <= 8);
  // The header, as one word: high and low half of the block number, offset, info.
  static_assert(sizeof(IndexTupleData) == sizeof(uint64) && offsetof(IndexTupleData, t_info) == 6 &&
                offsetof(ItemPointerData, ip_posid) == 4 && offsetof(BlockIdData, bi_lo) == 2);
  const uint64 rest = static_cast<uint64>(info) << 48;
  const auto header = [rest](Tid tid) {
    return tid >> 32 | (tid & 0xFFFF0000) | (tid & 0xFFFF) << 32 | rest;
  };
  if (null) {
    // A clear bit means NULL.
    for (unsigned i = 0; i < n; i++) {
      store(s->tuples[i], header(s->tids[i]));
      s->tuples[i][kKey] = 0;
    }
  } else if (s->key.is_int8()) {
    for (unsigned i = 0; i < n; i++) {
      store(s->tuples[i], header(s->tids[i]));
      store(s->tuples[i] + kKey, int_from_code(s->codes[i]));
    }
  } else {
    for (unsigned i = 0; i < n; i++) {
      store(s->tuples[i], header(s->tids[i]));
      store_code(s->key, s->codes[i], s->tuples[i] + kKey);
    }
  }
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
      s->dead[p - begin] = leaf.delta_killed[d];
      d++;
      p++;
    }
  }
  leaf.batch_begin = begin;
  leaf.batch_end = end;
  s->clean = (page.flags() & kHasDead) == 0 && !leaf.marks.any();
}

// What is done for all entries of a new batch together. No content lock is held: the table may be looked up.
void finish_batch(IndexScanDesc scan) {
  ScanState* s = state_of(scan);
  const auto n = static_cast<unsigned>(s->leaf.batch_end - s->leaf.batch_begin);
  s->fresh = true;
  s->clean = s->clean || std::none_of(s->dead, s->dead + n, [](bool dead) { return dead; });
  check_tids(scan, n);
  s->leaf.batch_tuples = 0;
  if (scan->xs_want_itup) {
    make_tuples(s, n);
    if (s->clean) s->leaf.batch_tuples = n;
  }
}

// The batch of a leaf on which the part has one entry, which is in segment `ref`.
void decode_single(ScanState* s, const PageView& page, Code code, const SegmentRef& ref) {
  LeafCursor& leaf = s->leaf;
  const unsigned rank = leaf.first_rank;
  s->codes[0] = code;
  s->tids[0] = ref.tid_at(rank - ref.first_rank);
  s->dead[0] = page.is_dead(rank) || leaf.marks.killed(rank);
  s->clean = !s->dead[0];
  leaf.batch_begin = 0;
  leaf.batch_end = 1;
}

// Sets the cursor to the part's entries of a page: the shared page under its lock, or the private copy. If they are
// just one, and *found has entries, that is in this segment.
void restrict_to(ScanState* s, const PageView& page, const Part& part, SegmentRef* found) {
  LeafCursor& leaf = s->leaf;
  find_ranks(s, page, part, found);
  leaf.deltas = 0;
  const unsigned deltas = page.deltas();
  for (unsigned j = 0; j < deltas; j++) {
    const std::uint8_t* p = page.delta_at(j);
    const auto code = load<Code>(p);
    if (code < part.lo || code > part.hi) continue;
    leaf.delta[leaf.deltas++] = {code, PageView::delta_tid(p)};
  }
  std::sort(leaf.delta, leaf.delta + leaf.deltas);
  std::fill_n(leaf.delta_killed, leaf.deltas, false);
  for (unsigned j = 0; leaf.marks.any() && j < deltas; j++) {
    if (!leaf.marks.delta_killed(j)) continue;
    const Entry entry = page.delta_item(j).entry();
    const Entry* at = std::lower_bound(leaf.delta + 0, leaf.delta + leaf.deltas, entry);
    if (at < leaf.delta + leaf.deltas && *at == entry) leaf.delta_killed[at - leaf.delta] = true;
  }
  const unsigned encoded = leaf.end_rank - leaf.first_rank;
  for (unsigned j = 0; j < leaf.deltas; j++) {
    unsigned rank = leaf.end_rank;
    if (encoded > 0 && !lower_bound(page, leaf.delta[j], &rank)) damaged(s, leaf.block);
    rank = std::clamp(rank, leaf.first_rank, leaf.end_rank);
    leaf.delta_position[j] = rank - leaf.first_rank + j;
  }
  leaf.total = static_cast<int>(encoded + leaf.deltas);
  drop_batch(&leaf);
  leaf.batch_size = kSmall;
}

Tree<BufferStore> tree_of(ScanState* s, TreeId id) { return Tree<BufferStore>(&s->store, id); }

// Takes in a leaf that is locked for share, restricted to the current part; unlocks it.
void load_leaf(IndexScanDesc scan, Buffer buffer) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  unload(s);
  s->store.verify(buffer);
  // Before the content lock goes: an insert that this scan does not see finds the predicate lock. Also when nothing
  // here matches, as a gap has been read then.
  PredicateLockPage(scan->indexRelation, BufferGetBlockNumber(buffer), scan->xs_snapshot);
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
  leaf.lsn = BufferGetLSNAtomic(buffer);
  read_kill_marks(scan, page);
  const Part part = part_at(s, s->part);
  SegmentRef found;
  restrict_to(s, page, part, &found);
  // (A piece of a parallel scan is what was found here now, whatever happens to the page.)
  leaf.copied = leaf.total > static_cast<int>(kSmall) || scan->parallel_scan != nullptr;
  if (leaf.copied) {
    if (s->copy == nullptr) s->copy = static_cast<std::uint8_t*>(MemoryContextAlloc(s->context, kPageSize));
    leaf.view = compact_copy(page, s->copy);
    keep_kill_marks(s);
  } else {
    if (leaf.total == 1 && leaf.deltas == 0 && found.count > 0) {
      decode_single(s, page, part.lo, found);
    } else {
      decode_batch(s, page, 0, leaf.total);
    }
    leaf.marks = KillMarks();  // those in the page are not to be read without its lock
  }
  leaf.loaded = true;
  // Non-MVCC snapshots and index-only scans rely on the pin: VACUUM takes a cleanup lock on every leaf before
  // the TIDs in it may be used again. Marking dead entries relies on the LSN, which stands still if nothing is logged.
  if (scan->xs_want_itup || !compat::is_mvcc(scan->xs_snapshot) || !RelationNeedsWAL(scan->indexRelation)) {
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    leaf.pinned = buffer;
  } else {
    UnlockReleaseBuffer(buffer);
  }
  if (!leaf.copied) finish_batch(scan);
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

// First position from `at` on whose entry is neither removed nor killed; `total` if there is none. The leaf is a copy.
// A page may have fifty thousand dead entries in front, so this goes by words and by runs.
int skip_dead(const LeafCursor& leaf, int at) {
  const bool has_dead = (leaf.view.flags() & kHasDead) != 0;
  if (!has_dead && !leaf.marks.any()) return at;
  unsigned d = 0;
  while (d < leaf.deltas && static_cast<int>(leaf.delta_position[d]) < at) d++;
  while (at < leaf.total) {
    if (d < leaf.deltas && static_cast<int>(leaf.delta_position[d]) == at) {
      if (!leaf.delta_killed[d]) return at;
      d++;
      at++;
      continue;
    }
    const unsigned begin = leaf.first_rank + static_cast<unsigned>(at) - d;
    const unsigned end = d < leaf.deltas ? leaf.first_rank + leaf.delta_position[d] - d : leaf.end_rank;
    unsigned rank = begin;
    for (;;) {
      rank = leaf.marks.next(rank, end, false);
      if (!has_dead || rank >= end || !leaf.view.is_dead(rank)) break;
      rank++;
    }
    at += static_cast<int>(rank - begin);
    if (rank < end) return at;
  }
  return leaf.total;
}

// The same backward: last position up to `at`, -1 if there is none.
int skip_dead_back(const LeafCursor& leaf, int at) {
  const bool has_dead = (leaf.view.flags() & kHasDead) != 0;
  if (!has_dead && !leaf.marks.any()) return at;
  unsigned d = leaf.deltas;  // delta entries before position at + 1
  while (d > 0 && static_cast<int>(leaf.delta_position[d - 1]) > at) d--;
  while (at >= 0) {
    if (d > 0 && static_cast<int>(leaf.delta_position[d - 1]) == at) {
      if (!leaf.delta_killed[d - 1]) return at;
      d--;
      at--;
      continue;
    }
    // Ranks [begin, end) lie between the delta entry before and this position, inclusive.
    const unsigned end = leaf.first_rank + static_cast<unsigned>(at) - d + 1;
    const unsigned begin = d > 0 ? leaf.first_rank + leaf.delta_position[d - 1] + 1 - d : leaf.first_rank;
    unsigned rank = end;
    for (;;) {
      rank = leaf.marks.live_before(begin, rank);
      if (!has_dead || rank == begin || !leaf.view.is_dead(rank - 1)) break;
      rank--;
    }
    at -= static_cast<int>(end - rank);
    if (rank > begin) return at;
  }
  return -1;
}

// ---- parallel scans ---------------------------------------------------------------------------------

// Where a part begins, for a scan in this direction.
Entry start_of(const Part& part, bool forward) {
  return forward ? Entry{part.lo, 0} : Entry{part.hi, kMaxTid};
}

// Whether a position is on the leaf that was loaded.
bool is_here(const LeafCursor& leaf, const Part& part, const Entry& e) {
  return leaf.tree == part.tree && e >= leaf.low && (leaf.rightmost || e < leaf.high);
}

// Narrows the cursor to its positions [begin, end).
void keep_positions(LeafCursor* leaf, unsigned begin, unsigned end) {
  unsigned skipped = 0;
  unsigned kept = 0;
  for (unsigned j = 0; j < leaf->deltas; j++) {
    const unsigned position = leaf->delta_position[j];
    if (position < begin) skipped++;
    if (position < begin || position >= end) continue;
    leaf->delta[kept] = leaf->delta[j];
    leaf->delta_killed[kept] = leaf->delta_killed[j];
    leaf->delta_position[kept] = position - begin;
    kept++;
  }
  leaf->first_rank += begin - skipped;
  leaf->end_rank = leaf->first_rank + (end - begin - kept);
  leaf->deltas = kept;
  leaf->total = static_cast<int>(end - begin);
  drop_batch(leaf);
}

// Decides which of the parts that begin on the loaded leaf belong to a piece whose part `first` was not cut, and
// where the next piece begins. False: nowhere.
bool extend_piece(ScanState* s, int first, bool forward, ScanPlace* next) {
  const LeafCursor& leaf = s->leaf;
  for (int no = first;; no += forward ? 1 : -1) {
    const Part part = part_at(s, no);
    s->piece_end = no;
    if (forward && !leaf.rightmost && leaf.high <= Entry{part.hi, kMaxTid}) {
      *next = {no, leaf.high, leaf.right};
      return true;
    }
    if (!forward && leaf.low > Entry{part.lo, 0}) {
      *next = {no, leaf.low, leaf.left};
      return true;
    }
    const int following = forward ? no + 1 : no - 1;
    if (following < 0 || following >= s->parts) return false;
    const Part other = part_at(s, following);
    const Entry start = start_of(other, forward);
    const bool here = is_here(leaf, other, start);
    // What may have many entries is cut into pieces of its own.
    if (!here || other.hi - other.lo >= kMaxPiece || std::abs(following - first) >= kMaxPieceParts) {
      *next = {following, start, here ? leaf.block : kNoBlock};
      return true;
    }
  }
}

}  // namespace

void unload(ScanState* s) {
  mark_kills(s);
  if (BufferIsValid(s->leaf.pinned)) ReleaseBuffer(s->leaf.pinned);
  s->leaf.pinned = InvalidBuffer;
  s->leaf.loaded = false;
  drop_batch(&s->leaf);
}

void enter_part(IndexScanDesc scan, int part_no, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  s->part = part_no;
  const Part part = part_at(s, part_no);
  const Entry start = start_of(part, forward);
  const bool here = leaf.loaded && is_here(leaf, part, start);
  // From the keys to the NULLs a scan without conditions goes on, as nbtree steps right.
  if ((!here || compat::kCountsEveryLook) && !(leaf.loaded && s->bounds.want_nulls)) {
    compat::count_index_search(scan);
  }
  if (here && leaf.copied) {
    SegmentRef found;
    restrict_to(s, leaf.view, part, &found);
  } else {
    mark_kills(s);
    Tree<BufferStore> tree = tree_of(s, part.tree);
    load_leaf(scan, here ? tree.locate_at(leaf.block, start, LockMode::share)
                         : tree.locate(start, LockMode::share));
  }
  leaf.at = forward ? -1 : leaf.total;
}

bool take_piece(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  auto* shared = compat::shared_scan<SharedScan>(scan);
  ScanPlace place;
  bool fresh;
  mark_kills(s);
  if (!take_place(shared, &place, &fresh)) return false;
  if (fresh) {
    if (!compat::kCountsEveryLook) compat::count_index_search(scan);
    place.part = forward ? 0 : s->parts - 1;
    place.fence = start_of(part_at(s, place.part), forward);
    place.hint = kNoBlock;
  } else if (place.part >= s->parts) {
    elog(ERROR, "processes of a parallel scan disagree on its conditions");
  } else if (place.hint == kNoBlock && !s->bounds.want_nulls) {
    compat::count_index_search(scan);
  }
  s->part = place.part;
  Tree<BufferStore> tree = tree_of(s, part_at(s, place.part).tree);
  const Entry key = forward ? place.fence : predecessor(place.fence);
  load_leaf(scan, place.hint == kNoBlock ? tree.locate(key, LockMode::share)
                                         : tree.locate_at(place.hint, key, LockMode::share));

  // What is on the other side of the fence was in other pieces.
  const auto before = static_cast<unsigned>(entries_before(s, place.fence));
  unsigned begin = forward ? before : 0;
  unsigned end = forward ? static_cast<unsigned>(leaf.total) : before;
  ScanPlace next;
  bool more = true;
  if (end - begin > kMaxPiece) {
    // The next piece begins with the first entry that is left over, or ends before the last that is taken.
    const unsigned cut = forward ? begin + kMaxPiece : end - kMaxPiece;
    decode_batch(s, leaf.view, static_cast<int>(cut), static_cast<int>(cut) + 1);
    next = {place.part, {s->codes[0], s->tids[0]}, leaf.block};
    (forward ? end : begin) = cut;
    s->piece_end = place.part;
  } else {
    more = extend_piece(s, place.part, forward, &next);
  }
  if (more) {
    put_place(shared, next);
  } else {
    end_place(shared);
  }
  keep_positions(&leaf, begin, end);
  leaf.at = forward ? -1 : leaf.total;
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

bool advance(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  CHECK_FOR_INTERRUPTS();
  if (scan->parallel_scan != nullptr) {
    if (s->part == s->piece_end) return take_piece(scan, forward);
    enter_part(scan, forward ? s->part + 1 : s->part - 1, forward);
    return true;
  }
  const Part part = part_at(s, s->part);
  // The page that we come to may have been joined with the one that we leave: what lies before the fence that we
  // cross was returned already.
  if (forward && !leaf.rightmost && leaf.high <= Entry{part.hi, kMaxTid}) {
    const Entry fence = leaf.high;
    mark_kills(s);
    load_leaf(scan, tree_of(s, part.tree).step_right(leaf.right, fence, LockMode::share));
    leaf.at = leaf.low == fence ? -1 : entries_before(s, fence) - 1;
    return true;
  }
  if (!forward && leaf.low > Entry{part.lo, 0}) {
    const Entry fence = leaf.low;
    mark_kills(s);
    load_leaf(scan, tree_of(s, part.tree).step_left(leaf.left, fence, LockMode::share));
    leaf.at = !leaf.rightmost && leaf.high == fence ? leaf.total : entries_before(s, fence);
    return true;
  }
  const int next = forward ? s->part + 1 : s->part - 1;
  if (next < 0 || next >= s->parts) return false;
  enter_part(scan, next, forward);
  return true;
}

int rank_at(const LeafCursor& leaf, int position) {
  const unsigned* end = leaf.delta_position + leaf.deltas;
  const unsigned* d = std::lower_bound(leaf.delta_position + 0, end, static_cast<unsigned>(position));
  if (d < end && static_cast<int>(*d) == position) return -1;
  return static_cast<int>(leaf.first_rank) + position - static_cast<int>(d - leaf.delta_position);
}

bool decode_more(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  leaf.at = forward ? skip_dead(leaf, leaf.at) : skip_dead_back(leaf, leaf.at);
  if (leaf.at < 0 || leaf.at >= leaf.total) return false;
  const auto size = static_cast<int>(leaf.batch_size);
  const int begin = forward ? leaf.at : std::max(0, leaf.at - size + 1);
  const int end = forward ? std::min(leaf.total, leaf.at + size) : leaf.at + 1;
  decode_batch(s, leaf.view, begin, end);
  finish_batch(scan);
  leaf.batch_size = std::min(kMaxBatch, leaf.batch_size * 4);
  return true;
}

void resume_at_mark(IndexScanDesc scan, bool forward) {
  ScanState* s = state_of(scan);
  LeafCursor& leaf = s->leaf;
  mark_kills(s);
  s->resume_pending = false;
  const Part part = part_at(s, s->part);
  load_leaf(scan, tree_of(s, part.tree).locate_at(s->resume_block, s->resume, LockMode::share));
  // Forward goes on behind the entry, backward before it.
  const int before = entries_before(s, forward ? Entry{s->resume.code, s->resume.tid + 1} : s->resume);
  leaf.at = forward ? before - 1 : before;
}

}  // namespace learned
