// Counts the entries of an index that scan keys admit and a snapshot sees, by groups.
//
//   begin(keys)           takes over the conditions
//   next_batch()          counts on until some groups are complete; false: there were none left
//   groups()              those, in the physical order of the index; by a bucket, in that of its values
//
// Which of the pages are read and how they may be believed: src/README.md, "Counting".
#pragma once

#include "am/count/bucket.hpp"
#include "am/count/counted_leaves.hpp"
#include "am/count/measures.hpp"

namespace learned {

// What is counted, of which tables.
struct CountTask {
  Relation heap;
  Relation index;
  unsigned group_words;  // that are the same in a group, in front
  Bucket* bucket;        // groups are by this, too; nullptr: they are not
  unsigned bucket_column;
  MeasuredColumns measured;
};

template <class K>
class IndexCounter {
 public:
  IndexCounter(const CountTask& task, const KeyColumns& columns, MemoryContext context);

  // The keys must stay. `same_snapshot`: as at the last begin().
  void begin(const ScanKeyData* keys, int nkeys, Snapshot snapshot, bool same_snapshot);
  // Whether `rows` rows, about, may be counted: see CountedLeaves. REQUIRES: begin()
  bool may_count(double rows) { return leaves_.may_count(rows); }
  // REQUIRES: may_count(). Groups without a row that is seen are among them.
  bool next_batch();
  const CountedGroups<K>& groups() const { return groups_; }
  // The value of a group's bucket, or its error. REQUIRES: the group has rows; no page is locked.
  NullableDatum bucket_of(uint32 g) const;
  // How many of the groups are complete.
  uint32 complete() const { return complete_; }
  const KeyColumns& columns() const { return columns_; }
  const CountWork& work() const { return leaves_.work(); }
  // As CountedLeaves.
  void remember(VisitedRows* visited) { leaves_.remember(visited); }
  // Ends what begin() began; it may be called again.
  void stop() { leaves_.stop(); }
  // The same, and lets go of the table and of most of the memory.
  void release() { leaves_.release(); }

  // Instead of next_batch(): rows that were found otherwise, in the physical order of the index or the reverse, until add_row() says no, for enough groups
  // are complete to be given out, or there are no more.
  void begin_rows() { drop_complete(); }
  bool add_row(const RowKey<K>& row);
  void finish_rows();
  bool rows_finished() const { return rows_finished_; }

 private:
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;

  // What is tallied goes to the current group.
  struct Sink {
    IndexCounter* counter;
    bool keys;  // NULLs have no values

    bool needs_keys() const { return keys; }
    void whole(const BasicSegmentRef<K>& ref, unsigned i, unsigned n, unsigned removed);
    void clear(const K* key) { counter->groups_.add(counter->group_, *key); }
    void clear(unsigned n) { counter->groups_.add_rows(counter->group_, n); }
    void suspect(const K* key, Tid tid) {
      if (!counter->leaves_.suspect(tid, counter->group_, key)) return;
      if (key != nullptr) {
        clear(key);
      } else {
        clear(1u);
      }
    }
    void passed_over(unsigned n) { counter->leaves_.work().segments += n; }
    void decoded(unsigned n) { counter->leaves_.work().decoded += n; }
    bool full() const { return counter->leaves_.has_many_suspects(); }
  };

  // A leaf that is locked: what is known the groups of. False: from rest_ on there is more, behind many suspects or of a
  // bucket that is not known.
  template <class Open>
  bool tally(const PageView& page, const BasicLeafRanks<K>& ranks, const Open& open);
  Entry prepare_rest();
  bool grouped() const { return task_.group_words > 0 || task_.bucket != nullptr; }
  bool open_group(TreeId tree, const K& key);
  // Whether two keys have the same words in front, as many as groups do.
  bool same_words(const K& a, const K& b) const { return same_prefix(a, b, task_.group_words); }
  void open_bucket(TreeId tree, const K& key, Datum value, bool isnull);
  bool bucket_word(TreeId tree, const K& key, Code* word) const;
  bool is_repeated(TreeId tree, const K& key, Datum value, int64 number);
  bool same_run(uint32 g, TreeId tree, const K& key) const {
    const CountedGroup<K>& group = groups_.at(g);
    return group.key.tree == tree && !group.bucket_null && same_words(group.key.key, key);
  }
  void sort_groups();
  uint32 first_open_group() const;
  // Groups that were not complete at the end of the last batch, beside which there are as many as are worth a batch.
  uint64 behind_most(const CountedGroup<K>& group) const;
  bool batch_is_full() const;
  void drop_complete();
  unsigned sorted_deltas(const PageView& page);
  bool first_of_rest(const PageView& page, unsigned rank, unsigned end, unsigned delta, K* key) const;
  void rest_from(const PageView& page, unsigned rank);
  void visit_suspects();

  CountTask task_;
  KeyColumns columns_;
  CountedLeaves<K> leaves_;
  CountedGroups<K> groups_;

  uint32 group_ = 0;
  uint32 complete_ = 0;
  uint32 carried_ = 0;  // of the last batch
  int64 most_ = 0;      // the greatest number of a bucket among those with the same words as the last group
  bool rows_finished_ = false;
  bool fresh_ = true;  // there is no current group
  TreeId group_tree_ = TreeId::keys;
  K group_end_{};  // the last key of the current group
  Entry rest_{};
  bool rest_is_unknown_ = false;  // the bucket of its key

  unsigned deltas_ = 0;
  Entry delta_[kMaxDelta];
};

}  // namespace learned
