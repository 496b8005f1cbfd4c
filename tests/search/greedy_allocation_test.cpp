// Greedy descent: its steps, and what holds for every prefix of them.
#include <gtest/gtest.h>

#include "allocation_support.hpp"
#include "search/allocation/exact_allocation.hpp"
#include "search/allocation/greedy_allocation.hpp"

namespace ridgeline {
namespace {

// By hand: 8, 4 or 2 bits, each layer of its own size and sensitivity.
AllocationProblem by_hand(double limit) {
  AllocationProblem problem;
  problem.budgets = {{"bits", "bit", limit}};
  problem.layers = {{"a", 0, {{"8", "", 0, {80}}, {"4", "", 2, {40}}, {"2", "", 10, {20}}}},
                    {"b", 0, {{"8", "", 0, {800}}, {"4", "", 8, {400}}, {"2", "", 60, {200}}}}};
  return problem;
}

TEST(GreedyAllocation, LowersByLeastPenaltyPerBitSaved) {
  const AllocationProblem problem = by_hand(250);
  const GreedyAllocation greedy = greedy_allocation(problem);
  EXPECT_EQ(greedy.start.penalty, 0.0);
  EXPECT_EQ(greedy.start.costs[0], 880.0);
  // Penalty per bit: b to 4 costs 8/400, a to 4 costs 2/40, b to 2 costs 52/200, a to 2 costs 8/20.
  const std::vector<std::pair<std::size_t, double>> expected = {{1, 480}, {0, 440}, {1, 240}, {0, 220}};
  ASSERT_EQ(greedy.steps.size(), expected.size());
  for (std::size_t s = 0; s < expected.size(); ++s) {
    EXPECT_EQ(greedy.steps[s].layers, std::vector<std::size_t>{expected[s].first});
    EXPECT_EQ(greedy.steps[s].costs[0], expected[s].second);
  }
  EXPECT_EQ(greedy.used, 3U);
  ASSERT_TRUE(greedy.result.plan);
  EXPECT_EQ(greedy.result.plan->costs[0], 240.0);
  EXPECT_EQ(greedy.result.plan->penalty, 62.0);
}

class GreedyPrefixes : public ::testing::TestWithParam<Shape> {};

TEST_P(GreedyPrefixes, ArePlansOnTheCurveWhateverTheLimit) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed, "greedy");
    AllocationProblem problem = random_problem(rng, GetParam());
    draw_limits(rng, problem);
    const GreedyAllocation greedy = greedy_allocation(problem);
    EXPECT_EQ(greedy.prefix(problem, 0).choices, greedy.start.choices);
    for (std::size_t s = 0; s < greedy.steps.size(); ++s) {
      const AllocationPlan plan = greedy.prefix(problem, s + 1);
      EXPECT_EQ(plan.penalty, greedy.steps[s].penalty) << seed;
      EXPECT_EQ(plan.costs, greedy.steps[s].costs) << seed;
      for (const auto& tie : problem.ties) {
        for (const std::size_t l : tie) EXPECT_EQ(plan.choices[l], plan.choices[tie.front()]);
      }
      // Limits that this prefix just keeps are met by it or an earlier one.
      AllocationProblem reached = problem;
      for (std::size_t b = 0; b < plan.costs.size(); ++b) reached.budgets[b].limit = plan.costs[b];
      const GreedyAllocation again = greedy_allocation(reached);
      ASSERT_TRUE(again.result.plan);
      EXPECT_LE(again.used, s + 1);
      EXPECT_EQ(again.steps.size(), greedy.steps.size());
    }
    if (!greedy.result.plan) continue;
    EXPECT_EQ(greedy.prefix(problem, greedy.used).choices, greedy.result.plan->choices);
    EXPECT_TRUE(keeps_limits(problem, *greedy.result.plan));
    for (std::size_t count = 0; count < greedy.used; ++count) {
      EXPECT_FALSE(keeps_limits(problem, greedy.prefix(problem, count))) << "an earlier prefix would do";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, GreedyPrefixes,
                         ::testing::Values(Shape{7, 3, 1}, Shape{6, 4, 2}, Shape{7, 3, 2, true},
                                           Shape{7, 3, 2, true, true}));

// CPTQuant's condition: a lower target never raises the bits of a layer.
TEST(GreedyAllocation, ALowerTargetNeverRaisesALayer) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed, "targets");
    AllocationProblem problem = random_problem(rng, {8, 4, 1, true});
    std::vector<std::size_t> looser;
    for (int percent = 100; percent >= 0; percent -= 5) {
      double least = 0, most = 0;
      for (const AllocationLayer& layer : problem.layers) {
        least += layer.choices.front().costs[0];
        most += layer.choices.back().costs[0];
      }
      problem.budgets[0].limit = least + (most - least) * percent / 100;
      const GreedyAllocation greedy = greedy_allocation(problem);
      ASSERT_TRUE(greedy.result.plan) << seed;
      const std::vector<std::size_t>& choices = greedy.result.plan->choices;
      for (std::size_t l = 0; l < looser.size(); ++l) EXPECT_LE(choices[l], looser[l]) << seed << " " << percent;
      looser = choices;
    }
  }
}

// Scores (relevances, traces) become bits under an average, which is a budget like any other.
TEST(GreedyAllocation, ScoresBecomeBitsUnderAnAverage) {
  const std::vector<double> scores = {0.9, 0.05, 0.4, 0.01}, parameters = {100, 400, 200, 300};
  AllocationProblem problem;
  problem.budgets = {{"average_bits", "bit", 4.0}};
  for (std::size_t l = 0; l < scores.size(); ++l) {
    AllocationLayer layer{std::to_string(l), 0, {}};
    for (const int bits : {2, 4, 8}) {
      layer.choices.push_back(
          {std::to_string(bits), "", scores[l] * std::pow(4.0, -bits), {bits * parameters[l] / 1000.0}});
    }
    problem.layers.push_back(layer);
  }
  const GreedyAllocation greedy = greedy_allocation(problem);
  const Allocation exact = exact_allocation(problem);
  ASSERT_TRUE(greedy.result.plan && exact.plan);
  EXPECT_LE(exact.plan->costs[0], 4.0);
  EXPECT_NEAR(exact.plan->penalty, brute_force(problem)->penalty, 1e-15);
  EXPECT_LE(exact.plan->penalty, greedy.result.plan->penalty);
  EXPECT_GT(exact.plan->choices[0], exact.plan->choices[3]) << "the highest score keeps the most bits";
}

TEST(GreedyAllocation, WithoutLimitsItStaysAtTheStartAndStillHasItsCurve) {
  AllocationProblem problem = by_hand(no_limit);
  const GreedyAllocation greedy = greedy_allocation(problem);
  EXPECT_EQ(greedy.used, 0U);
  EXPECT_EQ(greedy.steps.size(), 4U);
  EXPECT_EQ(greedy.result.plan->penalty, 0.0);
  EXPECT_TRUE(greedy_allocation({}).result.plan);
}

// The conversions around a layer cost more than it alone would save: the descent goes on all the same.
TEST(GreedyAllocation, PassesBoundariesThatNoSingleStepWouldCross) {
  AllocationProblem problem = by_hand(250);
  problem.boundaries = {{0, 1, 1.0}};
  problem.conversions = {{"*", "*", {1000}}};
  const GreedyAllocation greedy = greedy_allocation(problem);
  ASSERT_TRUE(greedy.result.plan);
  EXPECT_EQ(greedy.result.plan->costs[0], 220.0);
}

}  // namespace
}  // namespace ridgeline
