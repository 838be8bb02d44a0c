// Medians and their confidence intervals for the micro-benchmarks' repetitions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/statistics/univariate_statistics.hpp>

namespace learned::bench {

struct Median {
  double value;
  double low;   // 95 % confidence interval of the median: order statistics of ranks given by the binomial
  double high;  // distribution (no assumption about the shape of the noise)
};

// REQUIRES: samples is not empty.
inline Median median_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const std::size_t n = samples.size();
  const boost::math::binomial_distribution<> ranks(static_cast<double>(n), 0.5);
  const double k = boost::math::quantile(ranks, 0.025);
  const auto low = static_cast<std::size_t>(std::max(0.0, k - 1));
  const std::size_t high = std::min(n - 1, n - 1 - low);
  const double lowest = samples[std::min(low, n - 1)];
  const double highest = samples[high];
  return {boost::math::statistics::median(samples), lowest, highest};
}

}  // namespace learned::bench
