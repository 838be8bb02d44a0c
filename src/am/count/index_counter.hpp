// Counts the entries of an index that scan keys admit and a snapshot sees, by groups.
//
//   begin(keys)           takes over the conditions
//   next_batch()          counts on until some groups are complete; false: there were none left
//   groups()              those, in the physical order of the index
//
// Which of the pages are read and how they may be believed: src/README.md, "Counting".
#pragma once

#include "am/count/bucket.hpp"
#include "am/count/heap_visibility.hpp"
#include "am/count/measures.hpp"
#include "am/count/suspect_rows.hpp"
#include "am/scan/read_leaf.hpp"
#include "am/scan/scan_parts.hpp"
#include "am/store/buffer_store.hpp"

namespace learned {

// What EXPLAIN tells.
struct CountWork {
  uint64 leaves = 0;
  uint64 segments = 0;  // or parts of some, counted whole
  uint64 decoded = 0;   // entries
  uint64 visited = 0;   // rows of the table
};

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
  // Whether conditions are of a kind that only a recheck of each row decides: not to be counted here.
  bool recheck() const { return parts_.recheck(); }
  // REQUIRES: begin(). Groups without a row that is seen are among them.
  bool next_batch();
  const CountedGroups<K>& groups() const { return groups_; }
  // How many of the groups are complete.
  uint32 complete() const { return complete_; }
  const KeyColumns& columns() const { return columns_; }
  const CountWork& work() const { return work_; }
  // Ends what begin() began; it may be called again.
  void stop();
  // The same, and lets go of the table and of most of the memory.
  void release();

  // Instead of next_batch(): rows that were found otherwise, in the physical order of the index or the reverse, until add_row() says no, for enough groups
  // are complete to be given out, or there are no more.
  void begin_rows() { drop_complete(); }
  bool add_row(const RowKey<K>& row);
  void finish_rows();
  bool rows_finished() const { return rows_finished_; }

 private:
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;
  using TreeRange = BasicTreeRange<K>;
  using Store = BasicBufferStore<K>;

  // What is tallied goes to the current group.
  struct Sink {
    IndexCounter* counter;
    bool keys;  // NULLs have no values

    bool needs_keys() const { return keys; }
    void whole(const BasicSegmentRef<K>& ref, unsigned i, unsigned n, unsigned removed);
    void clear(const K* key) { counter->groups_.add(counter->group_, *key); }
    void clear(unsigned n) { counter->groups_.add_rows(counter->group_, n); }
    void suspect(const K* key, Tid tid);
    void passed_over(unsigned n) { counter->work_.segments += n; }
    void decoded(unsigned n) { counter->work_.decoded += n; }
  };

  ReadLeaf read_leaf() const { return {task_.index, snapshot_}; }
  // Goes to the next leaf that may have entries, locked. REQUIRES: there is one.
  Buffer next_leaf();
  void go_on();
  void tally_leaf(Buffer leaf);
  // False: it came to a key whose bucket is not known, unknown_.
  template <class Open>
  bool tally(const PageView& page, const BasicLeafRanks<K>& ranks, const Open& open);
  enum class Needs : std::uint8_t { nothing, map, bucket };
  Needs tally_leaf_once(Buffer leaf, bool may_copy);
  bool grouped() const { return task_.group_words > 0 || task_.bucket != nullptr; }
  bool open_group(TreeId tree, const K& key);
  // Whether two keys have the same words in front, as many as groups do.
  bool same_words(const K& a, const K& b) const { return same_prefix(a, b, task_.group_words); }
  void open_bucket(TreeId tree, const K& key, Datum value, bool isnull);
  bool bucket_word(TreeId tree, const K& key, Code* word) const;
  uint32 first_open_group() const;
  void drop_complete();
  unsigned sorted_deltas(const PageView& page);
  bool first_of_rest(const PageView& page, unsigned rank, unsigned end, unsigned delta, K* key) const;
  void visit_suspects();
  [[noreturn]] void damaged() { store_.corrupt(walk_.leaf().block(), "page does not decode"); }

  CountTask task_;
  KeyColumns columns_;
  BasicScanParts<K> parts_;
  Store store_;
  LeafWalk<Store> walk_;
  HeapVisibility visibility_;
  CountedGroups<K> groups_;
  SuspectRows<K> suspects_;
  CountWork work_;

  Snapshot snapshot_ = nullptr;
  BlockNumber heap_blocks_ = 0;
  // Where the walk goes on.
  enum class Next : std::uint8_t { part, leaf, position, nowhere } next_ = Next::nowhere;
  Entry position_{};
  uint64 live_ = 0;  // entries that were tallied by the live map since it was copied
  uint32 group_ = 0;
  uint32 complete_ = 0;
  bool rows_finished_ = false;
  bool fresh_ = true;  // there is no current group
  TreeId group_tree_ = TreeId::keys;
  K group_end_{};  // the last key of the current group
  K unknown_{};

  unsigned deltas_ = 0;
  Entry delta_[kMaxDelta];
};

}  // namespace learned
