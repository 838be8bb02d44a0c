// What is added up of entries: for each group its rows, and of some columns the values that are not NULL, the least and the greatest one, the sum.
//
// Entries that everybody sees are added when a leaf is tallied; suspects, which somebody may not see, when their rows have been visited.
#pragma once

#include "am/key/key_columns.hpp"
#include "core/count/leaf_tally.hpp"

namespace learned {

// In memory of the server's, which is aligned to 8 bytes only.
using Sum [[gnu::aligned(8)]] = U128;

// Of one column; codes of its type.
struct Measure {
  uint64 not_null = 0;
  Code least = kMaxCode;
  Code greatest = 0;
  Sum sum = 0;
};
static_assert(alignof(Measure) == 8);

// Which columns are measured, and how thoroughly.
struct MeasuredColumn {
  unsigned column;
  bool values;  // least and greatest are wanted, or the sum; else only the number. Of columns of one word.
  bool sum;
};

struct MeasuredColumns {
  unsigned count = 0;
  MeasuredColumn column[kMaxWords];
};

template <class K>
struct CountedGroup {
  RowKey<K> key;  // of its first entry
  uint64 rows;
  Datum bucket;  // the value of its expression, if groups are by one
  bool bucket_null;
  bool
      bucket_fails;  // it has no value for the key, which is that of all entries: an error, if one of them is a row's
};

// Groups one after the other, in a growing array.
template <class K>
class CountedGroups {
 public:
  CountedGroups(const KeyColumns& columns, const MeasuredColumns& measured, MemoryContext context)
      : columns_(columns), measured_(measured), context_(context) {}

  bool needs_keys() const { return measured_.count > 0; }
  uint32 size() const { return size_; }
  const CountedGroup<K>& at(uint32 g) const { return groups_[g]; }
  const Measure& measure(uint32 g, unsigned m) const { return measures_[g * measured_.count + m]; }
  void clear() { size_ = 0; }
  // Only those from g on stay.
  void drop_before(uint32 g) {
    size_ -= g;
    std::copy_n(groups_ + g, size_, groups_);
    const Size measures = measured_.count;
    std::copy_n(measures_ + g * measures, size_ * measures, measures_);
  }
  // One goes before another, which is in front of it.
  void move(uint32 from, uint32 to) {
    std::rotate(groups_ + to, groups_ + from, groups_ + from + 1);
    const Size n = measured_.count;
    std::rotate(measures_ + to * n, measures_ + from * n, measures_ + (from + 1) * n);
  }
  // A new one becomes the last.
  void begin(const RowKey<K>& key, Datum bucket = 0, bool bucket_null = true, bool bucket_fails = false) {
    if (size_ == capacity_) grow();
    groups_[size_] = {key, 0, bucket, bucket_null, bucket_fails};
    for (unsigned m = 0; m < measured_.count; m++) measures_[size_ * measured_.count + m] = Measure{};
    size_++;
  }

  // Rows of which no value is measured: because none is, or all are NULL.
  void add_rows(uint32 g, uint64 n) { groups_[g].rows += n; }
  void add(uint32 g, const K& key) {
    groups_[g].rows++;
    Measure* measure = &measures_[g * measured_.count];
    for (unsigned m = 0; m < measured_.count; m++, measure++) {
      Code code;
      if (!value_of(measured_.column[m], key, &code)) continue;
      measure->not_null++;
      measure->least = std::min(measure->least, code);
      measure->greatest = std::max(measure->greatest, code);
      measure->sum += code;
    }
  }
  // Entries [i, i + n) of a segment, all of them alive.
  void add_segment(uint32 g, const BasicSegmentRef<K>& ref, unsigned i, unsigned n);

 private:
  // False: it is NULL.
  bool value_of(const MeasuredColumn& measured, const K& key, Code* code) const {
    if constexpr (KeyTraits<K>::kWords == 1) {
      *code = key;
      return true;
    } else {
      const KeyColumn& column = columns_.column[measured.column];
      if (key.flag(column.place.first) == (column.null_flag() != 0)) return false;
      *code = key.word[column.place.first] ^ (column.descending ? kMaxCode : 0);
      return true;
    }
  }
  void add_progression(uint32 g, unsigned m, Code first, Code last, unsigned n);
  void grow();

  const KeyColumns& columns_;
  const MeasuredColumns& measured_;
  MemoryContext context_;
  CountedGroup<K>* groups_ = nullptr;
  Measure* measures_ = nullptr;
  uint32 size_ = 0;
  uint32 capacity_ = 0;
};

}  // namespace learned
