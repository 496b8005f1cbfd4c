#include "predictors/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace ridgeline {
namespace {

using Values = std::vector<double>;

TEST(Metrics, TiesShareTheirMeanRank) {
  EXPECT_EQ(average_ranks(Values{10, 20, 20, 5}), (Values{2, 3.5, 3.5, 1}));
  EXPECT_EQ(average_ranks(Values{7, 7, 7}), (Values{2, 2, 2}));
}

// Without ties rho = 1 - 6 sum d^2 / (n (n^2 - 1)): ranks 1 2 3 4 5 against 2 1 4 3 5, sum d^2 = 4, rho = 0.8.
TEST(Metrics, SpearmanByHand) {
  EXPECT_NEAR(spearman(Values{1, 2, 3, 4, 5}, Values{20, 10, 40, 30, 50}), 0.8, 1e-15);
  EXPECT_NEAR(spearman(Values{1, 2, 3}, Values{9, 4, 1}), -1.0, 1e-15);
  EXPECT_NEAR(spearman(Values{1, 2, 3, 4}, Values{1, 10, 100, 1000}), 1.0, 1e-15);  // monotone, not linear
  EXPECT_EQ(spearman(Values{1, 1, 1}, Values{1, 2, 3}), 0.0);
}

// With ties, worked by hand: ranks 1 2.5 2.5 4 against 1 2 3 4: covariance 4.5, variances 4.5 and 5.
TEST(Metrics, SpearmanWithTies) {
  EXPECT_NEAR(spearman(Values{1, 2, 2, 3}, Values{1, 2, 3, 4}), 4.5 / std::sqrt(4.5 * 5.0), 1e-15);
}

// Kendall's own kind of example: 1 2 3 4 5 against 3 1 2 5 4 has 7 concordant and 3 discordant pairs of 10.
TEST(Metrics, KendallByHand) {
  EXPECT_NEAR(kendall_tau_b(Values{1, 2, 3, 4, 5}, Values{3, 1, 2, 5, 4}), 0.4, 1e-15);
  // Ties: of 6 pairs a ties one and b three; three are concordant, none discordant.
  EXPECT_NEAR(kendall_tau_b(Values{1, 2, 2, 3}, Values{1, 2, 2, 2}), 3.0 / std::sqrt(5.0 * 3.0), 1e-15);
  EXPECT_EQ(kendall_tau_b(Values{1, 1}, Values{1, 2}), 0.0);
}

TEST(Metrics, PercentageErrorsAndShares) {
  const Values measured{100, 200, 50, 10};
  const Values predicted{104, 190, 55.5, 10};  // 4 %, 5 %, 11 %, 0 %
  EXPECT_NEAR(mean_absolute_percentage_error(predicted, measured), 5.0, 1e-12);
  EXPECT_DOUBLE_EQ(share_within(predicted, measured, 0.05), 0.75);  // the limit itself counts
  EXPECT_DOUBLE_EQ(share_within(predicted, measured, 0.10), 0.75);
  EXPECT_DOUBLE_EQ(share_within(predicted, measured, 0.12), 1.0);
}

TEST(Metrics, RefuseWhatHasNoAnswer) {
  EXPECT_THROW(spearman(Values{}, Values{}), std::invalid_argument);
  EXPECT_THROW(pearson(Values{1, 2}, Values{1}), std::invalid_argument);
  EXPECT_THROW(kendall_tau_b(Values{1, std::numeric_limits<double>::quiet_NaN()}, Values{1, 2}), std::invalid_argument);
  EXPECT_THROW(mean_absolute_percentage_error(Values{1}, Values{0}), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline
