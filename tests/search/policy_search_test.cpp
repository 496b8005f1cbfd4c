// Reinforcement learning of candidates, on problems whose optimum is known, and what its parts promise.
#include "search/policies/policy_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "search/fronts/pareto.hpp"
#include "search/policies/curriculum.hpp"
#include "search/policies/reward_memory.hpp"
#include "tests/search/kinds_of_space.hpp"

namespace ridgeline {
namespace {

const std::vector<std::string> names{"reinforce", "ppo", "multi-agent"};

std::unique_ptr<Searcher> make(const std::string& name, const SearchSpace& space, std::size_t objectives,
                               std::uint64_t seed, const Json& options = Json::object()) {
  SearcherSetup setup;
  setup.seed = seed;
  setup.objectives = minimised_objectives(objectives);
  setup.options = options;
  return make_searcher(name, space, setup);
}

std::vector<Trial> trials_of(Searcher& searcher, std::size_t count, const Judge& judge) {
  std::vector<Trial> history;
  while (history.size() < count) step(searcher, 4, judge, history);
  return history;
}

double least(std::span<const Trial> trials) {
  double value = trials[0].values[0];
  for (const Trial& trial : trials) value = std::min(value, trial.values[0]);
  return value;
}

// Each gene has one right choice; what the others cost differs.
void separable(Trial& trial) {
  double sum = 0;
  for (std::size_t i = 0; i < trial.genome.genes.size(); ++i) {
    const auto gene = static_cast<double>(trial.genome.genes[i]);
    sum += (1.0 + static_cast<double>(i % 3)) * std::abs(gene - static_cast<double>((i * 5 + 1) % 4));
  }
  trial.values = {sum};
}

// Blocks of three bits: all ones are best, and of the others the fewer ones the better, so that each gene alone leads
// astray (Deb and Goldberg, "Analyzing deception in trap functions", 1993).
void trap(Trial& trial) {
  double sum = 0;
  for (std::size_t i = 0; i + 2 < trial.genome.genes.size(); i += 3) {
    const int ones = trial.genome.genes[i] + trial.genome.genes[i + 1] + trial.genome.genes[i + 2];
    sum += ones == 3 ? 0.0 : 0.3 + 0.2 * ones;
  }
  trial.values = {sum};
}

TEST(PolicySearch, ReachesTheOptimumOfASeparableProblem) {
  const SearchSpace space = uniform_space(8, 4);
  for (const std::string& name : names) {
    int found = 0;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto searcher = make(name, space, 1, seed);
      found += least(trials_of(*searcher, 800, separable)) == 0.0 ? 1 : 0;
    }
    EXPECT_GE(found, 3) << name;
  }
}

// One bit at a time leads to zeros; a policy that takes the bits of a block together is not held there.
TEST(PolicySearch, ChoosesTogetherWhatIsOnlyGoodTogether) {
  const SearchSpace space = uniform_space(9, 2);
  for (const std::string name : {"reinforce", "ppo"}) {
    int found = 0;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto searcher = make(name, space, 1, seed);
      found += least(trials_of(*searcher, 300, trap)) == 0.0 ? 1 : 0;
    }
    EXPECT_GE(found, 2) << name;
  }
}

TEST(PolicySearch, IsBetterThanRandom) {
  const SearchSpace space = uniform_space(20, 4);
  const auto mean = [&](const std::string& name, const Json& options) {
    double sum = 0;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      const auto searcher = make(name, space, 1, seed, options);
      sum += least(trials_of(*searcher, 400, separable)) / 3;
    }
    return sum;
  };
  const double random = mean("random", Json::object());
  for (const std::string& name : names) {
    EXPECT_LT(mean(name, Json::object()), 0.6 * random) << name;
    EXPECT_LT(mean(name, {{"replay", 0}}), 0.9 * random) << name;
    EXPECT_LT(mean(name, {{"curriculum", 3}, {"patience", 20}}), 0.8 * random) << name;
  }
}

