// Fronts and crowding against their definitions, and the changes that searchers make to candidates.
#include "search/fronts/ranking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "search/evolution/variation.hpp"
#include "search/fronts/pareto.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

SearcherSetup setup_for(std::size_t objectives) {
  SearcherSetup setup;
  setup.objectives = minimised_objectives(objectives);
  return setup;
}

Population population_of(const SearchSpace& space, const std::vector<Point>& points,
                         const std::vector<double>& violations = {}) {
  Population population(space, setup_for(points[0].size()));
  for (std::size_t i = 0; i < points.size(); ++i) {
    Trial trial = ok_trial(static_cast<std::int64_t>(i), Genome{{0, 0}}, points[i]);
    if (!violations.empty() && violations[i] > 0.0) {
      trial.status = Status::infeasible;
      trial.violation = violations[i];
    }
    EXPECT_TRUE(population.add(trial));
  }
  return population;
}

// Front by front as the definition has it, the rules of search/fronts/ranking.hpp for copies and violations included.
std::vector<std::uint32_t> brute_ranks(const std::vector<Point>& points, const std::vector<double>& violations) {
  const std::size_t n = points.size();
  std::vector<std::uint32_t> ranks(n, 0);
  std::set<std::size_t> left;
  std::set<std::size_t> copies;
  std::map<double, std::set<std::size_t>> infeasible;
  for (std::size_t i = 0; i < n; ++i) {
    bool copy = false;
    for (std::size_t j = i + 1; j < n; ++j) copy = copy || (violations[j] == 0.0 && points[i] == points[j]);
    (violations[i] > 0.0 ? infeasible[violations[i]] : copy ? copies : left).insert(i);
  }
  std::uint32_t rank = 0;
  for (; !left.empty(); ++rank) {
    std::set<std::size_t> front;
    for (const std::size_t i : left) {
      bool dominated = false;
      for (const std::size_t j : left) dominated = dominated || dominates(points[j], points[i]);
      if (!dominated) front.insert(i);
    }
    for (const std::size_t i : front) {
      ranks[i] = rank;
      left.erase(i);
    }
  }
  for (const std::size_t i : copies) ranks[i] = rank;
  if (!copies.empty()) ++rank;
  for (const auto& [violation, members] : infeasible) {
    for (const std::size_t i : members) ranks[i] = rank;
    ++rank;
  }
  return ranks;
}

TEST(Ranking, FrontsAreThoseOfTheDefinition) {
  const SearchSpace space = uniform_space(2, 2);
  Rng rng(1);
  Ranking ranking;  // one for all: its buffers must not leak from one population into the next
  for (const std::size_t m : {1, 2, 3, 5}) {
    for (int round = 0; round < 40; ++round) {
      const std::size_t n = 1 + rng.below(60);
      const std::uint64_t levels = round % 2 == 0 ? 6 : 1'000'000;
      std::vector<Point> points(n, Point(m));
      std::vector<double> violations(n, 0.0);
      for (std::size_t i = 0; i < n; ++i) {
        for (double& value : points[i]) value = static_cast<double>(rng.below(levels));
        if (round % 3 == 0 && rng.chance(0.4)) violations[i] = 1.0 + static_cast<double>(rng.below(4));
      }
      const Population population = population_of(space, points, violations);
      ranking.update(population, n);
      const std::vector<std::uint32_t> expected = brute_ranks(points, violations);
      std::size_t listed = 0;
      for (std::size_t rank = 0; rank < ranking.fronts(); ++rank) {
        for (const std::uint32_t member : ranking.front(rank)) {
          EXPECT_EQ(ranking.rank(member), rank);
          ++listed;
        }
      }
      EXPECT_EQ(listed, n);
      for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(ranking.rank(i), expected[i]) << m << " objectives, member " << i;
    }
  }
}

TEST(Ranking, CrowdingIsTheNeighboursDistance) {
  const SearchSpace space = uniform_space(2, 2);
  Ranking ranking;
  // Ranges 10 and 100. Member 1 lies between (0, 100) and (5, 10): 5 / 10 + 90 / 100.
  const Population two = population_of(space, {{0, 100}, {1, 50}, {5, 10}, {10, 0}, {11, 101}});
  ranking.update(two, two.size());
  EXPECT_EQ(ranking.crowding(0), inf);
  EXPECT_DOUBLE_EQ(ranking.crowding(1), 0.5 + 0.9);
  EXPECT_DOUBLE_EQ(ranking.crowding(2), 0.9 + 0.5);
  EXPECT_EQ(ranking.crowding(3), inf);
  EXPECT_EQ(ranking.rank(4), 1U);
  const std::vector<std::uint32_t> best(ranking.best(3).begin(), ranking.best(3).end());
  EXPECT_EQ(best, (std::vector<std::uint32_t>{0, 2, 3}));  // 1 and 2 are as lonely: the younger stays
  EXPECT_EQ(ranking.best(9).size(), 5U);

  const Population three = population_of(space, {{0, 4, 4}, {4, 0, 4}, {4, 4, 0}, {1, 3, 2}});
  ranking.update(three, three.size());
  EXPECT_EQ(ranking.fronts(), 1U);
  EXPECT_EQ(ranking.crowding(0), inf);
  EXPECT_DOUBLE_EQ(ranking.crowding(3), 1.0 + 1.0 + 1.0);
}

