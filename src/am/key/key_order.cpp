#include "am/key/key_order.hpp"

#include "am/callbacks.hpp"
#include "am/key/key_mapping.hpp"
#include "am/key/key_type.hpp"
#include "am/key/row_bound.hpp"
#include "am/server/compat.hpp"
#include "core/base/key.hpp"

namespace learned {

namespace {

constexpr char kOrderHint[] =
    "Use the operator classes that extension learned_index provides; CREATE INDEX takes DESC for the reverse "
    "order.";

FamilyMember member_of(const FormData_pg_amop& row) {
  return {false, row.amopopr, row.amopstrategy, row.amoplefttype, row.amoprighttype};
}

FamilyMember member_of(const FormData_pg_amproc& row) {
  return {true, row.amproc, row.amprocnum, row.amproclefttype, row.amprocrighttype};
}

// As in a message: "operator <(integer,integer)".
char* describe(bool is_function, Oid object) {
  return is_function ? psprintf("function %s", format_procedure(object))
                     : psprintf("operator %s", format_operator(object));
}

// The end of a sentence on a member: "<the default btree order of type integer> has operator <(integer,integer) there".
char* describe_expected(const FamilyMember& member, Oid object) {
  return OidIsValid(object) ? describe(member.is_function, object) : pstrdup("nothing");
}

bool is_mapping(const FamilyMember& member) {
  return member.is_function && member.number == kMappingFunction;
}

// `index`: its name if it exists already, or nullptr.
[[noreturn]] void refuse_class(Oid opclass, const FamilyMember& member, const char* index) {
  HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass);
  const auto* row = reinterpret_cast<const FormData_pg_opclass*>(GETSTRUCT(tuple));
  const DefaultOrder expected = default_order_at(member);
  ereport(
      ERROR,
      (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
       errmsg("access method \"learned\" does not support operator class \"%s\"", NameStr(row->opcname)),
       errdetail("Its operator family has %s as %s %d; the default btree order of type %s has %s there.",
                 describe(member.is_function, member.object),
                 member.is_function ? "support function" : "strategy", member.number,
                 format_type_be(expected.type), describe_expected(member, expected.object)),
       index == nullptr
           ? errhint("%s", kOrderHint)
           : errhint("Drop index \"%s\"; it may answer wrongly. A new one can have an operator class that "
                     "extension learned_index provides.",
                     index)));
  pg_unreachable();
}

// All members count, not only those of the column's type: the planner matches a condition with an index by family.
void refuse_class_of_other_order(Oid opclass, Oid family, const char* index) {
  CatCList* operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
  for (int i = 0; i < operators->n_members; ++i) {
    HeapTuple tuple = &operators->members[i]->tuple;
    const FamilyMember member = member_of(*reinterpret_cast<const FormData_pg_amop*>(GETSTRUCT(tuple)));
    if (!follows_default_order(member)) refuse_class(opclass, member, index);
  }
  ReleaseCatCacheList(operators);
  CatCList* functions = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
  for (int i = 0; i < functions->n_members; ++i) {
    HeapTuple tuple = &functions->members[i]->tuple;
    const FamilyMember member = member_of(*reinterpret_cast<const FormData_pg_amproc*>(GETSTRUCT(tuple)));
    if (follows_default_order(member)) continue;
    if (is_mapping(member)) refuse_mapping(family, member.object, member.left, member.right);
    refuse_class(opclass, member, index);
  }
  ReleaseCatCacheList(functions);
}

bool is_ours(Oid access_method) {
  // initdb's own.
  if (access_method < FirstNormalObjectId) return false;
  HeapTuple tuple = SearchSysCache1(AMOID, ObjectIdGetDatum(access_method));
  if (!HeapTupleIsValid(tuple)) return false;
  const auto* row = reinterpret_cast<const FormData_pg_am*>(GETSTRUCT(tuple));
  const Oid handler = row->amtype == AMTYPE_INDEX ? row->amhandler : InvalidOid;
  ReleaseSysCache(tuple);
  return OidIsValid(handler) && GetIndexAmRoutine(handler)->ambuild == learned_build;
}

// Reads a catalog's row of a relation that this very command has written, and which no other snapshot sees yet.
class NewRow {
 public:
  NewRow(Oid catalog, Oid catalog_index, AttrNumber key, Oid relation)
      : catalog_(table_open(catalog, AccessShareLock)) {
    ScanKeyData condition;
    ScanKeyInit(&condition, key, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    scan_ = systable_beginscan(catalog_, catalog_index, true, SnapshotSelf, 1, &condition);
    tuple_ = systable_getnext(scan_);
  }

  // nullptr: there is none.
  HeapTuple tuple() const { return tuple_; }

  void close() {
    systable_endscan(scan_);
    table_close(catalog_, AccessShareLock);
  }

 private:
  Relation catalog_;
  SysScanDesc scan_;
  HeapTuple tuple_;
};
static_assert(std::is_trivially_destructible_v<NewRow>);

// Whether a new relation is an index of ours, built or partitioned.
bool is_our_index(Oid relation) {
  NewRow row(RelationRelationId, ClassOidIndexId, Anum_pg_class_oid, relation);
  char kind = '\0';
  Oid access_method = InvalidOid;
  if (HeapTupleIsValid(row.tuple())) {
    const auto* form = reinterpret_cast<const FormData_pg_class*>(GETSTRUCT(row.tuple()));
    kind = form->relkind;
    access_method = form->relam;
  }
  row.close();
  return (kind == RELKIND_INDEX || kind == RELKIND_PARTITIONED_INDEX) && is_ours(access_method);
}

object_access_hook_type previous_hook = nullptr;

// The place between the catalogs and the build. A partitioned index is never built, and a concurrent build commits its
// entries first: what only the build refuses would stay behind.
void look_at_new_object(ObjectAccessType access, Oid catalog, Oid object, int column, void* argument) {
  if (previous_hook != nullptr) previous_hook(access, catalog, object, column, argument);
  if (access != OAT_POST_CREATE || catalog != RelationRelationId || column != 0 || !is_our_index(object))
    return;
  NewRow row(IndexRelationId, IndexRelidIndexId, Anum_pg_index_indexrelid, object);
  if (HeapTupleIsValid(row.tuple())) refuse_unsupported_index(row.tuple());
  row.close();
}

}  // namespace

DefaultOrder default_order_at(const FamilyMember& member) {
  Oid type = member.left;
  if (!member.is_function && member.number > BTMaxStrategyNumber) {
    // Ours, or none.
    const bool ours = member.left == ANYELEMENTOID && member.right == RECORDOID &&
                      is_row_bound_operator(member.object, member.number);
    return {type, ours ? member.object : InvalidOid};
  }
  if (is_mapping(member)) {
    const bool sound = mapping_fault(member.object, member.left, member.right) == nullptr;
    return {type, sound ? member.object : InvalidOid};
  }
  if (member.is_function && member.number > BTEQUALIMAGE_PROC) return {type, InvalidOid};
  Oid family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
  if (!OidIsValid(family)) {
    family = lookup_type_cache(member.right, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
    if (!OidIsValid(family)) return {type, InvalidOid};
    type = member.right;
  }
  const auto number = static_cast<int16>(member.number);
  return {type, member.is_function ? get_opfamily_proc(family, member.left, member.right, number)
                                   : get_opfamily_member(family, member.left, member.right, number)};
}

void refuse_member_of_other_order(const FamilyMember& member) {
  const DefaultOrder expected = default_order_at(member);
  if (expected.object == member.object) return;
  if (is_mapping(member)) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
             errmsg("function %s cannot be support function %d of access method \"learned\"",
                    format_procedure(member.object), member.number),
             errdetail_internal("%s", mapping_fault(member.object, member.left, member.right)),
             errhint("It makes values of a type that is supported of those of one that is not, or these of "
                     "those again: FUNCTION 7 (own, bigint) to_bigint(own), FUNCTION 7 (bigint, own) "
                     "to_own(bigint).")));
  }
  ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                  errmsg("%s cannot be %s %d of access method \"learned\"",
                         describe(member.is_function, member.object),
                         member.is_function ? "support function" : "strategy", member.number),
                  errdetail("Keys are kept in the default btree order of type %s, which has %s there.",
                            format_type_be(expected.type), describe_expected(member, expected.object)),
                  errhint("%s", kOrderHint)));
}

