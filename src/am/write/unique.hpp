// Unique indexes: the check that goes with an insertion, and the one of a build.
#pragma once

#include "am/key/key_type.hpp"
#include "am/server/server.hpp"
#include "core/base/types.hpp"

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
// REQUIRES: the key is not NULL, or NULLs are not distinct; check is not UNIQUE_CHECK_NO.
bool insert_unique(const UniqueInsertion& insertion);

// A build must refuse two live rows with one key, but also take in rows that are dead to everybody but old
// snapshots, with whatever keys. So while the entries of a unique index are sorted, each carries in its TID
// whether its row is alive; the order of entries stays the same, as no two have the same TID.
class UniqueBuild {
 public:
  UniqueBuild(Relation heap, Relation index) : heap_(heap), index_(index), type_(key_type_of(index)) {}

  static constexpr Tid tagged(Tid tid, bool alive) { return tid << 1 | (alive ? 1 : 0); }

  // Begins a tree. NULLs are checked only if they are not distinct.
  void begin(TreeId tree, bool check) {
    tree_ = tree;
    check_ = check;
    live_ = false;
  }

  // Takes the entries of a tree in their order and gives back their TIDs. Raises ERRCODE_UNIQUE_VIOLATION.
  Tid admit(const Entry& entry) {
    if (check_ && (entry.tid & 1) != 0) {
      if (live_ && entry.code <= last_equal_) refuse(entry.code);
      live_ = true;
      last_equal_ = tree_ == TreeId::nulls ? 0 : equal_codes(type_.kind, entry.code).hi;
    }
    return entry.tid >> 1;
  }

 private:
  [[noreturn]] void refuse(Code code);

  Relation heap_;
  Relation index_;
  KeyType type_;
  TreeId tree_ = TreeId::keys;
  bool check_ = false;
  bool live_ = false;    // there was a live row
  Code last_equal_ = 0;  // the greatest code that equals the key of the last one
};
static_assert(std::is_trivially_destructible_v<UniqueBuild>);

}  // namespace learned
