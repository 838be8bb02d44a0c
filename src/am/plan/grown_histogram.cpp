// What is made of old statistics, for rows that have come at the ends:
//
//   old      f0 of the rows NULL   f1, f2 ... a common value   the rest: n bins of equal share, from the least to the greatest value
//   new      g * f0                g * f1, ...                 the rest: a + n + b bins of equal share
//
// with a share of 1 - g of all rows beyond the ends that the old statistics know of, a + b bins for them, and the old bins as they
// were. A value beyond these ends was none of the old common values, and all that comes there is new to the number of distinct values as well.
//
// Where the rows beyond are many times those that are known, several old bins become one. Where there was no histogram, because all
// values were common ones, there is one of the new values alone.
#include "am/plan/grown_histogram.hpp"

namespace learned {

namespace {

// Bins of a histogram that is extended, unless the old one has more.
constexpr double kMostBins = 1000.0;
// Of one that is new: as many as statistics have by default.
constexpr int kNewBins = 100;
// Of rows that are known, whatever the planner takes for the number of all.
constexpr double kLeastShare = 0.001;

// A column's statistics, taken apart.
struct Known {
  Form_pg_statistic row;
  int histogram = -1;  // its slot, or the one where it goes; -1: there is no room for one
  int common = -1;     // the slot of common values; -1: there are none
  AttStatsSlot bounds;
  AttStatsSlot values;  // common ones
  double spread = 0.0;  // share of the rows that the histogram is of

