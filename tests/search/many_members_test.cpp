// Large populations: what is fast there against the slow definition, and the same results for any number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "search/blocks.hpp"
#include "search/fronts/contributions.hpp"
#include "search/fronts/dominance_ranks.hpp"
#include "search/fronts/pareto.hpp"
#include "search/fronts/point_tree.hpp"
#include "search/fronts/ranking.hpp"
#include "spaces/config_error.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

SearcherSetup setup_of(std::size_t objectives, const Json& options = Json::object(), int threads = 1) {
  SearcherSetup setup;
  setup.seed = 5;
  setup.objectives = minimised_objectives(objectives);
  setup.options = options;
  setup.threads = threads;
  return setup;
}

// Distinct points in lexicographic order, of few levels where ties are wanted.
std::vector<Point> sorted_points(std::size_t n, std::size_t m, std::uint64_t levels, Rng& rng) {
  std::vector<Point> points(n, Point(m));
  for (Point& point : points) {
    for (double& value : point) value = static_cast<double>(rng.below(levels));
  }
  std::ranges::sort(points);
  points.erase(std::unique(points.begin(), points.end()), points.end());
  return points;
}

TEST(DominanceRanks, AreOneMoreThanTheGreatestOfThoseThatDominate) {
  Rng rng(1);
  for (const std::size_t m : {2U, 3U, 4U, 5U}) {
    for (const std::uint64_t levels : {3U, 8U, 40U, 1'000'000U}) {
      const std::vector<Point> points = sorted_points(700, m, levels, rng);
      std::vector<double> rows;
      for (const Point& point : points) rows.insert(rows.end(), point.begin(), point.end());
      const std::vector<std::uint32_t> ranks = dominance_ranks(rows, m);
      std::vector<std::uint32_t> expected(points.size(), 0);
      for (std::size_t b = 0; b < points.size(); ++b) {  // what dominates a point stands before it
        for (std::size_t a = 0; a < b; ++a) {
          if (dominates(points[a], points[b])) expected[b] = std::max(expected[b], expected[a] + 1);
        }
      }
      EXPECT_EQ(ranks, expected) << m << " objectives, " << levels << " levels";
    }
  }
}

// Random members, some of them infeasible, some copies of others.
Population random_population(const SearchSpace& space, std::size_t n, std::size_t m, std::uint64_t levels, Rng& rng) {
  Population population(space, setup_of(m));
  for (std::size_t i = 0; i < n; ++i) {
    Point point(m);
    for (double& value : point) value = static_cast<double>(rng.below(levels));
    Trial trial = ok_trial(static_cast<std::int64_t>(i), Genome{{0, 0}}, point);
    if (rng.chance(0.1)) {
      trial.status = Status::infeasible;
      trial.violation = 1.0 + static_cast<double>(rng.below(3));
    }
    population.add(trial);
  }
  return population;
}

// Of a member that has neither a younger copy nor a violation, by the definition.
void expect_fronts(const Population& population, const Ranking& ranking) {
  const std::size_t n = population.size();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < n; ++i) {
    bool copy = population.violation(i) > 0.0;
    for (std::size_t j = i + 1; j < n && !copy; ++j) copy = population.equals(i, j);
    if (!copy) order.push_back(i);
  }
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return std::ranges::lexicographical_compare(population.values(a), population.values(b));
  });
  std::vector<std::uint32_t> expected(n, 0);
  for (std::size_t b = 0; b < order.size(); ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      if (population.beats(order[a], order[b])) {
        expected[order[b]] = std::max(expected[order[b]], expected[order[a]] + 1);
      }
    }
    ASSERT_EQ(ranking.rank(order[b]), expected[order[b]]);
  }
}

TEST(Ranking, OfManyMembersIsThatOfTheDefinition) {
  const SearchSpace space = uniform_space(2, 2);
  Rng rng(2);
  Ranking ranking;
  for (const std::size_t m : {2U, 3U, 4U, 5U}) {
    for (const std::uint64_t levels : {4U, 12U, 1'000'000U}) {
      const Population population = random_population(space, 600, m, levels, rng);
      ranking.update(population, population.size());
      expect_fronts(population, ranking);
    }
  }
}

