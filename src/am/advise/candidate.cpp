#include "am/advise/candidate.hpp"

#include "am/key/key_mapping.hpp"
#include "am/options.hpp"
#include "am/server/compat.hpp"

namespace learned {
namespace {

// Of what refers to an index, so many are named.
constexpr int kNamed = 3;

const char* full_name(Oid relation) {
  return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
}
const char* full_name(Relation relation) { return full_name(RelationGetRelid(relation)); }

bool is_key(Relation index, int column) { return column < IndexRelationGetNumberOfKeyAttributes(index); }

Form_pg_attribute attribute_of(Relation index, int column) {
  return TupleDescAttr(RelationGetDescr(index), column);
}

// As CREATE INDEX sees it. (An index may keep a column as another type: a name as a cstring.)
Oid type_of(Relation index, int column) {
  const AttrNumber attribute = index->rd_index->indkey.values[column];
  return attribute != 0 ? get_atttype(index->rd_index->indrelid, attribute)
                        : attribute_of(index, column)->atttypid;
}

const char* class_name(Oid opclass) {
  HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass);
  const char* name =
      pstrdup(NameStr(reinterpret_cast<const FormData_pg_opclass*>(GETSTRUCT(tuple))->opcname));
  ReleaseSysCache(tuple);
  return name;
}

// The operator class of a key column of a btree. (The relation's own fields have its family only.)
Oid class_of(Relation index, int column) {
  bool isnull;
  const Datum value = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indclass, &isnull);
  Assert(!isnull);
  return reinterpret_cast<const oidvector*>(DatumGetPointer(value))->values[column];
}

// What CREATE INDEX USING learned would make of a key column. Returns why it would not, or nullptr.
const char* judge_key(const Candidate& candidate, int column, Oid* family, unsigned* words) {
  const char* name = NameStr(attribute_of(candidate.index, column)->attname);
  const Oid column_type = type_of(candidate.index, column);
  const Oid opclass = GetDefaultOpClass(column_type, candidate.learned);
  Oid type = InvalidOid;
  *words = 0;
  if (OidIsValid(opclass) && get_opclass_opfamily_and_input_type(opclass, family, &type)) {
    *words = words_of_type(*family, type);
  }
  if (*words == 0) {
    return psprintf("column \"%s\" is of type %s, which has no operator class for learned", name,
                    format_type_be(column_type));
  }
  // Ours have the order of the default class.
  const Oid there = class_of(candidate.index, column);
  if (there == GetDefaultOpClass(column_type, BTREE_AM_OID) &&
      type == candidate.index->rd_opcintype[column]) {
    return nullptr;
  }
  return psprintf("column \"%s\" has operator class %s, which has no counterpart in learned", name,
                  quote_identifier(class_name(there)));
}

const char* judge_included(const Candidate& candidate, int column, unsigned* words) {
  const char* name = NameStr(attribute_of(candidate.index, column)->attname);
  const Oid column_type = type_of(candidate.index, column);
  *words = words_of_type(InvalidOid, getBaseType(column_type));
  if (*words > 0) return nullptr;
  return psprintf("included column \"%s\" is of type %s, which learned does not support", name,
                  format_type_be(column_type));
}

// The fillfactor that was given to a btree; 0: none.
int stated_fillfactor(Relation index) {
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(index)));
  if (!HeapTupleIsValid(tuple)) return 0;
  int fillfactor = 0;
  bool isnull;
  const Datum options = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions, &isnull);
  if (!isnull) {
    ListCell* cell;
    foreach (cell, untransformRelOptions(options)) {
      auto* option = static_cast<DefElem*>(lfirst(cell));
      if (strcmp(option->defname, "fillfactor") == 0) fillfactor = atoi(defGetString(option));
    }
  }
  ReleaseSysCache(tuple);
  return fillfactor;
}

// The same, if it can be that of a learned index.
int given_fillfactor(Relation index) {
  const int fillfactor = stated_fillfactor(index);
  return fillfactor >= kMinFillfactor ? fillfactor : 0;
}

// Sentences without a verb, one after the other.
class Sentences {
 public:
  Sentences() { initStringInfo(&text_); }
  __attribute__((format(printf, 2, 3))) void add(const char* format, ...) {
    if (text_.len > 0) appendStringInfoString(&text_, "; ");
    for (;;) {
      va_list arguments;
      va_start(arguments, format);
      const int needed = appendStringInfoVA(&text_, format, arguments);
      va_end(arguments);
      if (needed == 0) return;
      enlargeStringInfo(&text_, needed);
    }
  }
  const char* text() const { return text_.len > 0 ? text_.data : nullptr; }

 private:
  StringInfoData text_;
};

// The constraint that an index is of; InvalidOid: none. Its kind, if there is one.
Oid constraint_of(Relation index, char* kind) {
  const Oid constraint = get_index_constraint(RelationGetRelid(index));
  if (!OidIsValid(constraint)) return InvalidOid;
  HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  *kind = reinterpret_cast<const FormData_pg_constraint*>(GETSTRUCT(tuple))->contype;
  ReleaseSysCache(tuple);
  return constraint;
}

void add_constraint(Relation index, Sentences* losses) {
  char kind = '\0';
  const Oid constraint = constraint_of(index, &kind);
  if (!OidIsValid(constraint)) return;
  const char* name = get_constraint_name(constraint);
  if (kind == CONSTRAINT_PRIMARY) {
    losses->add("PRIMARY KEY constraint \"%s\"", name);
  } else if (kind == CONSTRAINT_UNIQUE) {
    losses->add("UNIQUE constraint \"%s\"", name);
  } else {
    losses->add("EXCLUDE constraint \"%s\"", name);
  }
}

// Calls found(row) for whatever depends on an object.
template <class Found>
void for_each_dependent(Oid catalog, Oid object, Found found) {
  Relation depend = table_open(DependRelationId, AccessShareLock);
  ScanKeyData conditions[2];
  ScanKeyInit(&conditions[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(catalog));
  ScanKeyInit(&conditions[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(object));
  SysScanDesc scan = systable_beginscan(depend, DependReferenceIndexId, true, nullptr, 2, conditions);
  for (HeapTuple row; HeapTupleIsValid(row = systable_getnext(scan));)
    found(*reinterpret_cast<const FormData_pg_depend*>(GETSTRUCT(row)));
  systable_endscan(scan);
  table_close(depend, AccessShareLock);
}

// Foreign keys of other tables: they depend on the index by its number.
void add_foreign_keys(Relation index, Sentences* losses) {
  int keys = 0;
  for_each_dependent(RelationRelationId, RelationGetRelid(index), [&](const FormData_pg_depend& row) {
    if (row.classid != ConstraintRelationId) return;
    HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(row.objid));
    if (!HeapTupleIsValid(tuple)) return;
    const auto* constraint = reinterpret_cast<const FormData_pg_constraint*>(GETSTRUCT(tuple));
    if (constraint->contype == CONSTRAINT_FOREIGN && keys++ < kNamed) {
      losses->add("target of foreign key \"%s\" of %s", NameStr(constraint->conname),
                  full_name(constraint->conrelid));
    }
    ReleaseSysCache(tuple);
  });
  if (keys > kNamed) losses->add("and of %d more", keys - kNamed);
}

// Views and functions that group by a primary key, and name columns that depend on it; functions and rules that say ON CONFLICT ON CONSTRAINT: without
// CASCADE the constraint is not to be dropped.
void add_dependents(Relation index, Sentences* losses) {
  char kind = '\0';
  const Oid constraint = constraint_of(index, &kind);
  if (!OidIsValid(constraint)) return;
  int dependents = 0;
  for_each_dependent(ConstraintRelationId, constraint, [&](const FormData_pg_depend& row) {
    if (row.deptype != DEPENDENCY_NORMAL) return;
    const ObjectAddress object{row.classid, row.objid, row.objsubid};
    const char* name = getObjectDescription(&object, true);
    if (name != nullptr && dependents++ < kNamed) losses->add("needed by %s", name);
  });
  if (dependents > kNamed) losses->add("and of %d more", dependents - kNamed);
}

// The target that a column of an index (only an expression's can have one) was given for its statistics; negative: none.
int statistics_target(Relation index, int column) {
  HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(index)),
                                    Int16GetDatum(static_cast<int16>(column + 1)));
  if (!HeapTupleIsValid(tuple)) return -1;
  bool isnull;
  const Datum target = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget, &isnull);
  // (Of four bytes before 17, and 10,000 at most.)
  const int given = isnull ? -1 : DatumGetInt16(target);
  ReleaseSysCache(tuple);
  return given;
}

