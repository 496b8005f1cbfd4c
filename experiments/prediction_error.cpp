#include "experiments/prediction_error.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace ridgeline {
namespace {

// 1-based ranks; equal values share the mean of theirs.
std::vector<double> mid_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    const double rank = 0.5 * static_cast<double>(first + last) + 1.0;
    for (std::size_t i = first; i <= last; ++i) ranks[order[i]] = rank;
    first = last + 1;
  }
  return ranks;
}

std::optional<double> pearson(std::span<const double> x, std::span<const double> y) {
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (xx <= 0 || yy <= 0) return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

// Pairs i < j with values[i] > values[j]; sorts `values`.
std::int64_t inversions(std::vector<double>& values, std::vector<double>& scratch, std::size_t begin, std::size_t end) {
  if (end - begin < 2) return 0;
  const std::size_t middle = begin + (end - begin) / 2;
  std::int64_t count = inversions(values, scratch, begin, middle) + inversions(values, scratch, middle, end);
  std::size_t left = begin, right = middle;
  for (std::size_t out = begin; out < end; ++out) {
    if (right == end || (left < middle && values[left] <= values[right])) {
      scratch[out] = values[left++];
    } else {
      count += static_cast<std::int64_t>(middle - left);
      scratch[out] = values[right++];
    }
  }
  std::copy(scratch.begin() + static_cast<std::ptrdiff_t>(begin), scratch.begin() + static_cast<std::ptrdiff_t>(end),
            values.begin() + static_cast<std::ptrdiff_t>(begin));
  return count;
}

std::int64_t pairs_of(std::int64_t n) { return n * (n - 1) / 2; }

// Pairs of equal neighbours in a sorted sequence of `size` items.
template <typename Equal>
std::int64_t tied_pairs(std::size_t size, Equal equal) {
  std::int64_t pairs = 0;
  for (std::size_t first = 0; first < size;) {
    std::size_t last = first + 1;
    while (last < size && equal(first, last)) ++last;
    pairs += pairs_of(static_cast<std::int64_t>(last - first));
    first = last;
  }
  return pairs;
}

}  // namespace

std::optional<double> spearman_rho(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) throw std::invalid_argument("spearman_rho: spans of different lengths");
  if (x.size() < 2) return std::nullopt;
  return pearson(mid_ranks(x), mid_ranks(y));
}

std::optional<double> kendall_tau_b(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) throw std::invalid_argument("kendall_tau_b: spans of different lengths");
  const std::size_t n = x.size();
  if (n < 2) return std::nullopt;
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return x[a] != x[b] ? x[a] < x[b] : y[a] < y[b]; });
  const auto same_x = [&](std::size_t a, std::size_t b) { return x[order[a]] == x[order[b]]; };
  const std::int64_t ties_x = tied_pairs(n, same_x);
  const std::int64_t ties_both =
      tied_pairs(n, [&](std::size_t a, std::size_t b) { return same_x(a, b) && y[order[a]] == y[order[b]]; });
  std::vector<double> by_x(n), scratch(n);
  for (std::size_t i = 0; i < n; ++i) by_x[i] = y[order[i]];
  const std::int64_t discordant = inversions(by_x, scratch, 0, n);
  const std::int64_t ties_y = tied_pairs(n, [&](std::size_t a, std::size_t b) { return by_x[a] == by_x[b]; });
  const std::int64_t all = pairs_of(static_cast<std::int64_t>(n));
  if (ties_x == all || ties_y == all) return std::nullopt;
  const auto numerator = static_cast<double>(all - ties_x - ties_y + ties_both - 2 * discordant);
  return numerator / std::sqrt(static_cast<double>(all - ties_x)) / std::sqrt(static_cast<double>(all - ties_y));
}

PredictionError prediction_error(std::span<const double> predicted, std::span<const double> measured) {
  if (predicted.size() != measured.size()) throw std::invalid_argument("prediction_error: spans of different lengths");
  PredictionError error;
  error.pairs = predicted.size();
  if (error.pairs == 0) return error;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (!std::isfinite(measured[i]) || !std::isfinite(predicted[i]) || measured[i] == 0.0) {
      throw std::invalid_argument("prediction_error: values must be finite, measured ones not 0");
    }
    const double relative = (predicted[i] - measured[i]) / std::abs(measured[i]);
    error.mape += std::abs(relative);
    error.bias += relative;
    error.worst = std::max(error.worst, std::abs(relative));
    error.within_5 += std::abs(relative) <= 0.05 ? 1.0 : 0.0;
    error.within_10 += std::abs(relative) <= 0.10 ? 1.0 : 0.0;
  }
  const auto n = static_cast<double>(error.pairs);
  error.mape /= n;
  error.bias /= n;
  error.within_5 /= n;
  error.within_10 /= n;
  error.spearman = spearman_rho(predicted, measured);
  error.kendall = kendall_tau_b(predicted, measured);
  return error;
}

}  // namespace ridgeline
