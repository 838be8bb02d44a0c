// Checks of operator classes: amvalidate; and what new members of operator families may be and depend on.
#include "am/callbacks.hpp"
#include "am/key/key_mapping.hpp"
#include "am/key/key_order.hpp"
#include "am/key/key_type.hpp"
#include "am/key/row_bound.hpp"

namespace learned {

namespace {

constexpr uint64 kAllStrategies =
    (uint64{1} << BTLessStrategyNumber) | (uint64{1} << BTLessEqualStrategyNumber) |
    (uint64{1} << BTEqualStrategyNumber) | (uint64{1} << BTGreaterEqualStrategyNumber) |
    (uint64{1} << BTGreaterStrategyNumber);
constexpr uint64 kOrderFunction = uint64{1} << BTORDER_PROC;
constexpr uint64 kInRangeFunction = uint64{1} << BTINRANGE_PROC;
constexpr uint64 kMapping = uint64{1} << kMappingFunction;

// What is being validated, and the verdict so far. Faults are reported at INFO, all of them, as btree does.
struct Validation {
  const char* family;
  bool good;
};

#define LEARNED_FAULT(validation, ...)                                                \
  do {                                                                                \
    (validation)->good = false;                                                       \
    ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION), errmsg(__VA_ARGS__))); \
  } while (false)

bool function_signature_matches(const FormData_pg_amproc* function) {
  switch (function->amprocnum) {
    case BTORDER_PROC:
      return check_amproc_signature(function->amproc, INT4OID, true, 2, 2, function->amproclefttype,
                                    function->amprocrighttype);
    case BTSORTSUPPORT_PROC:
      return check_amproc_signature(function->amproc, VOIDOID, true, 1, 1, INTERNALOID);
    case BTINRANGE_PROC:
      return check_amproc_signature(function->amproc, BOOLOID, true, 5, 5, function->amproclefttype,
                                    function->amproclefttype, function->amprocrighttype, BOOLOID, BOOLOID);
    case kMappingFunction:
      return check_amproc_signature(function->amproc, function->amprocrighttype, true, 1, 1,
                                    function->amproclefttype);
    default:  // BTEQUALIMAGE_PROC
      return check_amproc_signature(function->amproc, BOOLOID, true, 1, 1, OIDOID);
  }
}

void check_function(Validation* validation, const FormData_pg_amproc* function) {
  if (function->amprocnum != kMappingFunction &&
      (function->amprocnum < BTORDER_PROC || function->amprocnum > BTEQUALIMAGE_PROC)) {
    LEARNED_FAULT(validation,
                  "operator family \"%s\" of access method learned contains function %s with invalid support "
                  "number %d",
                  validation->family, format_procedure(function->amproc), function->amprocnum);
  } else if (!function_signature_matches(function)) {
    LEARNED_FAULT(validation,
                  "operator family \"%s\" of access method learned contains function %s with wrong signature "
                  "for support number %d",
                  validation->family, format_procedure(function->amproc), function->amprocnum);
  } else if (function->amprocnum == kMappingFunction) {
    const char* fault = mapping_fault(function->amproc, function->amproclefttype, function->amprocrighttype);
    if (fault != nullptr) {
      LEARNED_FAULT(validation,
                    "operator family \"%s\" of access method learned contains function %s, which cannot be "
                    "support function %d: %s",
                    validation->family, format_procedure(function->amproc), function->amprocnum, fault);
    }
  } else if (!follows_default_order({true, function->amproc, function->amprocnum, function->amproclefttype,
                                     function->amprocrighttype})) {
    LEARNED_FAULT(
        validation,
        "operator family \"%s\" of access method learned contains function %s, which is not support "
        "function %d of the default btree order of type %s",
        validation->family, format_procedure(function->amproc), function->amprocnum,
        format_type_be(function->amproclefttype));
  }
}

