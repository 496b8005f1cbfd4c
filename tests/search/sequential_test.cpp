// First the architecture, then the precision: the stages against brute force over a toy space.
#include "search/staged/sequential.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "search/fronts/pareto.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

using testing::HasSubstr;

constexpr std::uint16_t f32 = 1;  // of the formats below

// 4 + 4^2 + 4^3 architectures with one to three layers, a format for each layer and one for the tail.
SearchSpace layered_space(const std::string& constraints = "[]") {
  return make_space("layered", R"([{"name": "depth", "choices": [1, 2, 3], "ordered": true},
      {"name": "width", "repeat": 3, "index": "slot", "choices": [8, 16, 24, 32], "active_if": "slot < depth"},
      {"name": "format", "group": "precision", "repeat": 3, "index": "slot",
       "choices": ["int8", "f32", "bf16"], "active_if": "slot < depth"},
      {"name": "tail", "group": "precision", "choices": ["bf16", "f32", "int8"]}])",
                    constraints);
}

SearcherSetup setup_of(std::size_t objectives, Json options, std::uint64_t seed = 3) {
  SearcherSetup setup;
  setup.seed = seed;
  setup.objectives = minimised_objectives(objectives);
  setup.options = std::move(options);
  setup.origin = "study.json";
  return setup;
}

// An error that falls and a cost that rises with width and bits, both a little rugged.
void two_values(Trial& trial) {
  double error = 10.0, cost = 0.0;
  for (std::size_t i = 0; i < 3; ++i) {
    if (i > trial.genome.genes[0]) continue;
    const double width = trial.genome.genes[1 + i] + 1.0;
    const double bits = trial.genome.genes[4 + i] == f32 ? 4.0 : trial.genome.genes[4 + i] == 0 ? 1.0 : 2.0;
    error -= std::sqrt(width) * (1.0 - 0.3 / bits);
    cost += width * bits;
  }
  trial.values = {error + 0.2 * noise(trial.genome, 5), cost + (trial.genome.genes[7] == f32 ? 4.0 : 1.0)};
}

// Every seventh candidate fails, and every fifth breaks a limit.
void two_values_with_failures(Trial& trial) {
  two_values(trial);
  const double draw = noise(trial.genome, 6);
  if (draw < 0.15) {
    trial.status = Status::failed;
    trial.values.clear();
  } else if (draw < 0.35) {
    trial.status = Status::infeasible;
    trial.violation = draw;
  }
}

std::vector<std::uint16_t> architecture(const Genome& genome) {
  return {genome.genes.begin(), genome.genes.begin() + 4};
}

bool holds_f32(const SearchSpace& space, const Genome& genome) {
  const std::vector<bool> active = space.active(genome);
  for (std::size_t dim = 4; dim < 8; ++dim) {
    if (active[dim] && genome.genes[dim] != f32) return false;
  }
  return true;
}

// The architectures of the non-dominated feasible trials, of equal ones the first; by comparing all pairs.
std::set<std::vector<std::uint16_t>> front_of(std::span<const Trial> trials) {
  std::set<std::vector<std::uint16_t>> front;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (trials[i].status != Status::ok) continue;
    bool best = true;
    for (std::size_t j = 0; j < trials.size(); ++j) {
      if (trials[j].status != Status::ok) continue;
      const auto &a = trials[i].values, &b = trials[j].values;
      const bool no_worse = std::ranges::equal(b, a, std::less_equal<>());
      if (no_worse && (a != b || j < i)) best = false;
    }
    if (best) front.insert(architecture(trials[i].genome));
  }
  return front;
}

// The valid candidates of these architectures in int8 and in bf16 throughout.
std::set<Genome> in_uniform_formats(const SearchSpace& space, const std::set<std::vector<std::uint16_t>>& front) {
  std::set<Genome> all;
  for (const auto& [format, tail] : {std::pair<std::uint16_t, std::uint16_t>{0, 2}, {2, 0}}) {
    for (const auto& member : front) {
      Genome genome{member};
      genome.genes.insert(genome.genes.end(), {format, format, format, tail});
      if (!space.violation(genome)) all.insert(space.normalise(genome));
    }
  }
  return all;
}

