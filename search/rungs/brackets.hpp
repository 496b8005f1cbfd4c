// How many candidates successive halving evaluates on each rung: pure functions of what the rungs cost.
//
// Costs are in whole evaluations: costs[0] = 1 for the whole one, then less and less. With costs[k] = eta^-k and
// R = eta^(costs.size() - 1), the numbers are those of the papers, whose resource of rung k is R costs[k].
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ridgeline {

// By what the number of candidates falls from rung to rung: `eta`, or, where that is 0, by as much as the cost of an
// evaluation rises, so that every rung of a bracket costs about the same.
struct Halving {
  std::span<const double> costs;
  double eta = 0;  // 0, or more than 1

  // The share of those on rung `from` that go on to reach rung `to` <= `from`.
  double share(std::size_t from, std::size_t to) const;
};

// One bracket: `candidates` begin on rung `first`, sizes[i] are evaluated on rung `first` - i, the last of them whole.
// At least one goes on from each (Jamieson and Talwalkar, 2016, algorithm "successive halving").
std::vector<std::size_t> bracket(const Halving& halving, std::size_t first, std::size_t candidates);

// With how many candidates Hyperband begins its bracket on rung `first` (Li et al., 2018, algorithm 1, line 3):
// ceil((s_max + 1) / (s + 1) eta^s) with s = `first` and s_max the cheapest rung there is.
std::size_t hyperband_candidates(const Halving& halving, std::size_t first);

// What a bracket costs, in whole evaluations.
double bracket_cost(std::span<const double> costs, std::span<const std::size_t> sizes);

}  // namespace ridgeline
