// From the scan keys of the server to ranges of codes.
//
// Scan keys on the one column are ANDed; what they admit is a set of keys, given as sorted disjoint closed
// ranges of codes, and possibly the NULLs. Semantics are those of a B-tree: a comparison with NULL admits
// nothing, `= ANY (array)` admits any element that is not NULL, IS [NOT] NULL selects.
#pragma once

#include "am/key/key_type.hpp"
#include "am/server/server.hpp"
#include "core/code/range_set.hpp"

namespace learned {

// A growing array in the scan's memory context; contents last until the next bounds_set.
struct RangeBuffer {
  CodeRange* data;
  size_t capacity;
};

// The comparison function of the operator family for a constant of another type than the column's.
struct ForeignComparison {
  Oid subtype;  // InvalidOid: slot is free
  FmgrInfo compare;
};

// Why there is nothing to visit, if there is nothing. Only the first does nbtree not see before it searches.
enum class Emptiness : std::uint8_t {
  values,         // no key has such a value: no reason to be seen in the conditions
  contradiction,  // conditions exclude one another, or one compares with NULL
  no_element,     // a list is NULL, or has nothing but NULLs
};

// Not to be copied or moved once set: `ranges` may point into it.
struct ScanBounds {
  // --- results of bounds_set ---

  // Ranges of codes to visit: sorted, disjoint, not adjacent, lo <= hi. Without conditions it is one range,
  // [0, kMaxCode].
  const CodeRange* ranges;
  size_t range_count;
  bool want_keys;   // range_count > 0
  bool want_nulls;  // the NULLs belong to the result
  // The ranges are a little too wide: the caller must set xs_recheck (or tell the bitmap to recheck). Only
  // for a timestamp or date column compared with a timestamptz close to a change of the time zone's offset.
  bool recheck;
  Emptiness emptiness;  // valid if neither want_keys nor want_nulls

  // --- private ---
  KeyType key;
  Oid column_type;
  Oid opfamily;
  Oid collation;
  MemoryContext context;        // of the scan
  MemoryContext array_context;  // to take arrays apart; emptied after each; made on first use
  CodeRange single;             // what ranges points to while one range is enough
  RangeBuffer current;          // the conjunction so far
  RangeBuffer operand;          // one array condition
  RangeBuffer scratch;          // their intersection
  ForeignComparison foreign[4];
};
static_assert(std::is_trivially_destructible_v<ScanBounds>);

// Prepares for an index. Memory comes from `context`, grows as needed and is reused by every bounds_set.
void bounds_init(ScanBounds* bounds, Relation index, MemoryContext context);

// Computes the results from the scan keys. One `=` with a constant of the column's own type (a nested loop's
// probe) allocates nothing and takes nanoseconds.
void bounds_set(ScanBounds* bounds, const ScanKeyData* keys, int nkeys);

}  // namespace learned
