// learned_index_stats(): size and shape of an index, and how well its models predict.
//
// Who may: inspection.hpp has the rule. It takes AccessShareLock and reads the file block by block, so writers go on; with
// writers, numbers of one row may belong to slightly different moments.
#include "am/check/inspection.hpp"
#include "am/check/page_totals.hpp"
#include "am/server/result_row.hpp"

namespace learned {
namespace {

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

  PageTotals totals{};
  for (Block block = kMetaBlock + 1; block < reader.blocks(); block++) {
    reader.copy(block, page);
    add_page(page, block, &store, columns, &totals);
  }
  pfree(page);

  const int64 total_pages = reader.blocks();
  ResultRow row;
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
  row.add_int8(btree_bytes(totals.live, columns));
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
