// How an index has what a percentile is of.
#pragma once

#include "am/server/server.hpp"

namespace learned {

struct PercentileColumn {
  int column;  // of the index
  Expr*
      operand;  // that column as an expression: what the percentile orders by, or what is cast to float8 there
  bool backward;    // it orders the other way than pages do
  bool nulls_low;   // pages have NULLs in front
  bool descending;  // it orders downwards
};

// Whether an aggregate is a percentile that may be found: its fraction is known before rows are.
bool is_percentile(const Aggref* aggregate);
// False: no key column has it. REQUIRES: is_percentile().
bool find_percentile(const Aggref* aggregate, IndexOptInfo* index, PercentileColumn* found);

}  // namespace learned
