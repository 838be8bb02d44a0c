#include "am/check/inspection.hpp"

#include "am/callbacks.hpp"
#include "am/server/compat.hpp"
#include "am/server/page_access.hpp"
#include "am/write/gathered.hpp"
#include "core/page/kill_marks.hpp"

namespace learned {

namespace {

void require_readable(Relation index) {
  const char* name = RelationGetRelationName(index);
  // The routine, not the access method's name or OID: whatever CREATE ACCESS METHOD called it, these are our pages.
  if (index->rd_indam->ambuild != learned_build) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not a learned index", name),
                    errhint("Name an index that was created with USING learned.")));
  }
  if (RELATION_IS_OTHER_TEMP(index)) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot access temporary tables of other sessions")));
  }
  // What a failed or running CREATE INDEX CONCURRENTLY left may have no content at all.
  if (!index->rd_index->indisvalid) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("index \"%s\" is not valid", name),
             errhint("Rebuild the index with REINDEX, or drop it.")));
  }
  if (RecoveryInProgress() && !RelationIsPermanent(index)) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot access temporary or unlogged relations during recovery")));
  }
}

void require_plain_index(Oid oid) {
  const char* name = get_rel_name(oid);
  if (name == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", oid)));
  }
  const char kind = get_rel_relkind(oid);
  if (kind == RELKIND_PARTITIONED_INDEX) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is a partitioned index", name),
                    errhint("Name the index of one of its partitions; pg_partition_tree() lists them.")));
  }
  if (kind != RELKIND_INDEX) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not an index", name),
                    errhint("Name an index that was created with USING learned.")));
  }
}

bool monitors(Oid user) { return has_privs_of_role(user, get_role_oid("pg_stat_scan_tables", false)); }

void require_privileges(Oid index, Oid table, LOCKMODE mode) {
  if (may_examine_index(index, table, mode)) return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("permission denied for index %s", get_rel_name(index)),
                  monitors(GetUserId())
                      ? errdetail("A strict check has writers wait: only the owner of the index and roles "
                                  "that may maintain its table may ask for it.")
                      : errdetail("Only the owner of the index, roles that may maintain its table and roles "
                                  "with privileges of the \"%s\" role may examine it.",
                                  "pg_stat_scan_tables")));
}

// Whether a user who may not select from the table may so from all that an index on it has.
bool may_select_columns(Oid index, Oid table, Oid user) {
  HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
  if (!HeapTupleIsValid(tuple)) return false;
  bool may = heap_attisnull(tuple, Anum_pg_index_indpred, nullptr);
  const auto* form = reinterpret_cast<const FormData_pg_index*>(GETSTRUCT(tuple));
  for (int c = 0; may && c < form->indnatts; c++) {
    const AttrNumber attribute = form->indkey.values[c];
    // (0: an expression.)
    may = attribute != 0 && pg_attribute_aclcheck(table, attribute, user, ACL_SELECT) == ACLCHECK_OK;
  }
  ReleaseSysCache(tuple);
  return may;
}

bool may_select(Oid index, Oid table) {
  const Oid user = GetUserId();
  return pg_class_aclcheck(table, user, ACL_SELECT) == ACLCHECK_OK || may_select_columns(index, table, user);
}
bool row_security_hides(Oid table) { return check_enable_rls(table, InvalidOid, true) == RLS_ENABLED; }

void require_select(Oid index, Oid table) {
  if (!may_select(index, table)) {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("permission denied for index %s", get_rel_name(index)),
             errdetail("Only roles that may select from its table, or from all columns of an index without "
                       "expressions and predicate, may see what is in it.")));
  }
  if (row_security_hides(table)) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("query would be affected by row-level security policy for table \"%s\"",
                           get_rel_name(table)),
                    errhint("Ask as a role with BYPASSRLS, or as the table's owner if it has no FORCE ROW "
                            "LEVEL SECURITY.")));
  }
}

}  // namespace

bool may_examine_index(Oid index, Oid table, LOCKMODE mode) {
  const Oid user = GetUserId();
  return compat::owns_relation(index, user) || compat::may_maintain(table, user) ||
         (mode == AccessShareLock && monitors(user));
}

bool may_see_rows(Oid index, Oid table) { return may_select(index, table) && !row_security_hides(table); }

InspectedIndex open_inspected_index(Oid oid, LOCKMODE mode, Tells tells) {
  insert_gathered();
  require_plain_index(oid);
  const Oid table_oid = IndexGetRelation(oid, false);
  if (tells == Tells::rows) {
    require_select(oid, table_oid);
  } else {
    require_privileges(oid, table_oid, mode);
  }
  if (mode != AccessShareLock && RecoveryInProgress()) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("recovery is in progress"),
                    errhint("Strict checks cannot be executed during recovery; others can.")));
  }
  InspectedIndex opened{table_open(table_oid, mode), nullptr, mode};
  opened.index = index_open(oid, mode);
  // The table was looked up without a lock: the OID may have come to name another table's index since.
  if (table_oid != IndexGetRelation(oid, false)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("could not open parent table of index \"%s\"",
                                                             RelationGetRelationName(opened.index))));
  }
  require_readable(opened.index);
  return opened;
}

void close_inspected_index(const InspectedIndex& opened) {
  index_close(opened.index, opened.mode);
  table_close(opened.table, opened.mode);
}

void PageReader::copy(Block block, std::uint8_t* page) {
  CHECK_FOR_INTERRUPTS();
  const Buffer buffer = ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  // Others may set kill marks meanwhile, and from 19 on the server the page's own checksum.
  copy_page(page, buffer_bytes(buffer));
  UnlockReleaseBuffer(buffer);
}

bool is_new_page(const std::uint8_t* page) {
  for (std::size_t i = 0; i < kPageSize; i += sizeof(std::uint64_t)) {
    if (load<std::uint64_t>(page + i) != 0) return false;
  }
  return true;
}

}  // namespace learned
