#include "core/column/tid_linear.hpp"

namespace learned {

TidColumn TidLinear::fit_constant(const TidFacts& facts) {
  const auto width = static_cast<std::uint8_t>(bits_for(facts.ordinal_hi - facts.ordinal_lo));
  return {{facts.ordinal_lo, 0, 0, width}, facts.max_offset, 0, 0, kCodec};
}

// Within a run ordinals rise by one per rank, so the error against a line is monotone there (the line's steps are all at
// most one, or all at least one): only the ends of runs count.
bool TidLinear::fit(const TidFacts& facts, TidColumn* best) {
  const Tid* tids = facts.tids;
  const std::uint32_t n = facts.count;
  const unsigned scale = best->scale;
  const std::uint64_t first = tid_to_ordinal(tids[0], scale);
  const std::uint64_t last = tid_to_ordinal(tids[n - 1], scale);
  const bool descends = last < first;
  const std::uint64_t rise = descends ? first - last : last - first;
  // (Ordinals of a sound page are below 2^48; a damaged one must not overflow the arithmetic below.)
  if (n < 2 || (rise >> 62) != 0 || rise < (facts.ordinal_hi - facts.ordinal_lo) / 2) return false;
  ColumnModel lined{0, 0, line_shift(rise), 0};
  lined.slope = (rise << lined.shift) / (n - 1);
  std::int64_t lo = 0;
  std::int64_t hi = 0;
  const auto look = [&](std::uint32_t i) {
    const std::uint64_t line = (lined.slope * i) >> lined.shift;
    const auto error = static_cast<std::int64_t>(tid_to_ordinal(tids[i], scale) - first -
                                                 (descends ? std::uint64_t{0} - line : line));
    lo = error < lo ? error : lo;
    hi = error > hi ? error : hi;
  };
  if (facts.breaks > n / 2) {
    for (std::uint32_t i = 0; i < n; i++) look(i);
  } else {
    for (std::uint32_t r = 0; r < facts.breaks; r++) {
      const std::uint32_t start = facts.starts[r] - facts.origin;
      look(start - 1);
      look(start);
    }
    look(n - 1);
  }
  lined.width =
      static_cast<std::uint8_t>(bits_for(static_cast<std::uint64_t>(hi) - static_cast<std::uint64_t>(lo)));
  if (lined.width >= best->model.width) return false;
  lined.base = first + static_cast<std::uint64_t>(lo);
  if (descends) lined.shift |= ColumnModel::kDescending;
  best->model = lined;
  return true;
}

bool TidLinear::extends(const TidColumn& column, const Tid* tids, std::size_t middle, std::size_t n) {
  const ColumnModel model = column.model;
  const std::uint64_t widest = low_mask(model.width);
  for (std::size_t i = middle; i < n; i++) {
    if (tid_to_ordinal(tids[i], column.scale) - model.predict(i) > widest) return false;
  }
  return true;
}

TidColumn TidLinear::fit_raw(const Tid* tids, std::size_t n) {
  return {fit_any(n, [&](std::size_t i) { return tids[i]; }), 0, 0, 0, kCodec};
}

TidColumn TidLinear::fit_counting(const Tid* tids, std::size_t n) {
  const std::uint16_t scale = tid_offset(tids[n - 1]);
  return {{tid_to_ordinal(tids[0], scale), n > 1 ? std::uint64_t{1} : 0, 0, 0}, scale, 0, 0, kCodec};
}

namespace {

// TIDs that count up by one, as a table's rows of one width do. False: not this column's.
bool decode_counting(const TidColumn& column, unsigned begin, unsigned n, Tid* out) {
  const ColumnModel& model = column.model;
  if (model.width != 0 || model.shift > 16 || model.slope != std::uint64_t{1} << model.shift) return false;
  const std::uint64_t first = model.base + begin;
  if (first > kMaxTid || n > kMaxTid - first) return false;
  Tid tid = ordinal_to_tid(first, column.scale);
  // Of a raw TID, all of it counts.
  unsigned room = column.scale == 0 ? n : column.scale + 1u - tid_offset(tid);
  for (unsigned i = 0; i < n;) {
    const unsigned end = n - i < room ? n : i + room;
    for (; i < end; i++) out[i] = tid++;
    // On to the first row of the next block.
    tid = ((((tid - 1) >> 16) + 1) << 16 | 1) & kMaxTid;
    room = column.scale;
  }
  return true;
}

}  // namespace

void TidLinear::decode(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n, Tid* out) {
  if (decode_counting(column, begin, n, out)) return;
  LineCodec::decode(column.model, data.bits, begin, n, out);
  ordinals_to_tids(out, n, column.scale);
}

TidColumn TidLinear::slice(const TidColumn& column, bool front, const Tid* tids, std::size_t n,
                           std::uint32_t*) {
  TidColumn part = column;
  part.model = LineCodec::slice(column.model, front, n,
                                [&](std::size_t i) { return tid_to_ordinal(tids[i], column.scale); });
  return part;
}

}  // namespace learned
