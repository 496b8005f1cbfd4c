// The parts of BOSHNAS against finite differences and brute force, and the searcher on problems with known optima.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "search/fronts/pareto.hpp"
#include "search/predicted/confidence_descent.hpp"
#include "search/predicted/nearest_genomes.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

MlpEnsemble fitted(std::uint64_t seed, const std::function<double(const Eigen::RowVectorXd&)>& of) {
  Rng rng(seed);
  Eigen::MatrixXd X(40, 4);
  Eigen::VectorXd y(40);
  for (Eigen::Index i = 0; i < 40; ++i) {
    for (Eigen::Index j = 0; j < 4; ++j) X(i, j) = rng.uniform();
    y[i] = of(X.row(i)) + 0.05 * rng.normal();
  }
  MlpOptions options;
  options.members = 3;
  options.hidden = {8, 8};
  options.most_epochs = 60;
  options.variances = true;
  options.seed = seed;
  MlpEnsemble mlp(options);
  mlp.fit(X, y);
  return mlp;
}

Eigen::MatrixXd points(Eigen::Index count, std::uint64_t seed) {
  Rng rng(seed);
  Eigen::MatrixXd X(count, 4);
  for (double& value : X.reshaped()) value = rng.uniform();
  return X;
}

// Central differences, with weights of any kind, a limit that is broken and one that is not, and uncertainty alone.
TEST(ConfidenceBounds, GradientByFiniteDifferences) {
  const MlpEnsemble a = fitted(1, [](const auto& x) { return x[0] * x[1]; });
  const MlpEnsemble b = fitted(2, [](const auto& x) { return 1 - x[0] + x[2] * x[2]; });
  const MlpEnsemble c = fitted(3, [](const auto& x) { return x.sum(); });
  const ConfidenceBounds bounds({{&a, true, -0.5}, {&b, true}, {&c, false, 9.0}}, 0.5, 1.0);
  const Eigen::MatrixXd X = points(4, 5);
  const std::vector<Aim> aims{{{0.5, 0.5}}, {{0.9, 0.1}}, {{0.1, 0.9}}, {{0.5, 0.5}, true}};
  Eigen::MatrixXd gradients;
  const Eigen::VectorXd worth = bounds(X, aims, &gradients);
  EXPECT_EQ(worth, bounds(X, aims));
  constexpr double step = 1e-6;
  for (Eigen::Index j = 0; j < X.cols(); ++j) {
    Eigen::MatrixXd more = X, less = X;
    more.col(j).array() += step;
    less.col(j).array() -= step;
    const Eigen::VectorXd slope = (bounds(more, aims) - bounds(less, aims)) / (2 * step);
    EXPECT_LT((gradients.col(j) - slope).cwiseAbs().maxCoeff(), 1e-5) << j;
  }
}

// Worked out here from the parts of each prediction.
TEST(ConfidenceBounds, AreWhatTheHeaderSays) {
  const MlpEnsemble a = fitted(1, [](const auto& x) { return x[0]; });
  const MlpEnsemble b = fitted(2, [](const auto& x) { return x[1]; });
  const Eigen::MatrixXd X = points(1, 6);
  const MlpEnsemble::Parts first = a.parts(X), second = b.parts(X);
  const double low_a = first.mean[0] - 2 * first.aleatoric[0] - 3 * first.epistemic[0];
  const double low_b = second.mean[0] - 2 * second.aleatoric[0] - 3 * second.epistemic[0];
  const ConfidenceBounds bounds({{&a, true}, {&b, true, low_b - 0.25}}, 2, 3);
  const Aim aim{{0.7, 0.3}}, least_known{{0.7, 0.3}, true};
  EXPECT_NEAR(bounds(X, {&aim, 1})[0],
              std::max(0.7 * low_a, 0.3 * low_b) + 0.05 * (0.7 * low_a + 0.3 * low_b) + 10 * 0.25, 1e-12);
  EXPECT_NEAR(bounds(X, {&least_known, 1})[0], -first.epistemic[0] - second.epistemic[0] + 10 * 0.25, 1e-12);
}

TEST(ConfidenceDescent, EndsNoWorseThanItBegan) {
  const MlpEnsemble a = fitted(4, [](const auto& x) { return (x.array() - 0.3).square().sum(); });
  const ConfidenceBounds bounds({{&a, true}}, 0, 0);
  const Eigen::MatrixXd X = points(6, 7);
  const std::vector<Aim> aims(6, Aim{{1.0}});
  for (const bool second : {false, true}) {
    Rng rng(8), again(8);
    const Eigen::MatrixXd ends = descended(bounds, X, aims, {40, 0.1, second}, rng);
    EXPECT_EQ(ends, descended(bounds, X, aims, {40, 0.1, second}, again));
    EXPECT_GE(ends.minCoeff(), 0.0);
    EXPECT_LE(ends.maxCoeff(), 1.0);
    const Eigen::VectorXd before = bounds(X, aims), after = bounds(ends, aims);
    EXPECT_LE((after - before).maxCoeff(), 0.0) << second;
    // All come near to one minimum, far below where they began.
    EXPECT_LT(after.mean() - before.minCoeff(), 0.0) << second;
  }
}

