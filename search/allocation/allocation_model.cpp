#include "search/allocation/allocation_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace ridgeline {
namespace {

// The choice of `layer` that has this name.
std::size_t choice_named(const AllocationLayer& layer, const std::string& name) {
  const auto found = std::ranges::find(layer.choices, name, &AllocationChoice::name);
  return static_cast<std::size_t>(found - layer.choices.begin());
}

// Numbers the formats of a layer's choices by what conversions make of them, so that a layer of many choices and few
// formats has a small table of conversions. Returns the number of each choice's format.
std::vector<std::size_t> numbered_formats(const AllocationLayer& layer, std::vector<const AllocationChoice*>& samples) {
  std::map<std::string, std::size_t> numbers;
  std::vector<std::size_t> of_choice;
  for (const AllocationChoice& choice : layer.choices) {
    const auto [at, fresh] = numbers.emplace(choice.format.empty() ? choice.name : choice.format, samples.size());
    if (fresh) samples.push_back(&choice);
    of_choice.push_back(at->second);
  }
  return of_choice;
}

bool costs_anything(const GroupBoundary& boundary) {
  for (const auto& row : boundary.cost) {
    for (const auto& cell : row) {
      if (std::ranges::any_of(cell, [](double cost) { return cost > 0; })) return true;
    }
  }
  return false;
}

}  // namespace

double AllocationGroup::least_penalty() const {
  return std::ranges::min_element(choices, {}, &GroupChoice::penalty)->penalty;
}

double AllocationGroup::least_cost(std::size_t row) const {
  double least = choices.front().costs[row];
  for (const GroupChoice& choice : choices) least = std::min(least, choice.costs[row]);
  return least;
}

AllocationModel::AllocationModel(const AllocationProblem& problem) : problem_(&problem) {
  for (const Budget& budget : problem.budgets) limits_.push_back(budget.limit);
  if (problem.metrics.size() > 1) limits_.resize(budgets() * (1 + problem.metrics.size()));
  make_groups();
  if (problem.metrics.size() > 1) divide_limits();
  make_boundaries();
}

AllocationGroup AllocationModel::group_of(const std::vector<std::size_t>& members,
                                          std::span<const PenaltyRange> ranges) const {
  const std::size_t metric = problem_->layers[members.front()].metric;
  const PenaltyRange& range = ranges[metric];
  AllocationGroup group;
  group.layers = members;
  for (const AllocationChoice& first : problem_->layers[members.front()].choices) {
    GroupChoice choice;
    choice.costs.assign(limits_.size(), 0.0);
    for (const std::size_t l : members) {
      const AllocationLayer& layer = problem_->layers[l];
      choice.layers.push_back(choice_named(layer, first.name));
      const AllocationChoice& taken = layer.choices[choice.layers.back()];
      const double least = std::ranges::min(layer.choices, {}, &AllocationChoice::penalty).penalty;
      choice.penalty += ranges.size() > 1 ? range.normalised(range.least + taken.penalty - least) : taken.penalty;
      for (std::size_t b = 0; b < budgets(); ++b) choice.costs[b] += taken.costs[b];
    }
    if (ranges.size() > 1) {
      for (std::size_t b = 0; b < budgets(); ++b) choice.costs[budgets() * (1 + metric) + b] = choice.costs[b];
    }
    group.choices.push_back(std::move(choice));
  }
  return group;
}

void AllocationModel::make_groups() {
  const std::vector<PenaltyRange> ranges = penalty_ranges(*problem_);
  std::vector<const std::vector<std::size_t>*> tie_of(problem_->layers.size(), nullptr);
  for (const std::vector<std::size_t>& tie : problem_->ties) {
    for (const std::size_t l : tie) tie_of[l] = &tie;
  }
  for (std::size_t l = 0; l < problem_->layers.size(); ++l) {
    if (tie_of[l] == nullptr) {
      groups_.push_back(group_of({l}, ranges));
    } else if (std::ranges::min(*tie_of[l]) == l) {
      groups_.push_back(group_of(*tie_of[l], ranges));
    }
  }
}

void AllocationModel::make_boundaries() {
  std::vector<std::size_t> group_of_layer(problem_->layers.size()), member_of_layer(problem_->layers.size());
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t m = 0; m < groups_[g].layers.size(); ++m) {
      group_of_layer[groups_[g].layers[m]] = g;
      member_of_layer[groups_[g].layers[m]] = m;
    }
  }
  boundaries_of_.resize(groups_.size());
  for (const FormatBoundary& boundary : problem_->boundaries) {
    const AllocationLayer& producer = problem_->layers[boundary.producer];
    const AllocationLayer& consumer = problem_->layers[boundary.consumer];
    GroupBoundary made{group_of_layer[boundary.producer], group_of_layer[boundary.consumer], {}, {}, {}};
    std::vector<const AllocationChoice*> from, to;
    const std::vector<std::size_t> producer_formats = numbered_formats(producer, from);
    const std::vector<std::size_t> consumer_formats = numbered_formats(consumer, to);
    made.cost.assign(from.size(), std::vector<std::vector<double>>(to.size(), std::vector<double>(budgets(), 0.0)));
    for (std::size_t p = 0; p < from.size(); ++p) {
      for (std::size_t c = 0; c < to.size(); ++c) {
        const FormatConversion* conversion = find_conversion(*problem_, boundary, *from[p], *to[c]);
        if (conversion == nullptr) continue;
        for (std::size_t b = 0; b < budgets(); ++b) made.cost[p][c][b] = boundary.size * conversion->costs[b];
      }
    }
    for (const GroupChoice& choice : groups_[made.producer].choices) {
      made.producer_format.push_back(producer_formats[choice.layers[member_of_layer[boundary.producer]]]);
    }
    for (const GroupChoice& choice : groups_[made.consumer].choices) {
      made.consumer_format.push_back(consumer_formats[choice.layers[member_of_layer[boundary.consumer]]]);
    }
    if (made.producer == made.consumer) {
      for (std::size_t k = 0; k < groups_[made.producer].choices.size(); ++k) {
        std::vector<double>& costs = groups_[made.producer].choices[k].costs;
        for (std::size_t b = 0; b < budgets(); ++b) costs[b] += made.at(k, k)[b];
      }
    } else if (costs_anything(made)) {
      boundaries_of_[made.producer].push_back(boundaries_.size());
      boundaries_of_[made.consumer].push_back(boundaries_.size());
      boundaries_.push_back(std::move(made));
    }
  }
}

