#include "predictors/mlp_ensemble.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "predictors/perceptron.hpp"
#include "spaces/config_error.hpp"
#include "tests/predictors/random_data.hpp"

namespace ridgeline {
namespace {

MlpOptions small() {
  MlpOptions options;
  options.members = 4;
  options.hidden = {16, 16};
  return options;
}

// Central differences of every parameter, at a point where no weight is 0, with and without variances.
TEST(Perceptron, GradientByFiniteDifferences) {
  const Data data = random_data(6, 3, 0.5, 31);
  const Perceptron network(3, {5, 4});
  Rng rng(32);
  Eigen::VectorXd parameters(network.size());
  for (double& value : parameters) value = 0.4 * rng.normal();
  const Eigen::MatrixXd columns = data.X.transpose();
  for (const bool variances : {false, true}) {
    Eigen::VectorXd gradient;
    network.loss(parameters, columns, data.y, variances, &gradient);
    ASSERT_EQ(gradient.size(), network.size());
    constexpr double step = 1e-6;
    for (Eigen::Index i = 0; i < network.size(); ++i) {
      Eigen::VectorXd more = parameters, less = parameters;
      more[i] += step;
      less[i] -= step;
      const double slope =
          (network.loss(more, columns, data.y, variances) - network.loss(less, columns, data.y, variances)) /
          (2 * step);
      EXPECT_NEAR(gradient[i], slope, 1e-6 * std::max(1.0, std::abs(slope))) << i << " variances " << variances;
    }
  }
}

// Central differences of every input of every sample.
TEST(Perceptron, InputSlopesByFiniteDifferences) {
  const Data data = random_data(5, 3, 0.5, 31);
  const Perceptron network(3, {5, 4});
  Rng rng(32);
  Eigen::VectorXd parameters(network.size());
  for (double& value : parameters) value = 0.6 * rng.normal();
  const Eigen::MatrixXd columns = data.X.transpose();
  Perceptron::InputSlopes slopes;
  network.outputs(parameters, columns, &slopes);
  ASSERT_EQ(slopes.mean.rows(), 3);
  ASSERT_EQ(slopes.log_variance.cols(), 5);
  constexpr double step = 1e-6;
  for (Eigen::Index j = 0; j < 3; ++j) {
    Eigen::MatrixXd more = columns, less = columns;
    more.row(j).array() += step;
    less.row(j).array() -= step;
    const Perceptron::Outputs a = network.outputs(parameters, more), b = network.outputs(parameters, less);
    const Eigen::ArrayXd mean = (a.mean - b.mean) / (2 * step);
    const Eigen::ArrayXd log_variance = (a.log_variance - b.log_variance) / (2 * step);
    EXPECT_LT((slopes.mean.row(j).transpose().array() - mean).abs().maxCoeff(), 1e-7) << j;
    EXPECT_LT((slopes.log_variance.row(j).transpose().array() - log_variance).abs().maxCoeff(), 1e-7) << j;
    EXPECT_GT(mean.abs().maxCoeff(), 1e-3) << j;
  }
}

// Both kinds of uncertainty make up that of predict(); slopes by central differences.
TEST(MlpEnsemble, PartsAddUpAndHaveSlopes) {
  const Data data = random_data(60, 3, 0.4, 37), fresh = random_data(7, 3, 0.4, 38);
  for (const bool variances : {false, true}) {
    MlpOptions options = small();
    options.variances = variances;
    MlpEnsemble mlp(options);
    mlp.fit(data.X, data.y);
    MlpEnsemble::PartSlopes slopes;
    const MlpEnsemble::Parts parts = mlp.parts(fresh.X, &slopes);
    const Prediction whole = mlp.predict(fresh.X);
    EXPECT_LT((parts.mean - whole.mean).cwiseAbs().maxCoeff(), 1e-12);
    const Eigen::ArrayXd squares = parts.aleatoric.array().square() + parts.epistemic.array().square();
    EXPECT_LT((squares / whole.stddev.array().square() - 1.0).abs().maxCoeff(), 1e-9);
    constexpr double step = 1e-5;
    for (Eigen::Index j = 0; j < 3; ++j) {
      Eigen::MatrixXd more = fresh.X, less = fresh.X;
      more.col(j).array() += step;
      less.col(j).array() -= step;
      const MlpEnsemble::Parts a = mlp.parts(more), b = mlp.parts(less);
      const auto off = [&](const Eigen::MatrixXd& slope, const Eigen::VectorXd& above, const Eigen::VectorXd& below) {
        const Eigen::VectorXd by_difference = (above - below) / (2 * step);
        return (slope.col(j) - by_difference).cwiseAbs().maxCoeff() /
               std::max(1.0, by_difference.cwiseAbs().maxCoeff());
      };
      EXPECT_LT(off(slopes.mean, a.mean, b.mean), 1e-6) << j;
      EXPECT_LT(off(slopes.aleatoric, a.aleatoric, b.aleatoric), 1e-6) << j;
      EXPECT_LT(off(slopes.epistemic, a.epistemic, b.epistemic), 1e-5) << j;
    }
  }
}

// One hidden unit worked by hand: silu(2 * 0.5 - 1) = silu(0) = 0, and silu(2 * 1 - 1) = 1 / (1 + e^-1).
TEST(Perceptron, OutputsByHand) {
  const Perceptron network(1, {1});
  Eigen::VectorXd parameters(network.size());
  parameters << 2, -1, /* v */ 3, 0.5, /* c */ 0.25, 0, /* s */ 10;
  const Eigen::RowVector2d columns(0.5, 1.0);
  const Perceptron::Outputs outputs = network.outputs(parameters, columns);
  const double unit = 1 / (1 + std::exp(-1.0));
  EXPECT_NEAR(outputs.mean[0], 5.25, 1e-14);
  EXPECT_NEAR(outputs.mean[1], 3 * unit + 0.25 + 10, 1e-14);
  EXPECT_NEAR(outputs.log_variance[1], 8 * std::tanh(0.5 * unit / 8), 1e-14);
}

TEST(Perceptron, BadShapesAreRefused) {
  EXPECT_THROW(Perceptron(2, {}), std::invalid_argument);
  EXPECT_THROW(Perceptron(2, {3, 0}), std::invalid_argument);
}

// y = x_0 x_1: no linear function explains any of it.
TEST(MlpEnsemble, LearnsAProduct) {
  Data data = random_data(160, 2, 0.0, 33), fresh = random_data(100, 2, 0.0, 34);
  data.y = data.X.col(0).cwiseProduct(data.X.col(1));
  fresh.y = fresh.X.col(0).cwiseProduct(fresh.X.col(1));
  MlpEnsemble mlp(small());
  mlp.fit(data.X, data.y);
  const double error = (mlp.predict_mean(fresh.X) - fresh.y).squaredNorm() / fresh.y.squaredNorm();
  EXPECT_LT(error, 0.1);
}

// Noise of deviation 0.5: predicted deviations are near it where rows are many, and grow away from the rows.
TEST(MlpEnsemble, UncertaintyIsThatOfNewRows) {
  const Data data = random_data(200, 2, 0.5, 35), fresh = random_data(200, 2, 0.5, 36);
  for (const bool variances : {false, true}) {
    MlpOptions options = small();
    options.variances = variances;
    MlpEnsemble mlp(options);
    mlp.fit(data.X, data.y);
    const Prediction prediction = mlp.predict(fresh.X);
    const double standardised = ((prediction.mean - fresh.y).array() / prediction.stddev.array()).square().mean();
    EXPECT_GT(standardised, 0.5) << variances;
    EXPECT_LT(standardised, 2.0) << variances;
    const Prediction far = mlp.predict(Eigen::RowVector2d(20, -20));
    EXPECT_GT(far.stddev[0], prediction.stddev.mean()) << variances;
  }
}

// Noise that grows with a feature is only told apart by members with variances.
TEST(MlpEnsemble, VariancesFollowTheNoise) {
  Data data = random_data(400, 1, 0.0, 37);
  Rng rng(38);
  for (Eigen::Index i = 0; i < data.y.size(); ++i) data.y[i] = (data.X(i, 0) > 0 ? 2.0 : 0.1) * rng.normal();
  MlpOptions options = small();
  options.variances = true;
  MlpEnsemble mlp(options);
  mlp.fit(data.X, data.y);
  const Prediction prediction = mlp.predict((Eigen::MatrixXd(2, 1) << -1, 1).finished());
  EXPECT_GT(prediction.stddev[1], 4 * prediction.stddev[0]);
}

TEST(MlpEnsemble, SeedsDecideAndConstantsAreKept) {
  const Data data = random_data(25, 3, 0.5, 39);
  MlpOptions other = small();
  other.seed = 2;
  MlpEnsemble first(small()), second(other);
  first.fit(data.X, data.y);
  second.fit(data.X, data.y);
  EXPECT_NE(first.predict_mean(data.X), second.predict_mean(data.X));

  const Eigen::VectorXd constant = Eigen::VectorXd::Constant(25, 0.3);
  first.fit(data.X, constant);
  EXPECT_TRUE(first.predict_mean(data.X).isApprox(constant, 1e-12));
  first.fit(Eigen::MatrixXd::Constant(25, 3, 7.0), data.y);  // nothing to learn from: about the mean
  EXPECT_NEAR(first.predict_mean(Eigen::MatrixXd::Constant(1, 3, 7.0))[0], data.y.mean(),
              std::sqrt((data.y.array() - data.y.mean()).square().mean()));
}

TEST(MlpEnsemble, OptionsAreChecked) {
  EXPECT_THROW(make_predictor("mlp", Json{{"hidden", Json::array()}}), ConfigError);
  EXPECT_THROW(make_predictor("mlp", Json{{"hidden", {8, 0.5}}}), ConfigError);
  EXPECT_THROW(make_predictor("mlp", Json{{"members", 0}}), ConfigError);
  EXPECT_NO_THROW(make_predictor("mlp", Json{{"hidden", {8}}, {"members", 2}, {"variances", true}}));
  MlpOptions options;
  options.learning_rate = 0;
  EXPECT_THROW(MlpEnsemble{options}, std::invalid_argument);
}

TEST(MlpEnsemble, DamagedStatesAreRefused) {
  const Data data = random_data(10, 2, 0.5, 40);
  MlpEnsemble mlp(small());
  mlp.fit(data.X, data.y);
  for (const auto& damage :
       {+[](Json& state) { state["members"][0].erase(0); }, +[](Json& state) { state["members"] = Json::array(); },
        +[](Json& state) {
          state["hidden"] = {16, 0};
        },
        +[](Json& state) { state["scale"][0] = 0; }}) {
    Json state = mlp.save();
    damage(state);
    EXPECT_THROW(mlp.load(state), ConfigError);
  }
}

}  // namespace
}  // namespace ridgeline
