// Scratchpad schedules: the problem of a network, the validator, and the solvers against trying everything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "hwmodels/scratchpad/layouts.hpp"
#include "hwmodels/scratchpad/residency.hpp"
#include "hwmodels/scratchpad/solve.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "tests/hwmodels/nets.hpp"
#include "tests/hwmodels/scratchpad_support.hpp"

namespace ridgeline {
namespace {

using test::BruteForce;
using test::conv;
using test::GraphSize;
using test::simple;
using ::testing::HasSubstr;

constexpr ScratchpadSolver all_solvers[] = {ScratchpadSolver::lru, ScratchpadSolver::greedy, ScratchpadSolver::divide,
                                            ScratchpadSolver::exact};

std::int64_t beyond(const ScratchpadProblem& problem, ScratchpadSolver solver) {
  return solve_scratchpad(problem, solver).traffic.beyond_bytes();
}

// a -> b -> c -> sum(a, c): a is read twice.
ScratchpadProblem skip_connection(std::int64_t capacity) {
  ScratchpadProblem problem;
  using Kind = ScratchTensor::Kind;
  const auto tensor = [&](std::int64_t bytes, Kind kind, std::size_t producer, std::vector<std::size_t> readers) {
    problem.tensors.push_back(
        {"t" + std::to_string(problem.tensors.size()), 0, bytes, kind, producer, std::move(readers)});
  };
  tensor(2, Kind::input, ScratchTensor::no_producer, {0});
  tensor(4, Kind::intermediate, 0, {1, 3});
  tensor(6, Kind::intermediate, 1, {2});
  tensor(4, Kind::intermediate, 2, {3});
  tensor(4, Kind::output, 3, {});
  const auto op = [&](std::vector<std::size_t> reads, std::size_t writes) {
    ScratchOp made;
    made.name = "op" + std::to_string(problem.ops.size());
    made.reads = std::move(reads);
    made.writes = writes;
    problem.ops.push_back(std::move(made));
  };
  op({0}, 1);
  op({1}, 2);
  op({2}, 3);
  op({1, 3}, 4);
  set_capacity(problem, {capacity, false});
  return problem;
}

TEST(ScratchpadProblem, IsMadeOfExecutedLayers) {
  const ScratchpadProblem problem = scratchpad_problem(test::mobile_block(f32), {1 << 20, false});
  ASSERT_EQ(problem.ops.size(), 6U);  // stem, expand, depthwise, project + add, pool, classifier
  ASSERT_EQ(problem.tensors.size(), 7U);
  EXPECT_EQ(problem.tensors[0].kind, ScratchTensor::Kind::input);
  EXPECT_EQ(problem.tensors[1].readers, (std::vector<std::size_t>{1, 3}));  // the block's input and its shortcut
  EXPECT_EQ(problem.ops[3].reads, (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(problem.tensors[6].kind, ScratchTensor::Kind::output);
  EXPECT_EQ(problem.tensors[3].bytes, 4 * 96 * 256);
  std::int64_t weights = 0;
  for (const ScratchOp& op : problem.ops) weights += op.weight_bytes;
  EXPECT_EQ(problem.compulsory_bytes(), weights + 4 * (3 * 32 * 32 + 10));
  // depthwise: 96 x 256 in and out, and 96 kernels of nine weights
  EXPECT_EQ(problem.working_set_bytes(problem.ops[2]), 4 * (2 * 96 * 256 + 96 * 9));
  EXPECT_EQ(problem.largest_working_set_bytes(), problem.working_set_bytes(problem.ops[2]));
}

TEST(ScratchpadProblem, WhatDoesNotFitIsStreamed) {
  ScratchpadProblem problem = skip_connection(10);
  problem.ops[1].weight_bytes = 3;
  set_capacity(problem, {13, false});
  EXPECT_FALSE(problem.ops[1].streams_weights);
  set_capacity(problem, {12, false});  // 4 + 6 + 3 = 13
  EXPECT_TRUE(problem.ops[1].streams_weights);
  EXPECT_FALSE(problem.ops[1].streams_output);
  set_capacity(problem, {9, false});
  EXPECT_TRUE(problem.ops[1].streams_output);  // the larger one: 6
  EXPECT_EQ(problem.ops[2].streams, std::vector<std::size_t>{2});
  EXPECT_EQ(problem.ops[3].streams.size(), 1U);  // 4 + 4 + 4
  set_capacity(problem, {100, true});
  EXPECT_TRUE(problem.ops[1].streams_weights);
  EXPECT_THROW(set_capacity(problem, {0, false}), ConfigError);
}

TEST(ScratchpadPlan, TheValidatorNamesWhatIsBroken) {
  const ScratchpadProblem problem = skip_connection(14);
  const ScratchpadPlan good = solve_scratchpad(problem, ScratchpadSolver::exact).plan;
  EXPECT_EQ(evaluate_plan(problem, good).beyond_bytes(), 0);
  EXPECT_EQ(evaluate_plan(problem, good).compulsory_bytes, problem.compulsory_bytes());
  const auto complaint = [&](auto change) {
    ScratchpadPlan plan = good;
    change(plan);
    try {
      evaluate_plan(problem, plan);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(complaint([](auto& plan) { plan.steps.pop_back(); }), HasSubstr("before everything is made"));
  EXPECT_THAT(complaint([](auto& plan) { std::swap(plan.steps[1], plan.steps[2]); }), HasSubstr("nobody has made"));
  EXPECT_THAT(complaint([](auto& plan) { plan.steps[1].output_offset = 13; }), HasSubstr("outside"));
  EXPECT_THAT(complaint([](auto& plan) {
                plan.steps[1].output_offset = std::min<std::int64_t>(*plan.steps[0].output_offset, 8);
              }),
              HasSubstr("lies on"));
  EXPECT_THAT(complaint([](auto& plan) { plan.steps[2].evictions.push_back({1, false}); }), HasSubstr("loses"));
  EXPECT_THAT(complaint([](auto& plan) {
                plan.steps[2].evictions.push_back({1, true});
              }),
              HasSubstr("not in the scratchpad"));
  EXPECT_THAT(complaint([](auto& plan) { plan.steps[0].loads.clear(); }), HasSubstr("not in the scratchpad"));
  EXPECT_THAT(complaint([](auto& plan) { plan.steps[3].weights_offset = 0; }), HasSubstr("weights"));
  EXPECT_THAT(complaint([](auto& plan) { plan.steps[3] = plan.steps[2]; }), HasSubstr("ran before"));
}

TEST(ScratchpadPlan, ASpillIsWrittenOnceAndLoaded) {
  // 6 + 4 while c is made: a's 4 bytes have to go and to come back.
  const ScratchpadProblem problem = skip_connection(12);
  const ScratchpadSolution found = solve_scratchpad(problem, ScratchpadSolver::exact);
  EXPECT_TRUE(found.optimal());
  EXPECT_EQ(found.traffic.spill_bytes, 4);
  EXPECT_EQ(found.traffic.reload_bytes, 4);
  EXPECT_EQ(found.traffic.compulsory_bytes, 2 + 4);
  EXPECT_EQ(crossing_bound(problem), 8);
  EXPECT_EQ(crossing_bound(skip_connection(14)), 0);
}

TEST(ScratchpadPlan, OrdersAreTopologicalAndDiffer) {
  Rng rng(5);
  for (int round = 0; round < 20; ++round) {
    ScratchpadProblem problem = test::random_problem(rng, {20, 3, 0.1, true, 8});
    set_capacity(problem, {1000, false});
    for (const OperatorOrder one : {OperatorOrder::network, OperatorOrder::depth_first, OperatorOrder::breadth_first,
                                    OperatorOrder::least_memory}) {
      const std::vector<std::size_t> order = operator_order(problem, one);
      const ScratchpadTraffic traffic = evaluate_plan(problem, replace_in_order(problem, order, Replacement::lru));
      EXPECT_EQ(traffic.beyond_bytes(), 0);  // everything fits
      EXPECT_GE(traffic.peak_bytes, order_peak_bytes(problem, order));
    }
  }
}

// The smallest scratchpad in which nothing need be spilled, gaps not counted.
std::int64_t roomy_bytes(ScratchpadProblem problem) {
  for (std::int64_t bytes = problem.largest_working_set_bytes();; ++bytes) {
    set_capacity(problem, {bytes, false});
    const ResidencyRules rules(problem);
    if (*ResidencyBound(rules, 100'000).to_go(rules.start()) == 0) return bytes;
  }
}

// The smallest scratchpad in which all operands fit, up to what never spills: the fewest bytes over all orders,
// replacements and offsets, whatever is loaded when.
TEST(ScratchpadExact, EqualsTryingEverything) {
  Rng rng(1);
  int spilled = 0, problems = 0;
  for (int round = 0; round < 120; ++round) {
    const std::size_t ops = 3 + static_cast<std::size_t>(round) % 5;
    ScratchpadProblem problem = test::random_problem(rng, {ops, 4, ops > 5 ? 0.2 : 0.35, round % 2 == 0, 100});
    // Where counting room first finds no spills, gaps between tensors are what is left to cause them.
    const std::int64_t least = problem.largest_working_set_bytes();
    std::set<std::int64_t> sizes{least, least + 1, roomy_bytes(problem)};
    for (const std::int64_t capacity : sizes) {
      set_capacity(problem, {capacity, false});
      if (problem.capacity_bytes > 14) continue;
      BruteForce all(problem);
      const ScratchpadSolution found = solve_scratchpad(problem, ScratchpadSolver::exact);
      EXPECT_EQ(found.traffic.beyond_bytes(), all.fewest_bytes()) << "round " << round << ", " << ops << " operators";
      EXPECT_TRUE(found.optimal()) << "round " << round;
      EXPECT_LE(crossing_bound(problem), found.traffic.beyond_bytes());
      const ResidencyRules rules(problem);
      const std::int64_t counted = *ResidencyBound(rules, 100'000).to_go(rules.start());
      EXPECT_LE(counted, found.traffic.beyond_bytes());
      EXPECT_LE(crossing_bound(problem), counted);
      ++problems;
      spilled += found.traffic.beyond_bytes() > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(problems, 150);
  EXPECT_GT(spilled, 30) << "too easy";
}

// With one order and twelve operators there are cases where room is enough and offsets are not: the proof that counting
// room cannot give. Rare: this is the first in some thousand draws.
TEST(ScratchpadExact, ProvesThatGapsCostSomething) {
  Rng rng(11);
  ScratchpadProblem problem;
  for (int draw = 0; draw <= 1270; ++draw) problem = test::random_problem(rng, {12, 3, 0.2, false, 100, true});
  set_capacity(problem, {roomy_bytes(problem), false});
  const ResidencyRules rules(problem);
  ASSERT_EQ(ResidencyBound(rules, 100'000).to_go(rules.start()), 0);
  const ScratchpadSolution found = solve_scratchpad(problem, ScratchpadSolver::exact);
  EXPECT_EQ(found.traffic.beyond_bytes(), 1);
  EXPECT_TRUE(found.optimal());
  EXPECT_EQ(BruteForce(problem).fewest_bytes(), 1);
}

TEST(ScratchpadExact, EqualsTryingEverythingWhereOperandsAreStreamed) {
  Rng rng(2);
  int streamed = 0;
  for (int round = 0; round < 60; ++round) {
    ScratchpadProblem problem = test::random_problem(rng, {5, 3, 0.3, true, 100});
    set_capacity(problem, {std::max<std::int64_t>(3, problem.largest_working_set_bytes() - 1 - round % 3), false});
    BruteForce all(problem);
    const ScratchpadSolution found = solve_scratchpad(problem, ScratchpadSolver::exact);
    EXPECT_EQ(found.traffic.beyond_bytes(), all.fewest_bytes()) << "round " << round;
    EXPECT_TRUE(found.optimal()) << "round " << round;
    streamed += found.traffic.stream_bytes > 0 ? 1 : 0;
  }
  EXPECT_GT(streamed, 10);
}

TEST(ScratchpadSolvers, AreOrderedAndBounded) {
  Rng rng(3);
  std::int64_t sums[4]{};
  for (int round = 0; round < 30; ++round) {
    ScratchpadProblem problem = test::random_problem(rng, {14, 40, 0.15, true, 6});
    set_capacity(problem, {problem.largest_working_set_bytes() * (10 + round % 3) / 10, false});
    std::int64_t bytes[4];
    for (const ScratchpadSolver solver : all_solvers) {
      const ScratchpadSolution found = solve_scratchpad(problem, solver);
      const auto index = static_cast<std::size_t>(solver);
      sums[index] += bytes[index] = found.traffic.beyond_bytes();
      EXPECT_LE(found.bound_bytes, bytes[index]);
      EXPECT_EQ(evaluate_plan(problem, found.plan).beyond_bytes(), bytes[index]);
      EXPECT_EQ(found.traffic.compulsory_bytes, problem.compulsory_bytes());
      EXPECT_LE(found.traffic.peak_bytes, problem.capacity_bytes);
    }
    const std::vector<std::size_t> order = operator_order(problem, OperatorOrder::network);
    const ResidencyRules rules(problem);
    const std::optional<std::int64_t> counted = ResidencyBound(rules, 400'000).to_go(rules.start());
    EXPECT_LE(counted.value_or(0), bytes_without_gaps(problem, order, Replacement::lru));
    EXPECT_LE(counted.value_or(0), bytes_without_gaps(problem, order, Replacement::farthest));
    EXPECT_LE(bytes[2], bytes[1]) << "divide, greedy";
    EXPECT_LE(bytes[3], bytes[2]) << "exact, divide";
  }
  EXPECT_LT(sums[2], sums[1]);
}

TEST(ScratchpadSolvers, MoreRoomIsNeverWorseForTheOptimumWhenNothingIsStreamed) {
  Rng rng(4);
  for (int round = 0; round < 20; ++round) {
    ScratchpadProblem problem = test::random_problem(rng, {8, 5, 0.3, true, 6});
    std::int64_t before = std::numeric_limits<std::int64_t>::max();
    for (std::int64_t extra = 0; extra < 4; ++extra) {
      set_capacity(problem, {problem.largest_working_set_bytes() + extra, false});
      const std::int64_t bytes = beyond(problem, ScratchpadSolver::exact);
      EXPECT_LE(bytes, before);
      before = bytes;
    }
  }
}

// Irregular graphs of 80 operators, as random wiring makes them: no solver but divide gets below greedy.
TEST(ScratchpadSolvers, DivideConquersLargeGraphs) {
  Rng rng(6);
  std::int64_t lru = 0, greedy = 0, divide = 0;
  for (int round = 0; round < 4; ++round) {
    ScratchpadProblem problem = test::random_problem(rng, {80, 1000, 0.08, false, 12});
    set_capacity(problem, {problem.largest_working_set_bytes(), false});
    lru += beyond(problem, ScratchpadSolver::lru);
    greedy += beyond(problem, ScratchpadSolver::greedy);
    divide += beyond(problem, ScratchpadSolver::divide);
  }
  EXPECT_LT(greedy, lru);
  EXPECT_LT(divide, greedy * 9 / 10);
}

TEST(ScratchpadSolvers, RepeatThemselves) {
  Rng rng(7);
  ScratchpadProblem problem = test::random_problem(rng, {20, 50, 0.15, true, 6});
  set_capacity(problem, {problem.largest_working_set_bytes(), false});
  for (const ScratchpadSolver solver : all_solvers) {
    const ScratchpadSolution one = solve_scratchpad(problem, solver), two = solve_scratchpad(problem, solver);
    ASSERT_EQ(one.plan.order(), two.plan.order());
    for (std::size_t k = 0; k < one.plan.steps.size(); ++k) {
      EXPECT_EQ(one.plan.steps[k].output_offset, two.plan.steps[k].output_offset);
    }
  }
}

}  // namespace
}  // namespace ridgeline
