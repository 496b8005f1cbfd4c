// Canonical correlations: closed forms, and what no invertible map may change.
#include "kernels/quantization/canonical_correlation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "spaces/rng.hpp"

namespace ridgeline::testing {
namespace {

std::vector<float> normal_numbers(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

// features [n, from] times map [from, to], plus an offset.
std::vector<float> mapped(const std::vector<float>& features, std::size_t from, const std::vector<float>& map) {
  const std::size_t to = map.size() / from;
  std::vector<float> made;
  for (std::size_t row = 0; row < features.size() / from; ++row) {
    for (std::size_t c = 0; c < to; ++c) {
      float sum = 3.0F;
      for (std::size_t k = 0; k < from; ++k) sum += features[row * from + k] * map[k * to + c];
      made.push_back(sum);
    }
  }
  return made;
}

TEST(CanonicalCorrelation, LinearlyRelatedFeaturesHaveOne) {
  const std::vector<float> x = normal_numbers(200 * 5, 1);
  const CanonicalBasis a = canonical_basis(x, 5), b = canonical_basis(mapped(x, 5, normal_numbers(25, 2)), 5);
  const std::vector<double> correlations = canonical_correlations(a, b);
  ASSERT_EQ(correlations.size(), 5U);
  for (const double one : correlations) EXPECT_NEAR(one, 1.0, 1e-6);
  EXPECT_NEAR(explained_share(a, b), 1.0, 1e-6);
  // Two of five directions: known from all, but not the other way round.
  const CanonicalBasis part = canonical_basis(mapped(x, 5, normal_numbers(10, 3)), 2);
  EXPECT_NEAR(explained_share(part, a), 1.0, 1e-6);
  EXPECT_NEAR(explained_share(a, part), 0.4, 0.02);
}

TEST(CanonicalCorrelation, OneColumnEachIsPearson) {
  const std::vector<float> x = normal_numbers(300, 4), noise = normal_numbers(300, 5);
  std::vector<float> y;
  for (std::size_t i = 0; i < x.size(); ++i) y.push_back(-2.0F * x[i] + noise[i]);
  const auto mean = [](const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = static_cast<double>(x[i]) - mean(x), dy = static_cast<double>(y[i]) - mean(y);
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  const std::vector<double> found = canonical_correlations(canonical_basis(x, 1), canonical_basis(y, 1));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NEAR(found[0], std::abs(xy) / std::sqrt(xx * yy), 1e-6);
  EXPECT_GT(found[0], 0.85);
}

TEST(CanonicalCorrelation, IndependentFeaturesAreNearZeroAfterTheCorrection) {
  double corrected = 0, plain = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const CanonicalBasis a = canonical_basis(normal_numbers(200 * 20, 100 + seed), 20);
    const CanonicalBasis b = canonical_basis(normal_numbers(200 * 20, 500 + seed), 20);
    corrected += explained_share(a, b) / 20;
    for (const double one : canonical_correlations(a, b)) plain += one * one / 20 / 20;
  }
  EXPECT_NEAR(plain, 20.0 / 199.0, 0.01);  // E[R^2] of p independent predictors of n samples: p / (n - 1)
  EXPECT_LT(corrected, 0.01);
}

TEST(CanonicalCorrelation, InvertibleMapsChangeNothing) {
  const std::vector<float> x = normal_numbers(400 * 4, 6), noise = normal_numbers(400 * 3, 7);
  std::vector<float> y = mapped(x, 4, normal_numbers(12, 8));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += noise[i];
  const std::vector<double> before = canonical_correlations(canonical_basis(x, 4), canonical_basis(y, 3));
  const std::vector<double> after = canonical_correlations(canonical_basis(mapped(x, 4, normal_numbers(16, 9)), 4),
                                                           canonical_basis(mapped(y, 3, normal_numbers(9, 10)), 3));
  ASSERT_EQ(before.size(), 3U);
  ASSERT_EQ(after.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(after[i], before[i], 1e-4);
  EXPECT_LT(before[0], 0.99);
  EXPECT_GT(before[0], 0.5);
}

TEST(CanonicalCorrelation, ComponentsAreThoseThatExplainMost) {
  std::vector<float> x = normal_numbers(100 * 3, 11);
  for (std::size_t row = 0; row < 100; ++row) {
    x[row * 3] *= 100.0F;
    x[row * 3 + 2] = 7.0F;  // constant: no component
  }
  EXPECT_EQ(canonical_basis(x, 3).components, 2U);
  EXPECT_EQ(canonical_basis(x, 3, {.variance = 0.99}).components, 1U);
  EXPECT_EQ(canonical_basis(x, 3, {.components = 1}).components, 1U);
  const CanonicalBasis none = canonical_basis(std::vector<float>(100, 2.0F), 1), some = canonical_basis(x, 3);
  EXPECT_EQ(none.components, 0U);
  EXPECT_TRUE(canonical_correlations(none, some).empty());
  EXPECT_EQ(explained_share(none, some), 1.0);
  EXPECT_EQ(explained_share(some, none), 0.0);
}

TEST(CanonicalCorrelation, WhatDoesNotFitIsRefused) {
  const CanonicalBasis a = canonical_basis(normal_numbers(40, 12), 2), b = canonical_basis(normal_numbers(42, 13), 2);
  EXPECT_THROW(canonical_correlations(a, b), std::invalid_argument);
  EXPECT_THROW(canonical_basis(normal_numbers(5, 14), 2), std::invalid_argument);
  EXPECT_THROW(canonical_basis(normal_numbers(5, 14), 0), std::invalid_argument);
  const std::vector<float> bad{1.0F, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(canonical_basis(bad, 1), std::invalid_argument);
  const CanonicalBasis full = canonical_basis(normal_numbers(16, 15), 4);  // 4 samples
  EXPECT_THROW(explained_share(full, full), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline::testing
