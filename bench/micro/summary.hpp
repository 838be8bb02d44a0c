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
  // Rounded outwards, so that P(fewer than k + 1 of n samples lie below the median) <= 2.5 %: the interval from
  // the (k + 1)th smallest to the (k + 1)th largest sample. (Fewer than six samples cannot give 95 %.)
  const auto k = static_cast<std::size_t>(boost::math::quantile(ranks, 0.025));
  const std::size_t low = std::min(k, (n - 1) / 2);
  const double lowest = samples[low];
  const double highest = samples[n - 1 - low];
  return {boost::math::statistics::median(samples), lowest, highest};
}

}  // namespace learned::bench
