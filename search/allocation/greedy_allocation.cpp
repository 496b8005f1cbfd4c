#include "search/allocation/greedy_allocation.hpp"

#include <algorithm>
#include <cmath>

#include "search/allocation/allocation_model.hpp"

namespace ridgeline {
namespace {

struct Move {
  std::size_t choice = 0;
  double increase = 0.0;  // of the penalty
  double saved = 0.0;     // > 0

  // A lower increase for what is saved; of equal ones the smaller step.
  bool before(const Move& other) const {
    const double mine = increase * other.saved, its = other.increase * saved;
    return mine != its ? mine < its : saved < other.saved;
  }
};

using BestMove = std::optional<Move>;

class Descent {
 public:
  explicit Descent(const AllocationModel& model) : model_(model) {
    for (const AllocationGroup& group : model.groups()) {
      const auto best = std::ranges::min_element(group.choices, [](const GroupChoice& one, const GroupChoice& other) {
        return one.penalty != other.penalty ? one.penalty < other.penalty : one.costs < other.costs;
      });
      choices_.push_back(static_cast<std::size_t>(best - group.choices.begin()));
    }
    set_weights();
    joint_.resize(choices_.size());
    for (std::size_t g = 0; g < choices_.size(); ++g) joint_[g] = best_move(g, true);
  }

  const std::vector<std::size_t>& choices() const { return choices_; }

  // Makes the best move; nothing when no group can save any more. Returns the group.
  std::optional<std::size_t> step() {
    std::vector<BestMove> alone;
    std::optional<std::size_t> group = best_group(joint_);
    const bool blocked = !group;  // conversions at boundaries eat what a layer would save
    if (blocked) {
      for (std::size_t g = 0; g < choices_.size(); ++g) alone.push_back(best_move(g, false));
      group = best_group(alone);
    }
    if (!group) return std::nullopt;
    choices_[*group] = blocked ? alone[*group]->choice : joint_[*group]->choice;
    joint_[*group] = best_move(*group, true);
    for (const std::size_t e : model_.boundaries_of(*group)) {
      const GroupBoundary& boundary = model_.boundaries()[e];
      const std::size_t other = boundary.producer == *group ? boundary.consumer : boundary.producer;
      joint_[other] = best_move(other, true);
    }
    return group;
  }

 private:
  // A budget's weight is one over the way from the start's cost to the least one.
  void set_weights() {
    const std::vector<double> least = least_costs(model_);
    const std::vector<double> start = model_.costs(choices_);
    const auto limited = [&](std::size_t b) { return std::isfinite(model_.limits()[b]); };
    bool any = false;
    for (std::size_t b = 0; b < model_.budgets(); ++b) any = any || limited(b);
    weights_.assign(model_.budgets(), 0.0);
    for (std::size_t b = 0; b < model_.budgets(); ++b) {
      if ((limited(b) || !any) && start[b] > least[b]) weights_[b] = 1.0 / (start[b] - least[b]);
    }
  }

  double boundary_cost(const GroupBoundary& boundary, std::size_t group, std::size_t choice) const {
    const std::size_t producer = boundary.producer == group ? choice : choices_[boundary.producer];
    const std::size_t consumer = boundary.consumer == group ? choice : choices_[boundary.consumer];
    const std::span<const double> costs = boundary.at(producer, consumer);
    double weighted = 0.0;
    for (std::size_t b = 0; b < costs.size(); ++b) weighted += weights_[b] * costs[b];
    return weighted;
  }

  // `joint`: what is saved counts the boundaries as the neighbours are now.
  BestMove best_move(std::size_t g, bool joint) const {
    const AllocationGroup& group = model_.groups()[g];
    const GroupChoice& now = group.choices[choices_[g]];
    BestMove best;
    for (std::size_t k = 0; k < group.choices.size(); ++k) {
      Move move{k, group.choices[k].penalty - now.penalty, 0.0};
      for (std::size_t b = 0; b < weights_.size(); ++b) {
        move.saved += weights_[b] * (now.costs[b] - group.choices[k].costs[b]);
      }
      if (move.saved <= 0) continue;  // only downwards, so that the descent ends
      if (joint) {
        for (const std::size_t e : model_.boundaries_of(g)) {
          const GroupBoundary& boundary = model_.boundaries()[e];
          move.saved += boundary_cost(boundary, g, choices_[g]) - boundary_cost(boundary, g, k);
        }
        if (move.saved <= 0) continue;
      }
      if (!best || move.before(*best)) best = move;
    }
    return best;
  }

  static std::optional<std::size_t> best_group(const std::vector<BestMove>& moves) {
    std::optional<std::size_t> best;
    for (std::size_t g = 0; g < moves.size(); ++g) {
      if (moves[g] && (!best || moves[g]->before(*moves[*best]))) best = g;
    }
    return best;
  }

  const AllocationModel& model_;
  std::vector<std::size_t> choices_;  // one a group
  std::vector<double> weights_;       // one a budget
  std::vector<BestMove> joint_;       // one a group
};

void explain_failure(const AllocationModel& model, Allocation& result) {
  const std::string tightest = tightest_budget(model.problem(), result.least);
  result.status = tightest.empty() ? AllocationStatus::unsolved : AllocationStatus::infeasible;
  result.why = tightest.empty() ? "no step of the greedy descent keeps every limit, though each can be kept alone; the "
                                  "exact allocator can tell whether a plan exists"
                                : tightest;
}

}  // namespace

AllocationPlan GreedyAllocation::prefix(const AllocationProblem& problem, std::size_t count) const {
  std::vector<std::size_t> choices = start.choices;
  for (std::size_t s = 0; s < std::min(count, steps.size()); ++s) {
    const std::string& name = problem.layers[steps[s].layers.front()].choices[steps[s].to].name;
    for (const std::size_t l : steps[s].layers) {
      const auto& known = problem.layers[l].choices;
      choices[l] = static_cast<std::size_t>(std::ranges::find(known, name, &AllocationChoice::name) - known.begin());
    }
  }
  return allocation_plan(problem, choices);
}

GreedyAllocation greedy_allocation(const AllocationProblem& problem) {
  check_allocation(problem, "");
  const AllocationModel model(problem);
  Descent descent(model);
  GreedyAllocation greedy;
  greedy.result.least = least_costs(model);
  greedy.start = model.plan(descent.choices());
  for (std::vector<std::size_t> before = descent.choices();; before = descent.choices()) {
    if (!greedy.result.plan && model.feasible(before)) {
      greedy.result.plan = model.plan(before);
      greedy.result.status = AllocationStatus::feasible;
      greedy.used = greedy.steps.size();
    }
    const std::optional<std::size_t> group = descent.step();
    if (!group) break;
    const AllocationGroup& moved = model.groups()[*group];
    const AllocationPlan plan = model.plan(descent.choices());
    greedy.steps.push_back({moved.layers, moved.choices[before[*group]].layers.front(),
                            moved.choices[descent.choices()[*group]].layers.front(), plan.penalty, plan.costs});
  }
  if (!greedy.result.plan) {
    greedy.used = greedy.steps.size();
    explain_failure(model, greedy.result);
  }
  return greedy;
}

}  // namespace ridgeline
