// A schedule carried out when tasks take other times than planned: each stays on its processor, in its place among the
// tasks there, and starts as soon as the one before is done and its operands are there.
#pragma once

#include <cstdint>
#include <span>

#include "hwmodels/scheduling/task_graph.hpp"

namespace ridgeline {

// `factors`: one a task, of the planned time; finite and not negative.
TaskSchedule replay(const TaskGraph& graph, const TaskSchedule& schedule, std::span<const double> factors);

struct NoisyMakespan {
  double mean_s = 0.0, most_s = 0.0;
};
// Over `runs` (at least 1), in each of which every task's time is multiplied by a factor of its own, uniform from
// 1 - noise to 1 + noise (0 <= noise < 1): the same factors for every schedule of the graph, and so a fair comparison.
NoisyMakespan noisy_makespan(const TaskGraph& graph, const TaskSchedule& schedule, double noise, std::size_t runs,
                             std::uint64_t seed);

}  // namespace ridgeline
