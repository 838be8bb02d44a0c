// Unique indexes: the check that goes with an insertion, and the one of a build.
#pragma once

#include "am/key/key_columns.hpp"
#include "am/server/server.hpp"

namespace learned {

// What aminsert was given.
struct UniqueInsertion {
  Relation index;
  Relation heap;
  Datum* values;
  bool* isnull;
  ItemPointer heap_tid;
  IndexUniqueCheck check;
};

// Inserts into a unique index (UNIQUE_CHECK_EXISTING: only checks). Waits for other transactions, raises
// ERRCODE_UNIQUE_VIOLATION. False: the key is possibly not unique (UNIQUE_CHECK_PARTIAL), check again later.
// REQUIRES: no key column is NULL, or NULLs are not distinct; check is not UNIQUE_CHECK_NO.
template <class K>
bool insert_unique(const KeyColumns& columns, const UniqueInsertion& insertion);

// A build must refuse two live rows with one key, but also take in rows that are dead to everybody but old
// snapshots, with whatever keys. So while the entries of a unique index are sorted, each carries in its TID
// whether its row is alive; the order of entries stays the same, as no two have the same TID.
constexpr Tid tagged(Tid tid, bool alive) { return tid << 1 | (alive ? 1 : 0); }

template <class K>
class UniqueBuild {
 public:
  // A key with a NULL among its columns is checked only if NULLs are not distinct.
  UniqueBuild(Relation heap, Relation index, bool nulls_equal)
      : heap_(heap), index_(index), nulls_equal_(nulls_equal), columns_(key_columns_of(index)) {}

  void begin(TreeId tree) {
    tree_ = tree;
    live_ = false;
  }

  // Takes the entries of a tree in their order and gives back their TIDs. Raises ERRCODE_UNIQUE_VIOLATION.
  Tid admit(const BasicEntry<K>& entry) {
    const RowKey<K> row{tree_, entry.code};
    if ((entry.tid & 1) != 0 && (nulls_equal_ || !has_null_key(columns_, row))) {
      if (live_ && entry.code <= last_equal_) refuse(row);
      live_ = true;
      last_equal_ = keys_equal_to(columns_, row).hi;
    }
    return entry.tid >> 1;
  }

 private:
  [[noreturn]] void refuse(const RowKey<K>& row);

  Relation heap_;
  Relation index_;
  bool nulls_equal_;
  KeyColumns columns_;
  TreeId tree_ = TreeId::keys;
  bool live_ = false;  // there was a live row
  K last_equal_{};     // the greatest key that is equal to that of the last one
};
static_assert(std::is_trivially_destructible_v<UniqueBuild<Code>>);

}  // namespace learned
