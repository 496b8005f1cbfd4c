// Evolution of spaces against all sub-spaces of toy spaces, with true values that are sums over the dimensions.
#include "search/sub_spaces/space_evolution.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "search/predicted/cross_validation.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

SearchSpace toy_space() {
  return make_space("toy", R"([{"name": "op", "repeat": 3, "choices": ["a", "b", "c"]},
      {"name": "width", "repeat": 2, "choices": [1, 2, 3, 4], "ordered": true},
      {"name": "extra", "choices": [0, 1]},
      {"name": "size", "choices": [3, 5, 7], "ordered": true, "active_if": "extra == 1"}])",
                    R"json([{"require": "not (op[0] == 'a' and op[1] == 'a' and op[2] == 'a')"}])json");
}

// Every candidate with {minimised quality, cost}: sums over active dimensions.
class Toy {
 public:
  Toy() : space(toy_space()) {
    for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
      const std::optional<Genome> genome = space.at(i);
      if (!genome) continue;
      std::vector<double> values{0.0, 1.0};
      const std::vector<bool> active = space.active(*genome);
      for (std::size_t dim = 0; dim < active.size(); ++dim) {
        if (!active[dim]) continue;
        const Genome own{{static_cast<std::uint16_t>(dim), genome->genes[dim]}};
        values[0] -= noise(own, 11);
        values[1] += noise(own, 12);
      }
      all_.push_back({*genome, active, values});
      places_[*genome] = all_.size() - 1;
    }
  }

  // Throws for what is no normalised, valid candidate.
  PredictedTrials truth() const {
    return [this](std::span<const Genome> genomes) {
      std::vector<Trial> trials;
      for (const Genome& genome : genomes) trials.push_back(ok_trial(0, genome, all_[places_.at(genome)].values));
      return trials;
    };
  }

  // The score by looking at every candidate of the whole space.
  double score(const KeptGenes& kept, const std::vector<double>& targets, double worst) const {
    std::vector<double> best(targets.size(), worst);
    for (const Candidate& one : all_) {
      bool in = true;
      for (std::size_t dim = 0; dim < kept.size() && in; ++dim) {
        in = !one.active[dim] || std::ranges::count(kept[dim], one.genome.genes[dim]) == 1;
      }
      for (std::size_t t = 0; t < targets.size() && in; ++t) {
        if (one.values[1] <= targets[t]) best[t] = std::max(best[t], -one.values[0]);
      }
    }
    double sum = 0.0;
    for (const double one : best) sum += one;
    return sum / static_cast<double>(best.size());
  }

  SearchSpace space;

 private:
  struct Candidate {
    Genome genome;
    std::vector<bool> active;
    std::vector<double> values;
  };
  std::vector<Candidate> all_;
  std::map<Genome, std::size_t> places_;
};

const std::vector<KeptCount> toy_counts = {{"op", 1}, {"width", 2}};

TEST(SubSpaces, EnumerationGivesEveryOneOnce) {
  const SearchSpace space = make_space("few", R"([{"name": "op", "choices": ["a", "b", "c", "d"]},
      {"name": "width", "repeat": 2, "choices": [1, 2, 3], "ordered": true}, {"name": "rest", "choices": [0, 1]}])");
  const std::vector<KeptCount> counts = {{"op", 2}, {"width", 3}, {"width[1]", 2}};
  const SubSpaces sub_spaces(space, counts, "--evolve");
  ASSERT_EQ(sub_spaces.count(), 6.0 * 2.0);
  std::set<KeptGenes> all;
  for (std::uint64_t i = 0; i < 12; ++i) {
    const KeptGenes kept = sub_spaces.at(i);
    ASSERT_TRUE(all.insert(kept).second);
    EXPECT_EQ(kept[0].size(), 2U);
    EXPECT_TRUE(std::ranges::is_sorted(kept[0]));
    EXPECT_THAT(kept[1], ElementsAre(0, 1, 2));
    EXPECT_EQ(kept[2].size(), 2U);
    EXPECT_EQ(kept[2][1], kept[2][0] + 1);  // a window
    EXPECT_THAT(kept[3], ElementsAre(0, 1));
  }
  // Chance and variation stay among them and reach them all; a mutation changes one dimension.
  Rng rng(5, "sub-spaces");
  std::set<KeptGenes> drawn, walked;
  KeptGenes at = sub_spaces.random(rng);
  for (int i = 0; i < 400; ++i) {
    drawn.insert(sub_spaces.random(rng));
    const KeptGenes next = sub_spaces.mutated(at, rng);
    int changed = 0;
    for (std::size_t dim = 0; dim < at.size(); ++dim) changed += at[dim] != next[dim] ? 1 : 0;
    EXPECT_EQ(changed, 1);
    const KeptGenes child = sub_spaces.crossed(at, next, rng);
    EXPECT_TRUE(child == at || child == next);
    at = next;
    walked.insert(at);
  }
  EXPECT_EQ(drawn, all);
  EXPECT_EQ(walked, all);
}