void refuse_unsupported_index(HeapTuple index_row) {
  const auto* row = reinterpret_cast<const FormData_pg_index*>(GETSTRUCT(index_row));
  // The server has asked our routine's flags before, in the same words; not for what an older version of us let into the
  // catalogs.
  if (row->indisunique && !compat::kUniqueIndexes) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("access method \"learned\" does not support unique indexes"),
                    errhint("Use a constraint: EXCLUDE USING learned (column WITH =).")));
  }
  bool isnull;
  const Datum value = SysCacheGetAttr(INDEXRELID, index_row, Anum_pg_index_indclass, &isnull);
  Assert(!isnull);
  const auto* classes = reinterpret_cast<const oidvector*>(DatumGetPointer(value));
  // Of an index that is just being created, the name is not to be seen yet.
  const char* name = get_rel_name(row->indexrelid);
  unsigned words = 0;
  for (int c = 0; c < row->indnatts; ++c) {
    // (Included columns have no operator class, and are none but the table's.)
    const bool included = c >= row->indnkeyatts;
    Oid family = InvalidOid;
    Oid type;
    if (included) {
      type = getBaseType(get_atttype(row->indrelid, row->indkey.values[c]));
    } else if (!get_opclass_opfamily_and_input_type(classes->values[c], &family, &type)) {
      elog(ERROR, "cache lookup failed for operator class %u", classes->values[c]);
    }
    const unsigned of_type = words_of_type(family, type);
    if (of_type == 0 && included) refuse_included_type(type);
    if (of_type == 0) refuse_unmapped_type(family, type);
    words += of_type;
    if (!included) refuse_class_of_other_order(classes->values[c], family, name);
  }
  if (words > kMaxWords) refuse_key_words(words);
}

void register_refusals() {
  previous_hook = object_access_hook;
  object_access_hook = look_at_new_object;
}

}  // namespace learned
