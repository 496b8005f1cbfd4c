// Costs of layers in formats, from timings that are known, and what is predicted and allocated from them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experiments/quantization/plan_allocation.hpp"
#include "search/allocation/exact_allocation.hpp"
#include "support.hpp"
#include "tests/experiments/layer_costs_support.hpp"

namespace ridgeline {
namespace {

using testing::all_plans;
using ::testing::AllOf;
using testing::chain_network;
using testing::faked_costs;
using ::testing::HasSubstr;
using testing::plans_of;
using testing::random_penalties;
using testing::residual_network;
using testing::timing_by_signature;
using testing::what_of;

const std::vector<std::string> three{"f32", "bf16", "int8"};

double penalty_of(const std::vector<std::vector<double>>& penalties, const std::vector<std::uint16_t>& genes) {
  double penalty = 0.0;
  for (std::size_t d = 0; d < genes.size(); ++d) penalty += penalties[d][genes[d]];
  return penalty;
}

TEST(LayerCosts, PredictWhatEveryPlanTakes) {
  for (const Network& network : {chain_network(), residual_network()}) {
    const PlanSpace space = plans_of(network, three);
    const PlanLatency latency(space, faked_costs(space));
    const auto plans = all_plans(latency);
    EXPECT_GE(plans.size(), 16U);
    for (const auto& genes : plans) {
      const double whole_s = timing_by_signature(space.decode(genes)).whole_s;
      EXPECT_NEAR(latency.predict(genes), whole_s, 1e-12 * whole_s) << ::testing::PrintToString(genes);
    }
    EXPECT_NEAR(latency.costs().factor, 1.0, 1e-12);
  }
}

TEST(LayerCosts, AreTheTimesOfTheSteps) {
  const PlanSpace space = plans_of(chain_network(), three);
  const LayerCosts costs = faked_costs(space);
  std::size_t operators = 0, conversions = 0;
  for (const PartCost& cost : costs.parts) {
    operators += cost.part.kind == PlanPart::Kind::op ? 1U : 0U;
    if (cost.part.kind == PlanPart::Kind::fetch) conversions += cost.seconds > 0 ? 1U : 0U;
    EXPECT_EQ(cost.seconds > 0, !cost.signature.empty());
    EXPECT_LE(cost.mad_s, 1e-18);
    if (cost.part.kind != PlanPart::Kind::op) continue;
    StepInfo step;
    step.signature = cost.signature;
    EXPECT_DOUBLE_EQ(cost.seconds, testing::seconds_of(step));
  }
  EXPECT_GE(operators, space.names.size() * costs.uniform.size());
  const PlanLatency latency(space, costs);
  EXPECT_EQ(layer_cost_rows(latency).size(), latency.choices(0).size() * space.names.size());
  for (const UniformTiming& one : costs.uniform) EXPECT_NEAR(one.whole_s, one.steps_s, 1e-18);
}

TEST(LayerCosts, OneFactorBringsSumsToWholes) {
  const PlanSpace space = plans_of(chain_network(), {"f32", "int8"});
  LayerCostOptions options;
  options.timer = [](const Design& design) {
    PlanTiming timing = timing_by_signature(design);
    timing.whole_s *= 0.875;  // a whole does not read the clock between steps
    return timing;
  };
  const PlanLatency latency(space, measure_layer_costs(space, options));
  EXPECT_NEAR(latency.costs().factor, 0.875, 1e-12);
  for (const auto& genes : all_plans(latency)) {
    const double whole_s = options.timer(space.decode(genes)).whole_s;
    EXPECT_NEAR(latency.predict(genes), whole_s, 1e-12 * whole_s);
  }
  options.timer = [](const Design& design) {
    PlanTiming timing = timing_by_signature(design);
    timing.whole_s = std::nan("");
    return timing;
  };
  EXPECT_THROW(measure_layer_costs(space, options), ConfigError);
}

TEST(LayerCosts, AreReadAsWritten) {
  const PlanSpace space = plans_of(residual_network(), {"f32", "int8", "e4m3"});
  const LayerCosts costs = faked_costs(space);
  const std::string text = to_json(costs).dump();
  const LayerCosts read = read_layer_costs(JsonDocument::parse(text, "costs.json"));
  EXPECT_EQ(to_json(read).dump(), text);
  EXPECT_EQ(read.left_out.size(), space.names.size());
  const PlanLatency before(space, costs), after(space, read);
  for (const auto& genes : all_plans(before)) EXPECT_EQ(before.predict(genes), after.predict(genes));
}

TEST(LayerCosts, ABadFileIsRefused) {
  const PlanSpace space = plans_of(chain_network(), {"f32", "int8"});
  const Json good = to_json(faked_costs(space));
  const auto read = [](const Json& json) {
    return what_of([&] { read_layer_costs(JsonDocument::from_value(json, "costs.json")); });
  };
  EXPECT_EQ(read(good), "");
  const auto changed = [&](const std::string& pointer, const Json& value) {
    Json json = good;
    json[Json::json_pointer(pointer)] = value;
    return read(json);
  };
  EXPECT_THAT(changed("/ridgeline_layer_costs", 2), AllOf(HasSubstr("version 1"), HasSubstr("version 2")));
  EXPECT_THAT(changed("/factr", 1.0), HasSubstr("factr"));
  EXPECT_THAT(changed("/factor", 0.0), HasSubstr("factor"));
  EXPECT_THAT(changed("/network", "12"), HasSubstr("hexadecimal"));
  EXPECT_THAT(changed("/parts/0/seconds", -1e-6), HasSubstr("parts[0].seconds"));
  EXPECT_THAT(changed("/parts/0/from", "int9"), HasSubstr("parts[0].from"));
  EXPECT_THAT(changed("/parts/0/part", "layer"), HasSubstr("operator"));
  EXPECT_THAT(changed("/parts/1", good["parts"][0]), HasSubstr("ascending"));
  EXPECT_THAT(changed("/formats", Json::array()), HasSubstr("formats"));
  EXPECT_THAT(changed("/uniform/0/format", 3), HasSubstr("uniform[0].format"));
  Json without = good;
  without.erase("parts");
  EXPECT_THAT(read(without), HasSubstr("parts"));
}

TEST(LayerCosts, HoldForTheirNetworkAndFormatsOnly) {
  const PlanSpace space = plans_of(chain_network(), {"f32", "int8"});
  const LayerCosts costs = faked_costs(space);
  const auto refused = [&](const PlanSpace& other, const LayerCosts& its) {
    return what_of([&] { const PlanLatency latency(other, its); });
  };
  EXPECT_EQ(refused(space, costs), "");
  EXPECT_THAT(refused(plans_of(residual_network(), {"f32", "int8"}), costs), HasSubstr("network"));
  EXPECT_THAT(refused(plans_of(chain_network(), {"int8", "f32"}), costs), HasSubstr("formats"));
  LayerCosts strange = costs;
  strange.parts.back().part.node = 1000;
  EXPECT_THAT(refused(space, strange), HasSubstr("node 1000"));
}

TEST(LayerCosts, FormatsThatDoNotRunAreLeftOutWithTheirReason) {
  const PlanSpace space = plans_of(chain_network(), {"f32", "e4m3", "int8"});
  const NodeId picky = space.members[1][0];
  LayerCostOptions options;
  options.timer = [&](const Design& design) {
    if (design.precision.at(picky).activations.is_quantized()) throw Unsupported("not this one");
    return timing_by_signature(design);
  };
  const LayerCosts costs = measure_layer_costs(space, options);
  ASSERT_EQ(costs.left_out.size(), space.names.size() + 1);
  EXPECT_THAT(costs.left_out[0].why, HasSubstr("e4m3"));
  EXPECT_EQ(costs.left_out[2].why, "not this one");
  const PlanLatency latency(space, costs);
  EXPECT_EQ(latency.choices(0), (std::vector<std::uint16_t>{0, 2}));
  EXPECT_EQ(latency.choices(1), (std::vector<std::uint16_t>{0}));
  EXPECT_THROW(latency.predict(std::vector<std::uint16_t>{0, 2, 0, 0}), std::invalid_argument);
  EXPECT_THROW(latency.predict(std::vector<std::uint16_t>{0, 0}), std::invalid_argument);
  for (const auto& genes : all_plans(latency)) {
    const double whole_s = options.timer(space.decode(genes)).whole_s;
    EXPECT_NEAR(latency.predict(genes), whole_s, 1e-12 * whole_s);
  }
  auto penalties = random_penalties(space, 1);
  for (auto& row : penalties) row[1] = std::nan("");  // of a choice that is left out
  EXPECT_EQ(allocation_problem(latency, penalties).layers[1].choices.size(), 1U);
  EXPECT_FALSE(allocated_plans(latency, penalties).empty());
  const PlanSpace none = plans_of(chain_network(), {"e4m3"});
  EXPECT_THAT(what_of([&] { faked_costs(none); }), HasSubstr("executes"));
}

TEST(LayerCosts, ASpaceThatDoesNotFitIsRefused) {
  const PlanSpace good = plans_of(chain_network(), {"f32", "int8"});
  const auto refused = [&](const std::function<void(PlanSpace&)>& spoil) {
    PlanSpace space = good;
    spoil(space);
    return what_of([&] { const PlanParts parts(space); });
  };
  EXPECT_EQ(refused([](PlanSpace&) {}), "");
  EXPECT_THAT(refused([](PlanSpace& space) { space.names.pop_back(); }), HasSubstr("3 names of 4"));
  EXPECT_THAT(refused([](PlanSpace& space) { space.words.pop_back(); }), HasSubstr("1 words of 2"));
  EXPECT_THAT(refused([](PlanSpace& space) { space.words[1] = "f32"; }), HasSubstr("different"));
  EXPECT_THAT(refused([](PlanSpace& space) { space.members[1] = space.members[0]; }), HasSubstr("one dimension"));
  EXPECT_THAT(refused([](PlanSpace& space) { space.members[1] = {0}; }), HasSubstr("node 0"));
  EXPECT_THAT(refused([](PlanSpace& space) {
                space.members.pop_back();
                space.names.pop_back();
              }),
              HasSubstr("a dimension for every"));
}

TEST(LayerCosts, RowsNameLayersAndConversions) {
  const PlanSpace space = plans_of(residual_network(), {"f32", "int8"});
  const PlanLatency latency(space, faked_costs(space));
  const std::vector<LayerCostRow> layers = layer_cost_rows(latency), conversions = conversion_rows(latency);
  const Json json = to_json(layers);
  ASSERT_EQ(json.size(), 8U);
  EXPECT_EQ(json[1]["layer"], space.names[0]);
  EXPECT_EQ(json[1]["format"], "int8");
  // The uniform plan in int8: its layers, its conversions, and what has no format.
  const std::vector<std::uint16_t> uniform(4, 1);
  const LatencyParts parts = latency.break_down(uniform);
  for (std::size_t d = 0; d < 4; ++d) {
    EXPECT_DOUBLE_EQ(json[2 * d + 1]["microseconds"].get<double>(), 1e6 * parts.operators_s[d]);
  }
  EXPECT_NEAR(parts.total_s(), latency.predict(uniform), 1e-18);
  EXPECT_GT(parts.other_s, 0.0);        // pooling, softmax
  EXPECT_GT(parts.conversions_s, 0.0);  // of the input
  // The shortcut is stored in f32 where the addition wants that, and its convolution may read int8.
  const auto shortcut = [](const LayerCostRow& row) {
    return row.layer.starts_with("relu") && row.format == "f32 > int8" && row.latency_s > 0;
  };
  EXPECT_TRUE(std::any_of(conversions.begin(), conversions.end(), shortcut));
}

TEST(PlanParts, LayersMeetWhereOneReadsWhatTheOtherMade) {
  using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;
  EXPECT_EQ(PlanParts(plans_of(chain_network(), three)).boundaries(), (Pairs{{0, 1}, {1, 2}, {2, 3}}));
  // The stem reaches the second convolution and, through the addition, the head.
  EXPECT_EQ(PlanParts(plans_of(residual_network(), three)).boundaries(), (Pairs{{0, 1}, {0, 3}, {1, 2}, {2, 3}}));
}

TEST(PlanAllocation, EqualsTheBestOfAllPlans) {
  const PlanSpace space = plans_of(chain_network(), three);
  const PlanLatency latency(space, faked_costs(space));
  const auto plans = all_plans(latency);
  double fastest = 1.0, slowest = 0.0;
  for (const auto& genes : plans) {
    fastest = std::min(fastest, latency.predict(genes));
    slowest = std::max(slowest, latency.predict(genes));
  }
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto penalties = random_penalties(space, seed);
    AllocationProblem problem = allocation_problem(latency, penalties);
    for (const double share : {0.02, 0.1, 0.3, 0.5, 0.8}) {
      const double limit = fastest + share * (slowest - fastest);
      double best = std::numeric_limits<double>::infinity();
      for (const auto& genes : plans) {
        if (latency.predict(genes) <= limit) best = std::min(best, penalty_of(penalties, genes));
      }
      problem.budgets[0].limit = limit;
      const Allocation exact = exact_allocation(problem);
      ASSERT_EQ(exact.status, AllocationStatus::optimal) << exact.why;
      EXPECT_NEAR(exact.plan->penalty, best, 1e-9);
      const Genome genome = plan_genome(latency, *exact.plan);
      EXPECT_NEAR(exact.plan->costs[0], latency.predict(genome.genes), 1e-9 * limit);
    }
  }
}

TEST(PlanAllocation, ProblemsHoldTheSizesOfPlans) {
  const PlanSpace space = plans_of(chain_network(), {"f32", "int8"});
  const PlanLatency latency(space, faked_costs(space));
  const AllocationProblem problem = allocation_problem(latency, random_penalties(space, 2));
  std::vector<std::size_t> choices(problem.layers.size(), 0);
  for (const auto& genes : all_plans(latency)) {
    std::copy(genes.begin(), genes.end(), choices.begin());
    const AllocationPlan plan = allocation_plan(problem, choices);
    EXPECT_NEAR(plan.costs[0], latency.predict(genes), 1e-9 * plan.costs[0]);
    const PrecisionPlan precision = space.plan(genes);
    EXPECT_EQ(plan.costs[1], static_cast<double>(weight_bytes(space.design.network, precision)));
    double bit_operations = 0.0;
    for (std::size_t d = 0; d < genes.size(); ++d) {
      const double bits = genes[d] == 0 ? 32.0 : 8.0;
      bit_operations += static_cast<double>(macs(space.design.network, space.members[d][0])) * bits * bits;
    }
    EXPECT_DOUBLE_EQ(plan.costs[2], bit_operations);
  }
}

TEST(PlanAllocation, PlansAtLimitsAreTheBestOfTheirLatency) {
  const PlanSpace space = plans_of(chain_network(), three);
  const PlanLatency latency(space, faked_costs(space));
  const auto penalties = random_penalties(space, 7);
  const std::vector<AllocatedPlan> found = allocated_plans(latency, penalties, {.count = 12});
  std::set<Genome> different;
  double fastest = 1.0;
  for (const auto& genes : all_plans(latency)) fastest = std::min(fastest, latency.predict(genes));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const AllocatedPlan& plan = found[i];
    EXPECT_TRUE(different.insert(plan.genome).second);
    EXPECT_EQ(plan.predicted_s, latency.predict(plan.genome.genes));
    EXPECT_NEAR(plan.penalty, penalty_of(penalties, plan.genome.genes), 1e-12);
    EXPECT_GE(plan.predicted_s, found[i > 0 ? i - 1 : 0].predicted_s);
    if (!plan.exact) continue;
    for (const auto& genes : all_plans(latency)) {
      EXPECT_FALSE(latency.predict(genes) < plan.predicted_s * (1 - 1e-9) &&
                   penalty_of(penalties, genes) < plan.penalty - 1e-9)
          << ::testing::PrintToString(genes);
    }
  }
  const double careful = latency.predict(std::vector<std::uint16_t>(4, 0));  // f32 everywhere
  for (int i = 0; i < 12; ++i) {
    const double limit = (fastest + i / 11.0 * (careful - fastest)) * (1 + 2e-9);
    double least = std::numeric_limits<double>::infinity(), reached = least;
    for (const auto& genes : all_plans(latency)) {
      if (latency.predict(genes) <= limit) least = std::min(least, penalty_of(penalties, genes));
    }
    for (const AllocatedPlan& plan : found) {
      if (plan.predicted_s <= limit) reached = std::min(reached, plan.penalty);
    }
    EXPECT_NEAR(reached, least, 1e-12) << "limit " << i;
  }
  EXPECT_NEAR(found.front().predicted_s, fastest, 1e-9 * fastest);
  EXPECT_NEAR(found.back().penalty, 0.0, 1e-12);  // f32 everywhere
  EXPECT_EQ(allocated_plans(latency, penalties, {.count = 1}).back().penalty, 0.0);
  EXPECT_THROW(allocated_plans(latency, penalties, {.count = 0}), ConfigError);
}

