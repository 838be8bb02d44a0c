// Which keys of several columns the conditions of a scan admit, and how a scan steps through them.
//
// Conditions on one column admit a set of its values: sorted, disjoint ranges. The keys that all columns admit lie scattered in
// the order of the index: for a = 1..9 and b = 5 they are nine stretches, one for each value of a. A scan that stands
// on an entry asks for the next stretch that begins there or behind (in front, backward), which is one search away, instead
// of looking at what lies between (a skip scan; PostgreSQL's B-trees have one from 18 on).
#pragma once

#include <span>

#include "core/base/key.hpp"

namespace learned {

// Any key's words, as many as there may be; unused ones are 0.
using WideKey = Words<kMaxWords>;

template <unsigned W>
inline WideKey widen(const Words<W>& key) {
  WideKey wide{};
  for (unsigned w = 0; w < W; w++) wide.word[w] = key.word[w];
  wide.flags = key.flags;
  return wide;
}
// REQUIRES: words and flags from W on are those of the lowest key, or of the highest one.
template <unsigned W>
inline Words<W> narrow(const WideKey& wide) {
  Words<W> key{};
  for (unsigned w = 0; w < W; w++) key.word[w] = wide.word[w];
  key.flags = wide.flags & static_cast<std::uint8_t>((1u << W) - 1);
  return key;
}

// A column's value, in the order of the index: the flag, then the words. The second word of a column of one word is 0.
struct ColumnValue {
  std::uint8_t flag;
  Code word[2];

  friend constexpr bool operator==(const ColumnValue&, const ColumnValue&) = default;
  friend constexpr auto operator<=>(const ColumnValue&, const ColumnValue&) = default;
};

// lo <= hi, both included.
struct ColumnRange {
  ColumnValue lo;
  ColumnValue hi;
};

// Where a column's words are in a key.
struct ColumnPlace {
  std::uint8_t first;
  std::uint8_t words;  // 1 or 2
};

// lo <= hi, both included.
struct KeyRange {
  WideKey lo;
  WideKey hi;
};

class KeySet {
 public:
  static constexpr unsigned kMaxColumns = kMaxWords;

  KeySet() = default;

  // Adds the next column. REQUIRES: `admitted` is sorted, disjoint, not empty, and outlives the set; values have as many words as
  // the column.
  void add_column(ColumnPlace place, std::span<const ColumnRange> admitted);
  // Adds a column under no condition.
  void add_column(ColumnPlace place);
  // Admits keys of this range only, in addition (a row comparison). REQUIRES: all columns were added.
  void clip(const KeyRange& range) {
    clip_ = range;
    clipped_ = true;
  }

  // The first stretch of admitted keys, without a gap, that ends at or behind `from`: what of it is not before `from`.
  // False: there is none. (`from` need not be a key: any position between keys will do.)
  bool next(const WideKey& from, KeyRange* stretch) const;
  // The last stretch that begins at or before `from`: what of it is not behind `from`.
  bool previous(const WideKey& from, KeyRange* stretch) const;

  template <unsigned W>
  bool contains(const Words<W>& key) const {
    for (unsigned c = 0; c < columns_; c++) {
      if (column_[c].limited && !admits(column_[c], value_in(key, column_[c].place))) return false;
    }
    return !clipped_ || within_clip(widen(key));
  }
  // Whether one stretch is all, so that there is nothing to step over.
  bool single() const;

  WideKey lowest() const;
  WideKey highest() const;

 private:
  struct Column {
    ColumnPlace place;
    bool limited;
    std::span<const ColumnRange> admitted;  // if limited
  };

  template <unsigned W>
  static ColumnValue value_in(const Words<W>& key, ColumnPlace place) {
    return {key.flag(place.first), {key.word[place.first], place.words > 1 ? key.word[place.first + 1] : 0}};
  }
  static bool admits(const Column& column, const ColumnValue& value) {
    const ColumnRange& first = column.admitted.front();
    if (value <= first.hi) return first.lo <= value;
    return column.admitted.size() > 1 && admits_behind_first(column, value);
  }
  static bool admits_behind_first(const Column& column, const ColumnValue& value);
  bool within_clip(const WideKey& key) const { return clip_.lo <= key && key <= clip_.hi; }

  ColumnRange everything(unsigned c) const;
  ColumnRange first_range(unsigned c) const;
  ColumnRange last_range(unsigned c) const;
  // The range that has the value, or is the first behind it (the last in front of it). False: there is none.
  bool range_from(unsigned c, const ColumnValue& value, ColumnRange* found) const;
  bool range_until(unsigned c, const ColumnValue& value, ColumnRange* found) const;
  WideKey key_at(const WideKey& position) const;
  bool admitted_from(WideKey* key) const;
  bool admitted_until(WideKey* key) const;
  KeyRange stretch_around(const WideKey& key) const;

  Column column_[kMaxColumns]{};
  unsigned columns_ = 0;
  bool clipped_ = false;
  KeyRange clip_{{}, {{kMaxCode, kMaxCode, kMaxCode, kMaxCode}, 0xFF}};
};

ColumnValue column_value(const WideKey& key, ColumnPlace place);
void set_column_value(WideKey* key, ColumnPlace place, const ColumnValue& value);

}  // namespace learned
