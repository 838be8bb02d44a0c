// Errors of columns against lines, by plain instructions and by vectors: against a loop with wide integers.
#include "core/column/line_errors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace learned {
namespace {

using Values = std::vector<std::uint64_t>;

// The definition, one value at a time.
LineErrors naive(const Line& line, const Values& values) {
  LineErrors e{0, 0};
  for (std::size_t i = 0; i < values.size(); i++) {
    const auto rise =
        static_cast<std::uint64_t>((static_cast<unsigned __int128>(line.slope) * i) >> line.shift);
    const auto error = static_cast<std::int64_t>(values[i] - (line.first + rise));
    e.lo = std::min(e.lo, error);
    e.hi = std::max(e.hi, error);
  }
  return e;
}

void expect_right(const Line& line, const Values& values) {
  const LineErrors expected = naive(line, values);
  const auto expect = [&](const LineErrors& found, const char* how) {
    EXPECT_EQ(found.lo, expected.lo) << how << ", " << values.size() << " values, slope " << line.slope;
    EXPECT_EQ(found.hi, expected.hi) << how << ", " << values.size() << " values, slope " << line.slope;
  };
  expect(line_errors_plain(line, values.data(), values.size()), "plain");
  expect(line_errors(line, values.data(), values.size()), "chosen");
  if (has_line_errors_wide()) expect(line_errors_wide(line, values.data(), values.size()), "wide");
}

TEST(LineErrorsTest, EveryLengthAndPlaceOfTheWorst) {
  const Line line{1000, std::uint64_t{3} << 16, 16};
  for (std::size_t n = 0; n < 40; n++) {
    Values values(n);
    for (std::size_t i = 0; i < n; i++) values[i] = 1000 + 3 * i;
    expect_right(line, values);
    for (std::size_t worst = 0; worst < n; worst++) {
      for (const std::uint64_t off : {std::uint64_t{77}, ~std::uint64_t{0} - 76}) {
        values[worst] += off;
        expect_right(line, values);
        values[worst] -= off;
      }
    }
  }
}

TEST(LineErrorsTest, RandomColumns) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 3000; round++) {
    const std::size_t n = random() % 300;
    const Line line{random(), random() >> (9 + random() % 55), static_cast<unsigned>(random() % 17)};
    // Near the line, anywhere, and at the ends of the signed range, where comparisons turn round.
    const int kind = static_cast<int>(random() % 3);
    Values values(n);
    for (std::size_t i = 0; i < n; i++) {
      const std::uint64_t on = line.first + (line.slope * i >> line.shift);
      values[i] = kind == 0   ? on + random() % 1000 - 500
                  : kind == 1 ? random()
                              : on + (std::uint64_t{1} << 63) + random() % 3 - 1;
    }
    expect_right(line, values);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace learned
