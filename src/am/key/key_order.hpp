// What a learned index may be on: types that have a key code, under the order that the codes have.
//
// That order is the one of the type's default btree operator class. It is built into the codes, so unlike a btree's, the
// operators and functions of our families do not define it; they must agree with it, or answers would be wrong and
// the index none the less sound in itself. So whatever is in one of our families has to be in the same place of the btree
// family of its type.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// An operator (under its strategy) or a support function in an operator family.
struct FamilyMember {
  bool is_function;
  Oid object;
  int number;
  Oid left;
  Oid right;
};

// What stands in a member's place in the order that counts: the default btree family of its left type or, if that type has
// none, of its right one.
struct DefaultOrder {
  Oid type;    // whose btree family it is; of neither: the left one
  Oid object;  // 0: no family, or nothing there
};
DefaultOrder default_order_at(const FamilyMember& member);

inline bool follows_default_order(const FamilyMember& member) {
  return default_order_at(member).object == member.object;
}

// Raises ERRCODE_INVALID_OBJECT_DEFINITION if the member does not: for those who define operator classes.
void refuse_member_of_other_order(const FamilyMember& member);

// Raises ERRCODE_FEATURE_NOT_SUPPORTED for what cannot be built, given the index's row of pg_index: unique where that is not to
// be, a column of a type without key code, a family of another order; ERRCODE_TOO_MANY_COLUMNS for keys of more than kMaxWords.
// Reads catalogs.
void refuse_unsupported_index(HeapTuple index_row);

// Has new indexes looked at when they enter the catalogs. Called when the library is loaded; sets a hook.
void register_refusals();

}  // namespace learned
