#include "am/count/bucket.hpp"

namespace learned {

namespace {

constexpr int64 kEpochs = int64{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * SECS_PER_DAY;

pg_time_t seconds_of(Code code) {
  const int64 t = int_from_code(code);
  return static_cast<pg_time_t>((t - (t % USECS_PER_SEC + USECS_PER_SEC) % USECS_PER_SEC) / USECS_PER_SEC +
                                kEpochs);
}

Code code_of(pg_time_t t) { return code_from_int((t - kEpochs) * USECS_PER_SEC); }

// Forward to a zone's next change of offset, or backward to the last one: those of a year are looked at.
void limit_by_changes(const pg_tz* zone, Code code, bool forward, Code* lo, Code* hi) {
  long before;
  long after;
  int summer;
  pg_time_t change;
  if (forward) {
    const pg_time_t now = seconds_of(code);
    if (pg_next_dst_boundary(&now, &before, &summer, &change, &after, &summer, zone) == 1)
      *hi = std::min(*hi, code_of(change) - 1);
    return;
  }
  constexpr pg_time_t kYear = 366 * SECS_PER_DAY;
  pg_time_t from = seconds_of(code) - kYear;
  *lo = std::max(*lo, code_of(from));
  while (pg_next_dst_boundary(&from, &before, &summer, &change, &after, &summer, zone) == 1 &&
         code_of(change) <= code) {
    *lo = std::max(*lo, code_of(change));
    from = change;
  }
}

}  // namespace

void Bucket::start(KeyType type, bool descending) {
  type_ = type;
  turn_ = descending ? kMaxCode : 0;
  count_ = at_ = 0;
  ahead_ = 1;
}

const BucketStretch* Bucket::find(Code word) {
  // Where columns in front begin anew, so do words.
  if (at_ > 0 && count_ > 0 && word <= stretch_[at_ - 1].last && word >= stretch_[0].first) at_ = 0;
  for (; at_ < count_; at_++) {
    if (word < stretch_[at_].first) return nullptr;
    if (word <= stretch_[at_].last) return &stretch_[at_];
  }
  return nullptr;
}

Datum Bucket::evaluate(Code word, bool* isnull) {
  KeyStorage storage;
  ExecClearTuple(slot_);
  slot_->tts_values[attribute_ - 1] = code_to_datum(type_, word ^ turn_, &storage);
  slot_->tts_isnull[attribute_ - 1] = false;
  ExecStoreVirtualTuple(slot_);
  ResetExprContext(context_);
  context_->ecxt_scantuple = slot_;
  return ExecEvalExprSwitchContext(expr_, context_, isnull);
}

uint64 Bucket::reach_back() const {
  // (The time on clocks may be a day behind, and its bucket up to another one. Moments do not come again, their buckets of up to an hour may overlap.)
  constexpr uint64 kLocalHours = 50;
  constexpr uint64 kHours = 3;
  if (value_type_ == DATEOID) return 3;
  return (expression_.local ? kLocalHours : kHours) * uint64{USECS_PER_HOUR};
}

Datum Bucket::value(Code word, bool null, bool* isnull) {
  // (Strict: the planner takes no other.)
  *isnull = null;
  return null ? Datum{0} : evaluate(word, isnull);
}

bool Bucket::same(Code word, const BucketStretch& stretch) {
  bool isnull;
  const Datum value = evaluate(word, &isnull);
  return isnull == stretch.isnull && (isnull || value == stretch.value);
}

// The last word up to which the expression may be asked from this one on: not beyond the type's finite values, nor a change of the time zone. Nor where
// functions of times may fail: date_bin() subtracts an origin, which may be the first time there is, and what is rounded down may come before that.
// A key there is asked for itself only.
Code Bucket::limit(Code word) const {
  Code lo = 0;
  Code hi = kMaxCode;
  const int64 first_day = DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE + int64{expression_.reach};
  constexpr int64 kLastDay = (PG_INT64_MAX + MIN_TIMESTAMP) / USECS_PER_DAY - 2;
  switch (type_.kind) {
    case KeyKind::int2:
      lo = code_from_int(PG_INT16_MIN);
      hi = code_from_int(PG_INT16_MAX);
      break;
    case KeyKind::int4:
      lo = code_from_int(PG_INT32_MIN);
      hi = code_from_int(PG_INT32_MAX);
      break;
    case KeyKind::date:
      lo = code_from_int(first_day);
      hi = code_from_int(kLastDay);
      break;
    case KeyKind::timestamp:
    case KeyKind::timestamptz:
      lo = code_from_int(first_day * USECS_PER_DAY);
      hi = code_from_int(kLastDay * USECS_PER_DAY);
      break;
    default:
      break;
  }
  const Code code = word ^ turn_;
  // Infinite, or damaged.
  if (code < lo || code > hi) return word;
  if (type_.kind == KeyKind::timestamptz) {
    for (int z = 0; z < expression_.zones; z++) {
      const pg_tz* zone = expression_.zone[z];
      limit_by_changes(zone == nullptr ? session_timezone : zone, code, turn_ == 0, &lo, &hi);
    }
  }
  return turn_ == 0 ? hi : ~lo;
}

// The value of a stretch of one word, for which the expression may fail. That is an error only if there is a row to be seen: the entry may be a dead one's. (What fails
// are functions of times, which hold nothing when they do.)
void Bucket::evaluate_at_end(BucketStretch* stretch) {
  const MemoryContext before = CurrentMemoryContext;
  stretch->fails = false;
  PG_TRY();
  { stretch->value = evaluate(stretch->first, &stretch->isnull); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(before);
    if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION) PG_RE_THROW();
    FlushErrorState();
    stretch->fails = stretch->isnull = true;
  }
  PG_END_TRY();
}

// The last word of a stretch, from the first known one on: at most `limit`, which is not that one.
Code Bucket::end_of(const BucketStretch& stretch, Code limit) {
  // As long as the last one?
  Code good = stretch.first;
  Code step = 1;
  const Code guess = length_ - 1 < limit - good ? good + (length_ - 1) : limit;
  if (guess > good && same(guess, stretch)) {
    if (guess == limit || !same(guess + 1, stretch)) return guess;
    good = guess + 1;
    step = length_;
  } else if (guess > good) {
    // Shorter: between the two.
    Code bad = guess;
    while (bad - good > 1) {
      const Code middle = good + (bad - good) / 2;
      (same(middle, stretch) ? good : bad) = middle;
    }
    return good;
  }
  Code bad = 0;
  for (;;) {
    if (step >= limit - good) {
      if (same(limit, stretch)) return limit;
      bad = limit;
      break;
    }
    if (!same(good + step, stretch)) {
      bad = good + step;
      break;
    }
    good += step;
    step = step > kMaxCode / 2 ? kMaxCode : step * 2;
  }
  while (bad - good > 1) {
    const Code middle = good + (bad - good) / 2;
    (same(middle, stretch) ? good : bad) = middle;
  }
  return good;
}

// Of all words there are, one less than there are.
Code Bucket::length_of(const BucketStretch& stretch) {
  const Code further = stretch.last - stretch.first;
  return further == kMaxCode ? further : further + 1;
}

// Appends the stretch from a word on.
void Bucket::append(Code word) {
  BucketStretch& stretch = stretch_[count_];
  stretch.first = word;
  stretch.last = limit(word);
  if (stretch.last == word) {
    evaluate_at_end(&stretch);
  } else {
    stretch.fails = false;
    stretch.value = evaluate(word, &stretch.isnull);
    stretch.last = end_of(stretch, stretch.last);
  }
  count_++;
}

void Bucket::learn(Code word) {
  // Those that were learnt ahead were asked for: more.
  const bool follows = count_ > 0 && at_ == count_ && word >= stretch_[count_ - 1].last;
  ahead_ = follows ? std::min(ahead_ * 2, kMost) : 1;
  const Code before = count_ > 0 ? stretch_[count_ - 1].last : 0;
  const bool adjacent = follows && word == before + 1;
  count_ = at_ = 0;
  append(word);
  // A stretch that was met in its middle has no length.
  bool whole = adjacent;
  while (count_ < ahead_) {
    const BucketStretch& last = stretch_[count_ - 1];
    const Code limit = this->limit(last.first);
    if (last.last == limit) break;
    const Code length = length_of(last);
    if (whole && length != length_) {
      // No longer of one length: ahead no further.
      length_ = length;
      break;
    }
    if (whole) length_ = length;
    append(last.last + 1);
    whole = true;
  }
  const BucketStretch& last = stretch_[count_ - 1];
  if (whole || length_ <= last.last - last.first) length_ = length_of(last);
}

}  // namespace learned
