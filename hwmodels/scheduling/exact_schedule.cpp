#include "hwmodels/scheduling/exact_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <unordered_map>

#include "hwmodels/scheduling/heft.hpp"

namespace ridgeline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double tolerance = 1e-9;  // relative: shorter by less is not looked for
constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

struct State {
  std::vector<TaskPlacement> placed;  // processor == nowhere: not yet
  std::vector<double> free_s;         // when each processor is
  double weighted_left = 0;           // of the tasks that are not placed
};

struct Step {
  std::size_t parent = 0, task = 0;
  TaskPlacement place;
  double bound_s = 0;
};

class BreadthFirst {
 public:
  explicit BreadthFirst(const TaskGraph& graph)
      : graph_(graph), readers_(task_readers(graph)), tails_(least_tails_s(graph)), weights_(load_weights(graph)) {
    for (const Task& task : graph.tasks) {
      double least = infinity;
      for (std::size_t p = 0; p < processors(); ++p) {
        if (std::isfinite(task.seconds[p])) least = std::min(least, weights_[p] * task.seconds[p]);
      }
      weighted_.push_back(least);
    }
    best_ = list_schedule(graph);
    best_s_ = best_.makespan_s();
    earliest_.assign(graph.tasks.size(), std::vector<double>(processors(), 0.0));
  }

  // One pass; what it proves.
  double pass(std::size_t width) {
    dropped_s_ = infinity;
    std::vector<State> level{start()};
    for (std::size_t done = 0; done < graph_.tasks.size() && !level.empty(); ++done) level = next(level, width);
    for (const State& state : level) {
      const TaskSchedule schedule{state.placed};
      if (schedule.makespan_s() >= best_s_) continue;
      best_ = schedule;
      best_s_ = schedule.makespan_s();
    }
    return std::min(best_s_, dropped_s_);
  }

  const TaskSchedule& best() const { return best_; }
  double best_s() const { return best_s_; }
  bool complete() const { return dropped_s_ >= limit(); }
  std::size_t states() const { return states_; }

 private:
  std::size_t processors() const { return graph_.processors.size(); }
  double limit() const { return best_s_ * (1 - tolerance); }

  State start() const {
    State state{std::vector<TaskPlacement>(graph_.tasks.size(), {nowhere, 0, 0}),
                std::vector<double>(processors(), 0.0), 0};
    for (const double one : weighted_) state.weighted_left += one;
    return state;
  }

  void place(State& state, const Step& step) const {
    state.placed[step.task] = step.place;
    state.free_s[step.place.processor] = step.place.finish_s;
    state.weighted_left -= weighted_[step.task];
  }

  bool ready(const State& state, std::size_t task) const {
    return state.placed[task].processor == nowhere &&
           std::ranges::all_of(graph_.tasks[task].reads,
                               [&](const TaskEdge& edge) { return state.placed[edge.from].processor != nowhere; });
  }

  // The earliest start of a task that is not placed on a processor, its predecessors wherever is best for it.
  double earliest_start(const State& state, std::size_t task, std::size_t p) const {
    double start = state.free_s[p];
    for (const TaskEdge& edge : graph_.tasks[task].reads) {
      const TaskPlacement& made = state.placed[edge.from];
      double least = infinity;
      if (made.processor != nowhere) {
        least = made.finish_s + (made.processor == p ? 0.0 : edge.transfer_s);
      } else {
        for (std::size_t q = 0; q < processors(); ++q) {
          least = std::min(
              least, earliest_[edge.from][q] + graph_.tasks[edge.from].seconds[q] + (q == p ? 0.0 : edge.transfer_s));
        }
      }
      start = std::max(start, least);
    }
    return start;
  }

  double bound(const State& state) {
    double bound = state.weighted_left;
    for (std::size_t p = 0; p < processors(); ++p) bound += weights_[p] * state.free_s[p];
    for (const double free : state.free_s) bound = std::max(bound, free);
    for (std::size_t t = 0; t < graph_.tasks.size() && bound < limit(); ++t) {
      if (state.placed[t].processor != nowhere) continue;
      double least = infinity;
      for (std::size_t p = 0; p < processors(); ++p) {
        earliest_[t][p] = earliest_start(state, t, p);
        least = std::min(least, earliest_[t][p] + graph_.tasks[t].seconds[p] + tails_[t][p]);
      }
      bound = std::max(bound, least);
    }
    return bound;
  }

