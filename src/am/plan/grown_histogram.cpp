// What is made of old statistics, for rows that have come at the ends:
//
//   old      f0 of the rows NULL   f1, f2 ... a common value   the rest: n bins of equal share, from the least to the greatest value
//   new      g * f0                g * f1, ...                 the rest: a + n + b bins of equal share
//
// with a share of 1 - g of all rows beyond the ends that the old statistics know of, a + b bins for them, and the old bins as they
// were. A value beyond these ends was none of the old common values, and all that comes there is new to the number of distinct values as well.
//
// Infinite values are no ends: what is finite and beyond the others is looked for before them. The bin that ends with one goes, as it may be of any width; its rows count
// as those beyond. Core finds the infinite end by itself.
//
// Where the rows beyond are many times those that are known, several old bins become one. Where there was no histogram, because all
// values were common ones, there is one of the new values alone.
//
// Of how many rows the old statistics still are is what the planner takes for the number of all, less those beyond. But that number comes from
// the table's blocks, and is too small where rows have become narrower, or where ANALYZE saw a table that was half empty: then few
// rows, or none, would be left for what is known. And those that are left may be few indeed, as in a queue, and all of them
// at one end. So the index is asked for what it has between the known ends, too:
//
//   the rows that are left are less than half of what the index has       they are half of what it has; all of it, but no more than half of all
//                                                                         rows, where all rows are less than half of what the index has in all
//   they are no more than twice what it has                               what lies beyond the index's ends goes out of the old statistics
//   they are more, as rows are NULL or dead that the planner counts       all is left as it was
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
  double common_share = 0.0;
  double distinct = 0.0;  // values, if they are no share of the rows
  // The borders between which the index still has values.
  int low = 0;
  int high = 0;

  bool has_histogram() const { return bounds.nvalues > 1; }
  int bins() const { return high - low; }
  // Of the rows that the statistics are of, those that are still there.
  double share() const { return known_nulls() + common_share + spread; }
  double known_nulls() const { return row->stanullfrac; }
  const AttStatsSlot& any() const { return has_histogram() ? bounds : values; }
};

