#include "experiments/bench/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <stdexcept>

#include "kernels/statistics.hpp"
#include "predictors/metrics.hpp"

namespace ridgeline {
namespace {

void check_values(std::span<const double> values) {
  if (values.empty()) throw std::invalid_argument("statistics of no values");
  for (const double value : values) {
    if (!std::isfinite(value)) throw std::invalid_argument("statistics of a value that is not finite");
  }
}

void check_open(double probability) {
  if (!(probability > 0.0 && probability < 1.0)) throw std::invalid_argument("a probability between 0 and 1 is needed");
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

// The x of an increasing function between low and high, to 12 digits.
template <typename Function>
double bisected(double low, double high, double target, const Function& function) {
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    if (high - low <= 1e-12 * std::max(1.0, std::abs(middle))) break;
    (function(middle) < target ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

// The regularised incomplete beta function by its continued fraction (Lentz), for x below (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  const auto away = [](double value) { return std::abs(value) < tiny ? tiny : value; };
  double c = 1.0, d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0)), sum = d;
  for (int m = 1; m < 10'000; ++m) {
    const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
    d = 1.0 / away(1.0 + even * d);
    c = away(1.0 + even / c);
    sum *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
    d = 1.0 / away(1.0 + odd * d);
    c = away(1.0 + odd / c);
    sum *= d * c;
    if (std::abs(d * c - 1.0) < 1e-16) break;
  }
  return sum;
}

double regularised_beta(double a, double b, double x) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1.0) / (a + b + 2.0)) return front * beta_fraction(a, b, x) / a;
  return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

double student_cdf(double t, double degrees) {
  const double tail = 0.5 * regularised_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t));
  return t < 0.0 ? tail : 1.0 - tail;
}

// P(range of k standard normal values <= q) = k * integral of phi(z) (Phi(z) - Phi(z - q))^(k - 1), by Simpson's rule.
double range_cdf(double q, std::size_t k) {
  constexpr int steps = 400;
  constexpr double low = -8.0, high = 8.0;
  const double width = (high - low) / steps;
  double sum = 0.0;
  for (int i = 0; i <= steps; ++i) {
    const double z = low + width * i;
    const double density = std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi);
    const double value = density * std::pow(normal_cdf(z) - normal_cdf(z - q), static_cast<double>(k - 1));
    sum += (i == 0 || i == steps ? 1.0 : i % 2 == 1 ? 4.0 : 2.0) * value;
  }
  return static_cast<double>(k) * sum * width / 3.0;
}

}  // namespace

double normal_quantile(double probability) {
  check_open(probability);
  return bisected(-40.0, 40.0, probability, normal_cdf);
}

double student_quantile(double probability, double degrees) {
  check_open(probability);
  if (!(degrees >= 1.0)) throw std::invalid_argument("at least one degree of freedom is needed");
  if (probability == 0.5) return 0.0;
  // One degree has the heaviest tails: its quantile, which has a closed form, bounds all others.
  const double bound = 2.0 + std::abs(std::tan(std::numbers::pi * (probability - 0.5)));
  return bisected(-bound, bound, probability, [&](double t) { return student_cdf(t, degrees); });
}

double chi_squared_tail(double statistic, double degrees) {
  if (!(degrees > 0.0) || !std::isfinite(statistic)) throw std::invalid_argument("a finite statistic is needed");
  if (statistic <= 0.0) return 1.0;
  const double a = degrees / 2.0, x = statistic / 2.0;
  const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1.0) {
    double term = 1.0 / a, sum = term;
    for (int n = 1; n < 100'000 && std::abs(term) > 1e-17 * std::abs(sum); ++n) sum += term *= x / (a + n);
    return 1.0 - front * sum;
  }
  double b = x + 1.0 - a, c = 1e300, d = 1.0 / b, sum = d;
  for (int n = 1; n < 100'000; ++n) {
    const double step = -n * (n - a);
    b += 2.0;
    d = 1.0 / (step * d + b);
    c = b + step / c;
    sum *= d * c;
    if (std::abs(d * c - 1.0) < 1e-16) break;
  }
  return front * sum;
}

double studentized_range_quantile(double probability, std::size_t k) {
  check_open(probability);
  if (k < 2) throw std::invalid_argument("the range of fewer than two means");
  return bisected(0.0, 40.0, probability, [&](double q) { return range_cdf(q, k); });
}

MeanInterval mean_interval(std::span<const double> values, double confidence) {
  check_values(values);
  check_open(confidence);
  MeanInterval result;
  result.count = values.size();
  const auto n = static_cast<double>(values.size());
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() < 2) return result;
  double squares = 0.0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  const double half = student_quantile(0.5 + confidence / 2.0, n - 1.0) * std::sqrt(squares / (n - 1.0) / n);
  result.interval = ConfidenceInterval{result.mean - half, result.mean + half};
  return result;
}

ConfidenceInterval wilson_interval(std::size_t successes, std::size_t trials, double confidence) {
  check_open(confidence);
  if (trials == 0 || successes > trials) throw std::invalid_argument("successes among at least one trial are needed");
  const auto n = static_cast<double>(trials);
  const double share = static_cast<double>(successes) / n, z = normal_quantile(0.5 + confidence / 2.0);
  const double centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
  const double half = z / (1.0 + z * z / n) * std::sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n));
  return {successes == 0 ? 0.0 : centre - half, successes == trials ? 1.0 : centre + half};
}

FiveNumbers five_numbers(std::span<const double> values) {
  check_values(values);
  return {quantile(values, 0.0), quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75),
          quantile(values, 1.0)};
}

FriedmanTest friedman_test(std::span<const std::vector<double>> scores) {
  if (scores.empty() || scores[0].size() < 2) throw std::invalid_argument("blocks of at least two methods are needed");
  const std::size_t k = scores[0].size();
  const auto n = static_cast<double>(scores.size()), methods = static_cast<double>(k);
  FriedmanTest test;
  test.mean_ranks.assign(k, 0.0);
  double squares = 0.0;  // of all ranks: ties make it smaller
  for (const std::vector<double>& block : scores) {
    if (block.size() != k) throw std::invalid_argument("blocks of one length are needed");
    check_values(block);
    std::vector<double> losses;
    for (const double score : block) losses.push_back(-score);
    const std::vector<double> ranks = average_ranks(losses);
    for (std::size_t j = 0; j < k; ++j) {
      test.mean_ranks[j] += ranks[j] / n;
      squares += ranks[j] * ranks[j];
    }
  }
  const double middle = (methods + 1.0) / 2.0, spread = squares - n * methods * middle * middle;
  double between = 0.0;
  for (const double rank : test.mean_ranks) between += (rank - middle) * (rank - middle);
  test.critical_difference =
      studentized_range_quantile(0.95, k) / std::numbers::sqrt2 * std::sqrt(methods * (methods + 1.0) / (6.0 * n));
  if (spread <= 1e-9 * n) return test;
  test.statistic = (methods - 1.0) * n * n * between / spread;
  test.p_value = chi_squared_tail(test.statistic, methods - 1.0);
  return test;
}

}  // namespace ridgeline
