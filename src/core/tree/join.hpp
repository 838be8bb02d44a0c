// Joining a page with its left neighbour, of any level: what VACUUM makes of pages that have become thin.
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

// How full pages are that VACUUM made of several: what comes until the next VACUUM, a fifth of the rows by autovacuum's
// default, mostly finds room. A page that was joined is divided again only after as much has come as it lacks, and its parts are joined again only
// after as much has gone.
inline constexpr std::size_t kPackedBytes = kPageSize / 32 * 25;

// Two pages of a level, one to the right of the other.
struct Neighbours {
  Block left;
  Block right;
};

// Joins pages of a tree, one pair at a time. Each join is one record, which leaves a sound tree behind.
template <VacuumStore Store>
class PageJoiner {
 public:
  using Handle = typename Store::Handle;
  using Key = StoreKey<Store>;
  using Entry = BasicEntry<Key>;
  using PageView = BasicPageView<Key>;
  using PageIdentity = BasicPageIdentity<Key>;
  using SegmentPlanner = BasicSegmentPlanner<Key>;
  using Columns = BasicColumns<Key>;

  // `scratch` is a page of the caller's.
  PageJoiner(Store* store, TreeId tree_id, std::uint8_t* scratch)
      : store_(store), tree_id_(tree_id), scratch_(scratch) {}

  // Moves the entries of the right one of two pages of a level into the left one and deletes it, if both together take no more than
  // `most` bytes, hang below the same parent, and nobody is in the way. True: deleted. An error leaves the object unusable.
  //
  // Entries move left here, which searchers never expect of a split: whoever stands on the left page, finished
  // with it up to its former high fence, finds its former right sibling deleted (or recycled), sees that by the
  // flag or the fences, and descends again for that fence: to the entries that moved. Whoever has the deleted page
  // pinned because its TIDs are in use, or to be sure that it stays, keeps us from it: hence the cleanup lock.
  bool join(unsigned level, const Neighbours& pages, std::size_t most = kPackedBytes) {
    level_ = level;
    Tree<Store> tree(store_, tree_id_);
    const bool joined = lock_pages(&tree, pages) && make_joined_page(&tree, most) && replace(&tree);
    while (held_count_ > 0) store_->release(held_[--held_count_]);
    return joined;
  }

  // Of two inner pages that were joined last: the last child of the one and the first child of the other, which had another parent
  // until then.
  const Neighbours& seam() const { return seam_; }

 private:
  static constexpr std::size_t kSpecial = kSpecialOf<Key>;

  // Some of the four pages of the record, in the order of locks.
  Handle left() const { return held_[0]; }
  Handle gone() const { return held_[1]; }
  Handle right() const { return held_[2]; }
  bool has_right(Tree<Store>* tree) { return tree->view(gone()).right() != kNoBlock; }

  bool is_of_level(const PageView& page) const {
    return check_header(page) == nullptr && !page.deleted() && page.tree() == tree_id_ &&
           page.level() == level_;
  }
  bool is_usable(const PageView& page) const { return is_of_level(page) && !page.incomplete_split(); }

  // False: they are not what they should be, or somebody is there.
  bool lock_pages(Tree<Store>* tree, const Neighbours& pages) {
    held_[held_count_++] = store_->read(pages.left, LockMode::exclusive);
    if (!is_usable(tree->view(left())) || tree->view(left()).right() != pages.right) return false;
    if (!store_->try_read_for_cleanup(pages.right, &held_[1])) return false;
    held_count_++;
    if (!is_usable(tree->view(gone())) || tree->view(gone()).low() != tree->view(left()).high()) return false;
    if (has_right(tree)) {
      if (!store_->try_read(tree->view(gone()).right(), &held_[2])) return false;
      held_count_++;
      // (Its own split may be unfinished: only its link changes.)
      const PageView behind = tree->view(right());
      if (!is_of_level(behind) || behind.left() != pages.right || behind.low() != tree->view(gone()).high())
        return false;
    }
    // What is decoded below must be what was written. (The parent and the right sibling: when they are edited.)
    store_->verify(left());
    store_->verify(gone());
    return true;
  }

