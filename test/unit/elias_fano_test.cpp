// Elias-Fano: bits by their number against a walk, columns against plain arrays, parts of them.
#include "core/column/elias_fano.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace learned {
namespace {

using Random = std::mt19937_64;

TEST(EliasFanoTest, BitsOfAWordByTheirNumber) {
  Random random(3);
  for (int round = 0; round < 20000; round++) {
    std::uint64_t word = random();
    if (round % 4 == 1) word &= random() & random();
    if (round % 4 == 2) word |= random() | random();
    if (round < 64) word = std::uint64_t{1} << round;
    if (round == 64) word = ~std::uint64_t{0};
    ASSERT_EQ(count_ones(word), static_cast<unsigned>(std::popcount(word)));
    unsigned number = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
      if ((word >> bit & 1) == 0) continue;
      ASSERT_EQ(nth_one(word, number), bit);
      number++;
    }
  }
}

// Of every length, with anything behind the end.
TEST(EliasFanoTest, BitsOfABitmapByTheirNumber) {
  Random random(4);
  for (std::uint32_t bits = 1; bits < 300; bits++) {
    for (const unsigned ones : {0u, 1u, 20u, 50u, 99u, 100u}) {
      std::vector<std::uint8_t> map((bits + 7) / 8 + kBitSlack);
      for (std::uint8_t& byte : map) byte = static_cast<std::uint8_t>(random());
      std::vector<std::uint32_t> positions[2];
      for (std::uint32_t bit = 0; bit < bits; bit++) {
        const bool set = random() % 100 < ones;
        map[bit / 8] =
            static_cast<std::uint8_t>((map[bit / 8] & ~(1u << bit % 8)) | unsigned{set} << bit % 8);
        positions[set ? 1 : 0].push_back(bit);
      }
      const EliasMap view{map.data(), bits};
      for (std::uint32_t i = 0; i < bits + 3; i++) {
        const auto expected = [&](bool set) { return i < positions[set].size() ? positions[set][i] : bits; };
        ASSERT_EQ(view.find_set(i), expected(true)) << bits << " bits, number " << i;
        ASSERT_EQ(view.find_clear(i), expected(false)) << bits << " bits, number " << i;
      }
      for (std::uint32_t at = 0; at <= bits; at++) {
        std::uint32_t end = at;
        while (end < bits && test_bit(map.data(), end)) end++;
        ASSERT_EQ(view.end_of_set(at), end) << bits << " bits, from " << at;
      }
      // A walk knows whole bytes only.
      std::vector<std::uint8_t> padded(map);
      for (std::uint32_t bit = bits; bit < view.bytes() * 8; bit++)
        padded[bit / 8] = static_cast<std::uint8_t>(padded[bit / 8] & ~(1u << bit % 8));
      for (const std::uint32_t from : {0u, bits / 3, bits - 1, bits}) {
        SetBits walk(padded.data(), view.bytes(), from);
        auto next = std::lower_bound(positions[1].begin(), positions[1].end(), from);
        for (; next != positions[1].end(); ++next) ASSERT_EQ(walk.next(), *next);
        ASSERT_EQ(walk.next(), view.bytes() * 8);
      }
    }
  }
}

// Values are what they were, in about the logarithm of their mean distance and two bits; no part takes more bytes than the whole, less a bit
// for each value that is not in it.
TEST(EliasFanoTest, ValuesComeBack) {
  Random random(5);
  for (const std::size_t n : {1, 2, 7, 64, 450, 2000}) {
    for (const unsigned shift : {0u, 3u, 30u, 58u, 63u}) {
      std::vector<std::uint64_t> values;
      for (std::size_t i = 0; i < n; i++) values.push_back(random() >> shift);
      std::sort(values.begin(), values.end());
      const std::uint64_t first = values[0];
      for (std::uint64_t& value : values) value -= first;
      const auto store = [](const EliasShape& shape, const std::vector<std::uint64_t>& column) {
        std::vector<std::uint8_t> bytes(shape.bytes(column.size()) + kBitSlack, 0xEE);
        const std::uint8_t* end =
            shape.encode(bytes.data(), column.size(), [&](std::size_t i) { return column[i]; });
        EXPECT_EQ(end, bytes.data() + shape.bytes(column.size()));
        return bytes;
      };
      const auto expect_column = [&](const EliasShape& shape, const std::vector<std::uint64_t>& column) {
        ASSERT_TRUE(shape.possible());
        const std::vector<std::uint8_t> bytes = store(shape, column);
        const EliasMap map{bytes.data() + shape.low_bytes(column.size()),
                           static_cast<std::uint32_t>(shape.bits(column.size()))};
        ASSERT_TRUE(shape.sound(map.map, column.size()));
        EXPECT_FALSE(shape.sound(map.map, column.size() + 1));
        for (std::uint32_t i = 0; i < column.size(); i++) {
          ASSERT_EQ((std::uint64_t{map.find_set(i)} - i) << shape.low | read_bits(bytes.data(), i, shape.low),
                    column[i]);
        }
      };
      const EliasShape shape = EliasShape::best(n, values.back());
      expect_column(shape, values);
      const std::uint64_t distance = values.back() / n;
      EXPECT_LE(shape.bytes(n), (n * (bits_for(distance) + 2) + 7) / 8 + 2);
      for (const std::size_t cut : {std::size_t{1}, n / 2, n - 1}) {
        if (cut == 0 || cut >= n) continue;
        const std::vector<std::uint64_t> front(values.begin(), values.begin() + static_cast<long>(cut));
        std::vector<std::uint64_t> back(values.begin() + static_cast<long>(cut), values.end());
        const EliasShape back_shape = shape.part(back.front(), back.back());
        for (std::uint64_t& value : back) value -= values[cut];
        const EliasShape front_shape = shape.part(0, front.back());
        expect_column(front_shape, front);
        expect_column(back_shape, back);
        EXPECT_LE(front_shape.bytes(cut) + (n - cut) / 8, shape.bytes(n) + 1);
        EXPECT_LE(back_shape.bytes(n - cut) + cut / 8, shape.bytes(n) + 1);
      }
    }
  }
}

TEST(EliasFanoTest, WhatNoWriterMakesIsTold) {
  EXPECT_TRUE((EliasShape{65536, 0}).possible());
  EXPECT_FALSE((EliasShape{65537, 0}).possible());
  EXPECT_TRUE((EliasShape{~std::uint64_t{0}, 63}).possible());
  EXPECT_FALSE((EliasShape{1, 64}).possible());
  // (Values descend on a damaged page only.)
  EXPECT_EQ((EliasShape{100, 3}).part(7, 5).span, 0u);
  EXPECT_EQ((EliasShape{100, 3}).part(7, 108).span, 0u);
  EXPECT_EQ((EliasShape{100, 3}).part(7, 107).span, 100u);
}

}  // namespace
}  // namespace learned
