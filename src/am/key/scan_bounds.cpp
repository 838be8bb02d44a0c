#include "am/key/scan_bounds.hpp"

#include "am/key/row_bound.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

// A position between codes: just before `code`, or after the last one.
template <class C>
struct Cut {
  C code;
  bool end;
};

template <class C>
constexpr Cut<C> kFirst{C{}, false};
template <class C>
constexpr Cut<C> kEnd{C{}, true};

// Where a constant falls among the keys of the column.
template <class C>
struct Place {
  Cut<C> lower;  // before the first key >= constant
  Cut<C> upper;  // before the first key > constant
  Code slack;    // how far off both may be; not 0 means that the result needs a recheck
};

// The codes that a search may ask the comparison function about. It raises an error for dates and timestamps
// outside their range, so gaps between the extremes and the infinities are left out; no key lies there.
struct SearchDomain {
  CodeRange finite;
  bool infinities;
  Code minus_infinity;
  Code plus_infinity;
};

SearchDomain search_domain(KeyKind kind) {
  switch (kind) {
    case KeyKind::date:
      return {{code_from_int(DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE),
               code_from_int(DATE_END_JULIAN - POSTGRES_EPOCH_JDATE - 1)},
              true,
              code_from_int(DATEVAL_NOBEGIN),
              code_from_int(DATEVAL_NOEND)};
    case KeyKind::timestamp:
    case KeyKind::timestamptz:
      return {{code_from_int(MIN_TIMESTAMP), code_from_int(END_TIMESTAMP - 1)},
              true,
              code_from_int(DT_NOBEGIN),
              code_from_int(DT_NOEND)};
    case KeyKind::time:
      return {{code_from_int(0), code_from_int(USECS_PER_DAY)}, false, 0, 0};
    default:
      return {code_domain(kind), false, 0, 0};
  }
}

// The first code of the domain for which a monotone predicate holds.
template <class Predicate>
Cut<Code> first_where(const SearchDomain& domain, Predicate holds) {
  if (domain.infinities && holds(domain.minus_infinity)) {
    return kFirst<Code>;
  }
  Code lo = domain.finite.lo;
  Code hi = domain.finite.hi;
  if (!holds(hi)) {
    if (domain.infinities && holds(domain.plus_infinity)) {
      return {domain.plus_infinity, false};
    }
    return kEnd<Code>;
  }
  while (lo < hi) {
    const Code middle = lo + (hi - lo) / 2;
    if (holds(middle)) {
      hi = middle;
    } else {
      lo = middle + 1;
    }
  }
  return {lo, false};
}

// The family's comparison of a column key with a constant of type `subtype`, looked up once per scan.
FmgrInfo* foreign_comparison(ScanBounds* bounds, Oid subtype) {
  for (ForeignComparison& slot : bounds->foreign) {
    if (slot.subtype == subtype) {
      return &slot.compare;
    }
    if (!OidIsValid(slot.subtype)) {
      const Oid function = get_opfamily_proc(bounds->opfamily, bounds->column_type, subtype, BTORDER_PROC);
      if (!OidIsValid(function)) {
        elog(ERROR, "missing support function %d(%u,%u) in operator family %u", BTORDER_PROC,
             bounds->column_type, subtype, bounds->opfamily);
      }
      fmgr_info_cxt(function, &slot.compare, bounds->context);
      slot.subtype = subtype;
      return &slot.compare;
    }
  }
  // The shipped families have three types at most.
  elog(ERROR, "too many different types in the conditions on one index column");
}

// How far, in seconds, a local time near `instant` may be from where a search has found it.
//
// A timestamp is compared with a timestamptz after a conversion with the session's time zone, and that
// conversion is not monotone: when clocks go forward by an hour at 02:00, the local times 02:00-02:59, which
// do not exist, become the same instants as 03:00-03:59. A search then ends at either of two places, at most
// the jump apart. We admit both and have the executor recheck, so that the answer is that of a sequential
// scan.
int64 local_time_slack(TimestampTz instant) {
  constexpr pg_time_t kWindow = 2 * SECS_PER_DAY;  // no offset, and no jump, is longer
  constexpr int64 kUnknown = 2 * SECS_PER_DAY;
  if (TIMESTAMP_NOT_FINITE(instant)) {
    return 0;
  }
  const pg_time_t center = timestamptz_to_time_t(instant);
  pg_time_t from = center - kWindow;
  int64 slack = 0;
  for (int transitions = 0; transitions < 16; ++transitions) {
    long int offset_before = 0;
    long int offset_after = 0;
    int dst_before = 0;
    int dst_after = 0;
    pg_time_t boundary = 0;
    const int found = pg_next_dst_boundary(&from, &offset_before, &dst_before, &boundary, &offset_after,
                                           &dst_after, session_timezone);
    if (found < 0) {
      return kUnknown;
    }
    if (found == 0 || boundary > center + kWindow) {
      return slack;
    }
    slack += std::abs(static_cast<int64>(offset_after) - static_cast<int64>(offset_before));
    from = boundary;
  }
  return kUnknown;
}

