// Fits: the stated width must hold every residual, and lines must be found where they are.
#include "core/column/line.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
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

}  // namespace
}  // namespace learned
