// Fronts side by side against areas, ratios and means worked out by hand or counted cell by cell.
#include "experiments/report/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "experiments/report/front_history.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<Objective> quality_cost = {{"quality", "%", Direction::maximise, std::nullopt, false},
                                             {"cost_s", "s", Direction::minimise, std::nullopt, false}};
const std::vector<Objective> three = {{"a", "", Direction::minimise, std::nullopt, false},
                                      {"b", "", Direction::maximise, std::nullopt, false},
                                      {"c", "", Direction::minimise, std::nullopt, false}};

ComparedFront front(const std::string& variant, std::vector<Point> members, const std::string& run = "") {
  return {variant, run, 10, std::move(members)};
}

TEST(CompareFronts, BoxAndHypervolumeOfAStaircase) {
  const std::vector<ComparedFront> fronts = {front("a", {{1, 1}, {2, 2}, {3, 4}}), front("b", {{2, 3}})};
  const FrontComparison comparison = compare_fronts(quality_cost, fronts, "b");
  EXPECT_THAT(comparison.box.ideal, ElementsAre(3, 1));
  EXPECT_THAT(comparison.box.reference, ElementsAre(1 - 0.1 * 2, 4 + 0.1 * 3));
  const double box = (3 - 0.8) * (4.3 - 1);
  // Gains over the reference: (0.2, 3.3), (1.2, 2.3), (2.2, 0.3); strips of width 0.2, 1 and 1.
  EXPECT_NEAR(comparison.fronts[0].hypervolume, (0.2 * 3.3 + 1 * 2.3 + 1 * 0.3) / box, 1e-12);
  EXPECT_NEAR(comparison.fronts[1].hypervolume, 1.2 * 1.3 / box, 1e-12);
  EXPECT_EQ(comparison.fronts[0].members, 3U);
}

// Values are whole numbers from 0 to 10, so that the reference point stands a whole cell outside and the box has 11
// cells an edge.
double counted_share(const std::vector<Objective>& objectives, const std::vector<Point>& members) {
  std::size_t cells = 1, dominated = 0;
  for (std::size_t k = 0; k < objectives.size(); ++k) cells *= 11;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    const bool covered = std::ranges::any_of(members, [&](const Point& member) {
      std::size_t rest = cell;
      for (std::size_t k = 0; k < objectives.size(); ++k, rest /= 11) {
        const double steps_behind =
            objectives[k].direction == Direction::minimise ? member[k] : 10 - member[k];  // behind the ideal
        if (static_cast<double>(rest % 11) < steps_behind) return false;
      }
      return true;
    });
    dominated += covered ? 1 : 0;
  }
  return static_cast<double>(dominated) / static_cast<double>(cells);
}

TEST(CompareFronts, HypervolumeIsTheShareOfCellsOfTheBox) {
  Rng rng(5, "cells");
  for (const std::vector<Objective>& objectives : {quality_cost, three}) {
    for (int round = 0; round < 20; ++round) {
      std::vector<ComparedFront> fronts;
      for (const char* name : {"a", "b"}) {
        std::vector<Point> members(1 + rng.below(8), Point(objectives.size()));
        for (Point& member : members) {
          for (double& value : member) value = static_cast<double>(rng.below(11));
        }
        fronts.push_back(front(name, std::move(members)));
      }
      // The extremes stand on the box's front whatever was drawn: each is best in one objective, worst in the others.
      std::vector<Point> extremes;
      for (std::size_t k = 0; k < objectives.size(); ++k) {
        Point extreme;
        for (std::size_t i = 0; i < objectives.size(); ++i) {
          extreme.push_back((objectives[i].direction == Direction::maximise) == (i == k) ? 10 : 0);
        }
        extremes.push_back(std::move(extreme));
      }
      fronts.push_back(front("extremes", extremes));
      const FrontComparison comparison = compare_fronts(objectives, fronts, "b");
      for (std::size_t i = 0; i < fronts.size(); ++i) {
        ASSERT_NEAR(comparison.fronts[i].hypervolume, counted_share(objectives, fronts[i].members), 1e-12);
      }
    }
  }
}

TEST(CompareFronts, RatiosAtEqualQualityByHand) {
  const std::vector<Point> baseline = {{1, 2}, {2, 4}, {3, 8}}, other = {{2, 1}, {2.9, 3}};
  const EqualQuality equal = at_equal_quality(baseline, other);
  EXPECT_EQ(equal.members, 3U);
  EXPECT_EQ(equal.matched, 2U);  // nothing of the other's has a quality of 3; a quality of 2 is enough for 2
  EXPECT_NEAR(*equal.mean, std::sqrt(2.0 * 4.0), 1e-12);
  EXPECT_NEAR(*equal.largest, 4.0, 1e-12);
  const EqualQuality itself = at_equal_quality(baseline, baseline);
  EXPECT_EQ(itself.matched, 3U);
  EXPECT_NEAR(*itself.mean, 1.0, 1e-12);
  EXPECT_NEAR(*itself.largest, 1.0, 1e-12);
  // Half the cost throughout is twice as fast throughout.
  EXPECT_NEAR(*at_equal_quality(baseline, std::vector<Point>{{1, 1}, {2, 2}, {3, 4}}).mean, 2.0, 1e-12);
}

