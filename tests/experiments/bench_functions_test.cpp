// Analytic functions: their fronts are attained, nothing lies below them, and their hypervolumes are the closed forms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

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
  EXPECT_NEAR(made("mw4", 15, 3).hypervolume(), std::pow(1.1, 3) - 1.0 / 6, 1e-12);
  // MW9's front is 1 - 0.64 f1^2 up to where 1.3 - 0.3 f1 - f1^2 is lower.
  const double meet = (std::sqrt(0.09 + 4 * 0.36 * 0.3) - 0.3) / 0.72;
  const auto below = [](double a, double b, double c, double u) { return a * u + b * u * u / 2 + c * u * u * u / 3; };
  EXPECT_NEAR(made("mw9", 15).hypervolume(),
              1.21 - below(1, 0, -0.64, meet) - (below(1.3, -0.3, -1, 1) - below(1.3, -0.3, -1, meet)), 5e-5);
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
                                        {"dtlz7", 3, 2e-2},
                                        {"mw4", 2, 1e-4},
                                        {"mw4", 3, 2e-2},
                                        {"mw8", 2, 1e-4},
                                        {"mw8", 3, 2e-2},
                                        {"mw14", 2, 1e-4},
                                        {"mw14", 3, 2e-2}}) {
    const TestFunction function = made(name, 10, static_cast<std::size_t>(m));
    const double sampled = hypervolume(function.front(), function.reference());
    EXPECT_LE(sampled, function.hypervolume() * (1 + 1e-6)) << name << m;
    EXPECT_GE(sampled, function.hypervolume() * (1 - within)) << name << m;
  }
}

// ---- variables that give a point, from the papers' formulas turned round ----
constexpr double pi = std::numbers::pi;

bool is_mw(const std::string& name) { return name.starts_with("mw"); }
int mw_number(const std::string& name) { return std::stoi(name.substr(2)); }
bool many_objective(const std::string& name) { return name == "mw4" || name == "mw8" || name == "mw14"; }

// f2 at g = 1 over the position, of the functions whose objectives are g times these.
double mw_height(int number, double x) {
  switch (number) {
    case 9:
      return 1 - std::pow(x, 0.6);
    case 10:
      return 1 - x * x;
    case 11:
      return std::sqrt(std::max(0.0, 2 - x * x));
    case 12:
      return 0.85 - 0.8 * x - 0.08 * std::abs(std::sin(3.2 * pi * x));
    default:
      return 5 - std::exp(x) - 0.5 * std::abs(std::sin(3 * pi * x));
  }
}
double mw_range(int number) {
  return number == 6 ? 1.1 : number == 11 ? std::sqrt(2.0) : number == 13 || number == 14 ? 1.5 : 1.0;
}

// Where increasing `function` is `target`.
template <typename Function>
double solved(double low, double high, double target, const Function& function) {
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (function(middle) < target ? low : high) = middle;
  }
  return (low + high) / 2;
}

// The variables of distance, positions being set: at their best, the last of them moved until the distance is g.
void set_distance(int number, std::size_t m, double g, std::vector<double>& x) {
  const auto n = static_cast<double>(x.size());
  const std::size_t last = x.size() - 1;
  const double range = mw_range(number), more = std::max(0.0, g - 1);
  for (std::size_t i = m - 1; i < x.size(); ++i) {
    const auto at = static_cast<double>(i);
    switch (number) {
      case 1:
      case 4:
      case 5:
      case 9:
      case 12: {
        const double away = i == last ? std::sqrt(-std::log(1 - std::min(more, 0.9998)) / 10) : 0.0;
        x[i] = std::pow(0.5 + at / (2 * n) - away, 1 / (n - static_cast<double>(m)));
        break;
      }
      case 2:
      case 6:
      case 8:
      case 10:
      case 13: {
        const double z =
            i == last ? solved(0, 0.5, more,
                               [&](double one) { return 1.5 + 0.1 / n * one * one - 1.5 * std::cos(2 * pi * one); })
                      : 0.0;
        x[i] = (at / n - std::sqrt(-std::log(1 - z) / 10)) / range;
        break;
      }
      default: {
        const double before = range * x[i - 1] - 0.5;
        x[i] = (1 - before * before - (i == last ? std::sqrt(more / 2) : 0.0)) / range;
      }
    }
  }
}

