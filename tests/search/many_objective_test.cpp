// Many-objective selection against its definition, computed the slow way.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "search/fronts/pareto.hpp"
#include "search/fronts/reference_directions.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

TEST(ReferenceDirections, AreAllMultiplesThatSumToOne) {
  // binomial(divisions + objectives - 1, objectives - 1)
  EXPECT_EQ(reference_directions(2, 10).size(), 11U);
  EXPECT_EQ(reference_directions(3, 12).size(), 91U);
  EXPECT_EQ(reference_directions(5, 4).size(), 70U);
  std::set<std::vector<double>> different;
  for (const std::vector<double>& direction : reference_directions(4, 5)) {
    double sum = 0;
    for (const double part : direction) sum += part;
    EXPECT_NEAR(sum, 1.0, 1e-12);
    different.insert(direction);
  }
  EXPECT_EQ(different.size(), 56U);
  EXPECT_EQ(reference_directions(3, 0), (std::vector<std::vector<double>>{std::vector<double>(3, 1.0 / 3)}));
  for (std::size_t m = 2; m < 6; ++m) {
    for (const std::size_t most : {1U, 2U, 7U, 20U, 100U}) {
      const std::size_t divisions = divisions_within(m, most);
      if (divisions > 0) {
        EXPECT_LE(reference_directions(m, divisions).size(), most);
      }
      EXPECT_GT(reference_directions(m, divisions + 1).size(), most);
    }
  }
  EXPECT_EQ(divisions_within(1, 100), 0U);
}

SearcherSetup setup_with(std::size_t objectives, const Json& options) {
  SearcherSetup setup;
  setup.seed = 3;
  setup.objectives = minimised_objectives(objectives);
  setup.options = options;
  return setup;
}

// Values of members of a saved state, sorted.
std::vector<Point> members_of(const Searcher& searcher, std::size_t objectives) {
  const std::vector<double> values = searcher.save().data.at("members").at("values");
  std::vector<Point> members;
  for (std::size_t i = 0; i < values.size(); i += objectives) {
    members.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(i),
                         values.begin() + static_cast<std::ptrdiff_t>(i + objectives));
  }
  std::ranges::sort(members);
  return members;
}

// Near a sphere's part, so that most candidates dominate none of the others.
Judge spherical(std::size_t objectives) {
  return [objectives](Trial& trial) {
    double length = 0;
    for (std::size_t k = 0; k < objectives; ++k) {
      trial.values.push_back(0.05 + noise(trial.genome, k));
      length += trial.values.back() * trial.values.back();
    }
    for (double& value : trial.values) value *= (1.0 + 0.05 * noise(trial.genome, 9)) / std::sqrt(length);
  };
}

// The worst front by repeated peeling, and of it the member whose removal costs the least hypervolume in the front's
// own scale, the reference point one range beyond.
std::vector<Point> without_the_least(std::vector<Point> points) {
  std::vector<Point> rest = points, front;
  while (!rest.empty()) {
    front.clear();
    std::vector<Point> behind;
    const std::vector<std::size_t> first = non_dominated(rest);
    for (std::size_t i = 0; i < rest.size(); ++i) {
      (std::ranges::binary_search(first, i) ? front : behind).push_back(rest[i]);
    }
    rest = behind;
  }
  const std::size_t m = points[0].size();
  std::vector<Point> scaled = front;
  for (std::size_t k = 0; k < m; ++k) {
    double low = front[0][k], high = low;
    for (const Point& point : front) low = std::min(low, point[k]), high = std::max(high, point[k]);
    for (Point& point : scaled) point[k] = high > low ? (point[k] - low) / (high - low) : 0.0;
  }
  std::size_t least = 0;
  double most_left = -1;
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    std::vector<Point> others = scaled;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    const double left = hypervolume(others, Point(m, 2.0));
    if (left > most_left) {
      most_left = left;
      least = i;
    }
  }
  points.erase(std::ranges::find(points, front[least]));
  return points;
}

TEST(SmsEmoa, DropsWhatHoldsTheLeastAlone) {
  for (const std::size_t objectives : {2U, 3U, 4U}) {
    const SearchSpace space = uniform_space(8, 4);
    const auto searcher = make_searcher("sms-emoa", space, setup_with(objectives, {{"population", 12}}));
    std::vector<Trial> history;
    step(*searcher, 12, spherical(objectives), history);
    for (int generation = 0; generation < 40; ++generation) {
      std::vector<Point> points = members_of(*searcher, objectives);
      step(*searcher, 1, spherical(objectives), history);
      points.push_back(history.back().values);
      std::vector<Point> expected = without_the_least(points);
      std::ranges::sort(expected);
      EXPECT_EQ(members_of(*searcher, objectives), expected) << objectives << " objectives, " << generation;
    }
  }
}

