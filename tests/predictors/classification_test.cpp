#include "predictors/classification.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace ridgeline {
namespace {

// Four answers of two classes: confidences .9 (right), .6 (wrong), .7 (right), .8 (wrong).
const std::vector<float> probabilities{0.9F, 0.1F, 0.6F, 0.4F, 0.3F, 0.7F, 0.2F, 0.8F};
const std::vector<std::int32_t> labels{0, 1, 1, 0};

TEST(Classification, ByHand) {
  const ClassificationScores scores = score_classification(probabilities, labels, 2, 2);
  EXPECT_DOUBLE_EQ(scores.accuracy, 0.5);
  EXPECT_NEAR(scores.nll, -(std::log(0.9) + std::log(0.4) + std::log(0.7) + std::log(0.2)) / 4, 1e-6);
  EXPECT_NEAR(scores.brier, 2 * (0.01 + 0.36 + 0.09 + 0.64) / 4, 1e-6);
  EXPECT_NEAR(scores.ece, 0.75 - 0.5, 1e-6);  // all four confidences are in the upper half
  // By count: {.6 wrong, .7 right}, {.8 wrong, .9 right}.
  EXPECT_NEAR(scores.adaptive_ece, (0.15 + 0.35) / 2, 1e-6);
  EXPECT_EQ(scores.confusion, (std::vector<std::int64_t>{1, 1, 1, 1}));
}

TEST(Classification, AccuracyIsAQuotientOfCounts) {
  const std::vector<float> always_first(2000, 0.5F);  // 1000 rows of two classes
  std::vector<std::int32_t> classes(1000, 0);
  std::fill(classes.begin(), classes.begin() + 101, 1);
  EXPECT_EQ(score_classification(always_first, classes, 2).accuracy, 0.899);
}

TEST(Classification, ConfidenceOnABorderIsInTheLowerBin) {
  const std::vector<float> even{0.5F, 0.5F, 1.0F, 0.0F};
  const auto bins = reliability_bins(even, std::vector<std::int32_t>{0, 0}, 2, 2);
  EXPECT_EQ(bins[0].samples, 1U);
  EXPECT_EQ(bins[1].samples, 1U);
  EXPECT_NEAR(calibration_error(bins), 0.25, 1e-9);
}

TEST(Classification, TopKByHand) {
  // Ranks of the labels: 2nd, 1st, 3rd; in the last row two classes tie, and the lower one comes first.
  const std::vector<float> three{0.5F, 0.3F, 0.2F, 0.1F, 0.1F, 0.8F, 0.4F, 0.2F, 0.4F, 0.4F, 0.2F, 0.4F};
  const std::vector<std::int32_t> of_three{1, 2, 1, 2};
  EXPECT_DOUBLE_EQ(top_k_accuracy(three, of_three, 3, 1), 0.25);
  EXPECT_DOUBLE_EQ(top_k_accuracy(three, of_three, 3, 2), 0.75);
  EXPECT_DOUBLE_EQ(top_k_accuracy(three, of_three, 3, 3), 1.0);
  EXPECT_DOUBLE_EQ(top_k_accuracy(three, of_three, 3, 9), 1.0);
  EXPECT_DOUBLE_EQ(top_k_accuracy(three, std::vector<std::int32_t>{0, 2, 0, 0}, 3, 1),
                   score_classification(three, std::vector<std::int32_t>{0, 2, 0, 0}, 3).accuracy);
  EXPECT_THROW(top_k_accuracy(three, of_three, 3, 0), std::invalid_argument);
  EXPECT_THROW(top_k_accuracy(three, of_three, 2, 1), std::invalid_argument);
  EXPECT_THROW(top_k_accuracy(three, std::vector<std::int32_t>{0, 1, 2, 3}, 3, 1), std::invalid_argument);
}

TEST(Classification, TwoClassifiersByHand) {
  const std::vector<float> p{0.75F, 0.25F, 0.5F, 0.5F, 0.0F, 1.0F}, q{0.5F, 0.5F, 0.25F, 0.75F, 0.25F, 0.75F};
  EXPECT_DOUBLE_EQ(agreement(p, q, 2), 2.0 / 3);  // ties go to the lower class
  EXPECT_DOUBLE_EQ(agreement(p, p, 2), 1.0);
  const double expected =
      0.75 * std::log(1.5) + 0.25 * std::log(0.5) + 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3) + std::log(4.0 / 3);
  EXPECT_NEAR(mean_divergence(p, q, 2), expected / 3, 1e-12);
  EXPECT_DOUBLE_EQ(mean_divergence(p, p, 2), 0.0);
  const std::vector<float> one{1.0F, 0.0F}, other{0.0F, 1.0F};
  EXPECT_NEAR(mean_divergence(one, other, 2), std::log(1e12), 1e-9);
  EXPECT_THROW(agreement(p, one, 2), std::invalid_argument);
  EXPECT_THROW(mean_divergence({}, {}, 2), std::invalid_argument);
  EXPECT_THROW(mean_divergence(p, q, 4), std::invalid_argument);
}

TEST(Classification, PerfectIsZeroAndBadSizesAreRefused) {
  const std::vector<float> sure{1.0F, 0.0F, 0.0F, 1.0F};
  const ClassificationScores scores = score_classification(sure, std::vector<std::int32_t>{0, 1}, 2);
  EXPECT_DOUBLE_EQ(scores.accuracy, 1.0);
  EXPECT_NEAR(scores.nll + scores.brier + scores.ece + scores.adaptive_ece, 0.0, 1e-12);
  EXPECT_THROW(score_classification(sure, std::vector<std::int32_t>{0}, 2), std::invalid_argument);
  EXPECT_THROW(score_classification(sure, std::vector<std::int32_t>{0, 2}, 2), std::invalid_argument);
  EXPECT_THROW(score_classification({}, {}, 2), std::invalid_argument);
  EXPECT_THROW(reliability_bins(sure, std::vector<std::int32_t>{0, 1}, 2, 0), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline
