// Layer-wise relevance propagation: by hand, against plain loops, against gradients, and its conservation.
#include "kernels/quantization/relevance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/quantization/folded_norms.hpp"
#include "nets.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

struct Explained {
  std::vector<Tensor> activations;
  Relevance relevance;
};

// All relevance of each image to the first number of its answer.
Explained explain(const Design& design, std::span<const float> input, const RelevanceOptions& options = {}) {
  Explained made{run_reference(design, input), {}};
  const Shape& shape = design.network.shape(design.network.outputs().front());
  std::vector<float> given(static_cast<std::size_t>(elements(shape)), 0.0F);
  for (std::size_t i = 0; i < given.size(); i += given.size() / static_cast<std::size_t>(shape[0])) given[i] = 1.0F;
  made.relevance = propagate_relevance(design, made.activations, given, options);
  return made;
}

double absorbed(const Relevance& relevance) {
  double sum = 0;
  for (const double one : relevance.absorbed) sum += one;
  return sum;
}

// linear [2 -> 2], relu, linear [2 -> 1], without biases.
Design two_layers() {
  NetBuilder net({1, 2});
  net.linear(2);
  net.apply(OpKind::relu);
  net.linear(1);
  Design design = trained(net.finish());
  Weights weights = *design.weights;
  weights[1] = {.kernel = {1.0F, -1.0F, 2.0F, -0.5F}, .bias = {0.0F, 0.0F}};
  weights[3] = {.kernel = {3.0F, 0.5F}, .bias = {0.0F}};
  design.weights = std::make_shared<const Weights>(std::move(weights));
  return design;
}

TEST(Relevance, TwoLayersByHand) {
  const Design design = two_layers();
  const std::vector<float> input{1.0F, 2.0F};  // hidden: -1 and 1, then 0 and 1
  const Explained positive = explain(design, input);
  EXPECT_EQ(positive.relevance.nodes[2].values, (std::vector<float>{0.0F, 1.0F}));
  EXPECT_EQ(positive.relevance.nodes[0].values, (std::vector<float>{1.0F, 0.0F}));  // 2 and -1 make the hidden 1
  const Explained plain = explain(design, input, {RelevanceRule::epsilon, 0.0});
  EXPECT_EQ(plain.relevance.nodes[0].values, (std::vector<float>{2.0F, -1.0F}));
  // The rms of the answer is 0.5, of the hidden numbers 1: 0.5 / 0.625 = 0.8, then 0.8 / 1.25 = 0.64.
  const Explained damped = explain(design, input, {RelevanceRule::epsilon, 0.25});
  EXPECT_NEAR(damped.relevance.nodes[2].values[1], 0.8, 1e-6);
  EXPECT_NEAR(damped.relevance.nodes[0].values[0], 1.28, 1e-6);
  EXPECT_NEAR(damped.relevance.nodes[0].values[1], -0.64, 1e-6);
  EXPECT_NEAR(damped.relevance.absorbed[3], 0.2, 1e-6);
  EXPECT_NEAR(damped.relevance.absorbed[1], 0.16, 1e-6);
}

// Every rule in one place: a convolutional network with gates, branches and pools, and attention.
Network many_operators() {
  NetBuilder net({2, 3, 12, 12});
  const NodeId first = net.conv(8, 3, 1, 1, true);
  net.apply(OpKind::hard_swish);
  net.squeeze_excite(4);
  Op pool = NetBuilder::op_of(OpKind::max_pool);
  pool.kernel = {3, 3};
  pool.stride = {2, 2};
  pool.padding = {1, 1, 1, 1};
  const NodeId pooled = net.add(pool, {net.last});
  net.conv(8, 3, 1, 8, true);
  net.apply(OpKind::gelu);
  const NodeId sum = net.add_to(pooled);
  Op average = NetBuilder::op_of(OpKind::avg_pool);
  average.kernel = {2, 2};
  average.stride = {2, 2};
  const NodeId averaged = net.add(average, {first});
  Op concat = NetBuilder::op_of(OpKind::concat);
  net.add(concat, {sum, averaged});
  net.conv(12, 3, 2, 4, true);
  Op reshape = NetBuilder::op_of(OpKind::reshape);
  reshape.shape = {12, -1};
  const NodeId tokens = net.add(reshape, {net.last});
  Op turned = NetBuilder::op_of(OpKind::transpose);
  turned.shape = {0, 2, 1};
  const NodeId values = net.add(turned, {tokens});  // [2, 9, 12]
  const NodeId queries = net.linear(12);
  Op scores = NetBuilder::op_of(OpKind::matmul);
  scores.transpose_b = true;
  net.add(scores, {queries, values});
  Op softmax = NetBuilder::op_of(OpKind::softmax);
  softmax.axis = -1;
  const NodeId attention = net.add(softmax, {net.last});
  net.add(NetBuilder::op_of(OpKind::matmul), {attention, values});
  net.apply(OpKind::layer_norm);
  net.add_to(values);
  net.apply(OpKind::flatten);
  net.linear(5);
  return net.finish();
}

