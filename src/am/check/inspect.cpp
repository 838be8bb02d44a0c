// learned_index_stats(): size and shape of an index, and how well its models predict.
//
// Who may: inspection.hpp has the rule. It takes AccessShareLock and reads the file block by block, so writers go on; with
// writers, numbers of one row may belong to slightly different moments.
#include "am/store/buffer_store.hpp"
#include "am/check/inspection.hpp"
#include "am/key/key_columns.hpp"

namespace learned {
namespace {

// What of a leaf's directory entry describes TIDs; the rest keys. Of one word, that is half of it.
constexpr std::size_t kTidShare = 28;
static_assert(sizeof(Segment) == 2 * kTidShare);
template <class K>
constexpr std::size_t kKeyShare = sizeof(BasicSegment<K>) - kTidShare;

struct Totals {
  int64 leaf_pages;
  int64 inner_pages;
  int64 null_pages;
  int64 deleted_pages;  // new ones included: both wait to be used
  int64 live;
  int64 nulls;
  int64 segments;
  int64 deltas;
  int64 dead;
  int64 encoded_keys;  // encoded entries of leaves of the key tree
  int64 encoded;       // and of both trees
  std::uint64_t key_bytes;
  std::uint64_t tid_bytes;
  double max_error;
  double error_sum;
};

// Where the line, inverted, says that a code is. Residuals are never negative: the line runs along the lower edge
// of a band as wide as the largest one, and the middle of the band is the best guess.
double predicted_rank(const ColumnModel& key, unsigned count, Code code) {
  const double last = static_cast<double>(count - 1);
  if (key.slope == 0 || (key.shift & ColumnModel::kDescending) != 0) return last / 2;
  const double step =
      static_cast<double>(key.slope) / static_cast<double>(std::uint64_t{1} << (key.shift & 0x7F));
  const double offset = static_cast<double>(code - key.base) - static_cast<double>(low_mask(key.width)) / 2;
  return std::clamp(offset / step, 0.0, last);
}

// By the word that a search begins with: the first that is not the same in all of the segment.
double predicted_rank(const SegmentRef& ref, Code key) { return predicted_rank(ref.key, ref.count, key); }
template <unsigned W>
double predicted_rank(const BasicSegmentRef<Words<W>>& ref, const Words<W>& key) {
  for (unsigned w = 0; w < W; w++) {
    const WordModel& word = ref.key.word[w];
    if (word.constant()) continue;
    const Code squeezed = word.squeeze(key.word[w]);
    if (!word.elias_fano()) return predicted_rank(word.line, ref.count, squeezed);
    // Where it would be if all distances were the same.
    return static_cast<double>(squeezed - word.line.base) / static_cast<double>(word.line.slope) *
           static_cast<double>(ref.count - 1);
  }
  return static_cast<double>(ref.count - 1) / 2;
}

template <class K>
void add_segment(const BasicSegmentRef<K>& ref, TreeId tree, const K* codes, Totals* totals) {
  totals->segments++;
  totals->tid_bytes += kTidShare + tid_bytes(ref.tids, ref.count);
  totals->encoded += ref.count;
  if (tree == TreeId::nulls) return;
  totals->key_bytes += kKeyShare<K> + KeyCodec<K>::bytes(ref.key, ref.count);
  totals->encoded_keys += ref.count;
  for (unsigned i = 0; i < ref.count; i++) {
    const double error = std::fabs(predicted_rank(ref, codes[i]) - static_cast<double>(i));
    totals->max_error = std::max(totals->max_error, error);
    totals->error_sum += error;
  }
}

// A key with a NULL in it, where these are in no tree of their own.
bool has_null(const KeyColumns&, Code) { return false; }
template <unsigned W>
bool has_null(const KeyColumns& columns, const Words<W>& key) {
  return has_null_key(columns, RowKey<Words<W>>{TreeId::keys, key});
}

template <class K>
void add_page(const BasicPageView<K>& page, Block block, BasicBufferStore<K>* store,
              const KeyColumns& columns, Totals* totals) {
  if (Fault fault = check_header(page)) store->corrupt(block, fault);
  if (page.deleted()) {
    totals->deleted_pages++;
    return;
  }
  const bool nulls = page.tree() == TreeId::nulls;
  if (nulls) {
    totals->null_pages++;
  } else {
    ++(page.level() > 0 ? totals->inner_pages : totals->leaf_pages);
  }
  if (page.level() > 0) return;
  totals->live += page.live();
  if (nulls) totals->nulls += page.live();
  totals->deltas += page.deltas();
  totals->dead += page.dead();
  K* codes = store->workspace()->codes;
  if (!decode(page, 0, page.encoded(), codes, nullptr)) store->corrupt(block, "page does not decode");
  if (KeyTraits<K>::kWords > 1) {
    for (unsigned r = 0; r < page.encoded(); r++)
      totals->nulls += !page.is_dead(r) && has_null(columns, codes[r]) ? 1 : 0;
    for (unsigned j = 0; j < page.deltas(); j++)
      totals->nulls += has_null(columns, page.delta_item(j).code) ? 1 : 0;
  }
  for (unsigned s = 0; s < page.segments(); s++) {
    BasicSegmentRef<K> ref;
    if (!load_segment(page, s, &ref)) store->corrupt(block, "page does not decode");
    add_segment(ref, page.tree(), codes + ref.first_rank, totals);
  }
}

// Bytes of a btree's tuple for a row without NULLs, with its line pointer: 8 of header, the columns, padding, 4.
int64 btree_tuple(const KeyColumns& columns) {
  Size bytes = 0;
  for (unsigned c = 0; c < columns.count; c++) {
    const Size align = columns.column[c].align;
    bytes = (bytes + align - 1) / align * align + Size{columns.column[c].width};
  }
  return static_cast<int64>(MAXALIGN(sizeof(IndexTupleData)) + MAXALIGN(bytes) + sizeof(ItemIdData));
}

// What a btree index that was just built would take for these entries. Without deduplication, which would help for keys
// that occur more than twice.
int64 btree_size(int64 entries, int64 tuple) {
  // Page header and special space, and the high key (a tuple too) of all pages but the last.
  const int64 usable = BLCKSZ - 24 - 16 - tuple;
  // Filled until less than the share that the fill factors (90 % for leaves, 70 % above) keep free is left.
  const int64 per_leaf = (usable - BLCKSZ / 10) / tuple + 1;
  const int64 per_inner = (usable - BLCKSZ * 3 / 10) / tuple + 1;
  int64 pages = 1;  // the metapage
  int64 level = (entries + per_leaf - 1) / per_leaf;
  pages += level;
  while (level > 1) {
    level = (level + per_inner - 1) / per_inner;
    pages += level;
  }
  return pages * BLCKSZ;
}

// The columns of the result, in order; a row is filled from left to right.
class Row {
 public:
  void add_int4(int value) { add(Int32GetDatum(value), false); }
  void add_int8(int64 value) { add(Int64GetDatum(value), false); }
  // NULL when there is nothing to take the ratio of.
  void add_ratio(double sum, int64 n) {
    add(Float8GetDatum(n == 0 ? 0.0 : sum / static_cast<double>(n)), n == 0);
  }
  Datum form(TupleDesc desc) {
    if (desc->natts != n_) elog(ERROR, "learned_index_stats() returns %d columns, not %d", n_, desc->natts);
    return HeapTupleGetDatum(heap_form_tuple(desc, values_, nulls_));
  }

