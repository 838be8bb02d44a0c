// What a scan visits, part by part, in physical order. Keys of one word: the ranges of codes that its conditions admit, and the
// NULLs before or behind them. Keys of several words: one part, from the lowest key that they admit to the highest, and a filter.
#pragma once

#include "am/key/key_bounds.hpp"
#include "am/key/scan_bounds.hpp"
#include "am/server/server.hpp"
#include "core/tree/walk.hpp"

namespace learned {

// Which part the scan is in, and which are left. `count`: how many there are.
class PartNumbers {
 public:
  // The keys were replaced: they are read by the next fetch.
  void forget_keys() { keys_read_ = false; }
  bool keys_read() const { return keys_read_; }

  int count() const { return count_; }
  // The part that the scan is in.
  int number() const { return number_; }
  void go_to(int no) { number_ = no; }
  int first(bool forward) const { return forward ? 0 : count_ - 1; }
  // The one after part `no`, -1 if there is none.
  int after(int no, bool forward) const {
    if (forward) return no + 1 < count_ ? no + 1 : -1;
    return no - 1;
  }

  // In a parallel scan: the last part of the piece that is this process's.
  void end_piece_with(int no) { piece_end_ = no; }
  bool piece_ends_here() const { return number_ == piece_end_; }

 protected:
  void take_keys(int count) {
    count_ = count;
    keys_read_ = true;
  }

 private:
  bool keys_read_ = false;
  int count_ = 0;
  int number_ = 0;
  int piece_end_ = 0;
};

template <class K>
class BasicScanParts : public PartNumbers {
 public:
  using TreeRange = BasicTreeRange<K>;

  BasicScanParts(Relation index, const KeyColumns& columns, MemoryContext context)
      : bounds_(index, columns, context) {}

  bool forward(ScanDirection direction) const { return ScanDirectionIsForward(direction); }

  void read_keys(const ScanKeyData* keys, int nkeys) {
    bounds_.set(keys, nkeys);
    take_keys(bounds_.none() ? 0 : 1);
    if (bounds_.none()) return;
    constexpr unsigned kWords = KeyTraits<K>::kWords;
    part_ = {TreeId::keys, narrow<kWords>(bounds_.hull().lo), narrow<kWords>(bounds_.hull().hi)};
  }

  // What the keys say.
  bool with_nulls() const { return false; }
  bool recheck() const { return bounds_.recheck(); }
  Emptiness emptiness() const { return bounds_.emptiness(); }
  // What of a part is visited; nullptr: all.
  const KeySet* filter() const { return bounds_.filter(); }
  const TreeRange& at(int) const { return part_; }
  const TreeRange& current() const { return part_; }

  // Whether a part may have many entries, so that it should be a piece by itself.
  static bool is_long(const TreeRange&, int) { return true; }

 private:
  TreeRange part_{};
  KeyBounds bounds_;
};

template <>
class BasicScanParts<Code> : public PartNumbers {
 public:
  BasicScanParts(Relation index, const KeyColumns& columns, MemoryContext context) {
    bounds_init(&bounds_, index, 0, columns.column[0].type, context);
    const int16 option = index->rd_indoption[0];
    descending_ = (option & INDOPTION_DESC) != 0;
    nulls_first_ = ((option & INDOPTION_NULLS_FIRST) != 0) != descending_;
  }

  // Whether a scan in this direction goes forward in physical order, which is the reverse of a descending index's.
  bool forward(ScanDirection direction) const { return ScanDirectionIsForward(direction) != descending_; }

  void read_keys(const ScanKeyData* keys, int nkeys) {
    bounds_set(&bounds_, keys, nkeys);
    take_keys(static_cast<int>(bounds_.range_count) + (bounds_.want_nulls ? 1 : 0));
  }

  // What the keys say.
  bool with_nulls() const { return bounds_.want_nulls; }
  bool recheck() const { return bounds_.recheck; }
  Emptiness emptiness() const { return bounds_.emptiness; }
  static constexpr const KeySet* filter() { return nullptr; }
  TreeRange at(int no) const {
    constexpr TreeRange nulls{TreeId::nulls, 0, 0};
    if (bounds_.want_nulls) {
      if (nulls_first_) {
        if (no == 0) return nulls;
        no--;
      } else if (no == static_cast<int>(bounds_.range_count)) {
        return nulls;
      }
    }
    const CodeRange& r = bounds_.ranges[no];
    return {TreeId::keys, r.lo, r.hi};
  }
  TreeRange current() const { return at(number()); }

  static bool is_long(const TreeRange& part, int most) {
    return part.hi - part.lo >= static_cast<Code>(most);
  }

 private:
  bool descending_;
  bool nulls_first_;  // physically
  ScanBounds bounds_;
};
static_assert(std::is_trivially_destructible_v<BasicScanParts<Code>>);

}  // namespace learned
