#include "experiments/report/schedule_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/report/memory_report.hpp"
#include "experiments/report/report_units.hpp"
#include "hwmodels/scheduling/heft.hpp"
#include "spaces/config_error.hpp"
#include "spaces/network_parts.hpp"

namespace ridgeline {
namespace {

const std::string alone = "one accelerator", heft = "heft", exact = "exact";

double busy_s(const ScheduleReport& report, const TaskSchedule& schedule, std::size_t accelerator) {
  double sum = 0;
  for (std::size_t i = 0; i < schedule.tasks.size(); ++i) {
    const TaskPlacement& one = schedule.tasks[i];
    if (one.processor == accelerator) sum += report.tasks.graph.tasks[i].seconds[accelerator];
  }
  return sum;
}

std::vector<std::size_t> by_start(const TaskSchedule& schedule) {
  std::vector<std::size_t> order(schedule.tasks.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return schedule.tasks[i].start_s; });
  return order;
}

std::string accelerators_text(const ScheduleReport& report, const TextStyle& style) {
  const NamedSchedule& shown = report.schedules[report.shown];
  TextTable table({{"accelerator", false},
                   {"kind", false},
                   {"elements", true},
                   {"bandwidth", true},
                   {"layers", true},
                   {"at work", true}});
  for (std::size_t a = 0; a < report.accelerators.size(); ++a) {
    const SubAccelerator& one = report.accelerators[a];
    const auto layers = std::ranges::count(shown.schedule.tasks, a, &TaskPlacement::processor);
    table.add({one.name, one.kind, grouped(one.elements), percent(one.bandwidth_percent / 100, 0),
               std::to_string(layers), percent(busy_s(report, shown.schedule, a) / shown.schedule.makespan_s())});
  }
  return table.text(style);
}

std::string gantt_text(const ScheduleReport& report, const TextStyle& style) {
  std::size_t width = 0;
  for (const SubAccelerator& one : report.accelerators) width = std::max(width, characters(one.name));
  const std::size_t columns = style.width > width + 14 ? style.width - width - 4 : 10;
  const std::vector<std::string> rows = gantt_rows(report, columns);
  std::string text;
  for (std::size_t a = 0; a < rows.size(); ++a) {
    const std::string& name = report.accelerators[a].name;
    text += fmt::format("{}{} |{}|\n", name, std::string(width - characters(name), ' '), rows[a]);
  }
  const std::string end = pretty(report.schedules[report.shown].schedule.makespan_s(), "s");
  const std::size_t room = columns > characters(end) + 1 ? columns - characters(end) - 1 : 1;
  text += fmt::format("{} 0{}{}\n", std::string(width + 1, ' '), std::string(room, ' '), end);
  for (std::size_t part = 0; part < report.parts.size(); ++part) {
    const char letter = static_cast<char>('a' + static_cast<char>(part % 26));
    text += fmt::format("{}{}: {}", part == 0 ? "" : ", ", letter, report.parts[part]);
  }
  return text + "; capital and small from layer to layer\n";
}

}  // namespace

std::string proof_text(const ScheduleReport& report, const NamedSchedule& one) {
  const double makespan = one.schedule.makespan_s();
  if (one.name == exact && report.optimal) return "no schedule is shorter";
  const double longer = report.bound_s > 0 ? makespan / report.bound_s - 1 : 0.0;
  return longer <= 1e-9 ? "no schedule is shorter" : fmt::format("at most {} longer than needed", percent(longer));
}

std::span<const std::string> schedule_solver_names() {
  static const std::array<std::string, 2> names{exact, heft};
  return names;
}

ScheduleReport schedule_report(const Design& design, const std::string& name, const HeterogeneousModel& model,
                               const ScheduleReportOptions& options) {
  ScheduleReport report;
  report.noise = options.noise;
  report.runs = options.runs;
  report.network = name;
  report.device = model.name();
  report.accelerators = model.device().accelerators;
  std::string why;
  std::optional<LayerTasks> tasks = model.tasks(design, why);
  if (!tasks) throw ConfigError({model.name(), "", "an accelerator for every layer", why, "choose another --format"});
  report.tasks = std::move(*tasks);
  check_task_graph(report.tasks.graph);
  std::vector<std::size_t> part_of(design.network.size(), 0);
  for (const NetworkPart& part : network_parts(design.network)) {
    for (const NodeId node : part.nodes) part_of[node] = report.parts.size();
    report.parts.push_back(part.name);
  }
  if (report.parts.size() == 1) report.parts = {name};
  for (const ExecutedLayer& layer : report.tasks.layers) {
    report.part_of.push_back(part_of[layer.node]);
    report.labels.push_back(layer_label(design.network, layer.anchor, layer.node, layer.key.add));
  }
  const auto add = [&](const std::string& schedule_name, TaskSchedule schedule) {
    if (schedule.tasks.empty()) return;  // no accelerator runs all layers
    if (schedule_name == options.solver) report.shown = report.schedules.size();
    NamedSchedule one{schedule_name, std::move(schedule), {}};
    one.cost = model.cost(design, report.tasks, one.schedule);
    if (options.noise > 0) {
      one.noisy = noisy_makespan(report.tasks.graph, one.schedule, options.noise, options.runs, options.seed);
    }
    report.schedules.push_back(std::move(one));
  };
  add(alone, one_processor_schedule(report.tasks.graph));
  add(heft, heft_schedule(report.tasks.graph));
  ExactSchedule found = exact_schedule(report.tasks.graph, options.effort);
  report.bound_s = found.bound_s;
  report.optimal = found.optimal();
  report.gap = found.gap();
  report.states = found.states;
  add(exact, std::move(found.schedule));
  return report;
}

