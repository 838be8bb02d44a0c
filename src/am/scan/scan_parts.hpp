// What a scan visits, part by part, in physical order: the ranges of codes that its conditions admit, and the NULLs before
// or behind them.
#pragma once

#include "am/key/scan_bounds.hpp"
#include "am/server/server.hpp"
#include "core/tree/walk.hpp"

namespace learned {

class ScanParts {
 public:
  ScanParts(Relation index, MemoryContext context) {
    bounds_init(&bounds_, index, context);
    const int16 option = index->rd_indoption[0];
    descending_ = (option & INDOPTION_DESC) != 0;
    nulls_first_ = ((option & INDOPTION_NULLS_FIRST) != 0) != descending_;
  }

  // Whether a scan in this direction goes forward in physical order, which is the reverse of a descending index's.
  bool forward(ScanDirection direction) const { return ScanDirectionIsForward(direction) != descending_; }

  // The keys were replaced: they are read by the next fetch.
  void forget_keys() { keys_read_ = false; }
  bool keys_read() const { return keys_read_; }
  void read_keys(const ScanKeyData* keys, int nkeys) {
    bounds_set(&bounds_, keys, nkeys);
    count_ = static_cast<int>(bounds_.range_count) + (bounds_.want_nulls ? 1 : 0);
    keys_read_ = true;
  }

  // What the keys say.
  int count() const { return count_; }
  bool with_nulls() const { return bounds_.want_nulls; }
  bool recheck() const { return bounds_.recheck; }
  Emptiness emptiness() const { return bounds_.emptiness; }
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

  // The part that the scan is in.
  int number() const { return number_; }
  TreeRange current() const { return at(number_); }
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

 private:
  bool descending_;
  bool nulls_first_;  // physically
  bool keys_read_ = false;
  int count_ = 0;
  int number_ = 0;
  int piece_end_ = 0;
  ScanBounds bounds_;
};
static_assert(std::is_trivially_destructible_v<ScanParts>);

}  // namespace learned
