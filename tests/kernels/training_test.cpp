// Gradients of every operator against central differences of the reference loops, coordinate by coordinate.

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kernels/reference.hpp"
#include "kernels/training/training_graph.hpp"
#include "spaces/rng.hpp"
#include "tests/kernels/compare.hpp"
#include "tests/kernels/nets.hpp"

namespace ridgeline {
namespace {

using testing::NetBuilder;
using testing::rms_error;

// One forward pass by the reference loops, batch norms with the statistics of the batch.
std::vector<Tensor> reference_training_pass(const Network& network, std::span<const float> input, Weights weights) {
  std::vector<Tensor> values;
  for (NodeId node = 0; node < network.size(); ++node) {
    const Op& op = network.op(node);
    if (op.kind == OpKind::input) {
      values.push_back({network.shape(node), {input.begin(), input.end()}});
      continue;
    }
    std::vector<const Tensor*> read;
    for (const NodeId from : network.inputs(node)) read.push_back(&values[from]);
    if (op.kind == OpKind::batch_norm) {
      const Tensor& x = *read[0];
      const auto channels = static_cast<std::size_t>(x.shape[1]);
      const auto inner = static_cast<std::size_t>(elements(x.shape) / x.shape[0] / x.shape[1]);
      std::vector<double> sum(channels), square(channels);
      for (std::size_t i = 0; i < x.values.size(); ++i) sum[i / inner % channels] += static_cast<double>(x.values[i]);
      const double count = static_cast<double>(x.values.size() / channels);
      for (std::size_t i = 0; i < x.values.size(); ++i)
        square[i / inner % channels] +=
            std::pow(static_cast<double>(x.values[i]) - sum[i / inner % channels] / count, 2);
      for (std::size_t c = 0; c < channels; ++c) {
        weights[node].mean[c] = static_cast<float>(sum[c] / count);
        weights[node].variance[c] = static_cast<float>(square[c] / count);
      }
    }
    values.push_back(reference_op(op, read, weights[node]));
  }
  return values;
}

struct Case {
  const Network& network;
  std::vector<float> input, parameters, pull;  // pull: the gradient given at the output
  Weights weights;

