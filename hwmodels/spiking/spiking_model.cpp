#include "hwmodels/spiking/spiking_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/memory/steps.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

const std::string bound_by_compute = "compute";

// Operators that only move values.
bool only_moves(OpKind kind) {
  return kind == OpKind::transpose || kind == OpKind::concat || kind == OpKind::reshape || kind == OpKind::flatten ||
         kind == OpKind::identity;
}

// One layer's traffic: bytes that cross every level up to the one where they lie.
struct Traffic {
  double bytes = 0;
  std::size_t home = 0;
};

class SpikingNetworkCost {
 public:
  SpikingNetworkCost(const SpikingDevice& device, const Design& design, const SpikingRun& run)
      : device_(device), design_(design), network_(design.network), run_(run) {
    const std::vector<NodeId> live = network_.live_nodes();
    result_.layers = layers_in_order(network_, design.precision, stored_formats(network_, design.precision), live);
    for (const ExecutedLayer& layer : result_.layers) {
      network_weight_bytes_ += static_cast<double>(layer.weight_bytes);
      if (run.spiking()) network_potential_bytes_ += potential_bytes(layer);
    }
  }

  std::string without_spiking_form() const {
    if (!run_.spiking()) return {};
    for (const ExecutedLayer& layer : result_.layers) {
      if (layer.key.kind != OpKind::softmax && layer.key.kind != OpKind::layer_norm) continue;
      return fmt::format("{} has no spiking form on {}; time_steps 0 runs the network without spikes",
                         name_of(layer.key.kind), device_.name);
    }
    return {};
  }

  SpikingNetwork take() {
    result_.costs.reserve(result_.layers.size());
    double values = 0, bits = 0;
    for (const ExecutedLayer& layer : result_.layers) {
      result_.costs.push_back(run_.spiking() ? spiking(layer) : quantized(layer));
      result_.synaptic_operations += result_.costs.back().synaptic_operations;
      if (layer.macs == 0 || layer.key.entry) continue;
      const double read = elements_read(layer);
      values += read;
      bits += read * bits_read(layer);
    }
    if (values > 0) result_.bits_per_value = bits / values;
    result_.peak_bytes = peak_bytes();
    return std::move(result_);
  }

 private:
  bool by_layer() const { return device_.order == SpikingDevice::Order::layer; }
  double steps() const { return static_cast<double>(run_.time_steps); }
  double rate(const ExecutedLayer& layer) const {
    return layer.key.entry ? run_.input_rate
                           : run_.firing_rate[static_cast<std::size_t>(efficiency_class_of(layer.key))];
  }
  bool analogue(const ExecutedLayer& layer) const { return layer.key.entry && run_.encoding == SpikeEncoding::direct; }

  static double made(const Network& network, const ExecutedLayer& layer) {
    return static_cast<double>(elements(network.shape(layer.node)));
  }
  double elements_read(const ExecutedLayer& layer) const {
    double read = layer.key.add ? made(network_, layer) : 0.0;
    for (const NodeId input : network_.inputs(layer.anchor))
      read += static_cast<double>(elements(network_.shape(input)));
    return read;
  }

  bool has_neurons(const ExecutedLayer& layer) const {
    const bool ends = layer.macs > 0 || layer.key.activation != OpKind::identity || is_activation(layer.key.kind);
    return ends && !layer.key.exit;
  }
  // What a potential sums: weights, or spikes where there are none. Sums of integers are integers; floats keep their
  // width.
  static const Format& summed(const ExecutedLayer& layer) {
    return has_weights(layer.key.kind) ? layer.key.weights : layer.key.activations;
  }
  static bool integer(const ExecutedLayer& layer) { return is_integer(summed(layer)); }
  double potential_bits(const ExecutedLayer& layer) const {
    return integer(layer) ? device_.potential_bits : summed(layer).width_bits;
  }
  double add_potential_j(const ExecutedLayer& layer) const {
    return device_.energy.add_j(integer(layer), potential_bits(layer));
  }
  double potential_bytes(const ExecutedLayer& layer) const {
    if (!has_neurons(layer) && layer.macs == 0) return 0;
    const double words = has_neurons(layer) ? device_.neurons[run_.neuron].state_words : 1.0;
    return made(network_, layer) * words * potential_bits(layer) / 8;
  }

