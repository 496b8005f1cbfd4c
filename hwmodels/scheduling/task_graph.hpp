// Tasks that depend on each other, on processors that differ: how long each task takes on each of them, and what it
// costs in time to read on one what was made on another. The problem of Topcuoglu, Hariri and Wu,
// "Performance-Effective and Low-Complexity Task Scheduling for Heterogeneous Computing", IEEE TPDS 13(3), 2002.
//
//  * A processor runs one task at a time, from its start to its end.
//  * A task starts when all that it reads is there: at once where it was made on the same processor, else transfer_s
//    after it was made. Transfers do not wait for each other (the paper's contention-free network).
//  * Tasks are numbered so that each reads earlier ones only; a graph may have several components.
//
// Values; functions are pure. Seconds throughout.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ridgeline {

struct TaskEdge {
  std::size_t from = 0;     // the task that makes it, earlier than the one that reads it
  double transfer_s = 0.0;  // between any two processors
};

struct Task {
  std::string name;
  std::vector<double> seconds;  // one a processor; infinity: it does not run there
  std::vector<TaskEdge> reads;
};

struct TaskGraph {
  std::vector<std::string> processors;
  std::vector<Task> tasks;
};

// Throws ConfigError: no processor or task, a task without a time for each processor, one that runs nowhere, a time
// that is negative or not a number, an edge from a task that does not come before.
void check_task_graph(const TaskGraph& graph);

// The tasks that read each task, ascending, with what the transfer takes.
struct TaskReader {
  std::size_t task = 0;
  double transfer_s = 0.0;
};
std::vector<std::vector<TaskReader>> task_readers(const TaskGraph& graph);

struct TaskPlacement {
  std::size_t processor = 0;
  double start_s = 0.0, finish_s = 0.0;
};

struct TaskSchedule {
  std::vector<TaskPlacement> tasks;  // one a task of the graph
  double makespan_s() const;         // the last finish; 0 without tasks
};

// What a processor does over a schedule, as tasks by their start.
std::vector<std::vector<std::size_t>> tasks_by_processor(const TaskGraph& graph, const TaskSchedule& schedule);

// When a task's operands are all on a processor, given where and when those that it reads were made.
double operands_ready_s(const Task& task, const std::vector<TaskPlacement>& placed, std::size_t processor);

// No schedule is shorter: the longest path with each task where path and transfers are fastest, and, for the weights of
// processors that give most, the weighted work of all tasks (a Lagrangian bound of the fractional assignment).
double makespan_bound_s(const TaskGraph& graph);

// The least time from a task's end on a processor to the end of everything that depends on it. tail[task][processor].
std::vector<std::vector<double>> least_tails_s(const TaskGraph& graph);

// Weights of the processors, 0 or more and 1 in all, for which the sum over tasks of min over processors of weight
// times time is near its largest. Whatever they are, that sum and the weighted time at which processors get free bound
// the makespan from below.
std::vector<double> load_weights(const TaskGraph& graph);

}  // namespace ridgeline
