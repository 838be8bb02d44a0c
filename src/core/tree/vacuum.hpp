// What VACUUM does to a tree: removing entries from one leaf, and joining a leaf with its left neighbour.
#pragma once

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

// Removes the entries that the caller names: bit r of `encoded` and bit j of `deltas` for a leaf that is
// locked for cleanup. Refits the page where a fifth or more of it is dead and that makes it smaller; otherwise the dead
// bitmap does, which always fits.
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
  if (thinned.dead() * 5 >= thinned.encoded() &&
      !plan_retrain(PageView(scratch), store->workspace(), &better)) {
    store->corrupt(store->block(h), "page does not decode");
  }
  store->begin();
  Tree<Store>::copy_content(store->edit(h, false), better ? store->workspace()->page : scratch);
  store->commit();
}

// Moves the entries of the leaf `block` into its left neighbour and deletes it, if both are small enough to
// leave room for inserts, hang below the same parent, and nobody is in the way. True: deleted.
//
// Entries move left here, which searchers never expect of a split: whoever stands on the left page, finished
// with it up to its former high fence, finds its former right sibling deleted (or recycled), sees that by the
// flag or the fences, and descends again for that fence: to the entries that moved. Whoever has the deleted page
// pinned because its TIDs are in use keeps us from it: hence the cleanup lock.
template <VacuumStore Store>
bool join_left(Store* store, TreeId tree_id, Block left_block, Block block, std::uint8_t* scratch) {
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
    if (plan.overflow() || plan_bytes(plan) > kPageSize * 3 / 5) return give_up();
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

}  // namespace learned
