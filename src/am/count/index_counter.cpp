#include "am/count/index_counter.hpp"

#include "core/code/key_steps.hpp"

namespace learned {

namespace {

// Complete groups that are worth to be given out.
constexpr uint32 kBatch = 1024;
// Groups of buckets may go on a little later, where clocks were set back: so many are kept open, however far their values are from one another.
constexpr uint32 kRepeating = 4;

}  // namespace

template <class K>
IndexCounter<K>::IndexCounter(const CountTask& task, const KeyColumns& columns, MemoryContext context)
    : task_(task),
      columns_(columns),
      leaves_(task.heap, task.index, columns, task.measured.count > 0, context),
      groups_(columns_, task_.measured, context) {}

template <class K>
void IndexCounter<K>::Sink::whole(const BasicSegmentRef<K>& ref, unsigned i, unsigned n, unsigned removed) {
  counter->leaves_.work().segments++;
  if (needs_keys()) {
    counter->groups_.add_segment(counter->group_, ref, i, n);
  } else {
    counter->groups_.add_rows(counter->group_, n - removed);
  }
}

template <class K>
void IndexCounter<K>::begin(const ScanKeyData* keys, int nkeys, Snapshot snapshot, bool same_snapshot) {
  leaves_.begin(keys, nkeys, snapshot, same_snapshot, true);
  groups_.clear();
  complete_ = carried_ = 0;
  rows_finished_ = false;
  fresh_ = true;
  group_ = 0;
  if (!grouped()) {
    groups_.begin({TreeId::keys, K{}});
    group_end_ = KeyTraits<K>::highest();
  }
  // (The words of a plain index ascend, whatever its order.)
  if (task_.bucket != nullptr) {
    const KeyColumn& column = columns_.column[task_.bucket_column];
    task_.bucket->start(column.type, column.descending && !columns_.plain());
  }
}

template <class K>
bool IndexCounter<K>::next_batch() {
  if (!grouped() && !leaves_.any_left() && complete_ > 0) return false;
  drop_complete();
  while (leaves_.any_left()) {
    CHECK_FOR_INTERRUPTS();
    leaves_.read(
        [this](const PageView& page, const BasicLeafRanks<K>& ranks, const auto& open) {
          deltas_ = sorted_deltas(page);
          return tally(page, ranks, open);
        },
        [this] { return prepare_rest(); });
    leaves_.go_on();
    if (leaves_.has_many_suspects()) visit_suspects();
    if (grouped() && batch_is_full()) break;
  }
  visit_suspects();
  leaves_.release_map();
  sort_groups();
  complete_ = leaves_.any_left() ? first_open_group() : groups_.size();
  return groups_.size() > 0;
}

// What was given out goes; the others may go on.
template <class K>
void IndexCounter<K>::drop_complete() {
  if (!grouped()) return;
  groups_.drop_before(complete_);
  group_ -= std::min(group_, complete_);
  complete_ = 0;
  carried_ = groups_.size();
}

// What lies before the rest is done.
template <class K>
typename IndexCounter<K>::Entry IndexCounter<K>::prepare_rest() {
  if (!rest_is_unknown_) {
    visit_suspects();
    return rest_;
  }
  rest_is_unknown_ = false;
  Code word = 0;
  bucket_word(leaves_.parts().current().tree, rest_.code, &word);
  task_.bucket->learn(word);
  return rest_;
}

template <class K>
void IndexCounter<K>::visit_suspects() {
  leaves_.visit_suspects([this](uint32 group, const K* key) {
    if (key != nullptr) {
      groups_.add(group, *key);
    } else {
      groups_.add_rows(group, 1);
    }
  });
}

template <class K>
bool IndexCounter<K>::add_row(const RowKey<K>& row) {
  if (task_.bucket != nullptr) {
    Code word = 0;
    const bool null = !bucket_word(row.tree, row.key, &word);
    bool isnull;
    const Datum value = task_.bucket->value(word, null, &isnull);
    open_bucket(row.tree, row.key, value, isnull);
  } else if (task_.group_words > 0) {
    const bool same = groups_.size() > 0 && row.tree == groups_.at(group_).key.tree &&
                      same_words(groups_.at(group_).key.key, row.key);
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
  if (!grouped() || !batch_is_full()) return true;
  sort_groups();
  complete_ = first_open_group();
  return false;
}

template <class K>
void IndexCounter<K>::finish_rows() {
  sort_groups();
  complete_ = groups_.size();
  rows_finished_ = true;
}

// ---- a leaf

// The delta entries that belong to the visit, in their order.
template <class K>
unsigned IndexCounter<K>::sorted_deltas(const PageView& page) {
  const auto part = leaves_.parts().current();
  const unsigned all = page.deltas();
  unsigned n = 0;
  for (unsigned j = 0; j < all; j++) {
    const Entry entry = PageView::delta_entry(page.delta_at(j));
    if (leaves_.leaf().takes(part, entry)) delta_[n++] = entry;
  }
  std::sort(delta_, delta_ + n);
  return n;
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

// What is left begins with the entry of the rank.
template <class K>
void IndexCounter<K>::rest_from(const PageView& page, unsigned rank) {
  if (!decode(page, rank, rank + 1, &rest_.code, &rest_.tid)) leaves_.damaged();
  if (page.tree() == TreeId::nulls) rest_.code = K{};
}

// ---- groups

// The word that the bucket is of. False: it is NULL.
template <class K>
bool IndexCounter<K>::bucket_word([[maybe_unused]] TreeId tree, const K& key, Code* word) const {
  if constexpr (KeyTraits<K>::kWords == 1) {
    *word = key;
    return tree != TreeId::nulls;
  } else {
    const KeyColumn& column = columns_.column[task_.bucket_column];
    *word = key.word[column.place.first];
    return key.flag(column.place.first) != (column.null_flag() != 0);
  }
}

template <class K>
NullableDatum IndexCounter<K>::bucket_of(uint32 g) const {
  const CountedGroup<K>& group = groups_.at(g);
  if (!group.bucket_fails) return {group.bucket, group.bucket_null};
  Code word = 0;
  bucket_word(group.key.tree, group.key.key, &word);
  NullableDatum value;
  value.value = task_.bucket->value(word, false, &value.isnull);
  return value;
}

// How far a group of the same run is behind the last of its values. (Unsigned: one of them may be infinite.)
template <class K>
uint64 IndexCounter<K>::behind_most(const CountedGroup<K>& group) const {
  return static_cast<uint64>(most_) - static_cast<uint64>(task_.bucket->number_of(group.bucket));
}

template <class K>
bool IndexCounter<K>::batch_is_full() const {
  return groups_.size() > carried_ + kBatch;
}

template <class K>
uint32 IndexCounter<K>::first_open_group() const {
  const uint32 open = std::min(groups_.size(), task_.bucket != nullptr ? kRepeating : 1);
  uint32 g = groups_.size() - open;
  if (task_.bucket == nullptr || !task_.bucket->repeats() || groups_.size() == 0) return g;
  const CountedGroup<K>& last = groups_.at(groups_.size() - 1);
  while (g > 0 && same_run(g - 1, last.key.tree, last.key.key) &&
         behind_most(groups_.at(g - 1)) <= task_.bucket->reach_back())
    g--;
  return g;
}

// Puts those of buckets that came late where their values belong. (Suspects go by the numbers of groups: there are none.)
template <class K>
void IndexCounter<K>::sort_groups() {
  if (task_.bucket == nullptr || !task_.bucket->repeats()) return;
  for (uint32 g = 1; g < groups_.size(); g++) {
    const CountedGroup<K>& group = groups_.at(g);
    if (group.bucket_null) continue;
    const int64 number = task_.bucket->number_of(group.bucket);
    uint32 to = g;
    while (to > 0 && same_run(to - 1, group.key.tree, group.key.key) &&
           task_.bucket->number_of(groups_.at(to - 1).bucket) > number)
      to--;
    if (to == g) continue;
    groups_.move(g, to);
    if (group_ == g) {
      group_ = to;
    } else if (group_ >= to && group_ < g) {
      group_++;
    }
  }
}

// Whether there is a group of the value among those that may go on, which becomes the current one.
template <class K>
bool IndexCounter<K>::is_repeated(TreeId tree, const K& key, Datum value, int64 number) {
  if (groups_.size() == 0 || !same_run(groups_.size() - 1, tree, key) || number > most_) {
    most_ = number;
    return false;
  }
  for (uint32 g = groups_.size(); g > 0 && same_run(g - 1, tree, key); g--) {
    const CountedGroup<K>& group = groups_.at(g - 1);
    if (group.bucket == value) {
      group_ = g - 1;
      return true;
    }
    if (behind_most(group) > task_.bucket->reach_back() && groups_.size() - g >= kRepeating) break;
  }
  return false;
}

template <class K>
void IndexCounter<K>::open_bucket(TreeId tree, const K& key, Datum value, bool isnull) {
  if (task_.bucket->repeats() && !isnull) {
    if (is_repeated(tree, key, value, task_.bucket->number_of(value))) return;
  } else {
    for (uint32 g = groups_.size(); g > 0 && groups_.size() - g < kRepeating; g--) {
      const CountedGroup<K>& group = groups_.at(g - 1);
      if (group.key.tree == tree && group.bucket_null == isnull && !group.bucket_fails &&
          (isnull || group.bucket == value) && same_words(group.key.key, key)) {
        group_ = g - 1;
        return;
      }
    }
  }
  groups_.begin({tree, key}, value, isnull);
  group_ = groups_.size() - 1;
}

// The group of a key becomes the current one. False: its bucket is not known.
template <class K>
bool IndexCounter<K>::open_group(TreeId tree, const K& key) {
  if (!grouped() || (!fresh_ && tree == group_tree_ && key <= group_end_)) return true;
  if (task_.bucket != nullptr) {
    Code word;
    K end = key;
    if (!bucket_word(tree, key, &word)) {
      open_bucket(tree, key, Datum{0}, true);
    } else {
      const BucketStretch* stretch = task_.bucket->find(word);
      if (stretch == nullptr) {
        rest_ = {key, 0};
        rest_is_unknown_ = true;
        return false;
      }
      if (stretch->fails) {
        groups_.begin({tree, key}, Datum{0}, true, true);
        group_ = groups_.size() - 1;
      } else {
        open_bucket(tree, key, stretch->value, stretch->isnull);
      }
      if constexpr (KeyTraits<K>::kWords == 1) {
        end = stretch->last;
      } else {
        end.word[columns_.column[task_.bucket_column].place.first] = stretch->last;
      }
    }
    group_end_ = key_prefix_end(end, task_.group_words + 1);
  } else {
    groups_.begin({tree, key});
    group_ = groups_.size() - 1;
    group_end_ = key_prefix_end(key, task_.group_words);
  }
  group_tree_ = tree;
  fresh_ = false;
  return true;
}

template <class K>
template <class Open>
bool IndexCounter<K>::tally(const PageView& page, const BasicLeafRanks<K>& ranks, const Open& open) {
  Sink sink{this, groups_.needs_keys() && page.tree() != TreeId::nulls};
  LeafTally<K, Open, Sink> leaf(page, open, sink);
  const KeySet* filter = leaves_.parts().filter();
  const TreeId tree = page.tree();
  if (!grouped() && filter == nullptr) {
    if (!leaf.ranks(ranks.begin, ranks.end)) leaves_.damaged();
    const bool stopped = leaf.done() < ranks.end;
    if (stopped) rest_from(page, leaf.done());
    for (unsigned d = 0; d < deltas_ && !(stopped && rest_ <= delta_[d]); d++)
      leaf.entry(delta_[d].code, delta_[d].tid);
    return !stopped;
  }
  unsigned rank = ranks.begin;
  unsigned d = 0;
  while (rank < ranks.end || d < deltas_) {
    K key;
    if (!first_of_rest(page, rank, ranks.end, d, &key)) leaves_.damaged();
    K last = KeyTraits<K>::highest();
    if constexpr (KeyTraits<K>::kWords > 1) {
      if (filter != nullptr) {
        KeyRange stretch;
        if (!filter->next(widen(key), &stretch)) return true;
        const K lo = narrow<KeyTraits<K>::kWords>(stretch.lo);
        if (key < lo) {
          // Over the gap.
          unsigned at = ranks.end;
          if (rank < ranks.end && !lower_bound(page, {lo, 0}, &at)) leaves_.damaged();
          rank = std::clamp(at, rank, ranks.end);
          while (d < deltas_ && delta_[d].code < lo) d++;
          continue;
        }
        last = narrow<KeyTraits<K>::kWords>(stretch.hi);
      }
    }
    if (!open_group(tree, key)) return false;
    if (tree == TreeId::keys) last = std::min(last, group_end_);
    unsigned end = ranks.end;
    if (tree == TreeId::keys && rank < end && last < KeyTraits<K>::highest()) {
      if (!lower_bound(page, {KeyTraits<K>::after(last), 0}, &end)) leaves_.damaged();
      end = std::clamp(end, rank, ranks.end);
    }
    if (!leaf.ranks(rank, end)) leaves_.damaged();
    if (leaf.done() < end) {
      rest_from(page, leaf.done());
      for (; d < deltas_ && delta_[d] < rest_; d++) leaf.entry(delta_[d].code, delta_[d].tid);
      return false;
    }
    rank = end;
    for (; d < deltas_ && (tree == TreeId::nulls || delta_[d].code <= last); d++)
      leaf.entry(delta_[d].code, delta_[d].tid);
  }
  return true;
}

#define LEARNED_INDEX_COUNTER(K) template class IndexCounter<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_INDEX_COUNTER)
#undef LEARNED_INDEX_COUNTER

}  // namespace learned
