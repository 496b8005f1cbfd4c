// Searchers that build candidates choice by choice: what they choose by, and that they find known optima.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "search/constructive/ant_colony.hpp"
#include "search/constructive/choice_tree.hpp"
#include "search/constructive/decisions.hpp"
#include "search/constructive/mcts.hpp"
#include "search/constructive/seen_values.hpp"
#include "search/constructive/tallies.hpp"
#include "search/fronts/pareto.hpp"
#include "tests/search/kinds_of_space.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

// Every valid, normalised genome, by an odometer over all combinations.
std::set<Genome> all_candidates(const SearchSpace& space) {
  std::set<Genome> all;
  Genome genome{std::vector<std::uint16_t>(space.dims().size(), 0)};
  for (bool more = true; more;) {
    if (!space.violation(genome)) all.insert(space.normalise(genome));
    std::size_t i = 0;
    while (i < genome.genes.size() && ++genome.genes[i] == space.dims()[i].choices.size()) genome.genes[i++] = 0;
    more = i < genome.genes.size();
  }
  return all;
}

// Conditions that read dimensions which stand behind them in the file.
SearchSpace backward_space() {
  return make_space("backward", R"([{"name": "ratio", "choices": [2, 4, 8], "active_if": "se"},
      {"name": "kernel", "repeat": 3, "index": "slot", "choices": [3, 5, 7], "active_if": "slot < depth"},
      {"name": "se", "choices": [false, true], "active_if": "depth > 1"},
      {"name": "depth", "choices": [1, 2, 3], "ordered": true}])",
                    R"([{"require": "depth < 3 or kernel[0] == 3"}])");
}

TEST(Decisions, EveryConditionReadsWhatIsDecidedBefore) {
  const SearchSpace space = backward_space();
  const Decisions decisions(space);
  ASSERT_EQ(decisions.size(), space.dims().size());
  std::set<std::uint32_t> decided;
  for (std::size_t place = 0; place < decisions.size(); ++place) {
    for (const std::uint32_t read : space.condition_reads(decisions.dimension(place))) {
      EXPECT_TRUE(decided.contains(read)) << place;
    }
    decided.insert(decisions.dimension(place));
  }
  EXPECT_EQ(decided.size(), decisions.size());
}

// Walks down by all choices reach every candidate once and nothing else.
void enumerate(const SearchSpace& space, const Decisions& decisions, Genome prefix, std::size_t place,
               std::vector<Genome>& found) {
  place = decisions.next_open(prefix, place);
  if (place == decisions.size()) {
    if (!space.violation(prefix)) found.push_back(prefix);
    return;
  }
  for (std::uint16_t choice = 0; choice < decisions.choices(prefix, place); ++choice) {
    Genome next = prefix;
    next.genes[decisions.dimension(place)] = choice;
    enumerate(space, decisions, next, place + 1, found);
  }
}

TEST(Decisions, TheTreeOfChoicesHasEveryCandidateOnce) {
  for (const char* name : {"single", "mixed", "conditional", "constrained", "formats", "accelerators"}) {
    const SearchSpace space = spaces().at(name)();
    std::vector<Genome> found;
    const Decisions decisions(space);
    enumerate(space, decisions, decisions.nothing_decided(), 0, found);
    const std::set<Genome> expected = all_candidates(space);
    EXPECT_EQ(found.size(), expected.size()) << name;
    EXPECT_EQ(std::set<Genome>(found.begin(), found.end()), expected) << name;
  }
}

TEST(Decisions, CompletesWhatCanBeCompletedAndKnowsWhatCannot) {
  const SearchSpace space = spaces().at("constrained")();  // w[0] != 1 and a sum of at most 4
  const Decisions decisions(space);
  Rng rng(3);
  const auto never = [](std::uint32_t) -> std::uint16_t { return 5; };
  Genome genome = decisions.nothing_decided();
  EXPECT_EQ(decisions.complete(genome, 0, never, rng), Decisions::Outcome::found);
  EXPECT_EQ(space.violation(genome), std::nullopt);
  genome = {{4, 0, 0, 0}};
  EXPECT_EQ(decisions.complete(genome, 1, never, rng), Decisions::Outcome::found);
  EXPECT_EQ(genome, (Genome{{4, 0, 0, 0}}));
  genome = {{1, 0, 0, 0}};
  EXPECT_EQ(decisions.complete(genome, 1, never, rng), Decisions::Outcome::impossible);
  EXPECT_EQ(genome, (Genome{{1, 0, 0, 0}}));
}

