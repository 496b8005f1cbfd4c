// Predictors as networks: run here operator by operator in double precision, against what the predictor says.
#include "predictors/predictor_network.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "predictors/mlp_ensemble.hpp"
#include "predictors/ridge.hpp"
#include "tests/predictors/random_data.hpp"

namespace ridgeline {
namespace {

double run(const Design& design, const Eigen::RowVectorXd& row) {
  const Network& network = design.network;
  std::vector<Eigen::VectorXd> values(network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    const auto input = [&](std::size_t i) -> const Eigen::VectorXd& { return values[network.inputs(node)[i]]; };
    const NodeWeights& weights = design.weights->at(node);
    switch (network.op(node).kind) {
      case OpKind::input:
        values[node] = row.transpose();
        break;
      case OpKind::linear:
        values[node].resize(static_cast<Eigen::Index>(weights.bias.size()));
        for (Eigen::Index i = 0; i < values[node].size(); ++i) {
          double sum = weights.bias[static_cast<std::size_t>(i)];
          for (Eigen::Index j = 0; j < input(0).size(); ++j) {
            sum += static_cast<double>(weights.kernel[static_cast<std::size_t>(i * input(0).size() + j)]) * input(0)[j];
          }
          values[node][i] = sum;
        }
        break;
      case OpKind::swish:
        values[node] = input(0).unaryExpr([](double x) { return x / (1 + std::exp(-x)); });
        break;
      case OpKind::add:
        values[node] = input(0) + input(1);
        break;
      default:
        throw std::runtime_error("an operator that no predictor has");
    }
  }
  return values[network.outputs()[0]][0];
}

TEST(PredictorNetwork, SaysWhatThePredictorSays) {
  Data data = random_data(60, 4, 0.3, 41);
  data.X.col(1) = 1000.0 * data.X.col(1).array() + 5000.0;  // scales that are folded in
  data.X.col(3).setConstant(2.0);
  data.y = 20.0 + 3.0 * data.y.array();
  MlpOptions small;
  small.members = 3;
  small.hidden = {6, 5};
  small.most_epochs = 30;
  const std::unique_ptr<Predictor> predictors[] = {std::make_unique<Ridge>(), std::make_unique<MlpEnsemble>(small)};
  for (const auto& predictor : predictors) {
    EXPECT_THROW(predictor_network(*predictor), std::logic_error);
    predictor->fit(data.X, data.y);
    const std::optional<Design> design = predictor_network(*predictor);
    ASSERT_TRUE(design);
    EXPECT_EQ(design->weights->size(), design->network.size());
    EXPECT_EQ(design->network.shape(design->network.outputs()[0]), (Shape{1, 1}));
    const Eigen::VectorXd mean = predictor->predict_mean(data.X);
    for (Eigen::Index i = 0; i < 20; ++i) EXPECT_NEAR(run(*design, data.X.row(i)), mean[i], 2e-5);
  }
}

TEST(PredictorNetwork, OthersHaveNone) {
  const Data data = random_data(30, 2, 0.3, 42);
  for (const std::string name : {"gp", "xgboost"}) {
    const std::unique_ptr<Predictor> predictor = make_predictor(name);
    predictor->fit(data.X, data.y);
    EXPECT_FALSE(predictor_network(*predictor)) << name;
  }
  Ridge ridge;
  ridge.fit(Eigen::MatrixXd(3, 0), Eigen::Vector3d(1, 2, 3));
  EXPECT_FALSE(predictor_network(ridge));
}

}  // namespace
}  // namespace ridgeline