 private:
  void add(Datum value, bool is_null) {
    values_[n_] = value;
    nulls_[n_++] = is_null;
  }

  static constexpr int kColumns = 18;
  Datum values_[kColumns];
  bool nulls_[kColumns];
  int n_ = 0;
};

template <class K>
Datum index_stats(Relation index, TupleDesc desc) {
  BasicBufferStore<K> store(index);
  const KeyColumns columns = key_columns_of(index);
  PageReader reader(index);
  auto* page = static_cast<std::uint8_t*>(palloc(kPageSize));
  if (reader.blocks() == 0) store.corrupt(kMetaBlock, "metapage is missing");
  reader.copy(kMetaBlock, page);
  MetaInfo meta;
  if (Fault fault = read_meta_page<K>(page, &meta)) store.corrupt(kMetaBlock, fault);
  const int version = load<MetaPage>(page + kHeaderSize).version;

  Totals totals{};
  for (Block block = kMetaBlock + 1; block < reader.blocks(); block++) {
    reader.copy(block, page);
    if (is_new_page(page)) {
      totals.deleted_pages++;
    } else {
      add_page(BasicPageView<K>(page), block, &store, columns, &totals);
    }
  }
  pfree(page);

  const int64 total_pages = reader.blocks();
  Row row;
  row.add_int4(version);
  row.add_int4(meta.level[static_cast<int>(TreeId::keys)] + 1);
  row.add_int8(total_pages);
  row.add_int8(totals.leaf_pages);
  row.add_int8(totals.inner_pages);
  row.add_int8(totals.null_pages);
  row.add_int8(totals.deleted_pages);
  row.add_int8(totals.live);
  row.add_int8(totals.nulls);
  row.add_int8(totals.segments);
  row.add_ratio(8.0 * static_cast<double>(totals.key_bytes), totals.encoded_keys);
  row.add_ratio(8.0 * static_cast<double>(totals.tid_bytes), totals.encoded);
  row.add_ratio(totals.encoded_keys == 0 ? 0 : totals.max_error, totals.encoded_keys == 0 ? 0 : 1);
  row.add_ratio(totals.error_sum, totals.encoded_keys);
  row.add_int8(totals.deltas);
  row.add_int8(totals.dead);
  row.add_ratio(static_cast<double>(total_pages) * BLCKSZ, totals.live);
  row.add_int8(btree_size(totals.live, btree_tuple(columns)));
  return row.form(desc);
}

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_stats);

Datum learned_index_stats(PG_FUNCTION_ARGS) {
  const Oid oid = PG_GETARG_OID(0);
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
    elog(ERROR, "return type must be a row type");
  }
  const learned::InspectedIndex opened = learned::open_inspected_index(oid, AccessShareLock);
  desc = BlessTupleDesc(desc);
  const Datum row = learned::with_key(learned::key_words_of(opened.index),
                                      [&]<class K>() { return learned::index_stats<K>(opened.index, desc); });
  learned::close_inspected_index(opened);
  PG_RETURN_DATUM(row);
}
