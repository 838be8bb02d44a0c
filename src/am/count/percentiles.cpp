#include "am/count/percentiles.hpp"

#include "am/server/grown_array.hpp"

namespace learned {

namespace {

PercentilePlace place_of(bool continuous, double fraction, uint64 rows) {
  if (fraction < 0 || fraction > 1 || std::isnan(fraction))
    ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("percentile value %g is not between 0 and 1", fraction)));
  PercentilePlace place{};
  if (rows == 0) return place;
  if (continuous) {
    const double at = fraction * static_cast<double>(rows - 1);
    place.first = static_cast<uint64>(std::floor(at));
    place.second = static_cast<uint64>(std::ceil(at));
    place.proportion = at - std::floor(at);
  } else {
    // The first row that so many of all come up to.
    const auto number = static_cast<uint64>(std::ceil(fraction * static_cast<double>(rows)));
    place.first = place.second = number == 0 ? 0 : number - 1;
  }
  return place;
}

// The server's expression, so that the result has the same bits.
Datum interpolate(const PercentilePlace& place) {
  const double lo = DatumGetFloat8(place.value[0]);
  const double hi = DatumGetFloat8(place.value[1]);
  return Float8GetDatum(lo + (place.proportion * (hi - lo)));
}

void place_fractions(Percentile* percentile, const NullableDatum& fraction, uint64 rows) {
  percentile->shape = nullptr;
  percentile->places = 0;
  percentile->place = nullptr;
  if (fraction.isnull) return;
  const bool continuous = percentile->kind.continuous;
  if (!percentile->kind.several) {
    const PercentilePlace place = place_of(continuous, DatumGetFloat8(fraction.value), rows);
    if (rows == 0) return;
    percentile->places = 1;
    percentile->place = static_cast<PercentilePlace*>(palloc(sizeof(PercentilePlace)));
    *percentile->place = place;
    return;
  }
  // (The server looks at the fractions of an array only if there are rows.)
  if (rows == 0) return;
  percentile->shape = DatumGetArrayTypeP(fraction.value);
  Datum* fractions;
  bool* nulls;
  deconstruct_array(percentile->shape, FLOAT8OID, sizeof(float8), true, TYPALIGN_DOUBLE, &fractions, &nulls,
                    &percentile->places);
  percentile->place =
      enlarge<PercentilePlace>(CurrentMemoryContext, nullptr, static_cast<Size>(percentile->places));
  for (int p = 0; p < percentile->places; p++) {
    percentile->place[p] = nulls[p] ? PercentilePlace{true, 0, 0, 0.0, {}}
                                    : place_of(continuous, DatumGetFloat8(fractions[p]), rows);
  }
}

}  // namespace

bool percentile_kind(Oid aggregate, PercentileKind* kind) {
  switch (aggregate) {
    case F_PERCENTILE_DISC_FLOAT8_ANYELEMENT:
      *kind = {false, false};
      return true;
    case F_PERCENTILE_DISC__FLOAT8_ANYELEMENT:
      *kind = {false, true};
      return true;
    case F_PERCENTILE_CONT_FLOAT8_FLOAT8:
      *kind = {true, false};
      return true;
    case F_PERCENTILE_CONT__FLOAT8_FLOAT8:
      *kind = {true, true};
      return true;
    default:
      return false;
  }
}

std::span<WantedRow> ask_percentiles(std::span<Percentile> percentiles, const Measure* measures,
                                     uint64 rows_before, uint64 rows, ExprContext* context) {
  Size places = 0;
  for (Percentile& percentile : percentiles) {
    NullableDatum fraction;
    fraction.value = ExecEvalExpr(percentile.fraction, context, &fraction.isnull);
    place_fractions(&percentile, fraction, measures[percentile.measure].not_null);
    places += static_cast<Size>(percentile.places);
  }
  auto* wanted = enlarge<WantedRow>(CurrentMemoryContext, nullptr, 2 * places);
  Size n = 0;
  for (const Percentile& percentile : percentiles) {
    const uint64 values = measures[percentile.measure].not_null;
    const uint64 before = rows_before + (percentile.nulls_low ? rows - values : 0);
    for (int p = 0; p < percentile.places; p++) {
      PercentilePlace& place = percentile.place[p];
      if (place.isnull) continue;
      const auto want = [&](uint64 at, Datum* value) {
        wanted[n++] = {before + (percentile.backward ? values - 1 - at : at), &percentile, value};
      };
      want(place.first, &place.value[0]);
      if (place.second > place.first) want(place.second, &place.value[1]);
    }
  }
  std::sort(wanted, wanted + n);
  return {wanted, n};
}

Datum percentile_value(const Percentile& percentile, KeyKind kind, Datum value) {
  if (percentile.type != FLOAT8OID) return value;
  switch (kind) {
    case KeyKind::int2:
      return Float8GetDatum(DatumGetInt16(value));
    case KeyKind::int4:
      return Float8GetDatum(DatumGetInt32(value));
    case KeyKind::int8:
      return Float8GetDatum(static_cast<float8>(DatumGetInt64(value)));
    default:
      return value;
  }
}

Datum percentile_result(const Percentile& percentile, bool* isnull) {
  *isnull = percentile.place == nullptr;
  if (*isnull) return Datum{0};
  const auto value_at = [&percentile](const PercentilePlace& place) {
    return percentile.kind.continuous && place.second > place.first ? interpolate(place) : place.value[0];
  };
  if (!percentile.kind.several) return value_at(*percentile.place);
  if (percentile.places == 0) return PointerGetDatum(construct_empty_array(percentile.type));
  const auto count = static_cast<Size>(percentile.places);
  auto* values = static_cast<Datum*>(palloc0(count * sizeof(Datum)));
  auto* nulls = static_cast<bool*>(palloc(count * sizeof(bool)));
  for (Size p = 0; p < count; p++) {
    nulls[p] = percentile.place[p].isnull;
    if (!nulls[p]) values[p] = value_at(percentile.place[p]);
  }
  ArrayType* shape = percentile.shape;
  return PointerGetDatum(construct_md_array(values, nulls, ARR_NDIM(shape), ARR_DIMS(shape),
                                            ARR_LBOUND(shape), percentile.type, percentile.length,
                                            percentile.by_value, percentile.align));
}

}  // namespace learned
