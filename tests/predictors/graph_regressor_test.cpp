// What a graph predictor must do (predictors/graph/graph_predictor.hpp), held against functions of graphs that are
// known.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "predictors/graph/graph_regressor.hpp"
#include "predictors/metrics.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "tests/predictors/random_networks.hpp"

namespace ridgeline {
namespace {

// Networks, what is free to know of each, and a score that follows from its graph: its convolutions, less where they
// have no residual.
struct Sample {
  std::vector<NetworkGraph> graphs;
  RowMatrix statistics;
  Eigen::VectorXd score;

  Sample(std::size_t count, std::uint64_t seed) : statistics(count, 3), score(count) {
    Rng rng(seed);
    for (Eigen::Index i = 0; i < static_cast<Eigen::Index>(count); ++i) {
      const Network network = random_network(rng);
      statistics(i, 0) = std::log(static_cast<double>(macs(network)));
      statistics(i, 1) = std::log(static_cast<double>(parameters(network)));
      double convolutions = 0, sums = 0;
      for (const NodeId node : network.live_nodes()) {
        convolutions += network.op(node).kind == OpKind::conv2d ? 1 : 0;
        sums += network.op(node).kind == OpKind::add ? 1 : 0;
      }
      score[i] = 70 + 3 * convolutions + 2 * sums;
      graphs.push_back(network_graph(network));
      statistics(i, 2) = static_cast<double>(graphs.back().size());
    }
  }
  std::vector<const NetworkGraph*> all() const { return pointers(graphs); }
};

GraphRegressorOptions small() {
  GraphRegressorOptions options;
  options.shape = {8, 2, 8};
  options.pretrain_epochs = 12;
  options.batch = 16;
  options.members = 2;
  options.clusters = 2;
  options.steps = 80;
  options.tune_steps = 5;
  return options;
}

double agreement(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  return spearman({a.data(), static_cast<std::size_t>(a.size())}, {b.data(), static_cast<std::size_t>(b.size())});
}

// Central differences of a sample of the parameters: through heads, clusters, adapters, alignment, statistics and
// encoder.
TEST(GraphRegressor, LabelGradientByFiniteDifferences) {
  const Sample known(9, 21), other(9, 22);
  const std::vector<const NetworkGraph*> graphs = known.all(), others = other.all();
  for (const bool pretrain : {false, true}) {
    GraphRegressor regressor(small());
    std::vector<GraphTask> tasks{{0, graphs, known.score}};
    if (pretrain) {
      const std::vector<GraphSpace> spaces{{graphs, known.statistics}, {others, other.statistics}};
      regressor.pretrain(spaces);
      tasks.push_back({1, others, -other.score});
    }
    Rng rng(23);
    Eigen::VectorXd parameters(regressor.label_parameters()), gradient;
    for (double& value : parameters) value = 0.3 * rng.normal();
    regressor.label_loss(tasks, parameters, &gradient);
    ASSERT_EQ(gradient.size(), parameters.size());
    const double size = gradient.norm();
    ASSERT_GT(size, 1e-3);
    std::vector<Eigen::Index> checked;  // anywhere, and the last heads
    for (int i = 0; i < 60; ++i) checked.push_back(static_cast<Eigen::Index>(rng.below(parameters.size())));
    for (Eigen::Index i = parameters.size() - 20; i < parameters.size(); ++i) checked.push_back(i);
    for (const Eigen::Index i : checked) {
      constexpr double step = 1e-5;
      Eigen::VectorXd more = parameters, less = parameters;
      more[i] += step;
      less[i] -= step;
      const double slope = (regressor.label_loss(tasks, more) - regressor.label_loss(tasks, less)) / (2 * step);
      EXPECT_NEAR(gradient[i], slope, 1e-6 * std::max(size, std::abs(slope))) << i << " pre-trained " << pretrain;
    }
  }
}

TEST(GraphRegressor, AnotherNumberOfParametersIsRefused) {
  const Sample known(4, 24);
  const std::vector<const NetworkGraph*> graphs = known.all();
  const GraphTask task{0, graphs, known.score};
  const GraphRegressor regressor(small());
  EXPECT_THROW(regressor.label_loss({&task, 1}, Eigen::VectorXd::Zero(3)), std::invalid_argument);
}

Prediction learnt(GraphRegressor& regressor, const Sample& known, const Sample& fresh, bool pretrain) {
  const auto graphs = known.all(), asked = fresh.all();
  const GraphSpace space{graphs, known.statistics};
  if (pretrain) regressor.pretrain(std::span(&space, 1));
  const GraphTask task{0, graphs, known.score};
  regressor.fit(std::span(&task, 1));
  return regressor.predict(asked);
}

TEST(GraphRegressor, LearnsAFunctionOfGraphsWithAndWithoutPretraining) {
  const Sample known(60, 31), fresh(60, 32);
  for (const bool pretrain : {false, true}) {
    GraphRegressor regressor(small());
    const Prediction prediction = learnt(regressor, known, fresh, pretrain);
    EXPECT_GT(agreement(prediction.mean, fresh.score), 0.9) << pretrain;
    const double spread = (fresh.score.array() - fresh.score.mean()).square().mean();
    EXPECT_LT((prediction.mean - fresh.score).squaredNorm() / 60, 0.3 * spread) << pretrain;
    EXPECT_LT(regressor.left_out_error(), 0.4) << pretrain;
    EXPECT_GT(prediction.stddev.minCoeff(), 0.0);
    EXPECT_EQ(regressor.pretrained(), pretrain);
  }
}

TEST(GraphRegressor, IsDeterministicAndSurvivesSaving) {
  const Sample known(30, 33), fresh(9, 34);
  for (const bool pretrain : {false, true}) {
    GraphRegressor first(small()), second(small()), third;
    const Prediction a = learnt(first, known, fresh, pretrain), b = learnt(second, known, fresh, pretrain);
    third.load(Json::parse(first.save().dump()));
    const auto asked = fresh.all();
    const Prediction c = third.predict(asked);
    EXPECT_EQ(a.mean, b.mean);
    EXPECT_EQ(a.mean, c.mean);
    EXPECT_EQ(a.stddev, c.stddev);
    EXPECT_EQ(first.left_out_error(), third.left_out_error());
    EXPECT_EQ(first.predict({}).mean.size(), 0);
    const Prediction one = first.predict(std::span(asked).subspan(3, 1));
    EXPECT_NEAR(one.mean[0], a.mean[3], 1e-9);
  }
}

TEST(GraphRegressor, LabelsOfOneSpaceOrderNetworksOfAnother) {
  const Sample known(60, 35);
  Sample other(60, 36);  // the same families of networks, with statistics on another scale
  other.statistics = (2 * other.statistics).array() + 7;
  const auto here = known.all(), there = other.all();
  const std::vector<GraphSpace> spaces{{here, known.statistics}, {there, other.statistics}};
  GraphRegressor regressor(small());
  regressor.pretrain(spaces);
  GraphTask task{0, here, known.score};
  regressor.fit(std::span(&task, 1));
  EXPECT_GT(agreement(regressor.predict(there, 1).mean, other.score), 0.8);
  // Labels of the other space on a scale of their own.
  const std::vector<GraphTask> both{task, {1, there, -0.01 * other.score}};
  regressor.fit(both);
  EXPECT_LT(regressor.predict(there, 1).mean.maxCoeff(), 0.0);
  EXPECT_GT(regressor.predict(here, 0).mean.minCoeff(), 0.0);
}

TEST(GraphRegressor, ConstantsDuplicatesAndSingleLabelsAreHandled) {
  Sample known(8, 37);
  known.graphs[1] = known.graphs[0];
  known.score.setConstant(5.0);
  known.statistics.col(1).setConstant(2.0);
  GraphRegressor regressor(small());
  const Prediction constant = learnt(regressor, known, known, true);
  EXPECT_LT((constant.mean.array() - 5.0).abs().maxCoeff(), 1e-6);
  EXPECT_TRUE(constant.stddev.allFinite());
  const auto graphs = known.all();
  const GraphTask one{0, std::span(graphs).first(1), known.score.head(1)};
  for (const bool pretrained : {true, false}) {
    GraphRegressor fresh(small());
    if (pretrained) fresh.load(regressor.save());
    fresh.fit(std::span(&one, 1));
    EXPECT_TRUE(fresh.predict(graphs).mean.allFinite());
  }
}

TEST(GraphRegressor, BadArgumentsAreRefused) {
  const Sample known(6, 38);
  const auto graphs = known.all();
  GraphRegressor regressor(small());
  EXPECT_THROW(regressor.predict(graphs), std::logic_error);
  EXPECT_THROW(regressor.save(), std::logic_error);
  EXPECT_THROW(regressor.left_out_error(), std::logic_error);
  EXPECT_THROW(regressor.embedding(graphs), std::logic_error);
  EXPECT_THROW(regressor.fit({}), std::invalid_argument);
  GraphTask task{0, graphs, known.score};
  task.values[2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(regressor.fit(std::span(&task, 1)), std::invalid_argument);
  task.values = known.score.head(3);
  EXPECT_THROW(regressor.fit(std::span(&task, 1)), std::invalid_argument);
  task = {1, graphs, known.score};
  EXPECT_THROW(regressor.fit(std::span(&task, 1)), std::invalid_argument);
  GraphSpace space{graphs, known.statistics};
  space.statistics(0, 0) = std::numeric_limits<double>::infinity();
  EXPECT_THROW(regressor.pretrain(std::span(&space, 1)), std::invalid_argument);
  EXPECT_THROW(regressor.pretrain({}), std::invalid_argument);
  GraphRegressorOptions options;
  options.members = 0;
  EXPECT_THROW(GraphRegressor{options}, std::invalid_argument);
}

TEST(GraphRegressor, DamagedStatesAreRefused) {
  const Sample known(12, 39);
  GraphRegressor regressor(small());
  learnt(regressor, known, known, true);
  const Json good = regressor.save();
  const auto refused = [&](const std::string& key, const Json& value) {
    Json state = good;
    state[key] = value;
    GraphRegressor other;
    EXPECT_THROW(other.load(state), ConfigError) << key;
  };
  refused("signature", "graph_regressor/0");
  refused("features", "0");
  refused("width", 9);
  refused("encoder", Json::array({1.0}));
  refused("members", Json::array());
  refused("first_labelled", 4);
  refused("left_out_error", nullptr);
  GraphRegressor other;
  EXPECT_THROW(other.load(Json::array()), ConfigError);
}

}  // namespace
}  // namespace ridgeline
