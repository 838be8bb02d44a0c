// Fits: the stated width must hold every residual, and lines must be found where they are.
#include "core/column/line.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace learned {
namespace {

using Values = std::vector<std::uint64_t>;

// The invariant that readers rely on: value - predict(rank), modulo 2^64, fits the width.
void expect_holds(const ColumnModel& model, const Values& values) {
  ASSERT_LE(model.width, 64);
  ASSERT_LE(model.shift & 0x7F, 16);
  for (std::size_t i = 0; i < values.size(); i++) {
    const std::uint64_t residual = values[i] - model.predict(i);
    ASSERT_LE(residual, low_mask(model.width)) << "rank " << i << " of " << values.size();
  }
}

ColumnModel fit_and_check(Values values) {
  const ColumnModel model = fit_ascending(values.data(), values.size());
  expect_holds(model, values);
  // Never worse than a constant.
  EXPECT_LE(model.width, bits_for(values.back() - values.front()));
  return model;
}

Values make(std::size_t n, const std::function<std::uint64_t(std::size_t)>& f) {
  Values values(n);
  for (std::size_t i = 0; i < n; i++) values[i] = f(i);
  return values;
}

constexpr std::uint64_t kMax = ~std::uint64_t{0};

TEST(ColumnModelTest, OneValueNeedsNoBits) {
  for (const std::uint64_t v : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 63, kMax}) {
    EXPECT_EQ(fit_and_check({v}).width, 0);
    EXPECT_EQ(fit_and_check(Values(1000, v)).width, 0);
  }
}

TEST(ColumnModelTest, TwoValuesAreALineUnlessTheyAreTooFarApart) {
  for (const std::uint64_t far :
       {std::uint64_t{1}, std::uint64_t{12345}, std::uint64_t{1} << 40, std::uint64_t{1} << 62}) {
    EXPECT_EQ(fit_and_check({7, 7 + far}).width, 0) << far;
  }
  EXPECT_EQ(fit_and_check({0, kMax}).width, 64);
  EXPECT_EQ(fit_and_check({0, std::uint64_t{1} << 63}).width, 64);
}

TEST(ColumnModelTest, ExactLines) {
  for (const std::uint64_t step :
       {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1000}, std::uint64_t{1} << 40}) {
    const ColumnModel model = fit_and_check(make(49152, [&](std::size_t i) { return 99 + step * i; }));
    EXPECT_EQ(model.width, 0) << step;
  }
  EXPECT_EQ(fit_and_check(make(49152, [](std::size_t i) { return kMax - 49151 + i; })).width, 0);
}

TEST(ColumnModelTest, FractionalSlopesCostAtMostTwoBits) {
  for (std::uint64_t q = 2; q < 40; q += 3) {
    for (std::uint64_t p = 1; p < 2 * q; p += 5) {
      const ColumnModel model = fit_and_check(make(10000, [&](std::size_t i) { return 5 + i * p / q; }));
      EXPECT_LE(model.width, 2) << p << "/" << q;
    }
  }
}

TEST(ColumnModelTest, RandomColumnsOfEverySpan) {
  std::mt19937_64 random(2);
  for (unsigned bits = 0; bits <= 64; bits++) {
    for (const std::size_t n : {2, 3, 10, 64, 65, 1000}) {
      const std::uint64_t offset = bits < 64 ? random() & low_mask(64 - bits) << bits : 0;
      Values values = make(n, [&](std::size_t) { return offset + (random() & low_mask(bits)); });
      std::sort(values.begin(), values.end());
      fit_and_check(values);
    }
  }
}

TEST(ColumnModelTest, StepsOfEveryHeightAndPlace) {
  // All the rise in one place: the line is as wrong as it can be.
  for (const std::uint64_t height : {std::uint64_t{1}, std::uint64_t{1} << 31, std::uint64_t{1} << 47,
                                     (std::uint64_t{1} << 63) - 1, std::uint64_t{1} << 63, kMax}) {
    for (const std::size_t at : {1, 2, 500, 998, 999}) {
      fit_and_check(make(1000, [&](std::size_t i) { return i < at ? 0 : height; }));
      fit_and_check(make(1000, [&](std::size_t i) { return i < at ? kMax - height : kMax; }));
    }
  }
}

TEST(ColumnModelTest, SpansAroundTheLimitsOfTheArithmetic) {
  std::mt19937_64 random(4);
  for (const unsigned bits : {46u, 47u, 48u, 61u, 62u, 63u}) {
    for (int delta = -2; delta <= 2; delta++) {
      const std::uint64_t range = (std::uint64_t{1} << bits) + static_cast<std::uint64_t>(delta);
      for (const std::size_t n : {2, 3, 100, 40000}) {
        Values values = make(n, [&](std::size_t) { return random() % (range + 1); });
        values[0] = 0;
        values[n - 1] = range;
        std::sort(values.begin(), values.end());
        fit_and_check(values);
        fit_and_check(
            make(n, [&](std::size_t i) { return static_cast<std::uint64_t>((U128{range} * i) / (n - 1)); }));
      }
    }
  }
}