TEST(Relevance, IsConservedByEveryOperator) {
  const std::vector<Design> designs{trained(many_operators()), with_folded_norms(trained(resnet18_like(32, 10, 8))),
                                    with_folded_norms(trained(mobilenet_v3_like(32)))};
  for (const Design& design : designs) {
    const std::vector<float> input = seeded_input(design.network.shape(0), 3);
    const auto images = static_cast<double>(design.network.shape(0)[0]);
    const Explained positive = explain(design, input);
    EXPECT_NEAR(positive.relevance.total(0) + absorbed(positive.relevance), images, 1e-4 * images);
    for (const NodeId node : design.network.live_nodes()) {
      const std::vector<float>& values = positive.relevance.nodes[node].values;
      EXPECT_GE(*std::ranges::min_element(values), 0.0F) << node;  // the sign of what was given
      EXPECT_LE(positive.relevance.total(node), images * (1 + 1e-4)) << node;
    }
    const Explained epsilon = explain(design, input, {RelevanceRule::epsilon, 0.1});
    double magnitude = images;
    for (const double one : epsilon.relevance.absorbed) magnitude += std::abs(one);
    EXPECT_NEAR(epsilon.relevance.total(0) + absorbed(epsilon.relevance), images, 1e-4 * magnitude);
  }
}

TEST(Relevance, ACutHoldsAllOfIt) {
  // Both branches of a residual block together; what leads around the block takes its share.
  NetBuilder net({1, 4, 6, 6});
  const NodeId before = net.conv(4, 3);
  net.apply(OpKind::relu);
  const NodeId around = net.last;
  net.conv(4, 3);
  const NodeId through = net.apply(OpKind::relu);
  net.add_to(around);
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(3);
  Network network = net.finish();
  const Design design = trained(std::move(network));
  const Explained made = explain(design, seeded_input(design.network.shape(0), 4));
  EXPECT_GT(made.relevance.total(through), 0.01);
  EXPECT_LT(made.relevance.total(through), 0.99);
  const double above = absorbed(made.relevance) - made.relevance.absorbed[before];
  EXPECT_NEAR(made.relevance.total(before), 1.0 - above, 1e-4);
}

// In a network of relu, max pooling and layers without bias, the plain z rule is the input times its gradient.
TEST(Relevance, ThePlainRuleIsInputTimesGradient) {
  NetBuilder net({1, 2, 6, 6});
  net.conv(4, 3);
  net.apply(OpKind::relu);
  Op pool = NetBuilder::op_of(OpKind::max_pool);
  pool.kernel = pool.stride = {2, 2};
  net.add(pool, {net.last});
  net.conv(6, 3, 2, 2);
  net.apply(OpKind::relu);
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(3);
  Design design = trained(net.finish());
  Weights weights = *design.weights;
  for (NodeWeights& one : weights) std::ranges::fill(one.bias, 0.0F);
  design.weights = std::make_shared<const Weights>(std::move(weights));
  const std::vector<float> input = seeded_input(design.network.shape(0), 5);
  const Explained made = explain(design, input, {RelevanceRule::epsilon, 0.0});
  const auto answer = [&](std::size_t i, float change) {
    std::vector<float> moved = input;
    moved[i] += change;
    return static_cast<double>(run_reference(design, moved).back().values[0]);
  };
  const double whole = static_cast<double>(made.activations.back().values[0]);
  const float step = 1e-3F;
  for (std::size_t i = 0; i < input.size(); i += 3) {
    const double gradient = (answer(i, step) - answer(i, -step)) / (2.0 * static_cast<double>(step));
    const double expected = static_cast<double>(input[i]) * gradient / whole;
    EXPECT_NEAR(made.relevance.nodes[0].values[i], expected, 2e-3) << i;
  }
}

