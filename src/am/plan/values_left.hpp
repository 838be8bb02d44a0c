// How many values of a grouped column conditions leave.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// Casts that keep the bits do not make another value.
inline const Node* without_relabels(const Node* expr) {
  while (expr != nullptr && IsA(expr, RelabelType))
    expr = reinterpret_cast<const Node*>(reinterpret_cast<const RelabelType*>(expr)->arg);
  return expr;
}

// By ranges and lists among the conditions on a table; 0: there are none that are of the expression alone, or nothing is known of its values.
double values_left(PlannerInfo* root, const RelOptInfo* table, Node* expr);

}  // namespace learned
