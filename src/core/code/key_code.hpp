// Key codes: bijective, order-preserving maps from fixed-width SQL scalars to unsigned integers.
//
//   type                     code
//   int2, int4, int8, date,  the value as int64 with its sign bit flipped: one map for every width, so that
//   timestamp[tz], time,     constants of another width need no conversion
//   money
//   oid, oid8, xid8, pg_lsn  the value
//   bool, "char"             0 or 1; the byte, without sign as in SQL's order
//   macaddr, macaddr8        the bytes as one number, the first of them on top (48 and 64 bits)
//   uuid                     two codes: the first eight bytes, the others
//   timetz                   two codes: the time in UTC, that is, plus its zone; the zone (microseconds; seconds to the west)
//   float8                   IEEE bits, made ascending (negative: all bits flipped, else: sign bit set), then
//                            rotated so that -infinity is 0
//   float4                   the same in 32 bits
//
// The rotation serves the order of SQL, where every NaN is equal and above +infinity. Plain ascending bits
// leave the NaNs with a sign below -infinity; after the subtraction (modulo 2^width) they come out on top:
//
//   -infinity (0) ... -0.0, +0.0 ... +infinity, +NaNs (payload ascending), -NaNs (descending) (2^width - 1)
//
// The map stays a bijection, so index-only scans give back the very bits that were stored: -0.0 and NaN
// payloads included. Values that SQL calls equal but whose bits differ have neighbouring codes: one range
// covers them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/base/types.hpp"

namespace learned {

// The type of an index's keys: how they become codes. (The metapage names the type by its OID.)
enum class KeyKind : std::uint8_t {
  int2 = 1,
  int4 = 2,
  int8 = 3,
  oid = 4,
  float4 = 5,
  float8 = 6,
  date = 7,
  timestamp = 8,
  timestamptz = 9,
  time = 10,
  oid8 = 11,
  boolean = 12,
  character = 13,  // "char"
  xid8 = 14,
  money = 15,
  pg_lsn = 16,
  macaddr = 17,
  macaddr8 = 18,
  uuid = 19,
  timetz = 20,
};

// How many codes a value is, one behind the other.
constexpr unsigned key_words(KeyKind kind) {
  return kind == KeyKind::uuid || kind == KeyKind::timetz ? 2 : 1;
}

// Bytes of a value of that kind in a tuple: 1, 2, 4, 6, 8, 12 or 16.
constexpr int kMaxKeyWidth = 16;
constexpr int key_width(KeyKind kind) {
  switch (kind) {
    case KeyKind::boolean:
    case KeyKind::character:
      return 1;
    case KeyKind::int2:
      return 2;
    case KeyKind::int4:
    case KeyKind::oid:
    case KeyKind::float4:
    case KeyKind::date:
      return 4;
    case KeyKind::macaddr:
      return 6;
    case KeyKind::int8:
    case KeyKind::float8:
    case KeyKind::timestamp:
    case KeyKind::timestamptz:
    case KeyKind::time:
    case KeyKind::oid8:
    case KeyKind::xid8:
    case KeyKind::money:
    case KeyKind::pg_lsn:
    case KeyKind::macaddr8:
      return 8;
    case KeyKind::timetz:
      return 12;
    case KeyKind::uuid:
      return kMaxKeyWidth;
  }
  return kMaxKeyWidth;
}

constexpr Code code_from_int(std::int64_t value) { return static_cast<Code>(value) ^ (Code{1} << 63); }
constexpr std::int64_t int_from_code(Code code) { return static_cast<std::int64_t>(code ^ (Code{1} << 63)); }

constexpr Code code_from_oid(std::uint32_t value) { return value; }
constexpr std::uint32_t oid_from_code(Code code) { return static_cast<std::uint32_t>(code); }

constexpr Code code_from_char(char value) { return static_cast<unsigned char>(value); }
constexpr char char_from_code(Code code) { return static_cast<char>(static_cast<unsigned char>(code)); }

// Values that are compared byte by byte, `width` of them (at most 8), in memory as in SQL's text.
constexpr Code code_from_bytes(const unsigned char* bytes, int width) {
  if (width == 8 && !std::is_constant_evaluated() && std::endian::native == std::endian::little) {
    Code code;
    std::memcpy(&code, bytes, sizeof code);
    return __builtin_bswap64(code);
  }
  Code code = 0;
  for (int i = 0; i < width; ++i) code = code << 8 | bytes[i];
  return code;
}
constexpr void bytes_from_code(Code code, int width, unsigned char* bytes) {
  if (width == 8 && !std::is_constant_evaluated() && std::endian::native == std::endian::little) {
    code = __builtin_bswap64(code);
    std::memcpy(bytes, &code, sizeof code);
    return;
  }
  for (int i = width - 1; i >= 0; --i) {
    bytes[i] = static_cast<unsigned char>(code);
    code >>= 8;
  }
}

namespace key_code_detail {

// The map of one IEEE format, on its bits.
template <class Bits, Bits kInfinityBits>
struct FloatCode {
  static constexpr Bits kSign = Bits{1} << (sizeof(Bits) * 8 - 1);

