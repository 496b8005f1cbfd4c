// What candidates are predicted from: features of networks counted again, and the choice between sets of features.
#include <gtest/gtest.h>

#include "search/predicted/genome_features.hpp"
#include "search/predicted/network_features.hpp"
#include "search/predicted/predicted_evolution.hpp"
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

// Against products taken one by one.
TEST(PairFeatures, AreProductsOfDifferentDimensions) {
  const std::string architecture =
      R"({"name": "depth", "choices": [1, 2, 5]}, {"name": "op", "choices": ["conv", "pool"],
      "active_if": "depth > 1"}, {"name": "width", "choices": [8, 16]})";
  const std::string precision = R"({"name": "format", "group": "precision", "choices": ["int8", "f32"]})";
  for (const auto& [dimensions, in_pairs] : {std::pair{architecture + "," + precision, 9}, {architecture, 9}}) {
    const SearchSpace space = make_space("pairs", "[" + dimensions + "]");
    const GenomeFeatures genes(space);
    const PairFeatures pairs(space);
    const std::vector<std::pair<int, int>> same = {{0, 4}, {4, 6}, {6, 9}};  // features of one dimension
    std::vector<Genome> all;
    for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
      if (auto genome = space.at(i)) all.push_back(std::move(*genome));
    }
    const Eigen::MatrixXd x = genes.rows(all), found = pairs.rows(all);
    ASSERT_EQ(x.leftCols(in_pairs).cols(), 9);
    ASSERT_EQ(static_cast<std::size_t>(found.cols()), genes.size() + 4 * 2 + 4 * 3 + 2 * 3);
    EXPECT_EQ(found.leftCols(x.cols()), x);
    Eigen::Index column = x.cols();
    for (Eigen::Index a = 0; a < in_pairs; ++a) {
      const auto range = std::ranges::find_if(same, [&](const auto& one) { return a >= one.first && a < one.second; });
      for (Eigen::Index b = range->second; b < in_pairs; ++b, ++column) {
        EXPECT_EQ(found.col(column), x.col(a).cwiseProduct(x.col(b))) << a << " " << b;
      }
    }
    EXPECT_EQ(column, found.cols());
  }
  // Precision alone is in products.
  const SearchSpace plans = make_space("plans", "[" + precision + R"(, {"name": "tail", "group": "precision",
      "choices": ["int8", "f32", "bf16"]}])");
  EXPECT_EQ(PairFeatures(plans).size(), 5U + 2 * 3);
}

// A cost that is a sum over operators is predicted from the network, a sum over genes from genes, products of genes
// from pairs; any of them when asked for.
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
                              {static_cast<double>(weight_bytes(design.network, design.precision)), width,
                               1.0 * genome.genes[1] * genome.genes[2]}));
    rows.push_back(i);
  }
  SearcherSetup setup;
  setup.objectives = minimised_objectives(3);
  const std::vector<std::size_t> modelled{0, 1, 2};
  const PredictedObjectives chosen(space, setup, modelled, {"ridge"}, trials, rows);
  EXPECT_EQ(chosen.predicted_by(0).text(), "ridge on network");
  EXPECT_EQ(chosen.predicted_by(1).text(), "ridge on genes");
  EXPECT_EQ(chosen.predicted_by(2).text(), "ridge on pairs");
  const PredictedObjectives genes(space, setup, modelled, {"ridge", FeatureChoice::genes}, trials, rows);
  EXPECT_EQ(genes.predicted_by(0).text(), "ridge on genes");
  const PredictedObjectives network(space, setup, modelled, {"ridge", FeatureChoice::network}, trials, rows);
  EXPECT_EQ(network.predicted_by(1).text(), "ridge on network");
  // A space whose networks are all the same.
  const SearchSpace abstract = uniform_space(5, 3);
  std::vector<Trial> others;
  for (std::size_t i = 0; i < 40; ++i)
    others.push_back(ok_trial(0, *abstract.at(i), {1.0 * static_cast<double>(i), 1.0, 2.0}));
  const std::vector<std::size_t> all(rows.begin(), rows.begin() + 40);
  const PredictedObjectives none(abstract, setup, modelled, {}, others, all);
  EXPECT_NE(none.predicted_by(0).features, FeatureChoice::network);
  // Predictions are those of the set chosen, of fresh candidates too.
  std::vector<Genome> fresh;
  for (int i = 0; i < 20; ++i) fresh.push_back(space.sample(rng));
  const Eigen::MatrixXd values = chosen.predict(fresh);
  EXPECT_EQ(values.col(0), network.predict(fresh).col(0));
  EXPECT_EQ(values.col(1), genes.predict(fresh).col(1));
}

// What no sum of two choices is, and formats do not change, is predicted by a Gaussian process on the architecture.
TEST(PredictedObjectives, TakeTheProcessWhereSumsFail) {
  const SearchSpace space = SearchSpace::load(layered);
  const GenomeFeatures all(space), architecture(space, false);
  EXPECT_LT(architecture.size(), all.size());
  Rng rng(12);
  const Genome middle = space.sample(rng);
  const Eigen::MatrixXd centre = architecture.rows({&middle, 1});
  std::vector<Trial> trials;
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < 150; ++i) {
    const Genome genome = space.sample(rng);
    const double far = (architecture.rows({&genome, 1}) - centre).squaredNorm();
    trials.push_back(ok_trial(static_cast<std::int64_t>(i), genome, {std::exp(-far / 40.0)}));
    rows.push_back(i);
  }
  SearcherSetup setup;
  setup.objectives = minimised_objectives(1);
  const std::vector<std::size_t> modelled{0};
  const PredictedObjectives chosen(space, setup, modelled, {}, trials, rows);
  EXPECT_EQ(chosen.predicted_by(0).text(), "gp on architecture");
  // Formats are then no matter.
  Genome other = space.sample(rng);
  const double before = chosen.predict({&other, 1})(0, 0);
  for (std::size_t dim = 0; dim < other.genes.size(); ++dim) {
    if (space.dims()[dim].group == GeneGroup::precision) other.genes[dim] = 0;
  }
  EXPECT_EQ(chosen.predict({&other, 1})(0, 0), before);
  // A predictor or a set that is asked for is taken.
  const auto by = [&](const PredictionOptions& options) {
    return PredictedObjectives(space, setup, modelled, options, trials, rows).predicted_by(0).text();
  };
  EXPECT_EQ(by({"gp", FeatureChoice::genes}), "gp on genes");
  EXPECT_EQ(by({"gp", FeatureChoice::network}), "gp on network");
  EXPECT_EQ(by({"auto", FeatureChoice::architecture}), "gp on architecture");
  EXPECT_EQ(by({"ridge", FeatureChoice::architecture}), "ridge on architecture");
}

}  // namespace
}  // namespace ridgeline
