// A network as a spiking one and as a quantized one, on hardware that has units for both: what STEP compares (Shen et
// al., "STEP: A Unified Spiking Transformer Evaluation Platform", arXiv:2505.11151, 2025): energy from the share of
// neurons that fire, the bit widths, and what is read and written. Synaptic operations are counted as there and before
// (Zhou et al., "Spikformer", ICLR 2023): rate x steps x multiply-accumulates.
//
// Of a layer of M multiply-accumulates with weights of w bytes each and W in all, that reads n and makes m values:
//
//   quantized                               spiking, over T steps, where a share s of the neurons it reads fire
//   M (multiply + add(accumulator))         s T M add(potential)                                     compute
//                                           T m (adds add(potential) + multiplies multiply(potential))  neurons
//   M (w + a) e_0 / F_multiply + W x        s T M w e_0 / F_accumulate + W x                         weights
//   (stored bytes of n and m) x             T (n + m) / 8 x                                          values
//                                           2 (T - 1) m words potential x                            potentials
//
// e_0 is what a byte costs from the innermost memory, which feeds the units; a byte fetched there serves F operations.
// x is the sum over the levels from the innermost to the one where the tensor lies: weights in the smallest that holds
// those of the whole network, values in the smallest that holds the layer's. With "order": "layer" a layer does all its
// steps before the next one begins, some neurons after the others: its weights come once, it holds spikes of T steps,
// and potentials stay in the innermost level. With "order": "network" a step goes through the whole network before the
// next: weights come T times, and potentials lie where those of the whole network do.
//
// Every convolution, linear layer and product of matrices has spiking neurons at its end, but for the one that makes
// the network's output, whose potentials are read; so has an activation that stands alone. Neurons that a layer reads
// fire at the rate of that layer's class. With direct encoding the first layers read the input's own values: they
// multiply, once, and add their result to the potentials at every step. Of a product of two spike matrices the rate of
// the first counts; zeros of the second are added too. Additions and pools of spikes are additions at every step, of
// all values. Layer norms and softmax have no spiking form: a network with one is unsupported.
//
// Latency is the sum over layers of the slowest of their operations and of the traffic over each level.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/hardware_model.hpp"
#include "hwmodels/layers.hpp"
#include "hwmodels/spiking/operation_energy.hpp"
#include "hwmodels/spiking/spiking_run.hpp"

namespace ridgeline {

struct SpikingDevice {
  enum class Order : std::uint8_t { layer, network };
  std::string name, about, category;
  OperationEnergy energy;
  double accumulator_bits = 32;  // of integer sums of products; floats are added in their own width
  double potential_bits = 16;    // of a neuron's potential where weights are integers
  double accumulates_per_fetch = 1, multiplies_per_fetch = 1;
  double clock_hz = 0, accumulates_per_cycle = 0, multiplies_per_cycle = 0;
  std::vector<MemoryLevel> memory;  // innermost first
  std::vector<SpikingNeuron> neurons;
  Order order = Order::layer;
  SpikingRun run;  // where a design's schedule says nothing
};

// Every number must be named under "sources". Notes problems in the reader.
SpikingDevice read_spiking(JsonReader& root);

struct SpikingLayer {
  double compute_j = 0, neurons_j = 0, weights_j = 0, values_j = 0, potentials_j = 0;
  double accumulates = 0, multiplies = 0;  // operations; a multiply-accumulate is one of `multiplies`
  double synaptic_operations = 0;          // of `accumulates` those that a spike causes
  double latency_s = 0;
  double bytes = 0;  // over the level that bounds it, or the outermost
  const std::string* bound_by = nullptr;

  double energy_j() const { return compute_j + neurons_j + weights_j + values_j + potentials_j; }
};

struct SpikingNetwork {
  std::vector<ExecutedLayer> layers;  // in the order of their results
  std::vector<SpikingLayer> costs;    // one a layer
  double bits_per_value = 0;    // that a value read by a multiplying layer tells at most, mean over all but the input's
  std::int64_t peak_bytes = 0;  // values, and the potentials that are kept between steps of the network
  double synaptic_operations = 0;
};

class SpikingModel final : public HardwareModel {
 public:
  explicit SpikingModel(SpikingDevice device) : device_(std::move(device)) {}
  static std::unique_ptr<HardwareModel> make(JsonDocument document);

  const std::string& name() const override { return device_.name; }
  bool has_energy() const override { return true; }
  // synaptic_operations, and bits_per_value: SpikingNetwork.
  std::span<const std::string> resources() const override;
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

  const SpikingDevice& device() const { return device_; }
  // nullopt: `why` says why it has no spiking form. The design's own schedule is not looked at.
  std::optional<SpikingNetwork> network(const Design& design, const SpikingRun& run, std::string& why) const;

 private:
  void estimate_one(const Design& design, Cost& cost) const;

  SpikingDevice device_;
};

}  // namespace ridgeline