void AllocationModel::divide_limits() {
  const std::size_t metrics = problem_->metrics.size();
  for (std::size_t b = 0; b < budgets(); ++b) {
    std::vector<double> least(metrics, 0.0), free(metrics, 0.0);  // free: at each group's choice of least penalty
    double least_sum = 0.0, free_sum = 0.0;
    for (const AllocationGroup& group : groups_) {
      const std::size_t metric = problem_->layers[group.layers.front()].metric;
      const auto best = std::ranges::min_element(group.choices, [b](const GroupChoice& one, const GroupChoice& other) {
        return std::pair(one.penalty, one.costs[b]) < std::pair(other.penalty, other.costs[b]);
      });
      least[metric] += group.least_cost(b);
      free[metric] += best->costs[b];
      least_sum += group.least_cost(b);
      free_sum += best->costs[b];
    }
    const double spare = limits_[b] - least_sum;
    const bool bound = free_sum > least_sum && spare < free_sum - least_sum;
    const double share = bound ? std::max(0.0, spare) / (free_sum - least_sum) : 1.0;
    for (std::size_t m = 0; m < metrics; ++m) {
      // What remains after each metric's least cost is shared; conversions at boundaries are the whole plan's.
      limits_[budgets() * (1 + m) + b] =
          bound ? least[m] + share * (free[m] - least[m]) : std::numeric_limits<double>::infinity();
    }
  }
}

AllocationPlan AllocationModel::plan(std::span<const std::size_t> choices) const {
  std::vector<std::size_t> of_layer(problem_->layers.size(), 0);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t m = 0; m < groups_[g].layers.size(); ++m) {
      of_layer[groups_[g].layers[m]] = groups_[g].choices[choices[g]].layers[m];
    }
  }
  return allocation_plan(*problem_, of_layer);
}

std::vector<double> AllocationModel::costs(std::span<const std::size_t> choices) const {
  std::vector<double> costs(limits_.size(), 0.0);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const std::vector<double>& own = groups_[g].choices[choices[g]].costs;
    for (std::size_t r = 0; r < costs.size(); ++r) costs[r] += own[r];
  }
  for (const GroupBoundary& boundary : boundaries_) {
    const std::span<const double> cost = boundary.at(choices[boundary.producer], choices[boundary.consumer]);
    for (std::size_t b = 0; b < budgets(); ++b) costs[b] += cost[b];
  }
  return costs;
}

double AllocationModel::penalty(std::span<const std::size_t> choices) const {
  double penalty = 0.0;
  for (std::size_t g = 0; g < groups_.size(); ++g) penalty += groups_[g].choices[choices[g]].penalty;
  return penalty;
}

bool AllocationModel::feasible(std::span<const std::size_t> choices) const {
  const std::vector<double> spent = costs(choices);
  for (std::size_t r = 0; r < spent.size(); ++r) {
    if (!keeps_limit(spent[r], limits_[r])) return false;
  }
  return true;
}

std::vector<double> least_costs(const AllocationModel& model) {
  std::vector<double> least(model.budgets(), 0.0);
  for (const AllocationGroup& group : model.groups()) {
    for (std::size_t b = 0; b < least.size(); ++b) least[b] += group.least_cost(b);
  }
  return least;
}

std::string tightest_budget(const AllocationProblem& problem, std::span<const double> least) {
  const Budget* tightest = nullptr;
  double needed = 0.0, worst = 1.0;
  for (std::size_t b = 0; b < least.size(); ++b) {
    const Budget& budget = problem.budgets[b];
    if (keeps_limit(least[b], budget.limit)) continue;
    const double excess = least[b] / budget.limit;  // infinite for a limit of 0
    if (tightest != nullptr && excess <= worst) continue;
    tightest = &budget;
    needed = least[b];
    worst = excess;
  }
  if (tightest == nullptr) return "";
  return fmt::format("the tightest budget is {}: its limit is {:.6g}{}{}, and no plan needs less than {:.6g}",
                     tightest->name, tightest->limit, tightest->unit.empty() ? "" : " ", tightest->unit, needed);
}

}  // namespace ridgeline
