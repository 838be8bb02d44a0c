// The columns of an index, and how the values of a row become a key (core/base/key.hpp) and a key values again.
//
//   column        its words                      its flag
//   a value       codes of its type; where the   nulls_high: 0, else 1
//                 index descends, complemented
//   NULL          0                              nulls_high: 1, else 0
//
// So the order of keys is that of the index, whatever its columns say. Included columns come last, as if they were ordered by in
// addition: nobody asks for an order behind that of the key columns, and equal keys are still neighbours.
//
// An index on one column of one word is *plain*: its keys are codes, its NULLs in a tree of their own, and where it descends
// scans go the other way.
#pragma once

#include "am/key/key_type.hpp"
#include "am/server/server.hpp"
#include "core/base/key.hpp"
#include "core/code/key_set.hpp"

namespace learned {

struct KeyColumn {
  KeyType type;
  ColumnPlace place;  // of its words in the key
  bool descending;
  bool nulls_high;
  // Values that the type calls equal have one code, so that the order behind them is right: of -0.0 and +0.0, and of NaNs, which
  // was stored is not known any more. A float that key columns follow.
  bool merged;
  std::uint8_t align;  // of its attribute in an index tuple, in bytes
  std::uint8_t width;  // its bytes there

  std::uint8_t value_flag() const { return nulls_high ? 0 : 1; }
  std::uint8_t null_flag() const { return nulls_high ? 1 : 0; }
};

// A plain value, made once per scan, insertion or build.
struct KeyColumns {
  unsigned words;  // of a key, 1 to kMaxWords
  unsigned count;  // columns, included ones among them
  unsigned keys;   // those that are ordered by, in front
  bool mapped;     // a column's type is not known (key_mapping.hpp)
  KeyColumn column[kMaxWords];

  bool plain() const { return words == 1; }
  // Words of the columns that are ordered by.
  unsigned key_words() const { return column[keys - 1].place.first + column[keys - 1].place.words; }
};
static_assert(std::is_trivially_copyable_v<KeyColumns>);

// Raises ERRCODE_FEATURE_NOT_SUPPORTED for what refuse_unsupported_index() refuses, but cheaply. What mappings of types need
// is made in the context, and must outlive the result.
KeyColumns key_columns_of(Relation index, MemoryContext context = CurrentMemoryContext);
// The same where the operator families of the key columns are others than the index's: of a btree, what its columns would be in an index of ours.
KeyColumns key_columns_in(Relation index, const Oid* families, MemoryContext context);
// Whether a key column's values may have been merged (see KeyColumn).
bool key_column_merged(Relation index, unsigned column);
// Whether there is a column of a type that is not known.
bool has_mapped_column(Relation index);
// Words of a key alone.
unsigned key_words_of(Relation index);

// Calls f.operator()<K>() with the type of the keys that have so many words.
template <class F>
[[gnu::always_inline]] inline decltype(auto) with_key(unsigned words, F&& f) {
  switch (words) {
    case 1:
      return f.template operator()<Code>();
    case 2:
      return f.template operator()<Words<2>>();
    case 3:
      return f.template operator()<Words<3>>();
    default:
      return f.template operator()<Words<4>>();
  }
}

// The value of a column, in the order of the index, from codes of its type; the second is not looked at if it has one word.
inline ColumnValue column_value_of_codes(const KeyColumn& column, Code first, Code second) {
  const Code turn = column.descending ? kMaxCode : 0;
  return {column.value_flag(), {first ^ turn, column.place.words > 1 ? second ^ turn : 0}};
}
// The same from a Datum. (NULL: isnull, `value` is not looked at.)
inline ColumnValue column_value_of(const KeyColumn& column, Datum value, bool isnull) {
  if (isnull) return {column.null_flag(), {0, 0}};
  if (column.place.words > 1) {
    Code codes[2];
    datum_to_codes(column.type, value, codes);
    return column_value_of_codes(column, codes[0], codes[1]);
  }
  const Code code = datum_to_code(column.type, value);
  return column_value_of_codes(column, column.merged ? equal_codes(column.type.kind, code).hi : code, 0);
}

// Where an entry goes.
template <class K>
struct RowKey {
  TreeId tree;
  K key;
};

// The key of a row.
template <class K>
RowKey<K> key_of_row(const KeyColumns& columns, const Datum* values, const bool* isnull);
template <>
inline RowKey<Code> key_of_row<Code>(const KeyColumns& columns, const Datum* values, const bool* isnull) {
  if (isnull[0]) return {TreeId::nulls, 0};
  return {TreeId::keys, datum_to_code(columns.column[0].type, values[0])};
}

// Room for the values of a key.
struct RowStorage {
  KeyStorage column[kMaxWords];
};

// The values of a key, `columns.count` of each; those that are by reference are in `storage`.
template <class K>
void row_of_key(const KeyColumns& columns, const RowKey<K>& key, Datum* values, bool* isnull,
                RowStorage* storage);

// The keys that are equal to a key in the sense of a unique index: all its key columns equal, included ones whatever they are. lo <= hi.
template <class K>
struct EqualKeys {
  K lo;
  K hi;
};
template <class K>
EqualKeys<K> keys_equal_to(const KeyColumns& columns, const RowKey<K>& key);
template <>
inline EqualKeys<Code> keys_equal_to<Code>(const KeyColumns& columns, const RowKey<Code>& key) {
  if (key.tree == TreeId::nulls) return {0, 0};
  const CodeRange equal = equal_codes(columns.column[0].type.kind, key.key);
  return {equal.lo, equal.hi};
}

// How many columns of this key, of a tree of keys, have what a row can have there, up to the first that does not.
template <class K>
unsigned possible_columns(const KeyColumns& columns, const K& key);
// Whether a row can have this key: what is stored elsewise is damage.
template <class K>
bool key_possible(const KeyColumns& columns, const K& key) {
  return possible_columns(columns, key) == columns.count;
}

// Has the functions of types that are not known look at a key: KeyMapping::check_codes().
template <class K>
void check_key_mappings(const KeyColumns& columns, const K& key);

// Whether a key column is NULL.
inline bool has_null_key(const KeyColumns& columns, const bool* isnull) {
  for (unsigned c = 0; c < columns.keys; c++) {
    if (isnull[c]) return true;
  }
  return false;
}
template <class K>
inline bool has_null_key(const KeyColumns& columns, const RowKey<K>& key) {
  if constexpr (KeyTraits<K>::kWords == 1) {
    return key.tree == TreeId::nulls;
  } else {
    for (unsigned c = 0; c < columns.keys; c++) {
      const KeyColumn& column = columns.column[c];
      if (key.key.flag(column.place.first) == (column.null_flag() != 0)) return true;
    }
    return false;
  }
}

}  // namespace learned
