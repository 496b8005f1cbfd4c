#include "hwmodels/plugin/plugin_design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/roofline.hpp"

namespace ridgeline {
namespace {

const std::string bound_by_plugin = "model";

bool is_cost(double value) { return std::isfinite(value) && value >= 0; }

// Why a list of costs cannot be taken, or empty.
std::string problem_of(const char* name, const std::vector<double>& values, std::size_t expected) {
  if (!values.empty() && values.size() != expected) {
    return fmt::format("its {} are not as many as were asked for", name);
  }
  for (const double value : values) {
    if (!is_cost(value)) return fmt::format("one of its {} is {}", name, value < 0 ? "negative" : "not finite");
  }
  return "";
}

std::string problem_of(const PluginDesign& design, const PluginAbilities& abilities, const PluginAnswer& answer) {
  const std::size_t layers = design.layers.size();
  if (std::string problem = problem_of("resources", answer.resources, abilities.resources.size()); !problem.empty()) {
    return problem;
  }
  if (!answer.unsupported.empty()) return "";
  for (const auto& [name, value] : {std::pair{"latency_s", answer.latency_s}, {"energy_j", answer.energy_j}}) {
    if (!is_cost(value)) return fmt::format("its {} is {}", name, value < 0 ? "negative" : "not finite");
  }
  if (answer.resources.size() != abilities.resources.size()) return "it does not say what it takes of each resource";
  if (!answer.layer_bound_by.empty() && answer.layer_bound_by.size() != layers) {
    return "its layers' bounds are not as many as were asked for";
  }
  std::string problem = problem_of("layers' latencies", answer.layer_latency_s, layers);
  return problem.empty() ? problem_of("layers' energies", answer.layer_energy_j, layers) : problem;
}

void add_layers(const PluginDesign& design, const PluginAbilities& abilities, const PluginAnswer& answer, Cost& cost) {
  std::size_t row = 0;
  for (std::size_t i = 0; i < design.layers.size(); ++i) {
    const ExecutedLayer& layer = design.layers[i].layer;
    while (cost.ops[row].node != layer.node) ++row;
    OpCost& op = cost.ops[row];
    op.macs = layer.macs;
    op.bytes = layer.weight_bytes + layer.input_bytes + layer.output_bytes;
    if (!answer.layer_latency_s.empty()) op.latency_s = answer.layer_latency_s[i];
    if (!answer.layer_energy_j.empty() && abilities.energy) op.energy_j = answer.layer_energy_j[i];
    if (!answer.layer_bound_by.empty()) op.bound_by = plain_words(answer.layer_bound_by[i], 40);
    if (op.bound_by.empty() && op.latency_s > 0) op.bound_by = bound_by_plugin;
  }
}

// The length of the UTF-8 sequence that `text` begins with, 0 where there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first >= 0x80 && (first < 0xC2 || first > 0xF4)) return 0;
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool outside = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || outside ? 0 : length;
}

}  // namespace

PluginDesign plugin_design(const Design& design) {
  PluginDesign result;
  const Network& network = design.network;
  const std::vector<NodeId> live = network.live_nodes();
  const std::vector<Format> stored = stored_formats(network, design.precision);
  start_cost(design, live, result.started);
  std::vector<ExecutedLayer> layers = executed_layers(network, design.precision, stored, live);
  std::ranges::sort(layers, {}, &ExecutedLayer::node);
  std::vector<std::vector<std::int32_t>> inputs = layer_inputs(network, layers, live);
  result.layers.reserve(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    result.started.weight_bytes += layers[i].weight_bytes;
    result.layers.push_back({layers[i], network.name(layers[i].anchor), std::move(inputs[i])});
  }
  result.hardware = design.hardware.get();
  result.schedule = design.schedule.get();
  return result;
}

std::string problem_of(const PluginAbilities& abilities) {
  for (std::size_t i = 0; i < abilities.resources.size(); ++i) {
    const std::string& name = abilities.resources[i];
    if (name.empty()) return "a resource without a name";
    if (std::ranges::count(abilities.resources, name) > 1) return "the resource '" + plain_words(name, 40) + "' twice";
    for (const char* taken : {"latency_s", "energy_j", "peak_bytes", "weight_bytes"}) {
      if (name == taken) return "a resource called '" + name + "', which every model has";
    }
    if (!is_cost(abilities.available[i])) return "how much there is of '" + plain_words(name, 40) + "' is no number";
  }
  return "";
}

Cost cost_of(PluginDesign design, const PluginAbilities& abilities, const PluginAnswer& answer,
             const std::string& device) {
  Cost cost = std::move(design.started);
  std::string failed = answer.failed.empty() ? problem_of(design, abilities, answer) : plain_words(answer.failed);
  if (!failed.empty()) {
    cost.failed = fmt::format("{}: {}", device, failed);
    return cost;
  }
  for (std::size_t i = 0; i < answer.resources.size(); ++i) {
    cost.resources.push_back({abilities.resources[i], answer.resources[i], abilities.available[i]});
  }
  cost.unsupported = plain_words(answer.unsupported);
  if (!cost.unsupported.empty()) return cost;
  cost.latency_s = answer.latency_s;
  cost.energy_j = abilities.energy ? answer.energy_j : 0.0;
  add_layers(design, abilities, answer, cost);
  cost.unsupported = misfit_text(cost, device);
  return cost;
}

std::string plain_words(std::string_view text, std::size_t most) {
  std::string words;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool blank = length == 1 && (first <= ' ' || first == 0x7F);
    if (words.size() + std::max<std::size_t>(length, 1) + 3 > most) return words + "...";
    if (blank) {
      if (!words.empty() && words.back() != ' ') words += ' ';
    } else if (length == 0) {
      words += '?';
    } else {
      words += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  if (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

}  // namespace ridgeline
