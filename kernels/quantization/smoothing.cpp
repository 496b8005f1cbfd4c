#include "kernels/quantization/smoothing.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "kernels/quantization/channel_path.hpp"

namespace ridgeline {
namespace {

Range united(const Range& a, const Range& b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

// The channels of what a reader reads, each one's range over all its positions; empty where not known. An identity's
// value may be known as that of what it reads.
std::vector<Range> ranges_read(const Network& network, const ChannelRanges& ranges, const ChannelPath& path,
                               const ChannelReader& reader) {
  NodeId tensor = network.inputs(reader.node)[0];
  while (ranges[tensor].empty() && network.op(tensor).kind == OpKind::identity) tensor = network.inputs(tensor)[0];
  const Shape& shape = network.shape(tensor);
  const bool by_axis_one = shape.size() == 4;
  if (ranges[tensor].empty() || (by_axis_one && network.op(reader.node).kind == OpKind::linear)) return {};
  const std::vector<Range>& known = ranges[tensor];
  if (known.size() != static_cast<std::size_t>(by_axis_one ? shape[1] : shape.back())) {
    throw std::invalid_argument("ranges of another number of channels than " + network.name(tensor) + " has");
  }
  std::vector<Range> made(path.channels);
  std::vector<bool> seen(path.channels, false);
  for (std::size_t i = 0; i < known.size(); ++i) {
    const std::size_t channel = i / reader.inner % path.channels;
    made[channel] = seen[channel] ? united(made[channel], known[i]) : known[i];
    seen[channel] = true;
  }
  return made;
}

// The union over all readers; empty where one is not known.
std::vector<Range> ranges_of_path(const Network& network, const ChannelRanges& ranges, const ChannelPath& path) {
  std::vector<Range> made;
  for (const ChannelReader& reader : path.readers) {
    const std::vector<Range> own = ranges_read(network, ranges, path, reader);
    if (own.empty()) return {};
    if (made.empty()) {
      made = own;
    } else {
      std::ranges::transform(made, own, made.begin(), united);
    }
  }
  return made;
}

// What each channel is moved by, then divided by.
struct Change {
  std::vector<double> shifts, factors;
};

Change change_for(const Network& network, const Weights& weights, const ChannelPath& path,
                  const std::vector<Range>& ranges, const SmoothingOptions& options) {
  std::vector<double> largest(path.channels);
  for (const ChannelReader& reader : path.readers) {
    const std::vector<float>& kernel = weights[reader.node].kernel;
    for_each_weight(network, reader, path.channels, [&](std::size_t channel, std::size_t, std::size_t i) {
      largest[channel] = std::max(largest[channel], std::abs(static_cast<double>(kernel[i])));
    });
  }
  Change change{std::vector<double>(path.channels), std::vector<double>(path.channels, 1.0)};
  for (std::size_t channel = 0; channel < path.channels; ++channel) {
    const double low = static_cast<double>(ranges[channel].low), high = static_cast<double>(ranges[channel].high);
    if (options.shift && path.shifts)
      change.shifts[channel] = static_cast<double>(static_cast<float>((low + high) / 2));
    const double magnitude = std::max(std::abs(low - change.shifts[channel]), std::abs(high - change.shifts[channel]));
    if (!(magnitude > 0) || !(largest[channel] > 0)) continue;
    change.factors[channel] =
        std::pow(magnitude, options.migration) / std::pow(largest[channel], 1 - options.migration);
  }
  return change;
}

void change_producer(const Network& network, const ChannelPath& path, const Change& change, NodeWeights& weights) {
  const OpKind kind = network.op(path.producer).kind;
  const bool is_norm = kind == OpKind::batch_norm || kind == OpKind::layer_norm;
  std::vector<float>& factors = is_norm ? weights.scale : weights.kernel;
  std::vector<float>& offsets = is_norm ? weights.shift : weights.bias;
  const std::size_t taps = factors.size() / path.channels;
  const auto divided = [&](double value, std::size_t channel) {
    return static_cast<float>(value / change.factors[channel]);
  };
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = divided(static_cast<double>(factors[i]), i / taps);
  for (std::size_t channel = 0; channel < offsets.size(); ++channel) {
    offsets[channel] = divided(static_cast<double>(offsets[channel]) - change.shifts[channel], channel);
  }
}

void change_reader(const Network& network, const ChannelPath& path, const ChannelReader& reader, const Change& change,
                   NodeWeights& weights) {
  std::vector<double> moved(weights.bias.begin(), weights.bias.end());
  for_each_weight(network, reader, path.channels, [&](std::size_t channel, std::size_t output, std::size_t i) {
    const auto weight = static_cast<double>(weights.kernel[i]);
    if (!moved.empty()) moved[output] += weight * change.shifts[channel];
    weights.kernel[i] = static_cast<float>(weight * change.factors[channel]);
  });
  std::ranges::transform(moved, weights.bias.begin(), [](double value) { return static_cast<float>(value); });
}

// The same network, node for node, where the layers that are to have a bias have one.
Network with_biases(const Network& network, const std::vector<bool>& wanted, Weights& weights) {
  Network made;
  for (NodeId node = 0; node < network.size(); ++node) {
    Op op = network.op(node);
    if (wanted[node] && !op.bias) {
      op.bias = true;
      weights[node].bias.assign(static_cast<std::size_t>(op.channels), 0.0F);
    }
    made.add(op, network.inputs(node), network.name(node));
  }
  for (const NodeId node : network.outputs()) made.mark_output(node);
  return made;
}

}  // namespace

void widen(ChannelRanges& ranges, const Network& network, const Activation& made) {
  const Shape& shape = network.shape(made.node);
  const bool images = shape.size() == 4;
  const auto channels = static_cast<std::size_t>(images ? shape[1] : shape.back());
  const std::size_t run = images && !made.channels_last ? static_cast<std::size_t>(shape[2] * shape[3]) : 1;
  if (made.values.size() % (channels * run) != 0) throw std::invalid_argument("activations that are no whole images");
  ranges.resize(std::max(ranges.size(), network.size()));
  std::vector<Range>& own = ranges[made.node];
  if (own.empty() && !made.values.empty()) {
    for (std::size_t channel = 0; channel < channels; ++channel) {
      own.push_back({made.values[channel * run], made.values[channel * run]});
    }
  }
  for (std::size_t i = 0; i < made.values.size(); ++i) {
    const float value = made.values[i];
    if (!std::isfinite(value)) throw std::invalid_argument("activations that are not finite");
    Range& range = own[i / run % channels];
    range = united(range, {value, value});
  }
}

Design with_smoothed_activations(const Design& design, const ChannelRanges& ranges, const SmoothingOptions& options) {
  if (!design.weights) throw std::invalid_argument("a network without weights cannot be smoothed");
  if (!(options.migration >= 0 && options.migration <= 1)) {
    throw std::invalid_argument("the migration of smoothing is a share of 0 to 1");
  }
  if (ranges.size() != design.network.size()) throw std::invalid_argument("ranges of another network's channels");
  auto weights = std::make_shared<Weights>(*design.weights);
  const std::vector<ChannelPath> paths = channel_paths(design.network);
  std::vector<bool> with_bias(design.network.size(), false);
  for (const ChannelPath& path : paths) {
    if (!options.shift || !path.shifts || ranges_of_path(design.network, ranges, path).empty()) continue;
    const OpKind kind = design.network.op(path.producer).kind;
    if (kind == OpKind::conv2d || kind == OpKind::linear) with_bias[path.producer] = true;
    for (const ChannelReader& reader : path.readers) with_bias[reader.node] = true;
  }
  Network network = with_biases(design.network, with_bias, *weights);
  for (const ChannelPath& path : paths) {
    const std::vector<Range> known = ranges_of_path(network, ranges, path);
    if (known.empty()) continue;
    const Change change = change_for(network, *weights, path, known, options);
    change_producer(network, path, change, (*weights)[path.producer]);
    for (const ChannelReader& reader : path.readers) {
      change_reader(network, path, reader, change, (*weights)[reader.node]);
    }
  }
  return {std::move(network), {}, std::move(weights)};
}

}  // namespace ridgeline
