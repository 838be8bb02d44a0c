#include "core/column/tid_ascending.hpp"

namespace learned {

bool TidAscending::fit(const TidFacts& facts, std::size_t bytes_now, TidColumn* best) {
  const std::uint64_t span = facts.ordinal_hi - facts.ordinal_lo;
  const auto low = static_cast<std::uint8_t>(EliasShape::best(facts.count, span).low);
  const TidColumn column{{facts.ordinal_lo, span, 0, low}, facts.max_offset, 0, 0, kCodec};
  if (bytes(column, facts.count) >= bytes_now) return false;
  *best = column;
  return true;
}

std::uint8_t* TidAscending::encode(std::uint8_t* out, const TidColumn& column, const Tid* tids,
                                   std::size_t n) {
  const std::uint64_t base = column.model.base;
  const unsigned scale = column.scale;
  return shape(column).encode(out, n, [=](std::size_t i) { return tid_to_ordinal(tids[i], scale) - base; });
}

void TidAscending::ordinals(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n,
                            std::uint64_t* out) {
  SetBits bits(data.more, data.more_size);
  bits.skip(begin);
  const unsigned width = column.model.width;
  const std::uint64_t mask = low_mask(width);
  std::size_t low = std::size_t{begin} * width;
  for (unsigned k = 0; k < n; k++, low += width) {
    const std::uint64_t high = bits.next() - (std::uint64_t{begin} + k);
    out[k] = column.model.base + (high << width) + read_narrow(data.bits, low, mask);
  }
}

void TidAscending::decode(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n,
                          Tid* out) {
  ordinals(column, data, begin, n, out);
  ordinals_to_tids(out, n, column.scale);
}

Fault TidAscending::check(const TidColumn& column, const TidBits& data, std::size_t n) {
  return shape(column).sound(data.more, n) ? nullptr : "bitmap of ascending tids has a wrong number of bits";
}

TidColumn TidAscending::slice(const TidColumn& column, bool, const Tid* tids, std::size_t n, std::uint32_t*) {
  const std::uint64_t low = tid_to_ordinal(tids[0], column.scale);
  const std::uint64_t high = tid_to_ordinal(tids[n - 1], column.scale);
  TidColumn part = column;
  part.model.base = low;
  part.model.slope = shape(column).part(low, high).span;
  return part;
}

Span TidAscending::span(const TidColumn& column, std::size_t) {
  // The bitmap bounds the high parts; the low bits come on top of them, and may exceed the last ordinal in damaged bytes only.
  const std::uint64_t most = column.model.slope | low_mask(column.model.width);
  if (column.model.base > ~std::uint64_t{0} - most) return {0, kMaxTid};
  return tid_span({column.model.base, column.model.base + most}, column.scale);
}

}  // namespace learned
