// TidCodec::ascending: ascending TIDs far apart (rows of one key), by Elias-Fano (elias_fano.hpp). The model's base is the first
// ordinal, its slope the last one less that; `width` low bits of each ordinal are packed, then comes the bitmap.
#pragma once

#include "core/column/elias_fano.hpp"
#include "core/column/tid_model.hpp"

namespace learned {

struct TidAscending {
  static constexpr TidCodec kCodec = TidCodec::ascending;

  // REQUIRES: the TIDs ascend strictly.
  static bool fit(const TidFacts& facts, std::size_t bytes_now, TidColumn* best);

  static std::size_t bytes(const TidColumn& column, std::size_t n) { return shape(column).bytes(n); }
  static std::uint8_t* encode(std::uint8_t* out, const TidColumn& column, const Tid* tids, std::size_t n);

  static Tid at(const TidColumn& column, const TidBits& data, unsigned i) {
    SetBits bits(data.more, data.more_size);
    bits.skip(i);
    return ordinal_to_tid(ordinal(column, data, bits.next(), i), column.scale);
  }
  // Of entries [begin, begin + n), in damaged pages up to the model's last one and its low bits.
  static void ordinals(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n,
                       std::uint64_t* out);
  static void decode(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n, Tid* out);

  static bool load(Extent* bytes, const TidColumn& column, std::size_t n, TidBits* data) {
    if (!possible(column) || !bytes->take(shape(column).low_bytes(n), &data->bits)) return false;
    data->more_size = static_cast<std::uint32_t>(shape(column).high_bytes(n));
    return bytes->take(data->more_size, &data->more);
  }
  static bool grows(const TidColumn&) { return true; }
  static Fault check_model(const TidColumn& column, std::size_t) {
    if (!possible(column)) return "segment has an impossible tid model";
    return column.runs != 0 || column.rank_width != 0 ? "segment without runs counts some" : nullptr;
  }
  static Fault check(const TidColumn& column, const TidBits& data, std::size_t n);

  static unsigned torn(const TidColumn&, const TidBits&, unsigned, unsigned) { return 0; }
  // Its own span under the same division into low and high bits.
  static TidColumn slice(const TidColumn& column, bool front, const Tid* tids, std::size_t n,
                         std::uint32_t* scratch);
  static Span span(const TidColumn& column, std::size_t n);
  // Its ends.
  static Span part_span(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n) {
    return {at(column, data, begin), at(column, data, begin + n - 1)};
  }

 private:
  static EliasShape shape(const TidColumn& column) { return {column.model.slope, column.model.width}; }
  static bool possible(const TidColumn& column) {
    return LineCodec::possible(column.model) && column.model.width <= 48 && shape(column).possible();
  }
  static std::uint64_t ordinal(const TidColumn& column, const TidBits& data, std::uint32_t bit, unsigned i) {
    const std::uint64_t high = bit - std::uint64_t{i};
    return column.model.base + (high << column.model.width) + read_bits(data.bits, i, column.model.width);
  }
};

}  // namespace learned