  static constexpr Bits ascending(Bits bits) { return (bits & kSign) != 0 ? ~bits : bits | kSign; }
  static constexpr Bits from_ascending(Bits bits) { return (bits & kSign) != 0 ? bits & ~kSign : ~bits; }

  static constexpr Bits kRotation = ascending(kInfinityBits | kSign);

  static constexpr Bits encode(Bits bits) { return ascending(bits) - kRotation; }
  static constexpr Bits decode(Bits code) { return from_ascending(code + kRotation); }

  static constexpr Bits kInfinity = encode(kInfinityBits);
  static constexpr Bits kPlusZero = encode(0);
  static_assert(encode(kInfinityBits | kSign) == 0);
  static_assert(encode(kSign) == kPlusZero - 1);

  // The codes of all values that compare equal to the value of this code.
  static constexpr CodeRange equal(Code code) {
    if (code > kInfinity) {
      return {Code{kInfinity} + 1, static_cast<Bits>(~Bits{0})};
    }
    if (code == kPlusZero || code == kPlusZero - 1) {
      return {kPlusZero - 1, kPlusZero};
    }
    return {code, code};
  }
};

using Float8Code = FloatCode<std::uint64_t, 0x7FF0000000000000u>;
using Float4Code = FloatCode<std::uint32_t, 0x7F800000u>;

}  // namespace key_code_detail

// Floats as bits: a value that travels through a floating-point register may come out with another NaN
// payload on some platforms, and in the server a float is bits in a Datum anyway.
constexpr Code code_from_float8_bits(std::uint64_t bits) { return key_code_detail::Float8Code::encode(bits); }
constexpr std::uint64_t float8_bits_from_code(Code code) { return key_code_detail::Float8Code::decode(code); }
constexpr Code code_from_float4_bits(std::uint32_t bits) { return key_code_detail::Float4Code::encode(bits); }
constexpr std::uint32_t float4_bits_from_code(Code code) {
  return key_code_detail::Float4Code::decode(static_cast<std::uint32_t>(code));
}

// The same for a value.
constexpr Code code_from_float8(double value) {
  return code_from_float8_bits(std::bit_cast<std::uint64_t>(value));
}

// Codes of every key that SQL's `=` calls equal to the key of this code: {-0.0, +0.0}, all NaNs, else itself.
constexpr CodeRange equal_codes(KeyKind kind, Code code) {
  switch (kind) {
    case KeyKind::float8:
      return key_code_detail::Float8Code::equal(code);
    case KeyKind::float4:
      return key_code_detail::Float4Code::equal(code);
    default:
      return {code, code};
  }
}

// The codes that keys of this kind can have; closed.
constexpr CodeRange code_domain(KeyKind kind) {
  switch (kind) {
    case KeyKind::int2:
      return {code_from_int(INT16_MIN), code_from_int(INT16_MAX)};
    case KeyKind::int4:
    case KeyKind::date:
      return {code_from_int(INT32_MIN), code_from_int(INT32_MAX)};
    case KeyKind::oid:
    case KeyKind::float4:
      return {0, UINT32_MAX};
    case KeyKind::boolean:
      return {0, 1};
    case KeyKind::character:
      return {0, UINT8_MAX};
    case KeyKind::macaddr:
      return {0, (Code{1} << 48) - 1};
    default:
      return {0, kMaxCode};
  }
}
// Those of them that are neither infinite nor no number.
constexpr CodeRange finite_codes(KeyKind kind) {
  switch (kind) {
    case KeyKind::date:
    case KeyKind::timestamp:
    case KeyKind::timestamptz:
      return {code_domain(kind).lo + 1, code_domain(kind).hi - 1};
    case KeyKind::float8:
      return {1, Code{key_code_detail::Float8Code::kInfinity} - 1};
    case KeyKind::float4:
      return {1, Code{key_code_detail::Float4Code::kInfinity} - 1};
    default:
      return code_domain(kind);
  }
}
// Of the second code, where a value is two. (A zone may be any number of seconds: AT TIME ZONE takes all intervals.)
constexpr CodeRange second_code_domain(KeyKind kind) {
  if (kind == KeyKind::timetz) return {code_from_int(INT32_MIN), code_from_int(INT32_MAX)};
  return {0, kMaxCode};
}

}  // namespace learned