TEST(CompareFronts, WhatHasNoRatioHasNone) {
  const std::vector<Point> some = {{1, 2}, {2, 4}};
  EXPECT_EQ(at_equal_quality(some, std::vector<Point>{}).matched, 0U);
  EXPECT_FALSE(at_equal_quality(some, std::vector<Point>{}).mean.has_value());
  EXPECT_FALSE(at_equal_quality(std::vector<Point>{}, some).largest.has_value());
  EXPECT_EQ(at_equal_quality(some, std::vector<Point>{{2, 0}}).matched, 0U);  // a cost of 0 has no ratio
  EXPECT_EQ(at_equal_quality(std::vector<Point>{{1, -1}, {2, 4}}, some).matched, 1U);
}

TEST(CompareFronts, RatiosNeedOneQualityFirstAndOneCost) {
  EXPECT_TRUE(quality_and_cost(quality_cost));
  EXPECT_FALSE(quality_and_cost(three));
  EXPECT_FALSE(quality_and_cost({quality_cost.data(), 1}));
  const std::vector<Objective> turned = {quality_cost[1], quality_cost[0]};
  EXPECT_FALSE(quality_and_cost(turned));
  const std::vector<ComparedFront> fronts = {front("a", {{1, 2}}), front("b", {{2, 1}})};
  const FrontComparison comparison = compare_fronts(turned, fronts, "b");
  EXPECT_EQ(comparison.baseline, "");
  EXPECT_FALSE(comparison.fronts[0].equal_quality.has_value());
  EXPECT_EQ(comparison.rows[0].ratio.count, 0U);
}

TEST(CompareFronts, OrderAndUnitsOfCostChangeNothing) {
  Rng rng(6, "order");
  std::vector<ComparedFront> fronts;
  for (const char* name : {"a", "b", "c"}) {
    std::vector<Point> members(12, Point(2));
    for (Point& member : members) member = {rng.uniform(), 0.1 + rng.uniform()};
    fronts.push_back(front(name, std::move(members)));
  }
  const FrontComparison before = compare_fronts(quality_cost, fronts, "c");
  std::vector<ComparedFront> changed(fronts.rbegin(), fronts.rend());
  for (ComparedFront& one : changed) {
    std::ranges::reverse(one.members);
    for (Point& member : one.members) member[1] *= 1e-9;
  }
  const FrontComparison after = compare_fronts(quality_cost, changed, "c");
  for (std::size_t i = 0; i < 3; ++i) {
    const FrontFigures &x = before.fronts[i], &y = after.fronts[2 - i];
    EXPECT_EQ(x.members, y.members);
    EXPECT_NEAR(x.hypervolume, y.hypervolume, 1e-12);
    EXPECT_EQ(x.equal_quality->matched, y.equal_quality->matched);
    EXPECT_NEAR(*x.equal_quality->mean, *y.equal_quality->mean, 1e-9);
    EXPECT_EQ(before.rows[i].variant, after.rows[2 - i].variant);
  }
}

TEST(CompareFronts, DominatedMembersCountForNothing) {
  const std::vector<ComparedFront> clean = {front("a", {{1, 1}, {3, 3}}), front("b", {{2, 2}})};
  std::vector<ComparedFront> padded = clean;
  padded[0].members.push_back({0.5, 9});  // worst of all, and dominated: it must not move the reference point
  padded[0].members.push_back({3, 3});    // twice
  padded[1].members.push_back({1.5, 2.5});
  const FrontComparison x = compare_fronts(quality_cost, clean, "b"), y = compare_fronts(quality_cost, padded, "b");
  EXPECT_EQ(x.box.reference, y.box.reference);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(x.fronts[i].members, y.fronts[i].members);
    EXPECT_EQ(x.fronts[i].hypervolume, y.fronts[i].hypervolume);
    EXPECT_EQ(x.fronts[i].equal_quality->members, y.fronts[i].equal_quality->members);
    EXPECT_EQ(*x.fronts[0].equal_quality->mean, *y.fronts[0].equal_quality->mean);
  }
}