  std::size_t home(double bytes) const {
    std::size_t level = 0;
    while (level + 1 < device_.memory.size() && bytes > device_.memory[level].bytes) ++level;
    return level;
  }
  double crossing_j(const Traffic& traffic) const {
    double joules = 0;
    for (std::size_t l = 0; l <= traffic.home; ++l) joules += traffic.bytes * device_.memory[l].joules_per_byte;
    return joules;
  }

  // The slowest of the units and the levels; `fetched`: bytes that the units take from the innermost one.
  void time(SpikingLayer& cost, double fetched, std::initializer_list<Traffic> tensors) const {
    cost.latency_s =
        (cost.accumulates / device_.accumulates_per_cycle + cost.multiplies / device_.multiplies_per_cycle) /
        device_.clock_hz;
    cost.bound_by = &bound_by_compute;
    for (std::size_t l = 0; l < device_.memory.size(); ++l) {
      double bytes = l == 0 ? fetched : 0.0;
      for (const Traffic& tensor : tensors) bytes += tensor.home >= l ? tensor.bytes : 0.0;
      const double seconds = bytes / device_.memory[l].bandwidth_bytes_per_s;
      if (seconds > cost.latency_s) {
        cost.latency_s = seconds;
        cost.bound_by = &device_.memory[l].name;
        cost.bytes = bytes;
      } else if (cost.bound_by == &bound_by_compute) {
        cost.bytes = bytes;
      }
    }
  }

  // Multiply-accumulates of values, as every layer of a quantized network does them. Returns the bytes fetched.
  double multiply(const ExecutedLayer& layer, SpikingLayer& cost) const {
    const auto macs = static_cast<double>(layer.macs);
    const LayerKey& key = layer.key;
    const Format& weights = key.kind == OpKind::matmul ? key.activations : key.weights;  // two activations
    const bool integers = is_integer(weights) && is_integer(key.activations);
    const double width = integers ? device_.accumulator_bits : std::max(weights.width_bits, key.activations.width_bits);
    cost.multiplies += macs;
    cost.compute_j +=
        macs * (device_.energy.multiply_j(weights, key.activations) + device_.energy.add_j(integers, width));
    const double fetched = macs * (weights.width_bits + key.activations.width_bits) / 8 / device_.multiplies_per_fetch;
    cost.weights_j += fetched * device_.memory.front().joules_per_byte;
    return fetched;
  }

  double additions(const ExecutedLayer& layer) const {
    if (layer.macs > 0) return layer.key.add ? made(network_, layer) : 0.0;
    return only_moves(layer.key.kind) ? 0.0 : operations_of(layer);
  }

  SpikingLayer quantized(const ExecutedLayer& layer) const {
    SpikingLayer cost;
    const double fetched = layer.macs > 0 ? multiply(layer, cost) : 0.0;
    const double added = additions(layer);
    const bool integers = is_integer(layer.key.stored_out);
    cost.accumulates = added;
    cost.compute_j +=
        added * device_.energy.add_j(integers, integers ? device_.accumulator_bits : layer.key.stored_out.width_bits);
    const Traffic weights{static_cast<double>(layer.weight_bytes), home(network_weight_bytes_)};
    Traffic values{static_cast<double>(layer.input_bytes + layer.output_bytes), 0};
    values.home = home(values.bytes);
    cost.weights_j += crossing_j(weights);
    cost.values_j = crossing_j(values);
    time(cost, fetched, {weights, values});
    return cost;
  }

  SpikingLayer spiking(const ExecutedLayer& layer) const {
    SpikingLayer cost;
    double fetched = 0;
    const double results = made(network_, layer), add_j = add_potential_j(layer);
    cost.accumulates = additions(layer) * steps();
    if (analogue(layer) && layer.macs > 0) {
      fetched = multiply(layer, cost);
      cost.accumulates += results * steps();  // the same current at every step
    } else if (layer.macs > 0) {
      cost.synaptic_operations = rate(layer) * steps() * static_cast<double>(layer.macs);
      cost.accumulates += cost.synaptic_operations;
      const double weight_bits = layer.key.kind == OpKind::matmul ? 1.0 : layer.key.weights.width_bits;  // a spike
      fetched = cost.synaptic_operations * weight_bits / 8 / device_.accumulates_per_fetch;
      cost.weights_j += fetched * device_.memory.front().joules_per_byte;
    }
    cost.compute_j += cost.accumulates * add_j;
    if (has_neurons(layer)) fire(layer, cost);

    const Traffic weights{static_cast<double>(layer.weight_bytes) * (by_layer() ? 1.0 : steps()),
                          home(network_weight_bytes_)};
    const double read_bytes =
        analogue(layer) ? static_cast<double>(layer.input_bytes) : elements_read(layer) * steps() / 8;
    const double made_bytes = layer.key.exit ? static_cast<double>(layer.output_bytes) : results * steps() / 8;
    const double kept = potential_bytes(layer);
    const Traffic values{read_bytes + made_bytes, home((read_bytes + made_bytes) / (by_layer() ? 1.0 : steps()))};
    const Traffic potentials{2 * (steps() - 1) * kept, by_layer() ? 0 : home(network_potential_bytes_)};
    cost.weights_j += crossing_j(weights);
    cost.values_j = crossing_j(values);
    cost.potentials_j = crossing_j(potentials);
    time(cost, fetched, {weights, values, potentials});
    return cost;
  }

