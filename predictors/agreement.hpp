// How well predictions with their deviations agree with what was found: ranks, relative errors, the best found again,
// and whether the deviations say how far off they are.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "predictors/predictor.hpp"

namespace ridgeline {

// The share of the `k` least of `truth` that are among the `k` least of `predicted`, 0 to 1; equal ones by their index.
// 1 <= k <= the number of values, all finite, or std::invalid_argument is thrown.
double top_k_recall(std::span<const double> predicted, std::span<const double> truth, std::size_t k);

// The share of values within the central interval of probability `level` (0 to 1) of their predicted normal
// distribution: `level` itself where deviations are right. Throws std::invalid_argument: sizes, values that are not
// finite, a deviation that is not positive, a level that is no probability.
double interval_coverage(const Prediction& prediction, const Eigen::Ref<const Eigen::VectorXd>& truth, double level);
// Mean of ((truth - mean) / deviation)^2: 1 where deviations are right, more where they are too small. Throws as above.
double mean_standardised_square(const Prediction& prediction, const Eigen::Ref<const Eigen::VectorXd>& truth);

struct PredictionAgreement {
  static constexpr std::array<double, 3> levels{0.5, 0.9, 0.95};
  double spearman = 0, kendall = 0;
  double recall = 0;                 // of the best tenth of the values, at least one
  std::array<double, 3> coverage{};  // of the intervals of `levels`
  double standardised_square = 0;    // mean_standardised_square
  struct Relative {
    double percentage_error = 0;         // mean_absolute_percentage_error
    double within_5 = 0, within_10 = 0;  // share_within 5 and 10 %
  };
  std::optional<Relative> relative;  // of positive values only
};

// `prediction` and `found`: in what the predictor was fitted on, minimised; `values` and `truth`: the same in natural
// units, for relative errors. One length from 1; throws std::invalid_argument as the parts do.
PredictionAgreement agreement_of(const Prediction& prediction, const Eigen::Ref<const Eigen::VectorXd>& found,
                                 const Eigen::Ref<const Eigen::VectorXd>& values,
                                 const Eigen::Ref<const Eigen::VectorXd>& truth);

}  // namespace ridgeline