void check_operator(Validation* validation, const FormData_pg_amop* member) {
  if (member->amopstrategy < 1 || static_cast<StrategyNumber>(member->amopstrategy) > kStrategies) {
    LEARNED_FAULT(
        validation,
        "operator family \"%s\" of access method learned contains operator %s with invalid strategy "
        "number %d",
        validation->family, format_operator(member->amopopr), member->amopstrategy);
  } else if (!follows_default_order({false, member->amopopr, member->amopstrategy, member->amoplefttype,
                                     member->amoprighttype})) {
    LEARNED_FAULT(
        validation,
        "operator family \"%s\" of access method learned contains operator %s, which is not strategy "
        "%d of the default btree order of type %s",
        validation->family, format_operator(member->amopopr), member->amopstrategy,
        format_type_be(member->amoplefttype));
  }
  if (member->amoppurpose != AMOP_SEARCH || OidIsValid(member->amopsortfamily)) {
    LEARNED_FAULT(
        validation,
        "operator family \"%s\" of access method learned contains invalid ORDER BY specification for "
        "operator %s",
        validation->family, format_operator(member->amopopr));
  }
  if (!check_amop_signature(member->amopopr, BOOLOID, member->amoplefttype, member->amoprighttype)) {
    LEARNED_FAULT(validation,
                  "operator family \"%s\" of access method learned contains operator %s with wrong signature",
                  validation->family, format_operator(member->amopopr));
  }
}

// Checks that every pair of types in the family has all its operators and its comparison function, and that
// no pair is missing. Returns whether a pair of `key_type` with itself was among them.
bool check_groups(Validation* validation, List* groups, Oid key_type) {
  bool found = false;
  int pairs = 0;
  List* types = NIL;
  ListCell* cell;
  foreach (cell, groups) {
    const auto* group = static_cast<const OpFamilyOpFuncGroup*>(lfirst(cell));
    // An in_range function may have an offset type that the family knows nothing else about, such as
    // interval.
    if (group->operatorset == 0 && group->functionset == kInRangeFunction) {
      continue;
    }
    // What keeps a type as another one does not compare the two.
    if (group->operatorset == 0 && group->functionset == kMapping) {
      continue;
    }
    // The bounds of row comparisons go with every type.
    if (group->lefttype == ANYELEMENTOID) {
      continue;
    }
    ++pairs;
    found = found || (group->lefttype == key_type && group->righttype == key_type);
    types = list_append_unique_oid(types, group->lefttype);
    types = list_append_unique_oid(types, group->righttype);
    if (group->operatorset != kAllStrategies) {
      LEARNED_FAULT(
          validation,
          "operator family \"%s\" of access method learned is missing operator(s) for types %s and %s",
          validation->family, format_type_be(group->lefttype), format_type_be(group->righttype));
    }
    if ((group->functionset & kOrderFunction) == 0) {
      LEARNED_FAULT(
          validation,
          "operator family \"%s\" of access method learned is missing support function for types %s "
          "and %s",
          validation->family, format_type_be(group->lefttype), format_type_be(group->righttype));
    }
  }
  // An incomplete family costs the planner of version 18 equivalence classes, in queries that do not even use
  // the index.
  if (pairs != list_length(types) * list_length(types)) {
    LEARNED_FAULT(validation,
                  "operator family \"%s\" of access method learned is missing cross-type operator(s)",
                  validation->family);
  }
  return found;
}

void check_family(Validation* validation, Oid family_oid, const FormData_pg_opclass* opclass) {
  CatCList* operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family_oid));
  CatCList* functions = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family_oid));
  for (int i = 0; i < functions->n_members; ++i) {
    HeapTuple tuple = &functions->members[i]->tuple;
    check_function(validation, reinterpret_cast<const FormData_pg_amproc*>(GETSTRUCT(tuple)));
  }
  for (int i = 0; i < operators->n_members; ++i) {
    HeapTuple tuple = &operators->members[i]->tuple;
    check_operator(validation, reinterpret_cast<const FormData_pg_amop*>(GETSTRUCT(tuple)));
  }
  List* groups = identify_opfamily_groups(operators, functions);
  if (!check_groups(validation, groups, opclass->opcintype)) {
    LEARNED_FAULT(validation, "operator class \"%s\" of access method learned is missing operator(s)",
                  NameStr(opclass->opcname));
  }
  ReleaseCatCacheList(functions);
  ReleaseCatCacheList(operators);
}

