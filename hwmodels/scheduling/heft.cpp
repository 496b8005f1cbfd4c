#include "hwmodels/scheduling/heft.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ridgeline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The tasks of one processor so far, by start.
class Timeline {
 public:
  // The earliest start of something so long that is not before `ready`.
  double fit(double ready_s, double seconds) const {
    double from = ready_s;
    for (const TaskPlacement& one : busy_) {
      if (from + seconds <= one.start_s) return from;
      from = std::max(from, one.finish_s);
    }
    return from;
  }
  void take(const TaskPlacement& placement) {
    const auto after = std::ranges::upper_bound(busy_, placement.start_s, {}, &TaskPlacement::start_s);
    busy_.insert(after, placement);
  }

 private:
  std::vector<TaskPlacement> busy_;
};

}  // namespace

std::vector<double> upward_ranks_s(const TaskGraph& graph) {
  const auto readers = task_readers(graph);
  std::vector<double> ranks(graph.tasks.size(), 0.0);
  for (std::size_t t = graph.tasks.size(); t-- > 0;) {
    double sum = 0, count = 0, most = 0;
    for (const double s : graph.tasks[t].seconds) {
      if (std::isfinite(s)) sum += s, count += 1;
    }
    for (const TaskReader& reader : readers[t]) most = std::max(most, reader.transfer_s + ranks[reader.task]);
    ranks[t] = sum / count + most;
  }
  return ranks;
}

TaskSchedule heft_schedule(const TaskGraph& graph) {
  const std::vector<double> ranks = upward_ranks_s(graph);
  std::vector<std::size_t> order(graph.tasks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t t) { return ranks[t]; });
  std::vector<Timeline> timelines(graph.processors.size());
  TaskSchedule schedule{std::vector<TaskPlacement>(graph.tasks.size())};
  for (const std::size_t t : order) {
    const Task& task = graph.tasks[t];
    TaskPlacement best{0, infinity, infinity};
    for (std::size_t p = 0; p < timelines.size(); ++p) {
      if (std::isinf(task.seconds[p])) continue;
      const double start = timelines[p].fit(operands_ready_s(task, schedule.tasks, p), task.seconds[p]);
      if (start + task.seconds[p] < best.finish_s) best = {p, start, start + task.seconds[p]};
    }
    timelines[best.processor].take(best);
    schedule.tasks[t] = best;
  }
  return schedule;
}

TaskSchedule one_processor_schedule(const TaskGraph& graph) {
  std::size_t best = 0;
  double least = infinity;
  for (std::size_t p = 0; p < graph.processors.size(); ++p) {
    double sum = 0;
    for (const Task& task : graph.tasks) sum += task.seconds[p];
    if (sum < least) best = p, least = sum;
  }
  TaskSchedule schedule;
  if (std::isinf(least)) return schedule;
  double now = 0;
  for (const Task& task : graph.tasks) {
    schedule.tasks.push_back({best, now, now + task.seconds[best]});
    now = schedule.tasks.back().finish_s;
  }
  return schedule;
}

TaskSchedule list_schedule(const TaskGraph& graph) {
  TaskSchedule heft = heft_schedule(graph), alone = one_processor_schedule(graph);
  const bool shorter = !alone.tasks.empty() && alone.makespan_s() < heft.makespan_s();
  return shorter ? alone : heft;
}

}  // namespace ridgeline
