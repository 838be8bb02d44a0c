#include "am/count/index_counter.hpp"

#include "am/server/compat.hpp"
#include "core/code/key_steps.hpp"

namespace learned {

namespace {

// Complete groups that are worth to be given out.
constexpr uint32 kBatch = 1024;

}  // namespace

template <class K>
IndexCounter<K>::IndexCounter(const CountTask& task, const KeyColumns& columns, MemoryContext context)
    : heap_(task.heap),
      index_(task.index),
      group_words_(task.group_words),
      measured_(task.measured),
      columns_(columns),
      parts_(task.index, columns, context),
      store_(task.index),
      walk_(&store_),
      visibility_(task.heap, RelationNeedsWAL(task.index), context),
      groups_(columns_, measured_, context),
      suspects_(task.heap, measured_.count > 0, context) {}

template <class K>
void IndexCounter<K>::Sink::whole(const BasicSegmentRef<K>& ref, unsigned i, unsigned n, unsigned removed) {
  counter->work_.segments++;
  if (needs_keys()) {
    counter->groups_.add_segment(counter->group_, ref, i, n);
  } else {
    counter->groups_.add_rows(counter->group_, n - removed);
  }
}

template <class K>
void IndexCounter<K>::Sink::suspect(const K* key, Tid tid) {
  if (tid_block(tid) >= counter->heap_blocks_) {
    counter->heap_blocks_ = RelationGetNumberOfBlocks(counter->heap_);
    if (tid_block(tid) >= counter->heap_blocks_)
      counter->store_.corrupt(counter->walk_.leaf().block(), "entry points beyond the table");
  }
  counter->suspects_.add(tid, counter->group_, key);
}

// As in a scan, for each leaf and before its content lock goes: an insert that is not counted finds the predicate lock.
template <class K>
void IndexCounter<K>::OnLeaf::operator()(Buffer leaf) const {
  PredicateLockPage(counter->index_, BufferGetBlockNumber(leaf), counter->snapshot_);
  compat::test_for_old_snapshot(counter->snapshot_, counter->index_, leaf);
}

template <class K>
void IndexCounter<K>::release() {
  visibility_.release();
  suspects_.release();
  walk_.forget();
  next_ = Next::nowhere;
}

template <class K>
void IndexCounter<K>::begin(const ScanKeyData* keys, int nkeys, Snapshot snapshot, bool same_snapshot) {
  if (!same_snapshot) {
    visibility_.forget();
    live_ = 0;
  }
  snapshot_ = snapshot;
  parts_.read_keys(keys, nkeys);
  groups_.clear();
  complete_ = 0;
  rows_finished_ = false;
  group_ = 0;
  if (group_words_ == 0) {
    groups_.begin({TreeId::keys, K{}});
    group_end_ = KeyTraits<K>::highest();
  }
  next_ = parts_.count() == 0 ? Next::nowhere : Next::part;
  parts_.go_to(0);
}

// ---- the way

template <class K>
Buffer IndexCounter<K>::next_leaf() {
  const OnLeaf on_leaf{this};
  switch (next_) {
    case Next::part:
      pgstat_count_index_scan(index_);
      return walk_.enter(parts_.current(), true, on_leaf);
    case Next::leaf:
      return walk_.next(true, on_leaf);
    case Next::position:
      return walk_.take_over(parts_.current().tree, position_, kNoBlock, true, on_leaf);
    default:
      return InvalidBuffer;
  }
}

// From a leaf that is done, to what comes then. False: nothing does.
template <class K>
bool IndexCounter<K>::go_on() {
  const TreeRange part = parts_.current();
  if (walk_.leaf().goes_on(part, true)) {
    next_ = Next::leaf;
    if constexpr (KeyTraits<K>::kWords > 1) {
      const KeySet* filter = parts_.filter();
      if (filter == nullptr) return true;
      const Entry fence = walk_.leaf().fence(true);
      position_ = fence;
      if (!go_to_admitted(*filter, true, &position_) || part.last() < position_) {
        next_ = Next::nowhere;
        return false;
      }
      if (position_ != fence) {
        next_ = Next::position;
        pgstat_count_index_scan(index_);
      }
    }
    return true;
  }
  const int after = parts_.after(parts_.number(), true);
  next_ = after < 0 ? Next::nowhere : Next::part;
  if (after >= 0) parts_.go_to(after);
  return after >= 0;
}

template <class K>
bool IndexCounter<K>::next_batch() {
  if (group_words_ > 0) {
    // What was given out goes; the last group may go on.
    const bool open = complete_ < groups_.size();
    groups_.keep_last();
    if (!open) groups_.clear();
    group_ = 0;
  } else if (next_ == Next::nowhere && complete_ > 0) {
    return false;
  }
  while (next_ != Next::nowhere) {
    CHECK_FOR_INTERRUPTS();
    tally_leaf(next_leaf());
    go_on();
    if (suspects_.full()) visit_suspects();
    if (group_words_ > 0 && groups_.size() > kBatch) break;
  }
  visit_suspects();
  visibility_.release();
  complete_ = next_ == Next::nowhere ? groups_.size() : groups_.size() - 1;
  return groups_.size() > 0;
}

template <class K>
void IndexCounter<K>::visit_suspects() {
  work_.visited += suspects_.size();
  suspects_.visit(snapshot_, [this](uint32 group, const K* key) {
    if (key != nullptr) {
      groups_.add(group, *key);
    } else {
      groups_.add_rows(group, 1);
    }
  });
}

template <class K>
void IndexCounter<K>::add_row(const RowKey<K>& row) {
  if (group_words_ > 0) {
    const bool same =
        groups_.size() > 0 && row.tree == groups_.at(group_).key.tree &&
        key_prefix(row.key, group_words_) == key_prefix(groups_.at(group_).key.key, group_words_);
    if (!same) {
      groups_.begin(row);
      group_ = groups_.size() - 1;
    }
  }
  if (groups_.needs_keys() && row.tree != TreeId::nulls) {
    groups_.add(group_, row.key);
  } else {
    groups_.add_rows(group_, 1);
  }
}

template <class K>
void IndexCounter<K>::finish_rows() {
  complete_ = groups_.size();
  rows_finished_ = true;
}

// ---- a leaf

// The delta entries that belong to the visit, in their order.
template <class K>
unsigned IndexCounter<K>::sorted_deltas(const PageView& page) {
  const TreeRange part = parts_.current();
  const unsigned all = page.deltas();
  unsigned n = 0;
  for (unsigned j = 0; j < all; j++) {
    const Entry entry = PageView::delta_entry(page.delta_at(j));
    if (walk_.leaf().takes(part, entry)) delta_[n++] = entry;
  }
  std::sort(delta_, delta_ + n);
  return n;
}

// Tallies the leaf to which the walk has come, which is locked; unlocks it.
template <class K>
void IndexCounter<K>::tally_leaf(Buffer leaf) {
  for (;;) {
    const PageView page(buffer_bytes(leaf));
    BasicLeafRanks<K> ranks;
    if (!walk_.leaf().ranks(page, parts_.current(), &ranks)) damaged();
    deltas_ = sorted_deltas(page);
    if (visibility_.holds_for(leaf)) {
      tally(page, ranks, visibility_.copy_of_map());
      break;
    }
    const uint64 entries = ranks.end - ranks.begin + deltas_;
    if (visibility_.copied() || !visibility_.worth_copying(live_ + entries)) {
      live_ += entries;
      tally(page, ranks, LiveBlocks(&visibility_));
      break;
    }
    // The leaf is read anew after that, for it may have changed.
    const Entry fence = walk_.leaf().fence(false);
    const Block block = walk_.leaf().block();
    UnlockReleaseBuffer(leaf);
    visibility_.copy();
    work_.copies++;
    leaf = walk_.take_over(parts_.current().tree, fence, block, true, OnLeaf{this});
  }
  UnlockReleaseBuffer(leaf);
  work_.leaves++;
}

// The key of the first entry that is left.
template <class K>
bool IndexCounter<K>::first_of_rest(const PageView& page, unsigned rank, unsigned end, unsigned delta,
                                    K* key) const {
  if (rank < end) {
    Tid tid;
    if (!decode(page, rank, rank + 1, key, &tid)) return false;
    if (page.tree() == TreeId::nulls) *key = K{};
    if (delta < deltas_ && delta_[delta].code < *key) *key = delta_[delta].code;
  } else {
    *key = delta_[delta].code;
  }
  return true;
}

template <class K>
void IndexCounter<K>::open_group(TreeId tree, const K& key) {
  if (group_words_ == 0) return;
  if (groups_.size() > 0 && tree == group_tree_ && key <= group_end_) return;
  groups_.begin({tree, key});
  group_ = groups_.size() - 1;
  group_tree_ = tree;
  group_end_ = key_prefix_end(key, group_words_);
}

template <class K>
template <class Open>
void IndexCounter<K>::tally(const PageView& page, const BasicLeafRanks<K>& ranks, const Open& open) {
  Sink sink{this, groups_.needs_keys() && page.tree() != TreeId::nulls};
  LeafTally<K, Open, Sink> leaf(page, open, sink);
  const KeySet* filter = parts_.filter();
  const TreeId tree = page.tree();
  if (group_words_ == 0 && filter == nullptr) {
    if (!leaf.ranks(ranks.begin, ranks.end)) damaged();
    for (unsigned d = 0; d < deltas_; d++) leaf.entry(delta_[d].code, delta_[d].tid);
    return;
  }
  unsigned rank = ranks.begin;
  unsigned d = 0;
  while (rank < ranks.end || d < deltas_) {
    K key;
    if (!first_of_rest(page, rank, ranks.end, d, &key)) damaged();
    K last = KeyTraits<K>::highest();
    if constexpr (KeyTraits<K>::kWords > 1) {
      if (filter != nullptr) {
        KeyRange stretch;
        if (!filter->next(widen(key), &stretch)) return;
        const K lo = narrow<KeyTraits<K>::kWords>(stretch.lo);
        if (key < lo) {
          // Over the gap.
          unsigned at = ranks.end;
          if (rank < ranks.end && !lower_bound(page, {lo, 0}, &at)) damaged();
          rank = std::clamp(at, rank, ranks.end);
          while (d < deltas_ && delta_[d].code < lo) d++;
          continue;
        }
        last = narrow<KeyTraits<K>::kWords>(stretch.hi);
      }
    }
    open_group(tree, key);
    if (tree == TreeId::keys) last = std::min(last, group_end_);
    unsigned end = ranks.end;
    if (tree == TreeId::keys && rank < end && last < KeyTraits<K>::highest()) {
      if (!lower_bound(page, {KeyTraits<K>::after(last), 0}, &end)) damaged();
      end = std::clamp(end, rank, ranks.end);
    }
    if (!leaf.ranks(rank, end)) damaged();
    rank = end;
    for (; d < deltas_ && (tree == TreeId::nulls || delta_[d].code <= last); d++)
      leaf.entry(delta_[d].code, delta_[d].tid);
  }
}

#define LEARNED_INDEX_COUNTER(K) template class IndexCounter<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_INDEX_COUNTER)
#undef LEARNED_INDEX_COUNTER

}  // namespace learned