void check_opclass(Validation* validation, const FormData_pg_opclass* opclass) {
  if (words_of_type(opclass->opcfamily, opclass->opcintype) == 0) {
    LEARNED_FAULT(validation,
                  "operator class \"%s\" of access method learned is for type %s, which has no key code",
                  NameStr(opclass->opcname), format_type_be(opclass->opcintype));
  }
  if (OidIsValid(opclass->opckeytype) && opclass->opckeytype != opclass->opcintype) {
    LEARNED_FAULT(validation, "operator class \"%s\" of access method learned has a storage type",
                  NameStr(opclass->opcname));
  }
}

Oid method_of_family(Oid family_oid) {
  HeapTuple tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family_oid));
  if (!HeapTupleIsValid(tuple)) {
    elog(ERROR, "cache lookup failed for operator family %u", family_oid);
  }
  const Oid method = reinterpret_cast<const FormData_pg_opfamily*>(GETSTRUCT(tuple))->opfmethod;
  ReleaseSysCache(tuple);
  return method;
}

// Whether functions that are about to enter a family keep a type as another one, once, and get it back.
bool maps_type(List* functions, Oid type) {
  Oid stored = InvalidOid;
  int there = 0;
  int back = 0;
  ListCell* cell;
  foreach (cell, functions) {
    const auto* member = static_cast<const OpFamilyMember*>(lfirst(cell));
    if (member->number != kMappingFunction || member->lefttype != type) continue;
    stored = member->righttype;
    there++;
  }
  foreach (cell, functions) {
    const auto* member = static_cast<const OpFamilyMember*>(lfirst(cell));
    back +=
        member->number == kMappingFunction && member->lefttype == stored && member->righttype == type ? 1 : 0;
  }
  return there == 1 && back == 1;
}

// A function that keeps a type as another one: the only one for it in the family, and among those that are about to enter it.
void refuse_second_mapping(Oid family, List* functions, const OpFamilyMember* member) {
  if (mapped_type_of(member->lefttype, member->righttype) != member->lefttype) return;
  Oid other = InvalidOid;
  ListCell* cell;
  foreach (cell, functions) {
    const auto* one = static_cast<const OpFamilyMember*>(lfirst(cell));
    if (one->number == kMappingFunction && one->lefttype == member->lefttype &&
        one->righttype != member->righttype) {
      other = one->righttype;
    }
  }
  CatCList* rows =
      SearchSysCacheList2(AMPROCNUM, ObjectIdGetDatum(family), ObjectIdGetDatum(member->lefttype));
  for (int i = 0; i < rows->n_members; ++i) {
    const auto* row = reinterpret_cast<const FormData_pg_amproc*>(GETSTRUCT(&rows->members[i]->tuple));
    if (row->amprocnum == kMappingFunction && row->amprocrighttype != member->righttype)
      other = row->amprocrighttype;
  }
  ReleaseCatCacheList(rows);
  if (!OidIsValid(other)) return;
  ereport(
      ERROR,
      (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
       errmsg("function %s cannot be support function %d of access method \"learned\"",
              format_procedure(member->object), kMappingFunction),
       errdetail("In this operator family, values of type %s are kept as values of type %s.",
                 format_type_be(member->lefttype), format_type_be(other)),
       errhint("A type is kept as one other: leave out one of the functions, or use a family of its own.")));
}

