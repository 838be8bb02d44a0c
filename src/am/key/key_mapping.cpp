#include "am/key/key_mapping.hpp"

namespace learned {

namespace {

bool is_float(KeyKind kind) { return kind == KeyKind::float4 || kind == KeyKind::float8; }

// The operator class of a type in a family.
char* class_of(Oid family, Oid type) {
  Oid method = InvalidOid;
  HeapTuple tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family));
  if (HeapTupleIsValid(tuple)) {
    method = reinterpret_cast<const FormData_pg_opfamily*>(GETSTRUCT(tuple))->opfmethod;
    ReleaseSysCache(tuple);
  }
  char* name = nullptr;
  tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass_for_family_datatype(method, family, type)));
  if (HeapTupleIsValid(tuple)) {
    name = pstrdup(NameStr(reinterpret_cast<const FormData_pg_opclass*>(GETSTRUCT(tuple))->opcname));
    ReleaseSysCache(tuple);
  }
  return name != nullptr ? name : pstrdup("?");
}

// By-value Datums of one value may differ above its bytes.
bool same_bytes(Datum a, Datum b, bool by_value, int16 length) {
  if (!by_value) return std::memcmp(DatumGetPointer(a), DatumGetPointer(b), static_cast<Size>(length)) == 0;
  return ((a ^ b) << (64 - 8 * length)) == 0;
}

// (Names are qualified: the search path is not the user's while an index is built, from 17 on.)
constexpr char kHint[] = "Correct the functions and rebuild their indexes, or use a btree index.";

// Its comparison function.
Oid default_comparison(Oid type) { return lookup_type_cache(type, TYPECACHE_CMP_PROC)->cmp_proc; }

}  // namespace

bool find_mapping(Oid family, Oid type, MappedType* mapped) {
  *mapped = {family, type, InvalidOid, KeyKind::int8, InvalidOid, InvalidOid};
  int found = 0;
  CatCList* functions = SearchSysCacheList2(AMPROCNUM, ObjectIdGetDatum(family), ObjectIdGetDatum(type));
  for (int i = 0; i < functions->n_members; ++i) {
    const auto* row = reinterpret_cast<const FormData_pg_amproc*>(GETSTRUCT(&functions->members[i]->tuple));
    if (row->amprocnum != kMappingFunction) continue;
    found++;
    mapped->stored = row->amprocrighttype;
    mapped->to = row->amproc;
  }
  ReleaseCatCacheList(functions);
  if (found != 1 || !key_kind_of_type(mapped->stored, &mapped->kind)) return false;
  mapped->from = get_opfamily_proc(family, mapped->stored, type, kMappingFunction);
  return OidIsValid(mapped->from) && mapping_fault(mapped->to, type, mapped->stored) == nullptr &&
         mapping_fault(mapped->from, mapped->stored, type) == nullptr;
}

unsigned words_of_type(Oid family, Oid type) {
  KeyKind kind;
  if (key_kind_of_type(type, &kind)) return key_words(kind);
  MappedType mapped;
  return find_mapping(family, type, &mapped) ? kMappedWords : 0;
}

Oid mapped_type_of(Oid left, Oid right) {
  KeyKind kind;
  return key_kind_of_type(left, &kind) ? right : left;
}

