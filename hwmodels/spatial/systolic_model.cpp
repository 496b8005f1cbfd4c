#include "hwmodels/spatial/systolic_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/roofline.hpp"

namespace ridgeline {
namespace {

const std::string bound_by_array = "array";
const std::string bound_by_dram = "DRAM";
const std::string bound_by_vector = "vector";
const std::string bound_by_overhead = "overhead";
constexpr double sum_bytes = 4;  // of a sum under way

double ceil_div(std::int64_t a, std::int64_t b) { return static_cast<double>((a + b - 1) / b); }

// How often each operand is moved between DRAM and its scratchpad.
class DramTraffic {
 public:
  DramTraffic(const ExecutedLayer& layer, const MatrixProduct& product, const SystolicDevice& device)
      : layer_(layer), product_(product), device_(device) {
    const double added = layer.key.add ? static_cast<double>(layer.output_bytes) : 0.0;
    const double read = static_cast<double>(layer.input_bytes) - added;
    inputs_ = read;
    weights_ = static_cast<double>(layer.weight_bytes);
    if (!product.weights) {  // two activations
      const auto left = static_cast<double>(product.m), right = static_cast<double>(product.n);
      inputs_ = read * left / (left + right);
      weights_ = read * right / (left + right);
    }
    added_ = added;
  }

  struct Moved {
    std::array<double, 3> bytes;
    double pieces = 1;  // that the stream is cut into
  };

  Moved moved() const {
    const auto& [rows, cols, dataflow] = device_.array;
    const auto& [m, k, n, count, weights] = product_;
    const auto groups = static_cast<double>(count);
    const bool inputs_fit = inputs_ / groups <= device_.scratchpad_bytes[0];
    const bool weights_fit = weights_ / groups <= device_.scratchpad_bytes[1];
    double input_times = 1, weight_times = 1, sums = 1, width = 0, length = 0;
    switch (dataflow) {
      case Dataflow::weight_stationary:
        input_times = ceil_div(n, cols);
        sums = ceil_div(k, rows);
        length = static_cast<double>(m), width = static_cast<double>(std::min<std::int64_t>(n, cols));
        break;
      case Dataflow::input_stationary:
        weight_times = ceil_div(m, cols);
        sums = ceil_div(k, rows);
        length = static_cast<double>(n), width = static_cast<double>(std::min<std::int64_t>(m, cols));
        break;
      case Dataflow::output_stationary:
        input_times = ceil_div(n, cols);
        weight_times = weights_ / groups / ceil_div(n, cols) <= device_.scratchpad_bytes[1] ? 1 : ceil_div(m, rows);
        break;
      case Dataflow::row_stationary: {
        const std::int64_t sets = std::max<std::int64_t>(1, rows / layer_.key.kernel[0]);
        input_times = ceil_div(n, sets);
        weight_times = ceil_div(layer_.key.out[1], cols);
        sums = ceil_div(k, layer_.key.kernel[0] * layer_.key.kernel[1]);
        length = static_cast<double>(m), width = static_cast<double>(std::min<std::int64_t>(n, sets));
        break;
      }
    }
    Moved result{{inputs_ * (inputs_fit ? 1 : input_times) + added_, weights_ * (weights_fit ? 1 : weight_times),
                  static_cast<double>(layer_.output_bytes)}};
    const double under_way = length * width * sum_bytes;
    if (sums <= 1 || under_way <= device_.scratchpad_bytes[2]) return result;
    // Either the sums go out and come back, or the stream is cut so that they fit, and what stays comes for each piece.
    const double out_and_back = 2 * (sums - 1) * static_cast<double>(m * n) * groups * sum_bytes;
    const std::size_t stays = dataflow == Dataflow::weight_stationary ? 1 : 0;
    const double pieces = std::ceil(under_way / device_.scratchpad_bytes[2]);
    const bool there = stays == 1 ? weights_fit : inputs_fit;
    const double again = there ? 0 : (pieces - 1) * result.bytes[stays];
    if (again < out_and_back) {
      result.pieces = pieces;
      result.bytes[stays] += again;
    } else {
      result.bytes[2] += out_and_back;
    }
    return result;
  }

