// Order statistics of timing samples. Distribution-free: timings are skewed and have outliers, so nothing here assumes
// a normal distribution. All functions need at least one sample; a sample that is not finite throws
// std::invalid_argument.
#pragma once

#include <cstddef>
#include <span>

namespace ridgeline {

// The middle sample, or the mean of the two middle ones.
double median(std::span<const double> samples);

// Median of the absolute deviations from `centre`.
double median_absolute_deviation(std::span<const double> samples, double centre);

// The 1-based ranks between which the median of the population lies with at least `confidence`, whatever the
// distribution: the narrowest symmetric pair (l, n + 1 - l) with P(l <= Bin(n, 1/2) <= n - l) >= confidence
// (Conover, Practical Nonparametric Statistics, section 3.2). With too few samples (fewer than 6 for 95 %) no pair
// reaches the confidence: (1, n) and `reached` is false.
struct MedianRanks {
  std::size_t low = 1, high = 1;
  bool reached = false;
  double coverage = 0.0;  // the probability that this pair really has
};
MedianRanks median_ranks(std::size_t n, double confidence = 0.95);

// The q-quantile (0 <= q <= 1), linear between order statistics (Hyndman and Fan, 1996, type 7).
double quantile(std::span<const double> samples, double q);

}  // namespace ridgeline
