#include "kernels/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace ridgeline {
namespace {

std::vector<double> sorted(std::span<const double> samples) {
  if (samples.empty()) throw std::invalid_argument("statistics of no samples");
  for (const double sample : samples) {
    if (!std::isfinite(sample)) throw std::invalid_argument("a sample is not finite");
  }
  std::vector<double> result(samples.begin(), samples.end());
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace

double median(std::span<const double> samples) {
  const std::vector<double> ordered = sorted(samples);
  const std::size_t half = ordered.size() / 2;
  return ordered.size() % 2 == 1 ? ordered[half] : 0.5 * (ordered[half - 1] + ordered[half]);
}

double median_absolute_deviation(std::span<const double> samples, double centre) {
  std::vector<double> deviations(samples.begin(), samples.end());
  for (double& value : deviations) value = std::abs(value - centre);
  return median(deviations);
}

MedianRanks median_ranks(std::size_t n, double confidence) {
  if (n == 0) throw std::invalid_argument("statistics of no samples");
  // tail = P(Bin(n, 1/2) < l), grown one term at a time; logarithms because 2^-n underflows for many samples.
  const double count = static_cast<double>(n);
  MedianRanks ranks{1, n, false, 0.0};
  double tail = 0.0;
  for (std::size_t l = 1; 2 * l <= n; ++l) {
    const double k = static_cast<double>(l - 1);
    tail += std::exp(std::lgamma(count + 1) - std::lgamma(k + 1) - std::lgamma(count - k + 1) - count * std::log(2.0));
    const double coverage = 1.0 - 2.0 * tail;
    if (l == 1) ranks.coverage = coverage;
    if (coverage < confidence) break;
    ranks = {l, n + 1 - l, true, coverage};
  }
  return ranks;
}

double quantile(std::span<const double> samples, double q) {
  const std::vector<double> ordered = sorted(samples);
  const double position = std::clamp(q, 0.0, 1.0) * static_cast<double>(ordered.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, ordered.size() - 1);
  return ordered[below] + (position - static_cast<double>(below)) * (ordered[above] - ordered[below]);
}

}  // namespace ridgeline
