// What pages of an index have in all, and what a btree would take for as much: behind learned_index_stats(), which reads all of them, and
// the view learned_indexes, which reads some.
#pragma once

#include "am/store/buffer_store.hpp"
#include "am/key/key_columns.hpp"

namespace learned {

// What of a leaf's directory entry describes TIDs; the rest keys. Of one word, that is half of it.
inline constexpr std::size_t kTidShare = 28;
static_assert(sizeof(Segment) == 2 * kTidShare);
template <class K>
inline constexpr std::size_t kKeyShare = sizeof(BasicSegment<K>) - kTidShare;

// Of a segment's entries: how far, in entries, the model's guess is from the place.
struct ModelErrors {
  double most = 0;
  double sum = 0;
};
// REQUIRES: keys are those of the segment.
template <class K>
ModelErrors model_errors(const BasicSegmentRef<K>& ref, const K* keys);

struct PageTotals {
  int64 leaf_pages;
  int64 inner_pages;
  int64 null_pages;
  int64 deleted_pages;  // new ones included: both wait to be used
  int64 live;
  int64 nulls;
  int64 segments;
  int64 deltas;
  int64 dead;
  int64 killed;        // with a kill mark: dead to all, and not removed yet
  int64 encoded_keys;  // encoded entries of leaves of the key tree
  int64 encoded;       // and of both trees
  std::uint64_t key_bytes;
  std::uint64_t tid_bytes;
  double max_error;
  double error_sum;
};

// Entries of a copy of a leaf that have a kill mark.
template <class K>
unsigned killed_entries(const BasicPageView<K>& leaf);

// Adds a copy of a page. Damage that is met is an error.
template <class K>
void add_page(const std::uint8_t* page, Block block, BasicBufferStore<K>* store, const KeyColumns& columns,
              PageTotals* totals);

// What a btree index that was just built would take for so many entries of these columns, without NULLs. Without deduplication, which would help
// for keys that occur more than twice.
int64 btree_bytes(int64 entries, const KeyColumns& columns);

}  // namespace learned
