#include "predictors/gradient_boosting.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "predictors/ridge.hpp"
#include "spaces/config_error.hpp"
#include "tests/predictors/random_data.hpp"

namespace ridgeline {
namespace {

Data steps(Eigen::Index rows, double noise, std::uint64_t seed) {
  Rng rng(seed);
  Data data{Eigen::MatrixXd(rows, 4), Eigen::VectorXd(rows)};
  for (double& value : data.X.reshaped()) value = rng.uniform();
  for (Eigen::Index i = 0; i < rows; ++i) {
    data.y[i] = (data.X(i, 0) > 0.5 && data.X(i, 1) > 0.5 ? 10.0 : 0.0) + data.X(i, 2) + noise * rng.normal();
  }
  return data;
}

double error(const Predictor& predictor, const Data& fresh) {
  return std::sqrt((predictor.predict_mean(fresh.X) - fresh.y).squaredNorm() / static_cast<double>(fresh.y.size()));
}

// One tree of one split on one feature of two values predicts the means of both halves: with all of the rows, a
// learning rate of one and XGBoost's penalty of one on a leaf of n rows the mean is shrunk by n / (n + 1).
TEST(GradientBoosting, OneSplitIsTheShrunkMeanOfEachHalf) {
  Eigen::MatrixXd X(8, 1);
  X << 0, 0, 0, 0, 1, 1, 1, 1;
  Eigen::VectorXd y(8);
  y << 1, 2, 3, 2, 7, 8, 9, 8;
  GradientBoosting boosting({.most_rounds = 1, .depth = 1, .learning_rate = 1, .row_share = 1});
  boosting.fit(X, y);
  const Eigen::VectorXd mean = boosting.predict_mean(X);
  EXPECT_NEAR(mean[0], 5.0 - 3.0 * 4.0 / 5.0, 1e-5);
  EXPECT_NEAR(mean[7], 5.0 + 3.0 * 4.0 / 5.0, 1e-5);
}

TEST(GradientBoosting, LearnsStepsThatSumsCannot) {
  const Data known = steps(600, 0.1, 3), fresh = steps(400, 0.1, 4);
  GradientBoosting boosting;
  Ridge ridge;
  boosting.fit(known.X, known.y);
  ridge.fit(known.X, known.y);
  EXPECT_LT(error(boosting, fresh), 0.5 * error(ridge, fresh));
  EXPECT_NEAR(std::sqrt(boosting.left_out_error()), error(boosting, fresh), 0.5 * error(boosting, fresh));
  const Prediction prediction = boosting.predict(fresh.X);
  const Eigen::ArrayXd off = (prediction.mean - fresh.y).array().abs() / prediction.stddev.array();
  EXPECT_GT(static_cast<double>((off < 1.96).count()) / 400.0, 0.9);
}

// Noise alone is learnt by no tree: the number of trees stays at the least that is looked at.
TEST(GradientBoosting, StopsWhereLeftOutRowsGetWorse) {
  Data noise = random_data(200, 3, 1.0, 8);
  Rng rng(5);
  for (double& value : noise.y) value = rng.normal();
  GradientBoosting boosting;
  boosting.fit(noise.X, noise.y);
  EXPECT_EQ(boosting.rounds(), 20u);
  const Data known = steps(600, 0.01, 3);
  boosting.fit(known.X, known.y);
  EXPECT_GT(boosting.rounds(), 20u);
}

TEST(GradientBoosting, ConstantValuesNoFeaturesAndBadOptions) {
  GradientBoosting boosting;
  boosting.fit(Eigen::MatrixXd::Ones(5, 2), Eigen::VectorXd::Constant(5, 3.0));
  EXPECT_NEAR(boosting.predict_mean(Eigen::MatrixXd::Ones(1, 2))[0], 3.0, 1e-12);
  boosting.fit(Eigen::MatrixXd(4, 0), Eigen::VectorXd::Constant(4, 2.0));
  EXPECT_NEAR(boosting.predict_mean(Eigen::MatrixXd(1, 0))[0], 2.0, 1e-12);
  EXPECT_THROW(GradientBoosting({.most_rounds = 0}), std::invalid_argument);
  EXPECT_THROW(GradientBoosting({.row_share = 1.5}), std::invalid_argument);
  EXPECT_THROW(make_predictor("xgboost", {{"depth", 0}, {"deep", 1}}), ConfigError);
}

TEST(GradientBoosting, DamagedStatesAreRefused) {
  const Data data = random_data(20, 2, 0.1, 1);
  GradientBoosting boosting({.most_rounds = 20});
  boosting.fit(data.X, data.y);
  Json state = boosting.save();
  Json other = state;
  other["features"] = 3;
  EXPECT_THROW(boosting.load(other), ConfigError);
  other = state;
  other["all"] = "trees";
  EXPECT_THROW(boosting.load(other), ConfigError);
  other = state;
  other["folds"][1]["learner"] = Json::object();
  EXPECT_THROW(boosting.load(other), ConfigError);
  boosting.load(state);
  EXPECT_EQ(boosting.rounds(), 20u);
}

}  // namespace
}  // namespace ridgeline