TEST(Sequential, TheStagesKeepTheirGenes) {
  const SearchSpace space = layered_space(R"([{"require": "depth < 3 or tail == 'f32' or format[0] != 'int8'"}])");
  for (const char* inner : {"nsga2", "random", "local-search", "regularized-evolution", "linas", "exhaustive"}) {
    for (const Judge& judge : {Judge(two_values), Judge(two_values_with_failures)}) {
      const Json named = {{"name", inner}};
      std::vector<Trial> history;
      const auto searcher = make_sequential(
          space, setup_of(2, {{"formats", "f32"}, {"first_trials", 40}, {"first", named}, {"second", named}}));
      while (history.size() < 240 && step(*searcher, 7, judge, history)) {
      }
      ASSERT_GT(history.size(), 60U) << inner;
      for (std::size_t i = 0; i < 40; ++i) EXPECT_TRUE(holds_f32(space, history[i].genome)) << inner << " trial " << i;
      const auto front = front_of(std::span(history).first(40));
      const std::set<Genome> uniform = in_uniform_formats(space, front);
      std::set<Genome> begun, distinct;
      for (std::size_t i = 40; i < history.size(); ++i) {
        const Genome& genome = history[i].genome;
        EXPECT_EQ(space.violation(genome), std::nullopt);
        EXPECT_EQ(space.normalise(genome), genome);
        EXPECT_TRUE(front.contains(architecture(genome))) << inner << " trial " << i;
        if (i < 40 + uniform.size()) begun.insert(genome);
        distinct.insert(genome);
      }
      EXPECT_EQ(begun, uniform) << inner;
      EXPECT_GT(distinct.size(), 20U) << inner;
      const Json notes = searcher->notes();
      EXPECT_EQ(notes.at("stage"), "precision");
      EXPECT_EQ(notes.at("architectures"), front.size());
      EXPECT_EQ(notes.contains("searcher"), inner == std::string("linas"));
    }
  }
}

TEST(Sequential, AChoiceGivesTheFrontOnceAndEnds) {
  const SearchSpace space = layered_space();
  std::vector<Trial> history;
  const auto searcher =
      make_sequential(space, setup_of(2, {{"formats", "f32"}, {"first_trials", 50}, {"then", "int8"}}));
  while (history.size() < 1000 && step(*searcher, 3, two_values, history)) {
  }
  EXPECT_TRUE(searcher->exhausted());
  const auto front = front_of(std::span(history).first(50));
  ASSERT_EQ(history.size(), 50 + front.size());
  ASSERT_GT(front.size(), 3U);
  std::set<std::vector<std::uint16_t>> listed;
  for (std::size_t i = 50; i < history.size(); ++i) {
    const Genome& genome = history[i].genome;
    listed.insert(architecture(genome));
    for (std::size_t slot = 0; slot <= genome.genes[0]; ++slot) EXPECT_EQ(genome.genes[4 + slot], 0);  // int8
    EXPECT_EQ(genome.genes[7], 2);
  }
  EXPECT_EQ(listed, front);
}