const char* mapping_fault(Oid function, Oid left, Oid right) {
  KeyKind left_kind{};
  KeyKind right_kind{};
  const bool left_known = key_kind_of_type(left, &left_kind);
  if (left_known == key_kind_of_type(right, &right_kind))
    return "Of its two types, one must be supported by itself, and the other one must not.";
  // Equal values of one code each.
  if (is_float(left_known ? left_kind : right_kind))
    return psprintf("Type %s has equal values that are not the same.",
                    format_type_be_qualified(left_known ? left : right));
  if (get_typtype(mapped_type_of(left, right)) == TYPTYPE_PSEUDO) return "One of its types is a pseudo-type.";
  const int length = get_typlen(mapped_type_of(left, right));
  if (length <= 0 || length > kMaxKeyWidth)
    return psprintf("Values of type %s must have a fixed length, %d bytes at most.",
                    format_type_be_qualified(mapped_type_of(left, right)), kMaxKeyWidth);
  if (!OidIsValid(default_comparison(mapped_type_of(left, right))))
    return psprintf("Type %s has no default btree operator class.",
                    format_type_be_qualified(mapped_type_of(left, right)));
  if (!check_amproc_signature(function, right, true, 1, 1, left))
    return psprintf("It must take a value of type %s and return one of type %s.",
                    format_type_be_qualified(left), format_type_be_qualified(right));
  if (get_func_prokind(function) != PROKIND_FUNCTION || func_volatile(function) != PROVOLATILE_IMMUTABLE ||
      !func_strict(function))
    return "It must be IMMUTABLE and STRICT.";
  return nullptr;
}

void refuse_mapping(Oid family, Oid function, Oid left, Oid right) {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("access method \"learned\" does not support operator class \"%s\"",
                         class_of(family, mapped_type_of(left, right))),
                  errdetail("Its operator family has function %s as support function %d. %s",
                            format_procedure_qualified(function), kMappingFunction,
                            mapping_fault(function, left, right)),
                  errhint("%s", kHint)));
  pg_unreachable();
}

void refuse_unmapped_type(Oid family, Oid type) {
  CatCList* functions = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
  for (int i = 0; i < functions->n_members; ++i) {
    const auto* row = reinterpret_cast<const FormData_pg_amproc*>(GETSTRUCT(&functions->members[i]->tuple));
    if (row->amprocnum == kMappingFunction &&
        mapped_type_of(row->amproclefttype, row->amprocrighttype) == type &&
        mapping_fault(row->amproc, row->amproclefttype, row->amprocrighttype) != nullptr) {
      refuse_mapping(family, row->amproc, row->amproclefttype, row->amprocrighttype);
    }
  }
  refuse_key_type(type);
}

CodePair mapped_to_codes(KeyMapping* mapping, Datum value) { return mapping->to_codes(value); }

Datum mapped_from_codes(KeyMapping* mapping, CodePair codes, KeyStorage* storage) {
  return mapping->from_codes(codes, storage);
}

KeyMapping* KeyMapping::create(const MappedType& mapped, MemoryContext parent) {
  MemoryContext context = AllocSetContextCreate(parent, "learned index key mapping", ALLOCSET_SMALL_SIZES);
  return new (MemoryContextAlloc(context, sizeof(KeyMapping))) KeyMapping(mapped, context);
}

KeyMapping::KeyMapping(const MappedType& mapped, MemoryContext context)
    : mapped_(mapped),
      scratch_(AllocSetContextCreate(context, "learned index key mapping calls", ALLOCSET_SMALL_SIZES)) {
  get_typlenbyval(mapped.type, &length_, &by_value_);
  fmgr_info_cxt(mapped.to, &to_, context);
  fmgr_info_cxt(mapped.from, &from_, context);
  fmgr_info_cxt(default_comparison(mapped.type), &compare_, context);
}

Datum KeyMapping::call(FmgrInfo* function, Datum value) {
  LOCAL_FCINFO(arguments, 1);
  InitFunctionCallInfoData(*arguments, function, 1, InvalidOid, nullptr, nullptr);
  arguments->args[0].value = value;
  arguments->args[0].isnull = false;
  const Datum result = FunctionCallInvoke(arguments);
  if (arguments->isnull) {
    refuse(psprintf("Its support function %s returned NULL for a value.",
                    format_procedure_qualified(function->fn_oid)));
  }
  return result;
}

Datum KeyMapping::stored_of(CodePair codes, KeyStorage* storage) const {
  const KeyType type{mapped_.kind, nullptr};
  if (key_words(mapped_.kind) == 1) return code_to_datum(type, codes.first, storage);
  const Code both[2] = {codes.first, codes.second};
  return codes_to_datum(type, both, storage);
}

