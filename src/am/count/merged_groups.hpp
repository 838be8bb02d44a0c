// Groups of several tables, added up where their values are equal: by the order of their types, for tables may have other indexes, whose words say
// the same in another way. Codes of one word, which least and greatest values and sums are of, are the same in all.
#pragma once

#include "am/count/measures.hpp"

namespace learned {

// The values of its columns, and what was added up.
struct MergedGroup {
  NullableDatum* values;
  Measure*
      measures;  // one for each aggregate; the number of values is also that of the rows, for a count of those
};

class MergedGroups {
 public:
  // Values are the first `columns` of a tuple. All groups are in `context`, which is nobody else's.
  MergedGroups(MemoryContext context, TupleDesc tuple, int columns, int measures);

  void clear();
  // Of any order; values that are by reference are copied, measures are to be filled in.
  MergedGroup* add(const NullableDatum* values);
  // Merges those that are equal. They are in order then.
  void finish();
  uint32 size() const { return size_; }
  const MergedGroup& at(uint32 g) const { return groups_[g]; }
  // Whether two have equal values in so many columns in front.
  bool same(const MergedGroup& a, const MergedGroup& b, int columns) const {
    return compare(a, b, columns) == 0;
  }

 private:
  int compare(const MergedGroup& a, const MergedGroup& b, int columns) const;
  static int compare_all(const void* a, const void* b, void* groups);
  void make_room();

  MemoryContext context_;
  TupleDesc tuple_;
  int columns_;
  int measures_;
  FmgrInfo* order_;  // of each column
  MergedGroup* groups_ = nullptr;
  uint32 size_ = 0;
  uint32 capacity_ = 0;
};
static_assert(std::is_trivially_destructible_v<MergedGroups>);

// Adds what was measured elsewhere.
void add_measure(Measure* to, const Measure& from);

}  // namespace learned
