// Bit-width allocation by greedy descent (MPTQ-ViT, Tai et al., 2024): every layer starts at its choice of least
// penalty, and at each step the group of tied layers moves that pays the least penalty for what it saves.
//
// What a step saves is the sum over limited budgets (over all budgets where none is limited) of its share of the way
// from the start's cost to the least one; boundaries count. The steps do not depend on the limits' values and run to
// the end; the allocation is the first prefix that keeps every limit. So every prefix is a plan of its own, a tighter
// limit only takes more of the same steps, and no step makes a layer cost more by the measure above: with one budget a
// lower target never raises a layer's bits. Where only a joint change of several layers would save (boundaries), the
// step is chosen by the layers' own costs.
//
// Deterministic; pure. With G groups, C choices and boundaries of bounded degree: O(G C (G + C)) time.
#pragma once

#include <cstddef>
#include <vector>

#include "search/allocation/allocation.hpp"

namespace ridgeline {

struct GreedyStep {
  std::vector<std::size_t> layers;  // which changed, to the same choice
  std::size_t from = 0, to = 0;     // choices of the first of them
  double penalty = 0.0;             // after the step
  std::vector<double> costs;        // after the step, one a budget
};

struct GreedyAllocation {
  Allocation result;              // never `optimal`; unsolved where no prefix keeps the limits but another plan might
  AllocationPlan start;           // before the first step
  std::vector<GreedyStep> steps;  // all of them
  std::size_t used = 0;           // steps of the result's plan; all of them without one

  // The plan after the first `count` steps.
  AllocationPlan prefix(const AllocationProblem& problem, std::size_t count) const;
};

// Throws ConfigError as check_allocation does.
GreedyAllocation greedy_allocation(const AllocationProblem& problem);

}  // namespace ridgeline
