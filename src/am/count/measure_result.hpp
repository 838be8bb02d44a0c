// Measures as values of SQL.
#pragma once

#include "am/count/aggregate_plan.hpp"
#include "am/count/measures.hpp"

namespace learned {

// One aggregate of the query.
struct WantedMeasure {
  MeasureKind kind;
  int column;    // of the index; -1: none
  int measured;  // its number among the measured columns; -1: none
  Oid type;      // of the result
  int flags;     // MeasureFlags

  bool distinct() const { return (flags & kDistinct) != 0; }
};

// The aggregate's value. (Rows are values of no column.) Memory comes from the current context; what is by reference may be in `storage`.
Datum measure_result(const WantedMeasure& wanted, const KeyColumn* column, const Measure& measure,
                     KeyStorage* storage, bool* isnull);

}  // namespace learned
