// percentile_disc() and percentile_cont(): which rows of a group they are made of, by their place in the order, and what is made of these rows' values, as the
// server makes it.
#pragma once

#include "am/count/measures.hpp"

namespace learned {

// One of the functions there are.
struct PercentileKind {
  bool continuous;  // between two rows; else the value of one
  bool several;     // of an array
};

// False: it is no such aggregate.
bool percentile_kind(Oid aggregate, PercentileKind* kind);

// What one fraction asks for: a row, or two that follow each other, and how far from the first to the second one. Numbers from 0 on.
struct PercentilePlace {
  bool isnull;
  uint64 first;
  uint64 second;
  double proportion;
  // The values of these rows, to be filled in.
  Datum value[2];
};

// An aggregate.
struct Percentile {
  int measure;  // its number: the values that are not NULL are those that it orders
  PercentileKind kind;
  bool backward;   // it orders the other way than pages do
  bool nulls_low;  // pages have NULLs in front
  ExprState* fraction;
  // Of values, that is, of the result's elements.
  Oid type;
  int16 length;
  bool by_value;
  char align;
  // Of a group. No places: the result is NULL.
  ArrayType* shape;  // the array of fractions; nullptr: there is one
  int places;
  PercentilePlace* place;
};

// A row that one is made of.
struct WantedRow {
  uint64 number;  // among all, in the order of pages
  const Percentile* percentile;
  Datum* value;

  bool operator<(const WantedRow& other) const { return number < other.number; }
};

// What they ask of a group of so many rows before which there are others, in the order of pages. Raises what the server's aggregates raise for a fraction that
// there is not. Memory comes from the current context.
std::span<WantedRow> ask_percentiles(std::span<Percentile> percentiles, const Measure* measures,
                                     uint64 rows_before, uint64 rows, ExprContext* context);
// A value of a column as a percentile has it, which may be of the column's cast to float8.
Datum percentile_value(const Percentile& percentile, KeyKind kind, Datum value);
Datum percentile_result(const Percentile& percentile, bool* isnull);

}  // namespace learned