TEST(SeenValues, ScalesByWhatWasSeen) {
  SeenValues seen(2);
  for (const double value : {3.0, 1.0, 2.0}) seen.count(std::vector<double>{value, -10.0 * value});
  EXPECT_DOUBLE_EQ(seen.cost(0, 1.0), 0.0);
  EXPECT_DOUBLE_EQ(seen.cost(0, 2.0), 0.5);  // the worst, 3, is less than two deviations above the mean
  EXPECT_DOUBLE_EQ(seen.cost(0, 99.0), 1.0);
  EXPECT_DOUBLE_EQ(seen.cost(1, -15.0), 0.75);
  // (max(0.75 * 0.5, 0.25 * 0.75) / 0.75 + 0.05 * (0.75 * 0.5 + 0.25 * 0.75)) / 1.05
  const double expected = (0.5 + 0.05 * 0.5625) / 1.05;
  EXPECT_DOUBLE_EQ(seen.cost(std::vector<double>{2.0, -15.0}, std::vector<double>{0.75, 0.25}), expected);
  SeenValues outlier(1);
  for (int i = 0; i < 99; ++i) outlier.count(std::vector<double>{static_cast<double>(i % 2)});
  outlier.count(std::vector<double>{1000.0});
  const double mean = (49.0 + 1000.0) / 100.0, deviation = std::sqrt((49.0 + 1e6) / 100.0 - mean * mean);
  EXPECT_NEAR(outlier.cost(0, 1.0), 1.0 / (mean + 2.0 * deviation), 1e-12);
}

TEST(Tallies, AreTheMeanOverFeasibleAndOthers) {
  SeenValues seen(1);
  for (const double value : {0.0, 10.0}) seen.count(std::vector<double>{value});
  Tallies tallies(1);
  tallies.append(2);
  tallies.add_feasible(1, std::vector<double>{2.0});
  tallies.add_feasible(1, std::vector<double>{6.0});
  const std::vector<double> weights = {1.0};
  EXPECT_DOUBLE_EQ(tallies.cost(1, weights, seen), 0.4);
  tallies.add_other(1, 1.0);           // 1 + 1 / (1 + 1)
  tallies.add_other(1, std::nullopt);  // 2
  EXPECT_DOUBLE_EQ(tallies.cost(1, weights, seen), (0.4 + 0.4 + 1.5 + 2.0) / 4.0);
  EXPECT_EQ(tallies.visits(0), 0U);
}

TEST(ChoiceTree, ClosesWhatIsKnownAndKeepsWhatWasVisitedMost) {
  const SearchSpace space = spaces().at("mixed")();  // 2, 1, 3 and 2 choices
  const Decisions decisions(space);
  ChoiceTree tree(decisions, 1);
  const std::uint32_t left = tree.expand(0, 0), right = tree.expand(0, 1);
  std::vector<std::uint32_t> below;
  for (std::uint16_t b = 0; b < 3; ++b) below.push_back(tree.expand(left, b));
  std::vector<std::uint32_t> ends;
  for (std::uint16_t c = 0; c < 2; ++c) ends.push_back(tree.expand(below[1], c));
  EXPECT_TRUE(tree.is_candidate(ends[1]));
  EXPECT_FALSE(tree.is_candidate(below[1]));
  EXPECT_EQ(tree.prefix(ends[1]), (Genome{{0, 0, 1, 1}}));
  EXPECT_EQ(tree.path(Genome{{0, 0, 1, 1}}), (std::vector<std::uint32_t>{0, left, below[1], ends[1]}));
  EXPECT_EQ(tree.path(Genome{{1, 0, 2, 0}}), (std::vector<std::uint32_t>{0, right}));
  EXPECT_EQ(tree.depth(), 3U);
  tree.close(ends[0]);
  EXPECT_FALSE(tree.closed(below[1]));
  tree.close(ends[1]);
  EXPECT_TRUE(tree.closed(below[1]));
  EXPECT_FALSE(tree.closed(left));
  tree.close(below[0]);
  tree.close(below[2]);
  EXPECT_TRUE(tree.closed(left));
  EXPECT_FALSE(tree.closed(0));
  tree.prune(tree.size());
  EXPECT_EQ(tree.size(), 8U);
  tree.prune(7);  // what the closed one has below it
  EXPECT_EQ(tree.size(), 3U);
  EXPECT_TRUE(tree.closed(tree.child(0, 0).value()));
  tree.close(tree.child(0, 1).value());
  EXPECT_TRUE(tree.closed(0));
}

