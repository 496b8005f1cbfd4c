#include "predictors/agreement.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "predictors/metrics.hpp"

namespace ridgeline {
namespace {

std::span<const double> span_of(const Eigen::Ref<const Eigen::VectorXd>& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

// |truth - mean| / deviation
Eigen::ArrayXd standardised(const Prediction& prediction, const Eigen::Ref<const Eigen::VectorXd>& truth) {
  if (truth.size() == 0 || prediction.mean.size() != truth.size() || prediction.stddev.size() != truth.size()) {
    throw std::invalid_argument("calibration needs a mean, a deviation and a value each, from one on");
  }
  if (!truth.allFinite() || !prediction.mean.allFinite() || !prediction.stddev.allFinite() ||
      !(prediction.stddev.minCoeff() > 0)) {
    throw std::invalid_argument("calibration needs finite values and positive deviations");
  }
  return (truth - prediction.mean).array().abs() / prediction.stddev.array();
}

std::vector<std::size_t> least(std::span<const double> values, std::size_t k) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
      [&](std::size_t a, std::size_t b) { return values[a] != values[b] ? values[a] < values[b] : a < b; });
  order.resize(k);
  std::ranges::sort(order);
  return order;
}

}  // namespace

double top_k_recall(std::span<const double> predicted, std::span<const double> truth, std::size_t k) {
  if (predicted.size() != truth.size() || k == 0 || k > truth.size()) {
    throw std::invalid_argument("recall needs two spans of one length, and k from 1 to it");
  }
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::ranges::all_of(predicted, finite) || !std::ranges::all_of(truth, finite)) {
    throw std::invalid_argument("recall needs finite values");
  }
  std::vector<std::size_t> both;
  std::ranges::set_intersection(least(predicted, k), least(truth, k), std::back_inserter(both));
  return static_cast<double>(both.size()) / static_cast<double>(k);
}

double interval_coverage(const Prediction& prediction, const Eigen::Ref<const Eigen::VectorXd>& truth, double level) {
  if (!(level >= 0 && level <= 1)) throw std::invalid_argument("a level from 0 to 1 is needed");
  const Eigen::ArrayXd off = standardised(prediction, truth);
  const auto within = [level](double z) { return std::erf(z / std::numbers::sqrt2) <= level; };
  return static_cast<double>(std::ranges::count_if(off, within)) / static_cast<double>(off.size());
}

double mean_standardised_square(const Prediction& prediction, const Eigen::Ref<const Eigen::VectorXd>& truth) {
  return standardised(prediction, truth).square().mean();
}

PredictionAgreement agreement_of(const Prediction& prediction, const Eigen::Ref<const Eigen::VectorXd>& found,
                                 const Eigen::Ref<const Eigen::VectorXd>& values,
                                 const Eigen::Ref<const Eigen::VectorXd>& truth) {
  if (found.size() != truth.size() || values.size() != truth.size()) {
    throw std::invalid_argument("agreement needs vectors of one length");
  }
  PredictionAgreement all;
  all.spearman = spearman(span_of(prediction.mean), span_of(found));
  all.kendall = kendall_tau_b(span_of(prediction.mean), span_of(found));
  const auto tenth = std::max<std::size_t>(1, static_cast<std::size_t>(found.size()) / 10);
  all.recall = top_k_recall(span_of(prediction.mean), span_of(found), tenth);
  for (std::size_t i = 0; i < PredictionAgreement::levels.size(); ++i) {
    all.coverage[i] = interval_coverage(prediction, found, PredictionAgreement::levels[i]);
  }
  all.standardised_square = mean_standardised_square(prediction, found);
  if (truth.minCoeff() > 0) {
    all.relative = PredictionAgreement::Relative{mean_absolute_percentage_error(span_of(values), span_of(truth)),
                                                 share_within(span_of(values), span_of(truth), 0.05),
                                                 share_within(span_of(values), span_of(truth), 0.10)};
  }
  return all;
}

}  // namespace ridgeline
