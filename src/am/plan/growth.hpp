// How far the values of an index's first column lie beyond ends that statistics know of.
#pragma once

#include "am/key/key_columns.hpp"
#include "core/tree/outline.hpp"

namespace learned {

// The sides of a known range of values, and what is inside of it.
enum : int { kBelow = 0, kAbove = 1, kSides = 2, kInside = 2, kParts = 3 };

struct KnownRange {
  Datum least;
  Datum greatest;
};

// A value, and how many entries there are up to it.
struct GrowthKnot {
  CodePair codes;
  double entries;
};

// What lies there, but for rows that VACUUM would remove.
struct GrowthPart {
  double entries = 0.0;
  double values = 0.0;          // different ones
  Tid outermost = 0;            // of the rows that were looked at and live
  GrowthKnot* knots = nullptr;  // ascending, the last with all entries
  unsigned count = 0;
};

struct Growth {
  KeyColumn column;
  GrowthPart part[kParts];
  // Where the index ends, in its own order: by what is changed if it has grown since.
  EndLeaf leaf[kSides];
};

// The table and its index, with the blocks that they have at least.
struct GrowingTable {
  Relation table;
  Relation index;
  BlockNumber table_blocks;
  BlockNumber index_blocks;
};

// Whether there are codes for values that an index's first column has.
bool growth_known_for(Relation index);
// False: it cannot be told, because a page is damaged. Raises no error for that. REQUIRES: growth_known_for(the index).
bool measure_growth(const GrowingTable& of, const KnownRange& known, Growth* growth);
// The same for what is inside, and is not looked at otherwise. REQUIRES: measure_growth() has been successful.
bool measure_inside(const GrowingTable& of, const KnownRange& known, Growth* growth);
// Whether the index ends where it did, but for so many entries.
bool still_ends(const GrowingTable& of, const EndLeaf (&leaf)[kSides], unsigned tolerance);

// The value up to which there are `entries` of a part's entries, in the current context: of several, as rows in between are dead, the
// least one for kAbove, the greatest for kBelow. REQUIRES: there are some.
Datum value_at(const Growth& growth, int part, int side, double entries);

}  // namespace learned
