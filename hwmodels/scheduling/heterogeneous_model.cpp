#include "hwmodels/scheduling/heterogeneous_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "hwmodels/roofline.hpp"
#include "hwmodels/scheduling/heft.hpp"

namespace ridgeline {
namespace {

constexpr double whole_percent = 100.0;

// The layers that make what each reads, once each, without the network's inputs.
std::vector<std::set<std::size_t>> makers(const Network& network, std::span<const ExecutedLayer> layers,
                                          std::span<const NodeId> live) {
  std::vector<std::set<std::size_t>> result;
  for (const std::vector<std::int32_t>& reads : layer_inputs(network, layers, live)) {
    std::set<std::size_t>& made = result.emplace_back();
    for (const std::int32_t from : reads) {
      if (from >= 0) made.insert(static_cast<std::size_t>(from));
    }
  }
  return result;
}

}  // namespace

double HeterogeneousDevice::area_mm2() const {
  double sum = link_mm2;
  for (const SubAccelerator& one : accelerators) sum += one.area_mm2;
  return sum;
}

std::span<const std::string> HeterogeneousModel::resources() const {
  static const std::array<std::string, 4> names{"elements", "bandwidth_percent", "busy_share", "area_mm2"};
  return std::span(names).first(device_.area ? 4 : 3);
}

double HeterogeneousModel::capacity(std::string_view resource) const {
  if (resource == "elements") return static_cast<double>(device_.elements);
  if (resource == "bandwidth_percent") return whole_percent;
  return resource == "area_mm2" ? device_.most_mm2 : 0.0;
}

std::optional<LayerTasks> HeterogeneousModel::tasks(const Design& design, std::string& why) const {
  const Network& network = design.network;
  const std::vector<NodeId> live = network.live_nodes();
  LayerTasks tasks;
  tasks.layers = executed_layers(network, design.precision, stored_formats(network, design.precision), live);
  std::ranges::sort(tasks.layers, {}, &ExecutedLayer::node);
  for (const SubAccelerator& one : device_.accelerators) tasks.graph.processors.push_back(one.name);
  const std::vector<std::set<std::size_t>> reads = makers(network, tasks.layers, live);
  for (std::size_t i = 0; i < tasks.layers.size(); ++i) {
    const ExecutedLayer& layer = tasks.layers[i];
    Task task{network.name(layer.anchor), {}, {}};
    std::vector<std::optional<OpCost>>& costs = tasks.costs.emplace_back();
    for (const SubAccelerator& one : device_.accelerators) {
      costs.push_back(one.model->layer_cost(layer, network, why));
      task.seconds.push_back(costs.back() ? costs.back()->latency_s : std::numeric_limits<double>::infinity());
    }
    if (std::ranges::none_of(costs, [](const auto& cost) { return cost.has_value(); })) return std::nullopt;
    for (const std::size_t from : reads[i]) {
      const auto bytes = static_cast<double>(tasks.layers[from].output_bytes);
      task.reads.push_back({from, device_.link_overhead_s + bytes / device_.link_bytes_per_s});
    }
    tasks.graph.tasks.push_back(std::move(task));
  }
  return tasks;
}

Cost HeterogeneousModel::cost(const Design& design, const LayerTasks& tasks, const TaskSchedule& schedule) const {
  Cost cost;
  start_cost(design, design.network.live_nodes(), cost);
  std::set<std::pair<std::size_t, std::size_t>> carried;  // what was made by a layer, to an accelerator
  double busy_s = 0;
  std::size_t row = 0;
  for (std::size_t i = 0; i < tasks.layers.size(); ++i) {
    const std::size_t at = schedule.tasks[i].processor;
    while (cost.ops[row].node != tasks.layers[i].node) ++row;
    OpCost& op = cost.ops[row];
    op = *tasks.costs[i][at];
    op.bound_by = device_.accelerators[at].name + ": " + op.bound_by;
    busy_s += op.latency_s;
    for (const TaskEdge& edge : tasks.graph.tasks[i].reads) {
      if (schedule.tasks[edge.from].processor == at || !carried.insert({edge.from, at}).second) continue;
      op.energy_j += static_cast<double>(tasks.layers[edge.from].output_bytes) * device_.link_joules_per_byte;
    }
    cost.energy_j += op.energy_j;
    cost.weight_bytes += tasks.layers[i].weight_bytes;
  }
  cost.latency_s = schedule.makespan_s();
  double elements = 0, percent = 0;
  for (const SubAccelerator& one : device_.accelerators) {
    elements += static_cast<double>(one.elements);
    percent += one.bandwidth_percent;
  }
  const double all_s = cost.latency_s * static_cast<double>(device_.accelerators.size());
  cost.resources = {{"elements", elements, capacity("elements")},
                    {"bandwidth_percent", percent, capacity("bandwidth_percent")},
                    {"busy_share", all_s > 0 ? busy_s / all_s : 0, 0}};
  if (device_.area) cost.resources.push_back({"area_mm2", device_.area_mm2(), device_.most_mm2});
  cost.unsupported = misfit_text(cost, name());
  return cost;
}

void HeterogeneousModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  for (std::size_t i = 0; i < designs.size(); ++i) {
    std::string why;
    const std::optional<LayerTasks> layers = tasks(designs[i], why);
    if (layers) {
      costs[i] = cost(designs[i], *layers, list_schedule(layers->graph));
    } else {
      start_cost(designs[i], designs[i].network.live_nodes(), costs[i]);
      costs[i].unsupported = why;
    }
  }
}

}  // namespace ridgeline
