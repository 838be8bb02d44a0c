// TidCodec::runs: runs of consecutive TIDs, as rows of varying width make them. The packed first ranks of the runs, then the
// line column of their first ordinals, which the model is of.
#pragma once

#include "core/column/tid_model.hpp"

namespace learned {

struct TidRuns {
  static constexpr TidCodec kCodec = TidCodec::runs;

  static bool fit(const TidFacts& facts, TidColumn* best);

  static std::size_t bytes(const TidColumn& column, std::size_t) {
    return packed_bytes(column.runs, column.rank_width) + LineCodec::bytes(column.model, column.runs);
  }
  static std::uint8_t* encode(std::uint8_t* out, const TidColumn& column, const Tid* tids, std::size_t n);

  static Tid at(const TidColumn& column, const TidBits& data, unsigned i) {
    const unsigned run = run_of(column, data, i);
    return (first_tid(column, data, run) + (i - first_rank(column, data, run))) & kMaxTid;
  }
  static void decode(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n, Tid* out);

  static bool load(Extent* bytes, const TidColumn& column, std::size_t n, TidBits* data) {
    if (!possible(column, n)) return false;
    data->more_size = static_cast<std::uint32_t>(packed_bytes(column.runs, column.rank_width));
    return bytes->take(data->more_size, &data->more) &&
           LineCodec::load(bytes, column.model, column.runs, &data->bits);
  }
  static bool grows(const TidColumn&) { return false; }  // one more of the last run
  static Fault check_model(const TidColumn& column, std::size_t n) {
    return possible(column, n) ? nullptr : "segment has impossible runs";
  }
  static Fault check(const TidColumn& column, const TidBits& data, std::size_t n);

  // Those of a run that began before the part. (This codec cannot say so: a run's first TID need not have an ordinal under
  // the column's scale when it is not the one that the run began with.)
  static unsigned torn(const TidColumn& column, const TidBits& data, unsigned from, unsigned to);
  // The runs that begin in a part, the first one with it. Their first TIDs keep their column in a front part; a back
  // part's column starts elsewhere on its line. scratch: room for their first ranks.
  static TidColumn slice(const TidColumn& column, bool front, const Tid* tids, std::size_t n,
                         std::uint32_t* scratch);
  // REQUIRES: check() found nothing.
  static Span span(const TidColumn& column, std::size_t n);
  // The same.
  static Span part_span(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n);

 private:
  static bool possible(const TidColumn& column, std::size_t n) {
    return column.runs != 0 && column.runs <= n && column.rank_width <= 16;
  }
  static unsigned first_rank(const TidColumn& column, const TidBits& data, unsigned run) {
    return static_cast<unsigned>(read_bits(data.more, run, column.rank_width));
  }
  static Tid first_tid(const TidColumn& column, const TidBits& data, unsigned run) {
    return ordinal_to_tid(LineCodec::at(column.model, data.bits, run), column.scale);
  }
  // Last run that starts at or before i.
  static unsigned run_of(const TidColumn& column, const TidBits& data, unsigned i) {
    unsigned lo = 0;
    unsigned hi = column.runs;
    while (hi - lo > 1) {
      const unsigned mid = (lo + hi) / 2;
      if (first_rank(column, data, mid) <= i) {
        lo = mid;
      } else {
        hi = mid;
      }
    }
    return lo;
  }
};

}  // namespace learned
