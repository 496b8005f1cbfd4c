#include "predictors/ridge.hpp"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <cmath>
#include <stdexcept>

#include "tests/predictors/random_data.hpp"

namespace ridgeline {
namespace {

// One coefficient, by hand: minimise (2 - w)^2 + (4 - 2w)^2 + 5 (w - 1)^2 gives w = (2 + 8 + 5) / (1 + 4 + 5).
TEST(SolveRidge, OneCoefficientByHand) {
  Eigen::MatrixXd X(2, 1);
  X << 1, 2;
  RidgeProblem problem;
  problem.prior = Eigen::VectorXd::Constant(1, 1.0);
  problem.penalty = Eigen::VectorXd::Constant(1, 5.0);
  EXPECT_NEAR(solve_ridge(X, Eigen::Vector2d(2, 4), problem).coefficients[0], 1.5, 1e-14);
}

// The gradient of the objective vanishes at the solution, checked by finite differences of the objective itself.
TEST(SolveRidge, IsAMinimum) {
  const Data data = random_data(12, 4, 1.0, 3);
  RidgeProblem problem;
  problem.prior = Eigen::Vector4d(1, 0, -1, 2);
  problem.penalty = Eigen::Vector4d(0.5, 2, 0.1, 3);
  problem.weight = Eigen::VectorXd::LinSpaced(12, 0.1, 2.0);
  const auto objective = [&](const Eigen::VectorXd& w) {
    return (problem.weight.array() * (data.y - data.X * w).array().square()).sum() +
           (problem.penalty.array() * (w - problem.prior).array().square()).sum();
  };
  const Eigen::VectorXd w = solve_ridge(data.X, data.y, problem).coefficients;
  for (Eigen::Index j = 0; j < 4; ++j) {
    Eigen::VectorXd step = Eigen::VectorXd::Zero(4);
    step[j] = 1e-4;
    EXPECT_NEAR((objective(w + step) - objective(w - step)) / 2e-4, 0.0, 1e-6) << j;
    EXPECT_GT(objective(w + step), objective(w));
    EXPECT_GT(objective(w - step), objective(w));
  }
}

TEST(SolveRidge, LeaveOneOutEqualsRefitting) {
  const Data data = random_data(10, 3, 1.0, 5);
  RidgeProblem problem;
  problem.prior = Eigen::Vector3d(1, 1, 1);
  problem.penalty = Eigen::Vector3d(1, 2, 3);
  const RidgeSolution all = solve_ridge(data.X, data.y, problem);
  for (Eigen::Index left = 0; left < 10; ++left) {
    RidgeProblem without = problem;
    without.weight = Eigen::VectorXd::Ones(10);
    without.weight[left] = 0.0;
    const Eigen::VectorXd w = solve_ridge(data.X, data.y, without).coefficients;
    EXPECT_NEAR(all.loo_residual[left], data.y[left] - data.X.row(left).dot(w), 1e-10) << left;
  }
}

TEST(SolveRidge, RefusesWhatIsNotDetermined) {
  const Eigen::MatrixXd X = Eigen::MatrixXd::Zero(3, 2);
  RidgeProblem free;
  free.penalty = Eigen::Vector2d(0, 1);
  EXPECT_THROW(solve_ridge(X, Eigen::Vector3d(1, 2, 3), free), std::invalid_argument);
  free.penalty = Eigen::Vector2d(-1, 1);
  EXPECT_THROW(solve_ridge(X, Eigen::Vector3d(1, 2, 3), free), std::invalid_argument);
}

TEST(Ridge, RecoversALinearFunction) {
  const Data data = random_data(60, 3, 1e-6, 9);
  Ridge ridge;
  ridge.fit(data.X, data.y);
  const Data fresh = random_data(20, 3, 0.0, 10);
  const Prediction prediction = ridge.predict(fresh.X);
  EXPECT_LT((prediction.mean - fresh.y).cwiseAbs().maxCoeff(), 1e-4);
}

// The stated deviation is that of a new observation: about 95 % of fresh ones lie within 1.96 of it.
TEST(Ridge, DeviationsCoverFreshObservations) {
  const Data data = random_data(80, 5, 2.0, 11);
  Ridge ridge;
  ridge.fit(data.X, data.y);
  const Data fresh = random_data(2000, 5, 2.0, 12);
  const Prediction prediction = ridge.predict(fresh.X);
  const double covered =
      ((prediction.mean - fresh.y).cwiseAbs().array() < 1.96 * prediction.stddev.array()).cast<double>().mean();
  EXPECT_NEAR(covered, 0.95, 0.04);
}

// The predictor against solve_ridge on features it standardised itself, with more rows than features and fewer, one
// feature twice and one constant: the coefficients by their predictions, the deviations by the explicit inverse.
TEST(Ridge, EqualsTheNormalEquations) {
  for (const Eigen::Index rows : {40, 9}) {
    for (const double penalty : {1e-3, 1.0, 50.0}) {
      Data data = random_data(rows, 14, 1.0, 31);
      data.X.col(3) = data.X.col(5);
      data.X.col(7).setConstant(2.0);
      Ridge ridge({{penalty}});
      ridge.fit(data.X, data.y);
      const Eigen::RowVectorXd centre = data.X.colwise().mean();
      Eigen::MatrixXd scaled = data.X.rowwise() - centre;
      Eigen::RowVectorXd scale = (scaled.colwise().squaredNorm() / static_cast<double>(rows)).cwiseSqrt();
      scale[7] = 1.0;
      scaled = scaled * scale.cwiseInverse().asDiagonal();
      RidgeProblem problem;
      problem.penalty = Eigen::VectorXd::Constant(14, penalty);
      const Eigen::VectorXd centred = data.y.array() - data.y.mean();
      const RidgeSolution solution = solve_ridge(scaled, centred, problem);
      const Data fresh = random_data(6, 14, 0.0, 32);
      const Eigen::MatrixXd rescaled = (fresh.X.rowwise() - centre) * scale.cwiseInverse().asDiagonal();
      const Prediction prediction = ridge.predict(fresh.X);
      const Eigen::VectorXd mean = (rescaled * solution.coefficients).array() + data.y.mean();
      EXPECT_LT((prediction.mean - mean).cwiseAbs().maxCoeff(), 1e-7 * mean.cwiseAbs().maxCoeff());
      const double n = static_cast<double>(rows);
      const Eigen::ArrayXd left_out =
          (centred - scaled * solution.coefficients).array() / (1.0 - solution.leverage.array() - 1.0 / n).max(1e-12);
      EXPECT_NEAR(ridge.left_out_error(), left_out.square().mean(), 1e-6 * left_out.square().mean());
      const Eigen::MatrixXd normal = scaled.transpose() * scaled + penalty * Eigen::MatrixXd::Identity(14, 14);
      const Eigen::MatrixXd inverse = normal.inverse();
      for (Eigen::Index i = 0; i < 6; ++i) {
        const double spread = rescaled.row(i) * inverse * rescaled.row(i).transpose();
        const double deviation = std::sqrt(left_out.square().mean() * (1.0 + 1.0 / n + spread));
        EXPECT_NEAR(prediction.stddev[i], deviation, 1e-6 * deviation) << rows << " rows, penalty " << penalty;
      }
    }
  }
}

}  // namespace
}  // namespace ridgeline
