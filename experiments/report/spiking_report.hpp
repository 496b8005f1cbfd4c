// The energy of one network as a spiking one and as a quantized one, by class of operator and in sum, and the firing
// rate at which they take the same: STEP's comparison (hwmodels/spiking/spiking_model.hpp), for people and programs.
//
// The energy of a spiking layer is a straight line in the rate at which the neurons that it reads fire, E(s) = E(0) +
// s (E(1) - E(0)), so that it meets the quantized energy Q at s = (Q - E(0)) / (E(1) - E(0)). Below 0: spikes never
// pay; above 1: they always do.
//
// What a quantized network is compared with matters: T steps tell T + 1 numbers of spikes apart, as many as integers of
// ceil(log2(T + 1)) bits do, so that beside the chosen formats each T is compared with activations of so many bits (Yan
// et al., "Reconsidering the Energy Efficiency of Spiking Neural Networks", arXiv:2409.08290).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/report/report_text.hpp"
#include "hwmodels/spiking/spiking_model.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

// Joules of some layers by what takes them.
struct SpikingEnergy {
  double compute_j = 0, neurons_j = 0, weights_j = 0, values_j = 0, potentials_j = 0;
  double total_j() const { return compute_j + neurons_j + weights_j + values_j + potentials_j; }
  void add(const SpikingLayer& layer);
};

struct SpikingPart {
  std::string name;  // "input layers", the class of other layers, or "sum"
  std::int64_t macs = 0;
  double synaptic_operations = 0;
  SpikingEnergy spiking, quantized;
  double silent_j = 0, full_j = 0;  // as a spiking network where no neuron fires, and where all do

  // Nothing where the energy does not depend on the rate.
  std::optional<double> break_even_rate() const;
};
// Where the line from (0, at_zero) to (1, at_one) has the value `other`; nothing where it is level.
std::optional<double> crossing_rate(double at_zero, double at_one, double other);

// The same network over another number of steps.
struct SpikingSteps {
  std::int64_t time_steps = 0;
  double spiking_j = 0;
  std::optional<double> break_even_rate;  // against the chosen formats
  int equal_bits = 0;                     // ceil(log2(T + 1))
  double equal_j = 0;                     // quantized, with activations of so many bits
  std::optional<double> equal_break_even_rate;
};

struct SpikingReport {
  std::string network, device, neuron;
  SpikingRun run;
  double mean_rate = 0;  // over synaptic operations at rate 1, input layers left out
  double bits_per_value = 0;
  std::vector<SpikingPart> parts;  // those that have layers
  SpikingPart sum;
  double spiking_s = 0, quantized_s = 0;  // latency
  std::vector<SpikingSteps> steps;
};

inline int equal_level_bits(std::int64_t time_steps) {
  int bits = 0;
  while ((std::int64_t{1} << bits) < time_steps + 1) ++bits;
  return bits;
}

// `quantized` has the same network in the formats to compare with. Throws ConfigError: the network has no spiking form,
// or `run` has no steps.
SpikingReport spiking_report(const Design& design, const Design& quantized, const std::string& name,
                             const SpikingModel& device, const SpikingRun& run);
std::string spiking_text(const SpikingReport& report, const TextStyle& style);
Json spiking_json(const SpikingReport& report);

}  // namespace ridgeline
