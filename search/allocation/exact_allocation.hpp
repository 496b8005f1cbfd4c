// Bit-width allocation as an integer program (HAWQ-V3, Yao et al., 2021), solved by CBC's branch and cut with a proof
// of optimality, or the remaining gap where the time limit came first.
//
// A binary variable for each group of tied layers and choice; a boundary's conversions are linear in one variable for
// each pair of formats, tied to the choices on both sides. The objective is scaled by what greedy allocation reaches,
// which also excludes choices that no better plan can hold, and each limit by what it leaves above the least cost, so
// that traces and bytes meet as numbers of one size. The solver's own tolerance never decides whether a limit is kept:
// a plan that breaks one in double arithmetic is cut off and the program is solved again.
//
// The same problem gives the same plan. CBC keeps state for the whole process: one problem is solved at a time, callers
// in other threads wait. Nothing is printed.
#pragma once

#include "search/allocation/allocation.hpp"

namespace ridgeline {

struct ExactOptions {
  double time_limit_s = 60.0;  // wall clock, > 0
};

// Optimal means that no plan is better by more than 1e-9 of what the greedy plan (without one: the worst) loses over
// the best choice of every layer alone. A plan is never worse than greedy_allocation's. Throws ConfigError as
// check_allocation does; an infeasible problem is a result.
Allocation exact_allocation(const AllocationProblem& problem, const ExactOptions& options = {});

}  // namespace ridgeline