TEST(Mcts, UpperConfidenceIsThatOfUcb1) {
  EXPECT_DOUBLE_EQ(upper_confidence(0.5, 4.0, std::exp(1.0), 2.0), 0.5 + 2.0 * std::sqrt(1.0 / 4.0));
  EXPECT_DOUBLE_EQ(upper_confidence(0.25, 10.0, 100.0, 0.3), 0.25 + 0.3 * std::sqrt(std::log(100.0) / 10.0));
  EXPECT_DOUBLE_EQ(upper_confidence(0.25, 10.0, 100.0, 0.0), 0.25);
  EXPECT_EQ(upper_confidence(0.0, 0.0, 5.0, 0.0), std::numeric_limits<double>::infinity());
}

// UCT as published, by a plain loop over one level: what each arm is worth does not depend on what is below it, so that
// the visits of the arms are those of UCB1 whatever the completions are.
TEST(Mcts, WithoutSharingTheRootPlaysUcb1) {
  const SearchSpace space = make_space("arms", R"([{"name": "arm", "choices": [0, 1, 2, 3]},
      {"name": "rest", "repeat": 6, "choices": [0, 1, 2, 3, 4, 5]}])");
  const std::vector<double> costs = {0.0, 4.0, 7.0, 10.0};
  const double exploration = 0.5;
  SearcherSetup setup;
  setup.seed = 5;
  setup.objectives = minimised_objectives(1);
  setup.options = {{"shared", 0}, {"rollout", "random"}, {"exploration", exploration}};
  const auto searcher = make_searcher("mcts", space, setup);
  std::vector<Trial> history;
  for (int i = 0; i < 150; ++i) {
    step(
        *searcher, 1, [&](Trial& trial) { trial.values = {costs[trial.genome.genes[0]]}; }, history);
  }
  std::vector<double> visits(4, 0.0);
  for (std::size_t t = 0; t < history.size(); ++t) {
    const std::size_t played = history[t].genome.genes[0];
    if (t >= 4) {  // all arms are known, and the scale does not change any more
      SeenValues seen(1);
      for (std::size_t i = 0; i < t; ++i) seen.count(history[i].values);
      std::vector<double> bounds;
      for (std::size_t arm = 0; arm < 4; ++arm) {
        const double gain = 1.0 - seen.cost(0, costs[arm]);
        bounds.push_back(gain + exploration * std::sqrt(std::log(static_cast<double>(t)) / visits[arm]));
      }
      EXPECT_NEAR(bounds[played], *std::ranges::max_element(bounds), 1e-12) << t;
    }
    visits[played] += 1.0;
  }
  EXPECT_EQ(*std::ranges::min_element(visits) >= 1.0, true);
  EXPECT_GT(visits[0], 75.0);
}

SearcherSetup setup_with(std::size_t objectives, std::uint64_t seed, Json options = Json::object()) {
  SearcherSetup setup;
  setup.seed = seed;
  setup.objectives = minimised_objectives(objectives);
  setup.options = std::move(options);
  return setup;
}

// A separable cost with a pair that matters: the optimum is known by enumeration.
double toy_cost(const Genome& genome) {
  double sum = 0;
  for (std::size_t i = 0; i < genome.genes.size(); ++i) {
    const double off = static_cast<double>(genome.genes[i]) - static_cast<double>((3 * i + 1) % 4);
    sum += off * off;
  }
  return sum + (genome.genes[0] == genome.genes[1] ? -1.5 : 0.0);
}

