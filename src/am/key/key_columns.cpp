#include "am/key/key_columns.hpp"

#include "am/key/key_mapping.hpp"
#include "am/key/key_order.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

std::uint8_t alignment_of(char attalign) {
  switch (attalign) {
    case TYPALIGN_CHAR:
      return 1;
    case TYPALIGN_SHORT:
      return ALIGNOF_SHORT;
    case TYPALIGN_INT:
      return ALIGNOF_INT;
    default:
      return MAXIMUM_ALIGNOF;
  }
}

bool is_float(KeyKind kind) { return kind == KeyKind::float4 || kind == KeyKind::float8; }

// The type of an index's column: that of its operator class, or, if it is included, its own.
Oid type_of_column(Relation index, unsigned column) {
  if (column < static_cast<unsigned>(IndexRelationGetNumberOfKeyAttributes(index)))
    return index->rd_opcintype[column];
  const Oid type = TupleDescAttr(RelationGetDescr(index), static_cast<int>(column))->atttypid;
  // (A domain is not looked for in the catalogs where the type is one that we know: every insertion comes here.)
  KeyKind kind;
  return key_kind_of_type(type, &kind) ? type : getBaseType(type);
}

[[noreturn]] void refuse_column_type(Relation index, unsigned column, const Oid* families, Oid type) {
  if (column < static_cast<unsigned>(IndexRelationGetNumberOfKeyAttributes(index)))
    refuse_unmapped_type(families[column], type);
  refuse_included_type(type);
}

// How the values of a column are kept, given the families of the key columns. Costs no look at the catalogs where the type is known.
struct ColumnKind {
  KeyKind kind;
  bool is_mapped;
  MappedType mapped;  // if so

  unsigned words() const { return is_mapped ? kMappedWords : key_words(kind); }
};
ColumnKind kind_of_column(Relation index, unsigned column, const Oid* families) {
  ColumnKind result{};
  const Oid type = type_of_column(index, column);
  if (key_kind_of_type(type, &result.kind)) return result;
  // (Included columns have no operator class.)
  if (column >= static_cast<unsigned>(IndexRelationGetNumberOfKeyAttributes(index)) ||
      !find_mapping(families[column], type, &result.mapped)) {
    refuse_column_type(index, column, families, type);
  }
  result.is_mapped = true;
  result.kind = result.mapped.kind;
  return result;
}

template <unsigned W>
void put_value(Words<W>* key, const KeyColumn& column, const ColumnValue& value) {
  key->flags |= static_cast<std::uint8_t>(value.flag << column.place.first);
  key->word[column.place.first] = value.word[0];
  if (column.place.words > 1) key->word[column.place.first + 1] = value.word[1];
}

// The codes of a column that is not NULL.
template <unsigned W>
void take_codes(const Words<W>& key, const KeyColumn& column, Code codes[2]) {
  const Code turn = column.descending ? kMaxCode : 0;
  codes[0] = key.word[column.place.first] ^ turn;
  codes[1] = column.place.words > 1 ? key.word[column.place.first + 1] ^ turn : 0;
}

}  // namespace

unsigned key_words_of(Relation index) {
  const auto count = static_cast<unsigned>(IndexRelationGetNumberOfAttributes(index));
  const auto keys = static_cast<unsigned>(IndexRelationGetNumberOfKeyAttributes(index));
  unsigned words = 0;
  for (unsigned c = 0; c < count; c++) {
    // (What is done with keys alone, planning and VACUUM, goes on where functions have become unfit.)
    KeyKind kind;
    const Oid type = type_of_column(index, c);
    if (key_kind_of_type(type, &kind)) {
      words += key_words(kind);
    } else if (c < keys) {
      words += kMappedWords;
    } else {
      refuse_included_type(type);
    }
  }
  if (words > kMaxWords) refuse_key_words(words);
  return words;
}