std::vector<std::string> gantt_rows(const ScheduleReport& report, std::size_t columns) {
  const TaskSchedule& schedule = report.schedules[report.shown].schedule;
  const double makespan = schedule.makespan_s();
  std::vector<std::string> rows(report.accelerators.size(), std::string(columns, '.'));
  const auto on_accelerators = tasks_by_processor(report.tasks.graph, schedule);
  for (std::size_t a = 0; a < rows.size(); ++a) {
    for (std::size_t k = 0; k < on_accelerators[a].size(); ++k) {
      const std::size_t task = on_accelerators[a][k];
      const char first = k % 2 == 0 ? 'A' : 'a';
      const char letter = static_cast<char>(first + static_cast<char>(report.part_of[task] % 26));
      for (std::size_t c = 0; c < columns && makespan > 0; ++c) {  // what runs in the middle of each column
        const double at = (static_cast<double>(c) + 0.5) / static_cast<double>(columns) * makespan;
        if (schedule.tasks[task].start_s <= at && at < schedule.tasks[task].finish_s) rows[a][c] = letter;
      }
    }
  }
  return rows;
}

std::string schedule_text(const ScheduleReport& report, const TextStyle& style) {
  std::string text = fmt::format("{} on {}: {} layers\n", report.network, report.device, report.labels.size());
  TextTable schedules({{"schedule", false}, {"makespan", true}, {"energy", true}, {"", false}});
  for (const NamedSchedule& one : report.schedules) {
    schedules.add(
        {one.name, pretty(one.schedule.makespan_s(), "s"), pretty(one.cost.energy_j, "J"), proof_text(report, one)});
  }
  const NamedSchedule& shown = report.schedules[report.shown];
  text += schedules.text(style);
  text += fmt::format("exact looked at {} states: {}\n", grouped(static_cast<std::int64_t>(report.states)),
                      report.optimal ? "proved shortest"
                                     : fmt::format("no schedule is below {}, gap {}", pretty(report.bound_s, "s"),
                                                   percent(report.gap, 2)));
  if (report.noise > 0) {
    text +=
        fmt::format("noisy: {} runs of the same plan, each time up to {} off\n", report.runs, percent(report.noise));
  }
  if (!shown.cost.unsupported.empty()) text += shown.cost.unsupported + "\n";
  text += fmt::format("\n{}:\n", shown.name) + accelerators_text(report, style) + "\n" + gantt_text(report, style);
  TextTable layers({{"start (us)", true},
                    {"end (us)", true},
                    {"accelerator", false},
                    {"network", false},
                    {"layer", false},
                    {"bound by", false}});
  for (const std::size_t i : by_start(shown.schedule)) {
    const TaskPlacement& one = shown.schedule.tasks[i];
    layers.add({fmt::format("{:.2f}", one.start_s * 1e6), fmt::format("{:.2f}", one.finish_s * 1e6),
                report.accelerators[one.processor].name, report.parts[report.part_of[i]], report.labels[i],
                report.tasks.costs[i][one.processor]->bound_by});
  }
  return text + "\n" + layers.text(style);
}

Json schedule_json(const ScheduleReport& report) {
  Json json{{"network", report.network}, {"device", report.device},   {"networks", report.parts},
            {"bound_s", report.bound_s}, {"optimal", report.optimal}, {"gap", report.gap},
            {"states", report.states},   {"schedules", Json::array()}};
  for (const SubAccelerator& one : report.accelerators) {
    json["accelerators"].push_back({{"name", one.name},
                                    {"kind", one.kind},
                                    {"elements", one.elements},
                                    {"bandwidth_percent", one.bandwidth_percent}});
  }
  for (const NamedSchedule& one : report.schedules) {
    Json schedule{{"name", one.name},
                  {"makespan_s", one.schedule.makespan_s()},
                  {"energy_j", one.cost.energy_j},
                  {"problem", one.cost.unsupported},
                  {"layers", Json::array()}};
    if (one.noisy) schedule["noisy"] = {{"mean_s", one.noisy->mean_s}, {"most_s", one.noisy->most_s}};
    for (const ResourceUse& use : one.cost.resources) schedule["resources"][use.name] = use.used;
    for (std::size_t i = 0; i < one.schedule.tasks.size(); ++i) {
      const TaskPlacement& place = one.schedule.tasks[i];
      Json layer{{"node", report.tasks.layers[i].node},
                 {"network", report.parts[report.part_of[i]]},
                 {"layer", report.labels[i]},
                 {"accelerator", report.accelerators[place.processor].name},
                 {"start_s", place.start_s},
                 {"finish_s", place.finish_s},
                 {"reads", Json::array()}};
      for (const TaskEdge& edge : report.tasks.graph.tasks[i].reads) {
        layer["reads"].push_back({{"node", report.tasks.layers[edge.from].node}, {"transfer_s", edge.transfer_s}});
      }
      schedule["layers"].push_back(std::move(layer));
    }
    json["schedules"].push_back(std::move(schedule));
  }
  return json;
}

}  // namespace ridgeline