  // What both become, in scratch_. False: it would be too much.
  bool make_joined_page(Tree<Store>* tree, std::size_t most) {
    const PageView left_page = tree->view(left());
    const PageView gone_page = tree->view(gone());
    if (left_page.encoded() + gone_page.encoded() + 2 * kMaxDelta > kMaxEntries / 2) return false;
    BasicWorkspace<Key>* ws = store_->workspace();
    std::uint32_t n_left;
    std::uint32_t n_gone;
    if (!decode_live(left_page, ws, &n_left)) store_->corrupt(store_->block(left()), "page does not decode");
    if (!decode_live(gone_page, ws, &n_gone, n_left))
      store_->corrupt(store_->block(gone()), "page does not decode");
    if (level_ > 0) {
      check_first_child(tree, left(), n_left, 0);
      check_first_child(tree, gone(), n_gone, n_left);
      seam_ = {ws->children[n_left - 1], ws->children[n_left]};
    }
    PageIdentity id = identity_of(left_page);
    const PageIdentity gone_id = identity_of(gone_page);
    id.flags = static_cast<std::uint16_t>(id.flags | (gone_id.flags & kRightmost));
    id.right = gone_id.right;
    id.high = gone_id.high;
    std::memset(scratch_, 0, kPageSize);
    if (n_left + n_gone == 0) {
      write_empty_page(scratch_, id);
    } else if (n_gone == 0) {
      // Nothing moves: the left page stays as it is but for its right end.
      std::memcpy(scratch_, store_->bytes(left()), kPageSize);
      clear_hole<Key>(scratch_);
      auto t = load<BasicPageTrailer<Key>>(scratch_ + kSpecial);
      t.flags = static_cast<std::uint16_t>(t.flags | (id.flags & kRightmost));
      t.right = id.right;
      t.set_high_fence(id.high);
      learned::store(scratch_ + kSpecial, t);
      seal<Key>(scratch_);
    } else {
      const Columns columns = workspace_columns(ws, level_);
      SegmentPlanner plan(ws->segments, columns, level_);
      plan.push(0, n_left + n_gone);
      plan.compact();
      if (plan.overflow() || plan_bytes(plan) > most) return false;
      write_page(scratch_, id, plan, columns, nullptr, 0);
    }
    return true;
  }

  // Keys below the first separator would have no child to go to.
  void check_first_child(Tree<Store>* tree, Handle h, std::uint32_t n, std::uint32_t first) {
    const BasicWorkspace<Key>* ws = store_->workspace();
    if (n == 0) store_->corrupt(store_->block(h), "inner page has no downlink");
    if (Entry{ws->codes[first], ws->tids[first]} != tree->view(h).low())
      store_->corrupt(store_->block(h), "first separator is not the low fence");
  }

  // Locks the parent and puts all in place. False: they have not the same one, or it has no room.
  bool replace(Tree<Store>* tree) {
    const Block left_block = store_->block(left());
    const Block gone_block = store_->block(gone());
    const Entry separator = tree->view(gone()).low();
    const unsigned above = level_ + 1;
    const bool relink = has_right(tree);
    for (int i = 0; i < held_count_; i++) tree->hold(store_->block(held_[i]));
    const Handle parent = tree->locate(separator, LockMode::exclusive, above);
    held_[held_count_++] = parent;
    if (tree->view(parent).incomplete_split()) return false;
    BasicWorkspace<Key>* ws = store_->workspace();
    std::uint32_t n;
    if (!decode_live(tree->view(parent), ws, &n))
      store_->corrupt(store_->block(parent), "page does not decode");
    std::uint32_t i = 0;
    while (i < n && ws->children[i] != gone_block) i++;
    if (i == 0 || i == n || ws->children[i - 1] != left_block) return false;
    if (Entry{ws->codes[i], ws->tids[i]} != separator)
      store_->corrupt(store_->block(parent), "separator differs from its child's low fence");
    for (n--; i < n; i++) {
      ws->codes[i] = ws->codes[i + 1];
      ws->tids[i] = ws->tids[i + 1];
      ws->children[i] = ws->children[i + 1];
    }
    const Columns columns = workspace_columns(ws, above);
    SegmentPlanner plan(ws->segments, columns, above);
    plan.push(0, n);
    plan.compact();
    // (With room for not one delta entry more: a parent that was filled from left to right, to the brim, must lose its children all the same. The next
    // downlink divides it, as it would have without this.)
    if (!plan_fits(plan, above, 0)) return false;

    store_->begin();
    Tree<Store>::copy_content(store_->edit(left(), false), scratch_);
    PageIdentity tombstone = identity_of(tree->view(gone()));
    tombstone.flags |= kDeleted;
    write_empty_page(store_->edit(gone(), false), tombstone);
    if (relink) {
      std::uint8_t* image = store_->edit(right(), false);
      set_left<Key>(image, left_block);
      seal<Key>(image);
    }
    write_page(store_->edit(parent, false), identity_of(tree->view(parent)), plan, columns, nullptr, 0);
    store_->commit();
    // (Predicate locks are on leaves.)
    if (level_ == 0) store_->joined(gone_block, left_block);
    return true;
  }

