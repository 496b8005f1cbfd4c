#include "predictors/agreement.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "predictors/metrics.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using Values = std::vector<double>;

TEST(Agreement, TopKRecallByHand) {
  const Values truth{5, 1, 4, 2, 3}, predicted{9, 2, 1, 8, 7};  // best two: 1 and 3; predicted: 2 and 1
  EXPECT_DOUBLE_EQ(top_k_recall(predicted, truth, 2), 0.5);
  EXPECT_DOUBLE_EQ(top_k_recall(predicted, truth, 1), 0.0);
  EXPECT_DOUBLE_EQ(top_k_recall(predicted, truth, 5), 1.0);
  EXPECT_DOUBLE_EQ(top_k_recall(Values{1, 1, 1}, Values{1, 2, 3}, 2), 1.0);  // ties by their index
  EXPECT_THROW(top_k_recall(predicted, truth, 6), std::invalid_argument);
  EXPECT_THROW(top_k_recall(predicted, truth, 0), std::invalid_argument);
}

// 20,000 draws of just the predicted distributions are within their intervals as often as these say; deviations half as
// large as they should be give a mean square of 4.
TEST(Agreement, CalibrationOfDrawsFromThePredictedDistributions) {
  Rng rng(51);
  constexpr Eigen::Index count = 20'000;
  Prediction prediction{Eigen::VectorXd(count), Eigen::VectorXd(count)};
  Eigen::VectorXd truth(count);
  for (Eigen::Index i = 0; i < count; ++i) {
    prediction.mean[i] = 10 * rng.normal();
    prediction.stddev[i] = 0.1 + rng.uniform();
    truth[i] = prediction.mean[i] + prediction.stddev[i] * rng.normal();
  }
  for (const double level : PredictionAgreement::levels)
    EXPECT_NEAR(interval_coverage(prediction, truth, level), level, 0.012);
  EXPECT_NEAR(mean_standardised_square(prediction, truth), 1.0, 0.04);
  prediction.stddev *= 0.5;
  EXPECT_NEAR(mean_standardised_square(prediction, truth), 4.0, 0.16);
  prediction.stddev[3] = 0;
  EXPECT_THROW(interval_coverage(prediction, truth, 0.5), std::invalid_argument);
}

// Knight's counting against all pairs one by one, with many ties.
TEST(Agreement, KendallEqualsAllPairs) {
  Rng rng(52);
  for (const std::size_t choices : {2, 5, 1'000'000}) {
    Values a(61), b(61);
    for (double& value : a) value = static_cast<double>(rng.below(choices));
    for (double& value : b) value = static_cast<double>(rng.below(choices));
    double balance = 0, untied_a = 0, untied_b = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const double by_a = (a[i] > a[j]) - (a[i] < a[j]), by_b = (b[i] > b[j]) - (b[i] < b[j]);
        balance += by_a * by_b;
        untied_a += by_a * by_a;
        untied_b += by_b * by_b;
      }
    }
    EXPECT_NEAR(kendall_tau_b(a, b), balance / std::sqrt(untied_a * untied_b), 1e-14) << choices;
  }
}

TEST(Agreement, OfPredictionsInAnotherScale) {
  const Eigen::Vector3d truth(100, 200, 400), values(104, 200, 360);
  const Prediction prediction{values.array().log(), Eigen::Vector3d::Constant(0.05)};
  const PredictionAgreement all = agreement_of(prediction, truth.array().log(), values, truth);
  EXPECT_DOUBLE_EQ(all.spearman, 1.0);
  EXPECT_DOUBLE_EQ(all.kendall, 1.0);
  EXPECT_DOUBLE_EQ(all.recall, 1.0);
  ASSERT_TRUE(all.relative);
  EXPECT_NEAR(all.relative->percentage_error, 14.0 / 3, 1e-12);
  EXPECT_NEAR(all.relative->within_5, 2.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(all.relative->within_10, 1.0);
  EXPECT_NEAR(all.coverage[2], 2.0 / 3, 1e-12);  // log(400 / 360) is 2.1 deviations
  EXPECT_FALSE(agreement_of(prediction, truth.array().log(), values, truth.array() - 100).relative);
}

}  // namespace
}  // namespace ridgeline
