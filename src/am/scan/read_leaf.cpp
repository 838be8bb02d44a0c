#include "am/scan/read_leaf.hpp"

#include "am/server/page_access.hpp"
#include "core/code/stretches.hpp"

namespace learned {
namespace {

// A transaction has no more locks on stretches than this: each is a lock of its own, where many look-ups of one leaf share the leaf's, and
// when there are too many of an index the server locks all of it (max_pred_locks_per_relation, by default half of 64).
constexpr int kMostLocks = 12;

// How many this transaction may have yet; which transaction is told by when it began.
int* locks_left() {
  static TimestampTz transaction = 0;
  static int left = 0;
  if (transaction != GetCurrentTransactionStartTimestamp()) {
    transaction = GetCurrentTransactionStartTimestamp();
    left = kMostLocks;
  }
  return &left;
}

}  // namespace

bool ReadLeaf::lock_stretches(Buffer leaf) const {
  const PageView page(buffer_bytes(leaf));
  // Where it goes on beyond the leaf, others are read, too, and leaves are what it is about.
  if (only->tree != TreeId::keys || !page.covers(only->first()) || !page.covers(only->last())) return false;
  // Nor is a stretch less than the leaf where the range is most of it.
  const Code span = (page.rightmost() ? kMaxCode : page.high().code) - page.low().code;
  if (only->hi - only->lo > span / 16) return false;
  int* left = locks_left();
  if (*left < static_cast<int>(kMostStretches)) return false;
  each_stretch(only->lo, only->hi, [&](const Stretch& stretch) {
    PredicateLockPage(index, block_of(stretch), snapshot);
    (*left)--;
  });
  return true;
}

}  // namespace learned
