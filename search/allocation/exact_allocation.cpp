#include "search/allocation/exact_allocation.hpp"

#include <Cbc_C_Interface.h>
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <mutex>

#include "search/allocation/allocation_model.hpp"
#include "search/allocation/greedy_allocation.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

using Choices = std::vector<std::size_t>;  // one a group

// The largest coefficients of the objective and of a row. CBC compares objectives to 1e-5 and rows to 1e-7, absolutely;
// at this size both are below 1e-9 of what they compare.
constexpr double objective_scale = 1e5;
constexpr double row_scale = 1e3;
// Rows are loosened by this share of what is left: CBC loses plans that meet a limit exactly, and those that then break
// it are cut off.
constexpr double row_slack = 1e-6;

struct Entry {
  int column;
  double coefficient;
};

// CBC factors its small matrices with LAPACK, whose threads only wait for each other there: with OpenBLAS and two
// threads on two busy cores, 300 layers took 20 s in place of 0.2 s.
class OneThread {
 public:
  OneThread() { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_ = omp_get_max_threads();
};

// What is minimised, and which rows hold. What a goal reaches is counted from the sum of every group's least.
struct Goal {
  std::optional<std::size_t> budget;  // its cost; nothing: the penalty
  std::vector<double> limits;         // one a row
  std::optional<double> known{};      // what a known plan reaches
  std::vector<Choices> excluded{};
};

struct Answer {
  bool proved = false;  // that the choices are optimal, or without choices: that there are none
  std::optional<Choices> choices;
  double bound = 0.0;  // nothing reaches less
};

// One integer program: columns, rows, and their solution by CBC.
class Program {
 public:
  Program(const AllocationModel& model, const Goal& goal)
      : model_(model), goal_(goal), cbc_(Cbc_newModel(), Cbc_deleteModel) {
    Cbc_setLogLevel(cbc_.get(), 0);
    Cbc_setParameter(cbc_.get(), "timeMode", "elapsed");
    // CBC 2.10's integer preprocessing loses optimal plans of small programs: it reduces them to nothing by a wrong
    // substitution. Its cuts and the bounds set here do the work.
    Cbc_setParameter(cbc_.get(), "preprocess", "off");
    Cbc_setParameter(cbc_.get(), "passFeasibilityPump", "0");  // greedy allocation has found a plan already
    find_scale();
    find_spare();
    add_choices();
    add_boundaries();
    for (std::size_t r = 0; r < spare_.size(); ++r) add_limit(r);
    for (const Choices& choices : goal.excluded) exclude(choices);
  }

  // Once: CBC changes the program it solves.
  Answer solve(double seconds) {
    Cbc_setMaximumSeconds(cbc_.get(), seconds);
    Cbc_solve(cbc_.get());
    Answer answer;
    const bool optimal = Cbc_isProvenOptimal(cbc_.get()) != 0;
    answer.proved = optimal || Cbc_isProvenInfeasible(cbc_.get()) != 0;
    const double bound = Cbc_getBestPossibleObjValue(cbc_.get()) / scale_;
    answer.bound = std::isfinite(bound) ? std::clamp(bound, 0.0, most_) : 0.0;
    const double* values = optimal ? Cbc_getColSolution(cbc_.get()) : Cbc_bestSolution(cbc_.get());
    if (values != nullptr) answer.choices = rounded(values);
    return answer;
  }

 private:
  double goal_of(const GroupChoice& choice) const {
    return goal_.budget ? choice.costs[*goal_.budget] : choice.penalty;
  }
  double least_goal(const AllocationGroup& group) const {
    return goal_.budget ? group.least_cost(*goal_.budget) : group.least_penalty();
  }

  // The objective counts from the least of every group.
  void find_scale() {
    double range = 0.0;
    for (const AllocationGroup& group : model_.groups()) {
      double most = 0.0;
      for (const GroupChoice& choice : group.choices) most = std::max(most, goal_of(choice) - least_goal(group));
      range += most;
    }
    if (goal_.budget) {
      for (const GroupBoundary& boundary : model_.boundaries()) {
        for (const auto& row : boundary.cost) {
          for (const auto& cell : row) range = std::max(range, cell[*goal_.budget]);
        }
      }
    }
    most_ = goal_.known.value_or(range);
    scale_ = most_ > 0 ? objective_scale / most_ : 1.0;
  }