TEST(PlanAllocation, TiedOperatorsTakeOneFormat) {
  PlanSpace space = plans_of(residual_network(), three);
  space.members[0].push_back(space.members[2][0]);
  space.members.erase(space.members.begin() + 2);
  space.names.erase(space.names.begin() + 2);
  const PlanLatency latency(space, faked_costs(space));
  for (const auto& genes : all_plans(latency)) {
    const double whole_s = timing_by_signature(space.decode(genes)).whole_s;
    EXPECT_NEAR(latency.predict(genes), whole_s, 1e-12 * whole_s);
  }
  for (const AllocatedPlan& plan : allocated_plans(latency, random_penalties(space, 3))) {
    EXPECT_EQ(plan.genome.genes.size(), 3U);
  }
  EXPECT_EQ(layer_cost_rows(latency).size(), 4 * latency.choices(0).size());
}

TEST(PlanAllocation, BadPenaltiesAreRefused) {
  const PlanSpace space = plans_of(chain_network(), {"f32", "int8"});
  const PlanLatency latency(space, faked_costs(space));
  auto penalties = random_penalties(space, 1);
  penalties[2][1] = std::nan("");
  EXPECT_THAT(what_of([&] { allocation_problem(latency, penalties); }), AllOf(HasSubstr("int8"), HasSubstr("finite")));
  penalties[2].pop_back();
  EXPECT_THAT(what_of([&] { allocation_problem(latency, penalties); }), HasSubstr("2 numbers"));
  penalties.pop_back();
  EXPECT_THAT(what_of([&] { allocation_problem(latency, penalties); }), HasSubstr("4 rows"));
}