// In scratch_.
CodePair KeyMapping::map(Datum value) {
  const Datum stored = call(&to_, value);
  const KeyType type{mapped_.kind, nullptr};
  CodePair codes{0, 0};
  if (key_words(mapped_.kind) > 1) {
    Code both[2];
    datum_to_codes(type, stored, both);
    codes = {both[0], both[1]};
  } else {
    codes.first = datum_to_code(type, stored);
  }
  // From the codes, as they are what is kept.
  KeyStorage storage;
  if (!same_bytes(value, call(&from_, stored_of(codes, &storage)), by_value_, length_)) {
    refuse(psprintf("Of a value of type %s, its support functions %s and then %s make another one.",
                    format_type_be_qualified(mapped_.type), format_procedure_qualified(mapped_.to),
                    format_procedure_qualified(mapped_.from)));
  }
  return codes;
}

CodePair KeyMapping::to_codes(Datum value) {
  MemoryContext old_context = MemoryContextSwitchTo(scratch_);
  const CodePair codes = map(value);
  MemoryContextSwitchTo(old_context);
  MemoryContextReset(scratch_);
  Mapped mapped{};
  keep(&mapped, value, codes);
  if (any_) check_order(last_, mapped);
  last_ = mapped;
  any_ = true;
  return codes;
}

void KeyMapping::keep(Mapped* mapped, Datum value, CodePair codes) const {
  mapped->codes = codes;
  mapped->value = copy(value, &mapped->bytes);
}

// (They are moved about.)
Datum KeyMapping::value_of(const Mapped& mapped) const {
  return by_value_ ? mapped.value : PointerGetDatum(const_cast<unsigned char*>(mapped.bytes.bytes));
}

void KeyMapping::check_order(const Mapped& a, const Mapped& b) {
  MemoryContext old_context = MemoryContextSwitchTo(scratch_);
  const int32 order = DatumGetInt32(FunctionCall2Coll(&compare_, InvalidOid, value_of(a), value_of(b)));
  if ((order < 0) != (a.codes < b.codes) || (order > 0) != (a.codes > b.codes)) {
    refuse(psprintf("Its support function %s does not keep the default btree order of type %s.",
                    format_procedure_qualified(mapped_.to), format_type_be_qualified(mapped_.type)));
  }
  MemoryContextSwitchTo(old_context);
  MemoryContextReset(scratch_);
}

void KeyMapping::check_codes(CodePair codes) {
  if (any_ && codes == last_.codes) return;
  KeyStorage storage;
  const Datum value = from_codes(codes, &storage);
  if (to_codes(value) != codes) {
    refuse(psprintf("Its support function %s does not give again what it gave for a value in the index.",
                    format_procedure_qualified(mapped_.to)));
  }
}

Datum KeyMapping::copy(Datum value, KeyStorage* storage) const {
  if (by_value_) return value;
  std::memcpy(storage->bytes, DatumGetPointer(value), width());
  return PointerGetDatum(storage->bytes);
}

Datum KeyMapping::from_codes(CodePair codes, KeyStorage* storage) {
  MemoryContext old_context = MemoryContextSwitchTo(scratch_);
  KeyStorage stored;
  const Datum value = copy(call(&from_, stored_of(codes, &stored)), storage);
  MemoryContextSwitchTo(old_context);
  MemoryContextReset(scratch_);
  return value;
}

void KeyMapping::store_attribute(CodePair codes, char* attribute) {
  KeyStorage storage;
  const Datum value = from_codes(codes, &storage);
  // (By value it is 1, 2, 4 or 8 bytes.)
  if (by_value_) {
    store_att_byval(attribute, value, length_);
  } else {
    std::memcpy(attribute, storage.bytes, width());
  }
}

void KeyMapping::refuse(const char* detail) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                  errmsg("access method \"learned\" does not support operator class \"%s\"",
                         class_of(mapped_.family, mapped_.type)),
                  errdetail_internal("%s", detail), errhint("%s", kHint)));
  pg_unreachable();
}

}  // namespace learned
