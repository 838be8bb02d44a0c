// Expressions that are monotone in a column: rows that are in the order of the column are in the order of these, too, so that groups by them
// are stretches of an index (am/count/bucket.hpp).
#pragma once

#include "am/server/server.hpp"

namespace learned {

inline constexpr int kMostZones = 2;

// What a monotone expression is of.
struct MonotoneExpression {
  const Node* operand;
  // The time zones it depends on; nullptr: the session's. It is monotone between two changes of their offsets only.
  int zones;
  pg_tz* zone[kMostZones];
  // It has the time on clocks there, which comes twice where they are set back.
  bool local;
  // Greater operands have smaller values.
  bool descends;
  // So far apart are operands of different values, about; 0: no idea. In units of the operand: microseconds, days, or what it counts.
  double width;
  // So many days its value, or that of a part, lies below the operand at most, where these are times.
  int reach;
};
// More is not taken: there are not many more days.
inline constexpr double kMostReach = 100e6;

// Takes an expression apart: functions of pg_catalog with constants beside one operand, and casts. Its value is passed by value and compared bit by bit; it is strict.
// False: it is not known to be monotone, or is nothing but its operand.
bool is_monotone(const Node* expr, MonotoneExpression* found);
// A copy of such an expression with another operand.
Node* with_operand(const Node* expr, const MonotoneExpression& taken_apart, Node* operand);

}  // namespace learned