  // What each limit leaves above the least cost of every group; rounding is on the side of the plan.
  void find_spare() {
    for (std::size_t r = 0; r < goal_.limits.size(); ++r) {
      double least = 0.0;
      for (const AllocationGroup& group : model_.groups()) least += group.least_cost(r);
      const double limit = goal_.limits[r];
      spare_.push_back(std::max(0.0, limit - least) + limit_tolerance * limit);
    }
  }

  int add_column(double most, double objective, bool integer) {
    const int column = columns_++;
    Cbc_addCol(cbc_.get(), fmt::format("x{}", column).c_str(), 0.0, most, objective, integer ? 1 : 0, 0, nullptr,
               nullptr);
    return column;
  }

  void add_row(const std::vector<Entry>& entries, char sense, double right) {
    std::vector<int> columns;
    std::vector<double> coefficients;
    for (const Entry& entry : entries) {
      columns.push_back(entry.column);
      coefficients.push_back(entry.coefficient);
    }
    Cbc_addRow(cbc_.get(), fmt::format("r{}", rows_++).c_str(), static_cast<int>(columns.size()), columns.data(),
               coefficients.data(), sense, right);
  }

  bool affordable(std::size_t row, double cost) const { return !(cost > spare_[row]); }

  // A choice that alone costs more than is left, or loses more than a known plan does, is fixed at 0.
  bool possible(const AllocationGroup& group, const GroupChoice& choice) const {
    for (std::size_t r = 0; r < spare_.size(); ++r) {
      if (!affordable(r, choice.costs[r] - group.least_cost(r))) return false;
    }
    return !goal_.known || goal_of(choice) - least_goal(group) <= *goal_.known * (1 + 1e-9);
  }

  void add_choices() {
    for (const AllocationGroup& group : model_.groups()) {
      first_column_.push_back(columns_);
      std::vector<Entry> one;
      for (const GroupChoice& choice : group.choices) {
        const double above = scale_ * (goal_of(choice) - least_goal(group));
        const bool open = possible(group, choice);
        one.push_back({add_column(open ? 1.0 : 0.0, open ? above : 0.0, true), 1.0});
        open_.push_back(open);
      }
      add_row(one, 'E', 1.0);
    }
  }

  // y[a][b] is 1 where the producer has format a and the consumer format b: its rows sum to the producer's choices of
  // that format, its columns to the consumer's, which makes it integer where they are.
  void add_boundaries() {
    for (const GroupBoundary& boundary : model_.boundaries()) {
      std::vector<std::vector<int>> y(boundary.cost.size());
      for (std::size_t a = 0; a < y.size(); ++a) {
        for (const std::vector<double>& cost : boundary.cost[a]) {
          bool open = true;
          for (std::size_t b = 0; b < cost.size(); ++b) open = open && affordable(b, cost[b]);
          y[a].push_back(add_column(open ? 1.0 : 0.0, goal_.budget ? scale_ * cost[*goal_.budget] : 0.0, false));
        }
      }
      for (std::size_t a = 0; a < y.size(); ++a) {
        std::vector<Entry> entries = choices_of(boundary.producer, boundary.producer_format, a);
        for (const int column : y[a]) entries.push_back({column, 1.0});
        add_row(entries, 'E', 0.0);
      }
      for (std::size_t b = 0; b < y.front().size(); ++b) {
        std::vector<Entry> entries = choices_of(boundary.consumer, boundary.consumer_format, b);
        for (const std::vector<int>& row : y) entries.push_back({row[b], 1.0});
        add_row(entries, 'E', 0.0);
      }
      pairs_.push_back(std::move(y));
    }
  }

  // A group's choices of one format, with the sign that moves them to the other side.
  std::vector<Entry> choices_of(std::size_t group, const std::vector<std::size_t>& formats, std::size_t format) const {
    std::vector<Entry> entries;
    for (std::size_t k = 0; k < formats.size(); ++k) {
      if (formats[k] == format) entries.push_back({first_column_[group] + static_cast<int>(k), -1.0});
    }
    return entries;
  }