TEST(ColumnModelTest, AnyOrder) {
  std::mt19937_64 random(5);
  const auto check = [&](const Values& values) {
    const ColumnModel model = fit_any(values.size(), [&](std::size_t i) { return values[i]; });
    expect_holds(model, values);
    return model;
  };
  EXPECT_EQ(check({7}).width, 0);
  EXPECT_EQ(check(make(5000, [](std::size_t i) { return 3 * i; })).width, 0);
  EXPECT_EQ(check(make(5000, [](std::size_t i) { return 1000000 - 3 * i; })).width, 0) << "descending";
  EXPECT_LE(check(make(5000, [](std::size_t i) { return (std::uint64_t{1} << 48) - i * 7 / 3; })).width, 2);
  EXPECT_EQ(check(Values(100, kMax)).width, 0);
  EXPECT_EQ(check({kMax, 0}).width, 64);
  EXPECT_EQ(check({0, kMax, 5}).width, 64);
  for (unsigned bits = 1; bits <= 64; bits++) {
    for (const std::size_t n : {1, 2, 3, 64, 1000})
      check(make(n, [&](std::size_t) { return random() & low_mask(bits); }));
    // Rising, falling, and with noise on top.
    const std::uint64_t top = low_mask(bits);
    check({0, top});
    check({top, 0});
    check(make(64, [&](std::size_t i) { return top / 64 * (63 - i) + (random() & (top / 256)); }));
  }
}

TEST(ColumnModelTest, PredictionIsTheSameNumberEverywhere) {
  // Fixed-point arithmetic on disk: these numbers may never change.
  const ColumnModel up{1000, (std::uint64_t{7} << 16) / 3, 16, 0};
  EXPECT_EQ(up.predict(0), 1000u);
  EXPECT_EQ(up.predict(1), 1002u);
  EXPECT_EQ(up.predict(49151), 1000u + 114685u);
  const ColumnModel down{1000, (std::uint64_t{7} << 16) / 3, 16 | ColumnModel::kDescending, 0};
  EXPECT_EQ(down.predict(1), 998u);
  EXPECT_EQ(down.predict(49151), std::uint64_t{1000} - 114685);
  const ColumnModel steep{kMax, kMax, 0, 0};
  EXPECT_EQ(steep.predict(1), kMax - 1) << "modulo 2^64";
}

// --- the packed column ---

struct Packed {
  Packed(const ColumnModel& m, const Values& values) : model(m), size(LineCodec::bytes(m, values.size())) {
    bytes.reset(new std::uint8_t[size + kBitSlack]());
    const std::uint8_t* end =
        LineCodec::encode(bytes.get(), m, values.size(), [&](std::size_t i) { return values[i]; });
    EXPECT_EQ(end, bytes.get() + size);
  }
  ColumnModel model;
  std::size_t size;
  std::unique_ptr<std::uint8_t[]> bytes;
};

void expect_packs(const ColumnModel& model, const Values& values) {
  const Packed packed(model, values);
  const std::uint8_t* bits = nullptr;
  Extent all{packed.bytes.get(), packed.size};
  ASSERT_TRUE(LineCodec::load(&all, model, values.size(), &bits));
  if (packed.size > 0) {
    Extent less{packed.bytes.get(), packed.size - 1};
    EXPECT_FALSE(LineCodec::load(&less, model, values.size(), &bits)) << "a byte is missing";
  }
  Values out(values.size());
  LineCodec::decode(model, bits, 0, static_cast<unsigned>(values.size()), out.data());
  ASSERT_EQ(out, values);
  const Span span = LineCodec::span(model, values.size());
  for (std::size_t i = 0; i < values.size(); i++) {
    ASSERT_EQ(LineCodec::at(model, bits, static_cast<unsigned>(i)), values[i]);
    ASSERT_LE(span.lo, values[i]);
    ASSERT_GE(span.hi, values[i]);
  }
  const std::size_t begin = values.size() / 3;
  LineCodec::decode(model, bits, static_cast<unsigned>(begin), static_cast<unsigned>(values.size() - begin),
                    out.data());
  ASSERT_TRUE(std::equal(values.begin() + static_cast<std::ptrdiff_t>(begin), values.end(), out.begin()));
}