// A class for a type that is not known, and whose family does not say how to keep it.
[[noreturn]] void refuse_class_without_mapping(Oid type) {
  const int length = get_typlen(type);
  // Here it could not say so; and a domain's columns take the class of the type below it.
  if (length <= 0 || length > kMaxKeyWidth || get_typtype(type) == TYPTYPE_DOMAIN) refuse_key_type(type);
  const char* name = format_type_be(type);
  ereport(
      ERROR,
      (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
       errmsg("access method \"learned\" does not support keys of type %s", name),
       errdetail("An operator class for it must have support function %d twice.", kMappingFunction),
       errhint("One makes a value of a supported type of each of its values, the other makes these again: "
               "FUNCTION %d (%s, bigint) to_bigint(%s), FUNCTION %d (bigint, %s) from_bigint(bigint).",
               kMappingFunction, name, name, kMappingFunction, name)));
  pg_unreachable();
}

}  // namespace

bool learned_validate(Oid opclass_oid) {
  HeapTuple opclass_tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass_oid));
  if (!HeapTupleIsValid(opclass_tuple)) {
    elog(ERROR, "cache lookup failed for operator class %u", opclass_oid);
  }
  const auto* opclass = reinterpret_cast<const FormData_pg_opclass*>(GETSTRUCT(opclass_tuple));

  HeapTuple family_tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(opclass->opcfamily));
  if (!HeapTupleIsValid(family_tuple)) {
    elog(ERROR, "cache lookup failed for operator family %u", opclass->opcfamily);
  }
  const auto* family = reinterpret_cast<const FormData_pg_opfamily*>(GETSTRUCT(family_tuple));

  Validation validation{NameStr(family->opfname), true};
  check_opclass(&validation, opclass);
  check_family(&validation, opclass->opcfamily, opclass);

  ReleaseSysCache(family_tuple);
  ReleaseSysCache(opclass_tuple);
  return validation.good;
}

// Called by CREATE OPERATOR CLASS and ALTER OPERATOR FAMILY before members enter the catalogs: the place to refuse those that
// would make indexes answer wrongly.
//
// Same-type operators, comparison functions and those that keep a type as another one belong to their operator class and live and
// die with it; cross-type ones and optional functions are loose members of the family.
void learned_adjust_members(Oid opfamily_oid, Oid opclass_oid, List* operators, List* functions) {
  Oid opclass_type = InvalidOid;
  if (OidIsValid(opclass_oid)) {
    // CREATE OPERATOR CLASS has written the class in this very command.
    CommandCounterIncrement();
    opclass_type = get_opclass_input_type(opclass_oid);
  }
  List* members = list_concat_copy(operators, functions);
  ListCell* cell;
  foreach (cell, members) {
    const auto* member = static_cast<const OpFamilyMember*>(lfirst(cell));
    refuse_member_of_other_order(
        {member->is_func, member->object, member->number, member->lefttype, member->righttype});
    if (member->is_func && member->number == kMappingFunction)
      refuse_second_mapping(opfamily_oid, functions, member);
  }
  if (OidIsValid(opclass_oid) && words_of_type(opfamily_oid, opclass_type) == 0 &&
      !maps_type(functions, opclass_type)) {
    refuse_class_without_mapping(opclass_type);
  }
  foreach (cell, members) {
    auto* member = static_cast<OpFamilyMember*>(lfirst(cell));
    const bool mapping = member->is_func && member->number == kMappingFunction;
    const bool optional = member->is_func && member->number != BTORDER_PROC && !mapping;
    const Oid type = mapping ? mapped_type_of(member->lefttype, member->righttype) : member->lefttype;
    Oid owner = InvalidOid;
    if (!optional && (mapping || member->lefttype == member->righttype)) {
      owner = type == opclass_type
                  ? opclass_oid
                  : opclass_for_family_datatype(method_of_family(opfamily_oid), opfamily_oid, type);
    }
    // A same-type member whose class does not exist has only the family to belong to, loosely as well.
    member->ref_is_hard = OidIsValid(owner);
    member->ref_is_family = !OidIsValid(owner);
    member->refobjid = OidIsValid(owner) ? owner : opfamily_oid;
  }
}

}  // namespace learned
