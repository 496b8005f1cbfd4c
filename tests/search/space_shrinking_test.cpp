// Shrinking against plain loops over every candidate of toy spaces.
#include "search/sub_spaces/space_shrinking.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

std::vector<Genome> all_of(const SearchSpace& space) {
  std::vector<Genome> all;
  for (std::uint64_t i = 0; i < space.enumeration_size(); ++i) {
    if (const std::optional<Genome> genome = space.at(i)) all.push_back(*genome);
  }
  return all;
}

// Minimised values of a candidate.
using Values = std::function<std::vector<double>(const Genome&)>;

PredictedTrials told(const SearchSpace& space, const Values& values) {
  return [&space, values](std::span<const Genome> genomes) {
    std::vector<Trial> trials;
    for (const Genome& genome : genomes) {
      EXPECT_EQ(space.violation(genome), std::nullopt);
      EXPECT_EQ(space.normalise(genome), genome);
      trials.push_back(ok_trial(0, genome, values(genome)));
    }
    return trials;
  };
}

// A sum over the dimensions, whose best choice is 0 everywhere and whose later dimensions matter more.
double additive(const Genome& genome) {
  double sum = 0.0;
  for (std::size_t i = 0; i < genome.genes.size(); ++i) sum += std::pow(3.0, i) * genome.genes[i];
  return sum;
}

SpaceShrinkingSetup setup_of(const SearchSpace& space, std::size_t objectives) {
  SpaceShrinkingSetup setup;
  setup.objectives = minimised_objectives(objectives);
  setup.known = all_of(space);  // nothing is left to chance
  setup.contexts = 10'000;
  return setup;
}

KeptGenes whole_of(const SearchSpace& space) {
  KeptGenes kept;
  for (const Dimension& dimension : space.dims()) {
    kept.emplace_back();
    for (std::size_t i = 0; i < dimension.choices.size(); ++i) kept.back().push_back(static_cast<std::uint16_t>(i));
  }
  return kept;
}

TEST(SpaceShrinking, ScoresAreThoseOfAPlainLoop) {
  const SearchSpace space = uniform_space(3, 3);
  const std::vector<Genome> all = all_of(space);
  const Values value = [](const Genome& genome) { return std::vector<double>{noise(genome, 5)}; };
  SpaceShrinkingSetup setup = setup_of(space, 1);
  setup.diversity = 0.3;
  std::vector<double> values;
  double mean = 0.0, variance = 0.0;
  for (const Genome& genome : all) values.push_back(value(genome)[0]);
  for (const double one : values) mean += one / 27.0;
  for (const double one : values) variance += (one - mean) * (one - mean) / 27.0;
  const auto merit = [&](const Genome& genome) {
    const double own = value(genome)[0];
    return 1.0 - static_cast<double>(std::ranges::count_if(values, [&](double v) { return v < own; })) / 26.0;
  };
  const std::vector<ScoredChoice> scores = choice_scores(space, whole_of(space), told(space, value), setup);
  ASSERT_EQ(scores.size(), 9U);
  double largest = 0.0;
  std::vector<double> distances;
  for (const ScoredChoice& one : scores) {
    double quality = 0.0, distance = 0.0;
    for (const Genome& genome : all) {
      if (genome.genes[one.dim] != one.gene) continue;
      quality += merit(genome) / 9.0;
      for (std::uint16_t other = 0; other < 3; ++other) {
        Genome exchanged = genome;
        exchanged.genes[one.dim] = other;
        distance += std::abs(value(exchanged)[0] - value(genome)[0]) / std::sqrt(variance) / 18.0;
      }
    }
    EXPECT_NEAR(one.quality, quality, 1e-12);
    distances.push_back(distance);
    largest = std::max(largest, distance);
  }
  for (std::size_t i = 0; i < scores.size(); ++i) {
    EXPECT_NEAR(scores[i].diversity, distances[i] / largest, 1e-12);
    EXPECT_NEAR(scores[i].score, 0.7 * scores[i].quality + 0.3 * scores[i].diversity, 1e-12);
  }
}

