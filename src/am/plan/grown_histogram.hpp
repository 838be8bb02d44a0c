// A column's statistics as they would be for the rows that have come at its ends since.
#pragma once

#include "am/plan/growth.hpp"

namespace learned {

struct GrownHistogram {
  // The tuple of pg_statistic, made anew; null: the old one will do.
  HeapTuple tuple = nullptr;
  // Bins of its histogram, or of the old one; 0: there is none.
  int bins = 0;
  // Where the index ends: Growth::leaf.
  EndLeaf leaf[kSides];
  // Rows at the ends of the tuple's histogram; 0: it is not extended on that side.
  Tid outermost[kSides] = {0, 0};
};

// How statistics must be changed to describe all rows, some of which have values beyond all that the statistics know of; in the current context.
// False: it cannot be told now. REQUIRES: the statistics are of the index's first column, growth_known_for(index).
bool extend_histogram(HeapTuple statistics, const GrowingTable& of, const IndexOptInfo* info,
                      GrownHistogram* result);

}  // namespace learned
