// What a range of a tree holds, by and large: how many entries, and how they are spread over it. For estimates: it reads a
// bounded number of pages, and raises no error.
//
// From the root down, level by level, a list is made of the pages that have a part in the range. As long as there are few, all
// of them are read; so where the range is small, the outline is exact. A list that has become longer is cut into stretches of
// pages. One page in the middle of each is followed down to a leaf, and stands for the others.
//
//   root                     1 page is read
//   its children             3: all of them are read
//   theirs               o o o o o o o o o o o o ...    900: that is the list
//                          |     |     |     |          sixteen are read, and the leaves below them
//
// One page is locked at a time. What a page says of its children may be old when they are read: their fences tell, and a child that
// is not there any more is left out (its entries have gone to a neighbour, which counts them).
#pragma once

#include <algorithm>
#include <span>

#include "core/page/meta.hpp"
#include "core/page/search.hpp"
#include "core/tree/walk.hpp"

namespace learned {

// Reading without errors.
template <class S>
concept PeeksPages = requires(S store, typename S::Handle* h, Block block) {
  // The page, locked for share; false: there is none that can be read.
  { store.peek(block, h) } -> std::same_as<bool>;
  // What verify() would raise.
  { store.find_fault(*h) } -> std::same_as<Fault>;
  { store.release(*h) } -> std::same_as<void>;
  { store.bytes(*h) } -> std::same_as<const std::uint8_t*>;
};

// So many entries lie from this key on, before that of the next mark.
template <class K>
struct BasicOutlineMark {
  K key;
  double entries;
  Tid tid;  // of one thereabouts, or 0
};

// The leaf that has one end of the range.
struct EndLeaf {
  Block block = kNoBlock;  // not known
  unsigned live = 0;       // its entries
};

// kPages: most that are read of a level.
template <PeeksPages Store, unsigned kPages = 16>
class Outline {
 public:
  using Key = StoreKey<Store>;
  using Entry = BasicEntry<Key>;
  using PageView = BasicPageView<Key>;
  using TreeRange = BasicTreeRange<Key>;
  using Mark = BasicOutlineMark<Key>;

 private:
  // A page, or some neighbours of which it is the first.
  struct Node {
    Entry low;
    Block block;
    unsigned count;
  };
  // Those of a level. Each page that is read has its share of the list: two shares rounded up, its first child and its last.
  static constexpr unsigned kListed = 1024;
  static constexpr unsigned kMaxNodes = kListed + 4 * kPages;
  // Marks in the leaves that are read: in all, if they are all that there are; in each of a sample.
  static constexpr unsigned kFineMarks = 512;
  static constexpr unsigned kMarksOfSample = 8;
  // Entries of a leaf's delta, which may be at the end of all, that have a mark.
  static constexpr unsigned kDeltaStride = 4;
  static constexpr unsigned kMarksOfDelta = kMaxDelta / kDeltaStride;
  // TIDs that each of a sample gives to the marks that it stands for.
  static constexpr unsigned kTidsOfSample = 4;

 public:
  // Memory for one outline at a time.
  struct Room {
    Node nodes[2][kMaxNodes];
    Mark marks[std::max(kFineMarks + kPages * kMarksOfDelta,
                        kMaxNodes + 2 * (kMarksOfSample + kMarksOfDelta)) +
               1];
  };

  // Keys are told apart by their first `words` words.
  Outline(Store* store, Room* room, unsigned words = KeyTraits<Key>::kWords)
      : store_(store), room_(room), words_(words) {}

  // False: a page is damaged, or all is changing. REQUIRES: the range is one of keys.
  bool draw(const TreeRange& range) {
    range_ = range;
    marks_ = 0;
    pairs_ = changes_ = 0.0;
    damaged_ = false;
    unsigned level;
    if (!begin_at_root(&level)) return false;
    while (level > 0 && count_ > 0 && count_ <= kPages) expand(level--);
    if (count_ > kPages) {
      sample(level);
    } else {
      for (unsigned i = 0; i < count_; i++)
        read_leaf(list()[i], kFineMarks / count_, i == 0, i + 1 == count_);
    }
    if (marks_ > 0) add_mark(greatest_, 0.0, 0);
    return !damaged_ && end_[0].block != kNoBlock && end_[1].block != kNoBlock;
  }

  // In ascending order. The last one is the greatest key, with nothing behind it. None: nothing is in the range.
  std::span<Mark> marks() const { return {room_->marks, marks_}; }
  const EndLeaf& end(bool upper) const { return end_[upper ? 1 : 0]; }
  // In how many entries of 1 the key is another one than in the entry before: so many keys there are for each entry. By neighbours that were
  // looked at.
  double share_of_keys() const { return pairs_ > 0.0 ? changes_ / pairs_ : 1.0; }