  Store* store_;
  TreeId tree_id_;
  std::uint8_t* scratch_;
  unsigned level_ = 0;
  Neighbours seam_{kNoBlock, kNoBlock};
  Handle held_[4]{};
  int held_count_ = 0;
};

// A page that VACUUM has visited and let go.
template <class K>
struct VisitedPage {
  Block block = kNoBlock;
  BasicEntry<K> low{};
  BasicEntry<K> high{};
  bool rightmost = false;
  unsigned live = 0;
  unsigned removed = 0;   // by this VACUUM
  std::size_t bytes = 0;  // that its entries take, as plan_bytes() counts, without what an empty page has

  static constexpr std::size_t kEmpty = page_overhead<K>(0);
  // So many of these bytes are what joined pages may have.
  static constexpr std::size_t kFull = kPackedBytes - kEmpty;

  VisitedPage() = default;
  VisitedPage(Block at, const BasicPageView<K>& page, unsigned removed_here)
      : block(at),
        low(page.low()),
        high(page.high()),
        rightmost(page.rightmost()),
        live(page.live()),
        removed(removed_here),
        bytes(page.lower() + (kPageSize - page.upper()) - kEmpty +
              ((page.flags() & kHasDead) != 0 ? 0 : (page.encoded() + 7u) / 8)) {}
  // The next page's entries are this one's now.
  void take(const VisitedPage& next) {
    high = next.high;
    rightmost = next.rightmost;
    live += next.live;
    removed += next.removed;
    bytes += next.bytes;
  }
};

// Joins inner pages that fit into one, level by level from the lowest on, so that what a join takes from a level above is seen there. All of them
// are looked at each time, as they are few; so what was refused once, since somebody was in the way, is made up for.
//
// The first child of a page has no left neighbour below the same parent, and stays however thin it is. It has one when its parent has been joined:
// so the pages where two parents met are tried again, and those where these met, down to the leaves. What stays thin is thus the first children
// of pages that are not, and the root of the tree, whose height does not shrink.
//
// Entries of leaves move left where the walk over the leaves has been already: it is over. Calls pause() before each page, with nothing locked, and
// deleted(block) for each page that went.
template <VacuumStore Store, class Pause, class Deleted>
void join_inner_pages(Store* store, TreeId tree_id, std::uint8_t* scratch, const Pause& pause,
                      const Deleted& deleted) {
  using Visited = VisitedPage<StoreKey<Store>>;
  Tree<Store> tree(store, tree_id);
  PageJoiner<Store> joiner(store, tree_id, scratch);
  const auto join = [&](unsigned level, Neighbours pages) {
    if (!joiner.join(level, pages)) return false;
    deleted(pages.right);
    while (level-- > 0) {
      pages = joiner.seam();
      if (!joiner.join(level, pages)) break;
      deleted(pages.right);
    }
    return true;
  };
  const unsigned root_level = tree.read_meta().level[static_cast<int>(tree_id)];
  for (unsigned level = 1; level < root_level; level++) {
    Visited left;
    BasicEntry<StoreKey<Store>> low = lowest_entry<StoreKey<Store>>();
    Block guess = kNoBlock;
    do {
      pause();
      const auto h = guess == kNoBlock ? tree.locate(low, LockMode::share, level)
                                       : tree.locate_at(guess, low, LockMode::share, level);
      const Visited here(store->block(h), tree.view(h), 0);
      guess = tree.view(h).right();
      store->release(h);
      if (left.block != kNoBlock && left.bytes + here.bytes <= Visited::kFull &&
          join(level, {left.block, here.block})) {
        left.take(here);
      } else {
        left = here;
      }
      low = here.high;
    } while (!left.rightmost);
  }
}

}  // namespace learned