TEST(Sequential, ResumesAtEveryPoint) {
  const SearchSpace space = layered_space();
  const std::vector<Json> options = {
      {{"formats", "f32"}, {"first_trials", 20}},
      {{"formats", "int8"}, {"first_trials", 25}, {"then", "bf16"}},
      {{"formats", "f32"},
       {"first_trials", 30},
       {"first", {{"name", "linas"}, {"initial", 10}, {"generations", 3}}},
       {"second", {{"name", "linas"}, {"initial", 10}, {"generations", 3}}}},
      {{"formats", "f32"},
       {"first_trials", 20},
       {"first", {{"name", "exhaustive"}}},
       {"second", {{"name", "local-search"}}}},
      {{"formats", "bf16"},
       {"first_trials", 20},
       {"first", {{"name", "random"}}},
       {"second", {{"name", "regularized-evolution"}, {"population", 8}}}},
  };
  for (const Json& one : options) {
    const SearcherSetup setup = setup_of(2, one);
    std::vector<Trial> whole, pieces;
    const auto searcher = make_sequential(space, setup);
    State state = searcher->save();
    for (int i = 0; i < 30; ++i) {
      step(*searcher, 4, two_values_with_failures, whole);
      const auto resumed = make_sequential(space, setup);
      resumed->load(through_text(state));
      step(*resumed, 4, two_values_with_failures, pieces);
      state = resumed->save();
      EXPECT_EQ(resumed->exhausted(), searcher->exhausted());
      EXPECT_EQ(resumed->notes(), searcher->notes());
    }
    ASSERT_EQ(whole.size(), pieces.size()) << one;
    EXPECT_GT(whole.size(), 25U);
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(whole[i].genome, pieces[i].genome) << one << i;
  }
}

// Networks of four widths and three depths on four arrays; the arrays' choices are what is held at first.
SearchSpace network_and_array() {
  return make_space("both", R"([{"name": "width", "choices": [8, 16, 24, 32], "ordered": true},
      {"name": "depth", "choices": [1, 2, 3], "ordered": true},
      {"name": "rows", "group": "hardware", "choices": [4, 8, 16, 32], "ordered": true},
      {"name": "flow", "group": "hardware", "choices": ["ws", "os"]}])");
}

// A quality that grows with the network, a latency that falls with the array, and a limit on the latter.
void quality_and_latency(Trial& trial, const SearcherSetup& setup) {
  const double work = (trial.genome.genes[0] + 1.0) * (trial.genome.genes[1] + 1.0);
  trial.values = {-work, work / (trial.genome.genes[2] + 1.0) + 0.1 * trial.genome.genes[3]};
  trial.violation = limit_excess(setup.objectives[1], trial.values[1]);
  if (trial.violation > 0) trial.status = Status::infeasible;
}

TEST(Sequential, TheNetworkFirstLooksAtItsQualityAloneThenTheHardwareIsSearchedForIt) {
  const SearchSpace space = network_and_array();
  SearcherSetup setup = setup_of(2, {{"by", "hardware"},
                                     {"held", {{"rows", 8}}},
                                     {"first_trials", 12},
                                     {"first", {{"name", "exhaustive"}}},
                                     {"second", {{"name", "exhaustive"}}}});
  setup.objectives[1].limit = 1.5;  // the best network keeps it on no array
  const auto judge = [&](Trial& trial) { quality_and_latency(trial, setup); };
  for (const bool alone : {true, false}) {
    if (alone) setup.options["first_looks_at"] = {setup.objectives[0].name};
    std::vector<Trial> history;
    const auto searcher = make_sequential(space, setup);
    while (history.size() < 200 && step(*searcher, 4, judge, history)) {
    }
    ASSERT_GE(history.size(), 12U);
    for (std::size_t i = 0; i < 12; ++i) {
      EXPECT_EQ(history[i].genome.genes[2], 1);  // 8 rows
      EXPECT_EQ(history[i].genome.genes[3], 0);  // the file's first
    }
    std::set<std::vector<std::uint16_t>> networks, arrays;
    for (std::size_t i = 12; i < history.size(); ++i) {
      const std::vector<std::uint16_t>& genes = history[i].genome.genes;
      networks.insert({genes[0], genes[1]});
      arrays.insert({genes[2], genes[3]});
    }
    const bool feasible = std::ranges::any_of(history, [](const Trial& trial) { return trial.status == Status::ok; });
    if (alone) {
      EXPECT_EQ(networks, (std::set<std::vector<std::uint16_t>>{{3, 2}}));  // the best quality, whatever it takes
      EXPECT_EQ(arrays.size(), 8U);
      EXPECT_FALSE(std::ranges::any_of(std::span(history).subspan(12),
                                       [](const Trial& trial) { return trial.status == Status::ok; }));
    } else {
      EXPECT_FALSE(networks.contains({3, 2}));  // it looked at the limit, which 8 rows keep for smaller ones
      EXPECT_TRUE(feasible);
    }
    setup.options.erase("first_looks_at");
  }
}

