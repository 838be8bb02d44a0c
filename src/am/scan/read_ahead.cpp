#include "am/scan/read_ahead.hpp"

#include "am/options.hpp"
#include "am/scan/scan_state.hpp"
#include "am/server/table_tids.hpp"

extern "C" {
#include "utils/spccache.h"
}

namespace learned {

const int64 ReadAhead::kNoReads = 0;

void ReadAhead::start(IndexScanDesc scan, uint64 leaves) {
  const Relation heap = scan->heapRelation;
  leaves_ = leaves;
  finish();
  // (The block of a TID is one of the table's only where the table is a heap.)
  if (heap == nullptr || scan->xs_heapfetch == nullptr || !is_heap(heap)) {
    return;
  }
  reads_ = RelationUsesLocalBuffers(heap) ? &pgBufferUsage.local_blks_read : &pgBufferUsage.shared_blks_read;
  seen_ = *reads_;
  fresh_ = true;
}

void ReadAhead::look_up_settings(IndexScanDesc scan) {
  const Switch wanted = read_ahead_switch();
  const Oid tablespace = scan->heapRelation->rd_rel->reltablespace;
  pace_.start(wanted == Switch::off ? 0u : static_cast<unsigned>(get_tablespace_io_concurrency(tablespace)),
              wanted == Switch::on);
  fresh_ = false;
}

void ReadAhead::make(IndexScanDesc scan, IndexScanDesc scout, MemoryContext context) {
  *scout = *scan;
  scout->parallel_scan = nullptr;
  scout->xs_want_itup = false;
  scout->kill_prior_tuple = false;
  scout->xs_snapshot = SnapshotAny;
  scout_ = scout;
  asked_ = static_cast<AskedBlocks*>(MemoryContextAlloc(context, sizeof(AskedBlocks)));
  for (BlockNumber& block : asked_->recent) block = InvalidBlockNumber;
}

void ReadAhead::stand_together(bool forward) {
  lost_ = over_ = false;
  forward_ = forward;
  asked_->returned = asked_->passed = 0;
  asked_->begin = asked_->end = 0;
  asked_->part = -1;
  asked_->serial = 0;
}

void ReadAhead::ask(Relation heap, BlockNumber block, bool index_only) {
  BlockNumber& recent = asked_->recent[block % AskedBlocks::kRecent];
  const BlockNumber last = last_block_;
  last_block_ = block;
  if (recent == block) return;
  recent = block;
  if (last != InvalidBlockNumber && (block > last ? block - last : last - block) <= kNear) {
    // The operating system reads ahead where blocks follow one another, and does so in larger pieces.
    pace_.passed_near();
    return;
  }
  if (index_only && VM_ALL_VISIBLE(heap, block, &map_)) return;
  const PrefetchBufferResult found = PrefetchBuffer(heap, MAIN_FORKNUM, block);
  pace_.asked(BufferIsValid(found.recent_buffer));
  if (BufferIsValid(found.recent_buffer)) return;
  asked_->entry[asked_->end++ % AskedBlocks::kMost] = asked_->passed;
}

namespace {

// Entries that the scout may be ahead: where many are on one block, it shall not run away.
constexpr uint64 kMostEntries = 16384;
// Leaves that it may load from where it stood beside the scan: these, and twice as many as the scan has loaded. (It may have to cross any number before
// it finds an entry that the conditions admit, or that is not dead, and nobody may ever ask for that one.)
constexpr uint64 kMostLeaves = 16;

// Lets the scout stand where the scan stands. False: there is nothing ahead.
template <class K>
bool send_scout(IndexScanDesc scan, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  ReadAhead& ahead = s->ahead;
  const int number = s->parts.number();
  const bool more = s->leaf.left(forward) > 0 ||
                    (scan->parallel_scan == nullptr && (s->parts.after(number, forward) >= 0 ||
                                                        s->leaf.leaf().goes_on(s->parts.current(), forward)));
  if (!more) return false;
  if (ahead.scout() == nullptr) {
    auto* scout = static_cast<IndexScanDesc>(MemoryContextAlloc(s->context, sizeof(IndexScanDescData)));
    using State = BasicScanState<K>;
    ahead.make(scan, scout, s->context);
    auto* state = new (MemoryContextAlloc(s->context, sizeof(State)))
        State(scan->indexRelation, key_columns_of(scan->indexRelation, s->context), s->context);
    scout->opaque = static_cast<AnyScanState*>(state);
    state->set_scout();
  }
  const IndexScanDesc scout = ahead.scout();
  BasicScanState<K>* own = state_of<K>(scout);
  // What the scan made of the keys: their arguments may be others, or gone, since it has read them. (The scan reads keys only where it begins; the scout is
  // lost then, and is not asked before it comes here again.)
  own->parts = s->parts;
  if constexpr (KeyTraits<K>::kWords > 1) own->leaf.set_filter(own->parts.filter());
  own->leaf.return_to(scout, own->parts.current(), s->leaf.entry(), s->leaf.leaf().block(), forward);
  ahead.stand_together(forward);
  ahead.asked()->start = own->leaf.serial();
  return true;
}

// Asks for the leaves where the scout will come to.
template <class K>
void ask_for_leaves(ReadAhead* ahead, bool forward) {
  BasicScanState<K>* own = state_of<K>(ahead->scout());
  AskedBlocks* asked = ahead->asked();
  if (own->leaf.serial() != asked->serial) {
    asked->serial = own->leaf.serial();
    if (own->leaf.leaf().goes_on(own->parts.current(), forward)) own->leaf.ask_for_next(forward);
  }
  const int at = own->parts.number();
  int part = asked->part;
  if (part < 0 || (forward ? part < at : part > at)) part = at;
  for (;;) {
    const int next = own->parts.after(part, forward);
    if (next < 0 || std::abs(next - at) > static_cast<int>(ahead->distance())) break;
    part = next;
    own->leaf.ask_for(own->parts.at(part), forward);
  }
  asked->part = part;
}

}  // namespace

template <class K>
[[gnu::cold]] void look_ahead(IndexScanDesc scan, bool forward) {
  BasicScanState<K>* s = state_of<K>(scan);
  ReadAhead& ahead = s->ahead;
  s->leaf.set_unhurried(ahead.busy());
  if (!ahead.awake()) {
    ahead.lose();
    return;
  }
  if (ahead.lost(forward) && !send_scout<K>(scan, forward)) return;
  AskedBlocks* asked = ahead.asked();
  if (asked->returned > asked->passed) {
    // The scan saw entries that the scout did not.
    ahead.lose();
    return;
  }
  while (asked->begin != asked->end && asked->entry[asked->begin % AskedBlocks::kMost] <= asked->returned) {
    asked->begin++;
  }
  const uint64 at = asked->returned++;
  const IndexScanDesc scout = ahead.scout();
  const BasicScanState<K>* own = state_of<K>(scout);
  const uint64 most = scan->parallel_scan == nullptr
                          ? at + kMostEntries
                          : at + std::min(kMostEntries, static_cast<uint64>(s->leaf.left(forward)));
  const uint64 last_leaf = asked->start + kMostLeaves + 2 * ahead.leaves(s->leaf.serial());
  while (ahead.awake() && asked->end - asked->begin < ahead.distance() && asked->passed < most &&
         !ahead.over()) {
    const ScoutStep found = step_scout<K>(scout, forward, last_leaf);
    if (found == ScoutStep::over) ahead.set_over();
    if (found != ScoutStep::entry) break;
    asked->passed++;
    ask_for_leaves<K>(&ahead, forward);
    ahead.ask(scan->heapRelation, tid_block(own->leaf.tid()), scan->xs_want_itup);
  }
}

#define LEARNED_LOOK_AHEAD(K) template void look_ahead<K>(IndexScanDesc, bool);
LEARNED_FOR_EVERY_KEY(LEARNED_LOOK_AHEAD)
#undef LEARNED_LOOK_AHEAD

}  // namespace learned
