#include "am/plan/monotone.hpp"

#include "am/plan/path_parts.hpp"
#include "am/server/compat.hpp"
#include "am/server/datetime.hpp"

namespace learned {

namespace {

enum class Kind : std::uint8_t {
  truncation,    // date_trunc()
  binning,       // date_bin()
  time_bucket,   // TimescaleDB's
  width_bucket,  //
  division,      // of integers, by a positive one
  day,           // of a time
  first_of_day,  // the time
  zone,          // AT TIME ZONE: the time on clocks there
  cast,
};

constexpr int kNoZone = -1;
constexpr int kSessionZone = -2;

// A function that is monotone in one of its arguments, if the others are constants.
struct MonotoneFunction {
  Oid function;
  Kind kind;
  int operand;
  int zone;  // the argument that names the time zone it depends on
};

constexpr MonotoneFunction kFunctions[] = {
    {F_DATE_TRUNC_TEXT_TIMESTAMP, Kind::truncation, 1, kNoZone},
    {F_DATE_TRUNC_TEXT_TIMESTAMPTZ, Kind::truncation, 1, kSessionZone},
    {F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT, Kind::truncation, 1, 2},
    {F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP, Kind::binning, 1, kNoZone},
    {F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ, Kind::binning, 1, kNoZone},
    {F_WIDTH_BUCKET_FLOAT8_FLOAT8_FLOAT8_INT4, Kind::width_bucket, 0, kNoZone},
    {F_INT2DIV, Kind::division, 0, kNoZone},
    {F_INT4DIV, Kind::division, 0, kNoZone},
    {F_INT8DIV, Kind::division, 0, kNoZone},
    {F_INT24DIV, Kind::division, 0, kNoZone},
    {F_INT42DIV, Kind::division, 0, kNoZone},
    {F_INT28DIV, Kind::division, 0, kNoZone},
    {F_INT82DIV, Kind::division, 0, kNoZone},
    {F_INT48DIV, Kind::division, 0, kNoZone},
    {F_INT84DIV, Kind::division, 0, kNoZone},
    {F_DATE_TIMESTAMP, Kind::day, 0, kNoZone},
    {F_DATE_TIMESTAMPTZ, Kind::day, 0, kSessionZone},
    {F_TIMESTAMP_DATE, Kind::first_of_day, 0, kNoZone},
    {F_TIMESTAMPTZ_DATE, Kind::first_of_day, 0, kSessionZone},
    {F_TIMEZONE_TEXT_TIMESTAMPTZ, Kind::zone, 1, 0},
    {F_INT8_INT4, Kind::cast, 0, kNoZone},
    {F_INT8_INT2, Kind::cast, 0, kNoZone},
    {F_INT4_INT2, Kind::cast, 0, kNoZone},
    {F_FLOAT8_INT2, Kind::cast, 0, kNoZone},
    {F_FLOAT8_INT4, Kind::cast, 0, kNoZone},
    {F_FLOAT8_INT8, Kind::cast, 0, kNoZone},
};

// time_bucket(width, time), of whatever version.
bool is_time_bucket(Oid function, const List* args) {
  if (list_length(args) != 2 || exprType(static_cast<Node*>(linitial(args))) != INTERVALOID) return false;
  const Oid type = exprType(static_cast<Node*>(lsecond(args)));
  if (type != TIMESTAMPOID && type != TIMESTAMPTZOID) return false;
  const char* name = get_func_name(function);
  if (name == nullptr || std::strcmp(name, "time_bucket") != 0 || !func_strict(function)) return false;
  const char* extension = get_extension_name(getExtensionOfObject(ProcedureRelationId, function));
  return extension != nullptr && std::strcmp(extension, "timescaledb") == 0;
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

constexpr double kSecond = static_cast<double>(USECS_PER_SEC);
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
  return static_cast<double>(interval->time) +
         (interval->day + interval->month * double{DAYS_PER_MONTH}) * kDay;
}

const Const* constant_of(const List* args, int a) { return static_cast<const Const*>(list_nth(args, a)); }

double float_of(const List* args, int a) { return DatumGetFloat8(constant_of(args, a)->constvalue); }

// The zone of a name that stands for no other. The server looks for abbreviations first: these have no slash but in a file of somebody's own. One
// that stands for what it does in another zone changes when no zone does (the server takes a time there for one of UTC); others never change.
pg_tz* zone_of_name(const Const* constant) {
  const char* name = TextDatumGetCString(constant->constvalue);
  const bool certain = std::strchr(name, '/') != nullptr || pg_strcasecmp(name, "UTC") == 0;
  char* low = downcase_truncate_identifier(name, static_cast<int>(std::strlen(name)), false);
  return certain && LEARNED_TYPE_OF_ABBREVIATION(low) != DYNTZ ? pg_tzset(name) : nullptr;
}

// Borders are found by asking for values of keys that no row has, or none that is seen, so a call must not fail that would not fail for rows: its
// constants are those that it takes, and what is left to fail is at the ends of what there is of times (am/count/bucket.cpp leaves these out).
bool takes_constants(const MonotoneFunction& call, const List* args) {
  if (call.zone >= 0 && zone_of_name(constant_of(args, call.zone)) == nullptr) return false;
  switch (call.kind) {
    case Kind::truncation:
      return width_of_unit(constant_of(args, 0)) > 0.0;
    case Kind::binning: {
      const Interval* stride = DatumGetIntervalP(constant_of(args, 0)->constvalue);
      const int64 origin = DatumGetInt64(constant_of(args, 2)->constvalue);
      return stride->month == 0 && stride->day < kMostReach &&
             width_of_interval(constant_of(args, 0)) >= 1.0 && origin >= MIN_TIMESTAMP &&
             origin <= PG_INT64_MAX + MIN_TIMESTAMP;
    }
    case Kind::time_bucket: {
      const Interval* width = DatumGetIntervalP(constant_of(args, 0)->constvalue);
      if (width->month != 0) return width->month > 0 && width->day == 0 && width->time == 0;
      return width->day >= 0 && width->time >= 0 && width_of_interval(constant_of(args, 0)) >= 1.0;
    }
    case Kind::width_bucket: {
      // (Beyond the upper bound is one bucket more.)
      const int32 count = DatumGetInt32(constant_of(args, 3)->constvalue);
      return count > 0 && count < PG_INT32_MAX && std::isfinite(float_of(args, 1)) &&
             std::isfinite(float_of(args, 2)) && float_of(args, 1) != float_of(args, 2);
    }
    case Kind::division:
      // A negative divisor turns the order round (and -1 may overflow).
      return integer_of(constant_of(args, 1)) > 0;
    default:
      return true;
  }
}

// How far a call's result lies below its argument at most, in days.
double reach_of_call(const MonotoneFunction& call, const List* args) {
  switch (call.kind) {
    case Kind::truncation:
      return width_of_unit(constant_of(args, 0)) / kDay * 1.1 + 2.0;
    case Kind::binning:
      return width_of_interval(constant_of(args, 0)) / kDay + 1.0;
    case Kind::time_bucket:
      return width_of_interval(constant_of(args, 0)) / kDay * 1.1 + 2.0;
    default:
      return 2.0;
  }
}

// Of the operand of a call whose result is `width` wide (0: any difference counts).
double width_of_call(const MonotoneFunction& call, const List* args, double width) {
  switch (call.kind) {
    case Kind::truncation:
      return std::max(width, width_of_unit(constant_of(args, 0)));
    case Kind::binning:
    case Kind::time_bucket:
      return std::max(width, width_of_interval(constant_of(args, 0)));
    case Kind::day:
      return std::max(width, 1.0) * kDay;
    case Kind::first_of_day:
      return width / kDay;
    case Kind::width_bucket: {
      const int32 count = DatumGetInt32(constant_of(args, 3)->constvalue);
      return std::abs(float_of(args, 2) - float_of(args, 1)) / std::max(count, 1) * std::max(width, 1.0);
    }
    case Kind::division:
      return static_cast<double>(integer_of(constant_of(args, 1))) * std::max(width, 1.0);
    default:
      return width;
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

// What is known of a call. False: not that it is monotone in an operand.
bool find_function(const Call& call, MonotoneFunction* found) {
  if (call.args == nullptr) return false;
  *found = {InvalidOid, Kind::time_bucket, 1, kNoZone};
  for (const MonotoneFunction& known : kFunctions) {
    if (known.function == call.function) *found = known;
  }
  if (!OidIsValid(found->function) && !is_time_bucket(call.function, call.args)) return false;
  for (int a = 0; a < list_length(call.args); a++) {
    if (a == found->operand) continue;
    const Const* constant = constant_of(call.args, a);
    if (!IsA(constant, Const) || constant->constisnull) return false;
  }
  return takes_constants(*found, call.args);
}

// False: there are too many.
bool add_zone(MonotoneExpression* expression, pg_tz* zone) {
  for (int z = 0; z < expression->zones; z++) {
    if (expression->zone[z] == zone) return true;
  }
  if (expression->zones == kMostZones) return false;
  expression->zone[expression->zones++] = zone;
  return true;
}

// Whether a call's result depends on offsets of its zone, which are whole seconds.
bool depends_on_zone(const MonotoneFunction& call, const List* args) {
  return call.zone != kNoZone &&
         (call.kind != Kind::truncation || width_of_unit(constant_of(args, 0)) > kSecond);
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
  *found = {};
  double reach = 0.0;
  MonotoneFunction function;
  for (Call call = call_of(at); find_function(call, &function); call = call_of(at)) {
    if (depends_on_zone(function, call.args)) {
      const bool session = function.zone == kSessionZone;
      if (!add_zone(found, session ? nullptr : zone_of_name(constant_of(call.args, function.zone))))
        return false;
    }
    found->local = found->local || function.kind == Kind::zone;
    if (function.kind == Kind::width_bucket && float_of(call.args, 1) > float_of(call.args, 2))
      found->descends = !found->descends;
    found->width = width_of_call(function, call.args, found->width);
    reach += reach_of_call(function, call.args);
    at = static_cast<const Node*>(list_nth(call.args, function.operand));
  }
  found->operand = at;
  if (reach > kMostReach) return false;
  // (What may come again is kept: am/count/index_counter.hpp. Of shorter ones that would be too many.)
  if (found->local && found->width < kSecond) return false;
  found->reach = static_cast<int>(reach) + 1;
  return at != expr && is_plain_type(exprType(at)) && keeps_type(at);
}

Node* with_operand(const Node* expr, const MonotoneExpression& taken_apart, Node* operand) {
  auto* copy = static_cast<Node*>(copyObjectImpl(expr));
  Node* at_copy = copy;
  ListCell* place = nullptr;
  for (const Node* at = expr; at != taken_apart.operand;) {
    const Call call = call_of(at);
    MonotoneFunction function;
    find_function(call, &function);
    place = list_nth_cell(call_of(at_copy).args, function.operand);
    at_copy = static_cast<Node*>(lfirst(place));
    at = static_cast<const Node*>(list_nth(call.args, function.operand));
  }
  if (place == nullptr) return operand;
  lfirst(place) = operand;
  return copy;
}

}  // namespace learned