  std::vector<Step> steps_from(const std::vector<State>& level) {
    std::vector<Step> steps;
    for (std::size_t s = 0; s < level.size(); ++s) {
      for (std::size_t t = 0; t < graph_.tasks.size(); ++t) {
        if (!ready(level[s], t)) continue;
        for (std::size_t p = 0; p < processors(); ++p) {
          const double seconds = graph_.tasks[t].seconds[p];
          if (std::isinf(seconds)) continue;
          const double from = std::max(level[s].free_s[p], operands_ready_s(graph_.tasks[t], level[s].placed, p));
          Step step{s, t, {p, from, from + seconds}, 0};
          State child = level[s];
          place(child, step);
          step.bound_s = bound(child);
          ++states_;
          if (step.bound_s < limit()) steps.push_back(step);
        }
      }
    }
    return steps;
  }

  // Which tasks are done, and on which processors those are that someone still reads; and when all of that is.
  void describe(const State& state, std::string& key, std::vector<double>& times) const {
    key.assign(graph_.tasks.size(), '\0');
    times = state.free_s;
    for (std::size_t t = 0; t < graph_.tasks.size(); ++t) {
      if (state.placed[t].processor == nowhere) continue;
      const bool read = std::ranges::any_of(
          readers_[t], [&](const TaskReader& reader) { return state.placed[reader.task].processor == nowhere; });
      key[t] = read ? static_cast<char>(2 + state.placed[t].processor) : '\1';
      if (read) times.push_back(state.placed[t].finish_s);
    }
  }

  std::vector<State> next(const std::vector<State>& level, std::size_t width) {
    std::vector<Step> steps = steps_from(level);
    std::ranges::stable_sort(steps, {}, [](const Step& one) { return std::pair(one.bound_s, one.place.finish_s); });
    std::unordered_map<std::string, std::vector<std::vector<double>>> known;
    std::vector<State> kept;
    std::string key;
    std::vector<double> times;
    for (const Step& step : steps) {
      if (kept.size() >= width) {  // by rising bound: nothing below it is dropped
        dropped_s_ = std::min(dropped_s_, step.bound_s);
        break;
      }
      State child = level[step.parent];
      place(child, step);
      describe(child, key, times);
      std::vector<std::vector<double>>& alike = known[key];
      const bool dominated = std::ranges::any_of(alike, [&](const std::vector<double>& other) {
        return std::ranges::equal(other, times, std::less_equal<>());
      });
      if (dominated) continue;
      alike.push_back(times);
      kept.push_back(std::move(child));
    }
    return kept;
  }

  const TaskGraph& graph_;
  std::vector<std::vector<TaskReader>> readers_;
  std::vector<std::vector<double>> tails_, earliest_;
  std::vector<double> weights_, weighted_;  // of processors; of tasks
  TaskSchedule best_;
  double best_s_ = 0, dropped_s_ = infinity;
  std::size_t states_ = 0;
};

}  // namespace

bool ExactSchedule::optimal() const { return bound_s >= schedule.makespan_s() * (1 - tolerance); }

double ExactSchedule::gap() const {
  const double makespan = schedule.makespan_s();
  return optimal() || makespan <= 0 ? 0.0 : (makespan - bound_s) / makespan;
}

ExactSchedule exact_schedule(const TaskGraph& graph, const ScheduleEffort& effort) {
  BreadthFirst search(graph);
  double bound = makespan_bound_s(graph);
  std::size_t before = 0, last = 0;
  for (std::size_t width = effort.first_width;; width *= 4) {
    bound = std::max(bound, search.pass(width));
    last = search.states() - before;
    before = search.states();
    const bool proved = search.complete() || bound >= search.best_s() * (1 - tolerance);
    if (proved) bound = search.best_s();
    if (proved || before + 4 * last > effort.most_states) break;
  }
  return {search.best(), std::min(bound, search.best_s()), search.states()};
}

}  // namespace ridgeline
