#include "core/column/tid_ascending.hpp"

namespace learned {

namespace {

// Low bits that make the two parts smallest together.
unsigned best_low_width(std::size_t count, std::uint64_t span) {
  const std::uint64_t gap = span / count;
  return gap > 1 ? bits_for(gap) - 1 : 0;
}

}  // namespace

bool TidAscending::fit(const TidFacts& facts, std::size_t bytes_now, TidColumn* best) {
  const std::uint64_t span = facts.ordinal_hi - facts.ordinal_lo;
  const auto low = static_cast<std::uint8_t>(best_low_width(facts.count, span));
  const TidColumn column{{facts.ordinal_lo, span, 0, low}, facts.max_offset, 0, 0, kCodec};
  if (bytes(column, facts.count) >= bytes_now) return false;
  *best = column;
  return true;
}

std::uint8_t* TidAscending::encode(std::uint8_t* out, const TidColumn& column, const Tid* tids,
                                   std::size_t n) {
  const unsigned width = column.model.width;
  const std::uint64_t base = column.model.base;
  BitWriter low(out, width);
  if (width > 0) {
    for (std::size_t i = 0; i < n; i++)
      low.put((tid_to_ordinal(tids[i], column.scale) - base) & low_mask(width));
  }
  out = low.flush();
  const std::size_t size = high_bytes(column, n);
  std::memset(out, 0, size);
  for (std::size_t i = 0; i < n; i++) {
    const std::uint64_t bit = ((tid_to_ordinal(tids[i], column.scale) - base) >> width) + i;
    if (bit < size * 8) set_bit(out, bit);  // always, unless the TIDs come from a damaged page
  }
  return out + size;
}

void TidAscending::decode(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n,
                          Tid* out) {
  SetBits bits(data.more, data.more_size);
  bits.skip(begin);
  for (unsigned k = 0; k < n; k++) out[k] = ordinal(column, data, bits.next(), begin + k);
  ordinals_to_tids(out, n, column.scale);
}

Fault TidAscending::check(const TidColumn& column, const TidBits& data, std::size_t n) {
  std::size_t set = 0;
  for (std::uint32_t i = 0; i < data.more_size; i++)
    set += static_cast<unsigned>(std::popcount(data.more[i]));
  bool padded = true;
  const std::size_t end = n + (column.model.slope >> column.model.width);
  for (std::size_t i = end; i < std::size_t{data.more_size} * 8; i++) padded &= !test_bit(data.more, i);
  return set != n || !padded ? "bitmap of ascending tids has a wrong number of bits" : nullptr;
}

TidColumn TidAscending::slice(const TidColumn& column, bool, const Tid* tids, std::size_t n, std::uint32_t*) {
  const std::uint64_t low = tid_to_ordinal(tids[0], column.scale);
  const std::uint64_t high = tid_to_ordinal(tids[n - 1], column.scale);
  TidColumn part = column;
  part.model.base = low;
  // (It descends on a damaged page only.)
  part.model.slope = high > low && high - low <= column.model.slope ? high - low : 0;
  return part;
}

Span TidAscending::span(const TidColumn& column, std::size_t) {
  // The bitmap bounds the high parts; the low bits come on top of them, and may exceed the last ordinal in damaged bytes only.
  const std::uint64_t most = column.model.slope | low_mask(column.model.width);
  if (column.model.base > ~std::uint64_t{0} - most) return {0, kMaxTid};
  return tid_span({column.model.base, column.model.base + most}, column.scale);
}

}  // namespace learned
