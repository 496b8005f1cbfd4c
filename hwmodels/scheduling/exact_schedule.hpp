// The shortest schedule of a small task graph, or how far the best one found may be from it.
//
// Branch and bound, breadth first. A state is a set of tasks with their places and times; from it each task whose
// operands are made may follow on each processor, as early as it can after what is there. In the order of their starts
// the tasks of a shortest schedule are such a sequence, so that nothing is lost. A level holds the states with equally
// many tasks.
//
//   bound      the longest of: for each task left the earliest it can start and its least tail, both with transfers;
//              the weighted times at which processors get free and the weighted work that is left (load_weights)
//   dominance  of two states with the same tasks done and those that are still to be read on the same processors, the
//              one that is nowhere later stands for both
//   width      a level keeps its best states by bound; the least bound of what was ever dropped is a proved bound
//
// Widths grow fourfold from pass to pass, each starting from the best schedule of those before (at first
// list_schedule), until nothing was dropped or the effort is spent: the result is never longer than HEFT's.
// Deterministic, no clock.
#pragma once

#include "hwmodels/scheduling/task_graph.hpp"

namespace ridgeline {

struct ScheduleEffort {
  std::size_t first_width = 64;
  std::size_t most_states = 400'000;  // looked at; the first pass is always made
};

struct ExactSchedule {
  TaskSchedule schedule;
  double bound_s = 0.0;    // proved: no schedule is shorter, but for a billionth
  std::size_t states = 0;  // looked at
  bool optimal() const;    // the bound is reached, to a billionth
  double gap() const;      // share of the makespan that may be saved at most
};

// The graph must be one that check_task_graph() takes.
ExactSchedule exact_schedule(const TaskGraph& graph, const ScheduleEffort& effort = {});

}  // namespace ridgeline
