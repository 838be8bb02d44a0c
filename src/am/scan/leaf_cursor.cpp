#include "am/scan/leaf_cursor.hpp"

#include "am/server/table_tids.hpp"

namespace learned {

template <class K>
BasicLeafCursor<K>::BasicLeafCursor(Relation index, const KeyColumns& columns, MemoryContext context)
    : columns_(columns), context_(context), store_(index), walk_(&store_), kills_(context) {}

template <class K>
ReadLeaf BasicLeafCursor<K>::reads([[maybe_unused]] const TreeRange& part, IndexScanDesc scan) const {
  ReadLeaf reads{scan->indexRelation, scan->xs_snapshot};
  if constexpr (std::is_same_v<K, Code>) reads.only = one_part_ ? &part : nullptr;
  return reads;
}

// ---- leaves -----------------------------------------------------------------------------------------

template <class K>
void BasicLeafCursor<K>::write_kill_marks() {
  KilledLeaf killed{leaf().tree(), leaf().block(), pinned_, lsn_};
  kills_.set(&store_, &killed);
  lsn_ = killed.lsn;
}

// The leaf's entries and pin. REQUIRES: the kill marks are set.
template <class K>
void BasicLeafCursor<K>::let_go() {
  if (BufferIsValid(pinned_)) ReleaseBuffer(pinned_);
  pinned_ = InvalidBuffer;
  batch_.clear();
}

template <class K>
void BasicLeafCursor<K>::unload() {
  set_kill_marks();
  let_go();
  walk_.forget();
}

// Selects the part's entries: of the shared page under its lock, or of the private copy.
template <class K>
void BasicLeafCursor<K>::select(const TreeRange& part, BasicLeafRanks<K>* ranks) {
  if (!entries_.select(leaf(), part, ranks)) damaged();
  batch_.start_leaf();
}

template <class K>
void BasicLeafCursor<K>::keep_page() {
  if (copy_ == nullptr) copy_ = static_cast<std::uint8_t*>(MemoryContextAlloc(context_, kMaxCompactBytes));
  if (entries_.has_kill_marks() && kill_words_ == nullptr) {
    kill_words_ =
        static_cast<std::uint64_t*>(MemoryContextAlloc(context_, kMaxKillWords * sizeof(std::uint64_t)));
  }
  entries_.keep(copy_, kill_words_);
}

// Takes in the leaf to which the walk has come, which is locked for share; unlocks it.
template <class K>
void BasicLeafCursor<K>::load(IndexScanDesc scan, const TreeRange& part, Buffer buffer) {
  let_go();
  serial_++;
  skipping_ = false;
  lsn_ = BufferGetLSNAtomic(buffer);
  entries_.open(BasicPageView<K>(buffer_bytes(buffer)), scan->ignore_killed_tuples);
  BasicLeafRanks<K> ranks;
  select(part, &ranks);
  // (A piece of a parallel scan is what was found here now, whatever happens to the page.)
  const bool keep = entries_.total() > Batch::kFirst || scan->parallel_scan != nullptr;
  if (keep) {
    keep_page();
  } else {
    if (entries_.is_single(ranks)) {
      batch_.set_single(part.lo, entries_.single_tid(ranks), entries_.single_dead());
    } else if (!batch_.decode(entries_, 0, entries_.total())) {
      damaged();
    }
    entries_.release();
  }
  // Non-MVCC snapshots and index-only scans rely on the pin: VACUUM takes a cleanup lock on every leaf before
  // the TIDs in it may be used again. Killing entries relies on the LSN, which stands still if nothing is logged.
  if (!scout_ &&
      (scan->xs_want_itup || !compat::is_mvcc(scan->xs_snapshot) || !RelationNeedsWAL(scan->indexRelation))) {
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    pinned_ = buffer;
  } else {
    UnlockReleaseBuffer(buffer);
  }
  if (!keep) finish_batch(scan);
}

template <class K>
void BasicLeafCursor<K>::enter(IndexScanDesc scan, const TreeRange& part, bool forward) {
  if (loaded() && entries_.kept() && has_start(part, forward)) {
    BasicLeafRanks<K> ranks;
    select(part, &ranks);
  } else {
    set_kill_marks();
    load(scan, part, walk_.enter(part, forward, reads(part, scan)));
  }
  stand_at_start(forward);
}

template <class K>
void BasicLeafCursor<K>::cross(IndexScanDesc scan, const TreeRange& part, bool forward) {
  set_kill_marks();
  load(scan, part, walk_.next(forward, reads(part, scan)));
  stand_at_start(forward);
}

template <class K>
bool BasicLeafCursor<K>::cross_to(IndexScanDesc scan, const TreeRange& part, const Entry& position,
                                  bool forward) {
  const Block neighbour = leaf().link(forward);
  const Block hint = next_door_ ? neighbour : kNoBlock;
  take_over(scan, part, position, hint, forward);
  next_door_ = leaf().block() == neighbour;
  return hint == kNoBlock || !next_door_;
}

template <class K>
void BasicLeafCursor<K>::take_over(IndexScanDesc scan, const TreeRange& part, Entry fence, Block hint,
                                   bool forward) {
  set_kill_marks();
  load(scan, part, walk_.take_over(part.tree, fence, hint, forward, reads(part, scan)));
  stand_at_start(forward);
}

template <class K>
void BasicLeafCursor<K>::return_to(IndexScanDesc scan, const TreeRange& part, Entry entry, Block hint,
                                   bool forward) {
  set_kill_marks();
  load(scan, part, walk_.enter_at(part.tree, entry, hint, reads(part, scan)));
  // Forward goes on behind the entry, backward before it.
  const Entry limit = forward ? Entry{entry.code, entry.tid + 1} : entry;
  const int before = count_before(limit);
  number_ = forward ? before - 1 : before;
}

// How many entries here are < limit.
template <class K>
int BasicLeafCursor<K>::count_before(const Entry& limit) {
  int before = 0;
  if (!entries_.kept()) {
    before = batch_.count_before(limit);
  } else if (!entries_.count_before(limit, &before)) {
    damaged();
  }
  return before;
}

template <class K>
void BasicLeafCursor<K>::skip_to(const Entry& position, bool forward) {
  // (A short way is in the batch.)
  if (batch_.spans(position)) {
    const int before = batch_.begin() + batch_.count_before(position);
    number_ = forward ? before - 1 : before;
    return;
  }
  skipping_ =
      !(forward ? leaf().covers(leaf().tree(), position)
                : position != lowest_entry<K>() && leaf().covers(leaf().tree(), predecessor(position)));
  skipping_forward_ = forward;
  skip_to_ = position;
  if (skipping_) {
    number_ = forward ? entries_.total() - 1 : 0;
    return;
  }
  const int before = count_before(position);
  number_ = forward ? before - 1 : before;
  // Who skips needs few of what comes then.
  if (entries_.kept()) batch_.start_leaf();
}

template <class K>
bool BasicLeafCursor<K>::cut(int most, bool forward, Entry* next) {
  const int total = entries_.total();
  if (total <= most) return false;
  // The rest begins with the first entry that is left over, or ends before the last that is taken.
  int border = forward ? most : total - most;
  if (!entries_.keep_together(&border)) damaged();
  if (!batch_.decode(entries_, border, border + 1)) damaged();
  *next = batch_.entry(border);
  entries_.narrow(forward ? 0 : border, forward ? border : total);
  batch_.clear();
  stand_at_start(forward);
  return true;
}

// ---- entries ----------------------------------------------------------------------------------------

// A TID that no table can have is damage, and better said so than by what reads the table.
template <class K>
void BasicLeafCursor<K>::check_tids(IndexScanDesc scan) {
  if (batch_.end() == batch_.begin() || (end_of_tids_ > 0 && !batch_.points_beyond(end_of_tids_))) return;
  look_up_table(scan);
  if (batch_.points_beyond(end_of_tids_)) store_.corrupt(leaf().block(), "entry points beyond the table");
}

template <class K>
[[gnu::noinline]] void BasicLeafCursor<K>::look_up_table(IndexScanDesc scan) {
  // Bitmap scans come without the table; whoever scans has it open and locked.
  const Relation given = scan->heapRelation;
  const Relation heap =
      given != nullptr ? given : RelationIdGetRelation(scan->indexRelation->rd_index->indrelid);
  if (!RelationIsValid(heap)) return;
  end_of_tids_ = known_end_of_tids(heap);
  if (batch_.points_beyond(end_of_tids_)) end_of_tids_ = end_of_tids(heap);
  if (given == nullptr) RelationClose(heap);
}

// No content lock is held: the table may be looked up.
template <class K>
void BasicLeafCursor<K>::finish_batch(IndexScanDesc scan) {
  if constexpr (KeyTraits<K>::kWords > 1) {
    if (filter_ != nullptr) {
      pace_.look_at(batch_.leave_out(*filter_), static_cast<unsigned>(batch_.end() - batch_.begin()));
    }
  }
  batch_.finish();
  check_tids(scan);
  if (scan->xs_want_itup) batch_.make_tuples(columns_, entries_.nulls());
}

// False: the rest is dead, and the scan stands at the end.
template <class K>
bool BasicLeafCursor<K>::skip_dead(bool forward) {
  number_ = forward ? entries_.skip_dead(number_) : entries_.skip_dead_back(number_);
  return on_entry();
}

// From an entry that the filter may leave out to one that it does not, over gaps. False: see skip_dead().
template <class K>
bool BasicLeafCursor<K>::go_to_admitted(bool forward) {
  if constexpr (KeyTraits<K>::kWords > 1) {
    for (;;) {
      Entry at{};
      bool dead = false;
      if (!entries_.decode(number_, number_ + 1, {&at.code, &at.tid, &dead})) damaged();
      if (filter_->contains(at.code)) return true;
      // From its key on: what the filter leaves out has no other entry to be visited.
      at.tid = forward ? 0 : kMaxTid;
      int before = forward ? entries_.total() : 0;
      if (learned::go_to_admitted(*filter_, forward, &at) && !entries_.count_before(at, &before)) damaged();
      const int next = forward ? before : before - 1;
      pace_.step(static_cast<unsigned>(std::abs(next - number_)));
      number_ = next;
      if (!on_entry() || !skip_dead(forward)) return false;
    }
  }
  return true;
}

template <class K>
bool BasicLeafCursor<K>::decode_more(IndexScanDesc scan, bool forward) {
  if (!skip_dead(forward)) return false;
  if (KeyTraits<K>::kWords > 1 && filter_ != nullptr) {
    if (!go_to_admitted(forward)) return false;
    if (!batch_.decode_from(entries_, number_, pace_.size(), forward)) damaged();
  } else if (!batch_.decode_from(entries_, number_, forward)) {
    damaged();
  }
  finish_batch(scan);
  return true;
}

template <class K>
void BasicLeafCursor<K>::ask_for(const TreeRange& part, bool forward) {
  Entry low;
  const Block block = store_.predict(part.tree, part.start(forward), &low);
  if (block != kNoBlock) store_.ask_for(block);
}

template <class K>
void BasicLeafCursor<K>::kill() {
  if (!loaded() || !batch_.has(number_)) return;
  const int rank = entries_.rank_of(number_);
  if (kills_.add(batch_.entry(number_), rank)) return;
  set_kill_marks();
  kills_.add(batch_.entry(number_), rank);
}

#define LEARNED_LEAF_CURSOR(K) template class BasicLeafCursor<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_LEAF_CURSOR)
#undef LEARNED_LEAF_CURSOR

}  // namespace learned
