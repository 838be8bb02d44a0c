#include "am/key/key_bounds.hpp"

#include "am/key/row_bound.hpp"

namespace learned {

namespace {

// A range of a column's codes as a range of its values in keys. False: no key has any of them.
bool to_values(const KeyColumn& column, CodeRange codes, ColumnRange* values) {
  const CodeRange domain = code_domain(column.type.kind);
  if (codes.hi < domain.lo || codes.lo > domain.hi) return false;
  Code lo = std::max(codes.lo, domain.lo);
  Code hi = std::min(codes.hi, domain.hi);
  // Conditions do not tell equal values apart; of a merged column, keys have the highest of their codes.
  if (column.merged) {
    lo = equal_codes(column.type.kind, lo).hi;
    hi = equal_codes(column.type.kind, hi).hi;
  }
  if (column.descending) std::swap(lo, hi);
  *values = {column_value_of_codes(column, lo, 0), column_value_of_codes(column, hi, 0)};
  return true;
}

bool to_values(const KeyColumn& column, const BasicCodeRange<CodePair>& codes, ColumnRange* values) {
  const CodePair& lo = column.descending ? codes.hi : codes.lo;
  const CodePair& hi = column.descending ? codes.lo : codes.hi;
  *values = {column_value_of_codes(column, lo.first, lo.second),
             column_value_of_codes(column, hi.first, hi.second)};
  return true;
}

ColumnValue null_value(const KeyColumn& column) { return {column.null_flag(), {0, 0}}; }

bool is_row_bound(const ScanKeyData& key) {
  return (key.sk_flags & (SK_ISNULL | SK_SEARCHARRAY | SK_SEARCHNULL | SK_SEARCHNOTNULL)) == 0 &&
         (key.sk_strategy == kAtOrBehind || key.sk_strategy == kAtOrBefore) &&
         key.sk_collation == kFilteredBound;
}

}  // namespace

KeyBounds::KeyBounds(Relation index, const KeyColumns& columns, MemoryContext context)
    : index_(index), context_(context), columns_(columns), everything_{} {
  for (unsigned c = 0; c < columns.count; c++) {
    const ColumnPlace place = columns.column[c].place;
    set_column_value(&everything_.hi, place, {1, {kMaxCode, place.words > 1 ? kMaxCode : 0}});
  }
}

bool KeyBounds::set_equal(const ScanKeyData* keys, int nkeys) {
  if (nkeys != static_cast<int>(columns_.keys)) return false;
  for (unsigned c = 0; c < columns_.keys; c++) {
    if (keys[c].sk_attno != static_cast<int>(c) + 1 || !is_plain_equality(keys[c], index_->rd_opcintype[c])) {
      return false;
    }
  }
  none_ = recheck_ = filtered_ = false;
  hull_ = everything_;
  for (unsigned c = 0; c < columns_.keys; c++) {
    const KeyColumn& column = columns_.column[c];
    ColumnRange equal;
    if (column.place.words > 1) {
      equal.lo = equal.hi = column_value_of(column, keys[c].sk_argument, false);
    } else {
      to_values(column, equal_codes(column.type.kind, datum_to_code(column.type, keys[c].sk_argument)),
                &equal);
    }
    set_column_value(&hull_.lo, column.place, equal.lo);
    set_column_value(&hull_.hi, column.place, equal.hi);
  }
  return true;
}

void KeyBounds::set_general(const ScanKeyData* keys, int nkeys) {
  none_ = recheck_ = filtered_ = false;
  emptiness_ = Emptiness::values;
  set_ = KeySet();
  clip_ = everything_;
  for (int i = 0; i < nkeys; i++) {
    if (keys[i].sk_attno < 1 || keys[i].sk_attno > static_cast<int>(columns_.keys))
      elog(ERROR, "unexpected column %d in a scan of a learned index", keys[i].sk_attno);
  }
  for (unsigned c = 0; c < columns_.count; c++) limit_column(c, keys, nkeys);
  if (none_) return;
  bool clipped = false;
  for (int i = 0; i < nkeys; i++) {
    if (!is_row_bound(keys[i]) || keys[i].sk_attno != 1) continue;
    clip(keys[i]);
    clipped = true;
  }
  if (clipped) set_.clip(clip_);
  hull_ = {set_.lowest(), set_.highest()};
  none_ = hull_.hi < hull_.lo;
  filtered_ = !set_.single();
}

// Adds to the set what the scan keys on a column admit.
void KeyBounds::limit_column(unsigned c, const ScanKeyData* keys, int nkeys) {
  const auto on_column = [c](const ScanKeyData& key) { return key.sk_attno == static_cast<int>(c) + 1; };
  // (They come in the order of the columns.)
  const ScanKeyData* begin = std::find_if(keys, keys + nkeys, on_column);
  const ScanKeyData* end = keys + nkeys;
  while (end > begin && !on_column(*(end - 1))) end--;
  if (begin == end) {
    set_.add_column(columns_.column[c].place);
    return;
  }
  make_bounds(c);
  const auto count = static_cast<int>(end - begin);
  const Column& column = column_[c];
  if (column.bounds != nullptr) {
    bounds_set(column.bounds, begin, count);
    take_ranges(c, *column.bounds);
  } else {
    bounds_set(column.pair_bounds, begin, count);
    take_ranges(c, *column.pair_bounds);
  }
}

void KeyBounds::make_bounds(unsigned c) {
  Column* column = &column_[c];
  if (column->bounds != nullptr || column->pair_bounds != nullptr) return;
  if (columns_.column[c].place.words == 1) {
    auto* bounds = static_cast<ScanBounds*>(MemoryContextAlloc(context_, sizeof(ScanBounds)));
    bounds_init(bounds, index_, c, columns_.column[c].type, context_);
    column->bounds = bounds;
  } else {
    using PairBounds = BasicScanBounds<CodePair>;
    auto* bounds = static_cast<PairBounds*>(MemoryContextAlloc(context_, sizeof(PairBounds)));
    bounds_init(bounds, index_, c, columns_.column[c].type, context_);
    column->pair_bounds = bounds;
  }
}

template <class C>
void KeyBounds::take_ranges(unsigned c, const BasicScanBounds<C>& bounds) {
  Column* column = &column_[c];
  const KeyColumn& key_column = columns_.column[c];
  const size_t room = bounds.range_count + 1;
  if (column->capacity < room) {
    const size_t capacity = std::max({room, 2 * column->capacity, size_t{4}});
    if (column->ranges != nullptr) pfree(column->ranges);
    column->ranges = nullptr;  // not left dangling if the next line raises an error
    column->capacity = 0;
    column->ranges =
        static_cast<ColumnRange*>(MemoryContextAllocHuge(context_, capacity * sizeof(ColumnRange)));
    column->capacity = capacity;
  }
  const ColumnRange null{null_value(key_column), null_value(key_column)};
  size_t count = 0;
  if (bounds.want_nulls && !key_column.nulls_high) column->ranges[count++] = null;
  for (size_t i = 0; i < bounds.range_count; i++) {
    const size_t at = key_column.descending ? bounds.range_count - 1 - i : i;
    if (to_values(key_column, bounds.ranges[at], &column->ranges[count])) count++;
  }
  if (bounds.want_nulls && key_column.nulls_high) column->ranges[count++] = null;
  recheck_ = recheck_ || bounds.recheck;
  if (count == 0) {
    if (bounds.range_count == 0) emptiness_ = std::max(emptiness_, bounds.emptiness);
    none_ = true;
    return;
  }
  set_.add_column(key_column.place, {column->ranges, count});
}

// The values of a column that satisfy `column <strategy> value`. False: there are none. *exact: they are but one, and are all.
bool KeyBounds::compare_column(unsigned c, StrategyNumber strategy, Oid type, Datum value, ColumnRange* range,
                               bool* exact) {
  make_bounds(c);
  bool recheck = false;
  bool found;
  if (column_[c].bounds != nullptr) {
    CodeRange codes;
    found = bounds_of_comparison(column_[c].bounds, strategy, type, value, &codes, &recheck) &&
            to_values(columns_.column[c], codes, range);
  } else {
    BasicCodeRange<CodePair> codes;
    found = bounds_of_comparison(column_[c].pair_bounds, strategy, type, value, &codes, &recheck) &&
            to_values(columns_.column[c], codes, range);
  }
  *exact = found && !recheck && range->lo == range->hi;
  return found;
}

// Leaves out what lies on the wrong side of a row: as far as its fields say so by their order alone.
void KeyBounds::clip(const ScanKeyData& key) {
  if (row_context_ == nullptr)
    row_context_ = AllocSetContextCreate(context_, "learned index scan row", ALLOCSET_SMALL_SIZES);
  MemoryContext old_context = MemoryContextSwitchTo(row_context_);
  const bool behind = key.sk_strategy == kAtOrBehind;
  const bool lower = behind != columns_.column[0].descending;
  WideKey limit = lower ? everything_.lo : everything_.hi;
  Datum values[kMaxWords];
  bool isnull[kMaxWords];
  Oid types[kMaxWords];
  const auto fields = static_cast<unsigned>(
      deform_row(key.sk_argument, static_cast<int>(columns_.keys), values, isnull, types));
  for (unsigned c = 0; c < fields && !isnull[c]; c++) {
    const KeyColumn& column = columns_.column[c];
    if (column.descending != columns_.column[0].descending) break;
    const Oid type = getBaseType(types[c]);
    ColumnRange range;
    bool exact;
    const auto strategy =
        static_cast<StrategyNumber>(behind ? BTGreaterEqualStrategyNumber : BTLessEqualStrategyNumber);
    if (!compare_column(c, strategy, type, values[c], &range, &exact)) break;
    set_column_value(&limit, column.place, lower ? range.lo : range.hi);
    // What follows counts only among keys whose column is equal to the field.
    if (!compare_column(c, BTEqualStrategyNumber, type, values[c], &range, &exact) || !exact) break;
  }
  if (lower) {
    clip_.lo = std::max(clip_.lo, limit);
  } else {
    clip_.hi = std::min(clip_.hi, limit);
  }
  MemoryContextSwitchTo(old_context);
  MemoryContextReset(row_context_);
}

}  // namespace learned
