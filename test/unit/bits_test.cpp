// Packed arrays against a reader that takes one bit at a time.
#include "core/base/bits.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace learned {
namespace {

constexpr std::uint8_t kGuard = 0xC3;

std::uint64_t one_by_one(const std::vector<std::uint8_t>& bytes, std::size_t index, unsigned width) {
  std::uint64_t value = 0;
  for (unsigned b = 0; b < width; b++) {
    const std::size_t bit = index * width + b;
    value |= std::uint64_t{(bytes[bit / 8] >> (bit % 8)) & 1u} << b;
  }
  return value;
}

void expect_round_trip(const std::vector<std::uint64_t>& values, unsigned width) {
  const std::size_t bytes = packed_bytes(values.size(), width);
  std::vector<std::uint8_t> out(bytes + kBitSlack, kGuard);
  BitWriter writer(out.data(), width);
  for (const std::uint64_t v : values) writer.put(v);
  ASSERT_EQ(writer.flush(), out.data() + bytes) << "width " << width;
  for (std::size_t i = 0; i < kBitSlack; i++) ASSERT_EQ(out[bytes + i], kGuard) << "width " << width;
  for (std::size_t i = 0; i < values.size(); i++) {
    ASSERT_EQ(one_by_one(out, i, width), values[i]) << "width " << width << " at " << i;
    ASSERT_EQ(read_bits(out.data(), i, width), values[i]) << "width " << width << " at " << i;
  }
}

TEST(BitsTest, EveryWidthAndLengthRoundTrips) {
  std::mt19937_64 random(1);
  for (unsigned width = 0; width <= 64; width++) {
    for (const std::size_t n : {0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 129, 1000}) {
      std::vector<std::uint64_t> values(n);
      for (std::uint64_t& v : values) v = random() & low_mask(width);
      expect_round_trip(values, width);
    }
  }
}

TEST(BitsTest, ExtremeValuesDoNotTouchTheirNeighbours) {
  for (unsigned width = 1; width <= 64; width++) {
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 200; i++)
      values.push_back(i % 3 == 0 ? low_mask(width) : i % 3 == 1 ? 0 : low_mask(width) >> 1);
    expect_round_trip(values, width);
    expect_round_trip(std::vector<std::uint64_t>(131, low_mask(width)), width);
  }
}

TEST(BitsTest, TheLastPartialByteIsPaddedWithZeros) {
  for (unsigned width = 1; width < 64; width++) {
    std::vector<std::uint8_t> out(packed_bytes(3, width) + kBitSlack, 0xFF);
    BitWriter writer(out.data(), width);
    for (int i = 0; i < 3; i++) writer.put(low_mask(width));
    writer.flush();
    const unsigned used = 3 * width % 8;
    if (used != 0) {
      EXPECT_EQ(out[packed_bytes(3, width) - 1], (1u << used) - 1) << "width " << width;
    }
  }
}

TEST(BitsTest, BitsFor) {
  EXPECT_EQ(bits_for(0), 0u);
  EXPECT_EQ(bits_for(1), 1u);
  EXPECT_EQ(bits_for(2), 2u);
  EXPECT_EQ(bits_for(255), 8u);
  EXPECT_EQ(bits_for(256), 9u);
  EXPECT_EQ(bits_for(kMaxCode >> 1), 63u);
  EXPECT_EQ(bits_for(kMaxCode), 64u);
  for (unsigned width = 0; width <= 64; width++) EXPECT_EQ(bits_for(low_mask(width)), width);
}

TEST(BitsTest, PackedBytesRoundsUp) {
  EXPECT_EQ(packed_bytes(0, 64), 0u);
  EXPECT_EQ(packed_bytes(49152, 0), 0u);
  EXPECT_EQ(packed_bytes(1, 1), 1u);
  EXPECT_EQ(packed_bytes(8, 1), 1u);
  EXPECT_EQ(packed_bytes(9, 1), 2u);
  EXPECT_EQ(packed_bytes(3, 64), 24u);
}

TEST(BitsTest, SingleBits) {
  std::uint8_t map[17] = {};
  for (std::size_t i = 0; i < 8 * sizeof map; i += 3) set_bit(map, i);
  for (std::size_t i = 0; i < 8 * sizeof map; i++) EXPECT_EQ(test_bit(map, i), i % 3 == 0) << i;
}

TEST(BitsTest, UnalignedLoadsAndStores) {
  std::uint8_t bytes[24] = {};
  for (std::size_t at = 0; at <= 16; at++) {
    store(bytes + at, std::uint64_t{0x0123456789ABCDEFu});
    EXPECT_EQ(load<std::uint64_t>(bytes + at), 0x0123456789ABCDEFu);
    EXPECT_EQ(bytes[at], 0xEF) << "the low byte comes first";
  }
}

}  // namespace
}  // namespace learned
