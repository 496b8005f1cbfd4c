// Heterogeneous earliest finish time (Topcuoglu, Hariri, Wu, "Performance-Effective and Low-Complexity Task Scheduling
// for Heterogeneous Computing", IEEE TPDS 13(3), 2002), a list scheduler in O(edges x processors).
//
//   rank(i) = mean time of i + max over its readers j of (transfer(i, j) + rank(j))        (equation 8: upward rank)
//
// Tasks are taken by falling rank (of equal ones the earlier); each goes to the processor on which it ends first, into
// the first gap between two tasks that is long enough (the insertion policy). Means are over the processors that run a
// task.
#pragma once

#include "hwmodels/scheduling/task_graph.hpp"

namespace ridgeline {

std::vector<double> upward_ranks_s(const TaskGraph& graph);
// The graph must be one that check_task_graph() takes.
TaskSchedule heft_schedule(const TaskGraph& graph);

// All tasks on the one processor that is done with them first, in their order; nothing where none runs them all.
TaskSchedule one_processor_schedule(const TaskGraph& graph);

// The shorter of the two, of equal ones HEFT's: where transfers are dear, a list scheduler that looks at one task at a
// time may be worse than no parallelism at all.
TaskSchedule list_schedule(const TaskGraph& graph);

}  // namespace ridgeline
