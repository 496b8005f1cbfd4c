#include "experiments/report/spiking_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/report/report_units.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::array<std::int64_t, 6> compared_steps{1, 2, 4, 8, 16, 32};
constexpr auto vector_class = static_cast<std::size_t>(EfficiencyClass::vector);

SpikingNetwork network_of(const SpikingModel& device, const Design& design, const SpikingRun& run) {
  std::string why;
  std::optional<SpikingNetwork> network = device.network(design, run, why);
  if (!network) {
    throw ConfigError({"network", "", "one that has a spiking form", why,
                       "spiking transformers have batch norms in place of layer norms, and no softmax: see the space "
                       "spikformer_small"});
  }
  return std::move(*network);
}

SpikingRun at_rate(SpikingRun run, double rate) {
  run.firing_rate.fill(rate);
  return run;
}

SpikingRun without_spikes(SpikingRun run) {
  run.time_steps = 0;
  return run;
}

double energy_of(const SpikingNetwork& network) {
  double joules = 0;
  for (const SpikingLayer& one : network.costs) joules += one.energy_j();
  return joules;
}

double latency_of(const SpikingNetwork& network) {
  double seconds = 0;
  for (const SpikingLayer& one : network.costs) seconds += one.latency_s;
  return seconds;
}

// The class of a layer's row: the first layers are apart, as they may multiply.
std::size_t part_of(const ExecutedLayer& layer) {
  const bool entry = layer.key.entry && layer.macs > 0;
  return entry ? 0 : 1 + static_cast<std::size_t>(efficiency_class_of(layer.key));
}

// The four costs of every layer go to its class and to the sum.
void add_layers(const SpikingNetwork& spiking, const SpikingNetwork& quantized, const SpikingNetwork& silent,
                const SpikingNetwork& full, SpikingReport& report) {
  std::vector<SpikingPart> parts(1 + efficiency_class_count);
  parts[0].name = "input layers";
  for (std::size_t i = 0; i < efficiency_class_count; ++i) parts[i + 1].name = efficiency_class_names()[i];
  report.sum.name = "sum";
  for (std::size_t i = 0; i < spiking.layers.size(); ++i) {
    for (SpikingPart* part : {&parts[part_of(spiking.layers[i])], &report.sum}) {
      part->macs += spiking.layers[i].macs;
      part->synaptic_operations += spiking.costs[i].synaptic_operations;
      part->spiking.add(spiking.costs[i]);
      part->quantized.add(quantized.costs[i]);
      part->silent_j += silent.costs[i].energy_j();
      part->full_j += full.costs[i].energy_j();
    }
  }
  for (SpikingPart& part : parts) {
    if (part.quantized.total_j() > 0) report.parts.push_back(std::move(part));
  }
}

double mean_rate(const SpikingNetwork& spiking, const SpikingNetwork& full) {
  double fired = 0, all = 0;
  for (std::size_t i = 0; i < spiking.layers.size(); ++i) {
    if (spiking.layers[i].key.entry) continue;
    fired += spiking.costs[i].synaptic_operations;
    all += full.costs[i].synaptic_operations;
  }
  return all > 0 ? fired / all : 0;
}

// Activations of `bits` without a sign, but for what the first layers read.
Design with_activation_bits(Design design, int bits, const SpikingNetwork& network) {
  const Format format = Format::parse(fmt::format("uint{}", bits));
  design.precision.operators.resize(design.network.size());
  for (const ExecutedLayer& layer : network.layers) {
    if (layer.macs > 0 && !layer.key.entry) design.precision.operators[layer.anchor].activations = format;
  }
  return design;
}

SpikingSteps over_steps(const Design& design, const Design& quantized, double quantized_j, const SpikingModel& device,
                        SpikingRun run, std::int64_t time_steps) {
  run.time_steps = time_steps;
  const SpikingNetwork network = network_of(device, design, run);
  const double silent = energy_of(network_of(device, design, at_rate(run, 0)));
  const double full = energy_of(network_of(device, design, at_rate(run, 1)));
  const int bits = equal_level_bits(time_steps);
  const double equal =
      energy_of(network_of(device, with_activation_bits(quantized, bits, network), without_spikes(run)));
  return {time_steps,
          energy_of(network),
          crossing_rate(silent, full, quantized_j),
          bits,
          equal,
          crossing_rate(silent, full, equal)};
}

