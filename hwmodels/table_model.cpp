#include "hwmodels/table_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

const std::string bound_by_table = "table";
const std::string bound_by_nearest = "nearest";
constexpr std::size_t neighbours = 4;
// A network far smaller than any of the calibration still takes time.
constexpr double least_share_of_layers = 0.5;

// Layers that may stand in for one another: the strictest family first, looser ones where it is empty.
std::array<std::uint64_t, 3> families(const LayerKey& key) {
  const auto start = [&](int level) {
    Hasher hash;
    hash.add(level).add(static_cast<int>(key.kind)).add(static_cast<int>(key.depthwise()));
    hash.add(static_cast<int>(arithmetic_of(key.weights))).add(static_cast<int>(arithmetic_of(key.activations)));
    return hash;
  };
  Hasher strict = start(0), loose = start(1), loosest = start(2);
  strict.add(key.kernel[0]).add(key.kernel[1]).add(key.stride[0]).add(static_cast<int>(key.add));
  strict.add(static_cast<int>(key.entry)).add(static_cast<int>(key.exit));
  loose.add(key.kernel[0]).add(key.kernel[1]);
  return {strict.value(), loose.value(), loosest.value()};
}

std::size_t arithmetic_index(const ExecutedLayer& layer) {
  return static_cast<std::size_t>(arithmetic_of(layer.key.activations));
}

double log_of(std::int64_t value) { return std::log(static_cast<double>(std::max<std::int64_t>(value, 1))); }

std::array<double, 5> place_of(const LayerKey& key, double operations) {
  return {log_of(key.in[0]), log_of(key.out[0]), log_of(key.batch * key.in[1] * key.in[2]),
          log_of(key.batch * key.out[1] * key.out[2]), std::log(std::max(operations, 1.0))};
}

// A layer as the table knows it, with what the roofline needs.
ExecutedLayer layer_from(const LayerKey& key) {
  ExecutedLayer layer;
  layer.key = key;
  const std::int64_t ins = key.batch * key.in[0] * key.in[1] * key.in[2];
  const std::int64_t outs = key.batch * key.out[0] * key.out[1] * key.out[2];
  layer.input_bytes = ins * key.stored_in.width_bits / 8 + (key.add ? outs * key.stored_out.width_bits / 8 : 0);
  layer.output_bytes = outs * key.stored_out.width_bits / 8;
  std::int64_t inner = 0;
  if (key.kind == OpKind::conv2d) inner = key.in[0] / key.groups * key.kernel[0] * key.kernel[1];
  if (key.kind == OpKind::linear || key.kind == OpKind::matmul) inner = key.in[0];
  layer.macs = outs * inner;
  if (key.kind != OpKind::matmul) layer.weight_bytes = key.out[0] * inner * key.weights.width_bits / 8;
  return layer;
}

}  // namespace

double FootprintCurve::at(double footprint_bytes) const {
  const double held = std::clamp(footprint_bytes, least_bytes, most_bytes);
  double seconds = constant_s;
  for (std::size_t i = 0; i < knots_bytes.size(); ++i) {
    seconds += slopes_s_per_byte[i] * std::max(0.0, held - knots_bytes[i]);
  }
  return seconds;
}

TableModel::TableModel(TableDevice device) : device_(std::move(device)), roofline_(device_.roofline) {
  if (device_.layers.empty()) {
    throw ConfigError(Problem{device_.roofline.name, "layers", "at least one layer", "none", "calibrate again"});
  }
  for (const auto& [name, curve] : device_.footprint) {
    const auto names = arithmetic_names();
    const auto at = std::find(names.begin(), names.end(), name);
    if (at != names.end()) curves_[static_cast<std::size_t>(at - names.begin())] = curve;
  }
  for (std::size_t i = 0; i < device_.layers.size(); ++i) {
    const TableEntry& entry = device_.layers[i];
    index_.emplace(entry.key.hash(), i);
    const ExecutedLayer layer = layer_from(entry.key);
    const std::optional<LayerCost> model = roofline_.layer(layer, 0.0);
    if (!model || !(entry.latency_s > 0)) continue;
    const Relative relative{place_of(entry.key, static_cast<double>(2 * layer.macs)),
                            std::log(entry.latency_s / model->latency_s)};
    for (const std::uint64_t family : families(entry.key)) relatives_[family].push_back(relative);
  }
}

