// Key codes against SQL's order of the same values, sorted by a comparison that knows nothing of codes.
#include "core/code/key_code.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace learned {
namespace {

// float8 and float4 as one parameter of the tests.
struct Double {
  using Value = double;
  using Bits = std::uint64_t;
  static constexpr KeyKind kKind = KeyKind::float8;
  static Code encode(Bits bits) { return code_from_float8_bits(bits); }
  static Bits decode(Code code) { return float8_bits_from_code(code); }
};
struct Single {
  using Value = float;
  using Bits = std::uint32_t;
  static constexpr KeyKind kKind = KeyKind::float4;
  static Code encode(Bits bits) { return code_from_float4_bits(bits); }
  static Bits decode(Code code) { return float4_bits_from_code(code); }
};

Code code_from_float4(float value) { return code_from_float4_bits(std::bit_cast<std::uint32_t>(value)); }

template <class Format>
typename Format::Value value_of(typename Format::Bits bits) {
  return std::bit_cast<typename Format::Value>(bits);
}

// SQL: all NaNs are equal and above everything else; -0 equals +0.
template <class Value>
int compare_sql(Value a, Value b) {
  if (std::isnan(a) || std::isnan(b)) {
    return int{std::isnan(a)} - int{std::isnan(b)};
  }
  return int{a > b} - int{a < b};
}

// Bit patterns of every sort: special values with both signs and their neighbours, then random bits.
template <class Format>
std::vector<typename Format::Bits> sample_bits() {
  using Bits = typename Format::Bits;
  using Limits = std::numeric_limits<typename Format::Value>;
  std::vector<Bits> sample;
  for (const auto value :
       {typename Format::Value{0}, Limits::denorm_min(), Limits::min(), typename Format::Value{1},
        Limits::max(), Limits::infinity(), Limits::quiet_NaN(), Limits::signaling_NaN()}) {
    for (int delta = -2; delta <= 2; ++delta) {
      const Bits bits = std::bit_cast<Bits>(value) + static_cast<Bits>(delta);
      sample.push_back(bits);
      sample.push_back(~bits);
      sample.push_back(bits ^ (Bits{1} << (sizeof(Bits) * 8 - 1)));
    }
  }
  std::mt19937_64 random(42);
  for (int i = 0; i < 1000; ++i) {
    sample.push_back(static_cast<Bits>(random()));
    sample.push_back(
        std::bit_cast<Bits>(static_cast<typename Format::Value>(static_cast<int>(random() % 100) - 50)));
  }
  return sample;
}

template <class Format>
class FloatCodeTest : public testing::Test {};
using Formats = testing::Types<Double, Single>;
TYPED_TEST_SUITE(FloatCodeTest, Formats);

TYPED_TEST(FloatCodeTest, EncodesOneToOneWithinTheDomain) {
  const CodeRange domain = code_domain(TypeParam::kKind);
  for (const auto bits : sample_bits<TypeParam>()) {
    const Code code = TypeParam::encode(bits);
    EXPECT_EQ(TypeParam::decode(code), bits);
    EXPECT_LE(domain.lo, code);
    EXPECT_LE(code, domain.hi);
  }
}

TYPED_TEST(FloatCodeTest, KeepsTheOrderOfEveryPair) {
  const auto sample = sample_bits<TypeParam>();
  for (const auto a : sample) {
    const CodeRange equal = equal_codes(TypeParam::kKind, TypeParam::encode(a));
    ASSERT_LE(equal.lo, equal.hi);
    for (const auto b : sample) {
      const int order = compare_sql(value_of<TypeParam>(a), value_of<TypeParam>(b));
      const Code code = TypeParam::encode(b);
      if (order > 0) {
        ASSERT_LT(code, equal.lo) << std::hex << a << " " << b;
      } else if (order < 0) {
        ASSERT_GT(code, equal.hi) << std::hex << a << " " << b;
      } else {
        ASSERT_TRUE(equal.lo <= code && code <= equal.hi) << std::hex << a << " " << b;
      }
    }
  }
}

TYPED_TEST(FloatCodeTest, SortsLikeTheOracle) {
  auto by_value = sample_bits<TypeParam>();
  auto by_code = by_value;
  const auto code_less = [](auto a, auto b) { return TypeParam::encode(a) < TypeParam::encode(b); };
  std::sort(by_code.begin(), by_code.end(), code_less);
  std::stable_sort(by_value.begin(), by_value.end(), [](auto a, auto b) {
    return compare_sql(value_of<TypeParam>(a), value_of<TypeParam>(b)) < 0;
  });
  for (std::size_t i = 0; i < by_value.size(); ++i) {
    EXPECT_EQ(compare_sql(value_of<TypeParam>(by_value[i]), value_of<TypeParam>(by_code[i])), 0);
  }
}

TYPED_TEST(FloatCodeTest, ExtremesAreWhereTheyBelong) {
  using Bits = typename TypeParam::Bits;
  using Limits = std::numeric_limits<typename TypeParam::Value>;
  const auto code_of = [](auto value) { return TypeParam::encode(std::bit_cast<Bits>(value)); };
  const Code infinity = code_of(Limits::infinity());
  const Code top = code_domain(TypeParam::kKind).hi;
  EXPECT_EQ(code_of(-Limits::infinity()), 0u);

  const CodeRange nan = equal_codes(TypeParam::kKind, code_of(Limits::quiet_NaN()));
  EXPECT_EQ(nan.lo, infinity + 1);
  EXPECT_EQ(nan.hi, top);
  EXPECT_EQ(equal_codes(TypeParam::kKind, code_of(-Limits::quiet_NaN())).lo, nan.lo);

  const Code minus_zero = code_of(-typename TypeParam::Value{0});
  const Code plus_zero = code_of(typename TypeParam::Value{0});
  EXPECT_EQ(minus_zero + 1, plus_zero);
  for (const Code zero : {minus_zero, plus_zero}) {
    EXPECT_EQ(equal_codes(TypeParam::kKind, zero).lo, minus_zero);
    EXPECT_EQ(equal_codes(TypeParam::kKind, zero).hi, plus_zero);
  }
  for (const Code single : {Code{0}, minus_zero - 1, plus_zero + 1, infinity}) {
    EXPECT_EQ(equal_codes(TypeParam::kKind, single).lo, single);
    EXPECT_EQ(equal_codes(TypeParam::kKind, single).hi, single);
  }
}

TEST(KeyCode, WhatIsInfiniteLiesBeyondWhatIsFinite) {
  using Limits = std::numeric_limits<double>;
  const CodeRange doubles = finite_codes(KeyKind::float8);
  EXPECT_EQ(doubles.lo, code_from_float8(-Limits::max()));
  EXPECT_EQ(doubles.hi, code_from_float8(Limits::max()));
  EXPECT_EQ(doubles.lo - 1, code_from_float8(-Limits::infinity()));
  EXPECT_EQ(doubles.hi + 1, code_from_float8(Limits::infinity()));
  EXPECT_LT(doubles.hi, code_from_float8(Limits::quiet_NaN()));
  const CodeRange floats = finite_codes(KeyKind::float4);
  EXPECT_EQ(floats.lo, code_from_float4(-std::numeric_limits<float>::max()));
  EXPECT_EQ(floats.hi, code_from_float4(std::numeric_limits<float>::max()));
  // The server's own: the least and the greatest number.
  EXPECT_EQ(finite_codes(KeyKind::date).lo, code_from_int(std::int64_t{INT32_MIN} + 1));
  EXPECT_EQ(finite_codes(KeyKind::date).hi, code_from_int(INT32_MAX - 1));
  EXPECT_EQ(finite_codes(KeyKind::timestamptz).lo, code_from_int(INT64_MIN + 1));
  EXPECT_EQ(finite_codes(KeyKind::timestamp).hi, code_from_int(INT64_MAX - 1));
  EXPECT_EQ(finite_codes(KeyKind::int4).hi, code_domain(KeyKind::int4).hi);
}

TEST(KeyCode, FloatValuesAndBitsAgree) {
  EXPECT_EQ(code_from_float8(1.5), code_from_float8_bits(std::bit_cast<std::uint64_t>(1.5)));
  EXPECT_EQ(std::bit_cast<double>(float8_bits_from_code(code_from_float8(-0.25))), -0.25);
  EXPECT_EQ(std::bit_cast<float>(float4_bits_from_code(code_from_float4(-0.25f))), -0.25f);
}

TEST(KeyCode, EverySmallintIsInOrderAndComesBack) {
  Code previous = 0;
  for (int value = INT16_MIN; value <= INT16_MAX; ++value) {
    const Code code = code_from_int(value);
    EXPECT_EQ(int_from_code(code), value);
    if (value > INT16_MIN) {
      EXPECT_EQ(code, previous + 1);
    }
    previous = code;
  }
  EXPECT_EQ(code_domain(KeyKind::int2).lo, code_from_int(INT16_MIN));
  EXPECT_EQ(code_domain(KeyKind::int2).hi, code_from_int(INT16_MAX));
}

TEST(KeyCode, IntegersAreInOrder) {
  std::mt19937_64 random(1);
  std::vector<std::int64_t> sample = {INT64_MIN, INT64_MIN + 1, INT32_MIN,     -1,       0,
                                      1,         INT32_MAX,     INT64_MAX - 1, INT64_MAX};
  for (int i = 0; i < 500; ++i) {
    sample.push_back(static_cast<std::int64_t>(random()) >> (random() % 64));
  }
  for (const auto a : sample) {
    EXPECT_EQ(int_from_code(code_from_int(a)), a);
    for (const auto b : sample) {
      ASSERT_EQ(a <=> b, code_from_int(a) <=> code_from_int(b));
    }
  }
  EXPECT_EQ(code_from_int(INT64_MIN), 0u);
  EXPECT_EQ(code_from_int(INT64_MAX), kMaxCode);
}

TEST(KeyCode, OidsAreUnsigned) {
  EXPECT_EQ(code_from_oid(0), 0u);
  EXPECT_LT(code_from_oid(0x7FFFFFFFu), code_from_oid(0x80000000u));
  EXPECT_EQ(oid_from_code(code_from_oid(UINT32_MAX)), UINT32_MAX);
  EXPECT_EQ(code_domain(KeyKind::oid).hi, code_from_oid(UINT32_MAX));
}

TEST(KeyCode, CharactersAreBytesWithoutSign) {
  for (int value = 0; value < 256; ++value) {
    const auto byte = static_cast<char>(static_cast<unsigned char>(value));
    EXPECT_EQ(code_from_char(byte), static_cast<Code>(value));
    EXPECT_EQ(char_from_code(static_cast<Code>(value)), byte);
  }
  EXPECT_EQ(code_domain(KeyKind::character).hi, 255u);
  EXPECT_EQ(code_domain(KeyKind::boolean).hi, 1u);
}

// The oracle is memcmp.
TEST(KeyCode, BytesAreInOrderAndComeBack) {
  std::mt19937_64 random(7);
  for (const KeyKind kind : {KeyKind::macaddr, KeyKind::macaddr8}) {
    const int width = key_width(kind);
    const auto size = static_cast<std::size_t>(width);
    std::vector<std::array<unsigned char, 8>> sample;
    for (const unsigned char fill : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      std::array<unsigned char, 8> bytes;
      bytes.fill(fill);
      sample.push_back(bytes);
      for (std::size_t i = 0; i < size; ++i) {
        for (const unsigned char other : {0x00, 0x7F, 0x80, 0xFF}) {
          auto changed = bytes;
          changed[i] = other;
          sample.push_back(changed);
        }
      }
    }
    for (int i = 0; i < 100; ++i) sample.push_back(std::bit_cast<std::array<unsigned char, 8>>(random()));
    for (const auto& a : sample) {
      const Code code = code_from_bytes(a.data(), width);
      EXPECT_LE(code, code_domain(kind).hi);
      std::array<unsigned char, 9> back;
      back.fill(0xA5);
      bytes_from_code(code, width, back.data());
      EXPECT_EQ(std::memcmp(back.data(), a.data(), size), 0);
      EXPECT_EQ(back[size], 0xA5);  // and nothing behind them is written
      for (const auto& b : sample) {
        ASSERT_EQ(std::memcmp(a.data(), b.data(), size) <=> 0, code <=> code_from_bytes(b.data(), width));
      }
    }
  }
}

TEST(KeyCode, WidthsAreThoseOfTheTypes) {
  EXPECT_EQ(key_width(KeyKind::boolean), 1);
  EXPECT_EQ(key_width(KeyKind::character), 1);
  EXPECT_EQ(key_width(KeyKind::macaddr), 6);
  EXPECT_EQ(code_domain(KeyKind::macaddr).hi, 0xFFFFFFFFFFFFu);
  EXPECT_EQ(key_width(KeyKind::int2), 2);
  for (const KeyKind kind : {KeyKind::int4, KeyKind::oid, KeyKind::float4, KeyKind::date}) {
    EXPECT_EQ(key_width(kind), 4);
  }
  for (const KeyKind kind :
       {KeyKind::int8, KeyKind::float8, KeyKind::timestamp, KeyKind::timestamptz, KeyKind::time,
        KeyKind::oid8, KeyKind::xid8, KeyKind::money, KeyKind::pg_lsn, KeyKind::macaddr8}) {
    EXPECT_EQ(key_width(kind), 8);
    EXPECT_EQ(code_domain(kind).hi, kMaxCode);
  }
}

// The codes are on disk: these must never change.
TEST(KeyCode, GoldenCodes) {
  EXPECT_EQ(code_from_int(0), 0x8000000000000000u);
  EXPECT_EQ(code_from_int(-1), 0x7FFFFFFFFFFFFFFFu);
  EXPECT_EQ(code_from_oid(7), 7u);
  EXPECT_EQ(code_from_float8(1.0), 0xBFE0000000000001u);
  EXPECT_EQ(code_from_float8(-1.0), 0x4000000000000000u);
  EXPECT_EQ(code_from_float4(1.0f), 0xBF000001u);
  EXPECT_EQ(code_from_float4(-1.0f), 0x40000000u);
  EXPECT_EQ(code_from_char('a'), 0x61u);
  EXPECT_EQ(code_from_char('\xE4'), 0xE4u);
  constexpr unsigned char kBytes[] = {0x08, 0x00, 0x2B, 0x01, 0x02, 0x03, 0x04, 0x05};
  EXPECT_EQ(code_from_bytes(kBytes, 6), 0x08002B010203u);
  EXPECT_EQ(code_from_bytes(kBytes, 8), 0x08002B0102030405u);
}

}  // namespace
}  // namespace learned