Code slack_of(KeyKind kind, Oid subtype, Datum constant) {
  if (subtype != TIMESTAMPTZOID || (kind != KeyKind::timestamp && kind != KeyKind::date)) {
    return 0;
  }
  const int64 seconds = local_time_slack(DatumGetTimestampTz(constant));
  if (kind == KeyKind::timestamp) {
    return static_cast<Code>(seconds) * USECS_PER_SEC;
  }
  // Midnights are a day apart: a jump of a day (a country that changes sides of the date line) makes two of
  // them the same instant, which is still in order.
  return seconds <= SECS_PER_DAY ? 0 : static_cast<Code>(seconds / SECS_PER_DAY + 1);
}

Place<Code> search_place(ScanBounds* bounds, Oid subtype, Datum constant) {
  FmgrInfo* function = foreign_comparison(bounds, subtype);
  const KeyType key = bounds->key;
  const Oid collation = bounds->collation;
  const auto compare = [function, key, collation, constant](Code code) {
    KeyStorage storage;
    return DatumGetInt32(
        FunctionCall2Coll(function, collation, code_to_datum(key, code, &storage), constant));
  };
  const SearchDomain domain = search_domain(key.kind);
  const Cut<Code> lower = first_where(domain, [&compare](Code code) { return compare(code) >= 0; });
  const Cut<Code> upper = first_where(domain, [&compare](Code code) { return compare(code) > 0; });
  return {lower, upper, slack_of(key.kind, subtype, constant)};
}

// The code of a constant of another type, where a conversion gives it exactly. False leads to a search.
bool convert_foreign(KeyKind kind, Oid subtype, Datum constant, Code* code) {
  bool sound;
  int64 converted;
  switch (kind) {
    case KeyKind::int2:
    case KeyKind::int4:
    case KeyKind::int8:
      // One code for all widths. It may lie outside the column's domain, where no key is: the right answer.
      switch (subtype) {
        case INT2OID:
          *code = code_from_int(DatumGetInt16(constant));
          return true;
        case INT4OID:
          *code = code_from_int(DatumGetInt32(constant));
          return true;
        case INT8OID:
          *code = code_from_int(DatumGetInt64(constant));
          return true;
        default:
          return false;
      }
    case KeyKind::float8:
      if (subtype != FLOAT4OID) {
        return false;
      }
      *code = code_from_float8(static_cast<double>(DatumGetFloat4(constant)));
      return true;
    case KeyKind::timestamp:
      if (subtype != DATEOID) {
        return false;
      }
      sound = compat::date_to_timestamp(DatumGetDateADT(constant), &converted);
      *code = code_from_int(converted);
      return sound;
    case KeyKind::timestamptz:
      // Here the constant is converted, once, not the column's keys: the order of those stays what it is.
      if (subtype == DATEOID) {
        sound = compat::date_to_timestamptz(DatumGetDateADT(constant), &converted);
      } else if (subtype == TIMESTAMPOID) {
        sound = compat::timestamp_to_timestamptz(DatumGetTimestamp(constant), &converted);
      } else {
        return false;
      }
      *code = code_from_int(converted);
      return sound;
    default:
      return false;
  }
}

// A cut outside the domain of the keys becomes the nearest end, so that impossible conditions give no range.
Cut<Code> clamp_cut(CodeRange domain, Code code) {
  if (code > domain.hi) {
    return kEnd<Code>;
  }
  return code <= domain.lo ? kFirst<Code> : Cut<Code>{code, false};
}

// The code of a constant of the column's own type.
Code own_code(const ScanBounds* bounds, Datum constant) { return datum_to_code(bounds->key, constant); }
CodePair own_code(const BasicScanBounds<CodePair>* bounds, Datum constant) {
  Code codes[2];
  datum_to_codes(bounds->key, constant, codes);
  return {codes[0], codes[1]};
}
// The codes of all values that are equal to one.
CodeRange equal_to(KeyKind kind, Code code) { return equal_codes(kind, code); }
BasicCodeRange<CodePair> equal_to(KeyKind, const CodePair& code) { return {code, code}; }

Place<CodePair> place_constant(BasicScanBounds<CodePair>* bounds, Oid subtype, Datum constant) {
  if (subtype != bounds->column_type && OidIsValid(subtype)) {
    elog(ERROR, "unexpected type %u in a condition on an index column of type %u", subtype,
         bounds->column_type);
  }
  const CodePair code = own_code(bounds, constant);
  return {{code, false},
          code == kLastCode<CodePair> ? kEnd<CodePair> : Cut<CodePair>{code_after(code), false},
          0};
}

Place<Code> place_constant(ScanBounds* bounds, Oid subtype, Datum constant) {
  const KeyKind kind = bounds->key.kind;
  Code code;
  if (subtype == bounds->column_type || !OidIsValid(subtype)) {
    code = own_code(bounds, constant);
  } else if (!convert_foreign(kind, subtype, constant, &code)) {
    return search_place(bounds, subtype, constant);
  }
  const CodeRange equal = equal_codes(kind, code);
  const CodeRange domain = code_domain(kind);
  return {clamp_cut(domain, equal.lo), equal.hi == kMaxCode ? kEnd<Code> : clamp_cut(domain, equal.hi + 1),
          0};
}

Cut<Code> move_left(Cut<Code> cut, Code distance) {
  if (cut.end) {
    return {kMaxCode - distance, false};
  }
  return {cut.code > distance ? cut.code - distance : 0, false};
}

Cut<Code> move_right(Cut<Code> cut, Code distance) {
  return cut.end || cut.code > kMaxCode - distance ? kEnd<Code> : Cut<Code>{cut.code + distance, false};
}

// The codes between two cuts; false when there are none.
template <class C>
bool range_between(Cut<C> from, Cut<C> to, BasicCodeRange<C>* range) {
  if (from.end || (!to.end && to.code <= from.code)) {
    return false;
  }
  *range = {from.code, to.end ? kLastCode<C> : code_before(to.code)};
  return true;
}

// What a column is compared with, and how.
struct Comparison {
  StrategyNumber strategy;
  Oid subtype;
};

// The codes that satisfy `key <strategy> constant`; false when there are none.
template <class C>
bool range_of_comparison(BasicScanBounds<C>* bounds, Comparison comparison, Datum constant,
                         BasicCodeRange<C>* range) {
  if constexpr (std::is_same_v<C, CodePair>) {
    if (bounds->key.mapping != nullptr && comparison.subtype != bounds->column_type &&
        OidIsValid(comparison.subtype)) {
      bounds->recheck = true;
      *range = {C{}, kLastCode<C>};
      return true;
    }
  }
  const Place<C> place = place_constant(bounds, comparison.subtype, constant);
  Cut<C> from = kFirst<C>;
  Cut<C> to = kEnd<C>;
  switch (comparison.strategy) {
    case BTLessStrategyNumber:
      to = place.lower;
      break;
    case BTLessEqualStrategyNumber:
      to = place.upper;
      break;
    case BTEqualStrategyNumber:
      from = place.lower;
      to = place.upper;
      break;
    case BTGreaterEqualStrategyNumber:
      from = place.lower;
      break;
    case BTGreaterStrategyNumber:
      from = place.upper;
      break;
    default:
      elog(ERROR, "unrecognized strategy number: %d", comparison.strategy);
  }
  if constexpr (std::is_same_v<C, Code>) {
    if (place.slack > 0) {
      bounds->recheck = true;
      from = move_left(from, place.slack);
      to = move_right(to, place.slack);
    }
  }
  return range_between(from, to, range);
}

// The context to take arrays and rows apart in.
template <class C>
MemoryContext array_context_of(BasicScanBounds<C>* bounds) {
  if (bounds->array_context == nullptr) {
    bounds->array_context =
        AllocSetContextCreate(bounds->context, "learned index scan array", ALLOCSET_DEFAULT_SIZES);
  }
  return bounds->array_context;
}

bool is_row_bound(StrategyNumber strategy) { return strategy == kAtOrBehind || strategy == kAtOrBefore; }