std::vector<double> mw_at(const std::string& name, std::size_t n, const Point& point) {
  const int number = mw_number(name);
  const std::size_t m = point.size();
  std::vector<double> x(n, 0.0);
  double g = 1;
  if (number <= 3) {
    g = point[1] + (number == 1 ? 0.85 : 1.0) * point[0];
    x[0] = point[0];
  } else if (number == 4) {
    g = std::accumulate(point.begin(), point.end(), 0.0);
    double rest = g;
    for (std::size_t i = 0; i + 1 < m; ++i) {
      x[i] = rest > 0 ? point[m - 1 - i] / rest : 0;
      rest -= point[m - 1 - i];
    }
  } else if (number <= 7) {
    const double radius = number == 6 ? 1.1 : 1.0;
    g = std::hypot(point[0], point[1]) / radius;
    x[0] = point[0] / g / radius;
  } else if (number == 8) {
    double rest = 0;
    for (const double f : point) rest += f * f;
    g = rest = std::sqrt(rest);
    for (std::size_t i = 0; i + 1 < m; ++i) {
      x[i] = rest > 0 ? std::asin(std::min(1.0, point[m - 1 - i] / rest)) * 2 / pi : 0;
      rest *= std::cos(x[i] * pi / 2);
    }
  } else if (number == 14) {
    double height = 0;
    for (std::size_t i = 0; i + 1 < m; ++i) {
      x[i] = point[i] / 1.5;
      height += 6 - std::exp(point[i]) - 1.5 * std::sin(1.1 * pi * point[i] * point[i]);
    }
    g = point[m - 1] * static_cast<double>(m - 1) / height;
  } else {
    double position = 0;
    if (point[0] > 0) {  // the ray through the point; the largest position whose curve it meets at g of 1 or more
      const auto above = [&](double p) { return point[0] / p * mw_height(number, p) - point[1]; };
      const double end = std::min(point[0], mw_range(number));
      double high = end;
      while (above(high) > 1e-12 && high > end / 2) high -= end / 4000;
      position = solved(1e-9, high, 0, [&](double p) { return -above(p); });
    }
    g = position > 0 ? point[0] / position : point[1] / mw_height(number, 0);
    x[0] = number == 10 ? std::pow(position, 1 / static_cast<double>(n)) : position / mw_range(number);
  }
  set_distance(number, m, g, x);
  return x;
}

std::vector<double> at_front(const std::string& name, std::size_t n, const Point& point) {
  if (is_mw(name)) return mw_at(name, n, point);
  std::vector<double> x(n, name == "zdt4" ? 0.5 : 0.0);
  x[0] = point[0];
  return x;
}

TEST(TestFunctions, EveryPointOfAFrontIsAttainedAndFeasible) {
  for (const std::string& name : TestFunction::names()) {
    if (!is_mw(name) && (!name.starts_with("zdt") || name == "zdt6")) continue;
    for (const std::size_t m : {2U, 3U}) {
      if (m == 3 && !many_objective(name)) continue;
      const TestFunction function = made(name, 10, m);
      const std::vector<Point> front = function.front();
      ASSERT_GT(front.size(), 100U) << name;
      for (std::size_t i = 0; i < front.size(); i += 37) {
        const std::vector<double> x = at_front(name, 10, front[i]);
        for (const double one : x) ASSERT_TRUE(one >= -1e-9 && one <= 1 + 1e-9) << name << " at " << front[i][0];
        const std::vector<double> values = outputs(function, x);
        for (std::size_t k = 0; k < m; ++k) EXPECT_NEAR(values[k], front[i][k], 1e-7) << name << " at " << front[i][0];
        for (std::size_t c = m; c < values.size(); ++c) EXPECT_LE(values[c], 1e-7) << name << " at " << front[i][0];
      }
    }
  }
}

