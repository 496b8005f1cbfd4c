#include "spaces/weights.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "spaces/counts.hpp"
#include "spaces/rng.hpp"
#include "tests/spaces/published_networks.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::make;

std::size_t count(const NodeWeights& weights) {
  return weights.kernel.size() + weights.bias.size() + weights.scale.size() + weights.shift.size();
}

double variance(const std::vector<float>& values) {
  double sum = 0;
  double squares = 0;
  for (const float value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto n = static_cast<double>(values.size());
  return squares / n - sum / n * (sum / n);
}

TEST(RandomWeights, HaveTheShapesOfTheOperators) {
  Network network;
  const NodeId x = network.add_input({1, 6, 5, 5});
  const NodeId c = network.add(conv(9, 3, 1, 3, true), {x});
  const NodeId norm = network.add(make(OpKind::batch_norm), {c});
  const NodeId layer = network.add(make(OpKind::layer_norm), {norm});
  const NodeId fc = network.add(test::linear(4, false), {network.add(make(OpKind::flatten), {layer})});
  network.mark_output(fc);
  const Weights weights = random_weights(network, 1);
  ASSERT_EQ(weights.size(), network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    EXPECT_EQ(count(weights[node]), static_cast<std::size_t>(parameters(network, node))) << node;
  }
  EXPECT_EQ(weights[c].kernel.size(), 9u * 2 * 3 * 3);
  EXPECT_EQ(weights[c].bias.size(), 9u);
  EXPECT_EQ(weights[norm].mean.size(), 9u);
  EXPECT_EQ(weights[norm].variance.size(), 9u);
  EXPECT_EQ(weights[layer].scale.size(), 5u);
  EXPECT_TRUE(weights[layer].mean.empty());
  EXPECT_EQ(weights[fc].kernel.size(), 4u * 225);
  for (const float value : weights[norm].variance) EXPECT_GT(value, 0.5f);
}

TEST(RandomWeights, DependOnTheSeedAlone) {
  const Network network = test::mobilenet_v2(32);
  const Weights first = random_weights(network, 7);
  const Weights again = random_weights(network, 7);
  const Weights other = random_weights(network, 8);
  std::size_t differing = 0;
  for (NodeId node = 0; node < network.size(); ++node) {
    EXPECT_EQ(first[node].kernel, again[node].kernel);
    EXPECT_EQ(first[node].shift, again[node].shift);
    differing += first[node].kernel != other[node].kernel ? 1 : 0;
  }
  EXPECT_EQ(differing, 53u);  // every convolution and the classifier
}

TEST(RandomWeights, HaveHeVariance) {
  Network network;
  const NodeId x = network.add_input({1, 32, 5, 5});
  const NodeId plain = network.add(conv(128, 3), {x});
  const NodeId relu = network.add(make(OpKind::relu), {plain});
  const NodeId rectified = network.add(conv(128, 3), {relu});
  const NodeId branch = network.add(conv(128, 1), {relu});
  network.mark_output(network.add(make(OpKind::add), {branch, rectified}));
  network.mark_output(network.add(conv(64, 3), {relu}));
  const Weights weights = random_weights(network, 3);
  EXPECT_NEAR(variance(weights[plain].kernel) * 32 * 9, 1.0, 0.05);
  EXPECT_NEAR(variance(weights[rectified].kernel) * 128 * 9, 2.0 / 16, 0.005);  // in front of an addition: a quarter
  EXPECT_NEAR(variance(weights[branch].kernel) * 128, 2.0 / 16, 0.01);
  EXPECT_NEAR(variance(weights.back().kernel) * 128 * 9, 2.0, 0.05);
}

// Runs a network of ungrouped 1x1 convolutions, batch norms, relu and additions on one pixel.
std::vector<std::vector<double>> run_pixel(const Network& network, const Weights& weights) {
  std::vector<std::vector<double>> values(network.size());
  Rng rng(5);
  for (NodeId node = 0; node < network.size(); ++node) {
    const auto channels = static_cast<std::size_t>(network.shape(node)[1]);
    const NodeWeights& own = weights[node];
    std::vector<double>& out = values[node];
    out.resize(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      if (network.inputs(node).empty()) {
        out[c] = rng.normal();
        continue;
      }
      const std::vector<double>& in = values[network.inputs(node)[0]];
      switch (network.op(node).kind) {
        case OpKind::conv2d:
          for (std::size_t i = 0; i < in.size(); ++i)
            out[c] += in[i] * static_cast<double>(own.kernel[c * in.size() + i]);
          break;
        case OpKind::batch_norm:
          out[c] = (in[c] - static_cast<double>(own.mean[c])) /
                       std::sqrt(static_cast<double>(own.variance[c]) + network.op(node).epsilon) *
                       static_cast<double>(own.scale[c]) +
                   static_cast<double>(own.shift[c]);
          break;
        case OpKind::relu:
          out[c] = std::max(0.0, in[c]);
          break;
        case OpKind::add:
          out[c] = in[c] + values[network.inputs(node)[1]][c];
          break;
        default:
          throw std::logic_error("an operator that this test does not run");
      }
    }
  }
  return values;
}

TEST(RandomWeights, KeepActivationsInRangeOverManyLayers) {
  for (const bool residual : {false, true}) {
    Network network;
    NodeId x = network.add_input({1, 64, 1, 1});
    for (int block = 0; block < 40; ++block) {
      NodeId y = test::conv_norm_act(network, conv(64, 1), x, OpKind::relu);
      y = test::conv_norm(network, conv(64, 1), y);
      x = network.add(make(OpKind::relu), {residual ? network.add(make(OpKind::add), {y, x}) : y});
    }
    network.mark_output(x);
    const auto values = run_pixel(network, random_weights(network, 11));
    const double squares = std::inner_product(values[x].begin(), values[x].end(), values[x].begin(), 0.0);
    const double root_mean_square = std::sqrt(squares / 64);
    EXPECT_GT(root_mean_square, 0.02) << (residual ? "residual" : "plain");
    EXPECT_LT(root_mean_square, 50) << (residual ? "residual" : "plain");
  }
}

}  // namespace
}  // namespace ridgeline
