#include "predictors/gaussian_process.hpp"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "predictors/ridge.hpp"
#include "tests/predictors/random_data.hpp"

namespace ridgeline {
namespace {

Eigen::MatrixXd covariance(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, double squared_length) {
  Eigen::MatrixXd values(a.rows(), b.rows());
  for (Eigen::Index i = 0; i < a.rows(); ++i) {
    for (Eigen::Index j = 0; j < b.rows(); ++j) {
      values(i, j) = std::exp(-(a.row(i) - b.row(j)).squaredNorm() / (2.0 * squared_length));
    }
  }
  return values;
}

// Equations 2.25, 2.26 and 5.12 of the book with inverses written out; the features have a range of 1 already.
TEST(GaussianProcess, EqualsTheFormulas) {
  Rng rng(5);
  Eigen::MatrixXd X(24, 3), fresh(6, 3);
  for (double& value : X.reshaped()) value = static_cast<double>(rng.below(2));
  X.row(0).setZero();
  X.row(1).setOnes();
  for (double& value : fresh.reshaped()) value = rng.uniform();
  Eigen::VectorXd y(24);
  for (Eigen::Index i = 0; i < 24; ++i) y[i] = X(i, 0) + 2.0 * X(i, 1) * X(i, 2) + 0.1 * rng.normal();
  GaussianProcess process;
  process.fit(X, y);
  const double length = process.squared_length();
  Eigen::MatrixXd noisy = covariance(X, X, length);
  noisy.diagonal().array() += process.noise();
  const Eigen::MatrixXd inverse = noisy.inverse();
  const Eigen::VectorXd centred = y.array() - y.mean(), weights = inverse * centred;
  const Eigen::MatrixXd shared = covariance(fresh, X, length);
  const Prediction prediction = process.predict(fresh);
  const double variance = centred.dot(weights) / 24.0;
  for (Eigen::Index i = 0; i < 6; ++i) {
    EXPECT_NEAR(prediction.mean[i], y.mean() + shared.row(i).dot(weights), 1e-9);
    const double known = shared.row(i) * inverse * shared.row(i).transpose();
    EXPECT_NEAR(prediction.stddev[i], std::sqrt(variance * (1.0 + process.noise() - known)), 1e-9);
  }
  const Eigen::ArrayXd left_out = weights.array() / inverse.diagonal().array();
  EXPECT_NEAR(process.left_out_error(), left_out.square().mean(), 1e-9);
}

// What one found out of its rows changes nothing for another, whether the rows are the same or not.
TEST(GaussianProcess, SharingChangesNothing) {
  const Data first = random_data(90, 4, 0.3, 9), second = random_data(90, 4, 0.3, 10);
  const Eigen::VectorXd other = first.y.array().square();
  GaussianProcess known;
  known.fit(first.X, first.y);
  for (const auto& [X, y] : {std::pair(first.X, other), std::pair(second.X, second.y), std::pair(first.X, first.y)}) {
    GaussianProcess alone, shared;
    alone.fit(X, y);
    shared.share(known);
    shared.fit(X, y);
    EXPECT_EQ(alone.save(), shared.save());
    EXPECT_EQ(alone.left_out_error(), shared.left_out_error());
    EXPECT_EQ(alone.predict(first.X).mean, shared.predict(first.X).mean);
    EXPECT_EQ(alone.predict(first.X).stddev, shared.predict(first.X).stddev);
  }
  GaussianProcess with_other_lengths({.squared_lengths = {3.0}, .noises = {0.5}});
  GaussianProcess alone({.squared_lengths = {3.0}, .noises = {0.5}});
  with_other_lengths.share(known);
  with_other_lengths.fit(first.X, first.y);
  alone.fit(first.X, first.y);
  EXPECT_EQ(with_other_lengths.save(), alone.save());
}

// Each row predicted by a process without it: with the lengths, the noise and the mean of all.
TEST(GaussianProcess, LeftOutErrorEqualsLeavingOut) {
  const Data data = random_data(15, 2, 0.3, 9);
  GaussianProcess process;
  process.fit(data.X, data.y);
  const Eigen::VectorXd range = (data.X.colwise().maxCoeff() - data.X.colwise().minCoeff()).transpose();
  const Eigen::MatrixXd X = data.X * range.cwiseInverse().asDiagonal();
  double sum = 0;
  for (Eigen::Index out = 0; out < 15; ++out) {
    std::vector<Eigen::Index> kept;
    for (Eigen::Index i = 0; i < 15; ++i) {
      if (i != out) kept.push_back(i);
    }
    const Eigen::MatrixXd rows = X(kept, Eigen::all);
    Eigen::MatrixXd noisy = covariance(rows, rows, process.squared_length());
    noisy.diagonal().array() += process.noise();
    const Eigen::VectorXd centred = data.y(kept).array() - data.y.mean();
    const double predicted =
        data.y.mean() + covariance(X.row(out), rows, process.squared_length()).row(0).dot(noisy.inverse() * centred);
    sum += (data.y[out] - predicted) * (data.y[out] - predicted);
  }
  EXPECT_NEAR(process.left_out_error(), sum / 15.0, 1e-9);
}

// What is no sum of its features is predicted better than by ridge, and a sum nearly as well; deviations cover.
TEST(GaussianProcess, LearnsWhatSumsCannot) {
  Rng rng(77);
  const auto make = [&](Eigen::Index rows, double noise) {
    Data data{Eigen::MatrixXd(rows, 4), Eigen::VectorXd(rows)};
    for (double& value : data.X.reshaped()) value = rng.uniform();
    for (Eigen::Index i = 0; i < rows; ++i) {
      data.y[i] = std::sin(5.0 * data.X(i, 0)) * data.X(i, 1) + data.X(i, 2) + noise * rng.normal();
    }
    return data;
  };
  const Data known = make(200, 0.05), fresh = make(300, 0.05);
  GaussianProcess process;
  Ridge ridge;
  process.fit(known.X, known.y);
  ridge.fit(known.X, known.y);
  const auto error = [&](const Predictor& one) {
    return std::sqrt((one.predict_mean(fresh.X) - fresh.y).squaredNorm() / 300.0);
  };
  EXPECT_LT(error(process), 0.08);
  EXPECT_GT(error(ridge), 0.2);
  EXPECT_NEAR(std::sqrt(process.left_out_error()), error(process), 0.3 * error(process));
  const Prediction prediction = process.predict(fresh.X);
  const Eigen::ArrayXd off = (prediction.mean - fresh.y).array().abs() / prediction.stddev.array();
  const double within = static_cast<double>((off < 1.96).count()) / 300.0;
  EXPECT_GT(within, 0.9);
  EXPECT_LT(within, 0.99);
}

TEST(GaussianProcess, ConstantValuesAndFeatures) {
  GaussianProcess process;
  process.fit(Eigen::MatrixXd::Ones(5, 2), Eigen::VectorXd::Constant(5, 3.0));
  EXPECT_NEAR(process.predict_mean(Eigen::MatrixXd::Ones(1, 2))[0], 3.0, 1e-12);
  EXPECT_LT(process.left_out_error(), 1e-12);
  EXPECT_THROW(GaussianProcess({.noises = {}}), std::invalid_argument);
  EXPECT_THROW(GaussianProcess({.squared_lengths = {-1.0}}), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline
