#include "am/count/measure_result.hpp"

namespace learned {

namespace {

Datum numeric_of(__int128 value) {
  if (value >= PG_INT64_MIN && value <= PG_INT64_MAX)
    return NumericGetDatum(int64_to_numeric(static_cast<int64>(value)));
  constexpr int64 kHalf = INT64CONST(1000000000000000000);
  const Datum high = numeric_of(value / kHalf);
  const Datum low = NumericGetDatum(int64_to_numeric(static_cast<int64>(value % kHalf)));
  const Datum unit = NumericGetDatum(int64_to_numeric(kHalf));
  return DirectFunctionCall2(numeric_add, DirectFunctionCall2(numeric_mul, high, unit), low);
}

// Of integers, whose codes are their values from the least one on.
__int128 sum_of(const Measure& measure) {
  return static_cast<__int128>(measure.sum) - static_cast<__int128>(U128{measure.not_null} << 63);
}

}  // namespace

Datum measure_result(const WantedMeasure& wanted, const KeyColumn* column, const Measure& measure,
                     KeyStorage* storage, bool* isnull) {
  const bool counts = wanted.kind == MeasureKind::rows || wanted.kind == MeasureKind::not_null;
  *isnull = !counts && measure.not_null == 0;
  if (*isnull) return Datum{0};
  switch (wanted.kind) {
    case MeasureKind::rows:
    case MeasureKind::not_null:
      return Int64GetDatum(static_cast<int64>(measure.not_null));
    case MeasureKind::least:
      return code_to_datum(column->type, measure.least, storage);
    case MeasureKind::greatest:
      return code_to_datum(column->type, measure.greatest, storage);
    case MeasureKind::sum:
      if (wanted.type == INT8OID) return Int64GetDatum(static_cast<int64>(sum_of(measure)));
      return numeric_of(sum_of(measure));
    default:
      return DirectFunctionCall2(numeric_div, numeric_of(sum_of(measure)),
                                 numeric_of(static_cast<__int128>(measure.not_null)));
  }
}

}  // namespace learned