// Against every sub-space, by how many genes of the candidates it keeps.
TEST(SubSpaces, AroundKeepsTheMostUsedChoices) {
  const SearchSpace space = make_space("few", R"([{"name": "op", "choices": ["a", "b", "c", "d"]},
      {"name": "width", "repeat": 2, "choices": [1, 2, 3], "ordered": true},
      {"name": "deep", "choices": [false, true]},
      {"name": "more", "choices": [1, 2, 3], "active_if": "deep"}])");
  const std::vector<KeptCount> counts = {{"op", 2}, {"width", 2}, {"more", 1}};
  const SubSpaces sub_spaces(space, counts, "--evolve");
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed, "candidates");
    std::vector<Genome> genomes;
    for (int i = 0; i < 7; ++i) genomes.push_back(space.sample(rng));
    const auto used = [&](const KeptGenes& kept) {
      std::size_t count = 0;
      for (const Genome& genome : genomes) {
        const std::vector<bool> active = space.active(genome);
        for (std::size_t dim = 0; dim < kept.size(); ++dim) {
          count += active[dim] && std::ranges::count(kept[dim], genome.genes[dim]) > 0 ? 1 : 0;
        }
      }
      return count;
    };
    std::size_t most = 0;
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(sub_spaces.count()); ++i) {
      most = std::max(most, used(sub_spaces.at(i)));
    }
    EXPECT_EQ(used(sub_spaces.around(genomes)), most);
  }
}

