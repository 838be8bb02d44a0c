#include "am/count/counted_leaves.hpp"

#include "am/server/compat.hpp"
#include "core/code/key_steps.hpp"

namespace learned {

void CountWork::add(const CountWork& other) {
  leaves += other.leaves;
  segments += other.segments;
  decoded += other.decoded;
  visited += other.visited;
}

void CountWork::explain(ExplainState* es) const {
  ExplainPropertyUInteger("Leaf Pages", nullptr, leaves, es);
  ExplainPropertyUInteger("Segments Counted", nullptr, segments, es);
  ExplainPropertyUInteger("Entries Decoded", nullptr, decoded, es);
  ExplainPropertyUInteger("Heap Fetches", nullptr, visited, es);
}

template <class K>
CountedLeaves<K>::CountedLeaves(Relation heap, Relation index, const KeyColumns& columns, bool with_keys,
                                MemoryContext context)
    : heap_(heap),
      index_(index),
      parts_(index, columns, context),
      store_(index),
      walk_(&store_),
      visibility_(heap, RelationNeedsWAL(index), context),
      suspects_(heap, with_keys, context) {}

template <class K>
void CountedLeaves<K>::begin(const ScanKeyData* keys, int nkeys, Snapshot snapshot, bool same_snapshot,
                             bool forward) {
  if (!same_snapshot) {
    visibility_.forget();
    live_ = 0;
  }
  snapshot_ = snapshot;
  forward_ = forward;
  parts_.read_keys(keys, nkeys);
  next_ = parts_.count() == 0 ? Next::nowhere : Next::part;
  parts_.go_to(parts_.first(forward));
}

template <class K>
bool CountedLeaves<K>::may_count(double rows) {
  constexpr double kFewRows = 1000.0;
  if (!IsMVCCSnapshot(snapshot_) || parts_.recheck()) return false;
  if (IsolationIsSerializable() && rows < kFewRows) return false;
  PredicateLockRelation(heap_, snapshot_);
  return true;
}

template <class K>
void CountedLeaves<K>::stop() {
  visibility_.release();
  suspects_.clear();
  walk_.forget();
  next_ = Next::nowhere;
}

template <class K>
void CountedLeaves<K>::release() {
  stop();
  suspects_.release();
}

// ---- the way

template <class K>
Buffer CountedLeaves<K>::next_leaf() {
  const TreeId tree = parts_.current().tree;
  switch (next_) {
    case Next::leaf:
      return walk_.next(forward_, read_leaf());
    case Next::again:
      return walk_.take_over(tree, position_, walk_.leaf().block(), forward_, read_leaf());
    case Next::position:
      pgstat_count_index_scan(index_);
      return walk_.take_over(tree, position_, kNoBlock, forward_, read_leaf());
    default:
      pgstat_count_index_scan(index_);
      return walk_.enter(parts_.current(), forward_, read_leaf());
  }
}

// Whoever has gone from one leaf to the next may go on. Builds lay leaves out one behind the other; what one waits for is memory.
template <class K>
void CountedLeaves<K>::expect_next() {
  constexpr Block kAhead = 3;
  if (next_ != Next::leaf || !leaf().goes_on(parts_.current(), forward_)) return;
  const Block link = leaf().link(forward_);
  if (link == kNoBlock) return;
  if (forward_) {
    store_.expect(link + kAhead);
  } else if (link > kAhead) {
    store_.expect(link - kAhead);
  }
}

template <class K>
typename CountedLeaves<K>::Entry CountedLeaves<K>::began() const {
  if (forward_) return leaf().fence(false);
  // (The last leaf has no end that could be named.)
  const Entry last = parts_.current().last();
  return leaf().covers(parts_.current().tree, last) ? Entry{last.code, last.tid + 1} : leaf().fence(true);
}

template <class K>
void CountedLeaves<K>::return_to(const Entry& position) {
  position_ = position;
  next_ = Next::again;
}

template <class K>
void CountedLeaves<K>::go_on() {
  const auto part = parts_.current();
  if (!leaf().goes_on(part, forward_)) {
    const int after = parts_.after(parts_.number(), forward_);
    next_ = after < 0 ? Next::nowhere : Next::part;
    if (after >= 0) parts_.go_to(after);
    return;
  }
  next_ = Next::leaf;
  if constexpr (KeyTraits<K>::kWords > 1) {
    const KeySet* filter = parts_.filter();
    if (filter == nullptr) return;
    const Entry fence = leaf().fence(forward_);
    position_ = fence;
    if (!go_to_admitted(*filter, forward_, &position_) ||
        (forward_ ? part.last() < position_ : position_ <= part.first())) {
      next_ = Next::nowhere;
    } else if (position_ != fence) {
      next_ = Next::position;
    }
  }
}

// ---- what is found

template <class K>
bool CountedLeaves<K>::suspect(Tid tid, uint32 tag, const K* key) {
  if (!limit_.admits(heap_, tid)) corrupt("entry points beyond the table");
  const auto seen = visited_ == nullptr ? VisitedRows::Seen::unknown : visited_->seen(tid);
  if (seen == VisitedRows::Seen::unknown) suspects_.add(tid, tag, key);
  return seen == VisitedRows::Seen::yes;
}

#define LEARNED_COUNTED_LEAVES(K) template class CountedLeaves<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_COUNTED_LEAVES)
#undef LEARNED_COUNTED_LEAVES

}  // namespace learned
