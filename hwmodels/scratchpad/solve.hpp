// Schedules for a scratchpad: four solvers of the problem in problem.hpp, each with a lower bound of what any schedule
// moves beyond the compulsory.
//
//  * lru, greedy: an order and a replacement as in baselines.hpp (greedy: farthest next use).
//  * divide: divide and conquer for graphs of any size. The operators, ordered by least memory, are cut where the
//  fewest
//    bytes are alive, into parts of at most `part_ops`; within a part orders, replacements and offsets are searched
//    together by a beam (layouts.hpp) that hands its best states on to the next part. Greedy's plan in every order
//    stands beside it, and the best is taken: divide <= greedy.
//  * exact: the fewest bytes over all orders and replacements where room is counted (residency.hpp), which is a lower
//    bound, then offsets for them (placement.hpp). Where these do not exist, the limit is raised step by step from that
//    bound and all layouts within it are searched. It starts from divide's plan: exact <= divide. `optimal` says that
//    the bound was reached; else the gap is what is left.
//
// Pure, deterministic, no clock: effort is counted in states. Every plan has passed evaluate_plan().
#pragma once

#include <optional>
#include <span>
#include <string>

#include "hwmodels/scratchpad/baselines.hpp"
#include "hwmodels/scratchpad/plan.hpp"

namespace ridgeline {

enum class ScratchpadSolver : std::uint8_t { lru, greedy, divide, exact };
std::span<const std::string> scratchpad_solver_names();  // in the order of ScratchpadSolver

struct ScratchpadEffort {
  OperatorOrder order = OperatorOrder::network;  // of lru and greedy
  std::size_t part_ops = 16;
  std::size_t width = 64;              // of divide's beam
  std::size_t most_states = 100'000;   // of exact's bound
  std::size_t most_layouts = 50'000;   // of exact, a level
  std::size_t most_attempts = 20'000;  // at placing
};

struct ScratchpadSolution {
  ScratchpadPlan plan;
  ScratchpadTraffic traffic;
  std::int64_t bound_bytes = 0;                      // proved: no plan moves less beyond the compulsory
  std::optional<std::int64_t> without_gaps_bytes{};  // of lru and greedy: bytes_without_gaps()
  std::size_t states = 0;                            // looked at for the bound; 0: none

  bool optimal() const { return traffic.beyond_bytes() == bound_bytes; }
};

ScratchpadSolution solve_scratchpad(const ScratchpadProblem& problem, ScratchpadSolver solver,
                                    const ScratchpadEffort& effort = {});

}  // namespace ridgeline
