#include "am/plan/monotone.hpp"

#include "am/plan/path_parts.hpp"
#include "am/server/datetime.hpp"

namespace learned {

namespace {

// A function that is monotone in one of its arguments, if the others are constants.
struct MonotoneFunction {
  Oid function;
  int operand;
  bool zoned;
};

constexpr MonotoneFunction kFunctions[] = {
    {F_DATE_TRUNC_TEXT_TIMESTAMP, 1, false},
    {F_DATE_TRUNC_TEXT_TIMESTAMPTZ, 1, true},
    {F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP, 1, false},
    {F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ, 1, false},
    {F_WIDTH_BUCKET_FLOAT8_FLOAT8_FLOAT8_INT4, 0, false},
    {F_INT2DIV, 0, false},
    {F_INT4DIV, 0, false},
    {F_INT8DIV, 0, false},
    {F_INT24DIV, 0, false},
    {F_INT42DIV, 0, false},
    {F_INT28DIV, 0, false},
    {F_INT82DIV, 0, false},
    {F_INT48DIV, 0, false},
    {F_INT84DIV, 0, false},
    {F_DATE_TIMESTAMP, 0, false},
    {F_DATE_TIMESTAMPTZ, 0, true},
    {F_TIMESTAMP_DATE, 0, false},
    {F_TIMESTAMPTZ_DATE, 0, true},
    {F_INT8_INT4, 0, false},
    {F_INT8_INT2, 0, false},
    {F_INT4_INT2, 0, false},
    {F_FLOAT8_INT2, 0, false},
    {F_FLOAT8_INT4, 0, false},
    {F_FLOAT8_INT8, 0, false},
};

bool is_division(Oid function) {
  switch (function) {
    case F_INT2DIV:
    case F_INT4DIV:
    case F_INT8DIV:
    case F_INT24DIV:
    case F_INT42DIV:
    case F_INT28DIV:
    case F_INT82DIV:
    case F_INT48DIV:
    case F_INT84DIV:
      return true;
    default:
      return false;
  }
}

// Of an integer's type.
int64 integer_of(const Const* constant) {
  switch (constant->consttype) {
    case INT2OID:
      return DatumGetInt16(constant->constvalue);
    case INT4OID:
      return DatumGetInt32(constant->constvalue);
    default:
      return DatumGetInt64(constant->constvalue);
  }
}

constexpr double kDay = static_cast<double>(USECS_PER_DAY);

// What date_trunc() rounds to, in microseconds; 0: no unit of its.
double width_of_unit(const Const* unit) {
  int value;
  const char* name = TextDatumGetCString(unit->constvalue);
  char* low = downcase_truncate_identifier(name, static_cast<int>(std::strlen(name)), false);
  if (DecodeUnits(0, low, &value) != UNITS) return 0.0;
  switch (value) {
    case DTK_MICROSEC:
      return 1.0;
    case DTK_MILLISEC:
      return 1000.0;
    case DTK_SECOND:
      return static_cast<double>(USECS_PER_SEC);
    case DTK_MINUTE:
      return static_cast<double>(USECS_PER_MINUTE);
    case DTK_HOUR:
      return static_cast<double>(USECS_PER_HOUR);
    case DTK_DAY:
      return kDay;
    case DTK_WEEK:
      return 7 * kDay;
    case DTK_MONTH:
      return DAYS_PER_MONTH * kDay;
    case DTK_QUARTER:
      return 3 * DAYS_PER_MONTH * kDay;
    case DTK_YEAR:
      return DAYS_PER_YEAR * kDay;
    case DTK_DECADE:
      return 10 * DAYS_PER_YEAR * kDay;
    case DTK_CENTURY:
      return 100 * DAYS_PER_YEAR * kDay;
    case DTK_MILLENNIUM:
      return 1000 * DAYS_PER_YEAR * kDay;
    default:
      return 0.0;
  }
}

double width_of_interval(const Const* stride) {
  const Interval* interval = DatumGetIntervalP(stride->constvalue);
  return static_cast<double>(interval->time) + interval->day * kDay;
}

double float_of(const List* args, int a) {
  return DatumGetFloat8(static_cast<const Const*>(list_nth(args, a))->constvalue);
}

// Borders are found by asking for values of keys that no row has, or none that is seen, so a call must not fail that would not fail for rows: its
// constants are those that it takes, and what is left to fail is at the ends of what there is of times (am/count/bucket.cpp leaves these out).
bool takes_constants(Oid function, const List* args) {
  const auto* first = static_cast<const Const*>(linitial(args));
  switch (function) {
    case F_DATE_TRUNC_TEXT_TIMESTAMP:
    case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
      return width_of_unit(first) > 0.0;
    case F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP:
    case F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ: {
      const Interval* stride = DatumGetIntervalP(first->constvalue);
      const int64 origin = DatumGetInt64(static_cast<const Const*>(lthird(args))->constvalue);
      return stride->month == 0 && stride->day < kMostReach && width_of_interval(first) >= 1.0 &&
             origin >= MIN_TIMESTAMP && origin <= PG_INT64_MAX + MIN_TIMESTAMP;
    }
    case F_WIDTH_BUCKET_FLOAT8_FLOAT8_FLOAT8_INT4: {
      // (Beyond the upper bound is one bucket more.)
      const int32 count = DatumGetInt32(static_cast<const Const*>(lfourth(args))->constvalue);
      return count > 0 && count < PG_INT32_MAX && std::isfinite(float_of(args, 1)) &&
             std::isfinite(float_of(args, 2)) && float_of(args, 1) != float_of(args, 2);
    }
    default:
      return true;
  }
}

// How far a call's result lies below its argument at most, in days.
double reach_of_call(Oid function, const List* args) {
  switch (function) {
    case F_DATE_TRUNC_TEXT_TIMESTAMP:
    case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
      return width_of_unit(static_cast<const Const*>(linitial(args))) / kDay * 1.1 + 2.0;
    case F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP:
    case F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ:
      return width_of_interval(static_cast<const Const*>(linitial(args))) / kDay + 1.0;
    default:
      return 2.0;
  }
}

// The operand of a call. nullptr: it is not known to be monotone.
const Node* operand_of(Oid function, const List* args, bool* zoned) {
  for (const MonotoneFunction& known : kFunctions) {
    if (known.function != function) continue;
    for (int a = 0; a < list_length(args); a++) {
      if (a == known.operand) continue;
      const auto* constant = static_cast<const Const*>(list_nth(args, a));
      if (!IsA(constant, Const) || constant->constisnull) return nullptr;
      // A negative divisor turns the order round (and -1 may overflow).
      if (is_division(function) && integer_of(constant) <= 0) return nullptr;
    }
    if (!takes_constants(function, args)) return nullptr;
    *zoned = *zoned || known.zoned;
    return static_cast<const Node*>(list_nth(args, known.operand));
  }
  return nullptr;
}

// Of the operand of a call whose result is `width` wide (0: any difference counts).
double width_of_call(Oid function, const List* args, double width) {
  const auto* first = static_cast<const Const*>(linitial(args));
  switch (function) {
    case F_DATE_TRUNC_TEXT_TIMESTAMP:
    case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
      return std::max(width, width_of_unit(first));
    case F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP:
    case F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ:
      return std::max(width, width_of_interval(first));
    case F_DATE_TIMESTAMP:
    case F_DATE_TIMESTAMPTZ:
      return std::max(width, 1.0) * kDay;
    case F_TIMESTAMP_DATE:
    case F_TIMESTAMPTZ_DATE:
      return width / kDay;
    case F_WIDTH_BUCKET_FLOAT8_FLOAT8_FLOAT8_INT4: {
      const int32 count = DatumGetInt32(static_cast<const Const*>(list_nth(args, 3))->constvalue);
      return std::abs(float_of(args, 2) - float_of(args, 1)) / std::max(count, 1) * std::max(width, 1.0);
    }
    default:
      if (!is_division(function)) return width;
      return static_cast<double>(integer_of(static_cast<const Const*>(lsecond(args)))) * std::max(width, 1.0);
  }
}

struct Call {
  Oid function;
  List* args;  // nullptr: it is none
};

Call call_of(const Node* expr) {
  if (IsA(expr, FuncExpr)) {
    const auto* call = reinterpret_cast<const FuncExpr*>(expr);
    return {call->funcid, call->args};
  }
  if (IsA(expr, OpExpr)) {
    const auto* operation = reinterpret_cast<const OpExpr*>(expr);
    return {get_opcode(operation->opno), operation->args};
  }
  return {InvalidOid, nullptr};
}

// Types of values that are compared bit by bit.
bool is_plain_type(Oid type) {
  switch (type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool is_monotone(const Node* expr, MonotoneExpression* found) {
  if (!is_plain_type(exprType(expr))) return false;
  const Node* at = expr;
  found->zoned = false;
  found->width = 0.0;
  double reach = 0.0;
  for (;;) {
    const Call call = call_of(at);
    const Node* operand =
        call.args == nullptr ? nullptr : operand_of(call.function, call.args, &found->zoned);
    if (operand == nullptr) break;
    found->width = width_of_call(call.function, call.args, found->width);
    reach += reach_of_call(call.function, call.args);
    at = operand;
  }
  found->operand = at;
  if (reach > kMostReach) return false;
  found->reach = static_cast<int>(reach) + 1;
  return at != expr && is_plain_type(exprType(at)) && keeps_type(at);
}

Node* with_operand(const Node* expr, const MonotoneExpression& taken_apart, Node* operand) {
  auto* copy = static_cast<Node*>(copyObjectImpl(expr));
  Node* at_copy = copy;
  ListCell* place = nullptr;
  for (const Node* at = expr; at != taken_apart.operand;) {
    const Call original = call_of(at);
    const Call call = call_of(at_copy);
    bool zoned = false;
    const Node* below = operand_of(original.function, original.args, &zoned);
    int a = 0;
    while (list_nth(original.args, a) != below) a++;
    place = list_nth_cell(call.args, a);
    at_copy = static_cast<Node*>(lfirst(place));
    at = below;
  }
  if (place == nullptr) return operand;
  lfirst(place) = operand;
  return copy;
}

}  // namespace learned