void expect_same(const Ranking& a, const Ranking& b, std::size_t count) {
  ASSERT_EQ(a.fronts(), b.fronts());
  ASSERT_EQ(a.feasible_fronts(), b.feasible_fronts());
  for (std::size_t rank = 0; rank < a.fronts(); ++rank) {
    ASSERT_TRUE(std::ranges::equal(a.front(rank), b.front(rank))) << "front " << rank;
  }
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(a.rank(i), b.rank(i));
    ASSERT_EQ(a.crowding(i), b.crowding(i));
  }
}

TEST(Ranking, OfThoseKeptIsThatOfThemAlone) {
  const SearchSpace space = uniform_space(2, 2);
  Rng rng(3);
  for (int round = 0; round < 120; ++round) {
    const std::size_t n = 2 + rng.below(300), m = 1 + rng.below(4);
    Population population = random_population(space, n, m, round % 2 == 0 ? 6 : 1000, rng);
    Ranking narrowed, afresh;
    narrowed.update(population, n);
    const auto best = narrowed.best(1 + rng.below(n));
    const std::vector<std::uint32_t> kept(best.begin(), best.end());
    population.keep(kept);
    narrowed.narrow(population, kept);
    afresh.update(population, population.size());
    expect_same(narrowed, afresh, population.size());
  }
}

TEST(Ranking, IsTheSameForAnyNumberOfThreads) {
  const SearchSpace space = uniform_space(2, 2);
  Rng rng(4);
  for (const std::size_t m : {2U, 3U}) {
    const Population population = random_population(space, 30'000, m, 300, rng);
    Ranking one, three;
    one.update(population, population.size(), 1);
    three.update(population, population.size(), 3);
    expect_same(one, three, population.size());
  }
}

TEST(Contributions, AreWhatIsLostWithoutThePoint) {
  Rng rng(5);
  for (int round = 0; round < 60; ++round) {
    const std::uint64_t levels = round % 2 == 0 ? 7 : 1'000'000;  // with ties in single objectives, and without
    std::vector<Point> points = sorted_points(1 + rng.below(60), 3, levels, rng), front;
    for (const std::size_t i : non_dominated(points)) front.push_back(points[i]);
    const double reference = static_cast<double>(levels);
    std::vector<double> gains;
    for (const Point& point : front) {
      for (const double value : point) gains.push_back(reference - value);
    }
    const std::vector<double> held = contributions_of_three(gains);
    const double whole = hypervolume(front, Point(3, reference));
    for (std::size_t i = 0; i < front.size(); ++i) {
      std::vector<Point> others = front;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      const double left = others.empty() ? 0.0 : hypervolume(others, Point(3, reference));
      EXPECT_NEAR(held[i], whole - left, 1e-12 * whole) << "point " << i << " of " << front.size();
    }
  }
}

TEST(PointTree, FindsWhatLookingAtAllFinds) {
  Rng rng(6);
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 1 + rng.below(400), m = 1 + rng.below(4);
    std::vector<std::vector<double>> points(n, std::vector<double>(m));
    for (auto& point : points) {
      for (double& value : point) value = static_cast<double>(rng.below(round % 2 == 0 ? 5 : 1000));
    }
    const PointTree tree(points);
    std::vector<double> query(m);
    for (double& value : query) value = static_cast<double>(rng.below(1000)) / 200.0;
    std::vector<std::uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, std::less<>(), [&](std::uint32_t i) {
      double squared = 0;
      for (std::size_t k = 0; k < m; ++k) squared += (query[k] - points[i][k]) * (query[k] - points[i][k]);
      return squared;
    });
    const std::size_t count = 1 + rng.below(n + 3);
    order.resize(std::min(n, count));
    EXPECT_EQ(tree.nearest(query, count), order);
  }
}

