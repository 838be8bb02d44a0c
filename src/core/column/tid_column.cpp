#include "core/column/tid_column.hpp"

namespace learned {

std::uint8_t* encode_tids(std::uint8_t* out, const TidColumn& column, const Tid* tids, std::size_t n) {
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.encode(out, column, tids, n); });
}

Fault check_tid_model(const TidColumn& column, std::size_t n) {
  if (!LineCodec::possible(column.model)) return "segment has an impossible tid model";
  if (!TidCodecs::known(column.codec)) return "segment has an unknown tid codec";
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.check_model(column, n); });
}

Fault check_tids(const TidColumn& column, const TidBits& data, std::size_t n) {
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.check(column, data, n); });
}

unsigned torn_tids(const TidColumn& column, const TidBits& data, unsigned from, unsigned to) {
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.torn(column, data, from, to); });
}

TidColumn slice_tids(const TidColumn& column, bool front, const Tid* tids, std::size_t n,
                     std::uint32_t* scratch) {
  return TidCodecs::with(column.codec,
                         [&](auto codec) { return codec.slice(column, front, tids, n, scratch); });
}

Span tid_span(const TidColumn& column, std::size_t n) {
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.span(column, n); });
}

Span tid_span(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n) {
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.part_span(column, data, begin, n); });
}

}  // namespace learned
