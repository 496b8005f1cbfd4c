// Every plan of a small allocation problem, and random problems of given shapes.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "search/allocation/allocation.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

inline constexpr double no_limit = std::numeric_limits<double>::infinity();

// Every plan of the problem whose tied layers agree, given to `look`.
inline void for_every_plan(const AllocationProblem& problem, const std::function<void(const AllocationPlan&)>& look) {
  std::vector<std::size_t> choices(problem.layers.size(), 0);
  const auto name_at = [&](std::size_t l) { return problem.layers[l].choices[choices[l]].name; };
  for (;;) {
    bool agree = true;
    for (const auto& tie : problem.ties) {
      for (const std::size_t l : tie) agree = agree && name_at(l) == name_at(tie.front());
    }
    if (agree) look(allocation_plan(problem, choices));
    std::size_t l = 0;
    while (l < choices.size() && ++choices[l] == problem.layers[l].choices.size()) choices[l++] = 0;
    if (l == choices.size()) return;
  }
}

inline bool keeps_limits(const AllocationProblem& problem, const AllocationPlan& plan) {
  for (std::size_t b = 0; b < plan.costs.size(); ++b) {
    if (!keeps_limit(plan.costs[b], problem.budgets[b].limit)) return false;
  }
  return true;
}

// The best plan by trying all; nothing where none keeps the limits.
inline std::optional<AllocationPlan> brute_force(const AllocationProblem& problem) {
  std::optional<AllocationPlan> best;
  for_every_plan(problem, [&](const AllocationPlan& plan) {
    if (keeps_limits(problem, plan) && (!best || plan.penalty < best->penalty)) best = plan;
  });
  return best;
}

struct Shape {
  std::size_t layers = 6, choices = 3, budgets = 2;
  bool ties = false, boundaries = false;
};

// Penalties fall with bits and spread over decades, as traces do; costs rise with bits, in units far apart.
inline AllocationProblem random_problem(Rng& rng, const Shape& shape) {
  AllocationProblem problem;
  const std::vector<double> units = {1e6, 1e-3, 1.0};
  for (std::size_t b = 0; b < shape.budgets; ++b) problem.budgets.push_back({fmt::format("b{}", b), "", no_limit});
  for (std::size_t l = 0; l < shape.layers; ++l) {
    AllocationLayer layer{fmt::format("layer{}", l), 0, {}};
    const double sensitivity = std::pow(10.0, rng.uniform() * 4 - 6);
    for (std::size_t k = 0; k < shape.choices; ++k) {
      AllocationChoice choice{fmt::format("int{}", 2 << k), "", 0.0, {}};
      choice.penalty = sensitivity * (rng.uniform() + std::pow(4.0, -static_cast<double>(k)));
      for (std::size_t b = 0; b < shape.budgets; ++b) {
        choice.costs.push_back(units[b] * (static_cast<double>(k) + 0.5 + rng.uniform()));
      }
      layer.choices.push_back(choice);
    }
    problem.layers.push_back(layer);
  }
  if (shape.ties) problem.ties = {{0, shape.layers - 1}, {1, 2}};
  if (shape.boundaries) {
    for (std::size_t l = 0; l + 1 < shape.layers; ++l) problem.boundaries.push_back({l, l + 1, 1.0 + rng.uniform()});
    problem.boundaries.push_back({0, shape.layers - 1, 2.0});
    problem.conversions = {{"int2", "*", {}}, {"*", "int2", {}}, {"int4", "int8", {}}};
    for (FormatConversion& conversion : problem.conversions) {
      for (std::size_t b = 0; b < shape.budgets; ++b) conversion.costs.push_back(units[b] * rng.uniform());
    }
  }
  return problem;
}

// Limits between the smallest and the largest cost; some are exactly what a plan costs.
inline void draw_limits(Rng& rng, AllocationProblem& problem) {
  std::vector<AllocationPlan> plans;
  for_every_plan(problem, [&](const AllocationPlan& plan) { plans.push_back(plan); });
  const AllocationPlan& reached = plans[rng.below(plans.size())];
  for (std::size_t b = 0; b < problem.budgets.size(); ++b) {
    const double share = 0.7 + 0.5 * rng.uniform();
    problem.budgets[b].limit = reached.costs[b] * (rng.uniform() < 0.5 ? 1.0 : share);
  }
}

}  // namespace ridgeline
