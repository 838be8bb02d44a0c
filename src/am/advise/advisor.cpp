// learned_index_advisor(): which btree indexes of a database could be learned ones, how large they would be, and what would be lost.
//
// As the view learned_indexes it waits for nobody, and one index that cannot be read must not end a query that is about all of them: each is looked at in
// a subtransaction of its own, under locks that were free and are given back at once.
#include "am/advise/candidate.hpp"
#include "am/advise/size_trial.hpp"
#include "am/check/inspection.hpp"
#include "am/check/progress.hpp"
#include "am/server/compat.hpp"
#include "am/server/grown_array.hpp"
#include "am/server/guarded.hpp"
#include "am/server/result_row.hpp"
#include "am/write/gathered.hpp"

namespace learned {
namespace {

// An index to be looked at: what names it even if it cannot be opened.
struct Listed {
  Oid index;
  Oid table;
  NameData schema_name;
  NameData table_name;
  NameData index_name;

  bool operator<(const Listed& other) const {
    int order = strcmp(NameStr(schema_name), NameStr(other.schema_name));
    if (order == 0) order = strcmp(NameStr(table_name), NameStr(other.table_name));
    if (order == 0) order = strcmp(NameStr(index_name), NameStr(other.index_name));
    return order < 0;
  }
};

struct Advice {
  bool gone;
  bool tried;
  int64 size;  // 0: not known
  SizeTrial trial;
  double seconds;
  const char* lost;
  const char* note;
  const char* create;
  const char* drop;
};

// ---- which indexes ----------------------------------------------------------------------------------------------------------------

bool is_name(Oid relation, NameData* name) {
  const char* text = get_rel_name(relation);
  if (text == nullptr) return false;
  namestrcpy(name, text);
  return true;
}

// Whether a btree is of those that one could replace, and the user may examine. (Locks nothing: it may go at any time.)
bool list_index(const FormData_pg_class& index, Oid schema, Listed* listed) {
  if (index.relkind != RELKIND_INDEX || (OidIsValid(schema) && index.relnamespace != schema)) return false;
  if (IsCatalogNamespace(index.relnamespace) || IsToastNamespace(index.relnamespace) ||
      isOtherTempNamespace(index.relnamespace))
    return false;
  HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index.oid));
  if (!HeapTupleIsValid(tuple)) return false;
  const auto* form = reinterpret_cast<const FormData_pg_index*>(GETSTRUCT(tuple));
  const bool valid = form->indisvalid;
  listed->index = index.oid;
  listed->table = form->indrelid;
  ReleaseSysCache(tuple);
  if (!valid || !may_examine_index(listed->index, listed->table, AccessShareLock)) return false;
  const char* schema_name = get_namespace_name(index.relnamespace);
  if (schema_name == nullptr || !is_name(listed->table, &listed->table_name)) return false;
  namestrcpy(&listed->schema_name, schema_name);
  listed->index_name = index.relname;
  return true;
}

void list_indexes(Oid schema, GrownArray<Listed>* list) {
  Relation catalog = table_open(RelationRelationId, AccessShareLock);
  ScanKeyData condition;
  ScanKeyInit(&condition, Anum_pg_class_relam, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(BTREE_AM_OID));
  SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, nullptr, 1, &condition);
  for (HeapTuple row; HeapTupleIsValid(row = systable_getnext(scan));) {
    CHECK_FOR_INTERRUPTS();
    Listed listed;
    if (list_index(*reinterpret_cast<const FormData_pg_class*>(GETSTRUCT(row)), schema, &listed))
      list->push(listed);
  }
  systable_endscan(scan);
  table_close(catalog, AccessShareLock);
  std::sort(list->begin(), list->end());
}

// ---- one of them ------------------------------------------------------------------------------------------------------------------

// Of a build in one process: pages are made of entries as they were of the sample; what reading and sorting rows takes beside was measured once, and
// is much the same on machines of today. Without waiting for disks. Within a factor of two of what builds took, or three where rows of several
// words are sorted that were not in order.
double build_seconds(const Candidate& candidate, const SizeTrial& trial) {
  constexpr double kOfRow = 90e-9;
  constexpr double kOfBlock = 2e-6;
  return static_cast<double>(trial.entries) * (trial.seconds_per_entry + kOfRow) +
         static_cast<double>(RelationGetNumberOfBlocks(candidate.table)) * kOfBlock;
}

// Functions that map the values of a type run as the table's owner, as in a build.
SizeTrial try_as_owner(const Candidate& candidate, const KeyColumns& columns, int fillfactor) {
  if (!columns.mapped) return try_as_learned(candidate.index, columns, fillfactor);
  Oid user;
  int security;
  GetUserIdAndSecContext(&user, &security);
  SetUserIdAndSecContext(candidate.table->rd_rel->relowner, security | SECURITY_RESTRICTED_OPERATION);
  const int guc_level = NewGUCNestLevel();
  compat::restrict_search_path();
  const SizeTrial trial = try_as_learned(candidate.index, columns, fillfactor);
  AtEOXact_GUC(false, guc_level);
  SetUserIdAndSecContext(user, security);
  return trial;
}

