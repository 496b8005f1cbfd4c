#include "hwmodels/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

const std::string bound_by_compute = "compute";
const std::string bound_by_overhead = "overhead";

// Bytes of values stored in `format` when the device holds them in `as`: a wider stand-in takes more room. A format
// without arithmetic can still lie in memory as it is.
double held_bytes(double bytes, const Format& format, std::optional<Arithmetic> as) {
  const int bits = as ? bits_of(*as) : format.width_bits;
  return bits > format.width_bits ? bytes * bits / format.width_bits : bytes;
}

}  // namespace

std::span<const std::string> efficiency_class_names() {
  static const std::vector<std::string> names{"conv2d", "depthwise", "linear", "matmul", "vector"};
  return names;
}

EfficiencyClass efficiency_class_of(const LayerKey& key) {
  switch (key.kind) {
    case OpKind::conv2d:
      return key.depthwise() ? EfficiencyClass::depthwise : EfficiencyClass::conv2d;
    case OpKind::linear:
      return EfficiencyClass::linear;
    case OpKind::matmul:
      return EfficiencyClass::matmul;
    default:
      return EfficiencyClass::vector;
  }
}

double EfficiencyCurve::at(double operations) const {
  if (operations <= points.front().first) return points.front().second;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const auto& [x1, y1] = points[i];
    if (operations > x1) continue;
    const auto& [x0, y0] = points[i - 1];
    return y0 + (y1 - y0) * std::log(operations / x0) / std::log(x1 / x0);
  }
  return points.back().second;
}

std::optional<Arithmetic> resolve_arithmetic(const RooflineDevice& device, Arithmetic wanted) {
  auto at = static_cast<std::size_t>(wanted);
  for (std::size_t hops = 0; hops <= arithmetic_count; ++hops) {
    if (device.peak_ops_per_s[at] > 0) return static_cast<Arithmetic>(at);
    if (!device.format_as[at]) return std::nullopt;
    at = static_cast<std::size_t>(*device.format_as[at]);
  }
  return std::nullopt;
}

RooflineModel::RooflineModel(RooflineDevice device) : device_(std::move(device)) {
  if (device_.memory.empty()) {
    throw ConfigError(Problem{device_.name, "memory", "at least one level", "none", "describe the outermost memory"});
  }
  for (std::size_t i = 0; i < arithmetic_count; ++i) {
    runs_as_[i] = resolve_arithmetic(device_, static_cast<Arithmetic>(i));
  }
  const auto& peaks = device_.peak_ops_per_s;
  const auto first = std::find_if(peaks.begin(), peaks.end(), [](double peak) { return peak > 0; });
  if (first == peaks.end()) {
    throw ConfigError(Problem{device_.name, "peak_ops_per_s", "at least one format", "none", ""});
  }
  widest_ = static_cast<Arithmetic>(first - peaks.begin());
}

std::size_t RooflineModel::home(double bytes) const {
  std::size_t level = 0;
  while (level + 1 < device_.memory.size() && bytes > device_.memory[level].bytes) ++level;
  return level;
}

