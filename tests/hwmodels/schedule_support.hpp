// Task graphs for tests, a judge of schedules that shares nothing with the schedulers, and the shortest schedules of
// small graphs by trying every order and every processor.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "hwmodels/scheduling/task_graph.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::test {

// Figure 2 and table 1 of Topcuoglu et al., 2002.
inline TaskGraph paper_graph() {
  TaskGraph graph;
  graph.processors = {"P1", "P2", "P3"};
  const std::vector<std::vector<double>> seconds{{14, 16, 9}, {13, 19, 18}, {11, 13, 19}, {13, 8, 17},  {12, 13, 10},
                                                 {13, 16, 9}, {7, 15, 11},  {5, 11, 14},  {18, 12, 20}, {21, 7, 16}};
  for (std::size_t t = 0; t < seconds.size(); ++t) graph.tasks.push_back({"n" + std::to_string(t + 1), seconds[t], {}});
  struct Edge {
    std::size_t from, to;
    double transfer_s;
  };
  for (const Edge& edge : {Edge{1, 2, 18}, Edge{1, 3, 12}, Edge{1, 4, 9}, Edge{1, 5, 11}, Edge{1, 6, 14},
                           Edge{2, 8, 19}, Edge{2, 9, 16}, Edge{3, 7, 23}, Edge{4, 8, 27}, Edge{4, 9, 23},
                           Edge{5, 9, 13}, Edge{6, 8, 15}, Edge{7, 10, 17}, Edge{8, 10, 11}, Edge{9, 10, 13}}) {
    graph.tasks[edge.to - 1].reads.push_back({edge.from - 1, edge.transfer_s});
  }
  return graph;
}

struct TaskGraphSize {
  std::size_t tasks = 5, processors = 2;
  double edge = 0.4;
  double most_s = 9, most_transfer_s = 9;  // whole seconds, from 0
  double refused = 0.0;                    // probability that a processor does not run a task; the first always does
};

inline TaskGraph random_graph(Rng& rng, const TaskGraphSize& size) {
  TaskGraph graph;
  const auto whole = [&](double most) { return static_cast<double>(rng.below(static_cast<std::uint64_t>(most) + 1)); };
  for (std::size_t p = 0; p < size.processors; ++p) graph.processors.push_back("p" + std::to_string(p));
  for (std::size_t t = 0; t < size.tasks; ++t) {
    Task task{"t" + std::to_string(t), {}, {}};
    for (std::size_t p = 0; p < size.processors; ++p) {
      const bool refused = p > 0 && rng.chance(size.refused);
      task.seconds.push_back(refused ? std::numeric_limits<double>::infinity() : whole(size.most_s));
    }
    for (std::size_t before = 0; before < t; ++before) {
      if (rng.chance(size.edge)) task.reads.push_back({before, whole(size.most_transfer_s)});
    }
    graph.tasks.push_back(std::move(task));
  }
  return graph;
}

// What is wrong with a schedule; empty: nothing.
inline std::string schedule_fault(const TaskGraph& graph, const TaskSchedule& schedule) {
  constexpr double slack = 1e-12;
  const auto fault = [](std::size_t t, const std::string& what) { return "task " + std::to_string(t) + what; };
  if (schedule.tasks.size() != graph.tasks.size()) return "another number of tasks";
  for (std::size_t t = 0; t < graph.tasks.size(); ++t) {
    const TaskPlacement& one = schedule.tasks[t];
    if (one.processor >= graph.processors.size()) return fault(t, " is on no processor");
    if (one.start_s < 0) return fault(t, " starts before 0");
    const double seconds = graph.tasks[t].seconds[one.processor];
    if (!std::isfinite(seconds)) return fault(t, " does not run there");
    if (std::abs(one.finish_s - one.start_s - seconds) > slack * one.finish_s) return fault(t, " takes another time");
    for (const TaskEdge& edge : graph.tasks[t].reads) {
      const TaskPlacement& made = schedule.tasks[edge.from];
      const double there = made.finish_s + (made.processor != one.processor ? edge.transfer_s : 0.0);
      if (one.start_s < there * (1 - slack)) return fault(t, " starts before its operands are there");
    }
    for (std::size_t other = 0; other < t; ++other) {
      const TaskPlacement& two = schedule.tasks[other];
      if (two.processor != one.processor) continue;
      const double overlap = std::min(one.finish_s, two.finish_s) - std::max(one.start_s, two.start_s);
      if (overlap > slack * one.finish_s) return fault(t, " runs while another does");
    }
  }
  return {};
}

// Every order that the edges allow, every task on every processor, each as early as it can behind what is there.
class EverySchedule {
 public:
  explicit EverySchedule(const TaskGraph& graph)
      : graph_(graph), done_(graph.tasks.size(), false), at_(graph.tasks.size(), 0), end_(graph.tasks.size(), 0.0) {}
  double shortest_s() {
    extend(0, std::vector<double>(graph_.processors.size(), 0.0));
    return shortest_;
  }

 private:
  void extend(std::size_t count, const std::vector<double>& free_s) {
    if (count == graph_.tasks.size()) {
      shortest_ = std::min(shortest_, *std::max_element(end_.begin(), end_.end()));
      return;
    }
    for (std::size_t t = 0; t < graph_.tasks.size(); ++t) {
      const auto& reads = graph_.tasks[t].reads;
      if (done_[t] || !std::all_of(reads.begin(), reads.end(), [&](const TaskEdge& e) { return done_[e.from]; }))
        continue;
      done_[t] = true;
      for (std::size_t p = 0; p < free_s.size(); ++p) {
        double start = free_s[p];
        for (const TaskEdge& e : reads) start = std::max(start, end_[e.from] + (at_[e.from] == p ? 0 : e.transfer_s));
        at_[t] = p;
        end_[t] = start + graph_.tasks[t].seconds[p];
        if (!std::isfinite(end_[t])) continue;
        std::vector<double> later = free_s;
        later[p] = end_[t];
        extend(count + 1, later);
      }
      done_[t] = false;
    }
  }

  const TaskGraph& graph_;
  std::vector<bool> done_;
  std::vector<std::size_t> at_;
  std::vector<double> end_;
  double shortest_ = std::numeric_limits<double>::infinity();
};

}  // namespace ridgeline::test
