// Which tensors lie in a small fast memory and which in a large slow one: the game of "Optimizing Memory Mapping Using
// Deep Reinforcement Learning" (Wang et al., 2023, arXiv:2305.07440), whose agent is a MuZero; here it is played by a
// policy without a network, beside a greedy player and the optimum.
//
//   minimise    sum over tensors of fast_cost where it lies in the fast memory, slow_cost elsewhere
//   subject to  sum of the bytes of fast tensors alive at step k <= capacity, for every step k
//
// A 0/1 program with one row a step. A tensor has its place for as long as it lives; offsets within the fast memory are
// not looked at. Costs are of any one unit (seconds, joules).
//
//  * greedy: by what a byte saves (bytes accessed a byte of room, where costs are of bytes moved), shorter lives first
//    among equals; what still fits goes to the fast memory.
//  * policy: REINFORCE over a space of one binary choice a tensor (policy.hpp). In a game the tensors come in the order
//    in which their lives begin; one that is to be fast and does not fit is slow. The reward is the share of the
//    largest possible saving. The best game played is the answer. By default the policy starts as one that mostly does
//    what greedy does, which is then the first game: policy <= greedy.
//  * exact: allocation.hpp's integer program, one budget a step, solved by CBC.
//
// Here and not among the hardware models because it is a search; it sees bytes and costs, no device. Deterministic.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "spaces/rng.hpp"

namespace ridgeline {

struct MappedTensor {
  std::string name;
  double bytes = 0;                           // > 0
  std::size_t first_step = 0, last_step = 0;  // inclusive
  double slow_cost = 0, fast_cost = 0;        // >= 0
};

struct MappingProblem {
  double capacity_bytes = 0;
  std::vector<MappedTensor> tensors;

  std::size_t steps() const;
  double saving(std::size_t tensor) const { return tensors[tensor].slow_cost - tensors[tensor].fast_cost; }
};

struct MemoryMapping {
  std::vector<bool> fast;  // one a tensor
  double cost = 0;
  double peak_bytes = 0;          // of the fast memory
  std::optional<double> bound{};  // proved: no mapping costs less; equal to the cost: the optimum

  bool optimal() const { return bound && cost <= *bound * (1 + 1e-9); }
};

// What these places cost. Throws std::invalid_argument: another number of tensors, a step that does not fit.
MemoryMapping mapping_of(const MappingProblem& problem, std::vector<bool> fast);

MemoryMapping greedy_mapping(const MappingProblem& problem);
MemoryMapping exact_mapping(const MappingProblem& problem, double time_limit_s);

struct MappingPolicyOptions {
  std::uint64_t seed = 1;
  std::size_t games = 4000;
  double learning_rate = 0.1;
  double entropy_bonus = 0.003;  // at the first game, to 0 at the last
  bool from_greedy = true;       // else every choice is as likely as the other at first
};
struct MappingPolicyResult {
  MemoryMapping best;
  std::size_t best_game = 0;      // when it was played
  std::vector<double> mean_cost;  // of each tenth of the games: what it learned
};
MappingPolicyResult policy_mapping(const MappingProblem& problem, const MappingPolicyOptions& options = {});

}  // namespace ridgeline
