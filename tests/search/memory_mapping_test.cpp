// Tensors in fast and slow memory: the optimum against trying everything, and how near the others come.
#include "search/allocation/memory_mapping.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ridgeline {
namespace {

// Lives of a few steps, and some tensors that live all the time, as weights do.
MappingProblem random_mapping(Rng& rng, std::size_t tensors, std::size_t steps, double share) {
  MappingProblem problem;
  double all = 0;
  for (std::size_t t = 0; t < tensors; ++t) {
    MappedTensor made;
    made.name = "t" + std::to_string(t);
    made.bytes = 1 + static_cast<double>(rng.below(40));
    const bool weights = rng.chance(0.3);
    made.first_step = weights ? 0 : rng.below(steps);
    made.last_step = weights ? steps - 1 : std::min(steps - 1, made.first_step + rng.below(4));
    const double moves = 1 + static_cast<double>(rng.below(3));
    made.slow_cost = made.bytes * moves * 10;
    made.fast_cost = made.bytes * moves;
    all += made.bytes;
    problem.tensors.push_back(made);
  }
  problem.capacity_bytes = std::floor(all * share);
  return problem;
}

double fewest_cost(const MappingProblem& problem) {
  double best = std::numeric_limits<double>::infinity();
  for (std::uint32_t mask = 0; mask < 1U << problem.tensors.size(); ++mask) {
    std::vector<double> taken(problem.steps(), 0.0);
    double cost = 0;
    for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
      const MappedTensor& tensor = problem.tensors[t];
      const bool fast = (mask >> t & 1U) != 0;
      cost += fast ? tensor.fast_cost : tensor.slow_cost;
      for (std::size_t k = tensor.first_step; fast && k <= tensor.last_step; ++k) taken[k] += tensor.bytes;
    }
    if (*std::ranges::max_element(taken) <= problem.capacity_bytes) best = std::min(best, cost);
  }
  return best;
}

TEST(MemoryMapping, TheOptimumEqualsTryingEverything) {
  Rng rng(1);
  int greedy_missed = 0, policy_missed = 0;
  double policy_gap = 0;
  for (int round = 0; round < 40; ++round) {
    const MappingProblem problem = random_mapping(rng, 6 + rng.below(6), 8, 0.15 + 0.05 * (round % 8));
    const double fewest = fewest_cost(problem);
    const MemoryMapping exact = exact_mapping(problem, 60);
    EXPECT_NEAR(exact.cost, fewest, 1e-6 * fewest) << "round " << round;
    EXPECT_TRUE(exact.optimal()) << "round " << round;
    const double greedy = greedy_mapping(problem).cost;
    EXPECT_GE(greedy, exact.cost * (1 - 1e-12));
    greedy_missed += greedy > exact.cost * (1 + 1e-9) ? 1 : 0;
    EXPECT_LE(policy_mapping(problem).best.cost, greedy);
    MappingPolicyOptions alone;  // without greedy's help
    alone.from_greedy = false;
    alone.entropy_bonus = 0.1;  // few tensors: it can afford to look around
    const double policy = policy_mapping(problem, alone).best.cost;
    EXPECT_GE(policy, exact.cost * (1 - 1e-12));
    policy_missed += policy > exact.cost * (1 + 1e-9) ? 1 : 0;
    policy_gap = std::max(policy_gap, policy / exact.cost - 1);
  }
  EXPECT_GT(greedy_missed, 5) << "too easy";
  EXPECT_EQ(policy_missed, 0);
  EXPECT_EQ(policy_gap, 0);
}

TEST(MemoryMapping, ThePolicyLearns) {
  Rng rng(2);
  for (int round = 0; round < 3; ++round) {
    const MappingProblem problem = random_mapping(rng, 40, 25, 0.2);
    MappingPolicyOptions options;
    options.from_greedy = false;
    const MappingPolicyResult result = policy_mapping(problem, options);
    ASSERT_EQ(result.mean_cost.size(), 10U);
    EXPECT_LT(result.mean_cost.back(), result.mean_cost.front());
    const MemoryMapping exact = exact_mapping(problem, 60);
    EXPECT_LE(exact.cost, result.best.cost * (1 + 1e-12));
    EXPECT_LE(result.best.cost, exact.cost * 1.03);
  }
}

TEST(MemoryMapping, RepeatsItselfBySeed) {
  Rng rng(3);
  const MappingProblem problem = random_mapping(rng, 20, 10, 0.2);
  MappingPolicyOptions options;
  options.games = 300;
  const MappingPolicyResult one = policy_mapping(problem, options), two = policy_mapping(problem, options);
  EXPECT_EQ(one.best.fast, two.best.fast);
  EXPECT_EQ(one.mean_cost, two.mean_cost);
  options.seed = 2;
  EXPECT_NE(policy_mapping(problem, options).mean_cost, one.mean_cost);
}

TEST(MemoryMapping, WhatDoesNotFitIsRefused) {
  MappingProblem problem{4, {{"a", 3, 0, 1, 10, 1}, {"b", 3, 1, 2, 10, 1}}};
  EXPECT_THROW(mapping_of(problem, {true, true}), std::invalid_argument);
  EXPECT_THROW(mapping_of(problem, {true}), std::invalid_argument);
  EXPECT_EQ(mapping_of(problem, {true, false}).cost, 11);
  EXPECT_EQ(exact_mapping(problem, 60).cost, 11);
  problem.tensors[1].first_step = 2;  // one after the other
  EXPECT_EQ(exact_mapping(problem, 60).cost, 2);
  EXPECT_EQ(greedy_mapping(problem).cost, 2);
  problem.capacity_bytes = 2;
  EXPECT_EQ(exact_mapping(problem, 60).cost, 20);
  EXPECT_EQ(policy_mapping(problem).best.cost, 20);
}

}  // namespace
}  // namespace ridgeline