TEST(SpaceShrinking, ByQualityTheOptimumStays) {
  const SearchSpace space = uniform_space(4, 3);
  SpaceShrinkingSetup setup = setup_of(space, 1);
  setup.diversity = 0.0;
  setup.rounds = 3;
  for (const double end : {1.5, 0.9, 0.4, 0.0}) {
    setup.log10_size = end;
    const Values value = [](const Genome& genome) { return std::vector<double>{additive(genome)}; };
    const SpaceShrinking shrunk = shrink_space(space, told(space, value), setup);
    EXPECT_TRUE(shrunk.reached);
    ASSERT_EQ(shrunk.rounds.size(), 3U);
    double size = 4 * std::log10(3.0);
    std::size_t dropped = 0;
    for (const ShrinkingRound& round : shrunk.rounds) {
      EXPECT_NEAR(round.log10_before, size, 1e-12);
      size = round.log10_after;
      dropped += round.dropped.size();
    }
    double left = 0.0;
    std::size_t choices = 0;
    for (const auto& genes : shrunk.kept) {
      EXPECT_EQ(genes.front(), 0) << "the best choice of each dimension";
      left += std::log10(static_cast<double>(genes.size()));
      choices += genes.size();
    }
    EXPECT_NEAR(left, size, 1e-12);
    EXPECT_LE(left, end + 1e-9);
    EXPECT_EQ(choices + dropped, 12U);
  }
}

// The last dimension matters most: its worst choice is the first to go.
TEST(SpaceShrinking, TheWorstGoesFirst) {
  const SearchSpace space = uniform_space(4, 3);
  SpaceShrinkingSetup setup = setup_of(space, 1);
  setup.diversity = 0.0;
  const SpaceShrinking shrunk = shrink_space(
      space, told(space, [](const Genome& genome) { return std::vector<double>{additive(genome)}; }), setup);
  const ScoredChoice& first = shrunk.rounds.front().dropped.front();
  EXPECT_EQ(first.dim, 3U);
  EXPECT_EQ(first.gene, 2);
}

// Two of three choices are the same to every objective: by diversity, one of the two is dropped in each dimension.
TEST(SpaceShrinking, ByDiversityTwinsGo) {
  const SearchSpace space = uniform_space(3, 3);
  SpaceShrinkingSetup setup = setup_of(space, 2);
  setup.diversity = 1.0;
  setup.rounds = 1;
  setup.log10_size = 3 * std::log10(2.0);
  const Values values = [](const Genome& genome) {
    std::vector<double> sums(2, 0.0);
    for (std::size_t i = 0; i < genome.genes.size(); ++i) {
      const double weight = 1.0 + static_cast<double>(i);
      if (genome.genes[i] == 2) sums[0] += weight;
      if (genome.genes[i] != 2) sums[1] += weight;
    }
    return sums;
  };
  const SpaceShrinking shrunk = shrink_space(space, told(space, values), setup);
  for (const auto& genes : shrunk.kept) {
    ASSERT_EQ(genes.size(), 2U);
    EXPECT_EQ(genes.back(), 2);
  }
}

// With two objectives every candidate of this space is on the front: all choices are as good.
TEST(SpaceShrinking, AFrontIsOneQuality) {
  const SearchSpace space = uniform_space(2, 3);
  SpaceShrinkingSetup setup = setup_of(space, 2);
  const Values values = [](const Genome& genome) { return std::vector<double>{additive(genome), -additive(genome)}; };
  for (const ScoredChoice& one : choice_scores(space, whole_of(space), told(space, values), setup)) {
    EXPECT_DOUBLE_EQ(one.quality, 0.5);
  }
}

SearchSpace conditional_space() {
  return make_space("toy", R"([{"name": "op", "repeat": 3, "choices": ["a", "b", "c"]},
      {"name": "extra", "choices": [0, 1]},
      {"name": "size", "choices": [3, 5, 7], "ordered": true, "active_if": "extra == 1"}])",
                    R"json([{"require": "op[0] != op[1] or op[0] == 'a'"}])json");
}

TEST(SpaceShrinking, WhatIsLeftIsValidAndRepeatable) {
  const SearchSpace space = conditional_space();
  const Values values = [](const Genome& genome) { return std::vector<double>{noise(genome, 1), noise(genome, 2)}; };
  for (const double end : {1.2, 0.5, 0.0}) {
    for (std::uint64_t seed = 1; seed < 6; ++seed) {
      SpaceShrinkingSetup setup;
      setup.objectives = minimised_objectives(2);
      setup.seed = seed;
      setup.candidates = 40;
      setup.contexts = 8;
      setup.log10_size = end;
      const SpaceShrinking shrunk = shrink_space(space, told(space, values), setup);
      EXPECT_TRUE(has_candidates(space.keeping(shrunk.kept), 3));
      EXPECT_EQ(shrunk.kept, shrink_space(space, told(space, values), setup).kept);
      for (const auto& genes : shrunk.kept) EXPECT_TRUE(std::ranges::is_sorted(genes));
    }
  }
}

TEST(SpaceShrinking, DimensionsKeepTheLeast) {
  const SearchSpace space = uniform_space(4, 3);
  SpaceShrinkingSetup setup = setup_of(space, 1);
  setup.least = 2;
  setup.log10_size = 0.0;
  const SpaceShrinking shrunk = shrink_space(
      space, told(space, [](const Genome& genome) { return std::vector<double>{additive(genome)}; }), setup);
  EXPECT_FALSE(shrunk.reached);
  for (const auto& genes : shrunk.kept) EXPECT_EQ(genes.size(), 2U);
  EXPECT_NEAR(shrunk.rounds.back().log10_after, 4 * std::log10(2.0), 1e-12);
}

// What has no prediction is the worst, and nothing fails where nothing has one.
TEST(SpaceShrinking, CandidatesWithoutValuesComeLast) {
  const SearchSpace space = uniform_space(2, 3);
  SpaceShrinkingSetup setup = setup_of(space, 1);
  setup.diversity = 0.0;
  setup.log10_size = 2 * std::log10(2.0);
  const auto failing = [](bool all) {
    return [all](std::span<const Genome> genomes) {
      std::vector<Trial> trials;
      for (const Genome& genome : genomes) {
        trials.push_back(ok_trial(0, genome, {noise(genome, 4)}));
        if (all || genome.genes[0] == 1 || genome.genes[1] == 0) {
          trials.back().status = Status::failed;
          trials.back().values.clear();
        }
      }
      return trials;
    };
  };
  const SpaceShrinking shrunk = shrink_space(space, failing(false), setup);
  EXPECT_EQ(shrunk.kept, (KeptGenes{{0, 2}, {1, 2}}));
  EXPECT_TRUE(shrink_space(space, failing(true), setup).reached);
}

TEST(SpaceShrinking, SetupsThatMakeNoSenseAreRefused) {
  const SearchSpace space = uniform_space(2, 3);
  const Values value = [](const Genome& genome) { return std::vector<double>{additive(genome)}; };
  SpaceShrinkingSetup setup = setup_of(space, 1);
  setup.log10_size = 2.0;
  try {
    shrink_space(space, told(space, value), setup);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--to"));
  }
  setup.log10_size.reset();
  for (const auto change :
       {+[](SpaceShrinkingSetup& s) { s.rounds = 0; }, +[](SpaceShrinkingSetup& s) { s.least = 0; },
        +[](SpaceShrinkingSetup& s) { s.diversity = std::nan(""); }, +[](SpaceShrinkingSetup& s) { s.contexts = 0; }}) {
    SpaceShrinkingSetup wrong = setup;
    change(wrong);
    EXPECT_THROW(shrink_space(space, told(space, value), wrong), std::invalid_argument);
  }
}

}  // namespace
}  // namespace ridgeline
