#include "hwmodels/scheduling/replay.hpp"

#include <algorithm>

#include "spaces/rng.hpp"

namespace ridgeline {

TaskSchedule replay(const TaskGraph& graph, const TaskSchedule& schedule, std::span<const double> factors) {
  // By their planned starts, tasks come after all that they wait for: of equal starts what is done sooner goes first.
  std::vector<std::size_t> order(graph.tasks.size());
  for (std::size_t t = 0; t < order.size(); ++t) order[t] = t;
  std::ranges::stable_sort(
      order, {}, [&](std::size_t t) { return std::pair(schedule.tasks[t].start_s, schedule.tasks[t].finish_s); });
  TaskSchedule done{std::vector<TaskPlacement>(order.size())};
  std::vector<double> free_s(graph.processors.size(), 0.0);
  for (const std::size_t t : order) {
    const std::size_t at = schedule.tasks[t].processor;
    const double start = std::max(free_s[at], operands_ready_s(graph.tasks[t], done.tasks, at));
    done.tasks[t] = {at, start, start + graph.tasks[t].seconds[at] * factors[t]};
    free_s[at] = done.tasks[t].finish_s;
  }
  return done;
}

NoisyMakespan noisy_makespan(const TaskGraph& graph, const TaskSchedule& schedule, double noise, std::size_t runs,
                             std::uint64_t seed) {
  NoisyMakespan result;
  std::vector<double> factors(graph.tasks.size());
  for (std::size_t run = 0; run < runs; ++run) {
    Rng rng(seed, "schedule noise", run);
    for (double& one : factors) one = 1.0 + noise * (2.0 * rng.uniform() - 1.0);
    const double makespan_s = replay(graph, schedule, factors).makespan_s();
    result.mean_s += makespan_s / static_cast<double>(runs);
    result.most_s = std::max(result.most_s, makespan_s);
  }
  return result;
}

}  // namespace ridgeline