// Two sums that pull apart: the front is known in closed form, a line of 11 points, of which random search reaches one
// in 1,000 trials.
TEST(PolicySearch, LearnsAWayToEveryPartOfAFront) {
  const SearchSpace space = uniform_space(10, 4);
  const Judge judge = [](Trial& trial) {
    double ones = 0, waste = 0;
    for (const std::uint16_t gene : trial.genome.genes) {
      ones += gene == 1 ? 1 : 0;
      waste += gene > 1 ? 1 : 0;
    }
    trial.values = {ones + waste, 10 - ones + waste};
  };
  for (const std::string& name : names) {
    const auto searcher = make(name, space, 2, 3);
    std::set<double> reached;
    for (const Trial& trial : trials_of(*searcher, 600, judge)) {
      if (trial.values[0] + trial.values[1] == 10.0) reached.insert(trial.values[0]);
    }
    EXPECT_GE(reached.size(), 6U) << name;
  }
}

bool all_finite(const Json& value) {
  if (value.is_number()) return std::isfinite(value.get<double>());
  return !value.is_structured() || std::ranges::all_of(value, all_finite);
}

TEST(PolicySearch, ConstantEnormousAndFailedRewardsLeaveNumbersFinite) {
  const std::vector<Judge> judges{
      [](Trial& trial) { trial.values = {3.0}; },
      [](Trial& trial) { trial.values = {(trial.id % 2 == 0 ? 1.0 : -1.0) * 1e308}; },
      [](Trial& trial) { trial.status = Status::failed; },
  };
  for (const std::string& name : names) {
    for (const std::string space_name : {"single", "mixed", "only_formats"}) {
      const SearchSpace space = spaces().at(space_name)();
      for (const Judge& judge : judges) {
        const auto searcher = make(name, space, 1, 2, {{"replay", 3}, {"learning_rate", 1.0}});
        trials_of(*searcher, 200, judge);
        const Json agents = searcher->save().data.at("agents");
        EXPECT_TRUE(all_finite(agents)) << name << " on " << space_name;
        EXPECT_FALSE(agents.dump().find("null") != std::string::npos);
      }
    }
  }
}

TEST(PolicySearch, NeverProposesWhatIsNotValidUnderAnyOption) {
  for (const std::string name : {"conditional", "constrained", "formats", "accelerators"}) {
    const SearchSpace space = spaces().at(name)();
    for (const Json& options : {Json{{"halting", 0.3}}, Json{{"halting", 0.3}, {"failures", 2}, {"rest", "best"}},
                                Json{{"curriculum", 3}, {"patience", 10}}}) {
      for (const std::string& searcher_name : names) {
        const auto searcher = make(searcher_name, space, 1, 5, options);
        for (const Trial& trial : trials_of(*searcher, 120, [](Trial& t) { t.values = {noise(t.genome, 1)}; })) {
          ASSERT_EQ(space.violation(trial.genome), std::nullopt) << searcher_name << " on " << name;
          ASSERT_EQ(space.normalise(trial.genome), trial.genome);
        }
      }
    }
  }
}

// Where only what is worth its cost should be chosen, halted episodes find candidates with fewer choices.
TEST(PolicySearch, HaltedEpisodesGiveShorterCandidates) {
  const SearchSpace space = uniform_space(16, 3);
  const auto mean_length = [&](const Json& options) {
    const auto searcher = make("reinforce", space, 1, 4, options);
    double sum = 0;
    for (const Trial& trial : trials_of(*searcher, 100, [](Trial& t) { t.values = {noise(t.genome, 1)}; })) {
      for (const std::uint16_t gene : trial.genome.genes) sum += gene > 0 ? 0.01 : 0.0;
    }
    return sum;
  };
  EXPECT_GT(mean_length(Json::object()), 8.0);
  EXPECT_LT(mean_length({{"halting", 0.25}}), 5.0);
}