TEST(SubSpaces, MistakesAreAllNamed) {
  const SearchSpace space = toy_space();
  const auto refusal = [&](std::vector<KeptCount> counts) {
    try {
      const SubSpaces made(space, counts, "--evolve");
      return std::string();
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_THAT(refusal({{"widht", 1}, {"op", 4}, {"width", 0}}),
              AllOf(HasSubstr("did you mean 'width'?"), HasSubstr("1 to 3 choices of op[0], found op=4"),
                    HasSubstr("1 to 4 choices of width[0], found width=0")));
  EXPECT_THAT(refusal({{"op", 1}, {"op", 2}}), HasSubstr("'op' twice"));
  EXPECT_THAT(refusal({{"op[3]", 1}}), HasSubstr("found 'op[3]'"));
  EXPECT_THAT(refusal({{"op", 3}}), HasSubstr("a dimension that keeps fewer choices than it has"));
  EXPECT_THAT(refusal({}), HasSubstr("a dimension that keeps fewer choices than it has"));
}

TEST(SpaceEvolution, TargetsAreEvenOverTheLogarithmOfTheWholeFront) {
  const std::vector<double> targets = spread_targets(std::vector<double>{1000.0, 1.0, 64.0, 8.0, 128.0}, 3);
  ASSERT_EQ(targets.size(), 3U);
  EXPECT_NEAR(targets[0], 10.0, 1e-12);
  EXPECT_NEAR(targets[1], 100.0, 1e-11);
  EXPECT_EQ(targets[2], 1000.0);
  EXPECT_THAT(spread_targets(std::vector<double>{5.0}, 3), ElementsAre(5.0));
}

TEST(SpaceEvolution, FindsTheBestSubSpace) {
  const Toy toy;
  const SubSpaces sub_spaces(toy.space, toy_counts, "--evolve");
  ASSERT_EQ(sub_spaces.count(), 27.0 * 9.0);
  for (const std::uint64_t seed : {1U, 2U}) {
    SpaceEvolutionSetup setup;
    setup.seed = seed;
    const SpaceEvolution found = evolve_space(sub_spaces, toy.truth(), setup);
    ASSERT_EQ(found.targets.size(), 5U);
    ASSERT_EQ(found.scored.size(), 120U);
    double best = 0.0;
    for (std::uint64_t i = 0; i < 243; ++i) {
      best = std::max(best, toy.score(sub_spaces.at(i), found.targets, 0.0));
    }
    EXPECT_GE(toy.score(found.scored.front().kept, found.targets, 0.0), 0.99 * best) << seed;
    // What it says of each is what there is, and none is scored twice.
    std::set<KeptGenes> seen;
    for (const ScoredSpace& one : found.scored) {
      EXPECT_TRUE(seen.insert(one.kept).second);
      EXPECT_LE(one.score, toy.score(one.kept, found.targets, 0.0) + 1e-12);
      EXPECT_LE(one.score, found.start.score + 1e-12);
    }
    EXPECT_NEAR(found.scored.front().score, best, 0.01 * best);
    EXPECT_NEAR(found.start.score, toy.score(sub_spaces.whole(), found.targets, 0.0), 0.01 * best);
  }
}

TEST(SpaceEvolution, FewSubSpacesAreAllScored) {
  const Toy toy;
  const std::vector<KeptCount> counts = {{"op", 1}};
  const SubSpaces sub_spaces(toy.space, counts, "--evolve");
  SpaceEvolutionSetup setup;
  setup.targets = {2.5, 1.0001, 3.5};  // the second is below every cost
  setup.worst_quality = -1.0;
  std::vector<std::size_t> progress;
  setup.progress = [&](std::size_t done, std::size_t total) {
    EXPECT_EQ(total, 27U);
    progress.push_back(done);
  };
  const SpaceEvolution found = evolve_space(sub_spaces, toy.truth(), setup);
  EXPECT_THAT(found.targets, ElementsAre(1.0001, 2.5, 3.5));
  ASSERT_EQ(found.scored.size(), 27U);
  EXPECT_EQ(progress.size(), 28U);
  for (const ScoredSpace& one : found.scored) {
    EXPECT_FALSE(one.quality[0].has_value());
    EXPECT_NEAR(one.score, toy.score(one.kept, found.targets, -1.0), 1e-12);
  }
  // Nothing is valid where every op is "a".
  EXPECT_EQ(found.scored.back().score, -1.0);
  setup.progress = {};
  setup.targets = {1e-3};
  EXPECT_THROW(evolve_space(sub_spaces, toy.truth(), setup), ConfigError);
  setup.targets = {-1.0};
  EXPECT_THROW(evolve_space(sub_spaces, toy.truth(), setup), std::invalid_argument);
}

TEST(SpaceEvolution, TheSameSeedGivesTheSameResult) {
  const Toy toy;
  const SubSpaces sub_spaces(toy.space, toy_counts, "--evolve");
  SpaceEvolutionSetup setup;
  setup.spaces = 40;
  setup.targets = {3.0, 3.5, 4.0};
  const SpaceEvolution a = evolve_space(sub_spaces, toy.truth(), setup);
  const SpaceEvolution b = evolve_space(sub_spaces, toy.truth(), setup);
  setup.seed = 2;
  const SpaceEvolution other = evolve_space(sub_spaces, toy.truth(), setup);
  ASSERT_EQ(a.scored.size(), b.scored.size());
  bool differs = false;
  for (std::size_t i = 0; i < a.scored.size(); ++i) {
    EXPECT_EQ(a.scored[i].kept, b.scored[i].kept);
    EXPECT_EQ(a.scored[i].score, b.scored[i].score);
    differs = differs || a.scored[i].kept != other.scored[i].kept;
  }
  EXPECT_TRUE(differs);
}

TEST(SpaceEvolution, PredictionsThatMeanNothingDoNotCount) {
  const Toy toy;
  const SubSpaces sub_spaces(toy.space, toy_counts, "--evolve");
  SpaceEvolutionSetup setup;
  setup.spaces = 20;
  setup.targets = {3.0, 3.5, 4.0};
  const auto judged = [&](const std::function<void(Trial&)>& judge) -> PredictedTrials {
    return [&toy, judge](std::span<const Genome> genomes) {
      std::vector<Trial> trials = toy.truth()(genomes);
      for (Trial& trial : trials) judge(trial);
      return trials;
    };
  };
  // Whatever has op[0] = "c" claims the best quality: at a cost of 0, or beyond a limit.
  const auto zero_cost = judged([](Trial& trial) {
    if (trial.genome.genes[0] == 2) trial.values = {-100.0, 0.0};
  });
  const auto infeasible = judged([](Trial& trial) {
    if (trial.genome.genes[0] != 2) return;
    trial.values[0] = -100.0;
    trial.status = Status::infeasible;
    trial.violation = 1.0;
  });
  for (const PredictedTrials& predicted : {zero_cost, infeasible}) {
    const SpaceEvolution found = evolve_space(sub_spaces, predicted, setup);
    for (const auto& quality : found.start.quality) EXPECT_LT(quality.value_or(0.0), 10.0);
  }
  const auto nothing = judged([](Trial& trial) { trial.values[1] = -1.0; });
  EXPECT_THROW(evolve_space(sub_spaces, nothing, setup), ConfigError);
}

TEST(CrossValidation, RidgeIsExactOnSumsAndNoBetterThanTheMeanOnNoise) {
  const SearchSpace space = uniform_space(5, 3);
  SearcherSetup setup;
  setup.objectives = minimised_objectives(2);
  std::vector<Trial> trials;
  std::vector<std::size_t> rows;
  double mean = 0.0;
  for (std::uint64_t i = 0; i < 243; i += 3) {
    const Genome genome = *space.at((i * 101) % 243);
    double sum = 0.0;
    for (std::size_t k = 0; k < 5; ++k) sum += noise({{static_cast<std::uint16_t>(k), genome.genes[k]}}, 3);
    rows.push_back(trials.size());
    trials.push_back(ok_trial(0, genome, {sum, noise(genome, 4)}));
    mean += trials.back().values[1] / 81.0;
  }
  const std::vector<std::size_t> modelled = {0, 1};
  const auto errors = cross_validated(space, setup, modelled, {}, trials, rows, 10);
  ASSERT_EQ(errors.size(), 2U);
  const Json sums = errors[0].summary(), noises = errors[1].summary();
  EXPECT_EQ(sums.at("trials"), 81);
  EXPECT_EQ(sums.at("rounds").size(), 10U);
  EXPECT_LT(sums.at("mean_absolute_error").get<double>(), 0.01);
  EXPECT_GT(sums.at("spearman").get<double>(), 0.999);
  double about_mean = 0.0;
  for (const Trial& trial : trials) about_mean += std::abs(trial.values[1] - mean) / 81.0;
  EXPECT_GT(noises.at("mean_absolute_error").get<double>(), 0.9 * about_mean);
  EXPECT_EQ(cross_validated(space, setup, modelled, {}, trials, rows, 10)[1].summary(), noises);
  EXPECT_EQ(cross_validated(space, setup, modelled, {}, trials, std::vector<std::size_t>{0, 1, 2}, 10)[0]
                .summary()
                .at("rounds")
                .size(),
            3U);
  EXPECT_THROW(cross_validated(space, setup, modelled, {}, trials, rows, 1), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline
