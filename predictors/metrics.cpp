#include "predictors/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <stdexcept>

namespace ridgeline {
namespace {

void check(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || a.size() != b.size()) throw std::invalid_argument("metrics need two spans of one length >= 1");
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::all_of(a.begin(), a.end(), finite) || !std::all_of(b.begin(), b.end(), finite)) {
    throw std::invalid_argument("metrics need finite values");
  }
}

void check_positive(std::span<const double> measured) {
  if (!std::all_of(measured.begin(), measured.end(), [](double value) { return value > 0; })) {
    throw std::invalid_argument("relative errors need positive measured values");
  }
}

// Pairs within runs of equal elements; `equal(i)`: is element i equal to the one before it?
template <typename Equal>
std::int64_t tied_pairs(std::size_t count, const Equal& equal) {
  std::int64_t pairs = 0, run = 0;
  for (std::size_t i = 1; i < count; ++i) {
    run = equal(i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

// Sorts by merging and counts the pairs that stood the wrong way round. `room` has the size of `values`.
std::int64_t sort_counting(std::span<double> values, std::span<double> room) {
  if (values.size() < 2) return 0;
  const std::size_t half = values.size() / 2;
  std::int64_t swaps =
      sort_counting(values.first(half), room.first(half)) + sort_counting(values.subspan(half), room.subspan(half));
  std::size_t left = 0, right = half;
  for (double& next : room) {
    const bool take_left = right == values.size() || (left < half && values[left] <= values[right]);
    if (!take_left) swaps += static_cast<std::int64_t>(half - left);
    next = values[take_left ? left++ : right++];
  }
  std::ranges::copy(room, values.begin());
  return swaps;
}

}  // namespace

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    for (std::size_t i = first; i <= last; ++i) ranks[order[i]] = 1.0 + 0.5 * static_cast<double>(first + last);
    first = last + 1;
  }
  return ranks;
}

double pearson(std::span<const double> a, std::span<const double> b) {
  check(a, b);
  const double n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
    ab += (a[i] - mean_a) * (b[i] - mean_b);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0.0;
}

double spearman(std::span<const double> a, std::span<const double> b) {
  check(a, b);
  return pearson(average_ranks(a), average_ranks(b));
}

double kendall_tau_b(std::span<const double> a, std::span<const double> b) {
  check(a, b);
  std::vector<std::size_t> order(a.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return a[i] != a[j] ? a[i] < a[j] : b[i] < b[j]; });
  std::vector<double> in_order(a.size()), sorted(a.size());
  for (std::size_t i = 0; i < order.size(); ++i) in_order[i] = b[order[i]];
  const auto n = static_cast<std::int64_t>(a.size());
  const std::int64_t pairs = n * (n - 1) / 2;
  const std::int64_t tied_a = tied_pairs(a.size(), [&](std::size_t i) { return a[order[i]] == a[order[i - 1]]; });
  const std::int64_t tied_both = tied_pairs(
      a.size(), [&](std::size_t i) { return a[order[i]] == a[order[i - 1]] && in_order[i] == in_order[i - 1]; });
  const std::int64_t discordant = sort_counting(in_order, sorted);
  const std::int64_t tied_b = tied_pairs(a.size(), [&](std::size_t i) { return in_order[i] == in_order[i - 1]; });
  const std::int64_t untied_a = pairs - tied_a, untied_b = pairs - tied_b;
  if (untied_a == 0 || untied_b == 0) return 0.0;
  const std::int64_t balance = pairs - tied_a - tied_b + tied_both - 2 * discordant;
  return static_cast<double>(balance) / std::sqrt(static_cast<double>(untied_a) * static_cast<double>(untied_b));
}

double mean_absolute_percentage_error(std::span<const double> predicted, std::span<const double> measured) {
  check(predicted, measured);
  check_positive(measured);
  double sum = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) sum += std::abs(predicted[i] - measured[i]) / measured[i];
  return 100.0 * sum / static_cast<double>(measured.size());
}

double share_within(std::span<const double> predicted, std::span<const double> measured, double tolerance) {
  check(predicted, measured);
  check_positive(measured);
  std::size_t within = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    within += std::abs(predicted[i] - measured[i]) <= tolerance * measured[i] ? 1 : 0;
  }
  return static_cast<double>(within) / static_cast<double>(measured.size());
}

}  // namespace ridgeline
