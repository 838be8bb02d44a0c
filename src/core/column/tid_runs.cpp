#include "core/column/tid_runs.hpp"

namespace learned {

bool TidRuns::fit(const TidFacts& facts, TidColumn* best) {
  const Tid* tids = facts.tids;
  const std::uint32_t n = facts.breaks + 1;
  const auto start = [&](std::size_t j) { return j == 0 ? 0 : facts.starts[j - 1] - facts.origin; };
  const unsigned rank_width = bits_for(start(facts.breaks));
  const std::uint64_t limit = std::uint64_t{facts.count} * best->model.width;
  if (std::uint64_t{n} * rank_width >= limit) return false;
  unsigned scale = 0;
  for (std::size_t j = 0; j < n; j++) {
    const unsigned offset = tid_offset(tids[start(j)]);
    scale = offset > scale ? offset : scale;
  }
  const ColumnModel model = fit_any(n, [&](std::size_t j) { return tid_to_ordinal(tids[start(j)], scale); });
  if (std::uint64_t{n} * (rank_width + model.width) >= limit) return false;
  *best = {model, static_cast<std::uint16_t>(scale), static_cast<std::uint16_t>(n),
           static_cast<std::uint8_t>(rank_width), kCodec};
  return true;
}

std::uint8_t* TidRuns::encode(std::uint8_t* out, const TidColumn& column, const Tid* tids, std::size_t n) {
  BitWriter ranks(out, column.rank_width);
  for (std::size_t i = 0; i < n; i++) {
    if (i == 0 || !continues_run(tids, i)) ranks.put(i);
  }
  BitWriter firsts(ranks.flush(), column.model.width);
  std::uint32_t run = 0;
  for (std::size_t i = 0; i < n; i++) {
    if (i > 0 && continues_run(tids, i)) continue;
    firsts.put(tid_to_ordinal(tids[i], column.scale) - column.model.predict(run));
    run++;
  }
  return firsts.flush();
}

void TidRuns::decode(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n, Tid* out) {
  unsigned run = run_of(column, data, begin);
  unsigned i = 0;
  while (i < n) {
    const unsigned start = first_rank(column, data, run);
    unsigned next = begin + n;
    if (run + 1u < column.runs) {
      const unsigned rank = first_rank(column, data, run + 1);
      next = rank < next ? rank : next;
    }
    const Tid first = first_tid(column, data, run);
    // Damaged ranks may not ascend: `i` always does.
    do {
      out[i] = (first + (begin + i - start)) & kMaxTid;
      i++;
    } while (begin + i < next);
    if (run + 1u < column.runs) run++;
  }
}

Fault TidRuns::check(const TidColumn& column, const TidBits& data, std::size_t n) {
  unsigned previous = 0;
  for (unsigned run = 0; run < column.runs; run++) {
    const unsigned rank = first_rank(column, data, run);
    if (run == 0 ? rank != 0 : rank <= previous) return "first ranks of the runs do not ascend from 0";
    if (rank >= n) return "run begins behind its segment";
    previous = rank;
  }
  return nullptr;
}

unsigned TidRuns::torn(const TidColumn& column, const TidBits& data, unsigned from, unsigned to) {
  if (from == 0) return 0;
  unsigned lo = 0;  // the first run that begins at or behind `from`
  unsigned hi = column.runs;
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    if (first_rank(column, data, mid) < from) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  const unsigned next = lo < column.runs ? first_rank(column, data, lo) : to;
  return next < to ? next - from : to - from;
}

TidColumn TidRuns::slice(const TidColumn& column, bool front, const Tid* tids, std::size_t n,
                         std::uint32_t* scratch) {
  std::uint32_t runs = 0;
  for (std::size_t i = 0; i < n; i++) {
    if (i == 0 || !continues_run(tids, i)) scratch[runs++] = static_cast<std::uint32_t>(i);
  }
  TidColumn part = column;
  part.runs = static_cast<std::uint16_t>(runs);
  if (front) return part;
  part.model = LineCodec::refit(
      column.model, runs, [&](std::size_t j) { return tid_to_ordinal(tids[scratch[j]], column.scale); });
  return part;
}

Span TidRuns::span(const TidColumn& column, std::size_t n) {
  const Span firsts = tid_span(LineCodec::span(column.model, column.runs), column.scale);
  // Each of the other runs has an entry at least.
  const std::uint64_t longest = n - column.runs;
  return firsts.hi > kMaxTid - longest ? Span{0, kMaxTid} : Span{firsts.lo, firsts.hi + longest};
}

Span TidRuns::part_span(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n) {
  const unsigned first = run_of(column, data, begin);
  const unsigned runs = run_of(column, data, begin + n - 1) - first + 1;
  const Span firsts = tid_span(LineCodec::span(column.model, runs, first), column.scale);
  // How far a run goes on: each of the others has an entry at least.
  const std::uint64_t longest = begin + std::uint64_t{n} - first_rank(column, data, first) - runs;
  return firsts.hi > kMaxTid - longest ? Span{0, kMaxTid} : Span{firsts.lo, firsts.hi + longest};
}

}  // namespace learned
