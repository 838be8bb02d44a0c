// Cuts sorted entries into segments so that few bytes are needed.
//
// Entries are fitted in blocks of kBlock; neighbours are merged while that saves bytes, equal sizes first, so
// that each entry is fitted about log2(segment / kBlock) times. This is LeCo's split-and-merge partitioning
// (Liu et al., SIGMOD 2024, section 3.2) with a block as the smallest unit; a block that holds a far outlier
// is split at its widest gap, so that one outlier does not widen its neighbours. A segment that the next block
// continues exactly is extended without a new fit, so regular data takes one pass.
#pragma once

#include "core/page/write.hpp"

namespace learned {

// A plan never has more segments than this; a plan that would is of no use for one page (or two).
inline constexpr std::size_t kMaxPlanned = 512;

template <class K>
struct BasicPlannedSegment : BasicNewSegment<K> {
  // Facts about its keys and TIDs that spare the planner another pass when it merges.
  std::uint32_t run_begin;   // first of the planner's run starts behind `first`
  std::uint32_t breaks;      // runs of consecutive TIDs, less one
  std::uint64_t ordinal_lo;  // extremes of the ordinals under the scale max_offset (leaves)
  std::uint64_t ordinal_hi;
  std::uint16_t max_offset;
  [[no_unique_address]] typename KeyCodec<K>::Facts key_facts;
  bool lined;      // a line was worth it
  bool ascending;  // strictly
};
using PlannedSegment = BasicPlannedSegment<Code>;

template <class K>
class BasicSegmentPlanner {
 public:
  using PlannedSegment = BasicPlannedSegment<K>;
  using Columns = BasicColumns<K>;
  static constexpr unsigned kBlock = 64;
  // A line through so many keys of several words is kept where more of them stay close to it.
  static constexpr unsigned kSettled = 4 * kBlock;

  BasicSegmentPlanner(PlannedSegment* stack, const Columns& columns, unsigned level)
      : stack_(stack), columns_(columns), level_(level) {}

  // Appends a segment of an existing page as it is. It may be extended exactly, never fitted anew.
  void keep(const PlannedSegment& segment);

  // Appends entries [first, first + n) of the columns, n <= kBlock.
  void push_block(std::uint32_t first, std::uint32_t n);

  // Appends entries [first, first + n), any n.
  void push(std::uint32_t first, std::uint32_t n);

  // Merges what push_block left apart because of unequal sizes.
  void compact();

  // True when the entries needed more segments than a plan holds: the plan is void.
  bool overflow() const { return overflow_; }

  std::size_t size() const { return depth_; }
  const PlannedSegment& operator[](std::size_t i) const { return stack_[i]; }
  std::size_t entries() const { return entries_; }
  // Bytes of residuals and directory of all segments.
  std::size_t bytes() const { return bytes_; }

  // Copies the state's segments out and back: lets a caller try a block and take it back.
  struct Mark {
    std::size_t depth, settled, entries, bytes, runs;
    std::uint32_t pushed;

    // compact() would change nothing.
    bool compact() const { return settled == depth; }
  };
  Mark save(PlannedSegment* out) const;
  void restore(const Mark& mark, const PlannedSegment* from);

 private:
  PlannedSegment fit(std::uint32_t first, std::uint32_t n, std::uint32_t run_begin);
  PlannedSegment fit_merged(const PlannedSegment& a, const PlannedSegment& b) const;
  void fit_key(PlannedSegment* p) const;
  void fit_merged_key(const PlannedSegment& a, const PlannedSegment& b, PlannedSegment* p) const;
  void fit_tid(PlannedSegment* p, bool try_line) const;
  void finish_fit(PlannedSegment* p) const;
  void note_runs(std::uint32_t first, std::uint32_t n);
  bool extend_exactly(PlannedSegment* a, const PlannedSegment& b) const;
  bool merge_top();
  void add(const PlannedSegment& segment);
  std::uint32_t widest_gap(std::uint32_t first, std::uint32_t n) const;
  void push_split(std::uint32_t first, std::uint32_t n, std::uint32_t run_begin, int depth);

  PlannedSegment* stack_;
  Columns columns_;
  unsigned level_;
  std::size_t depth_ = 0;
  std::size_t settled_ =
      0;  // so many from the bottom are as compact() left them: it would leave them so again
  std::size_t entries_ = 0;
  std::size_t bytes_ = 0;
  std::size_t run_count_ = 0;      // of columns_.runs
  std::uint32_t pushed_ = 0;       // behind the last entry pushed
  std::uint16_t offset_hint_ = 0;  // highest offset of scattered TIDs so far
  bool overflow_ = false;
};
using SegmentPlanner = BasicSegmentPlanner<Code>;

}  // namespace learned
