// A row of what a function returns.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// Filled from left to right.
class ResultRow {
 public:
  void add_null() { add(0, true); }
  void add_datum(Datum value) { add(value, false); }
  void add_bool(bool value) { add(BoolGetDatum(value), false); }
  void add_int4(int value) { add(Int32GetDatum(value), false); }
  void add_int8(int64 value) { add(Int64GetDatum(value), false); }
  void add_float8(double value) { add(Float8GetDatum(value), false); }
  void add_text(const char* value) { add(CStringGetTextDatum(value), false); }
  // NULL when there is nothing to take the ratio of.
  void add_ratio(double sum, int64 n) {
    add(Float8GetDatum(n == 0 ? 0.0 : sum / static_cast<double>(n)), n == 0);
  }
  void add_nulls(int n) {
    for (int i = 0; i < n; i++) add_null();
  }

  Datum form(TupleDesc desc) {
    require(desc);
    return HeapTupleGetDatum(heap_form_tuple(desc, values_, nulls_));
  }
  // To the result of a function that InitMaterializedSRF() was called for.
  void put(const ReturnSetInfo* result) {
    require(result->setDesc);
    tuplestore_putvalues(result->setResult, result->setDesc, values_, nulls_);
  }

 private:
  void add(Datum value, bool is_null) {
    Assert(n_ < kMostColumns);
    values_[n_] = value;
    nulls_[n_++] = is_null;
  }
  // (The library may be newer or older than what was declared.)
  void require(TupleDesc desc) const {
    if (desc->natts != n_) elog(ERROR, "function returns %d columns, not %d", n_, desc->natts);
  }

  static constexpr int kMostColumns = 20;
  Datum values_[kMostColumns];
  bool nulls_[kMostColumns];
  int n_ = 0;
};

}  // namespace learned
