#include "segment_planner.hpp"

#include "page_view.hpp"

namespace learned {

namespace {

// A run continues while TIDs are consecutive offsets of one heap block.
inline bool continues_run(const Tid* tids, std::uint32_t i) { return tids[i] == tids[i - 1] + 1; }

// Fits the runs codec into *seg; returns its bits, or a huge number if it is hopeless.
std::uint64_t fit_runs(const Tid* tids, std::uint32_t n, std::uint64_t limit, Segment* seg) {
  constexpr std::uint32_t kMaxRuns = 8192;
  // First ranks of the runs; a function-local bound keeps the stack small (32 kB).
  std::uint32_t starts[kMaxRuns];
  std::uint32_t runs = 0;
  unsigned scale = 0;
  for (std::uint32_t i = 0; i < n; i++) {
    if (i > 0 && continues_run(tids, i)) continue;
    if (runs == kMaxRuns || runs * std::uint64_t{8} > limit) return ~std::uint64_t{0};
    starts[runs++] = i;
    const unsigned offset = tid_offset(tids[i]);
    scale = offset > scale ? offset : scale;
  }
  const ColumnModel model =
      fit_any(runs, [&](std::size_t j) { return tid_to_ordinal(tids[starts[j]], scale); });
  seg->tid_codec = TidCodec::runs;
  seg->tid_scale = static_cast<std::uint16_t>(scale);
  seg->runs = static_cast<std::uint16_t>(runs);
  seg->rank_width = static_cast<std::uint8_t>(bits_for(starts[runs - 1]));
  seg->tid_base = model.base;
  seg->tid_slope = model.slope;
  seg->tid_shift = model.shift;
  seg->tid_width = model.width;
  return std::uint64_t{runs} * (seg->rank_width + model.width);
}

}  // namespace

void fit_tids(const Tid* tids, std::uint32_t n, bool raw, Segment* seg) {
  unsigned scale = 0;
  std::uint32_t breaks = 0;
  if (!raw) {
    scale = tid_offset(tids[0]);
    for (std::uint32_t i = 1; i < n; i++) {
      const unsigned offset = tid_offset(tids[i]);
      scale = offset > scale ? offset : scale;
      breaks += continues_run(tids, i) ? 0 : 1;
    }
  }
  const ColumnModel model = fit_any(n, [&](std::size_t i) { return tid_to_ordinal(tids[i], scale); });
  seg->tid_codec = TidCodec::linear;
  seg->tid_scale = static_cast<std::uint16_t>(scale);
  seg->runs = 0;
  seg->rank_width = 0;
  seg->tid_base = model.base;
  seg->tid_slope = model.slope;
  seg->tid_shift = model.shift;
  seg->tid_width = model.width;
  const std::uint64_t bits = std::uint64_t{n} * model.width;
  if (!raw && model.width > 0 && breaks < n / 3) {
    Segment other = *seg;
    if (fit_runs(tids, n, bits, &other) < bits) *seg = other;
  }
}

std::size_t segment_bytes(const Segment& seg, const ColumnModel& child, std::uint32_t n, unsigned level) {
  std::size_t bytes = packed_bytes(n, seg.key_width);
  if (seg.tid_codec == TidCodec::runs) {
    bytes += packed_bytes(seg.runs, seg.rank_width) + packed_bytes(seg.runs, seg.tid_width);
  } else {
    bytes += packed_bytes(n, seg.tid_width);
  }
  if (level > 0) bytes += packed_bytes(n, child.width);
  return bytes;
}

PlannedSegment SegmentPlanner::fit(std::uint32_t first, std::uint32_t n) const {
  PlannedSegment p{};
  p.first = first;
  p.count = n;
  const Code* codes = columns_.codes + first;
  const ColumnModel key = fit_ascending(codes, n);
  p.seg.first_code = codes[0];
  p.seg.key_base = key.base;
  p.seg.key_slope = key.slope;
  p.seg.key_shift = key.shift;
  p.seg.key_width = key.width;
  // Separators carry TIDs only where duplicates span pages: kept raw, mostly all 0.
  fit_tids(columns_.tids + first, n, level_ > 0, &p.seg);
  if (level_ > 0) {
    const Block* children = columns_.children + first;
    p.child = fit_any(n, [&](std::size_t i) { return std::uint64_t{children[i]}; });
    p.seg.child_shift = p.child.shift;
    p.seg.child_width = p.child.width;
  }
  p.bytes = static_cast<std::uint32_t>(segment_bytes(p.seg, p.child, n, level_));
  return p;
}

// Extends `a` by the entries of `b` when a's models predict every one of them exactly.
bool SegmentPlanner::extend_exactly(PlannedSegment* a, const PlannedSegment& b) const {
  const Segment& seg = a->seg;
  if (seg.key_width != 0 || seg.tid_width != 0 || seg.tid_codec != TidCodec::linear || b.verbatim != nullptr) {
    return false;
  }
  if (level_ > 0 && a->child.width != 0) return false;
  if (a->count < SegmentPlanner::kBlock) return false;  // too short to have a settled slope
  const ColumnModel key = seg.key();
  const ColumnModel tid = seg.tid();
  for (std::uint32_t i = 0; i < b.count; i++) {
    const std::uint32_t at = a->count + i;
    const Tid t = columns_.tids[b.first + i];
    if (key.predict(at) != columns_.codes[b.first + i]) return false;
    if (seg.tid_scale != 0 && tid_offset(t) > seg.tid_scale) return false;
    if (tid.predict(at) != tid_to_ordinal(t, seg.tid_scale)) return false;
    if (level_ > 0 && static_cast<Block>(a->child.predict(at)) != columns_.children[b.first + i]) return false;
  }
  a->count += b.count;
  return true;
}

void SegmentPlanner::add(const PlannedSegment& segment) {
  if (depth_ == kMaxPlanned) {
    overflow_ = true;
    return;
  }
  stack_[depth_++] = segment;
  entries_ += segment.count;
  bytes_ += segment.bytes + segment_size(level_);
}

void SegmentPlanner::keep(const PlannedSegment& segment) { add(segment); }

// Merges the two topmost segments if that saves bytes.
bool SegmentPlanner::merge_top() {
  PlannedSegment& a = stack_[depth_ - 2];
  const PlannedSegment& b = stack_[depth_ - 1];
  if (extend_exactly(&a, b)) {
    bytes_ -= b.bytes + segment_size(level_);
    depth_--;
    return true;
  }
  if (a.verbatim != nullptr || b.verbatim != nullptr) return false;
  const PlannedSegment merged = fit(a.first, a.count + b.count);
  if (merged.bytes >= a.bytes + b.bytes + segment_size(level_)) return false;
  bytes_ -= a.bytes + b.bytes + segment_size(level_) - merged.bytes;
  depth_--;
  stack_[depth_ - 1] = merged;
  return true;
}

void SegmentPlanner::push_split(std::uint32_t first, std::uint32_t n, int depth) {
  const PlannedSegment whole = fit(first, n);
  const std::size_t header = segment_size(level_);
  if (whole.bytes > 2 * header && n >= 4 && depth < 6) {
    const Code* codes = columns_.codes + first;
    std::uint64_t widest = 0;
    std::uint32_t at = 0;
    for (std::uint32_t i = 1; i < n; i++) {
      const std::uint64_t gap = codes[i] - codes[i - 1];
      if (gap > widest) {
        widest = gap;
        at = i;
      }
    }
    // A gap that is no outlier among its neighbours is not worth two more fits.
    if (widest > (codes[n - 1] - codes[0]) / 4) {
      const PlannedSegment a = fit(first, at);
      const PlannedSegment b = fit(first + at, n - at);
      if (a.bytes + b.bytes + header < whole.bytes) {
        push_split(first, at, depth + 1);
        push_split(first + at, n - at, depth + 1);
        return;
      }
    }
  }
  add(whole);
}

void SegmentPlanner::push_block(std::uint32_t first, std::uint32_t n) {
  if (depth_ > 0) {
    PlannedSegment next{};
    next.first = first;
    next.count = n;
    if (extend_exactly(&stack_[depth_ - 1], next)) {
      entries_ += n;
      return;
    }
  }
  push_split(first, n, 0);
  while (depth_ >= 2 && !overflow_ && stack_[depth_ - 2].count <= stack_[depth_ - 1].count && merge_top()) {
  }
}

void SegmentPlanner::push(std::uint32_t first, std::uint32_t n) {
  while (n > 0 && !overflow_) {
    const std::uint32_t step = n < kBlock ? n : kBlock;
    push_block(first, step);
    first += step;
    n -= step;
  }
}

void SegmentPlanner::compact() {
  if (overflow_ || depth_ < 2) return;
  // Replay the stack from the bottom, merging each segment with what lies before it.
  const std::size_t total = depth_;
  depth_ = 1;
  for (std::size_t i = 1; i < total; i++) {
    stack_[depth_++] = stack_[i];
    while (depth_ >= 2 && merge_top()) {
    }
  }
}

SegmentPlanner::Mark SegmentPlanner::save(PlannedSegment* out) const {
  std::memcpy(out, stack_, depth_ * sizeof(PlannedSegment));
  return {depth_, entries_, bytes_};
}

void SegmentPlanner::restore(const Mark& mark, const PlannedSegment* from) {
  std::memcpy(stack_, from, mark.depth * sizeof(PlannedSegment));
  depth_ = mark.depth;
  entries_ = mark.entries;
  bytes_ = mark.bytes;
  overflow_ = false;
}

}  // namespace learned
