// learned_index_health(): an index at a glance, for the view learned_indexes.
//
// Looks at a hundred or so pages, evenly from all of the file: what is in them stands for the rest, and if there are no more, it is exact. (By their
// blocks, not by their places in a tree: nothing has to be found, and each page has the same chance.)
//
// One index that cannot be read must not end a query that is about all of them. So it is looked at in a subtransaction of its own, as
// PL/pgSQL does for EXCEPTION, and what went wrong is its advice. Nobody waits: where another session has locked the index, that is.
//
// Who may: as learned_index_stats(); for others there is no row.
#include "am/check/page_totals.hpp"
#include "am/check/inspection.hpp"
#include "am/options.hpp"
#include "am/server/compat.hpp"
#include "am/server/guarded.hpp"
#include "am/server/result_row.hpp"
#include "am/write/gathered.hpp"

namespace learned {
namespace {

constexpr uint64 kSampledPages = 128;

// From where on something should be done.
constexpr double kManyDead = 0.2;  // of the entries: what autovacuum's defaults allow of a table's rows
constexpr double kDrifted = 1.5;   // times as many pages as it would have when it is built anew
constexpr double kFewPages = 32;   // so many more do not matter

enum class Look : std::uint8_t {
  none,    // it is gone, or not for this user
  failed,  // it cannot be read, or not now
  done,
};

struct Health {
  Look look;
  int64 size;
  int64 btree;
  int64 entries;
  PageTotals sample;
  double share;  // of the pages that were looked at
  const char* advice;
};

const char* pretty(double bytes) {
  return text_to_cstring(
      DatumGetTextPP(DirectFunctionCall1(pg_size_pretty, Int64GetDatum(static_cast<int64>(bytes)))));
}

const char* full_name(Relation relation) {
  return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
                                    RelationGetRelationName(relation));
}

// The pages that an index of these entries has when it is built anew: what they take in pages of now, but packed.
double rebuilt_pages(const Health& health, int fillfactor) {
  const PageTotals& sample = health.sample;
  if (sample.encoded == 0) return 0;
  const double bytes =
      static_cast<double>(sample.key_bytes + sample.tid_bytes) / static_cast<double>(sample.encoded);
  const double room = static_cast<double>(kSpecial - kHeaderSize) * fillfactor / 100;
  const double leaves = static_cast<double>(health.entries) * std::max(bytes / room, 1.0 / kMaxEntries);
  return std::ceil(leaves * 1.01) + kTreeCount + 1;
}

const char* advice_for(const InspectedIndex& opened, const Health& health) {
  const PageTotals& sample = health.sample;
  const auto size = static_cast<double>(health.size);
  const double there = static_cast<double>(sample.live + sample.dead);
  const double dead = static_cast<double>(sample.dead + sample.killed);
  if (dead > there * kManyDead)
    return psprintf("VACUUM %s: %.0f %% of the entries are of dead rows", full_name(opened.table),
                    100 * dead / there);
  const double rebuilt = rebuilt_pages(health, index_fillfactor(opened.index));
  if (size / BLCKSZ > rebuilt * kDrifted + kFewPages)
    return psprintf("REINDEX INDEX %s: it would have about %s instead of %s", full_name(opened.index),
                    pretty(rebuilt * BLCKSZ), pretty(size));
  if (size > static_cast<double>(health.btree) + kFewPages * BLCKSZ)
    return psprintf("a btree would have %s instead of %s", pretty(static_cast<double>(health.btree)),
                    pretty(size));
  return nullptr;
}

template <class K>
void survey(Relation index, Health* health) {
  BasicBufferStore<K> store(index);
  const KeyColumns columns = key_columns_of(index);
  PageReader reader(index);
  if (reader.blocks() == 0) store.corrupt(kMetaBlock, "metapage is missing");
  auto* page = static_cast<std::uint8_t*>(palloc(kPageSize));
  reader.copy(kMetaBlock, page);
  if (Fault fault = verify_meta_page<K>(page)) store.corrupt(kMetaBlock, fault);
  const uint64 pages = reader.blocks() - 1;
  const uint64 taken = std::min(pages, kSampledPages);
  for (uint64 i = 0; i < taken; i++) {
    // (In the middle of each of so many equal parts.)
    const auto block = static_cast<Block>(1 + (2 * i + 1) * pages / (2 * taken));
    reader.copy(block, page);
    if (!is_new_page(page)) {
      if (Fault fault = verify_page<K>(page)) store.corrupt(block, fault);
    }
    add_page(page, block, &store, columns, &health->sample);
  }
  pfree(page);
  health->share = pages == 0 ? 1.0 : static_cast<double>(taken) / static_cast<double>(pages);
  health->entries = std::llround(static_cast<double>(health->sample.live) / health->share);
  health->size = int64{reader.blocks()} * BLCKSZ;
  health->btree = btree_bytes(health->entries, columns);
}

void look_at(Oid oid, Health* health) {
  const Oid table = IndexGetRelation(oid, true);
  if (!OidIsValid(table) || !may_examine_index(oid, table, AccessShareLock)) return;
  if (!lock_if_free(table, oid)) {
    health->look = Look::failed;
    health->advice = kLockedByOthers;
    return;
  }
  const InspectedIndex opened = open_inspected_index(oid, AccessShareLock);
  with_key(key_words_of(opened.index), [&]<class K>() { survey<K>(opened.index, health); });
  health->look = Look::done;
  health->advice = advice_for(opened, *health);
  close_inspected_index(opened);
  unlock_again(table, oid);
}

void put_health(const Health& health, const ReturnSetInfo* result) {
  ResultRow row;
  if (health.look == Look::done) {
    const PageTotals& sample = health.sample;
    row.add_int8(health.size);
    row.add_int8(health.btree);
    row.add_int8(health.entries);
    row.add_ratio(static_cast<double>(sample.deltas), sample.live);
    row.add_ratio(static_cast<double>(sample.dead + sample.killed), sample.live + sample.dead);
    row.add_ratio(8.0 * static_cast<double>(sample.key_bytes), sample.encoded_keys);
    row.add_ratio(8.0 * static_cast<double>(sample.tid_bytes), sample.encoded);
    row.add_ratio(sample.error_sum, sample.encoded_keys);
    row.add_float8(health.share);
  } else {
    row.add_nulls(9);
  }
  if (health.advice == nullptr) {
    row.add_null();
  } else {
    row.add_text(health.advice);
  }
  row.put(result);
}

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_health);

Datum learned_index_health(PG_FUNCTION_ARGS) {
  const Oid oid = PG_GETARG_OID(0);
  InitMaterializedSRF(fcinfo, 0);
  const auto* result = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  // Entries of the statement that are not in their index yet must not be lost with the subtransaction.
  learned::insert_gathered();
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index health", ALLOCSET_DEFAULT_SIZES);
  MemoryContext caller = MemoryContextSwitchTo(context);
  learned::Health health{};
  if (const ErrorData* error = learned::run_guarded([&] { learned::look_at(oid, &health); })) {
    // (It may have been dropped meanwhile.)
    health.look =
        SearchSysCacheExists1(RELOID, ObjectIdGetDatum(oid)) ? learned::Look::failed : learned::Look::none;
    health.advice = error->hint == nullptr ? error->message : psprintf("%s. %s", error->message, error->hint);
  }
  if (health.look != learned::Look::none) learned::put_health(health, result);
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(context);
  PG_RETURN_NULL();
}