void expect_searches(const ColumnModel& model, const Values& values, std::mt19937_64& random) {
  const Packed packed(model, values);
  const auto count = static_cast<unsigned>(values.size());
  const LineCodec::Sorted column{model, packed.bytes.get(), count, values[0]};
  const auto expect_found = [&](std::uint64_t value) {
    unsigned reads;
    const unsigned rank = LineCodec::lower_bound(column, value, &reads, [](std::size_t) {});
    const auto expected = std::lower_bound(values.begin(), values.end(), value) - values.begin();
    ASSERT_EQ(rank, expected) << value;
  };
  for (int round = 0; round < 200; round++) {
    const std::uint64_t value = values[random() % count];
    for (const std::uint64_t near : {value - 1, value, value + 1})
      ASSERT_NO_FATAL_FAILURE(expect_found(near));
    ASSERT_NO_FATAL_FAILURE(expect_found(random() >> (random() % 64)));
  }
  ASSERT_NO_FATAL_FAILURE(expect_found(0));
  ASSERT_NO_FATAL_FAILURE(expect_found(kMax));
}

TEST(LineCodecTest, PacksSearchesAndSlicesAnyAscendingColumn) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 150; round++) {
    const std::size_t n = 1 + random() % 2000;
    const unsigned bits = 1 + static_cast<unsigned>(random() % 64);
    Values values = make(n, [&](std::size_t) { return random() & low_mask(bits); });
    if (round % 3 == 0) values = make(n, [&](std::size_t i) { return 1000 + i * 77 + random() % 50; });
    std::sort(values.begin(), values.end());
    const ColumnModel model = fit_ascending(values.data(), n);
    ASSERT_NO_FATAL_FAILURE(expect_packs(model, values));
    ASSERT_NO_FATAL_FAILURE(expect_searches(model, values, random));
    const std::size_t cut = random() % n;
    const auto at = [&](std::size_t i) { return values[cut + i]; };
    const Values front(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(cut));
    const Values back(values.begin() + static_cast<std::ptrdiff_t>(cut), values.end());
    if (cut > 0) {
      ASSERT_NO_FATAL_FAILURE(
          expect_packs(LineCodec::slice(model, true, cut, [&](std::size_t i) { return values[i]; }), front));
    }
    const ColumnModel part = LineCodec::slice(model, false, back.size(), at);
    EXPECT_LE(part.width, model.width + 1);
    ASSERT_NO_FATAL_FAILURE(expect_packs(part, back));
    ASSERT_NO_FATAL_FAILURE(expect_searches(part, back, random));
  }
}

TEST(LineCodecTest, SpansOfExactLinesAreExact) {
  EXPECT_EQ(LineCodec::span({5, 0, 0, 0}, 9), (Span{5, 5}));
  EXPECT_EQ(LineCodec::span({5, 3, 0, 0}, 9), (Span{5, 29}));
  EXPECT_EQ(LineCodec::span({50, 3, ColumnModel::kDescending, 0}, 9), (Span{26, 50}));
  EXPECT_EQ(LineCodec::span({5, 0, 0, 4}, 9), (Span{5, 20}));
  EXPECT_EQ(LineCodec::span({kMax, 0, 0, 0}, 9), (Span{kMax, kMax}));
  // What may wrap may be anything.
  EXPECT_EQ(LineCodec::span({kMax, 0, 0, 1}, 9), kWholeSpan);
  EXPECT_EQ(LineCodec::span({2, 3, ColumnModel::kDescending, 0}, 9), kWholeSpan);
  EXPECT_EQ(LineCodec::span({0, kMax, 0, 0}, 9), kWholeSpan);
}

TEST(LineCodecTest, ModelsFromDiskStayWithinTheirBytesAndSpans) {
  std::mt19937_64 random(12);
  unsigned loaded = 0;
  for (int round = 0; round < 20000; round++) {
    const auto word = [&] { return random() >> (random() % 64); };
    const ColumnModel model{word(), word(), static_cast<std::uint8_t>(random() % 20 | (random() % 2) << 7),
                            static_cast<std::uint8_t>(random() % (round % 2 == 0 ? 70 : 12))};
    const auto n = 1 + static_cast<unsigned>(random() % 200);
    const std::size_t size = random() % 600;
    const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[size + kBitSlack]);
    for (std::size_t i = 0; i < size + kBitSlack; i++) bytes[i] = static_cast<std::uint8_t>(random());
    Extent extent{bytes.get(), size};
    const std::uint8_t* bits = nullptr;
    if (!LineCodec::load(&extent, model, n, &bits)) continue;
    loaded++;
    ASSERT_LE(LineCodec::bytes(model, n), size);
    Values out(n);
    LineCodec::decode(model, bits, 0, n, out.data());
    const Span span = LineCodec::span(model, n);
    for (unsigned i = 0; i < n; i++) {
      ASSERT_EQ(LineCodec::at(model, bits, i), out[i]);
      ASSERT_LE(span.lo, out[i]);
      ASSERT_GE(span.hi, out[i]);
    }
    unsigned reads;
    ASSERT_LE(LineCodec::lower_bound({model, bits, n, out[0]}, word(), &reads, [](std::size_t) {}), n);
  }
  EXPECT_GT(loaded, 500u);
}

}  // namespace
}  // namespace learned