TEST(CompareFronts, EmptyFrontsAndOneMember) {
  const FrontComparison none = compare_fronts(quality_cost, std::vector{front("a", {}), front("b", {})}, "b");
  EXPECT_THAT(none.box.ideal, IsEmpty());
  EXPECT_EQ(none.fronts[0].hypervolume, 0.0);
  const FrontComparison one = compare_fronts(quality_cost, std::vector{front("a", {{5, 0}}), front("b", {})}, "b");
  EXPECT_THAT(one.box.reference, ElementsAre(5 - 0.5, 1));  // 10 % of the value, and 1 where that is 0
  EXPECT_NEAR(one.fronts[0].hypervolume, 1.0, 1e-12);       // it is the ideal
  EXPECT_EQ(one.fronts[1].hypervolume, 0.0);
  EXPECT_EQ(one.fronts[0].equal_quality->members, 0U);
  EXPECT_EQ(one.rows[0].matched_share.count, 0U);
  EXPECT_EQ(
      compare_fronts(quality_cost, std::vector{front("a", {{5, 1}}), front("b", {{5, 1}})}, "b").fronts[1].hypervolume,
      1.0);
}

TEST(CompareFronts, OfOneObjectiveTheShareIsALength) {
  const std::vector<Objective> one = {quality_cost[0]};
  const FrontComparison comparison = compare_fronts(one, std::vector{front("a", {{10}}), front("b", {{8}})}, "b");
  EXPECT_NEAR(comparison.fronts[0].hypervolume, 1.0, 1e-12);
  EXPECT_NEAR(comparison.fronts[1].hypervolume, 0.2 / 2.2, 1e-12);
}

TEST(CompareFronts, RunsAreComparedWithTheirOwnBaselineAndAveraged) {
  const std::vector<ComparedFront> fronts = {front("main", {{1, 1}}, "one"), front("base", {{1, 2}}, "one"),
                                             front("main", {{1, 1}}, "two"), front("base", {{1, 4}}, "two"),
                                             front("main", {{1, 1}}, "three")};  // without a baseline of its own
  const FrontComparison comparison = compare_fronts(quality_cost, fronts, "base");
  ASSERT_EQ(comparison.rows.size(), 2U);
  const ComparisonRow& row = comparison.rows[0];
  EXPECT_THAT(row.fronts, ElementsAre(0, 2, 4));
  EXPECT_EQ(row.ratio.count, 2U);
  EXPECT_NEAR(row.ratio.mean, 3.0, 1e-12);
  EXPECT_NEAR(*row.ratio.deviation, std::sqrt(2.0), 1e-12);  // of 2 and 4
  EXPECT_EQ(row.hypervolume.count, 3U);
  EXPECT_EQ(*row.hypervolume.deviation, 0.0);
  EXPECT_NEAR(comparison.rows[1].ratio.mean, 1.0, 1e-12);
}

TEST(CompareFronts, RefusesWhatIsNoFront) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(compare_fronts(quality_cost, std::vector{front("a", {{1}})}, "a"), std::invalid_argument);
  EXPECT_THROW(compare_fronts(quality_cost, std::vector{front("a", {{1, nan}})}, "a"), std::invalid_argument);
  EXPECT_THROW(compare_fronts(quality_cost, std::vector{front("a", {{1, 1}}), front("a", {{1, 1}})}, "a"),
               std::invalid_argument);
}

TEST(Spread, IsMeanAndSampleDeviation) {
  EXPECT_EQ(spread_of({}).count, 0U);
  EXPECT_FALSE(spread_of(std::vector<double>{3}).deviation.has_value());
  const Spread spread = spread_of(std::vector<double>{2, 4, 9});
  EXPECT_NEAR(spread.mean, 5, 1e-12);
  EXPECT_NEAR(*spread.deviation, std::sqrt(13.0), 1e-12);  // (9 + 1 + 16) / 2
}

TEST(MeanHistory, HoldsEachValueUntilTheNextStepAndEndsWithTheShortest) {
  const std::vector<std::vector<HypervolumeStep>> histories = {{{1, 0.2}, {4, 0.6}, {10, 0.6}}, {{3, 0.4}, {8, 0.8}}};
  const std::vector<MeanStep> means = mean_history(histories);
  std::vector<std::int64_t> places;
  std::vector<double> values;
  for (const MeanStep& step : means) {
    places.push_back(step.evaluations);
    values.push_back(step.mean);
  }
  EXPECT_THAT(places, ElementsAre(1, 3, 4, 8));
  EXPECT_THAT(values, ElementsAre(::testing::DoubleEq(0.1), ::testing::DoubleEq(0.3), ::testing::DoubleEq(0.5),
                                  ::testing::DoubleEq(0.7)));
  EXPECT_NEAR(*means[0].deviation, 0.2 / std::sqrt(2.0), 1e-12);
  EXPECT_THAT(mean_history(std::vector<std::vector<HypervolumeStep>>{{}, {}}), IsEmpty());
}

}  // namespace
}  // namespace ridgeline