// What was said of the index after it was made, and goes with it.
void add_settings(Relation index, Sentences* losses) {
  const Oid oid = RelationGetRelid(index);
  if (GetComment(oid, RelationRelationId, 0) != nullptr) losses->add("comment, to be set again");
  for (int c = 0; c < IndexRelationGetNumberOfKeyAttributes(index); c++) {
    if (statistics_target(index, c) >= 0)
      losses->add("statistics target of column %d, to be set again", c + 1);
  }
  ListCell* cell;
  foreach (cell, getAutoExtensionsOfObject(RelationRelationId, oid)) {
    losses->add("dependence on extension \"%s\", to be set again", get_extension_name(lfirst_oid(cell)));
  }
  const int fillfactor = stated_fillfactor(index);
  if (fillfactor > 0 && fillfactor < kMinFillfactor)
    losses->add("fillfactor %d, which is %d at least for learned", fillfactor, kMinFillfactor);
}

// The tablespace that CREATE INDEX has to be told of for an index to be where the other is; InvalidOid: none. (Where it is told of none, default_tablespace says it.)
Oid tablespace_to_name(Relation index) {
  const Oid space = index->rd_rel->reltablespace;
  if (OidIsValid(space)) return space;
  return OidIsValid(GetDefaultTablespace(index->rd_rel->relpersistence, false)) ? MyDatabaseTableSpace
                                                                                : InvalidOid;
}

void append_columns(StringInfo out, Relation index, int first, int end) {
  for (int c = first; c < end; c++) {
    if (c > first) appendStringInfoString(out, ", ");
    // (A name or expression, without what follows it.)
    const Datum column =
        OidFunctionCall3(F_PG_GET_INDEXDEF_OID_INT4_BOOL, ObjectIdGetDatum(RelationGetRelid(index)),
                         Int32GetDatum(c + 1), BoolGetDatum(false));
    appendStringInfoString(out, text_to_cstring(DatumGetTextPP(column)));
    const int option = is_key(index, c) ? index->rd_indoption[c] : 0;
    const bool descends = (option & INDOPTION_DESC) != 0;
    const bool nulls_first = (option & INDOPTION_NULLS_FIRST) != 0;
    if (descends) appendStringInfoString(out, " DESC");
    if (descends != nulls_first) appendStringInfoString(out, nulls_first ? " NULLS FIRST" : " NULLS LAST");
  }
}

// The condition of a partial index; nullptr: it has every row.
const char* predicate_of(Relation index) {
  bool isnull;
  const Datum predicate = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indpred, &isnull);
  if (isnull) return nullptr;
  const Datum shown =
      DirectFunctionCall2(pg_get_expr, predicate, ObjectIdGetDatum(index->rd_index->indrelid));
  return text_to_cstring(DatumGetTextPP(shown));
}

// An expression or predicate as the catalog has it; nullptr: there is none.
const void* tree_of(HeapTuple row, AttrNumber attribute) {
  bool isnull;
  const Datum value = SysCacheGetAttr(INDEXRELID, row, attribute, &isnull);
  return isnull ? nullptr : stringToNode(text_to_cstring(DatumGetTextPP(value)));
}

// Whether two indexes of a table have the same columns, in the same order and directions, and the same rows.
bool same_columns(HeapTuple one, HeapTuple other) {
  const auto* form = reinterpret_cast<const FormData_pg_index*>(GETSTRUCT(one));
  const auto* other_form = reinterpret_cast<const FormData_pg_index*>(GETSTRUCT(other));
  const auto options = [](HeapTuple row) {
    bool isnull;
    return reinterpret_cast<const int2vector*>(
               DatumGetPointer(SysCacheGetAttr(INDEXRELID, row, Anum_pg_index_indoption, &isnull)))
        ->values;
  };
  return form->indnatts == other_form->indnatts && form->indnkeyatts == other_form->indnkeyatts &&
         std::equal(form->indkey.values, form->indkey.values + form->indnatts, other_form->indkey.values) &&
         std::equal(options(one), options(one) + form->indnkeyatts, options(other)) &&
         equal(tree_of(one, Anum_pg_index_indexprs), tree_of(other, Anum_pg_index_indexprs)) &&
         equal(tree_of(one, Anum_pg_index_indpred), tree_of(other, Anum_pg_index_indpred));
}

bool is_of_method(Oid index, Oid method) {
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
  if (!HeapTupleIsValid(tuple)) return false;
  const Oid found = reinterpret_cast<const FormData_pg_class*>(GETSTRUCT(tuple))->relam;
  ReleaseSysCache(tuple);
  return found == method;
}

// Learned indexes that are there already. (By their rows in the catalogs: to open them would take locks, which others may hold.)
void add_twins(const Candidate& candidate, Sentences* notes) {
  ListCell* cell;
  foreach (cell, RelationGetIndexList(candidate.table)) {
    const Oid index = lfirst_oid(cell);
    if (!is_of_method(index, candidate.learned)) continue;
    HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(tuple)) continue;
    if (same_columns(candidate.index->rd_indextuple, tuple)) {
      const char* name = full_name(index);
      if (reinterpret_cast<const FormData_pg_index*>(GETSTRUCT(tuple))->indisvalid) {
        notes->add("learned index %s has the same columns", name);
      } else {
        notes->add("learned index %s has the same columns, but is not valid", name);
      }
    }
    ReleaseSysCache(tuple);
  }
}

}  // namespace

LearnedForm learned_form(const Candidate& candidate) {
  LearnedForm form{};
  const int count = IndexRelationGetNumberOfAttributes(candidate.index);
  unsigned all_words = 0;
  for (int c = 0; c < count; c++) {
    unsigned words = 0;
    Oid family = InvalidOid;
    form.obstacle = is_key(candidate.index, c) ? judge_key(candidate, c, &family, &words)
                                               : judge_included(candidate, c, &words);
    if (form.obstacle != nullptr) return form;
    all_words += words;
    if (all_words <= kMaxWords) form.families[c] = family;
  }
  if (all_words > kMaxWords) {
    form.obstacle = psprintf("its columns take %u words, and learned has %u at most", all_words, kMaxWords);
    return form;
  }
  const int given = given_fillfactor(candidate.index);
  form.fillfactor = given > 0 ? given : kDefaultFillfactor;
  return form;
}

const char* what_is_lost(const Candidate& candidate) {
  Sentences losses;
  const FormData_pg_index* row = candidate.index->rd_index;
  add_constraint(candidate.index, &losses);
  add_foreign_keys(candidate.index, &losses);
  add_dependents(candidate.index, &losses);
  if (row->indisunique && !compat::kUniqueIndexes)
    losses.add("uniqueness, and ON CONFLICT of these columns, but for EXCLUDE USING learned");
  if (row->indisreplident) {
    losses.add(compat::kUniqueIndexes ? "replica identity, to be set again" : "replica identity");
  } else if (row->indisprimary && candidate.table->rd_rel->relreplident == REPLICA_IDENTITY_DEFAULT) {
    losses.add("replica identity, which is the primary key");
  }
  if (row->indisclustered) losses.add("CLUSTER mark, to be set again");
  add_settings(candidate.index, &losses);
  for (int c = 0; c < row->indnkeyatts; c++) {
    if (key_column_merged(candidate.index, static_cast<unsigned>(c)))
      losses.add("index-only scans of column \"%s\", a float before other columns",
                 NameStr(attribute_of(candidate.index, c)->attname));
  }
  return losses.text();
}