// Random points, most of them near the front or where the distance is least: none is feasible and better by more than
// the sampling.
TEST(TestFunctions, NothingLiesBelowAFront) {
  Rng rng(3);
  for (const std::string& name : TestFunction::names()) {
    for (const std::size_t m : {2U, 3U}) {
      if (m == 3 && !name.starts_with("dtlz") && !many_objective(name)) continue;
      const std::size_t n = name == "separable" ? 6 : 8;
      const TestFunction function = made(name, n, m);
      const std::vector<Point> front = function.front();
      const double before = hypervolume(front, function.reference());
      std::vector<Point> all = front;
      for (int k = 0; k < 800; ++k) {
        std::vector<double> x(n);
        const double noise = std::array{1.0, 0.02, 0.001}[static_cast<std::size_t>(k % (is_mw(name) ? 3 : 2))];
        const std::vector<double> base =
            at_front(name, n, is_mw(name) ? front[rng.below(front.size())] : Point{rng.uniform(), rng.uniform()});
        const double rest = name.starts_with("dtlz") && name != "dtlz6" && name != "dtlz7" ? 0.5 : 0.0;
        for (std::size_t i = 0; i < n; ++i) {
          x[i] = std::clamp((name.starts_with("dtlz") ? rest : base[i]) + noise * (rng.uniform() - 0.5), 0.0, 1.0);
          if ((i + 1 < m && !is_mw(name)) || name == "separable") x[i] = rng.uniform();
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

// Positions x distances in a grid: what is feasible of it comes near the front, all along it.
TEST(TestFunctions, FrontsOfMwAreThoseOfAGrid) {
  constexpr std::size_t n = 4;
  constexpr int positions = 500, distances = 100;
  for (const std::string& name : TestFunction::names()) {
    if (!is_mw(name)) continue;
    const TestFunction function = made(name, n);
    const Point reference = function.reference();
    std::vector<Point> all;
    for (int i = 0; i <= positions; ++i) {
      std::vector<double> x(n);
      x[0] = static_cast<double>(i) / positions;
      for (int k = 0; k <= distances; ++k) {
        set_distance(mw_number(name), 2, 1 + 0.75 * k / distances, x);
        if (std::ranges::any_of(x, [](double one) { return one < 0 || one > 1; })) continue;
        std::vector<double> values = outputs(function, x);
        bool feasible = true;
        for (std::size_t c = 2; c < values.size(); ++c) feasible = feasible && values[c] <= 1e-9;
        values.resize(2);
        if (feasible && values[0] < reference[0] && values[1] < reference[1]) all.push_back(values);
      }
    }
    const double grid = hypervolume(all, reference), share = grid / function.hypervolume();
    EXPECT_LE(share, 1 + 1e-4) << name;
    EXPECT_GE(share, name == "mw5" || name == "mw11" ? 0.9 : 0.97) << name;  // whose lone points no grid meets
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

TEST(TestFunctions, ValuesOfMwAreThoseOfHandCases) {
  const auto expect = [](const std::vector<double>& values, const std::vector<double>& wanted) {
    ASSERT_EQ(values.size(), wanted.size());
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], wanted[i], 1e-12) << i;
  };
  const double root = std::sqrt(0.5);
  expect(outputs(made("mw4", 4, 3), {0.25, 0.5, 0.75, 0.875}), {0.375, 0.375, 0.25, -0.4 * std::pow(root, 8)});
  expect(outputs(made("mw5", 3), {0, 2.0 / 3, 5.0 / 6}), {0, 1, 1 - 1.7 * 1.7, 0, 0});
  expect(outputs(made("mw6", 2), {1, 0.5 / 1.1}), {1.1, 0, std::pow(1.1 / 1.15, 2) - 1});
  expect(outputs(made("mw8", 3, 3), {1.0 / 3, 0.5, 2.0 / 3}),  // at 30 degrees the wave is 0
         {std::sqrt(0.75) * root, std::sqrt(0.75) * root, 0.5, 1 - 1.25 * 1.25});
  expect(outputs(made("mw9", 3), {1, 2.0 / 3, 5.0 / 6}), {1, 0, 0});
  expect(outputs(made("mw9", 3), {0, 2.0 / 3, 5.0 / 6}), {0, 1, 0});
  expect(outputs(made("mw10", 2), {root, 0.5}), {0.5, 0.75, 0.25 * 0.75, -0.75 * 2.75, 0});
  expect(outputs(made("mw11", 2), {root, 0.75 * root}), {1, 1, 0, -1.375 * 5, 0, -0.84 * 0.44});
  const double wave = 0.08 * std::sin(2 * pi * 0.85), wider = 0.08 * std::sin(2 * pi * 0.85 / 1.4);
  expect(outputs(made("mw12", 3), {0, 2.0 / 3, 5.0 / 6}),
         {0, 0.85, -(0.15 + wave) * (0.55 + wider), (0.15 + wave) * (0.95 + 0.08 * std::sin(2 * pi * 0.85 / 1.8))});
  const double height = 4.5 - std::exp(0.5);  // at f1 = 0.5, where the sine is -1
  expect(outputs(made("mw13", 2), {1.0 / 3, 1.0 / 3}),
         {0.5, height, -(3.875 - height) * (4.15 - height), 4.3 - height});
  expect(outputs(made("mw14", 3, 3), {0, 0, 0.5}), {0, 0, 5, -0.1});
}

TEST(TestFunctions, WhatAFunctionDoesNotTakeIsRefused) {
  EXPECT_THROW(made("zdt5", 10), ConfigError);
  EXPECT_THROW(made("zdt1", 1), ConfigError);
  EXPECT_THROW(made("zdt1", 10, 3), ConfigError);
  EXPECT_THROW(made("dtlz5", 10, 4), ConfigError);
  EXPECT_THROW(made("separable", 10, 2, 0), ConfigError);
  EXPECT_THROW(made("mw4", 3, 3), ConfigError);
  EXPECT_THROW(made("mw9", 10, 3), ConfigError);
  EXPECT_EQ(TestFunction::usual_objectives("mw14"), 3U);
  EXPECT_EQ(TestFunction::usual_objectives("mw13"), 2U);
}

}  // namespace
}  // namespace ridgeline