  // Whether the leaf that had an end of a range has it still, with about as many entries.
  static bool still_ends(Store* store, const EndLeaf& leaf, const Entry& position, unsigned tolerance) {
    typename Store::Handle h;
    if (!store->peek(leaf.block, &h)) return false;
    const PageView page(store->bytes(h));
    const bool same = store->find_fault(h) == nullptr && !page.deleted() && page.tree() == TreeId::keys &&
                      page.level() == 0 && page.covers(position) && page.live() <= leaf.live + tolerance &&
                      page.live() + tolerance >= leaf.live;
    store->release(h);
    return same;
  }

 private:
  Node* list() { return room_->nodes[current_]; }
  // Where a page begins in the range.
  Key key_of(const Node& node) const { return std::max(node.low.code, range_.lo); }

  bool begin_at_root(unsigned* level) {
    typename Store::Handle h;
    if (!store_->peek(kMetaBlock, &h)) return false;
    MetaInfo meta;
    const Fault fault = read_meta_page<Key>(store_->bytes(h), &meta);
    store_->release(h);
    if (fault) return false;
    const int tree = static_cast<int>(TreeId::keys);
    *level = meta.level[tree];
    list()[0] = {lowest_entry<Key>(), meta.root[tree], 1};
    count_ = 1;
    return true;
  }

  // False: it is not there any more, or (damaged_) not sound.
  bool open(const Node& node, unsigned level, typename Store::Handle* h) {
    if (!store_->peek(node.block, h)) {
      damaged_ = true;
      return false;
    }
    if (store_->find_fault(*h)) {
      damaged_ = true;
    } else {
      const PageView page(store_->bytes(*h));
      if (!page.deleted() && page.tree() == TreeId::keys && page.level() == level && page.covers(node.low))
        return true;
    }
    store_->release(*h);
    return false;
  }

  // Encoded ranks [begin, end) of the range. False: corrupt.
  bool ranks_of(const PageView& page, unsigned* begin, unsigned* end) const {
    *end = page.encoded();
    if (!lower_bound(page, range_.first(), begin)) return false;
    if (range_.hi == KeyTraits<Key>::highest()) return true;
    return lower_bound(page, {KeyTraits<Key>::after(range_.hi), 0}, end) && *begin <= *end;
  }

  // The children of the listed pages become the list.
  void expand(unsigned level) {
    Node* next = room_->nodes[1 - current_];
    unsigned listed = 0;
    const unsigned share = kListed / count_;
    for (unsigned i = 0; i < count_ && !damaged_; i++) {
      typename Store::Handle h;
      if (!open(list()[i], level, &h)) continue;
      const unsigned added = list_children(PageView(store_->bytes(h)), share, next + listed);
      store_->release(h);
      damaged_ = damaged_ || added == 0;
      listed += added;
    }
    current_ = 1 - current_;
    count_ = listed;
  }

  // Those that have a part in the range. Of more than `share`, the first, the last, and some in between that stand for their neighbours,
  // too. Returns how many it has listed. 0: corrupt.
  unsigned list_children(const PageView& page, unsigned share, Node* out) {
    const Entry first = range_.first();
    unsigned rank;
    unsigned end;
    if (!ranks_of(page, &rank, &end)) return 0;
    if (!lower_bound(page, {first.code, first.tid + 1}, &rank)) return 0;
    // From the one that holds the first position on: that of the last separator at or before it.
    if (rank > 0) rank--;
    BasicItem<Key> delta[kMaxDelta];
    unsigned deltas = sorted_delta(page, delta);
    while (deltas > 0 && delta[deltas - 1].entry() > range_.last()) deltas--;
    unsigned d = 0;
    while (d + 1 < deltas && delta[d + 1].entry() <= first) d++;
    Node node;
    if (rank < end && d < deltas && delta[d].entry() <= first) {
      if (!child_at(page, rank, &node)) return 0;
      if (node.low < delta[d].entry()) {
        if (node.low <= first) rank++;
      } else if (node.low <= first) {
        d++;
      }
    }
    const unsigned stride = (end - rank + deltas - d + share - 1) / share;
    Node last{};
    if (rank < end && !child_at(page, end - 1, &last)) return 0;
    if (d < deltas && (rank == end || last.low < delta[deltas - 1].entry()))
      last = node_of(delta[deltas - 1]);
    unsigned n = 0;
    while (rank < end || d < deltas) {
      const unsigned step = n == 0 ? 1 : stride;
      const bool encoded = rank < end;
      if (encoded && !child_at(page, rank, &node)) return 0;
      if (encoded && (d == deltas || node.low < delta[d].entry())) {
        node.count = std::min(step, end - rank);
        rank += node.count;
      } else {
        node = node_of(delta[d]);
        node.count = std::min(step, deltas - d);
        d += node.count;
      }
      out[n++] = node;
    }
    if (n > 0 && out[n - 1].low != last.low) {
      if (out[n - 1].count > 1) out[n - 1].count--;
      out[n++] = last;
    }
    return n;
  }
  static bool child_at(const PageView& page, unsigned rank, Node* out) {
    out->count = 1;
    return decode(page, rank, rank + 1, &out->low.code, &out->low.tid, &out->block);
  }
  static Node node_of(const BasicItem<Key>& item) { return {item.entry(), item.child, 1}; }

  // A leaf as it is.
  void read_leaf(const Node& node, unsigned most, bool first, bool last) {
    typename Store::Handle h;
    if (!open(node, 0, &h)) return;
    const PageView page(store_->bytes(h));
    if (first) end_[0] = {node.block, page.live()};
    if (last) end_[1] = {node.block, page.live()};
    damaged_ = !mark_leaf(page, most) || damaged_;
    store_->release(h);
  }

  // False: corrupt.
  bool mark_leaf(const PageView& page, unsigned most) {
    unsigned begin;
    unsigned end;
    if (!ranks_of(page, &begin, &end)) return false;
    BasicItem<Key> delta[kMaxDelta];
    const unsigned all = sorted_delta(page, delta);
    unsigned from = 0;
    while (from < all && delta[from].code < range_.lo) from++;
    unsigned to = from;
    while (to < all && delta[to].code <= range_.hi) to++;
    const unsigned encoded = end - begin;
    const unsigned deltas = to - from;
    // (An even share of the dead entries is in the range.)
    const double each =
        encoded == 0 ? 0.0 : 1.0 - static_cast<double>(page.dead()) / static_cast<double>(page.encoded());
    const unsigned stride = most > 0 ? (encoded + most - 1) / most : 0;
    for (unsigned i = 0, d = from; most > 0 && (i < encoded || d < to);) {
      Key key;
      Tid tid;
      if (i < encoded && !decode(page, begin + i, begin + i + 1, &key, &tid)) return false;
      if (i < encoded && (d == to || key < delta[d].code)) {
        const unsigned step = std::min(stride, encoded - i);
        // (VACUUM has removed it.)
        if (page.is_dead(begin + i)) tid = 0;
        add_mark(key, each * step, tid);
        if (!compare(page, begin + i, step, end, each * step)) return false;
        i += step;
      } else {
        const unsigned step = std::min(kDeltaStride, to - d);
        add_mark(delta[d].code, step, delta[d].tid);
        if (d + 1 < to) add_pair(delta[d].code, delta[d + 1].code, step);
        d += step;
      }
    }
    Tid tid;
    if (encoded > 0) {
      if (!decode(page, begin, begin + 1, &least_, &tid) || !decode(page, end - 1, end, &greatest_, &tid))
        return false;
    }
    if (deltas > 0) {
      if (encoded == 0 || delta[from].code < least_) least_ = delta[from].code;
      if (encoded == 0 || delta[to - 1].code > greatest_) greatest_ = delta[to - 1].code;
    }
    return true;
  }

  // (A leaf that has been split since its parent was read may have less than was said, and none come out of order.)
  void add_mark(const Key& key, double entries, Tid tid) {
    const bool ordered = marks_ == 0 || room_->marks[marks_ - 1].key <= key;
    room_->marks[marks_] = {ordered ? key : room_->marks[marks_ - 1].key, entries, tid};
    marks_++;
  }

  // An entry of `step` from a rank on and the one behind it, if that is in front of `end`: some one, as keys may come back as regularly as we
  // look at them. False: corrupt.
  bool compare(const PageView& page, unsigned rank, unsigned step, unsigned end, double entries) {
    chance_ = chance_ * 1664525 + 1013904223;
    rank += (chance_ >> 16) % step;
    Key key[2];
    Tid tid[2];
    if (rank + 1 >= end) return true;
    if (!decode(page, rank, rank + 2, key, tid)) return false;
    add_pair(key[0], key[1], entries);
    return true;
  }
  // Neighbours, for so many entries.
  void add_pair(const Key& key, const Key& next, double entries) {
    pairs_ += entries;
    if (!same_prefix(key, next, words_)) changes_ += entries;
  }

