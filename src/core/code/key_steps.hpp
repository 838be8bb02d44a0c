// How a scan goes over the entries that a KeySet admits: which of a run of entries it leaves out, where it goes on behind a gap,
// and how many entries are worth looking at before it asks for that again.
//
// What a scan returns rests on leave_out() alone. Going on behind gaps only saves work.
#pragma once

#include <algorithm>

#include "core/code/key_set.hpp"

namespace learned {

// Entries that were looked at in a row.
struct Passed {
  unsigned admitted;
  unsigned gaps;  // runs of entries that are not admitted
};

// Marks as dead the entries that are not admitted. `forward` makes no difference.
template <unsigned W>
Passed leave_out(const KeySet& set, const Words<W>* keys, bool* dead, unsigned n) {
  Passed passed{0, 0};
  bool within = true;
  for (unsigned i = 0; i < n; i++) {
    const bool admitted = set.contains(keys[i]);
    passed.admitted += admitted;
    passed.gaps += within && !admitted;
    within = admitted;
    dead[i] |= !admitted;
  }
  return passed;
}

// Moves a position to where the next admitted keys begin: forward, those at or behind it; backward, those that lie before it, and then
// it is the position behind them. It stays where it is if it stands among such keys. False: there are none.
template <unsigned W>
bool go_to_admitted(const KeySet& set, bool forward, BasicEntry<Words<W>>* position) {
  using Traits = KeyTraits<Words<W>>;
  KeyRange stretch;
  if (forward) {
    if (!set.next(widen(position->code), &stretch)) return false;
    *position = std::max(*position, {narrow<W>(stretch.lo), 0});
    return true;
  }
  if (position->tid == 0 && position->code == Traits::lowest()) return false;
  const Words<W> last = position->tid == 0 ? Traits::before(position->code) : position->code;
  if (!set.previous(widen(last), &stretch)) return false;
  const Words<W> hi = narrow<W>(stretch.hi);
  if (hi < last) *position = {Traits::after(hi), 0};
  return true;
}

// How many entries to decode at a time. Where gaps are wide, few: most of them would be in a gap, which a search steps over at the cost
// of some dozens of entries. Where they are narrow, more each time.
class StepPace {
 public:
  static constexpr int kLeast = 16;

  explicit constexpr StepPace(int most) : most_(most) {}

  void start() { size_ = kLeast; }
  int size() const { return size_; }
  // So many entries were decoded.
  void look_at(const Passed& passed, unsigned n) {
    left_out_ += n - passed.admitted;
    gaps_ += passed.gaps;
    if (passed.admitted == n) size_ = std::min(most_, size_ * 2);
  }
  // The next entry is not admitted, and a search led to one so much further on.
  void step(unsigned entries) {
    left_out_ += entries;
    gaps_ = std::max(gaps_, 1u);
    size_ = left_out_ / gaps_ > kWide ? kLeast : std::min(most_, size_ * 2);
    left_out_ = gaps_ = 0;
  }

 private:
  static constexpr unsigned kWide = 48;

  int most_;
  int size_ = kLeast;
  unsigned left_out_ = 0;  // since the last search
  unsigned gaps_ = 0;
};

}  // namespace learned
