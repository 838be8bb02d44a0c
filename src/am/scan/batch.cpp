#include "am/scan/batch.hpp"

#include "am/key/key_mapping.hpp"

namespace learned {

namespace {

// The header of an index tuple, as one word: high and low half of the block number, offset, info.
static_assert(sizeof(IndexTupleData) == sizeof(uint64) && offsetof(IndexTupleData, t_info) == 6 &&
              offsetof(ItemPointerData, ip_posid) == 4 && offsetof(BlockIdData, bi_lo) == 2);
uint64 tuple_header(Tid tid, uint64 info) {
  return tid >> 32 | (tid & 0xFFFF0000) | (tid & 0xFFFF) << 32 | info << 48;
}
uint64 tuple_info(Size size, bool nulls) { return size | (nulls ? INDEX_NULL_MASK : 0); }

Size align_to(Size offset, Size alignment) { return (offset + alignment - 1) & ~(alignment - 1); }

// Word w of keys, as what `value` makes of a code.
template <unsigned W, Size size, class Value>
[[gnu::always_inline]] inline void store_words(const Words<W>* keys, unsigned w, unsigned n,
                                               char (*attributes)[size], Value value) {
  for (unsigned i = 0; i < n; i++) store(attributes[i], value(keys[i].word[w]));
}

// The attribute of a column, `offset` bytes into tuples. (A loop for each width: the types with one have this in common.)
template <unsigned W, Size size>
void store_column(const KeyColumn& column, const Words<W>* keys, unsigned n, char (*tuples)[size],
                  Size offset) {
  const unsigned w = column.place.first;
  const Code turn = column.descending ? kMaxCode : 0;
  auto* attributes = reinterpret_cast<char(*)[size]>(reinterpret_cast<char*>(tuples) + offset);
  if (column.type.mapping != nullptr) [[unlikely]] {
    for (unsigned i = 0; i < n; i++) {
      column.type.mapping->store_attribute({keys[i].word[w] ^ turn, keys[i].word[w + 1] ^ turn},
                                           attributes[i]);
    }
    return;
  }
  switch (column.type.kind) {
    case KeyKind::int2:
      store_words(keys, w, n, attributes,
                  [turn](Code c) { return static_cast<int16>(int_from_code(c ^ turn)); });
      return;
    case KeyKind::int4:
    case KeyKind::date:
      store_words(keys, w, n, attributes,
                  [turn](Code c) { return static_cast<int32>(int_from_code(c ^ turn)); });
      return;
    case KeyKind::oid:
      store_words(keys, w, n, attributes, [turn](Code c) { return oid_from_code(c ^ turn); });
      return;
    case KeyKind::oid8:
    case KeyKind::xid8:
    case KeyKind::pg_lsn:
      store_words(keys, w, n, attributes, [turn](Code c) { return c ^ turn; });
      return;
    case KeyKind::float8:
      store_words(keys, w, n, attributes, [turn](Code c) { return float8_bits_from_code(c ^ turn); });
      return;
    case KeyKind::uuid:
    case KeyKind::timetz: {
      KeyStorage storage;
      const auto width = static_cast<Size>(column.type.width());
      for (unsigned i = 0; i < n; i++) {
        const Code codes[2] = {keys[i].word[w] ^ turn, keys[i].word[w + 1] ^ turn};
        codes_to_datum(column.type, codes, &storage);
        std::memcpy(attributes[i], storage.bytes, width);
      }
      return;
    }
    default:
      break;
  }
  if (column.type.is_int8()) {
    store_words(keys, w, n, attributes, [turn](Code c) { return int_from_code(c ^ turn); });
  } else {
    for (unsigned i = 0; i < n; i++) store_code(column.type, keys[i].word[w] ^ turn, attributes[i]);
  }
}

// Entries and their tuples.
template <unsigned W>
struct Rows {
  const Words<W>* keys;
  const Tid* tids;
  char (*tuples)[kTupleSize<Words<W>>];
};

// Tuples [begin, end) of entries whose NULL columns are the same: bit c of `nulls`.
template <unsigned W>
void make_alike(const KeyColumns& columns, unsigned nulls, const Rows<W>& rows, unsigned begin,
                unsigned end) {
  Size offset = nulls != 0 ? kTupleHeaderWithNulls : kTupleHeader;
  for (unsigned c = 0; c < columns.count; c++) {
    if ((nulls >> c & 1) != 0) continue;
    const KeyColumn& column = columns.column[c];
    offset = align_to(offset, column.align);
    store_column(column, rows.keys + begin, end - begin, rows.tuples + begin, offset);
    offset += Size{column.width};
  }
  const uint64 info = tuple_info(MAXALIGN(offset), nulls != 0);
  for (unsigned i = begin; i < end; i++) {
    store(rows.tuples[i], tuple_header(rows.tids[i], info));
    // A set bit means that there is a value.
    if (nulls != 0) store(rows.tuples[i] + sizeof(IndexTupleData), ~uint64{nulls});
  }
}

template <unsigned W>
unsigned null_columns(const KeyColumns& columns, const Words<W>& key) {
  unsigned nulls = 0;
  for (unsigned c = 0; c < columns.count; c++) {
    const KeyColumn& column = columns.column[c];
    if (key.flag(column.place.first) == (column.null_flag() != 0)) nulls |= 1u << c;
  }
  return nulls;
}

// Tuples of the entries that are not dead. Without NULLs they have one layout.
template <unsigned W>
void make_wide(const KeyColumns& columns, const Rows<W>& rows, const bool* dead, unsigned n) {
  std::uint8_t flags = 0;
  for (unsigned c = 0; c < columns.count; c++) {
    flags |= static_cast<std::uint8_t>(columns.column[c].value_flag() << columns.column[c].place.first);
  }
  unsigned end;
  for (unsigned i = 0; i < n; i = end) {
    end = i + 1;
    if (dead[i]) continue;
    if (rows.keys[i].flags != flags) {
      make_alike(columns, null_columns(columns, rows.keys[i]), rows, i, end);
      continue;
    }
    while (end < n && !dead[end] && rows.keys[end].flags == flags) end++;
    make_alike(columns, 0, rows, i, end);
  }
}

}  // namespace

template <class K>
bool BasicBatch<K>::decode(const LeafEntries& leaf, int begin, int end) {
  if (!leaf.decode(begin, end, columns())) return false;
  begin_ = begin;
  end_ = end;
  clean_ = !leaf.any_dead();
  return true;
}

template <class K>
bool BasicBatch<K>::decode_from(const LeafEntries& leaf, int number, bool forward) {
  const int size = next_size_;
  next_size_ = std::min(kMost, size * 4);
  return decode_from(leaf, number, size, forward);
}

template <class K>
void BasicBatch<K>::make_tuples(const KeyColumns& columns, bool nulls) {
  const auto n = static_cast<unsigned>(end_ - begin_);
  if constexpr (KeyTraits<K>::kWords == 1) {
    const KeyType key = columns.column[0].type;
    constexpr Size kKey = kTupleHeader;
    const Size size = nulls ? kTupleHeaderWithNulls : kKey + MAXALIGN(key.width());
    const uint64 info = tuple_info(size, nulls);
    if (nulls) [[unlikely]] {
      // A clear bit means NULL.
      for (unsigned i = 0; i < n; i++) {
        store(tuples_of_[i], tuple_header(tids_[i], info));
        tuples_of_[i][sizeof(IndexTupleData)] = 0;
      }
    } else if (key.is_int8()) {
      for (unsigned i = 0; i < n; i++) {
        store(tuples_of_[i], tuple_header(tids_[i], info));
        store(tuples_of_[i] + kKey, int_from_code(codes_[i]));
      }
    } else {
      for (unsigned i = 0; i < n; i++) {
        store(tuples_of_[i], tuple_header(tids_[i], info));
        store_code(key, codes_[i], tuples_of_[i] + kKey);
      }
    }
  } else {
    make_wide(columns, Rows<KeyTraits<K>::kWords>{codes_, tids_, tuples_of_}, dead_, n);
  }
  if (clean_ && !unhurried_) tuples_ = n;
}

#define LEARNED_BATCH(K) template class BasicBatch<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_BATCH)
#undef LEARNED_BATCH

}  // namespace learned
