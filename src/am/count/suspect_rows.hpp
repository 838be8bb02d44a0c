// Entries whose rows must be visited to know whether a snapshot sees them, in the order of the table's blocks.
#pragma once

#include "am/count/visited_rows.hpp"
#include "am/server/row_visits.hpp"
#include "core/base/key.hpp"
#include "core/sort/radix_sort.hpp"

namespace learned {

template <class K>
class SuspectRows {
 public:
  SuspectRows(Relation heap, bool with_keys, MemoryContext context);

  // `key` may be null: then so it is when its row is seen. REQUIRES: with_keys, if it is not.
  void add(Tid tid, uint32 group, const K* key) {
    if (size_ == capacity_) grow();
    sorted_ = size_ == 0 || (sorted_ && rows_[size_ - 1].code <= tid);
    rows_[size_] = {tid, size_};
    groups_[size_] = {group, key != nullptr};
    if (key != nullptr) keys_[size_] = *key;
    size_++;
  }
  uint32 size() const { return size_; }
  void clear() { size_ = 0; }
  // So many that they should be visited now. Many are gathered for blocks to be visited once; where they come in the order
  // of the blocks nothing is gained by that, and new memory costs more than the visits.
  bool full() const { return size_ >= (sorted_ ? kInOrder : limit_); }

  // Visits all of them; seen(group, key) is called for each row that the snapshot sees. None is left. `visited` (which may be null) remembers them.
  template <class Seen>
  void visit(Snapshot snapshot, VisitedRows* visited, Seen seen) {
    if (size_ == 0) return;
    sort();
    if (visited != nullptr) {
      for (uint32 i = 0; i < size_; i++) visited->note_visited(rows_[i].code);
    }
    const uint32 seen_rows = visits_.keep_visible({rows_, size_}, snapshot);
    visits_.rest();
    if (visited != nullptr) {
      for (uint32 i = 0; i < seen_rows; i++) visited->note_seen(rows_[i].code);
    }
    for (uint32 i = 0; i < seen_rows; i++) {
      const auto at = static_cast<uint32>(rows_[i].tid);
      seen(groups_[at].number, groups_[at].has_key ? &keys_[at] : nullptr);
    }
    size_ = 0;
  }
  // Lets go of the table, and of the memory.
  void release();

 private:
  static constexpr uint32 kInOrder = 2048;

  struct Group {
    uint32 number;
    bool has_key;
  };

  void grow();
  void sort();

  RowVisits visits_;
  bool with_keys_;
  MemoryContext context_;
  uint32 limit_;
  uint32 size_ = 0;
  uint32 capacity_ = 0;
  bool sorted_ = true;
  Entry* rows_ = nullptr;  // TID, number: a key and a TID to the sort
  Group* groups_ = nullptr;
  K* keys_ = nullptr;
};

}  // namespace learned