std::string rate_text(std::optional<double> rate) {
  if (!rate) return "no such rate";
  if (*rate < 0) return "never pays";
  if (*rate > 1) return "always pays";
  return percent(*rate, 2);
}

std::string run_text(const SpikingReport& report) {
  std::string rates;
  for (std::size_t i = 0; i < vector_class; ++i) {
    const std::string& name = efficiency_class_names()[i];
    if (std::ranges::find(report.parts, name, &SpikingPart::name) == report.parts.end()) continue;
    rates += fmt::format("{}{} {}", rates.empty() ? "" : ", ", name, percent(report.run.firing_rate[i]));
  }
  std::string text = fmt::format("{}: {} steps, {} neurons, {} encoding", report.device, report.run.time_steps,
                                 report.neuron, spike_encoding_names()[static_cast<std::size_t>(report.run.encoding)]);
  if (report.run.encoding == SpikeEncoding::rate)
    text += fmt::format(" ({} of the input)", percent(report.run.input_rate));
  if (!rates.empty()) text += fmt::format("; of the neurons that layers read fire a step: {}", rates);
  return text + fmt::format("\na value tells at most {:.2f} bits\n", report.bits_per_value);
}

std::string verdict_text(const SpikingReport& report) {
  const double spiking = report.sum.spiking.total_j(), quantized = report.sum.quantized.total_j();
  if (!(spiking > 0 && quantized > 0)) return "";  // no operator does anything
  std::string text = fmt::format(
      "the {} network takes {:.2f} times as much energy as the {} one", spiking > quantized ? "spiking" : "quantized",
      std::max(spiking, quantized) / std::min(spiking, quantized), spiking > quantized ? "quantized" : "spiking");
  const std::optional<double> rate = report.sum.break_even_rate();
  if (!rate) return text + "\n";
  if (*rate < 0) return text + "; it would even if no neuron fired\n";
  if (*rate > 1) return text + "; spikes pay even if every neuron fires at every step\n";
  return text + fmt::format("; spikes pay where less than {} of the neurons fire a step, here {} do\n",
                            percent(*rate, 2), percent(report.mean_rate, 2));
}

std::string steps_text(const SpikingReport& report, const TextStyle& style) {
  TextTable table({{"steps", true},
                   {"spiking", true},
                   {"break-even rate", true},
                   {"bits of as many levels", true},
                   {"quantized so", true},
                   {"break-even rate", true}});
  for (const SpikingSteps& one : report.steps) {
    table.add({std::to_string(one.time_steps), pretty(one.spiking_j, "J"), rate_text(one.break_even_rate),
               std::to_string(one.equal_bits), pretty(one.equal_j, "J"), rate_text(one.equal_break_even_rate)});
  }
  return table.text(style);
}

std::string energies_text(const SpikingReport& report, const TextStyle& style) {
  TextTable table({{"energy for", false}, {"spiking", true}, {"quantized", true}});
  const auto row = [&](const char* name, double SpikingEnergy::*what) {
    table.add({name, pretty(report.sum.spiking.*what, "J"), pretty(report.sum.quantized.*what, "J")});
  };
  row("additions and multiplications", &SpikingEnergy::compute_j);
  row("neurons", &SpikingEnergy::neurons_j);
  row("weights, and operands fetched", &SpikingEnergy::weights_j);
  row("spikes or activations", &SpikingEnergy::values_j);
  row("potentials", &SpikingEnergy::potentials_j);
  return table.text(style);
}

Json energy_json(const SpikingEnergy& energy) {
  return {{"energy_j", energy.total_j()},  {"compute_j", energy.compute_j}, {"neurons_j", energy.neurons_j},
          {"weights_j", energy.weights_j}, {"values_j", energy.values_j},   {"potentials_j", energy.potentials_j}};
}

Json optional_json(std::optional<double> value) { return value ? Json(*value) : Json(); }

Json part_json(const SpikingPart& part) {
  return {{"operators", part.name},
          {"macs", part.macs},
          {"synaptic_operations", part.synaptic_operations},
          {"spiking", energy_json(part.spiking)},
          {"quantized", energy_json(part.quantized)},
          {"silent_j", part.silent_j},
          {"full_j", part.full_j},
          {"break_even_rate", optional_json(part.break_even_rate())}};
}

}  // namespace