// The formula, one output and one input at a time.
std::vector<double> convolution_by_loops(const Op& op, const Tensor& x, const Tensor& y, const std::vector<float>& w,
                                         bool positive) {
  std::vector<double> shares(x.values.size(), 0.0);
  const std::int64_t in = x.shape[1] / op.groups, out = y.shape[1] / op.groups;
  for (std::int64_t to = 0; to < elements(y.shape); ++to) {
    const std::int64_t ow = to % y.shape[3], oh = to / y.shape[3] % y.shape[2];
    const std::int64_t oc = to / (y.shape[2] * y.shape[3]) % y.shape[1], n = to / (elements(y.shape) / y.shape[0]);
    std::vector<std::pair<std::size_t, double>> terms;
    double sum = 0;
    for (std::int64_t c = 0; c < in; ++c)
      for (int kh = 0; kh < op.kernel[0]; ++kh)
        for (int kw = 0; kw < op.kernel[1]; ++kw) {
          const std::int64_t h = oh * op.stride[0] - op.padding[0] + kh * op.dilation[0];
          const std::int64_t v = ow * op.stride[1] - op.padding[1] + kw * op.dilation[1];
          if (h < 0 || h >= x.shape[2] || v < 0 || v >= x.shape[3]) continue;
          const std::int64_t channel = oc / out * in + c;
          const auto from = static_cast<std::size_t>(((n * x.shape[1] + channel) * x.shape[2] + h) * x.shape[3] + v);
          const auto tap = static_cast<std::size_t>(((oc * in + c) * op.kernel[0] + kh) * op.kernel[1] + kw);
          double term = static_cast<double>(x.values[from]) * static_cast<double>(w[tap]);
          if (positive) term = std::max(term, 0.0);
          terms.emplace_back(from, term);
          sum += term;
        }
    for (const auto& [from, term] : terms) {
      if (sum != 0) shares[from] += term / sum * static_cast<double>(to % 7 + 1);
    }
  }
  return shares;
}

TEST(Relevance, ConvolutionsAreTheFormula) {
  for (int round = 0; round < 6; ++round) {
    Op op = NetBuilder::op_of(OpKind::conv2d);
    op.channels = 6;
    op.groups = round % 3 == 0 ? 1 : round % 3 == 1 ? 2 : 6;
    op.kernel = {3, 2};
    op.stride = {1 + round % 2, 2};
    op.dilation = {1, 1 + round % 2};
    op.padding = {1, 0, 1, 2};
    NetBuilder net({2, 6, 7, 8});
    net.add(op, {net.last});
    const Design design = trained(net.finish(), f32, static_cast<std::uint64_t>(round) + 1);
    const std::vector<float> input = seeded_input(design.network.shape(0), 6);
    const std::vector<Tensor> activations = run_reference(design, input);
    std::vector<float> given(activations[1].values.size());
    for (std::size_t i = 0; i < given.size(); ++i) given[i] = static_cast<float>(i % 7 + 1);
    for (const bool positive : {true, false}) {
      const RelevanceOptions options{positive ? RelevanceRule::positive : RelevanceRule::epsilon, 0.0};
      const Relevance found = propagate_relevance(design, activations, given, options);
      const std::vector<double> expected =
          convolution_by_loops(op, activations[0], activations[1], (*design.weights)[1].kernel, positive);
      double largest = 0;
      for (const double one : expected) largest = std::max(largest, std::abs(one));
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(found.nodes[0].values[i], expected[i], 1e-4 * largest);
      }
    }
  }
}

TEST(Relevance, WhatDoesNotFitIsRefused) {
  const Design design = two_layers();
  const std::vector<Tensor> activations = run_reference(design, std::vector<float>{1.0F, 2.0F});
  const std::vector<float> one{1.0F}, two{1.0F, 0.0F};
  EXPECT_THROW(propagate_relevance(design, activations, two), std::invalid_argument);
  EXPECT_THROW(propagate_relevance(design, std::span(activations).first(2), one), std::invalid_argument);
  EXPECT_THROW(propagate_relevance({design.network, {}}, activations, one), std::invalid_argument);
  std::vector<Tensor> missing = activations;
  missing[1].values.clear();
  EXPECT_THROW(propagate_relevance(design, missing, one), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline::testing