bool key_column_merged(Relation index, unsigned column) {
  KeyKind kind;
  return column + 1 < static_cast<unsigned>(IndexRelationGetNumberOfKeyAttributes(index)) &&
         key_kind_of_type(index->rd_opcintype[column], &kind) && is_float(kind);
}

bool has_mapped_column(Relation index) {
  for (int c = 0; c < IndexRelationGetNumberOfKeyAttributes(index); c++) {
    KeyKind kind;
    if (!key_kind_of_type(index->rd_opcintype[c], &kind)) return true;
  }
  return false;
}

KeyColumns key_columns_of(Relation index, MemoryContext context) {
  return key_columns_in(index, index->rd_opfamily, context);
}

KeyColumns key_columns_in(Relation index, const Oid* families, MemoryContext context) {
  KeyColumns columns{};
  columns.count = static_cast<unsigned>(IndexRelationGetNumberOfAttributes(index));
  columns.keys = static_cast<unsigned>(IndexRelationGetNumberOfKeyAttributes(index));
  if (columns.count > kMaxWords) refuse_key_words(columns.count);
  for (unsigned c = 0; c < columns.count; c++) {
    KeyColumn& column = columns.column[c];
    const ColumnKind kind = kind_of_column(index, c, families);
    column.type.kind = kind.kind;
    column.width = static_cast<std::uint8_t>(key_width(kind.kind));
    const unsigned words = kind.words();
    if (columns.words + words > kMaxWords) refuse_key_words(columns.words + words);
    column.place = {static_cast<std::uint8_t>(columns.words), static_cast<std::uint8_t>(words)};
    columns.words += words;
    if (kind.is_mapped) {
      columns.mapped = true;
      column.type.mapping = KeyMapping::create(kind.mapped, context);
      column.width = static_cast<std::uint8_t>(column.type.mapping->width());
    }
    // (An included column has no options.)
    const int16 option = c < columns.keys ? index->rd_indoption[c] : 0;
    column.descending = (option & INDOPTION_DESC) != 0;
    column.nulls_high = (option & INDOPTION_NULLS_FIRST) == 0;
    column.merged = is_float(column.type.kind) && c + 1 < columns.keys;
    column.align = alignment_of(TupleDescAttr(RelationGetDescr(index), static_cast<int>(c))->attalign);
  }
  return columns;
}

template <class K>
RowKey<K> key_of_row(const KeyColumns& columns, const Datum* values, const bool* isnull) {
  RowKey<K> row{TreeId::keys, {}};
  for (unsigned c = 0; c < columns.count; c++) {
    put_value(&row.key, columns.column[c], column_value_of(columns.column[c], values[c], isnull[c]));
  }
  return row;
}
template RowKey<Words<2>> key_of_row(const KeyColumns&, const Datum*, const bool*);
template RowKey<Words<3>> key_of_row(const KeyColumns&, const Datum*, const bool*);
template RowKey<Words<4>> key_of_row(const KeyColumns&, const Datum*, const bool*);

template <class K>
void row_of_key(const KeyColumns& columns, const RowKey<K>& key, Datum* values, bool* isnull,
                RowStorage* storage) {
  if constexpr (KeyTraits<K>::kWords == 1) {
    isnull[0] = key.tree == TreeId::nulls;
    values[0] = isnull[0] ? Datum{0} : code_to_datum(columns.column[0].type, key.key, &storage->column[0]);
  } else {
    for (unsigned c = 0; c < columns.count; c++) {
      const KeyColumn& column = columns.column[c];
      values[c] = 0;
      isnull[c] = key.key.flag(column.place.first) == (column.null_flag() != 0);
      if (isnull[c]) continue;
      Code codes[2];
      take_codes(key.key, column, codes);
      values[c] = column.place.words > 1 ? codes_to_datum(column.type, codes, &storage->column[c])
                                         : code_to_datum(column.type, codes[0], &storage->column[c]);
    }
  }
}

template <class K>
EqualKeys<K> keys_equal_to(const KeyColumns& columns, const RowKey<K>& key) {
  const unsigned words = columns.key_words();
  EqualKeys<K> equal{key_prefix(key.key, words), key_prefix(key.key, words)};
  for (unsigned w = words; w < KeyTraits<K>::kWords; w++) {
    equal.hi.word[w] = kMaxCode;
    equal.hi.flags |= static_cast<std::uint8_t>(1u << w);
  }
  // Only the last column may tell values apart that are equal.
  const KeyColumn& last = columns.column[columns.keys - 1];
  if (!is_float(last.type.kind) || key.key.flag(last.place.first) == (last.null_flag() != 0)) return equal;
  Code codes[2];
  take_codes(key.key, last, codes);
  const CodeRange range = equal_codes(last.type.kind, codes[0]);
  const Code turn = last.descending ? kMaxCode : 0;
  equal.lo.word[last.place.first] = (last.descending ? range.hi : range.lo) ^ turn;
  equal.hi.word[last.place.first] = (last.descending ? range.lo : range.hi) ^ turn;
  return equal;
}

template <class K>
unsigned possible_columns(const KeyColumns& columns, const K& key) {
  if constexpr (KeyTraits<K>::kWords == 1) {
    const CodeRange domain = code_domain(columns.column[0].type.kind);
    return domain.lo <= key && key <= domain.hi ? 1 : 0;
  } else {
    for (unsigned c = 0; c < columns.count; c++) {
      const KeyColumn& column = columns.column[c];
      const unsigned first = column.place.first;
      const bool two = column.place.words > 1;
      if (two && key.flag(first + 1)) return c;
      if (key.flag(first) == (column.null_flag() != 0)) {
        if (key.word[first] != 0 || (two && key.word[first + 1] != 0)) return c;
        continue;
      }
      Code codes[2];
      take_codes(key, column, codes);
      const CodeRange domain = code_domain(column.type.kind);
      if (codes[0] < domain.lo || codes[0] > domain.hi) return c;
      // (A kind of one word may be one that a type of others is kept as, in two.)
      const CodeRange second =
          key_words(column.type.kind) > 1 ? second_code_domain(column.type.kind) : CodeRange{0, 0};
      if (two && (codes[1] < second.lo || codes[1] > second.hi)) return c;
      if (column.merged && codes[0] != equal_codes(column.type.kind, codes[0]).hi) return c;
    }
    return columns.count;
  }
}

template <class K>
void check_key_mappings(const KeyColumns& columns, const K& key) {
  if constexpr (KeyTraits<K>::kWords > 1) {
    for (unsigned c = 0; c < columns.keys; c++) {
      const KeyColumn& column = columns.column[c];
      if (column.type.mapping == nullptr || key.flag(column.place.first) == (column.null_flag() != 0))
        continue;
      Code codes[2];
      take_codes(key, column, codes);
      column.type.mapping->check_codes({codes[0], codes[1]});
    }
  }
}

#define LEARNED_KEY_COLUMNS(K)                                                                  \
  template void row_of_key<K>(const KeyColumns&, const RowKey<K>&, Datum*, bool*, RowStorage*); \
  template unsigned possible_columns<K>(const KeyColumns&, const K&);                           \
  template void check_key_mappings<K>(const KeyColumns&, const K&);
LEARNED_FOR_EVERY_KEY(LEARNED_KEY_COLUMNS)
#undef LEARNED_KEY_COLUMNS
template EqualKeys<Words<2>> keys_equal_to(const KeyColumns&, const RowKey<Words<2>>&);
template EqualKeys<Words<3>> keys_equal_to(const KeyColumns&, const RowKey<Words<3>>&);
template EqualKeys<Words<4>> keys_equal_to(const KeyColumns&, const RowKey<Words<4>>&);

}  // namespace learned