void judge(const Candidate& candidate, GrownArray<GivenName>* names, Advice* advice) {
  // (The init fork of an unlogged one is all that a standby has.)
  if (RecoveryInProgress() && !RelationIsPermanent(candidate.index)) {
    advice->note = "unlogged: not to be read during recovery";
    return;
  }
  advice->size = int64{RelationGetNumberOfBlocks(candidate.index)} * BLCKSZ;
  const LearnedForm form = learned_form(candidate);
  if (form.obstacle != nullptr) {
    advice->note = form.obstacle;
    return;
  }
  const KeyColumns columns = key_columns_in(candidate.index, form.families, CurrentMemoryContext);
  advice->trial = try_as_owner(candidate, columns, form.fillfactor);
  advice->size = advice->trial.size;
  advice->seconds = build_seconds(candidate, advice->trial);
  advice->lost = what_is_lost(candidate);
  advice->note = what_to_note(candidate);
  advice->create = create_statement(candidate, learned_name(candidate, names));
  advice->drop = drop_statement(candidate);
  advice->tried = true;
}

// Of all indexes that are looked at.
struct Look {
  Oid learned;  // the access method
  GrownArray<GivenName> names;
};

void look_at(const Listed& listed, Look* look, Advice* advice) {
  if (!lock_if_free(listed.table, listed.index)) {
    advice->note = kLockedByOthers;
    return;
  }
  // It may have been dropped since it was listed, and its number may name another.
  if (IndexGetRelation(listed.index, true) != listed.table) {
    advice->gone = true;
  } else {
    const Candidate candidate{table_open(listed.table, NoLock), index_open(listed.index, NoLock),
                              look->learned};
    // (REINDEX CONCURRENTLY puts another in its place, and leaves this one behind for a while.)
    if (candidate.index->rd_rel->relam == BTREE_AM_OID && candidate.index->rd_index->indisvalid) {
      judge(candidate, &look->names, advice);
    } else {
      advice->gone = true;
    }
    index_close(candidate.index, NoLock);
    table_close(candidate.table, NoLock);
  }
  unlock_again(listed.table, listed.index);
}

Advice advise(const Listed& listed, Look* look) {
  Advice advice{};
  if (const ErrorData* error = run_guarded([&] { look_at(listed, look, &advice); })) {
    const int64 size = advice.size;
    advice = {};
    advice.size = size;
    // (It may have been dropped meanwhile.)
    advice.gone = !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(listed.index));
    advice.note = error->hint == nullptr ? error->message : psprintf("%s. %s", error->message, error->hint);
  }
  return advice;
}

// ---- rows -------------------------------------------------------------------------------------------------------------------------

Datum interval_of(double seconds) {
  auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
  interval->time = std::llround(std::min(seconds, 1e12) * USECS_PER_SEC);
  return IntervalPGetDatum(interval);
}

void add_text(ResultRow* row, const char* text) {
  if (text == nullptr) {
    row->add_null();
  } else {
    row->add_text(text);
  }
}

void put_advice(const Listed& listed, const Advice& advice, const ReturnSetInfo* result) {
  ResultRow row;
  row.add_datum(NameGetDatum(&listed.schema_name));
  row.add_datum(NameGetDatum(&listed.table_name));
  row.add_datum(NameGetDatum(&listed.index_name));
  if (advice.size > 0) {
    row.add_int8(advice.size);
  } else {
    row.add_null();
  }
  if (advice.tried) {
    row.add_int8(advice.trial.rebuilt);
    row.add_int8(advice.trial.learned);
    row.add_datum(interval_of(advice.seconds));
    row.add_int8(advice.trial.entries);
    row.add_float8(advice.trial.sampled);
  } else {
    row.add_nulls(5);
  }
  row.add_datum(DirectFunctionCall1(pg_stat_get_numscans, ObjectIdGetDatum(listed.index)));
  add_text(&row, advice.lost);
  add_text(&row, advice.note);
  add_text(&row, advice.create);
  add_text(&row, advice.drop);
  row.put(result);
}

// How far it is, by INFO lines as those of a check.
class AdvisorProgress {
 public:
  AdvisorProgress(int total, bool verbose) : total_(total), verbose_(verbose) {
    if (!verbose_) return;
    lines_.begin();
    ereport(INFO, (errmsg("looking at %d btree indexes", total_)));
  }
  void step(bool possible) {
    done_++;
    possible_ += possible ? 1 : 0;
    if (verbose_ && lines_.due()) ereport(INFO, (errmsg("looked at %d of %d btree indexes", done_, total_)));
  }
  void end() const {
    if (verbose_)
      ereport(INFO, (errmsg("looked at %d btree indexes: %d could be learned", done_, possible_)));
  }

 private:
  int total_;
  bool verbose_;
  int done_ = 0;
  int possible_ = 0;
  ProgressLines lines_;
};
static_assert(std::is_trivially_destructible_v<AdvisorProgress>);

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_advisor);

Datum learned_index_advisor(PG_FUNCTION_ARGS) {
  const Oid schema = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
  const bool verbose = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
  InitMaterializedSRF(fcinfo, 0);
  const auto* result = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  learned::insert_gathered();
  learned::Look look{get_index_am_oid("learned", false), {}};
  learned::GrownArray<learned::Listed> list;
  learned::list_indexes(schema, &list);
  learned::AdvisorProgress progress(static_cast<int>(list.size()), verbose);
  // What one index takes goes before the next.
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index advisor", ALLOCSET_DEFAULT_SIZES);
  MemoryContext caller = MemoryContextSwitchTo(context);
  for (const learned::Listed& listed : list) {
    CHECK_FOR_INTERRUPTS();
    const learned::Advice advice = learned::advise(listed, &look);
    if (!advice.gone) learned::put_advice(listed, advice, result);
    progress.step(advice.tried);
    MemoryContextReset(context);
  }
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(context);
  progress.end();
  PG_RETURN_NULL();
}