std::size_t evaluations_to_optimum(const std::string& searcher, const SearchSpace& space, double optimum,
                                   std::uint64_t seed, std::size_t most) {
  const auto made = make_searcher(searcher, space, setup_with(1, seed));
  std::vector<Trial> history;
  std::set<Genome> distinct;
  while (distinct.size() < most) {
    const std::size_t before = history.size();
    step(
        *made, 5, [](Trial& trial) { trial.values = {toy_cost(trial.genome)}; }, history);
    for (std::size_t i = before; i < history.size(); ++i) {
      distinct.insert(history[i].genome);
      if (history[i].values[0] == optimum) return distinct.size();
    }
    if (history.size() > 50 * most) break;
  }
  return most;
}

TEST(Constructive, FindsTheOptimumOfAToyWithFewEvaluations) {
  const SearchSpace space = uniform_space(6, 4);  // 4,096 candidates
  double optimum = std::numeric_limits<double>::infinity();
  for (const Genome& genome : all_candidates(space)) optimum = std::min(optimum, toy_cost(genome));
  for (const char* searcher : {"mcts", "ant-colony"}) {
    std::size_t sum = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      sum += evaluations_to_optimum(searcher, space, optimum, seed, 1000);
    }
    EXPECT_LT(sum / 10, 400U) << searcher;  // random search: 2,048 on average
  }
}

// All that there is, where that is little: closed parts of the tree are not walked again.
TEST(Mcts, SeesEveryCandidateOfASmallSpaceBeforeItRepeatsItself) {
  for (const char* name : {"mixed", "constrained", "accelerators"}) {
    const SearchSpace space = spaces().at(name)();
    const std::set<Genome> all = all_candidates(space);
    for (const char* rollout : {"means", "random"}) {
      const auto searcher = make_searcher("mcts", space, setup_with(1, 3, {{"rollout", rollout}}));
      std::vector<Trial> history;
      std::set<Genome> seen;
      while (history.size() < 12 * all.size() && seen.size() < all.size()) {
        step(
            *searcher, 1, [](Trial& trial) { trial.values = {noise(trial.genome, 1)}; }, history);
        seen.insert(history.back().genome);
      }
      EXPECT_EQ(seen, all) << name;
    }
  }
}

Point toy_values(const Genome& genome) {
  double sum = 0;
  for (std::size_t i = 0; i < genome.genes.size(); ++i) sum += static_cast<double>(i + 1) * genome.genes[i];
  return {sum, toy_cost(genome)};
}

// The mean hypervolume over seeds that 120 asks find, as a share of that of all candidates.
double share_of_front(const std::string& searcher, const SearchSpace& space, std::span<const Point> all) {
  const Point reference = {50.0, 25.0};
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const auto made = make_searcher(searcher, space, setup_with(2, seed));
    std::vector<Trial> history;
    while (history.size() < 120) {
      step(
          *made, 10, [&](Trial& trial) { trial.values = toy_values(trial.genome); }, history);
    }
    std::vector<Point> found;
    for (const Trial& trial : history) found.push_back(trial.values);
    sum += hypervolume(found, reference);
  }
  return sum / 8 / hypervolume(all, reference);
}

TEST(Constructive, FrontsAreFoundSoonerThanByChance) {
  const SearchSpace space = uniform_space(6, 4);
  std::vector<Point> all;
  for (const Genome& genome : all_candidates(space)) all.push_back(toy_values(genome));
  const double chance = share_of_front("random", space, all);
  EXPECT_LT(chance, 0.9);
  EXPECT_GT(share_of_front("mcts", space, all), chance + 0.03);
  EXPECT_GT(share_of_front("ant-colony", space, all), chance + 0.03);
}

TEST(Constructive, LimitsAreKept) {
  const SearchSpace space = uniform_space(6, 4);
  const auto judge = [](Trial& trial) {
    double load = 0;
    for (const std::uint16_t gene : trial.genome.genes) load += gene;
    trial.values = {toy_cost(trial.genome)};
    trial.violation = std::max(0.0, load / 4.0 - 1.0);
    if (trial.violation > 0) trial.status = Status::infeasible;
  };
  for (const char* searcher : {"mcts", "ant-colony"}) {
    const auto made = make_searcher(searcher, space, setup_with(1, 4));
    std::vector<Trial> history;
    while (history.size() < 400) step(*made, 10, judge, history);
    const auto feasible = [&](std::size_t from, std::size_t to) {
      return std::count_if(history.begin() + static_cast<std::ptrdiff_t>(from),
                           history.begin() + static_cast<std::ptrdiff_t>(to),
                           [](const Trial& trial) { return trial.status == Status::ok; });
    };
    EXPECT_GT(feasible(200, 400), 30) << searcher;  // 10 at random
  }
}

