// Kill marks on their way from a page to what it becomes.
#pragma once

#include <algorithm>

#include "core/page/kill_marks.hpp"
#include "core/plan/workspace.hpp"

namespace learned {

// Kill marks of a page whose entries are being merged.
template <class K>
class KillCarrier {
 public:
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  using Workspace = BasicWorkspace<K>;

  // REQUIRES: ws->delta has the page's delta entries, sorted, or none of them is wanted.
  KillCarrier(const BasicPageView<K>& page, Workspace* ws) : ws_(ws) {
    // Only leaves have marks; a compact copy has none.
    if (page.level() > 0 || page.low_part() != page.high_part()) return;
    marks_ = KillMarks(page);
    if (!marks_.any()) return;
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (!marks_.delta_killed(j)) continue;
      const Entry entry = page.delta_item(j).entry();
      const Item* end = ws->delta + page.deltas();
      const Item* found = std::lower_bound(static_cast<const Item*>(ws->delta), end, entry,
                                           [](const Item& a, const Entry& e) { return a.entry() < e; });
      if (found != end && found->entry() == entry)
        set_bit(delta_, static_cast<std::size_t>(found - ws->delta));
    }
  }
  Workspace* workspace() { return ws_; }
  // This page is the first, or the only one, whose marks are to be carried.
  void begin_plan() {
    ws_->killed = marks_.any();
    if (ws_->killed) std::memset(ws_->killed_map, 0, sizeof ws_->killed_map);
  }
  bool any() const { return marks_.any(); }
  bool killed(unsigned rank) const { return marks_.killed(rank); }
  bool delta_killed(unsigned sorted) const { return test_bit(delta_, sorted); }
  void mark(std::size_t planned) { set_bit(ws_->killed_map, planned); }
  // Entries [begin, end) keep their order and begin at rank `planned`.
  void keep(unsigned begin, unsigned end, std::size_t planned) {
    if (!marks_.any()) return;
    for (unsigned r = marks_.next(begin, end, true); r < end; r = marks_.next(r, end, true)) {
      const unsigned stop = marks_.next(r, end, false);
      set_bits(ws_->killed_map, planned + (r - begin), planned + (stop - begin));
      r = stop;
    }
  }

 private:
  Workspace* ws_;
  KillMarks marks_;
  std::uint8_t delta_[(kMaxDelta + 7) / 8] = {};
};

}  // namespace learned
