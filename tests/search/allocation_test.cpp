// Exact allocation against every plan of small problems, and what both allocators do at the edges.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "allocation_support.hpp"
#include "search/allocation/exact_allocation.hpp"
#include "search/allocation/greedy_allocation.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class ExactAllocation : public ::testing::TestWithParam<Shape> {};

TEST_P(ExactAllocation, EqualsTheBestOfAllPlans) {
  std::uint64_t infeasible = 0, better_than_greedy = 0;
  constexpr std::uint64_t problems = 120;
  for (std::uint64_t seed = 0; seed < problems; ++seed) {
    Rng rng(seed, "allocation");
    AllocationProblem problem = random_problem(rng, GetParam());
    draw_limits(rng, problem);
    const std::optional<AllocationPlan> best = brute_force(problem);
    const Allocation exact = exact_allocation(problem);
    const GreedyAllocation greedy = greedy_allocation(problem);
    if (!best) {
      ++infeasible;
      EXPECT_EQ(exact.status, AllocationStatus::infeasible) << seed;
      EXPECT_FALSE(exact.plan || greedy.result.plan) << seed;
      EXPECT_THAT(exact.why, ContainsRegex("b[0-2]")) << seed;
      continue;
    }
    ASSERT_EQ(exact.status, AllocationStatus::optimal) << seed << ": " << exact.why;
    ASSERT_TRUE(exact.plan);
    EXPECT_NEAR(exact.plan->penalty, best->penalty, 1e-9 * std::abs(best->penalty)) << seed;
    EXPECT_TRUE(keeps_limits(problem, *exact.plan)) << seed;
    EXPECT_EQ(exact.gap(), 0.0);
    if (!greedy.result.plan) continue;
    EXPECT_TRUE(keeps_limits(problem, *greedy.result.plan)) << seed;
    EXPECT_LE(exact.plan->penalty, greedy.result.plan->penalty) << seed;
    if (exact.plan->penalty < greedy.result.plan->penalty * 0.999) ++better_than_greedy;
  }
  EXPECT_LT(infeasible, problems * 2 / 3);
  EXPECT_GT(better_than_greedy, 0U) << "the problems are too easy to tell the allocators apart";
}

INSTANTIATE_TEST_SUITE_P(Shapes, ExactAllocation,
                         ::testing::Values(Shape{7, 3, 1}, Shape{6, 3, 2}, Shape{4, 5, 3}, Shape{7, 3, 2, true},
                                           Shape{6, 3, 2, false, true}, Shape{7, 3, 2, true, true}),
                         [](const auto& one) {
                           const Shape& shape = one.param;
                           return fmt::format("{}layers_{}choices_{}budgets{}{}", shape.layers, shape.choices,
                                              shape.budgets, shape.ties ? "_ties" : "",
                                              shape.boundaries ? "_boundaries" : "");
                         });

// A problem of one budget from rows of (penalty, cost).
AllocationProblem small_problem(const std::vector<std::vector<std::pair<double, double>>>& layers, double limit) {
  AllocationProblem problem;
  problem.budgets = {{"bytes", "B", limit}};
  for (const auto& rows : layers) {
    AllocationLayer layer{fmt::format("layer{}", problem.layers.size()), 0, {}};
    for (const auto& [penalty, cost] : rows) {
      layer.choices.push_back({fmt::format("c{}", layer.choices.size()), "", penalty, {cost}});
    }
    problem.layers.push_back(layer);
  }
  return problem;
}

// Two metrics whose units differ by 1e6: the first half of the layers is judged by one, the rest by the other.
AllocationProblem two_metrics(Rng& rng, bool boundaries) {
  AllocationProblem problem = random_problem(rng, {6, 3, 2, false, boundaries});
  problem.metrics = {"ssim", "sqnr"};
  for (std::size_t l = 3; l < 6; ++l) {
    problem.layers[l].metric = 1;
    for (AllocationChoice& choice : problem.layers[l].choices) choice.penalty *= 1e6;
  }
  draw_limits(rng, problem);
  return problem;
}

