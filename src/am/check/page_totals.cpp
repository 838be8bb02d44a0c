#include "am/check/page_totals.hpp"

#include "am/check/inspection.hpp"
#include "core/page/kill_marks.hpp"

namespace learned {
namespace {

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
void add_segment(const BasicSegmentRef<K>& ref, TreeId tree, const K* keys, PageTotals* totals) {
  totals->segments++;
  totals->tid_bytes += kTidShare + tid_bytes(ref.tids, ref.count);
  totals->encoded += ref.count;
  if (tree == TreeId::nulls) return;
  totals->key_bytes += kKeyShare<K> + KeyCodec<K>::bytes(ref.key, ref.count);
  totals->encoded_keys += ref.count;
  const ModelErrors errors = model_errors(ref, keys);
  totals->max_error = std::max(totals->max_error, errors.most);
  totals->error_sum += errors.sum;
}

// A key with a NULL in it, where these are in no tree of their own.
bool has_null(const KeyColumns&, Code) { return false; }
template <unsigned W>
bool has_null(const KeyColumns& columns, const Words<W>& key) {
  return has_null_key(columns, RowKey<Words<W>>{TreeId::keys, key});
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

}  // namespace

template <class K>
ModelErrors model_errors(const BasicSegmentRef<K>& ref, const K* keys) {
  ModelErrors errors;
  for (unsigned i = 0; i < ref.count; i++) {
    const double error = std::fabs(predicted_rank(ref, keys[i]) - static_cast<double>(i));
    errors.most = std::max(errors.most, error);
    errors.sum += error;
  }
  return errors;
}

template <class K>
unsigned killed_entries(const BasicPageView<K>& leaf) {
  const KillMarks marks(leaf);
  if (!marks.any()) return 0;
  unsigned killed = 0;
  const unsigned encoded = leaf.encoded();
  for (unsigned begin = marks.next(0, encoded, true); begin < encoded;) {
    const unsigned end = std::min(marks.next(begin, encoded, false), encoded);
    killed += end - begin;
    begin = marks.next(end, encoded, true);
  }
  for (unsigned j = 0; j < leaf.deltas(); j++) killed += marks.delta_killed(j) ? 1 : 0;
  return killed;
}

template <class K>
void add_page(const std::uint8_t* bytes, Block block, BasicBufferStore<K>* store, const KeyColumns& columns,
              PageTotals* totals) {
  if (is_new_page(bytes)) {
    totals->deleted_pages++;
    return;
  }
  const BasicPageView<K> page(bytes);
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
  totals->killed += killed_entries(page);
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

int64 btree_bytes(int64 entries, const KeyColumns& columns) {
  const int64 tuple = btree_tuple(columns);
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

#define LEARNED_PAGE_TOTALS(K)                                            \
  template ModelErrors model_errors(const BasicSegmentRef<K>&, const K*); \
  template unsigned killed_entries(const BasicPageView<K>&);              \
  template void add_page<K>(const std::uint8_t*, Block, BasicBufferStore<K>*, const KeyColumns&, PageTotals*);
LEARNED_FOR_EVERY_KEY(LEARNED_PAGE_TOTALS)
#undef LEARNED_PAGE_TOTALS

}  // namespace learned
