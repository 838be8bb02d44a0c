// Entries of a leaf that are decoded, column by column, and index tuples that were made of them.
#pragma once

#include "am/key/key_columns.hpp"
#include "am/scan/leaf_entries.hpp"
#include "am/server/server.hpp"
#include "core/code/key_steps.hpp"

namespace learned {

// An index tuple: header, the null bitmap if a column is NULL, and the columns. A column of w words takes at most 8 w bytes
// with the padding before it: it begins at a multiple of its alignment, which is 8 at most, and so does what is behind it.
static_assert(kMaxKeyWidth <= 16 && kTimeTzBytes <= 16 && MAXIMUM_ALIGNOF <= 8);
inline constexpr Size kTupleHeader = MAXALIGN(sizeof(IndexTupleData));
inline constexpr Size kTupleHeaderWithNulls =
    MAXALIGN(sizeof(IndexTupleData) + sizeof(IndexAttributeBitMapData));
template <class K>
inline constexpr Size kTupleSize = kTupleHeaderWithNulls + 8 * KeyTraits<K>::kWords;
// With one word, a NULL is all.
template <>
inline constexpr Size kTupleSize<Code> = std::max(kTupleHeader + 8, kTupleHeaderWithNulls);
static_assert(kTupleSize<Code> == 16 && kTupleSize<Words<kMaxWords>> <= INDEX_SIZE_MASK);

template <class K>
class BasicBatch {
 public:
  using Entry = BasicEntry<K>;
  using LeafEntries = BasicLeafEntries<K>;

  static constexpr int kFirst = 32;  // entries of a leaf's first batch; later ones are larger
  static constexpr int kMost = 256;

  // Drops all entries.
  void clear() {
    begin_ = end_ = 0;
    tuples_ = 0;
  }
  // The same, on another leaf.
  void start_leaf() {
    clear();
    next_size_ = kFirst;
  }

  // Which entries are in it, by their numbers on the leaf (leaf_entries.hpp).
  int begin() const { return begin_; }
  int end() const { return end_; }
  bool has(int number) const { return number >= begin_ && number < end_; }
  // Whether none of them is dead.
  bool clean() const { return clean_; }

  // REQUIRES: has(number)
  Entry entry(int number) const { return {codes_[number - begin_], tids_[number - begin_]}; }
  Tid tid(int number) const { return tids_[number - begin_]; }
  bool dead(int number) const { return dead_[number - begin_]; }
  IndexTuple tuple(int number) { return reinterpret_cast<IndexTuple>(tuples_of_[number - begin_]); }
  // Whether it is here, is not dead, and has its tuple: in an index-only scan true for all entries of a clean batch.
  bool has_live_tuple(int number) const { return static_cast<unsigned>(number - begin_) < tuples_; }
  // How many are < limit.
  int count_before(const Entry& limit) const {
    int n = begin_;
    while (n < end_ && entry(n) < limit) n++;
    return n - begin_;
  }
  // Whether a position is among them, with entries on both sides.
  bool spans(const Entry& position) const {
    return end_ - begin_ > 1 && entry(begin_) < position && position <= entry(end_ - 1);
  }
  // While unhurried, has_live_tuple() is true of none.
  void set_unhurried(bool unhurried) {
    unhurried_ = unhurried;
    if (unhurried) tuples_ = 0;
  }
  // True for the first who asks since a batch was decoded.
  bool take_fresh() {
    const bool fresh = fresh_;
    fresh_ = false;
    return fresh;
  }

  // Decodes entries [begin, end), at most kMost. False: they do not decode.
  bool decode(const LeafEntries& leaf, int begin, int end);
  // Decodes the entries that a scan in this direction comes to, from `number` on, at most `size`. False as above.
  bool decode_from(const LeafEntries& leaf, int number, int size, bool forward) {
    return forward ? decode(leaf, number, std::min(leaf.total(), number + size))
                   : decode(leaf, std::max(0, number - size + 1), number + 1);
  }
  // The same, each time more.
  bool decode_from(const LeafEntries& leaf, int number, bool forward);
  // Marks as dead what is not admitted. REQUIRES: finish() is still to come.
  Passed leave_out(const KeySet& set) {
    const auto n = static_cast<unsigned>(end_ - begin_);
    Passed passed{n, 0};
    if constexpr (KeyTraits<K>::kWords > 1) passed = learned::leave_out(set, codes_, dead_, n);
    clean_ = clean_ && passed.admitted == n;
    return passed;
  }
  // Takes the only entry of a leaf.
  void set_single(const K& code, Tid tid, bool dead) {
    codes_[0] = code;
    tids_[0] = tid;
    dead_[0] = dead;
    begin_ = 0;
    end_ = 1;
    clean_ = !dead;
  }
  // What is done for all entries of a new batch together: the first part, and the last, which is for index-only scans.
  void finish() {
    fresh_ = true;
    clean_ = clean_ || std::none_of(dead_, dead_ + (end_ - begin_), [](bool dead) { return dead; });
    tuples_ = 0;
  }
  void make_tuples(const KeyColumns& columns, bool nulls);

  // Whether an entry that is not dead has a TID that no table of so many blocks can have.
  bool points_beyond(BlockNumber blocks) const {
    const int n = end_ - begin_;
    const Tid limit = Tid{blocks} << 16;
    // The top bit says so: of a negative difference, as TIDs have 48 bits.
    const auto wrong = [limit](Tid tid) { return (limit - 1 - tid) | ((tid & 0xFFFF) - 1); };
    std::uint64_t any = 0;
    if (clean_) {
      for (int i = 0; i < n; i++) any |= wrong(tids_[i]);
    } else {
      // (What was removed may have been on blocks that the table has no more.)
      for (int i = 0; i < n; i++) any |= dead_[i] ? 0 : wrong(tids_[i]);
    }
    return any >> 63 != 0;
  }

 private:
  EntryColumns<K> columns() { return {codes_, tids_, dead_}; }

  int begin_ = 0;
  int end_ = 0;
  unsigned tuples_ =
      0;  // what has_live_tuple() goes by: all, if there are tuples and the batch is clean, or none
  int next_size_ = kFirst;
  bool clean_ = false;
  bool fresh_ = false;
  bool unhurried_ = false;

  // Ten thousand bytes and more that a look-up hardly touches: never initialised as a whole.
  K codes_[kMost];
  Tid tids_[kMost];
  bool dead_[kMost];
  alignas(MAXIMUM_ALIGNOF) char tuples_of_[kMost][kTupleSize<K>];
};
static_assert(std::is_trivially_destructible_v<BasicBatch<Code>>);

}  // namespace learned