TEST(Population, TakesManyAsItTakesOneByOne) {
  const SearchSpace space = uniform_space(5, 3);
  Rng rng(7);
  std::vector<Trial> trials;
  for (int i = 0; i < 500; ++i) {
    trials.push_back(ok_trial(i, space.sample(rng), {rng.uniform(), rng.uniform()}));
    if (rng.chance(0.2)) {
      trials.back().status = Status::failed;
      trials.back().values.clear();
    }
    if (rng.chance(0.2)) {
      trials.back().status = Status::infeasible;
      trials.back().violation = rng.chance(0.5) ? 0.5 : 0.0;
    }
  }
  Population one(space, setup_of(2)), many(space, setup_of(2));
  std::vector<std::size_t> refused;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (!one.add(trials[i])) refused.push_back(i);
  }
  EXPECT_EQ(many.add(std::span(trials).first(200), 3).size() + many.add(std::span(trials).subspan(200), 3).size(),
            refused.size());
  EXPECT_EQ(one.save(), many.save());
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one.hash(i), many.hash(i));
}

TEST(Blocks, TheFirstExceptionIsThrown) {
  for (const std::size_t threads : {1U, 3U}) {
    std::vector<int> seen(1000, 0);
    over_blocks(1000, threads, [&](std::size_t begin, std::size_t end, std::size_t worker) {
      EXPECT_LT(worker, threads);
      for (std::size_t i = begin; i < end; ++i) ++seen[i];
    });
    EXPECT_EQ(std::ranges::count(seen, 1), 1000);
    try {
      over_blocks(1000, threads, [](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t i = begin; i < end; ++i) {
          if (i == 300 || i == 999) throw std::runtime_error(std::to_string(i));
        }
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "300");
    }
  }
}

SearchSpace conditional_space() {
  return make_space("s", R"([{"name": "deep", "repeat": 4, "choices": [false, true]},
      {"name": "a", "repeat": 6, "choices": [1, 2, 3]}, {"name": "b", "choices": [1, 2, 3, 4], "active_if": "deep[1]"},
      {"name": "c", "choices": [1, 2, 3], "active_if": "deep[1] and b > 2"}])",
                    R"([{"require": "a[0] + a[1] < 6"}])");
}

Judge hard_judge(std::size_t objectives) {
  return [objectives](Trial& trial) {
    const double fate = noise(trial.genome, 77);
    if (fate < 0.05) {
      trial.status = Status::failed;
      return;
    }
    for (std::size_t k = 0; k < objectives; ++k) trial.values.push_back(noise(trial.genome, k));
    if (fate < 0.2) {
      trial.status = Status::infeasible;
      trial.violation = fate;
    }
  };
}

struct Large {
  std::string name;
  Json options;
  std::size_t generation;
};

std::vector<Large> large_searchers() {
  const Json many = {{"population", 300}, {"offspring", 280}};
  Json hype = many;
  hype["samples"] = 300;
  return {{"nsga2", many, 140},
          {"nsga3", many, 140},
          {"sms-emoa", many, 140},
          {"hype", hype, 300},
          {"moead", {{"population", 1100}}, 300}};
}

std::vector<Genome> genomes_of(const std::vector<Trial>& history) {
  std::vector<Genome> genomes;
  for (const Trial& trial : history) genomes.push_back(trial.genome);
  return genomes;
}

TEST(ManyChildren, AreTheSameForAnyNumberOfThreadsAndAfterAResume) {
  const SearchSpace plain = uniform_space(20, 4), conditional = conditional_space();
  for (const Large& large : large_searchers()) {
    for (const SearchSpace* space : {&plain, &conditional}) {
      const auto begin = [&](int threads) {
        return make_searcher(large.name, *space, setup_of(3, large.options, threads));
      };
      const auto one = begin(1), three = begin(3);
      auto resumed = begin(2);
      std::vector<Trial> of_one, of_three, of_resumed;
      while (of_one.size() < 1300) {
        step(*one, large.generation, hard_judge(3), of_one);
        step(*three, large.generation, hard_judge(3), of_three);
        step(*resumed, large.generation, hard_judge(3), of_resumed);
        const State state = through_text(resumed->save());
        resumed = begin(2);
        resumed->load(state);
      }
      EXPECT_EQ(genomes_of(of_one), genomes_of(of_three)) << large.name;
      EXPECT_EQ(genomes_of(of_one), genomes_of(of_resumed)) << large.name;
      EXPECT_EQ(one->save().data, three->save().data) << large.name;
    }
  }
}