  void add_limit(std::size_t r) {
    if (!std::isfinite(spare_[r])) return;
    std::vector<Entry> entries;
    double most = 0.0;  // if everything were taken that is open
    for (std::size_t g = 0; g < model_.groups().size(); ++g) {
      const AllocationGroup& group = model_.groups()[g];
      double dearest = 0.0;
      for (std::size_t k = 0; k < group.choices.size(); ++k) {
        const double above = group.choices[k].costs[r] - group.least_cost(r);
        const int column = first_column_[g] + static_cast<int>(k);
        if (above <= 0 || !open_[static_cast<std::size_t>(column)]) continue;
        entries.push_back({column, above});
        dearest = std::max(dearest, above);
      }
      most += dearest;
    }
    for (std::size_t e = 0; r < model_.budgets() && e < pairs_.size(); ++e) {
      const GroupBoundary& boundary = model_.boundaries()[e];
      double dearest = 0.0;
      for (std::size_t a = 0; a < boundary.cost.size(); ++a) {
        for (std::size_t b = 0; b < boundary.cost[a].size(); ++b) {
          const double cost = boundary.cost[a][b][r];
          if (cost <= 0) continue;
          if (affordable(r, cost)) dearest = std::max(dearest, cost);
          if (affordable(r, cost)) entries.push_back({pairs_[e][a][b], cost});
        }
      }
      most += dearest;
    }
    if (most <= spare_[r]) return;
    const double scale = row_scale / spare_[r];
    for (Entry& entry : entries) entry.coefficient *= scale;
    add_row(entries, 'L', row_scale * (1 + row_slack));
  }

  void exclude(const Choices& choices) {
    std::vector<Entry> entries;
    for (std::size_t g = 0; g < choices.size(); ++g) {
      entries.push_back({first_column_[g] + static_cast<int>(choices[g]), 1.0});
    }
    add_row(entries, 'L', static_cast<double>(choices.size()) - 1.0);
  }

  Choices rounded(const double* values) const {
    Choices choices;
    for (std::size_t g = 0; g < model_.groups().size(); ++g) {
      const double* first = values + first_column_[g];
      choices.push_back(
          static_cast<std::size_t>(std::max_element(first, first + model_.groups()[g].choices.size()) - first));
    }
    return choices;
  }

  const AllocationModel& model_;
  const Goal& goal_;
  std::unique_ptr<Cbc_Model, decltype(&Cbc_deleteModel)> cbc_;
  std::vector<double> spare_;                         // one a row
  std::vector<int> first_column_;                     // one a group
  std::vector<bool> open_;                            // by column: not fixed at 0
  std::vector<std::vector<std::vector<int>>> pairs_;  // columns [boundary][producer's format][consumer's format]
  double most_ = 0.0, scale_ = 1.0;
  int columns_ = 0, rows_ = 0;
};

// Solves programs until a time is over.
class Solver {
 public:
  Solver(const AllocationModel& model, double time_limit_s) : model_(model), time_limit_s_(time_limit_s) {}

  // The best choices that keep the goal's limits in double arithmetic, not only within CBC's tolerance.
  Answer minimise(Goal goal) const {
    Answer answer;
    for (double left = time_left(); left > 0; left = time_left()) {
      answer = Program(model_, goal).solve(left);
      if (!answer.choices || keeps_limits(*answer.choices, goal)) return answer;
      goal.excluded.push_back(*answer.choices);
    }
    return {false, std::nullopt, answer.bound};
  }

  // What a budget costs at least under these limits; nothing where that is not known in time.
  std::optional<double> least_cost(std::size_t budget, const std::vector<double>& limits) const {
    const Answer answer = minimise({budget, limits});
    if (!answer.proved || !answer.choices) return std::nullopt;
    return model_.costs(*answer.choices)[budget];
  }

 private:
  double time_left() const {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
    return time_limit_s_ - spent.count();
  }

