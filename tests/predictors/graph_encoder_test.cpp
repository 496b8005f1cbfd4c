// Networks as graphs, and the gradients of everything that is learnt from them.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <stdexcept>

#include "predictors/graph/fuzzy_heads.hpp"
#include "predictors/graph/graph_encoder.hpp"
#include "predictors/graph/graph_losses.hpp"
#include "predictors/graph/graph_pretraining.hpp"
#include "spaces/counts.hpp"
#include "tests/predictors/random_networks.hpp"

namespace ridgeline {
namespace {

double entry(const NetworkGraph& graph, Eigen::Index node, const std::string& name) {
  const auto names = graph_feature_names();
  const auto found = std::find(names.begin(), names.end(), name);
  EXPECT_NE(found, names.end()) << name;
  return graph.features(node, found - names.begin());
}

std::vector<NetworkGraph> random_graphs(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<NetworkGraph> graphs;
  for (std::size_t i = 0; i < count; ++i) graphs.push_back(network_graph(random_network(rng)));
  return graphs;
}

RowMatrix random_matrix(Eigen::Index rows, Eigen::Index cols, std::uint64_t seed) {
  Rng rng(seed);
  return RowMatrix::NullaryExpr(rows, cols, [&] { return rng.normal(); });
}

// The largest difference between `gradient` and central differences of `loss`, over every entry of `at`.
template <typename Matrix>
double worst_difference(Matrix at, const Matrix& gradient, const std::function<double(const Matrix&)>& loss) {
  constexpr double step = 1e-5;
  double worst = 0;
  for (Eigen::Index i = 0; i < at.size(); ++i) {
    const double value = at.data()[i];
    at.data()[i] = value + step;
    const double above = loss(at);
    at.data()[i] = value - step;
    const double below = loss(at);
    at.data()[i] = value;
    worst = std::max(worst, std::abs((above - below) / (2 * step) - gradient.data()[i]));
  }
  return worst;
}

TEST(NetworkGraph, OperatorsAreNodesAndWhatStandsBetweenIsCarried) {
  Network network;
  const NodeId input = network.add_input({1, 3, 8, 8});
  const NodeId stem = network.add(convolution(4, 3), {input});
  const NodeId relu = network.add(plain(OpKind::relu), {network.add(plain(OpKind::batch_norm), {stem})});
  const NodeId left = network.add(convolution(4, 1), {relu});
  const NodeId right = network.add(convolution(4, 3), {relu});
  const NodeId nothing = network.add(plain(OpKind::zero), {relu});
  const NodeId sum = network.add(plain(OpKind::add), {network.add(plain(OpKind::add), {left, nothing}), right});
  const NodeId total = network.add(plain(OpKind::add), {sum, relu});
  network.mark_output(total);
  const NetworkGraph graph = network_graph(network);
  ASSERT_EQ(graph.size(), 6u);  // input, three convolutions, one sum of three, the output; no zero
  EXPECT_EQ(entry(graph, 1, "is conv2d"), 1.0);
  EXPECT_EQ(entry(graph, 1, "log2 macs"), std::log2(1.0 + static_cast<double>(macs(network, stem))));
  EXPECT_EQ(entry(graph, 1, "carried relu"), 0.0);
  EXPECT_EQ(entry(graph, 2, "carried relu"), 1.0);
  EXPECT_EQ(entry(graph, 2, "carried batch_norm"), 1.0);
  EXPECT_EQ(entry(graph, 4, "is add"), 1.0);
  EXPECT_EQ(entry(graph, 4, "log2 inputs"), 2.0);  // three of them
  EXPECT_NEAR(entry(graph, 4, "carried relu"), 1.0 / 3, 1e-12);
  EXPECT_EQ(entry(graph, 5, "is output"), 1.0);
  EXPECT_EQ(graph.inputs_of(5).size(), 1u);
  EXPECT_EQ(graph.inputs_of(5)[0], 4u);
}

TEST(NetworkGraph, ASumOfOneTensorIsThatTensor) {
  Network network;
  const NodeId input = network.add_input({1, 4, 8, 8});
  const NodeId nothing = network.add(plain(OpKind::zero), {network.add(convolution(4, 3), {input})});
  network.mark_output(network.add(plain(OpKind::add), {nothing, network.add(convolution(4, 1), {input})}));
  EXPECT_EQ(network_graph(network).size(), 3u);  // the convolution before the zero says nothing
}

TEST(NetworkGraph, FormatsAreFeatures) {
  Rng rng(3);
  const Network network = random_network(rng);
  const NetworkGraph graph = network_graph(network, PrecisionPlan::uniform(network, "int4@channel/int8"));
  EXPECT_EQ(entry(graph, 1, "log2 weight bits"), 2.0);
  EXPECT_EQ(entry(graph, 1, "log2 activation bits"), 3.0);
}

TEST(NetworkGraph, BrokenGraphsAreRefused) {
  NetworkGraph graph = random_graphs(1, 4)[0];
  const std::vector<std::size_t> twice(graph.size(), 0);
  EXPECT_THROW(reordered(graph, twice), std::invalid_argument);
  graph.features(0, 0) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(check_graph(graph), std::invalid_argument);
  const NetworkGraph* const one = &graph;
  EXPECT_THROW(GraphBatch(std::span(&one, 1), 1), std::invalid_argument);
}

// The encoder's formula node by node, without shared rows.
RowMatrix plain_embedding(const NetworkGraph& graph, const EncoderShape& shape, const Eigen::VectorXd& parameters,
                          const EncoderScale& scale) {
  const auto silu = [](const RowMatrix& x) { return RowMatrix(x.array() / (1 + (-x.array()).exp())); };
  Eigen::Index at = 0;
  const auto take = [&](Eigen::Index rows, Eigen::Index cols) {
    const RowMatrix matrix = Eigen::Map<const RowMatrix>(parameters.data() + at, rows, cols);
    at += rows * cols;
    return matrix;
  };
  const RowMatrix x = (graph.features.rowwise() - scale.centre).array().rowwise() / scale.spread.array();
  const RowMatrix first = take(x.cols(), shape.width), first_bias = take(1, shape.width);
  RowMatrix h = silu((x * first).rowwise() + first_bias.row(0));
  for (int l = 0; l < shape.rounds; ++l) {
    RowMatrix read = RowMatrix::Zero(h.rows(), h.cols()), readers = read;
    Eigen::VectorXd count = Eigen::VectorXd::Zero(h.rows());
    for (std::size_t node = 0; node < graph.size(); ++node) {
      for (const std::uint32_t input : graph.inputs_of(node)) {
        read.row(static_cast<Eigen::Index>(node)) += h.row(input) / static_cast<double>(graph.inputs_of(node).size());
        readers.row(input) += h.row(static_cast<Eigen::Index>(node));
        ++count[input];
      }
    }
    readers = readers.array().colwise() / count.array().max(1.0);
    const RowMatrix self = take(shape.width, shape.width), from_read = take(shape.width, shape.width);
    const RowMatrix from_readers = take(shape.width, shape.width), bias = take(1, shape.width);
    const RowMatrix sum = (h * self + read * from_read + readers * from_readers).rowwise() + bias.row(0);
    h += silu(sum);
  }
  const RowMatrix from_mean = take(shape.width, shape.embedding), from_sum = take(shape.width, shape.embedding);
  const RowMatrix bias = take(1, shape.embedding);
  const RowMatrix sum = h.colwise().sum();
  return silu(sum / static_cast<double>(graph.size()) * from_mean + sum / scale.nodes * from_sum + bias);
}

TEST(GraphEncoder, SharedRowsComputeWhatEveryNodeAloneWould) {
  const EncoderShape shape{5, 3, 4};
  const GraphEncoder encoder(static_cast<Eigen::Index>(graph_feature_names().size()), shape);
  Rng rng(5);
  const Eigen::VectorXd parameters = encoder.initial(rng);
  const std::vector<NetworkGraph> graphs = random_graphs(12, 6);
  const auto all = pointers(graphs);
  const EncoderScale scale = EncoderScale::of(all);
  const GraphBatch batch(all, shape.rounds);
  const RowMatrix embedding = encoder.forward(parameters, scale, batch);
  std::size_t nodes = 0;
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    nodes += graphs[g].size();
    EXPECT_LT((embedding.row(static_cast<Eigen::Index>(g)) - plain_embedding(graphs[g], shape, parameters, scale))
                  .cwiseAbs()
                  .maxCoeff(),
              1e-12);
  }
  EXPECT_LT(batch.features.rows(), static_cast<Eigen::Index>(nodes / 2));
  EXPECT_LE(batch.mean.cols(), static_cast<Eigen::Index>(nodes));
}

TEST(GraphEncoder, NodesMayStandInAnyOrder) {
  const EncoderShape shape{6, 3, 5};
  const GraphEncoder encoder(static_cast<Eigen::Index>(graph_feature_names().size()), shape);
  Rng rng(7);
  const Eigen::VectorXd parameters = encoder.initial(rng);
  std::vector<NetworkGraph> graphs = random_graphs(6, 8);
  const EncoderScale scale = EncoderScale::of(pointers(graphs));
  const RowMatrix before = encoder.forward(parameters, scale, GraphBatch(pointers(graphs), shape.rounds));
  for (NetworkGraph& graph : graphs) {
    std::vector<std::size_t> order(graph.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    rng.shuffle(std::span(order));
    graph = reordered(graph, order);
  }
  const RowMatrix after = encoder.forward(parameters, scale, GraphBatch(pointers(graphs), shape.rounds));
  EXPECT_LT((before - after).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(GraphEncoder, GradientsOfEveryLayerAgreeWithFiniteDifferences) {
  const EncoderShape shape{4, 2, 3};
  const GraphEncoder encoder(static_cast<Eigen::Index>(graph_feature_names().size()), shape);
  Rng rng(9);
  Eigen::VectorXd parameters = encoder.initial(rng);
  for (Eigen::Index i = 0; i < parameters.size(); ++i) parameters[i] += 0.1 * rng.normal();  // biases too
  const std::vector<NetworkGraph> graphs = random_graphs(4, 10);
  const EncoderScale scale = EncoderScale::of(pointers(graphs));
  const GraphBatch batch(pointers(graphs), shape.rounds);
  const RowMatrix weights = random_matrix(4, shape.embedding, 11);
  GraphEncoder::Trace trace;
  encoder.forward(parameters, scale, batch, &trace);
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(parameters.size());
  encoder.backward(parameters, scale, batch, trace, weights, gradient);
  EXPECT_GT(gradient.cwiseAbs().maxCoeff(), 0.1);
  EXPECT_LT(worst_difference<Eigen::VectorXd>(parameters, gradient,
                                              [&](const Eigen::VectorXd& at) {
                                                return encoder.forward(at, scale, batch).cwiseProduct(weights).sum();
                                              }),
            1e-7);
}

// Statistics head, bias and projection too.
TEST(GraphPretraining, GradientsOfAllParametersAgreeWithFiniteDifferences) {
  const GraphEncoder encoder(static_cast<Eigen::Index>(graph_feature_names().size()), {3, 1, 4});
  const std::vector<NetworkGraph> graphs = random_graphs(5, 21);
  const EncoderScale scale = EncoderScale::of(pointers(graphs));
  const GraphBatch batch(pointers(graphs), 1);
  const RowMatrix statistics = random_matrix(5, 2, 22);
  const GraphPretraining training(encoder, 2, 3, 0.7);
  Rng rng(23);
  const Eigen::VectorXd parameters = training.initial(rng);
  Eigen::VectorXd gradient, other;
  EXPECT_GT(training.loss(parameters, scale, batch, statistics, gradient), 0.0);
  EXPECT_GT(gradient.tail(4 * 3 + 2).cwiseAbs().minCoeff(), 0.0);  // projection and bias
  EXPECT_LT(worst_difference<Eigen::VectorXd>(
                parameters, gradient,
                [&](const Eigen::VectorXd& at) { return training.loss(at, scale, batch, statistics, other); }),
            1e-7);
}

TEST(GraphLosses, GradientsAgreeWithFiniteDifferences) {
  const RowMatrix at = random_matrix(6, 3, 12), truth = random_matrix(6, 3, 13), statistics = random_matrix(6, 2, 14);
  EXPECT_LT(worst_difference<RowMatrix>(at, squared_loss(at, truth).gradient,
                                        [&](const RowMatrix& x) { return squared_loss(x, truth).loss; }),
            1e-8);
  const LossAndGradient alike = similarity_loss(at, statistics);
  EXPECT_GT(alike.loss, 0.0);
  EXPECT_GT(alike.gradient.cwiseAbs().maxCoeff(), 1e-3);
  EXPECT_LT(worst_difference<RowMatrix>(at, alike.gradient,
                                        [&](const RowMatrix& x) { return similarity_loss(x, statistics).loss; }),
            1e-7);
}

// Cosines that say exactly what the statistics say leave nothing to learn: all alike, and all equally far.
TEST(GraphLosses, AgreementIsTheLeastSimilarityLoss) {
  const RowMatrix same = RowMatrix::Ones(5, 2);
  const LossAndGradient none = similarity_loss(same, same);
  EXPECT_NEAR(none.loss, 0.0, 1e-12);
  EXPECT_LT(none.gradient.cwiseAbs().maxCoeff(), 1e-9);
  EXPECT_EQ(similarity_loss(same.topRows(1), same.topRows(1)).loss, 0.0);
}

TEST(FuzzyHeads, GradientsAgreeWithFiniteDifferences) {
  const FuzzyClusters clusters(random_matrix(3, 4, 15));
  const RowMatrix z = random_matrix(5, 4, 16);
  const Eigen::VectorXd coefficients = random_matrix(15, 1, 17), weights = random_matrix(5, 1, 18);
  const RowMatrix gradient = heads_backward(clusters, z, clusters.memberships(z), coefficients, weights);
  EXPECT_LT(worst_difference<RowMatrix>(z, gradient,
                                        [&](const RowMatrix& x) {
                                          const RowMatrix inputs = head_inputs(x, clusters.memberships(x));
                                          return (inputs * coefficients).dot(weights);
                                        }),
            1e-7);
}

TEST(FuzzyHeads, ClustersFindTheGroupsThereAre) {
  RowMatrix rows = 0.1 * random_matrix(60, 2, 19);
  rows.topRows(20).col(0).array() += 5;
  rows.bottomRows(20).col(1).array() -= 5;
  Rng rng(20);
  const FuzzyClusters clusters(rows, 3, rng);
  const RowMatrix u = clusters.memberships(rows);
  EXPECT_LT((u.rowwise().sum().array() - 1).abs().maxCoeff(), 1e-12);
  for (const auto& [begin, end] : {std::pair{0, 20}, std::pair{20, 40}, std::pair{40, 60}}) {
    Eigen::Index own = 0;
    u.row(begin).maxCoeff(&own);
    EXPECT_GT(u.col(own).segment(begin, end - begin).minCoeff(), 0.9);
  }
  const FuzzyClusters one(RowMatrix::Ones(4, 2), 3, rng);  // duplicates are one cluster
  EXPECT_EQ(one.count(), 1);
  EXPECT_EQ(one.memberships(rows), RowMatrix::Ones(60, 1));
}

}  // namespace
}  // namespace ridgeline
