#include "kernels/quantization/equalization.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <vector>

#include "kernels/quantization/channel_path.hpp"

namespace ridgeline {
namespace {

constexpr int sweeps = 200;
constexpr double settled = 1e-5;  // of the logarithm of the largest factor of a sweep
constexpr double largest_factor = 64;

// Kernels in double while they are scaled again and again.
using Kernels = std::map<NodeId, std::vector<double>>;

// One channel path and the factor that each channel has been divided by so far.
struct Pair {
  ChannelPath path;
  std::vector<double> factors;
};

// The largest magnitude of each channel.
std::vector<double> made_ranges(const Pair& pair, const std::vector<double>& kernel) {
  std::vector<double> ranges(pair.path.channels);
  const std::size_t taps = kernel.size() / ranges.size();
  for (std::size_t i = 0; i < kernel.size(); ++i) ranges[i / taps] = std::max(ranges[i / taps], std::abs(kernel[i]));
  return ranges;
}

std::vector<double> read_ranges(const Network& network, const Pair& pair, const std::vector<double>& kernel) {
  std::vector<double> ranges(pair.path.channels);
  for_each_weight(network, pair.path.readers[0], ranges.size(), [&](std::size_t channel, std::size_t, std::size_t i) {
    ranges[channel] = std::max(ranges[channel], std::abs(kernel[i]));
  });
  return ranges;
}

// The logarithm of the largest factor that a channel was divided by.
double equalize(const Network& network, Pair& pair, Kernels& kernels) {
  std::vector<double>& maker = kernels[pair.path.producer];
  std::vector<double>& reader = kernels[pair.path.readers[0].node];
  const std::vector<double> made = made_ranges(pair, maker), read = read_ranges(network, pair, reader);
  std::vector<double> factors(made.size(), 1.0);
  double most = 0;
  for (std::size_t channel = 0; channel < made.size(); ++channel) {
    if (!(made[channel] > 0) || !(read[channel] > 0)) continue;
    const double wanted = pair.factors[channel] * std::sqrt(made[channel] / read[channel]);
    const double held = std::clamp(wanted, 1 / largest_factor, largest_factor);
    factors[channel] = held / pair.factors[channel];
    pair.factors[channel] = held;
    most = std::max(most, std::abs(std::log(factors[channel])));
  }
  const std::size_t taps = maker.size() / factors.size();
  for (std::size_t i = 0; i < maker.size(); ++i) maker[i] /= factors[i / taps];
  for_each_weight(network, pair.path.readers[0], factors.size(),
                  [&](std::size_t channel, std::size_t, std::size_t i) { reader[i] *= factors[channel]; });
  return most;
}

}  // namespace

Design with_equalized_layers(const Design& design) {
  if (!design.weights) throw std::invalid_argument("a network without weights cannot be equalized");
  auto weights = std::make_shared<Weights>(*design.weights);
  std::vector<Pair> pairs;
  Kernels kernels;
  for (ChannelPath& path : channel_paths(design.network)) {
    const OpKind kind = design.network.op(path.producer).kind;
    if ((kind != OpKind::conv2d && kind != OpKind::linear) || path.readers.size() != 1) continue;
    for (const NodeId node : {path.producer, path.readers[0].node}) {
      kernels.try_emplace(node, (*weights)[node].kernel.begin(), (*weights)[node].kernel.end());
    }
    const std::size_t channels = path.channels;
    pairs.push_back({std::move(path), std::vector<double>(channels, 1.0)});
  }
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    double most = 0;
    for (Pair& pair : pairs) most = std::max(most, equalize(design.network, pair, kernels));
    if (most < settled) break;
  }
  for (const auto& [node, kernel] : kernels) {
    std::ranges::transform(kernel, (*weights)[node].kernel.begin(),
                           [](double weight) { return static_cast<float>(weight); });
  }
  for (const Pair& pair : pairs) {
    std::vector<float>& bias = (*weights)[pair.path.producer].bias;
    for (std::size_t channel = 0; channel < bias.size(); ++channel) {
      bias[channel] = static_cast<float>(static_cast<double>(bias[channel]) / pair.factors[channel]);
    }
  }
  return {design.network, {}, std::move(weights)};
}

}  // namespace ridgeline