TEST(PolicySearch, ACurriculumBeginsWithTheFirstDimensions) {
  const SearchSpace space = uniform_space(10, 3);
  for (const std::string& name : names) {
    const auto searcher =
        make(name, space, 1, 8, {{"curriculum", 5}, {"patience", 40}, {"successes", 100}, {"rest", "first"}});
    const std::vector<Trial> history = trials_of(*searcher, 200, separable);
    for (std::size_t i = 0; i < 160; ++i) {
      const std::size_t free = 2 * (1 + i / 40);
      for (std::size_t dim = free; dim < 10; ++dim) ASSERT_EQ(history[i].genome.genes[dim], 0) << name << ": " << i;
    }
    EXPECT_EQ(searcher->notes().at("stage"), 5);
    EXPECT_TRUE(std::ranges::any_of(history, [](const Trial& trial) { return trial.genome.genes[9] != 0; })) << name;
  }
}

// What the conformance suite does for the default options.
TEST(PolicySearch, AResumeEqualsUnderEveryOption) {
  const SearchSpace space = spaces().at("formats")();
  const Judge judge = [](Trial& trial) { trial.values = {noise(trial.genome, 1), noise(trial.genome, 2)}; };
  for (const Json& options : {Json{{"curriculum", 3}, {"patience", 9}, {"halting", 0.2}, {"rest", "best"}},
                              Json{{"replay", 0}, {"batch", 7}, {"halting", 0.4}, {"failures", 2}}}) {
    for (const std::string& name : names) {
      const auto whole = make(name, space, 2, 6, options);
      std::vector<Trial> expected, history;
      State state = make(name, space, 2, 6, options)->save();
      for (int i = 0; i < 25; ++i) {
        step(*whole, 3, judge, expected);
        const auto resumed = make(name, space, 2, 6, options);
        resumed->load(through_text(state));
        step(*resumed, 3, judge, history);
        state = resumed->save();
        ASSERT_EQ(history.back().genome, expected.back().genome) << name << ": " << i;
      }
    }
  }
}

// A study answers a candidate that it knows with the first one's trial: from these a policy learns nothing more.
TEST(PolicySearch, ASmallSpaceIsExhaustedInsteadOfTheSameAskedForEver) {
  const SearchSpace space = uniform_space(6, 2);
  for (const std::string& name : names) {
    const auto searcher = make(name, space, 1, 3, {{"window", 8}, {"replay", 2}, {"learning_rate", 0.2}});
    std::map<Genome, std::int64_t> seen;
    for (int asks = 0; asks < 400 && seen.size() < 64; ++asks) {
      std::vector<Trial> trials;
      for (Genome& genome : searcher->ask(4)) {
        const std::int64_t id = seen.try_emplace(genome, static_cast<std::int64_t>(seen.size())).first->second;
        trials.push_back(ok_trial(id, std::move(genome), {}));
        separable(trials.back());
      }
      searcher->tell(trials);
    }
    EXPECT_EQ(seen.size(), 64U) << name;
  }
}

TEST(PolicySearch, HasTheAgentsThatItsSpaceCallsFor) {
  EXPECT_EQ(make("multi-agent", spaces().at("accelerators")(), 1, 1)->notes().at("agents"), 2);
  EXPECT_EQ(make("multi-agent", spaces().at("mixed")(), 1, 1)->notes().at("agents"), 3);
  EXPECT_EQ(make("ppo", spaces().at("accelerators")(), 1, 1)->notes().at("agents"), 1);
}

TEST(Curriculum, FreesDimensionsAndTightensTheThresholdOnSuccess) {
  Curriculum curriculum({.stages = 3, .successes = 2, .patience = 4, .halting = 0, .failures = 1}, 10);
  EXPECT_EQ(curriculum.free(), 4U);
  EXPECT_EQ(curriculum.judge(0.1), 1.0);  // a success
  EXPECT_EQ(curriculum.judge(-0.2), -0.2);
  EXPECT_EQ(curriculum.judge(0.9), 1.0);
  EXPECT_EQ(curriculum.free(), 7U);
  EXPECT_EQ(curriculum.threshold(), 0.5);
  EXPECT_EQ(curriculum.judge(0.4), 0.4);
  for (int i = 0; i < 3; ++i) curriculum.judge(0.4);  // patience is at its end
  EXPECT_EQ(curriculum.free(), 10U);
  EXPECT_EQ(curriculum.threshold(), 0.0);
  for (int i = 0; i < 20; ++i) curriculum.judge(1.0);
  EXPECT_EQ(curriculum.free(), 10U);
  EXPECT_EQ(curriculum.threshold(), 0.9);
}

