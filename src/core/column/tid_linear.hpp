// TidCodec::linear: residuals of the ordinals against a line through all of them. Costs nothing where TIDs count up, and
// serves any TIDs.
#pragma once

#include "core/column/tid_model.hpp"

namespace learned {

struct TidLinear {
  static constexpr TidCodec kCodec = TidCodec::linear;

  // A constant: what every codec has to beat.
  static TidColumn fit_constant(const TidFacts& facts);
  // A line, if its residuals are narrower than those of *best. REQUIRES: *best is a constant.
  static bool fit(const TidFacts& facts, TidColumn* best);
  // Whether of n TIDs those behind the first `middle` stay as close to the line of these as they do. REQUIRES: no offset is
  // above the column's scale.
  static bool extends(const TidColumn& column, const Tid* tids, std::size_t middle, std::size_t n);
  // Raw TIDs, without a scale: separators, which mostly are all 0.
  static TidColumn fit_raw(const Tid* tids, std::size_t n);
  // TIDs that count up by one.
  static TidColumn fit_counting(const Tid* tids, std::size_t n);

  static std::size_t bytes(const TidColumn& column, std::size_t n) {
    return LineCodec::bytes(column.model, n);
  }
  static std::uint8_t* encode(std::uint8_t* out, const TidColumn& column, const Tid* tids, std::size_t n) {
    const unsigned scale = column.scale;
    return LineCodec::encode(out, column.model, n,
                             [tids, scale](std::size_t i) { return tid_to_ordinal(tids[i], scale); });
  }
  static Tid at(const TidColumn& column, const TidBits& data, unsigned i) {
    return ordinal_to_tid(LineCodec::at(column.model, data.bits, i), column.scale);
  }
  static void decode(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n, Tid* out);

  static bool load(Extent* bytes, const TidColumn& column, std::size_t n, TidBits* data) {
    return LineCodec::load(bytes, column.model, n, &data->bits);
  }
  static bool grows(const TidColumn& column) { return column.model.width != 0; }
  static Fault check_model(const TidColumn& column, std::size_t) {
    return column.runs != 0 || column.rank_width != 0 ? "segment without runs counts some" : nullptr;
  }
  static Fault check(const TidColumn&, const TidBits&, std::size_t) { return nullptr; }

  static unsigned torn(const TidColumn&, const TidBits&, unsigned, unsigned) { return 0; }
  static TidColumn slice(const TidColumn& column, bool front, const Tid* tids, std::size_t n,
                         std::uint32_t* scratch);
  static Span span(const TidColumn& column, std::size_t n) {
    return tid_span(LineCodec::span(column.model, n), column.scale);
  }
  static Span part_span(const TidColumn& column, const TidBits&, unsigned begin, unsigned n) {
    return tid_span(LineCodec::span(column.model, n, begin), column.scale);
  }
};

}  // namespace learned
