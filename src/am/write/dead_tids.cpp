#include "am/write/dead_tids.hpp"

#include "am/server/compat.hpp"
#include "am/server/table_tids.hpp"

namespace learned {

template <class K>
void DeadTids<K>::allocate() {
  found_ = static_cast<Tid*>(palloc(kMaxTids * sizeof(Tid)));
  tids_ = static_cast<Entry*>(palloc(kMaxTids * sizeof(Entry)));
  scratch_ = static_cast<Entry*>(palloc(kMaxTids * sizeof(Entry)));
  dead_ = static_cast<std::uint8_t*>(palloc(kMaxTids / 8));
}

template <class K>
void DeadTids<K>::release() {
  pfree(found_);
  pfree(tids_);
  pfree(scratch_);
  pfree(dead_);
}

template <class K>
bool DeadTids<K>::is_dead(Tid tid) const {
  ItemPointerData pointer = pointer_of(tid);
  return callback_(&pointer, callback_state_);
}

template <class K>
void DeadTids<K>::collect(TreeId tree, Block block) {
  forget();
  count_ = asked_ = 0;
  while (leaf_count_ < kMaxLeaves && block != kNoBlock) {
    compat::vacuum_delay();
    const Buffer buffer = store_->read(block, LockMode::share);
    const PageView page(buffer_bytes(buffer));
    const bool taken = add_leaf(buffer, tree);
    block = taken && !page.rightmost() ? page.right() : kNoBlock;
    UnlockReleaseBuffer(buffer);
  }
  ask();
}

// False: there is no room, or the page is none of the tree's leaves or damaged, which its visitor will say.
template <class K>
bool DeadTids<K>::add_leaf(Buffer buffer, TreeId tree) {
  const PageView page(buffer_bytes(buffer));
  if (verify_page<K>(buffer_bytes(buffer)) != nullptr || page.deleted() || page.tree() != tree ||
      page.level() != 0)
    return false;
  const unsigned encoded = page.encoded();
  const unsigned deltas = page.deltas();
  if (encoded + deltas > kMaxTids - count_) return false;
  Tid* found = found_ + count_;
  if (!decode(page, 0, encoded, nullptr, found)) return false;
  for (unsigned r = 0; r < encoded; r++) {
    // What was removed before has another row's TID, or nobody's.
    if (page.is_dead(r)) {
      found[r] = kRemoved;
    } else {
      tids_[asked_++] = {found[r], count_ + r};
    }
  }
  for (unsigned j = 0; j < deltas; j++) {
    found[encoded + j] = page.delta_item(j).tid;
    tids_[asked_++] = {found[encoded + j], count_ + encoded + j};
  }
  leaves_[leaf_count_++] = {BufferGetBlockNumber(buffer),
                            page.trailer().check,
                            static_cast<std::uint16_t>(page.upper()),
                            PageGetLSN(buffer_page(buffer)),
                            count_,
                            encoded + deltas};
  count_ += encoded + deltas;
  return true;
}

template <class K>
void DeadTids<K>::ask() {
  std::memset(dead_, 0, kMaxTids / 8);
  sort_entries<Code>({tids_, asked_}, {scratch_, kMaxTids}, {nullptr, nullptr});
  for (unsigned i = 0; i < asked_; i++) {
    if (is_dead(tids_[i].code)) set_bit(dead_, static_cast<unsigned>(tids_[i].tid));
  }
}

// Whether a leaf, locked, has the entries that it had.
template <class K>
bool DeadTids<K>::unchanged(const Leaf& leaf, Buffer buffer) {
  const PageView page(buffer_bytes(buffer));
  if (leaf.check != page.trailer().check || leaf.upper != page.upper()) return false;
  if (logged_) return leaf.lsn == PageGetLSN(buffer_page(buffer));
  const unsigned encoded = page.encoded();
  if (encoded + page.deltas() != leaf.count) return false;
  const Tid* found = found_ + leaf.first;
  Tid* tids = store_->workspace()->tids;
  if (!decode(page, 0, encoded, nullptr, tids)) return false;
  for (unsigned r = 0; r < encoded; r++) {
    if (found[r] != (page.is_dead(r) ? kRemoved : tids[r])) return false;
  }
  for (unsigned i = encoded; i < leaf.count; i++) {
    if (found[i] != page.delta_item(i - encoded).tid) return false;
  }
  return true;
}

template <class K>
const typename DeadTids<K>::Leaf* DeadTids<K>::find(Buffer buffer) {
  const Block block = BufferGetBlockNumber(buffer);
  for (unsigned i = next_; i < leaf_count_; i++) {
    const Leaf* leaf = &leaves_[i];
    if (leaf->block != block) continue;
    next_ = i + 1;
    return unchanged(*leaf, buffer) ? leaf : nullptr;
  }
  // A leaf that was divided off meanwhile, or the last one collected was joined with its neighbour and will not come.
  if (++missed_ > kMaxMissed) forget();
  return nullptr;
}

#define LEARNED_DEAD_TIDS(K) template class DeadTids<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_DEAD_TIDS)
#undef LEARNED_DEAD_TIDS

}  // namespace learned