TEST(Variation, MovesAreAllOtherChoicesOfActiveGenes) {
  const SearchSpace space = make_space("s", R"([{"name": "deep", "choices": [false, true]},
      {"name": "a", "choices": [1, 2, 3]}, {"name": "b", "choices": [1, 2, 3, 4], "active_if": "deep"},
      {"name": "fixed", "choices": ["x"]}])");
  Variation variation(space);
  EXPECT_EQ(variation.moves(Genome{{0, 0, 0, 0}}).size(), 1U + 2U);
  EXPECT_EQ(variation.moves(Genome{{1, 0, 0, 0}}).size(), 1U + 2U + 3U);
  EXPECT_TRUE(variation.activity(Genome{{1, 0, 0, 0}}).empty());
  EXPECT_EQ(variation.activity(Genome{{0, 0, 0, 0}}), (std::vector<std::uint8_t>{1, 1, 0, 1}));
}

TEST(Variation, AGeneThatBecomesActiveIsDrawn) {
  const SearchSpace space = make_space("s", R"([{"name": "deep", "choices": [false, true]},
      {"name": "b", "choices": [1, 2, 3, 4], "active_if": "deep"},
      {"name": "c", "choices": [1, 2], "active_if": "deep and b > 2"}])");
  Variation variation(space);
  Rng rng(1);
  std::map<Genome, int> counts;
  for (int i = 0; i < 6000; ++i) ++counts[*variation.apply(Genome{{0, 0, 0}}, {0, 1}, rng)];
  ASSERT_EQ(counts.size(), 6U);  // b = 1, b = 2, and two each of b = 3 and b = 4
  for (const auto& [genome, count] : counts) {
    const int expected = genome.genes[1] < 2 ? 1500 : 750;
    EXPECT_NEAR(count, expected, 150);
  }
  // One that becomes inactive is 0, and its own genes come along from a parent that had them.
  EXPECT_EQ(*variation.apply(Genome{{1, 3, 1}}, {0, 0}, rng), (Genome{{0, 0, 0}}));
  const Genome deep{{1, 3, 1}};
  const Genome child = *variation.breed({deep.genes, {}}, {}, 0.0, rng);
  EXPECT_EQ(child, deep);
}

TEST(Variation, MutationChangesOneGeneUniformly) {
  const SearchSpace space = make_space("s", R"([{"name": "a", "choices": [1, 2, 3]}, {"name": "f", "choices": [1]},
      {"name": "b", "choices": [1, 2, 3, 4, 5]}])");
  Variation variation(space);
  Rng rng(2);
  const Genome from{{1, 0, 2}};
  std::map<Genome, int> counts;
  for (int i = 0; i < 8000; ++i) ++counts[*variation.mutate_one(from, rng)];
  ASSERT_EQ(counts.size(), 2U + 4U);
  for (const auto& [genome, count] : counts) {
    EXPECT_NEAR(count, genome.genes[0] != 1 ? 2000 : 1000, 200);
    EXPECT_EQ((genome.genes[0] != 1) + (genome.genes[2] != 2), 1);
  }
}

TEST(Variation, ChildrenMixTheirParentsAndMutateAtTheRate) {
  const SearchSpace space = uniform_space(100, 8);
  Variation variation(space);
  Rng rng(3);
  const Genome zeros{std::vector<std::uint16_t>(100, 0)};
  const Genome sevens{std::vector<std::uint16_t>(100, 7)};
  int from_b = 0;
  int mutated = 0;
  for (int i = 0; i < 1000; ++i) {
    const Genome mixed = *variation.breed({zeros.genes, {}}, {sevens.genes, {}}, 0.0, rng);
    for (const std::uint16_t gene : mixed.genes) {
      ASSERT_TRUE(gene == 0 || gene == 7);
      from_b += gene == 7 ? 1 : 0;
    }
    const Genome changed = *variation.breed({zeros.genes, {}}, {}, 2.5, rng);
    mutated +=
        static_cast<int>(std::count_if(changed.genes.begin(), changed.genes.end(), [](auto g) { return g != 0; }));
  }
  EXPECT_NEAR(from_b, 50'000, 800);
  EXPECT_NEAR(mutated, 2500, 200);
}

TEST(Variation, WhatBreaksAConstraintIsNotMade) {
  const SearchSpace space = make_space("s", R"([{"name": "a", "choices": [0, 1]}, {"name": "b", "choices": [0, 1]}])",
                                       R"([{"require": "a + b < 2"}])");
  Variation variation(space);
  Rng rng(4);
  EXPECT_EQ(variation.apply(Genome{{1, 0}}, {1, 1}, rng), std::nullopt);
  EXPECT_EQ(*variation.apply(Genome{{1, 0}}, {0, 0}, rng), (Genome{{0, 0}}));
}

TEST(GenomeText, IsReadBackForAnyNumberOfChoices) {
  Json many = Json::array();
  for (int i = 0; i < 5000; ++i) many.push_back(i);
  const SearchSpace space =
      make_space("s", R"([{"name": "a", "choices": [1, 2]}, {"name": "b", "choices": )" + many.dump() + "}]");
  const GenomeText text(space);
  const std::string origin = "here";
  for (const int number : {0, 1, 63, 64, 4095, 4096, 4999}) {
    const auto gene = static_cast<std::uint16_t>(number);
    const Genome genome{{1, gene}};
    std::vector<Problem> problems;
    const Json nothing = Json::object();
    JsonReader reader(nothing, "", origin, problems);
    EXPECT_EQ(text.read(text.write(genome.genes), reader, "genes"), genome);
    EXPECT_TRUE(problems.empty());
    EXPECT_EQ(text.read("1zzz", reader, "genes"), std::nullopt);
    EXPECT_EQ(text.read("1", reader, "genes"), std::nullopt);
    EXPECT_EQ(text.read("1  0", reader, "genes"), std::nullopt);
    EXPECT_EQ(problems.size(), 3U);
  }
}

}  // namespace
}  // namespace ridgeline