const char* what_to_note(const Candidate& candidate) {
  Sentences notes;
  if (candidate.index->rd_rel->relispartition) {
    const Oid parent = llast_oid(get_partition_ancestors(RelationGetRelid(candidate.index)));
    notes.add("part of partitioned index %s: see docs/migrate.md, \"Partitioned tables\"", full_name(parent));
  }
  add_twins(candidate, &notes);
  return notes.text();
}

// (Names are cut to make room: long ones that differ in their ends, as of indexes that the server named, would be the same.)
GivenName learned_name(const Candidate& candidate, GrownArray<GivenName>* given) {
  GivenName made{RelationGetNamespace(candidate.index), {}};
  const auto is_taken = [&] {
    if (OidIsValid(get_relname_relid(NameStr(made.name), made.schema))) return true;
    return std::any_of(given->begin(), given->end(), [&](const GivenName& other) {
      return other.schema == made.schema && strcmp(NameStr(other.name), NameStr(made.name)) == 0;
    });
  };
  const char* label = "learned";
  for (int number = 1;; number++) {
    namestrcpy(&made.name, makeObjectName(RelationGetRelationName(candidate.index), nullptr, label));
    if (!is_taken()) break;
    label = psprintf("learned%d", number);
  }
  given->push(made);
  return made;
}

const char* create_statement(const Candidate& candidate, const GivenName& name) {
  Relation index = candidate.index;
  const int keys = IndexRelationGetNumberOfKeyAttributes(index);
  const int columns = IndexRelationGetNumberOfAttributes(index);
  const bool unique = index->rd_index->indisunique && compat::kUniqueIndexes;
  StringInfoData text;
  initStringInfo(&text);
  appendStringInfo(&text, "CREATE %sINDEX CONCURRENTLY %s ON %s USING %s (", unique ? "UNIQUE " : "",
                   quote_identifier(NameStr(name.name)), full_name(candidate.table),
                   quote_identifier(get_am_name(candidate.learned)));
  append_columns(&text, index, 0, keys);
  if (columns > keys) {
    appendStringInfoString(&text, ") INCLUDE (");
    append_columns(&text, index, keys, columns);
  }
  appendStringInfoChar(&text, ')');
  if (unique && index->rd_index->indnullsnotdistinct) appendStringInfoString(&text, " NULLS NOT DISTINCT");
  if (const int fillfactor = given_fillfactor(index); fillfactor > 0)
    appendStringInfo(&text, " WITH (fillfactor=%d)", fillfactor);
  if (const Oid space = tablespace_to_name(index); OidIsValid(space))
    appendStringInfo(&text, " TABLESPACE %s", quote_identifier(get_tablespace_name(space)));
  if (const char* predicate = predicate_of(index); predicate != nullptr)
    appendStringInfo(&text, " WHERE %s", predicate);
  return text.data;
}

const char* drop_statement(const Candidate& candidate) {
  // (Only all of a partitioned index can be dropped.)
  if (candidate.index->rd_rel->relispartition) return nullptr;
  char kind = '\0';
  const Oid constraint = constraint_of(candidate.index, &kind);
  if (OidIsValid(constraint))
    return psprintf("ALTER TABLE %s DROP CONSTRAINT %s", full_name(candidate.table),
                    quote_identifier(get_constraint_name(constraint)));
  return psprintf("DROP INDEX CONCURRENTLY %s", full_name(candidate.index));
}

}  // namespace learned
