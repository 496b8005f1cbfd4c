// Analytic functions: their fronts are attained, nothing lies below them, and their hypervolumes are the closed forms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "experiments/evaluators/test_functions.hpp"
#include "spaces/config_error.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

TestFunction made(const std::string& name, std::size_t variables, std::size_t objectives = 2, std::size_t levels = 4) {
  return {name, {variables, objectives, levels}};
}

std::vector<double> outputs(const TestFunction& function, const std::vector<double>& x) {
  std::vector<double> values(function.shape().objectives + function.constraints());
  function.evaluate(x, values);
  return values;
}

TEST(TestFunctions, HypervolumesOfTheirFrontsAreTheClosedForms) {
  EXPECT_NEAR(made("zdt1", 30).hypervolume(), 0.1 + 2.0 / 3 + 0.11, 5e-5);
  EXPECT_NEAR(made("zdt4", 10).hypervolume(), 0.1 + 2.0 / 3 + 0.11, 5e-5);
  EXPECT_NEAR(made("zdt2", 30).hypervolume(), 0.1 + 1.0 / 3 + 0.11, 5e-5);
  const double x = 0.2807753191;  // the least f1 of ZDT6, as published
  EXPECT_NEAR(made("zdt6", 10).hypervolume(), 0.1 * (1 - x) + (1 - x * x * x) / 3 + 0.11, 5e-5);
  EXPECT_NEAR(made("dtlz1", 7, 3).hypervolume(), std::pow(0.55, 3) - 0.125 / 6, 1e-12);
  EXPECT_NEAR(made("dtlz2", 12, 3).hypervolume(), std::pow(1.1, 3) - std::numbers::pi / 6, 1e-12);
  EXPECT_NEAR(made("mw2", 15).hypervolume(), 1.21 - 0.5, 5e-5);
  // Two objectives of dtlz5 and dtlz6 lie on the circle.
  EXPECT_NEAR(made("dtlz6", 11, 2).hypervolume(), 1.21 - std::numbers::pi / 4, 5e-5);
}

// The closed forms against the sampled fronts, which lie a little within.
TEST(TestFunctions, ClosedFormsAreThoseOfTheSampledFronts) {
  for (const auto& [name, m, within] : {std::tuple{"dtlz1", 2, 1e-4},
                                        {"dtlz1", 3, 2e-2},
                                        {"dtlz2", 2, 1e-4},
                                        {"dtlz3", 3, 2e-2},
                                        {"dtlz4", 2, 1e-4},
                                        {"dtlz7", 2, 1e-4},
                                        {"dtlz7", 3, 2e-2}}) {
    const TestFunction function = made(name, 10, static_cast<std::size_t>(m));
    const double sampled = hypervolume(function.front(), function.reference());
    EXPECT_LE(sampled, function.hypervolume() * (1 + 1e-6)) << name << m;
    EXPECT_GE(sampled, function.hypervolume() * (1 - within)) << name << m;
  }
}

// Variables that give a point of the front: position by its first objective, distance where the paper has it least.
std::vector<double> at_front(const std::string& name, std::size_t n, const Point& point) {
  std::vector<double> x(n, 0.0);
  x[0] = point[0];
  double g = 1.0;
  if (name == "mw7") {
    g = std::hypot(point[0], point[1]);
    x[0] = point[0] / g;
  } else if (name == "mw3") {
    g = point[0] + point[1];
  }
  for (std::size_t i = 1; i < n; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(n);
    if (name == "zdt4") x[i] = 0.5;
    if (name == "mw1") x[i] = std::pow(0.5 + share / 2, 1.0 / (static_cast<double>(n) - 2));
    if (name == "mw2") x[i] = share;
    if (name == "mw3" || name == "mw7") x[i] = 1 - (x[i - 1] - 0.5) * (x[i - 1] - 0.5);
  }
  if (g > 1.0) x[n - 1] -= std::sqrt((g - 1.0) / 2);
  return x;
}

TEST(TestFunctions, EveryPointOfAFrontIsAttainedAndFeasible) {
  for (const char* name : {"zdt1", "zdt2", "zdt3", "zdt4", "mw1", "mw2", "mw3", "mw7"}) {
    const TestFunction function = made(name, 10);
    const std::vector<Point> front = function.front();
    ASSERT_GT(front.size(), 100U) << name;
    for (std::size_t i = 0; i < front.size(); i += 37) {
      const std::vector<double> values = outputs(function, at_front(name, 10, front[i]));
      EXPECT_NEAR(values[0], front[i][0], 1e-9) << name;
      EXPECT_NEAR(values[1], front[i][1], 1e-9) << name;
      for (std::size_t c = 2; c < values.size(); ++c) EXPECT_LE(values[c], 1e-9) << name << " at " << front[i][0];
    }
  }
}

