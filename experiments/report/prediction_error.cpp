#include "experiments/report/prediction_error.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "predictors/metrics.hpp"

namespace ridgeline {
namespace {

bool varies(std::span<const double> values) {
  return std::any_of(values.begin(), values.end(), [&](double value) { return value != values.front(); });
}

}  // namespace

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
  if (varies(predicted) && varies(measured)) {
    error.spearman = spearman(predicted, measured);
    error.kendall = kendall_tau_b(predicted, measured);
  }
  return error;
}

}  // namespace ridgeline
