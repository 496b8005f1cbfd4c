#include "spaces/weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

void fill_normal(std::vector<float>& values, std::size_t count, double mean, double deviation, Rng& rng) {
  values.resize(count);
  for (float& value : values) value = static_cast<float>(mean + deviation * rng.normal());
}

void fill_uniform(std::vector<float>& values, std::size_t count, double least, double most, Rng& rng) {
  values.resize(count);
  for (float& value : values) value = static_cast<float>(least + (most - least) * rng.uniform());
}

// Does a residual addition read this node? Such a branch is scaled down, or depth would double the variance each time.
bool feeds_addition(const Network& network, NodeId node) {
  for (const NodeId reader : network.consumers(node)) {
    if (network.op(reader).kind == OpKind::add) return true;
  }
  return false;
}

// He et al. (2015): variance 2 / fan-in behind a rectifier, which halves the second moment, and 1 / fan-in elsewhere.
double he_deviation(const Network& network, NodeId node, std::int64_t fan_in) {
  NodeId source = network.inputs(node)[0];
  while (network.op(source).kind == OpKind::identity) source = network.inputs(source)[0];
  const double gain = is_activation(network.op(source).kind) ? 2.0 : 1.0;
  return std::sqrt(gain / static_cast<double>(fan_in));
}

constexpr double residual_scale = 0.25;

NodeWeights kernel_weights(const Network& network, NodeId node, Rng& rng) {
  const Op& op = network.op(node);
  CountRule without_bias;
  without_bias.bias_parameters = false;
  const std::int64_t count = parameters(network, node, without_bias);
  const double scale = feeds_addition(network, node) ? residual_scale : 1.0;
  NodeWeights weights;
  fill_normal(weights.kernel, static_cast<std::size_t>(count), 0.0,
              scale * he_deviation(network, node, count / op.channels), rng);
  if (op.bias) fill_normal(weights.bias, static_cast<std::size_t>(op.channels), 0.0, 0.05, rng);
  return weights;
}

NodeWeights norm_weights(const Network& network, NodeId node, Rng& rng) {
  const bool batch = network.op(node).kind == OpKind::batch_norm;
  const auto channels = static_cast<std::size_t>(batch ? network.shape(node)[1] : network.shape(node).back());
  const double scale = feeds_addition(network, node) ? residual_scale : 1.0;
  NodeWeights weights;
  fill_uniform(weights.scale, channels, 0.8 * scale, 1.2 * scale, rng);
  fill_normal(weights.shift, channels, 0.0, 0.05, rng);
  if (!batch) return weights;
  fill_normal(weights.mean, channels, 0.0, 0.05, rng);
  fill_uniform(weights.variance, channels, 0.8, 1.2, rng);
  return weights;
}

}  // namespace

Weights random_weights(const Network& network, std::uint64_t seed) {
  Weights weights(network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    Rng rng(seed, "weights", node);
    const OpKind kind = network.op(node).kind;
    if (kind == OpKind::conv2d || kind == OpKind::linear) weights[node] = kernel_weights(network, node, rng);
    if (kind == OpKind::batch_norm || kind == OpKind::layer_norm) weights[node] = norm_weights(network, node, rng);
  }
  return weights;
}

void check_finite(const Network& network, const Weights& weights, const std::string& origin) {
  for (NodeId node = 0; node < weights.size(); ++node) {
    const NodeWeights& of = weights[node];
    for (const std::vector<float>* values : {&of.kernel, &of.bias, &of.scale, &of.shift, &of.mean, &of.variance}) {
      const auto odd = std::ranges::find_if_not(*values, [](float value) { return std::isfinite(value); });
      if (odd == values->end()) continue;
      const std::string name = network.name(node).empty() ? "node " + std::to_string(node) : network.name(node);
      throw ConfigError(Problem{origin, name, "finite weights", fmt::format("{}", *odd),
                                "did the training diverge, or is the file damaged?"});
    }
  }
}

}  // namespace ridgeline