TEST(ManyChildren, DoNotDependOnTheBatch) {
  const SearchSpace space = conditional_space();
  for (const Large& large : large_searchers()) {
    if (large.name == "moead") continue;  // children of one batch have the same members for parents
    const auto whole = make_searcher(large.name, space, setup_of(2, large.options, 2));
    auto parts = make_searcher(large.name, space, setup_of(2, large.options, 2));
    std::vector<Trial> of_whole, of_parts;
    while (of_whole.size() < 800) step(*whole, 1000, hard_judge(2), of_whole);
    while (of_parts.size() < of_whole.size()) {
      step(*parts, std::min<std::size_t>(137, of_whole.size() - of_parts.size()), hard_judge(2), of_parts);
      const State state = through_text(parts->save());  // in the middle of a generation
      parts = make_searcher(large.name, space, setup_of(2, large.options, 2));
      parts->load(state);
    }
    EXPECT_EQ(genomes_of(of_whole), genomes_of(of_parts)) << large.name;
  }
}

TEST(ManyChildren, AreNewInTheirGeneration) {
  const SearchSpace space = uniform_space(20, 4);
  const auto searcher = make_searcher("nsga2", space, setup_of(2, {{"population", 200}, {"offspring", 5000}}, 2));
  std::vector<Trial> history;
  step(*searcher, 200, hard_judge(2), history);
  for (int generation = 0; generation < 3; ++generation) {
    history.clear();
    step(*searcher, 5000, hard_judge(2), history);
    std::vector<Genome> genomes = genomes_of(history);
    ASSERT_EQ(genomes.size(), 5000U);
    std::ranges::sort(genomes);
    EXPECT_EQ(std::ranges::adjacent_find(genomes), genomes.end());
  }
}

TEST(ManyChildren, AStateOfTheOtherVersionIsRefused) {
  const SearchSpace space = uniform_space(6, 3);
  for (const Large& large : large_searchers()) {
    const auto searcher = make_searcher(large.name, space, setup_of(2, large.options));
    State state = searcher->save();
    EXPECT_EQ(state.signature, large.name + "/2");
    state.signature = large.name + "/1";
    EXPECT_THROW(searcher->load(state), ConfigError) << large.name;
    EXPECT_EQ(make_searcher(large.name, space, setup_of(2))->save().signature, large.name + "/1");
  }
}

// Of a front of 1,000 the member that holds the least goes first, by contributions that are computed for all at once.
TEST(SmsEmoa, DropsWhatHoldsTheLeastOfMany) {
  const SearchSpace space = uniform_space(12, 4);
  const Judge plane = [](Trial& trial) {
    const double a = noise(trial.genome, 1), b = noise(trial.genome, 2) * (1.0 - a);
    trial.values = {a, b, 1.0 - a - b};
  };
  const auto searcher = make_searcher("sms-emoa", space, setup_of(3, {{"population", 300}}));
  std::vector<Trial> history;
  step(*searcher, 300, plane, history);
  step(*searcher, 1, plane, history);
  std::vector<Point> points;
  for (const Trial& trial : history) points.push_back(trial.values);
  Point reference(3);
  for (std::size_t k = 0; k < 3; ++k) {
    double low = 1, high = 0;
    for (const Point& point : points) low = std::min(low, point[k]), high = std::max(high, point[k]);
    for (Point& point : points) point[k] = (point[k] - low) / (high - low);
    reference[k] = 2.0;
  }
  double most_left = -1;
  std::size_t least = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::vector<Point> others = points;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    const double left = hypervolume(others, reference);
    if (left > most_left) {
      most_left = left;
      least = i;
    }
  }
  const std::vector<double> values = searcher->save().data.at("members").at("values");
  const Point dropped = history[least].values;
  ASSERT_EQ(values.size(), 3 * 300U);
  for (std::size_t i = 0; i < values.size(); i += 3) {
    EXPECT_FALSE(values[i] == dropped[0] && values[i + 1] == dropped[1]);
  }
}

}  // namespace
}  // namespace ridgeline