// The same for any strategy of ours: the bound of a row is one for its first field.
template <class C>
bool range_of_condition(BasicScanBounds<C>* bounds, const ScanKeyData& scan_key, Datum constant,
                        BasicCodeRange<C>* range) {
  if (!is_row_bound(scan_key.sk_strategy)) [[likely]] {
    return range_of_comparison(bounds, {scan_key.sk_strategy, scan_key.sk_subtype}, constant, range);
  }
  MemoryContext old_context = MemoryContextSwitchTo(array_context_of(bounds));
  Datum field;
  bool isnull;
  Oid type;
  const int fields = deform_row(constant, 1, &field, &isnull, &type);
  MemoryContextSwitchTo(old_context);
  return fields > 0 && !isnull &&
         range_of_comparison(bounds, {first_field_strategy(scan_key.sk_strategy), getBaseType(type)}, field,
                             range);
}

// Makes room for `count` ranges; the contents are lost.
template <class C>
BasicCodeRange<C>* reserve(BasicScanBounds<C>* bounds, RangeBuffer<C>* buffer, size_t count) {
  if (buffer->capacity < count) {
    const size_t capacity = std::max({count, 2 * buffer->capacity, size_t{16}});
    if (buffer->data != nullptr) {
      pfree(buffer->data);
      *buffer = {nullptr, 0};  // not left dangling if the next line raises an error
    }
    buffer->data = static_cast<BasicCodeRange<C>*>(
        MemoryContextAllocHuge(bounds->context, capacity * sizeof(BasicCodeRange<C>)));
    buffer->capacity = capacity;
  }
  return buffer->data;
}

// Fills bounds->operand with the codes that satisfy `key <strategy> ANY (array)`. Returns the number of
// ranges.
template <class C>
size_t ranges_of_array(BasicScanBounds<C>* bounds, const ScanKeyData& scan_key) {
  MemoryContextReset(array_context_of(bounds));
  MemoryContext old_context = MemoryContextSwitchTo(bounds->array_context);
  ArrayType* array = DatumGetArrayTypeP(scan_key.sk_argument);
  int16 element_length;
  bool element_by_value;
  char element_align;
  get_typlenbyvalalign(ARR_ELEMTYPE(array), &element_length, &element_by_value, &element_align);
  Datum* elements;
  bool* nulls;
  int element_count;
  deconstruct_array(array, ARR_ELEMTYPE(array), element_length, element_by_value, element_align, &elements,
                    &nulls, &element_count);
  MemoryContextSwitchTo(old_context);

  BasicCodeRange<C>* ranges = reserve(bounds, &bounds->operand, static_cast<size_t>(element_count));
  size_t count = 0;
  bool any = false;
  for (int i = 0; i < element_count; ++i) {
    // `key = NULL` is not true, so it adds nothing to an OR.
    if (nulls[i]) {
      continue;
    }
    any = true;
    if (range_of_condition(bounds, scan_key, elements[i], &ranges[count])) {
      ++count;
    }
  }
  if (!any) {
    bounds->emptiness = Emptiness::no_element;
  }
  MemoryContextReset(bounds->array_context);
  return normalize_ranges<C>({ranges, count});
}

// The conjunction so far: bounds->single, or bounds->current once an array has made it many.
template <class C>
struct Conjunction {
  BasicCodeRange<C>* ranges;
  size_t count;
};

// False: nothing satisfies this condition, whatever the others.
template <class C>
bool and_array(BasicScanBounds<C>* bounds, const ScanKeyData& scan_key, Conjunction<C>* result) {
  const size_t count = ranges_of_array(bounds, scan_key);
  if (count == 0 || result->count == 0) {
    result->count = 0;
    return count > 0;
  }
  RangeBuffer<C>* target = &bounds->operand;
  if (result->ranges == &bounds->single) {
    result->count = clip_ranges<C>({target->data, count}, bounds->single);
  } else {
    target = &bounds->scratch;
    const size_t room = result->count + count;
    BasicCodeRange<C>* out = reserve(bounds, target, room);
    result->count =
        intersect_ranges<C>({result->ranges, result->count}, {bounds->operand.data, count}, {out, room});
  }
  std::swap(bounds->current, *target);
  result->ranges = bounds->current.data;
  return true;
}

template <class C>
void publish(BasicScanBounds<C>* bounds, const BasicCodeRange<C>* ranges, size_t count) {
  bounds->ranges = ranges;
  bounds->range_count = count;
  bounds->want_keys = count > 0;
}

// Any number and kind of keys.
template <class C>
void set_general(BasicScanBounds<C>* bounds, const ScanKeyData* keys, int nkeys) {
  bool only_nulls = false;  // a key says IS NULL
  bool no_nulls = false;    // a key says IS NOT NULL, or compares
  bool equal = false;       // a key says =
  bool possible = true;     // there are values for each key by itself
  bounds->single = {C{}, kLastCode<C>};
  bounds->emptiness = Emptiness::values;
  Conjunction<C> result{&bounds->single, 1};
  for (int i = 0; i < nkeys; ++i) {
    const ScanKeyData& scan_key = keys[i];
    if (scan_key.sk_attno != bounds->column) continue;
    if ((scan_key.sk_flags & SK_SEARCHNULL) != 0) {
      only_nulls = true;
      continue;
    }
    no_nulls = true;
    if ((scan_key.sk_flags & SK_SEARCHNOTNULL) != 0) {
      continue;
    }
    if ((scan_key.sk_flags & SK_ROW_HEADER) != 0) {
      // The planner's are made plain comparisons (row_comparisons.cpp).
      elog(ERROR, "unexpected row comparison among the scan keys of a learned index");
    }
    equal = equal || scan_key.sk_strategy == BTEqualStrategyNumber;
    const bool array = (scan_key.sk_flags & SK_SEARCHARRAY) != 0;
    if ((scan_key.sk_flags & SK_ISNULL) != 0) {
      result.count = 0;
      bounds->emptiness =
          std::max(bounds->emptiness, array ? Emptiness::no_element : Emptiness::contradiction);
    } else if (array) {
      possible = and_array(bounds, scan_key, &result) && possible;
    } else {
      BasicCodeRange<C> range;
      if (range_of_condition(bounds, scan_key, scan_key.sk_argument, &range)) {
        result.count = clip_ranges<C>({result.ranges, result.count}, range);
      } else {
        result.count = 0;
        possible = false;
      }
      if (is_row_bound(scan_key.sk_strategy)) MemoryContextReset(bounds->array_context);
    }
  }
  // nbtree does not compare < with >; but with =, each of the others.
  if ((only_nulls && no_nulls) || (result.count == 0 && possible && equal)) {
    bounds->emptiness = std::max(bounds->emptiness, Emptiness::contradiction);
  }
  publish(bounds, result.ranges, only_nulls ? 0 : result.count);
  bounds->want_nulls = !no_nulls;
}

}  // namespace

template <class C>
void bounds_init(BasicScanBounds<C>* bounds, Relation index, unsigned column, KeyType type,
                 MemoryContext context) {
  *bounds = BasicScanBounds<C>{};
  bounds->column = static_cast<AttrNumber>(column + 1);
  bounds->column_type = index->rd_opcintype[column];
  bounds->key = type;
  bounds->opfamily = index->rd_opfamily[column];
  bounds->collation = index->rd_indcollation[column];
  bounds->context = context;
}

template <class C>
void bounds_set(BasicScanBounds<C>* bounds, const ScanKeyData* keys, int nkeys) {
  bounds->recheck = false;
  if (nkeys == 1 && is_plain_equality(keys[0], bounds->column_type)) {
    bounds->single = equal_to(bounds->key.kind, own_code(bounds, keys[0].sk_argument));
    bounds->want_nulls = false;
    publish(bounds, &bounds->single, 1);
    return;
  }
  set_general(bounds, keys, nkeys);
}

template <class C>
bool bounds_of_comparison(BasicScanBounds<C>* bounds, StrategyNumber strategy, Oid subtype, Datum constant,
                          BasicCodeRange<C>* range, bool* recheck) {
  const bool before = bounds->recheck;
  bounds->recheck = false;
  const bool found = range_of_comparison(bounds, {strategy, subtype}, constant, range);
  *recheck = *recheck || bounds->recheck;
  bounds->recheck = before;
  return found;
}

#define LEARNED_SCAN_BOUNDS(C)                                                                               \
  template void bounds_init<C>(BasicScanBounds<C>*, Relation, unsigned, KeyType, MemoryContext);             \
  template void bounds_set<C>(BasicScanBounds<C>*, const ScanKeyData*, int);                                 \
  template bool bounds_of_comparison<C>(BasicScanBounds<C>*, StrategyNumber, Oid, Datum, BasicCodeRange<C>*, \
                                        bool*);
LEARNED_SCAN_BOUNDS(Code)
LEARNED_SCAN_BOUNDS(CodePair)
#undef LEARNED_SCAN_BOUNDS

}  // namespace learned
