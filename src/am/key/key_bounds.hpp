// From the scan keys of the server to the keys of several words that they admit.
//
// What the scan keys on a column admit (scan_bounds.hpp) becomes a list of values in the order of the index, NULL among them; the
// lists of all columns are a KeySet. Between its lowest and its highest key, the hull, a scan visits what is in the set.
#pragma once

#include "am/key/key_columns.hpp"
#include "am/key/scan_bounds.hpp"

namespace learned {

// Made once per scan; lists last until the next set().
class KeyBounds {
 public:
  KeyBounds(Relation index, const KeyColumns& columns, MemoryContext context);

  // Takes in the scan keys. One plain `=` on each column that is ordered by (a nested loop's probe) allocates nothing and takes nanoseconds.
  void set(const ScanKeyData* keys, int nkeys) {
    if (!set_equal(keys, nkeys)) set_general(keys, nkeys);
  }

  // Whether nothing is admitted, and why.
  bool none() const { return none_; }
  Emptiness emptiness() const { return emptiness_; }
  // A little too much is: see ScanBounds.
  bool recheck() const { return recheck_; }
  const KeyRange& hull() const { return hull_; }
  // What of the hull; nullptr: all.
  const KeySet* filter() const { return filtered_ ? &set_ : nullptr; }

 private:
  // A column's bounds: of one of these types, made on first use.
  struct Column {
    ScanBounds* bounds;
    BasicScanBounds<CodePair>* pair_bounds;
    ColumnRange* ranges;
    size_t capacity;
  };

  bool set_equal(const ScanKeyData* keys, int nkeys);
  void set_general(const ScanKeyData* keys, int nkeys);
  void limit_column(unsigned c, const ScanKeyData* keys, int nkeys);
  template <class C>
  void take_ranges(unsigned c, const BasicScanBounds<C>& bounds);
  void make_bounds(unsigned c);
  void clip(const ScanKeyData& key);
  bool compare_column(unsigned c, StrategyNumber strategy, Oid type, Datum value, ColumnRange* range,
                      bool* exact);

  Relation index_;
  MemoryContext context_;
  MemoryContext row_context_ = nullptr;  // to take rows apart; made on first use
  KeyColumns columns_;
  bool none_ = false;
  bool recheck_ = false;
  bool filtered_ = false;
  Emptiness emptiness_ = Emptiness::values;
  KeyRange hull_{};
  KeyRange everything_;
  KeyRange clip_{};
  KeySet set_;
  Column column_[kMaxWords]{};
};
static_assert(std::is_trivially_destructible_v<KeyBounds>);

}  // namespace learned