// MixDQ's rule written down again: each metric's layers may spend their least cost and the same share of what they
// would spend freely.
bool keeps_shares(const AllocationProblem& problem, const AllocationPlan& plan) {
  for (std::size_t b = 0; b < problem.budgets.size(); ++b) {
    std::vector<double> least(2, 0.0), free(2, 0.0), spent(2, 0.0);
    for (std::size_t l = 0; l < problem.layers.size(); ++l) {
      const AllocationLayer& layer = problem.layers[l];
      double smallest = no_limit;
      for (const AllocationChoice& choice : layer.choices) smallest = std::min(smallest, choice.costs[b]);
      least[layer.metric] += smallest;
      free[layer.metric] += std::ranges::min(layer.choices, {}, &AllocationChoice::penalty).costs[b];
      spent[layer.metric] += layer.choices[plan.choices[l]].costs[b];
    }
    const double spare = problem.budgets[b].limit - least[0] - least[1];
    const double wanted = free[0] + free[1] - least[0] - least[1];
    for (std::size_t m = 0; m < 2 && spare < wanted; ++m) {
      if (spent[m] > least[m] + (free[m] - least[m]) * spare / wanted * (1 + 1e-12) + 1e-12 * least[m]) return false;
    }
  }
  return true;
}

class MetricGroups : public ::testing::TestWithParam<bool> {};

TEST_P(MetricGroups, EqualTheBestPlanThatKeepsEveryShare) {
  int solved = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed, "metrics");
    const AllocationProblem problem = two_metrics(rng, GetParam());
    std::optional<AllocationPlan> best;
    for_every_plan(problem, [&](const AllocationPlan& plan) {
      if (!keeps_limits(problem, plan) || !keeps_shares(problem, plan)) return;
      if (!best || plan.penalty < best->penalty) best = plan;
    });
    const Allocation exact = exact_allocation(problem);
    ASSERT_EQ(exact.status, best ? AllocationStatus::optimal : AllocationStatus::infeasible) << seed << exact.why;
    if (!best) continue;
    ++solved;
    EXPECT_NEAR(exact.plan->penalty, best->penalty, 1e-9) << seed;
    EXPECT_TRUE(keeps_shares(problem, *exact.plan)) << seed;
    EXPECT_EQ(exact.plan->metric_penalties.size(), 2U);
    EXPECT_LE(exact.plan->penalty, 2.0);
  }
  EXPECT_GT(solved, 20);
}

INSTANTIATE_TEST_SUITE_P(Boundaries, MetricGroups, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "with" : "without"; });

// The unit of a metric must not decide which layers are spared.
TEST(MetricGroups, TheUnitOfAMetricDoesNotMatter) {
  Rng rng(5, "metrics");
  AllocationProblem problem = two_metrics(rng, false);
  for (Budget& budget : problem.budgets) budget.limit *= 1.1;
  const Allocation before = exact_allocation(problem);
  for (AllocationLayer& layer : problem.layers) {
    for (AllocationChoice& choice : layer.choices) choice.penalty *= layer.metric == 0 ? 1e-3 : 1e5;
  }
  const Allocation after = exact_allocation(problem);
  ASSERT_TRUE(before.plan && after.plan);
  EXPECT_EQ(before.plan->choices, after.plan->choices);
}

TEST(ExactAllocation, TheSameProblemGivesTheSamePlan) {
  Rng rng(1, "allocation");
  AllocationProblem problem = random_problem(rng, {6, 3, 2, true, true});
  draw_limits(rng, problem);
  const Allocation first = exact_allocation(problem), second = exact_allocation(problem);
  ASSERT_TRUE(first.plan && second.plan);
  EXPECT_EQ(first.plan->choices, second.plan->choices);
  EXPECT_EQ(first.plan->penalty, second.plan->penalty);
}

