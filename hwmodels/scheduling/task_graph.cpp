#include "hwmodels/scheduling/task_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

void check_task(const TaskGraph& graph, std::size_t t, std::vector<Problem>& problems) {
  const Task& task = graph.tasks[t];
  const auto note = [&](const std::string& what, std::string expected, std::string found) {
    problems.push_back({"task graph", fmt::format("tasks[{}].{}", t, what), std::move(expected), std::move(found), ""});
  };
  if (task.seconds.size() != graph.processors.size()) {
    note("seconds", fmt::format("{} times, one a processor", graph.processors.size()),
         std::to_string(task.seconds.size()));
  } else if (std::ranges::all_of(task.seconds, [](double s) { return std::isinf(s); })) {
    note("seconds", "a processor that runs it", "none");
  }
  for (const double s : task.seconds) {
    if (std::isnan(s) || s < 0) note("seconds", "times of 0 or more", fmt::format("{}", s));
  }
  for (const TaskEdge& edge : task.reads) {
    if (edge.from >= t) note("reads", "tasks that come before", std::to_string(edge.from));
    if (!std::isfinite(edge.transfer_s) || edge.transfer_s < 0) {
      note("reads", "a finite time of 0 or more", fmt::format("{}", edge.transfer_s));
    }
  }
}

}  // namespace

void check_task_graph(const TaskGraph& graph) {
  std::vector<Problem> problems;
  if (graph.processors.empty()) problems.push_back({"task graph", "processors", "at least one", "none", ""});
  if (graph.tasks.empty()) problems.push_back({"task graph", "tasks", "at least one", "none", ""});
  for (std::size_t t = 0; t < graph.tasks.size(); ++t) check_task(graph, t, problems);
  if (!problems.empty()) throw ConfigError(std::move(problems));
}

std::vector<std::vector<TaskReader>> task_readers(const TaskGraph& graph) {
  std::vector<std::vector<TaskReader>> readers(graph.tasks.size());
  for (std::size_t t = 0; t < graph.tasks.size(); ++t) {
    for (const TaskEdge& edge : graph.tasks[t].reads) readers[edge.from].push_back({t, edge.transfer_s});
  }
  return readers;
}

double TaskSchedule::makespan_s() const {
  double last = 0;
  for (const TaskPlacement& one : tasks) last = std::max(last, one.finish_s);
  return last;
}

std::vector<std::vector<std::size_t>> tasks_by_processor(const TaskGraph& graph, const TaskSchedule& schedule) {
  std::vector<std::vector<std::size_t>> rows(graph.processors.size());
  for (std::size_t t = 0; t < schedule.tasks.size(); ++t) rows[schedule.tasks[t].processor].push_back(t);
  for (std::vector<std::size_t>& row : rows) {
    std::ranges::sort(
        row, {}, [&](std::size_t t) { return std::tuple(schedule.tasks[t].start_s, schedule.tasks[t].finish_s, t); });
  }
  return rows;
}

double operands_ready_s(const Task& task, const std::vector<TaskPlacement>& placed, std::size_t processor) {
  double ready = 0;
  for (const TaskEdge& edge : task.reads) {
    const TaskPlacement& made = placed[edge.from];
    ready = std::max(ready, made.finish_s + (made.processor == processor ? 0.0 : edge.transfer_s));
  }
  return ready;
}

std::vector<std::vector<double>> least_tails_s(const TaskGraph& graph) {
  const std::size_t processors = graph.processors.size();
  const auto readers = task_readers(graph);
  std::vector<std::vector<double>> tails(graph.tasks.size(), std::vector<double>(processors, 0.0));
  for (std::size_t t = graph.tasks.size(); t-- > 0;) {
    for (std::size_t p = 0; p < processors; ++p) {
      for (const TaskReader& reader : readers[t]) {
        double least = infinity;
        for (std::size_t q = 0; q < processors; ++q) {
          least = std::min(
              least, (p == q ? 0.0 : reader.transfer_s) + graph.tasks[reader.task].seconds[q] + tails[reader.task][q]);
        }
        tails[t][p] = std::max(tails[t][p], least);
      }
    }
  }
  return tails;
}

namespace {

// Sum over tasks of the least weighted time, and what each weight multiplies in it.
double weighted_load(const TaskGraph& graph, const std::vector<double>& weights, std::vector<double>& load) {
  std::ranges::fill(load, 0.0);
  double sum = 0;
  for (const Task& task : graph.tasks) {
    std::size_t best = 0;
    double least = infinity;
    for (std::size_t p = 0; p < weights.size(); ++p) {
      const double one = std::isinf(task.seconds[p]) ? infinity : weights[p] * task.seconds[p];
      if (one < least) best = p, least = one;
    }
    sum += least;
    load[best] += task.seconds[best];
  }
  return sum;
}

}  // namespace

// Subgradient ascent on the simplex by multiplied weights; every point on the way is a bound, the best is kept.
std::vector<double> load_weights(const TaskGraph& graph) {
  constexpr int steps = 400;
  const std::size_t processors = graph.processors.size();
  std::vector<double> weights(processors, 1.0 / static_cast<double>(processors)), best = weights, load(processors);
  double most = -1;
  for (int step = 0; step < steps; ++step) {
    const double sum = weighted_load(graph, weights, load);
    if (sum > most) most = sum, best = weights;
    const double longest = *std::ranges::max_element(load);
    if (longest <= 0) break;
    double total = 0;
    for (std::size_t p = 0; p < processors; ++p) {
      weights[p] = std::max(weights[p] * std::exp(load[p] / longest / std::sqrt(1.0 + step)), 1e-9);
      total += weights[p];
    }
    for (double& one : weights) one /= total;
  }
  return best;
}

double makespan_bound_s(const TaskGraph& graph) {
  const auto tails = least_tails_s(graph);
  double bound = 0;
  for (std::size_t t = 0; t < graph.tasks.size(); ++t) {
    double least = infinity;
    for (std::size_t p = 0; p < graph.processors.size(); ++p) {
      least = std::min(least, graph.tasks[t].seconds[p] + tails[t][p]);
    }
    bound = std::max(bound, least);
  }
  std::vector<double> load(graph.processors.size());
  return std::max(bound, weighted_load(graph, load_weights(graph), load));
}

}  // namespace ridgeline