 private:
  const ExecutedLayer& layer_;
  const MatrixProduct& product_;
  const SystolicDevice& device_;
  double inputs_ = 0, weights_ = 0, added_ = 0;
};

double bytes_of(std::int64_t words, const Format& format) {
  return static_cast<double>(words) * format.width_bits / 8.0;
}

const std::string& bound_of(const SystolicLayer& layer, double overhead_s) {
  if (overhead_s > std::max(layer.array_s, layer.dram_s)) return bound_by_overhead;
  if (layer.dram_s > layer.array_s) return bound_by_dram;
  return layer.run.cycles > 0 ? bound_by_array : bound_by_vector;
}

}  // namespace

double SystolicDevice::area_mm2() const {
  const double scratchpads = scratchpad_bytes[0] + scratchpad_bytes[1] + scratchpad_bytes[2];
  return fixed_mm2 + unit.area_mm2() * static_cast<double>(array.units()) + mm2_per_scratchpad_byte * scratchpads;
}

std::span<const std::string> SystolicModel::resources() const {
  static const std::array<std::string, 2> names{"utilisation", "area_mm2"};
  return std::span(names).first(device_.area ? 2 : 1);
}

std::optional<SystolicLayer> SystolicModel::layer(const ExecutedLayer& layer, std::string& why) const {
  SystolicLayer result;
  double mac_joules = 0;
  if (const std::optional<MatrixProduct> product = matrix_product(layer.key)) {
    const Format& right = product->weights ? layer.key.weights : layer.key.activations;
    const std::optional<MacCost> mac = device_.unit.mac(right, layer.key.activations, why);
    if (!mac) return std::nullopt;
    result.run = run_on_array(layer.key, device_.array);
    const DramTraffic::Moved moved = DramTraffic(layer, *product, device_).moved();
    const auto streaming = static_cast<double>(result.run.streaming);
    const double cycles = moved.pieces * (static_cast<double>(result.run.cycles) - streaming) + mac->cycles * streaming;
    result.run.utilisation *= static_cast<double>(result.run.cycles) / cycles;
    result.array_s = cycles / device_.clock_hz;
    result.dram_bytes = moved.bytes;
    result.scratchpad_bytes = bytes_of(result.run.input_reads, layer.key.activations) +
                              bytes_of(result.run.weight_reads, right) +
                              sum_bytes * static_cast<double>(result.run.output_writes);
    mac_joules = mac->joules * static_cast<double>(layer.macs);
  } else {
    result.array_s = operations_of(layer) / device_.vector_ops_per_s;
    result.dram_bytes = {static_cast<double>(layer.input_bytes), static_cast<double>(layer.weight_bytes),
                         static_cast<double>(layer.output_bytes)};
    result.scratchpad_bytes = static_cast<double>(layer.input_bytes + layer.output_bytes);
  }
  const double dram = result.dram_bytes[0] + result.dram_bytes[1] + result.dram_bytes[2];
  result.dram_s = dram / device_.dram_bytes_per_s;
  result.latency_s = std::max(result.array_s, result.dram_s) + device_.overhead_s;
  if (device_.energy) {
    result.energy_j = mac_joules + result.scratchpad_bytes * device_.joules_per_scratchpad_byte +
                      dram * device_.joules_per_dram_byte + result.latency_s * device_.idle_w;
  }
  return result;
}

std::optional<OpCost> SystolicModel::layer_cost(const ExecutedLayer& one, const Network& network,
                                                std::string& why) const {
  std::string formats;
  const std::optional<SystolicLayer> layer = this->layer(one, formats);
  if (!layer) {
    why = fmt::format("{} has no multipliers for {} ({} '{}')", name(), formats, name_of(one.key.kind),
                      network.name(one.anchor));
    return std::nullopt;
  }
  const double bytes = layer->dram_bytes[0] + layer->dram_bytes[1] + layer->dram_bytes[2];
  return OpCost{one.node,
                layer->latency_s,
                layer->energy_j,
                one.macs,
                static_cast<std::int64_t>(bytes),
                bound_of(*layer, device_.overhead_s),
                layer->run.utilisation};
}

void SystolicModel::estimate_one(const Design& design, Cost& cost) const {
  const Network& network = design.network;
  const std::vector<NodeId> live = network.live_nodes();
  const std::vector<Format> stored = stored_formats(network, design.precision);
  start_cost(design, live, cost);
  double utilisation = 0, products = 0;
  std::size_t row = 0;
  std::vector<ExecutedLayer> layers = executed_layers(network, design.precision, stored, live);
  std::ranges::sort(layers, {}, &ExecutedLayer::node);
  for (const ExecutedLayer& one : layers) {
    std::optional<OpCost> layer = layer_cost(one, network, cost.unsupported);
    if (!layer) return;
    while (cost.ops[row].node != one.node) ++row;
    OpCost& op = cost.ops[row];
    op = std::move(*layer);
    cost.latency_s += op.latency_s;
    cost.energy_j += op.energy_j;
    cost.weight_bytes += one.weight_bytes;
    if (op.utilisation <= 0) continue;
    utilisation += op.utilisation;
    products += 1;
  }
  cost.resources = {{"utilisation", products > 0 ? utilisation / products : 0, 0}};
  if (device_.area) cost.resources.push_back({"area_mm2", device_.area_mm2(), 0});
}

void SystolicModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  for (std::size_t i = 0; i < designs.size(); ++i) estimate_one(designs[i], costs[i]);
}

}  // namespace ridgeline
