#include "core/tree/walk.hpp"

#include <algorithm>

namespace learned {

template <class K>
void BasicLeafVisit<K>::clip(const Entry& fence, bool forward) {
  if (forward && low_ != fence) {
    low_ = fence;
    left_ = kNoBlock;
    clipped_ = true;
  } else if (!forward && (rightmost_ || high_ != fence)) {
    high_ = fence;
    right_ = kNoBlock;
    rightmost_ = false;
    clipped_ = true;
  }
}

template <class K>
bool BasicLeafVisit<K>::ranks_between(const PageView& page, const TreeRange& range, LeafRanks* out) const {
  unsigned begin = 0;
  unsigned end = page.encoded();
  bool sound = true;
  out->segment.count = 0;
  if (range.tree == TreeId::keys) {
    if (range.lo == range.hi) {
      sound = equal_range(page, range.lo, &begin, &end, &out->segment);
    } else {
      if (range.first() > page.low()) sound = lower_bound(page, range.first(), &begin);
      if (range.hi != KeyTraits<K>::highest()) {
        const Entry behind{KeyTraits<K>::after(range.hi), 0};
        if (page.covers(behind)) sound = sound && lower_bound(page, behind, &end);
      }
    }
  }
  if (clipped_ && sound && !(covers(range.tree, range.first()) && covers(range.tree, range.last()))) {
    unsigned from = 0;
    unsigned to = page.encoded();
    sound = lower_bound(page, low_, &from) && (rightmost_ || lower_bound(page, high_, &to));
    begin = std::max(begin, from);
    end = std::max(begin, std::min(end, to));
    out->segment.count = 0;
  }
  out->begin = begin;
  out->end = end;
  return sound && begin <= end && end <= page.encoded();
}

#define LEARNED_INSTANTIATE(K) template class BasicLeafVisit<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