// Against the distances of all candidates of a space with conditions and a constraint.
TEST(NearestGenomes, AreTheNearestOfAll) {
  const SearchSpace space = make_space("near", R"([{"name": "depth", "choices": [1, 2, 3]},
      {"name": "kind", "choices": ["a", "b", "c"]}, {"name": "width", "choices": [8, 16, 64]},
      {"name": "extra", "choices": [true, false], "active_if": "depth > 1"}])",
                                       R"([{"require": "depth + width < 66", "why": "too large"}])");
  const NearestGenomes nearest(space);
  std::vector<Genome> all;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    if (auto genome = space.at(i)) all.push_back(std::move(*genome));
  }
  const Eigen::MatrixXd rows = nearest.features().rows(all);
  Rng rng(9);
  for (int round = 0; round < 5; ++round) {
    Eigen::RowVectorXd point(rows.cols());
    for (double& value : point) value = rng.uniform();
    const auto wanted = [](const Genome& genome) { return genome.genes[1] != 0; };
    std::vector<double> distances;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (wanted(all[i])) distances.push_back((rows.row(static_cast<Eigen::Index>(i)) - point).squaredNorm());
    }
    std::ranges::sort(distances);
    const std::vector<Genome> found = nearest.near(point, all.size(), wanted);  // all of them are looked at
    ASSERT_EQ(found.size(), distances.size());
    const Eigen::MatrixXd found_rows = nearest.features().rows(found);
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_FALSE(space.violation(found[i]));
      EXPECT_EQ(found[i], space.normalise(found[i]));
      EXPECT_NEAR((found_rows.row(static_cast<Eigen::Index>(i)) - point).squaredNorm(), distances[i], 1e-12);
    }
    EXPECT_EQ(nearest.near(point, 3, wanted).size(), 3U);
  }
  EXPECT_TRUE(nearest.near(Eigen::RowVectorXd::Zero(rows.cols()), 3, [](const Genome&) { return false; }).empty());
}

SearcherSetup setup_of(std::size_t objectives, std::uint64_t seed) {
  SearcherSetup setup;
  setup.seed = seed;
  setup.objectives = minimised_objectives(objectives);
  setup.options = {{"members", 3}, {"hidden", {16}}, {"epochs", 60}, {"steps", 15}, {"starts", 4}};
  return setup;
}

// 4,096 candidates; a valley with an interaction. At random 70 of them find the best one time in 60.
TEST(Boshnas, FindsAKnownOptimum) {
  const SearchSpace space = uniform_space(6, 4);
  const auto judge = [](Trial& trial) {
    const auto& genes = trial.genome.genes;
    double sum = genes[0] == 2 && genes[1] == 1 ? -1.0 : 0.0;
    for (std::size_t i = 0; i < genes.size(); ++i) sum += std::pow(genes[i] - (i % 2 == 0 ? 2.0 : 1.0), 2);
    trial.values = {sum};
  };
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto searcher = make_searcher("boshnas", space, setup_of(1, seed));
    std::vector<Trial> history;
    while (history.size() < 70) step(*searcher, 5, judge, history);
    const auto best = std::ranges::min_element(history, {}, [](const Trial& trial) { return trial.values[0]; });
    EXPECT_EQ(best->values[0], -1.0) << seed;
  }
}

// Two objectives that conflict and a limit: what is proposed late keeps it, and most of the front is found.
TEST(Boshnas, FindsAFrontWithinALimit) {
  const SearchSpace space = uniform_space(5, 4);
  SearcherSetup setup = setup_of(3, 4);
  setup.objectives[2].limit = 6.0;
  setup.objectives[2].constraint_only = true;
  const auto values = [](const Genome& genome) {
    const auto& g = genome.genes;
    return std::vector<double>{1.0 * g[0] + g[1] + 0.3 * g[4], 6.0 - g[0] - g[1] + 0.5 * g[2],
                               1.0 * g[0] + g[1] + g[2] + g[3]};
  };
  const auto judge = [&](Trial& trial) {
    trial.values = values(trial.genome);
    trial.violation = limit_excess(setup.objectives[2], trial.values[2]);
    if (trial.violation > 0) trial.status = Status::infeasible;
  };
  const auto searcher = make_searcher("boshnas", space, setup);
  std::vector<Trial> history;
  while (history.size() < 70) step(*searcher, 5, judge, history);
  std::vector<Point> all, found;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    const std::vector<double> one = values(*space.at(i));
    if (one[2] <= 6.0) all.push_back({one[0], one[1]});
  }
  for (const Trial& trial : history) {
    if (trial.status == Status::ok) found.push_back({trial.values[0], trial.values[1]});
  }
  const Point reference{8, 8};
  EXPECT_GT(hypervolume(found, reference), 0.97 * hypervolume(all, reference));
}

TEST(Boshnas, BadOptionsAreExplained) {
  const SearchSpace space = uniform_space(3, 3);
  SearcherSetup setup = setup_of(1, 1);
  for (const Json& options : {Json{{"hidden", Json::array()}}, Json{{"hidden", {1.5}}}, Json{{"starts", 0}},
                              Json{{"rate", 0}}, Json{{"second", true}}}) {
    setup.options = options;
    EXPECT_THROW(make_searcher("boshnas", space, setup), ConfigError) << options;
  }
}

}  // namespace
}  // namespace ridgeline
