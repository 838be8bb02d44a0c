// The tree: locating, inserting, splitting. Written against a page store (store.hpp).
//
// A B-link tree (Lehman and Yao, TODS 1981) over (key, TID) with both fences on every page. Lock order: a
// lower level before a higher one, left before right on a level, the metapage last. A searcher never holds two
// locks. Where a prediction, a link or a downlink leads is believed only after its fences have been read.
#pragma once

#include "core/page/kill_marks.hpp"
#include "core/page/meta.hpp"
#include "core/page/search.hpp"
#include "core/plan/planned_page.hpp"
#include "core/plan/retrain.hpp"
#include "core/plan/split.hpp"
#include "core/tree/store.hpp"

namespace learned {

template <PageStore Store>
class Tree {
 public:
  using Handle = typename Store::Handle;
  using Key = StoreKey<Store>;
  using Entry = BasicEntry<Key>;
  using Item = BasicItem<Key>;
  using PageView = BasicPageView<Key>;
  using PageTrailer = BasicPageTrailer<Key>;
  using Workspace = BasicWorkspace<Key>;
  using SegmentPlanner = BasicSegmentPlanner<Key>;
  using MergePlan = BasicMergePlan<Key>;
  static constexpr std::size_t kSpecial = kSpecialOf<Key>;
  // How many delta entries make a merge worth while that is not needed yet, where the page is logged whole in any case.
  static constexpr unsigned kWorthMerging = 8;

  Tree(Store* store, TreeId id) : store_(store), id_(id) {}

  PageView view(Handle h) { return PageView(store_->bytes(h)); }

  // The page of `level` whose fences hold `key`, locked.
  Handle locate(const Entry& key, LockMode mode, unsigned level = 0) {
    Handle h;
    if (level == 0) {
      Entry low;
      const Block guess = store_->predict(id_, key, &low);
      if (guess != kNoBlock && follow(guess, low, key, mode, &h)) return h;
    }
    // Concurrent splits and deletions can send a descent astray now and then, never for long.
    for (int attempt = 0; attempt < kMaxAttempts; attempt++) {
      if (descend(key, mode, level, &h)) return h;
      if (level == 0) store_->interrupt();
    }
    store_->corrupt(kMetaBlock, "no page of the tree has fences that hold a key");
  }

  // The page of `level` whose fences hold `key`, if things are as they were the one that a link or an earlier visit named.
  Handle locate_at(Block hint, const Entry& key, LockMode mode, unsigned level = 0) {
    const Handle h = store_->read(hint, mode);
    if (is_ours(h, level) && view(h).covers(key)) return h;
    store_->release(h);
    return locate(key, mode, level);
  }

  // The sibling to the right of a page that ended at `high` (a released page's right link and high fence).
  Handle step_right(Block right, const Entry& high, LockMode mode) {
    const Handle h = store_->read(right, mode);
    if (is_ours(h, 0) && view(h).low() == high) return h;
    // It was joined with its left neighbour, or is not what it should be.
    store_->release(h);
    return locate(high, mode);
  }
  // The sibling to the left of a page that began at `low`. REQUIRES: low is not the lowest position.
  Handle step_left(Block left, const Entry& low, LockMode mode) {
    if (left != kNoBlock) {
      const Handle h = store_->read(left, mode);
      if (is_ours(h, 0) && !view(h).rightmost() && view(h).high() == low) return h;
      store_->release(h);
    }
    return locate(predecessor(low), mode);
  }

  void insert(const Item& item) {
    for (;;) {
      const Handle h = locate(item.entry(), LockMode::exclusive);
      if (!ready_for(h, item.entry())) {
        store_->interrupt();
        continue;
      }
      store_->inserting(h, item.entry());
      add(h, item);
      store_->release(h);
      return;
    }
  }

  // Inserts items in ascending order, those of a leaf under one lock. *done, 0 at first, counts those that are in: after an error, too, so that whoever
  // goes on from there has each of them in once.
  void insert_ascending(std::span<const Item> items, std::size_t* done) {
    while (*done < items.size()) {
      store_->interrupt();
      const std::span<const Item> rest = items.subspan(*done);
      const Entry first = rest[0].entry();
      const Handle h = locate(first, LockMode::exclusive);
      if (!ready_for(h, first)) continue;
      const PageView page = view(h);
      // (No further than a page may have room for: the last leaf covers all that follows, each time anew.)
      static_assert(kMostContinued <= kMaxDelta);
      const std::size_t most = std::min(rest.size(), kMaxDelta);
      std::size_t here = 0;
      do {
        store_->inserting(h, rest[here].entry());
        here++;
      } while (here < most && page.covers(rest[here].entry()));
      *done += add_ascending(h, rest.first(here));
      store_->release(h);
    }
  }

  // Adds an entry to the leaf where it belongs. REQUIRES: locked exclusively, ready_for() it.
  void add(Handle h, const Item& item) { add_ascending(h, {&item, 1}); }

  // Adds some of these, at least one, from the first on; how many. REQUIRES: they belong into the leaf, which is locked exclusively and
  // ready_for() the first.
  std::size_t add_ascending(Handle h, std::span<const Item> items) {
    // A damaged fence or flag must not draw in what belongs elsewhere: extend() verifies the page itself.
    if (const unsigned n = continued_exactly(view(h), items); n > 0) {
      store_->extend(h, n);
      return n;
    }
    store_->verify(h);
    const std::size_t n = std::min<std::size_t>(items.size(), delta_room(view(h)));
    store_->insert_deltas(h, items.first(n));
    return n;
  }

  // Sees to it that a page, locked exclusively, can take an entry. True: it can, and is still locked. False: its
  // split was finished, or it was split; it is released, and the caller starts over.
  bool room_for(Handle h, const Entry& incoming) {
    if (view(h).incomplete_split()) {
      finish_split(h);
      return false;
    }
    return delta_room(view(h)) > 0 || make_room(h, incoming, kRoomAfterMerge);
  }

  // The same for an entry that is about to be added. A leaf that is logged whole then may as well be put in order
  // before, if it soon would be: the image has the result, and what a merge or a split of its own would log is saved.
  // One that a merge would not relieve for long is split.
  bool ready_for(Handle h, const Entry& incoming) {
    if (!room_for(h, incoming)) return false;
    const unsigned deltas = view(h).deltas();
    if (deltas < kWorthMerging || deltas < delta_room(view(h)) || !store_->image_due(h)) return true;
    return make_room(h, incoming, kRoomAfterImage);
  }

  // The right sibling of a locked page, locked too. While a page is locked, its link and the fence between the two
  // cannot change. REQUIRES: the page is not the rightmost one; nothing is locked but it and `first`, further left.
  Handle lock_right(Handle h, Handle first, LockMode mode) {
    // A page may be sound and of another time, and whoever waits for itself waits for ever.
    if (view(h).right() == store_->block(h) || view(h).right() == store_->block(first))
      store_->corrupt(store_->block(h), "right link does not lead to the right");
    const Handle right = store_->read(view(h).right(), mode);
    if (!is_ours(right, view(h).level()) || view(right).low() != view(h).high()) {
      store_->corrupt(store_->block(h), "right link does not lead to the next page");
    }
    return right;
  }

  // Completes a split: gives the right sibling its downlink. Takes the left page, locked exclusively and
  // flagged, and releases it.
  void finish_split(Handle left) {
    // Its flag may be damage, and its right sibling have a downlink.
    store_->verify(left);
    hold(store_->block(left));
    const bool finished = add_downlink(left);
    unhold();
    store_->release(left);
    if (!finished) finish_split_of_root(level_of_unfinished_);
  }

  // Splits a leaf, locked exclusively, behind its first `front` live entries, and releases it. Returns the block of the right part, and where that begins;
  // kNoBlock if that cannot be, or if the leaf's own split is not finished.
  Block divide(Handle h, std::uint32_t front, Entry* border) {
    // The plan believes what it reads.
    store_->verify(h);
    if (view(h).incomplete_split()) {
      store_->release(h);
      return kNoBlock;
    }
    bool done = false;
    const auto plan = [&](Block right, Entry* separator) {
      if (!plan_division(view(h), right, front, store_->workspace(), separator, &done))
        store_->corrupt(store_->block(h), "page does not decode");
      *border = *separator;
      return done;
    };
    // (Once without a page, which else would be taken in vain.)
    Entry separator;
    if (!plan(store_->block(h), &separator)) {
      store_->release(h);
      return kNoBlock;
    }
    return split_by(h, plan);
  }

  // Pages that the caller has locked and that a descent to a level above must not meet: on damaged pages links may lead
  // anywhere, and a backend that waits for itself waits for ever.
  void hold(Block block) {
    if (held_count_ == kMaxHeld) store_->corrupt(block, "tree has too many levels");
    held_[held_count_++] = block;
  }
  void unhold() { held_count_--; }

  MetaInfo read_meta() {
    const Handle h = store_->read(kMetaBlock, LockMode::share);
    MetaInfo meta;
    const Fault fault = read_meta_page<StoreKey<Store>>(store_->bytes(h), &meta);
    store_->release(h);
    if (fault) store_->corrupt(kMetaBlock, fault);
    return meta;
  }

 private:
  static constexpr int kMaxAttempts = 1000;
  static constexpr int kMaxFollowed = 2;
  // Delta entries that a page must have room for after a merge, or it is split.
  static constexpr std::size_t kRoomAtEnd = 8;
  static constexpr std::size_t kRoomAfterMerge = 12;
  static constexpr std::size_t kRoomAfterImage = 24;

  static constexpr int kMaxHeld = 64;

  int index() const { return static_cast<int>(id_); }

  Handle read(Block block, LockMode mode) {
    for (int i = 0; i < held_count_; i++) {
      if (held_[i] == block) store_->corrupt(block, "page below is linked as one above");
    }
    return store_->read(block, mode);
  }

  // Gives the right sibling of a page its downlink. False: there is no level above yet, because the root's own split is
  // unfinished, and this page is a part of what it became.
  bool add_downlink(Handle left) {
    const Entry separator = view(left).high();
    const unsigned level = view(left).level();
    const Item downlink{separator.code, separator.tid, view(left).right()};
    for (;;) {
      const MetaInfo meta = read_meta();
      if (meta.root[index()] == store_->block(left)) {
        grow(left, downlink);
        return true;
      }
      if (meta.level[index()] <= level) {
        level_of_unfinished_ = level;
        return false;
      }
      const Handle parent = locate(separator, LockMode::exclusive, level + 1);
      if (view(parent).incomplete_split()) {
        finish_split(parent);
        continue;
      }
      if (delta_room(view(parent)) == 0 && !make_room(parent, separator, kRoomAfterMerge)) continue;
      SavedKillMarks kill_marks;
      kill_marks.save(view(left));
      store_->begin();
      std::uint8_t* child_image = store_->edit(left, false);
      set_flags<Key>(child_image, static_cast<std::uint16_t>(view(left).flags() & ~kIncompleteSplit));
      seal<Key>(child_image);
      add_delta<Key>(store_->edit(parent, false), downlink);
      store_->commit();
      kill_marks.template restore<Key>(store_->hints(left));
      store_->release(parent);
      return true;
    }
  }

  // First things first; the flag of the page that led here stays for the next writer.
  void finish_split_of_root(unsigned level) {
    const Handle root = read(read_meta().root[index()], LockMode::exclusive);
    if (is_ours(root, level) && view(root).incomplete_split()) {
      finish_split(root);
      return;
    }
    // Somebody was faster: then there is a level above. Otherwise nobody ever will be.
    const MetaInfo meta = read_meta();
    const bool above = meta.level[index()] > level;
    store_->release(root);
    if (!above) store_->corrupt(meta.root[index()], "root has siblings although its split is finished");
  }

  // Whether a page that somebody pointed at is a live page of this tree and level. Damage is an error.
  bool is_ours(Handle h, unsigned level) {
    const PageView page = view(h);
    const Fault fault = check_header(page);
    if (fault) store_->corrupt(store_->block(h), fault);
    return !page.deleted() && page.tree() == id_ && page.level() == level;
  }

  // Follows a prediction, and links to the right from there. False: descend instead.
  bool follow(Block guess, const Entry& low, const Entry& key, LockMode mode, Handle* out) {
    const Handle h = read(guess, mode);
    // A prediction may be older than anything: a block that is no tree page at all only disproves it.
    const PageView page = view(h);
    if (check_header(page) != nullptr || page.deleted() || page.tree() != id_ || page.level() != 0 ||
        key < page.low() || page.low() != low) {
      store_->release(h);
      store_->mispredicted(id_, key);
      return false;
    }
    if (!page.covers(key)) store_->mispredicted(id_, key);
    // A split or two since the prediction was learned are worth following; a table that grew by a thousand pages
    // is not, and a descent is only a few pages.
    return walk_right(h, key, mode, 0, kMaxFollowed, out);
  }

  // From a locked page that begins at or before `key`, to the one that holds it, by at most `hops` links.
  bool walk_right(Handle h, const Entry& key, LockMode mode, unsigned level, int hops, Handle* out) {
    while (!view(h).covers(key)) {
      if (hops-- == 0) {
        store_->release(h);
        return false;
      }
      if (mode == LockMode::exclusive && view(h).incomplete_split()) {
        finish_split(h);
        return false;
      }
      const Block right = view(h).right();
      const Entry high = view(h).high();
      store_->release(h);
      if (right == kNoBlock) return false;
      h = read(right, mode);
      // Fences ascend along links, so that even damaged links lead out of a circle.
      if (!is_ours(h, level) || view(h).low() != high) {
        store_->release(h);
        return false;
      }
    }
    *out = h;
    return true;
  }

  bool descend(const Entry& key, LockMode mode, unsigned level, Handle* out) {
    const MetaInfo meta = read_meta();
    unsigned at = meta.level[index()];
    Block block = meta.root[index()];
    if (at < level) return false;  // the root is being split
    // A page keeps its low fence as long as it lives, and its separator is that. A page with another one was recycled since
    // its parent was read, or is not the one that was there.
    Entry low = lowest_entry<Key>();
    for (;;) {
      const LockMode here = at == level ? mode : LockMode::share;
      Handle h = read(block, here);
      if (!is_ours(h, at) || view(h).low() != low) {
        store_->release(h);
        return false;
      }
      if (!walk_right(h, key, here, at, kMaxAttempts, &h)) return false;
      if (at == level) {
        *out = h;
        return true;
      }
      store_->verify(h);
      store_->offer(view(h), store_->block(h));
      Item child;
      const bool found = find_child(view(h), key, &child);
      const Block here_block = store_->block(h);
      store_->release(h);
      if (!found || child.child == kMetaBlock)
        store_->corrupt(here_block, "inner page has no child for a key of its range");
      block = child.child;
      low = child.entry();
      at--;
    }
  }

  // Makes room for delta entries in a page locked exclusively: `room` at least, kRoomAtEnd where more will come at the
  // right end. True: there is, and the page is still locked. False: it was split and released; the caller starts over.
  bool make_room(Handle h, const Entry& incoming, std::size_t room) {
    // The plans below believe what they read.
    store_->verify(h);
    Workspace* ws = store_->workspace();
    const PageView page = view(h);
    const unsigned level = page.level();
    MergePlan merge{SegmentPlanner(ws->segments, {}, level), {}};
    if (!plan_merge(page, ws, &merge)) store_->corrupt(store_->block(h), "page does not decode");
    // At the right end of a level more will come at the end, and a page may as well get full.
    if (page.rightmost() && merge.at_end) room = kRoomAtEnd;
    if (!plan_fits(merge.plan, level, room)) merge.plan.compact();
    if (plan_fits(merge.plan, level, room) && page.deltas() > 0) {
      store_->begin();
      write_page(store_->edit(h, false), identity_of(page), merge.plan, merge.columns, ws->dead_map,
                 merge.dead_count);
      store_->commit();
      carry_kill_marks(h, 0);
      return true;
    }
    // A page of many short segments, or with dead entries in it, may be smaller when fitted as a whole. It must be
    // worth it, or a page would be refitted again and again for ever smaller gains.
    if (merge.kept + merge.kept_behind >= 4 || page.dead() > 0) {
      bool better = false;
      if (!plan_retrain(page, ws, &better)) store_->corrupt(store_->block(h), "page does not decode");
      if (better && delta_room(PageView(ws->page)) * delta_size<Key>(level) >= kPageSize / 16) {
        store_->begin();
        copy_content(store_->edit(h, false), ws->page);
        store_->commit();
        carry_kill_marks(h, 0);
        return true;
      }
    }
    split(h, incoming);
    return false;
  }

  void split(Handle h, const Entry& incoming) {
    const auto plan = [&](Block right, Entry* separator) {
      return plan_split(view(h), right, incoming, store_->workspace(), separator);
    };
    split_by(h, plan);
  }

  // Splits a locked page by a plan that leaves both parts in the workspace, and releases it. Returns the block of the right one.
  template <class Plan>
  Block split_by(Handle h, const Plan& plan) {
    Workspace* ws = store_->workspace();
    const Block old_right = view(h).right();
    const Handle right = store_->allocate();
    const Block right_block = store_->block(right);
    if (old_right == store_->block(h) || old_right == right_block) {
      store_->corrupt(store_->block(h), "right link does not lead to the next page");
    }
    Entry separator;
    if (!plan(right_block, &separator)) store_->corrupt(store_->block(h), "page does not divide");
    Handle neighbour{};
    SavedKillMarks neighbour_marks;
    if (old_right != kNoBlock) {
      neighbour = read(old_right, LockMode::exclusive);
      if (!is_ours(neighbour, view(h).level()) || view(neighbour).left() != store_->block(h)) {
        store_->corrupt(old_right, "left link does not lead back");
      }
      if (view(neighbour).low() != view(h).high()) {
        store_->corrupt(old_right, "low fence is not the high fence of the left sibling");
      }
      neighbour_marks.save(view(neighbour));
    }
    store(ws->page2 + kSpecial + offsetof(PageTrailer, left), store_->block(h));
    seal<Key>(ws->page2);
    store_->begin();
    copy_content(store_->edit(h, false), ws->page);
    copy_content(store_->edit(right, true), ws->page2);
    if (old_right != kNoBlock) {
      std::uint8_t* image = store_->edit(neighbour, false);
      set_left<Key>(image, store_->block(right));
      seal<Key>(image);
    }
    store_->commit();
    if (view(h).level() == 0) store_->divided(store_->block(h), store_->block(right));
    carry_kill_marks(h, 0);
    carry_kill_marks(right, view(h).encoded());
    if (old_right != kNoBlock) {
      neighbour_marks.template restore<Key>(store_->hints(neighbour));
      store_->release(neighbour);
    }
    store_->release(right);
    finish_split(h);
    return right_block;
  }

  // A page that was written anew has lost its kill marks: those of entries that are in it still are set again,
  // under the same lock. Its ranks are those from `from` on of what was planned.
  void carry_kill_marks(Handle h, unsigned from) {
    const Workspace* ws = store_->workspace();
    if (ws->killed) set_kill_marks<Key>(store_->hints(h), ws->killed_map, from);
  }

  // The root was split: a new one above it.
  void grow(Handle left, const Item& downlink) {
    Workspace* ws = store_->workspace();
    const unsigned level = view(left).level() + 1;
    const Handle root = store_->allocate();
    const Handle meta = store_->read(kMetaBlock, LockMode::exclusive);
    MetaInfo info;
    const Fault fault = read_meta_page<StoreKey<Store>>(store_->bytes(meta), &info);
    if (fault) store_->corrupt(kMetaBlock, fault);

    std::memset(ws->page, 0, kPageSize);
    write_empty_page<Key>(ws->page, {id_, static_cast<std::uint8_t>(level), kRightmost, kNoBlock, kNoBlock,
                                     lowest_entry<Key>(), lowest_entry<Key>()});
    add_delta<Key>(ws->page, {KeyTraits<Key>::lowest(), 0, store_->block(left)});
    add_delta<Key>(ws->page, downlink);
    info.root[index()] = store_->block(root);
    info.level[index()] = static_cast<std::uint8_t>(level);

    SavedKillMarks kill_marks;
    kill_marks.save(view(left));
    store_->begin();
    copy_content(store_->edit(root, true), ws->page);
    write_meta_page<StoreKey<Store>>(store_->edit(meta, false), info);
    std::uint8_t* image = store_->edit(left, false);
    set_flags<Key>(image, static_cast<std::uint16_t>(view(left).flags() & ~kIncompleteSplit));
    seal<Key>(image);
    store_->commit();
    kill_marks.template restore<Key>(store_->hints(left));
    store_->release(meta);
    store_->release(root);
  }

 public:
  // Everything but the server's LSN and checksum.
  static void copy_content(std::uint8_t* to, const std::uint8_t* from) {
    constexpr std::size_t kKeep = 10;
    std::memcpy(to + kKeep, from + kKeep, kPageSize - kKeep);
  }

 private:
  Store* store_;
  TreeId id_;
  unsigned level_of_unfinished_ = 0;
  int held_count_ = 0;
  Block held_[kMaxHeld];
};

}  // namespace learned