// A colony that has converged, whose other choices have the least pheromone, builds its best again with chance `sure`.
TEST(AntColony, LeastPheromoneKeepsTheChanceOfTheBest) {
  for (const double choices : {2.0, 3.0, 7.0}) {
    for (const double dimensions : {1.0, 8.0, 60.0}) {
      for (const double sure : {0.01, 0.05, 0.5}) {
        const double least = least_pheromone(sure, dimensions, choices);
        if (least == 1.0) continue;  // even choices at random build it more often
        EXPECT_NEAR(std::pow(1.0 / (1.0 + (choices - 1.0) * least), dimensions), sure, 1e-12);
      }
    }
  }
  EXPECT_EQ(least_pheromone(0.05, 1.0, 2.0), 1.0);
}

// The pheromone of one round on one dimension, by hand: 0.9 * 1 for what was not laid on, 0.9 + 0.1 for what was.
TEST(AntColony, PheromoneEvaporatesAndIsLaid) {
  const SearchSpace space = make_space("one", R"([{"name": "g", "choices": [0, 1, 2]}])");
  const auto searcher =
      make_searcher("ant-colony", space, setup_with(1, 1, {{"ants", 6}, {"evaporation", 0.1}, {"sure", 0.9}}));
  std::vector<Trial> history;
  for (int round = 0; round < 2; ++round) {
    step(
        *searcher, 6, [](Trial& trial) { trial.values = {-static_cast<double>(trial.genome.genes[0])}; }, history);
  }
  std::uint16_t best = 0;
  for (const Trial& trial : history) best = std::max(best, trial.genome.genes[0]);
  ASSERT_EQ(best, 2);  // with 6 ants and 3 choices that differ within a round
  const Json table = searcher->save().data["pheromone"][0];
  const double least = least_pheromone(0.9, 1.0, 3.0);
  EXPECT_DOUBLE_EQ(table[0].get<double>(), std::max(least, 0.81));
  EXPECT_DOUBLE_EQ(table[1].get<double>(), std::max(least, 0.81));
  EXPECT_DOUBLE_EQ(table[2].get<double>(), 1.0);
}

// What a warm start says of choices leads mcts to them sooner where it is near, and less where it is far.
TEST(Mcts, AWarmStartLeadsAsFarAsItIsSimilar) {
  const SearchSpace space = uniform_space(8, 5);
  const auto cost = [](const Genome& genome) {
    double sum = 0;
    for (std::size_t i = 0; i < genome.genes.size(); ++i) sum += genome.genes[i] == (i % 5) ? 0.0 : 1.0;
    return sum;
  };
  Genome good{std::vector<std::uint16_t>(8, 0)};
  for (std::size_t i = 0; i < 8; ++i) good.genes[i] = static_cast<std::uint16_t>(i % 5);
  std::vector<double> means;
  for (const double similarity : {0.0, 0.5, 1.0}) {
    double sum = 0;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      SearcherSetup setup = setup_with(1, seed);
      for (std::size_t off = 0; off < 6; ++off) {  // good ones with two genes changed
        Genome near = good;
        near.genes[off] = static_cast<std::uint16_t>((near.genes[off] + 1) % 5);
        near.genes[off + 2] = static_cast<std::uint16_t>((near.genes[off + 2] + 2) % 5);
        setup.warm.genomes.push_back(near);
      }
      setup.warm.similarity = similarity;
      const auto searcher = make_searcher("mcts", space, setup);
      std::vector<Trial> history;
      while (history.size() < 40) {
        step(
            *searcher, 4, [&](Trial& trial) { trial.values = {cost(trial.genome)}; }, history);
      }
      for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(history[i].genome, setup.warm.genomes[i]);
      for (std::size_t i = 6; i < 40; ++i) sum += history[i].values[0];
    }
    means.push_back(sum / (8 * 34));
  }
  EXPECT_LT(means[2], means[0]);
  EXPECT_LT(means[2], 4.0);  // at random 6.4
}

}  // namespace
}  // namespace ridgeline