void SpikingEnergy::add(const SpikingLayer& layer) {
  compute_j += layer.compute_j;
  neurons_j += layer.neurons_j;
  weights_j += layer.weights_j;
  values_j += layer.values_j;
  potentials_j += layer.potentials_j;
}

std::optional<double> crossing_rate(double at_zero, double at_one, double other) {
  if (at_one == at_zero) return std::nullopt;
  return (other - at_zero) / (at_one - at_zero);
}

std::optional<double> SpikingPart::break_even_rate() const {
  return crossing_rate(silent_j, full_j, quantized.total_j());
}

SpikingReport spiking_report(const Design& design, const Design& quantized, const std::string& name,
                             const SpikingModel& device, const SpikingRun& run) {
  if (!run.spiking()) {
    throw ConfigError({"time_steps", "", "at least one step", "0", "a network without steps has no spikes"});
  }
  SpikingReport report;
  report.network = name;
  report.device = device.name();
  report.run = run;
  report.neuron = device.device().neurons[run.neuron].name;
  const SpikingNetwork spiking = network_of(device, design, run);
  const SpikingNetwork whole = network_of(device, quantized, without_spikes(run));
  const SpikingNetwork silent = network_of(device, design, at_rate(run, 0));
  const SpikingNetwork full = network_of(device, design, at_rate(run, 1));
  add_layers(spiking, whole, silent, full, report);
  report.mean_rate = mean_rate(spiking, full);
  report.bits_per_value = spiking.bits_per_value;
  report.spiking_s = latency_of(spiking);
  report.quantized_s = latency_of(whole);
  for (const std::int64_t steps : compared_steps) {
    report.steps.push_back(over_steps(design, quantized, energy_of(whole), device, run, steps));
  }
  return report;
}

std::string spiking_text(const SpikingReport& report, const TextStyle& style) {
  TextTable table({{"operators", false},
                   {"MACs", true},
                   {"synaptic operations", true},
                   {"spiking", true},
                   {"quantized", true},
                   {"spiking/quantized", true},
                   {"break-even rate", true}});
  std::vector<SpikingPart> rows = report.parts;
  rows.push_back(report.sum);
  for (const SpikingPart& part : rows) {
    table.add(
        {part.name, grouped(part.macs), grouped(std::llround(part.synaptic_operations)),
         pretty(part.spiking.total_j(), "J"), pretty(part.quantized.total_j(), "J"),
         part.quantized.total_j() > 0 ? fmt::format("{:.3f}", part.spiking.total_j() / part.quantized.total_j()) : "",
         rate_text(part.break_even_rate())});
  }
  return run_text(report) + "\n" + table.text(style) + verdict_text(report) +
         fmt::format("latency {} spiking, {} quantized\n\n", pretty(report.spiking_s, "s"),
                     pretty(report.quantized_s, "s")) +
         energies_text(report, style) +
         "\nover other numbers of steps, against these formats and against activations " +
         "of as many levels as there are numbers of spikes\n" + steps_text(report, style);
}

Json spiking_json(const SpikingReport& report) {
  Json json{{"network", report.network},
            {"device", report.device},
            {"time_steps", report.run.time_steps},
            {"neuron", report.neuron},
            {"encoding", spike_encoding_names()[static_cast<std::size_t>(report.run.encoding)]},
            {"input_rate", report.run.input_rate},
            {"mean_rate", report.mean_rate},
            {"bits_per_value", report.bits_per_value},
            {"spiking_latency_s", report.spiking_s},
            {"quantized_latency_s", report.quantized_s},
            {"parts", Json::array()},
            {"sum", part_json(report.sum)},
            {"steps", Json::array()}};
  for (std::size_t i = 0; i < vector_class; ++i) {
    json["firing_rate"][efficiency_class_names()[i]] = report.run.firing_rate[i];
  }
  for (const SpikingPart& part : report.parts) json["parts"].push_back(part_json(part));
  for (const SpikingSteps& one : report.steps) {
    json["steps"].push_back({{"time_steps", one.time_steps},
                             {"spiking_j", one.spiking_j},
                             {"break_even_rate", optional_json(one.break_even_rate)},
                             {"equal_bits", one.equal_bits},
                             {"equal_j", one.equal_j},
                             {"equal_break_even_rate", optional_json(one.equal_break_even_rate)}});
  }
  return json;
}

}  // namespace ridgeline
