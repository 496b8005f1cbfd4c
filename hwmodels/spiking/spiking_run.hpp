// How a network runs as a spiking one: over how many steps, with which neurons, how often they fire, and how its input
// becomes spikes. A device file has a run of its own; a design's schedule changes it, so that all of it can be
// searched:
//
//   "time_steps"         T; 0: the network runs as it is, quantized and without spikes
//   "firing_rate"        share of neurons that fire in a step, of those that any layer reads
//   "firing_rate.conv2d" ... of those that layers of one class read: conv2d, depthwise, linear, matmul
//   "encoding"           "direct": the first layer reads the input's values and multiplies; "rate": it reads spikes
//   "input_rate"         share of the input's values that are spikes in a step, of rate encoding
//   "neuron"             one of the device file's "neurons"
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hwmodels/roofline.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

inline constexpr std::int64_t most_time_steps = 1024;

// What a kind of neuron does a step beside taking in its spikes, such as IF, LIF and CLIF.
struct SpikingNeuron {
  std::string name;
  double adds = 0, multiplies = 0;  // a step: threshold, reset, leak
  double state_words = 1;           // potentials kept from step to step
  bool leaks = false;               // a spike counts less the older it is, so that their order matters
};

enum class SpikeEncoding : std::uint8_t { direct, rate };
std::span<const std::string> spike_encoding_names();

struct SpikingRun {
  std::int64_t time_steps = 0;
  std::array<double, efficiency_class_count> firing_rate{};  // by the class of the layer that reads; vector: unused
  double input_rate = 0;
  SpikeEncoding encoding = SpikeEncoding::direct;
  std::size_t neuron = 0;  // of the device's

  bool spiking() const { return time_steps > 0; }
};

// `standard` with what the design's schedule says otherwise. nullopt: `why` says what is wrong with it.
std::optional<SpikingRun> spiking_run(const Design& design, const SpikingRun& standard,
                                      std::span<const SpikingNeuron> neurons, std::string& why);
// The design with this run in its schedule.
Design with_spiking_run(Design design, const SpikingRun& run, std::span<const SpikingNeuron> neurons);

// The most that a neuron can tell in T steps when it fires in a share s of them, in bits. It is a bound by information
// theory and says nothing of whether training reaches it.
//   of a leaky neuron's reader, for which the order of spikes matters: T h(s), h the binary entropy
//   of an integrating one's, for which only their number matters: the largest entropy of a distribution over 0 ... T
//   with mean s T, P(k) ~ q^k; it is h(s) for one step and log2(T + 1) at s = 1/2
double spike_information_bits(std::int64_t time_steps, double firing_rate, bool order_matters);

}  // namespace ridgeline
