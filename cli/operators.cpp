#include "cli/operators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace ridgeline {
namespace {

std::string shape_of(const Network& network, NodeId node) { return shape_text(network.shape(node)); }

std::string formats_text(const Design& design, NodeId node) {
  const OpKind kind = design.network.op(node).kind;
  if (kind != OpKind::conv2d && kind != OpKind::linear && kind != OpKind::matmul) return "";
  const OperatorFormats formats = design.precision.at(node);
  const std::string weights = formats.weights.text(), activations = formats.activations.text();
  return weights == activations ? weights : weights + " x " + activations;
}

const OpCost* cost_at(const DeviceEstimate& estimate, NodeId node) {
  const auto it = std::find_if(estimate.cost.ops.begin(), estimate.cost.ops.end(),
                               [&](const OpCost& op) { return op.node == node; });
  return it == estimate.cost.ops.end() ? nullptr : &*it;
}

bool timed_anywhere(std::span<const DeviceEstimate* const> estimates, NodeId node) {
  return std::any_of(estimates.begin(), estimates.end(), [&](const DeviceEstimate* estimate) {
    const OpCost* op = cost_at(*estimate, node);
    return op != nullptr && op->latency_s > 0;
  });
}

// The operators whose work a row stands for: itself, behind those before it that no device spends time on because they
// are fused into it.
std::vector<NodeId> fused_chain(const Network& network, std::span<const DeviceEstimate* const> estimates, NodeId node) {
  std::vector<NodeId> chain{node};
  while (true) {
    const std::span<const NodeId> inputs = network.inputs(chain.back());
    const auto free = std::find_if(inputs.begin(), inputs.end(), [&](NodeId input) {
      return network.op(input).kind != OpKind::input && !timed_anywhere(estimates, input);
    });
    if (estimates.empty() || free == inputs.end()) break;
    chain.push_back(*free);
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

bool utilised(const DeviceEstimate& estimate) {
  return std::ranges::any_of(estimate.cost.ops, [](const OpCost& op) { return op.utilisation > 0; });
}

// "64,211 of 1,728,000 luts (3.7 %), 0 of 12,288 dsps (0.0 %)".
std::string resources_text(const Cost& cost) {
  std::string text;
  for (const ResourceUse& one : cost.resources) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", resource_text(one));
    if (one.available > 0) text += fmt::format(" of {}", grouped(std::llround(one.available)));
    text += " " + one.name;
    if (one.available > 0) text += fmt::format(" ({})", percent(one.used / one.available));
  }
  return text;
}

}  // namespace

std::string operator_text(const Op& op) {
  std::string text(name_of(op.kind));
  if (op.kind == OpKind::conv2d || op.kind == OpKind::max_pool || op.kind == OpKind::avg_pool) {
    text += fmt::format(" {}x{}", op.kernel[0], op.kernel[1]);
    if (op.stride[0] != 1 || op.stride[1] != 1) text += fmt::format(" /{}", op.stride[0]);
  }
  if (op.groups > 1) text += fmt::format(" g{}", op.groups);
  return text;
}

std::string resource_text(const ResourceUse& resource) {
  const double whole = std::round(resource.used);
  return whole == resource.used || whole >= 1000 ? grouped(std::llround(resource.used))
                                                 : fmt::format("{:.3g}", resource.used);
}

std::string operators_text(const Design& design, std::span<const DeviceEstimate> estimates, const TextStyle& style) {
  std::vector<TextTable::Column> columns{{"node", true},    {"operator", false}, {"output", false},
                                         {"format", false}, {"MACs", true},      {"parameters", true}};
  std::vector<const DeviceEstimate*> usable;
  std::string notes;
  for (const DeviceEstimate& estimate : estimates) {
    if (!estimate.problem.empty()) {
      notes += fmt::format("{}: {}\n", estimate.device, estimate.problem);
      continue;
    }
    usable.push_back(&estimate);
    columns.push_back({estimate.device + " (us)", true});
    columns.push_back({"bound by", false});
    if (utilised(estimate)) columns.push_back({"utilisation", true});
    notes += fmt::format("{}: {} in all{}\n", estimate.device, pretty(estimate.cost.latency_s, "s"),
                         estimate.cost.energy_j > 0 ? ", " + pretty(estimate.cost.energy_j, "J") : "");
    if (!estimate.cost.resources.empty())
      notes += fmt::format("{}: {}\n", estimate.device, resources_text(estimate.cost));
  }
  TextTable table(columns);
  const Network& network = design.network;
  for (const NodeId node : network.live_nodes()) {
    if (!usable.empty() && !timed_anywhere(usable, node)) continue;
    std::string kinds, formats;
    std::int64_t work = 0, size = 0;
    for (const NodeId part : fused_chain(network, usable, node)) {
      kinds.append(kinds.empty() ? "" : " + ").append(operator_text(network.op(part)));
      if (formats.empty()) formats = formats_text(design, part);
      work += macs(network, part);
      size += parameters(network, part);
    }
    std::vector<std::string> row{std::to_string(node),          kinds,
                                 shape_of(network, node),       formats,
                                 work > 0 ? grouped(work) : "", size > 0 ? grouped(size) : ""};
    for (const DeviceEstimate* estimate : usable) {
      const OpCost* op = cost_at(*estimate, node);
      row.push_back(op != nullptr && op->latency_s > 0 ? fmt::format("{:.2f}", op->latency_s * 1e6) : "");
      row.push_back(op != nullptr ? op->bound_by : "");
      if (utilised(*estimate)) row.push_back(op != nullptr && op->utilisation > 0 ? percent(op->utilisation) : "");
    }
    table.add(std::move(row));
  }
  return table.text(style) + (usable.empty() ? "" : "operators without a row are fused into others or free\n") + notes;
}

std::string measurement_line(const Measurement& measurement) {
  if (measurement.samples_s.empty()) return measurement.reason;
  const double values[] = {measurement.median_s, measurement.ci_low_s, measurement.ci_high_s};
  const UnitScale scale = scale_for(values, "s");
  std::string line = fmt::format("{} (95 % {} to {}), MAD {}, {} samples", scale.text(measurement.median_s),
                                 scale.number(measurement.ci_low_s), scale.number(measurement.ci_high_s),
                                 pretty(measurement.mad_s, "s"), measurement.samples_s.size());
  if (measurement.outcome != Measurement::Outcome::ok) line += "; not used: " + measurement.reason;
  return line;
}

std::string steps_text(const Design& design, const Measurement& measurement, const TextStyle& style) {
  if (measurement.ops.empty()) return "";
  TextTable table({{"node", true},
                   {"step", false},
                   {"fused", true},
                   {"format", false},
                   {"MACs", true},
                   {"us", true},
                   {"share", true},
                   {"GMAC/s", true},
                   {"implementation", false}});
  for (const OpTime& op : measurement.ops) {
    const bool known = op.step.kind == name_of(design.network.op(op.step.node).kind);
    table.add({std::to_string(op.step.node), known ? operator_text(design.network.op(op.step.node)) : op.step.kind,
               op.step.fused.empty() ? "" : std::to_string(op.step.fused.size()), op.step.format,
               op.step.macs > 0 ? grouped(op.step.macs) : "", fmt::format("{:.2f}", op.median_s * 1e6),
               percent(measurement.sum_of_ops_s > 0 ? op.median_s / measurement.sum_of_ops_s : 0),
               op.step.macs > 0 && op.median_s > 0
                   ? fmt::format("{:.1f}", static_cast<double>(op.step.macs) / op.median_s * 1e-9)
                   : "",
               op.step.implementation});
  }
  const double gap = measurement.median_s > 0 ? measurement.sum_of_ops_s / measurement.median_s - 1.0 : 0.0;
  return table.text(style) + fmt::format("sum of steps {} beside {} for the whole network ({:+.1f} %)\n",
                                         pretty(measurement.sum_of_ops_s, "s"), pretty(measurement.median_s, "s"),
                                         gap * 100);
}

}  // namespace ridgeline
