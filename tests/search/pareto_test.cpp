// Fronts, hypervolume and distance against hand cases, closed forms and brute force.
#include "search/fronts/pareto.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<Point> random_points(std::size_t n, std::size_t m, std::uint64_t levels, Rng& rng) {
  std::vector<Point> points(n, Point(m));
  for (Point& point : points) {
    for (double& value : point) {
      value = levels > 0 ? static_cast<double>(rng.below(levels)) / static_cast<double>(levels) : rng.uniform();
    }
  }
  return points;
}

// Points of the positive unit sphere turned towards the origin: none dominates another.
std::vector<Point> random_front(std::size_t n, std::size_t m, Rng& rng) {
  std::vector<Point> points(n, Point(m));
  for (Point& point : points) {
    double norm = 0.0;
    for (double& value : point) {
      value = std::abs(rng.normal());
      norm += value * value;
    }
    for (double& value : point) value = 1.0 - value / std::sqrt(norm);
  }
  return points;
}

std::vector<std::size_t> brute_front(const std::vector<Point>& points) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < points.size(); ++i) {
    bool keep = true;
    for (std::size_t j = 0; j < points.size() && keep; ++j) {
      bool no_worse = true;
      bool better = false;
      for (std::size_t k = 0; k < points[i].size(); ++k) {
        no_worse = no_worse && points[j][k] <= points[i][k];
        better = better || points[j][k] < points[i][k];
      }
      keep = !(no_worse && better) && !(j < i && points[j] == points[i]);
    }
    if (keep) front.push_back(i);
  }
  return front;
}

// Volume of a union of boxes by inclusion and exclusion over all subsets.
double brute_hypervolume(const std::vector<Point>& points, const Point& reference) {
  double total = 0.0;
  for (std::uint64_t subset = 1; subset < (std::uint64_t{1} << points.size()); ++subset) {
    double box = 1.0;
    int members = 0;
    for (std::size_t i = 0; i < points.size(); ++i) members += static_cast<int>(subset >> i & 1);
    for (std::size_t k = 0; k < reference.size(); ++k) {
      double edge = inf;
      for (std::size_t i = 0; i < points.size(); ++i) {
        if ((subset >> i & 1) != 0) edge = std::min(edge, reference[k] - points[i][k]);
      }
      box *= std::max(edge, 0.0);
    }
    total += members % 2 == 1 ? box : -box;
  }
  return total;
}

TEST(Dominates, HandCases) {
  EXPECT_TRUE(dominates(Point{1, 2}, Point{1, 3}));
  EXPECT_TRUE(dominates(Point{1, 2}, Point{2, 3}));
  EXPECT_FALSE(dominates(Point{1, 2}, Point{1, 2}));
  EXPECT_FALSE(dominates(Point{1, 3}, Point{2, 2}));
  EXPECT_FALSE(dominates(Point{2, 3}, Point{1, 2}));
  EXPECT_TRUE(dominates(Point{1}, Point{2}));
  EXPECT_TRUE(dominates(Point{1, 2}, Point{1, inf}));
}

TEST(NonDominated, HandCases) {
  using Indices = std::vector<std::size_t>;
  EXPECT_EQ(non_dominated({}), Indices{});
  EXPECT_EQ(non_dominated(std::vector<Point>{{3, 1}}), Indices{0});
  EXPECT_EQ(non_dominated(std::vector<Point>{{3}, {1}, {2}, {1}}), Indices{1});
  EXPECT_EQ(non_dominated(std::vector<Point>{{2, 2}, {1, 3}, {3, 1}, {3, 3}, {2, 2}}), (Indices{0, 1, 2}));
  EXPECT_EQ(non_dominated(std::vector<Point>{{1, 2}, {1, 1}, {1, 3}}), Indices{1});
  EXPECT_EQ(non_dominated(std::vector<Point>{{1, 1, 2}, {1, 2, 1}, {1, 2, 2}, {2, 1, 1}}), (Indices{0, 1, 3}));
  EXPECT_EQ(non_dominated(std::vector<Point>{{inf, 0}, {0, inf}, {inf, inf}, {inf, 0}}), (Indices{0, 1}));
  EXPECT_EQ(non_dominated(std::vector<Point>{{-inf, 0}, {-inf, 1}, {0, -1}}), (Indices{0, 2}));
}

TEST(NonDominated, EqualsBruteForce) {
  Rng rng(1);
  for (const std::size_t m : {1, 2, 3, 4, 5, 7}) {
    for (const std::uint64_t levels : {0, 2, 4, 16}) {  // few levels: many equal coordinates and equal points
      for (const std::size_t n : {2, 7, 60, 400}) {
        const std::vector<Point> points = random_points(n, m, levels, rng);
        EXPECT_EQ(non_dominated(points), brute_front(points)) << m << " objectives, " << levels << " levels, " << n;
      }
    }
  }
}

TEST(NonDominated, DivideAndConquerEqualsBruteForceOnLargeFronts) {
  Rng rng(2);
  for (const std::size_t m : {3, 4, 5, 6}) {
    std::vector<Point> points = random_front(800, m, rng);
    const std::vector<Point> worse = random_points(400, m, 8, rng);
    points.insert(points.end(), worse.begin(), worse.end());
    points.insert(points.end(), points.begin(), points.begin() + 200);
    rng.shuffle(std::span<Point>(points));
    EXPECT_EQ(non_dominated(points), brute_front(points)) << m << " objectives";
  }
}

// A million points of which a known thousand is the front.
TEST(NonDominated, AMillionPoints) {
  Rng rng(3);
  std::vector<Point> points;
  for (int i = 0; i < 1'000'000; ++i) {
    const double x = static_cast<double>(rng.below(1000));
    points.push_back({x, 1000.0 - x + 1.0 + rng.uniform()});
  }
  std::vector<std::size_t> expected;
  for (int x = 0; x < 1000; ++x) {
    const std::size_t place = static_cast<std::size_t>(x) * 997;
    points[place] = {static_cast<double>(x), 1000.0 - x};
    expected.push_back(place);
  }
  EXPECT_EQ(non_dominated(points), expected);
}

TEST(NonDominated, RefusesWhatCannotBeCompared) {
  EXPECT_THROW(non_dominated(std::vector<Point>{{1, 2}, {1, nan}}), std::invalid_argument);
  EXPECT_THROW(non_dominated(std::vector<Point>{{1, 2}, {1}}), std::invalid_argument);
  EXPECT_THROW(non_dominated(std::vector<Point>{{}, {}}), std::invalid_argument);
}

TEST(Hypervolume, HandCases) {
  EXPECT_EQ(hypervolume({}, {1, 1}), 0.0);
  EXPECT_EQ(hypervolume(std::vector<Point>{{1}, {3}}, {5}), 4.0);
  EXPECT_EQ(hypervolume(std::vector<Point>{{1, 1}}, {2, 3}), 2.0);
  EXPECT_EQ(hypervolume(std::vector<Point>{{1, 3}, {2, 2}, {3, 1}}, {4, 4}), 6.0);
  EXPECT_EQ(hypervolume(std::vector<Point>{{1, 3}, {2, 2}, {3, 1}, {3, 3}, {2, 2}}, {4, 4}), 6.0);
  EXPECT_EQ(hypervolume(std::vector<Point>{{4, 1}, {1, 4}, {5, 0}}, {4, 4}), 0.0);  // on or beyond the reference
  EXPECT_EQ(hypervolume(std::vector<Point>{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}}, {2, 2, 2}), 4.0);
  EXPECT_EQ(hypervolume(std::vector<Point>{{0, 0, 0, 1}, {1, 0, 0, 0}}, {2, 2, 2, 2}), 12.0);
}

// n points (i, n - 1 - i) against (n, n) leave a staircase of n (n + 1) / 2 unit squares; a further objective in which
// all are 0 against 3 multiplies it.
TEST(Hypervolume, StaircasesHaveTheirClosedForm) {
  for (const int n : {1, 2, 10, 1000}) {
    for (std::size_t extra = 0; extra < 4; ++extra) {
      std::vector<Point> points;
      for (int i = 0; i < n; ++i) {
        Point point(2 + extra, 0.0);
        point[extra] = i;
        point[extra + 1] = n - 1 - i;
        points.push_back(point);
      }
      if (extra > 1 && n > 100) continue;
      Point reference(2 + extra, 3.0);
      reference[extra] = reference[extra + 1] = n;
      EXPECT_DOUBLE_EQ(hypervolume(points, reference), 0.5 * n * (n + 1) * std::pow(3.0, static_cast<double>(extra)));
    }
  }
}