// Real timings, of which only what holds on any machine is asked.
TEST(LayerCosts, MeasuredHereAreOfTheRightSize) {
  const PlanSpace space = plans_of(residual_network(), {"f32", "int8"});
  LayerCostOptions options;
  options.seconds = 0.5;
  double last = 0.0;
  options.progress = [&](double share) { last = share; };
  const PlanLatency latency(space, measure_layer_costs(space, options));
  EXPECT_EQ(last, 1.0);
  for (const PartCost& cost : latency.costs().parts) {
    EXPECT_TRUE(std::isfinite(cost.seconds));
    EXPECT_EQ(cost.seconds > 0.0, !cost.signature.empty());
  }
  for (const UniformTiming& one : latency.costs().uniform) {
    const double predicted = latency.predict(std::vector<std::uint16_t>(4, static_cast<std::uint16_t>(one.choice)));
    EXPECT_GT(predicted, 0.5 * one.whole_s);
    EXPECT_LT(predicted, 2.0 * one.whole_s);
  }
  const testing::Scratch scratch;
  Store store(scratch.path("costs.db"), Store::Mode::write);
  const std::vector<LayerLatency> layers = layer_latencies(latency);
  store.put_layers("here", layers);
  const std::vector<LayerLatency> stored = store.layers("here");
  ASSERT_EQ(stored.size(), layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) EXPECT_EQ(stored[i].latency_s, layers[i].latency_s);
}

}  // namespace
}  // namespace ridgeline