// With one to drop, what is lost on average is what the dropped one holds alone: nearly the least by samples.
TEST(Hype, DropsNearlyWhatHoldsTheLeast) {
  constexpr std::size_t m = 3;
  const SearchSpace space = uniform_space(8, 4);
  const auto searcher =
      make_searcher("hype", space, setup_with(m, {{"population", 12}, {"offspring", 1}, {"samples", 20000}}));
  std::vector<Trial> history;
  step(*searcher, 12, spherical(m), history);
  double kept = 0, best = 0;
  for (int generation = 0; generation < 30; ++generation) {
    std::vector<Point> points = members_of(*searcher, m);
    step(*searcher, 1, spherical(m), history);
    points.push_back(history.back().values);
    kept += hypervolume(members_of(*searcher, m), Point(m, 1.2));
    best += hypervolume(without_the_least(points), Point(m, 1.2));
  }
  EXPECT_GT(kept, 0.995 * best);
}

// A plane front, f0 + f1 + f2 = 1 + a distance that the last genes say: the members spread over the directions.
TEST(Nsga3, HasAMemberNearEveryDirection) {
  const SearchSpace space = make_space("plane", R"([{"name": "a", "choices": [0, 1, 2, 3, 4, 5, 6, 7, 8]},
      {"name": "b", "choices": [0, 1, 2, 3, 4, 5, 6, 7, 8]}, {"name": "off", "repeat": 4, "choices": [0, 1, 2]}])");
  const Judge judge = [](Trial& trial) {
    const auto& genes = trial.genome.genes;
    double off = 1;
    for (std::size_t i = 2; i < genes.size(); ++i) off += 0.5 * genes[i];
    const double a = genes[0] / 8.0, b = genes[1] / 8.0;
    trial.values = {off * a * b, off * a * (1 - b), off * (1 - a)};
  };
  for (const char* name : {"nsga3", "moead"}) {
    const auto searcher = make_searcher(name, space, setup_with(3, {{"population", 15}}));
    std::vector<Trial> history;
    while (history.size() < 3000) step(*searcher, 10, judge, history);
    std::size_t near = 0;
    const std::vector<Point> members = members_of(*searcher, 3);
    for (const std::vector<double>& direction : reference_directions(3, 4)) {
      near += std::ranges::any_of(members, [&](const Point& point) {
        double apart = 0;
        for (std::size_t k = 0; k < 3; ++k) apart = std::max(apart, std::abs(point[k] - direction[k]));
        return apart < 0.14;
      });
    }
    // Subproblems of MOEA/D's lie at the inverse of their weights, which no member has where a weight is 0.
    EXPECT_GE(near, std::string(name) == "nsga3" ? 13U : 3U) << name;
  }
}

TEST(MapElites, HoldsTheBestOfEachKind) {
  const SearchSpace space = uniform_space(6, 4);
  SearcherSetup setup = setup_with(2, Json::object());
  setup.options["descriptors"] = {{{"dimension", "g[2]"}},
                                  {{"objective", "f1"}, {"from", 0.2}, {"to", 0.8}, {"cells", 3}}};
  const auto searcher = make_searcher("map-elites", space, setup);
  const Judge judge = [](Trial& trial) {
    trial.values = {noise(trial.genome, 1) + trial.genome.genes[0], noise(trial.genome, 2)};
  };
  std::vector<Trial> history;
  for (int i = 0; i < 60; ++i) step(*searcher, 10, judge, history);
  std::map<std::pair<int, int>, double> best;
  for (const Trial& trial : history) {
    const int bin = trial.values[1] < 0.4 ? 0 : trial.values[1] < 0.6 ? 1 : 2;
    const auto [cell, fresh] = best.try_emplace({trial.genome.genes[2], bin}, trial.values[0]);
    if (!fresh) cell->second = std::min(cell->second, trial.values[0]);
  }
  std::vector<double> expected, found;
  for (const auto& [cell, value] : best) expected.push_back(value);
  const std::vector<double> values = searcher->save().data.at("elites").at("values");
  for (std::size_t i = 0; i < values.size(); i += 2) found.push_back(values[i]);
  std::ranges::sort(expected);
  std::ranges::sort(found);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(searcher->notes(), (Json{{"cells", 12}, {"filled", best.size()}}));
}

TEST(MapElites, SaysWhatIsWrong) {
  const SearchSpace space = uniform_space(6, 4);
  const auto message = [&](const Json& descriptors) {
    try {
      make_searcher("map-elites", space, setup_with(2, {{"descriptors", descriptors}}));
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  EXPECT_NE(message({{{"dimension", "h"}}}).find("a dimension of the space"), std::string::npos);
  EXPECT_NE(message({{{"objective", "f9"}, {"from", 0}, {"to", 1}}}).find("an objective"), std::string::npos);
  EXPECT_NE(message({{{"objective", "f1"}, {"from", 1}, {"to", 1}}}).find("more than \"from\""), std::string::npos);
  EXPECT_EQ(message({{{"objective", "f1"}, {"from", 0}, {"to", 1}}}), "taken");
}

}  // namespace
}  // namespace ridgeline