// Around each of the m unit axes one slab: each point is 0 in one objective and 1 - s in the others, against 1. Only
// the corner cube of side s belongs to more than one slab: m s^(m-1) - (m - 1) s^m.
TEST(Hypervolume, SlabsHaveTheirClosedForm) {
  const double s = 0.25;
  for (std::size_t m = 1; m <= 7; ++m) {
    std::vector<Point> points;
    for (std::size_t k = 0; k < m; ++k) {
      points.emplace_back(m, 1.0 - s);
      points.back()[k] = 0.0;
    }
    const auto d = static_cast<double>(m);
    EXPECT_NEAR(hypervolume(points, Point(m, 1.0)), d * std::pow(s, d - 1) - (d - 1) * std::pow(s, d), 1e-12) << m;
  }
}

TEST(Hypervolume, ApproachesThatOfTheSphere) {
  Rng rng(4);
  const double octant = std::numbers::pi / 6.0;  // an eighth of the unit ball
  const double found = hypervolume(random_front(20000, 3, rng), {1.0, 1.0, 1.0});
  EXPECT_LT(found, octant);
  EXPECT_GT(found, octant - 0.01);
}

TEST(Hypervolume, EqualsInclusionAndExclusion) {
  Rng rng(5);
  for (std::size_t m = 1; m <= 6; ++m) {
    for (int round = 0; round < 30; ++round) {
      std::vector<Point> points =
          round % 3 == 0 ? random_front(10, m, rng) : random_points(10, m, round % 3 == 1 ? 4 : 0, rng);
      if (m == 1 && round % 3 == 0) continue;
      const Point reference(m, round % 2 == 0 ? 1.1 : 0.7);
      const double expected = brute_hypervolume(points, reference);
      EXPECT_NEAR(hypervolume(points, reference), expected, 1e-12) << m << " objectives";
      rng.shuffle(std::span<Point>(points));
      points.push_back(points[3]);
      EXPECT_NEAR(hypervolume(points, reference), expected, 1e-12) << "shuffled, with a point twice";
    }
  }
}

// The objectives' order changes which of them the recursion slices.
TEST(Hypervolume, DoesNotDependOnTheOrderOfObjectives) {
  Rng rng(6);
  std::vector<Point> points = random_front(60, 5, rng);
  const double expected = hypervolume(points, Point(5, 1.05));
  for (int round = 0; round < 4; ++round) {
    for (Point& point : points) std::rotate(point.begin(), point.begin() + 1, point.end());
    EXPECT_NEAR(hypervolume(points, Point(5, 1.05)), expected, 1e-12);
  }
}

TEST(Hypervolume, RefusesWhatHasNoVolume) {
  EXPECT_THROW(hypervolume(std::vector<Point>{{1, nan}}, {2, 2}), std::invalid_argument);
  EXPECT_THROW(hypervolume(std::vector<Point>{{1, -inf}}, {2, 2}), std::invalid_argument);
  EXPECT_THROW(hypervolume(std::vector<Point>{{1, 1}}, {2, inf}), std::invalid_argument);
  EXPECT_THROW(hypervolume(std::vector<Point>{{1, 1, 1}}, {2, 2}), std::invalid_argument);
  EXPECT_THROW(hypervolume({}, {}), std::invalid_argument);
}