std::optional<LayerCost> RooflineModel::layer(const ExecutedLayer& layer, double network_weight_bytes) const {
  const LayerKey& key = layer.key;
  const std::optional<Arithmetic> weights = runs_as(key.weights), activations = runs_as(key.activations);
  // What multiplies nothing (pools, additions) is done in whatever the device has.
  Arithmetic compute = activations.value_or(widest_);
  if (layer.macs > 0) {
    if (!activations || !weights) return std::nullopt;
    if (bits_of(*weights) > bits_of(compute)) compute = *weights;
  }
  const double operations = operations_of(layer);
  const double peak = device_.peak_ops_per_s[index(compute)];
  const double efficiency = device_.efficiency[static_cast<std::size_t>(efficiency_class_of(key))].at(operations);
  LayerCost cost;
  cost.latency_s = operations / (peak * efficiency);
  cost.bound_by = &bound_by_compute;

  const double kernel = held_bytes(static_cast<double>(layer.weight_bytes), key.weights, weights);
  const double moved = held_bytes(static_cast<double>(layer.input_bytes), key.stored_in, runs_as(key.stored_in)) +
                       held_bytes(static_cast<double>(layer.output_bytes), key.stored_out, runs_as(key.stored_out));
  const std::size_t kernel_home = kernel > 0 ? home(std::max(network_weight_bytes, kernel)) : 0;
  const std::size_t moved_home = home(kernel + moved);
  double bounding_bytes = kernel + moved;
  cost.energy_j = operations * device_.joules_per_op[index(compute)];
  for (std::size_t l = 0; l < device_.memory.size(); ++l) {
    const MemoryLevel& level = device_.memory[l];
    const double traffic = (kernel_home >= l ? kernel : 0.0) + (moved_home >= l ? moved : 0.0);
    const double time = traffic / level.bandwidth_bytes_per_s;
    cost.energy_j += traffic * level.joules_per_byte;
    if (time <= cost.latency_s) continue;
    cost.latency_s = time;
    cost.bound_by = &level.name;
    bounding_bytes = traffic;
  }
  cost.bytes = static_cast<std::int64_t>(bounding_bytes);
  if (device_.overhead_s > cost.latency_s) cost.bound_by = &bound_by_overhead;
  cost.latency_s += device_.overhead_s;
  cost.energy_j += device_.idle_w * cost.latency_s;
  return cost;
}

std::string RooflineModel::unsupported_reason(const ExecutedLayer& layer, const Network& network) const {
  const LayerKey& key = layer.key;
  for (const Format& format : {key.activations, key.weights}) {
    if (runs_as(format)) continue;
    return fmt::format("{} has no arithmetic for {} and no \"format_as\" line for it ({} '{}')", device_.name,
                       format.text(), name_of(key.kind), network.name(layer.anchor));
  }
  return device_.name + " cannot run it";
}

void start_cost(const Design& design, std::span<const NodeId> live, Cost& cost) {
  cost = Cost{};
  cost.peak_bytes = peak_activation_bytes(design.network, design.precision);
  cost.ops.reserve(live.size());
  for (const NodeId node : live) {
    cost.ops.emplace_back();
    cost.ops.back().node = node;
  }
}

void RooflineModel::estimate_one(const Design& design, Cost& cost) const {
  const Network& network = design.network;
  const std::vector<NodeId> live = network.live_nodes();
  const std::vector<Format> stored = stored_formats(network, design.precision);
  start_cost(design, live, cost);
  std::vector<ExecutedLayer> layers = executed_layers(network, design.precision, stored, live);
  double weights = 0.0;
  for (const ExecutedLayer& layer : layers) {
    cost.weight_bytes += layer.weight_bytes;
    weights += held_bytes(static_cast<double>(layer.weight_bytes), layer.key.weights, runs_as(layer.key.weights));
  }
  std::sort(layers.begin(), layers.end(), [](const auto& a, const auto& b) { return a.node < b.node; });
  std::size_t row = 0;
  for (const ExecutedLayer& layer : layers) {
    const std::optional<LayerCost> one = this->layer(layer, weights);
    if (!one) {
      cost.unsupported = unsupported_reason(layer, network);
      return;
    }
    while (cost.ops[row].node != layer.node) ++row;
    OpCost& op = cost.ops[row];
    op.latency_s = one->latency_s;
    op.energy_j = device_.energy ? one->energy_j : 0.0;
    op.macs = layer.macs;
    op.bytes = one->bytes;
    op.bound_by = *one->bound_by;
    cost.latency_s += op.latency_s;
    cost.energy_j += op.energy_j;
  }
}

void RooflineModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  for (std::size_t i = 0; i < designs.size(); ++i) estimate_one(designs[i], costs[i]);
}

}  // namespace ridgeline
