// Groups by a monotone expression of a key column: date_trunc('hour', ts), k / 1000.
//
// Keys of one value of the expression are a stretch of the index, whose end is found by asking the expression itself: from a key on by steps that
// double, then by bisection; or at once, where the stretch is as long as the one before it. That calls functions of the server, so it is done
// where no page is locked, and a few stretches ahead while they stay of one length.
//
// An expression that depends on a time zone is monotone between two changes of its offset only (where clocks are set back across midnight, a day comes
// twice, and of the time on clocks every minute of an hour): stretches end there, and their values may repeat. How far back says reach_back().
#pragma once

#include "am/key/key_columns.hpp"
#include "am/plan/monotone.hpp"

namespace learned {

// A stretch of words of the column, as they are in keys (complemented where it descends), and the expression's value there, which is passed by value.
struct BucketStretch {
  Code first;  // that is known to belong to it
  Code last;
  Datum value;
  bool isnull;
  bool fails;  // there is none: an error, if the word is a row's
};

class Bucket {
 public:
  // `slot` has the column as attribute `attribute`, and nothing else is asked of it.
  Bucket(ExprState* expr, ExprContext* context, TupleTableSlot* slot, AttrNumber attribute,
         const MonotoneExpression& taken_apart)
      : expr_(expr),
        context_(context),
        slot_(slot),
        attribute_(attribute),
        expression_(taken_apart),
        value_type_(exprType(reinterpret_cast<const Node*>(expr->expr))) {}

  // `descending`: words are complemented.
  void start(KeyType type, bool descending);
  // The stretch that has a word. nullptr: it is not known, learn() it.
  const BucketStretch* find(Code word);
  // REQUIRES: no page is locked.
  void learn(Code word);
  // Whether values may repeat, or come in another order than words.
  bool repeats() const { return expression_.zones > 0; }
  // For these: a value as a number that ascends with words, but for that.
  int64 number_of(Datum value) const {
    const int64 number = value_type_ == DATEOID ? DatumGetDateADT(value) : DatumGetInt64(value);
    return turn_ == 0 ? number : ~number;
  }
  // Of values that differ by more the lower one does not come again, if some others lie between: clocks have been set back by a day at most, and what is rounded down lies
  // below that by less than its own width.
  uint64 reach_back() const;
  // The value at a word; of NULL, isnull. REQUIRES: no page is locked.
  Datum value(Code word, bool null, bool* isnull);

 private:
  static constexpr unsigned kMost = 64;

  Datum evaluate(Code word, bool* isnull);
  void evaluate_at_end(BucketStretch* stretch);
  bool same(Code word, const BucketStretch& stretch);
  Code end_of(const BucketStretch& stretch, Code limit);
  Code limit(Code word) const;
  void append(Code word);
  static Code length_of(const BucketStretch& stretch);

  ExprState* expr_;
  ExprContext* context_;
  TupleTableSlot* slot_;
  AttrNumber attribute_;
  MonotoneExpression expression_;
  Oid value_type_;
  KeyType type_{};
  Code turn_ = 0;
  Code length_ = 1;     // of the last stretch
  unsigned ahead_ = 1;  // stretches to be learnt at a time
  unsigned count_ = 0;
  unsigned at_ = 0;  // where find() looks first
  BucketStretch stretch_[kMost]{};
};
static_assert(std::is_trivially_destructible_v<Bucket>);

}  // namespace learned