const TableEntry* TableModel::find(const LayerKey& key) const {
  const auto found = index_.find(key.hash());
  if (found == index_.end()) return nullptr;
  const TableEntry& entry = device_.layers[found->second];
  return entry.key == key ? &entry : nullptr;
}

std::optional<double> TableModel::nearest(const ExecutedLayer& layer) const {
  const std::optional<LayerCost> model = roofline_.layer(layer, 0.0);
  if (!model) return std::nullopt;
  const std::array<double, 5> place = place_of(layer.key, static_cast<double>(2 * layer.macs));
  for (const std::uint64_t family : families(layer.key)) {
    const auto found = relatives_.find(family);
    if (found == relatives_.end()) continue;
    std::vector<std::pair<double, double>> near;  // squared distance, log ratio
    near.reserve(found->second.size());
    for (const Relative& relative : found->second) {
      double distance = 0.0;
      for (std::size_t i = 0; i < place.size(); ++i) {
        distance += (place[i] - relative.place[i]) * (place[i] - relative.place[i]);
      }
      near.emplace_back(distance, relative.log_ratio);
    }
    const std::size_t count = std::min(neighbours, near.size());
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(count), near.end());
    double weights = 0.0, sum = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      const double weight = 1.0 / (near[i].first + 1e-3);
      weights += weight;
      sum += weight * near[i].second;
    }
    return model->latency_s * std::exp(sum / weights);
  }
  return std::nullopt;
}

bool TableModel::estimate_layer(const ExecutedLayer& layer, double network_weight_bytes, OpCost& op) const {
  if (const TableEntry* entry = find(layer.key)) {
    op.latency_s = entry->latency_s;
    op.bound_by = bound_by_table;
  } else if (const std::optional<double> near = nearest(layer)) {
    op.latency_s = *near;
    op.bound_by = bound_by_nearest;
  } else if (const std::optional<LayerCost> model = roofline_.layer(layer, network_weight_bytes)) {
    op.latency_s = model->latency_s;
    op.bound_by = *model->bound_by;
  } else {
    return false;
  }
  return true;
}

double TableModel::beyond_layers_s(std::span<const ExecutedLayer> layers) const {
  std::array<double, arithmetic_count> bytes{};
  double all = 0.0;
  for (const ExecutedLayer& layer : layers) {
    bytes[arithmetic_index(layer)] += static_cast<double>(layer.weight_bytes);
    all += static_cast<double>(layer.weight_bytes);
  }
  const double footprint = footprint_bytes(layers);
  // A network of several formats gets of each curve the share of its weights in that format.
  double seconds = 0.0;
  for (std::size_t f = 0; f < arithmetic_count; ++f) {
    if (bytes[f] > 0) seconds += bytes[f] / all * curves_[f].at(footprint);
  }
  return seconds;
}

void TableModel::estimate_one(const Design& design, Cost& cost) const {
  const Network& network = design.network;
  const std::vector<NodeId> live = network.live_nodes();
  const std::vector<Format> stored = stored_formats(network, design.precision);
  start_cost(design, live, cost);
  std::vector<ExecutedLayer> layers = executed_layers(network, design.precision, stored, live);
  for (const ExecutedLayer& layer : layers) cost.weight_bytes += layer.weight_bytes;
  const double beyond_s = beyond_layers_s(layers);
  std::sort(layers.begin(), layers.end(), [](const auto& a, const auto& b) { return a.node < b.node; });
  std::size_t row = 0;
  for (const ExecutedLayer& layer : layers) {
    while (cost.ops[row].node != layer.node) ++row;
    OpCost& op = cost.ops[row];
    op.macs = layer.macs;
    op.bytes = layer.weight_bytes + layer.input_bytes + layer.output_bytes;
    if (!estimate_layer(layer, static_cast<double>(cost.weight_bytes), op)) {
      cost.unsupported = fmt::format("{} was not calibrated for {} and has no peak for it ({} '{}')", name(),
                                     layer.key.activations.text(), name_of(layer.key.kind), network.name(layer.anchor));
      return;
    }
    cost.latency_s += op.latency_s;
  }
  if (!(cost.latency_s > 0)) return;
  const double factor = std::max(least_share_of_layers, 1.0 + beyond_s / cost.latency_s);
  for (OpCost& op : cost.ops) op.latency_s *= factor;
  cost.latency_s *= factor;
}

void TableModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  for (std::size_t i = 0; i < designs.size(); ++i) estimate_one(designs[i], costs[i]);
}

}  // namespace ridgeline