TEST(ExactAllocation, AnEmptyProblemHasTheEmptyPlan) {
  const Allocation nothing = exact_allocation({});
  EXPECT_EQ(nothing.status, AllocationStatus::optimal);
  ASSERT_TRUE(nothing.plan);
  EXPECT_EQ(nothing.plan->penalty, 0.0);
  AllocationProblem budget_only;
  budget_only.budgets = {{"bytes", "B", 0.0}};
  EXPECT_EQ(exact_allocation(budget_only).status, AllocationStatus::optimal);
}

TEST(ExactAllocation, EqualChoicesAndCostsOfNothing) {
  const Allocation equal = exact_allocation(small_problem({{{1, 4}, {1, 4}}, {{1, 4}, {1, 4}}}, 8));
  EXPECT_EQ(equal.status, AllocationStatus::optimal);
  EXPECT_EQ(equal.plan->costs[0], 8.0);
  const Allocation free = exact_allocation(small_problem({{{3, 0}, {1, 0}}, {{2, 0}}}, 0));
  EXPECT_EQ(free.status, AllocationStatus::optimal);
  EXPECT_EQ(free.plan->penalty, 3.0);
  const Allocation zero = exact_allocation(small_problem({{{1, 2}, {5, 0}}, {{0, 1}, {7, 0}}}, 0));
  ASSERT_EQ(zero.status, AllocationStatus::optimal);
  EXPECT_EQ(zero.plan->penalty, 12.0);
}

// Measured losses may fall by rounding, and a best plan may lose less than nothing.
TEST(ExactAllocation, PenaltiesMayBeNegative) {
  const AllocationProblem problem = small_problem({{{-1, 4}, {-3, 2}}, {{-5, 4}, {2, 1}}}, 5);
  const Allocation exact = exact_allocation(problem);
  ASSERT_EQ(exact.status, AllocationStatus::optimal);
  EXPECT_EQ(exact.plan->penalty, brute_force(problem)->penalty);
  EXPECT_EQ(exact.plan->penalty, -1.0);
}

// Traces and bytes differ by 1e12 and more; the last byte counts.
TEST(ExactAllocation, OneByteDecidesAmongBillions) {
  const std::vector<std::vector<std::pair<double, double>>> layers = {{{1e-9, 4000000000.0}, {3e-9, 2000000000.0}},
                                                                      {{2e-9, 3000000001.0}, {9e-9, 1500000000.0}}};
  EXPECT_EQ(exact_allocation(small_problem(layers, 5000000001.0)).plan->choices, (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(exact_allocation(small_problem(layers, 5000000000.0)).plan->choices, (std::vector<std::size_t>{1, 1}));
}

TEST(ExactAllocation, AnImpossibleLimitNamesTheTightestBudgetAndTheLeastItNeeds) {
  AllocationProblem problem = small_problem({{{0, 40}, {1, 20}}, {{0, 30}, {1, 10}}}, 25);
  problem.budgets.push_back({"latency_s", "s", 10.0});
  for (AllocationLayer& layer : problem.layers) {
    for (AllocationChoice& choice : layer.choices) choice.costs.push_back(1.0);
  }
  for (const Allocation& result : {exact_allocation(problem), greedy_allocation(problem).result}) {
    EXPECT_EQ(result.status, AllocationStatus::infeasible);
    EXPECT_FALSE(result.plan);
    EXPECT_EQ(result.least, (std::vector<double>{30.0, 2.0}));
    EXPECT_THAT(result.why, AllOf(HasSubstr("bytes"), HasSubstr("25 B"), HasSubstr("30")));
  }
}

TEST(ExactAllocation, LimitsThatExcludeEachOtherAreSaidToDoSo) {
  AllocationProblem problem = small_problem({{{0, 10}, {0, 1}}}, 5);
  problem.budgets.push_back({"latency_s", "s", 5.0});
  problem.layers[0].choices[0].costs.push_back(1.0);
  problem.layers[0].choices[1].costs.push_back(6.0);
  const Allocation exact = exact_allocation(problem);
  EXPECT_EQ(exact.status, AllocationStatus::infeasible);
  EXPECT_THAT(exact.why, AllOf(HasSubstr("not all of them together"), HasSubstr("latency_s"), HasSubstr("needs 6 s")));
  EXPECT_EQ(greedy_allocation(problem).result.status, AllocationStatus::unsolved);
}

// With a conversion on every boundary, one format throughout is cheaper than each layer's own best.
TEST(ExactAllocation, BoundariesKeepFormatsTogether) {
  AllocationProblem problem = small_problem({{{0, 10}, {1, 6}}, {{0, 10}, {9, 6}}, {{0, 10}, {1, 6}}}, 26);
  EXPECT_EQ(exact_allocation(problem).plan->choices[1], 0U);
  problem.conversions = {{"*", "*", {5}}};
  problem.boundaries = {{0, 1, 1.0}, {1, 2, 1.0}};
  const Allocation exact = exact_allocation(problem);
  EXPECT_EQ(exact.plan->choices, (std::vector<std::size_t>{1, 1, 1}));
  EXPECT_EQ(exact.plan->penalty, brute_force(problem)->penalty);
}

// A boundary's own conversions replace the problem's, also between equal formats.
TEST(ExactAllocation, ABoundaryMayHaveConversionsOfItsOwn) {
  AllocationProblem problem = small_problem({{{0, 10}, {1, 6}}, {{0, 10}, {1, 6}}}, 100);
  problem.conversions = {{"*", "*", {50}}};
  FormatBoundary boundary{0, 1, 2.0, {}};
  boundary.conversions = {{"c0", "c0", {30}}, {"c0", "c1", {4}}, {"c1", "c0", {40}}, {"c1", "c1", {45}}};
  problem.boundaries = {boundary};
  const double costs[2][2] = {{10 + 10 + 60, 10 + 6 + 8}, {6 + 10 + 80, 6 + 6 + 90}};
  for (std::size_t a = 0; a < 2; ++a) {
    for (std::size_t b = 0; b < 2; ++b) {
      EXPECT_DOUBLE_EQ(allocation_plan(problem, std::vector<std::size_t>{a, b}).costs[0], costs[a][b]);
    }
  }
  for (const double limit : {24.0, 80.0, 96.0, 102.0}) {
    problem.budgets[0].limit = limit;
    const Allocation exact = exact_allocation(problem);
    ASSERT_TRUE(exact.plan) << limit;
    EXPECT_EQ(exact.plan->penalty, brute_force(problem)->penalty) << limit;
  }
  problem.budgets[0].limit = 23.0;
  EXPECT_EQ(exact_allocation(problem).status, AllocationStatus::infeasible);
}

TEST(ExactAllocation, ATimeLimitLeavesAPlanAndAGap) {
  Rng rng(9, "allocation");
  AllocationProblem problem = random_problem(rng, {400, 6, 3});
  for (std::size_t b = 0; b < 3; ++b) {
    double middle = 0;
    for (const AllocationLayer& layer : problem.layers) middle += layer.choices[2].costs[b];
    problem.budgets[b].limit = middle;
  }
  const Allocation exact = exact_allocation(problem, {0.2});
  ASSERT_TRUE(exact.plan);
  EXPECT_TRUE(keeps_limits(problem, *exact.plan));
  ASSERT_TRUE(exact.gap());
  EXPECT_GE(*exact.gap(), 0.0);
  EXPECT_TRUE(exact.status != AllocationStatus::optimal || *exact.gap() == 0.0);
  EXPECT_THROW(exact_allocation(problem, {0.0}), ConfigError);
}

struct BadProblem {
  std::string name;
  std::function<void(AllocationProblem&)> spoil;
  std::vector<std::string> said;
};

void PrintTo(const BadProblem& bad, std::ostream* out) { *out << bad.name; }

class BadProblems : public ::testing::TestWithParam<BadProblem> {};

TEST_P(BadProblems, AreRefusedWithPlaceAndRemedy) {
  AllocationProblem problem = small_problem({{{0, 10}, {1, 6}}, {{0, 10}, {9, 6}}, {{0, 10}}}, 28);
  EXPECT_NO_THROW(check_allocation(problem, "p.json"));
  GetParam().spoil(problem);
  try {
    check_allocation(problem, "p.json");
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("p.json"));
    for (const std::string& part : GetParam().said) EXPECT_THAT(error.what(), HasSubstr(part));
  }
  EXPECT_THROW(exact_allocation(problem), ConfigError);
  EXPECT_THROW(greedy_allocation(problem), ConfigError);
}

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    All, BadProblems,
    ::testing::Values(
        BadProblem{"nan_penalty",
                   [](auto& p) { p.layers[1].choices[1].penalty = not_a_number; },
                   {"layer 'layer1', choice 'c1', penalty", "finite", "nan"}},
        BadProblem{
            "nan_cost", [](auto& p) { p.layers[0].choices[0].costs[0] = not_a_number; }, {"cost 'bytes'", "nan"}},
        BadProblem{"negative_cost", [](auto& p) { p.layers[0].choices[0].costs[0] = -1; }, {"cost 'bytes'", "-1"}},
        BadProblem{"infinite_cost",
                   [](auto& p) { p.layers[0].choices[0].costs[0] = no_limit; },
                   {"inf", "leave the choice out"}},
        BadProblem{"missing_cost", [](auto& p) { p.layers[0].choices[0].costs.clear(); }, {"1 costs, one a budget"}},
        BadProblem{"negative_limit", [](auto& p) { p.budgets[0].limit = -3; }, {"budget 'bytes'", "-3"}},
        BadProblem{"nan_limit", [](auto& p) { p.budgets[0].limit = not_a_number; }, {"budget 'bytes'", "nan"}},
        BadProblem{"no_choice", [](auto& p) { p.layers[2].choices.clear(); }, {"layer2", "at least one choice"}},
        BadProblem{"two_of_a_name", [](auto& p) { p.layers[1].name = "layer0"; }, {"layer0", "two of this one"}},
        BadProblem{"two_choices_of_a_name", [](auto& p) { p.layers[0].choices[1].name = "c0"; }, {"choice 'c0'"}},
        BadProblem{"tie_of_other_choices",
                   [](auto& p) {
                     p.ties = {{0, 2}};
                   },
                   {"ties[0]", "layer2"}},
        BadProblem{"tied_twice",
                   [](auto& p) {
                     p.ties = {{0, 1}, {1}};
                   },
                   {"ties[1]", "layer1", "join"}},
        BadProblem{"tie_out_of_range",
                   [](auto& p) {
                     p.ties = {{0, 7}};
                   },
                   {"ties[0]", "7"}},
        BadProblem{"boundary_with_itself",
                   [](auto& p) {
                     p.boundaries = {{1, 1, 1.0}};
                   },
                   {"boundaries[0]", "layer1"}},
        BadProblem{"boundary_of_nan",
                   [](auto& p) {
                     p.boundaries = {{0, 1, not_a_number}};
                   },
                   {"boundaries[0]", "nan"}},
        BadProblem{"negative_own_conversion",
                   [](AllocationProblem& p) {
                     p.boundaries = {{0, 1, 1.0, {{"c0", "c1", {-3}}}}};
                   },
                   {"boundaries[0].conversions[0]", "-3"}},
        BadProblem{"negative_conversion",
                   [](auto& p) {
                     p.conversions = {{"c0", "c1", {-2}}};
                   },
                   {"conversions[0]", "-2"}},
        BadProblem{"unknown_metric", [](auto& p) { p.layers[0].metric = 1; }, {"layer0", "metric 1"}},
        BadProblem{"tie_across_metrics",
                   [](auto& p) {
                     p.metrics = {"a", "b"};
                     p.layers[1].metric = 1;
                     p.ties = {{0, 1}};
                   },
                   {"ties[0]", "one metric"}}),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace ridgeline