// The number of coins until the r-th that halts has the mean r / p, where it is far below the number of dimensions.
TEST(Curriculum, LengthsOfHaltedEpisodesAreNegativeBinomial) {
  const Curriculum curriculum({.stages = 1, .successes = 1, .patience = 1, .halting = 0.25, .failures = 2}, 1000);
  Rng rng(6);
  double sum = 0, squares = 0;
  constexpr int draws = 20'000;
  for (int i = 0; i < draws; ++i) {
    const auto length = static_cast<double>(curriculum.length(rng));
    sum += length / draws;
    squares += length * length / draws;
  }
  EXPECT_NEAR(sum, 8.0, 0.15);
  EXPECT_NEAR(squares - sum * sum, 2 * 0.75 / (0.25 * 0.25), 1.5);
  const Curriculum never({}, 12);
  EXPECT_EQ(never.length(rng), 12U);
}

TEST(RewardMemory, RewardsThePlaceAmongTheLast) {
  const SearchSpace space = uniform_space(3, 8);
  SearcherSetup setup;
  setup.objectives = minimised_objectives(1);
  RewardMemory memory(space, setup, {.window = 4, .elites = 2, .directions = 10});
  std::vector<Trial> trials;
  for (const double value : {5.0, 1.0, 3.0, 4.0, 3.0}) {
    trials.push_back(ok_trial(0, {{static_cast<std::uint16_t>(trials.size()), 0, 0}}, {value}));
    memory.add(trials.back());
  }
  // The window has 1, 3, 4 and 3.
  EXPECT_DOUBLE_EQ(memory.reward(trials[1], 0), 0.75);
  EXPECT_DOUBLE_EQ(memory.reward(trials[2], 0), 0.0);
  EXPECT_DOUBLE_EQ(memory.reward(trials[3], 0), -0.75);
  EXPECT_EQ(memory.elites(0), 2U);
  EXPECT_EQ(memory.elite(0, 0), trials[1].genome);
  EXPECT_EQ(memory.elite(0, 1), trials[2].genome);
  Trial infeasible = ok_trial(0, {{7, 7, 7}}, {-100.0});
  infeasible.status = Status::infeasible;
  infeasible.violation = 0.1;
  memory.add(infeasible);
  EXPECT_DOUBLE_EQ(memory.reward(infeasible, 0), -0.75);
  infeasible.status = Status::failed;
  infeasible.values.clear();
  EXPECT_DOUBLE_EQ(memory.reward(infeasible, 0), -1.0);
}

// On a front that is not convex the middle direction must prefer the middle, which no weighted sum does.
TEST(RewardMemory, DirectionsReachAFrontThatIsNotConvex) {
  const SearchSpace space = uniform_space(2, 8);
  SearcherSetup setup;
  setup.objectives = minimised_objectives(2);
  RewardMemory memory(space, setup, {.window = 100, .elites = 1, .directions = 3});
  const std::vector<Point> points{{0, 1}, {0.6, 0.6}, {1, 0}};
  ASSERT_EQ(memory.directions(), 3U);
  std::vector<Trial> trials;
  for (std::uint16_t i = 0; i < 3; ++i) {
    trials.push_back(ok_trial(i, {{i, 0}}, points[i]));
    memory.add(trials.back());
  }
  EXPECT_EQ(memory.elite(1, 0), trials[1].genome);
  EXPECT_EQ(memory.reward(trials[1], 1), 2.0 / 3);
  std::set<Genome> ends{memory.elite(0, 0), memory.elite(2, 0)};
  EXPECT_EQ(ends, (std::set<Genome>{trials[0].genome, trials[2].genome}));
}

}  // namespace
}  // namespace ridgeline