TEST(Sequential, SaysWhatIsWrongWithAGroupAndWhatIsLookedAt) {
  const SearchSpace space = network_and_array();
  const auto refusal = [&](Json options) {
    try {
      make_sequential(space, setup_of(2, std::move(options)));
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refusal({{"by", "hardwear"}}), HasSubstr("hardware"));
  EXPECT_THAT(refusal({{"by", "hardware"}, {"held", {{"row", 8}}}}), HasSubstr("did you mean 'rows'"));
  EXPECT_THAT(refusal({{"by", "hardware"}, {"held", {{"rows", 9}}}}), HasSubstr("held.rows"));
  EXPECT_THAT(refusal({{"by", "schedule"}}), HasSubstr("none in 'both'"));
  EXPECT_THAT(refusal({{"by", "hardware"}, {"first_looks_at", {"speed"}}}), HasSubstr("names of objectives"));
  EXPECT_EQ(refusal({{"by", "hardware"}}), "");
}

// The sum of an architecture's loss in f32 and what it loses or gains by formats: architecture 3 is the best in f32,
// architecture 5 takes to int8 best.
double toy_loss(const Genome& genome) {
  static constexpr double in_f32[] = {4.0, 3.5, 3.0, 1.0, 2.5, 2.0, 3.2, 5.0};
  static constexpr double gain[] = {0.1, 0.1, 0.2, 0.1, 0.2, 0.9, 0.1, 0.3};
  const std::uint16_t which = genome.genes[0];
  double loss = in_f32[which];
  for (std::size_t i = 1; i <= 3; ++i) loss -= genome.genes[i] == 0 ? gain[which] * (i == 2 ? -0.5 : 1.0) : 0.0;
  return loss;
}

TEST(Sequential, MissesTheJointOptimumAndFindsTheBestPrecisionOfItsOwn) {
  const SearchSpace space = make_space("toy", R"([{"name": "network", "choices": [0, 1, 2, 3, 4, 5, 6, 7]},
      {"name": "format", "group": "precision", "repeat": 3, "choices": ["int8", "f32"]}])");
  double joint = 1e9, f32_best = 1e9;
  std::uint16_t joint_network = 0, f32_network = 0;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    const Genome genome = space.at(i).value();
    const double loss = toy_loss(genome);
    if (loss < joint) joint_network = genome.genes[0];
    joint = std::min(joint, loss);
    const bool all_f32 = genome.genes[1] == f32 && genome.genes[2] == f32 && genome.genes[3] == f32;
    if (all_f32 && loss < f32_best) f32_network = genome.genes[0];
    if (all_f32) f32_best = std::min(f32_best, loss);
  }
  ASSERT_NE(joint_network, f32_network);
  double reachable = 1e9;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    const Genome genome = space.at(i).value();
    if (genome.genes[0] == f32_network) reachable = std::min(reachable, toy_loss(genome));
  }
  ASSERT_LT(joint, reachable);
  const auto best_of = [&](const std::string& name, const Json& options) {
    double best = 1e9;
    std::vector<Trial> history;
    const auto searcher = make_searcher(name, space, setup_of(1, options));
    const Judge judge = [&](Trial& trial) {
      trial.values = {toy_loss(trial.genome)};
      best = std::min(best, trial.values[0]);
    };
    while (history.size() < 120) step(*searcher, 10, judge, history);
    return best;
  };
  EXPECT_DOUBLE_EQ(best_of("sequential", {{"formats", "f32"}, {"first_trials", 40}}), reachable);
  EXPECT_DOUBLE_EQ(best_of("nsga2", Json::object()), joint);
}