// Random points, half of them near where the distance is least: none is feasible and better by more than the sampling.
TEST(TestFunctions, NothingLiesBelowAFront) {
  Rng rng(3);
  for (const std::string& name : TestFunction::names()) {
    for (const std::size_t m : {2U, 3U}) {
      if (m == 3 && !name.starts_with("dtlz")) continue;
      const std::size_t n = name == "separable" ? 6 : 8;
      const TestFunction function = made(name, n, m);
      const std::vector<Point> front = function.front();
      const double before = hypervolume(front, function.reference());
      std::vector<Point> all = front;
      for (int k = 0; k < 800; ++k) {
        std::vector<double> x(n);
        const double noise = k % 2 == 0 ? 1.0 : 0.02;
        const std::vector<double> base =
            at_front(name, n, Point{rng.uniform(), name.starts_with("mw") ? 0.0 : rng.uniform()});
        const double rest = name.starts_with("dtlz") && name != "dtlz6" && name != "dtlz7" ? 0.5 : 0.0;
        for (std::size_t i = 0; i < n; ++i) {
          x[i] = std::clamp((name.starts_with("dtlz") ? rest : base[i]) + noise * (rng.uniform() - 0.5), 0.0, 1.0);
          if (i + 1 < m || name == "separable") x[i] = rng.uniform();
          if (name == "separable") x[i] = std::round(3 * x[i]) / 3;
        }
        std::vector<double> values = outputs(function, x);
        bool feasible = true;
        for (std::size_t c = m; c < values.size(); ++c) feasible = feasible && values[c] <= 0.0;
        values.resize(m);
        if (feasible) all.push_back(values);
      }
      const double after = hypervolume(all, function.reference());
      EXPECT_GE(after, before);
      EXPECT_LE(after, before * (1 + (m == 2 ? 1e-4 : 2e-2))) << name << m;
      EXPECT_LE(after, function.hypervolume() * (1 + 1e-4)) << name << m;
    }
  }
}

TEST(TestFunctions, TheFrontOfSumsIsThatOfBruteForce) {
  const TestFunction function = made("separable", 5, 2, 4);
  std::vector<Point> all;
  for (int code = 0; code < 1024; ++code) {
    std::vector<double> x;
    for (int i = 0, rest = code; i < 5; ++i, rest /= 4) x.push_back((rest % 4) / 3.0);
    all.push_back(outputs(function, x));
  }
  const std::vector<Point> front = function.front();
  EXPECT_EQ(front.size(), 16U);
  EXPECT_NEAR(hypervolume(front, function.reference()), hypervolume(all, function.reference()), 1e-12);
  EXPECT_EQ(non_dominated(front).size(), front.size());
}

TEST(TestFunctions, ValuesAreThoseOfHandCases) {
  const std::vector<double> zdt1 = outputs(made("zdt1", 3), {0.25, 1, 1});  // g = 10
  EXPECT_NEAR(zdt1[1], 10 * (1 - std::sqrt(0.025)), 1e-12);
  const std::vector<double> zdt4 = outputs(made("zdt4", 2), {0, 1});  // y = 5: g = 11 + 25 - 10
  EXPECT_NEAR(zdt4[1], 26, 1e-9);
  const std::vector<double> dtlz2 = outputs(made("dtlz2", 3, 3), {1.0 / 3, 0.5, 1});  // g = 0.25
  EXPECT_NEAR(dtlz2[0], 1.25 * std::cos(std::numbers::pi / 6) * std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(dtlz2[1], 1.25 * std::cos(std::numbers::pi / 6) * std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(dtlz2[2], 1.25 * 0.5, 1e-12);
  const std::vector<double> dtlz1 = outputs(made("dtlz1", 3, 3), {0.25, 0.5, 0.5});  // g = 0
  EXPECT_NEAR(dtlz1[0], 0.5 * 0.125, 1e-12);
  EXPECT_NEAR(dtlz1[2], 0.5 * 0.75, 1e-12);
  const std::vector<double> dtlz7 = outputs(made("dtlz7", 3, 2), {0.5, 0, 0});  // sin(1.5 pi) = -1
  EXPECT_NEAR(dtlz7[1], 4, 1e-12);
  const std::vector<double> mw7 = outputs(made("mw7", 2), {0, 0.75});  // g = 1, at 90 degrees
  EXPECT_NEAR(mw7[2], 1 - 1.44, 1e-9);
  EXPECT_NEAR(mw7[3], 1.15 * 1.15 - 1, 1e-9);
}

TEST(TestFunctions, WhatAFunctionDoesNotTakeIsRefused) {
  EXPECT_THROW(made("zdt5", 10), ConfigError);
  EXPECT_THROW(made("zdt1", 1), ConfigError);
  EXPECT_THROW(made("zdt1", 10, 3), ConfigError);
  EXPECT_THROW(made("dtlz5", 10, 4), ConfigError);
  EXPECT_THROW(made("separable", 10, 2, 0), ConfigError);
}

}  // namespace
}  // namespace ridgeline
