#include "core/column/line.hpp"

#include "core/column/line_errors.hpp"

namespace learned {

ColumnModel fit_ascending(const std::uint64_t* values, std::size_t n) {
  const std::uint64_t first = values[0];
  const std::uint64_t range = values[n - 1] - first;
  ColumnModel flat{first, 0, 0, static_cast<std::uint8_t>(bits_for(range))};
  // Errors of a wider range would not fit the signed arithmetic below; a constant costs 64 bits, which is
  // what such a column costs anyway.
  if (range == 0 || (range >> 63) != 0) return flat;

  ColumnModel lined{0, 0, line_shift(range), 0};
  lined.slope = (range << lined.shift) / (n - 1);
  // Both the values and the line stay within [first, first + range], range < 2^63.
  const LineErrors errors = line_errors({first, lined.slope, lined.shift}, values, n);
  lined.base = first + static_cast<std::uint64_t>(errors.lo);
  lined.width = static_cast<std::uint8_t>(
      bits_for(static_cast<std::uint64_t>(errors.hi) - static_cast<std::uint64_t>(errors.lo)));
  return lined.width <= flat.width ? lined : flat;
}

// The line climbs by additions where its end fits 64 bits, as it does in sound pages.
void LineCodec::decode(const ColumnModel& model, const std::uint8_t* bits, unsigned begin, unsigned n,
                       std::uint64_t* out) {
  std::uint64_t end;
  if (__builtin_mul_overflow(model.slope, std::uint64_t{begin} + n, &end)) {
    for (unsigned i = 0; i < n; i++) out[i] = at(model, bits, begin + i);
    return;
  }
  const unsigned shift = model.shift & 0x7F;
  // The line's value v becomes -v by ~v + 1.
  const std::uint64_t sign = (model.shift & ColumnModel::kDescending) != 0 ? ~std::uint64_t{0} : 0;
  const std::uint64_t base = model.base - sign;
  std::uint64_t climb = model.slope * begin;
  if (model.width == 0) {
    for (unsigned i = 0; i < n; i++, climb += model.slope) out[i] = base + ((climb >> shift) ^ sign);
  } else if (model.width <= kNarrow) {
    const std::uint64_t mask = low_mask(model.width);
    std::size_t bit = std::size_t{begin} * model.width;
    if (model.slope == 0) {
      // TIDs of keys in random order.
      const std::uint64_t constant = base + sign;
      for (unsigned i = 0; i < n; i++, bit += model.width) out[i] = constant + read_narrow(bits, bit, mask);
      return;
    }
    for (unsigned i = 0; i < n; i++, climb += model.slope, bit += model.width) {
      out[i] = base + ((climb >> shift) ^ sign) + read_narrow(bits, bit, mask);
    }
  } else {
    for (unsigned i = 0; i < n; i++, climb += model.slope) {
      out[i] = base + ((climb >> shift) ^ sign) + read_bits(bits, begin + i, model.width);
    }
  }
}

Span LineCodec::span(const ColumnModel& model, std::size_t n, std::size_t begin) {
  // Values are sums modulo 2^64. Where no sum can leave 64 bits, they are the sums themselves, and bounds of these hold.
  using S128 = __int128;
  const U128 rise = (U128{model.slope} * (begin + n - 1)) >> (model.shift & 0x7F);
  if ((rise >> 64) != 0) return kWholeSpan;
  const bool descends = (model.shift & ColumnModel::kDescending) != 0;
  const auto near = static_cast<S128>((U128{model.slope} * begin) >> (model.shift & 0x7F));
  const auto far = static_cast<S128>(rise);
  const S128 low = descends ? -far : near;
  const S128 high = (descends ? -near : far) + static_cast<S128>(low_mask(model.width));
  const S128 base = static_cast<S128>(U128{model.base});
  if (base + low < 0 || base + high > static_cast<S128>(U128{~std::uint64_t{0}})) return kWholeSpan;
  return {static_cast<std::uint64_t>(base + low), static_cast<std::uint64_t>(base + high)};
}

}  // namespace learned
