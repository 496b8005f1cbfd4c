// How far predictions were from measurements: the figures that a report prints for every objective.
//
// Relative errors are (predicted - measured) / |measured|. Rank correlations are those of predictors/metrics.hpp, and
// none where they are undefined. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace ridgeline {

struct PredictionError {
  std::size_t pairs = 0;
  double mape = 0;                          // mean |relative error|, a share: 0.05 = 5 %
  double bias = 0;                          // mean relative error, a share; > 0: predictions are too high
  double worst = 0;                         // largest |relative error|, a share
  double within_5 = 0;                      // share of pairs with |relative error| <= 0.05
  double within_10 = 0;                     // ... <= 0.10
  std::optional<double> spearman, kendall;  // none with fewer than two pairs or where either side is constant
};

// Spans of equal length; measured values finite and not 0. Throws std::invalid_argument otherwise. No pairs: all zero.
PredictionError prediction_error(std::span<const double> predicted, std::span<const double> measured);

}  // namespace ridgeline