TEST(InvertedGenerationalDistance, HandCases) {
  const std::vector<Point> target = {{0, 20}, {5, 10}, {10, 0}};  // ranges 10 and 20
  EXPECT_EQ(inverted_generational_distance(target, target), 0.0);
  EXPECT_EQ(inverted_generational_distance({}, target), inf);
  // From (5, 10): to the ends sqrt(0.5^2 + 0.5^2) each.
  EXPECT_DOUBLE_EQ(inverted_generational_distance(std::vector<Point>{{5, 10}}, target), 2.0 * std::sqrt(0.5) / 3.0);
  EXPECT_DOUBLE_EQ(inverted_generational_distance(std::vector<Point>{{0, 20}, {6, 10}, {10, 0}, {50, 50}}, target),
                   0.1 / 3.0);
  EXPECT_DOUBLE_EQ(inverted_generational_distance(std::vector<Point>{{2, 3}}, std::vector<Point>{{2, 1}}), 2.0);
  EXPECT_THROW(inverted_generational_distance(target, {}), std::invalid_argument);
  EXPECT_THROW(inverted_generational_distance(std::vector<Point>{{1, nan}}, target), std::invalid_argument);
  EXPECT_THROW(inverted_generational_distance(std::vector<Point>{{1}}, target), std::invalid_argument);
}

std::vector<Objective> objectives(std::size_t n) {
  std::vector<Objective> made(n);
  for (std::size_t i = 0; i < n; ++i) made[i].name = fmt::format("f{}", i);
  return made;
}

Trial trial(std::int64_t id, Point values) {
  Trial made;
  made.id = id;
  made.values = std::move(values);
  return made;
}

TEST(ParetoArchive, HoldsWhatNonDominatedFindsInAnyOrder) {
  Rng rng(7);
  for (const std::size_t m : {1, 2, 3, 5}) {
    for (const std::uint64_t levels : {0, 5}) {
      const std::vector<Point> points = random_points(300, m, levels, rng);
      std::vector<std::size_t> expected = non_dominated(points);
      std::sort(expected.begin(), expected.end(), [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
      std::vector<std::size_t> order(points.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      for (int round = 0; round < 5; ++round) {
        ParetoArchive archive(objectives(m), Fidelity::analytic);
        for (const std::size_t i : order) {
          const bool taken = archive.add(trial(static_cast<std::int64_t>(i), points[i]));
          const bool there = std::ranges::any_of(archive.front(),
                                                 [&](const Trial& t) { return t.id == static_cast<std::int64_t>(i); });
          ASSERT_EQ(taken, there);
        }
        std::vector<std::size_t> found;
        for (const Trial& t : archive.front()) found.push_back(static_cast<std::size_t>(t.id));
        EXPECT_EQ(found, expected) << m << " objectives, " << levels << " levels";
        rng.shuffle(std::span<std::size_t>(order));
      }
    }
  }
}

TEST(ParetoArchive, CountsOnlyWhatIsOptimised) {
  std::vector<Objective> wanted = objectives(3);
  wanted[1].constraint_only = true;
  ParetoArchive archive(wanted, Fidelity::analytic);
  EXPECT_TRUE(archive.add(trial(0, {1, 9, 2})));
  EXPECT_FALSE(archive.add(trial(1, {1, 0, 2})));  // better only in what does not count
  EXPECT_TRUE(archive.add(trial(2, {2, 9, 1})));
  EXPECT_EQ(archive.front().size(), 2U);
  wanted[0].constraint_only = wanted[2].constraint_only = true;
  EXPECT_THROW(ParetoArchive(wanted, Fidelity::analytic), std::invalid_argument);
}

TEST(ParetoArchive, TakesOnlyFeasibleTrialsOfItsFidelity) {
  ParetoArchive archive(objectives(2), Fidelity::measured);
  Trial t = trial(0, {1, 1});
  EXPECT_FALSE(archive.add(t));
  t.fidelity = Fidelity::measured;
  for (const Status status : {Status::infeasible, Status::unsupported, Status::unstable, Status::failed}) {
    t.status = status;
    EXPECT_FALSE(archive.add(t));
  }
  t.status = Status::ok;
  EXPECT_TRUE(archive.add(t));
  EXPECT_TRUE(archive.add(t));  // the same trial again: it is on the front
  t.values.clear();
  EXPECT_FALSE(archive.add(t));
  EXPECT_EQ(archive.front().size(), 1U);
  t.values = {1};
  EXPECT_THROW(archive.add(t), std::invalid_argument);
  t.values = {0, nan};
  EXPECT_THROW(archive.add(t), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline
