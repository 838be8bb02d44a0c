// The way over the leaves of a tree, from one position to another, in either direction.
//
// One leaf is locked at a time, and none between two steps: what a walk remembers of a leaf is the interval of positions
// (code, TID) that it has visited there, and where the links led. The next leaf is believed to go on there only after its
// fences have been read; where it does not (it was joined with its neighbour, split, recycled) the walk descends again for
// the position that it has come to, and of the page that it finds it visits what lies beyond that position only. So the
// visited intervals follow one another without gap or overlap, whatever happens to the pages meanwhile:
//
//   LeafWalk<Store> walk(&store);
//   for (auto leaf = walk.enter(range, forward, on_leaf);; leaf = walk.next(forward, on_leaf)) {
//     walk.leaf().ranks(view of leaf, range, &ranks);  // and the delta entries that walk.leaf().takes()
//     store.release(leaf);
//     if (!walk.leaf().goes_on(range, forward)) break;
//   }
//
// `on_leaf` is called with each leaf when it is locked and verified, before anything is read in it: for predicate locks, which
// must be there before the content lock goes, also where nothing matches, as a gap has been read then.
#pragma once

#include "core/page/search.hpp"
#include "core/tree/tree.hpp"

namespace learned {

// What is visited of a tree: the entries whose codes are in [lo, hi].
template <class K>
struct BasicTreeRange {
  using Entry = BasicEntry<K>;

  TreeId tree;
  K lo;
  K hi;

  // Its ends, as positions.
  Entry first() const { return {lo, 0}; }
  Entry last() const { return {hi, kMaxTid}; }
  // Where a walk in this direction begins.
  Entry start(bool forward) const { return forward ? first() : last(); }
  bool includes(const Entry& e) const { return e.code >= lo && e.code <= hi; }
};
using TreeRange = BasicTreeRange<Code>;

// Encoded entries of a leaf: ranks [begin, end). If they are just one, and segment.count > 0, it is in that segment.
template <class K>
struct BasicLeafRanks {
  unsigned begin;
  unsigned end;
  BasicSegmentRef<K> segment;
};
using LeafRanks = BasicLeafRanks<Code>;

// The visit to a leaf: which positions, and where its links led then.
template <class K>
class BasicLeafVisit {
 public:
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;
  using TreeRange = BasicTreeRange<K>;
  using LeafRanks = BasicLeafRanks<K>;

  TreeId tree() const { return tree_; }
  // kNoBlock: there was no visit.
  Block block() const { return block_; }
  // The end of the visited positions in a direction: from low (inclusive) to high (exclusive).
  Entry fence(bool forward) const { return forward ? high_ : low_; }
  // The leaf that begins, or ends, there; kNoBlock: none, or it is not known.
  Block link(bool forward) const { return forward ? right_ : left_; }

  bool covers(TreeId tree, const Entry& e) const { return block_ != kNoBlock && tree_ == tree && within(e); }
  // Whether the range goes on beyond this leaf.
  bool goes_on(const TreeRange& range, bool forward) const {
    return forward ? !rightmost_ && high_ <= range.last() : low_ > range.first();
  }

  // Of the page that is visited (or a copy of it), the encoded entries that belong to the range and to the visit. False: corrupt.
  bool ranks(const PageView& page, const TreeRange& range, LeafRanks* out) const {
    if (range.lo != range.hi || clipped_ || range.tree != TreeId::keys)
      return ranks_between(page, range, out);
    out->begin = 0;
    out->end = page.encoded();
    out->segment.count = 0;
    return equal_range(page, range.lo, &out->begin, &out->end, &out->segment) && out->begin <= out->end &&
           out->end <= page.encoded();
  }
  // Whether a delta entry of the page belongs to both.
  bool takes(const TreeRange& range, const Entry& e) const {
    return range.includes(e) && (!clipped_ || within(e));
  }

 private:
  template <PageStore Store>
  friend class LeafWalk;

