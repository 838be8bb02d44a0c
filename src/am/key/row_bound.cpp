#include "am/key/row_bound.hpp"

LEARNED_SQL_FUNCTION(learned_at_or_behind);
LEARNED_SQL_FUNCTION(learned_at_or_before);

namespace learned {

namespace {

// How a value compares with the first field of a row. False: with nothing, or with NULL.
bool compare_with_first_field(FunctionCallInfo call, int32* result) {
  Datum field;
  bool isnull;
  Oid type;
  if (deform_row(call->args[1].value, 1, &field, &isnull, &type) == 0 || isnull) return false;
  const Oid argument_type = get_fn_expr_argtype(call->flinfo, 0);
  if (!OidIsValid(argument_type)) {
    ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE), errmsg("could not determine input data type")));
  }
  const Oid value_type = getBaseType(argument_type);
  const Oid family = lookup_type_cache(value_type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
  const Oid function = OidIsValid(family)
                           ? get_opfamily_proc(family, value_type, getBaseType(type), BTORDER_PROC)
                           : InvalidOid;
  if (!OidIsValid(function)) {
    ereport(ERROR,
            (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("could not compare values of types %s and %s",
                                                        format_type_be(value_type), format_type_be(type))));
  }
  *result = DatumGetInt32(OidFunctionCall2Coll(function, InvalidOid, call->args[0].value, field));
  return true;
}

}  // namespace

bool is_row_bound_operator(Oid operation, int strategy) {
  const Oid function = get_opcode(operation);
  if (!OidIsValid(function)) return false;
  FmgrInfo info;
  fmgr_info(function, &info);
  return info.fn_addr == (strategy == kAtOrBehind ? learned_at_or_behind : learned_at_or_before);
}

int deform_row(Datum row, int most, Datum* values, bool* isnull, Oid* types) {
  HeapTupleHeader header = DatumGetHeapTupleHeader(row);
  TupleDesc descriptor =
      lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
  HeapTupleData tuple;
  tuple.t_len = HeapTupleHeaderGetDatumLength(header);
  ItemPointerSetInvalid(&tuple.t_self);
  tuple.t_tableOid = InvalidOid;
  tuple.t_data = header;
  const int count = std::min(descriptor->natts, most);
  for (int i = 0; i < count; i++) {
    values[i] = heap_getattr(&tuple, i + 1, descriptor, &isnull[i]);
    types[i] = TupleDescAttr(descriptor, i)->atttypid;
  }
  ReleaseTupleDesc(descriptor);
  return count;
}

}  // namespace learned

extern "C" Datum learned_at_or_behind(PG_FUNCTION_ARGS) {
  int32 result;
  if (!learned::compare_with_first_field(fcinfo, &result)) PG_RETURN_NULL();
  PG_RETURN_BOOL(result >= 0);
}

extern "C" Datum learned_at_or_before(PG_FUNCTION_ARGS) {
  int32 result;
  if (!learned::compare_with_first_field(fcinfo, &result)) PG_RETURN_NULL();
  PG_RETURN_BOOL(result <= 0);
}