  bool has_histogram() const { return bounds.nvalues > 1; }
  int bins() const { return has_histogram() ? bounds.nvalues - 1 : 0; }
  const AttStatsSlot& any() const { return has_histogram() ? bounds : values; }
};

bool orders_as(const IndexOptInfo* info, Oid less, Oid collation) {
  return collation == info->indexcollations[0] && info->sortopfamily != nullptr &&
         get_op_opfamily_strategy(less, info->sortopfamily[0]) == BTLessStrategyNumber;
}

// False: there is nothing to extend, or in another order.
bool take_apart(HeapTuple tuple, const IndexOptInfo* info, Known* known) {
  std::memset(&known->bounds, 0, sizeof known->bounds);
  std::memset(&known->values, 0, sizeof known->values);
  known->row = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(tuple));
  const int16* kinds = &known->row->stakind1;
  int free = -1;
  for (int slot = STATISTIC_NUM_SLOTS - 1; slot >= 0; slot--) {
    if (kinds[slot] == STATISTIC_KIND_HISTOGRAM) known->histogram = slot;
    if (kinds[slot] == STATISTIC_KIND_MCV) known->common = slot;
    if (kinds[slot] == 0) free = slot;
  }
  double common = 0.0;
  if (known->common >= 0 && get_attstatsslot(&known->values, tuple, STATISTIC_KIND_MCV, InvalidOid,
                                             ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS)) {
    for (int i = 0; i < known->values.nnumbers; i++) common += known->values.numbers[i];
  }
  known->spread = std::clamp(1.0 - known->row->stanullfrac - common, 0.0, 1.0);
  if (known->histogram >= 0) {
    return get_attstatsslot(&known->bounds, tuple, STATISTIC_KIND_HISTOGRAM, InvalidOid,
                            ATTSTATSSLOT_VALUES) &&
           known->has_histogram() && orders_as(info, known->bounds.staop, known->bounds.stacoll);
  }
  known->histogram = free;
  return free >= 0 && known->values.nvalues > 0;
}

// The operator by which the values that are known are in order.
Oid less_of(const Known& known, const IndexOptInfo* info) {
  if (known.has_histogram()) return known.bounds.staop;
  return get_opfamily_member(info->sortopfamily[0], info->opcintype[0], info->opcintype[0],
                             BTLessStrategyNumber);
}

// The ends of all values that are known, common ones, which no histogram has, included.
KnownRange ends_of(const Known& known, const IndexOptInfo* info, Oid less) {
  const AttStatsSlot& any = known.any();
  KnownRange range{any.values[0], any.values[any.nvalues - 1]};
  if (!known.has_histogram()) range.greatest = range.least;
  FmgrInfo compare;
  fmgr_info(get_opcode(less), &compare);
  const Oid collation = info->indexcollations[0];
  for (int i = 0; i < known.values.nvalues; i++) {
    const Datum value = known.values.values[i];
    if (DatumGetBool(FunctionCall2Coll(&compare, collation, value, range.least))) range.least = value;
    if (DatumGetBool(FunctionCall2Coll(&compare, collation, range.greatest, value))) range.greatest = value;
  }
  return range;
}

// How many bins there will be of which rows.
struct Bins {
  int of_side[kSides] = {0, 0};
  int old = 0;
  double known_share = 1.0;  // g
};

int rounded(double bins) { return static_cast<int>(std::lround(std::min(bins, 2.0 * kMostBins))); }

Bins divide(const Known& known, const Growth& growth, double rows) {
  Bins bins;
  double beyond[kSides];
  double all = 0.0;
  for (int side = 0; side < kSides; side++) all += beyond[side] = growth.side[side].entries;
  const double others = std::max(rows - all, kLeastShare * rows);
  const double spread = others * known.spread;
  bins.old = known.bins();
  // Less than half of a bin is for the planner's look at the actual end.
  const double old_rows = bins.old > 0 ? spread / bins.old : 0.0;
  all = 0.0;
  for (double& side : beyond) {
    if (side < std::max(old_rows / 2, 1.0)) side = 0.0;
    all += side;
  }
  if (all == 0.0) return bins;
  bins.known_share = others / (others + all);
  double size = all / kNewBins;
  const double most = std::max<double>(kMostBins, bins.old);
  if (bins.old > 0) {
    // Several old bins in one, if the new ones would be too many.
    const double together = std::ceil((bins.old + all / std::max(old_rows, 1e-9)) / most);
    if (together > 1.0) bins.old = std::max(static_cast<int>(bins.old / together), 1);
    size = std::max(spread / bins.old, all / (most - bins.old));
  }
  for (int side = 0; side < kSides; side++) {
    if (beyond[side] > 0.0) bins.of_side[side] = std::max(rounded(beyond[side] / size), 1);
  }
  return bins;
}

// The borders of the histogram, in ascending order; returns their number. `out` has room for one more on each side than there are bins.
int fill_borders(const Known& known, const Growth& growth, const Bins& bins, Datum* out) {
  int n = 0;
  // (Of a histogram that was there before the outermost border stays; one that is new has to have a first and a last one.)
  const bool fresh = !known.has_histogram();
  const auto value = [&](int side, int border) {
    return value_at(growth, side, growth.side[side].entries * border / bins.of_side[side]);
  };
  const int below = bins.of_side[kBelow];
  for (int border = 0; border < below + (fresh && below > 0 ? 1 : 0); border++)
    out[n++] = value(kBelow, border);
  if (!fresh) {
    for (int border = 0; border <= bins.old; border++) {
      const int64 old = int64{known.bins()} * border / bins.old;
      out[n++] = known.bounds.values[old];
    }
  }
  const int above = bins.of_side[kAbove];
  for (int border = fresh ? 0 : 1; above > 0 && border <= above; border++) out[n++] = value(kAbove, border);
  return n;
}

HeapTuple make_tuple(HeapTuple old, const Known& known, const Bins& bins, Oid less, ArrayType* bounds) {
  Datum values[Natts_pg_statistic] = {};
  bool nulls[Natts_pg_statistic] = {};
  bool replaced[Natts_pg_statistic] = {};
  const auto set = [&](int attribute, Datum value) {
    values[attribute - 1] = value;
    replaced[attribute - 1] = true;
  };
  const auto share = static_cast<float4>(bins.known_share);
  set(Anum_pg_statistic_stanullfrac, Float4GetDatum(known.row->stanullfrac * share));
  // (Negative: so many for each row.)
  if (known.row->stadistinct > 0)
    set(Anum_pg_statistic_stadistinct, Float4GetDatum(known.row->stadistinct / share));
  if (known.common >= 0) {
    const int n = known.values.nnumbers;
    auto* shares = static_cast<Datum*>(palloc(static_cast<Size>(n) * sizeof(Datum)));
    for (int i = 0; i < n; i++) shares[i] = Float4GetDatum(known.values.numbers[i] * share);
    set(Anum_pg_statistic_stanumbers1 + known.common,
        PointerGetDatum(construct_array(shares, n, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT)));
  }
  if (!known.has_histogram()) {
    set(Anum_pg_statistic_stakind1 + known.histogram, Int16GetDatum(STATISTIC_KIND_HISTOGRAM));
    set(Anum_pg_statistic_staop1 + known.histogram, ObjectIdGetDatum(less));
    set(Anum_pg_statistic_stacoll1 + known.histogram, ObjectIdGetDatum(known.values.stacoll));
  }
  set(Anum_pg_statistic_stavalues1 + known.histogram, PointerGetDatum(bounds));
  Relation catalog = table_open(StatisticRelationId, AccessShareLock);
  HeapTuple tuple = heap_modify_tuple(old, RelationGetDescr(catalog), values, nulls, replaced);
  table_close(catalog, AccessShareLock);
  return tuple;
}

}  // namespace

bool extend_histogram(HeapTuple statistics, const GrowingTable& of, const IndexOptInfo* info,
                      GrownHistogram* result) {
  Known known;
  if (take_apart(statistics, info, &known)) {
    const Oid less = less_of(known, info);
    Growth growth;
    if (!measure_growth(of, ends_of(known, info, less), &growth)) return false;
    const Bins bins = divide(known, growth, info->rel->tuples);
    result->bins = bins.of_side[kBelow] + bins.old + bins.of_side[kAbove];
    for (int side = 0; side < kSides; side++) {
      result->leaf[side] = growth.leaf[side];
      if (bins.of_side[side] > 0) result->outermost[side] = growth.side[side].outermost;
    }
    if (result->bins > bins.old) {
      auto* borders = static_cast<Datum*>(palloc((static_cast<Size>(result->bins) + 2) * sizeof(Datum)));
      const int n = fill_borders(known, growth, bins, borders);
      const Oid type = known.any().valuetype;
      int16 width;
      bool by_value;
      char align;
      get_typlenbyvalalign(type, &width, &by_value, &align);
      result->tuple = make_tuple(statistics, known, bins, less,
                                 construct_array(borders, n, type, width, by_value, align));
    }
  }
  free_attstatsslot(&known.bounds);
  free_attstatsslot(&known.values);
  return true;
}

}  // namespace learned
