// Paths of operators against paths taken edge by edge, and the searcher that looks at them.
#include "search/predicted/path_features.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

const std::string cells = std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/nasbench201.json";

// Edges (0>1) (0>2) (1>2) (0>3) (1>3) (2>3) of a cell; "" a path without an operator.
std::set<std::string> paths_of(const std::vector<std::uint16_t>& edges) {
  static const std::vector<std::vector<std::size_t>> routes{{3}, {0, 4}, {1, 5}, {0, 2, 5}};
  static const std::vector<std::string> names{"none", "", "conv2d 1x1", "conv2d 3x3", "avg_pool 3x3"};
  std::set<std::string> paths;
  for (const std::vector<std::size_t>& route : routes) {
    if (std::ranges::any_of(route, [&](std::size_t edge) { return edges[edge] == 0; })) continue;
    std::string path;
    for (const std::size_t edge : route) {
      if (names[edges[edge]].empty()) continue;
      path += (path.empty() ? "" : " > ") + names[edges[edge]];
    }
    paths.insert(path.empty() ? "skip" : path);
  }
  return paths;
}

// With a direct edge and another path, no tensor inside a cell has everything pass through it.
TEST(PathFeatures, AreThePathsOfACell) {
  const SearchSpace space = SearchSpace::load(cells);
  Rng rng(3);
  int checked = 0;
  while (checked < 12) {
    const Genome genome = space.sample(rng);
    const std::set<std::string> expected = paths_of(genome.genes);
    if (genome.genes[3] == 0 || expected.size() < 2) continue;
    ++checked;
    const std::map<std::string, double> counts = path_counts(space.decode(genome).network);
    std::set<std::string> found;
    for (const auto& [name, count] : counts) {
      if (!name.starts_with("at 32x32: ") || name.find(" x") != std::string::npos) continue;  // the stem widens
      EXPECT_EQ(count, 5.0) << name;                                                          // cells a stage
      found.insert(name.substr(10));
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(counts.at("at 32x32: conv2d 3x3 x5.33"), 1.0);
    EXPECT_EQ(counts.at("at 16x16: avg_pool 2x2 /2 > conv2d 1x1 x2"), 1.0);  // the reduction's two paths
    EXPECT_EQ(counts.at("at 16x16: conv2d 3x3 /2 x2 > conv2d 3x3"), 1.0);
  }
}

// A chain falls into its operators; a part that ends in two outputs has the paths to both.
TEST(PathFeatures, OfChainsAndSeveralOutputs) {
  Op op;
  op.kind = OpKind::conv2d;
  op.channels = 4;
  op.kernel = {3, 3};
  op.padding = {1, 1, 1, 1};
  Network network;
  const NodeId first = network.add(op, {network.add_input({1, 4, 8, 8})});
  op.kernel = {1, 1};
  op.padding = {};
  const NodeId left = network.add(op, {first});
  op.channels = 8;
  const NodeId right = network.add(op, {first});
  network.mark_output(left);
  EXPECT_EQ(path_counts(network),
            (std::map<std::string, double>{{"at 8x8: conv2d 3x3", 1}, {"at 8x8: conv2d 1x1", 1}}));
  network.mark_output(right);
  EXPECT_EQ(path_counts(network),
            (std::map<std::string, double>{
                {"at 8x8: conv2d 3x3", 1}, {"at 8x8: conv2d 1x1", 1}, {"at 8x8: conv2d 1x1 x2", 1}}));
}

TEST(PathFeatures, TellPathsApartNotPlaces) {
  const SearchSpace space = SearchSpace::load(cells);
  const PathFeatures features(space);
  EXPECT_EQ(features.names().size(), features.size());
  EXPECT_GT(features.size(), 20U);
  EXPECT_LE(features.size(), 200U);
  // conv 3x3 then pool beside a skip, over node 1 or node 2; and the other order.
  const std::vector<Genome> same{{{3, 0, 0, 1, 4, 0}}, {{0, 3, 0, 1, 0, 4}}, {{4, 0, 0, 1, 3, 0}}};
  const Eigen::MatrixXd rows = features.rows(same);
  EXPECT_EQ(rows.row(0), rows.row(1));
  EXPECT_NE(rows.row(0), rows.row(2));
  // Columns that agree on the draws are one: every stage has the cells of the others.
  for (const std::string& name : features.names())
    EXPECT_EQ(name.find("at 8x8: avg_pool 3x3 > "), std::string::npos) << name;
  EXPECT_EQ(make_feature_set(FeatureChoice::paths, uniform_space(3, 4), {}), nullptr);
}

// How many paths of a cell have a convolution 3x3 and nothing else: four of four at best.
double worse(const Genome& genome) {
  double cost = 8;
  for (const std::string& path : paths_of(genome.genes))
    cost -= path == "conv2d 3x3 > conv2d 3x3"                ? 3
            : path == "conv2d 3x3 > conv2d 3x3 > conv2d 3x3" ? 3
            : path == "conv2d 3x3"                           ? 2
                                                             : 0;
  return cost;
}

TEST(Bananas, FindsTheBestCell) {
  const SearchSpace space = SearchSpace::load(cells);
  SearcherSetup setup;
  setup.seed = 1;
  setup.objectives = minimised_objectives(1);
  setup.options = {{"pool", 60}};
  const auto searcher = make_searcher("bananas", space, setup);
  const Judge judge = [](Trial& trial) { trial.values = {worse(trial.genome)}; };
  std::vector<Trial> history;
  while (history.size() < 60) step(*searcher, 10, judge, history);
  const auto best = std::ranges::min_element(history, {}, [](const Trial& trial) { return trial.values[0]; });
  EXPECT_EQ(best->values[0], 0.0);
}

// A space without paths is searched by its genes.
TEST(Bananas, LooksAtGenesWhereNetworksAreAlike) {
  const SearchSpace space = uniform_space(4, 3);
  SearcherSetup setup;
  setup.objectives = minimised_objectives(2);
  const auto searcher = make_searcher("bananas", space, setup);
  std::vector<Trial> history;
  for (int batch = 0; batch < 3; ++batch) {
    step(
        *searcher, 10,
        [](Trial& trial) {
          const auto& genes = trial.genome.genes;
          trial.values = {1.0 * genes[0] + genes[1], 2.0 - genes[0] + genes[2] + genes[3]};
        },
        history);
  }
  std::set<Genome> different;
  for (const Trial& trial : history) different.insert(trial.genome);
  EXPECT_GE(different.size(), 28U);
  setup.options = {{"acquisition", "luck"}};
  EXPECT_THROW(make_searcher("bananas", space, setup), ConfigError);
}

}  // namespace
}  // namespace ridgeline
