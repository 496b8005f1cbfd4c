// What candidates are predicted from: features of networks counted again, and the choice between sets of features.
#include <gtest/gtest.h>

#include "search/network_features.hpp"
#include "search/predicted_evolution.hpp"
#include "spaces/counts.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

const std::string layered = std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/mobiledets_small.json";

// A network's features, counted here from the operators of its design.
TEST(NetworkFeatures, AreWhatTheNetworksConsistOf) {
  const SearchSpace space = SearchSpace::load(layered);
  Rng rng(7);
  std::vector<Genome> known;
  for (int i = 0; i < 12; ++i) known.push_back(space.sample(rng));
  const NetworkFeatures features(space, known);
  const std::vector<std::string> names = features.names();
  ASSERT_EQ(names.size(), features.size());
  const Eigen::MatrixXd rows = features.rows(known);
  const auto sum_of = [&](Eigen::Index row, const std::string& beginning) {
    double sum = 0.0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].starts_with(beginning)) sum += rows(row, static_cast<Eigen::Index>(i));
    }
    return sum;
  };
  for (std::size_t i = 0; i < known.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    const Design design = space.decode(known[i]);
    double depthwise = 0.0, w4a8 = 0.0;
    for (const NodeId node : design.network.live_nodes()) {
      const Op& op = design.network.op(node);
      depthwise += op.kind == OpKind::conv2d && op.groups > 1 ? 1.0 : 0.0;
      const OperatorFormats formats = design.precision.at(node);
      const bool reads = op.kind == OpKind::conv2d || op.kind == OpKind::linear;
      if (reads && formats.weights.width_bits == 4 && formats.activations.width_bits == 8) {
        w4a8 += static_cast<double>(macs(design.network, node));
      }
    }
    EXPECT_EQ(sum_of(row, "macs of"), static_cast<double>(macs(design.network)));
    EXPECT_EQ(sum_of(row, "operators conv2d depthwise"), depthwise);
    double found = 0.0;
    for (std::size_t k = 0; k < names.size(); ++k) {
      if (names[k].starts_with("macs of") && names[k].ends_with("int4@channel/int8")) {
        found += rows(row, static_cast<Eigen::Index>(k));
      }
    }
    EXPECT_EQ(found, w4a8);
    double kernels = 0.0;
    for (const NodeId node : design.network.live_nodes()) {
      const OpKind kind = design.network.op(node).kind;
      if (kind != OpKind::conv2d && kind != OpKind::linear) continue;
      kernels += static_cast<double>(weight_bytes(design.network, node, design.precision));
    }
    EXPECT_EQ(sum_of(row, "weight bytes of"), kernels);
  }
  // What is not in the known ones has no column.
  EXPECT_LE(NetworkFeatures(space, std::span(known).first(1)).size(), features.size());
  EXPECT_EQ(NetworkFeatures(space, {}).size(), 0U);
  EXPECT_EQ(NetworkFeatures(space, {}).rows(known).cols(), 0);
}

// A cost that is a sum over operators is predicted from the network, noise on genes from genes; either when asked for.
TEST(PredictedObjectives, TakeTheFeaturesThatPredictBetter) {
  const SearchSpace space = SearchSpace::load(layered);
  Rng rng(11);
  std::vector<Trial> trials;
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < 80; ++i) {
    const Genome genome = space.sample(rng);
    const Design design = space.decode(genome);
    const double width = genome.genes[1] + 2.0 * genome.genes[2];  // of the first stages, whatever comes of it
    trials.push_back(ok_trial(static_cast<std::int64_t>(i), genome,
                              {static_cast<double>(weight_bytes(design.network, design.precision)), width}));
    rows.push_back(i);
  }
  SearcherSetup setup;
  setup.objectives = minimised_objectives(2);
  const std::vector<std::size_t> modelled{0, 1}, first(rows.begin(), rows.begin() + 8);
  const PredictedObjectives chosen(space, setup, modelled, {}, trials, rows);
  EXPECT_EQ(chosen.features_of(0), FeatureChoice::network);
  EXPECT_EQ(chosen.features_of(1), FeatureChoice::genes);
  const PredictedObjectives genes(space, setup, modelled, {"ridge", FeatureChoice::genes}, trials, rows);
  EXPECT_EQ(genes.features_of(0), FeatureChoice::genes);
  const PredictedObjectives network(space, setup, modelled, {"ridge", FeatureChoice::network}, trials, rows);
  EXPECT_EQ(network.features_of(1), FeatureChoice::network);
  EXPECT_EQ(PredictedObjectives(space, setup, modelled, {}, trials, first).features_of(0), FeatureChoice::genes);
  // A space whose networks are all the same.
  const SearchSpace abstract = uniform_space(5, 3);
  std::vector<Trial> others;
  for (std::size_t i = 0; i < 40; ++i)
    others.push_back(ok_trial(0, *abstract.at(i), {1.0 * static_cast<double>(i), 1.0}));
  const std::vector<std::size_t> all(rows.begin(), rows.begin() + 40);
  const PredictedObjectives none(abstract, setup, modelled, {}, others, all);
  EXPECT_EQ(none.features_of(0), FeatureChoice::genes);
  // Predictions are those of the set chosen, of fresh candidates too.
  std::vector<Genome> fresh;
  for (int i = 0; i < 20; ++i) fresh.push_back(space.sample(rng));
  const Eigen::MatrixXd values = chosen.predict(fresh);
  EXPECT_EQ(values.col(0), network.predict(fresh).col(0));
  EXPECT_EQ(values.col(1), genes.predict(fresh).col(1));
}

}  // namespace
}  // namespace ridgeline