  bool keeps_limits(const Choices& choices, const Goal& goal) const {
    const std::vector<double> costs = model_.costs(choices);
    for (std::size_t r = 0; r < costs.size(); ++r) {
      if (!keeps_limit(costs[r], goal.limits[r])) return false;
    }
    return true;
  }

  const AllocationModel& model_;
  double time_limit_s_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Each limit can be kept alone: what one budget would need beside the others, where that is the smallest change.
std::string joint_conflict(const AllocationModel& model, const Solver& solver) {
  const AllocationProblem& problem = model.problem();
  std::string nearest;
  double least_excess = std::numeric_limits<double>::infinity();
  for (std::size_t b = 0; b < model.budgets(); ++b) {
    if (!std::isfinite(problem.budgets[b].limit)) continue;
    std::vector<double> limits = model.limits();
    for (std::size_t r = b; r < limits.size(); r += model.budgets())
      limits[r] = std::numeric_limits<double>::infinity();
    const std::optional<double> needed = solver.least_cost(b, limits);
    if (!needed || *needed / problem.budgets[b].limit >= least_excess) continue;
    const Budget& budget = problem.budgets[b];
    least_excess = *needed / budget.limit;
    nearest =
        fmt::format("; the nearest is {}: with the other limits kept, it needs {:.6g}{}{}, and its limit is {:.6g}",
                    budget.name, *needed, budget.unit.empty() ? "" : " ", budget.unit, budget.limit);
  }
  return "every limit can be kept alone, but not all of them together" + nearest;
}

void explain_infeasible(const AllocationModel& model, const Solver& solver, Allocation& result) {
  result.status = AllocationStatus::infeasible;
  if (!model.boundaries().empty()) {
    const std::vector<double> free(model.limits().size(), std::numeric_limits<double>::infinity());
    for (std::size_t b = 0; b < model.budgets(); ++b) {
      result.least[b] = solver.least_cost(b, free).value_or(result.least[b]);
    }
  }
  result.why = tightest_budget(model.problem(), result.least);
  if (result.why.empty()) result.why = joint_conflict(model, solver);
}

Allocation solved(const AllocationModel& model, const Solver& solver, Allocation greedy) {
  if (!tightest_budget(model.problem(), greedy.least).empty()) {
    explain_infeasible(model, solver, greedy);
    return greedy;
  }
  double least = 0.0;
  for (const AllocationGroup& group : model.groups()) least += group.least_penalty();
  Goal goal{std::nullopt, model.limits()};
  if (greedy.plan) goal.known = std::max(0.0, greedy.plan->penalty - least);
  Answer answer{true, std::nullopt, 0.0};
  if (goal.known != 0.0) answer = solver.minimise(goal);  // at 0 every group has its best choice
  if (answer.proved && !answer.choices && !greedy.plan) {
    explain_infeasible(model, solver, greedy);
    return greedy;
  }
  if (!answer.choices && goal.known != 0.0) answer.proved = false;  // a plan is known
  Allocation result = std::move(greedy);
  if (answer.choices) {
    AllocationPlan plan = model.plan(*answer.choices);
    if (!result.plan || plan.penalty < result.plan->penalty) result.plan = std::move(plan);
  }
  result.why.clear();
  if (!result.plan) {
    result.status = AllocationStatus::unsolved;
    result.why = "the time limit came before a plan was found, or a proof that there is none";
    return result;
  }
  result.status = answer.proved ? AllocationStatus::optimal : AllocationStatus::feasible;
  result.bound = answer.proved ? result.plan->penalty : std::min(least + answer.bound, result.plan->penalty);
  return result;
}

}  // namespace

Allocation exact_allocation(const AllocationProblem& problem, const ExactOptions& options) {
  if (!(options.time_limit_s > 0)) {
    throw ConfigError({"", "time limit", "seconds above 0", fmt::format("{}", options.time_limit_s), ""});
  }
  Allocation greedy = greedy_allocation(problem).result;
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const OneThread one_thread;
  const AllocationModel model(problem);
  return solved(model, Solver(model, options.time_limit_s), std::move(greedy));
}

}  // namespace ridgeline
