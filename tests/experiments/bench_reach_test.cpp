// Evaluations to a target: hand-made curves, a plain loop over every number of evaluations, and intervals where they
// are known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "experiments/bench/reach.hpp"
#include "spaces/rng.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::HasSubstr;
using Curves = std::vector<QualityCurve>;

std::vector<std::size_t> all_of(const Curves& curves) {
  std::vector<std::size_t> all(curves.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

TEST(BenchReach, OfHandMadeCurves) {
  const std::vector<Curves> curves = {
      {{{1, 0.0}, {10, 2.0}, {20, 4.0}}, {{1, 0.0}, {12, 4.0}}},  // means: 0; 1 at 10; 3 at 12; 4 at 20
      {{{1, 1.0}, {5, 3.0}}, {{2, 1.0}, {8, 5.0}}},               // none before 2; 1; 2 at 5; 4 at 8
      {{{1, 0.0}, {40, 3.5}}, {{1, 2.5}}},                        // 1.25; 3 at 40
  };
  const std::vector<std::int64_t> at = {11, 15, 40};
  const BenchReach reach = bench_reach(curves, 0, at);
  ASSERT_EQ(reach.targets.size(), 3U);
  const ReachTarget &first = reach.targets[0], &second = reach.targets[1], &last = reach.targets[2];
  EXPECT_DOUBLE_EQ(*first.quality, 1.0);
  EXPECT_EQ(first.evaluations, 10);  // it has had that since
  ASSERT_EQ(first.rows.size(), 2U);
  EXPECT_EQ(first.rows[0].row, 1U);
  EXPECT_EQ(first.rows[0].evaluations, 2);  // not before both runs have something
  EXPECT_DOUBLE_EQ(*first.rows[0].ratio, 5.0);
  EXPECT_EQ(first.rows[1].evaluations, 1);
  EXPECT_DOUBLE_EQ(*second.quality, 3.0);
  EXPECT_EQ(second.evaluations, 12);
  EXPECT_EQ(second.rows[0].evaluations, 8);
  EXPECT_DOUBLE_EQ(*second.rows[0].ratio, 1.5);
  EXPECT_EQ(second.rows[1].evaluations, 40);
  EXPECT_DOUBLE_EQ(*second.rows[1].ratio, 0.3);
  EXPECT_EQ(last.evaluations, 20);
  EXPECT_EQ(last.rows[0].evaluations, 8);
  EXPECT_FALSE(last.rows[1].evaluations);
  EXPECT_FALSE(last.rows[1].ratio);
  EXPECT_DOUBLE_EQ(last.bound, 1.0);
  EXPECT_DOUBLE_EQ(second.bound, 15.0 / 40);
}

TEST(BenchReach, ARunWithoutAnythingFeasibleIsNoMean) {
  const std::vector<Curves> curves = {{{{1, 1.0}}, {}}, {{{1, 5.0}}, {{3, 5.0}}}};
  const std::vector<std::int64_t> at = {10};
  EXPECT_FALSE(bench_reach(curves, 0, at).targets[0].quality);
  EXPECT_TRUE(bench_reach(curves, 0, at).targets[0].rows.empty());
  const BenchReach other = bench_reach(curves, 1, at);
  EXPECT_EQ(other.targets[0].evaluations, 3);
  EXPECT_FALSE(other.targets[0].rows[0].evaluations);
}

// Curves that rise at random, one-off sums included.
Curves random_curves(Rng& rng, std::size_t runs, std::int64_t evaluations, double slope) {
  Curves curves(runs);
  for (QualityCurve& curve : curves) {
    double value = rng.uniform();
    for (std::int64_t e = 1 + static_cast<std::int64_t>(rng.below(3)); e <= evaluations;
         e += 1 + static_cast<std::int64_t>(rng.below(9))) {
      curve.push_back({e, value});
      value += slope * rng.uniform();
    }
  }
  return curves;
}

TEST(BenchReach, FirstReachIsThatOfALoopOverAllEvaluations) {
  Rng rng(3);
  for (int round = 0; round < 20; ++round) {
    const Curves curves = random_curves(rng, 5, 60, 0.3);
    std::vector<std::size_t> runs(7);
    for (std::size_t& run : runs) run = rng.below(curves.size());
    const double target = 4.0 * rng.uniform();
    std::optional<std::int64_t> expected;
    for (std::int64_t e = 1; e <= 60 && !expected; ++e) {
      double sum = 0;
      bool every = true;
      for (const std::size_t run : runs) {
        const QualityStep* last = nullptr;
        for (const QualityStep& step : curves[run]) last = step.evaluations <= e ? &step : last;
        every = every && last != nullptr;
        sum += last == nullptr ? 0.0 : last->quality;
      }
      if (every && sum / 7.0 >= target) expected = e;
    }
    EXPECT_EQ(first_reach(curves, runs, target, 60), expected) << round;
  }
}

TEST(BenchReach, SumsInAnotherOrderAreEqual) {
  Curves curves, turned;
  for (const double value : {0.1, 0.2, 0.3, 0.7, 1e3, 1.0 / 3}) curves.push_back({{1, value}});
  turned.assign(curves.rbegin(), curves.rend());
  const std::vector<std::int64_t> at = {5};
  EXPECT_EQ(bench_reach(std::vector{curves, turned}, 0, at).targets[0].rows[0].evaluations, 1);
  EXPECT_EQ(bench_reach(std::vector{turned, curves}, 0, at).targets[0].rows[0].evaluations, 1);
}

TEST(BenchReach, IntervalsHoldWhatIsKnown) {
  // All runs alike: nothing varies. The second is twice as fast, the third too slow.
  const Curves slow(8, {{1, 0.0}, {40, 1.0}}), fast(8, {{1, 0.0}, {20, 1.0}}), never(8, {{1, 0.5}});
  const std::vector<std::int64_t> at = {50};
  const BenchReach alike = bench_reach(std::vector{slow, fast, never}, 0, at);
  ASSERT_TRUE(alike.intervals);
  EXPECT_DOUBLE_EQ(*alike.targets[0].rows[0].low, 2.0);
  EXPECT_DOUBLE_EQ(*alike.targets[0].rows[0].high, 2.0);
  EXPECT_FALSE(alike.targets[0].rows[1].low);
  EXPECT_FALSE(alike.targets[0].rows[1].high);
  // The same curves under two names: 1 for every draw, as both are drawn together.
  Rng rng(11);
  const Curves curves = random_curves(rng, 9, 50, 0.2);
  const BenchReach same = bench_reach(std::vector{curves, curves}, 0, at);
  EXPECT_DOUBLE_EQ(*same.targets[0].rows[0].low, 1.0);
  EXPECT_DOUBLE_EQ(*same.targets[0].rows[0].high, 1.0);
  // No interval of one run.
  const BenchReach one = bench_reach(std::vector<Curves>{{slow[0]}, {fast[0]}}, 0, at);
  EXPECT_FALSE(one.intervals);
  EXPECT_FALSE(one.targets[0].rows[0].low);
}

TEST(BenchReach, IntervalsCoverTheTruthAboutAsOftenAsTheySay) {
  // A run climbs to 1 in a line, within a number of evaluations that is drawn. The true ratio is that of many runs.
  const std::vector<std::int64_t> at = {60, 100};
  const auto draw = [](Rng& rng, std::size_t runs, std::uint64_t least) {
    Curves curves(runs);
    for (QualityCurve& curve : curves) {
      const auto end = static_cast<std::int64_t>(least + rng.below(40));
      for (std::int64_t e = 1; e <= end; ++e) curve.push_back({e, static_cast<double>(e) / static_cast<double>(end)});
    }
    return curves;
  };
  Rng rng(5);
  const Curves slow = draw(rng, 4000, 60), fast = draw(rng, 4000, 30);
  const std::optional<std::int64_t> truth = first_reach(
      fast, all_of(fast),
      [&] {
        double sum = 0;
        for (const QualityCurve& curve : slow) sum += curve[59].quality;
        return sum / 4000;
      }(),
      100);
  ASSERT_TRUE(truth);
  const double ratio = 60.0 / static_cast<double>(*truth);
  int held = 0;
  for (int round = 0; round < 40; ++round) {
    const BenchReach reach = bench_reach(std::vector{draw(rng, 20, 60), draw(rng, 20, 30)}, 0, at);
    const ReachRow& row = reach.targets[0].rows[0];
    if (row.low && row.high && *row.low <= ratio && ratio <= *row.high) ++held;
  }
  EXPECT_GE(held, 34);  // 38 expected of 95 %
}

TEST(BenchReach, TheSettingIsNamedByLabelOrSearcher) {
  const std::vector<BenchSetting> settings = {{"nsga2", Json::object(), "nsga2 population=10"},
                                              {"nsga2", Json::object(), "nsga2 population=20"},
                                              {"tpe", Json::object(), "tpe startup=5"},
                                              {"random", Json::object(), "random"}};
  EXPECT_EQ(reach_setting(settings, "nsga2 population=20"), 1U);
  EXPECT_EQ(reach_setting(settings, "tpe"), 2U);
  EXPECT_THAT(what_of([&] { reach_setting(settings, "nsga2"); }), HasSubstr("--reach \"nsga2 population=10\""));
  EXPECT_THAT(what_of([&] { reach_setting(settings, "randm"); }), HasSubstr("did you mean 'random'"));
}

}  // namespace
}  // namespace ridgeline::testing
