// Expected improvements against sampling and against the definitions.
#include "search/predicted/improvement.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

TEST(ExpectedExcess, IsTheMeanOfWhatLiesBelow) {
  Rng rng(3);
  for (const Normal value : {Normal{0.2, 0.5}, Normal{-1.0, 2.0}, Normal{3.0, 0.7}}) {
    double sum = 0, below = 0;
    constexpr int draws = 200'000;
    for (int i = 0; i < draws; ++i) {
      const double x = value.mean + value.deviation * rng.normal();
      sum += std::max(1.0 - x, 0.0) / draws;
      below += (x <= 1.0 ? 1.0 : 0.0) / draws;
    }
    EXPECT_NEAR(expected_excess(1.0, value), sum, 0.01 * (1.0 + sum));
    EXPECT_NEAR(probability_below(1.0, value), below, 0.005);
  }
  EXPECT_EQ(expected_excess(1.0, {0.25, 0.0}), 0.75);
  EXPECT_EQ(expected_excess(1.0, {1.25, 0.0}), 0.0);
  EXPECT_EQ(probability_below(1.0, {1.0, 0.0}), 1.0);
  EXPECT_EQ(probability_below(1.0, {1.1, 0.0}), 0.0);
}

double grown(std::vector<Point> front, const Point& point, const Point& reference) {
  const double before = front.empty() ? 0.0 : hypervolume(front, reference);
  front.push_back(point);
  return hypervolume(front, reference) - before;
}

TEST(HypervolumeImprovement, OfACertainCandidateIsTheGrowth) {
  Rng rng(5);
  for (const std::size_t m : {1U, 2U, 3U, 4U}) {
    const Point reference(m, 1.1);
    for (int round = 0; round < 40; ++round) {
      std::vector<Point> points(12, Point(m));
      for (Point& point : points) {
        for (double& value : point) value = rng.uniform();
      }
      std::vector<Point> front;
      for (const std::size_t i : non_dominated(points)) front.push_back(points[i]);
      const HypervolumeImprovement improvement(front, reference, 3);
      std::vector<Normal> values(m);
      Point point(m);
      for (std::size_t k = 0; k < m; ++k) values[k].mean = point[k] = 1.2 * rng.uniform() - 0.1;
      EXPECT_NEAR(improvement.expected(values), grown(front, point, reference), 1e-12) << m;
    }
  }
}

TEST(HypervolumeImprovement, OfAnUncertainOneIsTheMeanGrowth) {
  Rng rng(7);
  const std::vector<Point> front{{0.1, 0.9}, {0.3, 0.4}, {0.8, 0.2}};
  const std::vector<Normal> values{{0.4, 0.3}, {0.5, 0.2}};
  double sum = 0;
  constexpr int draws = 100'000;
  for (int i = 0; i < draws; ++i) {
    const Point point{0.4 + 0.3 * rng.normal(), 0.5 + 0.2 * rng.normal()};
    sum += grown(front, point, {1.0, 1.0}) / draws;
  }
  EXPECT_NEAR(HypervolumeImprovement(front, {1.0, 1.0}).expected(values), sum, 0.02 * sum);
  const std::vector<Point> solid{{0.1, 0.9, 0.5}, {0.3, 0.4, 0.6}, {0.8, 0.2, 0.1}};
  const std::vector<Normal> three{{0.4, 0.3}, {0.5, 0.2}, {0.3, 0.1}};
  sum = 0;
  for (int i = 0; i < draws; ++i) {
    const Point point{0.4 + 0.3 * rng.normal(), 0.5 + 0.2 * rng.normal(), 0.3 + 0.1 * rng.normal()};
    sum += grown(solid, point, {1.0, 1.0, 1.0}) / draws;
  }
  EXPECT_NEAR(HypervolumeImprovement(solid, {1.0, 1.0, 1.0}, 20'000).expected(three), sum, 0.04 * sum);
  EXPECT_GT(HypervolumeImprovement({}, {1.0, 1.0}).expected(values), 0.2);
}

}  // namespace
}  // namespace ridgeline
