#include "am/dead_tids.hpp"

#include "am/compat.hpp"

namespace learned {

void DeadTids::allocate() {
  tids_ = static_cast<Entry*>(palloc(kMaxTids * sizeof(Entry)));
  scratch_ = static_cast<Entry*>(palloc(kMaxTids * sizeof(Entry)));
  dead_ = static_cast<std::uint8_t*>(palloc(kMaxTids / 8));
}

void DeadTids::release() {
  pfree(tids_);
  pfree(scratch_);
  pfree(dead_);
}

bool DeadTids::is_dead(Tid tid) const {
  ItemPointerData pointer;
  ItemPointerSet(&pointer, tid_block(tid), tid_offset(tid));
  return callback_(&pointer, callback_state_);
}

void DeadTids::collect(TreeId tree, Block block) {
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
bool DeadTids::add_leaf(Buffer buffer, TreeId tree) {
  const PageView page(buffer_bytes(buffer));
  if (check_header(page) != nullptr || page.deleted() || page.tree() != tree || page.level() != 0 ||
      page.trailer().check != page_checksum(buffer_bytes(buffer))) {
    return false;
  }
  const unsigned encoded = page.encoded();
  const unsigned deltas = page.deltas();
  if (encoded + deltas > kMaxTids - count_) return false;
  Tid* tids = store_->workspace()->tids;
  if (!decode(page, 0, encoded, nullptr, tids)) return false;
  for (unsigned r = 0; r < encoded; r++) {
    // What was removed before has another row's TID, or nobody's.
    if (!page.is_dead(r)) tids_[asked_++] = {tids[r], count_ + r};
  }
  for (unsigned j = 0; j < deltas; j++) tids_[asked_++] = {page.delta_item(j).tid, count_ + encoded + j};
  leaves_[leaf_count_++] = {BufferGetBlockNumber(buffer), page.trailer().check,
                            static_cast<std::uint16_t>(page.upper()), count_};
  count_ += encoded + deltas;
  return true;
}

void DeadTids::ask() {
  std::memset(dead_, 0, kMaxTids / 8);
  sort_entries({tids_, asked_}, {scratch_, kMaxTids}, {nullptr, nullptr});
  for (unsigned i = 0; i < asked_; i++) {
    if (is_dead(tids_[i].code)) set_bit(dead_, static_cast<unsigned>(tids_[i].tid));
  }
}

const DeadTids::Leaf* DeadTids::find(const PageView& page, Block block) {
  for (unsigned i = next_; i < leaf_count_; i++) {
    const Leaf* leaf = &leaves_[i];
    if (leaf->block != block) continue;
    next_ = i + 1;
    return leaf->check == page.trailer().check && leaf->upper == page.upper() ? leaf : nullptr;
  }
  // A leaf that was divided off meanwhile, or the last one collected was joined with its neighbour and will not come.
  if (++missed_ > kMaxMissed) forget();
  return nullptr;
}

}  // namespace learned
