// What VACUUM does to leaves: removing entries from one, merging its delta, and making fewer of several. (Joining two, of any level: join.hpp.)
#pragma once

#include <algorithm>

#include "core/tree/join.hpp"

namespace learned {

// Whether a leaf has so many delta entries that VACUUM merges them. A scan looks at each of them, and they take more bytes than they would
// under a line; but a merge logs most of the page, so that many entries, logged one by one, must share that: 32, or a sixteenth of a leaf
// that has few. Once merged, a leaf is left alone until as many have come again.
template <class K>
bool delta_is_long(const BasicPageView<K>& page) {
  constexpr unsigned kFew = 8;
  constexpr unsigned kMany = 32;
  const unsigned deltas = page.deltas();
  return deltas >= kMany || (deltas >= kFew && deltas * 16 >= page.live());
}
// Bytes that a page may take more when such a delta is merged: rows at the table's new end, say, make the TIDs of all of a segment a bit wider.
inline constexpr std::size_t kMergeAllowance = kPageSize / 32;

// Removes the entries that the caller names: bit r of `encoded` and bit j of `deltas` for a leaf that is
// locked for cleanup. Fits the page anew, delta and all, where that makes it smaller (or not much larger, for a long delta), and either a fifth or more of it is dead, its delta is
// long, or all of it is logged now in any case; otherwise the dead bitmap does, which always fits.
// `scratch` is a page of the caller's. No entry moves to another page.
template <VacuumStore Store>
void remove_entries(Store* store, typename Store::Handle h, const std::uint8_t* encoded,
                    const std::uint8_t* deltas, std::uint8_t* scratch) {
  using Key = StoreKey<Store>;
  using PageView = BasicPageView<Key>;
  std::memcpy(scratch, store->bytes(h), kPageSize);
  clear_hole<Key>(scratch);
  if (PageView(scratch).encoded() > 0) mark_dead<Key>(scratch, encoded);
  remove_deltas<Key>(scratch, deltas);
  seal<Key>(scratch);
  bool better = false;
  // A fit costs more than all else here. A page that lost little is worth it only when its next merge comes anyway.
  const PageView thinned(scratch);
  const bool merges = delta_is_long(thinned);
  const bool worth_it = thinned.dead() * 5 >= thinned.encoded() || merges ||
                        (thinned.deltas() >= Tree<Store>::kWorthMerging && store->image_due(h));
  if (worth_it &&
      !plan_retrain(PageView(scratch), store->workspace(), &better, merges ? kMergeAllowance : 0)) {
    store->corrupt(store->block(h), "page does not decode");
  }
  store->begin();
  Tree<Store>::copy_content(store->edit(h, false), better ? store->workspace()->page : scratch);
  store->commit();
}

// Merges the delta of a leaf, locked exclusively, that loses nothing, if it is long and the page does not become much larger. True: merged; otherwise the page
// is as it was. REQUIRES: verify_page() found nothing.
template <VacuumStore Store>
bool merge_long_delta(Store* store, typename Store::Handle h) {
  using Key = StoreKey<Store>;
  const BasicPageView<Key> page(store->bytes(h));
  BasicWorkspace<Key>* ws = store->workspace();
  if (!delta_is_long(page)) return false;
  bool better = false;
  if (!plan_retrain(page, ws, &better, kMergeAllowance))
    store->corrupt(store->block(h), "page does not decode");
  if (!better) return false;
  store->begin();
  Tree<Store>::copy_content(store->edit(h, false), ws->page);
  store->commit();
  if (ws->killed) set_kill_marks<Key>(store->hints(h), ws->killed_map, 0);
  return true;
}

// Makes fewer leaves of those that VACUUM visits from left to right, where that frees one:
//
//   two that fit into one            join(P, Q)
//   k that fit into k - 1, k <= 5    P is filled from Q, what is left of Q from R and so on, until two fit into one:
//                                    divide(Q), join(P, front of Q)
//
// The latter only where a sixteenth of them was removed: leaves that are half full because they were divided lately fill up by
// themselves, and so what is logged here is paid by deletions. Fewer than k come first, so that a page is written seldom before one is
// freed. Each step leaves a sound tree behind: any of them may be refused (somebody reads the page, another parent), which ends the rest.
template <VacuumStore Store>
class LeafPacker {
 public:
  using Key = StoreKey<Store>;
  using Leaf = VisitedPage<Key>;
  using PageView = BasicPageView<Key>;

  LeafPacker(Store* store, TreeId tree_id, std::uint8_t* scratch)
      : store_(store), tree_id_(tree_id), joiner_(store, tree_id, scratch) {}

  // The next leaf to the right was visited; nothing is locked. Calls deleted(block) for each page that went.
  template <class Deleted>
  void add(const Leaf& here, const Deleted& deleted) {
    while (count_ >= kMost) drop_first();
    leaves_[count_++] = here;
    if (count_ < 2) return;
    const Leaf& before = leaves_[count_ - 2];
    if (before.live == 0 || here.live == 0 || before.bytes + here.bytes <= kFull) {
      join(count_ - 2, kPackedBytes, deleted);
      return;
    }
    // (The right end fills up by itself.)
    for (unsigned k = 3; k <= count_ && !here.rightmost; k++) {
      if (!saves_one(count_ - k)) continue;
      pack(count_ - k, deleted);
      return;
    }
  }

 private:
  static constexpr unsigned kMost = 5;
  static constexpr std::size_t kFull = Leaf::kFull;
  // Sums are a first guess, and the fit of all entries decides: so much more than was hoped for will do.
  static constexpr std::size_t kSlack = kPageSize / 16;

  void drop_first() {
    for (unsigned i = 1; i < count_; i++) leaves_[i - 1] = leaves_[i];
    count_--;
  }

  // Whether the leaves from `first` on fit into one less.
  bool saves_one(unsigned first) const {
    std::size_t bytes = 0;
    unsigned live = 0;
    unsigned removed = 0;
    for (unsigned i = first; i < count_; i++) {
      bytes += leaves_[i].bytes;
      live += leaves_[i].live;
      removed += leaves_[i].removed;
      // More than a join takes.
      if (i > first && leaves_[i - 1].live + leaves_[i].live > kMaxEntries / 2 - 4 * kMaxDelta) return false;
    }
    return bytes <= (count_ - first - 1) * kFull && removed * 16 >= live;
  }

  // Joins leaf i + 1 with leaf i.
  template <class Deleted>
  bool join(unsigned i, std::size_t most, const Deleted& deleted) {
    if (!joiner_.join(0, {leaves_[i].block, leaves_[i + 1].block}, most)) return false;
    deleted(leaves_[i + 1].block);
    leaves_[i].take(leaves_[i + 1]);
    for (unsigned j = i + 2; j < count_; j++) leaves_[j - 1] = leaves_[j];
    count_--;
    return true;
  }

  template <class Deleted>
  void pack(unsigned i, const Deleted& deleted) {
    while (i + 1 < count_) {
      const std::size_t both = leaves_[i].bytes + leaves_[i + 1].bytes;
      if (both <= kFull + kSlack) {
        if (!join(i, kPackedBytes + kSlack, deleted)) return;
      } else if (i + 2 == count_) {
        return;  // the guess was wrong, and nothing comes of filling the last but one
      } else if (leaves_[i].bytes + kSlack >= kFull) {
        i++;
      } else if (!divide_next(i) || !join(i, kPackedBytes + kSlack, deleted)) {
        return;
      } else {
        i++;
      }
    }
  }

  // Divides leaf i + 1 behind what leaf i has room for.
  bool divide_next(unsigned i) {
    const Leaf& next = leaves_[i + 1];
    Tree<Store> tree(store_, tree_id_);
    const auto h = store_->read(next.block, LockMode::exclusive);
    const PageView page = tree.view(h);
    if (check_header(page) != nullptr || page.deleted() || page.tree() != tree_id_ || page.level() != 0 ||
        page.low() != next.low || page.rightmost() || page.high() != next.high) {
      store_->release(h);
      return false;
    }
    Leaf front(next.block, page, next.removed);
    Leaf back = front;
    front.bytes = kFull - leaves_[i].bytes;
    front.live = static_cast<unsigned>(back.live * front.bytes / (back.bytes + 1));
    if (front.live == 0) {
      store_->release(h);
      return false;
    }
    back.block = tree.divide(h, front.live, &front.high);
    if (back.block == kNoBlock) return false;
    back.low = front.high;
    back.live -= front.live;
    back.bytes -= std::min(back.bytes, front.bytes);
    back.removed = 0;
    for (unsigned j = count_; j > i + 2; j--) leaves_[j] = leaves_[j - 1];
    count_++;
    leaves_[i + 1] = front;
    leaves_[i + 2] = back;
    return true;
  }

  Store* store_;
  TreeId tree_id_;
  PageJoiner<Store> joiner_;
  // The last ones that were visited, neighbours.
  Leaf leaves_[kMost + 1];
  unsigned count_ = 0;
};

}  // namespace learned
