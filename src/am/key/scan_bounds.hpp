// From the scan keys of the server on one column to ranges of its codes.
//
// Scan keys are ANDed; what those on a column admit is a set of values, given as sorted disjoint closed
// ranges of codes, and possibly the NULLs. Semantics are those of a B-tree: a comparison with NULL admits
// nothing, `= ANY (array)` admits any element that is not NULL, IS [NOT] NULL selects. (Several columns: key_bounds.hpp.)
#pragma once

#include "am/key/key_type.hpp"
#include "am/server/server.hpp"
#include "core/code/range_set.hpp"

namespace learned {

// A growing array in the scan's memory context; contents last until the next bounds_set.
template <class C>
struct RangeBuffer {
  BasicCodeRange<C>* data;
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

// Of a type with codes C: Code, or CodePair. Not to be copied or moved once set: `ranges` may point into it.
template <class C>
struct BasicScanBounds {
  // --- results of bounds_set ---

  // Ranges of codes to visit: sorted, disjoint, not adjacent, lo <= hi. Without conditions it is one range, from
  // the lowest code to the highest.
  const BasicCodeRange<C>* ranges;
  size_t range_count;
  bool want_keys;   // range_count > 0
  bool want_nulls;  // the NULLs belong to the result
  // The ranges are a little too wide: the caller must set xs_recheck (or tell the bitmap to recheck). Only
  // for a timestamp or date column compared with a timestamptz close to a change of the time zone's offset, and for a type with
  // a mapping compared with another type, of which nothing is known: then they are everything.
  bool recheck;
  Emptiness emptiness;  // valid if neither want_keys nor want_nulls

  // --- private ---
  KeyType key;
  AttrNumber column;  // from 1 on
  Oid column_type;
  Oid opfamily;
  Oid collation;
  MemoryContext context;        // of the scan
  MemoryContext array_context;  // to take arrays and rows apart; emptied after each; made on first use
  BasicCodeRange<C> single;     // what ranges points to while one range is enough
  RangeBuffer<C> current;       // the conjunction so far
  RangeBuffer<C> operand;       // one array condition
  RangeBuffer<C> scratch;       // their intersection
  ForeignComparison foreign[4];
};
using ScanBounds = BasicScanBounds<Code>;
static_assert(std::is_trivially_destructible_v<ScanBounds>);

// Prepares for a column of an index, counted from 0. Memory comes from `context`, grows as needed and is reused by every
// bounds_set.
template <class C>
void bounds_init(BasicScanBounds<C>* bounds, Relation index, unsigned column, KeyType type,
                 MemoryContext context);

// Computes the results from the scan keys; those on other columns are passed over. One `=` with a constant of the column's own
// type (a nested loop's probe) allocates nothing and takes nanoseconds. REQUIRES: if there is but one, it is on this column.
template <class C>
void bounds_set(BasicScanBounds<C>* bounds, const ScanKeyData* keys, int nkeys);

// The codes that satisfy `column <strategy> constant`, the constant being of type `subtype`. False: there are none. *recheck: set if
// they are a little too many.
template <class C>
bool bounds_of_comparison(BasicScanBounds<C>* bounds, StrategyNumber strategy, Oid subtype, Datum constant,
                          BasicCodeRange<C>* range, bool* recheck);

// Whether a scan key is one `=` with a constant of the column's own type, `type`.
inline bool is_plain_equality(const ScanKeyData& key, Oid type) {
  return key.sk_flags == 0 && key.sk_strategy == BTEqualStrategyNumber &&
         (key.sk_subtype == type || !OidIsValid(key.sk_subtype));
}

}  // namespace learned