// A study answers duplicates with the trial they repeat, id included; they are not counted.
TEST(Sequential, CountsDistinctTrialsAndEndsAStageThatHasNoMore) {
  const SearchSpace space = layered_space();
  std::set<Genome> known;
  std::vector<Genome> numbered;
  const auto run = [&](std::int64_t first_trials, Judge judge) {
    known.clear();
    numbered.clear();
    const auto searcher = make_sequential(
        space, setup_of(2, {{"formats", "f32"}, {"first_trials", first_trials}, {"first", {{"name", "random"}}}}));
    std::size_t asked = 0;
    while (searcher->notes().at("stage") == "architecture" && asked < 100'000) {
      std::vector<Trial> trials;
      for (const Genome& genome : searcher->ask(10)) {
        if (known.insert(genome).second) numbered.push_back(genome);
        Trial trial;
        trial.id = std::ranges::find(numbered, genome) - numbered.begin();
        trial.genome = genome;
        judge(trial);
        trials.push_back(std::move(trial));
      }
      asked += trials.size();
      searcher->tell(trials);
    }
    return asked;
  };
  const std::size_t asked = run(60, two_values);
  EXPECT_EQ(numbered.size(), 60U);
  EXPECT_GT(asked, 60U);  // of 84 in all, drawn with replacement
  EXPECT_LT(run(1000, two_values), 5000U);
  EXPECT_EQ(numbered.size(), 84U);
  // Without anything to compare the stage goes on.
  EXPECT_GE(run(20, [](Trial& trial) { trial.status = Status::failed; }), 100'000U);
}

TEST(Sequential, TheLeastViolationIsTheFrontWhereNothingIsFeasible) {
  const SearchSpace space = layered_space();
  std::vector<Trial> history;
  const auto searcher = make_sequential(space, setup_of(2, {{"formats", "f32"}, {"first_trials", 30}}));
  const Judge judge = [](Trial& trial) {
    trial.status = Status::infeasible;
    trial.violation = 0.1 + noise(trial.genome, 8);
  };
  while (history.size() < 60) step(*searcher, 10, judge, history);
  const auto least = std::min_element(history.begin(), history.begin() + 30,
                                      [](const Trial& a, const Trial& b) { return a.violation < b.violation; });
  for (std::size_t i = 30; i < 60; ++i) EXPECT_EQ(architecture(history[i].genome), architecture(least->genome));
}

TEST(Sequential, SaysWhatIsWrong) {
  const auto message = [](const SearchSpace& space, const Json& options) -> std::string {
    try {
      make_sequential(space, setup_of(1, options));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "taken";
  };
  const SearchSpace space = layered_space();
  EXPECT_EQ(message(space, {{"formats", "bf16"}, {"then", "search"}}), "taken");
  EXPECT_THAT(message(space, Json::object()), HasSubstr("formats"));
  for (const char* part : {"study.json", "formats", "'format[0]'", "\"int4\"", R"(["int8","f32","bf16"])"}) {
    EXPECT_THAT(message(space, {{"formats", "int4"}}), HasSubstr(part));
  }
  EXPECT_THAT(message(space, {{"formats", "f32"}, {"then", "int3"}}), HasSubstr("then"));
  EXPECT_THAT(message(space, {{"formats", "f32"}, {"first_trials", 0}}), HasSubstr("first_trials"));
  EXPECT_THAT(message(space, {{"formats", "f32"}, {"first", {{"name", "nsga4"}}}}), HasSubstr("did you mean 'nsga2'"));
  EXPECT_THAT(message(space, {{"formats", "f32"}, {"second", {{"populaton", 3}}}}), HasSubstr("second.populaton"));
  EXPECT_THAT(message(space, {{"formats", "f32"}, {"first", "nsga2"}}), HasSubstr("an object"));
  EXPECT_THAT(message(uniform_space(3, 3), {{"formats", 1}}), HasSubstr("\"group\": \"precision\""));
}

}  // namespace
}  // namespace ridgeline