  bool ranks_between(const PageView& page, const TreeRange& range, LeafRanks* out) const;
  bool within(const Entry& e) const { return e >= low_ && (rightmost_ || e < high_); }
  void arrive(const PageView& page, Block block) {
    tree_ = page.tree();
    rightmost_ = page.rightmost();
    clipped_ = false;
    block_ = block;
    left_ = page.left();
    right_ = page.right();
    low_ = page.low();
    high_ = page.high();
  }
  // Leaves out what lies before `fence`, in the walk's direction. If the page has that, no link leads to it.
  void clip(const Entry& fence, bool forward);

  TreeId tree_ = TreeId::keys;
  bool rightmost_ = false;  // there is no end to the right
  bool clipped_ = false;    // the page has positions that the visit does not have
  Block block_ = kNoBlock;
  Block left_ = kNoBlock;
  Block right_ = kNoBlock;
  Entry low_ = lowest_entry<K>();
  Entry high_ = lowest_entry<K>();
};
using LeafVisit = BasicLeafVisit<Code>;

template <PageStore Store>
class LeafWalk {
 public:
  using Handle = typename Store::Handle;
  using Entry = BasicEntry<StoreKey<Store>>;
  using PageView = BasicPageView<StoreKey<Store>>;
  using TreeRange = BasicTreeRange<StoreKey<Store>>;
  using LeafVisit = BasicLeafVisit<StoreKey<Store>>;

  explicit LeafWalk(Store* store) : store_(store) {}

  const LeafVisit& leaf() const { return leaf_; }
  bool on_leaf() const { return leaf_.block_ != kNoBlock; }
  // The walk is nowhere.
  void forget() { leaf_.block_ = kNoBlock; }

  // All of these return a leaf that is locked for share, and expect none to be.

  // Goes to the end of the range where a walk in this direction begins.
  template <class OnLeaf>
  Handle enter(const TreeRange& range, bool forward, const OnLeaf& on_leaf) {
    const Entry start = range.start(forward);
    return enter_at(range.tree, start, leaf_.covers(range.tree, start) ? leaf_.block_ : kNoBlock, on_leaf);
  }
  // Goes to the leaf that has a position: `hint`, if it still does (kNoBlock: unknown).
  template <class OnLeaf>
  [[gnu::always_inline]] Handle enter_at(TreeId id, const Entry& position, Block hint,
                                         const OnLeaf& on_leaf) {
    Tree<Store> tree(store_, id);
    return arrive(hint == kNoBlock ? tree.locate(position, LockMode::share)
                                   : tree.locate_at(hint, position, LockMode::share),
                  on_leaf);
  }
  // Goes on from where another walk had come to: from `fence` on, or, backward, with what lies before it.
  template <class OnLeaf>
  Handle take_over(TreeId id, const Entry& fence, Block hint, bool forward, const OnLeaf& on_leaf) {
    const Handle h = enter_at(id, forward ? fence : predecessor(fence), hint, on_leaf);
    leaf_.clip(fence, forward);
    return h;
  }
  // Leaves out what the leaf has from `end` on: a walk forward is over there. REQUIRES: the leaf does not begin behind it.
  void end_at(const Entry& end) {
    if (leaf_.rightmost_ || leaf_.high_ > end) leaf_.clip(end, false);
  }
  // Goes on to the next leaf. REQUIRES: on_leaf(), and there is one: see LeafVisit::goes_on().
  template <class OnLeaf>
  Handle next(bool forward, const OnLeaf& on_leaf) {
    Tree<Store> tree(store_, leaf_.tree_);
    const Entry fence = leaf_.fence(forward);
    const Block link = leaf_.link(forward);
    const Handle h =
        arrive(link == kNoBlock ? tree.locate(forward ? fence : predecessor(fence), LockMode::share)
               : forward        ? tree.step_right(link, fence, LockMode::share)
                                : tree.step_left(link, fence, LockMode::share),
               on_leaf);
    leaf_.clip(fence, forward);
    return h;
  }

 private:
  template <class OnLeaf>
  Handle arrive(Handle h, const OnLeaf& on_leaf) {
    store_->verify(h);
    on_leaf(h);
    leaf_.arrive(PageView(store_->bytes(h)), store_->block(h));
    return h;
  }

  Store* store_;
  LeafVisit leaf_;
};

}  // namespace learned
