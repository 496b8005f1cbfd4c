// Successive halving and Hyperband: how many candidates on which rung, who goes on, and what comes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "search/rungs/brackets.hpp"
#include "tests/search/kinds_of_space.hpp"
#include "tests/search/problems.hpp"
#include "tests/search/searcher_needs.hpp"

namespace ridgeline {
namespace {

using Sizes = std::vector<std::size_t>;
using testing::HasSubstr;

std::vector<double> thirds(std::size_t rungs) {
  std::vector<double> costs;
  for (std::size_t k = 0; k < rungs; ++k) costs.push_back(std::pow(3.0, -static_cast<double>(k)));
  return costs;
}

SearcherSetup rung_setup(std::size_t objectives, std::uint64_t seed, std::size_t rungs = 3) {
  SearcherSetup setup = setup_for(objectives, seed);
  setup.rung_costs = thirds(rungs);
  return setup;
}

std::string refusal(const std::string& name, const SearcherSetup& setup) {
  const SearchSpace space = uniform_space(4, 3);
  try {
    make_searcher(name, space, setup);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "nothing was refused";
}

// Algorithm 1 of the paper by hand, with R = 81 and eta = 3: n = ceil(5 / (s + 1) 3^s), then floor(n 3^-i).
TEST(Brackets, AreThoseOfHyperbandForEightyOne) {
  const std::vector<double> costs = thirds(5);
  const std::vector<Sizes> expected = {{81, 27, 9, 3, 1}, {34, 11, 3, 1}, {15, 5, 1}, {8, 2}, {5}};
  for (const double eta : {0.0, 3.0}) {
    const Halving halving{costs, eta};
    for (std::size_t s = 5; s-- > 0;) {
      EXPECT_EQ(bracket(halving, s, hyperband_candidates(halving, s)), expected[4 - s]) << "s = " << s;
    }
  }
  // 81 and 1, 27 and 3 ...: five times 81 of 81; then 34 and 3, 11 and 9, 3 and 27, 1 and 81: 363 of 81.
  EXPECT_NEAR(bracket_cost(costs, expected[0]), 5.0, 1e-12);
  EXPECT_NEAR(bracket_cost(costs, expected[1]), 363.0 / 81.0, 1e-12);
  EXPECT_NEAR(bracket_cost(costs, expected[4]), 5.0, 1e-12);
}

TEST(Brackets, FallByWhatTheCostRisesOrByEta) {
  const std::vector<double> costs = {1.0, 0.5, 0.4};
  EXPECT_EQ(bracket({costs, 0.0}, 2, 10), (Sizes{10, 8, 4}));  // four whole evaluations on each rung
  EXPECT_EQ(bracket({costs, 2.0}, 2, 10), (Sizes{10, 5, 2}));
  EXPECT_EQ(bracket({costs, 2.0}, 2, 2), (Sizes{2, 1, 1}));  // somebody is evaluated whole
  EXPECT_EQ(bracket({costs, 0.0}, 0, 7), (Sizes{7}));
  EXPECT_EQ(hyperband_candidates({costs, 0.0}, 2), 3U);  // ceil(1 / 0.4)
  EXPECT_EQ(hyperband_candidates({costs, 2.0}, 2), 4U);
  EXPECT_EQ(hyperband_candidates({costs, 0.0}, 1), 3U);  // 3 / 2 / 0.5
}

// What a run asked for, rung by rung: the trials of each stretch of one rung, in order.
std::vector<std::vector<Trial>> stretches(const std::string& name, const SearchSpace& space, const SearcherSetup& setup,
                                          std::size_t batch, std::size_t trials, const Judge& judge) {
  const auto searcher = make_searcher(name, space, setup);
  std::vector<Trial> history;
  while (history.size() < trials) step(*searcher, batch, judge, history);
  std::vector<std::vector<Trial>> made;
  for (Trial& trial : history) {
    if (made.empty() || made.back().front().rung != trial.rung) made.emplace_back();
    made.back().push_back(std::move(trial));
  }
  return made;
}

TEST(RungSearch, ThePaperComesOutOfTheSearcher) {
  const SearchSpace space = uniform_space(10, 5);
  std::vector<std::pair<int, std::size_t>> seen;
  for (const auto& one : stretches("hyperband", space, rung_setup(1, 3, 5), 7, 206, values_of(1))) {
    seen.emplace_back(one.front().rung, one.size());
  }
  const std::vector<std::pair<int, std::size_t>> once = {{4, 81}, {3, 27}, {2, 9},  {1, 3}, {0, 1}, {3, 34}, {2, 11},
                                                         {1, 3},  {0, 1},  {2, 15}, {1, 5}, {0, 1}, {1, 8},  {0, 7}};
  ASSERT_GE(seen.size(), once.size());  // {0, 7}: two of the bracket before the last and five of the last
  seen.resize(once.size());
  EXPECT_EQ(seen, once);
}

// By a plain sort: smaller violation, then smaller value; those that failed last.
TEST(RungSearch, TheBestOfARungGoOn) {
  const SearchSpace space = uniform_space(8, 6);
  const Judge judge = [](Trial& trial) {
    const double draw = noise(trial.genome, 7), salt = noise(trial.genome, 10U + static_cast<unsigned>(trial.rung));
    if (draw < 0.2) {
      trial.status = Status::failed;
      return;
    }
    trial.values = {std::floor(40.0 * noise(trial.genome, 1) + 4.0 * salt)};  // with ties
    if (draw > 0.6) {
      trial.status = Status::infeasible;
      trial.violation = draw;
    }
  };
  SearcherSetup setup = rung_setup(1, 5, 4);
  setup.options = {{"candidates", 54}};
  const auto rungs = stretches("successive-halving", space, setup, 5, 400, judge);
  int compared = 0;
  for (std::size_t i = 0; i + 1 < rungs.size() && rungs[i + 1].size() > 0; ++i) {
    if (rungs[i].front().rung == 0) continue;
    std::vector<std::pair<double, double>> sorted, gone_on;  // violation and, of feasible ones, value
    std::set<Genome> there;
    const auto place = [](const Trial& trial) {
      return std::pair(trial.violation, trial.violation > 0 ? 0.0 : trial.values[0]);
    };
    std::map<Genome, std::pair<double, double>> of;
    for (const Trial& trial : rungs[i]) {
      if (trial.status == Status::failed) continue;
      sorted.push_back(place(trial));
      of[trial.genome] = place(trial);
    }
    std::ranges::sort(sorted);
    for (const Trial& trial : rungs[i + 1]) {
      ASSERT_TRUE(of.contains(trial.genome));
      gone_on.push_back(of.at(trial.genome));
      EXPECT_TRUE(there.insert(trial.genome).second);
    }
    sorted.resize(gone_on.size());
    EXPECT_EQ(gone_on, sorted) << "stretch " << i;
    ++compared;
  }
  EXPECT_GE(compared, 6);
}

// Of a front that does not fit the loneliest, and no whole front is passed over.
TEST(RungSearch, SeveralObjectivesGoOnFrontByFront) {
  const SearchSpace space = uniform_space(8, 6);
  const Judge judge = [](Trial& trial) { trial.values = {noise(trial.genome, 1), noise(trial.genome, 2)}; };
  const auto rungs = stretches("successive-halving", space, rung_setup(2, 5), 64, 200, judge);
  EXPECT_EQ(rungs[0].size(), 36U);  // four are evaluated whole
  EXPECT_EQ(rungs[1].size(), 12U);
  EXPECT_EQ(rungs[2].size(), 4U);
  const auto dominates = [](const Trial& a, const Trial& b) {
    return a.values[0] <= b.values[0] && a.values[1] <= b.values[1] && a.values != b.values;
  };
  for (std::size_t i = 0; i < 2; ++i) {
    std::set<Genome> on;
    for (const Trial& trial : rungs[i + 1]) on.insert(trial.genome);
    for (const Trial& left : rungs[i]) {
      if (on.contains(left.genome)) continue;
      for (const Trial& kept : rungs[i]) {
        EXPECT_FALSE(on.contains(kept.genome) && dominates(left, kept));
      }
    }
    // The ends of the first front are the loneliest there are.
    for (const std::size_t k : {0, 1}) {
      const auto least =
          std::ranges::min_element(rungs[i], [k](const Trial& a, const Trial& b) { return a.values[k] < b.values[k]; });
      EXPECT_TRUE(on.contains(least->genome));
    }
  }
}

TEST(RungSearch, DoesNotDependOnTheBatch) {
  const SearchSpace space = spaces().at("conditional")();
  for (const std::string name : {"successive-halving", "hyperband"}) {
    std::vector<std::vector<std::pair<int, Genome>>> histories;
    for (const std::size_t n : {1, 3, 1000}) {
      const auto searcher = make_searcher(name, space, rung_setup(2, 9));
      std::vector<Trial> history;
      while (history.size() < 300) step(*searcher, n, mixed_outcomes(2), history);
      histories.emplace_back();
      for (std::size_t i = 0; i < 300; ++i) histories.back().emplace_back(history[i].rung, history[i].genome);
    }
    EXPECT_EQ(histories[0], histories[1]) << name;
    EXPECT_EQ(histories[0], histories[2]) << name;
  }
}

TEST(RungSearch, WhereEverythingFailsItBeginsAgain) {
  const SearchSpace space = uniform_space(6, 4);
  const auto searcher = make_searcher("successive-halving", space, rung_setup(1, 2));
  std::vector<Trial> history;
  for (int i = 0; i < 20; ++i) step(*searcher, 4, all_with(Status::failed, 0.0), history);
  EXPECT_TRUE(std::ranges::all_of(history, [](const Trial& trial) { return trial.rung == 2; }));
  std::set<Genome> different;
  for (const Trial& trial : history) different.insert(trial.genome);
  EXPECT_GT(different.size(), 40U);
}

// The best whole value after as much as `budget` whole evaluations cost.
double best_at(const std::string& name, const SearchSpace& space, const SearcherSetup& setup, double budget,
               const Judge& judge) {
  const auto searcher = make_searcher(name, space, setup);
  double spent = 0, best = 1e9;
  while (spent < budget) {
    std::vector<Trial> told;
    step(*searcher, 1, judge, told);
    spent += setup.rung_costs[static_cast<std::size_t>(told[0].rung)];
    if (told[0].rung == 0) best = std::min(best, told[0].values[0]);
  }
  return best;
}

// 4096 candidates, the optimum at 0; a rung is off by up to 3 on a scale of 18, or by sqrt(3) times as much for each
// step. At the cost of 60 whole evaluations random search sees 60 candidates, and either of these several hundred.
TEST(RungSearch, FindsMoreThanRandomSearchAtEqualCost) {
  const SearchSpace space = uniform_space(6, 4);
  const Judge judge = [](Trial& trial) {
    double sum = 0;
    for (const std::uint16_t gene : trial.genome.genes) sum += gene;
    const double error = trial.rung == 0 ? 0.0 : std::sqrt(std::pow(3.0, trial.rung) - 1.0);
    trial.values = {sum + 2.0 * error * (noise(trial.genome, 50U + static_cast<unsigned>(trial.rung)) - 0.5)};
  };
  std::map<std::string, double> sums;
  constexpr int runs = 40;
  for (const std::string name : {"random", "successive-halving", "hyperband"}) {
    for (int seed = 0; seed < runs; ++seed) {
      sums[name] += best_at(name, space, rung_setup(1, static_cast<std::uint64_t>(seed), 4), 60.0, judge) / runs;
    }
  }
  EXPECT_LT(sums["successive-halving"], sums["random"] - 0.5);
  EXPECT_LT(sums["hyperband"], sums["random"] - 0.3);
}

TEST(RungSearch, ReachesAKnownOptimum) {
  const SearchSpace space = uniform_space(4, 4);  // 256 candidates
  const Judge judge = [](Trial& trial) {
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += std::abs(static_cast<double>(trial.genome.genes[i]) - (i % 2 ? 3 : 1));
    trial.values = {sum + 0.3 * trial.rung * noise(trial.genome, 50U + static_cast<unsigned>(trial.rung))};
  };
  for (const std::string name : {"successive-halving", "hyperband"}) {
    for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
      EXPECT_EQ(best_at(name, space, rung_setup(1, seed), 700.0, judge), 0.0) << name << ", seed " << seed;
    }
  }
}

TEST(RungSearch, IsRefusedWhereThereAreNoRungs) {
  for (const std::string name : {"successive-halving", "hyperband"}) {
    SearcherSetup setup = setup_for(1);
    setup.origin = "study.json: searcher";
    const std::string message = refusal(name, setup);
    for (const char* part : {"study.json: searcher", "no objective has cheaper rungs", name.c_str(), "\"images\""}) {
      EXPECT_THAT(message, HasSubstr(part));
    }
  }
}

TEST(RungSearch, IsRefusedInsideAnother) {
  SearcherSetup setup = rung_setup(1, 1);
  setup.options = {{"formats", "f32"}, {"first", {{"name", "hyperband"}}}};
  const SearchSpace space =
      make_space("formats", R"([{"name": "format", "group": "precision", "repeat": 3, "choices": ["int8", "f32"]}])");
  try {
    make_searcher("sequential", space, setup);
    FAIL() << "taken";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("first.name"));
    EXPECT_THAT(error.what(), HasSubstr("whole evaluations"));
  }
}

TEST(RungSearch, OptionsAreChecked) {
  for (const auto& [name, options] : std::vector<std::pair<std::string, Json>>{
           {"hyperband", {{"eta", 1.5}}},
           {"hyperband", {{"eta", "three"}}},
           {"hyperband", {{"candidates", 9}}},
           {"successive-halving", {{"candidates", 0}}},
           {"successive-halving", {{"eta", 0}}},
       }) {
    SearcherSetup setup = rung_setup(1, 1);
    setup.options = options;
    EXPECT_THAT(refusal(name, setup), HasSubstr(options.begin().key())) << name;
  }
}

}  // namespace
}  // namespace ridgeline
