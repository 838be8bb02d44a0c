// What VACUUM does to a tree: removing entries from one leaf, merging its delta, joining a leaf with its left neighbour, and making fewer of several.
#pragma once

#include <algorithm>

#include "core/tree/tree.hpp"

namespace learned {

// Beyond the store of a tree, where pages are removed.
template <class S>
concept VacuumStore = PageStore<S> && requires(S store, typename S::Handle* out, Block block) {
  // The page locked exclusively, unless somebody holds it.
  { store.try_read(block, out) } -> std::same_as<bool>;
  // The same, and nobody else has it pinned.
  { store.try_read_for_cleanup(block, out) } -> std::same_as<bool>;
  // The first leaf's entries and gap belong to the second now; both still locked (predicate locks).
  { store.joined(block, block) } -> std::same_as<void>;
};

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

// How full leaves are that VACUUM made of several: what comes until the next VACUUM, a fifth of the rows by autovacuum's
// default, mostly finds room.
inline constexpr std::size_t kPackedBytes = kPageSize / 32 * 25;

// Moves the entries of the leaf `block` into its left neighbour and deletes it, if both together take no more than
// `most` bytes, hang below the same parent, and nobody is in the way. True: deleted.
//
// Entries move left here, which searchers never expect of a split: whoever stands on the left page, finished
// with it up to its former high fence, finds its former right sibling deleted (or recycled), sees that by the
// flag or the fences, and descends again for that fence: to the entries that moved. Whoever has the deleted page
// pinned because its TIDs are in use keeps us from it: hence the cleanup lock.
template <VacuumStore Store>
bool join_left(Store* store, TreeId tree_id, Block left_block, Block block, std::uint8_t* scratch,
               std::size_t most = kPackedBytes) {
  using Handle = typename Store::Handle;
  using Key = StoreKey<Store>;
  using Entry = BasicEntry<Key>;
  using PageView = BasicPageView<Key>;
  using PageIdentity = BasicPageIdentity<Key>;
  using SegmentPlanner = BasicSegmentPlanner<Key>;
  using Columns = BasicColumns<Key>;
  constexpr std::size_t kSpecial = kSpecialOf<Key>;
  Tree<Store> tree(store, tree_id);
  BasicWorkspace<Key>* ws = store->workspace();
  Handle held[4];
  int n_held = 0;
  const auto give_up = [&] {
    while (n_held > 0) store->release(held[--n_held]);
    return false;
  };
  const auto is_leaf = [&](Handle h) {
    const PageView page = tree.view(h);
    return check_header(page) == nullptr && !page.deleted() && page.tree() == tree_id && page.level() == 0;
  };
  const auto unusable = [&](Handle h) { return !is_leaf(h) || tree.view(h).incomplete_split(); };

  const Handle left = store->read(left_block, LockMode::exclusive);
  held[n_held++] = left;
  if (unusable(left) || tree.view(left).right() != block) return give_up();
  Handle gone;
  if (!store->try_read_for_cleanup(block, &gone)) return give_up();
  held[n_held++] = gone;
  if (unusable(gone) || tree.view(gone).low() != tree.view(left).high()) return give_up();
  const Entry separator = tree.view(gone).low();
  const Block right_block = tree.view(gone).right();
  Handle right{};
  if (right_block != kNoBlock) {
    if (!store->try_read(right_block, &right)) return give_up();
    held[n_held++] = right;
    // (Its own split may be unfinished: only its link changes.)
    if (!is_leaf(right) || tree.view(right).left() != block ||
        tree.view(right).low() != tree.view(gone).high())
      return give_up();
  }
  // What is decoded below must be what was written. (The parent and the right sibling: when they are edited.)
  store->verify(left);
  store->verify(gone);

  // The joined page, in `scratch`.
  if (tree.view(left).encoded() + tree.view(gone).encoded() + 2 * kMaxDelta > kMaxEntries / 2)
    return give_up();
  std::uint32_t n_left;
  std::uint32_t n_gone;
  if (!decode_live(tree.view(left), ws, &n_left)) store->corrupt(left_block, "page does not decode");
  if (!decode_live(tree.view(gone), ws, &n_gone, n_left)) store->corrupt(block, "page does not decode");
  PageIdentity id = identity_of(tree.view(left));
  const PageIdentity gone_id = identity_of(tree.view(gone));
  id.flags = static_cast<std::uint16_t>(id.flags | (gone_id.flags & kRightmost));
  id.right = gone_id.right;
  id.high = gone_id.high;
  const Columns columns = workspace_columns(ws, 0);
  std::memset(scratch, 0, kPageSize);
  if (n_left + n_gone == 0) {
    write_empty_page(scratch, id);
  } else if (n_gone == 0) {
    // Nothing moves: the left page stays as it is but for its right end.
    std::memcpy(scratch, store->bytes(left), kPageSize);
    clear_hole<Key>(scratch);
    auto t = load<BasicPageTrailer<Key>>(scratch + kSpecial);
    t.flags = static_cast<std::uint16_t>(t.flags | (id.flags & kRightmost));
    t.right = id.right;
    t.set_high_fence(id.high);
    learned::store(scratch + kSpecial, t);
    seal<Key>(scratch);
  } else {
    SegmentPlanner plan(ws->segments, columns, 0);
    plan.push(0, n_left + n_gone);
    plan.compact();
    if (plan.overflow() || plan_bytes(plan) > most) return give_up();
    write_page(scratch, id, plan, columns, nullptr, 0);
  }

  // The parent without the downlink, in ws->page.
  for (int i = 0; i < n_held; i++) tree.hold(store->block(held[i]));
  const Handle parent = tree.locate(separator, LockMode::exclusive, 1);
  held[n_held++] = parent;
  if (tree.view(parent).incomplete_split()) return give_up();
  std::uint32_t n;
  if (!decode_live(tree.view(parent), ws, &n)) store->corrupt(store->block(parent), "page does not decode");
  std::uint32_t i = 0;
  while (i < n && ws->children[i] != block) i++;
  if (i == 0 || i == n || ws->children[i - 1] != left_block) return give_up();
  if (Entry{ws->codes[i], ws->tids[i]} != separator)
    store->corrupt(store->block(parent), "separator differs from its child's low fence");
  for (n--; i < n; i++) {
    ws->codes[i] = ws->codes[i + 1];
    ws->tids[i] = ws->tids[i + 1];
    ws->children[i] = ws->children[i + 1];
  }
  const Columns parent_columns = workspace_columns(ws, 1);
  SegmentPlanner parent_plan(ws->segments, parent_columns, 1);
  parent_plan.push(0, n);
  parent_plan.compact();
  if (!plan_fits(parent_plan, 1, 4)) return give_up();

  store->begin();
  Tree<Store>::copy_content(store->edit(left, false), scratch);
  std::uint8_t* image = store->edit(gone, false);
  PageIdentity tombstone = gone_id;
  tombstone.flags |= kDeleted;
  write_empty_page(image, tombstone);
  if (right_block != kNoBlock) {
    image = store->edit(right, false);
    set_left<Key>(image, left_block);
    seal<Key>(image);
  }
  write_page(store->edit(parent, false), identity_of(tree.view(parent)), parent_plan, parent_columns, nullptr,
             0);
  store->commit();
  store->joined(block, left_block);
  give_up();
  return true;
}

// A leaf that VACUUM has visited and let go.
template <class K>
struct VisitedLeaf {
  Block block = kNoBlock;
  BasicEntry<K> low{};
  BasicEntry<K> high{};
  bool rightmost = false;
  unsigned live = 0;
  unsigned removed = 0;   // by this VACUUM
  std::size_t bytes = 0;  // that its entries take, as plan_bytes() counts, without what an empty page has

  static constexpr std::size_t kEmpty = page_overhead<K>(0);
  VisitedLeaf() = default;
  VisitedLeaf(Block at, const BasicPageView<K>& page, unsigned removed_here)
      : block(at),
        low(page.low()),
        high(page.high()),
        rightmost(page.rightmost()),
        live(page.live()),
        removed(removed_here),
        bytes(page.lower() + (kPageSize - page.upper()) - kEmpty +
              ((page.flags() & kHasDead) != 0 ? 0 : (page.encoded() + 7u) / 8)) {}
  // The next leaf's entries are this one's now.
  void take(const VisitedLeaf& next) {
    high = next.high;
    rightmost = next.rightmost;
    live += next.live;
    removed += next.removed;
    bytes += next.bytes;
  }
};

// Makes fewer leaves of those that VACUUM visits from left to right, where that frees one:
//
//   two that fit into one            join_left(P, Q)
//   k that fit into k - 1, k <= 5    P is filled from Q, what is left of Q from R and so on, until two fit into one:
//                                    divide(Q), join_left(P, front of Q)
//
// The latter only where a sixteenth of them was removed: leaves that are half full because they were divided lately fill up by
// themselves, and so what is logged here is paid by deletions. Fewer than k come first, so that a page is written seldom before one is
// freed. Each step leaves a sound tree behind: any of them may be refused (somebody reads the page, another parent), which ends the rest.
template <VacuumStore Store>
class LeafPacker {
 public:
  using Key = StoreKey<Store>;
  using Leaf = VisitedLeaf<Key>;
  using PageView = BasicPageView<Key>;

  LeafPacker(Store* store, TreeId tree_id, std::uint8_t* scratch)
      : store_(store), tree_id_(tree_id), scratch_(scratch) {}

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
  static constexpr std::size_t kFull = kPackedBytes - Leaf::kEmpty;
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
      // More than join_left() takes.
      if (i > first && leaves_[i - 1].live + leaves_[i].live > kMaxEntries / 2 - 4 * kMaxDelta) return false;
    }
    return bytes <= (count_ - first - 1) * kFull && removed * 16 >= live;
  }

  // Joins leaf i + 1 with leaf i.
  template <class Deleted>
  bool join(unsigned i, std::size_t most, const Deleted& deleted) {
    if (!join_left(store_, tree_id_, leaves_[i].block, leaves_[i + 1].block, scratch_, most)) return false;
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
  std::uint8_t* scratch_;
  // The last ones that were visited, neighbours.
  Leaf leaves_[kMost + 1];
  unsigned count_ = 0;
};

}  // namespace learned