  // Too many pages to read them all.
  void sample(unsigned level) {
    const unsigned inner = count_ - 2;
    constexpr unsigned kStretches = kPages - 2;
    const auto border = [inner](unsigned s) { return 1 + inner * s / kStretches; };
    Below below{};
    look_below(list()[(border(0) + border(1)) / 2], level, &below);
    visit_end(list()[0], level, false, below.entries);
    for (unsigned s = 0; s < kStretches && !damaged_; s++) {
      if (s > 0) look_below(list()[(border(s) + border(s + 1)) / 2], level, &below);
      const unsigned first = marks_;
      for (unsigned i = border(s); i < border(s + 1); i++)
        add_mark(key_of(list()[i]), below.entries * list()[i].count, 0);
      for (unsigned t = 0; t < below.tids; t++)
        room_->marks[first + (marks_ - first) * t / below.tids].tid = below.tid[t];
    }
    if (!damaged_) visit_end(list()[count_ - 1], level, true, below.entries);
  }

  // What is below a page, as its middle child and so on have it.
  struct Below {
    double entries;
    unsigned tids;
    Tid tid[kTidsOfSample];
  };

  // Leaves *below as it is if the page is not there any more.
  void look_below(Node node, unsigned level, Below* below) {
    double pages = 1.0;
    for (;; level--) {
      typename Store::Handle h;
      if (!open(node, level, &h)) return;
      const PageView page(store_->bytes(h));
      if (level > 0) {
        pages *= page.encoded() + page.deltas();
        damaged_ = !middle_child(page, &node) || damaged_;
      } else {
        below->entries = pages * page.live();
        damaged_ = !take_tids(page, below) || damaged_;
      }
      store_->release(h);
      if (level == 0 || damaged_) return;
    }
  }

  // False: corrupt.
  bool take_tids(const PageView& page, Below* below) {
    const unsigned encoded = page.encoded();
    const unsigned deltas = page.deltas();
    below->tids = 0;
    for (unsigned t = 0; t < std::min(kTidsOfSample, std::max(encoded, deltas)); t++) {
      if (encoded < deltas) {
        below->tid[below->tids++] = page.delta_item(deltas * t / kTidsOfSample).tid;
        continue;
      }
      const unsigned rank = encoded * t / kTidsOfSample;
      Tid tid;
      if (!decode(page, rank, rank + 1, nullptr, &tid)) return false;
      if (!page.is_dead(rank)) below->tid[below->tids++] = tid;
      if (!compare(page, rank, std::max(encoded / kTidsOfSample, 1u), encoded, below->entries)) return false;
    }
    return true;
  }

  // False: corrupt.
  static bool middle_child(const PageView& page, Node* node) {
    const unsigned encoded = page.encoded();
    if (encoded > 0) {
      return decode(page, encoded / 2, encoded / 2 + 1, &node->low.code, &node->low.tid, &node->block);
    }
    if (page.deltas() == 0) return false;
    const BasicItem<Key> item = page.delta_item(page.deltas() / 2);
    node->low = item.entry();
    node->block = item.child;
    return true;
  }

  // The first or the last of many pages, of which a part may be outside of the range, or not full: a leaf is looked at; what is below
  // another one has about half of what its neighbour has, and the end itself is in the leaf there.
  void visit_end(Node node, unsigned level, bool upper, double each) {
    if (level == 0) {
      read_leaf(node, kMarksOfSample, !upper, upper);
      return;
    }
    const Key begin = key_of(node);
    const Entry position = upper ? range_.last() : range_.first();
    for (; level > 0; level--) {
      typename Store::Handle h;
      if (!open(node, level, &h)) return;
      BasicItem<Key> child;
      damaged_ = !find_child(PageView(store_->bytes(h)), position, &child) || damaged_;
      store_->release(h);
      if (damaged_) return;
      node = node_of(child);
    }
    least_ = begin;
    read_leaf(node, 0, !upper, upper);
    add_mark(upper ? begin : least_, each / 2, 0);
  }

  Store* store_;
  Room* room_;
  unsigned words_;
  double pairs_ = 0.0;
  double changes_ = 0.0;
  std::uint32_t chance_ = 1;
  TreeRange range_{};
  EndLeaf end_[2];
  Key least_{};     // that a leaf had in the range
  Key greatest_{};  // the same of the last leaf
  unsigned current_ = 0;
  unsigned count_ = 0;  // listed
  unsigned marks_ = 0;
  bool damaged_ = false;
};

}  // namespace learned