  void fire(const ExecutedLayer& layer, SpikingLayer& cost) const {
    const SpikingNeuron& neuron = device_.neurons[run_.neuron];
    const double updates = made(network_, layer) * steps(), bits = potential_bits(layer);
    const EnergyCurve& multiplied = integer(layer) ? device_.energy.integer_multiply : device_.energy.float_multiply;
    cost.neurons_j = updates * (neuron.adds * add_potential_j(layer) + neuron.multiplies * multiplied.at(bits));
    cost.accumulates += updates * neuron.adds;
    cost.multiplies += updates * neuron.multiplies;
  }

  double bits_read(const ExecutedLayer& layer) const {
    if (!run_.spiking()) return layer.key.activations.width_bits;
    return spike_information_bits(run_.time_steps, rate(layer), device_.neurons[run_.neuron].leaks);
  }

  // Values at the step of the network that needs most, and the potentials kept beside them.
  std::int64_t peak_bytes() const {
    if (!run_.spiking()) return peak_activation_bytes(network_, design_.precision);
    static const Format spike = Format::parse("binary");
    const std::int64_t spikes = peak_activation_bytes(network_, PrecisionPlan::uniform(network_, spike, spike));
    return by_layer() ? spikes * run_.time_steps : spikes + std::llround(network_potential_bytes_);
  }

  const SpikingDevice& device_;
  const Design& design_;
  const Network& network_;
  const SpikingRun& run_;
  SpikingNetwork result_;
  double network_weight_bytes_ = 0, network_potential_bytes_ = 0;
};

}  // namespace

std::optional<SpikingNetwork> SpikingModel::network(const Design& design, const SpikingRun& run,
                                                    std::string& why) const {
  SpikingNetworkCost cost(device_, design, run);
  why = cost.without_spiking_form();
  if (!why.empty()) return std::nullopt;
  return cost.take();
}

std::span<const std::string> SpikingModel::resources() const {
  static const std::array<std::string, 2> names{"synaptic_operations", "bits_per_value"};
  return names;
}

void SpikingModel::estimate_one(const Design& design, Cost& cost) const {
  start_cost(design, design.network.live_nodes(), cost);
  const std::optional<SpikingRun> run = spiking_run(design, device_.run, device_.neurons, cost.unsupported);
  if (!run) return;
  const std::optional<SpikingNetwork> network = this->network(design, *run, cost.unsupported);
  if (!network) return;
  cost.peak_bytes = network->peak_bytes;
  auto row = cost.ops.begin();
  for (std::size_t i = 0; i < network->layers.size(); ++i) {
    const ExecutedLayer& layer = network->layers[i];
    const SpikingLayer& one = network->costs[i];
    while (row->node != layer.node) ++row;
    row->latency_s = one.latency_s;
    row->energy_j = one.energy_j();
    row->macs = layer.macs;
    row->bytes = std::llround(one.bytes);
    row->bound_by = *one.bound_by;
    cost.weight_bytes += layer.weight_bytes;
    cost.latency_s += row->latency_s;
    cost.energy_j += row->energy_j;
  }
  cost.resources = {{"synaptic_operations", network->synaptic_operations, 0.0},
                    {"bits_per_value", network->bits_per_value, 0.0}};
}

void SpikingModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  for (std::size_t i = 0; i < designs.size(); ++i) estimate_one(designs[i], costs[i]);
}

}  // namespace ridgeline
