// The statistics of a benchmark against closed forms and published values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "experiments/bench/statistics.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

TEST(BenchStatistics, QuantilesOfStudentsTHaveTheirClosedForms) {
  for (const double p : {0.6, 0.9, 0.975, 0.999}) {
    EXPECT_NEAR(student_quantile(p, 1), std::tan(std::numbers::pi * (p - 0.5)),
                1e-8 * std::tan(std::numbers::pi * (p - 0.5)));
    EXPECT_NEAR(student_quantile(p, 2), (2 * p - 1) / std::sqrt(2 * p * (1 - p)), 1e-8);
    EXPECT_NEAR(student_quantile(1 - p, 7), -student_quantile(p, 7), 1e-9);
  }
  EXPECT_NEAR(student_quantile(0.975, 9), 2.262157, 1e-6);  // tables
  EXPECT_NEAR(student_quantile(0.975, 99), 1.984217, 1e-6);
  EXPECT_NEAR(student_quantile(0.975, 1e7), normal_quantile(0.975), 1e-5);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963985, 1e-8);
}

TEST(BenchStatistics, TailsOfChiSquaredHaveTheirClosedForms) {
  for (const double x : {0.1, 1.0, 5.0, 40.0}) {
    EXPECT_NEAR(chi_squared_tail(x, 2), std::exp(-x / 2), 1e-12);
    EXPECT_NEAR(chi_squared_tail(x, 4), std::exp(-x / 2) * (1 + x / 2), 1e-12);
    EXPECT_NEAR(chi_squared_tail(x, 1), std::erfc(std::sqrt(x / 2)), 1e-12);
  }
  EXPECT_NEAR(chi_squared_tail(18.307, 10), 0.05, 1e-5);
  EXPECT_EQ(chi_squared_tail(0, 3), 1.0);
}

TEST(BenchStatistics, CriticalValuesOfNemenyiAreThePublishedOnes) {
  // Demsar, 2006, table 5a.
  const double published[] = {1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164};
  for (std::size_t k = 2; k <= 10; ++k) {
    EXPECT_NEAR(studentized_range_quantile(0.95, k) / std::numbers::sqrt2, published[k - 2], 1e-3) << k;
  }
}

TEST(BenchStatistics, WilsonsIntervalsAreThePublishedOnes) {
  // Newcombe, 1998, table I, method 3.
  const struct {
    std::size_t successes, trials;
    double low, high;
  } cases[] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0.0, 0.1611}, {1, 29, 0.0061, 0.1718}};
  for (const auto& one : cases) {
    const ConfidenceInterval interval = wilson_interval(one.successes, one.trials);
    EXPECT_NEAR(interval.low, one.low, 5e-5);
    EXPECT_NEAR(interval.high, one.high, 5e-5);
  }
  EXPECT_EQ(wilson_interval(20, 20).high, 1.0);
  EXPECT_THROW(wilson_interval(1, 0), std::invalid_argument);
}

TEST(BenchStatistics, AMeansIntervalHoldsTheMeanAsOftenAsItSays) {
  const std::vector<double> hand = {1, 2, 3, 4, 5};
  const MeanInterval one = mean_interval(hand);
  EXPECT_DOUBLE_EQ(one.mean, 3.0);
  EXPECT_NEAR(one.interval->high, 3.0 + 2.776445 * std::sqrt(2.5 / 5), 1e-6);  // t of 4 degrees
  EXPECT_FALSE(mean_interval(std::vector<double>{7.0}).interval);
  int holds = 0;
  Rng rng(5);
  for (int i = 0; i < 4000; ++i) {
    std::vector<double> sample;
    for (int k = 0; k < 6; ++k) sample.push_back(2.0 + 3.0 * rng.normal());
    const ConfidenceInterval interval = *mean_interval(sample).interval;
    holds += interval.low <= 2.0 && 2.0 <= interval.high ? 1 : 0;
  }
  EXPECT_NEAR(holds / 4000.0, 0.95, 0.012);  // 3.5 standard errors
  EXPECT_THROW(mean_interval(std::vector<double>{}), std::invalid_argument);
  EXPECT_THROW(mean_interval(std::vector<double>{1, std::nan("")}), std::invalid_argument);
}

TEST(BenchStatistics, FriedmansStatisticIsItsFormula) {
  // Two blocks agree, the third has a tie: ranks (1, 2, 3), (1, 2, 3), (1.5, 1.5, 3).
  const std::vector<std::vector<double>> scores = {{9, 5, 1}, {3, 2, 1}, {4, 4, 0}};
  const FriedmanTest test = friedman_test(scores);
  EXPECT_THAT(test.mean_ranks,
              ElementsAre(DoubleNear(3.5 / 3, 1e-12), DoubleNear(5.5 / 3, 1e-12), DoubleNear(3, 1e-12)));
  // 12 / (n k (k + 1)) sum R^2 - 3 n (k + 1), over 1 - sum of (t^3 - t) / (n (k^3 - k)).
  const double plain = 12.0 / (3 * 3 * 4) * (3.5 * 3.5 + 5.5 * 5.5 + 81) - 36, corrected = plain / (1 - 6.0 / (3 * 24));
  EXPECT_NEAR(test.statistic, corrected, 1e-12);
  EXPECT_NEAR(test.p_value, std::exp(-corrected / 2), 1e-12);
  // The critical difference of Demsar's example, four methods on 14 data sets.
  std::vector<std::vector<double>> blocks(14, {1, 1, 1, 1});
  EXPECT_NEAR(friedman_test(blocks).critical_difference, 1.25, 0.005);
  EXPECT_EQ(friedman_test(blocks).p_value, 1.0);  // all ties
  EXPECT_THROW(friedman_test(std::vector<std::vector<double>>{{1}}), std::invalid_argument);
  EXPECT_THROW(friedman_test(std::vector<std::vector<double>>{{1, 2}, {1}}), std::invalid_argument);
}

TEST(BenchStatistics, RanksByChanceAreSeldomSignificant) {
  Rng rng(11);
  int significant = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<std::vector<double>> blocks(30, std::vector<double>(5));
    for (auto& block : blocks) {
      for (double& score : block) score = rng.uniform();
    }
    significant += friedman_test(blocks).p_value < 0.05 ? 1 : 0;
  }
  EXPECT_NEAR(significant / 200.0, 0.05, 0.046);
}

TEST(BenchStatistics, QuartilesLieBetweenOrderStatistics) {
  const std::vector<double> values = {4, 1, 3, 2, 10};
  const FiveNumbers five = five_numbers(values);
  EXPECT_EQ(five.least, 1);
  EXPECT_EQ(five.lower, 2);
  EXPECT_EQ(five.median, 3);
  EXPECT_EQ(five.upper, 4);
  EXPECT_EQ(five.most, 10);
}

}  // namespace
}  // namespace ridgeline
