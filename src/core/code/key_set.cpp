#include "core/code/key_set.hpp"

#include <algorithm>
#include <cassert>

namespace learned {

namespace {

constexpr ColumnValue lowest_value() { return {0, {0, 0}}; }
constexpr ColumnValue highest_value(ColumnPlace place) {
  return {1, {kMaxCode, place.words > 1 ? kMaxCode : 0}};
}

// The value behind (in front of) another. False: there is none.
bool increase(ColumnValue* value, ColumnPlace place) {
  for (unsigned i = place.words; i-- > 0;) {
    if (++value->word[i] != 0) return true;
  }
  return value->flag++ == 0;
}
bool decrease(ColumnValue* value, ColumnPlace place) {
  for (unsigned i = place.words; i-- > 0;) {
    if (value->word[i]-- != 0) return true;
  }
  return value->flag-- != 0;
}

}  // namespace

ColumnValue column_value(const WideKey& key, ColumnPlace place) {
  return {key.flag(place.first), {key.word[place.first], place.words > 1 ? key.word[place.first + 1] : 0}};
}

void set_column_value(WideKey* key, ColumnPlace place, const ColumnValue& value) {
  const auto bit = static_cast<std::uint8_t>(1u << place.first);
  key->flags = static_cast<std::uint8_t>(value.flag != 0 ? key->flags | bit : key->flags & ~bit);
  key->word[place.first] = value.word[0];
  if (place.words > 1) key->word[place.first + 1] = value.word[1];
}

void KeySet::add_column(ColumnPlace place, std::span<const ColumnRange> admitted) {
  assert(columns_ < kMaxColumns && !admitted.empty());
  column_[columns_++] = {place, true, admitted};
}

void KeySet::add_column(ColumnPlace place) {
  assert(columns_ < kMaxColumns);
  column_[columns_++] = {place, false, {}};
}

ColumnRange KeySet::everything(unsigned c) const { return {lowest_value(), highest_value(column_[c].place)}; }
ColumnRange KeySet::first_range(unsigned c) const {
  return column_[c].limited ? column_[c].admitted.front() : everything(c);
}
ColumnRange KeySet::last_range(unsigned c) const {
  return column_[c].limited ? column_[c].admitted.back() : everything(c);
}

bool KeySet::range_from(unsigned c, const ColumnValue& value, ColumnRange* found) const {
  if (!column_[c].limited) {
    *found = everything(c);
    return true;
  }
  const auto ranges = column_[c].admitted;
  const auto at =
      std::partition_point(ranges.begin(), ranges.end(), [&](const ColumnRange& r) { return r.hi < value; });
  if (at == ranges.end()) return false;
  *found = *at;
  return true;
}

bool KeySet::range_until(unsigned c, const ColumnValue& value, ColumnRange* found) const {
  if (!column_[c].limited) {
    *found = everything(c);
    return true;
  }
  const auto ranges = column_[c].admitted;
  const auto behind =
      std::partition_point(ranges.begin(), ranges.end(), [&](const ColumnRange& r) { return r.lo <= value; });
  if (behind == ranges.begin()) return false;
  *found = *(behind - 1);
  return true;
}

// Makes `key` the first one that all columns admit, from where it is. An odometer: a column that cannot go on where it
// stands makes the one in front of it count up, and those behind begin anew.
bool KeySet::admitted_from(WideKey* key) const {
  unsigned c = 0;
  while (c < columns_) {
    const ColumnPlace place = column_[c].place;
    const ColumnValue value = column_value(*key, place);
    ColumnRange range;
    if (range_from(c, value, &range)) {
      if (range.lo <= value) {
        c++;
        continue;
      }
      set_column_value(key, place, range.lo);
    } else {
      ColumnValue carry;
      do {
        if (c-- == 0) return false;
        carry = column_value(*key, column_[c].place);
      } while (!increase(&carry, column_[c].place));
      set_column_value(key, column_[c].place, carry);
    }
    for (unsigned later = c + 1; later < columns_; later++) {
      set_column_value(key, column_[later].place, lowest_value());
    }
  }
  return true;
}

bool KeySet::admitted_until(WideKey* key) const {
  unsigned c = 0;
  while (c < columns_) {
    const ColumnPlace place = column_[c].place;
    const ColumnValue value = column_value(*key, place);
    ColumnRange range;
    if (range_until(c, value, &range)) {
      if (value <= range.hi) {
        c++;
        continue;
      }
      set_column_value(key, place, range.hi);
    } else {
      ColumnValue carry;
      do {
        if (c-- == 0) return false;
        carry = column_value(*key, column_[c].place);
      } while (!decrease(&carry, column_[c].place));
      set_column_value(key, column_[c].place, carry);
    }
    for (unsigned later = c + 1; later < columns_; later++) {
      set_column_value(key, column_[later].place, highest_value(column_[later].place));
    }
  }
  return true;
}

// The stretch that an admitted key lies in: the last limited column moves within its range, those in front of it stay, those
// behind it are free.
KeyRange KeySet::stretch_around(const WideKey& key) const {
  KeyRange stretch{key, key};
  for (unsigned c = columns_; c-- > 0;) {
    const ColumnPlace place = column_[c].place;
    ColumnRange range;
    range_from(c, column_value(key, place), &range);
    set_column_value(&stretch.lo, place, range.lo);
    set_column_value(&stretch.hi, place, range.hi);
    if (column_[c].limited) break;
  }
  return stretch;
}

// The highest key that may be in the set's columns, of those up to `position`. A position between keys may be behind all second words of a
// value: its flag there is set, as no key's is.
WideKey KeySet::key_at(const WideKey& position) const {
  for (unsigned c = 0; c < columns_; c++) {
    const ColumnPlace place = column_[c].place;
    if (place.words == 1 || !position.flag(place.first + 1u)) continue;
    WideKey key = position;
    key.flags &= static_cast<std::uint8_t>((1u << (place.first + 1u)) - 1);
    key.word[place.first + 1u] = kMaxCode;
    for (unsigned later = c + 1; later < columns_; later++) {
      set_column_value(&key, column_[later].place, highest_value(column_[later].place));
    }
    return key;
  }
  return position;
}

bool KeySet::next(const WideKey& from, KeyRange* stretch) const {
  // (It may begin before the position then, where there are no keys.)
  WideKey key = std::max(key_at(from), clip_.lo);
  if (!admitted_from(&key) || clip_.hi < key) return false;
  *stretch = {key, std::min(stretch_around(key).hi, clip_.hi)};
  return true;
}

bool KeySet::previous(const WideKey& from, KeyRange* stretch) const {
  WideKey key = std::min(key_at(from), clip_.hi);
  if (!admitted_until(&key) || key < clip_.lo) return false;
  *stretch = {std::max(stretch_around(key).lo, clip_.lo), key};
  return true;
}

bool KeySet::admits_behind_first(const Column& column, const ColumnValue& value) {
  const auto ranges = column.admitted;
  const auto at =
      std::partition_point(ranges.begin(), ranges.end(), [&](const ColumnRange& r) { return r.hi < value; });
  return at != ranges.end() && at->lo <= value;
}

bool KeySet::single() const {
  unsigned c = 0;
  // Points in front, one range, and no limit behind it.
  while (c < columns_ && column_[c].limited && column_[c].admitted.size() == 1 &&
         column_[c].admitted[0].lo == column_[c].admitted[0].hi) {
    c++;
  }
  if (c < columns_ && column_[c].limited && column_[c].admitted.size() > 1) return false;
  while (++c < columns_) {
    if (column_[c].limited) return false;
  }
  return true;
}

WideKey KeySet::lowest() const {
  WideKey key{};
  for (unsigned c = 0; c < columns_; c++) set_column_value(&key, column_[c].place, first_range(c).lo);
  return std::max(key, clip_.lo);
}

WideKey KeySet::highest() const {
  WideKey key{};
  for (unsigned c = 0; c < columns_; c++) set_column_value(&key, column_[c].place, last_range(c).hi);
  return std::min(key, clip_.hi);
}

}  // namespace learned
