// VACUUM: walks the leaves of both trees in logical order, along right links.
//
// Entries move only to the right (splits), so a walk from left to right sees each of them; the one operation that
// moves them left, a join, is VACUUM's own, and one table has one VACUUM at a time. When the leaves of a tree are done, inner pages are joined.
#include "am/store/buffer_store.hpp"
#include "am/callbacks.hpp"
#include "am/key/key_columns.hpp"
#include "am/server/compat.hpp"
#include "am/write/dead_tids.hpp"
#include "core/tree/vacuum.hpp"

namespace learned {

namespace {

template <class K>
struct VacuumState {
  IndexVacuumInfo* info;
  IndexBulkDeleteResult* stats;
  BasicBufferStore<K> store;
  DeadTids<K> dead;
  std::uint8_t* scratch;  // a page
  std::uint8_t* encoded;  // doomed encoded entries, a bitmap
  std::uint8_t deltas[(kMaxDelta + 7) / 8];
};

// Locks the leaf that begins at `low` for cleanup. Every leaf is locked so, even one with nothing to remove: an
// index-only scan may hold TIDs of it that moved on by a split since.
template <class K>
Buffer lock_leaf(VacuumState<K>* v, TreeId tree_id, Block guess, const BasicEntry<K>& low) {
  Tree<BasicBufferStore<K>> tree(&v->store, tree_id);
  for (;;) {
    if (guess == kNoBlock) {
      // Only we could join it with the page to its left. A walk that went on from another page would leave entries behind
      // whose rows are about to be removed.
      const Buffer found = tree.locate(low, LockMode::share);
      guess = BufferGetBlockNumber(found);
      if (tree.view(found).low() != low)
        v->store.corrupt(guess, "low fence is not the high fence of the left sibling");
      UnlockReleaseBuffer(found);
    }
    const Buffer buffer = v->store.pin(guess);
    LockBufferForCleanup(buffer);
    const BasicPageView<K> page(buffer_bytes(buffer));
    const Fault fault = check_header(page);
    if (fault) v->store.corrupt(guess, fault);
    if (!page.deleted() && page.tree() == tree_id && page.level() == 0 && page.low() == low) return buffer;
    UnlockReleaseBuffer(buffer);
    guess = kNoBlock;
    CHECK_FOR_INTERRUPTS();
  }
}

// Removes what is dead from a leaf, locked for cleanup; returns how many entries.
template <class K>
unsigned visit_leaf(VacuumState<K>* v, Buffer buffer) {
  const BasicPageView<K> page(buffer_bytes(buffer));
  const Block block = BufferGetBlockNumber(buffer);
  const unsigned encoded = page.encoded();
  const unsigned deltas = page.deltas();
  // Damage must be neither believed nor spread by rewriting it.
  if (Fault fault = verify_page<K>(buffer_bytes(buffer))) v->store.corrupt(block, fault);
  std::memset(v->encoded, 0, (encoded + 7) / 8 + 1);
  std::memset(v->deltas, 0, sizeof v->deltas);
  const typename DeadTids<K>::Leaf* known = v->dead.find(buffer);
  Tid* tids = v->store.workspace()->tids;
  if (known == nullptr && !decode(page, 0, encoded, nullptr, tids)) {
    v->store.corrupt(block, "page does not decode");
  }
  unsigned removed = 0;
  for (unsigned r = 0; r < encoded; r++) {
    if (page.is_dead(r) || !(known != nullptr ? v->dead.is_dead(known, r) : v->dead.is_dead(tids[r])))
      continue;
    set_bit(v->encoded, r);
    removed++;
  }
  for (unsigned j = 0; j < deltas; j++) {
    if (!(known != nullptr ? v->dead.is_dead(known, encoded + j) : v->dead.is_dead(page.delta_item(j).tid)))
      continue;
    set_bit(v->deltas, j);
    removed++;
  }
  if (removed > 0) {
    remove_entries(&v->store, buffer, v->encoded, v->deltas, v->scratch);
    v->stats->tuples_removed += removed;
  } else {
    merge_long_delta(&v->store, buffer);
  }
  v->stats->num_index_tuples += BasicPageView<K>(buffer_bytes(buffer)).live();
  return removed;
}

template <class K>
void vacuum_tree(VacuumState<K>* v, TreeId tree_id) {
  LeafPacker packer(&v->store, tree_id, v->scratch);
  const auto deleted = [v](Block block) {
    v->stats->pages_newly_deleted++;
    RecordFreeIndexPage(v->info->index, block);
    v->store.spare(block);
  };
  BasicEntry<K> low = lowest_entry<K>();
  Block guess = kNoBlock;
  v->dead.forget();
  for (;;) {
    compat::vacuum_delay();
    Buffer buffer = lock_leaf(v, tree_id, guess, low);
    if (v->dead.exhausted()) {
      guess = BufferGetBlockNumber(buffer);
      UnlockReleaseBuffer(buffer);
      v->dead.collect(tree_id, guess);
      buffer = lock_leaf(v, tree_id, guess, low);
    }
    const unsigned removed = visit_leaf(v, buffer);
    const BasicPageView<K> page(buffer_bytes(buffer));
    const VisitedPage<K> here(BufferGetBlockNumber(buffer), page, removed);
    const Block right = page.right();
    UnlockReleaseBuffer(buffer);
    packer.add(here, deleted);
    if (here.rightmost) break;
    low = here.high;
    guess = right;
  }
  const auto pause = [] { compat::vacuum_delay(); };
  join_inner_pages(&v->store, tree_id, v->scratch, pause, deleted);
}

// Looks at every block for pages that may be used again: deleted ones, and blocks that a crash left without
// content after the file was extended. The free space map is not crash-safe and is filled anew here.
//
// The number of blocks is taken under the extension lock: whoever adds a block locks it before letting that lock
// go, so a block that looks empty here under its own lock really is nobody's.
template <class K>
void find_free_pages(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
  const bool need_lock = !RELATION_IS_LOCAL(info->index);
  if (need_lock) LockRelationForExtension(info->index, ExclusiveLock);
  const BlockNumber blocks = RelationGetNumberOfBlocks(info->index);
  if (need_lock) UnlockRelationForExtension(info->index, ExclusiveLock);
  stats->num_pages = blocks;
  stats->pages_deleted = 0;
  for (BlockNumber b = 1; b < blocks; b++) {
    compat::vacuum_delay();
    const Buffer buffer = ReadBufferExtended(info->index, MAIN_FORKNUM, b, RBM_NORMAL, info->strategy);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const bool is_free = is_free_page<K>(buffer_bytes(buffer));
    UnlockReleaseBuffer(buffer);
    if (!is_free) continue;
    RecordFreeIndexPage(info->index, b);
    stats->pages_deleted++;
  }
  stats->pages_free = stats->pages_deleted;
  IndexFreeSpaceMapVacuum(info->index);
}

template <class K>
void remove_dead(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback callback,
                 void* callback_state) {
  VacuumState<K> v{info,
                   stats,
                   BasicBufferStore<K>(info->index, info->strategy),
                   DeadTids<K>(nullptr, false, callback, callback_state),
                   nullptr,
                   nullptr,
                   {}};
  v.dead = DeadTids<K>(&v.store, RelationNeedsWAL(info->index), callback, callback_state);
  v.dead.allocate();
  v.scratch = static_cast<std::uint8_t*>(palloc(kPageSize));
  v.encoded = static_cast<std::uint8_t*>(palloc(kMaxEntries / 8 + 8));
  for (int t = 0; t < kTreeCount; t++) vacuum_tree(&v, static_cast<TreeId>(t));
  v.dead.release();
  pfree(v.scratch);
  pfree(v.encoded);
}

}  // namespace

IndexBulkDeleteResult* learned_bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                           IndexBulkDeleteCallback callback, void* callback_state) {
  if (stats == nullptr) stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
  // A long VACUUM may come here several times; each walk counts anew.
  stats->estimated_count = false;
  stats->num_index_tuples = 0;
  with_key(key_words_of(info->index),
           [&]<class K>() { remove_dead<K>(info, stats, callback, callback_state); });
  return stats;
}

IndexBulkDeleteResult* learned_vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
  // ANALYZE has nothing for us to do.
  if (info->analyze_only) return stats;
  if (stats == nullptr) {
    // Nothing was removed, so there are as many entries as there were.
    stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
    stats->num_pages = RelationGetNumberOfBlocks(info->index);
    stats->num_index_tuples = info->num_heap_tuples;
    stats->estimated_count = true;
    return stats;
  }
  with_key(key_words_of(info->index), [&]<class K>() { find_free_pages<K>(info, stats); });
  // Entries that came in behind the walk may have been counted twice; never more than there are rows.
  if (!info->estimated_count && stats->num_index_tuples > info->num_heap_tuples) {
    stats->num_index_tuples = info->num_heap_tuples;
  }
  return stats;
}

}  // namespace learned
