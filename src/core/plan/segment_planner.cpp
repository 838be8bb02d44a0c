#include "core/plan/segment_planner.hpp"

#include <algorithm>

namespace learned {

// Notes the run starts of entries that are about to be pushed behind those already there.
template <class K>
void BasicSegmentPlanner<K>::note_runs(std::uint32_t first, std::uint32_t n) {
  const Tid* tids = columns_.tids;
  for (std::uint32_t i = first == pushed_ && first > 0 ? first : first + 1; i < first + n; i++) {
    columns_.runs[run_count_] = i;
    run_count_ += continues_run(tids, i) ? 0 : 1;
  }
  pushed_ = first + n;
}

template <class K>
void BasicSegmentPlanner<K>::fit_key(PlannedSegment* p) const {
  const K* codes = columns_.codes + p->first;
  p->first_code = codes[0];
  if constexpr (KeyTraits<K>::kWords > 1) {
    p->key_facts = KeyCodec<K>::survey(codes, p->count);
    p->key = KeyCodec<K>::fit(codes, p->count, p->key_facts, {level_ > 0, 0});
  } else {
    p->key = KeyCodec<K>::fit(codes, p->count);
  }
}

// The same where two neighbours were fitted already.
template <class K>
void BasicSegmentPlanner<K>::fit_merged_key(const PlannedSegment& a, const PlannedSegment& b,
                                            PlannedSegment* p) const {
  const K* codes = columns_.codes + p->first;
  if constexpr (KeyTraits<K>::kWords > 1) {
    p->key_facts = KeyCodec<K>::join(a.key_facts, b.key_facts, codes, a.count);
  }
  if (KeyCodec<K>::exact(a.key) && a.count >= kBlock &&
      KeyCodec<K>::continues(a.key, a.count, columns_.codes + b.first, b.count)) {
    p->first_code = a.first_code;
    p->key = a.key;
    return;
  }
  if constexpr (KeyTraits<K>::kWords > 1) {
    p->first_code = codes[0];
    const typename KeyCodec<K>::Prior prior{level_ > 0, KeyCodec<K>::spread_in_both(a.key, b.key)};
    p->key = a.count >= kSettled ? KeyCodec<K>::refit(a.key, a.count, codes, p->count, p->key_facts, prior)
                                 : KeyCodec<K>::fit(codes, p->count, p->key_facts, prior);
  } else {
    fit_key(p);
  }
}

// REQUIRES: run_begin, breaks, max_offset, ordinal_lo and ordinal_hi are set.
template <class K>
void BasicSegmentPlanner<K>::fit_tid(PlannedSegment* p, bool try_line) const {
  const TidFacts facts{columns_.tids + p->first,
                       p->count,
                       columns_.runs + p->run_begin,
                       p->first,
                       p->breaks,
                       p->max_offset,
                       p->ordinal_lo,
                       p->ordinal_hi};
  p->tids = TidLinear::fit_constant(facts);
  p->lined = false;
  if (p->tids.model.width == 0) return;
  // Many runs pay only where a line fits them; where lines failed for the parts they fail for the whole.
  if (try_line || p->breaks < p->count / 8) p->lined = TidLinear::fit(facts, &p->tids);
  if (p->tids.model.width > 0 && p->breaks < p->count / 3) TidRuns::fit(facts, &p->tids);
  if (p->ascending) TidAscending::fit(facts, tid_bytes(p->tids, p->count), &p->tids);
}

template <class K>
void BasicSegmentPlanner<K>::finish_fit(PlannedSegment* p) const {
  if (level_ > 0) {
    // Separators carry TIDs only where duplicates span pages: kept raw, mostly all 0.
    p->tids = TidLinear::fit_raw(columns_.tids + p->first, p->count);
    const Block* children = columns_.children + p->first;
    p->child = fit_any(p->count, [&](std::size_t i) { return std::uint64_t{children[i]}; });
  }
  p->bytes = static_cast<std::uint32_t>(segment_bytes(*p, p->count));
}

namespace {

// Extremes of the ordinals: they are at the ends of runs.
template <class K>
void survey_ordinals(const Tid* tids, const std::uint32_t* runs, BasicPlannedSegment<K>* p) {
  const unsigned scale = p->max_offset;
  p->ordinal_lo = p->ordinal_hi = tid_to_ordinal(tids[p->first], scale);
  const auto look = [&](std::uint32_t i) {
    const std::uint64_t ordinal = tid_to_ordinal(tids[i], scale);
    p->ordinal_lo = ordinal < p->ordinal_lo ? ordinal : p->ordinal_lo;
    p->ordinal_hi = ordinal > p->ordinal_hi ? ordinal : p->ordinal_hi;
  };
  if (p->breaks > p->count / 2) {
    for (std::uint32_t i = 0; i < p->count; i++) look(p->first + i);
    return;
  }
  for (std::uint32_t r = 0; r < p->breaks; r++) {
    const std::uint32_t start = runs[p->run_begin + r];
    look(start - 1);
    look(start);
  }
  look(p->first + p->count - 1);
}

}  // namespace

template <class K>
BasicPlannedSegment<K> BasicSegmentPlanner<K>::fit(std::uint32_t first, std::uint32_t n,
                                                   std::uint32_t run_begin) {
  PlannedSegment p{};
  p.first = first;
  p.count = n;
  fit_key(&p);
  if (level_ == 0) {
    p.run_begin = run_begin;
    const Tid* tids = columns_.tids;
    unsigned offset = tid_offset(tids[first + n - 1]);
    for (std::size_t r = run_begin; r < run_count_ && columns_.runs[r] < first + n; r++) {
      const unsigned end = tid_offset(tids[columns_.runs[r] - 1]);
      offset = end > offset ? end : offset;
      p.breaks++;
    }
    p.max_offset = static_cast<std::uint16_t>(offset);
    if (p.breaks > n / 2) {
      // Scattered TIDs follow no line that another scale would bend: with one scale for all, neighbours merge
      // without another look at them. A scale of a few more offsets than needed costs a fraction of a bit.
      if (offset > offset_hint_) offset_hint_ = p.max_offset;
      if (offset_hint_ < offset + offset / 4) p.max_offset = offset_hint_;
    }
    survey_ordinals(tids, columns_.runs, &p);
    // Within a run TIDs ascend; so it takes a look at the runs' starts only.
    p.ascending = true;
    for (std::uint32_t r = 0; r < p.breaks && p.ascending; r++) {
      const std::uint32_t start = columns_.runs[run_begin + r];
      p.ascending = tids[start - 1] < tids[start];
    }
    fit_tid(&p, true);
  }
  finish_fit(&p);
  return p;
}

// Fits the entries of two neighbours together, sparing what is known of them.
template <class K>
BasicPlannedSegment<K> BasicSegmentPlanner<K>::fit_merged(const PlannedSegment& a,
                                                          const PlannedSegment& b) const {
  PlannedSegment p{};
  p.first = a.first;
  p.count = a.count + b.count;
  fit_merged_key(a, b, &p);
  if (level_ == 0) {
    p.run_begin = a.run_begin;
    const bool joint = continues_run(columns_.tids, b.first);
    p.breaks = a.breaks + b.breaks + (joint ? 0 : 1);
    p.max_offset = a.max_offset > b.max_offset ? a.max_offset : b.max_offset;
    if (a.max_offset == b.max_offset) {
      p.ordinal_lo = a.ordinal_lo < b.ordinal_lo ? a.ordinal_lo : b.ordinal_lo;
      p.ordinal_hi = a.ordinal_hi > b.ordinal_hi ? a.ordinal_hi : b.ordinal_hi;
    } else {
      survey_ordinals(columns_.tids, columns_.runs, &p);
    }
    p.ascending = a.ascending && b.ascending && columns_.tids[b.first - 1] < columns_.tids[b.first];
    if constexpr (KeyTraits<K>::kWords > 1) {
      if (a.count >= kSettled && a.lined && a.tids.codec == TidCodec::linear &&
          p.max_offset == a.max_offset &&
          TidLinear::extends(a.tids, columns_.tids + p.first, a.count, p.count)) {
        p.tids = a.tids;
        p.lined = true;
        finish_fit(&p);
        return p;
      }
    }
    // Ascending TIDs far apart are Elias-Fano's: a line through them gets no better than through their parts.
    const bool settled =
        p.ascending && a.tids.codec == TidCodec::ascending && b.tids.codec == TidCodec::ascending;
    fit_tid(&p, !settled && (a.lined || b.lined || a.tids.model.width == 0));
  }
  finish_fit(&p);
  return p;
}

// Extends `a` by the entries of `b` when a's models predict every one of them exactly.
template <class K>
bool BasicSegmentPlanner<K>::extend_exactly(PlannedSegment* a, const PlannedSegment& b) const {
  if (!KeyCodec<K>::exact(a->key) || !a->tids.exact() || b.verbatim != nullptr) return false;
  if (level_ > 0 && a->child.width != 0) return false;
  if (a->count < kBlock) return false;  // too short to have a settled slope
  const unsigned scale = a->tids.scale;
  const ColumnModel tid = a->tids.model;
  if (!KeyCodec<K>::continues(a->key, a->count, columns_.codes + b.first, b.count)) return false;
  for (std::uint32_t i = 0; i < b.count; i++) {
    const Tid t = columns_.tids[b.first + i];
    if (scale != 0 && tid_offset(t) > scale) return false;
    if (tid.predict(a->count + i) != tid_to_ordinal(t, scale)) return false;
  }
  if (level_ > 0) {
    for (std::uint32_t i = 0; i < b.count; i++) {
      if (static_cast<Block>(a->child.predict(a->count + i)) != columns_.children[b.first + i]) return false;
    }
  }
  const std::uint32_t end = b.first + b.count;
  if constexpr (KeyTraits<K>::kWords > 1) {
    if (a->verbatim == nullptr) {
      const K* codes = columns_.codes + b.first;
      a->key_facts = KeyCodec<K>::join(a->key_facts, KeyCodec<K>::survey(codes, b.count),
                                       columns_.codes + a->first, a->count);
    }
  }
  a->count += b.count;
  if (level_ == 0 && a->verbatim == nullptr) {
    while (a->run_begin + a->breaks < run_count_ && columns_.runs[a->run_begin + a->breaks] < end)
      a->breaks++;
    const std::uint64_t last = tid.predict(a->count - 1);
    a->ordinal_lo = last < a->ordinal_lo ? last : a->ordinal_lo;
    a->ordinal_hi = last > a->ordinal_hi ? last : a->ordinal_hi;
  }
  return true;
}

template <class K>
void BasicSegmentPlanner<K>::add(const PlannedSegment& segment) {
  if (depth_ == kMaxPlanned) {
    overflow_ = true;
    return;
  }
  stack_[depth_++] = segment;
  entries_ += segment.count;
  bytes_ += segment.bytes + segment_size<K>(level_);
}

template <class K>
void BasicSegmentPlanner<K>::keep(const PlannedSegment& segment) {
  add(segment);
}

// Merges the two topmost segments if that saves bytes.
template <class K>
bool BasicSegmentPlanner<K>::merge_top() {
  PlannedSegment& a = stack_[depth_ - 2];
  const PlannedSegment& b = stack_[depth_ - 1];
  if (extend_exactly(&a, b)) {
    bytes_ -= b.bytes + segment_size<K>(level_);
    depth_--;
    settled_ = std::min(settled_, depth_ - 1);
    return true;
  }
  if (a.verbatim != nullptr || b.verbatim != nullptr) return false;
  const PlannedSegment merged = fit_merged(a, b);
  if (merged.bytes >= a.bytes + b.bytes + segment_size<K>(level_)) return false;
  bytes_ -= a.bytes + b.bytes + segment_size<K>(level_) - merged.bytes;
  depth_--;
  settled_ = std::min(settled_, depth_ - 1);
  stack_[depth_ - 1] = merged;
  return true;
}

// Where a block had better be cut: in front of the entry behind the widest gap, if that is an outlier among its neighbours (else it
// is not worth two more fits), 0 if not. Of several words the first one counts that is not the same in all entries: where it
// changes, those behind it begin anew.
template <class K>
std::uint32_t BasicSegmentPlanner<K>::widest_gap(std::uint32_t first, std::uint32_t n) const {
  const K* codes = columns_.codes + first;
  unsigned w = 0;
  if constexpr (KeyTraits<K>::kWords > 1) {
    const auto prefix_differs = [&] {
      return key_prefix(codes[0], w + 1) != key_prefix(codes[n - 1], w + 1);
    };
    while (w + 1 < KeyTraits<K>::kWords && !prefix_differs()) w++;
  }
  const auto word = [&](std::uint32_t i) { return KeyTraits<K>::word(codes[i], w); };
  std::uint64_t widest = 0;
  std::uint64_t sum = 0;
  std::uint32_t at = 0;
  for (std::uint32_t i = 1; i < n; i++) {
    std::uint64_t gap = word(i) - word(i - 1);
    if constexpr (KeyTraits<K>::kWords > 1) {
      // Where a flag changes words may descend.
      if (word(i) < word(i - 1)) gap = ~gap + 1;
    }
    if (gap > widest) {
      widest = gap;
      at = i;
    }
    sum += gap;
  }
  return widest > sum / 4 ? at : 0;
}

template <class K>
void BasicSegmentPlanner<K>::push_split(std::uint32_t first, std::uint32_t n, std::uint32_t run_begin,
                                        int depth) {
  const PlannedSegment whole = fit(first, n, run_begin);
  const std::size_t header = segment_size<K>(level_);
  if (whole.bytes > 2 * header && n >= 4 && depth < 6) {
    if (const std::uint32_t at = widest_gap(first, n); at > 0) {
      std::uint32_t middle = run_begin;  // first run start behind the cut
      while (middle < run_count_ && columns_.runs[middle] <= first + at) middle++;
      const PlannedSegment a = fit(first, at, run_begin);
      const PlannedSegment b = fit(first + at, n - at, middle);
      if (a.bytes + b.bytes + header < whole.bytes) {
        push_split(first, at, run_begin, depth + 1);
        push_split(first + at, n - at, middle, depth + 1);
        return;
      }
    }
  }
  add(whole);
}

template <class K>
void BasicSegmentPlanner<K>::push_block(std::uint32_t first, std::uint32_t n) {
  std::size_t run_begin = run_count_;
  if (level_ == 0) {
    note_runs(first, n);
    // A break before the block's first entry is not one within it.
    if (run_begin < run_count_ && columns_.runs[run_begin] == first) run_begin++;
  }
  if (depth_ > 0) {
    PlannedSegment next{};
    next.first = first;
    next.count = n;
    if (extend_exactly(&stack_[depth_ - 1], next)) {
      settled_ = std::min(settled_, depth_ - 1);
      entries_ += n;
      return;
    }
  }
  push_split(first, n, static_cast<std::uint32_t>(run_begin), 0);
  while (depth_ >= 2 && !overflow_ && stack_[depth_ - 2].count <= stack_[depth_ - 1].count && merge_top()) {
  }
}

template <class K>
void BasicSegmentPlanner<K>::push(std::uint32_t first, std::uint32_t n) {
  while (n > 0 && !overflow_) {
    const std::uint32_t step = n < kBlock ? n : kBlock;
    push_block(first, step);
    first += step;
    n -= step;
  }
}

template <class K>
void BasicSegmentPlanner<K>::compact() {
  if (overflow_ || depth_ < 2) return;
  // Replay the stack from the bottom, merging each segment with what lies before it.
  const std::size_t total = depth_;
  std::size_t i = std::max<std::size_t>(settled_, 1);
  for (depth_ = i; i < total; i++) {
    stack_[depth_++] = stack_[i];
    while (depth_ >= 2 && merge_top()) {
    }
  }
  settled_ = depth_;
}

template <class K>
typename BasicSegmentPlanner<K>::Mark BasicSegmentPlanner<K>::save(PlannedSegment* out) const {
  std::memcpy(out, stack_, depth_ * sizeof(PlannedSegment));
  return {depth_, settled_, entries_, bytes_, run_count_, pushed_};
}

template <class K>
void BasicSegmentPlanner<K>::restore(const Mark& mark, const PlannedSegment* from) {
  std::memcpy(stack_, from, mark.depth * sizeof(PlannedSegment));
  depth_ = mark.depth;
  settled_ = mark.settled;
  entries_ = mark.entries;
  bytes_ = mark.bytes;
  run_count_ = mark.runs;
  pushed_ = mark.pushed;
  overflow_ = false;
}

#define LEARNED_INSTANTIATE(K) template class BasicSegmentPlanner<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