bool is_infinite(Oid type, Datum value) {
  switch (type) {
    case DATEOID:
      return DATE_NOT_FINITE(DatumGetDateADT(value));
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value));
    case FLOAT8OID:
      return !std::isfinite(DatumGetFloat8(value));
    case FLOAT4OID:
      return !std::isfinite(DatumGetFloat4(value));
    default:
      return false;
  }
}

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
  if (known->common >= 0 && get_attstatsslot(&known->values, tuple, STATISTIC_KIND_MCV, InvalidOid,
                                             ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS)) {
    for (int i = 0; i < known->values.nnumbers; i++) known->common_share += known->values.numbers[i];
  }
  known->spread = std::clamp(1.0 - known->row->stanullfrac - known->common_share, 0.0, 1.0);
  known->distinct = std::max<double>(known->row->stadistinct, 0.0);
  if (known->histogram >= 0) {
    if (!get_attstatsslot(&known->bounds, tuple, STATISTIC_KIND_HISTOGRAM, InvalidOid, ATTSTATSSLOT_VALUES))
      return false;
    known->high = std::max(known->bounds.nvalues - 1, 0);
    return known->has_histogram() && orders_as(info, known->bounds.staop, known->bounds.stacoll);
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

class Less {
 public:
  Less(Oid less, Oid collation) : collation_(collation) { fmgr_info(get_opcode(less), &function_); }
  bool operator()(Datum a, Datum b) const {
    return DatumGetBool(FunctionCall2Coll(&function_, collation_, a, b));
  }

 private:
  mutable FmgrInfo function_;
  Oid collation_;
};

// Takes away the bins at the ends that are infinite.
void leave_out_infinite(Known* known) {
  if (!known->has_histogram()) return;
  const int bins = known->bins();
  const Oid type = known->bounds.valuetype;
  const Datum* bounds = known->bounds.values;
  while (known->high - known->low > 1 && is_infinite(type, bounds[known->low])) known->low++;
  while (known->high - known->low > 1 && is_infinite(type, bounds[known->high])) known->high--;
  known->spread *= static_cast<double>(known->bins()) / bins;
}

// The ends of all finite values that are known, common ones, which no histogram has, included. False: none are.
bool ends_of(const Known& known, const Less& less, KnownRange* range) {
  bool found = false;
  const auto note = [&](Datum value) {
    if (is_infinite(known.any().valuetype, value)) return;
    if (!found || less(value, range->least)) range->least = value;
    if (!found || less(range->greatest, value)) range->greatest = value;
    found = true;
  };
  if (known.has_histogram()) {
    note(known.bounds.values[known.low]);
    note(known.bounds.values[known.high]);
  }
  for (int i = 0; i < known.values.nvalues; i++) note(known.values.values[i]);
  return found;
}

// Takes out of the statistics what lies beyond the ends that the index has.
void leave_out_gone(Known* known, const Growth& growth, const Less& less) {
  const double entries = growth.part[kInside].entries;
  const Datum least = value_at(growth, kInside, kBelow, 0.0);
  const Datum greatest = value_at(growth, kInside, kAbove, entries);
  const int bins = known->bins();
  const Datum* bounds = known->bounds.values;
  while (known->high - known->low > 1 && !less(least, bounds[known->low + 1])) known->low++;
  while (known->high - known->low > 1 && !less(bounds[known->high - 1], greatest)) known->high--;
  const double kept = bins > 0 ? static_cast<double>(known->bins()) / bins : 1.0;
  known->spread *= kept;
  // (They stay in the order of their shares. The arrays are copies.)
  AttStatsSlot* common = &known->values;
  const int all = common->nvalues;
  int n = 0;
  known->common_share = 0.0;
  for (int i = 0; i < all; i++) {
    const Datum value = common->values[i];
    if (!is_infinite(common->valuetype, value) && (less(value, least) || less(greatest, value))) continue;
    common->values[n] = common->values[i];
    common->numbers[n] = common->numbers[i];
    known->common_share += common->numbers[n++];
  }
  common->nvalues = common->nnumbers = n;
  known->distinct = std::max(known->distinct - all, 0.0) * kept + n;
}

double entries_beyond(const Growth& growth) {
  return growth.part[kBelow].entries + growth.part[kAbove].entries;
}

// How many rows there are that the statistics know of; what is no more goes out of these. The sides have been measured.
double known_rows(Known* known, const Growth& growth, double rows, const Less& less) {
  double others = std::max(rows - entries_beyond(growth), 0.0);
  const double inside = growth.part[kInside].entries;
  const double share_of_values = std::max(1.0 - known->known_nulls(), kLeastShare);
  const double entries = (inside + entries_beyond(growth)) / share_of_values;
  // (Shares are all that statistics have, and what they add up to is too small then. What has been right so far shall be off by no more
  // than a factor of two.)
  const double part = std::clamp(entries / rows - 1.0, 0.5, 1.0);
  others = std::max(others, std::min(inside / share_of_values * part, rows / 2));
  if (inside >= 1.0 && others * share_of_values <= 2 * inside) leave_out_gone(known, growth, less);
  return std::max(others, kLeastShare * rows);
}

// How many bins there will be of which rows.
struct Bins {
  int of_side[kSides] = {0, 0};
  int old = 0;
  double known_share = 1.0;  // g
  double values = 0.0;       // that are new

  int of_sides() const { return of_side[kBelow] + of_side[kAbove]; }
};

// What is to be divided, in rows as the planner counts them.
struct Rows {
  double all;
  double known;
};

// What lies beyond, but for less than half of a bin, which is for the planner's look at the actual end.
double take_sides(const Known& known, const Growth& growth, const Rows& rows, double* beyond) {
  // (Nothing is known of any row where all were common values that are gone.)
  const double spread = known.share() > 0.0 ? rows.known * known.spread / known.share() : 0.0;
  const double old_rows = known.bins() > 0 ? spread / known.bins() : 0.0;
  const double entries = entries_beyond(growth);
  const double scale = entries > rows.all - rows.known ? (rows.all - rows.known) / entries : 1.0;
  double all = 0.0;
  for (int side = 0; side < kSides; side++) {
    beyond[side] = scale * growth.part[side].entries;
    if (beyond[side] < std::max(old_rows / 2, 1.0)) beyond[side] = 0.0;
    all += beyond[side];
  }
  return all;
}

Bins divide(const Known& known, const Growth& growth, const Rows& rows) {
  Bins bins;
  double beyond[kSides];
  const double all = take_sides(known, growth, rows, beyond);
  bins.old = known.bins();
  if (all == 0.0) return bins;
  bins.known_share = rows.known / (rows.known + all);
  const double spread = known.share() > 0.0 ? rows.known * known.spread / known.share() : 0.0;
  const double old_rows = bins.old > 0 ? spread / bins.old : 0.0;
  double size = all / kNewBins;
  const double most = std::max<double>(kMostBins, bins.old);
  if (bins.old > 0) {
    // Several old bins in one, if the new ones would be too many.
    const double together = std::ceil((bins.old + all / std::max(old_rows, 1e-9)) / most);
    if (together > 1.0) bins.old = std::max(static_cast<int>(bins.old / together), 1);
    size = std::max(spread / bins.old, all / (most - bins.old));
  }
  for (int side = 0; side < kSides; side++) {
    if (beyond[side] <= 0.0) continue;
    bins.of_side[side] = std::max(static_cast<int>(std::lround(std::min(beyond[side] / size, most))), 1);
    bins.values += std::max(growth.part[side].values, 1.0);
  }
  return bins;
}

// The borders of the histogram, in ascending order; returns their number. `out` has room for one more on each side than there are bins.
int fill_borders(const Known& known, const Growth& growth, const Bins& bins, Datum* out) {
  int n = 0;
  // (Of a histogram that was there before the outermost border stays; one that is new has to have a first and a last one.)
  const bool fresh = !known.has_histogram();
  const auto value = [&](int side, int border) {
    return value_at(growth, side, side, growth.part[side].entries * border / bins.of_side[side]);
  };
  const int below = bins.of_side[kBelow];
  for (int border = 0; border < below + (fresh && below > 0 ? 1 : 0); border++)
    out[n++] = value(kBelow, border);
  if (!fresh) {
    for (int border = 0; border <= bins.old; border++) {
      const int64 old = int64{known.bins()} * border / bins.old;
      out[n++] = known.bounds.values[known.low + old];
    }
  }
  const int above = bins.of_side[kAbove];
  for (int border = fresh ? 0 : 1; above > 0 && border <= above; border++) out[n++] = value(kAbove, border);
  return n;
}

Datum array_of(Datum* values, int n, Oid type) {
  int16 width;
  bool by_value;
  char align;
  get_typlenbyvalalign(type, &width, &by_value, &align);
  return PointerGetDatum(construct_array(values, n, type, width, by_value, align));
}

HeapTuple make_tuple(HeapTuple old, const Known& known, const Bins& bins, Oid less, Datum bounds) {
  Datum values[Natts_pg_statistic] = {};
  bool nulls[Natts_pg_statistic] = {};
  bool replaced[Natts_pg_statistic] = {};
  const auto set = [&](int attribute, Datum value) {
    values[attribute - 1] = value;
    replaced[attribute - 1] = true;
  };
  const auto share = known.share() > 0.0 ? static_cast<float4>(bins.known_share / known.share()) : 0.0F;
  set(Anum_pg_statistic_stanullfrac, Float4GetDatum(known.row->stanullfrac * share));
  // (Negative: so many for each row.)
  if (known.row->stadistinct > 0)
    set(Anum_pg_statistic_stadistinct, Float4GetDatum(static_cast<float4>(known.distinct + bins.values)));
  if (known.common >= 0 && known.values.nvalues == 0) {
    set(Anum_pg_statistic_stakind1 + known.common, Int16GetDatum(0));
  } else if (known.common >= 0) {
    const int n = known.values.nnumbers;
    auto* shares = static_cast<Datum*>(palloc(static_cast<Size>(n) * sizeof(Datum)));
    for (int i = 0; i < n; i++) shares[i] = Float4GetDatum(known.values.numbers[i] * share);
    set(Anum_pg_statistic_stanumbers1 + known.common,
        PointerGetDatum(construct_array(shares, n, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT)));
    set(Anum_pg_statistic_stavalues1 + known.common,
        array_of(known.values.values, n, known.values.valuetype));
  }
  if (!known.has_histogram()) {
    set(Anum_pg_statistic_stakind1 + known.histogram, Int16GetDatum(STATISTIC_KIND_HISTOGRAM));
    set(Anum_pg_statistic_staop1 + known.histogram, ObjectIdGetDatum(less));
    set(Anum_pg_statistic_stacoll1 + known.histogram, ObjectIdGetDatum(known.values.stacoll));
  }
  set(Anum_pg_statistic_stavalues1 + known.histogram, bounds);
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
    const Oid operator_less = less_of(known, info);
    const Less less(operator_less, info->indexcollations[0]);
    Growth growth;
    KnownRange range;
    leave_out_infinite(&known);
    if (!ends_of(known, less, &range) || !measure_growth(of, range, &growth)) return false;
    Rows rows{info->rel->tuples, std::max(info->rel->tuples - entries_beyond(growth), 0.0)};
    double beyond[kSides];
    if (take_sides(known, growth, rows, beyond) > 0.0) {
      if (!measure_inside(of, range, &growth)) return false;
      rows.known = known_rows(&known, growth, rows.all, less);
    }
    const Bins bins = divide(known, growth, rows);
    result->bins = bins.old + bins.of_sides();
    for (int side = 0; side < kSides; side++) {
      result->leaf[side] = growth.leaf[side];
      if (bins.of_side[side] > 0) result->outermost[side] = growth.part[side].outermost;
    }
    if (bins.of_sides() > 0) {
      auto* borders = static_cast<Datum*>(palloc((static_cast<Size>(result->bins) + 2) * sizeof(Datum)));
      const int n = fill_borders(known, growth, bins, borders);
      result->tuple =
          make_tuple(statistics, known, bins, operator_less, array_of(borders, n, known.any().valuetype));
    }
  }
  free_attstatsslot(&known.bounds);
  free_attstatsslot(&known.values);
  return true;
}

}  // namespace learned
