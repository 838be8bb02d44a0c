// The leaves of an index by number, so that some of them can be looked at and the others be judged by these.
//
// What a number stands for is a *stretch* of a level: the positions from one separator to the next, as the page above has
// them. So a leaf whose split has no downlink yet belongs to the stretch of its left neighbour. Nothing is known of how many entries
// there are but by reading: inner pages do not count.
//
//   add(tree)          reads the levels above the lowest inner one
//   choose(most)       reads that one, or so many pages of it, taken evenly: then size() leaves are known
//   read(n, f)         reads one of them (and the page above it, if the last one read has another)
//
// Beside writers: numbers are given out once, and a page above a leaf that was divided since has more children than numbers; so
// the last of these stands for all that are left; of one whose leaves were joined since, the last numbers stand for nothing. Of a page, what
// lies within the stretch is read. Entries are read as they are at the moment of the read.
#pragma once

#include "am/scan/leaf_entries.hpp"
#include "am/scan/read_leaf.hpp"
#include "am/server/grown_array.hpp"
#include "am/store/buffer_store.hpp"

namespace learned {

template <class K>
class LeafSurvey {
 public:
  using Entry = BasicEntry<K>;
  using TreeRange = BasicTreeRange<K>;
  using LeafEntries = BasicLeafEntries<K>;

  struct Nothing {
    void operator()() const {}
  };

  // Reads under `snapshot`: see ReadLeaf.
  LeafSurvey(Relation index, Snapshot snapshot)
      : store_(index), walk_(&store_), read_leaf_{index, snapshot} {}

  // The leaves of a tree; of their entries, those of the range.
  void add(const TreeRange& range);
  // Of the inner pages above the leaves of all trees, if there are more than `most`, takes so many: the first of them `offset` of their distance
  // from the beginning, which is in [0, 1).
  void choose(uint64 most, double offset);

  // Leaves that can be read by number.
  uint64 size() const { return size_; }
  // Whether these are all, and if not, how many there are for each.
  bool complete() const { return taken_ == parents_; }
  double scale() const {
    return taken_ == 0 ? 1.0 : static_cast<double>(parents_) / static_cast<double>(taken_);
  }

  // Calls f(entries) for each page of a stretch, which is locked, until f returns false. REQUIRES: leaf < size().
  template <class F>
  void read(uint64 leaf, const F& f) {
    read(at(leaf), f);
  }
  // The same for all from there on to the end of its tree's range.
  template <class F>
  void read_from(uint64 leaf, const F& f) {
    Stretch stretch = at(leaf);
    stretch.last = true;
    read(stretch, f);
  }
  // The same for all of a tree's range, from its beginning on or back from its end. after() is called when the page is unlocked.
  template <class F, class After = Nothing>
  void read_all(TreeId tree, bool forward, const F& f, const After& after = {}) {
    const TreeRange& range = ranges_[static_cast<int>(tree)];
    read_on(walk_.enter(range, forward, read_leaf_), {range, forward, nullptr}, f, after);
  }
  // Entries of a stretch that are not removed.
  uint64 live(uint64 leaf);
  // The entry of a number in what is selected of a page.
  Entry entry(const LeafEntries& entries, int number);

  // The page that is being read is damaged.
  [[noreturn]] void corrupt(Fault fault) { store_.corrupt(walk_.leaf().block(), fault); }

 private:
  using PageView = BasicPageView<K>;

  // Where a way leads, and, forward, to which position (nullptr: the end of the range).
  struct Way {
    const TreeRange& range;
    bool forward;
    const Entry* end;
  };
  struct Stretch {
    TreeId tree;
    bool last;  // it has no end
    std::uint8_t level;
    Block block;  // where it begins, if nothing has changed
    Entry low;
    Entry high;  // not part of it
  };

  template <class F>
  void each_child(const Stretch& parent, const F& f);
  // Those of a page, to children_.
  void load_children(Size parent);
  Stretch at(uint64 leaf);
  template <class F>
  void read(const Stretch& stretch, const F& f) {
    if (!stretch.last && stretch.low == stretch.high) return;
    const Buffer leaf = walk_.take_over(stretch.tree, stretch.low, stretch.block, true, read_leaf_);
    read_on(leaf, {ranges_[static_cast<int>(stretch.tree)], true, stretch.last ? nullptr : &stretch.high}, f,
            Nothing{});
  }
  template <class F, class After>
  void read_on(Buffer leaf, const Way& way, const F& f, const After& after);

  BasicBufferStore<K> store_;
  LeafWalk<BasicBufferStore<K>> walk_;
  ReadLeaf read_leaf_;
  LeafEntries entries_;
  TreeRange ranges_[kTreeCount]{};
  // The pages above the leaves, or a leaf that is a root; and the number of each one's first leaf.
  GrownArray<Stretch> above_;
  GrownArray<uint64> first_;
  uint64 size_ = 0;
  uint64 parents_ = 0;  // before choose() took some
  uint64 taken_ = 0;
  // The children of one of them.
  GrownArray<Stretch> children_;
  Size loaded_ = 0;
};

// From a leaf that is locked.
template <class K>
template <class F, class After>
void LeafSurvey<K>::read_on(Buffer leaf, const Way& way, const F& f, const After& after) {
  for (;;) {
    // (It may have been joined with the leaf of the next stretch since.)
    if (way.end != nullptr) walk_.end_at(*way.end);
    entries_.open(PageView(buffer_bytes(leaf)), false);
    BasicLeafRanks<K> ranks;
    if (!entries_.select(walk_.leaf(), way.range, &ranks)) corrupt("page does not decode");
    const bool more = f(entries_);
    UnlockReleaseBuffer(leaf);
    entries_.release();
    after();
    CHECK_FOR_INTERRUPTS();
    if (!more || !walk_.leaf().goes_on(way.range, way.forward)) return;
    if (way.end != nullptr && walk_.leaf().fence(true) >= *way.end) return;
    leaf = walk_.next(way.forward, read_leaf_);
  }
}

}  // namespace learned