  explicit Case(const Network& net, std::uint64_t seed = 3)
      : network(net),
        input(seeded_input(net.shape(0), seed)),
        pull(seeded_input(net.shape(net.outputs()[0]), seed + 1)),
        weights(random_weights(net, seed)) {
    parameters = flatten(network, weights);
    Rng rng(seed, "perturb");
    for (float& value : parameters) value += 0.05F * static_cast<float>(rng.normal());
  }
  double loss(std::span<const float> at) {
    unflatten(network, at, weights);
    const std::vector<float> y = reference_training_pass(network, input, weights)[network.outputs()[0]].values;
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += static_cast<double>(y[i]) * static_cast<double>(pull[i]);
    return sum;
  }
  std::vector<float> by_differences(float step) {
    std::vector<float> gradient, at = parameters;
    for (float& value : at) {
      const float before = value;
      value = before + step;
      const double above = loss(at), up = static_cast<double>(value);
      value = before - step;
      gradient.push_back(static_cast<float>((above - loss(at)) / (up - static_cast<double>(value))));
      value = before;
    }
    return gradient;
  }
  std::vector<float> by_graph(const TrainingOptions& options) {
    TrainingGraph graph(network, options);
    std::copy(input.begin(), input.end(), graph.input().begin());
    std::copy(parameters.begin(), parameters.end(), graph.parameters().begin());
    graph.forward();
    unflatten(network, parameters, weights);
    const double tolerance = options.format == f32 ? 1e-3 : 0.05;
    EXPECT_LT(rms_error(graph.output(), reference_training_pass(network, input, weights)[network.outputs()[0]].values),
              tolerance);
    std::copy(pull.begin(), pull.end(), graph.output_gradient().begin());
    graph.backward();
    return {graph.gradient().begin(), graph.gradient().end()};
  }
};

void expect_gradient(const Network& network, double tolerance = 0.01, float step = 2e-3F) {
  Case one(network);
  const std::vector<float> expected = one.by_differences(step);
  for (const int threads : {1, 2}) {
    EXPECT_LT(rms_error(one.by_graph({threads, f32}), expected), tolerance) << threads << " threads";
  }
}

Op conv_op(std::int64_t channels, std::array<int, 2> kernel, int groups = 1) {
  Op op = NetBuilder::op_of(OpKind::conv2d);
  op.channels = channels;
  op.kernel = kernel;
  op.groups = groups;
  return op;
}

TEST(TrainingGraph, ConvolutionsOfEveryShape) {
  struct Shape2 {
    std::int64_t in, out;
    std::array<int, 2> kernel, stride, dilation;
    std::array<int, 4> padding;
    int groups;
    bool bias;
  };
  const std::vector<Shape2> cases{
      {3, 5, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, true},  {4, 6, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1, false},
      {6, 6, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 6, true},  {16, 16, {5, 5}, {1, 1}, {1, 1}, {2, 2, 2, 2}, 16, false},
      {4, 8, {3, 3}, {2, 1}, {1, 1}, {0, 1, 1, 0}, 2, false}, {3, 4, {3, 2}, {1, 1}, {2, 1}, {2, 0, 2, 1}, 1, true},
  };
  for (const Shape2& one : cases) {
    NetBuilder net({2, 3, 7, 6});
    net.add(conv_op(one.in, {1, 1}), {net.last});  // so that a gradient has to come through
    Op op = conv_op(one.out, one.kernel, one.groups);
    op.stride = one.stride;
    op.dilation = one.dilation;
    op.padding = one.padding;
    op.bias = one.bias;
    net.add(op, {net.last});
    SCOPED_TRACE(std::to_string(one.in) + " to " + std::to_string(one.out) + " groups " + std::to_string(one.groups));
    expect_gradient(net.finish());
  }
}

TEST(TrainingGraph, ActivationsOfEveryKind) {
  for (const OpKind kind : {OpKind::relu, OpKind::relu6, OpKind::hard_swish, OpKind::hard_sigmoid, OpKind::sigmoid,
                            OpKind::swish, OpKind::gelu}) {
    NetBuilder net({2, 3, 5, 5});
    net.conv(7, 3, 1, 1, true);
    net.apply(kind);
    net.conv(4, 1);
    SCOPED_TRACE(name_of(kind));
    expect_gradient(net.finish(), 0.02, 5e-4F);  // kinks
  }
}

TEST(TrainingGraph, NormsAndSoftmax) {
  NetBuilder image({3, 2, 5, 4});
  image.conv(5, 3);
  image.norm();
  image.apply(OpKind::relu);  // fused into the norm
  image.conv(3, 1);
  image.norm();
  expect_gradient(image.finish(), 0.02, 1e-3F);

  NetBuilder tokens({2, 5, 6});
  tokens.linear(8);
  tokens.apply(OpKind::layer_norm);
  tokens.linear(4);
  Op softmax = NetBuilder::op_of(OpKind::softmax);
  softmax.axis = -1;
  tokens.add(softmax, {tokens.last});
  expect_gradient(tokens.finish());
}

TEST(TrainingGraph, PoolsSumsProductsAndJoins) {
  NetBuilder net({2, 3, 8, 8});
  const NodeId first = net.conv(6, 3, 1, 1, true);
  Op pool = NetBuilder::op_of(OpKind::avg_pool);
  pool.kernel = {3, 3};
  pool.stride = {2, 2};
  pool.padding = {1, 1, 1, 1};
  const NodeId averaged = net.add(pool, {first});
  pool.kind = OpKind::max_pool;
  const NodeId largest = net.add(pool, {first});
  pool.kind = OpKind::avg_pool;
  pool.count_include_pad = true;
  const NodeId padded = net.add(pool, {first});
  const NodeId sum = net.add(NetBuilder::op_of(OpKind::add), {averaged, padded});
  const NodeId product = net.add(NetBuilder::op_of(OpKind::mul), {sum, averaged});
  net.add(NetBuilder::op_of(OpKind::concat), {product, largest, sum});
  net.squeeze_excite(4);
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(3);
  expect_gradient(net.finish(), 0.02, 5e-4F);
}

// Attention by its parts: heads by reshape and transpose, both forms of matmul.
Network attention_network() {
  NetBuilder net({2, 6, 8});
  const NodeId tokens = net.linear(8);
  const auto heads = [&] {
    net.last = tokens;
    net.linear(8);
    Op reshape = NetBuilder::op_of(OpKind::reshape);
    reshape.shape = {6, 2, 4};
    net.add(reshape, {net.last});
    Op transpose = NetBuilder::op_of(OpKind::transpose);
    transpose.shape = {0, 2, 1, 3};
    return net.add(transpose, {net.last});
  };
  const NodeId query = heads(), key = heads(), value = heads();
  Op scores = NetBuilder::op_of(OpKind::matmul);
  scores.transpose_b = true;
  net.add(scores, {query, key});
  Op softmax = NetBuilder::op_of(OpKind::softmax);
  softmax.axis = -1;
  net.add(softmax, {net.last});
  net.add(NetBuilder::op_of(OpKind::matmul), {net.last, value});
  Op transpose = NetBuilder::op_of(OpKind::transpose);
  transpose.shape = {0, 2, 1, 3};
  net.add(transpose, {net.last});
  Op reshape = NetBuilder::op_of(OpKind::reshape);
  reshape.shape = {6, 8};
  net.add(reshape, {net.last});
  net.add_to(tokens);
  net.apply(OpKind::layer_norm);
  net.linear(5);
  return net.finish();
}

TEST(TrainingGraph, Attention) { expect_gradient(attention_network()); }

TEST(TrainingGraph, NothingComesBackThroughZeroAndIdentityPasses) {
  NetBuilder net({2, 3, 4, 4});
  const NodeId first = net.conv(4, 3);
  const NodeId nothing = net.apply(OpKind::zero);
  net.last = first;
  net.apply(OpKind::identity);
  net.add_to(nothing);
  net.conv(2, 1);
  expect_gradient(net.finish());
}

TEST(TrainingGraph, MobileNetAgainstDirectionalDifferences) {
  const Network network = testing::mobilenet_v2(64, 10, 4, 0.25);
  Case one(network);
  const std::vector<float> gradient = one.by_graph({2, f32});
  double norm = 0;
  for (const float g : gradient) norm += static_cast<double>(g) * static_cast<double>(g);
  const double length = 1e-5;  // untrained, the network is steep: at 1e-3 a third is lost to its kinks
  std::vector<float> above = one.parameters, below = one.parameters;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const float move = static_cast<float>(length / std::sqrt(norm)) * gradient[i];
    above[i] += move;
    below[i] -= move;
  }
  EXPECT_NEAR((one.loss(above) - one.loss(below)) / (2 * length) / std::sqrt(norm), 1.0, 0.03);
}

TEST(TrainingGraph, Bfloat16GradientsAreNear) {
  NetBuilder net({4, 3, 8, 8});
  net.conv(16, 3);
  net.norm();
  net.apply(OpKind::relu);
  net.conv(16, 3, 2, 16);
  net.norm();
  net.apply(OpKind::global_avg_pool);
  net.apply(OpKind::flatten);
  net.linear(5);
  const Network network = net.finish();
  Case one(network);
  const std::vector<float> expected = one.by_graph({1, f32});
  std::vector<float> found;
  try {
    found = one.by_graph({1, bf16});
  } catch (const Unsupported& reason) {
    GTEST_SKIP() << reason.what();
  }
  EXPECT_LT(rms_error(found, expected), 0.05);
}

TEST(TrainingGraph, SameBitsEveryTime) {
  const Network network = testing::mobilenet_v2(32, 10, 8, 0.25);
  for (const int threads : {1, 2}) {
    Case one(network), two(network);
    EXPECT_EQ(one.by_graph({threads, f32}), two.by_graph({threads, f32}));
  }
}

TEST(TrainingGraph, BatchStatisticsAreTheBatch) {
  NetBuilder net({4, 3, 6, 6});
  const NodeId conv = net.conv(5, 3);
  const NodeId norm = net.norm();
  const Network network = net.finish();
  Case one(network);
  TrainingGraph graph(network, {});
  std::copy(one.input.begin(), one.input.end(), graph.input().begin());
  std::copy(one.parameters.begin(), one.parameters.end(), graph.parameters().begin());
  graph.forward();
  unflatten(network, one.parameters, one.weights);
  const Tensor x = reference_training_pass(network, one.input, one.weights)[conv];
  ASSERT_EQ(graph.batch_statistics().size(), 1U);
  EXPECT_EQ(graph.batch_statistics()[0].node, norm);
  double sum = 0, square = 0, count = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    if (i / 36 % 5 != 2) continue;
    sum += static_cast<double>(x.values[i]);
    square += std::pow(static_cast<double>(x.values[i]), 2);
    count += 1;
  }
  const double mean = sum / count;
  EXPECT_NEAR(static_cast<double>(graph.batch_statistics()[0].mean[2]), mean, 1e-4);
  EXPECT_NEAR(static_cast<double>(graph.batch_statistics()[0].variance[2]), square / count - mean * mean, 1e-3);
}

TEST(TrainingGraph, FormatsThatAreNotTrainedInAreRefused) {
  NetBuilder net({1, 3, 4, 4});
  net.conv(2, 1);
  const Network network = net.finish();
  EXPECT_THROW(TrainingGraph(network, {1, int8}), Unsupported);
}

}  // namespace
}  // namespace ridgeline
